#include "stages/sink/ask/when.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/time.h"

static const char *const weekdays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

const char *ask_day_text(int64_t day, char text[ASK_DAY_TEXT])
{
    int year;
    int month;
    int number;

    wh_date_of_days(day, &year, &month, &number);
    (void)snprintf(text, ASK_DAY_TEXT, "%s, %d %s %d", weekdays[((day + 3) % 7 + 7) % 7], number,
                   months[month - 1], year);
    return text;
}

const char *ask_clock_text(struct wh_zone zone, int64_t ms, char text[ASK_DAY_TEXT])
{
    int64_t local_ms = ms + (int64_t)wh_zone_offset(zone, ms) * 1000;
    int64_t minutes = ((local_ms / 60000) % 1440 + 1440) % 1440;

    (void)snprintf(text, ASK_DAY_TEXT, "%02d:%02d", (int)(minutes / 60), (int)(minutes % 60));
    return text;
}

static enum wh_rc say_days(const struct ask_interval *i, struct wh_zone zone, struct wh_buf *out,
                           struct wh_err *err)
{
    char first[ASK_DAY_TEXT];
    char last[ASK_DAY_TEXT];
    char from[ASK_DAY_TEXT];
    char to[ASK_DAY_TEXT];

    (void)ask_day_text(i->first_day, first);
    (void)ask_day_text(i->last_day, last);
    if (i->from_ms == INT64_MIN) {
        return wh_buf_printf(out, err, " until %s", last);
    }
    if (i->to_ms == INT64_MAX) {
        return wh_buf_printf(out, err, " from %s on", first);
    }
    if (i->from_ms != wh_zone_day_begin(zone, i->first_day)) {
        return wh_buf_printf(out, err, " from %s, %s, to %s, %s", first,
                             ask_clock_text(zone, i->from_ms, from), last,
                             ask_clock_text(zone, i->to_ms - 1, to));
    }
    return i->first_day == i->last_day ? wh_buf_printf(out, err, " on %s", first)
                                       : wh_buf_printf(out, err, " from %s to %s", first, last);
}

enum wh_rc ask_say_interval(const struct ask_interval *i, struct wh_zone zone,
                            struct wh_slice zone_name, struct wh_buf *out, struct wh_err *err)
{
    return say_days(i, zone, out, err) == WH_OK
               ? wh_buf_printf(out, err, " (%.*s)", WH_SLICE_ARG(zone_name))
               : err->rc;
}

enum wh_rc ask_say_length(int64_t seconds, struct wh_buf *out, struct wh_err *err)
{
    int64_t minutes = seconds / 60;

    if (minutes >= 1440) {
        return wh_buf_printf(out, err, "%" PRId64 " d %" PRId64 " h", minutes / 1440,
                             minutes % 1440 / 60);
    }
    if (minutes >= 60) {
        return wh_buf_printf(out, err, "%" PRId64 " h %" PRId64 " min", minutes / 60, minutes % 60);
    }
    return minutes > 0 ? wh_buf_printf(out, err, "%" PRId64 " min", minutes)
                       : wh_buf_printf(out, err, "%" PRId64 " s", seconds);
}
