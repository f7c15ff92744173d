/* What was understood as JSON, the answer in words, and the forms. */
#include <math.h>
#include <string.h>

#include "common/base/time.h"
#include "common/json/json_doc.h"
#include "common/text/money.h"
#include "stages/sink/ask/when.h"
#include "stages/sink/questions/frame.h"

enum { RESULT_MAX_BYTES = 8 << 20, RESULT_DEPTH = 16, TOLD_ROWS = 25, CELLS_MAX = 12 };

struct telling {
    const struct question *question;
    const struct question_conf *conf;
    struct wh_buf *out;
    struct wh_err *err;
    enum wh_rc rc;
    struct wh_slice currency; /* of the row */
};

#define SAY(t, ...)                                                                                \
    ((t)->rc = (t)->rc == WH_OK ? wh_buf_printf((t)->out, (t)->err, __VA_ARGS__) : (t)->rc)

/* ---- the answer in words ---- */

/* "2026-11-24 09:05" in the zone; a day alone as it is. */
static void say_time(struct telling *t, struct wh_slice text)
{
    struct wh_instant at;
    struct wh_err ignored;
    char local[WH_TIME_TEXT_MAX];

    if (wh_time_parse(text, &at, &ignored) != WH_OK) {
        SAY(t, "%.*s", WH_SLICE_ARG(text));
        return;
    }
    (void)wh_time_format(at.ms + (int64_t)wh_zone_offset(t->conf->zone, at.ms) * 1000, local);
    local[10] = ' ';
    SAY(t, "%.16s", local);
}

static bool is_time(struct wh_slice text)
{
    return text.len >= 20 && text.len <= 24 && text.ptr[4] == '-' && text.ptr[7] == '-' &&
           text.ptr[10] == 'T' && text.ptr[text.len - 1] == 'Z';
}

static void say_number(struct telling *t, double value, const char *unit)
{
    if (unit && strcmp(unit, "s") == 0 && fabs(value) < 1e15) {
        if (t->rc == WH_OK) {
            t->rc = ask_say_length((int64_t)llround(value), t->out, t->err);
        }
    } else if (unit && strcmp(unit, "money") == 0 && fabs(value) < 1e15) {
        if (t->rc == WH_OK) {
            t->rc = wh_money_append((int64_t)llround(value), t->currency, t->out, t->err);
        }
    } else if (value == floor(value) && fabs(value) < 1e15) {
        SAY(t, "%.0f%s%s", value, unit ? " " : "", unit ? unit : "");
    } else {
        SAY(t, "%.1f%s%s", value, unit ? " " : "", unit ? unit : "");
    }
}

/* A list of names, ["A","B"], as A, B. */
static void say_text(struct telling *t, struct wh_slice text)
{
    if (text.len < 4 || !wh_slice_starts(text, WH_LIT("[\"")) ||
        !wh_slice_ends(text, WH_LIT("\"]"))) {
        SAY(t, "%.*s", WH_SLICE_ARG(text));
        return;
    }
    for (size_t i = 2; i + 2 < text.len; i++) {
        if (i + 4 < text.len && memcmp(text.ptr + i, "\",\"", 3) == 0) {
            SAY(t, ", ");
            i += 2;
        } else {
            SAY(t, "%c", text.ptr[i]);
        }
    }
}

static void say_cell(struct telling *t, struct wh_json_val v, const char *unit)
{
    switch (wh_json_type(v)) {
    case WH_JSON_STRING:
        if (is_time(wh_json_string(v))) {
            say_time(t, wh_json_string(v));
        } else {
            say_text(t, wh_json_string(v));
        }
        break;
    case WH_JSON_INT:
    case WH_JSON_UINT:
    case WH_JSON_DOUBLE:
        say_number(t, wh_json_double(v), unit);
        break;
    case WH_JSON_BOOL:
        SAY(t, "%s", wh_json_bool(v) ? "yes" : "no");
        break;
    case WH_JSON_NULL:
    case WH_JSON_ARRAY:
    case WH_JSON_OBJECT:
    default:
        SAY(t, "none");
        break;
    }
}

static const char *unit_of(const struct question_frame *f, struct wh_slice column)
{
    for (size_t i = 0; i < f->subject->n_measures; i++) {
        if (wh_slice_eq(column, wh_slice_str(f->subject->measures[i].id))) {
            return f->subject->measures[i].unit;
        }
    }
    return NULL;
}

