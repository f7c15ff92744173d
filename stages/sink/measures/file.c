/* Reads schemas/measures.json. What the file must have is checked here; that its selects run is a test. */
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/measures/measures.h"

enum {
    FILE_MAX_BYTES = 1 << 20,
    FILE_MAX_DEPTH = 8,
    FILE_VERSION = 1,
    ARENA_BLOCK_BYTES = 16 << 10,
};

extern const char measures_text[];
extern const char measures_text_end[];

struct measures {
    struct wh_arena arena;
    struct measure list[MEASURES_MAX];
    size_t n;
    struct measure_dimension dimensions[MEASURE_DIMENSIONS_MAX];
    size_t n_dimensions;
};

static const char *const units[] = {"count", "seconds", "ratio", "amount"};
static const char *const aggregates[] = {"count", "per_day", "open", "sum",
                                         "mean",  "p50",     "p90",  "ratio"};

enum {
    UNITS = sizeof(units) / sizeof(units[0]),
    AGGREGATES = sizeof(aggregates) / sizeof(aggregates[0])
};

struct wh_slice measures_file(void)
{
    return wh_slice(measures_text, (size_t)(measures_text_end - measures_text));
}

const char *measure_aggregate_name(enum measure_aggregate aggregate)
{
    return aggregates[aggregate];
}

const char *measure_unit_name(enum measure_unit unit)
{
    return units[unit];
}

bool measure_is_stock(const struct measure *measure)
{
    return measure->aggregates[0] == MEASURE_OPEN;
}

/* The place of the name in the list; n when it is not there. */
static size_t place_of(struct wh_slice name, const char *const *list, size_t n)
{
    size_t i = 0;

    while (i < n && !wh_slice_eq(name, wh_slice_str(list[i]))) {
        i++;
    }
    return i;
}

/* ---- texts ---- */

static enum wh_rc read_text(struct measures *m, struct wh_json_val object, const char *key,
                            struct wh_slice *ret, struct wh_err *err)
{
    struct wh_slice text = wh_json_get_str(object, key);

    return text.len ? wh_arena_dup(&m->arena, text, ret, err)
                    : wh_fail(err, WH_E_INVALID, "%s is missing", key);
}

static enum wh_rc read_texts(struct measures *m, struct wh_json_val object, const char *key,
                             struct wh_slice out[MEASURE_WORDS_MAX], size_t *ret_n,
                             struct wh_err *err)
{
    struct wh_json_iter it = wh_json_get_iter(object, key);
    struct wh_json_val v;

    *ret_n = 0;
    while (wh_json_next(&it, NULL, &v)) {
        if (*ret_n == MEASURE_WORDS_MAX || wh_json_string(v).len == 0) {
            return wh_fail(err, WH_E_INVALID, "%s has an empty text or more than %d", key,
                           MEASURE_WORDS_MAX);
        }
        if (wh_arena_dup(&m->arena, wh_json_string(v), &out[(*ret_n)++], err) != WH_OK) {
            return err->rc;
        }
    }
    return *ret_n ? WH_OK : wh_fail(err, WH_E_INVALID, "%s is missing", key);
}

/* The select is an array of lines. */
static enum wh_rc read_rows(struct measures *m, struct wh_json_val object, struct wh_slice *ret,
                            struct wh_err *err)
{
    struct wh_json_iter it = wh_json_get_iter(object, "rows");
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_val v;

    wh_buf_init(&text, FILE_MAX_BYTES);
    while (wh_json_next(&it, NULL, &v)) {
        if ((text.len && wh_buf_append_char(&text, '\n', err) != WH_OK) ||
            wh_buf_append(&text, wh_json_string(v), err) != WH_OK) {
            return err->rc;
        }
    }
    return text.len ? wh_arena_dup(&m->arena, wh_buf_slice(&text), ret, err)
                    : wh_fail(err, WH_E_INVALID, "rows is missing");
}

/* ---- dimensions ---- */

static const struct measure_dimension *find_dimension(const struct measures *m, struct wh_slice id)
{
    for (size_t i = 0; i < m->n_dimensions; i++) {
        if (wh_slice_eq(m->dimensions[i].id, id)) {
            return &m->dimensions[i];
        }
    }
    return NULL;
}

static enum wh_rc read_dimension(struct measures *m, struct wh_json_val v, struct wh_err *err)
{
    struct measure_dimension *d = &m->dimensions[m->n_dimensions];

    if (m->n_dimensions == MEASURE_DIMENSIONS_MAX) {
        return wh_fail(err, WH_E_INVALID, "more than %d dimensions", MEASURE_DIMENSIONS_MAX);
    }
    if (find_dimension(m, wh_json_get_str(v, "id"))) {
        return wh_fail(err, WH_E_INVALID, "the id is used twice");
    }
    d->list = wh_json_get_flag(v, "list");
    if (read_text(m, v, "id", &d->id, err) != WH_OK ||
        read_text(m, v, "title", &d->title, err) != WH_OK ||
        read_text(m, v, "definition", &d->definition, err) != WH_OK) {
        return err->rc;
    }
    m->n_dimensions++;
    return WH_OK;
}

const struct measure_dimension *measure_dimension(const struct measure *measure, struct wh_slice id)
{
    for (size_t i = 0; i < measure->n_by; i++) {
        if (wh_slice_eq(measure->by[i]->id, id)) {
            return measure->by[i];
        }
    }
    return NULL;
}

/* ---- measures ---- */

static enum wh_rc read_by(struct measures *m, struct wh_json_val v, struct measure *one,
                          struct wh_err *err)
{
    struct wh_json_iter it = wh_json_get_iter(v, "by");
    struct wh_slice split = wh_json_get_str(v, "split");
    struct wh_json_val name;

