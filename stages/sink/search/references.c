/* What names a record exactly: an address, a number in a project, a commit, an id. It is read from the store. */
#include <stdio.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/text/address.h"
#include "stages/sink/search/search_priv.h"

enum {
    COMMIT_LEAST = 7, /* digits of a commit that is cut */
    COMMIT_MOST = 64,
    TYPED_MAX_BYTES = 2048,
    URL_MAX_BYTES = 4096,
    KEY_MAX_BYTES = 8192,
    SCRATCH_BLOCK_BYTES = 64 << 10,
    SCRATCH_MAX_BYTES = 16 << 20,
};

struct looking {
    struct past *past;
    struct wh_store *store;
    const struct wh_snapshot *snap;
    struct past_found *out;
    size_t max;
    size_t n;
    struct wh_arena scratch; /* of one project */
};

static void add(struct looking *l, enum wh_kind kind, const struct wh_entity_id *id)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->out[i].kind == kind && wh_entity_id_cmp(&l->out[i].id, id) == 0) {
            return;
        }
    }
    if (l->n < l->max) {
        l->out[l->n++] = (struct past_found){.kind = kind, .id = *id};
    }
}

/* ---- an id ---- */

static enum wh_rc by_id(struct looking *l, const struct wh_entity_id *id, struct wh_err *err)
{
    for (unsigned kind = WH_KIND_NONE + 1; kind < WH_KIND_COUNT && l->n == 0; kind++) {
        const struct wh_head *head = NULL;

        wh_arena_reset(&l->scratch);
        if (past_head(l->past, (enum wh_kind)kind, id, &l->scratch, &head, err) != WH_OK) {
            return err->rc;
        }
        if (head) {
            add(l, (enum wh_kind)kind, id);
        }
    }
    return WH_OK;
}

/* ---- an address ---- */

static enum wh_rc by_url(struct looking *l, struct wh_slice url, struct wh_err *err)
{
    struct past_found found;
    bool there = false;

    if (past_by_url(l->past, url, &found, &there, err) != WH_OK) {
        return err->rc;
    }
    if (there) {
        add(l, found.kind, &found.id);
    }
    return WH_OK;
}

/* The page as GitLab writes it today; first the comment that the address marks. */
static enum wh_rc by_page(struct looking *l, const struct wh_address *a, struct wh_err *err)
{
    static const char *const schemes[] = {"https://", "http://"};
    WH_AUTO(buf) struct wh_buf url;
    enum wh_rc rc = WH_OK;

    wh_buf_init(&url, URL_MAX_BYTES);
    for (size_t i = 0; rc == WH_OK && l->n == 0 && a->thing != WH_THING_UNKNOWN && i < 2; i++) {
        wh_buf_reset(&url);
        rc = wh_buf_printf(&url, err, "%s%.*s/-/%s/%.*s", schemes[i], WH_SLICE_ARG(a->home),
                           a->word, WH_SLICE_ARG(a->number));
        if (rc == WH_OK && a->note.len) {
            size_t page = url.len;

            rc = wh_buf_printf(&url, err, "#note_%.*s", WH_SLICE_ARG(a->note));
            rc = rc == WH_OK ? by_url(l, wh_buf_slice(&url), err) : rc;
            url.len = page;
        }
        rc = rc == WH_OK ? by_url(l, wh_buf_slice(&url), err) : rc;
    }
    return rc == WH_OK && l->n == 0 ? by_url(l, a->text, err) : rc;
}

/* ---- a number in a project ---- */

static bool is_home(const struct wh_head *project, const struct wh_address *a)
{
    struct wh_slice path = past_string(project, "path");
    struct wh_slice url = project->source.url;
    const char *end = url.len ? memmem(url.ptr, url.len, "://", 3) : NULL;

    if (a->home.len) {
        struct wh_slice home = end ? wh_slice_from(url, (size_t)(end - url.ptr) + 3) : url;

        return home.len == a->home.len && strncasecmp(home.ptr, a->home.ptr, home.len) == 0;
    }
    return a->path.len == 0 ||
           (path.len == a->path.len && strncasecmp(path.ptr, a->path.ptr, path.len) == 0);
}

static enum wh_rc by_number_in(struct looking *l, const struct wh_head *project,
                               const struct wh_address *a, struct wh_err *err)
{
    const struct wh_source_id source = {
        .instance = project->source.instance,
        .kind = wh_slice_str(a->thing == WH_THING_MERGE_REQUEST ? "merge_request"
                             : a->thing == WH_THING_ISSUE       ? "issue"
                                                                : "milestone"),
        .project = project->source.id,
        .iid = a->number};
    WH_AUTO(buf) struct wh_buf key;
    WH_AUTO(buf) struct wh_buf value;
    struct wh_entity_id id;
    bool found = false;

    wh_buf_init(&key, KEY_MAX_BYTES);
    wh_buf_init(&value, KEY_MAX_BYTES);
    if (sink_iid_key(&source, &key, err) != WH_OK ||
        wh_store_get(l->store, l->snap, SINK_SOURCE_IDS, wh_buf_slice(&key), &value, &found, err) !=
            WH_OK) {
        return err->rc;
    }
    if (found && value.len == SINK_ENTITY_KEY) {
        memcpy(id.bytes, value.ptr + 1, sizeof(id.bytes));
        add(l, (enum wh_kind)(unsigned char)value.ptr[0], &id);
    }
    return WH_OK;
}

