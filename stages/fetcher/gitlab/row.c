#include "stages/fetcher/gitlab/row.h"

static void number_text(int64_t n, char text[24])
{
    char digits[24];
    uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (n < 0) {
        digits[--at] = '-';
    }
    memcpy(text, digits + at, sizeof(digits) - at);
    text[sizeof(digits) - at] = '\0';
}

static void take_time(struct wh_json_val v, struct gitlab_row *row)
{
    struct wh_slice text = wh_json_string(v);
    struct wh_err err;

    row->has_update = wh_json_type(v) == WH_JSON_STRING && text.len < GITLAB_ROW_TIME_MAX &&
                      wh_time_parse(text, &row->at, &err) == WH_OK;
    row->updated_at = row->has_update ? text : wh_slice(NULL, 0);
}

void gitlab_row_read(struct wh_json_val value, struct gitlab_row *ret)
{
    struct wh_json_iter it = wh_json_iter(value);
    struct wh_json_val v;
    struct wh_slice key;
    unsigned missing = 3;

    *ret = (struct gitlab_row){0};
    while (missing && it.object && wh_json_next(&it, &key, &v)) {
        if (wh_slice_eq(key, WH_LIT("id"))) {
            missing--;
            ret->number = wh_json_int(v);
            if (wh_json_type(v) == WH_JSON_INT) {
                number_text(ret->number, ret->id);
            }
        } else if (wh_slice_eq(key, WH_LIT("iid"))) {
            missing--;
            if (wh_json_type(v) == WH_JSON_INT) {
                number_text(wh_json_int(v), ret->iid);
            }
        } else if (wh_slice_eq(key, WH_LIT("updated_at"))) {
            missing--;
            take_time(v, ret);
        }
    }
}
