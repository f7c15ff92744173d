#include "stages/fetcher/outbox/record.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/event/run_id.h"

#define TYPE_BEFORE "com.gitlab."
#define TYPE_AFTER ".observed"

enum {
    KIND_MAX = 64,
    ENCODED_OVERHEAD = 160, /* frame, lengths and numbers of an encoded value */
    ID_OVERHEAD = 48,       /* the run behind a path */
    KEY_OVERHEAD = 16,
};

/* ---- building: the texts are appended one by one, in the order of the enum ---- */

struct builder {
    struct wh_buf bytes; /* reserved at once: slices of it stay valid while more is appended */
    uint32_t len[OUTBOX_TEXTS];
    size_t begun; /* where the text at hand begins */
};

static enum wh_rc begin(struct builder *b, size_t text_bytes, struct wh_err *err)
{
    *b = (struct builder){.begun = sizeof(struct outbox_record)};
    if (text_bytes > OUTBOX_RECORD_MAX_BYTES) {
        return wh_fail(err, WH_E_TOO_LARGE, "a record of %zu bytes is too large", text_bytes);
    }
    wh_buf_init(&b->bytes, sizeof(struct outbox_record) + text_bytes);
    if (wh_buf_reserve(&b->bytes, b->bytes.max, err) != WH_OK) {
        return err->rc;
    }
    b->bytes.len = sizeof(struct outbox_record);
    return WH_OK;
}

static void end_text(struct builder *b, enum outbox_text text)
{
    b->len[text] = (uint32_t)(b->bytes.len - b->begun);
    b->begun = b->bytes.len;
}

static enum wh_rc add(struct builder *b, enum outbox_text text, struct wh_slice bytes,
                      struct wh_err *err)
{
    if (wh_buf_append(&b->bytes, bytes, err) != WH_OK) {
        return err->rc;
    }
    end_text(b, text);
    return WH_OK;
}

static enum wh_rc add_topic(struct builder *b, const char *topic, struct wh_err *err)
{
    return add(b, OUTBOX_TOPIC, wh_slice(topic, strlen(topic) + 1), err);
}

static struct outbox_record *end(struct builder *b, int32_t partition)
{
    size_t len;
    struct outbox_record *r = (struct outbox_record *)(void *)wh_buf_take(&b->bytes, &len);

    *r = (struct outbox_record){.partition = partition};
    memcpy(r->len, b->len, sizeof(r->len));
    return r;
}

/* ---- rows ---- */

static size_t row_bytes(const struct outbox_row *row)
{
    size_t id = row->path.len + ID_OVERHEAD;
    size_t key = row->kind.len + row->project.len + row->object_id.len + KEY_OVERHEAD;
    size_t headers = sizeof(TYPE_BEFORE) + KIND_MAX + sizeof(TYPE_AFTER) + row->instance.len +
                     row->object_id.len + id;
    size_t value = ENCODED_OVERHEAD + row->connection.len + row->instance.len + row->kind.len +
                   row->project.len + row->object_id.len + id + row->payload.len;

    return strlen(row->topic) + 1 + key + headers + value;
}

/* "com.gitlab.<kind>.observed" */
static enum wh_rc add_type(struct builder *b, struct wh_slice kind, struct wh_err *err)
{
    if (wh_buf_append(&b->bytes, WH_LIT(TYPE_BEFORE), err) != WH_OK ||
        wh_buf_append(&b->bytes, kind, err) != WH_OK ||
        wh_buf_append(&b->bytes, WH_LIT(TYPE_AFTER), err) != WH_OK) {
        return err->rc;
    }
    end_text(b, OUTBOX_TYPE);
    return WH_OK;
}

static enum wh_rc add_id(struct builder *b, const struct outbox_row *row,
                         struct wh_raw_event *event, struct wh_err *err)
{
    if (wh_run_id_write(row->path, row->run, &b->bytes, err) != WH_OK) {
        return err->rc;
    }
    event->delivery_id = wh_slice(b->bytes.ptr + b->begun, b->bytes.len - b->begun);
    end_text(b, OUTBOX_ID);
    return WH_OK;
}

