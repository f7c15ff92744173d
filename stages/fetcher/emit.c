/* Records of the fetcher into Kafka. */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/event/raw_event.h"
#include "common/event/run_id.h"
#include "stages/fetcher/fetcher.h"

enum { BUSY_WAIT_MS = 50, BUSY_TRIES = 600, EVENT_OVERHEAD = 160, TYPE_MAX = 96 };

/* A full queue is waited for: reading on would only fill memory. */
static enum wh_rc produce(struct fetcher *f, const struct wh_bus_record *record, struct wh_err *err)
{
    for (unsigned i = 0; i < BUSY_TRIES; i++) {
        enum wh_rc rc = wh_producer_produce(f->producer, record, err);

        if (rc != WH_E_BUSY) {
            return rc;
        }
        (void)wh_producer_poll(f->producer, BUSY_WAIT_MS);
    }
    return wh_err_prefix(err, "Kafka takes no records");
}

/* "com.gitlab.<kind>.observed" */
static struct wh_slice event_type(struct wh_slice kind, char to[TYPE_MAX])
{
    static const char before[] = "com.gitlab.";
    static const char after[] = ".observed";
    size_t n = sizeof(before) - 1;

    if (n + kind.len + sizeof(after) > TYPE_MAX) {
        return WH_LIT("com.gitlab.observed");
    }
    memcpy(to, before, n);
    memcpy(to + n, kind.ptr, kind.len);
    memcpy(to + n + kind.len, after, sizeof(after) - 1);
    return wh_slice(to, n + kind.len + sizeof(after) - 1);
}

/* Enough for the encoded event, and not much more: the record is allocated once, at its size. */
static size_t event_max(const struct wh_raw_event *e)
{
    return EVENT_OVERHEAD + e->connection.len + e->instance.len + e->kind.len + e->project.len +
           e->object_id.len + e->delivery_id.len + e->payload.len;
}

/* The value goes over to the bus with WH_OK. */
static enum wh_rc produce_event(struct conn *c, const struct wh_raw_event *e, struct wh_slice value,
                                struct ack *ack, struct wh_err *err)
{
    char type[TYPE_MAX];
    const struct wh_bus_header headers[] = {
        {WH_LIT("ce_specversion"), WH_LIT("1.0")}, {WH_LIT("ce_type"), event_type(e->kind, type)},
        {WH_LIT("ce_source"), e->instance},        {WH_LIT("ce_id"), e->delivery_id},
        {WH_LIT("ce_subject"), e->object_id},
    };

    return produce(c->fetcher,
                   &(struct wh_bus_record){.topic = c->raw_topic,
                                           .partition = -1,
                                           .key = wh_buf_slice(&c->fetcher->key),
                                           .value = value,
                                           .take_value = true,
                                           .headers = headers,
                                           .n_headers = sizeof(headers) / sizeof(headers[0]),
                                           .opaque = ack},
                   err);
}

static enum wh_rc emit_event(struct conn *c, int64_t run, struct wh_raw_event *e,
                             struct wh_slice path, struct ack *ack, struct wh_err *err)
{
    struct fetcher *f = c->fetcher;
    struct wh_buf value;

    wh_buf_reset(&f->delivery);
    if (wh_run_id_write(path, run, &f->delivery, err) != WH_OK) {
        return err->rc;
    }
    e->connection = wh_slice_str(c->id);
    e->instance = wh_connection_identity(&c->doc);
    e->observed_at_ms = wh_clock_now_ms(&f->deps.clock);
    e->delivery_id = wh_buf_slice(&f->delivery);
    wh_buf_init(&value, event_max(e));
    wh_buf_reset(&f->key);
    if (wh_buf_reserve(&value, value.max, err) != WH_OK ||
        wh_raw_event_encode(e, &value, err) != WH_OK ||
        wh_raw_event_key(e, &f->key, err) != WH_OK ||
        produce_event(c, e, wh_buf_slice(&value), ack, err) != WH_OK) {
        wh_buf_done(&value);
        return err->rc;
    }
    return WH_OK;
}

static struct wh_raw_event event_of(enum wh_origin origin, struct wh_slice kind,
                                    struct wh_slice project, struct wh_slice object_id,
                                    struct wh_slice payload)
{
    return (struct wh_raw_event){.origin = origin,
                                 .kind = kind,
                                 .project = project,
                                 .object_id = object_id,
                                 .payload = payload};
}

enum wh_rc emit_row(struct conn *c, struct wh_slice kind, struct wh_slice project,
                    struct wh_slice object_id, struct wh_slice path, struct wh_slice payload,
                    struct ack *ack, struct wh_err *err)
{
    struct wh_raw_event event = event_of(WH_ORIGIN_REST, kind, project, object_id, payload);

    return emit_event(c, c->run_id, &event, path, ack, err);
}

enum wh_rc emit_tool_row(struct conn *c, struct wh_slice kind, struct wh_slice project,
                         struct wh_slice object_id, struct wh_slice call, struct wh_slice payload,
                         struct ack *ack, struct wh_err *err)
{
    struct wh_raw_event event = event_of(WH_ORIGIN_MCP, kind, project, object_id, payload);

    return emit_event(c, c->run_id, &event, call, ack, err);
}

enum wh_rc emit_row_alone(struct conn *c, struct wh_slice kind, struct wh_slice project,
                          struct wh_slice object_id, struct wh_slice path, struct wh_slice payload,
                          struct ack *ack, struct wh_err *err)
{
    struct wh_raw_event event = event_of(WH_ORIGIN_REST, kind, project, object_id, payload);

    return emit_event(c, 0, &event, path, ack, err);
}

static enum wh_rc emit(struct fetcher *f, enum wh_document_schema schema, const char *topic,
                       int32_t partition, struct wh_slice key, struct wh_slice connection,
                       struct wh_slice json, struct ack *ack, struct wh_err *err)
{
    const struct wh_document doc = {
        .connection = connection,
        .key = key,
        .at_ms = wh_clock_now_ms(&f->deps.clock),
        .document = json,
    };

    wh_buf_reset(&f->scratch);
    if (json.len && wh_document_encode(schema, &doc, &f->scratch, err) != WH_OK) {
        return err->rc;
    }
    return produce(
        f,
        &(struct wh_bus_record){.topic = topic,
                                .partition = partition,
                                .key = key,
                                .value = json.len ? wh_buf_slice(&f->scratch) : wh_slice(NULL, 0),
                                .opaque = ack},
        err);
}

enum wh_rc emit_document(struct fetcher *f, enum wh_document_schema schema, const char *topic,
                         struct wh_slice key, struct wh_slice connection, struct wh_slice json,
                         struct ack *ack, struct wh_err *err)
{
    return emit(f, schema, topic, -1, key, connection, json, ack, err);
}

enum wh_rc emit_state(struct fetcher *f, struct wh_slice connection, struct wh_slice project,
                      struct wh_slice key, struct wh_slice json, struct ack *ack,
                      struct wh_err *err)
{
    return emit(f, WH_DOCUMENT_FETCH_STATE, f->state_topic,
                share_partition(connection, project, f->share.partitions), key, connection, json,
                ack, err);
}

enum wh_rc emit_state_everywhere(struct fetcher *f, struct wh_slice connection, struct wh_slice key,
                                 struct wh_slice json, bool own, struct wh_err *err)
{
    for (int32_t p = 0; p < f->share.partitions; p++) {
        if ((own || !share_works_on(&f->share, p)) &&
            emit(f, WH_DOCUMENT_FETCH_STATE, f->state_topic, p, key, connection, json, NULL, err) !=
                WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}
