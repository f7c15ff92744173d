/* The statement of a frame. Values come into it quoted, and from nowhere but the frame. */
#include <string.h>

#include "common/base/time.h"
#include "stages/sink/questions/frame.h"

struct writing {
    const struct question_frame *f;
    const struct question_conf *conf;
    struct wh_buf *out;
    struct wh_err *err;
    enum wh_rc rc;
};

#define SAY(w, ...)                                                                                \
    do {                                                                                           \
        if ((w)->rc == WH_OK) {                                                                    \
            (w)->rc = wh_buf_printf((w)->out, (w)->err, __VA_ARGS__);                              \
        }                                                                                          \
    } while (0)

/* The text with its quotes doubled, without the quotes around it. */
static void say_value(struct writing *w, struct wh_slice value)
{
    for (size_t i = 0; i < value.len && w->rc == WH_OK; i++) {
        w->rc = wh_buf_append_char(w->out, value.ptr[i], w->err);
        if (value.ptr[i] == '\'' && w->rc == WH_OK) {
            w->rc = wh_buf_append_char(w->out, '\'', w->err);
        }
    }
}

static void say_in_time(struct writing *w, struct wh_slice column)
{
    char text[WH_TIME_TEXT_MAX];
    int64_t from = INT64_MIN;
    int64_t to = INT64_MAX;

    if (w->f->has_time) {
        frame_instants(w->f, w->conf->zone, &from, &to);
    }
    SAY(w, "%.*s is not null", WH_SLICE_ARG(column));
    if (from != INT64_MIN) {
        SAY(w, " and %.*s >= '%s'", WH_SLICE_ARG(column), wh_time_format(from, text));
    }
    if (to != INT64_MAX) {
        SAY(w, " and %.*s < '%s'", WH_SLICE_ARG(column), wh_time_format(to, text));
    }
}

/* A part of the forms, with %s, %m, %n and %t(COLUMN) in it. */
static void say_part(struct writing *w, const char *part, struct wh_slice value,
                     struct wh_slice name)
{
    char now[WH_TIME_TEXT_MAX];

    while (*part && w->rc == WH_OK) {
        size_t n = strcspn(part, "%");

        w->rc = wh_buf_append(w->out, wh_slice(part, n), w->err);
        part += n;
        if (part[0] == '%' && part[1] == 's') {
            say_value(w, value);
            part += 2;
        } else if (part[0] == '%' && part[1] == 'm') {
            say_value(w, name);
            part += 2;
        } else if (part[0] == '%' && part[1] == 't' && part[2] == '(') {
            size_t len = strcspn(part + 3, ")");

            say_in_time(w, wh_slice(part + 3, len));
            part += 3 + len + (part[3 + len] == ')');
        } else if (part[0] == '%' && part[1] == 'n') {
            SAY(w, "'%s'", wh_time_format(w->conf->now_ms, now));
            part += 2;
        } else if (part[0]) {
            SAY(w, "%%");
            part++;
        }
    }
}

static void say_filter(struct writing *w, const struct frame_filter *f)
{
    if (f->negated && f->form->where_not) {
        say_part(w, f->form->where_not, f->value, f->name);
        return;
    }
    SAY(w, "%s", f->negated ? "not coalesce((" : "(");
    say_part(w, f->form->where, f->value, f->name);
    SAY(w, "%s", f->negated ? "), 0)" : ")");
}

/* Which of the filters before i it is joined with by OR; i: none. */
static size_t joined_with(const struct question_frame *f, size_t i)
{
    const struct frame_filter *at = &f->filters[i];

    for (size_t k = 0; k < i; k++) {
        const struct frame_filter *one = &f->filters[k];

        if (one->form->where &&
            ((at->joined && k + 1 == i) ||
             (!at->negated && !one->negated && strcmp(one->form->set, at->form->set) == 0))) {
            return k;
        }
    }
    return i;
}

static void say_filters(struct writing *w)
{
    const struct question_frame *f = w->f;
    bool said[QUESTION_FILTERS_MAX] = {false};

    for (size_t i = 0; i < f->n_filters; i++) {
        bool member[QUESTION_FILTERS_MAX] = {false};
        size_t n = 0;

        if (f->filters[i].form->where == NULL || said[i]) {
            continue;
        }
        member[i] = true;
        for (size_t k = i; k < f->n_filters; k++) {
            member[k] = k == i || (f->filters[k].form->where && member[joined_with(f, k)]);
        }
        SAY(w, " and (");
        for (size_t k = i; k < f->n_filters; k++) {
            if (member[k]) {
                SAY(w, "%s", n++ ? " or " : "");
                say_filter(w, &f->filters[k]);
                said[k] = true;
            }
        }
        SAY(w, ")");
    }
}

