/* Reading one listing: pages in flight, rows, follow-ups, and the cursor behind them. */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "stages/fetcher/fetcher.h"
#include "stages/fetcher/link.h"
#include "stages/fetcher/streams.h"

enum {
    PER_PAGE = 100,
    PAGES_IN_FLIGHT = 6,
    PATH_MAX_BYTES = 2048,
    SEEN_MAX = 4096,
    KEY_MAX_BYTES = 160,
};

/* One page: read when nothing waits any more. */
struct page {
    struct ack ack; /* first: records carry it */
    struct walk *walk;
    struct page *next;
    struct follow *follows; /* under way */
    size_t waiting;         /* records, follow-ups, and the parsing itself */
    bool failed;
    char after[STATE_AFTER_MAX];
    uint64_t rows;
    unsigned index; /* of the walk's pages */
    uint64_t hash;  /* of its content */
};

struct walk {
    struct ack saved; /* first: the cursor's record carries it */
    struct walk *next;
    struct walk *prev;
    struct conn *conn;
    struct project *project;
    const struct stream *stream;
    unsigned stream_index;
    struct cursor *cursor;
    char key[KEY_MAX_BYTES];
    struct page *first; /* oldest page in flight */
    struct page **last;
    size_t n_pages;
    char after[STATE_AFTER_MAX]; /* where the next request begins */
    int64_t after_ms;
    unsigned page;                  /* number of the next page */
    char next_path[PATH_MAX_BYTES]; /* keyset: the next address */
    uint64_t seen[SEEN_MAX];        /* ids with updated_at == after */
    size_t n_seen;
    unsigned page_index; /* pages asked for so far */
    bool listed;         /* the last page was asked for and came */
    bool asking;         /* a request for a page is under way */
    bool failed;
    enum client_outcome why;
    size_t saving;             /* cursor records not acknowledged */
    char path[PATH_MAX_BYTES]; /* of the request under way */
};

/* A read that a row asked for. */
struct follow {
    struct page *page;
    struct follow *next;
    const char *kind;
    char object_id[24];
    bool array; /* each element is a row of its own; else the whole answer is */
    char path[256];
};

static void walk_pump(struct walk *w);

static struct stream_count *count_of(struct walk *w)
{
    return &w->conn->counts[w->stream_index];
}

static struct wh_slice project_of(const struct walk *w)
{
    return wh_slice_str(w->project ? w->project->id : "");
}

/* ---- the end ---- */

static void walk_free(struct walk *w)
{
    struct conn *c = w->conn;

    if (w->prev) {
        w->prev->next = w->next;
    } else {
        c->walks = w->next;
    }
    if (w->next) {
        w->next->prev = w->prev;
    }
    c->n_walks--;
    while (w->first) {
        struct page *next = w->first->next;

        while (w->first->follows) {
            struct follow *follow = w->first->follows;

            w->first->follows = follow->next;
            wh_mem_free(follow);
        }
        wh_mem_free(w->first);
        w->first = next;
    }
    wh_mem_free(w);
}

void walk_free_all(struct conn *c)
{
    while (c->walks) {
        walk_free(c->walks);
    }
}

static void end_if_done(struct walk *w)
{
    struct conn *c = w->conn;
    struct project *project = w->project;
    unsigned stream = w->stream_index;
    bool ok = !w->failed;
    enum client_outcome why = w->why;

    if (w->first || w->asking || w->saving || !(w->listed || w->failed)) {
        return;
    }
    walk_free(w);
    conn_walk_ended(c, project, stream, ok, why);
}

static void walk_fail(struct walk *w, enum client_outcome why, const char *text)
{
    if (!w->failed) {
        w->failed = true;
        w->why = why;
        if (text) {
            (void)snprintf(w->conn->error, sizeof(w->conn->error), "%s: %.120s", w->stream->name,
                           text);
        }
    }
}

/* ---- the cursor ---- */

static void on_saved(struct ack *ack, const struct wh_bus_delivery *d)
{
    struct walk *w = (struct walk *)ack;

    w->saving--;
    if (d->rc != WH_OK) {
        walk_fail(w, CLIENT_FAILED, d->reason);
    }
    end_if_done(w);
}