static void say_row(struct telling *t, const struct wh_slice *columns, size_t n,
                    struct wh_json_val row)
{
    struct wh_json_iter it = wh_json_iter(row);
    struct wh_json_val v;
    struct wh_slice key;
    size_t said = 0;

    t->currency = wh_json_get_str(row, "currency");
    SAY(t, "  ");
    for (size_t i = 0; i < n && wh_json_next(&it, &key, &v); i++) {
        const struct question_frame *f = t->question->frame;
        bool measured = f->op == FRAME_MEASURE || f->group || f->period >= 0;

        if ((wh_json_type(v) == WH_JSON_NULL && !measured) ||
            wh_slice_eq(wh_json_string(v), WH_LIT("[]"))) {
            continue;
        }
        SAY(t, "%s", said++ ? "  " : "");
        say_cell(t, v, unit_of(t->question->frame, columns[i]));
    }
    SAY(t, "\n");
}

static bool is_number_alone(const struct question_frame *f)
{
    return f->op != FRAME_LIST && f->group == NULL && f->period < 0 &&
           !(f->op == FRAME_MEASURE && f->subject->split);
}

/* "17", "3 h 20 min, of 17": the value first, and of how many. */
static void say_one(struct telling *t, struct wh_json_val row)
{
    const struct question_frame *f = t->question->frame;
    struct wh_json_iter it = wh_json_iter(row);
    struct wh_json_val v;
    struct wh_slice key;

    for (size_t i = 0; wh_json_next(&it, &key, &v); i++) {
        SAY(t, "%s", i == 0 ? "" : ", of ");
        say_cell(t, v, i == 0 && f->measure ? f->measure->unit : NULL);
    }
    SAY(t, "\n");
}

static void say_rows(struct telling *t, struct wh_json_val root)
{
    struct wh_slice columns[CELLS_MAX];
    struct wh_json_iter it = wh_json_get_iter(root, "columns");
    struct wh_json_val v;
    struct wh_slice key;
    size_t n = 0;
    size_t rows = 0;

    while (n < CELLS_MAX && wh_json_next(&it, &key, &v)) {
        columns[n++] = wh_json_string(v);
    }
    it = wh_json_get_iter(root, "rows");
    while (wh_json_next(&it, &key, &v)) {
        if (is_number_alone(t->question->frame)) {
            say_one(t, v);
        } else if (rows < TOLD_ROWS) {
            say_row(t, columns, n, v);
        }
        rows++;
    }
    if (rows == 0) {
        SAY(t, "  none\n");
    } else if (rows > TOLD_ROWS || wh_json_get_flag(root, "truncated")) {
        SAY(t, "  %zu%s rows in all\n", rows,
            wh_json_get_flag(root, "truncated") ? " of more" : "");
    }
}

enum wh_rc question_tell(const struct question *question, const struct question_conf *conf,
                         struct wh_slice result, struct wh_buf *out, struct wh_err *err)
{
    struct telling t = {question, conf, out, err, WH_OK, {NULL, 0}};
    struct wh_json_parser *parser = wh_json_parser_new(RESULT_MAX_BYTES, RESULT_DEPTH);
    struct wh_json_val root;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an answer");
    }
    SAY(&t, "%.*s%s", WH_SLICE_ARG(question->restated),
        is_number_alone(question->frame) ? ": " : ":\n");
    if (t.rc == WH_OK && wh_json_parse(parser, result, &root, err) == WH_OK) {
        say_rows(&t, root);
    } else if (t.rc == WH_OK) {
        t.rc = err->rc;
    }
    for (size_t i = 0; i < question->n_notes; i++) {
        SAY(&t, "Note: %.*s.\n", WH_SLICE_ARG(question->notes[i]));
    }
    wh_json_parser_free(parser);
    return t.rc;
}

/* ---- what was understood ---- */

