#include "stages/fetcher/listing/span.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/enc.h"
#include "common/base/mem.h"

enum { SEEN_FIRST = 64, SPLIT_MIN_MS = 2000, HASH_SHIFT = 29 };

/* ---- ids ---- */

static size_t slot_of(const struct listing_seen *seen, uint64_t id)
{
    uint64_t h = id * 0x9e3779b97f4a7c15ull;
    size_t i = (size_t)(h ^ h >> HASH_SHIFT) & (seen->cap - 1);

    while (seen->slots[i] != 0 && seen->slots[i] != id) {
        i = (i + 1) & (seen->cap - 1);
    }
    return i;
}

static bool seen_has(const struct listing_seen *seen, uint64_t id)
{
    if (id == 0) {
        return seen->zero;
    }
    return seen->n > 0 && seen->slots[slot_of(seen, id)] == id;
}

static bool seen_grow(struct listing_seen *seen)
{
    struct listing_seen bigger = {.cap = seen->cap ? seen->cap * 2 : SEEN_FIRST,
                                  .zero = seen->zero};

    bigger.slots = wh_mem_zalloc(bigger.cap, sizeof(*bigger.slots));
    if (bigger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < seen->cap; i++) {
        if (seen->slots[i]) {
            bigger.slots[slot_of(&bigger, seen->slots[i])] = seen->slots[i];
            bigger.n++;
        }
    }
    wh_mem_free(seen->slots);
    *seen = bigger;
    return true;
}

static void seen_add(struct listing_seen *seen, uint64_t id)
{
    if (id == 0) {
        seen->zero = true;
        return;
    }
    if (seen->n >= LISTING_SPAN_SEEN_MAX || (2 * (seen->n + 1) > seen->cap && !seen_grow(seen))) {
        return;
    }
    seen->slots[slot_of(seen, id)] = id;
    seen->n++;
}

static void seen_clear(struct listing_seen *seen)
{
    if (seen->n) {
        memset(seen->slots, 0, seen->cap * sizeof(*seen->slots));
    }
    seen->n = 0;
    seen->zero = false;
}

/* ---- life ---- */

static void move_bound(struct listing_span *s, struct wh_slice after, int64_t ms)
{
    size_t n = after.len < sizeof(s->after) ? after.len : 0;

    if (n) {
        memcpy(s->after, after.ptr, n);
    }
    s->after[n] = '\0';
    s->after_ms = ms;
    seen_clear(&s->seen);
}

void listing_span_init(struct listing_span *s, struct wh_slice after, int64_t after_ms,
                       int64_t before_ms)
{
    *s = (struct listing_span){.before_ms = before_ms, .page = 1, .block_total = -1};
    move_bound(s, after, after_ms);
}

void listing_span_done(struct listing_span *s)
{
    wh_mem_free(s->seen.slots);
    s->seen = (struct listing_seen){0};
}

/* ---- the request ---- */

static enum wh_rc put_time(struct wh_buf *out, const char *name, const char *text,
                           struct wh_err *err)
{
    if (wh_buf_append(out, wh_slice_str(name), err) != WH_OK) {
        return err->rc;
    }
    return wh_percent_encode(wh_slice_str(text), out, err);
}

/* GitLab shows times without microseconds: one more millisecond includes all of them. */
static enum wh_rc block_query(const struct listing_span *s, struct wh_buf *out, struct wh_err *err)
{
    char from[WH_TIME_TEXT_MAX];
    char to[WH_TIME_TEXT_MAX];

    if (put_time(out, "&updated_after=", wh_time_format(s->after_ms, from), err) != WH_OK) {
        return err->rc;
    }
    return put_time(out, "&updated_before=", wh_time_format(s->after_ms + 1, to), err);
}

static enum wh_rc bound_query(const struct listing_span *s, bool paired, struct wh_buf *out,
                              struct wh_err *err)
{
    const char *after = s->after[0] || !paired ? s->after : "1970-01-01T00:00:00.000Z";
    char to[WH_TIME_TEXT_MAX];

    if (after[0] && put_time(out, "&updated_after=", after, err) != WH_OK) {
        return err->rc;
    }
    if (s->before_ms != INT64_MAX) {
        return put_time(out, "&updated_before=", wh_time_format(s->before_ms, to), err);
    }
    return WH_OK;
}