    while (wh_json_next(&it, NULL, &name)) {
        const struct measure_dimension *d = find_dimension(m, wh_json_string(name));

        if (d == NULL || measure_dimension(one, d->id) || one->n_by == MEASURE_DIMENSIONS_MAX) {
            return wh_fail(err, WH_E_INVALID, "by: '%.*s' is no dimension, or is there twice",
                           WH_SLICE_ARG(wh_json_string(name)));
        }
        one->by[one->n_by++] = d;
    }
    one->split = split.len ? measure_dimension(one, split) : NULL;
    return split.len == 0 || one->split
               ? WH_OK
               : wh_fail(err, WH_E_INVALID, "split: '%.*s' is not in by", WH_SLICE_ARG(split));
}

static enum wh_rc read_numbers(struct wh_json_val v, struct measure *one, struct wh_err *err)
{
    struct wh_json_iter it = wh_json_get_iter(v, "aggregates");
    size_t unit = place_of(wh_json_get_str(v, "unit"), units, UNITS);
    struct wh_json_val name;

    if (unit == UNITS) {
        return wh_fail(err, WH_E_INVALID, "the unit is count, seconds, ratio or amount");
    }
    one->unit = (enum measure_unit)unit;
    while (wh_json_next(&it, NULL, &name)) {
        size_t i = place_of(wh_json_string(name), aggregates, AGGREGATES);

        if (i == AGGREGATES || one->n_aggregates == MEASURE_AGGREGATES_MAX) {
            return wh_fail(err, WH_E_INVALID, "'%.*s' is no aggregate, or there are too many",
                           WH_SLICE_ARG(wh_json_string(name)));
        }
        one->aggregates[one->n_aggregates++] = (enum measure_aggregate)i;
    }
    return one->n_aggregates ? WH_OK : wh_fail(err, WH_E_INVALID, "aggregates is missing");
}

static enum wh_rc read_measure(struct measures *m, struct wh_json_val v, struct wh_err *err)
{
    struct measure *one = &m->list[m->n];

    if (m->n == MEASURES_MAX) {
        return wh_fail(err, WH_E_INVALID, "more than %d measures", MEASURES_MAX);
    }
    if (measures_find(m, wh_json_get_str(v, "id"))) {
        return wh_fail(err, WH_E_INVALID, "the id is used twice");
    }
    one->dora = wh_json_get_flag(v, "dora");
    if (read_text(m, v, "id", &one->id, err) != WH_OK ||
        read_text(m, v, "title", &one->title, err) != WH_OK ||
        read_text(m, v, "definition", &one->definition, err) != WH_OK ||
        read_texts(m, v, "words", one->words, &one->n_words, err) != WH_OK ||
        read_texts(m, v, "streams", one->streams, &one->n_streams, err) != WH_OK ||
        read_numbers(v, one, err) != WH_OK || read_by(m, v, one, err) != WH_OK ||
        read_rows(m, v, &one->rows, err) != WH_OK) {
        return err->rc;
    }
    m->n++;
    return WH_OK;
}

static enum wh_rc read_each(struct measures *m, struct wh_json_val root, const char *key,
                            enum wh_rc (*read)(struct measures *m, struct wh_json_val v,
                                               struct wh_err *err),
                            struct wh_err *err)
{
    struct wh_json_iter it = wh_json_get_iter(root, key);
    struct wh_json_val v;

    while (wh_json_next(&it, NULL, &v)) {
        if (read(m, v, err) != WH_OK) {
            return wh_err_prefix(err, "%s '%.*s'", key, WH_SLICE_ARG(wh_json_get_str(v, "id")));
        }
    }
    return WH_OK;
}

static enum wh_rc read_file(struct measures *m, struct wh_json_parser *parser, struct wh_slice file,
                            struct wh_err *err)
{
    struct wh_json_val root;

    if (wh_json_parse(parser, file, &root, err) != WH_OK) {
        return err->rc;
    }
    if (wh_json_get_int(root, "version", 0) != FILE_VERSION) {
        return wh_fail(err, WH_E_INVALID, "the version of the measures is not %d", FILE_VERSION);
    }
    return read_each(m, root, "dimensions", read_dimension, err) == WH_OK
               ? read_each(m, root, "measures", read_measure, err)
               : err->rc;
}

enum wh_rc measures_new(struct wh_slice file, struct measures **ret, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(FILE_MAX_BYTES, FILE_MAX_DEPTH);
    struct measures *m = wh_mem_zalloc(1, sizeof(*m));
    enum wh_rc rc;

    *ret = NULL;
    if (m) {
        wh_arena_init(&m->arena, ARENA_BLOCK_BYTES, FILE_MAX_BYTES);
    }
    rc = parser && m ? read_file(m, parser, file, err)
                     : wh_fail(err, WH_E_NOMEM, "no memory for the measures");
    wh_json_parser_free(parser);
    if (rc != WH_OK) {
        measures_free(m);
        return rc;
    }
    *ret = m;
    return WH_OK;
}

void measures_free(struct measures *measures)
{
    if (measures) {
        wh_arena_done(&measures->arena);
        wh_mem_free(measures);
    }
}

const struct measure *measures_list(const struct measures *measures, size_t *ret_n)
{
    *ret_n = measures->n;
    return measures->list;
}

const struct measure *measures_find(const struct measures *measures, struct wh_slice id)
{
    for (size_t i = 0; i < measures->n; i++) {
        if (wh_slice_eq(measures->list[i].id, id)) {
            return &measures->list[i];
        }
    }
    return NULL;
}
