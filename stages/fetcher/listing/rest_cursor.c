/* The cursor of a listing by REST: which part of each lane is not acknowledged yet. */
#include "stages/fetcher/listing/rest_priv.h"

#include "common/base/mem.h"

/* ---- restoring ---- */

static int64_t ms_of(const char *after)
{
    struct wh_instant at;
    struct wh_err err;

    return wh_time_parse(wh_slice_str(after), &at, &err) == WH_OK ? at.ms : 0;
}

/* The open lane begins a little before its cursor, because clocks differ and transactions commit
 * late. */
static enum wh_rc restore_open(struct listing_rest *r, const struct cursor *c,
                               struct listing_lane *before, struct wh_err *err)
{
    char text[WH_TIME_TEXT_MAX] = "";
    int64_t ms = r->base.stream->mode == STREAM_BY_UPDATE ? ms_of(c->after) : 0;
    int64_t from_ms = ms ? ms - r->base.env->overlap_ms : 0;
    struct listing_lane *lane;

    /* Webhooks were lost: the time since then is read again. */
    if (ms && r->base.task.from_ms && r->base.task.from_ms < from_ms) {
        from_ms = r->base.task.from_ms;
        r->takes_all = true;
    }
    if (ms) {
        (void)wh_time_format(from_ms, text);
    }
    lane = listing_lane_add(r, before, wh_slice_str(text), from_ms, INT64_MAX);
    if (lane == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a listing");
    }
    if (ms) {
        memcpy(lane->saved, c->after, sizeof(lane->saved));
        lane->saved_ms = ms;
        lane->notes_since_ms = from_ms;
    }
    return WH_OK;
}

static void on_saved(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct listing_rest *r = (struct listing_rest *)ack;

    r->saving = false;
    r->n_ahead -= r->n_saving;
    r->n_saving = 0;
    if (d->rc != WH_OK) {
        listing_fail(&r->base, CLIENT_FAILED, d->reason);
    }
    /* More pages may have been acknowledged meanwhile. */
    (void)listing_rest_save(r);
    listing_rest_pump(r);
}

enum wh_rc listing_rest_restore(struct listing_rest *r, struct wh_err *err)
{
    const struct cursor *c = r->base.cursor;
    struct listing_lane *last = NULL;

    r->base.saved.fn = on_saved;
    for (unsigned i = 0; r->base.stream->mode == STREAM_BY_UPDATE && i < c->n_spans; i++) {
        last = listing_lane_add(r, last, wh_slice_str(c->spans[i].after), ms_of(c->spans[i].after),
                                c->spans[i].before_ms);
        if (last == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a listing");
        }
    }
    return restore_open(r, c, last, err);
}

/* ---- saving ---- */

static enum wh_rc fill_cursor(struct listing_rest *r, struct wh_err *err)
{
    struct cursor *c = r->base.cursor;
    unsigned n = 0;

    if (cursor_set_spans(c, r->n_lanes - 1, err) != WH_OK) {
        return err->rc;
    }
    for (const struct listing_lane *l = r->lanes; l; l = l->next) {
        if (l->next) {
            memcpy(c->spans[n].after, l->saved, sizeof(l->saved));
            c->spans[n++].before_ms = l->span.before_ms;
        } else if (l->saved[0]) {
            memcpy(c->after, l->saved, sizeof(c->after));
        }
    }
    return WH_OK;
}

static bool wholly_read(const struct listing_rest *r)
{
    const struct listing_lane *last = listing_last_lane(r);

    for (const struct listing_lane *l = r->lanes; l; l = l->next) {
        if (l->first || l->asking) {
            return false;
        }
    }
    return r->base.result.outcome == LISTING_ENDED && last && last->span.listed && !last->waits;
}

static bool has_cursor(const struct listing_rest *r)
{
    return r->base.stream->mode != STREAM_OPEN && r->base.stream->mode != STREAM_HEADS;
}

void listing_rest_finish(struct listing_rest *r)
{
    if (has_cursor(r) && wholly_read(r)) {
        r->base.cursor->finished_at_ms = wh_clock_now_ms(&r->base.env->clock);
    }
}

bool listing_rest_save(struct listing_rest *r)
{
    struct wh_err err;

    if (!has_cursor(r)) {
        r->n_ahead -= r->n_settled;
        r->n_settled = 0;
        return false;
    }
    if (r->saving || !r->dirty) {
        return r->saving;
    }
    r->dirty = false;
    r->n_saving = r->n_settled;
    r->n_settled = 0;
    listing_rest_finish(r);
    if (wholly_read(r) && r->base.stream->mode == STREAM_BY_UPDATE) {
        listing_overlap_keep(&r->overlap, r->base.env->overlap_ms, r->base.cursor);
    }
    if (fill_cursor(r, &err) != WH_OK || listing_save(&r->base, &err) != WH_OK) {
        listing_fail(&r->base, CLIENT_FAILED, err.msg);
        return false;
    }
    r->saving = true;
    return true;
}

void listing_lane_settle(struct listing_lane *lane)
{
    struct listing_rest *r = lane->rest;

    while (lane->first && lane->first->waiting == 0) {
        struct listing_page *p = lane->first;

        lane->first = p->next;
        if (lane->first == NULL) {
            lane->last = &lane->first;
        }
        r->n_settled++;
        lane->n_pages--;
        r->n_bytes -= p->bytes;
        if (p->failed) {
            listing_fail(&r->base, CLIENT_FAILED, NULL);
        } else if (!listing_failed(&r->base)) {
            if (p->after_ms > lane->saved_ms) {
                memcpy(lane->saved, p->after, sizeof(p->after));
                lane->saved_ms = p->after_ms;
            }
            r->base.cursor->rows += p->rows;
            listing_open_keep(p);
            for (size_t i = 0; i < p->n_read; i++) {
                listing_overlap_add(&r->overlap, p->read[i], r->base.env->overlap_ms);
            }
            /* Not earlier: a page that is not in Kafka must not look known to the next run. */
            if (p->hash) {
                cursor_set_hash(r->base.cursor, p->index, p->hash);
            }
            r->dirty = true;
        }
        listing_page_free(p);
    }
    (void)listing_rest_save(r);
    listing_rest_pump(r);
}
