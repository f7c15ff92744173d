#include "stages/fetcher/state/numbers.h"

#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/json/json_write.h"
#include "stages/fetcher/conn/fetcher.h"
#include "stages/fetcher/check/gone.h"
#include "stages/fetcher/gitlab/streams.h"

enum { BUCKETS = 1024, SEGMENT_MAX_BYTES = 64 << 10, KEY_MAX = 192, DOCUMENT_MAX_BYTES = 8192 };

struct numbers_table {
    struct numbers *buckets[BUCKETS];
    struct numbers *all;
};

static const struct {
    const char *name;
    const char *kind;
} numbered[NUMBERED_STREAMS] = {
    [NUMBERED_ISSUES] = {"issues", "issue"},
    [NUMBERED_MERGE_REQUESTS] = {"merge_requests", "merge_request"},
    [NUMBERED_PIPELINES] = {"pipelines", "pipeline"},
    [NUMBERED_PROJECT] = {"project", "project"},
};

const char *numbered_name(enum numbered stream)
{
    return numbered[stream].name;
}

const char *numbered_kind(enum numbered stream)
{
    return numbered[stream].kind;
}

enum numbered numbered_of(unsigned stream)
{
    if (streams[stream].mode == STREAM_PROJECTS) {
        return NUMBERED_PROJECT;
    }
    for (unsigned i = 0; i < NUMBERED_PROJECT; i++) {
        if (strcmp(streams[stream].name, numbered[i].name) == 0) {
            return (enum numbered)i;
        }
    }
    return NUMBERED_STREAMS;
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

        ids_free(t->all->ids);
        wh_mem_free(t->all);
        t->all = next;
    }
    wh_mem_free(t);
}

