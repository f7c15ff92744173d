/* What fetch-state says of a listing by REST: the part of each lane that is not acknowledged yet. */
#include "stages/fetcher/listing/rest_priv.h"

#include "common/base/mem.h"

/* ---- taking it up ---- */

static int64_t ms_of(const char *after)
{
    struct wh_instant at;
    struct wh_err err;

    return wh_time_parse(wh_slice_str(after), &at, &err) == WH_OK ? at.ms : 0;
}

/* The open part begins a little before its cursor: clocks differ, transactions commit late. */
static enum wh_rc restore_open(struct walk *w, const struct cursor *c, struct lane *before,
                               struct wh_err *err)
{
    char text[WH_TIME_TEXT_MAX] = "";
    int64_t ms = w->base.stream->mode == STREAM_BY_UPDATE ? ms_of(c->after) : 0;
    int64_t from_ms = ms ? ms - w->base.env->overlap_ms : 0;
    struct lane *lane;

    /* Webhooks were lost: what they would have told is read again. */
    if (ms && w->base.task.from_ms && w->base.task.from_ms < from_ms) {
        from_ms = w->base.task.from_ms;
    }
    if (ms) {
        (void)wh_time_format(from_ms, text);
    }
    lane = walk_add_lane(w, before, wh_slice_str(text), from_ms, INT64_MAX);
    if (lane == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a listing");
    }
    if (ms) {
        memcpy(lane->saved, c->after, sizeof(lane->saved));
        lane->saved_ms = ms;
    }
    return WH_OK;
}

static void on_saved(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct walk *w = (struct walk *)ack;

    w->saving = false;
    w->n_ahead -= w->n_saving;
    w->n_saving = 0;
    if (d->rc != WH_OK) {
        listing_fail(&w->base, CLIENT_FAILED, d->reason);
    }
    /* What came to be acknowledged meanwhile. */
    (void)walk_save(w);
    walk_pump(w);
}

enum wh_rc walk_restore(struct walk *w, struct wh_err *err)
{
    const struct cursor *c = w->base.cursor;
    struct lane *last = NULL;

    w->base.saved.fn = on_saved;
    for (unsigned i = 0; w->base.stream->mode == STREAM_BY_UPDATE && i < c->n_spans; i++) {
        last = walk_add_lane(w, last, wh_slice_str(c->spans[i].after), ms_of(c->spans[i].after),
                             c->spans[i].before_ms);
        if (last == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a listing");
        }
    }
    return restore_open(w, c, last, err);
}

/* ---- writing it down ---- */

static enum wh_rc fill_cursor(struct walk *w, struct wh_err *err)
{
    struct cursor *c = w->base.cursor;
    unsigned n = 0;

    if (cursor_set_spans(c, w->n_lanes - 1, err) != WH_OK) {
        return err->rc;
    }
    for (const struct lane *l = w->lanes; l; l = l->next) {
        if (l->next) {
            memcpy(c->spans[n].after, l->saved, sizeof(l->saved));
            c->spans[n++].before_ms = l->span.before_ms;
        } else if (l->saved[0]) {
            memcpy(c->after, l->saved, sizeof(c->after));
        }
    }
    return WH_OK;
}

static bool wholly_read(const struct walk *w)
{
    const struct lane *l = w->lanes;

    return w->base.result.outcome == LISTING_ENDED && l->next == NULL && l->span.listed &&
           !l->waits && !l->first && !l->asking;
}

static bool has_cursor(const struct walk *w)
{
    return w->base.stream->mode != STREAM_OPEN && w->base.stream->mode != STREAM_HEADS;
}

bool walk_save(struct walk *w)
{
    struct wh_err err;

    if (!has_cursor(w)) {
        w->n_ahead -= w->n_settled;
        w->n_settled = 0;
        return false;
    }
    if (w->saving || !w->dirty) {
        return w->saving;
    }
    w->dirty = false;
    w->n_saving = w->n_settled;
    w->n_settled = 0;
    if (wholly_read(w)) {
        w->base.cursor->finished_at_ms = wh_clock_now_ms(&w->base.env->clock);
    }
    if (fill_cursor(w, &err) != WH_OK || listing_save(&w->base, &err) != WH_OK) {
        listing_fail(&w->base, CLIENT_FAILED, err.msg);
        return false;
    }
    w->saving = true;
    return true;
}

void walk_settle(struct lane *lane)
{
    struct walk *w = lane->walk;

    while (lane->first && lane->first->waiting == 0) {
        struct page *p = lane->first;

        lane->first = p->next;
        if (lane->first == NULL) {
            lane->last = &lane->first;
        }
        w->n_settled++;
        lane->n_pages--;
        w->n_bytes -= p->bytes;
        if (p->failed) {
            listing_fail(&w->base, CLIENT_FAILED, NULL);
        } else if (!listing_failed(&w->base)) {
            if (p->after_ms > lane->saved_ms) {
                memcpy(lane->saved, p->after, sizeof(p->after));
                lane->saved_ms = p->after_ms;
            }
            w->base.cursor->rows += p->rows;
            /* Only now: a page that is not in Kafka must not look known later. */
            if (p->hash) {
                cursor_set_hash(w->base.cursor, p->index, p->hash);
            }
            w->dirty = true;
        }
        wh_mem_free(p);
    }
    (void)walk_save(w);
    walk_pump(w);
}
