/* A listing by REST from its start to its end: its lanes, which of them sends the next request, and
 * when it is over. */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/listing/rest_priv.h"

enum {
    /* Each further span costs at most one further request: the page at its end that is not full. */
    PAGES_PER_SPLIT = 40,
    /* GitLab gives no total past 10,000 rows. */
    PAGES_WITHOUT_TOTAL = 10000 / PAGING_ROWS,
};

/* ---- lanes ---- */

struct listing_lane *listing_lane_add(struct listing_rest *r, struct listing_lane *before,
                                      struct wh_slice after, int64_t after_ms, int64_t before_ms)
{
    struct listing_lane *lane = wh_mem_zalloc(1, sizeof(*lane));

    if (lane == NULL) {
        return NULL;
    }
    lane->rest = r;
    lane->last = &lane->first;
    listing_span_init(&lane->span, after, after_ms, before_ms);
    memcpy(lane->saved, lane->span.after, sizeof(lane->saved));
    lane->saved_ms = after_ms;
    lane->next = before ? before->next : r->lanes;
    *(before ? &before->next : &r->lanes) = lane;
    r->n_lanes++;
    return lane;
}

static void owe(struct listing_lane *lane)
{
    lane->owed = true;
    lane->unread = false;
    lane->rest->n_owed++;
    lane->rest->dirty = true;
}

void listing_lane_owe(struct listing_lane *lane)
{
    struct listing_span span = lane->span;
    struct listing_lane *next;

    if (strcmp(span.bound, span.after) == 0) {
        if (span.listed && lane->next) {
            owe(lane);
        }
        return;
    }
    next =
        listing_lane_add(lane->rest, lane, wh_slice_str(span.after), span.after_ms, span.before_ms);
    if (next == NULL) {
        listing_fail(&lane->rest->base, CLIENT_FAILED, "no memory for a listing");
        return;
    }
    next->span = span;
    next->waits = lane->waits;
    lane->waits = false;
    lane->span = (struct listing_span){.before_ms = span.after_ms + 1, .listed = true};
    owe(lane);
}

void listing_rest_owe(struct listing_rest *r, const char *after, int64_t after_ms)
{
    struct listing_lane *lane = r->lanes;

    while (lane &&
           !(lane->owed && (r->n_lanes >= LISTING_LANES_READ_MAX ||
                            (lane->saved_ms <= after_ms && after_ms < lane->span.before_ms)))) {
        lane = lane->next;
    }
    if (lane == NULL) {
        lane = listing_lane_add(r, NULL, wh_slice_str(after), after_ms, after_ms + 1);
        if (lane == NULL) {
            listing_fail(&r->base, CLIENT_FAILED, "no memory for a listing");
            return;
        }
        lane->span.listed = true;
        owe(lane);
    }
    /* Past the limit, one of them takes in more than it must. */
    if (after_ms < lane->saved_ms) {
        lane->saved_ms = after_ms;
        (void)snprintf(lane->saved, sizeof(lane->saved), "%s", after);
    }
    if (after_ms >= lane->span.before_ms) {
        lane->span.before_ms = after_ms + 1;
    }
    r->dirty = true;
}

struct listing_lane *listing_last_lane(const struct listing_rest *r)
{
    struct listing_lane *lane = r->lanes;

    while (lane->next && lane->owed) {
        lane = lane->next;
    }
    return lane->next ? NULL : lane;
}

static void lane_free(struct listing_lane *lane)
{
    listing_split_free(lane);
    while (lane->first) {
        struct listing_page *next = lane->first->next;

        listing_page_free(lane->first);
        lane->first = next;
    }
    listing_span_done(&lane->span);
    wh_mem_free(lane);
}

/* Removes lanes that are read and acknowledged. The open one stays. */
static void drop_read_lanes(struct listing_rest *r)
{
    struct listing_lane **link = &r->lanes;

    while ((*link)->next) {
        struct listing_lane *lane = *link;

        if (lane->span.listed && !lane->asking && !lane->first && !lane->owed) {
            *link = lane->next;
            r->n_lanes--;
            r->dirty = true;
            lane_free(lane);
        } else {
            link = &lane->next;
        }
    }
}

/* ---- splitting ---- */

static int64_t open_end_ms(const struct listing_rest *r)
{
    const struct listing_env *env = r->base.env;

    /* Within the overlap, rows may still be added: that time stays with the open span. */
    return wh_clock_now_ms(&env->clock) - env->overlap_ms;
}

/* Estimates how many rows are left in a lane, from the rows in the time that it has read. Returns
 * -1 when the lane cannot be split. */
static double rows_left(const struct listing_lane *lane, int64_t end_ms, double rows_per_ms)
{
    const struct listing_span *s = &lane->span;
    int64_t end = s->before_ms != INT64_MAX ? s->before_ms : end_ms;
    int64_t took = s->after_ms - s->first_ms;

    if (s->listed || listing_span_middle(s, end_ms) == 0) {
        return -1;
    }
    if (s->rows >= PAGING_ROWS && took > 0) {
        rows_per_ms = (double)s->rows / (double)took;
    }
    return rows_per_ms * (double)(end - s->after_ms);
}