struct numbers *numbers_of(struct numbers_table *t, const char *connection, const char *project,
                           enum numbered stream, bool make)
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
        n->ids = ids_new();
    }
    if (n == NULL || n->ids == NULL) {
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
        ids_free(n->ids);
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

static struct numbers *of_key(struct fetcher *f, struct wh_slice key, int64_t *ret_seq)
{
    char connection[65];
    char project[24];
    struct wh_slice stream;
    struct wh_err err;
    unsigned s = 0;

    if (!copy(part(&key), connection, sizeof(connection)) ||
        !copy(part(&key), project, sizeof(project))) {
        return NULL;
    }
    stream = part(&key);
    while (s < NUMBERED_STREAMS && !wh_slice_eq(stream, wh_slice_str(numbered[s].name))) {
        s++;
    }
    if (s == NUMBERED_STREAMS || !wh_slice_eq(part(&key), WH_LIT("ids")) ||
        wh_num_i64(key, ret_seq, &err) != WH_OK || *ret_seq < 0 || *ret_seq > INT32_MAX) {
        return NULL;
    }
    return numbers_of(f->numbers, connection, project, (enum numbered)s, true);
}

bool numbers_take(struct fetcher *f, struct wh_slice key, struct wh_slice json)
{
    WH_AUTO(buf) struct wh_buf bytes;
    struct wh_json_val root;
    struct wh_json_val v;
    struct numbers *n;
    struct wh_err err;
    int64_t seq;

    wh_buf_init(&bytes, SEGMENT_MAX_BYTES);
    if (memmem(key.ptr ? key.ptr : "", key.len, ":ids:", 5) == NULL) {
        return false;
    }
    n = of_key(f, key, &seq);
    if (n == NULL || wh_json_parse(f->rows, json, &root, &err) != WH_OK ||
        !wh_json_get(root, WH_LIT("ids"), &v) ||
        wh_base64_decode(wh_json_string(v), &bytes, &err) != WH_OK ||
        ids_segment_take(n->ids, (uint32_t)seq, wh_buf_slice(&bytes), &err) != WH_OK) {
        wh_log_error(f->deps.log, "numbers are damaged and are not used: they are read anew",
                     WH_S("key", key));
    }
    return true;
}

static enum wh_rc save_segment(struct fetcher *f, struct numbers *n, uint32_t seq,
                               struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf bytes;
    WH_AUTO(buf) struct wh_buf json;
    char key[KEY_MAX];
    int len = snprintf(key, sizeof(key), "%s:%s:%s:ids:%u", n->connection, n->project,
                       numbered[n->stream].name, seq);

    wh_buf_init(&bytes, SEGMENT_MAX_BYTES);
    wh_buf_init(&json, SEGMENT_MAX_BYTES);
    if (ids_segment_write(n->ids, seq, &bytes, err) != WH_OK ||
        wh_buf_printf(&json, err, "{\"ids\":\"") != WH_OK ||
        wh_base64_encode(wh_buf_slice(&bytes), &json, err) != WH_OK ||
        wh_buf_printf(&json, err, "\"}") != WH_OK) {
        return err->rc;
    }
    return fetcher_save_state(f, wh_slice_str(n->connection), wh_slice_str(n->project),
                              wh_slice(key, len > 0 ? (size_t)len : 0), wh_buf_slice(&json), NULL,
                              err);
}

enum wh_rc numbers_save(struct fetcher *f, struct numbers *n, struct wh_err *err)
{
    uint32_t seq;

    while (n && ids_dirty(n->ids, &seq)) {
        if (save_segment(f, n, seq, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc numbers_save_stream(struct conn *c, const struct project *project, unsigned stream,
                               struct wh_err *err)
{
    enum numbered s = numbered_of(stream);

    if (project == NULL || s == NUMBERED_STREAMS) {
        return WH_OK;
    }
    return numbers_save(c->fetcher, numbers_of(c->fetcher->numbers, c->id, project->id, s, false),
                        err);
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

void numbers_row(struct conn *c, const struct project *project, unsigned stream,
                 const struct row *row, struct wh_json_val value)
{
    enum numbered s = numbered_of(stream);
    bool issue = s == NUMBERED_ISSUES;
    bool confidential = issue && numbers_row_confidential(value);
    int64_t number = 1;
    struct numbers *n;
    struct wh_err err;

    if (s == NUMBERED_STREAMS || row->id[0] == '\0' ||
        (s != NUMBERED_PROJECT && wh_num_i64(wh_slice_str(row->iid), &number, &err) != WH_OK)) {
        return;
    }
    n = numbers_of(c->fetcher->numbers, c->id, s == NUMBERED_PROJECT ? row->id : project->id, s,
                   true);
    if (n == NULL || !gone_back(c, n, number, row->number, confidential)) {
        return;
    }
    if (ids_set(n->ids, number, row->number,
                issue && numbers_row_moved(value) ? IDS_MOVED : IDS_HAVE, confidential,
                &err) != WH_OK) {
        wh_log_debug(c->fetcher->deps.log, "a number is not followed", WH_RC(&err));
    }
}

/* ---- the health topic ---- */

static void write_counts(struct wh_json_writer *w, const struct ids_counts *n)
{
    const struct {
        const char *key;
        int64_t value;
    } members[] = {
        {"expected", n->expected},   {"have", n->have},     {"missing", n->missing},
        {"deleted", n->deleted},     {"hidden", n->hidden}, {"moved", n->moved},
        {"no_access", n->no_access}, {"held", n->held},     {"confidential", n->confidential},
    };

    wh_jw_object(w);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        wh_jw_key(w, members[i].key);
        wh_jw_int(w, members[i].value);
    }
    wh_jw_end(w);
}

void numbers_write(struct wh_json_writer *w, const struct conn *c, const char *project,
                   const char *path)
{
    wh_jw_object(w);
    wh_jw_key(w, "project");
    wh_jw_str(w, wh_slice_str(project));
    wh_jw_key(w, "path");
    wh_jw_str(w, wh_slice_str(path));
    wh_jw_key(w, "at_ms");
    wh_jw_int(w, wh_clock_now_ms(&c->fetcher->deps.clock));
    wh_jw_key(w, "streams");
    wh_jw_object(w);
    for (unsigned s = 0; s < NUMBERED_PROOF; s++) {
        const struct numbers *n =
            numbers_of(c->fetcher->numbers, c->id, project, (enum numbered)s, false);
        struct ids_counts counts = n ? ids_counts(n->ids) : (struct ids_counts){0};

        wh_jw_key(w, numbered[s].name);
        write_counts(w, &counts);
    }
    wh_jw_end(w);
    wh_jw_end(w);
}

static bool changed(struct conn *c, const char *project)
{
    bool any = false;

    for (unsigned s = 0; s < NUMBERED_PROOF; s++) {
        struct numbers *n =
            numbers_of(c->fetcher->numbers, c->id, project, (enum numbered)s, false);
        struct ids_counts now = n ? ids_counts(n->ids) : (struct ids_counts){0};

        if (n && memcmp(&now, &n->told, sizeof(now)) != 0) {
            n->told = now;
            any = true;
        }
    }
    return any;
}

void numbers_tell(struct conn *c, const char *project, const char *path)
{
    WH_AUTO(buf) struct wh_buf json;
    struct wh_json_writer w;
    struct wh_err err;
    char key[KEY_MAX];
    int len = snprintf(key, sizeof(key), "%s:completeness:%s", c->id, project);

    wh_buf_init(&json, DOCUMENT_MAX_BYTES);
    if (!changed(c, project)) {
        return;
    }
    wh_json_writer_init(&w, &json);
    numbers_write(&w, c, project, path);
    if (wh_jw_finish(&w, &err) != WH_OK ||
        outbox_document(c->fetcher->outbox,
                        &(struct outbox_document){.schema = WH_DOCUMENT_HEALTH,
                                                  .topic = c->fetcher->health_topic,
                                                  .key = wh_slice(key, len > 0 ? (size_t)len : 0),
                                                  .connection = wh_slice_str(c->id),
                                                  .json = wh_buf_slice(&json)},
                        NULL, &err) != WH_OK) {
        wh_log_warn(c->fetcher->deps.log, "completeness report not published", WH_RC(&err));
    }
}
