#include "stages/sink/store/head.h"

#include "common/avro/wire.h"

enum { LENGTH_BYTES = 4, FLAG_DELETED = 1 };

enum wh_rc sql_head_flags(struct wh_slice bytes, struct wh_slice *ret_body, bool *ret_deleted,
                          struct wh_err *err)
{
    struct wh_slice body;
    struct wh_slice rest;

    if (wh_head_body(bytes, &body, err) != WH_OK) {
        return err->rc;
    }
    rest = wh_slice_from(bytes, LENGTH_BYTES + body.len);
    if (rest.len == 0) {
        return wh_fail(err, WH_E_CORRUPT, "a stored head is cut");
    }
    /* A long: zigzag, so that 1 is the byte 2. */
    *ret_deleted = rest.ptr[0] == 2 * FLAG_DELETED;
    *ret_body = body;
    return WH_OK;
}

static struct wh_version read_version(struct wh_avro_reader *r)
{
    struct wh_version v;

    v.order = (uint64_t)wh_avro_read_long(r);
    v.tie = (uint64_t)wh_avro_read_long(r);
    return v;
}

enum wh_rc sql_head_decode(struct wh_slice bytes, struct sql_head *ret, struct wh_err *err)
{
    struct wh_slice *source[] = {&ret->source.system,  &ret->source.instance, &ret->source.kind,
                                 &ret->source.project, &ret->source.id,       &ret->source.iid,
                                 &ret->source.url};
    struct wh_avro_reader r;

    if (wh_head_body(bytes, &ret->body, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_reader_init(&r, wh_slice_from(bytes, LENGTH_BYTES + ret->body.len));
    ret->deleted = wh_avro_read_long(&r) == FLAG_DELETED;
    for (size_t i = 0; i < sizeof(source) / sizeof(source[0]); i++) {
        *source[i] = wh_avro_read_bytes(&r);
    }
    ret->version = read_version(&r);
    ret->reason = wh_avro_read_bytes(&r);
    ret->deleted_version = read_version(&r);
    ret->first_seen_ms = wh_avro_read_long(&r);
    ret->last_seen_ms = wh_avro_read_long(&r);
    return r.rc == WH_OK ? WH_OK : wh_fail(err, WH_E_CORRUPT, "a stored head: %s", r.what);
}
