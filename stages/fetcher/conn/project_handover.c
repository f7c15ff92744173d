/* Records of fetch-state that one member writes for another: projects, and runs asked for. */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/fetcher/conn/fetcher.h"

enum { JSON_MAX_BYTES = 1024, KEY_MAX_BYTES = 160 };

#define PROJECT_SUFFIX ":project"
#define PROJECTS_SUFFIX "::projects"
#define SYNC_SUFFIX "::sync"

static bool ends_with(struct wh_slice text, const char *end)
{
    size_t n = strlen(end);

    return text.len >= n && memcmp(text.ptr + text.len - n, end, n) == 0;
}

/* ---- telling of projects; a record is a cursor whose rows are the epoch ---- */

static enum wh_rc tell(struct conn *c, struct project *p, bool there, struct wh_err *err)
{
    char key[KEY_MAX_BYTES];
    char json[64];
    int n = snprintf(json, sizeof(json), "{\"rows\":%lld}", (long long)c->epoch_ms);

    (void)snprintf(key, sizeof(key), "%s:%s" PROJECT_SUFFIX, c->id, p->id);
    return fetcher_save_state(c->fetcher, wh_slice_str(c->id), wh_slice_str(p->id),
                              wh_slice_str(key), wh_slice(json, there && n > 0 ? (size_t)n : 0),
                              NULL, err);
}

