/*
 * rest_priv.h - reading one listing by REST; for the rest*.c files.
 *
 *   listing ── lanes: one, or one for each span of a long listing, which are read in parallel
 *   lane    ── one request in flight; pages whose records wait for Kafka, oldest first
 *   page    ── its records and follow-ups
 *
 * Lanes are ordered like their spans. The last lane is open-ended and exists until the end. A page
 * counts as read when all of its records are acknowledged, and a lane's cursor moves over its pages
 * in order.
 */
#ifndef WH_FETCHER_LISTING_REST_PRIV_H
#define WH_FETCHER_LISTING_REST_PRIV_H

#include "stages/fetcher/listing/listing_priv.h"
#include "stages/fetcher/listing/span.h"

enum {
    WALK_LANES_MAX = 8,
    WALK_AHEAD_MAX = 16, /* pages of one listing that would be read again after a kill */
    WALK_FOLLOWED_AHEAD_MAX = 6,
    WALK_BYTES_MAX = 24 << 20,
    WALK_PATH_MAX = 2048,
};

struct lane;

struct page {
    struct wh_bus_ack ack; /* first: records carry it */
    struct lane *lane;
    struct page *next;
    struct follow *follows; /* in flight */
    size_t waiting;         /* for records and follow-ups, and for the parsing itself */
    size_t bytes;
    bool failed;
    char after[CURSOR_AFTER_MAX]; /* position of the span after this page */
    int64_t after_ms;
    uint64_t rows;
    unsigned index; /* of the listing's pages */
    uint64_t hash;  /* of its content */
};

struct lane {
    struct lane *next;
    struct walk *walk;
    struct span span;
    char saved[CURSOR_AFTER_MAX]; /* acknowledged up to this position; never moves back */
    int64_t saved_ms;
    struct page *first;
    struct page **last;
    size_t n_pages; /* not acknowledged */
    bool asking;    /* a page request is in flight */
    bool waits;     /* the open lane has reached the newest row while others still read */
    char next_path[WALK_PATH_MAX]; /* GitLab's own address of the next page; or empty */
    char path[WALK_PATH_MAX];      /* of the request under way */
};

struct walk {
    struct listing base;
    unsigned follow; /* enum stream_follow: the follow-ups of each row */
    struct lane *lanes;
    unsigned n_lanes;
    unsigned splits;
    uint64_t known_pages; /* a lower bound of the listing's pages */
    size_t n_ahead;       /* requested pages that no acknowledged cursor covers */
    size_t n_settled;     /* of them, those that the next cursor record will cover */
    size_t n_saving;      /* of them, those that the cursor record in flight covers */
    size_t n_bytes;       /* in pages that are not acknowledged */
    unsigned page_index;  /* pages received so far */
    bool saving;          /* a cursor record is not acknowledged */
    bool dirty;           /* the cursor has moved since the last cursor record */
};

/* ---- rest.c ---- */

/* Sends the requests that may go out, and ends the listing when nothing is left. The listing may be freed
 * when this returns. */
void walk_pump(struct walk *w);
/* A new lane after `before` (NULL: as the first). NULL: no memory. */
struct lane *walk_add_lane(struct walk *w, struct lane *before, struct wh_slice after,
                           int64_t after_ms, int64_t before_ms);
/* Takes a full page into account. total: rows of the open span by x-total, -1 when it is not known. */
void walk_know_total(struct walk *w, int64_t total);

/* ---- rest_page.c ---- */

void page_ask(struct lane *lane);
/* One of the page's records or follow-ups is done. The listing may be freed when this returns. */
void page_done_one(struct page *p);
WH_MUST_CHECK enum wh_rc page_emit(struct page *p, const char *kind, struct wh_slice id,
                                   struct wh_slice path, struct wh_slice row, struct wh_err *err);

/* ---- rest_cursor.c ---- */

/* Restores the spans that an earlier run has left unread. */
WH_MUST_CHECK enum wh_rc walk_restore(struct walk *w, struct wh_err *err);
/* Moves the lane's cursor over its acknowledged pages. */
void walk_settle(struct lane *lane);
/* Writes the cursor when it has moved and no record of it is in flight. True while one is in flight. */
bool walk_save(struct walk *w);

/* ---- rest_follow.c ---- */

/* The follow-ups of the stream that the configuration asks for. */
unsigned follow_wanted(const struct listing *l);
void follow_all(struct page *p, const struct row *row);
void follow_free_all(struct page *p);

#endif
