/*
 * changes.h - the log of changes, for those who follow it: streams over HTTP and rules.
 *
 * Every revision of every entity is one change with a number, the sequence, in the order in which the
 * store took them. A follower reads from the last number that it knows and waits when there is nothing
 * more; it never holds anything that the writer needs.
 *
 *   changes_read     the changes behind a number, in order
 *   changes_await    sleeps until there are some
 *   change_matches   is a condition in SQL true of the entity, as it was after that change?
 *   change_write     a change as JSON: what was before and after, and the row with its names
 *
 * Sequences are those of one store. A store that is built again from Kafka has others, so a place in the
 * log names its store too (struct changes_place). A purge removes changes: then numbers are missing.
 *
 * "After that change" means: from the revisions that were stored by then. Of several changes of one
 * entity in one batch, which are stored at the same time, all but the last are judged by the revisions whose version
 * times are not later than theirs.
 *
 * Thread: any; one struct change_condition is used by one thread at a time.
 */
#ifndef WH_SINK_CHANGES_CHANGES_H
#define WH_SINK_CHANGES_CHANGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/time.h"
#include "common/base/zone.h"
#include "common/event/entity.h"
#include "common/event/history.h"
#include "common/event/kind.h"
#include "common/store/store.h"

struct changes;

struct changes_conf {
    struct wh_store *store; /* kept */
    struct wh_clock clock;
    const char *folder;  /* kept; for temporary files of statements. NULL: none */
    struct wh_zone zone; /* of the workspace; zeroed: UTC */
};

WH_MUST_CHECK enum wh_rc changes_new(const struct changes_conf *conf, struct changes **ret,
                                     struct wh_err *err);
/* Ends running conditions and every wait; further calls end at once. */
void changes_stop(struct changes *c);
/* Nobody may use it any more. Accepts NULL. */
void changes_free(struct changes *c);

/* ---- the log ---- */

/* A place in the log of one store. */
struct changes_place {
    int64_t store; /* changes_store; 0: not said */
    uint64_t sequence;
};

enum { CHANGES_PLACE_TEXT = 48 };

/* "18f3a0c2b11-42": when the store was begun, and a sequence. Returns text. */
const char *changes_place_format(struct changes_place place, char text[CHANGES_PLACE_TEXT]);
/* The same, or the sequence alone. WH_E_INVALID. */
WH_MUST_CHECK enum wh_rc changes_place_parse(struct wh_slice text, struct changes_place *ret,
                                             struct wh_err *err);

/* Identifies the store: when it was begun, in ms. */
int64_t changes_store(struct changes *c);
/* The number of the last change. Cheap. */
uint64_t changes_last(const struct changes *c);
/* The store has changes up to this number. Called after each batch. Cheap. */
void changes_notify(struct changes *c, uint64_t sequence);
/* Waits for a change behind `after`, at most for timeout_ms. False: there is none. *canceled, which may be
 * NULL, is looked at now and then. */
bool changes_await(struct changes *c, uint64_t after, int64_t timeout_ms,
                   const atomic_bool *canceled);

struct change {
    uint64_t sequence;
    enum wh_kind kind;
    struct wh_entity_id id;
    struct wh_version version;
    bool late; /* the revision is older than the newest one */
    /* A later change of the same entity has the same stored_ms. */
    bool superseded;
    int64_t stored_ms;
};

/* Reads at most `max` changes behind `after`; *ret_n 0: there are none. */
WH_MUST_CHECK enum wh_rc changes_read(struct changes *c, uint64_t after, struct change *out,
                                      size_t max, size_t *ret_n, struct wh_err *err);
/* The first change that was stored at this time or later; one behind the last when there is none. */
WH_MUST_CHECK enum wh_rc changes_since(struct changes *c, int64_t stored_ms, uint64_t *ret_sequence,
                                       struct wh_err *err);
/* When Wellhead learned of it: when the webhook or the answer came. When it was stored, if that is not known. */
WH_MUST_CHECK enum wh_rc change_learned_ms(struct changes *c, const struct change *change,
                                           int64_t *ret_ms, struct wh_err *err);
/* When it happened at the source; when it was stored, if the source says nothing. */
int64_t change_at_ms(const struct change *change);

/* ---- conditions ---- */

struct change_condition;

/*
 * A condition over the rows of a table or view of entities, as behind WHERE; empty: every row. With
 * `deleted` rows of deleted entities count too. WH_E_INVALID: no such table, or not SQL; the guard is that of
 * statements. The texts are copied.
 */
WH_MUST_CHECK enum wh_rc change_condition_new(struct changes *c, struct wh_slice table,
                                              struct wh_slice where, bool deleted,
                                              struct change_condition **ret, struct wh_err *err);
void change_condition_free(struct change_condition *condition);
/* Changes of other kinds never match. */
enum wh_kind change_condition_kind(const struct change_condition *condition);

/* *canceled may be NULL. WH_E_TIMEOUT: the condition takes too long. */
WH_MUST_CHECK enum wh_rc change_matches(struct changes *c, const struct change_condition *condition,
                                        const struct change *change, const atomic_bool *canceled,
                                        bool *ret, struct wh_err *err);
/* Visits the id of every entity that matches now, in no order. Not WH_OK ends it. */
WH_MUST_CHECK enum wh_rc change_matches_now(
    struct changes *c, const struct change_condition *condition,
    enum wh_rc (*visit)(void *ctx, const struct wh_entity_id *id, struct wh_err *err), void *ctx,
    struct wh_err *err);

/* ---- JSON ---- */

enum { CHANGE_JSON_MAX_BYTES = 120 << 10, CHANGE_TEXT_MAX_BYTES = 4 << 10 };

/*
 * Appends one object, of at most CHANGE_JSON_MAX_BYTES:
 *
 *   sequence, place, id, kind, table; operation: new, changed or deleted; revision, its version; time, at the
 *   source; stored_at; late; changes {field: {before, after}}, without `before` where it is not known
 *   soon; row {...} as after the change, with names, or null.
 *
 * Texts are cut at CHANGE_TEXT_MAX_BYTES, and `shortened` names them.
 */
WH_MUST_CHECK enum wh_rc change_write(struct changes *c, const struct change *change,
                                      struct wh_buf *out, struct wh_err *err);

#endif
