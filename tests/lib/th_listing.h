/*
 * th_listing.h - a model of GitLab's listings by updated_at: rows that are changed, added and
 * deleted between any two requests, offset pages with and without totals, a refused offset, keyset.
 */
#ifndef TH_LISTING_H
#define TH_LISTING_H

#include "tests/lib/httpc_script.h"

struct th_row {
    uint64_t id;
    int64_t us; /* updated_at, in microseconds as the database keeps it */
};

enum { TH_LISTING_BAD_MAX = 16 };

struct th_listing {
    struct th_row *rows; /* by time, then id */
    size_t n;
    size_t cap;
    uint64_t next_id;
    int64_t now_us;                   /* later than every row */
    size_t total_max;                 /* no x-total above */
    size_t offset_max;                /* page * per_page above is refused; 0: never */
    bool no_headers;                  /* a proxy removes what GitLab says about pages */
    uint64_t bad[TH_LISTING_BAD_MAX]; /* ids: a page that holds one of them is not served */
    size_t n_bad;
    bool down;           /* no page is served */
    bool html;           /* it is a page for people then, else a 500 */
    size_t requests;     /* answered with rows */
    size_t unserved;     /* pages that were not served */
    size_t refusals;     /* answered with 405 */
    size_t keyset_pages; /* of them by keyset */
};

void th_listing_done(struct th_listing *l);
/* Times must not go back. */
void th_listing_add(struct th_listing *l, int64_t us);
/* The row at index gets the time now, or goes away. */
void th_listing_touch(struct th_listing *l, size_t index);
void th_listing_delete(struct th_listing *l, size_t index);
/* True when no page that holds the row is served. */
bool th_listing_is_bad(const struct th_listing *l, uint64_t id);
/* Answers "...?query" with a page of rows. */
void th_listing_answer(struct th_listing *l, struct wh_slice url, struct th_script_answer *a);

#endif
