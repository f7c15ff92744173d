/*
 * date_trunc(unit, time[, zone]) and local(time, zone). Times are texts as rows show them, or any form
 * that GitLab sends; a text that is no time gives NULL, as SQLite's date functions do.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/time.h"
#include "common/base/zone.h"
#include "stages/sink/sql/functions_priv.h"

enum { TIME_MAX_BYTES = 64 };

/* False: the result is set, to NULL or an error. */
static bool time_of(sqlite3_context *out, sqlite3_value *value, int64_t *ret_ms)
{
    struct wh_slice text = sql_value_text(value);
    struct wh_instant at;
    struct wh_err err;

    if (text.ptr == NULL || sql_function_begins(out, text.len) || text.len > TIME_MAX_BYTES ||
        wh_time_parse(text, &at, &err) != WH_OK) {
        return false;
    }
    *ret_ms = at.ms;
    return true;
}

/* A zone that is the same for all rows is looked up once. */
static bool zone_of(sqlite3_context *out, sqlite3_value **args, int i, struct wh_zone *ret)
{
    const struct wh_zone *kept = sqlite3_get_auxdata(out, i);
    struct wh_slice name = sql_value_text(args[i]);
    struct wh_zone *keep;
    struct wh_err err;

    if (kept) {
        *ret = *kept;
        return true;
    }
    if (name.ptr == NULL) {
        return false;
    }
    if (wh_zone_find(name, ret, &err) != WH_OK) {
        sqlite3_result_error(out, err.msg, -1);
        return false;
    }
    keep = wh_mem_alloc(sizeof(*keep));
    if (keep) {
        *keep = *ret;
        sqlite3_set_auxdata(out, i, keep, wh_mem_free);
    }
    return true;
}

static void date_trunc(sqlite3_context *out, int n, sqlite3_value **args)
{
    struct wh_zone zone = wh_zone_utc();
    struct wh_slice name = sql_value_text(args[0]);
    char text[WH_TIME_TEXT_MAX];
    enum wh_zone_unit unit;
    int64_t ms;

    if (name.ptr == NULL || (n == 3 && !zone_of(out, args, 2, &zone))) {
        return;
    }
    if (!wh_zone_unit_parse(name, &unit)) {
        sqlite3_result_error(out,
                             "date_trunc's first argument is 'second', 'minute', 'hour', 'day', "
                             "'week', 'month', 'quarter' or 'year'",
                             -1);
        return;
    }
    if (time_of(out, args[1], &ms)) {
        (void)wh_time_format(wh_zone_trunc(zone, unit, ms), text);
        sqlite3_result_text(out, text, -1, SQLITE_TRANSIENT);
    }
}

static void local(sqlite3_context *out, int n, sqlite3_value **args)
{
    char text[WH_TIME_TEXT_MAX + 16];
    struct wh_zone zone;
    int64_t ms;
    int offset;
    size_t len;

    (void)n;
    if (!zone_of(out, args, 1, &zone) || !time_of(out, args[0], &ms)) {
        return;
    }
    offset = wh_zone_offset(zone, ms);
    (void)wh_time_format(ms + (int64_t)offset * 1000, text);
    len = strlen(text) - 1; /* without its Z */
    (void)sqlite3_snprintf((int)(sizeof(text) - len), text + len, "%c%02d:%02d",
                           offset < 0 ? '-' : '+', abs(offset) / 3600, abs(offset) / 60 % 60);
    sqlite3_result_text(out, text, -1, SQLITE_TRANSIENT);
}

int sql_time_functions_install(struct sql_conn *conn)
{
    int rc = sql_function_add(conn, "date_trunc", 2, date_trunc);

    rc = rc == SQLITE_OK ? sql_function_add(conn, "date_trunc", 3, date_trunc) : rc;
    return rc == SQLITE_OK ? sql_function_add(conn, "local", 2, local) : rc;
}