const char *frame_time(const struct question_frame *f, const char **ret_say)
{
    const char *column = f->subject->time;

    *ret_say = f->subject->time_say;
    if (f->measure && f->measure->time) {
        *ret_say = f->measure->time_say;
        column = f->measure->time;
    }
    for (size_t i = 0; i < f->n_filters; i++) {
        if (f->filters[i].form->time && !f->filters[i].negated) {
            column = f->filters[i].form->time;
            *ret_say = f->filters[i].form->time_say;
        }
    }
    return column;
}

void frame_instants(const struct question_frame *f, struct wh_zone zone, int64_t *ret_from,
                    int64_t *ret_to)
{
    const struct ask_span *s = &f->span;

    *ret_from = s->of_instants ? s->from_ms : wh_zone_day_begin(zone, s->first_day);
    *ret_to = s->of_instants ? s->to_ms : wh_zone_day_begin(zone, s->last_day + 1);
    *ret_from = s->open_begin ? INT64_MIN : *ret_from;
    *ret_to = s->open_end ? INT64_MAX : *ret_to;
}

static void say_time(struct writing *w)
{
    const char *unused;
    const char *column = frame_time(w->f, &unused);

    if (w->f->has_time && column && column[0]) {
        SAY(w, " and ");
        say_in_time(w, wh_slice_str(column));
    }
}

/* The value that rows are ordered by; NULL: the time. */
static const struct form_measure *sort_measure(const struct question_frame *f)
{
    return f->op == FRAME_LIST && f->measure ? f->measure : NULL;
}

/* The rows of a measure, whose statement refers to :from and :to. */
static void say_measure(struct writing *w, struct wh_slice rows)
{
    int64_t at[2] = {0, w->conf->now_ms + 1};
    char text[WH_TIME_TEXT_MAX];

    if (w->f->has_time) {
        frame_instants(w->f, w->conf->zone, &at[0], &at[1]);
        at[0] = at[0] == INT64_MIN ? 0 : at[0];
        at[1] = at[1] == INT64_MAX ? w->conf->now_ms + 1 : at[1];
    }
    SAY(w, "(");
    while (rows.len && w->rc == WH_OK) {
        bool from = wh_slice_starts(rows, WH_LIT(":from"));

        if (from || wh_slice_starts(rows, WH_LIT(":to"))) {
            SAY(w, "'%s'", wh_time_format(at[from ? 0 : 1], text));
            rows = wh_slice_from(rows, from ? 5 : 3);
        } else {
            w->rc = wh_buf_append_char(w->out, rows.ptr[0], w->err);
            rows = wh_slice_from(rows, 1);
        }
    }
    SAY(w, ")");
}

static void say_from(struct writing *w)
{
    SAY(w, " from ");
    if (w->f->subject->table) {
        SAY(w, "%s", w->f->subject->table);
    } else {
        say_measure(w, w->f->subject->measure->rows);
    }
}

static void say_where(struct writing *w)
{
    const struct form_subject *s = w->f->subject;

    SAY(w, " where ");
    say_part(w, s->where ? s->where : "1", (struct wh_slice){NULL, 0}, (struct wh_slice){NULL, 0});
    say_filters(w);
    say_time(w);
    if (w->f->measure && w->f->measure->where) {
        SAY(w, " and ");
        say_part(w, w->f->measure->where, (struct wh_slice){NULL, 0}, (struct wh_slice){NULL, 0});
    }
}

/* ---- what is selected ---- */

static void say_aggregate(struct writing *w)
{
    static const char *const starts[AGGREGATES] = {[AGGREGATE_NONE] = "median(",
                                                   [AGGREGATE_AVERAGE] = "avg(",
                                                   [AGGREGATE_MEDIAN] = "median(",
                                                   [AGGREGATE_P90] = "percentile(",
                                                   [AGGREGATE_SUM] = "sum("};
    const struct question_frame *f = w->f;

    if (f->op != FRAME_MEASURE) {
        SAY(w, "count(*) as count");
    } else if (f->measure->own) {
        SAY(w, "%s as %s", f->measure->value, f->measure->id);
    } else {
        SAY(w, "%s", starts[f->aggregate]);
        say_part(w, f->group && f->group->list ? "measured" : f->measure->value,
                 (struct wh_slice){NULL, 0}, (struct wh_slice){NULL, 0});
        SAY(w, "%s) as %s", f->aggregate == AGGREGATE_P90 ? ", 90" : "", f->measure->id);
    }
}

