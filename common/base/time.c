#include "common/base/time.h"

#include <stdio.h>
#include <time.h>

enum { MS_PER_SECOND = 1000, SECONDS_PER_DAY = 86400, YEAR_MAX = 4147, MESSAGE_TEXT_MAX = 40 };

static int64_t real_now_ms(void *ctx)
{
    struct timespec ts;

    (void)ctx;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * MS_PER_SECOND + ts.tv_nsec / 1000000;
}

static int64_t real_mono_ns(void *ctx)
{
    struct timespec ts;

    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

struct wh_clock wh_clock_real(void)
{
    return (struct wh_clock){.now_ms = real_now_ms, .mono_ns = real_mono_ns, .ctx = NULL};
}

/*
 * Days since 1970-01-01 in the proleptic Gregorian calendar. Years start in March, so that the leap
 * day is the last day of its year and month lengths follow one linear formula.
 */
int64_t wh_date_days(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

void wh_date_of_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t mp = (5 * day_of_year + 2) / 153;

    *day = (int)(day_of_year - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2 ? 1 : 0));
}

int wh_date_days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* A reader over the text; a failed step does not advance it. */
struct cursor {
    const char *p;
    const char *end;
};

static bool digits(struct cursor *c, int n, int *ret)
{
    int value = 0;

    if (c->end - c->p < n) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        int digit = c->p[i] - '0';

        if (digit < 0 || digit > 9) {
            return false;
        }
        value = value * 10 + digit;
    }
    c->p += n;
    *ret = value;
    return true;
}

static bool literal(struct cursor *c, char want)
{
    if (c->p == c->end || *c->p != want) {
        return false;
    }
    c->p++;
    return true;
}

static bool read_date(struct cursor *c, int year_max, int64_t *ret_days)
{
    int year;
    int month;
    int day;

    if (!digits(c, 4, &year) || !literal(c, '-') || !digits(c, 2, &month) || !literal(c, '-') ||
        !digits(c, 2, &day)) {
        return false;
    }
    if (year < 1 || year > year_max || month < 1 || month > 12 || day < 1 ||
        day > wh_date_days_in_month(year, month)) {
        return false;
    }
    *ret_days = wh_date_days(year, month, day);
    return true;
}

/* Reads any number of digits; keeps milliseconds. */
static bool read_fraction(struct cursor *c, int *ret_ms)
{
    int ms = 0;
    int n = 0;

    while (c->p < c->end && *c->p >= '0' && *c->p <= '9') {
        if (n < 3) {
            ms = ms * 10 + (*c->p - '0');
        }
        n++;
        c->p++;
    }
    for (int i = n; i < 3; i++) {
        ms *= 10;
    }
    *ret_ms = ms;
    return n > 0;
}

