#include "stages/fetcher/state/listed.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/json/json_write.h"

enum { BUCKETS = 1024 };

#define SUFFIX ":listed"

struct listed_table {
    struct listed *buckets[BUCKETS];
};

struct listed_table *listed_table_new(void)
{
    return wh_mem_zalloc(1, sizeof(struct listed_table));
}

static void listed_free(struct listed *l)
{
    wh_buf_done(&l->known);
    wh_buf_done(&l->seen);
    wh_mem_free(l);
}

/* connection NULL: of all. */
static void forget(struct listed_table *t, const char *connection)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct listed **link = &t->buckets[i];

        while (*link) {
            struct listed *l = *link;

            if (connection && strcmp(l->connection, connection) != 0) {
                link = &l->next;
                continue;
            }
            *link = l->next;
            listed_free(l);
        }
    }
}

void listed_table_free(struct listed_table *t)
{
    if (t) {
        forget(t, NULL);
        wh_mem_free(t);
    }
}

void listed_forget(struct listed_table *t, const char *connection)
{
    forget(t, connection);
}

struct listed *listed_of(struct listed_table *t, const char *connection, const char *project,
                         unsigned stream, bool make)
{
    uint64_t hash = wh_hash64(wh_slice_str(connection)) * 31 + wh_hash64(wh_slice_str(project));
    struct listed **bucket = &t->buckets[(hash + stream) % BUCKETS];
    struct listed *l = *bucket;

    while (l && (l->stream != stream || strcmp(l->project, project) != 0 ||
                 strcmp(l->connection, connection) != 0)) {
        l = l->next;
    }
    if (l || !make) {
        return l;
    }
    l = wh_mem_zalloc(1, sizeof(*l));
    if (l) {
        (void)snprintf(l->connection, sizeof(l->connection), "%s", connection);
        (void)snprintf(l->project, sizeof(l->project), "%s", project);
        l->stream = stream;
        wh_buf_init(&l->known, 2 * LISTED_MAX_BYTES);
        wh_buf_init(&l->seen, LISTED_MAX_BYTES);
        l->next = *bucket;
        *bucket = l;
    }
    return l;
}

/* ---- one listing ---- */

void listed_begin(struct listed *l)
{
    wh_buf_reset(&l->seen);
    l->overflow = false;
}

static enum wh_rc put(struct wh_buf *ids, const char *id, struct wh_err *err)
{
    return wh_buf_append(ids, wh_slice(id, strlen(id) + 1), err);
}

void listed_see(struct listed *l, const char *id)
{
    struct wh_err err;

    l->overflow = l->overflow || put(&l->seen, id, &err) != WH_OK;
}

/* The part before a space decides. */
static int compare(const char *a, const char *b)
{
    size_t left = strcspn(a, " ");
    size_t right = strcspn(b, " ");
    int c = memcmp(a, b, left < right ? left : right);

    return c ? c : (left > right) - (left < right);
}

static int compare_pointers(const void *a, const void *b)
{
    return compare(*(const char *const *)a, *(const char *const *)b);
}

static size_t count(const struct wh_buf *ids)
{
    size_t n = 0;

    for (size_t i = 0; i < ids->len; i++) {
        n += ids->ptr[i] == '\0';
    }
    return n;
}

/* The ids in order; NULL without memory. */
static const char **sorted(const struct wh_buf *ids, size_t n)
{
    const char **list = wh_mem_alloc((n + 1) * sizeof(*list));
    size_t at = 0;

    for (size_t i = 0; list && i < n; i++) {
        list[i] = ids->ptr + at;
        at += strlen(list[i]) + 1;
    }
    if (list) {
        qsort(list, n, sizeof(*list), compare_pointers);
    }
    return list;
}

/* Merges the two into out; both are in order. */
static enum wh_rc merge(const struct listed *l, const char *const *seen, size_t n,
                        listed_missing_fn missing, void *ctx, struct wh_buf *out,
                        struct wh_err *err)
{
    enum wh_rc rc = WH_OK;
    size_t at = 0;
    size_t i = 0;

    while (rc == WH_OK && (i < n || at < l->known.len)) {
        const char *known = at < l->known.len ? l->known.ptr + at : NULL;
        int c = known == NULL ? -1 : i == n ? 1 : compare(seen[i], known);

        if (c > 0) {
            rc = missing(ctx, known) ? put(out, known, err) : WH_OK;
        } else if (i == 0 || compare(seen[i - 1], seen[i]) != 0) {
            rc = put(out, seen[i], err);
        }
        at += c >= 0 && known ? strlen(known) + 1 : 0;
        i += c <= 0;
    }
    return rc;
}

