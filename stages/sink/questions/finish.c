/* What is asked follows from what was found in the words. */
#include <string.h>

#include "stages/sink/questions/read_priv.h"

enum { LISTED = 10 };

static bool has_word(const struct reading *r, const char *alternatives)
{
    for (size_t i = 0; i < r->words.n; i++) {
        if (ask_is(&r->words, i, alternatives)) {
            return true;
        }
    }
    return false;
}

/* "opened" alone is "open"; with a time or a person it is when, or who. "Did Dana open" is what "opened" is. */
static void read_otherwise(struct reading *r)
{
    bool did = has_word(r, "did|does|do") && !has_word(r, "still");

    for (size_t i = 0; i < r->frame.n_filters; i++) {
        struct frame_filter *f = &r->frame.filters[i];
        const struct form_filter *other = form_filter_of(r->frame.subject, f->form->otherwise);

        if (other && f->form->where == NULL && !r->frame.has_time && !r->asked[ASK_FOR_WHO] &&
            r->frame.n_filters == 1) {
            f->form = other;
        } else if (did && f->form->did && !f->negated) {
            f->form = form_filter_of(r->frame.subject, f->form->did);
        }
    }
}

/* Does the text go on with "'s" behind word i? */
static bool is_genitive(const struct reading *r, size_t i)
{
    struct wh_slice word = r->words.list[i].text;
    struct wh_slice all = r->question;
    size_t behind = (size_t)(word.ptr + word.len - all.ptr);

    return behind + 1 < all.len && (all.ptr[behind] == '\'' || all.ptr[behind] == '\xE2');
}

/* "That Dana reviewed": a name in front of a verb is who did that. */
static void read_doers(struct reading *r)
{
    for (size_t i = 0; i < r->frame.n_filters; i++) {
        struct frame_filter *name = &r->frame.filters[i];

        for (size_t k = 0; name->alone && k < r->frame.n_filters; k++) {
            const struct frame_filter *verb = &r->frame.filters[k];
            const struct form_filter *doer = form_filter_of(r->frame.subject, verb->form->who);
            size_t at =
                name->end + ask_fits(&r->words, name->end, "has|have|had|did|actually|already");

            if (verb->at == at && verb->at > 0 && doer && doer->takes == name->form->takes &&
                !is_genitive(r, name->end - 1)) {
                name->form = doer;
            }
        }
    }
}

/* A group that nothing announces is meant by "which project has the most", "top 5 authors", "which projects have". */
static void read_bare(struct reading *r)
{
    for (size_t k = 0; k < r->n_bare; k++) {
        size_t at = r->bare[k].at;
        bool asked = at > 0 && (ask_is(&r->words, at - 1, "which|what|many|top|most|the") ||
                                r->frame.order != ORDER_NONE);

        if (r->bare[k].group == NULL) {
            continue;
        }
        if (r->frame.group == NULL && (asked || r->asked[ASK_FOR_WHO])) {
            r->frame.group = r->bare[k].group;
        } else if (r->frame.group != r->bare[k].group) {
            for (size_t i = at; i < at + r->bare[k].n; i++) {
                r->read[i] = false;
            }
        }
    }
}

static const struct form_measure *usual_measure(const struct form_subject *s)
{
    for (size_t i = 0; i < s->n_measures; i++) {
        if (s->measures[i].is_long) {
            return &s->measures[i];
        }
    }
    return NULL;
}

static const struct form_measure *long_measure(const struct reading *r)
{
    for (size_t i = 0; r->measure == NULL && i < r->frame.n_filters; i++) {
        const struct form_measure *m =
            form_measure_of(r->frame.subject, r->frame.filters[i].form->long_of);

        if (m && !r->frame.filters[i].negated) {
            return m;
        }
    }
    return r->measure ? r->measure : usual_measure(r->frame.subject);
}

/* "What share of pipelines failed": the rate of that filter, which is then no condition. */
static enum wh_rc read_share(struct reading *r, struct wh_err *err)
{
    struct question_frame *f = &r->frame;

    for (size_t i = 0; i < f->n_filters; i++) {
        const struct form_measure *m = form_measure_of(f->subject, f->filters[i].form->rate);

        if (m && !f->filters[i].negated && r->measure == NULL) {
            r->measure = m;
            f->n_filters--;
            memmove(&f->filters[i], &f->filters[i + 1], (f->n_filters - i) * sizeof(f->filters[0]));
        }
    }
    return r->measure && r->measure->own
               ? WH_OK
               : wh_fail(err, WH_E_INVALID, "it is not clear which share of %s is meant",
                         f->subject->many);
}

