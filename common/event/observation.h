/*
 * observation.h - what one delivery or one row of a read showed of one entity
 * (schemas/observation.avsc). A field that is not shown (not `present`) differs from a null field.
 *
 * Ownership: slices and arrays point into the bytes and the arena that were passed to decode.
 */
#ifndef WH_EVENT_OBSERVATION_H
#define WH_EVENT_OBSERVATION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/event/entity.h"
#include "common/event/kind.h"
#include "common/event/version.h"

/*
 * The value of a field, whose type selects the member. A STRING of a stored head may be far: a long text
 * that only the entry that set it contains, represented by its hash (history.h).
 */
struct wh_value {
    bool is_null;
    bool is_far;
    union {
        struct wh_hash128 far;
        struct wh_slice str;
        int64_t i; /* LONG, TIME */
        double num;
        bool b;
        struct {
            const struct wh_slice *items;
            size_t n;
        } strs;
        struct wh_entity_id ref;
        struct {
            const struct wh_entity_id *items;
            size_t n;
        } refs;
    } u;
};

/* A far text equals a text with the same hash. */
bool wh_value_eq(enum wh_field_type type, const struct wh_value *a, const struct wh_value *b);

struct wh_body {
    const struct wh_kind_def *def;
    uint64_t present;                      /* bit i: field i is shown */
    struct wh_value values[WH_FIELDS_MAX]; /* valid where present */
};

enum wh_change { WH_CHANGE_UPSERT, WH_CHANGE_DELETE };

/* The origin of an observation, which identifies its raw event. */
struct wh_provenance {
    enum wh_origin origin;
    struct wh_slice delivery_id; /* delivery id, or the path of a read (run_id.h) */
    int64_t observed_at_ms;      /* when Wellhead received or read it */
    struct wh_slice topic;       /* of the raw event */
    int32_t partition;
    int64_t offset;
    struct wh_slice view; /* the data view that mapped it: "gitlab.issue.webhook@1" */
};

enum { WH_SET_ASIDE_MAX = 32, WH_SET_ASIDE_EXAMPLE_MAX = 80 };

/*
 * A value of the raw event that could not be converted. Its field is not shown; the rest of the event
 * was mapped. It is not part of the content: observations that differ only in it have the same tie.
 */
struct wh_set_aside {
    struct wh_slice pointer; /* where the value is in the payload: "/object_attributes/weight" */
    struct wh_slice reason;  /* why it could not be converted */
    struct wh_slice example; /* the first such value, possibly truncated */
    int64_t count;           /* values of this event at that pointer, at least 1 */
};

struct wh_observation {
    struct wh_entity_id id;
    struct wh_source_id source;
    struct wh_version version;
    struct wh_provenance provenance;
    enum wh_change change;
    struct wh_slice reason; /* of a delete: deleted, moved, lost_access, project_removed, ... */
    struct wh_body body;    /* body.def is the kind; no fields on a delete */
    const struct wh_set_aside *set_aside; /* at most WH_SET_ASIDE_MAX */
    size_t n_set_aside;
};

/* Computes version.tie: XXH3-64 over kind, change, source project, iid and url, then reason or the
 * stored form of the body. So the same version means the same content. */
WH_MUST_CHECK enum wh_rc wh_observation_tie(const struct wh_observation *o, struct wh_buf *scratch,
                                            uint64_t *ret, struct wh_err *err);

/* Appends the frame (schemas.h) and the Avro body. */
WH_MUST_CHECK enum wh_rc wh_observation_encode(const struct wh_observation *o, struct wh_buf *out,
                                               struct wh_err *err);
/*
 * Decodes framed bytes. Values point into `bytes`, arrays into the arena. WH_E_UNKNOWN_SCHEMA: a newer
 * process wrote the record. WH_E_INVALID, WH_E_UTF8, WH_E_RANGE: the bytes are damaged, or bytes are
 * left over. Safe on hostile input.
 */
WH_MUST_CHECK enum wh_rc wh_observation_decode(struct wh_slice bytes, struct wh_arena *arena,
                                               struct wh_observation *ret, struct wh_err *err);

/* The stored form of a body: `present` as an Avro long, then the present values in order. */
WH_MUST_CHECK enum wh_rc wh_body_encode(const struct wh_body *body, struct wh_buf *out,
                                        struct wh_err *err);
/* The form in heads: strings of far_from bytes or more are written as their hash. */
WH_MUST_CHECK enum wh_rc wh_body_encode_far(const struct wh_body *body, size_t far_from,
                                            struct wh_buf *out, struct wh_err *err);
/* *ret_used: the number of bytes read. */
WH_MUST_CHECK enum wh_rc wh_body_decode(const struct wh_kind_def *def, struct wh_slice bytes,
                                        struct wh_arena *arena, struct wh_body *ret,
                                        size_t *ret_used, struct wh_err *err);
/* Decodes one field of an encoded body and skips the others. *ret_present is false when the body does
 * not have it. */
WH_MUST_CHECK enum wh_rc wh_body_decode_field(const struct wh_kind_def *def, struct wh_slice bytes,
                                              unsigned field, struct wh_arena *arena,
                                              bool *ret_present, struct wh_value *ret,
                                              struct wh_err *err);

#endif
