#include "tests/lib/th_map.h"

#include "tests/lib/th_cmocka.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/event/observation.h"
#include "common/json/json_write.h"

enum { BYTES_MAX = 64 << 20, ARENA_BLOCK = 1 << 16 };

struct th_map {
    struct mapper_views *own;
    struct mapper_eval *eval;
    struct wh_buf text;
    struct wh_buf wire;
    struct wh_buf scratch;
    struct wh_arena arena;
    struct wh_json_writer w;
    struct wh_json_parser *parser;
    size_t n;
    struct wh_buf rereads;
    struct wh_json_writer rw;
    void (*on_encoded)(void *ctx, struct wh_slice bytes);
    void *on_encoded_ctx;
};

struct th_map *th_map_new(struct mapper_views *views)
{
    struct th_map *map = wh_mem_zalloc(1, sizeof(*map));
    struct wh_err err;

    assert_non_null(map);
    if (views == NULL) {
        th_ok(mapper_views_load(NULL, &map->own, &err), &err);
        views = map->own;
    }
    map->eval = mapper_eval_new(views, 26 << 20, 128);
    map->parser = wh_json_parser_new(BYTES_MAX, 64);
    assert_non_null(map->eval);
    assert_non_null(map->parser);
    wh_buf_init(&map->text, BYTES_MAX);
    wh_buf_init(&map->wire, BYTES_MAX);
    wh_buf_init(&map->scratch, BYTES_MAX);
    wh_buf_init(&map->rereads, BYTES_MAX);
    wh_arena_init(&map->arena, ARENA_BLOCK, BYTES_MAX);
    return map;
}

void th_map_free(struct th_map *map)
{
    wh_json_parser_free(map->parser);
    wh_arena_done(&map->arena);
    wh_buf_done(&map->text);
    wh_buf_done(&map->wire);
    wh_buf_done(&map->scratch);
    wh_buf_done(&map->rereads);
    mapper_eval_free(map->eval);
    mapper_views_free(map->own);
    wh_mem_free(map);
}

static void write_id(struct wh_json_writer *w, const struct wh_entity_id *id)
{
    char text[WH_ENTITY_ID_TEXT + 1];

    wh_jw_str(w, wh_slice_str(wh_entity_id_format(id, text)));
}

static void write_value(struct wh_json_writer *w, enum wh_field_type type, const struct wh_value *v)
{
    if (v->is_null) {
        wh_jw_null(w);
        return;
    }
    switch (type) {
    case WH_FIELD_LONG:
    case WH_FIELD_TIME:
        wh_jw_int(w, v->u.i);
        break;
    case WH_FIELD_DOUBLE:
        wh_jw_double(w, v->u.num);
        break;
    case WH_FIELD_BOOL:
        wh_jw_bool(w, v->u.b);
        break;
    case WH_FIELD_REF:
        write_id(w, &v->u.ref);
        break;
    case WH_FIELD_REFS:
        wh_jw_array(w);
        for (size_t i = 0; i < v->u.refs.n; i++) {
            write_id(w, &v->u.refs.items[i]);
        }
        wh_jw_end(w);
        break;
    case WH_FIELD_STRINGS:
        wh_jw_array(w);
        for (size_t i = 0; i < v->u.strs.n; i++) {
            wh_jw_str(w, v->u.strs.items[i]);
        }
        wh_jw_end(w);
        break;
    case WH_FIELD_STRING:
    default:
        wh_jw_str(w, v->u.str);
        break;
    }
}

static void write_text(struct wh_json_writer *w, const char *key, struct wh_slice text)
{
    wh_jw_key(w, key);
    wh_jw_str(w, text);
}

