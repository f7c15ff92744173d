#include "stages/sink/ask/dates.h"

#include <string.h>

#include "common/base/time.h"

enum { YEAR_MIN = 1970, YEAR_MAX = 4147, COUNT_MAX = 1000, WEEK_DAYS = 7 };

#define LAST "last|previous|past|prior"
#define MONTHS_AGO 12

static const char weekdays[WEEK_DAYS][32] = {
    "monday|mon", "tuesday|tue|tues", "wednesday|wed", "thursday|thu|thur|thurs",
    "friday|fri", "saturday|sat",     "sunday|sun"};
static const char months[12][20] = {"january|jan", "february|feb", "march|mar",
                                    "april|apr",   "may",          "june|jun",
                                    "july|jul",    "august|aug",   "september|sep|sept",
                                    "october|oct", "november|nov", "december|dec"};

/* Monday is 0. */
static int weekday_of(int64_t day)
{
    return (int)(((day + 3) % WEEK_DAYS + WEEK_DAYS) % WEEK_DAYS);
}

static int64_t monday_of(int64_t day)
{
    return day - weekday_of(day);
}

static int find_name(const struct ask_words *w, size_t i, const char *names, size_t size, int n)
{
    for (int k = 0; k < n; k++) {
        if (ask_is(w, i, names + (size_t)k * size)) {
            return k;
        }
    }
    return -1;
}

static int weekday_at(const struct ask_words *w, size_t i)
{
    return find_name(w, i, weekdays[0], sizeof(weekdays[0]), WEEK_DAYS);
}

/* 1 to 12; 0: none. */
static int month_at(const struct ask_words *w, size_t i)
{
    return find_name(w, i, months[0], sizeof(months[0]), 12) + 1;
}

static struct ask_span days(int64_t first, int64_t last)
{
    return (struct ask_span){.first_day = first, .last_day = last};
}

/* The month that is `back` months before the one of the day. */
static struct ask_span month_span(int64_t day, int back)
{
    int year;
    int month;
    int unused;

    wh_date_of_days(day, &year, &month, &unused);
    month -= back;
    while (month < 1) {
        month += 12;
        year--;
    }
    while (month > 12) {
        month -= 12;
        year++;
    }
    return days(wh_date_days(year, month, 1),
                wh_date_days(year, month, wh_date_days_in_month(year, month)));
}

static struct ask_span quarter_span(int year, int quarter)
{
    return days(wh_date_days(year, 3 * quarter - 2, 1),
                wh_date_days(year, 3 * quarter, wh_date_days_in_month(year, 3 * quarter)));
}

static int year_of(int64_t day)
{
    int year;
    int month;
    int unused;

    wh_date_of_days(day, &year, &month, &unused);
    return year;
}

static struct ask_span unit_span(const struct ask_calendar *c, const char *unit, int back)
{
    int year = year_of(c->today);

    if (strcmp(unit, "week") == 0) {
        int64_t monday = monday_of(c->today) - (int64_t)WEEK_DAYS * back;

        return days(monday, monday + WEEK_DAYS - 1);
    }
    if (strcmp(unit, "weekend") == 0) {
        /* The weekend of a week is at its end; the last one is over, also on a Sunday. */
        int64_t monday = monday_of(c->today) - (int64_t)WEEK_DAYS * back;

        return days(monday + 5, monday + 6);
    }
    if (strcmp(unit, "month") == 0) {
        return month_span(c->today, back);
    }
    if (strcmp(unit, "quarter") == 0) {
        int64_t first = month_span(c->today, 3 * back).first_day;
        int month;
        int unused;

        wh_date_of_days(first, &year, &month, &unused);
        return quarter_span(year, (month - 1) / 3 + 1);
    }
    return days(wh_date_days(year - back, 1, 1), wh_date_days(year - back, 12, 31));
}

/* ---- words for days ---- */

