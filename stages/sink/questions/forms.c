#include "stages/sink/questions/forms.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"

enum {
    FILE_MAX_BYTES = 1 << 20,
    FILE_DEPTH = 8,
    BLOCK_BYTES = 64 << 10,
    FORMS_MAX_BYTES = 4 << 20
};

/* Labels of forms.S. */
extern const char questions_file[];
extern const char questions_file_end[];

const char *const form_periods[PERIODS] = {"day", "week", "month", "quarter", "year"};
const char *const form_takes_names[] = {"",         "person", "project", "service",
                                        "customer", "text",   "duration"};

/* ---- values ---- */

static size_t count(struct wh_json_iter it)
{
    struct wh_json_val v;
    struct wh_slice key;
    size_t n = 0;

    while (wh_json_next(&it, &key, &v)) {
        n++;
    }
    return n;
}

/* NULL when it is absent; texts of the parser end with a NUL. */
static const char *text_of(struct wh_json_val object, const char *key)
{
    struct wh_json_val v;

    return wh_json_get(object, wh_slice_str(key), &v) && wh_json_type(v) == WH_JSON_STRING
               ? wh_json_string(v).ptr
               : NULL;
}

static enum wh_rc words_of(struct questions *q, struct wh_json_val object, const char *key,
                           struct form_words *ret, struct wh_err *err)
{
    struct wh_json_iter it = wh_json_get_iter(object, key);
    struct wh_json_val v;
    struct wh_slice name;
    size_t n = count(it);
    void *list = NULL;

    if (wh_arena_zalloc(&q->arena, n + 1, sizeof(char *), &list, err) != WH_OK) {
        return err->rc;
    }
    ret->list = list;
    ret->n = 0;
    while (wh_json_next(&it, &name, &v)) {
        if (wh_json_type(v) != WH_JSON_STRING || wh_json_string(v).len == 0) {
            return wh_fail(err, WH_E_INVALID, "%s has something that is no text", key);
        }
        ((const char **)list)[ret->n++] = wh_json_string(v).ptr;
    }
    return WH_OK;
}

static enum wh_rc takes_of(struct wh_json_val object, const char *key, enum form_takes *ret,
                           struct wh_err *err)
{
    const char *name = text_of(object, key);

    *ret = TAKES_NOTHING;
    for (int i = TAKES_PERSON; name && i <= TAKES_DURATION; i++) {
        if (strcmp(name, form_takes_names[i]) == 0) {
            *ret = (enum form_takes)i;
            return WH_OK;
        }
    }
    return name ? wh_fail(err, WH_E_INVALID, "%s: %s is unknown", key, name) : WH_OK;
}

/* ---- the parts of a subject ---- */

typedef enum wh_rc (*read_fn)(struct questions *q, struct wh_json_val v, struct wh_slice key,
                              void *ret, struct wh_err *err);

static enum wh_rc read_filter(struct questions *q, struct wh_json_val v, struct wh_slice key,
                              void *ret, struct wh_err *err)
{
    struct form_filter *f = ret;

    (void)key;
    *f = (struct form_filter){.id = text_of(v, "id"),
                              .where = text_of(v, "where"),
                              .where_not = text_of(v, "not"),
                              .say = text_of(v, "say"),
                              .say_not = text_of(v, "not_say"),
                              .set = text_of(v, "set"),
                              .time = text_of(v, "time"),
                              .time_say = text_of(v, "time_say"),
                              .who = text_of(v, "who"),
                              .values = text_of(v, "values"),
                              .otherwise = text_of(v, "else"),
                              .did = text_of(v, "did"),
                              .rate = text_of(v, "rate"),
                              .long_of = text_of(v, "long"),
                              .is_default = wh_json_get_flag(v, "default")};
    if (f->id == NULL || f->say == NULL) {
        return wh_fail(err, WH_E_INVALID, "a filter lacks id or say");
    }
    f->set = f->set ? f->set : f->id;
    return words_of(q, v, "words", &f->words, err) == WH_OK &&
                   words_of(q, v, "not_words", &f->not_words, err) == WH_OK
               ? takes_of(v, "takes", &f->takes, err)
               : err->rc;
}

static enum wh_rc read_group(struct questions *q, struct wh_json_val v, struct wh_slice key,
                             void *ret, struct wh_err *err)
{
    struct form_group *g = ret;

    (void)key;
    *g = (struct form_group){.id = text_of(v, "id"),
                             .by = text_of(v, "by"),
                             .key = text_of(v, "key"),
                             .list = text_of(v, "list")};
    if (g->id == NULL || g->by == NULL) {
        return wh_fail(err, WH_E_INVALID, "a group lacks id or by");
    }
    return words_of(q, v, "words", &g->words, err) == WH_OK ? takes_of(v, "names", &g->names, err)
                                                            : err->rc;
}