enum wh_rc listing_span_query(struct listing_span *s, bool paired, struct wh_buf *out,
                              struct wh_err *err)
{
    memcpy(s->bound, s->after, sizeof(s->bound));
    s->passed = false;
    if (wh_buf_append(out, WH_LIT("order_by=updated_at&sort=asc"), err) != WH_OK ||
        (s->mode == LISTING_SPAN_BOUND ? bound_query(s, paired, out, err)
                                       : block_query(s, out, err)) != WH_OK) {
        return err->rc;
    }
    if (s->mode == LISTING_SPAN_BLOCK_KEYSET) {
        return wh_buf_printf(out, err, "&pagination=keyset&per_page=%d", PAGING_ROWS);
    }
    return wh_buf_printf(out, err, "&per_page=%d&page=%u", PAGING_ROWS, s->page);
}

/* ---- rows ---- */

bool listing_span_take(struct listing_span *s, uint64_t id, struct wh_slice updated_at,
                       const struct wh_instant *at)
{
    if (at == NULL) {
        s->rows++;
        return true;
    }
    if (at->ms >= s->before_ms) {
        s->passed = true;
        return false;
    }
    if (s->mode != LISTING_SPAN_BOUND && at->ms != s->after_ms) {
        return false;
    }
    if (s->after[0] == '\0' || at->ms != s->after_ms) {
        move_bound(s, updated_at, at->ms);
    } else if (seen_has(&s->seen, id)) {
        return false;
    }
    seen_add(&s->seen, id);
    s->first_ms = s->rows++ ? s->first_ms : at->ms;
    return true;
}

/* ---- the next page ---- */

static void block_begin(struct listing_span *s, enum listing_span_mode mode)
{
    s->mode = mode;
    s->page = 1;
    s->block_rows = 0;
    s->block_total = -1;
}

static void block_end(struct listing_span *s)
{
    char next[WH_TIME_TEXT_MAX];
    int64_t ms = s->after_ms + 1;

    move_bound(s, wh_slice_str(wh_time_format(ms, next)), ms);
    s->mode = LISTING_SPAN_BOUND;
    s->page = 1;
    s->listed = ms >= s->before_ms;
}

static void bound_page_end(struct listing_span *s, const struct listing_span_page *page)
{
    if (s->passed || !page->more) {
        s->listed = true;
    } else if (strcmp(s->bound, s->after) != 0) {
        s->page = 1;
    } else if (s->after[0] == '\0') {
        s->page++; /* rows without a time */
    } else {
        block_begin(s, LISTING_SPAN_BLOCK_UP);
    }
}

static void block_up_page_end(struct listing_span *s, const struct listing_span_page *page)
{
    s->block_rows += page->rows;
    if (s->page == 1) {
        s->block_total = page->total;
    }
    if (page->more) {
        s->page++;
    } else if (s->page == 1 || (s->block_total >= 0 && s->block_rows == (uint64_t)s->block_total)) {
        block_end(s);
    } else {
        s->mode = LISTING_SPAN_BLOCK_DOWN;
        s->page--;
    }
}

void listing_span_page_end(struct listing_span *s, const struct listing_span_page *page)
{
    switch (s->mode) {
    case LISTING_SPAN_BOUND:
        bound_page_end(s, page);
        break;
    case LISTING_SPAN_BLOCK_UP:
        block_up_page_end(s, page);
        break;
    case LISTING_SPAN_BLOCK_DOWN:
        if (s->page > 1) {
            s->page--;
        } else {
            block_end(s);
        }
        break;
    case LISTING_SPAN_BLOCK_KEYSET:
    default:
        /* The caller follows the links as long as there are any. */
        if (!page->more) {
            block_end(s);
        }
        break;
    }
}

bool listing_span_refused(struct listing_span *s)
{
    if (s->mode != LISTING_SPAN_BLOCK_UP || s->page == 1) {
        return false;
    }
    block_begin(s, LISTING_SPAN_BLOCK_KEYSET);
    return true;
}

int64_t listing_span_middle(const struct listing_span *s, int64_t end_ms)
{
    int64_t end = s->before_ms != INT64_MAX ? s->before_ms : end_ms;

    if (s->after[0] == '\0' || s->mode != LISTING_SPAN_BOUND || end - s->after_ms < SPLIT_MIN_MS) {
        return 0;
    }
    return s->after_ms + (end - s->after_ms) / 2;
}
