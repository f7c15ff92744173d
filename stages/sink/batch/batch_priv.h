/*
 * batch_priv.h - the state of a batch, for the files of this room: apply.c (entities and their
 * history), derive.c (links and index keys, which follow from heads), former.c (what they had before),
 * names.c (claims and mentions), parents.c (children go with their parent), ops.c (the changes of keys) and
 * removal.c.
 */
#ifndef WH_SINK_BATCH_PRIV_H
#define WH_SINK_BATCH_PRIV_H

#include "stages/sink/batch/apply.h"
#include "stages/sink/keys/keys.h"

/* The part of a head that its derived keys depend on. Values live in the batch's arena. */
struct sink_derived {
    bool exists;
    int64_t changed_ms; /* the body's updated_at, else the version's time */
    struct wh_source_id source;
    struct wh_slice shown_url;
    uint64_t present;
    struct wh_value *refs;       /* of the reference fields, in field order */
    struct wh_version *ref_sets; /* the version that set each */
    struct wh_value *values; /* of the fields with an index of their values; null when not shown */
};

enum { SINK_PARENTS_MAX = 2, SINK_PARENT_SLOTS = 64 };

/* The fields of a kind that its derived keys depend on: references and indexed values. */
struct sink_refs {
    unsigned n;
    unsigned fields[WH_FIELDS_MAX];
    int project;    /* index into fields; -1 none */
    int updated_at; /* the kind's field; -1 none */
    unsigned n_values;
    unsigned value_fields[WH_FIELDS_MAX];
    unsigned n_parents;
    unsigned parents[SINK_PARENTS_MAX]; /* fields that refer to what the entity belongs to */
};

/* What an entity belongs to, as far as its children are concerned. */
struct sink_parent {
    enum wh_kind kind; /* WH_KIND_NONE: not known */
    struct wh_entity_id id;
    bool gone;
    struct wh_slice reason;
    struct wh_version version; /* by which it is gone */
    struct wh_slice instance;
    struct wh_slice url; /* of a project; NULL for other kinds */
};

/* A history entry that this batch puts; the newest is first in the list. */
struct sink_put {
    struct sink_put *next;
    struct wh_version version;
    struct wh_slice bytes;
};

/* A name that an entity claims or mentions. */
struct sink_name {
    struct sink_name *next;
    unsigned family;
    struct wh_slice name;
};

struct sink_cached {
    enum wh_kind kind;
    struct wh_entity_id id;
    struct wh_head *head;
    bool is_new;
    bool dirty;
    struct sink_derived old;
    struct sink_name *old_names;   /* of the head before the batch */
    struct sink_name *shown_names; /* of the observations of the batch */
    struct sink_put *puts;
};

struct sink_seen {
    struct wh_version version;
    bool revision;
    struct wh_slice bytes;
    size_t rank; /* among equal versions the smallest counts */
};

/*
 * A change of one key. Changes are collected until the batch is sealed, then sorted, and only the
 * last change of each key is written: RocksDB's memtable takes sorted keys twice as fast as keys in
 * random order.
 */
struct sink_op {
    uint64_t order; /* family and the key's first bytes: decides most comparisons */
    const char *key;
    const char *value;
    uint32_t key_len;
    uint32_t value_len;
    uint32_t number;
    uint8_t family;
    bool remove;
};

/* The counters that the store keeps. */
struct sink_totals {
    struct sink_kind_counts counts[WH_KIND_COUNT];
    uint64_t sequence;
    uint64_t people;  /* changes of what people are made of */
    uint64_t parents; /* how often a parent went, came back or moved; not stored */
};

struct sink_apply {
    struct wh_store *store;
    struct sink_apply
        *under; /* a sealed batch below this one that may not be written yet; reads see it first */
    struct wh_batch *batch;
    struct wh_arena arena;
    struct wh_buf scratch;
    struct sink_refs refs[WH_KIND_COUNT];
    struct keys keys;
    struct sink_cached *cached;
    size_t n_cached;
    size_t max_cached;
    uint32_t *slots; /* index + 1 into cached; 0 free */
    size_t slot_mask;
    struct sink_before before;                     /* of the observation applied last */
    struct sink_parent parents[SINK_PARENT_SLOTS]; /* those that were looked up last */
    struct sink_cached *current;                   /* the entity that wh_history_apply works on */
    struct sink_seen *seen;                        /* entries that it was shown, ascending */
    size_t n_seen;
    size_t cap_seen;
    struct sink_op *ops;
    size_t n_ops;
    size_t cap_ops;
    size_t op_bytes;
    const struct sink_op *
        *sealed; /* the changes of the sealed batch, ascending by family and key */
    size_t n_sealed;
    struct sink_totals totals;     /* including this batch */
    struct sink_totals base;       /* before this batch */
    struct sink_totals *committed; /* shared by the applies of a store */
    bool owns_committed;
};

