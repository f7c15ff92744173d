/* From words to a frame. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "stages/sink/questions/read_priv.h"

enum { NUMBER_MAX = 100000 };

static void take(struct reading *r, size_t i, size_t n)
{
    for (size_t k = i; k < i + n && k < r->words.n; k++) {
        r->read[k] = true;
    }
}

enum wh_rc reading_add(struct reading *r, const struct frame_filter *filter, struct wh_err *err)
{
    struct frame_filter *f;

    if (r->frame.n_filters == QUESTION_FILTERS_MAX) {
        return wh_fail(err, WH_E_INVALID, "the question has more than %d conditions",
                       QUESTION_FILTERS_MAX);
    }
    if (filter->form->where == NULL && filter->form->otherwise == NULL &&
        filter->negated != r->negating) {
        return wh_fail(err, WH_E_INVALID, "\"not %s\" is not understood in a question about %s",
                       filter->form->say, r->frame.subject->many);
    }
    f = &r->frame.filters[r->frame.n_filters++];
    *f = *filter;
    f->negated = filter->negated != r->negating;
    f->joined = r->joining;
    r->negating = false;
    r->joining = false;
    if (filter->form->who && !f->negated) {
        r->who = filter->form->who;
    }
    return WH_OK;
}

/* ---- values behind words ---- */

static size_t read_duration(struct reading *r, size_t i, struct wh_slice *ret,
                            struct wh_slice *name, struct wh_err *err)
{
    static const struct {
        const char *words;
        int64_t seconds;
    } units[] = {{"second|seconds|s|sec|secs", 1}, {"minute|minutes|min|mins", 60},
                 {"hour|hours|h", 3600},           {"day|days", 86400},
                 {"week|weeks", 604800},           {"month|months", 2592000},
                 {"year|years", 31536000}};
    char text[32];
    int number;

    if (!ask_number(&r->words, i, &number) || number > NUMBER_MAX) {
        return 0;
    }
    for (size_t k = 0; k < sizeof(units) / sizeof(units[0]); k++) {
        if (ask_is(&r->words, i + 1, units[k].words)) {
            struct wh_slice first = r->words.list[i].text;
            struct wh_slice last = r->words.list[i + 1].text;
            int n = snprintf(text, sizeof(text), "%" PRId64, number * units[k].seconds);

            *name = wh_slice(first.ptr, (size_t)(last.ptr + last.len - first.ptr));
            return wh_arena_dup(r->arena, wh_slice(text, (size_t)n), ret, err) == WH_OK ? 2 : 0;
        }
    }
    return 0;
}

/* Words that say something of their own are no label and no branch, unless they stand in quotation marks. */
static bool is_plain(const struct reading *r, size_t i)
{
    const struct questions *q = r->q;
    const struct form_words *const lists[] = {&q->filler, &q->by, &q->negation, &q->alternative};

    for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++) {
        if (match_words(r, i, lists[k])) {
            return true;
        }
    }
    for (int k = 0; k < ORDERS; k++) {
        if (match_words(r, i, &q->orders[k])) {
            return true;
        }
    }
    return false;
}

/* The value of a filter behind its words; *ret_n 0: there is none. */
static enum wh_rc read_value(struct reading *r, const struct form_filter *f, size_t i,
                             struct frame_filter *filter, size_t *ret_n, struct wh_err *err)
{
    struct question_choice name;

    *ret_n = 0;
    i += f->takes == TAKES_TEXT ? 0 : ask_fits(&r->words, i, "the");
    if (i >= r->words.n || r->words.list[i].taken) {
        return WH_OK;
    }
    if (f->takes == TAKES_TEXT && is_plain(r, i)) {
        return WH_OK;
    }
    if (f->takes == TAKES_TEXT) {
        filter->value = filter->name = r->words.list[i].text;
        *ret_n = 1;
        return WH_OK;
    }
    if (f->takes == TAKES_DURATION) {
        *ret_n = read_duration(r, i, &filter->value, &filter->name, err);
        return WH_OK;
    }
    if (match_name(r, i, 1u << f->takes, &name, ret_n, err) == WH_OK) {
        filter->value = name.id;
        filter->name = name.name;
        *ret_n += *ret_n ? ask_fits(&r->words, i - 1, "the") : 0;
        return WH_OK;
    }
    return err->rc;
}

/* ---- parts ---- */

