/* Records of the fetcher into Kafka. */
#include <stdio.h>

#include "common/event/raw_event.h"
#include "stages/fetcher/fetcher.h"

enum { BUSY_WAIT_MS = 50, BUSY_TRIES = 600 };

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

enum wh_rc emit_row(struct conn *c, struct wh_slice kind, struct wh_slice project,
                    struct wh_slice object_id, struct wh_slice path, struct wh_slice payload,
                    struct ack *ack, struct wh_err *err)
{
    struct fetcher *f = c->fetcher;
    const struct wh_raw_event event = {
        .connection = wh_slice_str(c->id),
        .instance = wh_slice_str(c->instance),
        .origin = WH_ORIGIN_REST,
        .kind = kind,
        .project = project,
        .object_id = object_id,
        .observed_at_ms = wh_clock_now_ms(&f->deps.clock),
        .delivery_id = path,
        .payload = payload,
    };
    char type[96];
    int n = snprintf(type, sizeof(type), "com.gitlab.%.*s.observed", WH_SLICE_ARG(kind));
    const struct wh_bus_header headers[] = {
        {WH_LIT("ce_specversion"), WH_LIT("1.0")},
        {WH_LIT("ce_type"), wh_slice(type, n > 0 ? (size_t)n : 0)},
        {WH_LIT("ce_source"), wh_slice_str(c->instance)},
        {WH_LIT("ce_id"), path},
        {WH_LIT("ce_subject"), object_id},
    };

    wh_buf_reset(&f->scratch);
    wh_buf_reset(&f->key);
    if (wh_raw_event_encode(&event, &f->scratch, err) != WH_OK ||
        wh_raw_event_key(&event, &f->key, err) != WH_OK) {
        return err->rc;
    }
    return produce(f,
                   &(struct wh_bus_record){.topic = c->raw_topic,
                                           .partition = -1,
                                           .key = wh_buf_slice(&f->key),
                                           .value = wh_buf_slice(&f->scratch),
                                           .headers = headers,
                                           .n_headers = sizeof(headers) / sizeof(headers[0]),
                                           .opaque = ack},
                   err);
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
