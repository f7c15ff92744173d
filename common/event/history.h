/*
 * history.h - the canonical history of one entity: a pure function of the set of its observations.
 * Reordering, duplicating or replaying them produces the same bytes.
 *
 *   entry      one distinct observation, identified by its version (order and tie), in version order
 *   state      the last-writer-wins map by field of the entries so far, including "deleted"
 *   head       the state after the last entry
 *   revision   an entry that changed the state, or the first one; any other entry is a sighting,
 *              which saw the same content again
 *
 * An entry stores which fields it showed (shown) and the values of those that it changed (delta). That
 * loses nothing: a field that it showed without changing equals the state before it. A late entry is
 * inserted, and the later entries are recomputed.
 *
 * A head is rewritten with each change, so it does not contain long texts (WH_FAR_BYTES or more) but
 * their hash; the text is in the delta of the entry whose version is `set` of that field.
 *
 * Of an observation delivered twice, the provenance with the smallest (observed_at, topic, partition,
 * offset) is kept, and the earliest time at which it was stored.
 *
 * The past is the fold of fewer entries: those that were stored by then, or those whose versions are not
 * newer (struct wh_history_when).
 */
#ifndef WH_EVENT_HISTORY_H
#define WH_EVENT_HISTORY_H

#include "common/event/observation.h"

enum { WH_FAR_BYTES = 256 };

/*
 * When an entity was last seen is kept to WH_SEEN_MS: wh_seen_ms rounds a time down. So the same content
 * seen again within that time changes nothing, and the mapper need not send it a second time.
 */
enum { WH_SEEN_MS = 600000 };
static inline int64_t wh_seen_ms(int64_t observed_at_ms)
{
    return observed_at_ms < 0 ? observed_at_ms : observed_at_ms - observed_at_ms % WH_SEEN_MS;
}

/* The current state of one entity. */
struct wh_head {
    struct wh_entity_id id;
    struct wh_source_id source; /* each part is from the newest entry that had it */
    struct wh_version version;  /* of the newest entry */
    bool deleted;
    struct wh_slice reason;            /* when deleted */
    struct wh_version deleted_version; /* the entry that set `deleted` */
    /* What the entity belongs to is gone, and nothing newer is known of the entity: why, and by which
     * version. Empty: it is there. Whoever stores heads sets it; it is no part of the history. */
    struct wh_slice parent_reason;
    struct wh_version parent_version;
    /* The address that the entries show. Whoever stores heads may set source.url to a newer one, which the fold replaces. */
    struct wh_slice shown_url;
    int64_t first_seen_ms; /* smallest observed_at, without mentions; 0: none yet */
    int64_t last_seen_ms; /* wh_seen_ms of the largest observed_at, without mentions; 0: none yet */
    struct wh_body body;  /* fields that any entry has shown; after decoding, texts may be far */
    /* For each present field: the version of the entry that last showed it, and of the entry that last
     * changed its value. */
    struct wh_version shown[WH_FIELDS_MAX];
    struct wh_version set[WH_FIELDS_MAX];
};

/*
 * When the entity last changed at the source, in ms: its updated_at, or, if that is NULL (not shown),
 * the time of its newest version, which can be later than the change because reads of its links also
 * advance it. Clamped to 0 and the latest version time, so that formatted times sort correctly.
 */
int64_t wh_head_changed_ms(const struct wh_value *updated_at, struct wh_version version);

/* When the entity was last seen, for people: at this time or less than WH_SEEN_MS later. */
static inline int64_t wh_head_last_seen_ms(int64_t first_seen_ms, int64_t last_seen_ms)
{
    return last_seen_ms > first_seen_ms ? last_seen_ms : first_seen_ms;
}

/* An entity is gone by itself or with its parent. */
static inline bool wh_head_is_gone(const struct wh_head *h)
{
    return h->deleted || h->parent_reason.len > 0;
}
static inline struct wh_slice wh_head_gone_reason(const struct wh_head *h)
{
    return h->deleted ? h->reason : h->parent_reason;
}
static inline struct wh_version wh_head_gone_version(const struct wh_head *h)
{
    return h->deleted ? h->deleted_version : h->parent_version;
}

/* One stored entry, without its key (entity id, order, tie). */
struct wh_entry {
    struct wh_version version;
    bool revision;
    enum wh_change change;
    struct wh_slice reason;
    uint64_t shown;       /* bit i: the entry showed field i */
    struct wh_body delta; /* the fields that it changed */
    struct wh_provenance provenance;
    struct wh_source_id source; /* as the observation had it */
    int64_t stored_ms;          /* when the sink stored it (wh_history_io.now_ms) */
};

/* The stored form of a head, without id and kind, which are in its key. */
WH_MUST_CHECK enum wh_rc wh_head_encode(const struct wh_head *h, struct wh_buf *out,
                                        struct wh_err *err);
