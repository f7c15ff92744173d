/* Texts of filters as values: numbers, booleans, and times, which may be relative. */
#include <stdlib.h>

#include "common/base/num.h"
#include "stages/sink/api/lists/list_priv.h"

enum { DAY_MS = 86400000, DATE_LEN = 10, NUMBER_MAX = 40 };

/* ---- times ---- */

static const struct {
    const char *name;
    int64_t ms;
} units[] = {
    {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", DAY_MS}, {"w", INT64_C(7) * DAY_MS}};

/* "-7d" */
static bool ago(int64_t now_ms, struct wh_slice text, int64_t *ret_ms)
{
    struct wh_err ignored;
    size_t digits = 1;
    int64_t n = 0;

    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') {
        digits++;
    }
    if (text.len < 3 || text.ptr[0] != '-' || digits > 6 ||
        wh_num_i64(wh_slice(text.ptr + 1, digits - 1), &n, &ignored) != WH_OK) {
        return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (wh_slice_eq(wh_slice_from(text, digits), wh_slice_str(units[i].name))) {
            *ret_ms = now_ms - n * units[i].ms;
            return true;
        }
    }
    return false;
}

static bool relative_day(struct wh_zone zone, int64_t now_ms, struct wh_slice text,
                         int64_t *ret_day)
{
    bool yesterday = wh_slice_eq(text, WH_LIT("yesterday"));

    if (!yesterday && !wh_slice_eq(text, WH_LIT("today"))) {
        return false;
    }
    *ret_day = wh_zone_day(zone, now_ms) - yesterday;
    return true;
}

static bool relative(struct wh_zone zone, int64_t now_ms, struct wh_slice text, int64_t *ret_ms)
{
    int64_t day;

    if (wh_slice_eq(text, WH_LIT("now"))) {
        *ret_ms = now_ms;
        return true;
    }
    if (relative_day(zone, now_ms, text, &day)) {
        *ret_ms = wh_zone_day_begin(zone, day);
        return true;
    }
    return ago(now_ms, text, ret_ms);
}

bool api_list_relative(const struct api_list *l, struct wh_slice text, int64_t *ret_ms)
{
    return relative(l->zone, l->now_ms, text, ret_ms);
}

static bool is_date(struct wh_slice text, int64_t *ret_day)
{
    if (text.len != DATE_LEN || !wh_date_valid(text)) {
        return false;
    }
    *ret_day = wh_date_days((int)strtol(text.ptr, NULL, 10), (int)strtol(text.ptr + 5, NULL, 10),
                            (int)strtol(text.ptr + 8, NULL, 10));
    return true;
}

bool api_time_of(struct wh_zone zone, int64_t now_ms, struct wh_slice text, bool *ret_moves,
                 int64_t *ret_ms)
{
    struct wh_instant at;
    struct wh_err ignored;
    int64_t day;

    *ret_moves = relative(zone, now_ms, text, ret_ms);
    if (*ret_moves) {
        return true;
    }
    if (is_date(text, &day)) {
        *ret_ms = wh_zone_day_begin(zone, day);
        return true;
    }
    if (wh_time_parse(text, &at, &ignored) != WH_OK) {
        return false;
    }
    *ret_ms = at.ms;
    return true;
}

enum wh_rc api_list_day(struct api_list *l, struct wh_slice text, int64_t *ret_day,
                        struct wh_err *err)
{
    return relative_day(l->zone, l->now_ms, text, ret_day) || is_date(text, ret_day)
               ? WH_OK
               : wh_fail(err, WH_E_INVALID,
                         "a day is a date, as in 2026-11-24, today or yesterday");
}

enum wh_rc api_list_time(struct api_list *l, int64_t ms, struct wh_slice *ret, struct wh_err *err)
{
    char text[WH_TIME_TEXT_MAX];

    return wh_arena_dup(&l->job->arena, wh_slice_str(wh_time_format(ms, text)), ret, err);
}

static enum wh_rc time_value(struct api_list *l, const struct sql_column *column,
                             struct wh_slice text, struct sql_value *ret,
                             struct wh_slice *ret_frozen, struct wh_err *err)
{
    bool moves;
    int64_t ms;

    if (!api_time_of(l->zone, l->now_ms, text, &moves, &ms)) {
        return wh_fail(err, WH_E_INVALID,
                       "%s is a time: 2026-11-24, 2026-11-24T10:00:00Z, today or -7d",
                       column->name);
    }
    if (api_list_time(l, ms, &ret->bytes, err) != WH_OK) {
        return err->rc;
    }
    if (moves) {
        l->relative = true;
        *ret_frozen = ret->bytes;
    }
    return WH_OK;
}

/* ---- numbers ---- */

static enum wh_rc number_value(const struct sql_column *column, struct wh_slice text,
                               struct sql_value *ret, struct wh_err *err)
{
    char copy[NUMBER_MAX + 1];
    struct wh_err ignored;
    char *end = NULL;

    if (wh_num_i64(text, &ret->i, &ignored) == WH_OK) {
        ret->type = SQL_INT;
        return WH_OK;
    }
    if (text.len > 0 && text.len <= NUMBER_MAX && text.ptr[0] > ' ') {
        memcpy(copy, text.ptr, text.len);
        copy[text.len] = 0;
        ret->type = SQL_DOUBLE;
        ret->num = strtod(copy, &end);
    }
    return end == copy + text.len && end && strspn(copy, "+-.0123456789eE") == text.len
               ? WH_OK
               : wh_fail(err, WH_E_INVALID, "%s is a number", column->name);
}

static enum wh_rc bool_value(const struct sql_column *column, struct wh_slice text,
                             struct sql_value *ret, struct wh_err *err)
{
    bool yes = wh_slice_eq(text, WH_LIT("true")) || wh_slice_eq(text, WH_LIT("1"));

    if (!yes && !wh_slice_eq(text, WH_LIT("false")) && !wh_slice_eq(text, WH_LIT("0"))) {
        return wh_fail(err, WH_E_INVALID, "%s is true or false", column->name);
    }
    *ret = (struct sql_value){.type = SQL_INT, .i = yes};
    return WH_OK;
}

enum wh_rc api_list_value(struct api_list *l, const struct sql_column *column, struct wh_slice text,
                          struct sql_value *ret, struct wh_slice *ret_frozen, struct wh_err *err)
{
    *ret_frozen = (struct wh_slice){NULL, 0};
    *ret = (struct sql_value){.type = SQL_TEXT, .bytes = text};
    switch (column->shape) {
    case SQL_SHAPE_BOOL:
        return bool_value(column, text, ret, err);
    case SQL_SHAPE_TIME:
        return time_value(l, column, text, ret, ret_frozen, err);
    case SQL_SHAPE_JSON:
        return WH_OK;
    case SQL_SHAPE_PLAIN:
    default:
        return strcmp(column->type, "TEXT") == 0 ? WH_OK : number_value(column, text, ret, err);
    }
}