static void write_filters(const struct question_frame *f, struct wh_json_writer *w)
{
    wh_jw_key(w, "filters");
    wh_jw_array(w);
    for (size_t i = 0; i < f->n_filters; i++) {
        const struct frame_filter *one = &f->filters[i];

        wh_jw_object(w);
        wh_jw_put_str(w, "id", wh_slice_str(one->form->id));
        wh_jw_put_bool(w, "negated", one->negated);
        if (one->value.len) {
            wh_jw_put_str(w, "value", one->value);
            wh_jw_put_str(w, "name", one->name);
        }
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_text(struct wh_json_writer *w, const char *key, const char *text)
{
    wh_jw_key(w, key);
    if (text && text[0]) {
        wh_jw_str(w, wh_slice_str(text));
    } else {
        wh_jw_null(w);
    }
}

static void write_time(const struct question_frame *f, const struct question_conf *conf,
                       struct wh_json_writer *w)
{
    int64_t at[2] = {INT64_MIN, INT64_MAX};
    const char *what;

    if (f->has_time) {
        frame_instants(f, conf->zone, &at[0], &at[1]);
    }
    for (int i = 0; i < 2; i++) {
        char text[WH_TIME_TEXT_MAX] = "";

        if (at[i] != INT64_MIN && at[i] != INT64_MAX) {
            (void)wh_time_format(at[i], text);
        }
        write_text(w, i == 0 ? "from" : "to", text);
    }
    write_text(w, "time_of", f->has_time ? frame_time(f, &what) : NULL);
    wh_jw_put_str(w, "zone", conf->zone_name);
}

void question_write(const struct question *question, const struct question_conf *conf,
                    struct wh_json_writer *w)
{
    static const char *const aggregates[AGGREGATES] = {NULL, "average", "median", "p90", "sum"};
    static const char *const ops[] = {"list", "count", "measure"};
    const struct question_frame *f = question->frame;

    wh_jw_put_str(w, "form", question->form);
    wh_jw_put_str(w, "subject", wh_slice_str(f->subject->id));
    wh_jw_put_str(w, "asked", wh_slice_str(ops[f->op]));
    write_text(w, "measure", f->measure ? f->measure->id : NULL);
    write_text(w, "aggregate",
               f->op == FRAME_MEASURE && f->measure && !f->measure->own && !f->aggregate
                   ? "median"
                   : aggregates[f->aggregate]);
    write_text(w, "by", f->group ? f->group->id : NULL);
    write_text(w, "period", f->period >= 0 ? form_periods[f->period] : NULL);
    write_filters(f, w);
    write_time(f, conf, w);
    wh_jw_put_str(w, "restated", question->restated);
}

/* ---- the forms ---- */

void questions_write_forms(const struct questions *q, struct wh_json_writer *w)
{
    for (size_t i = 0; i < q->n_subjects; i++) {
        const struct form_subject *s = &q->subjects[i];

        for (size_t k = 0; k < s->n_forms; k++) {
            wh_jw_object(w);
            wh_jw_put_str(w, "subject", wh_slice_str(s->many));
            wh_jw_put_str(w, "measure", wh_slice_str(s->forms[k].id));
            wh_jw_put_str(w, "example", wh_slice_str(s->forms[k].example));
            wh_jw_end(w);
        }
    }
}

/* How many words of the text stand in the example, or begin as its words do. */
static size_t score(const struct ask_words *words, const char *example)
{
    size_t n = 0;

    for (size_t i = 0; i < words->n; i++) {
        const char *word = words->list[i].low;
        size_t len = strlen(word);

        len -= len > 4 && word[len - 1] == 's';
        for (const char *at = example; len > 3 && (at = strstr(at, word)) != NULL; at++) {
            if (at == example || at[-1] == ' ') {
                n++;
                break;
            }
        }
    }
    return n;
}

size_t questions_nearest(const struct questions *q, struct wh_slice text, const char **ret,
                         size_t max)
{
    struct ask_words words = {.n = 0};
    struct wh_err ignored;
    size_t n = 0;

    if (ask_words_split(text, &words, &ignored) != WH_OK) {
        words.n = 0;
    }
    for (size_t best = ASK_WORDS_MAX; best > 0 && n < max; best--) {
        for (size_t i = 0; i < q->n_subjects; i++) {
            const struct form_subject *s = &q->subjects[i];

            for (size_t k = 0; k < s->n_forms && n < max; k++) {
                if (score(&words, s->forms[k].example) == best) {
                    ret[n++] = s->forms[k].example;
                }
            }
        }
    }
    return n;
}