static void say_columns(struct writing *w)
{
    const struct form_subject *s = w->f->subject;
    const struct form_measure *sorted = sort_measure(w->f);

    for (size_t i = 0; i < s->columns.n; i++) {
        SAY(w, "%s%s", i ? ", " : "", s->columns.list[i]);
    }
    for (size_t i = 0; sorted && i < s->columns.n; i++) {
        sorted = strcmp(s->columns.list[i], sorted->id) == 0 ? NULL : sorted;
    }
    if (sorted && !sorted->own) {
        SAY(w, ", ");
        say_part(w, sorted->value, (struct wh_slice){NULL, 0}, (struct wh_slice){NULL, 0});
        SAY(w, " as %s", sorted->id);
    }
}

static void say_group(struct writing *w)
{
    const struct question_frame *f = w->f;
    const char *unused;

    if (f->group) {
        SAY(w, "%s as \"%s\", ", f->group->by, f->group->id);
    }
    if (f->period >= 0) {
        SAY(w, "date_trunc('%s', %s, '%.*s') as %s, ", form_periods[f->period],
            frame_time(f, &unused), WH_SLICE_ARG(w->conf->zone_name), form_periods[f->period]);
    }
}

static bool is_rising(enum form_order order)
{
    return order == ORDER_FEWEST || order == ORDER_SHORTEST || order == ORDER_OLDEST;
}

static void say_rows(struct writing *w, bool rows_behind)
{
    const struct question_frame *f = w->f;
    const struct form_measure *sorted = rows_behind ? NULL : sort_measure(f);
    const char *unused;
    const char *time = frame_time(f, &unused);

    SAY(w, "select ");
    say_columns(w);
    say_from(w);
    say_where(w);
    if (sorted) {
        SAY(w, " order by %s %s, 1", sorted->id, is_rising(f->order) ? "asc" : "desc");
    } else if (time && time[0]) {
        SAY(w, " order by %s %s, 1", time, f->order == ORDER_OLDEST ? "asc" : "desc");
    } else {
        SAY(w, " order by 1");
    }
    if (!rows_behind && f->limit) {
        SAY(w, " limit %lld", (long long)f->limit);
    }
}

/* Of a list, the rows are selected first: the columns of json_each have names of their own. */
static void say_grouped_rows(struct writing *w)
{
    const struct question_frame *f = w->f;
    const char *list = f->group ? f->group->list : NULL;

    if (list) {
        SAY(w, " from (select *, ");
        say_part(w, f->op == FRAME_MEASURE ? f->measure->value : "1", (struct wh_slice){NULL, 0},
                 (struct wh_slice){NULL, 0});
        SAY(w, " as measured");
    }
    say_from(w);
    say_where(w);
    if (list) {
        SAY(w, ") t, json_each(coalesce(t.%s, '[]')) g", list);
    }
}

static void say_groups(struct writing *w)
{
    const struct question_frame *f = w->f;
    bool split = f->op == FRAME_MEASURE && f->subject->split;
    int n = (f->group != NULL) + (f->period >= 0) + split;

    SAY(w, "select ");
    say_group(w);
    if (split) {
        SAY(w, "%s, ", f->subject->split);
    }
    say_aggregate(w);
    if (f->op == FRAME_MEASURE && !split) {
        SAY(w, ", count(*) as count");
    }
    say_grouped_rows(w);
    if (n) {
        SAY(w, " group by %s%s", f->group && f->group->key ? f->group->key : "1",
            n == 2 ? ", 2" : "");
        if (f->period >= 0) {
            SAY(w, " order by %s", n == 2 ? "2, 3 desc, 1" : "1");
        } else if (split) {
            SAY(w, " order by 1%s", n == 2 ? ", 2" : "");
        } else {
            SAY(w, " order by 2 %s, 1", is_rising(f->order) ? "asc" : "desc");
        }
    }
    if (f->limit) {
        SAY(w, " limit %lld", (long long)f->limit);
    }
}

enum wh_rc frame_statement(const struct question_frame *f, const struct question_conf *conf,
                           bool rows_behind, struct wh_buf *out, struct wh_err *err)
{
    struct writing w = {.f = f, .conf = conf, .out = out, .err = err, .rc = WH_OK};

    if (rows_behind || (f->op == FRAME_LIST && f->group == NULL && f->period < 0)) {
        say_rows(&w, rows_behind);
    } else {
        say_groups(&w);
    }
    return w.rc;
}
