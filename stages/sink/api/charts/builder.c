/*
 * A measure of one's own, over any table: GET .../new?table=jobs&measure=p90&column=duration&time=finished_at. It is made of names
 * of the catalogue alone and goes where the measures of the file go: the same numbers, rows, charts and images.
 *
 *   table     a table or view that has a column with times
 *   measure   count, sum, mean, p50 or p90
 *   column    the numbers that are not counted but added up
 *   time      the column by which rows count; created_at, or the first one, without it
 *   by, COLUMN=VALUE, COLUMN__isnull=1   columns of the table
 */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "stages/sink/api/charts/charts_priv.h"

enum { ROWS_MAX_BYTES = 2048, TITLE_MAX_BYTES = 256 };

struct building {
    struct api_job *job;
    const struct sql_table_info *table;
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n_columns;
};

static const struct {
    const char *name;
    enum measure_aggregate aggregate;
    const char *title;
} kinds[] = {{"count", MEASURE_BY_COUNT, "Number"},
             {"sum", MEASURE_SUM, "Sum"},
             {"mean", MEASURE_MEAN, "Mean"},
             {"p50", MEASURE_P50, "Median"},
             {"p90", MEASURE_P90, "90th percentile"}};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* ---- columns ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text);

    return n >= strlen(end) && strcmp(text + n - strlen(end), end) == 0;
}

static bool is_time(const struct sql_column *c)
{
    return c->shape == SQL_SHAPE_TIME || ends_with(c->name, "_at") || strcmp(c->name, "at") == 0;
}

static bool is_number(const struct sql_column *c)
{
    return strcmp(c->type, "TEXT") != 0 && c->shape != SQL_SHAPE_BOOL;
}

static bool is_group(const struct sql_column *c)
{
    return !is_time(c) && strcmp(c->name, "id") != 0 && strcmp(c->name, "url") != 0 &&
           strcmp(c->name, "description") != 0;
}

static const struct sql_column *find(const struct building *b, struct wh_slice name)
{
    for (size_t i = 0; i < b->n_columns; i++) {
        if (wh_slice_eq(name, wh_slice_str(b->columns[i].name))) {
            return &b->columns[i];
        }
    }
    return NULL;
}

static enum wh_rc no_column(const struct building *b, struct wh_slice name, const char *what,
                            struct wh_err *err)
{
    struct wh_nearest near;
    char hint[128];

    wh_nearest_init(&near, name);
    for (size_t i = 0; i < b->n_columns; i++) {
        wh_nearest_offer(&near, b->columns[i].name);
    }
    wh_nearest_hint(&near, hint, sizeof(hint));
    return wh_fail(err, WH_E_INVALID, "%s has no %s '%.*s'%s", b->table->name, what,
                   (int)(name.len < 60 ? name.len : 60), name.ptr, hint);
}

/* The column by which rows count; NULL: there is none. */
static const struct sql_column *usual_time(const struct building *b)
{
    const struct sql_column *created = find(b, WH_LIT("created_at"));

    for (size_t i = 0; created == NULL && i < b->n_columns; i++) {
        created = is_time(&b->columns[i]) ? &b->columns[i] : NULL;
    }
    return created;
}

static enum wh_rc pick(const struct building *b, const char *arg,
                       bool (*fits)(const struct sql_column *c), const char *what,
                       const struct sql_column *usual, const struct sql_column **ret,
                       struct wh_err *err)
{
    struct wh_slice name = api_arg(&b->job->request, arg);

    *ret = name.len ? find(b, name) : usual;
    return *ret && fits(*ret) ? WH_OK
           : name.len         ? no_column(b, name, what, err)
                              : wh_fail(err, WH_E_INVALID, "%s has no %s; choose one with %s",
                                        b->table->name, what, arg);
}

/* ---- the table ---- */

static const struct sql_table_info *find_table(struct wh_slice name)
{
    size_t n = 0;
    const struct sql_table_info *tables = sql_tables(&n);

    for (size_t i = 0; i < n; i++) {
        if (wh_slice_eq(name, wh_slice_str(tables[i].name))) {
            return &tables[i];
        }
    }
    return NULL;
}

static enum wh_rc read_table(struct building *b, struct wh_err *err)
{
    struct wh_slice name = api_arg(&b->job->request, "table");

