/*
 * span.h - one part of a listing that is read by updated_at, ascending: what to ask for next, which
 * rows are new, and when it is over. Pure: no I/O.
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
#ifndef WH_FETCHER_SPAN_H
#define WH_FETCHER_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/time.h"
#include "stages/fetcher/state/cursors.h"

enum { SPAN_PAGE_ROWS = 100, SPAN_SEEN_MAX = 1 << 20 };

enum span_mode { SPAN_BOUND, SPAN_BLOCK_UP, SPAN_BLOCK_DOWN, SPAN_BLOCK_KEYSET };

/* Ids met at one time; past SPAN_SEEN_MAX ids are not kept, and their rows may come twice. */
struct span_seen {
    uint64_t *slots;
    size_t cap; /* a power of two, or 0 */
    size_t n;
    bool zero; /* the id 0 */
};

struct span {
    char after[CURSOR_AFTER_MAX]; /* as GitLab wrote it; empty: from the oldest row on */
    int64_t after_ms;
    int64_t before_ms; /* INT64_MAX: open */
    enum span_mode mode;
    unsigned page; /* to ask for next */
    bool listed;   /* nothing is left to ask for */
    bool passed;   /* the page under way showed a row at or past `before` */
    struct span_seen seen;
    char bound[CURSOR_AFTER_MAX]; /* `after` when the page under way was asked for */
    uint64_t rows;                /* taken so far */
    int64_t first_ms;             /* time of the first row taken */
    uint64_t block_rows;          /* in the pages of BLOCK_UP */
    int64_t block_total;          /* x-total of its first page; -1 */
};

/* What a page's answer said beside its rows. */
struct span_page {
    size_t rows;
    int64_t total;   /* x-total, -1 */
    bool more_known; /* GitLab says whether there is a next page */
    bool more;
};

void span_init(struct span *s, struct wh_slice after, int64_t after_ms, int64_t before_ms);
void span_done(struct span *s);
/* Appends "order_by=...&page=N" for the next page and notes that it is under way. */
WH_MUST_CHECK enum wh_rc span_query(struct span *s, struct wh_buf *out, struct wh_err *err);
/* One row of the page, in order: true when it is new. at NULL: it has no updated_at. */
bool span_take(struct span *s, uint64_t id, struct wh_slice updated_at,
               const struct wh_instant *at);
void span_page_end(struct span *s, const struct span_page *page);
/* GitLab refused the page: true when there is another way to ask. */
bool span_refused(struct span *s);
/* Where the span's second half could begin; 0 when it is too short to be split. end_ms: of an open
 * span. */
int64_t span_middle(const struct span *s, int64_t end_ms);

#endif