/* "today", "the day before yesterday" */
static size_t named_day(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                        struct ask_span *ret)
{
    static const struct {
        const char *pattern;
        int back;
    } table[] = {
        {"today", 0}, {"~the day before yesterday", 2}, {"yesterday", 1}, {"tomorrow", -1}};

    for (size_t k = 0; k < sizeof(table) / sizeof(table[0]); k++) {
        size_t n = ask_fits(w, i, table[k].pattern);

        if (n) {
            *ret = days(c->today - table[k].back, c->today - table[k].back);
            return n;
        }
    }
    return 0;
}

/* The most recent such day: before today, or not after it. */
static int64_t recent_weekday(int64_t today, int weekday, bool before)
{
    int back = (weekday_of(today) - weekday + WEEK_DAYS) % WEEK_DAYS;

    return today - (before && back == 0 ? WEEK_DAYS : back);
}

/* "last week", "of last week", "this week"; sets how many weeks it is back. */
static size_t which_week(const struct ask_words *w, size_t i, int *ret_back)
{
    size_t of = ask_fits(w, i, "of|in");
    size_t n = ask_fits(w, i + of, LAST " week");

    *ret_back = 1;
    if (n == 0) {
        n = ask_fits(w, i + of, "this week");
        *ret_back = 0;
    }
    return n ? of + n : 0;
}

/* "last Tuesday", "this Tuesday", "Tuesday", "Tuesday last week", "last week Tuesday" */
static size_t weekday(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                      struct ask_span *ret)
{
    bool last = ask_is(w, i, LAST);
    bool this_one = ask_is(w, i, "this");
    bool next = ask_is(w, i, "next");
    size_t n = last || this_one || next;
    int back = 0;
    int day = weekday_at(w, i + n);
    size_t week = 0;
    int64_t at;

    if (day < 0) {
        week = which_week(w, i, &back);
        week += week ? ask_fits(w, i + week, "on") : 0;
        day = week ? weekday_at(w, i + week) : -1;
        if (day < 0) {
            return 0;
        }
        n = week;
    } else if (n == 0) {
        week = which_week(w, i + 1, &back);
        n += week;
    }
    at = monday_of(c->today) - (int64_t)WEEK_DAYS * back + day;
    if (week == 0 && !this_one) {
        at = next ? recent_weekday(c->today, day, false) : recent_weekday(c->today, day, last);
        at += next ? WEEK_DAYS : 0;
    }
    *ret = days(at, at);
    return n + 1;
}

/* ---- weeks, months, and so on ---- */

/* "last week", "this month", "the week before last", "over the weekend" */
static size_t unit(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                   struct ask_span *ret)
{
    static const char units[] = "week|weekend|month|quarter|year";
    size_t n = 1;
    int back = 0;

    if (ask_is(w, i, "week|month|quarter|year") && ask_fits(w, i + 1, "before last")) {
        *ret = unit_span(c, ask_word(w, i), 2);
        return 3;
    }
    if (ask_is(w, i, LAST) && ask_is(w, i + 1, units)) {
        back = 1;
    } else if (ask_is(w, i, "this|current") && ask_is(w, i + 1, units)) {
        back = 0;
    } else if (ask_is(w, i, "next") && ask_is(w, i + 1, units)) {
        back = -1;
    } else if (ask_is(w, i, "weekend")) {
        /* The most recent one that has begun. */
        n = 0;
        back = weekday_of(c->today) >= 5 ? 0 : 1;
    } else {
        return 0;
    }
    *ret = unit_span(c, ask_word(w, i + n), back);
    return n + 1;
}

/* "3 days ago", "a week ago", "two months ago" */
static size_t ago(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                  struct ask_span *ret)
{
    int n;

    if (!ask_number(w, i, &n) || n > COUNT_MAX || !ask_is(w, i + 2, "ago")) {
        return 0;
    }
    if (ask_is(w, i + 1, "day|days")) {
        *ret = days(c->today - n, c->today - n);
    } else if (ask_is(w, i + 1, "week|weeks")) {
        *ret = unit_span(c, "week", n);
    } else if (ask_is(w, i + 1, "month|months")) {
        *ret = unit_span(c, "month", n);
    } else if (ask_is(w, i + 1, "year|years")) {
        *ret = unit_span(c, "year", n);
    } else {
        return 0;
    }
    return 3;
}

