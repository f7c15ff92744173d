/* Names among the words of a question. */
#include <string.h>

#include "stages/sink/questions/read_priv.h"

static bool is_free(const struct reading *r, size_t i)
{
    return i < r->words.n && !r->words.list[i].taken;
}

/* The words from i to i + n - 1 as they were typed, with what stands between them. */
static struct wh_slice text_of(const struct reading *r, size_t i, size_t n)
{
    struct wh_slice first = r->words.list[i].text;
    struct wh_slice last = r->words.list[i + n - 1].text;

    return wh_slice(first.ptr, (size_t)(last.ptr + last.len - first.ptr));
}

/* How many words from i on may be one name. */
static size_t longest(const struct reading *r, size_t i)
{
    size_t n = 0;

    while (n < NAME_WORDS_MAX && is_free(r, i + n) && (n == 0 || !r->words.list[i + n].quoted)) {
        n++;
        if (r->words.list[i + n - 1].quoted) {
            break;
        }
    }
    return n;
}

enum wh_rc match_name(struct reading *r, size_t i, unsigned kinds, struct question_choice *ret,
                      size_t *ret_n, struct wh_err *err)
{
    struct found_names found = {.n = 0};

    *ret_n = 0;
    for (size_t n = longest(r, i); n > 0 && kinds && r->looks < LOOKS_MAX; n--) {
        r->looks++;
        if (names_find(r->conf, text_of(r, i, n), kinds, r->arena, &found, err) != WH_OK) {
            return err->rc;
        }
        if (found.n) {
            *ret_n = n;
            break;
        }
    }
    if (found.n > 1 && r->ret->n_choices == 0) {
        memcpy(r->ret->choices, found.list, found.n * sizeof(found.list[0]));
        r->ret->n_choices = found.n;
    }
    *ret = found.list[0];
    return WH_OK;
}

/* ---- words that nothing else has taken ---- */

/* The kinds that a name without words around it may have. */
static unsigned default_kinds(const struct form_subject *s)
{
    unsigned kinds = 0;

    for (size_t i = 0; i < s->n_filters; i++) {
        kinds |= s->filters[i].is_default ? 1u << s->filters[i].takes : 0;
    }
    return kinds;
}

static const struct form_filter *default_of(const struct form_subject *s, const char *kind)
{
    for (size_t i = 0; i < s->n_filters; i++) {
        if (s->filters[i].is_default && strcmp(form_takes_names[s->filters[i].takes], kind) == 0) {
            return &s->filters[i];
        }
    }
    return NULL;
}

/* "the project X", "the X project": the group's word in front of or behind the words from i on. -1: none. */
static int hint_beside(const struct reading *r, size_t i, size_t n)
{
    for (size_t k = 0; k < r->n_bare; k++) {
        bool beside = r->bare[k].at + r->bare[k].n == i || r->bare[k].at == i + n;

        if (beside && r->bare[k].group && r->bare[k].group->names != TAKES_NOTHING) {
            return (int)k;
        }
    }
    return -1;
}

/* "the shop team": the same for a value of the group's column. */
static int column_beside(const struct reading *r, size_t i, size_t n, const char *column)
{
    const char *dot = strchr(column, '.');

    for (size_t k = 0; k < r->n_bare; k++) {
        bool beside = r->bare[k].at + r->bare[k].n == i || r->bare[k].at == i + n;

        if (beside && r->bare[k].group &&
            strcmp(r->bare[k].group->id, dot ? dot + 1 : column) == 0) {
            return (int)k;
        }
    }
    return -1;
}

static void take(struct reading *r, size_t i, size_t n)
{
    for (size_t k = i; k < i + n; k++) {
        r->read[k] = true;
    }
}

void match_named(struct reading *r, const struct form_filter *form, size_t end)
{
    if (r->n_named < QUESTION_FILTERS_MAX) {
        r->named[r->n_named].form = form;
        r->named[r->n_named++].end = end;
    }
}

/* "closed by Dana or Sofia": the filter of the name before; NULL: there is none. */
static const struct form_filter *same_as_before(const struct reading *r, size_t i, const char *kind)
{
    size_t end = i;

    while (end > 0 && ask_is(&r->words, end - 1, "or|and|nor")) {
        end--;
    }
    for (size_t k = 0; end < i && k < r->n_named; k++) {
        if (r->named[k].end == end &&
            strcmp(form_takes_names[r->named[k].form->takes], kind) == 0) {
            return r->named[k].form;
        }
    }
    return NULL;
}