/* Of how many there are no averages, and a number that is asked for is that of the noun behind "how many". */
static enum wh_rc check_count(const struct reading *r, struct wh_err *err)
{
    if (!r->asked[ASK_FOR_COUNT]) {
        return WH_OK;
    }
    if (r->frame.aggregate != AGGREGATE_NONE && r->frame.aggregate != AGGREGATE_SUM) {
        return wh_fail(
            err, WH_E_INVALID,
            "averages of numbers are not understood; ask for the number by day, week or month");
    }
    if (r->measure && (r->measure_at != r->asked_end || !r->measure->adds)) {
        return wh_fail(err, WH_E_INVALID, "it is not clear whether %s or %s are to be counted",
                       r->frame.subject->many, r->measure->say);
    }
    return WH_OK;
}

static void read_who(struct reading *r)
{
    if (r->asked[ASK_FOR_WHO] && r->frame.group == NULL) {
        r->frame.group = form_group_of(r->frame.subject, r->who ? r->who : r->frame.subject->who);
    }
}

static enum wh_rc as_measure(struct reading *r, const struct form_measure *m, struct wh_err *err)
{
    if (m == NULL) {
        return wh_fail(err, WH_E_INVALID, "it is not clear what is to be measured of %s",
                       r->frame.subject->many);
    }
    r->frame.op = FRAME_MEASURE;
    r->frame.measure = m;
    if (r->frame.aggregate == AGGREGATE_NONE && m->unit && strcmp(m->unit, "money") == 0) {
        r->frame.aggregate = AGGREGATE_SUM;
    }
    return WH_OK;
}

/* Rows in an order: by a measure, or by time. */
static enum wh_rc as_ordered(struct reading *r, const struct form_measure *m, struct wh_err *err)
{
    r->frame.op = FRAME_LIST;
    r->frame.measure = m;
    r->frame.limit = r->frame.limit ? r->frame.limit : r->is_one && m == NULL ? 1 : LISTED;
    if (m && m->own) {
        return wh_fail(err, WH_E_INVALID, "%s is no property of one of %s", m->say,
                       r->frame.subject->many);
    }
    return WH_OK;
}

static enum wh_rc read_order(struct reading *r, struct wh_err *err)
{
    struct question_frame *f = &r->frame;
    const struct form_measure *usual = long_measure(r);

    switch (f->order) {
    case ORDER_LONGEST:
    case ORDER_SHORTEST:
        if (usual == NULL) {
            return as_measure(r, NULL, err);
        }
        return f->group ? as_measure(r, usual, err) : as_ordered(r, usual, err);
    case ORDER_NEWEST:
    case ORDER_OLDEST:
        if (f->group || f->subject->time == NULL) {
            return wh_fail(err, WH_E_INVALID,
                           "newest and oldest are asked of %s themselves, one by one",
                           f->subject->many);
        }
        return as_ordered(r, NULL, err);
    case ORDER_MOST:
    case ORDER_FEWEST:
        if (f->group == NULL && r->measure) {
            return as_ordered(r, r->measure, err);
        }
        f->group = f->group ? f->group : form_group_of(f->subject, f->subject->rank);
        if (f->group == NULL) {
            return wh_fail(err, WH_E_INVALID, "it is not clear of what there are the most");
        }
        if (r->measure) {
            return as_measure(r, r->measure, err);
        }
        f->op = FRAME_COUNT;
        return WH_OK;
    case ORDER_NONE:
    case ORDERS:
    default:
        return WH_OK;
    }
}

enum wh_rc reading_finish(struct reading *r, struct wh_err *err)
{
    struct question_frame *f = &r->frame;

    if (check_count(r, err) != WH_OK) {
        return err->rc;
    }
    read_doers(r);
    read_otherwise(r);
    read_bare(r);
    read_who(r);
    f->has_op = r->asked[ASK_FOR_COUNT] || r->asked[ASK_FOR_LIST] || r->asked[ASK_FOR_WHO] ||
                r->asked[ASK_FOR_HOW_LONG] || r->asked[ASK_FOR_SHARE] || f->order != ORDER_NONE ||
                f->aggregate != AGGREGATE_NONE || r->measure;
    if (r->asked[ASK_FOR_SHARE] && read_share(r, err) != WH_OK) {
        return err->rc;
    }
    if (f->order != ORDER_NONE) {
        return read_order(r, err);
    }
    if (r->asked[ASK_FOR_HOW_LONG] || f->aggregate != AGGREGATE_NONE) {
        return as_measure(r, long_measure(r), err);
    }
    if (r->measure) {
        f->aggregate = r->asked[ASK_FOR_COUNT] && r->measure->adds ? AGGREGATE_SUM : f->aggregate;
        return as_measure(r, r->measure, err);
    }
    if (f->subject->implicit && !r->asked[ASK_FOR_COUNT] &&
        !has_word(r, "which|list|show|display|find")) {
        return as_measure(r, f->subject->implicit, err);
    }
    for (int i = 0; f->subject->period && f->group == NULL && f->period < 0 && i < PERIODS; i++) {
        f->period = strcmp(form_periods[i], f->subject->period) == 0 ? i : -1;
    }
    f->op = r->asked[ASK_FOR_COUNT] || f->group || f->period >= 0 ? FRAME_COUNT : FRAME_LIST;
    return WH_OK;
}