/* The day so many months before today, and one more: the first of that many months until today. */
static int64_t months_before(int64_t today, int n)
{
    struct ask_span month = month_span(today, n);
    int year;
    int number;
    int day;
    int64_t same;

    wh_date_of_days(today, &year, &number, &day);
    same = month.first_day + day - 1;
    return (same > month.last_day ? month.last_day : same) + 1;
}

/* "the last 7 days", "past two weeks", "last 24 hours" */
static size_t last_units(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                         struct ask_span *ret)
{
    size_t at = i + 1;
    int n = 1;

    if (!ask_is(w, i, LAST)) {
        return 0;
    }
    if (ask_is(w, at, "hour")) {
        at--;
    } else if (!ask_number(w, at, &n) || n > COUNT_MAX) {
        return 0;
    }
    *ret = days(c->today, c->today);
    if (ask_is(w, at + 1, "day|days")) {
        ret->first_day = c->today - n + 1;
    } else if (ask_is(w, at + 1, "week|weeks")) {
        ret->first_day = c->today - (int64_t)WEEK_DAYS * n + 1;
    } else if (ask_is(w, at + 1, "month|months")) {
        ret->first_day = months_before(c->today, n);
    } else if (ask_is(w, at + 1, "year|years")) {
        ret->first_day = months_before(c->today, MONTHS_AGO * n);
    } else if (ask_is(w, at + 1, "hour|hours")) {
        ret->of_instants = true;
        ret->from_ms = c->now_ms - (int64_t)n * 3600000;
        ret->to_ms = c->now_ms + 1;
        ret->first_day = wh_zone_day(c->zone, ret->from_ms);
    } else {
        return 0;
    }
    return at + 2 - i;
}

/* ---- dates ---- */

static bool valid(int year, int month, int day)
{
    return year >= YEAR_MIN && year <= YEAR_MAX && month >= 1 && month <= 12 && day >= 1 &&
           day <= wh_date_days_in_month(year, month);
}

/* Digits at text; moves it behind them. At most `most` of them; -1: none. */
static int digits(const char **text, size_t most)
{
    int value = 0;
    size_t n = 0;

    for (; **text >= '0' && **text <= '9'; (*text)++) {
        value = n < most ? value * 10 + (**text - '0') : value;
        n++;
    }
    return n > 0 && n <= most ? value : -1;
}

/* A four-digit year; 0: none. */
static int year_at(const struct ask_words *w, size_t i)
{
    const char *word = ask_word(w, i);
    int year = strlen(word) == 4 ? digits(&word, 4) : -1;

    return year >= YEAR_MIN && year <= YEAR_MAX && *word == '\0' ? year : 0;
}

/* "24", "24th"; 0: none. */
static int day_at(const struct ask_words *w, size_t i)
{
    const char *word = ask_word(w, i);
    int day = digits(&word, 2);

    return day >= 1 && day <= 31 &&
                   (*word == '\0' || strcmp(word, "st") == 0 || strcmp(word, "nd") == 0 ||
                    strcmp(word, "rd") == 0 || strcmp(word, "th") == 0)
               ? day
               : 0;
}

/* Of a date without a year: the most recent one that is not in the future. */
static bool recent_date(const struct ask_calendar *c, int month, int day, int64_t *ret)
{
    int this_year = year_of(c->today);

    for (int year = this_year; year > this_year - 9; year--) {
        if (valid(year, month, day) && wh_date_days(year, month, day) <= c->today) {
            *ret = wh_date_days(year, month, day);
            return true;
        }
    }
    return false;
}

/* *ret_bad: it looks like a date, but there is none. */
static size_t date_of(const struct ask_calendar *c, int year, int month, int day, size_t n,
                      struct ask_span *ret, bool *ret_bad)
{
    int64_t at = 0;

