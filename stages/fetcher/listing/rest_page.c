/* One page of a listing: asked for, taken apart, and where the listing goes on. */
#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "stages/fetcher/gitlab/link.h"
#include "stages/fetcher/listing/rest_priv.h"
#include "stages/fetcher/state/numbers.h"

enum { QUERY_MAX_BYTES = 512 };

/* ---- records ---- */

void page_done_one(struct page *p)
{
    p->waiting--;
    if (p->waiting == 0) {
        walk_settle(p->lane);
    }
}

static void on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct page *p = (struct page *)ack;

    if (d->rc != WH_OK) {
        p->failed = true;
        listing_fail(&p->lane->walk->base, CLIENT_FAILED, d->reason);
    }
    page_done_one(p);
}

enum wh_rc page_emit(struct page *p, const char *kind, struct wh_slice id, struct wh_slice path,
                     struct wh_slice row, struct wh_err *err)
{
    const struct outbox_row part = {
        .kind = wh_slice_str(kind), .object_id = id, .path = path, .payload = row};

    if (listing_publish(&p->lane->walk->base, &part, &p->ack, err) != WH_OK) {
        p->failed = true;
        return err->rc;
    }
    p->waiting++;
    return WH_OK;
}

/* ---- rows ---- */

/* The page being taken apart. */
struct taking {
    struct page *page;
    size_t n;
    bool produce; /* false: the listing is as it was */
};

/* Rows that are not objects go on as they are: the mapper sets them aside with its reason. */
static bool is_new(struct lane *lane, const struct row *row)
{
    return lane->walk->base.stream->mode != STREAM_BY_UPDATE ||
           span_take(&lane->span, (uint64_t)row->number, row->updated_at,
                     row->has_update ? &row->at : NULL);
}

static bool head_moved(const struct walk *w, const struct row *row, struct wh_json_val value)
{
    struct wh_json_val sha;

    return wh_json_get(value, WH_LIT("sha"), &sha) && wh_json_type(sha) == WH_JSON_STRING &&
           mr_heads_moved(w->base.env->heads, row->number, wh_json_string(sha));
}

static enum wh_rc on_row(void *ctx, struct wh_slice text, struct wh_json_val value,
                         struct wh_err *err)
{
    struct taking *t = ctx;
    struct lane *lane = t->page->lane;
    struct listing *l = &lane->walk->base;
    struct row row;

    t->n++;
    row_read(value, &row);
    if (!is_new(lane, &row)) {
        return WH_OK;
    }
    l->env->on_row(l->env->ctx, &l->task, &row, value);
    if (!t->produce || (l->stream->mode == STREAM_HEADS && !head_moved(lane->walk, &row, value))) {
        return WH_OK;
    }
    t->page->rows++;
    l->task.count->rows++;
    l->task.count->total_rows++;
    if (page_emit(t->page, l->stream->kind, wh_slice_str(row.id), wh_slice_str(lane->path), text,
                  err) != WH_OK) {
        return err->rc;
    }
    /* The links of a moved issue went with it: an answer of now would bring it back to life. */
    if (row.id[0] && !numbers_row_moved(value)) {
        follow_all(t->page, &row);
    }
    return WH_OK;
}

/* ---- pages without versions are told apart by their content ---- */

static bool hashed(const struct walk *w)
{
    return w->base.stream->mode == STREAM_LIST || w->base.stream->mode == STREAM_PROJECTS;
}

static bool unchanged(const struct walk *w, const struct page *p)
{
    return hashed(w) && w->base.cursor->finished_at_ms > 0 && p->index < w->base.cursor->n_hashes &&
           w->base.cursor->hashes[p->index] == p->hash;
}

/* ---- where it goes on ---- */

/* Keeps GitLab's address of the next page; false when it names none. */
static bool follow_link(struct lane *lane, const struct client_answer *a)
{
    struct wh_slice url;
    struct wh_slice path;

    if (!link_next(a->link, &url)) {
        return false;
    }
    if (!link_path_of(url, wh_slice_str(lane->walk->base.env->instance), &path) ||
        path.len >= sizeof(lane->next_path)) {
        listing_fail(&lane->walk->base, CLIENT_REFUSED,
                     "GitLab names a next page at another address");
        return false;
    }
    memcpy(lane->next_path, path.ptr, path.len);
    lane->next_path[path.len] = '\0';
    return true;
}

static void go_on_by_update(struct lane *lane, const struct client_answer *a, size_t rows)
{
    struct walk *w = lane->walk;
    bool keyset = lane->span.mode == SPAN_BLOCK_KEYSET;
    struct wh_err err;
    struct span_page page = {.rows = rows, .total = -1};

    if (a->total.len == 0 || wh_num_i64(a->total, &page.total, &err) != WH_OK) {
        page.total = -1;
    }
    page.more_known = keyset || a->next_page.ptr != NULL;
    page.more = keyset ? follow_link(lane, a) : a->next_page.len > 0;
    if (page.more && lane->span.mode == SPAN_BOUND) {
        walk_know_total(w, lane->span.before_ms == INT64_MAX ? page.total : 0);
    }
    span_page_end(&lane->span, &page);
    lane->waits = lane->span.listed && lane->next == NULL && w->n_lanes > 1;
}