/* "to Dana" and "for Dana" say a part that a name alone does not. */
static bool is_other_part(const struct reading *r, size_t i, const char *kind)
{
    return strcmp(kind, "person") == 0 && i > 0 &&
           ask_is(&r->words, i - 1, "to|with|for|on|at|in|into|against|about");
}

static void take_hint(struct reading *r, int hint)
{
    if (hint >= 0) {
        take(r, r->bare[hint].at, r->bare[hint].n);
        r->bare[hint].group = NULL;
    }
}

static enum wh_rc rest_name(struct reading *r, size_t i, size_t *ret_n, struct wh_err *err)
{
    const struct form_subject *s = r->frame.subject;
    int hint = hint_beside(r, i, 1);
    unsigned kinds = default_kinds(s);
    struct question_choice name;
    struct frame_filter filter;

    if (hint >= 0 && kinds & 1u << r->bare[hint].group->names) {
        kinds = 1u << r->bare[hint].group->names;
    }
    if (match_name(r, i, kinds, &name, ret_n, err) != WH_OK) {
        return err->rc;
    }
    if (*ret_n == 0 || is_other_part(r, i, name.kind)) {
        *ret_n = 0;
        return WH_OK;
    }
    hint = hint_beside(r, i, *ret_n);
    if (hint >= 0 && strcmp(form_takes_names[r->bare[hint].group->names], name.kind) == 0) {
        take_hint(r, hint);
    }
    take(r, i, *ret_n);
    filter = (struct frame_filter){
        .form = same_as_before(r, i, name.kind), .value = name.id, .name = name.name};
    filter.alone = filter.form == NULL;
    filter.at = i;
    filter.end = i + *ret_n;
    filter.form = filter.form ? filter.form : default_of(s, name.kind);
    match_named(r, filter.form, i + *ret_n);
    return reading_add(r, &filter, err);
}

/* Values of columns: "enterprise", "main". */
static enum wh_rc rest_value(struct reading *r, size_t i, size_t *ret_n, struct wh_err *err)
{
    const struct form_subject *s = r->frame.subject;

    for (size_t k = 0; k < s->n_filters && *ret_n == 0; k++) {
        const struct form_filter *f = &s->filters[k];

        for (size_t n = longest(r, i); f->values && n > 0 && *ret_n == 0 && r->looks < LOOKS_MAX;
             n--) {
            struct frame_filter filter = {.form = f};

            r->looks++;
            if (names_value(r->conf, s->table, f->values, text_of(r, i, n), r->arena, &filter.value,
                            err) != WH_OK) {
                return err->rc;
            }
            if (filter.value.ptr) {
                filter.name = filter.value;
                *ret_n = n;
                take(r, i, n);
                take_hint(r, column_beside(r, i, n, f->values));
                return reading_add(r, &filter, err);
            }
        }
    }
    return WH_OK;
}

/* What stands in front of a name says whether it is negated or an alternative. */
static void look_back(struct reading *r, size_t i)
{
    while (i > 0 && r->read[i - 1] &&
           !ask_is(&r->words, i - 1, "not|or|except|excluding|without")) {
        if (!ask_is(&r->words, i - 1, "in|on|of|for|from|the|by|at|a|an")) {
            return;
        }
        i--;
    }
    r->negating = i > 0 && ask_is(&r->words, i - 1, "not|except|excluding|without");
    r->joining = i > 0 && ask_is(&r->words, i - 1, "or");
}

enum wh_rc match_rest(struct reading *r, struct wh_err *err)
{
    for (size_t i = 0; i < r->words.n; i++) {
        size_t n = 0;

        if (r->read[i] || !is_free(r, i)) {
            continue;
        }
        look_back(r, i);
        if (rest_name(r, i, &n, err) != WH_OK || (n == 0 && rest_value(r, i, &n, err) != WH_OK)) {
            return err->rc;
        }
        i += n ? n - 1 : 0;
    }
    return WH_OK;
}
