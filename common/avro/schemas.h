/*
 * schemas.h - the embedded Avro schemas of all topics, their fixed ids, and the frame of a value:
 * 0x00, schema id as 4 bytes big-endian, Avro body (the wire format of Confluent's Schema Registry).
 *
 * Ids are append-only (schemas/ids.json): the text of a released id never changes. A golden test
 * enforces this. Thread: any.
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
    WH_SCHEMA_DECISION,
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

/* Every schema of this build, of every version. */
const struct wh_schema_info *wh_schemas(size_t *ret_n);
/* NULL when this build does not know the id. */
const struct wh_schema_info *wh_schema_by_id(int32_t id);
/* The newest version, which writers use. */
const struct wh_schema_info *wh_schema_current(enum wh_schema schema);

enum { WH_FRAME_BYTES = 5 };

/* Appends the frame of the newest version. */
WH_MUST_CHECK enum wh_rc wh_frame_write(enum wh_schema schema, struct wh_buf *out,
                                        struct wh_err *err);
/*
 * Strips the frame. WH_E_INVALID: there is no frame, or no plausible id. WH_E_UNKNOWN_SCHEMA
 * (transient): this build does not know the id, so a newer process wrote the record. WH_E_TYPE: the id
 * belongs to another schema.
 */
WH_MUST_CHECK enum wh_rc wh_frame_read(struct wh_slice bytes, enum wh_schema want, int *ret_version,
                                       struct wh_slice *ret_body, struct wh_err *err);

#endif