    b->table = find_table(name);
    if (b->table == NULL) {
        return wh_fail(err, name.len ? WH_E_NOT_FOUND : WH_E_INVALID,
                       name.len ? "there is no table '%.*s'; /api/v1/kinds lists them"
                                : "table says which rows are counted%.*s",
                       (int)(name.len < 60 ? name.len : 60), name.len ? name.ptr : "");
    }
    b->n_columns = sql_columns(name, b->columns);
    return WH_OK;
}

/* ---- the measure ---- */

static enum wh_rc dimension_of(struct building *b, const struct sql_column *c, struct measure *m,
                               struct wh_err *err)
{
    struct measure_dimension *d;
    void *memory = NULL;

    if (measure_dimension(m, wh_slice_str(c->name)) || m->n_by == MEASURE_DIMENSIONS_MAX) {
        return WH_OK;
    }
    if (wh_arena_zalloc(&b->job->arena, 1, sizeof(*d), &memory, err) != WH_OK) {
        return err->rc;
    }
    d = memory;
    *d = (struct measure_dimension){wh_slice_str(c->name), wh_slice_str(c->name),
                                    wh_slice_str(c->doc), c->shape == SQL_SHAPE_JSON};
    m->by[m->n_by++] = d;
    return WH_OK;
}

/* Columns that the request groups by or filters. */
static enum wh_rc add_dimensions(struct building *b, struct measure *m, struct wh_err *err)
{
    const struct api_request *r = &b->job->request;

