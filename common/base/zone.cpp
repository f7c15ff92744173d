/* Time zones by cctz; the only file that includes it. */
#include <cctz/civil_time.h>
#include <cctz/time_zone.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <type_traits>

/* Our headers are C, and one of their parameters has the name of a C++ keyword. */
extern "C" {
#define class class_
#include "common/base/err.h"
#undef class
}
#include "common/base/zone.h"

/* A zone is a pointer to data that cctz keeps for good. */
static_assert(sizeof(cctz::time_zone) == sizeof(struct wh_zone), "a zone is one pointer");
static_assert(std::is_trivially_copyable<cctz::time_zone>::value, "a zone can be copied as bytes");

namespace
{

using seconds = std::chrono::duration<std::int_fast64_t>;
using instant = cctz::time_point<seconds>;

enum { NAME_MAX_BYTES = 64, PATH_BYTES = 256 };

cctz::time_zone zone_of(struct wh_zone zone)
{
    cctz::time_zone ret;

    std::memcpy(static_cast<void *>(&ret), &zone, sizeof(zone));
    return ret;
}

struct wh_zone from_zone(const cctz::time_zone &zone)
{
    struct wh_zone ret;

    std::memcpy(&ret, static_cast<const void *>(&zone), sizeof(ret));
    return ret;
}

int64_t floor_to(int64_t value, int64_t unit)
{
    int64_t rest = value % unit;

    return value - (rest < 0 ? rest + unit : rest);
}

instant at_second(int64_t ms)
{
    return instant(seconds(floor_to(ms, 1000) / 1000));
}

bool is_name(struct wh_slice name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES || name.ptr[0] == '/') {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!letter && c != '_' && c != '-' && c != '+' && c != '/') {
            return false;
        }
    }
    return true;
}

/* cctz remembers every name that it is asked for, also those without a file. */
bool has_file(const std::string &name)
{
    char path[PATH_BYTES];

    (void)std::snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name.c_str());
    return access(path, R_OK) == 0;
}

/* Skipped: the clock goes from before midnight to `trans`. Repeated: the first of the two. */
int64_t begin_of(const cctz::time_zone &tz, const cctz::civil_day &day)
{
    cctz::time_zone::civil_lookup midnight = tz.lookup(cctz::civil_second(day));

    return (midnight.kind == cctz::time_zone::civil_lookup::SKIPPED ? midnight.trans : midnight.pre)
               .time_since_epoch()
               .count() *
           1000;
}

cctz::civil_day first_day(enum wh_zone_unit unit, const cctz::civil_second &local)
{
    cctz::civil_day day(local);

    switch (unit) {
    case WH_ZONE_WEEK:
        return cctz::prev_weekday(day + 1, cctz::weekday::monday);
    case WH_ZONE_MONTH:
        return cctz::civil_day(cctz::civil_month(day));
    case WH_ZONE_QUARTER:
        return cctz::civil_day(day.year(), (day.month() - 1) / 3 * 3 + 1, 1);
    case WH_ZONE_YEAR:
        return cctz::civil_day(cctz::civil_year(day));
    case WH_ZONE_SECOND:
    case WH_ZONE_MINUTE:
    case WH_ZONE_HOUR:
    case WH_ZONE_DAY:
    default:
        return day;
    }
}

} // namespace

enum wh_rc wh_zone_find(struct wh_slice name, struct wh_zone *ret, struct wh_err *err)
{
    cctz::time_zone zone;
    std::string text(name.len <= NAME_MAX_BYTES ? name.ptr : "",
                     name.len <= NAME_MAX_BYTES ? name.len : 0);

    if (text == "UTC") {
        *ret = wh_zone_utc();
        return WH_OK;
    }
    if (!is_name(name) || !has_file(text) || !cctz::load_time_zone(text, &zone)) {
        return wh_fail(err, WH_E_INVALID,
                       "there is no time zone %s; names are as in Europe/Berlin, and UTC",
                       text.c_str());
    }
    *ret = from_zone(zone);
    return WH_OK;
}

struct wh_zone wh_zone_utc(void)
{
    return from_zone(cctz::utc_time_zone());
}

bool wh_zone_unit_parse(struct wh_slice name, enum wh_zone_unit *ret)
{
    static const char *const names[] = {"second", "minute", "hour",    "day",
                                        "week",   "month",  "quarter", "year"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (wh_slice_eq(name, wh_slice_str(names[i]))) {
            *ret = static_cast<enum wh_zone_unit>(i);
            return true;
        }
    }
    return false;
}

int wh_zone_offset(struct wh_zone zone, int64_t ms)
{
    return zone_of(zone).lookup(at_second(ms)).offset;
}

const char *wh_zone_abbr(struct wh_zone zone, int64_t ms, char ret[WH_ZONE_ABBR_MAX])
{
    (void)std::snprintf(ret, WH_ZONE_ABBR_MAX, "%s", zone_of(zone).lookup(at_second(ms)).abbr);
    return ret;
}

int64_t wh_zone_trunc(struct wh_zone zone, enum wh_zone_unit unit, int64_t ms)
{
    cctz::time_zone tz = zone_of(zone);
    cctz::time_zone::absolute_lookup at = tz.lookup(at_second(ms));

    if (unit <= WH_ZONE_HOUR) {
        int64_t offset_ms = static_cast<int64_t>(at.offset) * 1000;
        int64_t unit_ms = unit == WH_ZONE_SECOND ? 1000 : unit == WH_ZONE_MINUTE ? 60000 : 3600000;

        return floor_to(ms + offset_ms, unit_ms) - offset_ms;
    }
    return begin_of(tz, first_day(unit, at.cs));
}

int64_t wh_zone_day(struct wh_zone zone, int64_t ms)
{
    int64_t local_ms = ms + static_cast<int64_t>(wh_zone_offset(zone, ms)) * 1000;

    return floor_to(local_ms, 86400000) / 86400000;
}

int64_t wh_zone_day_begin(struct wh_zone zone, int64_t day)
{
    return begin_of(zone_of(zone), cctz::civil_day(1970, 1, 1) + day);
}