    if (year ? !valid(year, month, day) : !recent_date(c, month, day, &at)) {
        *ret_bad = true;
        return n;
    }
    at = year ? wh_date_days(year, month, day) : at;
    *ret = days(at, at);
    return n;
}

/* ISO week 1 has the first Thursday of the year. */
static size_t iso_week(int year, int week, size_t n, struct ask_span *ret, bool *ret_bad)
{
    int64_t first = monday_of(wh_date_days(year, 1, 4));
    int64_t monday = first + (int64_t)WEEK_DAYS * (week - 1);

    *ret_bad = week < 1 || year_of(monday + 3) != year;
    *ret = days(monday, monday + WEEK_DAYS - 1);
    return n;
}

/* "2026-11-24", "2026-11", "2026-W47", "24.11.2026" in one word. */
static size_t numeric_date(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                           struct ask_span *ret, bool *ret_bad)
{
    const char *word = ask_word(w, i);
    int first = digits(&word, 4);
    char mark = *word;
    bool is_week;
    int second;
    int third = -1;

    if (first < 0 || (mark != '-' && mark != '.')) {
        return 0;
    }
    word++;
    is_week = *word == 'w';
    word += is_week;
    second = digits(&word, 2);
    if (*word == mark) {
        word++;
        third = digits(&word, 4);
    }
    if (second < 0 || *word || (is_week && (mark != '-' || third >= 0))) {
        return 0;
    }
    if (is_week) {
        return iso_week(first, second, 1, ret, ret_bad);
    }
    if (mark == '.') {
        return third < 0 ? 0 : date_of(c, third, second, first, 1, ret, ret_bad);
    }
    if (third >= 0) {
        return date_of(c, first, second, third, 1, ret, ret_bad);
    }
    *ret_bad = !valid(first, second, 1);
    if (!*ret_bad) {
        *ret = month_span(wh_date_days(first, second, 1), 0);
    }
    return 1;
}

/* "24 November 2026", "24th of November", "November 24th, 2026" */
static size_t written_date(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                           struct ask_span *ret, bool *ret_bad)
{
    int day = day_at(w, i);
    size_t n = 1;
    int month;

    if (day) {
        n += ask_fits(w, i + n, "of");
        month = month_at(w, i + n);
    } else {
        month = month_at(w, i);
        n += ask_fits(w, i + n, "the");
        day = day_at(w, i + n);
    }
    if (day == 0 || month == 0) {
        return 0;
    }
    n++;
    if (year_at(w, i + n)) {
        return date_of(c, year_at(w, i + n), month, day, n + 1, ret, ret_bad);
    }
    return date_of(c, 0, month, day, n, ret, ret_bad);
}

/* "November", "November 2026", "last November"; "may" alone is a verb more often than a month. */
static size_t written_month(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                            struct ask_span *ret)
{
    size_t n = ask_is(w, i, LAST) ? 1 : 0;
    int month = month_at(w, i + n);
    int year = month ? year_at(w, i + n + 1) : 0;
    bool last = n > 0;

    if (month == 0 || (strcmp(ask_word(w, i + n), "may") == 0 && !year && !last &&
                       !(i > 0 && ask_is(w, i - 1, "in|of|since|during|from|until|and|to")))) {
        return 0;
    }
    n++;
    if (year) {
        *ret = month_span(wh_date_days(year, month, 1), 0);
        return n + 1;
    }
    year = year_of(c->today);
    if (wh_date_days(year, month, 1) > c->today) {
        year--;
    }
    *ret = month_span(wh_date_days(year, month, 1), 0);
    if (last && ret->last_day >= c->today) {
        *ret = month_span(wh_date_days(year - 1, month, 1), 0);
    }
    return n;
}