enum wh_rc listed_end(struct listed *l, listed_missing_fn missing, void *ctx, struct wh_err *err)
{
    size_t n = l->overflow ? 0 : count(&l->seen);
    struct wh_buf out;
    const char **seen;
    enum wh_rc rc;

    if (l->overflow) {
        l->dirty = l->dirty || l->known.len > 0;
        l->n = 0;
        wh_buf_reset(&l->known);
        wh_buf_done(&l->seen);
        wh_buf_init(&l->seen, LISTED_MAX_BYTES);
        return WH_OK;
    }
    seen = sorted(&l->seen, n);
    if (seen == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a listing");
    }
    wh_buf_init(&out, 2 * LISTED_MAX_BYTES);
    rc = merge(l, seen, n, missing, ctx, &out, err);
    wh_mem_free(seen);
    if (rc == WH_OK) {
        l->dirty = l->dirty || !wh_slice_eq(wh_buf_slice(&out), wh_buf_slice(&l->known));
        wh_buf_done(&l->known);
        l->known = out;
        l->n = count(&l->known);
        wh_buf_done(&l->seen);
        wh_buf_init(&l->seen, LISTED_MAX_BYTES);
        return WH_OK;
    }
    wh_buf_done(&out);
    return rc;
}

/* ---- fetch-state ---- */

enum wh_rc listed_write(struct listed *l, char key[LISTED_KEY_MAX], struct wh_buf *json,
                        struct wh_err *err)
{
    struct wh_json_writer w;

    (void)snprintf(key, LISTED_KEY_MAX, "%s:%s:%s" SUFFIX, l->connection, l->project,
                   streams[l->stream].name);
    wh_json_writer_init(&w, json);
    wh_jw_object(&w);
    wh_jw_key(&w, "ids");
    wh_jw_array(&w);
    for (size_t at = 0; at < l->known.len; at += strlen(l->known.ptr + at) + 1) {
        wh_jw_str(&w, wh_slice_str(l->known.ptr + at));
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    l->dirty = false;
    return WH_OK;
}

static bool read_key(struct listed_table *t, struct wh_slice key, struct listed **ret)
{
    char text[LISTED_KEY_MAX];
    char *project;
    char *stream;
    unsigned s = 0;

    *ret = NULL;
    if (!wh_slice_ends(key, WH_LIT(SUFFIX)) || key.len >= sizeof(text)) {
        return false;
    }
    (void)snprintf(text, sizeof(text), "%.*s", (int)(key.len - strlen(SUFFIX)), key.ptr);
    project = strchr(text, ':');
    stream = project ? strchr(project + 1, ':') : NULL;
    if (stream == NULL) {
        return true;
    }
    *project++ = '\0';
    *stream++ = '\0';
    while (s < STREAMS && strcmp(streams[s].name, stream) != 0) {
        s++;
    }
    if (s < STREAMS && strlen(text) < WH_CONNECTION_ID_MAX && strlen(project) < 24) {
        *ret = listed_of(t, text, project, s, true);
    }
    return true;
}

static bool keep(void *ctx, const char *id)
{
    (void)ctx;
    (void)id;
    return false;
}

bool listed_take(struct listed_table *t, struct wh_json_parser *parser, struct wh_slice key,
                 struct wh_slice json)
{
    struct wh_json_iter it;
    struct wh_json_val root;
    struct wh_json_val ids;
    struct wh_json_val v;
    struct wh_slice name;
    struct listed *l;
    struct wh_err err;

    if (!read_key(t, key, &l)) {
        return false;
    }
    if (l == NULL || wh_json_parse(parser, json, &root, &err) != WH_OK ||
        !wh_json_get(root, WH_LIT("ids"), &ids)) {
        return true;
    }
    listed_begin(l);
    for (it = wh_json_iter(ids); wh_json_next(&it, &name, &v);) {
        char id[LISTED_ID_MAX];
        struct wh_slice text = wh_json_string(v);

        if (text.len > 0 && text.len < sizeof(id) && memchr(text.ptr, '\0', text.len) == NULL) {
            (void)snprintf(id, sizeof(id), "%.*s", WH_SLICE_ARG(text));
            listed_see(l, id);
        }
    }
    (void)!listed_end(l, keep, NULL, &err);
    l->dirty = false;
    return true;
}