/* Counts the change of a head, when people are made of its kind. */
static inline void sink_note_people(struct sink_apply *a, enum wh_kind kind)
{
    a->totals.people += kind == WH_KIND_TEAM_MEMBER || kind == WH_KIND_PERSON;
}

/* ---- ops.c ---- */

/* The key is copied. */
WH_MUST_CHECK enum wh_rc sink_op_put(struct sink_apply *a, unsigned family, struct wh_slice key,
                                     struct wh_slice value, struct wh_err *err);
/* The value is not copied: it must live until the batch is committed. */
WH_MUST_CHECK enum wh_rc sink_op_put_kept(struct sink_apply *a, unsigned family,
                                          struct wh_slice key, struct wh_slice value,
                                          struct wh_err *err);
WH_MUST_CHECK enum wh_rc sink_op_remove(struct sink_apply *a, unsigned family, struct wh_slice key,
                                        struct wh_err *err);
/* Moves all changes into the store's batch. They can be looked up until the next begin. */
WH_MUST_CHECK enum wh_rc sink_ops_flush(struct sink_apply *a, struct wh_err *err);
/* The index of the first sealed op that is not before the key. */
size_t sink_ops_from(const struct sink_apply *a, unsigned family, struct wh_slice key);
/* The sealed batch's change of the key, or NULL. */
const struct sink_op *sink_ops_find(const struct sink_apply *a, unsigned family,
                                    struct wh_slice key);

/* ---- apply.c ---- */

/* Finds the entity in the batch, or reads it into it; NULL with *err set. */
struct sink_cached *sink_cached_get(struct sink_apply *a, enum wh_kind kind,
                                    const struct wh_entity_id *id, struct wh_err *err);
/* NULL when the batch does not have it. */
struct sink_cached *sink_cached_find(struct sink_apply *a, enum wh_kind kind,
                                     const struct wh_entity_id *id);

/* ---- parents.c ---- */

void sink_parents_init(enum wh_kind kind, struct sink_refs *refs);
/* Notes in the head whether what it belongs to is gone, counts that, and gives it the address that it has in its project. */
WH_MUST_CHECK enum wh_rc sink_parents_look(struct sink_apply *a, struct sink_cached *c,
                                           struct wh_err *err);
/* The entity changed; before: what it was as a parent. If its children depend on the change, they are looked
 * at later (parents.h). */
WH_MUST_CHECK enum wh_rc sink_parents_changed(struct sink_apply *a, const struct sink_cached *c,
                                              const struct sink_parent *before, struct wh_err *err);
/* The head as a parent. */
struct sink_parent sink_parent_of(const struct sink_cached *c);

/* ---- derive.c ---- */

void sink_refs_init(struct sink_refs refs[WH_KIND_COUNT]);
/* Copies the part of the head that its derived keys depend on. */
WH_MUST_CHECK enum wh_rc sink_derived_take(struct sink_apply *a, const struct sink_refs *refs,
                                           const struct wh_head *head, struct sink_derived *ret,
                                           struct wh_err *err);
/* Updates the derived keys after a change of one head. */
WH_MUST_CHECK enum wh_rc sink_derive(struct sink_apply *a, const struct sink_cached *c,
                                     struct wh_err *err);
/* Removes the derived keys of a head that is removed (c->old; c->head is not used). */
WH_MUST_CHECK enum wh_rc sink_underive(struct sink_apply *a, const struct sink_cached *c,
                                       struct wh_err *err);

/* ---- former.c ---- */

/* Updates what the entity once had after a change of its head, of which `now` was taken. */
WH_MUST_CHECK enum wh_rc sink_derive_former(struct sink_apply *a, const struct sink_cached *c,
                                            const struct sink_derived *now, struct wh_err *err);
/* Removes what one revision set; for an entity that is removed with all of them. */
WH_MUST_CHECK enum wh_rc sink_remove_former(struct sink_apply *a, const struct sink_cached *c,
                                            const struct wh_entry *entry, struct wh_err *err);

/* ---- names.c ---- */

/* Adds the names that an entity with this identity and these fields claims and mentions. */
WH_MUST_CHECK enum wh_rc sink_names_add(struct sink_apply *a, const struct wh_source_id *source,
                                        const struct wh_body *body, struct sink_name **list,
                                        struct wh_err *err);
/* Updates the names after a change of one head. */
WH_MUST_CHECK enum wh_rc sink_derive_names(struct sink_apply *a, const struct sink_cached *c,
                                           struct wh_err *err);
/* Removes all names of an entity. */
WH_MUST_CHECK enum wh_rc sink_remove_names(struct sink_apply *a, enum wh_kind kind,
                                           const struct wh_entity_id *id, struct wh_err *err);

#endif
