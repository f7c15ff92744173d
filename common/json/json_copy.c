#include "common/json/json_copy.h"

static void write_scalar(struct wh_json_writer *w, struct wh_json_val v)
{
    switch (wh_json_type(v)) {
    case WH_JSON_BOOL:
        wh_jw_bool(w, wh_json_bool(v));
        break;
    case WH_JSON_INT:
        wh_jw_int(w, wh_json_int(v));
        break;
    case WH_JSON_UINT:
    case WH_JSON_DOUBLE:
        wh_jw_double(w, wh_json_double(v));
        break;
    case WH_JSON_STRING:
        wh_jw_str(w, wh_json_string(v));
        break;
    case WH_JSON_NULL:
    case WH_JSON_ARRAY:
    case WH_JSON_OBJECT:
    default:
        wh_jw_null(w);
        break;
    }
}

static bool is_container(struct wh_json_val v)
{
    return wh_json_type(v) == WH_JSON_ARRAY || wh_json_type(v) == WH_JSON_OBJECT;
}

static void open_container(struct wh_json_writer *w, struct wh_json_val v)
{
    if (wh_json_type(v) == WH_JSON_OBJECT) {
        wh_jw_object(w);
    } else {
        wh_jw_array(w);
    }
}

void wh_jw_value(struct wh_json_writer *w, struct wh_json_val v)
{
    struct wh_json_iter stack[WH_JSON_WRITE_DEPTH];
    struct wh_json_val item;
    struct wh_slice key;
    size_t n = 0;

    if (!is_container(v)) {
        write_scalar(w, v);
        return;
    }
    open_container(w, v);
    stack[n++] = wh_json_iter(v);
    while (n && w->err.rc == WH_OK) {
        if (!wh_json_next(&stack[n - 1], &key, &item)) {
            wh_jw_end(w);
            n--;
            continue;
        }
        if (stack[n - 1].object) {
            wh_jw_key_slice(w, key);
        }
        if (!is_container(item)) {
            write_scalar(w, item);
        } else if (n == WH_JSON_WRITE_DEPTH) {
            wh_jw_null(w);
            (void)wh_fail(&w->err, WH_E_TOO_DEEP, "a value is nested too deeply");
        } else {
            open_container(w, item);
            stack[n++] = wh_json_iter(item);
        }
    }
}
