#include "cli/out/value.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/json/json_write.h"

static void append_int(struct wh_buf *out, int64_t value)
{
    struct wh_err err;

    (void)!wh_buf_printf(out, &err, "%" PRId64, value);
}

/* As JSON writes it: with as many digits as tell it from its neighbours. */
static void append_double(struct wh_buf *out, double value)
{
    struct wh_json_writer w;
    struct wh_err err;

    wh_json_writer_init(&w, out);
    wh_jw_double(&w, value);
    (void)!wh_jw_finish(&w, &err);
}

void cli_value_text(struct wh_json_val v, struct wh_buf *out)
{
    struct wh_json_iter it;
    struct wh_json_val item;
    struct wh_slice key;
    struct wh_err err;
    bool first = true;

    switch (wh_json_type(v)) {
    case WH_JSON_NULL:
        break;
    case WH_JSON_BOOL:
        (void)!wh_buf_append(out, wh_json_bool(v) ? WH_LIT("true") : WH_LIT("false"), &err);
        break;
    case WH_JSON_INT:
        append_int(out, wh_json_int(v));
        break;
    case WH_JSON_UINT:
    case WH_JSON_DOUBLE:
        append_double(out, wh_json_double(v));
        break;
    case WH_JSON_STRING:
        (void)!wh_buf_append(out, wh_json_string(v), &err);
        break;
    case WH_JSON_ARRAY:
    case WH_JSON_OBJECT:
    default:
        /* One level is enough for people; --json has all. */
        for (it = wh_json_iter(v); wh_json_next(&it, &key, &item); first = false) {
            enum wh_json_type type = wh_json_type(item);

            (void)!wh_buf_append(out, first ? WH_LIT("") : WH_LIT(", "), &err);
            if (type == WH_JSON_STRING) {
                (void)!wh_buf_append(out, wh_json_string(item), &err);
            } else if (type == WH_JSON_INT) {
                append_int(out, wh_json_int(item));
            }
        }
        break;
    }
}

double cli_get_num(struct wh_json_val object, const char *key, double otherwise)
{
    struct wh_json_val v;

    if (!wh_json_get(object, wh_slice_str(key), &v) || wh_json_type(v) < WH_JSON_INT ||
        wh_json_type(v) > WH_JSON_DOUBLE) {
        return otherwise;
    }
    return wh_json_double(v);
}

const char *cli_seconds(double seconds, char text[32])
{
    /* Tenths of a millisecond are enough, and a year is long enough. */
    double clamped = seconds < 0 ? 0 : seconds > 3.2e7 ? 3.2e7 : seconds;
    unsigned tenths = (unsigned)(clamped < 1 ? clamped * 10000 + 0.5 : clamped * 10 + 0.5);

    if (clamped < 1) {
        (void)snprintf(text, 32, "%u.%u ms", tenths / 10, tenths % 10);
    } else if (clamped < 120) {
        (void)snprintf(text, 32, "%u.%u s", tenths / 10, tenths % 10);
    } else {
        (void)snprintf(text, 32, "%u min", tenths / 600);
    }
    return text;
}

size_t cli_count(struct wh_json_val container)
{
    struct wh_json_iter it = wh_json_iter(container);
    struct wh_json_val item;
    struct wh_slice key;
    size_t n = 0;

    while (wh_json_next(&it, &key, &item)) {
        n++;
    }
    return n;
}
