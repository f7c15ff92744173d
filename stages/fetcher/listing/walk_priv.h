/*
 * walk.h - reading one listing of a project; shared by the walk_*.c files only.
 *
 *   walk ── lanes (one; or one for each span of a long listing, read side by side)
 *   lane ── one request under way, pages whose records wait for Kafka, oldest first
 *   page ── records, and follow-ups: reads that its rows ask for
 *
 * Lanes are in the order of their spans; the last one is open and is there to the end. A page
 * counts when all that came of it is acknowledged; a lane's cursor moves over its pages in order.
 */
#ifndef WH_FETCHER_WALK_H
#define WH_FETCHER_WALK_H

#include "stages/fetcher/conn/fetcher.h"
#include "stages/fetcher/gitlab/row.h"
#include "stages/fetcher/listing/span.h"
#include "stages/fetcher/gitlab/streams.h"

enum {
    WALK_LANES_MAX = 8,
    WALK_AHEAD_MAX = 16, /* pages that a kill would have read again, of one walk */
    WALK_FOLLOWED_AHEAD_MAX = 6,
    WALK_BYTES_MAX = 24 << 20,
    WALK_PATH_MAX = 2048,
    WALK_KEY_MAX = 160,
};

struct lane;

struct page {
    struct wh_bus_ack ack; /* first: records carry it */
    struct lane *lane;
    struct page *next;
    struct follow *follows; /* under way */
    size_t waiting;         /* records, follow-ups, and the parsing itself */
    size_t bytes;
    bool failed;
    char after[STATE_AFTER_MAX]; /* the span's, behind this page */
    int64_t after_ms;
    uint64_t rows;
    unsigned index; /* of the listing's pages */
    uint64_t hash;  /* of its content */
};

struct lane {
    struct lane *next;
    struct walk *walk;
    struct span span;
    char saved[STATE_AFTER_MAX]; /* acknowledged up to here; never moves back */
    int64_t saved_ms;
    struct page *first;
    struct page **last;
    size_t n_pages;                /* not acknowledged */
    bool asking;                   /* a request for a page is under way */
    bool waits;                    /* the open one, at the newest row while others still read */
    char next_path[WALK_PATH_MAX]; /* GitLab's own address of the next page; or empty */
    char path[WALK_PATH_MAX];      /* of the request under way */
};

struct walk {
    struct wh_bus_ack saved; /* first: the cursor's record carries it */
    struct walk *next;
    struct walk *prev;
    struct conn *conn;
    struct project *project;
    const struct stream *stream;
    unsigned stream_index;
    unsigned follow; /* enum stream_follow; what is read beside each row */
    struct cursor *cursor;
    char key[WALK_KEY_MAX];
    struct lane *lanes;
    unsigned n_lanes;
    unsigned splits;
    uint64_t known_pages; /* of the listing, at least */
    size_t n_ahead;       /* pages asked for that no acknowledged cursor is behind */
    size_t n_settled;     /* of them, acknowledged: the next cursor record is behind them */
    size_t n_saving;      /* of them, those that the cursor record under way is behind */
    size_t n_bytes;       /* of pages that are not acknowledged */
    unsigned page_index;  /* pages that came so far */
    bool failed;
    bool stopped; /* nothing more is asked for */
    enum client_outcome why;
    bool saving; /* a cursor record is not acknowledged */
    bool dirty;  /* the cursor moved since the last of them */
};

static inline struct stream_count *walk_count(struct walk *w)
{
    return &w->conn->counts[w->stream_index];
}

static inline struct wh_slice walk_project(const struct walk *w)
{
    return wh_slice_str(w->project ? w->project->id : "");
}

/* ---- walk.c ---- */

void walk_fail(struct walk *w, enum client_outcome why, const char *text);
/* Asks for what may be asked for; ends the walk when nothing is left: w may be gone after it. */
void walk_pump(struct walk *w);
/* A new lane behind `before` (NULL: the first). NULL: no memory. */
struct lane *walk_add_lane(struct walk *w, struct lane *before, struct wh_slice after,
                           int64_t after_ms, int64_t before_ms);
/* A full page came; total: rows of the open span by x-total, -1 when GitLab gives none. */
void walk_know_total(struct walk *w, int64_t total);

/* ---- walk_page.c ---- */

void page_ask(struct lane *lane);
/* One of the things that the page waits for is done; the walk may be gone after it. */
void page_done_one(struct page *p);
WH_MUST_CHECK enum wh_rc page_emit(struct page *p, const char *kind, struct wh_slice id,
                                   struct wh_slice path, struct wh_slice row, struct wh_err *err);

/* ---- walk_cursor.c ---- */

/* Takes the spans that an earlier run left. */
WH_MUST_CHECK enum wh_rc walk_restore(struct walk *w, struct wh_err *err);
/* Moves the lane's cursor over the pages that are read. */
void walk_settle(struct lane *lane);
/* Writes the cursor when it moved and no other record of it is under way; true when one is. */
bool walk_save(struct walk *w);

/* ---- walk_follow.c ---- */

/* What of the stream's follow-ups is wanted. */
unsigned follow_wanted(const struct conn *c, const struct stream *stream);
void follow_all(struct page *p, const struct row *row);
void follow_free_all(struct page *p);

#endif