static void save_cursor(struct walk *w)
{
    struct fetcher *f = w->conn->fetcher;
    WH_AUTO(buf) struct wh_buf json;
    struct wh_err err;

    wh_buf_init(&json, 16384);
    if (cursor_write(w->cursor, &json, &err) != WH_OK ||
        emit_state(f, wh_slice_str(w->conn->id), project_of(w), wh_slice_str(w->key),
                   wh_buf_slice(&json), &w->saved, &err) != WH_OK) {
        walk_fail(w, CLIENT_FAILED, err.msg);
        return;
    }
    w->saving++;
}

/* Only of a page that is acknowledged: a page not produced yet must not look known later. */
static void note_hash(struct walk *w, const struct page *p)
{
    struct cursor *c = w->cursor;

    if (p->index >= STATE_HASHES_MAX) {
        return;
    }
    c->hashes[p->index] = p->hash;
    c->n_hashes = p->index >= c->n_hashes ? p->index + 1 : c->n_hashes;
}

/* Moves the cursor over the pages that are read, oldest first. */
static void settle(struct walk *w)
{
    bool moved = false;

    while (w->first && w->first->waiting == 0) {
        struct page *p = w->first;

        w->first = p->next;
        if (w->first == NULL) {
            w->last = &w->first;
        }
        w->n_pages--;
        if (p->failed) {
            walk_fail(w, CLIENT_FAILED, NULL);
        } else if (!w->failed) {
            if (p->after[0]) {
                memcpy(w->cursor->after, p->after, sizeof(p->after));
            }
            w->cursor->rows += p->rows;
            note_hash(w, p);
            moved = true;
        }
        wh_mem_free(p);
    }
    if (!w->failed && w->listed && !w->first) {
        w->cursor->finished_at_ms = wh_clock_now_ms(&w->conn->fetcher->deps.clock);
        moved = true;
    }
    if (moved && w->stream->mode != STREAM_OPEN) {
        save_cursor(w);
    }
    walk_pump(w);
}

static void page_done_one(struct page *p)
{
    struct walk *w = p->walk;

    p->waiting--;
    if (p->waiting == 0) {
        settle(w);
    }
}

static void on_record(struct ack *ack, const struct wh_bus_delivery *d)
{
    struct page *p = (struct page *)ack;

    if (d->rc != WH_OK) {
        p->failed = true;
        walk_fail(p->walk, CLIENT_FAILED, d->reason);
    }
    page_done_one(p);
}

static enum wh_rc page_emit(struct page *p, const char *kind, struct wh_slice id,
                            struct wh_slice path, struct wh_slice row, struct wh_err *err)
{
    if (emit_row(p->walk->conn, wh_slice_str(kind), project_of(p->walk), id, path, row, &p->ack,
                 err) != WH_OK) {
        p->failed = true;
        return err->rc;
    }
    p->waiting++;
    count_of(p->walk)->produced++;
    return WH_OK;
}

/* ---- rows ---- */

struct row {
    char id[24];
    char iid[24];
    int64_t number; /* id as a number, for what was seen */
    struct wh_slice updated_at;
    struct wh_instant at;
    bool has_update;
    struct wh_json_val value;
};

static void number_text(struct wh_json_val object, const char *key, char text[24], int64_t *ret)
{
    struct wh_json_val v;

    text[0] = '\0';
    *ret = 0;
    if (wh_json_get(object, wh_slice_str(key), &v) && wh_json_type(v) == WH_JSON_INT) {
        *ret = wh_json_int(v);
        (void)snprintf(text, 24, "%" PRId64, *ret);
    }
}

/* What the walk must know of a row; releases have a tag for an id. */
static enum wh_rc read_row(struct fetcher *f, struct wh_slice text, struct row *ret,
                           struct wh_err *err)
{
    struct wh_json_val v;
    int64_t iid;

    if (wh_json_parse(f->rows, text, &ret->value, err) != WH_OK) {
        return err->rc;
    }
    number_text(ret->value, "iid", ret->iid, &iid);
    number_text(ret->value, "id", ret->id, &ret->number);
    ret->has_update = wh_json_get(ret->value, WH_LIT("updated_at"), &v) &&
                      wh_json_type(v) == WH_JSON_STRING &&
                      wh_json_string(v).len < STATE_AFTER_MAX &&
                      wh_time_parse(wh_json_string(v), &ret->at, err) == WH_OK;
    if (ret->has_update) {
        ret->updated_at = wh_json_string(v);
    }
    return WH_OK;
}