static enum wh_rc apply_filter(struct reading *r, const struct match *m, size_t i, size_t *ret_n,
                               struct wh_err *err)
{
    const struct form_filter *f = m->what;
    struct frame_filter filter = {.form = f, .negated = m->part == PART_NOT_FILTER, .at = i};
    size_t n = 0;

    *ret_n = m->n;
    if (f->takes != TAKES_NOTHING) {
        if (read_value(r, f, i + m->n, &filter, &n, err) != WH_OK) {
            return err->rc;
        }
        *ret_n = n ? m->n + n : 0;
        if (n && f->takes <= TAKES_CUSTOMER) {
            match_named(r, f, i + *ret_n);
        }
    }
    filter.end = i + *ret_n;
    return *ret_n ? reading_add(r, &filter, err) : WH_OK;
}

static size_t read_limit(struct reading *r, size_t i)
{
    int number;

    if (i < r->words.n && !ask_is(&r->words, i, "a|an|one") && ask_number(&r->words, i, &number) &&
        number > 0) {
        r->frame.limit = number < QUESTION_ROWS * 10 ? number : QUESTION_ROWS * 10;
        return 1;
    }
    return 0;
}

static size_t apply_simple(struct reading *r, const struct match *m, size_t i)
{
    size_t n = m->n;

    switch (m->part) {
    case PART_NOUN: {
        const char *word = ask_word(&r->words, i + n - 1);

        r->has_noun = true;
        r->is_one = word[0] && word[strlen(word) - 1] != 's';
        break;
    }
    case PART_MEASURE:
        r->measure = m->what;
        r->measure_at = i;
        break;
    case PART_GROUP:
        r->frame.group = m->what;
        break;
    case PART_PERIOD:
        r->frame.period = m->number;
        break;
    case PART_ORDER:
        r->frame.order = (enum form_order)m->number;
        n += read_limit(r, i + n);
        break;
    case PART_AGGREGATE:
        r->frame.aggregate = (enum form_aggregate)m->number;
        break;
    case PART_ASK:
        r->asked[m->number] = true;
        r->asked_end = i + n;
        break;
    case PART_NOT:
        r->negating = true;
        break;
    case PART_OR:
        r->joining = true;
        break;
    case PART_BARE:
        if (r->n_bare == BARE_MAX) {
            return 0;
        }
        r->bare[r->n_bare].group = m->what;
        r->bare[r->n_bare].at = i;
        r->bare[r->n_bare++].n = n;
        break;
    case PART_FILTER:
    case PART_NOT_FILTER:
    case PART_FILLER:
    default:
        break;
    }
    return n;
}

/* What fits best at word i; *ret_n 0: nothing does. */
static enum wh_rc read_at(struct reading *r, size_t i, size_t *ret_n, struct wh_err *err)
{
    struct match list[MATCHES_MAX];
    size_t n = match_at(r, i, list);
    size_t number = read_limit(r, i);

    *ret_n = 0;
    /* "5 slowest jobs" */
    if (number) {
        n = match_at(r, i + 1, list);
        if (n && list[0].part == PART_ORDER) {
            r->frame.order = (enum form_order)list[0].number;
            *ret_n = 1 + list[0].n;
            return WH_OK;
        }
        r->frame.limit = 0;
        return WH_OK;
    }
    for (size_t k = 0; k < n && *ret_n == 0; k++) {
        if (list[k].part == PART_FILTER || list[k].part == PART_NOT_FILTER) {
            if (apply_filter(r, &list[k], i, ret_n, err) != WH_OK) {
                return err->rc;
            }
        } else {
            *ret_n = apply_simple(r, &list[k], i);
        }
    }
    return WH_OK;
}

enum wh_rc reading_words(struct reading *r, struct wh_err *err)
{
    for (size_t i = 0; i < r->words.n;) {
        size_t n = 0;

        if (r->words.list[i].taken || r->read[i]) {
            i++;
            continue;
        }
        if (read_at(r, i, &n, err) != WH_OK) {
            return err->rc;
        }
        if (n == 0) {
            r->negating = false; /* match_rest looks back */
            r->joining = false;
        }
        take(r, i, n);
        i += n ? n : 1;
    }
    if (r->negating || r->joining) {
        return wh_fail(err, WH_E_INVALID, "it is not clear what \"%s\" belongs to",
                       r->negating ? "not" : "or");
    }
    return match_rest(r, err);
}
