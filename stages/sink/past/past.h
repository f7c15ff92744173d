/*
 * past.h - the one reader of the state of entities, for everything that is computed from it: people, impact,
 * answers. It shows the store as it is in one snapshot, or as it was: then everything is folded from the
 * history of what is asked for, and what an entity once had is a candidate that its head of then must
 * confirm. Answers and their order are those of a store that has seen only what counts, with one exception:
 * the addresses of the past are those that were shown, also where the project had already moved (batch/parents.h).
 *
 * Thread: one at a time. Ownership: what a call returns lives in the arena that it was given.
 */
#ifndef WH_SINK_PAST_H
#define WH_SINK_PAST_H

#include <limits.h>

#include "common/event/history.h"
#include "stages/sink/store/keyspace.h"

struct past;
struct past_scan;

struct past_conf {
    struct wh_store *store;             /* kept */
    const struct wh_snapshot *snap;     /* kept; NULL: the current state */
    const struct wh_history_when *when; /* copied; NULL: now */
    /* Asked now and then while much is read; true ends the call with WH_E_CANCELED. NULL: never. */
    bool (*over)(void *ctx);
    void *ctx;
};

WH_MUST_CHECK enum wh_rc past_new(const struct past_conf *conf, struct past **ret,
                                  struct wh_err *err);
/* Accepts NULL. Scans go first. */
void past_free(struct past *p);

/* The head of an entity; *ret is NULL when nothing is known of it. It may be a deleted one. Texts of
 * WH_FAR_BYTES or more may be far; past_text reads them. */
WH_MUST_CHECK enum wh_rc past_head(struct past *p, enum wh_kind kind, const struct wh_entity_id *id,
                                   struct wh_arena *arena, const struct wh_head **ret,
                                   struct wh_err *err);
/* The same, without entities that are deleted. */
WH_MUST_CHECK enum wh_rc past_live(struct past *p, enum wh_kind kind, const struct wh_entity_id *id,
                                   struct wh_arena *arena, const struct wh_head **ret,
                                   struct wh_err *err);
/* A field by its name; NULL when it was not shown or is null. */
const struct wh_value *past_field(const struct wh_head *head, const char *field);
/* A text of less than WH_FAR_BYTES; empty when there is none. */
struct wh_slice past_string(const struct wh_head *head, const char *field);
/* Any text, also a far one; empty when there is none. */
WH_MUST_CHECK enum wh_rc past_text(struct past *p, const struct wh_head *head, const char *field,
                                   struct wh_arena *arena, struct wh_slice *ret,
                                   struct wh_err *err);
/* The entry with this version, which says where it came from; *ret is NULL when there is none. */
WH_MUST_CHECK enum wh_rc past_entry(struct past *p, enum wh_kind kind,
                                    const struct wh_entity_id *id, struct wh_version version,
                                    struct wh_arena *arena, const struct wh_entry **ret,
                                    struct wh_err *err);

/* ---- what is found, one at a time ---- */

struct past_found {
    enum wh_kind kind;
    struct wh_entity_id id;
    /* Of a link, else 0: the field of the entity that has the reference, and the version that set it. */
    unsigned field;
    struct wh_version version;
    struct wh_slice name; /* of past_names; valid until the next call */
};

/* All entities of a kind, deleted ones too, in the order of their ids. */
WH_MUST_CHECK enum wh_rc past_each(struct past *p, enum wh_kind kind, struct past_scan **ret,
                                   struct wh_err *err);
/* Entities that claim, or mention, a name (keys/keys.h), by kind and id. Deleted ones do not. */
WH_MUST_CHECK enum wh_rc past_claimants(struct past *p, struct wh_slice name,
                                        struct past_scan **ret, struct wh_err *err);
WH_MUST_CHECK enum wh_rc past_mentioners(struct past *p, struct wh_slice name,
                                         struct past_scan **ret, struct wh_err *err);
/* Every name that begins with the prefix, once for each entity that claims, or mentions, it; in order. */
WH_MUST_CHECK enum wh_rc past_names(struct past *p, bool mentions, struct wh_slice prefix,
                                    struct past_scan **ret, struct wh_err *err);
/* Links by the references of an entity; found is the entity that is referred to. */
WH_MUST_CHECK enum wh_rc past_links_from(struct past *p, const struct wh_entity_id *id,
                                         struct past_scan **ret, struct wh_err *err);
/* Links to an entity; found is the one that refers to it, and may be deleted. */
WH_MUST_CHECK enum wh_rc past_links_to(struct past *p, const struct wh_entity_id *id,
                                       struct past_scan **ret, struct wh_err *err);
/* Entities of a kind that belong to a project, deleted ones too. */
WH_MUST_CHECK enum wh_rc past_of_project(struct past *p, enum wh_kind kind,
                                         const struct wh_entity_id *project, struct past_scan **ret,
                                         struct wh_err *err);
/* Entities with this commit in the field, or a time of it in [from, to] in ms, in order of the values;
 * only fields with sink_value_indexed. Deleted ones too. */
WH_MUST_CHECK enum wh_rc past_by_commit(struct past *p, enum wh_kind kind, const char *field,
                                        struct wh_slice commit, struct past_scan **ret,
                                        struct wh_err *err);
WH_MUST_CHECK enum wh_rc past_by_time(struct past *p, enum wh_kind kind, const char *field,
                                      int64_t from_ms, int64_t to_ms, struct past_scan **ret,
                                      struct wh_err *err);
/* *ret_found is false at the end. */
WH_MUST_CHECK enum wh_rc past_next(struct past_scan *scan, struct past_found *ret, bool *ret_found,
                                   struct wh_err *err);
/* Accepts NULL. */
void past_scan_free(struct past_scan *scan);

/* The entity with this address at its source; *ret_found is false when there is none. */
WH_MUST_CHECK enum wh_rc past_by_url(struct past *p, struct wh_slice url, struct past_found *ret,
                                     bool *ret_found, struct wh_err *err);

#endif