/* The same record to each partition: with own, or of other members only. */
static enum wh_rc tell_everywhere(const struct conn *c, const char *key, struct wh_slice json,
                                  bool own, struct wh_err *err)
{
    const struct fetcher *f = c->fetcher;
    const struct outbox_document doc = {.schema = WH_DOCUMENT_FETCH_STATE,
                                        .topic = f->state_topic,
                                        .key = wh_slice_str(key),
                                        .connection = wh_slice_str(c->id),
                                        .json = json};

    for (int32_t p = 0; p < f->ownership.partitions; p++) {
        if ((own || !ownership_works_on(&f->ownership, p)) &&
            outbox_state(f->outbox, p, &doc, NULL, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc tell_epoch(struct conn *c, struct wh_err *err)
{
    char key[KEY_MAX_BYTES];
    char json[64];
    int n = snprintf(json, sizeof(json), "{\"rows\":%lld}", (long long)c->epoch_ms);

    (void)snprintf(key, sizeof(key), "%s" PROJECTS_SUFFIX, c->id);
    return tell_everywhere(c, key, wh_slice(json, n > 0 ? (size_t)n : 0), true, err);
}

void handover_announce(struct conn *c)
{
    struct wh_err err;
    enum wh_rc rc = WH_OK;

    if (c->fetcher->ownership.partitions == 0) {
        return;
    }
    c->epoch_ms = c->epoch_ms ? c->epoch_ms : c->run_started_ms;
    for (struct project *p = c->projects.first; p && rc == WH_OK; p = p->next) {
        bool there = p->skipped[0] == '\0';

        if (p->announced != there) {
            rc = tell(c, p, there, &err);
            p->announced = rc == WH_OK ? there : p->announced;
        }
    }
    if (rc == WH_OK && !c->epoch_told) {
        rc = tell_epoch(c, &err);
        c->epoch_told = rc == WH_OK;
    }
    if (rc != WH_OK) {
        wh_log_warn(c->fetcher->deps.log, "projects not announced to the other fetchers",
                    WH_STR("connection", c->id), WH_RC(&err));
    }
}

void handover_forget(struct conn *c)
{
    c->epoch_ms = 0;
    c->epoch_told = false;
    for (struct project *p = c->projects.first; p; p = p->next) {
        p->announced = false;
    }
}

/* ---- hearing of them ---- */

struct recall {
    struct conn *conn;
    uint64_t epoch;
};

static void recall_one(void *ctx, struct wh_slice key, struct cursor *cursor)
{
    const struct recall *r = ctx;
    size_t before = strlen(r->conn->id) + 1;
    struct project *p;

    if (!ends_with(key, PROJECT_SUFFIX) || cursor->rows < r->epoch ||
        key.len <= before + sizeof(PROJECT_SUFFIX) - 1) {
        return;
    }
    p = projects_add(&r->conn->projects,
                     wh_slice(key.ptr + before, key.len - before - (sizeof(PROJECT_SUFFIX) - 1)));
    if (p) {
        conn_project_listed(r->conn, p);
    }
}

void handover_recall(struct conn *c)
{
    struct recall r = {.conn = c};
    const struct cursor *epoch;
    char key[KEY_MAX_BYTES];

    (void)snprintf(key, sizeof(key), "%s" PROJECTS_SUFFIX, c->id);
    epoch = cursors_get(c->fetcher->cursors, wh_slice_str(key));
    if (epoch == NULL || epoch->rows == 0) {
        return;
    }
    r.epoch = epoch->rows;
    (void)snprintf(key, sizeof(key), "%s:", c->id);
    cursors_each(c->fetcher->cursors, wh_slice_str(key), recall_one, &r);
}

/* Own ones come back too. */
static void take_told(struct fetcher *f, const struct wh_bus_msg *msg)
{
    const char *colon = memchr(msg->key.ptr, ':', msg->key.len);
    struct conn *c = fetcher_find(f, wh_slice(msg->key.ptr, (size_t)(colon - msg->key.ptr)));
    struct cursor *known = cursors_get(f->cursors, msg->key);
    struct wh_document doc;
    struct wh_err err;

    if (known == NULL) {
        return;
    }
    if (msg->value.ptr == NULL) {
        cursor_clear(known);
    } else if (wh_document_decode(msg->value, &doc, &err) != WH_OK ||
               cursor_parse(doc.document, f->rows, known, &err) != WH_OK) {
        return;
    }
    if (c && f->caught_up && !fetcher_owns(f, c->id, NULL) &&
        ownership_works_on(&f->ownership, msg->partition)) {
        conn_run_stale(c);
    }
}

/* ---- runs ---- */

enum wh_rc conn_run_everywhere(struct conn *c, bool verify, bool confirm, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf json;
    char key[KEY_MAX_BYTES];
    struct wh_json_writer w;

    wh_buf_init(&json, JSON_MAX_BYTES);
    c->want_verify = c->want_verify || verify;
    c->want_confirm = c->want_confirm || confirm;
    conn_run(c);
    wh_json_writer_init(&w, &json);
    wh_jw_object(&w);
    wh_jw_key(&w, "asked_at_ms");
    wh_jw_int(&w, wh_clock_now_ms(&c->fetcher->deps.clock));
    wh_jw_key(&w, "verify");
    wh_jw_bool(&w, verify);
    wh_jw_key(&w, "confirm");
    wh_jw_bool(&w, confirm);
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    (void)snprintf(key, sizeof(key), "%s" SYNC_SUFFIX, c->id);
    return tell_everywhere(c, key, wh_buf_slice(&json), false, err);
}

static bool flag(struct wh_json_val root, const char *name)
{
    struct wh_json_val v;

    return wh_json_get(root, wh_slice_str(name), &v) && wh_json_bool(v);
}

/* One wish comes on each partition; an old one is read again with its partition. */
static void take_sync(struct fetcher *f, const struct wh_bus_msg *msg)
{
    struct wh_slice id = wh_slice(msg->key.ptr, msg->key.len - (sizeof(SYNC_SUFFIX) - 1));
    struct conn *c = fetcher_find(f, id);
    struct wh_document doc;
    struct wh_json_val root;
    struct wh_json_val v;
    struct wh_err err;

    if (c == NULL || msg->value.ptr == NULL || !f->caught_up ||
        !ownership_works_on(&f->ownership, msg->partition) ||
        wh_document_decode(msg->value, &doc, &err) != WH_OK ||
        wh_json_parse(f->rows, doc.document, &root, &err) != WH_OK ||
        !wh_json_get(root, WH_LIT("asked_at_ms"), &v) || wh_json_int(v) <= c->sync_asked_ms) {
        return;
    }
    c->sync_asked_ms = wh_json_int(v);
    c->want_verify = c->want_verify || flag(root, "verify");
    c->want_confirm = c->want_confirm || flag(root, "confirm");
    conn_run(c);
}

bool handover_take(struct fetcher *f, const struct wh_bus_msg *msg)
{
    if (msg->key.len == 0 || memchr(msg->key.ptr, ':', msg->key.len) == NULL) {
        return false;
    }
    if (ends_with(msg->key, SYNC_SUFFIX)) {
        take_sync(f, msg);
        return true;
    }
    if (ends_with(msg->key, PROJECT_SUFFIX) || ends_with(msg->key, PROJECTS_SUFFIX)) {
        take_told(f, msg);
        return true;
    }
    return false;
}
