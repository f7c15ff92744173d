#include "common/avro/schemas.h"

#include "common/base/be.h"

/* Labels of texts.S. */
#define EMBEDDED(name) extern const char wh_avsc_##name[], wh_avsc_##name##_end[]
EMBEDDED(raw_event);
EMBEDDED(observation);
EMBEDDED(observation_1);
EMBEDDED(observation_2);
EMBEDDED(observation_3);
EMBEDDED(dead_letter);
EMBEDDED(reread);
EMBEDDED(connection);
EMBEDDED(fetch_state);
EMBEDDED(run);
EMBEDDED(health);
EMBEDDED(decision);

#define SCHEMA(id, code, version, record, name)                                                    \
    {                                                                                              \
        id, WH_SCHEMA_##code, version, record, wh_avsc_##name, wh_avsc_##name##_end                \
    }

/* Append-only; a test compares this table with schemas/ids.json. */
static const struct wh_schema_info schemas[] = {
    SCHEMA(1, RAW_EVENT, 1, "RawEvent", raw_event),
    SCHEMA(2, OBSERVATION, 1, "Observation", observation_1),
    SCHEMA(3, DEAD_LETTER, 1, "DeadLetter", dead_letter),
    SCHEMA(4, REREAD, 1, "Reread", reread),
    SCHEMA(5, CONNECTION, 1, "Connection", connection),
    SCHEMA(6, FETCH_STATE, 1, "FetchState", fetch_state),
    SCHEMA(7, RUN, 1, "Run", run),
    SCHEMA(8, HEALTH, 1, "Health", health),
    SCHEMA(9, OBSERVATION, 2, "Observation", observation_2),
    SCHEMA(10, OBSERVATION, 3, "Observation", observation_3),
    SCHEMA(11, OBSERVATION, 4, "Observation", observation),
    SCHEMA(12, DECISION, 1, "Decision", decision),
};

enum { N_SCHEMAS = sizeof(schemas) / sizeof(schemas[0]), NEWER_MAX = 1000 };

const struct wh_schema_info *wh_schemas(size_t *ret_n)
{
    *ret_n = N_SCHEMAS;
    return schemas;
}

const struct wh_schema_info *wh_schema_by_id(int32_t id)
{
    return id >= 1 && id <= N_SCHEMAS ? &schemas[id - 1] : NULL;
}

const struct wh_schema_info *wh_schema_current(enum wh_schema schema)
{
    const struct wh_schema_info *newest = NULL;

    for (size_t i = 0; i < N_SCHEMAS; i++) {
        if (schemas[i].schema == schema) {
            newest = &schemas[i];
        }
    }
    return newest;
}

enum wh_rc wh_frame_write(enum wh_schema schema, struct wh_buf *out, struct wh_err *err)
{
    unsigned char frame[WH_FRAME_BYTES] = {0};

    wh_be_put32(frame + 1, (uint32_t)wh_schema_current(schema)->id);
    return wh_buf_append(out, wh_slice(frame, sizeof(frame)), err);
}

enum wh_rc wh_frame_read(struct wh_slice bytes, enum wh_schema want, int *ret_version,
                         struct wh_slice *ret_body, struct wh_err *err)
{
    const struct wh_schema_info *info;
    int32_t id;

    if (bytes.len < WH_FRAME_BYTES || bytes.ptr[0] != 0) {
        return wh_fail(err, WH_E_INVALID, "no schema frame before the record");
    }
    id = (int32_t)wh_be_get32(bytes.ptr + 1);
    info = wh_schema_by_id(id);
    if (info == NULL && (id < 1 || id > N_SCHEMAS + NEWER_MAX)) {
        return wh_fail(err, WH_E_INVALID, "%d is not a valid schema id", id);
    }
    if (info == NULL) {
        return wh_fail(err, WH_E_UNKNOWN_SCHEMA, "schema id %d is not known to this version", id);
    }
    if (info->schema != want) {
        return wh_fail(err, WH_E_TYPE, "found a %s where another record was expected", info->name);
    }
    *ret_version = info->version;
    *ret_body = wh_slice_from(bytes, WH_FRAME_BYTES);
    return WH_OK;
}
