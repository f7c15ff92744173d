#include "stages/sink/sql/field_json.h"

#include "common/base/time.h"

static void write_list(struct wh_json_writer *w, enum wh_field_type type, const struct wh_value *v)
{
    char text[WH_ENTITY_ID_TEXT + 1];
    size_t n = type == WH_FIELD_REFS ? v->u.refs.n : v->u.strs.n;

    wh_jw_array(w);
    for (size_t i = 0; i < n; i++) {
        wh_jw_str(w, type == WH_FIELD_REFS
                         ? wh_slice_str(wh_entity_id_format(&v->u.refs.items[i], text))
                         : v->u.strs.items[i]);
    }
    wh_jw_end(w);
}

void sql_field_json(struct wh_json_writer *w, enum wh_field_type type, const struct wh_value *v)
{
    char text[WH_TIME_TEXT_MAX + WH_ENTITY_ID_TEXT];

    if (v->is_null) {
        wh_jw_null(w);
        return;
    }
    switch (type) {
    case WH_FIELD_LONG:
        wh_jw_int(w, v->u.i);
        break;
    case WH_FIELD_DOUBLE:
        wh_jw_double(w, v->u.num);
        break;
    case WH_FIELD_BOOL:
        wh_jw_bool(w, v->u.b);
        break;
    case WH_FIELD_TIME:
        wh_jw_str(w, wh_slice_str(wh_time_format(v->u.i, text)));
        break;
    case WH_FIELD_REF:
        wh_jw_str(w, wh_slice_str(wh_entity_id_format(&v->u.ref, text)));
        break;
    case WH_FIELD_REFS:
    case WH_FIELD_STRINGS:
        write_list(w, type, v);
        break;
    case WH_FIELD_STRING:
    default:
        wh_jw_str(w, v->u.str);
        break;
    }
}
