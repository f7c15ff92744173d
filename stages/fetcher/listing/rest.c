/* One listing from its start to its end: lanes, their requests, and when it is over. */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/listing/rest_priv.h"

enum {
    /* One more span costs at most one more request: the page at its end that is not full. */
    PAGES_PER_SPLIT = 40,
    /* GitLab gives no total past 10,000 rows. */
    PAGES_WITHOUT_TOTAL = 10000 / SPAN_PAGE_ROWS,
};

/* ---- lanes ---- */

struct lane *walk_add_lane(struct walk *w, struct lane *before, struct wh_slice after,
                           int64_t after_ms, int64_t before_ms)
{
    struct lane *lane = wh_mem_zalloc(1, sizeof(*lane));

    if (lane == NULL) {
        return NULL;
    }
    lane->walk = w;
    lane->last = &lane->first;
    span_init(&lane->span, after, after_ms, before_ms);
    memcpy(lane->saved, lane->span.after, sizeof(lane->saved));
    lane->saved_ms = after_ms;
    lane->next = before ? before->next : w->lanes;
    *(before ? &before->next : &w->lanes) = lane;
    w->n_lanes++;
    return lane;
}

static void lane_free(struct lane *lane)
{
    while (lane->first) {
        struct page *next = lane->first->next;

        follow_free_all(lane->first);
        wh_mem_free(lane->first);
        lane->first = next;
    }
    span_done(&lane->span);
    wh_mem_free(lane);
}

/* Lanes that are read and acknowledged; the open one stays. */
static void drop_read_lanes(struct walk *w)
{
    struct lane **link = &w->lanes;

    while ((*link)->next) {
        struct lane *lane = *link;

        if (lane->span.listed && !lane->asking && !lane->first) {
            *link = lane->next;
            w->n_lanes--;
            w->dirty = true;
            lane_free(lane);
        } else {
            link = &lane->next;
        }
    }
}

/* ---- splitting ---- */

static int64_t open_end_ms(const struct walk *w)
{
    const struct listing_env *env = w->base.env;

    /* What is newer than the overlap may still get rows: it stays with the open span. */
    return wh_clock_now_ms(&env->clock) - env->overlap_ms;
}

/* Rows that are left, by how many there were in the time that is read; -1 when it cannot be split.
 */
static double rows_left(const struct lane *lane, int64_t end_ms, double rows_per_ms)
{
    const struct span *s = &lane->span;
    int64_t end = s->before_ms != INT64_MAX ? s->before_ms : end_ms;
    int64_t took = s->after_ms - s->first_ms;

    if (s->listed || span_middle(s, end_ms) == 0) {
        return -1;
    }
    if (s->rows >= SPAN_PAGE_ROWS && took > 0) {
        rows_per_ms = (double)s->rows / (double)took;
    }
    return rows_per_ms * (double)(end - s->after_ms);
}

static double mean_rows_per_ms(const struct walk *w)
{
    double rows = 0;
    double took = 0;

    for (const struct lane *l = w->lanes; l; l = l->next) {
        if (l->span.rows && l->span.after_ms > l->span.first_ms) {
            rows += (double)l->span.rows;
            took += (double)(l->span.after_ms - l->span.first_ms);
        }
    }
    return took > 0 ? rows / took : 0;
}

static bool split_one(struct walk *w)
{
    int64_t end_ms = open_end_ms(w);
    double mean = mean_rows_per_ms(w);
    char text[WH_TIME_TEXT_MAX];
    struct lane *best = NULL;
    double most = 2 * SPAN_PAGE_ROWS;
    int64_t middle;

    for (struct lane *l = w->lanes; l; l = l->next) {
        double left = rows_left(l, end_ms, mean);

        if (left > most) {
            most = left;
            best = l;
        }
    }
    if (best == NULL) {
        return false;
    }
    middle = span_middle(&best->span, end_ms);
    if (walk_add_lane(w, best, wh_slice_str(wh_time_format(middle, text)), middle,
                      best->span.before_ms) == NULL) {
        return false;
    }
    /* What the request under way shows of the other half is left to the new lane. */
    best->span.before_ms = middle;
    w->splits++;
    return true;
}

static void walk_split(struct walk *w)
{
    while (w->base.stream->mode == STREAM_BY_UPDATE && w->n_lanes < WALK_LANES_MAX &&
           (uint64_t)(w->splits + 1) * PAGES_PER_SPLIT <= w->known_pages && split_one(w)) {
    }
}

void walk_know_total(struct walk *w, int64_t total)
{
    uint64_t pages =
        total >= 0 ? ((uint64_t)total + SPAN_PAGE_ROWS - 1) / SPAN_PAGE_ROWS : PAGES_WITHOUT_TOTAL;

    w->known_pages = pages > w->known_pages ? pages : w->known_pages;
    if (w->page_index > w->known_pages) {
        w->known_pages = w->page_index;
    }
}

/* ---- the end ---- */

static void done(struct listing *l)
{
    struct walk *w = (struct walk *)l;

    while (w->lanes) {
        struct lane *next = w->lanes->next;

        lane_free(w->lanes);
        w->lanes = next;
    }
}

static bool under_way(const struct walk *w)
{
    bool reads_on = w->base.result.outcome == LISTING_ENDED;

    for (const struct lane *l = w->lanes; l; l = l->next) {
        if (l->asking || l->first || (reads_on && !l->span.listed)) {
            return true;
        }
    }
    return w->saving;
}

/* ---- asking ---- */

static bool may_ask(const struct walk *w)
{
    size_t most = w->follow ? WALK_FOLLOWED_AHEAD_MAX : WALK_AHEAD_MAX;

    return w->base.result.outcome == LISTING_ENDED && w->n_ahead < most &&
           (w->n_bytes < WALK_BYTES_MAX || w->n_bytes == 0);
}

/* Rows that were changed while others still read are behind the newest row by now: the open lane
 * looks once more when it is alone. */
static void wake_open_lane(struct walk *w)
{
    struct lane *lane = w->lanes;

    if (lane->next == NULL && lane->waits) {
        lane->waits = false;
        lane->span.listed = false;
    }
}

/* The one with the fewest pages under way, so that all spans come to their ends together. */
static struct lane *next_to_ask(struct walk *w)
{
    struct lane *best = NULL;

    for (struct lane *l = w->lanes; l; l = l->next) {
        if (!l->asking && !l->span.listed && (best == NULL || l->n_pages < best->n_pages)) {
            best = l;
        }
    }
    return best;
}

void walk_pump(struct walk *w)
{
    struct lane *lane;

    if (w->base.env->stopped(w->base.env->ctx)) {
        listing_fail(&w->base, CLIENT_FAILED, "stopping");
    }
    drop_read_lanes(w);
    wake_open_lane(w);
    walk_split(w);
    while (may_ask(w) && (lane = next_to_ask(w)) != NULL) {
        page_ask(lane);
    }
    if (!under_way(w) && !walk_save(w)) {
        listing_end(&w->base);
    }
}

static void pump(struct listing *l)
{
    walk_pump((struct walk *)l);
}

/* ---- the start ---- */

static enum wh_rc begin(struct listing *l, struct wh_err *err)
{
    struct walk *w = (struct walk *)l;

    w->follow = follow_wanted(l);
    if (walk_restore(w, err) != WH_OK) {
        return err->rc;
    }
    walk_pump(w);
    return WH_OK;
}

const struct listing_kind listing_by_rest = {
    .size = sizeof(struct walk), .begin = begin, .pump = pump, .done = done};