static bool already_seen(const struct walk *w, const struct row *row)
{
    if (!row->has_update || row->at.ms != w->after_ms) {
        return false;
    }
    for (size_t i = 0; i < w->n_seen; i++) {
        if (w->seen[i] == (uint64_t)row->number) {
            return true;
        }
    }
    return false;
}

static void note_seen(struct walk *w, const struct row *row)
{
    if (!row->has_update) {
        return;
    }
    if (row->at.ms != w->after_ms) {
        w->n_seen = 0;
        w->after_ms = row->at.ms;
        memcpy(w->after, row->updated_at.ptr, row->updated_at.len);
        w->after[row->updated_at.len] = '\0';
    }
    if (w->n_seen < SEEN_MAX) {
        w->seen[w->n_seen++] = (uint64_t)row->number;
    }
}

/* ---- follow-ups ---- */

static void follow_get(struct follow *follow);

static void follow_end(struct follow *follow)
{
    struct page *p = follow->page;
    struct follow **link = &p->follows;

    while (*link != follow) {
        link = &(*link)->next;
    }
    *link = follow->next;
    wh_mem_free(follow);
    page_done_one(p);
}

static enum wh_rc follow_row(void *ctx, struct wh_slice text, struct wh_err *err)
{
    struct follow *follow = ctx;
    struct row row = {0};

    if (read_row(follow->page->walk->conn->fetcher, text, &row, err) != WH_OK) {
        return err->rc;
    }
    return page_emit(follow->page, follow->kind, wh_slice_str(row.id), wh_slice_str(follow->path),
                     text, err);
}

static bool follow_next(struct follow *follow, const struct client_answer *a)
{
    struct wh_slice url;
    struct wh_slice path;

    if (!follow->array || !link_next(a->link, &url) ||
        !link_path_of(url, wh_slice_str(follow->page->walk->conn->instance), &path) ||
        path.len >= sizeof(follow->path)) {
        return false;
    }
    memcpy(follow->path, path.ptr, path.len);
    follow->path[path.len] = '\0';
    return true;
}

static void on_follow(void *ctx, const struct client_answer *a)
{
    struct follow *follow = ctx;
    struct page *p = follow->page;
    struct walk *w = p->walk;
    struct wh_slice body =
        wh_slice(a->body && a->body->ptr ? a->body->ptr : "", a->body ? a->body->len : 0);
    struct wh_err err;
    enum wh_rc rc = WH_OK;

    count_of(w)->follow_ups++;
    switch (a->outcome) {
    case CLIENT_OK:
        rc = follow->array
                 ? wh_json_split_array(w->conn->fetcher->arrays, body, follow_row, follow, &err)
                 : page_emit(p, follow->kind, wh_slice_str(follow->object_id),
                             wh_slice_str(follow->path), body, &err);
        break;
    case CLIENT_FAILED:
    case CLIENT_SIGN_IN:
        p->failed = true;
        walk_fail(w, a->outcome, a->error);
        break;
    case CLIENT_GONE:
    case CLIENT_DENIED:
    case CLIENT_REFUSED:
    default:
        /* The row itself was read; this part of it is not to be had. */
        count_of(w)->skipped++;
        break;
    }
    if (rc != WH_OK) {
        count_of(w)->failed++;
        p->failed = p->failed || wh_rc_class(rc) != WH_CLASS_POISON;
    } else if (a->outcome == CLIENT_OK && follow_next(follow, a)) {
        follow_get(follow);
        return;
    }
    follow_end(follow);
}

static void follow_get(struct follow *follow)
{
    struct page *p = follow->page;
    struct wh_err err;

    if (client_get(p->walk->conn->client, wh_slice_str(follow->path), on_follow, follow, &err) !=
        WH_OK) {
        p->failed = true;
        follow_end(follow);
    }
}

static void follow_start(struct page *p, const char *kind, bool array, const struct row *row,
                         const char *resource, const char *id, const char *rest)
{
    struct follow *follow = wh_mem_zalloc(1, sizeof(*follow));

    if (follow == NULL) {
        p->failed = true;
        return;
    }
    follow->page = p;
    follow->next = p->follows;
    p->follows = follow;
    follow->kind = kind;
    follow->array = array;
    memcpy(follow->object_id, row->id, sizeof(follow->object_id));
    (void)snprintf(follow->path, sizeof(follow->path), "/api/v4/projects/%s/%s/%s%s",
                   p->walk->project->id, resource, id, rest);
    p->waiting++;
    follow_get(follow);
}