static void write_observation(struct wh_json_writer *w, const struct wh_observation *o)
{
    char order[24];

    wh_jw_object(w);
    write_text(w, "kind", wh_slice_str(o->body.def->name));
    wh_jw_key(w, "id");
    write_id(w, &o->id);
    write_text(w, "system", o->source.system);
    write_text(w, "source_kind", o->source.kind);
    write_text(w, "source_id", o->source.id);
    write_text(w, "project", o->source.project);
    write_text(w, "iid", o->source.iid);
    write_text(w, "url", o->source.url);
    (void)snprintf(order, sizeof(order), "%020llu", (unsigned long long)o->version.order);
    write_text(w, "order", wh_slice_str(order));
    wh_jw_key(w, "at");
    wh_jw_int(w, wh_version_at_ms(o->version.order));
    write_text(w, "change", o->change == WH_CHANGE_DELETE ? WH_LIT("delete") : WH_LIT("upsert"));
    write_text(w, "reason", o->reason);
    write_text(w, "view", o->provenance.view);
    wh_jw_key(w, "fields");
    wh_jw_object(w);
    for (unsigned i = 0; i < o->body.def->n_fields; i++) {
        if (o->body.present >> i & 1) {
            wh_jw_key(w, o->body.def->fields[i].name);
            write_value(w, o->body.def->fields[i].type, &o->body.values[i]);
        }
    }
    wh_jw_end(w);
    wh_jw_key(w, "set_aside");
    wh_jw_array(w);
    for (size_t i = 0; i < o->n_set_aside; i++) {
        wh_jw_object(w);
        write_text(w, "pointer", o->set_aside[i].pointer);
        write_text(w, "reason", o->set_aside[i].reason);
        write_text(w, "example", o->set_aside[i].example);
        wh_jw_key(w, "count");
        wh_jw_int(w, o->set_aside[i].count);
        wh_jw_end(w);
    }
    wh_jw_end(w);
    wh_jw_end(w);
}

static enum wh_rc on_observation(void *ctx, const struct wh_observation *o, uint64_t inputs,
                                 struct wh_err *err)
{
    struct th_map *map = ctx;
    static struct wh_observation back;
    uint64_t tie;

    (void)inputs;
    write_observation(&map->w, o);
    map->n++;
    wh_buf_reset(&map->wire);
    wh_arena_reset(&map->arena);
    th_ok(wh_observation_encode(o, &map->wire, err), err);
    th_ok(wh_observation_decode(wh_buf_slice(&map->wire), &map->arena, &back, err), err);
    assert_true(wh_version_cmp(back.version, o->version) == 0);
    th_ok(wh_observation_tie(&back, &map->scratch, &tie, err), err);
    assert_true(tie == o->version.tie);
    assert_int_equal(o->provenance.offset, 77);
    if (map->on_encoded) {
        map->on_encoded(map->on_encoded_ctx, wh_buf_slice(&map->wire));
    }
    return WH_OK;
}

static enum wh_rc on_reread(void *ctx, const struct mapper_reread *r, struct wh_err *err)
{
    struct th_map *map = ctx;

    (void)err;
    wh_jw_object(&map->rw);
    write_text(&map->rw, "kind", r->kind);
    write_text(&map->rw, "project", r->project);
    write_text(&map->rw, "id", r->id);
    write_text(&map->rw, "reason", r->reason);
    wh_jw_end(&map->rw);
    return WH_OK;
}

void th_map_on_encoded(struct th_map *map, void (*fn)(void *ctx, struct wh_slice bytes), void *ctx)
{
    map->on_encoded = fn;
    map->on_encoded_ctx = ctx;
}

