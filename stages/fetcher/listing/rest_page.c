/* One page of a listing by REST: the request, the rows of its answer, and where the listing goes
 * on. */
#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "stages/fetcher/gitlab/paging.h"
#include "stages/fetcher/listing/rest_priv.h"
#include "stages/fetcher/state/numbers.h"

enum { QUERY_MAX_BYTES = 512 };

#define PROJECTS                                                                                   \
    "/api/v4/projects?membership=true&pagination=keyset&order_by=id&sort=asc&per_page=100"

/* ---- records ---- */

void listing_page_done_one(struct listing_page *p)
{
    p->waiting--;
    if (p->waiting == 0) {
        listing_lane_settle(p->lane);
    }
}

static void on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct listing_page *p = (struct listing_page *)ack;

    if (d->rc != WH_OK) {
        p->failed = true;
        listing_fail(&p->lane->rest->base, CLIENT_FAILED, d->reason);
    }
    listing_page_done_one(p);
}

enum wh_rc listing_page_publish(struct listing_page *p, const char *kind, struct wh_slice id,
                                struct wh_slice path, struct wh_slice row, struct wh_err *err)
{
    const struct outbox_row part = {
        .kind = wh_slice_str(kind), .object_id = id, .path = path, .payload = row};

    if (listing_publish(&p->lane->rest->base, &part, &p->ack, err) != WH_OK) {
        p->failed = true;
        return err->rc;
    }
    p->waiting++;
    return WH_OK;
}

/* ---- rows that the next listing meets again ---- */

/* A row is read when its follow-ups are, too: those that are wanted now are a part of its hash. */
static uint64_t row_hash(const struct listing_rest *r, struct wh_slice text)
{
    uint64_t parts[2] = {wh_hash64(text), r->follow};

    return wh_hash64(wh_slice(parts, sizeof(parts)));
}

/* Notes that the row is read, and returns true when an earlier listing has read the same bytes. */
static bool row_is_known(struct listing_page *p, const struct gitlab_row *row, struct wh_slice text)
{
    const struct listing_rest *r = p->lane->rest;

    p->row = 0;
    p->opened = NULL;
    if (r->base.stream->mode == STREAM_OPEN) {
        return listing_open_take(p, row, row_hash(r, text));
    }
    if (r->base.stream->mode != STREAM_BY_UPDATE || !row->has_update) {
        return false;
    }
    p->row = row_hash(r, text);
    if (p->read == NULL) {
        p->read = wh_mem_zalloc(PAGING_ROWS, sizeof(*p->read));
    }
    if (p->read && p->n_read < PAGING_ROWS) {
        p->read[p->n_read++] = (struct listing_overlap_row){p->row, row->at.ms};
    }
    return !r->takes_all && listing_overlap_knows(r->base.cursor, p->row);
}

void listing_page_forget(struct listing_page *p, uint64_t row)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_read; i++) {
        if (p->read[i].hash != row) {
            p->read[n++] = p->read[i];
        }
    }
    p->n_read = n;
}

/* ---- rows ---- */

/* The page whose rows are being published. */
struct taking {
    struct listing_page *page;
    size_t n; /* rows, with those that could not be listed */
    const char *path;
    bool produce; /* false: the page is the same as in the last run */
    char last_id[24];
};

/* Rows that are not objects count as new: the mapper sets them aside and says why. */
static bool is_new(struct listing_lane *lane, const struct gitlab_row *row)
{
    return lane->rest->base.stream->mode != STREAM_BY_UPDATE ||
           listing_span_take(&lane->span, (uint64_t)row->number, row->updated_at,
                             row->has_update ? &row->at : NULL);
}

static bool head_moved(const struct listing_rest *r, const struct gitlab_row *row,
                       struct wh_json_val value)
{
    struct wh_json_val sha;

    return wh_json_get(value, WH_LIT("sha"), &sha) && wh_json_type(sha) == WH_JSON_STRING &&
           mr_heads_moved(r->base.env->heads, row->number, wh_json_string(sha));
}

static enum wh_rc on_row(void *ctx, struct wh_slice text, struct wh_json_val value,
                         struct wh_err *err)
{
    struct taking *t = ctx;
    struct listing_lane *lane = t->page->lane;
    struct listing *l = &lane->rest->base;
    struct gitlab_row row;

