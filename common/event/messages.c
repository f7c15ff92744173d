#include "common/event/messages.h"

#include "common/avro/schemas.h"
#include "common/avro/wire.h"

enum wh_rc wh_dead_letter_encode(const struct wh_dead_letter *d, struct wh_buf *out,
                                 struct wh_err *err)
{
    struct wh_avro_writer w;

    if (wh_frame_write(WH_SCHEMA_DEAD_LETTER, out, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_writer_init(&w, out, err);
    wh_avro_write_bytes(&w, d->connection);
    wh_avro_write_bytes(&w, d->stage);
    wh_avro_write_bytes(&w, d->class_);
    wh_avro_write_bytes(&w, d->code);
    wh_avro_write_bytes(&w, d->text);
    wh_avro_write_bytes(&w, d->topic);
    wh_avro_write_long(&w, d->partition);
    wh_avro_write_long(&w, d->offset);
    wh_avro_write_long(&w, d->attempt);
    wh_avro_write_long(&w, d->at_ms);
    wh_avro_write_bytes(&w, d->key);
    wh_avro_write_bytes(&w, d->value);
    return w.rc;
}

enum wh_rc wh_dead_letter_decode(struct wh_slice bytes, struct wh_dead_letter *ret,
                                 struct wh_err *err)
{
    struct wh_dead_letter d;
    struct wh_avro_reader r;
    struct wh_slice body;
    int version;

    if (wh_frame_read(bytes, WH_SCHEMA_DEAD_LETTER, &version, &body, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_reader_init(&r, body);
    d.connection = wh_avro_read_text(&r);
    d.stage = wh_avro_read_text(&r);
    d.class_ = wh_avro_read_text(&r);
    d.code = wh_avro_read_text(&r);
    d.text = wh_avro_read_text(&r);
    d.topic = wh_avro_read_text(&r);
    d.partition = wh_avro_read_int(&r);
    d.offset = wh_avro_read_long(&r);
    d.attempt = wh_avro_read_int(&r);
    d.at_ms = wh_avro_read_long(&r);
    d.key = wh_avro_read_bytes(&r);
    d.value = wh_avro_read_bytes(&r);
    if (wh_avro_reader_end(&r, err) != WH_OK) {
        return wh_err_prefix(err, "dead letter");
    }
    *ret = d;
    return WH_OK;
}

enum wh_rc wh_reread_encode(const struct wh_reread *q, struct wh_buf *out, struct wh_err *err)
{
    struct wh_avro_writer w;

    if (wh_frame_write(WH_SCHEMA_REREAD, out, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_writer_init(&w, out, err);
    wh_avro_write_bytes(&w, q->connection);
    wh_avro_write_bytes(&w, q->kind);
    wh_avro_write_bytes(&w, q->project);
    wh_avro_write_bytes(&w, q->id);
    wh_avro_write_bytes(&w, q->reason);
    wh_avro_write_long(&w, q->asked_at_ms);
    return w.rc;
}

enum wh_rc wh_reread_decode(struct wh_slice bytes, struct wh_reread *ret, struct wh_err *err)
{
    struct wh_reread q;
    struct wh_avro_reader r;
    struct wh_slice body;
    int version;

    if (wh_frame_read(bytes, WH_SCHEMA_REREAD, &version, &body, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_reader_init(&r, body);
    q.connection = wh_avro_read_text(&r);
    q.kind = wh_avro_read_text(&r);
    q.project = wh_avro_read_text(&r);
    q.id = wh_avro_read_text(&r);
    q.reason = wh_avro_read_text(&r);
    q.asked_at_ms = wh_avro_read_long(&r);
    if (wh_avro_reader_end(&r, err) != WH_OK) {
        return wh_err_prefix(err, "reread");
    }
    *ret = q;
    return WH_OK;
}

static const enum wh_schema document_schemas[] = {WH_SCHEMA_CONNECTION, WH_SCHEMA_FETCH_STATE,
                                                  WH_SCHEMA_RUN, WH_SCHEMA_HEALTH,
                                                  WH_SCHEMA_DECISION};

enum { DOCUMENT_SCHEMAS = sizeof(document_schemas) / sizeof(document_schemas[0]) };

enum wh_rc wh_document_encode(enum wh_document_schema schema, const struct wh_document *d,
                              struct wh_buf *out, struct wh_err *err)
{
    struct wh_avro_writer w;

    if (wh_frame_write(document_schemas[schema], out, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_writer_init(&w, out, err);
    wh_avro_write_bytes(&w, d->connection);
    wh_avro_write_bytes(&w, d->key);
    wh_avro_write_long(&w, d->at_ms);
    wh_avro_write_bytes(&w, d->document);
    return w.rc;
}

enum wh_rc wh_document_decode(struct wh_slice bytes, struct wh_document *ret, struct wh_err *err)
{
    struct wh_avro_reader r;
    struct wh_document d;
    struct wh_slice body = {0};
    int version;
    enum wh_rc rc = WH_E_TYPE;

    /* The document schemas have the same fields, so try each. */
    for (unsigned i = 0; rc == WH_E_TYPE && i < DOCUMENT_SCHEMAS; i++) {
        rc = wh_frame_read(bytes, document_schemas[i], &version, &body, err);
    }
    if (rc != WH_OK) {
        return rc;
    }
    wh_avro_reader_init(&r, body);
    d.connection = wh_avro_read_text(&r);
    d.key = wh_avro_read_text(&r);
    d.at_ms = wh_avro_read_long(&r);
    d.document = wh_avro_read_text(&r);
    if (wh_avro_reader_end(&r, err) != WH_OK) {
        return wh_err_prefix(err, "document");
    }
    *ret = d;
    return WH_OK;
}
