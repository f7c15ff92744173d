/* A follow-up and the question before it. */
#include <string.h>

#include "common/base/time.h"
#include "stages/sink/questions/read_priv.h"

/* The span, moved by the number of units. */
static void move(struct ask_span *s, const char *unit, int by)
{
    const int64_t day_ms = 86400000;
    bool months =
        strcmp(unit, "month") == 0 || strcmp(unit, "quarter") == 0 || strcmp(unit, "year") == 0;
    int64_t length = s->last_day - s->first_day + 1;
    int year;
    int month;
    int day;

    if (!months) {
        int64_t days = strcmp(unit, "week") == 0 ? 7 : strcmp(unit, "day") == 0 ? 1 : length;

        s->first_day += by * days;
        s->last_day += by * days;
        s->from_ms += by * days * day_ms;
        s->to_ms += by * days * day_ms;
        return;
    }
    by *= unit[0] == 'q' ? 3 : unit[0] == 'y' ? 12 : 1;
    for (int i = 0; i < 2; i++) {
        int64_t *at = i == 0 ? &s->first_day : &s->last_day;
        bool is_last;
        int64_t number;

        wh_date_of_days(*at, &year, &month, &day);
        is_last = i == 1 && day == wh_date_days_in_month(year, month);
        number = (int64_t)year * 12 + month - 1 + by;
        year = (int)(number / 12);
        month = (int)(number % 12) + 1;
        if (is_last || day > wh_date_days_in_month(year, month)) {
            day = wh_date_days_in_month(year, month);
        }
        *at = wh_date_days(year, month, day);
    }
}

bool refine_time(struct reading *r, const struct question_frame *before)
{
    static const struct {
        const char *pattern;
        int by;
    } moves[] = {{"~and ~in ~the ~same week|month|quarter|year|day|period before|earlier", -1},
                 {"~and ~in ~the previous|preceding week|month|quarter|year|day|period", -1},
                 {"~and ~in ~the week|month|quarter|year|day|period after|later", 1},
                 {"~and ~in ~the next|following week|month|quarter|year|day|period", 1}};
    static const char *const units[] = {"day", "week", "month", "quarter", "year", "period"};

    for (size_t i = 0; before->has_time && i < r->words.n; i++) {
        for (size_t k = 0; k < sizeof(moves) / sizeof(moves[0]); k++) {
            size_t n = ask_fits(&r->words, i, moves[k].pattern);

            for (size_t u = 0; n && u < sizeof(units) / sizeof(units[0]); u++) {
                if (ask_is(&r->words, i + n - 1, units[u]) ||
                    ask_is(&r->words, i + n - 2, units[u])) {
                    r->frame.span = before->span;
                    r->frame.has_time = true;
                    move(&r->frame.span, units[u], moves[k].by);
                    ask_take(&r->words, i, n);
                    return true;
                }
            }
        }
    }
    return false;
}

/* Does the follow-up say something of that set of filters? */
static bool says(const struct question_frame *f, const char *set)
{
    for (size_t i = 0; i < f->n_filters; i++) {
        if (strcmp(f->filters[i].form->set, set) == 0) {
            return true;
        }
    }
    return false;
}

enum wh_rc refine(struct reading *r, const struct question_frame *before, struct wh_err *err)
{
    struct question_frame now = r->frame;
    struct question_frame *f = &r->frame;

    if (!now.has_op && !now.has_time && now.n_filters == 0 && !now.group && now.period < 0) {
        return wh_fail(err, WH_E_INVALID, "it says nothing that changes the question before");
    }
    *f = now.has_op ? now : *before;
    f->n_filters = 0;
    for (size_t i = 0; i < before->n_filters; i++) {
        if (!says(&now, before->filters[i].form->set)) {
            f->filters[f->n_filters++] = before->filters[i];
        }
    }
    r->negating = false;
    r->joining = false;
    for (size_t i = 0; i < now.n_filters; i++) {
        if (reading_add(r, &now.filters[i], err) != WH_OK) {
            return err->rc;
        }
        f->filters[f->n_filters - 1].joined = now.filters[i].joined;
    }
    f->has_time = now.has_time || before->has_time;
    f->span = now.has_time ? now.span : before->span;
    if (now.group || now.period >= 0) {
        f->group = now.group;
        f->period = now.period;
        f->op = f->op == FRAME_LIST ? FRAME_COUNT : f->op;
    }
    return WH_OK;
}
