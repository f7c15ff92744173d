#include "stages/mapper/view/loader_priv.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/text/key.h"

enum {
    FILES_MAX = 64,
    FILE_MAX_BYTES = 1 << 20,
    JSON_DEPTH = 32,
    ARENA_BLOCK = 1 << 18,
    ARENA_MAX = 1 << 28,
    DEFINES_MAX = 128,
    MAPS_MAX = 64,
    MATCHES_MAX = 512, /* a power of two, at least twice the number of entries */
    PATH_MAX_BYTES = 4096,
};

/* ---- the embedded views: views.S ---- */

struct embedded {
    const char *name;
    const char *begin;
    const char *end;
};

extern const struct embedded mapper_embedded_views[];
extern const uint64_t mapper_embedded_views_n;

/* ---- files ---- */

struct file {
    char *name;
    char *bytes; /* owned; NULL for embedded ones */
    struct wh_slice text;
    struct wh_json_parser *parser;
    struct wh_json_val root;
};

struct files {
    struct file items[FILES_MAX];
    unsigned n;
};

static void files_done(struct files *files)
{
    for (unsigned i = 0; i < files->n; i++) {
        wh_json_parser_free(files->items[i].parser);
        wh_mem_free(files->items[i].bytes);
        wh_mem_free(files->items[i].name);
    }
}

static enum wh_rc add_file(struct files *files, const char *name, char *bytes, struct wh_slice text,
                           struct wh_err *err)
{
    struct file *file = &files->items[files->n];

    if (files->n == FILES_MAX) {
        wh_mem_free(bytes);
        return wh_fail(err, WH_E_CONFIG, "more than %d view files", FILES_MAX);
    }
    *file = (struct file){.bytes = bytes, .text = text};
    files->n++;
    file->name = wh_mem_dup(name, strlen(name));
    file->parser = wh_json_parser_new(FILE_MAX_BYTES, JSON_DEPTH);
    if (file->name == NULL || file->parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for view files");
    }
    if (wh_json_parse(file->parser, text, &file->root, err) != WH_OK) {
        (void)wh_err_prefix(err, "%s", name);
        return err->rc = WH_E_CONFIG;
    }
    return WH_OK;
}

static enum wh_rc add_embedded(struct files *files, struct wh_err *err)
{
    for (uint64_t i = 0; i < mapper_embedded_views_n; i++) {
        const struct embedded *e = &mapper_embedded_views[i];

        if (add_file(files, e->name, NULL, wh_slice(e->begin, (size_t)(e->end - e->begin)), err) !=
            WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc read_file(const char *path, char **ret, size_t *ret_n, struct wh_err *err)
{
    FILE *f = fopen(path, "re");
    char *bytes = f ? wh_mem_alloc(FILE_MAX_BYTES + 1) : NULL;
    size_t n = bytes ? fread(bytes, 1, FILE_MAX_BYTES + 1, f) : 0;

    if (f) {
        (void)fclose(f);
    }
    if (bytes == NULL || n > FILE_MAX_BYTES) {
        wh_mem_free(bytes);
        return wh_fail(err, WH_E_CONFIG, "the view file %s cannot be read or is over 1 MiB", path);
    }
    *ret = bytes;
    *ret_n = n;
    return WH_OK;
}

static int is_view_file(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);

    return n > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 5, ".json") == 0;
}

static enum wh_rc add_one(struct files *files, const char *dir, const char *name,
                          struct wh_err *err)
{
    char path[PATH_MAX_BYTES];
    char *bytes = NULL;
    size_t n = 0;
    int len = snprintf(path, sizeof(path), "%s/%s", dir, name);

    if (len < 0 || (size_t)len >= sizeof(path)) {
        return wh_fail(err, WH_E_CONFIG, "views.path is too long");
    }
    if (read_file(path, &bytes, &n, err) != WH_OK) {
        return err->rc;
    }
    return add_file(files, name, bytes, wh_slice(bytes, n), err);
}

static enum wh_rc add_dir(struct files *files, const char *dir, struct wh_err *err)
{
    struct dirent **names;
    int n = scandir(dir, &names, is_view_file, alphasort);
    enum wh_rc rc = WH_OK;