static void follow_all(struct page *p, const struct row *row)
{
    unsigned what = p->walk->stream->follow;
    bool links = p->walk->conn->fetcher->deps.conf.read_links;

    if (what & FOLLOW_PIPELINE) {
        follow_start(p, "pipeline_detail", false, row, "pipelines", row->id, "");
        follow_start(p, "job", true, row, "pipelines", row->id,
                     "/jobs?include_retried=true&per_page=100");
    }
    if ((what & FOLLOW_ISSUE_LINKS) && links) {
        follow_start(p, "issue_links", false, row, "issues", row->iid, "/links");
    }
    if ((what & FOLLOW_MR_CLOSES) && links) {
        follow_start(p, "mr_closes", false, row, "merge_requests", row->iid, "/closes_issues");
    }
}

/* ---- pages ---- */

/* The page being taken apart. */
struct taking {
    struct page *page;
    size_t n;
    bool produce; /* false: the listing is as it was */
};

static enum wh_rc on_row(void *ctx, struct wh_slice text, struct wh_err *err)
{
    struct taking *t = ctx;
    struct walk *w = t->page->walk;
    struct row row = {0};

    t->n++;
    if (read_row(w->conn->fetcher, text, &row, err) != WH_OK) {
        /* It goes on as it is: the mapper sets it aside with its reason. */
        return page_emit(t->page, w->stream->kind, WH_LIT(""), wh_slice_str(w->path), text, err);
    }
    if (w->stream->mode == STREAM_PROJECTS) {
        conn_add_project(w->conn, row.value);
    }
    if (w->stream->mode == STREAM_BY_UPDATE) {
        if (already_seen(w, &row)) {
            return WH_OK;
        }
        note_seen(w, &row);
    }
    if (!t->produce) {
        return WH_OK;
    }
    t->page->rows++;
    count_of(w)->rows++;
    count_of(w)->total_rows++;
    if (page_emit(t->page, w->stream->kind, wh_slice_str(row.id), wh_slice_str(w->path), text,
                  err) != WH_OK) {
        return err->rc;
    }
    if (row.id[0]) {
        follow_all(t->page, &row);
    }
    return WH_OK;
}

static bool hashed(const struct walk *w)
{
    return w->stream->mode == STREAM_LIST || w->stream->mode == STREAM_PROJECTS;
}

/* Pages without versions are told apart by their content. */
static bool unchanged(const struct walk *w, const struct page *p)
{
    return hashed(w) && w->cursor->finished_at_ms > 0 && p->index < w->cursor->n_hashes &&
           w->cursor->hashes[p->index] == p->hash;
}

/* Where the listing goes on; false at its end. */
static bool next_request(struct walk *w, const struct client_answer *a, size_t n,
                         const char *after_before)
{
    struct wh_slice url;
    struct wh_slice path;

    if (w->stream->mode == STREAM_BY_UPDATE) {
        if (n < PER_PAGE) {
            return false;
        }
        /* The bound moved: from its first page on. It did not: more rows share one time. */
        w->page = strcmp(w->after, after_before) != 0 ? 1 : w->page + 1;
        return true;
    }
    if (link_next(a->link, &url)) {
        if (!link_path_of(url, wh_slice_str(w->conn->instance), &path) ||
            path.len >= sizeof(w->next_path)) {
            walk_fail(w, CLIENT_REFUSED, "GitLab names a next page at another address");
            return false;
        }
        memcpy(w->next_path, path.ptr, path.len);
        w->next_path[path.len] = '\0';
        return true;
    }
    if (a->next_page.len == 0 || n < PER_PAGE) {
        return false;
    }
    w->page++;
    return true;
}

static struct page *add_page(struct walk *w)
{
    struct page *p = wh_mem_zalloc(1, sizeof(*p));

    if (p) {
        p->ack.fn = on_record;
        p->walk = w;
        p->waiting = 1;
        *w->last = p;
        w->last = &p->next;
        w->n_pages++;
    }
    return p;
}

