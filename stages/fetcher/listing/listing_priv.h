/*
 * listing_priv.h - what both implementations of a listing share. Each begins with a struct listing.
 */
#ifndef WH_FETCHER_LISTING_PRIV_H
#define WH_FETCHER_LISTING_PRIV_H

#include "stages/fetcher/gitlab/streams.h"
#include "stages/fetcher/listing/listing.h"

struct listing_kind {
    size_t size; /* of the struct that begins with a struct listing */
    /* Sends the first request. The listing may have ended and be freed when it returns WH_OK. */
    enum wh_rc (*begin)(struct listing *l, struct wh_err *err);
    /* Sends what may go out, or ends the listing. */
    void (*pump)(struct listing *l);
    /* Frees all but the struct itself. */
    void (*done)(struct listing *l);
};

extern const struct listing_kind listing_by_rest;
extern const struct listing_kind listing_by_tool;

struct listing {
    struct wh_bus_ack saved; /* first: the cursor's record carries it */
    struct listing *next;
    struct listing *prev;
    struct listings *all;
    const struct listing_kind *kind;
    const struct listing_env *env;
    struct listing_task task;
    const struct stream *stream;
    struct cursor *cursor;
    char key[CURSOR_KEY_MAX]; /* the cursor's */
    /* As if it ended now: LISTING_ENDED until listing_fail or listings_stop_foreign. */
    struct listing_result result;
};

static inline bool listing_failed(const struct listing *l)
{
    return l->result.outcome == LISTING_CANNOT_GO_ON;
}

static inline struct wh_slice listing_project(const struct listing *l)
{
    return wh_slice_str(l->task.project ? l->task.project->id : "");
}

/* The first failure counts. text NULL: what it is has been logged or counted. */
void listing_fail(struct listing *l, enum client_outcome why, const char *text);
/* The body begins like a JSON text of that type: '[' or '{'. */
bool listing_json_begins(struct wh_slice body, char first);
/* n rows could not be read completely, because of what `why` says; the listing goes on. */
void listing_unread(struct listing *l, size_t n, const char *why);
/* Frees the listing and reports its result. */
void listing_end(struct listing *l);
/* Whether any row of that stream has been read in the listing's project. */
bool listing_has_read(const struct listing *l, unsigned stream);
/* Publishes one row. ack is completed as by outbox_row. */
WH_MUST_CHECK enum wh_rc listing_publish(struct listing *l, const struct outbox_row *part,
                                         struct wh_bus_ack *ack, struct wh_err *err);
/* Writes the cursor; l->saved is completed when it is acknowledged. */
WH_MUST_CHECK enum wh_rc listing_save(struct listing *l, struct wh_err *err);

#endif