static enum wh_rc read_measure(struct questions *q, struct wh_json_val v, struct wh_slice key,
                               void *ret, struct wh_err *err)
{
    struct form_measure *m = ret;

    (void)key;
    *m = (struct form_measure){.id = text_of(v, "id"),
                               .value = text_of(v, "value"),
                               .unit = text_of(v, "unit"),
                               .where = text_of(v, "where"),
                               .say = text_of(v, "say"),
                               .time = text_of(v, "time"),
                               .time_say = text_of(v, "time_say"),
                               .own = wh_json_get_flag(v, "own"),
                               .is_long = wh_json_get_flag(v, "long"),
                               .is_big = wh_json_get_flag(v, "big"),
                               .adds = wh_json_get_flag(v, "adds")};
    if (m->id == NULL || m->value == NULL) {
        return wh_fail(err, WH_E_INVALID, "a measure lacks id or value");
    }
    m->say = m->say ? m->say : m->id;
    return words_of(q, v, "words", &m->words, err);
}

static enum wh_rc read_example(struct questions *q, struct wh_json_val v, struct wh_slice key,
                               void *ret, struct wh_err *err)
{
    struct form_example *e = ret;
    struct wh_slice id;

    if (wh_json_type(v) != WH_JSON_STRING) {
        return wh_fail(err, WH_E_INVALID, "a form is not the text of an example");
    }
    if (wh_arena_dup(&q->arena, key, &id, err) != WH_OK) {
        return err->rc;
    }
    *e = (struct form_example){id.ptr, wh_json_string(v).ptr};
    return WH_OK;
}

static enum wh_rc read_list(struct questions *q, struct wh_json_val object, const char *key,
                            size_t size, read_fn read, void **ret_list, size_t *ret_n,
                            struct wh_err *err)
{
    struct wh_json_iter it = wh_json_get_iter(object, key);
    struct wh_json_val v;
    struct wh_slice name;

    *ret_n = 0;
    if (wh_arena_zalloc(&q->arena, count(it) + 1, size, ret_list, err) != WH_OK) {
        return err->rc;
    }
    while (wh_json_next(&it, &name, &v)) {
        if (read(q, v, name, (char *)*ret_list + *ret_n * size, err) != WH_OK) {
            return wh_err_prefix(err, "%s %zu", key, *ret_n + 1);
        }
        ++*ret_n;
    }
    return WH_OK;
}

static enum wh_rc read_parts(struct questions *q, struct wh_json_val v, struct form_subject *s,
                             struct wh_err *err)
{
    const struct {
        const char *key;
        size_t size;
        read_fn read;
        size_t *n;
    } lists[] = {{"filters", sizeof(struct form_filter), read_filter, &s->n_filters},
                 {"groups", sizeof(struct form_group), read_group, &s->n_groups},
                 {"measures", sizeof(struct form_measure), read_measure, &s->n_measures},
                 {"forms", sizeof(struct form_example), read_example, &s->n_forms}};
    void *found[4] = {NULL};

    if (words_of(q, v, "words", &s->words, err) != WH_OK ||
        words_of(q, v, "verbs", &s->verbs, err) != WH_OK ||
        words_of(q, v, "columns", &s->columns, err) != WH_OK ||
        words_of(q, v, "streams", &s->streams, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < 4; i++) {
        if (read_list(q, v, lists[i].key, lists[i].size, lists[i].read, &found[i], lists[i].n,
                      err) != WH_OK) {
            return err->rc;
        }
    }
    s->filters = found[0];
    s->groups = found[1];
    s->measures = found[2];
    s->forms = found[3];
    return WH_OK;
}

static enum wh_rc read_subject(struct questions *q, struct wh_json_val v, struct wh_slice key,
                               void *ret, struct wh_err *err)
{
    struct form_subject *s = ret;

    (void)key;
    *s = (struct form_subject){.id = text_of(v, "id"),
                               .one = text_of(v, "one"),
                               .many = text_of(v, "many"),
                               .table = text_of(v, "table"),
                               .where = text_of(v, "where"),
                               .time = text_of(v, "time"),
                               .time_say = text_of(v, "time_say"),
                               .who = text_of(v, "who"),
                               .rank = text_of(v, "rank"),
                               .period = text_of(v, "period"),
                               .split = text_of(v, "split"),
                               .after_incidents = wh_json_get_flag(v, "after_incidents"),
                               .measure = measures_find(q->counted, wh_json_get_str(v, "measure"))};
    if (!s->id || !s->one || !s->many || (!s->table && !s->measure)) {
        return wh_fail(err, WH_E_INVALID, "it lacks id, one, many, or a table or measure");
    }
    if (read_parts(q, v, s, err) != WH_OK) {
        return wh_err_prefix(err, "%s", s->id);
    }
    s->implicit = form_measure_of(s, text_of(v, "implicit"));
    return WH_OK;
}

/* ---- the file ---- */

static enum wh_rc read_tables(struct questions *q, struct wh_json_val root, const char *key,
                              const char *const *names, size_t n, struct form_words *ret,
                              struct wh_err *err)
{
    struct wh_json_val object = root;