/* "Q3 2026", "week 47", "week of 16 November", "2026" behind "in" */
static size_t numbered(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                       struct ask_span *ret, bool *ret_bad)
{
    const char *word = ask_word(w, i);
    int number;

    if (word[0] == 'q' && word[1] >= '1' && word[1] <= '4' && word[2] == '\0') {
        int year = year_at(w, i + 1);

        *ret = quarter_span(year ? year : year_of(c->today), word[1] - '0');
        if (!year && ret->first_day > c->today) {
            *ret = quarter_span(year_of(c->today) - 1, word[1] - '0');
        }
        return year ? 2 : 1;
    }
    if (ask_is(w, i, "week") && ask_number(w, i + 1, &number) && !ask_is(w, i + 1, "a|an")) {
        size_t of = ask_fits(w, i + 2, "of|in");
        int year = year_at(w, i + 2 + of);

        return iso_week(year ? year : year_of(c->today), number, year ? 3 + of : 2, ret, ret_bad);
    }
    if (year_at(w, i) && i > 0 && ask_is(w, i - 1, "in|of|during|since|year|from|until|and|to")) {
        *ret = days(wh_date_days(year_at(w, i), 1, 1), wh_date_days(year_at(w, i), 12, 31));
        return 1;
    }
    return 0;
}

/* ---- one time, ranges ---- */

static size_t one_time(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                       struct ask_span *ret, bool *ret_bad)
{
    size_t n;

    if (ask_fits(w, i, "week of|from ~the")) {
        n = ask_fits(w, i, "week of|from ~the");
        n = written_date(w, i + n, c, ret, ret_bad)   ? n + written_date(w, i + n, c, ret, ret_bad)
            : numeric_date(w, i + n, c, ret, ret_bad) ? n + 1
                                                      : 0;
        if (n) {
            *ret = days(monday_of(ret->first_day), monday_of(ret->first_day) + WEEK_DAYS - 1);
            return n;
        }
    }
    if ((n = named_day(w, i, c, ret)) || (n = weekday(w, i, c, ret)) || (n = unit(w, i, c, ret)) ||
        (n = ago(w, i, c, ret)) || (n = last_units(w, i, c, ret)) ||
        (n = numeric_date(w, i, c, ret, ret_bad)) || (n = written_date(w, i, c, ret, ret_bad)) ||
        (n = written_month(w, i, c, ret)) || (n = numbered(w, i, c, ret, ret_bad))) {
        return n;
    }
    return 0;
}

/* A weekday first, as in "Tuesday, 24 November": the date counts, the day is checked. */
static size_t time_at(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                      struct ask_span *ret, bool *ret_bad)
{
    size_t the = ask_fits(w, i, "the");
    int day = weekday_at(w, i + the);
    size_t n = 0;

    if (day >= 0) {
        size_t skip = the + 1 + ask_fits(w, i + the + 1, "the");

        n = written_date(w, i + skip, c, ret, ret_bad);
        n = n ? n : numeric_date(w, i + skip, c, ret, ret_bad);
        if (n) {
            *ret_bad = *ret_bad || weekday_of(ret->first_day) != day;
            return skip + n;
        }
    }
    n = one_time(w, i, c, ret, ret_bad);
    if (n == 0 && the) {
        n = one_time(w, i + the, c, ret, ret_bad);
        n += n ? the : 0;
    }
    return n;
}

/* "24 to 26 November": a day whose month comes with the second one. */
static size_t short_range(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                          struct ask_span *ret, bool *ret_bad)
{
    int first = day_at(w, i);
    struct ask_span second;
    int year;
    int month;
    int day;
    size_t n;

    if (first == 0 || !ask_is(w, i + 1, "to|and|until|till|through|-|\xE2\x80\x93")) {
        return 0;
    }
    n = written_date(w, i + 2, c, &second, ret_bad);
    if (n == 0 || *ret_bad) {
        return n ? n + 2 : 0;
    }
    wh_date_of_days(second.first_day, &year, &month, &day);
    *ret_bad = !valid(year, month, first);
    *ret = days(*ret_bad ? 0 : wh_date_days(year, month, first), second.last_day);
    return n + 2;
}