/* There are far fewer projects than records in them. */
static enum wh_rc by_number(struct looking *l, const struct wh_address *a, struct wh_err *err)
{
    struct past_scan *scan = NULL;
    struct past_found found;
    bool more = true;
    enum wh_rc rc = past_each(l->past, WH_KIND_PROJECT, &scan, err);

    while (rc == WH_OK && more && l->n < l->max) {
        const struct wh_head *project = NULL;

        rc = past_next(scan, &found, &more, err);
        wh_arena_reset(&l->scratch);
        if (rc == WH_OK && more) {
            rc = past_head(l->past, WH_KIND_PROJECT, &found.id, &l->scratch, &project, err);
        }
        if (rc == WH_OK && project && is_home(project, a)) {
            rc = by_number_in(l, project, a, err);
        }
    }
    past_scan_free(scan);
    return rc;
}

static enum wh_rc by_address(struct looking *l, const struct wh_address *a, struct wh_err *err)
{
    struct wh_entity_id id;

    if (a->is_id) {
        return wh_entity_id_parse(a->text, &id, err) == WH_OK ? by_id(l, &id, err) : err->rc;
    }
    if (a->is_url && by_page(l, a, err) != WH_OK) {
        return err->rc;
    }
    /* It was moved, or is written in another way here. */
    return l->n == 0 && a->thing >= WH_THING_MERGE_REQUEST && a->thing <= WH_THING_MILESTONE
               ? by_number(l, a, err)
               : WH_OK;
}

/* ---- a commit ---- */

static bool is_commit(struct wh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
            return false;
        }
    }
    return text.len >= COMMIT_LEAST && text.len <= COMMIT_MOST;
}

static enum wh_rc by_commit(struct looking *l, struct wh_slice commit, struct wh_err *err)
{
    static const struct {
        enum wh_kind kind;
        const char *field;
    } places[] = {{WH_KIND_WORK_ITEM, "merge_commit_sha"},
                  {WH_KIND_WORK_ITEM, "sha"},
                  {WH_KIND_RELEASE, "sha"},
                  {WH_KIND_DEPLOYMENT, "sha"},
                  {WH_KIND_BUILD_RECORD, "sha"}};
    enum wh_rc rc = WH_OK;

    for (size_t i = 0; rc == WH_OK && i < sizeof(places) / sizeof(places[0]); i++) {
        struct past_scan *scan = NULL;
        struct past_found found;
        bool more = true;

        rc = past_by_commit(l->past, places[i].kind, places[i].field, commit, &scan, err);
        while (rc == WH_OK && more && l->n < l->max) {
            rc = past_next(scan, &found, &more, err);
            if (rc == WH_OK && more) {
                add(l, found.kind, &found.id);
            }
        }
        past_scan_free(scan);
    }
    return rc;
}

/* ---- all ---- */

static struct wh_slice trimmed(struct wh_slice s)
{
    while (s.len && (unsigned char)s.ptr[0] <= ' ') {
        s = wh_slice_from(s, 1);
    }
    while (s.len && (unsigned char)s.ptr[s.len - 1] <= ' ') {
        s.len--;
    }
    return s;
}

static enum wh_rc find(struct looking *l, struct wh_slice typed, struct wh_err *err)
{
    char text[TYPED_MAX_BYTES];
    struct wh_address a;

    if (is_commit(typed)) {
        return by_commit(l, typed, err);
    }
    if (memchr(typed.ptr, '\0', typed.len)) {
        return WH_OK;
    }
    memcpy(text, typed.ptr, typed.len);
    text[typed.len] = '\0';
    return wh_address_read(text, &a) ? by_address(l, &a, err) : WH_OK;
}

enum wh_rc search_references(struct past *past, struct wh_store *store,
                             const struct wh_snapshot *snap, struct wh_slice typed,
                             struct past_found *out, size_t max, size_t *ret_n, struct wh_err *err)
{
    struct looking l = {.past = past, .store = store, .snap = snap, .out = out, .max = max};
    enum wh_rc rc;

    *ret_n = 0;
    typed = trimmed(typed);
    if (typed.len == 0 || typed.len >= TYPED_MAX_BYTES) {
        return WH_OK;
    }
    wh_arena_init(&l.scratch, SCRATCH_BLOCK_BYTES, SCRATCH_MAX_BYTES);
    wh_err_clear(err);
    rc = find(&l, typed, err);
    wh_arena_done(&l.scratch);
    *ret_n = l.n;
    return rc;
}