static void take_page(struct walk *w, const struct client_answer *a)
{
    struct wh_slice body = wh_slice(a->body->ptr, a->body->len);
    struct page *p = add_page(w);
    struct taking t = {.page = p};
    char before[STATE_AFTER_MAX];
    struct wh_err err;

    if (p == NULL) {
        walk_fail(w, CLIENT_FAILED, "out of memory");
        return;
    }
    p->index = w->page_index;
    p->hash = hashed(w) ? wh_hash64(body) : 0;
    t.produce = !unchanged(w, p);
    memcpy(before, w->after, sizeof(before));
    count_of(w)->pages++;
    w->page_index++;
    if (wh_json_split_array(w->conn->fetcher->arrays, body, on_row, &t, &err) != WH_OK) {
        p->failed = true;
        walk_fail(w, CLIENT_FAILED, err.msg);
    } else {
        w->listed = !next_request(w, a, t.n, before);
    }
    memcpy(p->after, w->after, sizeof(p->after));
    page_done_one(p);
}

static void on_page(void *ctx, const struct client_answer *a)
{
    struct walk *w = ctx;

    w->asking = false;
    if (a->outcome == CLIENT_OK) {
        /* Ends the walk when it was the last thing awaited. */
        take_page(w, a);
        return;
    }
    walk_fail(w, a->outcome, a->error);
    if (w->first == NULL) {
        walk_pump(w);
    }
}

static void build_path(struct walk *w)
{
    const char *mark = strchr(w->stream->path, '?') ? "&" : "?";
    WH_AUTO(buf) struct wh_buf bound;
    struct wh_err err;

    wh_buf_init(&bound, 256);
    if (w->next_path[0]) {
        memcpy(w->path, w->next_path, sizeof(w->path));
        w->next_path[0] = '\0';
        return;
    }
    if (w->stream->mode == STREAM_PROJECTS) {
        (void)snprintf(w->path, sizeof(w->path),
                       "/api/v4/projects?membership=true&pagination=keyset&order_by=id&sort=asc"
                       "&per_page=%d",
                       PER_PAGE);
        return;
    }
    if (w->stream->mode == STREAM_BY_UPDATE && w->after[0]) {
        (void)!wh_percent_encode(wh_slice_str(w->after), &bound, &err);
    }
    (void)snprintf(w->path, sizeof(w->path), "/api/v4/projects/%s%s%s%s%s%s%sper_page=%d&page=%u",
                   w->project->id, w->stream->path, mark,
                   w->stream->mode == STREAM_BY_UPDATE ? "order_by=updated_at&sort=asc&" : "",
                   bound.len ? "updated_after=" : "", wh_buf_str(&bound), bound.len ? "&" : "",
                   PER_PAGE, w->page);
}

static void walk_pump(struct walk *w)
{
    struct wh_err err;

    if (w->conn->fetcher->draining) {
        walk_fail(w, CLIENT_FAILED, "stopping");
    }
    if (!w->listed && !w->failed && !w->asking && w->n_pages < PAGES_IN_FLIGHT) {
        build_path(w);
        if (client_get(w->conn->client, wh_slice_str(w->path), on_page, w, &err) == WH_OK) {
            w->asking = true;
        } else {
            walk_fail(w, CLIENT_FAILED, err.msg);
        }
    }
    end_if_done(w);
}

/* Incremental reads begin a little before the cursor: clocks differ, transactions commit late. */
static void begin_after(struct walk *w)
{
    struct wh_instant at;
    struct wh_err err;

    if (w->stream->mode != STREAM_BY_UPDATE || w->cursor->after[0] == '\0' ||
        wh_time_parse(wh_slice_str(w->cursor->after), &at, &err) != WH_OK) {
        return;
    }
    at.ms -= w->conn->fetcher->deps.conf.sync_overlap_ms;
    (void)wh_time_format(at.ms, w->after);
    w->after_ms = at.ms;
}

enum wh_rc walk_start(struct conn *c, struct project *project, unsigned stream, struct wh_err *err)
{
    struct walk *w = wh_mem_zalloc(1, sizeof(*w));

    if (w == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a walk");
    }
    w->saved.fn = on_saved;
    w->conn = c;
    w->project = project;
    w->stream = &streams[stream];
    w->stream_index = stream;
    w->last = &w->first;
    w->page = 1;
    (void)snprintf(w->key, sizeof(w->key), "%s:%s:%s", c->id, project ? project->id : "",
                   w->stream->name);
    w->cursor = state_cursor(c->fetcher->state, wh_slice_str(w->key));
    if (w->cursor == NULL) {
        wh_mem_free(w);
        return wh_fail(err, WH_E_NOMEM, "no memory for a cursor");
    }
    begin_after(w);
    w->next = c->walks;
    if (w->next) {
        w->next->prev = w;
    }
    c->walks = w;
    c->n_walks++;
    walk_pump(w);
    return WH_OK;
}