    t->n++;
    gitlab_row_read(value, &row);
    memcpy(t->last_id, row.id, sizeof(t->last_id));
    if (!is_new(lane, &row)) {
        return WH_OK;
    }
    l->env->on_row(l->env->ctx, &l->task, &row, value);
    if (!t->produce || row_is_known(t->page, &row, text) ||
        (l->stream->mode == STREAM_HEADS && !head_moved(lane->rest, &row, value))) {
        return WH_OK;
    }
    t->page->rows++;
    l->task.count->rows++;
    l->task.count->total_rows++;
    if (listing_page_publish(t->page, l->stream->kind, wh_slice_str(row.id), wh_slice_str(t->path),
                             text, err) != WH_OK) {
        return err->rc;
    }
    /* The links of a moved issue have moved with it: publishing them here would bring the issue
     * back to life. */
    if (row.id[0] && !numbers_row_moved(value)) {
        listing_follow_all(t->page, &row, value);
    }
    return WH_OK;
}

/* ---- pages without versions: their content shows whether they changed ---- */

static bool hashed(const struct listing_rest *r)
{
    return r->base.stream->mode == STREAM_LIST || r->base.stream->mode == STREAM_PROJECTS;
}

static bool unchanged(const struct listing_rest *r, const struct listing_page *p)
{
    return hashed(r) && r->base.cursor->finished_at_ms > 0 && p->index < r->base.cursor->n_hashes &&
           r->base.cursor->hashes[p->index] == p->hash;
}

/* ---- the next page ---- */

static void go_on_by_update(struct listing_lane *lane, const struct client_answer *a,
                            const struct taking *t, const struct paging *next)
{
    struct listing_rest *r = lane->rest;
    bool keyset = lane->span.mode == LISTING_SPAN_BLOCK_KEYSET;
    struct wh_err err;
    struct listing_span_page page = {
        .rows = t->n, .total = -1, .more = next->outcome == PAGING_MORE};

    if (a->total.len == 0 || wh_num_i64(a->total, &page.total, &err) != WH_OK) {
        page.total = -1;
    }
    if (page.more && keyset) {
        memcpy(lane->next_path, next->path, sizeof(next->path));
    } else if (page.more && lane->span.mode == LISTING_SPAN_BOUND) {
        listing_rest_total(r, lane->span.before_ms == INT64_MAX ? page.total : 0);
    }
    listing_span_page_end(&lane->span, &page);
    lane->waits = lane->span.listed && lane->next == NULL && r->n_lanes - r->n_owed > 1;
}

static void go_on(struct listing_lane *lane, const struct client_answer *a, const struct taking *t)
{
    enum stream_mode mode = lane->rest->base.stream->mode;
    struct paging next;

    paging_next(a, lane->path, t->n, &next);
    if (next.outcome == PAGING_STUCK && mode == STREAM_PROJECTS && t->last_id[0]) {
        next.outcome = PAGING_MORE;
        (void)snprintf(next.path, sizeof(next.path), PROJECTS "&id_after=%s", t->last_id);
    }
    if (next.outcome == PAGING_STUCK) {
        listing_fail(&lane->rest->base, CLIENT_FAILED, next.reason);
    } else if (mode == STREAM_BY_UPDATE) {
        go_on_by_update(lane, a, t, &next);
    } else {
        memcpy(lane->next_path, next.path, sizeof(next.path));
        lane->span.listed = next.outcome == PAGING_ENDED;
    }
}

/* ---- one answer ---- */

void listing_page_free(struct listing_page *p)
{
    listing_follow_free_all(p);
    wh_mem_free(p->read);
    wh_mem_free(p->open);
    wh_mem_free(p);
}

static struct listing_page *add_page(struct listing_lane *lane, const struct listing_part *parts)
{
    struct listing_rest *r = lane->rest;
    struct listing_page *p = wh_mem_zalloc(1, sizeof(*p));

    if (p == NULL) {
        return NULL;
    }
    p->ack.fn = on_record;
    p->lane = lane;
    p->waiting = 1;
    p->index = r->page_index++;
    p->hash = hashed(r) && parts && !parts->next ? wh_hash64(parts->body) : 0;
    for (; parts; parts = parts->next) {
        p->bytes += parts->body.len;
    }
    *lane->last = p;
    lane->last = &p->next;
    lane->n_pages++;
    r->n_bytes += p->bytes;
    r->base.task.count->pages++;
    return p;
}