    if (n < 0) {
        return wh_fail(err, WH_E_CONFIG, "views.path: the folder %s cannot be read", dir);
    }
    for (int i = 0; i < n; i++) {
        if (rc == WH_OK) {
            rc = add_one(files, dir, names[i]->d_name, err);
        }
        wh_mem_free(names[i]);
    }
    wh_mem_free(names);
    return rc;
}

/* ---- definitions, maps, ranks: first pass over all files ---- */

static bool add_map_item(struct view_loader *l, struct wh_slice key, struct wh_json_val v,
                         struct view_map_item *item)
{
    if (!view_loader_dup(l, key, &item->from)) {
        return false;
    }
    if (wh_json_type(v) == WH_JSON_STRING) {
        return view_loader_dup(l, wh_json_string(v), &item->text);
    }
    item->number = wh_json_int(v);
    return true;
}

static bool add_map(struct view_loader *l, struct view_map *maps, unsigned *n, struct wh_slice name,
                    struct wh_json_val object)
{
    struct wh_json_iter it = wh_json_iter(object);
    struct view_map *map = &maps[*n];
    struct view_map_item *items;
    struct wh_json_val v;
    struct wh_slice key;
    unsigned count = 0;

    while (wh_json_next(&it, &key, &v)) {
        count++;
    }
    items = view_loader_alloc(l, count + 1, sizeof(*items));
    if (items == NULL || *n == MAPS_MAX) {
        return view_loader_fail(l, "more than %d tables", MAPS_MAX);
    }
    it = wh_json_iter(object);
    for (unsigned i = 0; wh_json_next(&it, &key, &v); i++) {
        if (!add_map_item(l, key, v, &items[i])) {
            return false;
        }
    }
    map->items = items;
    map->n = count;
    (*n)++;
    return view_loader_dup(l, name, &map->name);
}

static bool add_define(struct view_loader *l, struct wh_slice name, struct wh_json_val v)
{
    if (l->n_defines == DEFINES_MAX) {
        return view_loader_fail(l, "more than %d definitions", DEFINES_MAX);
    }
    l->defines[l->n_defines++] = (struct view_named){name, v};
    return true;
}

static bool first_pass(struct view_loader *l, struct wh_json_val root)
{
    struct wh_json_iter it = wh_json_iter(root);
    struct wh_json_val section;
    struct wh_json_val v;
    struct wh_slice name;
    struct wh_slice key;

    if (wh_json_type(root) != WH_JSON_OBJECT) {
        return view_loader_fail(l, "a view file must be a JSON object");
    }
    while (wh_json_next(&it, &name, &section)) {
        struct wh_json_iter inner = wh_json_iter(section);
        bool define = wh_slice_eq(name, WH_LIT("define"));
        bool maps = wh_slice_eq(name, WH_LIT("maps"));
        bool ranks = wh_slice_eq(name, WH_LIT("ranks"));
        bool words = wh_slice_eq(name, WH_LIT("words"));
        bool labels = wh_slice_eq(name, WH_LIT("labels"));

        if (!define && !maps && !ranks && !words && !labels &&
            !wh_slice_eq(name, WH_LIT("categories"))) {
            if (!wh_slice_eq(name, WH_LIT("views")) && !wh_slice_eq(name, WH_LIT("ignore")) &&
                !wh_slice_eq(name, WH_LIT("edition")) && !wh_slice_eq(name, WH_LIT("about"))) {
                return view_loader_fail(l, "unknown key '%.*s'", WH_SLICE_ARG(name));
            }
            continue;
        }
        while (wh_json_next(&inner, &key, &v)) {
            if (define   ? !add_define(l, key, v)
                : maps   ? !add_map(l, l->maps, &l->n_maps, key, v)
                : ranks  ? !add_map(l, l->ranks, &l->n_ranks, key, v)
                : words  ? !view_words_add(l, key, v)
                : labels ? !view_labels_add(l, key, v)
                         : !view_categories_add(l, key, v)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- views and ignored kinds: second pass ---- */

static struct view_match *match_place(const struct mapper_views *views, struct wh_slice kind)
{
    uint32_t at = view_key_hash(kind) & views->mask;

    while (views->matches[at].kind.ptr && !wh_slice_eq(views->matches[at].kind, kind)) {
        at = (at + 1) & views->mask;
    }
    return &views->matches[at];
}

const struct view_match *mapper_views_find(const struct mapper_views *views, struct wh_slice kind)
{
    const struct view_match *match = match_place(views, kind);

    return match->kind.ptr ? match : NULL;
}

bool view_is_used(const struct mapper_views *views, const struct view *view)
{
    for (uint32_t i = 0; i <= views->mask; i++) {
        for (unsigned k = 0; k < WH_ORIGIN_COUNT; k++) {
            if (views->matches[i].views[k] == view) {
                return true;
            }
        }
    }
    return false;
}

static bool add_kind(struct view_loader *l, struct mapper_views *views, struct wh_slice kind,
                     struct wh_json_val origins, const struct view *view)
{
    struct view_match *match = match_place(views, kind);
    struct wh_json_iter it = wh_json_iter(origins);
    struct wh_json_val v;
    uint32_t used = 0;

    if (match->kind.ptr == NULL) {
        for (uint32_t i = 0; i <= views->mask; i++) {
            used += views->matches[i].kind.ptr != NULL;
        }
        if (used * 2 > views->mask || kind.len == 0) {
            return view_loader_fail(l, "too many kinds, or an empty one");
        }
        if (!view_loader_dup(l, kind, &match->kind)) {
            return false;
        }
    }
    while (wh_json_next(&it, NULL, &v)) {
        enum wh_origin origin = wh_origin_parse(wh_json_string(v));

        if (origin == WH_ORIGIN_COUNT) {
            return view_loader_fail(l, "an origin must be webhook, rest, mcp or import");
        }
        match->views[origin] = view;
        match->ignored[origin] = view == NULL;
    }
    return true;
}

/* {"origin": [...], "kind": [...]} */
static bool add_match(struct view_loader *l, struct mapper_views *views, struct wh_json_val match,
                      const struct view *view)
{
    struct wh_json_val origins;
    struct wh_json_val kinds;
    struct wh_json_iter it;
    struct wh_json_val v;

    if (!wh_json_get(match, WH_LIT("origin"), &origins) ||
        !wh_json_get(match, WH_LIT("kind"), &kinds)) {
        return view_loader_fail(l, "a match needs the lists 'origin' and 'kind'");
    }
    it = wh_json_iter(kinds);
    while (wh_json_next(&it, NULL, &v)) {
        if (!add_kind(l, views, wh_json_string(v), origins, view)) {
            return false;
        }
    }
    return true;
}

static bool add_edition(struct view_loader *l, struct mapper_views *views, struct wh_json_val v)
{
    int64_t edition = wh_json_type(v) == WH_JSON_INT ? wh_json_int(v) : -1;

    if (edition < 0 || edition > WH_VERSION_EDITION_MAX) {
        return view_loader_fail(l, "'edition' must be a number from 0 to %d",
                                WH_VERSION_EDITION_MAX);
    }
    if ((unsigned)edition > views->edition) {
        views->edition = (unsigned)edition;
    }
    return true;
}

static bool second_pass(struct view_loader *l, struct mapper_views *views, struct wh_json_val root)
{
    struct wh_json_val section;
    struct wh_json_iter it;
    struct wh_json_val v;
    struct wh_json_val match;

    l->view = wh_slice(NULL, 0);
    if (wh_json_get(root, WH_LIT("edition"), &section) && !add_edition(l, views, section)) {
        return false;
    }
    if (wh_json_get(root, WH_LIT("ignore"), &section)) {
        it = wh_json_iter(section);
        while (wh_json_next(&it, NULL, &v)) {
            if (!add_match(l, views, v, NULL)) {
                return false;
            }
        }
    }
    if (!wh_json_get(root, WH_LIT("views"), &section)) {
        return true;
    }
    it = wh_json_iter(section);
    while (wh_json_next(&it, NULL, &v)) {
        struct view *view = view_compile(l, v);

        if (view == NULL) {
            return false;
        }
        *l->last = view;
        l->last = &view->next;
        if (!wh_json_get(v, WH_LIT("match"), &match)) {
            return view_loader_fail(l, "a view needs a 'match'");
        }
        if (!add_match(l, views, match, view)) {
            return false;
        }
        views->n_views++;
    }
    return true;
}

static bool compile_all(struct view_loader *l, struct mapper_views *views,
                        const struct files *files)
{
    l->defines = view_loader_alloc(l, DEFINES_MAX, sizeof(*l->defines));
    l->maps = view_loader_alloc(l, MAPS_MAX, sizeof(*l->maps));
    l->ranks = view_loader_alloc(l, MAPS_MAX, sizeof(*l->ranks));
    l->words = view_loader_alloc(l, VIEW_TABLES_MAX, sizeof(*l->words));
    l->categories = view_loader_alloc(l, VIEW_TABLES_MAX, sizeof(*l->categories));
    l->labels = view_loader_alloc(l, VIEW_TABLES_MAX, sizeof(*l->labels));
    views->matches = view_loader_alloc(l, MATCHES_MAX, sizeof(*views->matches));
    views->mask = MATCHES_MAX - 1;
    l->last = &views->first;
    if (!l->defines || !l->maps || !l->ranks || !l->words || !l->labels || !l->categories ||
        !views->matches) {
        return false;
    }
    for (unsigned i = 0; i < files->n; i++) {
        l->file = files->items[i].name;
        if (!first_pass(l, files->items[i].root)) {
            return false;
        }
    }
    for (unsigned i = 0; i < files->n; i++) {
        l->file = files->items[i].name;
        if (!second_pass(l, views, files->items[i].root)) {
            return false;
        }
    }
    return true;
}

static enum wh_rc load(const struct files *files, struct mapper_views **ret, struct wh_err *err)
{
    struct mapper_views *views = wh_mem_zalloc(1, sizeof(*views));
    struct view_loader l = {.err = err};
    bool good;

    if (views == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for views");
    }
    wh_arena_init(&views->arena, ARENA_BLOCK, ARENA_MAX);
    l.arena = &views->arena;
    wh_buf_init(&l.key, WH_KEY_TEXT_MAX * 4);
    wh_err_clear(err);
    good = compile_all(&l, views, files);
    wh_buf_done(&l.key);
    if (!good) {
        mapper_views_free(views);
        return err->rc ? err->rc : wh_fail(err, WH_E_CONFIG, "views cannot be compiled");
    }
    *ret = views;
    return WH_OK;
}

static enum wh_rc add_path(struct files *files, const char *path, struct wh_err *err)
{
    char *bytes = NULL;
    size_t n = 0;

    return read_file(path, &bytes, &n, err) == WH_OK
               ? add_file(files, path, bytes, wh_slice(bytes, n), err)
               : err->rc;
}

enum wh_rc mapper_views_load(const char *dir, struct mapper_views **ret, struct wh_err *err)
{
    return mapper_views_load_over(dir, NULL, ret, err);
}

enum wh_rc mapper_views_load_over(const char *dir, const char *file, struct mapper_views **ret,
                                  struct wh_err *err)
{
    struct files *files = wh_mem_zalloc(1, sizeof(*files));
    enum wh_rc rc;

    if (files == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for view files");
    }
    rc = add_embedded(files, err);
    if (rc == WH_OK && dir && *dir) {
        rc = add_dir(files, dir, err);
    }
    if (rc == WH_OK && file) {
        rc = add_path(files, file, err);
    }
    if (rc == WH_OK) {
        rc = load(files, ret, err);
    }
    files_done(files);
    wh_mem_free(files);
    return rc;
}

enum wh_rc mapper_views_load_text(struct wh_slice text, struct mapper_views **ret,
                                  struct wh_err *err)
{
    struct files *files = wh_mem_zalloc(1, sizeof(*files));
    enum wh_rc rc;

    if (files == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for view files");
    }
    rc = add_file(files, "text", NULL, text, err);
    if (rc == WH_OK) {
        rc = load(files, ret, err);
    }
    files_done(files);
    wh_mem_free(files);
    return rc;
}

void mapper_views_free(struct mapper_views *views)
{
    if (views) {
        wh_arena_done(&views->arena);
        wh_mem_free(views);
    }
}

unsigned mapper_views_edition(const struct mapper_views *views)
{
    return views->edition;
}

size_t mapper_views_count(const struct mapper_views *views)
{
    return views->n_views;
}