static double mean_rows_per_ms(const struct listing_rest *r)
{
    double rows = 0;
    double took = 0;

    for (const struct listing_lane *l = r->lanes; l; l = l->next) {
        if (l->span.rows && l->span.after_ms > l->span.first_ms) {
            rows += (double)l->span.rows;
            took += (double)(l->span.after_ms - l->span.first_ms);
        }
    }
    return took > 0 ? rows / took : 0;
}

static bool split_one(struct listing_rest *r)
{
    int64_t end_ms = open_end_ms(r);
    double mean = mean_rows_per_ms(r);
    char text[WH_TIME_TEXT_MAX];
    struct listing_lane *best = NULL;
    double most = 2 * PAGING_ROWS;
    int64_t middle;

    for (struct listing_lane *l = r->lanes; l; l = l->next) {
        double left = rows_left(l, end_ms, mean);

        if (left > most) {
            most = left;
            best = l;
        }
    }
    if (best == NULL) {
        return false;
    }
    middle = listing_span_middle(&best->span, end_ms);
    if (listing_lane_add(r, best, wh_slice_str(wh_time_format(middle, text)), middle,
                         best->span.before_ms) == NULL) {
        return false;
    }
    /* Rows of the second half that the request under way returns are left to the new lane. */
    best->span.before_ms = middle;
    r->splits++;
    return true;
}

static void split(struct listing_rest *r)
{
    while (r->base.stream->mode == STREAM_BY_UPDATE && r->n_lanes < LISTING_LANES_MAX &&
           (uint64_t)(r->splits + 1) * PAGES_PER_SPLIT <= r->known_pages && split_one(r)) {
    }
}

void listing_rest_total(struct listing_rest *r, int64_t total)
{
    uint64_t pages =
        total >= 0 ? ((uint64_t)total + PAGING_ROWS - 1) / PAGING_ROWS : PAGES_WITHOUT_TOTAL;

    r->known_pages = pages > r->known_pages ? pages : r->known_pages;
    if (r->page_index > r->known_pages) {
        r->known_pages = r->page_index;
    }
}

/* ---- the end ---- */

static void done(struct listing *l)
{
    struct listing_rest *r = (struct listing_rest *)l;

    while (r->lanes) {
        struct listing_lane *next = r->lanes->next;

        lane_free(r->lanes);
        r->lanes = next;
    }
    listing_overlap_done(&r->overlap);
}

static bool under_way(const struct listing_rest *r)
{
    bool reads_on = r->base.result.outcome == LISTING_ENDED;

    for (const struct listing_lane *l = r->lanes; l; l = l->next) {
        if (l->asking || l->first || (reads_on && !l->span.listed)) {
            return true;
        }
    }
    return r->saving;
}

/* ---- asking ---- */

static bool may_ask(const struct listing_rest *r)
{
    size_t most = r->follow ? LISTING_FOLLOWED_AHEAD_MAX : LISTING_AHEAD_MAX;

    return r->base.result.outcome == LISTING_ENDED && r->n_ahead < most &&
           (r->n_bytes < LISTING_BYTES_MAX || r->n_bytes == 0);
}

/* Rows that changed while the other lanes were reading now lie after the newest row that the open
 * lane has read. When it is the last lane, it reads on. */
static void wake_open_lane(struct listing_rest *r)
{
    struct listing_lane *lane = listing_last_lane(r);

    if (lane && lane->waits) {
        lane->waits = false;
        lane->span.listed = false;
    }
}

/* Returns the lane with the fewest pages under way, so that all lanes end at about the same
 * time. */
static struct listing_lane *next_to_ask(struct listing_rest *r)
{
    struct listing_lane *best = NULL;

    for (struct listing_lane *l = r->lanes; l; l = l->next) {
        if (!l->asking && !l->span.listed && (best == NULL || l->n_pages < best->n_pages)) {
            best = l;
        }
    }
    return best;
}

void listing_rest_pump(struct listing_rest *r)
{
    struct listing_lane *lane;

    if (r->base.env->stopped(r->base.env->ctx)) {
        listing_fail(&r->base, CLIENT_FAILED, "stopping");
    }
    drop_read_lanes(r);
    wake_open_lane(r);
    split(r);
    while (may_ask(r) && (lane = next_to_ask(r)) != NULL) {
        listing_page_ask(lane);
    }
    if (!under_way(r) && !listing_rest_save(r)) {
        listing_rest_finish(r);
        listing_end(&r->base);
    }
}

static void pump(struct listing *l)
{
    listing_rest_pump((struct listing_rest *)l);
}

/* ---- the start ---- */

static enum wh_rc begin(struct listing *l, struct wh_err *err)
{
    struct listing_rest *r = (struct listing_rest *)l;

    r->follow = listing_follow_wanted(l);
    if (listing_rest_restore(r, err) != WH_OK) {
        return err->rc;
    }
    listing_rest_pump(r);
    return WH_OK;
}

const struct listing_kind listing_by_rest = {
    .size = sizeof(struct listing_rest), .begin = begin, .pump = pump, .done = done};