    if (!wh_json_get(root, wh_slice_str(key), &object)) {
        return wh_fail(err, WH_E_INVALID, "%s is missing", key);
    }
    for (size_t i = 0; i < n; i++) {
        if (names[i] && words_of(q, object, names[i], &ret[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc read_file(struct questions *q, struct wh_json_val root, struct wh_err *err)
{
    static const char *const ask[ASKS] = {"count", "list", "who", "how_long", "share"};
    static const char *const aggregates[AGGREGATES] = {NULL, "average", "median", "p90", "sum"};
    static const char *const orders[ORDERS] = {NULL,       "most",   "fewest", "longest",
                                               "shortest", "newest", "oldest"};
    void *subjects = NULL;

    q->version = wh_json_get_int(root, "version", 0);
    if (q->version != 1) {
        return wh_fail(err, WH_E_INVALID, "version is not 1");
    }
    if (read_tables(q, root, "ask", ask, ASKS, q->ask, err) != WH_OK ||
        read_tables(q, root, "aggregates", aggregates, AGGREGATES, q->aggregates, err) != WH_OK ||
        read_tables(q, root, "order", orders, ORDERS, q->orders, err) != WH_OK ||
        read_tables(q, root, "periods", form_periods, PERIODS, q->periods, err) != WH_OK ||
        words_of(q, root, "by", &q->by, err) != WH_OK ||
        words_of(q, root, "not", &q->negation, err) != WH_OK ||
        words_of(q, root, "or", &q->alternative, err) != WH_OK ||
        words_of(q, root, "filler", &q->filler, err) != WH_OK) {
        return err->rc;
    }
    if (read_list(q, root, "subjects", sizeof(struct form_subject), read_subject, &subjects,
                  &q->n_subjects, err) != WH_OK) {
        return err->rc;
    }
    q->subjects = subjects;
    return forms_vocabulary(q, err);
}

enum wh_rc questions_new(struct wh_slice json, struct questions **ret, struct wh_err *err)
{
    struct questions *q = wh_mem_zalloc(1, sizeof(*q));
    struct wh_json_val root;

    *ret = NULL;
    if (q == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for forms of questions");
    }
    if (json.ptr == NULL) {
        json = wh_slice(questions_file, (size_t)(questions_file_end - questions_file));
    }
    wh_arena_init(&q->arena, BLOCK_BYTES, FORMS_MAX_BYTES);
    if (measures_new(measures_file(), &q->counted, err) != WH_OK) {
        questions_free(q);
        return err->rc;
    }
    q->parser = wh_json_parser_new(FILE_MAX_BYTES, FILE_DEPTH);
    if (q->parser == NULL) {
        (void)wh_fail(err, WH_E_NOMEM, "no memory for forms of questions");
    } else if (wh_json_parse(q->parser, json, &root, err) == WH_OK &&
               read_file(q, root, err) == WH_OK) {
        *ret = q;
        return WH_OK;
    }
    questions_free(q);
    return wh_err_prefix(err, "forms of questions");
}

void questions_free(struct questions *q)
{
    if (q) {
        wh_json_parser_free(q->parser);
        wh_arena_done(&q->arena);
        measures_free(q->counted);
        wh_mem_free(q);
    }
}

/* ---- looking ---- */

#define BY_ID(name, type, list, number)                                                            \
    const struct type *name(const struct form_subject *s, const char *id)                          \
    {                                                                                              \
        for (size_t i = 0; id && i < s->number; i++) {                                             \
            if (strcmp(s->list[i].id, id) == 0) {                                                  \
                return &s->list[i];                                                                \
            }                                                                                      \
        }                                                                                          \
        return NULL;                                                                               \
    }

BY_ID(form_group_of, form_group, groups, n_groups)
BY_ID(form_filter_of, form_filter, filters, n_filters)
BY_ID(form_measure_of, form_measure, measures, n_measures)

const struct form_subject *form_subject_of(const struct questions *q, const char *id)
{
    for (size_t i = 0; i < q->n_subjects; i++) {
        if (strcmp(q->subjects[i].id, id) == 0) {
            return &q->subjects[i];
        }
    }
    return NULL;
}