    for (size_t i = 0; i < r->n_args; i++) {
        bool by = wh_slice_eq(r->args[i].name, WH_LIT("by"));
        struct wh_slice name = by ? r->args[i].value : r->args[i].name;
        const struct sql_column *c;

        name.len -= wh_slice_ends(name, WH_LIT("__isnull")) ? sizeof("__isnull") - 1 : 0;
        c = find(b, name);
        if (by && name.len && c == NULL) {
            return no_column(b, name, "column", err);
        }
        if (c && dimension_of(b, c, m, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* What is selected first has its name, also when the table has a column of that name. */
static enum wh_rc write_rows(struct building *b, const struct sql_column *time,
                             const struct sql_column *value, struct measure *m, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    enum wh_rc rc;

    wh_buf_init(&text, ROWS_MAX_BYTES);
    rc = wh_buf_printf(&text, err, "select t.\"%s\" as at", time->name);
    if (rc == WH_OK && value) {
        rc = wh_buf_printf(&text, err, ", t.\"%s\" as value", value->name);
    }
    if (rc == WH_OK && find(b, WH_LIT("id")) == NULL) {
        rc = wh_buf_printf(&text, err, ", null as id");
    }
    rc = rc == WH_OK ? wh_buf_printf(&text, err, ", t.* from %s t", b->table->name) : rc;
    return rc == WH_OK ? wh_arena_dup(&b->job->arena, wh_buf_slice(&text), &m->rows, err) : rc;
}

static enum wh_rc name_measure(struct building *b, const char *what, const struct sql_column *time,
                               const struct sql_column *value, struct measure *m,
                               struct wh_err *err)
{
    char text[TITLE_MAX_BYTES];

    (void)snprintf(text, sizeof(text), "%s of %s%s%s", what, value ? value->name : b->table->name,
                   value ? " of " : "", value ? b->table->name : "");
    if (wh_arena_dup(&b->job->arena, wh_slice_str(text), &m->title, err) != WH_OK) {
        return err->rc;
    }
    (void)snprintf(text, sizeof(text), "%s of %s%s%s, by the time in %s.", what,
                   value ? value->name : "rows of ", value ? " in " : "", b->table->name,
                   time->name);
    return wh_arena_dup(&b->job->arena, wh_slice_str(text), &m->definition, err);
}

static enum wh_rc build(struct building *b, struct measure *m, struct wh_err *err)
{
    struct wh_slice name = api_arg(&b->job->request, "measure");
    const struct sql_column *value = NULL;
    const struct sql_column *time = NULL;
    size_t kind = 0;

    while (name.len && kind < KINDS && !wh_slice_eq(name, wh_slice_str(kinds[kind].name))) {
        kind++;
    }
    if (kind == KINDS) {
        return wh_fail(err, WH_E_INVALID, "measure is count, sum, mean, p50 or p90");
    }
    if (read_table(b, err) != WH_OK ||
        pick(b, "time", is_time, "column with times", usual_time(b), &time, err) != WH_OK ||
        (kind > 0 &&
         pick(b, "column", is_number, "column with numbers", NULL, &value, err) != WH_OK) ||
        add_dimensions(b, m, err) != WH_OK || write_rows(b, time, value, m, err) != WH_OK ||
        name_measure(b, kinds[kind].title, time, value, m, err) != WH_OK) {
        return err->rc;
    }
    m->id = WH_LIT("new");
    m->aggregates[m->n_aggregates++] = kinds[kind].aggregate;
    m->unit = value && (strstr(value->name, "duration") || ends_with(value->name, "_s"))
                  ? MEASURE_SECONDS
                  : MEASURE_COUNT;
    return WH_OK;
}

enum wh_rc numbers_build(struct api_job *job, const struct measure **ret, struct wh_err *err)
{
    struct building *b;
    struct measure *m;
    void *memory = NULL;

    if (wh_arena_zalloc(&job->arena, 1, sizeof(*b), &memory, err) != WH_OK) {
        return err->rc;
    }
    b = memory;
    b->job = job;
    if (wh_arena_zalloc(&job->arena, 1, sizeof(*m), &memory, err) != WH_OK) {
        return err->rc;
    }
    m = memory;
    *ret = m;
    return build(b, m, err);
}

/* ---- the form ---- */

static void write_choice(struct wh_json_writer *w, const char *value, const char *name, bool chosen)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "value", wh_slice_str(value));
    wh_jw_put_str(w, "name", wh_slice_str(name));
    wh_jw_put_bool(w, "chosen", chosen);
    wh_jw_end(w);
}

static void write_columns(struct wh_json_writer *w, const struct building *b, const char *key,
                          bool (*fits)(const struct sql_column *c), struct wh_slice chosen)
{
    wh_jw_key(w, key);
    wh_jw_array(w);
    for (size_t i = 0; i < b->n_columns; i++) {
        if (fits(&b->columns[i])) {
            write_choice(w, b->columns[i].name, b->columns[i].name,
                         wh_slice_eq(chosen, wh_slice_str(b->columns[i].name)));
        }
    }
    wh_jw_end(w);
}

/* Tables that have times. */
static void write_tables(struct wh_json_writer *w, struct wh_slice chosen)
{
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n = 0;
    const struct sql_table_info *tables = sql_tables(&n);

    wh_jw_key(w, "tables");
    wh_jw_array(w);
    for (size_t i = 0; i < n; i++) {
        size_t n_columns = sql_columns(wh_slice_str(tables[i].name), columns);
        bool has_time = false;

        for (size_t k = 0; k < n_columns; k++) {
            has_time = has_time || is_time(&columns[k]);
        }
        if (has_time) {
            write_choice(w, tables[i].name, tables[i].name,
                         wh_slice_eq(chosen, wh_slice_str(tables[i].name)));
        }
    }
    wh_jw_end(w);
}

void numbers_write_builder(struct api_job *job, struct wh_json_writer *w)
{
    const struct api_request *r = &job->request;
    struct building b = {.job = job};
    struct wh_err ignored;

    wh_jw_key(w, "builder");
    wh_jw_object(w);
    write_tables(w, api_arg(r, "table"));
    wh_jw_key(w, "kinds");
    wh_jw_array(w);
    for (size_t i = 0; i < KINDS; i++) {
        write_choice(w, kinds[i].name, kinds[i].title,
                     wh_slice_eq(api_arg(r, "measure"), wh_slice_str(kinds[i].name)));
    }
    wh_jw_end(w);
    if (read_table(&b, &ignored) == WH_OK) {
        wh_jw_put_str(w, "table", wh_slice_str(b.table->name));
        write_columns(w, &b, "numbers", is_number, api_arg(r, "column"));
        write_columns(w, &b, "times", is_time, api_arg(r, "time"));
        write_columns(w, &b, "groups", is_group, api_arg(r, "by"));
    }
    wh_jw_end(w);
}
