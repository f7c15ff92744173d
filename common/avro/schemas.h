/*
 * schemas.h - the schemas of our topics, embedded, with their fixed ids, and the framing of values:
 * 0x00, schema id as 4 bytes big-endian, Avro body (the schema registry's wire format).
 *
 * Ids are append-only (schemas/ids.json, held by a golden test): a released id never changes its
 * text.
 */
#ifndef WH_AVRO_SCHEMAS_H
#define WH_AVRO_SCHEMAS_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum wh_schema {
    WH_SCHEMA_RAW_EVENT,
    WH_SCHEMA_OBSERVATION,
    WH_SCHEMA_DEAD_LETTER,
    WH_SCHEMA_REREAD,
    WH_SCHEMA_CONNECTION,
    WH_SCHEMA_FETCH_STATE,
    WH_SCHEMA_RUN,
    WH_SCHEMA_HEALTH,
    WH_SCHEMA_COUNT
};

struct wh_schema_info {
    int32_t id;
    enum wh_schema schema;
    int version;       /* of that schema, from 1 */
    const char *name;  /* "RawEvent" */
    const char *begin; /* of the schema's text */
    const char *end;
};

/* The Avro schema as JSON text. */
static inline struct wh_slice wh_schema_text(const struct wh_schema_info *info)
{
    return wh_slice(info->begin, (size_t)(info->end - info->begin));
}

/* All that this build knows. */
const struct wh_schema_info *wh_schemas(size_t *ret_n);
/* NULL when this build does not know the id. */
const struct wh_schema_info *wh_schema_by_id(int32_t id);
/* The newest version: what is written. */
const struct wh_schema_info *wh_schema_current(enum wh_schema schema);

enum { WH_FRAME_BYTES = 5 };

/* Appends the frame of the newest version. */
WH_MUST_CHECK enum wh_rc wh_frame_write(enum wh_schema schema, struct wh_buf *out,
                                        struct wh_err *err);
/*
 * Takes the frame off. WH_E_INVALID when there is none or its id can never be ours,
 * WH_E_UNKNOWN_SCHEMA (retryable: a newer writer) for an id that is not known yet, WH_E_TYPE when
 * it is another schema's.
 */
WH_MUST_CHECK enum wh_rc wh_frame_read(struct wh_slice bytes, enum wh_schema want, int *ret_version,
                                       struct wh_slice *ret_body, struct wh_err *err);

#endif
