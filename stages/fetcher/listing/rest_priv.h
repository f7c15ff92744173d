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

#include "stages/fetcher/gitlab/paging.h"
#include "stages/fetcher/listing/listing_priv.h"
#include "stages/fetcher/listing/overlap.h"
#include "stages/fetcher/listing/span.h"

enum {
    LISTING_LANES_MAX = 8,
    LISTING_LANES_READ_MAX = 14, /* with those whose rows GitLab could not list */
    LISTING_AHEAD_MAX = 16,      /* pages of one listing that would be read again after a kill */
    LISTING_FOLLOWED_AHEAD_MAX = 6,
    LISTING_BYTES_MAX = 24 << 20,
};

struct listing_lane;

struct listing_page {
    struct wh_bus_ack ack; /* first: records carry it */
    struct listing_lane *lane;
    struct listing_page *next;
    struct listing_follow *follows;   /* in flight */
    struct listing_overlap_row *read; /* rows without a follow-up that failed; or NULL */
    size_t n_read;
    struct listing_open *open; /* of a page of pipelines that are not final; or NULL */
    /* The row whose follow-ups are being requested: its hash, or 0; its part of `open`, or NULL. */
    uint64_t row;
    struct listing_open_row *opened;
    /* number of records and follow-ups that are not done, plus one during parsing */
    size_t waiting;
    size_t bytes;
    bool failed;
    char after[CURSOR_AFTER_MAX]; /* position of the lane's span after this page */
    int64_t after_ms;
    uint64_t rows;
    unsigned index; /* number of the page within the listing, from 0 */
    uint64_t hash;  /* of its content */
};

/* What is read of a page: all of it, or one of its parts. Borrowed. */
struct listing_part {
    struct listing_part *next;
    const char *path; /* that was requested */
    struct wh_slice body;
};

struct listing_lane {
    struct listing_lane *next;
    struct listing_rest *rest;
    struct listing_span span;
    char saved[CURSOR_AFTER_MAX]; /* acknowledged up to this position; never moves back */
    int64_t saved_ms;
    int64_t notes_since_ms; /* notes that have not changed since then are known; 0: none */
    struct listing_page *first;
    struct listing_page **last;
    size_t n_pages; /* not acknowledged */
    bool asking;    /* a page request is in flight */
    bool unread;    /* rows from span.bound on could not be listed; it is not owed yet */
    bool owed;      /* the span is read without such rows: the next listing reads it again */
    bool waits;     /* the open lane has reached the newest row while others still read */
    char next_path[PAGING_PATH_MAX]; /* GitLab's own address of the next page; or empty */
    char path[PAGING_PATH_MAX];      /* of the request under way */
    struct listing_split *split;     /* of the page under way; or NULL */
};

struct listing_rest {
    struct listing base;
    unsigned follow; /* enum stream_follow: the follow-ups of each row */
    struct listing_overlap overlap;
    bool takes_all; /* rows that the cursor knows, too */
    struct listing_lane *lanes;
    unsigned n_lanes;
    unsigned n_owed; /* of them */
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

/* Sends the requests that may go out, and ends the listing when nothing is left. The listing may be
 * freed when this returns. */
void listing_rest_pump(struct listing_rest *r);
/* Adds a lane after `before`, or as the first one when that is NULL. Returns NULL without
 * memory. */
struct listing_lane *listing_lane_add(struct listing_rest *r, struct listing_lane *before,
                                      struct wh_slice after, int64_t after_ms, int64_t before_ms);
/* After a page with rows that could not be listed: divides the lane when the page has moved it, so
 * that it reads on while the cursor keeps the span of the page as not read. */
void listing_lane_owe(struct listing_lane *lane);
/* The row with that time is not read completely: the cursor keeps the time of the row as not read. */
void listing_rest_owe(struct listing_rest *r, const char *after, int64_t after_ms);
/* Returns the open lane when all others are owed; otherwise NULL. */
struct listing_lane *listing_last_lane(const struct listing_rest *r);
/* Updates the number of pages after a full one. total: rows of the open span by x-total; -1 when it
 * is not known. */
void listing_rest_total(struct listing_rest *r, int64_t total);

/* ---- rest_page.c ---- */

void listing_page_ask(struct listing_lane *lane);
/* A follow-up of the row with that hash failed: the next listing takes the row again. */
void listing_page_forget(struct listing_page *p, uint64_t row);
void listing_page_free(struct listing_page *p);
/* One of the page's records or follow-ups is done. The listing may be freed when this returns. */
void listing_page_done_one(struct listing_page *p);
WH_MUST_CHECK enum wh_rc listing_page_publish(struct listing_page *p, const char *kind,
                                              struct wh_slice id, struct wh_slice path,
                                              struct wh_slice row, struct wh_err *err);

/* Publishes the rows of a page and notes where the lane goes on. unread: rows of the page that could
 * not be listed. */
void listing_page_take(struct listing_lane *lane, const struct client_answer *a,
                       const struct listing_part *parts, size_t unread);

/* ---- rest_split.c ---- */

/* GitLab could not serve the page: it answered 5xx again and again, or something that is no list. */
bool listing_split_needed(const struct client_answer *a);
/* Reads the page under way in parts, and takes it then; the lane counts as asking until that is
 * done. Returns false when the page cannot be divided. The listing may be freed when this returns
 * true. */
bool listing_split_start(struct listing_lane *lane, const char *error);
void listing_split_free(struct listing_lane *lane);

/* ---- rest_cursor.c ---- */

/* Restores the spans that an earlier run has left unread. */
WH_MUST_CHECK enum wh_rc listing_rest_restore(struct listing_rest *r, struct wh_err *err);
/* Moves the lane's cursor over its acknowledged pages. The listing may be freed when this
 * returns. */
void listing_lane_settle(struct listing_lane *lane);
/* Notes in the cursor when the listing has been read completely, also when it has no rows. */
void listing_rest_finish(struct listing_rest *r);
/* Writes the cursor when it has moved and no record of it is in flight. Returns true while one is
 * in flight. */
bool listing_rest_save(struct listing_rest *r);

/* ---- rest_open.c ---- */

/* Takes the row of a pipeline that is not final, with its hash. Returns true when it has not changed:
 * listing_open_check finds out whether it must be followed up. */
bool listing_open_take(struct listing_page *p, const struct gitlab_row *row, uint64_t hash);
/* Checks the jobs of the page's unchanged rows, after all of them. */
void listing_open_check(struct listing_page *p);
/* A job of the row was published; all of them were; a follow-up of the row failed. */
void listing_open_job(struct listing_open_row *row, int64_t id, struct wh_json_val value);
void listing_open_read(struct listing_open_row *row);
void listing_open_failed(struct listing_open_row *row);
/* Remembers the page's pipelines once all of its records are acknowledged. */
void listing_open_keep(const struct listing_page *p);

/* ---- rest_follow.c ---- */

/* Returns the stream's follow-ups (enum stream_follow), without those that are switched off. */
unsigned listing_follow_wanted(const struct listing *l);
void listing_follow_all(struct listing_page *p, const struct gitlab_row *row,
                        struct wh_json_val value);
void listing_follow_free_all(struct listing_page *p);

#endif