struct wh_json_val th_map(struct th_map *map, enum wh_origin origin, const char *kind,
                          const char *project, const char *object_id, struct wh_slice payload)
{
    const struct wh_raw_event e = {.connection = WH_LIT("c1"),
                                   .instance = WH_LIT(TH_MAP_INSTANCE),
                                   .origin = origin,
                                   .kind = wh_slice_str(kind),
                                   .project = wh_slice_str(project),
                                   .object_id = wh_slice_str(object_id),
                                   .observed_at_ms = TH_MAP_OBSERVED,
                                   .delivery_id = WH_LIT("d-1"),
                                   .payload = payload};
    const struct wh_provenance at = {
        .topic = WH_LIT("wellhead.raw.c1"), .partition = 3, .offset = 77};
    const struct mapper_out out = {.observation = on_observation, .reread = on_reread, .ctx = map};
    enum mapper_outcome outcome = MAPPER_MAPPED;
    struct wh_json_val root;
    struct wh_err err = {0};
    struct wh_err own;
    enum wh_rc rc;

    wh_buf_reset(&map->text);
    wh_buf_reset(&map->rereads);
    wh_json_writer_init(&map->w, &map->text);
    wh_json_writer_init(&map->rw, &map->rereads);
    wh_jw_object(&map->w);
    wh_jw_key(&map->w, "observations");
    wh_jw_array(&map->w);
    wh_jw_array(&map->rw);
    rc = mapper_eval_map(map->eval, &e, &at, &out, &outcome, &err);
    wh_jw_end(&map->w);
    wh_jw_end(&map->rw);
    th_ok(wh_jw_finish(&map->rw, &own), &own);
    wh_jw_key(&map->w, "rereads");
    wh_jw_raw(&map->w, wh_buf_slice(&map->rereads));
    write_text(&map->w, "rc", wh_slice_str(wh_rc_name(rc)));
    write_text(&map->w, "err", wh_slice_str(rc == WH_OK ? "" : err.msg));
    write_text(&map->w, "outcome",
               outcome == MAPPER_IGNORED ? WH_LIT("ignored") : WH_LIT("mapped"));
    wh_jw_end(&map->w);
    th_ok(wh_jw_finish(&map->w, &own), &own);
    th_ok(wh_json_parse(map->parser, wh_buf_slice(&map->text), &root, &own), &own);
    return root;
}

const char *th_map_text(const struct th_map *map)
{
    return wh_buf_str(&map->text);
}

/* ---- JSON ---- */

static bool step_into(struct wh_json_val v, struct wh_slice name, struct wh_json_val *ret)
{
    struct wh_json_iter it = wh_json_iter(v);
    size_t index = 0;

    if (wh_json_type(v) == WH_JSON_OBJECT) {
        return wh_json_get(v, name, ret);
    }
    while (wh_json_next(&it, NULL, ret)) {
        char digits[24];

        (void)snprintf(digits, sizeof(digits), "%zu", index++);
        if (wh_slice_eq(name, wh_slice_str(digits))) {
            return true;
        }
    }
    return false;
}

static bool walk_path(struct wh_json_val v, const char *path, struct wh_json_val *ret)
{
    while (*path) {
        const char *dot = strchr(path, '.');
        size_t n = dot ? (size_t)(dot - path) : strlen(path);

        if (!step_into(v, wh_slice(path, n), &v)) {
            return false;
        }
        path += n + (dot != NULL);
    }
    *ret = v;
    return true;
}

struct wh_json_val th_json(struct wh_json_val v, const char *path)
{
    struct wh_json_val ret = v;

    if (!walk_path(v, path, &ret)) {
        fail_msg("no %s", path);
    }
    return ret;
}

bool th_json_has(struct wh_json_val v, const char *path)
{
    struct wh_json_val ret;

    return walk_path(v, path, &ret);
}

static bool is_number(enum wh_json_type t)
{
    return t == WH_JSON_INT || t == WH_JSON_UINT || t == WH_JSON_DOUBLE;
}

