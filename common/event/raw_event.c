#include "common/event/raw_event.h"

#include "common/avro/schemas.h"
#include "common/avro/wire.h"

enum wh_rc wh_raw_event_encode(const struct wh_raw_event *e, struct wh_buf *out, struct wh_err *err)
{
    struct wh_avro_writer w;

    if (wh_frame_write(WH_SCHEMA_RAW_EVENT, out, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_writer_init(&w, out, err);
    wh_avro_write_bytes(&w, e->connection);
    wh_avro_write_bytes(&w, e->instance);
    wh_avro_write_bytes(&w, wh_slice_str(wh_origin_name(e->origin)));
    wh_avro_write_bytes(&w, e->kind);
    wh_avro_write_bytes(&w, e->project);
    wh_avro_write_bytes(&w, e->object_id);
    wh_avro_write_long(&w, e->observed_at_ms);
    wh_avro_write_bytes(&w, e->delivery_id);
    if (e->n_headers) {
        wh_avro_write_long(&w, (int64_t)e->n_headers);
        for (size_t i = 0; i < e->n_headers; i++) {
            wh_avro_write_bytes(&w, e->headers[i].name);
            wh_avro_write_bytes(&w, e->headers[i].value);
        }
    }
    wh_avro_write_long(&w, 0);
    wh_avro_write_bytes(&w, e->payload);
    return w.rc;
}

static void read_headers(struct wh_avro_reader *r, struct wh_raw_header *headers, size_t *ret_n)
{
    size_t n = 0;
    size_t block;

    while ((block = wh_avro_read_block(r)) > 0) {
        for (; block > 0 && r->rc == WH_OK; block--) {
            if (n == WH_RAW_HEADERS_MAX) {
                wh_avro_fail(r, WH_E_TOO_LARGE, "a raw event has too many headers");
                return;
            }
            headers[n].name = wh_avro_read_text(r);
            headers[n].value = wh_avro_read_text(r);
            n++;
        }
    }
    *ret_n = n;
}

static void read_fields(struct wh_avro_reader *r, struct wh_raw_header *headers,
                        struct wh_raw_event *e)
{
    e->connection = wh_avro_read_text(r);
    e->instance = wh_avro_read_text(r);
    e->origin = wh_origin_parse(wh_avro_read_text(r));
    e->kind = wh_avro_read_text(r);
    e->project = wh_avro_read_text(r);
    e->object_id = wh_avro_read_text(r);
    e->observed_at_ms = wh_avro_read_long(r);
    e->delivery_id = wh_avro_read_text(r);
    read_headers(r, headers, &e->n_headers);
    e->headers = headers;
    e->payload = wh_avro_read_bytes(r);
    if (e->origin == WH_ORIGIN_COUNT) {
        wh_avro_fail(r, WH_E_INVALID, "a raw event has an unknown origin");
    }
}

enum wh_rc wh_raw_event_decode(struct wh_slice bytes, struct wh_arena *arena,
                               struct wh_raw_event *ret, struct wh_err *err)
{
    struct wh_raw_event e = {0};
    struct wh_avro_reader r;
    struct wh_slice body;
    void *headers;
    int version;

    if (wh_frame_read(bytes, WH_SCHEMA_RAW_EVENT, &version, &body, err) != WH_OK ||
        wh_arena_zalloc(arena, WH_RAW_HEADERS_MAX, sizeof(struct wh_raw_header), &headers, err) !=
            WH_OK) {
        return err->rc;
    }
    wh_avro_reader_init(&r, body);
    read_fields(&r, headers, &e);
    if (wh_avro_reader_end(&r, err) != WH_OK) {
        return wh_err_prefix(err, "raw event");
    }
    *ret = e;
    return WH_OK;
}

enum wh_rc wh_raw_event_key(const struct wh_raw_event *e, struct wh_buf *out, struct wh_err *err)
{
    const struct wh_slice parts[] = {e->kind, WH_LIT(":"), e->project, WH_LIT(":"), e->object_id};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (wh_buf_append(out, parts[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}
