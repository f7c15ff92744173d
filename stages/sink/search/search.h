/*
 * search.h - full-text search over the entity store: an index in an SQLite file of its own (FTS5) that follows the
 * log of changes.
 *
 * The index is derived: everything in it comes from the store, and it can be deleted at any time. It holds, for each
 * entity with a text, its title, its text and its other names, and the former titles and texts that a revision
 * still has. Each write to the index and the sequence number up to which it follows the log are one transaction,
 * so after a crash it continues where it was. A file that is missing, damaged, of another version or of
 * another store is built anew beside the old one, which answers meanwhile; a purge has the same effect, so that nothing
 * of what was purged is left in the file.
 *
 *   <folder>/search-<n>.sqlite     the index in use: the highest n
 *   <folder>/search-<n>.building   the next one
 *
 * Bounds: SEARCH_TITLE_BYTES, SEARCH_TEXT_BYTES and SEARCH_NAMES_BYTES of a record are indexed, and the newest
 * SEARCH_FORMER_MAX of its former texts. A query reads the SEARCH_COUNT_MAX newest records that match, and
 * ranks the SEARCH_RANK_MAX newest of the kinds that were asked for.
 *
 * Thread: search_new and search_free are called by one thread, when no other function runs; all others may be called
 * from any thread. The index has a thread of its own, of low priority, and never delays the writer of the store.
 */
#ifndef WH_SINK_SEARCH_H
#define WH_SINK_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/time.h"
#include "common/event/history.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/store/store.h"

enum {
    SEARCH_TITLE_BYTES = 1024,
    SEARCH_TEXT_BYTES = 64 << 10,
    SEARCH_NAMES_BYTES = 4 << 10,
    SEARCH_FORMER_MAX = 100,
    SEARCH_INPUT_BYTES = 1024, /* of what is typed; the rest is ignored */
    SEARCH_COUNT_MAX = 20000,
    SEARCH_RANK_MAX = 3000,
    SEARCH_HITS_MAX = 100,
    SEARCH_WHATS_MAX = 32,
};

struct search;

struct search_conf {
    struct wh_store *store; /* kept */
    struct wh_clock clock;
    struct wh_log *log;
    const char *folder;         /* kept; exists */
    struct wh_metrics *metrics; /* NULL: none */
};

/* Starts the index's thread, which opens the index or builds it. WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc search_new(const struct search_conf *conf, struct search **ret,
                                    struct wh_err *err);
/* Ends the transaction at hand and closes the files. Accepts NULL. */
void search_free(struct search *s);

/* ---- queries ---- */

/* The word for what a record is: "issue", "incident", "merge_request", "work_item" for others of that kind, "comment",
 * "pipeline", "account", or the name of its kind. NULL: there is no such number. */
const char *search_what_name(unsigned what);
/* The bits of the words that a name stands for: one of the above, a kind's name or a table's ("issues",
 * "work_items"). 0: there is no such name. */
uint64_t search_what_mask(struct wh_slice name);

/* Behind which hit a page begins; zeroed: the first page. */
struct search_place {
    bool set;
    double score;
    int64_t row;
};

struct search_query {
    struct wh_slice text;
    uint64_t whats;    /* which kinds of records; 0: all */
    bool confidential; /* the reader may see confidential records */
    size_t size;       /* hits of a page, at most SEARCH_HITS_MAX */
    struct search_place after;
    bool (*over)(void *ctx); /* true ends the query with WH_E_CANCELED; NULL: never */
    void *ctx;
};

/* A match is between these two characters, which no indexed text contains. */
enum { SEARCH_MARK_BEGIN = '\x02', SEARCH_MARK_END = '\x03' };

struct search_hit {
    enum wh_kind kind;
    struct wh_entity_id id;
    unsigned what;
    bool former;               /* the text stands in an older revision alone */
    struct wh_version version; /* of the revision that set that text; of a former text */
    const char *field;         /* "title", "text" or "names": the first that matches */
    struct wh_slice title;     /* as indexed, with marks */
    struct wh_slice snippet;   /* of the text or the names, with marks; or empty */
    struct search_place place;
};

/* How the words were put together so that something was found. */
enum search_mode { SEARCH_AS_TYPED, SEARCH_ALL_WORDS, SEARCH_ANY_WORD };

struct search_answer {
    struct search_hit *hits;
    size_t n_hits;
    bool more;
    enum search_mode mode;
    bool no_words; /* what was typed has no letters and digits */
    size_t total;
    bool partial;                   /* more records match than were counted */
    size_t whats[SEARCH_WHATS_MAX]; /* records of each kind, whichever were asked for */
};

/*
 * What a person typed: words, "phrases", word* for the beginning of one; the last word may be unfinished. Never an error
 * of syntax. Texts live in the arena. WH_E_UNAVAILABLE: the first index is still being built.
 */
WH_MUST_CHECK enum wh_rc search_run(struct search *s, const struct search_query *query,
                                    struct wh_arena *arena, struct search_answer *ret,
                                    struct wh_err *err);

/* ---- references ---- */

struct past;
struct past_found;

/*
 * The records that the text names exactly: an address with whatever is behind it, group/project!12, #45, the id of
 * a record, or a commit or the first 7 digits of one. At most max, the best first; read from the store, so
 * they need no index. What is confidential is among them.
 */
WH_MUST_CHECK enum wh_rc search_references(struct past *past, struct wh_store *store,
                                           const struct wh_snapshot *snap, struct wh_slice typed,
                                           struct past_found *out, size_t max, size_t *ret_n,
                                           struct wh_err *err);
/* The word of a record, and whether only those who may see confidential records may see it. */
WH_MUST_CHECK enum wh_rc search_look(struct past *past, const struct wh_head *head,
                                     struct wh_arena *arena, unsigned *ret_what,
                                     bool *ret_confidential, struct wh_err *err);

/* The number of a revision in the history of its entity, from 1 on; 0: there are too many to count. */
WH_MUST_CHECK enum wh_rc search_revision_number(struct wh_store *store,
                                                const struct wh_snapshot *snap, enum wh_kind kind,
                                                const struct wh_entity_id *id,
                                                struct wh_version version, int64_t *ret,
                                                struct wh_err *err);

/* ---- status ---- */

struct search_status {
    bool ready;    /* there is an index that answers */
    bool building; /* a new one is being built */
    uint64_t sequence;
    uint64_t behind;  /* changes of the store that are not in the index yet */
    int64_t lag_ms;   /* age of the oldest of them; 0: none */
    uint64_t records; /* rows of the index, former texts included; while it is built, so far */
    uint64_t read;    /* entities that the build has read; 0: nothing is built */
    int64_t bytes;    /* of the file */
    char error[128];  /* of the last step that failed, until one succeeds; "" */
};
void search_status_get(struct search *s, struct search_status *ret);
/* Updates the gauges; call it before /metrics is rendered. Thread: that of search_new. Accepts NULL. */
void search_collect(struct search *s);
/* Waits until an index that is not being replaced follows the store up to this change; false when the time is over. */
bool search_await(struct search *s, uint64_t sequence, int64_t timeout_ms);

#endif
