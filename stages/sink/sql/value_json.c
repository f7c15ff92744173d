#include "stages/sink/sql/value_json.h"

#include <math.h>

#include "common/base/enc.h"
#include "common/base/mem.h"

enum { BLOB_TEXT_MAX_BYTES = 64 << 20 };

static void write_blob(struct wh_json_writer *w, struct wh_slice bytes)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;

    wh_buf_init(&text, BLOB_TEXT_MAX_BYTES);
    wh_jw_object(w);
    wh_jw_key(w, "$base64");
    wh_jw_bool(w, true);
    wh_jw_key(w, "encoded");
    if (wh_base64_encode(bytes, &text, &err) == WH_OK) {
        wh_jw_str(w, wh_buf_slice(&text));
    } else {
        wh_jw_null(w);
    }
    wh_jw_end(w);
}

void sql_value_json(struct wh_json_writer *w, const struct sql_value *v, enum sql_shape shape)
{
    switch (v->type) {
    case SQL_INT:
        if (shape == SQL_SHAPE_BOOL) {
            wh_jw_bool(w, v->i != 0);
        } else {
            wh_jw_int(w, v->i);
        }
        break;
    case SQL_DOUBLE:
        if (isfinite(v->num)) {
            wh_jw_double(w, v->num);
        } else {
            wh_jw_null(w);
        }
        break;
    case SQL_TEXT:
        if (shape == SQL_SHAPE_JSON) {
            wh_jw_raw(w, v->bytes);
        } else {
            wh_jw_str(w, v->bytes);
        }
        break;
    case SQL_BLOB:
        write_blob(w, v->bytes);
        break;
    case SQL_NULL:
    default:
        wh_jw_null(w);
        break;
    }
}