static bool read_time(struct cursor *c, int64_t *ret_ms, bool *ret_fraction)
{
    int hour;
    int minute;
    int second = 0;
    int ms = 0;

    if (!digits(c, 2, &hour) || !literal(c, ':') || !digits(c, 2, &minute)) {
        return false;
    }
    if (literal(c, ':')) {
        if (!digits(c, 2, &second)) {
            return false;
        }
        if (literal(c, '.')) {
            *ret_fraction = true;
            if (!read_fraction(c, &ms)) {
                return false;
            }
        }
    }
    /* Second 60 is a leap second and maps to the next minute. */
    if (hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    *ret_ms = ((int64_t)hour * 3600 + (int64_t)minute * 60 + second) * MS_PER_SECOND + ms;
    return true;
}

static bool read_zone(struct cursor *c, int64_t *ret_offset_ms)
{
    bool plus;
    int hour;
    int minute;

    *ret_offset_ms = 0;
    if (c->p == c->end || literal(c, 'Z')) {
        return true;
    }
    if (c->end - c->p == 3 && memcmp(c->p, "UTC", 3) == 0) {
        c->p += 3;
        return true;
    }
    plus = literal(c, '+');
    if (!plus && !literal(c, '-')) {
        return false;
    }
    if (!digits(c, 2, &hour)) {
        return false;
    }
    (void)literal(c, ':');
    if (!digits(c, 2, &minute) || hour > 23 || minute > 59) {
        return false;
    }
    *ret_offset_ms = ((int64_t)hour * 60 + minute) * 60 * MS_PER_SECOND * (plus ? 1 : -1);
    return true;
}

/* A time zone or a leap second can move a valid date out of range. */
static bool in_range(int64_t ms)
{
    const int64_t day_ms = (int64_t)SECONDS_PER_DAY * MS_PER_SECOND;

    return ms >= wh_date_days(1, 1, 1) * day_ms && ms < wh_date_days(YEAR_MAX + 1, 1, 1) * day_ms;
}

bool wh_date_valid(struct wh_slice text)
{
    struct cursor c = {text.ptr, text.ptr ? text.ptr + text.len : NULL};
    int64_t days;

    return text.ptr != NULL && read_date(&c, 9999, &days) && c.p == c.end;
}

enum wh_rc wh_time_parse(struct wh_slice text, struct wh_instant *ret, struct wh_err *err)
{
    struct cursor c = {text.ptr, text.ptr ? text.ptr + text.len : NULL};
    int64_t days = 0;
    int64_t time_ms = 0;
    int64_t offset_ms = 0;
    struct wh_instant at;
    bool fraction = false;
    bool ok = text.ptr != NULL && read_date(&c, YEAR_MAX, &days);

    if (ok && c.p != c.end) {
        ok = (literal(&c, 'T') || literal(&c, ' ')) && read_time(&c, &time_ms, &fraction);
        if (ok) {
            (void)literal(&c, ' ');
            ok = read_zone(&c, &offset_ms);
        }
    }
    at.ms = days * SECONDS_PER_DAY * MS_PER_SECOND + time_ms - offset_ms;
    at.has_fraction = fraction;
    if (!ok || c.p != c.end || !in_range(at.ms)) {
        return wh_fail(err, WH_E_INVALID, "'%.*s' is not a date",
                       (int)(text.len < MESSAGE_TEXT_MAX ? text.len : MESSAGE_TEXT_MAX),
                       text.ptr ? text.ptr : "");
    }
    *ret = at;
    return WH_OK;
}

static void put_digits(char *to, size_t n, unsigned v)
{
    for (; n > 0; n--, v /= 10) {
        to[n - 1] = (char)('0' + v % 10);
    }
}

const char *wh_time_format(int64_t ms, char text[WH_TIME_TEXT_MAX])
{
    const int64_t day_ms = (int64_t)SECONDS_PER_DAY * MS_PER_SECOND;
    int64_t days = ms / day_ms;
    int64_t rest = ms % day_ms;
    int year;
    int month;
    int day;

    if (rest < 0) {
        rest += day_ms;
        days--;
    }
    /* RFC 3339 covers years 0..9999 only: clamp. */
    if (days < -719528) {
        days = -719528;
        rest = 0;
    } else if (days > 2932896) {
        days = 2932896;
        rest = day_ms - 1;
    }
    wh_date_of_days(days, &year, &month, &day);
    memcpy(text, "0000-00-00T00:00:00.000Z", sizeof("0000-00-00T00:00:00.000Z"));
    put_digits(text, 4, (unsigned)year);
    put_digits(text + 5, 2, (unsigned)month);
    put_digits(text + 8, 2, (unsigned)day);
    put_digits(text + 11, 2, (unsigned)(rest / 3600000));
    put_digits(text + 14, 2, (unsigned)(rest / 60000 % 60));
    put_digits(text + 17, 2, (unsigned)(rest / 1000 % 60));
    put_digits(text + 20, 3, (unsigned)(rest % 1000));
    return text;
}