static void go_on(struct lane *lane, const struct client_answer *a, size_t rows)
{
    struct span *s = &lane->span;

    if (lane->walk->base.stream->mode == STREAM_BY_UPDATE) {
        go_on_by_update(lane, a, rows);
    } else if (!follow_link(lane, a)) {
        s->listed = a->next_page.len == 0 || rows < SPAN_PAGE_ROWS;
        s->page++;
    }
}

/* ---- one answer ---- */

static struct page *add_page(struct lane *lane, struct wh_slice body)
{
    struct walk *w = lane->walk;
    struct page *p = wh_mem_zalloc(1, sizeof(*p));

    if (p) {
        p->ack.fn = on_record;
        p->lane = lane;
        p->waiting = 1;
        p->bytes = body.len;
        p->index = w->page_index++;
        p->hash = hashed(w) ? wh_hash64(body) : 0;
        *lane->last = p;
        lane->last = &p->next;
        lane->n_pages++;
        w->n_bytes += body.len;
        w->base.task.count->pages++;
    }
    return p;
}

static void take_page(struct lane *lane, const struct client_answer *a)
{
    struct walk *w = lane->walk;
    struct wh_slice body = wh_slice(a->body->ptr, a->body->len);
    struct page *p = add_page(lane, body);
    struct taking t = {.page = p};
    struct wh_err err;

    if (p == NULL) {
        listing_fail(&w->base, CLIENT_FAILED, "out of memory");
        return;
    }
    t.produce = !unchanged(w, p);
    if (wh_json_split_array(w->base.env->arrays, body, on_row, &t, &err) != WH_OK) {
        p->failed = true;
        listing_fail(&w->base, CLIENT_FAILED, err.msg);
    } else {
        go_on(lane, a, t.n);
    }
    memcpy(p->after, lane->span.after, sizeof(p->after));
    p->after_ms = lane->span.after_ms;
    page_done_one(p);
}

/* The lane counts as asking until the end: a page without records settles at once, and the walk
 * must not end while its answer is still being taken. */
static void on_page(void *ctx, const struct client_answer *a)
{
    struct lane *lane = ctx;
    struct walk *w = lane->walk;

    if (a->outcome != CLIENT_OK) {
        w->n_ahead--;
    }
    if (a->outcome == CLIENT_OK) {
        take_page(lane, a);
    } else if (a->outcome != CLIENT_REFUSED || w->base.stream->mode != STREAM_BY_UPDATE ||
               !span_refused(&lane->span)) {
        listing_fail(&w->base, a->outcome, a->error);
    }
    lane->asking = false;
    walk_pump(w);
}

/* ---- asking ---- */

static enum wh_rc build_path(struct lane *lane, struct wh_err *err)
{
    const struct walk *w = lane->walk;
    const struct stream *stream = w->base.stream;
    WH_AUTO(buf) struct wh_buf query;

    wh_buf_init(&query, QUERY_MAX_BYTES);
    if (lane->next_path[0]) {
        memcpy(lane->path, lane->next_path, sizeof(lane->path));
        lane->next_path[0] = '\0';
        return WH_OK;
    }
    if (stream->mode == STREAM_PROJECTS) {
        (void)snprintf(lane->path, sizeof(lane->path),
                       "/api/v4/projects?membership=true&pagination=keyset&order_by=id&sort=asc"
                       "&per_page=%d",
                       SPAN_PAGE_ROWS);
        return WH_OK;
    }
    if (stream->mode == STREAM_BY_UPDATE) {
        if (span_query(&lane->span, &query, err) != WH_OK) {
            return err->rc;
        }
    } else if (wh_buf_printf(&query, err, "per_page=%d&page=%u", SPAN_PAGE_ROWS, lane->span.page) !=
               WH_OK) {
        return err->rc;
    }
    (void)snprintf(lane->path, sizeof(lane->path), "/api/v4/projects/%s%s%s%s",
                   w->base.task.project->id, stream->path, strchr(stream->path, '?') ? "&" : "?",
                   wh_buf_str(&query));
    return WH_OK;
}

void page_ask(struct lane *lane)
{
    struct walk *w = lane->walk;
    struct wh_err err;

    if (build_path(lane, &err) != WH_OK ||
        client_get(w->base.task.client, wh_slice_str(lane->path), on_page, lane, &err) != WH_OK) {
        listing_fail(&w->base, CLIENT_FAILED, err.msg);
        return;
    }
    lane->asking = true;
    w->n_ahead++;
}