bool th_json_eq(struct wh_json_val a, struct wh_json_val b)
{
    enum wh_json_type ta = wh_json_type(a);
    enum wh_json_type tb = wh_json_type(b);
    struct wh_json_iter ia = wh_json_iter(a);
    struct wh_json_iter ib = wh_json_iter(b);
    struct wh_slice key;
    struct wh_json_val va;
    struct wh_json_val vb;
    size_t n = 0;

    if (is_number(ta) && is_number(tb)) {
        double d = wh_json_double(a) - wh_json_double(b);

        return d < 1e-9 && d > -1e-9 && wh_json_int(a) == wh_json_int(b);
    }
    if (ta != tb) {
        return false;
    }
    switch (ta) {
    case WH_JSON_STRING:
        return wh_slice_eq(wh_json_string(a), wh_json_string(b));
    case WH_JSON_BOOL:
        return wh_json_bool(a) == wh_json_bool(b);
    case WH_JSON_ARRAY:
        while (wh_json_next(&ia, NULL, &va)) {
            if (!wh_json_next(&ib, NULL, &vb) || !th_json_eq(va, vb)) {
                return false;
            }
        }
        return !wh_json_next(&ib, NULL, &vb);
    case WH_JSON_OBJECT:
        while (wh_json_next(&ia, &key, &va)) {
            n++;
            if (!wh_json_get(b, key, &vb) || !th_json_eq(va, vb)) {
                return false;
            }
        }
        while (wh_json_next(&ib, &key, &vb)) {
            n--;
        }
        return n == 0;
    case WH_JSON_NULL:
    case WH_JSON_INT:
    case WH_JSON_UINT:
    case WH_JSON_DOUBLE:
    default:
        return true;
    }
}

/* ---- files ---- */

char *th_file_read(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "re");
    char *bytes = NULL;
    size_t len = 0;
    size_t cap = 0;

    if (f == NULL) {
        fail_msg("%s cannot be opened (tests run in the repository's root)", path);
        return NULL;
    }
    do {
        cap = cap ? cap * 2 : 65536;
        bytes = wh_mem_resize(bytes, cap, 1);
        assert_non_null(bytes);
        len += fread(bytes + len, 1, cap - len - 1, f);
    } while (len == cap - 1);
    (void)fclose(f);
    bytes[len] = '\0';
    *ret_len = len;
    return bytes;
}

/* One cell from *p on; *ret_last when a line or the file ends behind it. */
static char *csv_cell(const char **p, const char *end, bool *ret_last)
{
    char *cell = wh_mem_alloc((size_t)(end - *p) + 1);
    bool quoted = *p < end && **p == '"';
    size_t n = 0;

    assert_non_null(cell);
    *p += quoted;
    while (*p < end) {
        char c = *(*p)++;

        if (quoted && c == '"' && *p < end && **p == '"') {
            (*p)++;
        } else if (quoted && c == '"') {
            quoted = false;
            continue;
        } else if (!quoted && (c == ',' || c == '\n' || c == '\r')) {
            *ret_last = c != ',';
            if (c == '\r' && *p < end && **p == '\n') {
                (*p)++;
            }
            cell[n] = '\0';
            return cell;
        }
        cell[n++] = c;
    }
    *ret_last = true;
    cell[n] = '\0';
    return cell;
}

char **th_csv_column(const char *path, const char *column, size_t *ret_n)
{
    size_t len;
    char *bytes = th_file_read(path, &len);
    const char *p = bytes;
    char **cells = NULL;
    size_t want = SIZE_MAX;
    size_t n = 0;

    for (size_t row = 0; p < bytes + len; row++) {
        bool last = false;

        for (size_t col = 0; !last; col++) {
            char *cell = csv_cell(&p, bytes + len, &last);

            if (row == 0 && strcmp(cell, column) == 0) {
                want = col;
            }
            if (row == 0 || col != want) {
                wh_mem_free(cell);
                continue;
            }
            cells = wh_mem_resize(cells, n + 1, sizeof(*cells));
            assert_non_null(cells);
            cells[n++] = cell;
        }
    }
    wh_mem_free(bytes);
    assert_true(want != SIZE_MAX);
    *ret_n = n;
    return cells;
}

void th_csv_free(char **cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        wh_mem_free(cells[i]);
    }
    wh_mem_free(cells);
}
