/* A frame as JSON, so that a conversation outlives the process: parts of the forms by their ids, names as ids. */
#include <string.h>

#include "common/json/json_doc.h"
#include "stages/sink/questions/frame.h"

/* ---- writing ---- */

static void put(struct wh_json_writer *w, const char *key, const char *id)
{
    if (id) {
        wh_jw_put_str(w, key, wh_slice_str(id));
    }
}

static void write_span(const struct ask_span *s, struct wh_json_writer *w)
{
    wh_jw_key(w, "span");
    wh_jw_object(w);
    wh_jw_put_int(w, "first_day", s->first_day);
    wh_jw_put_int(w, "last_day", s->last_day);
    wh_jw_put_int(w, "from_ms", s->from_ms);
    wh_jw_put_int(w, "to_ms", s->to_ms);
    wh_jw_put_bool(w, "open_begin", s->open_begin);
    wh_jw_put_bool(w, "open_end", s->open_end);
    wh_jw_put_bool(w, "of_instants", s->of_instants);
    wh_jw_end(w);
}

void question_frame_write(const struct question_frame *f, struct wh_json_writer *w)
{
    wh_jw_object(w);
    put(w, "subject", f->subject->id);
    wh_jw_put_int(w, "op", f->op);
    put(w, "measure", f->measure ? f->measure->id : NULL);
    wh_jw_put_int(w, "aggregate", f->aggregate);
    put(w, "group", f->group ? f->group->id : NULL);
    wh_jw_put_int(w, "period", f->period);
    wh_jw_put_int(w, "order", f->order);
    wh_jw_put_int(w, "limit", f->limit);
    wh_jw_key(w, "filters");
    wh_jw_array(w);
    for (size_t i = 0; i < f->n_filters; i++) {
        const struct frame_filter *one = &f->filters[i];

        wh_jw_object(w);
        put(w, "id", one->form->id);
        wh_jw_put_bool(w, "negated", one->negated);
        wh_jw_put_bool(w, "joined", one->joined);
        if (one->value.ptr) {
            wh_jw_put_str(w, "value", one->value);
            wh_jw_put_str(w, "name", one->name);
        }
        wh_jw_end(w);
    }
    wh_jw_end(w);
    if (f->has_time) {
        write_span(&f->span, w);
    }
    wh_jw_end(w);
}

/* ---- reading ---- */

struct restoring {
    const struct questions *q;
    const struct question_conf *conf;
    struct wh_arena *arena;
    struct question_frame *f;
};

static void read_span(struct wh_json_val v, struct ask_span *ret)
{
    *ret = (struct ask_span){.first_day = wh_json_get_int(v, "first_day", 0),
                             .last_day = wh_json_get_int(v, "last_day", 0),
                             .from_ms = wh_json_get_int(v, "from_ms", 0),
                             .to_ms = wh_json_get_int(v, "to_ms", 0),
                             .open_begin = wh_json_get_flag(v, "open_begin"),
                             .open_end = wh_json_get_flag(v, "open_end"),
                             .of_instants = wh_json_get_flag(v, "of_instants")};
}

/* Of a name, the id that counts now, which differs after a merge, and what it is called now. */
static enum wh_rc look_again(const struct restoring *r, struct frame_filter *f, struct wh_err *err)
{
    struct found_names found;

    if (f->form->takes == TAKES_NOTHING || f->form->takes > TAKES_CUSTOMER) {
        return WH_OK;
    }
    if (names_find(r->conf, f->value, 1u << f->form->takes, r->arena, &found, err) != WH_OK) {
        return err->rc;
    }
    if (found.n == 1) {
        f->value = found.list[0].id;
        f->name = found.list[0].name;
    }
    return WH_OK;
}

static enum wh_rc read_filter(const struct restoring *r, struct wh_json_val v, struct wh_err *err)
{
    struct wh_slice id = wh_json_get_str(v, "id");
    struct frame_filter f = {.negated = wh_json_get_flag(v, "negated"),
                             .joined = wh_json_get_flag(v, "joined")};

    for (size_t i = 0; i < r->f->subject->n_filters; i++) {
        if (wh_slice_eq(id, wh_slice_str(r->f->subject->filters[i].id))) {
            f.form = &r->f->subject->filters[i];
        }
    }
    if (f.form == NULL || r->f->n_filters == QUESTION_FILTERS_MAX) {
        return wh_fail(err, WH_E_INVALID, "the forms have changed since; ask the question again");
    }
    if (wh_arena_dup(r->arena, wh_json_get_str(v, "value"), &f.value, err) != WH_OK ||
        wh_arena_dup(r->arena, wh_json_get_str(v, "name"), &f.name, err) != WH_OK ||
        look_again(r, &f, err) != WH_OK) {
        return err->rc;
    }
    r->f->filters[r->f->n_filters++] = f;
    return WH_OK;
}

static const char *text_of(struct wh_json_val v, const char *key)
{
    struct wh_json_val text;

    return wh_json_get(v, wh_slice_str(key), &text) && wh_json_type(text) == WH_JSON_STRING
               ? wh_json_string(text).ptr
               : NULL;
}

static int64_t number_of(struct wh_json_val v, const char *key, int64_t min, int64_t max)
{
    int64_t n = wh_json_get_int(v, key, min);

    return n >= min && n <= max ? n : min;
}

enum wh_rc question_frame_read(const struct questions *q, struct wh_json_val v,
                               const struct question_conf *conf, struct wh_arena *arena,
                               const struct question_frame **ret, struct wh_err *err)
{
    const char *subject = text_of(v, "subject");
    struct restoring r = {q, conf, arena, NULL};
    struct wh_json_iter it = wh_json_get_iter(v, "filters");
    struct wh_json_val one;
    struct wh_slice key;
    void *memory = NULL;

    if (wh_arena_zalloc(arena, 1, sizeof(*r.f), &memory, err) != WH_OK) {
        return err->rc;
    }
    r.f = memory;
    r.f->subject = subject ? form_subject_of(q, subject) : NULL;
    if (r.f->subject == NULL) {
        return wh_fail(err, WH_E_INVALID, "the forms have changed since; ask the question again");
    }
    r.f->op = (enum frame_op)number_of(v, "op", FRAME_LIST, FRAME_MEASURE);
    r.f->measure = form_measure_of(r.f->subject, text_of(v, "measure"));
    r.f->aggregate = (enum form_aggregate)number_of(v, "aggregate", 0, AGGREGATES - 1);
    r.f->group = form_group_of(r.f->subject, text_of(v, "group"));
    r.f->period = (int)number_of(v, "period", -1, PERIODS - 1);
    r.f->order = (enum form_order)number_of(v, "order", 0, ORDERS - 1);
    r.f->limit = number_of(v, "limit", 0, (int64_t)QUESTION_ROWS * 10);
    if (r.f->op == FRAME_MEASURE && r.f->measure == NULL) {
        return wh_fail(err, WH_E_INVALID, "the forms have changed since; ask the question again");
    }
    while (wh_json_next(&it, &key, &one)) {
        if (read_filter(&r, one, err) != WH_OK) {
            return err->rc;
        }
    }
    r.f->has_time = wh_json_get(v, WH_LIT("span"), &one);
    if (r.f->has_time) {
        read_span(one, &r.f->span);
    }
    *ret = r.f;
    return WH_OK;
}

enum wh_rc question_of_frame(const struct question_frame *frame, const struct question_conf *conf,
                             struct wh_arena *arena, struct question *ret, struct wh_err *err)
{
    *ret = (struct question){.frame = frame, .about = frame->subject->id};
    return question_put_texts(frame, conf, arena, ret, err);
}