/* The second part of a range, which begins at i. A weekday as the first part is the one before it. */
static size_t range_end(const struct ask_words *w, size_t i, bool from_weekday,
                        const struct ask_calendar *c, struct ask_span *ret, bool *ret_bad)
{
    struct ask_span second;
    size_t n;

    if (!ask_is(w, i, "to|and|until|till|through|-|\xE2\x80\x93")) {
        return 0;
    }
    n = time_at(w, i + 1, c, &second, ret_bad);
    if (n == 0 || *ret_bad || second.of_instants) {
        return n ? n + 1 : 0;
    }
    if (from_weekday && ret->first_day > second.last_day) {
        ret->first_day -= WEEK_DAYS;
    }
    ret->last_day = second.last_day;
    return n + 1;
}

/* "since Monday", "before 24 November", "after last week" */
static size_t half_open(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                        struct ask_span *ret, bool *ret_bad)
{
    size_t n =
        ask_is(w, i, "since|after|before|until|till") ? time_at(w, i + 1, c, ret, ret_bad) : 0;

    if (n == 0) {
        return 0;
    }
    if (ask_is(w, i, "since|after")) {
        ret->first_day = ask_is(w, i, "after") ? ret->last_day + 1 : ret->first_day;
        ret->last_day = c->today;
        ret->to_ms = c->now_ms + 1;
        ret->open_end = ret->first_day > ret->last_day;
        ret->last_day = ret->open_end ? ret->first_day : ret->last_day;
    } else {
        ret->open_begin = true;
        ret->last_day = ask_is(w, i, "before") ? ret->first_day - 1 : ret->last_day;
        ret->first_day = ret->last_day;
        ret->of_instants = false;
    }
    return n + 1;
}

/* The time that begins at i, with its prepositions. */
static size_t find_at(const struct ask_words *w, size_t i, const struct ask_calendar *c,
                      struct ask_span *ret, bool *ret_bad)
{
    size_t before = ask_is(w, i, "between|from") ? 1 : 0;
    size_t n = half_open(w, i, c, ret, ret_bad);
    size_t more;

    if (n) {
        return n;
    }
    n = short_range(w, i + before, c, ret, ret_bad);
    if (n) {
        return before + n;
    }
    n = time_at(w, i + before, c, ret, ret_bad);
    if (n == 0) {
        return 0;
    }
    more = *ret_bad ? 0
                    : range_end(w, i + before + n, weekday_at(w, i + before) >= 0, c, ret, ret_bad);
    /* "and" joins more than times: without "between" or "from" it is no range. */
    if (more && before == 0 && ask_is(w, i + n, "and")) {
        return time_at(w, i, c, ret, ret_bad);
    }
    if (before && more == 0 && ask_is(w, i, "between")) {
        return 0;
    }
    return before + n + more;
}

static enum wh_rc check(const struct ask_span *span, struct wh_err *err)
{
    if (!span->of_instants && span->first_day > span->last_day) {
        return wh_fail(err, WH_E_INVALID, "the time ends before it begins");
    }
    return WH_OK;
}

enum wh_rc ask_dates_find(struct ask_words *w, const struct ask_calendar *c, struct ask_span *ret,
                          bool *ret_found, struct wh_err *err)
{
    *ret_found = false;
    for (size_t i = 0; i < w->n; i++) {
        struct ask_span span = {0};
        bool bad = false;
        size_t n = find_at(w, i, c, &span, &bad);

        if (n == 0) {
            continue;
        }
        if (bad) {
            return wh_fail(err, WH_E_INVALID, "the question names a date that does not exist");
        }
        if (*ret_found) {
            return wh_fail(err, WH_E_INVALID,
                           "the question names two times; a range is written as between A and B");
        }
        if (check(&span, err) != WH_OK) {
            return err->rc;
        }
        *ret = span;
        *ret_found = true;
        ask_take(w, i, n);
        i += n - 1;
    }
    return WH_OK;
}
