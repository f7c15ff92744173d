#include "stages/mapper/shadow_text.h"

#include <inttypes.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

enum { TEXT_MAX = 200, BUF_MAX = 64 << 20 };

static enum wh_rc put_id(struct wh_buf *out, const struct wh_entity_id *id, struct wh_err *err)
{
    char text[WH_ENTITY_ID_TEXT + 1];

    return wh_buf_append(out, wh_slice_str(wh_entity_id_format(id, text)), err);
}

static enum wh_rc put_list(struct wh_buf *out, enum wh_field_type type, const struct wh_value *v,
                           struct wh_err *err)
{
    size_t n = type == WH_FIELD_REFS ? v->u.refs.n : v->u.strs.n;

    for (size_t i = 0; i < n; i++) {
        if (i && wh_buf_append(out, WH_LIT(", "), err) != WH_OK) {
            return err->rc;
        }
        if ((type == WH_FIELD_REFS ? put_id(out, &v->u.refs.items[i], err)
                                   : wh_buf_append(out, v->u.strs.items[i], err)) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc put_value(struct wh_buf *out, enum wh_field_type type, const struct wh_value *v,
                            struct wh_err *err)
{
    char time[WH_TIME_TEXT_MAX];

    if (v->is_null) {
        return wh_buf_append(out, WH_LIT("null"), err);
    }
    switch (type) {
    case WH_FIELD_STRING:
        return wh_buf_append(out, v->u.str, err);
    case WH_FIELD_LONG:
        return wh_buf_printf(out, err, "%" PRId64, v->u.i);
    case WH_FIELD_DOUBLE:
        return wh_buf_printf(out, err, "%.15g", v->u.num);
    case WH_FIELD_BOOL:
        return wh_buf_append(out, v->u.b ? WH_LIT("true") : WH_LIT("false"), err);
    case WH_FIELD_TIME:
        return wh_buf_append(out, wh_slice_str(wh_time_format(v->u.i, time)), err);
    case WH_FIELD_REF:
        return put_id(out, &v->u.ref, err);
    case WH_FIELD_STRINGS:
    case WH_FIELD_REFS:
    default:
        return put_list(out, type, v, err);
    }
}

char *shadow_text(enum wh_field_type type, const struct wh_value *v, uint64_t *ret_hash)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;
    size_t n;

    wh_buf_init(&text, BUF_MAX);
    if (put_value(&text, type, v, &err) != WH_OK) {
        return NULL;
    }
    *ret_hash = wh_hash64(wh_buf_slice(&text)) ^ v->is_null;
    n = text.len < TEXT_MAX ? text.len : TEXT_MAX;
    while (n < text.len && n > 0 && ((unsigned char)text.ptr[n] & 0xC0) == 0x80) {
        n--;
    }
    return wh_mem_dup(n ? text.ptr : "", n);
}