void listing_page_take(struct listing_lane *lane, const struct client_answer *a,
                       const struct listing_part *parts, size_t unread)
{
    struct listing_rest *r = lane->rest;
    struct listing_page *p = add_page(lane, parts);
    struct taking t = {.page = p, .n = unread};
    struct wh_err err;

    if (p == NULL) {
        listing_fail(&r->base, CLIENT_FAILED, "out of memory");
        return;
    }
    t.produce = !unchanged(r, p);
    for (; parts && !p->failed; parts = parts->next) {
        t.path = parts->path;
        if (wh_json_split_array(r->base.env->arrays, parts->body, on_row, &t, &err) != WH_OK) {
            p->failed = true;
            listing_fail(&r->base, CLIENT_FAILED, err.msg);
        }
    }
    r->base.result.listed += t.n - unread;
    if (!p->failed) {
        go_on(lane, a, &t);
    }
    if (!p->failed) {
        listing_open_check(p);
    }
    lane->unread = lane->unread || unread > 0;
    if (!lane->unread) {
        memcpy(p->after, lane->span.after, sizeof(p->after));
        p->after_ms = lane->span.after_ms;
    } else if (r->base.stream->mode == STREAM_BY_UPDATE) {
        listing_lane_owe(lane);
    }
    listing_page_done_one(p);
}

/* The lane counts as asking until the answer is handled: a page without records settles at once,
 * and must not end the listing before that. */
static void on_page(void *ctx, const struct client_answer *a)
{
    struct listing_lane *lane = ctx;
    struct listing_rest *r = lane->rest;

    if (listing_split_needed(a) && listing_split_start(lane, a->error)) {
        return;
    }
    if (a->outcome == CLIENT_OK) {
        const struct listing_part whole = {.path = lane->path, .body = wh_buf_slice(a->body)};

        listing_page_take(lane, a, &whole, 0);
    } else {
        r->n_ahead--;
        if (a->outcome != CLIENT_REFUSED || r->base.stream->mode != STREAM_BY_UPDATE ||
            !listing_span_refused(&lane->span)) {
            listing_fail(&r->base, a->outcome, a->error);
        }
    }
    lane->asking = false;
    listing_rest_pump(r);
}

/* ---- the request ---- */

static enum wh_rc build_path(struct listing_lane *lane, struct wh_err *err)
{
    const struct listing_rest *r = lane->rest;
    const struct stream *stream = r->base.stream;
    WH_AUTO(buf) struct wh_buf query;

    wh_buf_init(&query, QUERY_MAX_BYTES);
    if (lane->next_path[0]) {
        memcpy(lane->path, lane->next_path, sizeof(lane->path));
        lane->next_path[0] = '\0';
        return WH_OK;
    }
    if (stream->mode == STREAM_PROJECTS) {
        (void)snprintf(lane->path, sizeof(lane->path), PROJECTS);
        return WH_OK;
    }
    if (stream->mode == STREAM_BY_UPDATE) {
        if (listing_span_query(&lane->span, stream->rules & STREAM_PAIRED, &query, err) != WH_OK) {
            return err->rc;
        }
    } else if (wh_buf_printf(&query, err, "per_page=%d&page=1", PAGING_ROWS) != WH_OK) {
        return err->rc;
    }
    (void)snprintf(lane->path, sizeof(lane->path), "/api/v4/projects/%s%s%s%s",
                   r->base.task.project->id, stream->path, strchr(stream->path, '?') ? "&" : "?",
                   wh_buf_str(&query));
    return WH_OK;
}

void listing_page_ask(struct listing_lane *lane)
{
    struct listing_rest *r = lane->rest;
    struct wh_err err;

    if (build_path(lane, &err) != WH_OK ||
        client_get(r->base.task.client, wh_slice_str(lane->path), on_page, lane, &err) != WH_OK) {
        listing_fail(&r->base, CLIENT_FAILED, err.msg);
        return;
    }
    lane->asking = true;
    r->n_ahead++;
}
