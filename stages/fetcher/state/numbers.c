#include "stages/fetcher/state/numbers.h"

#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/json/json_write.h"
#include "stages/fetcher/gitlab/streams.h"

enum { BUCKETS = 1024, SEGMENT_MAX_BYTES = 64 << 10 };

struct numbers_table {
    struct numbers *buckets[BUCKETS];
    struct numbers *all;
};

static const struct {
    const char *name;
    const char *kind;
} numbered[NUMBERS_STREAMS] = {
    [NUMBERS_ISSUES] = {"issues", "issue"},
    [NUMBERS_MERGE_REQUESTS] = {"merge_requests", "merge_request"},
    [NUMBERS_PIPELINES] = {"pipelines", "pipeline"},
    [NUMBERS_PROJECT] = {"project", "project"},
};

const char *numbers_stream_name(enum numbers_stream stream)
{
    return numbered[stream].name;
}

const char *numbers_stream_kind(enum numbers_stream stream)
{
    return numbered[stream].kind;
}

enum numbers_stream numbers_stream_of(unsigned stream)
{
    if (streams[stream].mode == STREAM_PROJECTS) {
        return NUMBERS_PROJECT;
    }
    for (unsigned i = 0; i < NUMBERS_PROJECT; i++) {
        if (strcmp(streams[stream].name, numbered[i].name) == 0) {
            return (enum numbers_stream)i;
        }
    }
    return NUMBERS_STREAMS;
}

enum numbers_stream numbers_rows_of(unsigned stream)
{
    return strcmp(streams[stream].kind, "pipeline") == 0 ? NUMBERS_PIPELINES
                                                         : numbers_stream_of(stream);
}

/* ---- the table ---- */

struct numbers_table *numbers_table_new(void)
{
    return wh_mem_zalloc(1, sizeof(struct numbers_table));
}

void numbers_table_free(struct numbers_table *t)
{
    while (t && t->all) {
        struct numbers *next = t->all->all;

        number_set_free(t->all->set);
        wh_mem_free(t->all);
        t->all = next;
    }
    wh_mem_free(t);
}

struct numbers *numbers_of(struct numbers_table *t, const char *connection, const char *project,
                           enum numbers_stream stream, bool make)
{
    uint64_t hash = wh_hash64(wh_slice_str(connection)) * 31 + wh_hash64(wh_slice_str(project));
    struct numbers **bucket = &t->buckets[(hash + (unsigned)stream) % BUCKETS];
    struct numbers *n = *bucket;

    while (n && (n->stream != stream || strcmp(n->project, project) != 0 ||
                 strcmp(n->connection, connection) != 0)) {
        n = n->next;
    }
    if (n || !make) {
        return n;
    }
    n = wh_mem_zalloc(1, sizeof(*n));
    if (n) {
        n->set = number_set_new();
    }
    if (n == NULL || n->set == NULL) {
        wh_mem_free(n);
        return NULL;
    }
    (void)snprintf(n->connection, sizeof(n->connection), "%s", connection);
    (void)snprintf(n->project, sizeof(n->project), "%s", project);
    n->stream = stream;
    n->next = *bucket;
    *bucket = n;
    n->all = t->all;
    t->all = n;
    return n;
}

struct numbers *numbers_next(const struct numbers_table *t, const struct numbers *prev)
{
    return prev ? prev->all : t->all;
}

static void unlink_from_bucket(struct numbers_table *t, const struct numbers *n)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct numbers **link = &t->buckets[i]; *link; link = &(*link)->next) {
            if (*link == n) {
                *link = n->next;
                return;
            }
        }
    }
}

void numbers_forget(struct numbers_table *t, const char *connection)
{
    struct numbers **link = &t->all;

    while (*link) {
        struct numbers *n = *link;

        if (strcmp(n->connection, connection) != 0) {
            link = &n->all;
            continue;
        }
        *link = n->all;
        unlink_from_bucket(t, n);
        number_set_free(n->set);
        wh_mem_free(n);
    }
}

/* ---- fetch-state: "<connection>:<project>:<stream>:ids:<seq>" ---- */

