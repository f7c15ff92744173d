/* The question as it was understood. */
#include <inttypes.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/ask/when.h"
#include "stages/sink/questions/frame.h"

enum { TEXT_MAX_BYTES = 64 << 10 };

struct saying {
    const struct question_frame *f;
    const struct question_conf *conf;
    struct wh_buf *out;
    struct wh_err *err;
    enum wh_rc rc;
};

#define SAY(s, ...)                                                                                \
    ((s)->rc = (s)->rc == WH_OK ? wh_buf_printf((s)->out, (s)->err, __VA_ARGS__) : (s)->rc)

static const char *const aggregates[AGGREGATES] = {"median", "average", "median",
                                                   "90th percentile of", "sum of"};

/* "number of merge requests", "median time to merge of merge requests" */
static void say_asked(struct saying *s)
{
    const struct question_frame *f = s->f;
    bool grouped = f->group || f->period >= 0;

    if (f->op == FRAME_MEASURE) {
        SAY(s, "%s%s%s of %s", f->measure->own ? "" : aggregates[f->aggregate],
            f->measure->own ? "" : " ", f->measure->say, f->subject->many);
    } else {
        SAY(s, "%s%s", f->op == FRAME_COUNT || grouped ? "number of " : "", f->subject->many);
    }
}

static void say_value(struct saying *s, const struct frame_filter *f, const char *text)
{
    const char *at = strstr(text, "%s");

    if (at == NULL) {
        SAY(s, "%s", text);
        return;
    }
    SAY(s, "%.*s%.*s%s", (int)(at - text), text, WH_SLICE_ARG(f->name), at + 2);
}

static void say_filters(struct saying *s)
{
    const struct question_frame *f = s->f;
    size_t n = 0;

    for (size_t i = 0; i < f->n_filters; i++) {
        const struct frame_filter *one = &f->filters[i];
        bool other = i > 0 && !one->negated && !f->filters[i - 1].negated &&
                     f->filters[i - 1].form->where &&
                     strcmp(f->filters[i - 1].form->set, one->form->set) == 0;

        if (one->form->where == NULL) {
            continue;
        }
        SAY(s, "%s", n++ == 0 ? " (" : one->joined || other ? " or " : ", ");
        if (one->negated && one->form->say_not) {
            SAY(s, "%s", one->form->say_not);
        } else {
            SAY(s, "%s", one->negated ? "not " : "");
            say_value(s, one, one->form->say);
        }
    }
    SAY(s, "%s", n ? ")" : "");
}

static void say_time(struct saying *s)
{
    const struct question_frame *f = s->f;
    struct ask_interval i = {.first_day = f->span.first_day, .last_day = f->span.last_day};
    const char *what;

    if (!f->has_time || s->rc != WH_OK) {
        return;
    }
    frame_instants(f, s->conf->zone, &i.from_ms, &i.to_ms);
    (void)frame_time(f, &what);
    SAY(s, ", %s", what);
    if (s->rc == WH_OK) {
        s->rc = ask_say_interval(&i, s->conf->zone, s->conf->zone_name, s->out, s->err);
    }
}

static void say_order(struct saying *s)
{
    static const char *const words[ORDERS] = {
        "", "the most", "the fewest", "the highest", "the lowest", "the newest", "the oldest"};
    const struct question_frame *f = s->f;

    if (f->op == FRAME_MEASURE && f->subject->split) {
        SAY(s, ", by %s", f->subject->split);
    }
    if (f->group || f->period >= 0) {
        SAY(s, ", by %s%s%s", f->group ? f->group->id : "",
            f->group && f->period >= 0 ? " and " : "",
            f->period >= 0 ? form_periods[f->period] : "");
    }
    if (f->order != ORDER_NONE) {
        SAY(s, ", %s%s%s first", words[f->order], f->op == FRAME_LIST && f->measure ? " " : "",
            f->op == FRAME_LIST && f->measure ? f->measure->say : "");
    }
    if (f->limit) {
        SAY(s, ", at most %" PRId64, f->limit);
    }
}

enum wh_rc frame_restate(const struct question_frame *f, const struct question_conf *conf,
                         struct wh_buf *out, struct wh_err *err)
{
    struct saying s = {.f = f, .conf = conf, .out = out, .err = err, .rc = WH_OK};
    size_t at = out->len;

    say_asked(&s);
    say_filters(&s);
    say_time(&s);
    say_order(&s);
    if (s.rc == WH_OK && out->len > at && out->ptr[at] >= 'a' && out->ptr[at] <= 'z') {
        out->ptr[at] = (char)(out->ptr[at] - 'a' + 'A');
    }
    return s.rc;
}

enum wh_rc question_put_texts(const struct question_frame *f, const struct question_conf *conf,
                              struct wh_arena *arena, struct question *ret, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    bool numbers = f->op != FRAME_LIST || f->group || f->period >= 0;

    wh_buf_init(&text, TEXT_MAX_BYTES);
    if (frame_restate(f, conf, &text, err) != WH_OK ||
        wh_arena_dup(arena, wh_buf_slice(&text), &ret->restated, err) != WH_OK) {
        return err->rc;
    }
    wh_buf_reset(&text);
    if (frame_statement(f, conf, false, &text, err) != WH_OK ||
        wh_arena_dup(arena, wh_buf_slice(&text), &ret->sql, err) != WH_OK) {
        return err->rc;
    }
    wh_buf_reset(&text);
    if (wh_buf_printf(&text, err, "%s.%s", f->subject->id,
                      f->op == FRAME_MEASURE || (f->op == FRAME_LIST && f->measure) ? f->measure->id
                      : f->group && f->order != ORDER_NONE                          ? "ranking"
                      : numbers                                                     ? "count"
                                : "list") != WH_OK ||
        wh_arena_dup(arena, wh_buf_slice(&text), &ret->form, err) != WH_OK) {
        return err->rc;
    }
    wh_buf_reset(&text);
    return !numbers || (frame_statement(f, conf, true, &text, err) == WH_OK &&
                        wh_arena_dup(arena, wh_buf_slice(&text), &ret->rows_sql, err) == WH_OK)
               ? WH_OK
               : err->rc;
}