/* The same with every text, for readers of a head that no entry stands behind (wh_history_past_head). */
WH_MUST_CHECK enum wh_rc wh_head_encode_whole(const struct wh_head *h, struct wh_buf *out,
                                              struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_head_decode(const struct wh_kind_def *def, struct wh_slice bytes,
                                        struct wh_arena *arena, struct wh_head *ret,
                                        struct wh_err *err);
/* Finds the encoded body in an encoded head, for wh_body_decode_field. Decodes nothing. */
WH_MUST_CHECK enum wh_rc wh_head_body(struct wh_slice bytes, struct wh_slice *ret_body,
                                      struct wh_err *err);

/*
 * A stored head whose body is not decoded, for readers of a few fields. Slices point into the encoded
 * bytes.
 */
struct wh_head_view {
    struct wh_slice body; /* for wh_body_decode and wh_body_decode_field */
    bool deleted;         /* by itself or with its parent, as reason and deleted_version */
    bool itself;          /* it is deleted by itself */
    struct wh_slice parent_reason;
    struct wh_version parent_version;
    struct wh_source_id source;
    struct wh_slice shown_url;
    struct wh_version version;
    struct wh_slice reason;
    struct wh_version deleted_version;
    int64_t first_seen_ms;
    int64_t last_seen_ms;
};
WH_MUST_CHECK enum wh_rc wh_head_view(struct wh_slice bytes, struct wh_head_view *ret,
                                      struct wh_err *err);
/* Only the body, and whether it is deleted, by itself or with its parent. */
WH_MUST_CHECK enum wh_rc wh_head_flags(struct wh_slice bytes, struct wh_slice *ret_body,
                                       bool *ret_deleted, struct wh_err *err);
/* The version that set a present field, which is the entry that has a far text. */
WH_MUST_CHECK enum wh_rc wh_head_set_version(const struct wh_kind_def *def, struct wh_slice bytes,
                                             unsigned field, struct wh_version *ret,
                                             struct wh_err *err);

WH_MUST_CHECK enum wh_rc wh_entry_encode(const struct wh_entry *e, struct wh_buf *out,
                                         struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_entry_decode(const struct wh_kind_def *def, struct wh_slice bytes,
                                         struct wh_arena *arena, struct wh_entry *ret,
                                         struct wh_err *err);

/* One field of an encoded entry's delta; WH_E_CORRUPT when it is not there. The value points into
 * bytes, arrays into the arena. */
WH_MUST_CHECK enum wh_rc wh_entry_field(const struct wh_kind_def *def, struct wh_slice bytes,
                                        unsigned field, struct wh_arena *arena,
                                        struct wh_value *ret, struct wh_err *err);

/*
 * What the sink keeps for an entity, so that the fold needs no store of its own. All calls happen
 * inside wh_history_apply. entries are visited in version order.
 */
struct wh_history_io {
    /* Visits the stored entries of the entity, ascending; visit may be called with slices that
     * live as long as the arena. */
    enum wh_rc (*entries)(void *ctx, const struct wh_entity_id *id, struct wh_arena *arena,
                          struct wh_entry **ret, size_t *ret_n, struct wh_err *err);
    /* Is there an entry with this version? Only asked when it could be. */
    enum wh_rc (*find)(void *ctx, const struct wh_entity_id *id, struct wh_version version,
                       struct wh_arena *arena, const struct wh_kind_def *def, bool *ret_found,
                       struct wh_entry *ret, struct wh_err *err);
    enum wh_rc (*put)(void *ctx, const struct wh_entity_id *id, const struct wh_entry *entry,
                      struct wh_err *err);
    void *ctx;
    int64_t now_ms; /* stored_ms of the entry of this observation, when it has none yet */
};

enum wh_history_outcome {
    WH_HISTORY_DUPLICATE, /* the same observation again: nothing but maybe last_seen changed */
    WH_HISTORY_SIGHTING,  /* new entry, no change */
    WH_HISTORY_REVISION,  /* changed the head */
    WH_HISTORY_LATE,      /* a revision in the past: history changed, the head maybe not */
};

struct wh_history_result {
    enum wh_history_outcome outcome;
    bool head_changed; /* the head must be written */
    uint64_t changed;  /* body fields whose head value changed (links and indexes to redo) */
    bool deleted_changed;
};

/*
 * Applies one observation. head: in, the present head, or is_new; out, the new one (values may
 * point into o, so o must live until the head is encoded).
 */
WH_MUST_CHECK enum wh_rc wh_history_apply(struct wh_head *head, bool is_new,
                                          const struct wh_observation *o,
                                          const struct wh_history_io *io, struct wh_arena *arena,
                                          struct wh_history_result *ret, struct wh_err *err);

/* ---- the past ---- */

/* Which entries count. INT64_MAX: all of them. */
struct wh_history_when {
    int64_t stored_ms; /* those that were stored by then */
    int64_t
        valid_ms; /* those whose version time is not later; mentions have none and count always */
};

struct wh_history_past;

/* now: the present head of the entity, which the past takes its identity from; it is only read here.
 * The result lives in the arena. */
WH_MUST_CHECK enum wh_rc wh_history_past_new(const struct wh_head *now, struct wh_history_when when,
                                             struct wh_arena *arena, struct wh_history_past **ret,
                                             struct wh_err *err);
/*
 * Takes the stored entries of the entity in version order, without a gap. False: this one does not
 * count. Otherwise its `revision` and `delta` become what they were then. The bytes that it was decoded from
 * must live as long as the past.
 */
bool wh_history_past_add(struct wh_history_past *p, struct wh_entry *e);
/*
 * The head as a store would have it that has seen only the entries that count; NULL when none does. Its texts are
 * never far. Only the times when it was first and last seen can differ, because of the deliveries of the same
 * content only the first and the newest are known; and it does not say whether its parent was gone.
 */
const struct wh_head *wh_history_past_head(struct wh_history_past *p);

#endif