/* The next part of a key, up to a colon or its end. */
static struct wh_slice part(struct wh_slice *key)
{
    const char *colon = key->ptr && key->len ? memchr(key->ptr, ':', key->len) : NULL;
    struct wh_slice ret = colon ? wh_slice(key->ptr, (size_t)(colon - key->ptr)) : *key;

    *key = colon ? wh_slice_from(*key, ret.len + 1) : wh_slice("", 0);
    return ret;
}

static bool copy(struct wh_slice text, char *to, size_t size)
{
    if (text.ptr == NULL || text.len == 0 || text.len >= size) {
        return false;
    }
    memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return true;
}

static struct numbers *of_key(struct numbers_table *t, struct wh_slice key, int64_t *ret_seq)
{
    char connection[WH_CONNECTION_ID_MAX];
    char project[24];
    struct wh_slice stream;
    struct wh_err err;
    unsigned s = 0;

    if (!copy(part(&key), connection, sizeof(connection)) ||
        !copy(part(&key), project, sizeof(project))) {
        return NULL;
    }
    stream = part(&key);
    while (s < NUMBERS_STREAMS && !wh_slice_eq(stream, wh_slice_str(numbered[s].name))) {
        s++;
    }
    if (s == NUMBERS_STREAMS || !wh_slice_eq(part(&key), WH_LIT("ids")) ||
        wh_num_i64(key, ret_seq, &err) != WH_OK || *ret_seq < 0 || *ret_seq > INT32_MAX) {
        return NULL;
    }
    return numbers_of(t, connection, project, (enum numbers_stream)s, true);
}

enum numbers_taken numbers_take(struct numbers_table *t, struct wh_json_parser *parser,
                                struct wh_slice key, struct wh_slice json)
{
    WH_AUTO(buf) struct wh_buf bytes;
    struct wh_json_val root;
    struct wh_json_val v;
    struct numbers *n;
    struct wh_err err;
    int64_t seq;

    wh_buf_init(&bytes, SEGMENT_MAX_BYTES);
    if (memmem(key.ptr ? key.ptr : "", key.len, ":ids:", 5) == NULL) {
        return NUMBERS_OTHER;
    }
    n = of_key(t, key, &seq);
    if (n == NULL || wh_json_parse(parser, json, &root, &err) != WH_OK ||
        !wh_json_get(root, WH_LIT("ids"), &v) ||
        wh_base64_decode(wh_json_string(v), &bytes, &err) != WH_OK ||
        number_set_segment_take(n->set, (uint32_t)seq, wh_buf_slice(&bytes), &err) != WH_OK) {
        return NUMBERS_DAMAGED;
    }
    return NUMBERS_TAKEN;
}

enum wh_rc numbers_segment_write(struct numbers *n, uint32_t seq, char key[NUMBERS_KEY_MAX],
                                 struct wh_buf *json, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf bytes;

    wh_buf_init(&bytes, SEGMENT_MAX_BYTES);
    (void)snprintf(key, NUMBERS_KEY_MAX, "%s:%s:%s:ids:%u", n->connection, n->project,
                   numbered[n->stream].name, seq);
    if (number_set_segment_write(n->set, seq, &bytes, err) != WH_OK ||
        wh_buf_printf(json, err, "{\"ids\":\"") != WH_OK ||
        wh_base64_encode(wh_buf_slice(&bytes), json, err) != WH_OK ||
        wh_buf_printf(json, err, "\"}") != WH_OK) {
        return err->rc;
    }
    return WH_OK;
}

/* ---- rows ---- */

bool numbers_row_confidential(struct wh_json_val value)
{
    struct wh_json_val v;

    return wh_json_get(value, WH_LIT("confidential"), &v) && wh_json_type(v) == WH_JSON_BOOL &&
           wh_json_bool(v);
}

bool numbers_row_moved(struct wh_json_val value)
{
    struct wh_json_val v;

    return wh_json_get(value, WH_LIT("moved_to_id"), &v) && wh_json_type(v) == WH_JSON_INT;
}
