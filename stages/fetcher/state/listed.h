/*
 * listed.h - the ids of the objects that a complete listing of a stream contained: those of members,
 * milestones, environments and releases, which have no numbers without gaps (numbers.h) and are listed
 * from the first to the last in every run. What the next complete listing does not contain is missing.
 *
 * An id is the text that identifies the object within its stream, without spaces, such as a release's tag;
 * what follows a space belongs to it, but is not compared. fetch-state keeps them as a document under
 * "<connection>:<project>:<stream>:listed". Above LISTED_MAX_BYTES nothing is kept: what is missing is
 * then not noticed.
 *
 * Pure data: no clock, no I/O. Thread: app.
 */
#ifndef WH_FETCHER_LISTED_H
#define WH_FETCHER_LISTED_H

#include "common/base/buf.h"
#include "common/event/topics.h"
#include "common/json/json_doc.h"
#include "stages/fetcher/gitlab/streams.h"

enum { LISTED_MAX_BYTES = 512 << 10, LISTED_ID_MAX = 160, LISTED_KEY_MAX = 160 };

struct listed {
    struct listed *next; /* in the same bucket */
    char connection[WH_CONNECTION_ID_MAX];
    char project[24];
    unsigned stream;     /* an index of streams.h */
    struct wh_buf known; /* ids in order, each followed by a zero byte */
    struct wh_buf seen;  /* by the listing under way, as they come */
    size_t n;            /* ids in known */
    bool overflow;       /* the listing under way has more than is kept */
    bool dirty;          /* known has changed since it was written */
};

struct listed_table;

/* NULL: no memory. */
struct listed_table *listed_table_new(void);
void listed_table_free(struct listed_table *t);
/* NULL when there is none; with make, without memory. */
struct listed *listed_of(struct listed_table *t, const char *connection, const char *project,
                         unsigned stream, bool make);
/* Removes those of a connection, to which no pointer may be left. */
void listed_forget(struct listed_table *t, const char *connection);

/* A listing begins. */
void listed_begin(struct listed *l);
/* The listing contains the id, which is not longer than LISTED_ID_MAX - 1. */
void listed_see(struct listed *l, const char *id);
/* The listing has ended, and it was complete. Calls missing for each known id that it did not contain;
 * the id stays known while missing returns true. Errors: WH_E_NOMEM; then nothing has changed. */
typedef bool (*listed_missing_fn)(void *ctx, const char *id);
WH_MUST_CHECK enum wh_rc listed_end(struct listed *l, listed_missing_fn missing, void *ctx,
                                    struct wh_err *err);

/* Writes the key and the document, which then counts as saved. */
WH_MUST_CHECK enum wh_rc listed_write(struct listed *l, char key[LISTED_KEY_MAX],
                                      struct wh_buf *json, struct wh_err *err);
/* Takes a record of fetch-state, which may be damaged, if it is such a document; false: it is none. */
bool listed_take(struct listed_table *t, struct wh_json_parser *parser, struct wh_slice key,
                 struct wh_slice json);

#endif