static enum wh_rc build_row(struct builder *b, const struct outbox_row *row,
                            struct wh_raw_event *event, struct wh_err *err)
{
    if (row->kind.len > KIND_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "the name of a kind is too long");
    }
    if (add_topic(b, row->topic, err) != WH_OK ||
        wh_raw_event_key(event, &b->bytes, err) != WH_OK) {
        return err->rc;
    }
    end_text(b, OUTBOX_KEY);
    if (add_type(b, row->kind, err) != WH_OK ||
        add(b, OUTBOX_SOURCE, row->instance, err) != WH_OK || add_id(b, row, event, err) != WH_OK ||
        add(b, OUTBOX_SUBJECT, row->object_id, err) != WH_OK ||
        wh_raw_event_encode(event, &b->bytes, err) != WH_OK) {
        return err->rc;
    }
    end_text(b, OUTBOX_VALUE);
    return WH_OK;
}

enum wh_rc outbox_record_row(const struct outbox_row *row, int64_t now_ms,
                             struct outbox_record **ret, struct wh_err *err)
{
    struct wh_raw_event event = {
        .connection = row->connection,
        .instance = row->instance,
        .origin = row->origin,
        .kind = row->kind,
        .project = row->project,
        .object_id = row->object_id,
        .observed_at_ms = now_ms,
        .payload = row->payload,
    };
    struct builder b;

    if (begin(&b, row_bytes(row), err) != WH_OK || build_row(&b, row, &event, err) != WH_OK) {
        wh_buf_done(&b.bytes);
        return err->rc;
    }
    *ret = end(&b, -1);
    (*ret)->is_row = true;
    return WH_OK;
}

/* ---- documents ---- */

static enum wh_rc build_document(struct builder *b, const struct outbox_document *doc,
                                 int64_t now_ms, struct wh_err *err)
{
    const struct wh_document full = {
        .connection = doc->connection,
        .key = doc->key,
        .at_ms = now_ms,
        .document = doc->json,
    };

    if (add_topic(b, doc->topic, err) != WH_OK || add(b, OUTBOX_KEY, doc->key, err) != WH_OK ||
        (doc->json.len && wh_document_encode(doc->schema, &full, &b->bytes, err) != WH_OK)) {
        return err->rc;
    }
    end_text(b, OUTBOX_VALUE);
    return WH_OK;
}

enum wh_rc outbox_record_document(const struct outbox_document *doc, int32_t partition,
                                  int64_t now_ms, struct outbox_record **ret, struct wh_err *err)
{
    size_t bytes = strlen(doc->topic) + 1 + doc->key.len + ENCODED_OVERHEAD + doc->connection.len +
                   doc->key.len + doc->json.len;
    struct builder b;

    if (begin(&b, bytes, err) != WH_OK || build_document(&b, doc, now_ms, err) != WH_OK) {
        wh_buf_done(&b.bytes);
        return err->rc;
    }
    *ret = end(&b, partition);
    return WH_OK;
}

/* ---- the finished record ---- */

static struct wh_slice text_of(const struct outbox_record *r, enum outbox_text text)
{
    const char *at = (const char *)(r + 1);

    for (unsigned i = 0; i < (unsigned)text; i++) {
        at += r->len[i];
    }
    return wh_slice(at, r->len[text]);
}

const char *outbox_record_topic(const struct outbox_record *r)
{
    return text_of(r, OUTBOX_TOPIC).ptr;
}

enum wh_rc outbox_record_produce(struct outbox_record *r, struct wh_producer *producer,
                                 struct wh_err *err)
{
    const struct wh_bus_header headers[] = {
        {WH_LIT("ce_specversion"), WH_LIT("1.0")},
        {WH_LIT("ce_type"), text_of(r, OUTBOX_TYPE)},
        {WH_LIT("ce_source"), text_of(r, OUTBOX_SOURCE)},
        {WH_LIT("ce_id"), text_of(r, OUTBOX_ID)},
        {WH_LIT("ce_subject"), text_of(r, OUTBOX_SUBJECT)},
    };

    return wh_producer_produce(
        producer,
        &(struct wh_bus_record){.topic = outbox_record_topic(r),
                                .partition = r->partition,
                                .key = text_of(r, OUTBOX_KEY),
                                .value = r->len[OUTBOX_VALUE] ? text_of(r, OUTBOX_VALUE)
                                                              : wh_slice(NULL, 0),
                                .keep_value = true,
                                .headers = headers,
                                .n_headers = r->is_row ? sizeof(headers) / sizeof(headers[0]) : 0,
                                .ack = &r->produced},
        err);
}
