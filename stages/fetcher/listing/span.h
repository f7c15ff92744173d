/*
 * span.h - one part of a listing that is read by updated_at, ascending: what to request next, which
 * rows are new, and when the part is read. Pure: no I/O.
 *
 * A span covers [after, before); the last one of a listing is open and reads to the newest row.
 * Both bounds are inclusive at GitLab, which also keeps microseconds and shows milliseconds; so a
 * span drops rows at or past `before`, and its neighbour, whose `after` is the same instant, has
 * them.
 *
 *   BOUND        page 1 from the time of the last row on. A row that is changed meanwhile moves to
 *                the newest end, where the open span meets it again; no page number exists that it
 *                could shift another row across.
 *   BLOCK_UP     a whole page has one time: read that millisecond alone, by page number. Rows that
 *                leave it shift others left, across page borders that are read already, so the sum
 *                of the pages is compared with x-total of the first one.
 *   BLOCK_DOWN   they differ, or there is no total (past 10,000 rows): read it once more from the
 *                last page to the first, which meets every row that only shifts left.
 *   BLOCK_KEYSET GitLab refused the offset (past 50,000 rows, where keyset paging exists): read it
 *                by keyset.
 */
#ifndef WH_FETCHER_LISTING_SPAN_H
#define WH_FETCHER_LISTING_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/time.h"
#include "stages/fetcher/gitlab/paging.h"
#include "stages/fetcher/state/cursors.h"

enum { LISTING_SPAN_SEEN_MAX = 1 << 20 };

enum listing_span_mode {
    LISTING_SPAN_BOUND,
    LISTING_SPAN_BLOCK_UP,
    LISTING_SPAN_BLOCK_DOWN,
    LISTING_SPAN_BLOCK_KEYSET
};

/* The ids of the rows with one updated_at. Beyond LISTING_SPAN_SEEN_MAX ids are not kept, and their
 * rows may be published twice. */
struct listing_seen {
    uint64_t *slots;
    size_t cap; /* a power of two, or 0 */
    size_t n;
    bool zero; /* the id 0 */
};

struct listing_span {
    char after[CURSOR_AFTER_MAX]; /* as GitLab wrote it; empty: from the oldest row on */
    int64_t after_ms;
    int64_t before_ms; /* INT64_MAX: open */
    enum listing_span_mode mode;
    unsigned page; /* the next page to request */
    bool listed;   /* nothing is left to request */
    bool passed;   /* the page under way showed a row at or past `before` */
    struct listing_seen seen;
    char bound[CURSOR_AFTER_MAX]; /* `after` when the page under way was requested */
    uint64_t rows;                /* taken so far */
    int64_t first_ms;             /* time of the first row taken */
    uint64_t block_rows;          /* in the pages of BLOCK_UP */
    int64_t block_total;          /* x-total of its first page; -1 */
};

/* What the answer of a page says besides its rows. */
struct listing_span_page {
    size_t rows;
    int64_t total; /* x-total; -1: not known */
    bool more;
};

void listing_span_init(struct listing_span *s, struct wh_slice after, int64_t after_ms,
                       int64_t before_ms);
void listing_span_done(struct listing_span *s);
/* Appends the query of the next page ("order_by=...&page=N"), which is then under way. paired: the
 * filter updated_after is always part of it (STREAM_PAIRED). */
WH_MUST_CHECK enum wh_rc listing_span_query(struct listing_span *s, bool paired, struct wh_buf *out,
                                            struct wh_err *err);
/* Takes one row of the page, in order. Returns true when the row is new. at NULL: it has no
 * updated_at. */
bool listing_span_take(struct listing_span *s, uint64_t id, struct wh_slice updated_at,
                       const struct wh_instant *at);
void listing_span_page_end(struct listing_span *s, const struct listing_span_page *page);
/* GitLab refused the page. Returns true when there is another way to request it. */
bool listing_span_refused(struct listing_span *s);
/* Returns where the second half of the span could begin (ms); 0 when the span is too short to be
 * split. end_ms: the end of an open span. */
int64_t listing_span_middle(const struct listing_span *s, int64_t end_ms);

#endif
