/*
 * How many rows there are, and how many for each value of a column: one pass over the rows within FACET_MS or COMPUTED_MS. A pass
 * that is cut says so, and what it has counted is a sample: rows come in the order of their ids, which are
 * hashes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/lists/list_priv.h"

enum {
    FACET_MS = 150,
    COMPUTED_MS = 1000, /* of tables that are computed: they are small */
    VALUES_MAX = 4096,  /* different ones of a facet */
    SLOTS = 2 * VALUES_MAX,
    VALUE_MAX_BYTES = 200,
    LIST_MAX_BYTES = 64 << 10,
    COUNT_SQL_BYTES = 80 << 10,
    URL_MAX_BYTES = 16 << 10,
};

struct counted {
    struct wh_slice value; /* ptr NULL: the slot is free */
    bool is_null;
    int64_t n;
};

struct facet {
    const struct sql_column *column;
    struct counted *slots;
    size_t n;
    bool full; /* there are more values than can be counted */
};

struct pass {
    struct api_list *l;
    struct facet facets[API_LIST_FACETS_MAX];
    struct wh_json_parser *parser;
    int64_t rows;
    bool partial;
};

/* ---- counting ---- */

static enum wh_rc count_value(struct pass *p, struct facet *f, struct wh_slice value, bool is_null,
                              struct wh_err *err)
{
    uint64_t hash;

    value.len = value.len < VALUE_MAX_BYTES ? value.len : VALUE_MAX_BYTES;
    hash = wh_hash64(value) + is_null;
    for (size_t i = 0; i < SLOTS; i++) {
        struct counted *c = &f->slots[(hash + i) % SLOTS];

        if (c->value.ptr && c->is_null == is_null && wh_slice_eq(c->value, value)) {
            c->n++;
            return WH_OK;
        }
        if (c->value.ptr == NULL) {
            if (f->n == VALUES_MAX) {
                f->full = true;
                return WH_OK;
            }
            f->n++;
            *c = (struct counted){.is_null = is_null, .n = 1};
            return wh_arena_dup(&p->l->job->arena, value, &c->value, err);
        }
    }
    return WH_OK;
}

/* Each entry of a list counts. */
static enum wh_rc count_entries(struct pass *p, struct facet *f, struct wh_slice list,
                                struct wh_err *err)
{
    struct wh_json_iter it;
    struct wh_json_val root;
    struct wh_json_val item;
    struct wh_err ignored;

    if (wh_json_parse(p->parser, list, &root, &ignored) != WH_OK ||
        wh_json_type(root) != WH_JSON_ARRAY) {
        return WH_OK;
    }
    it = wh_json_iter(root);
    while (wh_json_next(&it, NULL, &item)) {
        if (wh_json_type(item) == WH_JSON_STRING &&
            count_value(p, f, wh_json_string(item), false, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc count_cell(struct pass *p, struct facet *f, const struct sql_value *v,
                             struct wh_err *err)
{
    bool is_bool = f->column->shape == SQL_SHAPE_BOOL;
    char text[40];

    switch (v->type) {
    case SQL_INT:
        (void)snprintf(text, sizeof(text), "%lld", (long long)v->i);
        return count_value(p, f, wh_slice_str(is_bool ? (v->i ? "true" : "false") : text), false,
                           err);
    case SQL_DOUBLE:
        (void)snprintf(text, sizeof(text), "%.17g", v->num);
        return count_value(p, f, wh_slice_str(text), false, err);
    case SQL_TEXT:
        return f->column->shape == SQL_SHAPE_JSON ? count_entries(p, f, v->bytes, err)
                                                  : count_value(p, f, v->bytes, false, err);
    case SQL_NULL:
    case SQL_BLOB:
    default:
        return count_value(p, f, wh_slice("", 0), true, err);
    }
}

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    (void)ctx;
    (void)names;
    (void)n;
    (void)err;
    return WH_OK;
}

static enum wh_rc on_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    struct pass *p = ctx;

    (void)ret_full;
    p->rows++;
    for (size_t i = 0; i < p->l->n_facets && i < n; i++) {
        if (count_cell(p, &p->facets[i], &values[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- the pass ---- */

static enum wh_rc open_facets(struct pass *p, struct wh_err *err)
{
    for (size_t i = 0; i < p->l->n_facets; i++) {
        void *memory;

        if (wh_arena_zalloc(&p->l->job->arena, SLOTS, sizeof(struct counted), &memory, err) !=
            WH_OK) {
            return err->rc;
        }
        p->facets[i] = (struct facet){.column = p->l->facets[i], .slots = memory};
    }
    p->parser = wh_json_parser_new(LIST_MAX_BYTES, 8);
    return p->parser ? WH_OK : wh_fail(err, WH_E_NOMEM, "no memory for a parser");
}

/* A table of entities without conditions has a counter. */
static bool has_counter(const struct api_list *l)
{
    return l->n_facets == 0 && l->n_filters == 0 && l->of_entities && sink_is_now(l->when);
}

static enum wh_rc write_pass(const struct api_list *l, struct wh_buf *sql, struct wh_err *err)
{
    if (wh_buf_append(sql, WH_LIT("SELECT "), err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < l->n_facets; i++) {
        if (wh_buf_printf(sql, err, "%s\"%s\"", i ? "," : "", l->facets[i]->name) != WH_OK) {
            return err->rc;
        }
    }
    return wh_buf_printf(sql, err, "%s FROM \"%s\"%s",
                         has_counter(l) ? "count(*)"
                         : l->n_facets  ? ""
                                        : "1",
                         l->table, wh_buf_str(&l->where));
}

static enum wh_rc on_counter(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                             struct wh_err *err)
{
    struct pass *p = ctx;

    (void)n;
    (void)ret_full;
    (void)err;
    p->rows = values[0].i;
    return WH_OK;
}

static enum wh_rc run_pass(struct pass *p, struct wh_err *err)
{
    const struct sql_rows rows = {
        .columns = on_columns, .row = has_counter(p->l) ? on_counter : on_row, .ctx = p};
    struct sql_query query = {.params = p->l->params,
                              .n_params = p->l->n_where,
                              .timeout_ms = p->l->of_entities ? FACET_MS : COMPUTED_MS,
                              .max_rows = INT64_MAX,
                              .when = &p->l->when,
                              .canceled = &p->l->job->canceled};
    WH_AUTO(buf) struct wh_buf sql;
    struct sql_outcome outcome;
    enum wh_rc rc;

    wh_buf_init(&sql, COUNT_SQL_BYTES);
    if (write_pass(p->l, &sql, err) != WH_OK) {
        return err->rc;
    }
    query.text = wh_buf_slice(&sql);
    rc = sql_run(p->l->job->api->engine, &query, &rows, &outcome, err);
    p->partial = rc == WH_E_TIMEOUT || rc == WH_E_TOO_LARGE || rc == WH_E_BUSY;
    return p->partial ? WH_OK : rc;
}

/* ---- writing ---- */

static int by_count(const void *a, const void *b)
{
    const struct counted *x = *(const struct counted *const *)a;
    const struct counted *y = *(const struct counted *const *)b;
    size_t n = x->value.len < y->value.len ? x->value.len : y->value.len;
    int c;

    if (x->n != y->n) {
        return x->n < y->n ? 1 : -1;
    }
    c = n ? memcmp(x->value.ptr, y->value.ptr, n) : 0;
    return c ? c : (x->value.len > y->value.len) - (x->value.len < y->value.len);
}

/* The argument of the request that asks for this value alone; API_LIST_ARGS_MAX: there is none. */
static size_t selected(const struct api_list *l, const char *name, struct wh_slice value)
{
    const struct api_request *r = &l->job->request;

    for (size_t i = 0; i < r->n_args; i++) {
        if (wh_slice_eq(r->args[i].name, wh_slice_str(name)) &&
            wh_slice_eq(r->args[i].value, value)) {
            return i;
        }
    }
    return API_LIST_ARGS_MAX;
}

static enum wh_rc write_value(const struct api_list *l, const struct facet *f,
                              const struct counted *c, struct wh_json_writer *w, struct wh_err *err)
{
    const char *end = c->is_null                           ? "__isnull"
                      : f->column->shape == SQL_SHAPE_JSON ? "__arraycontains"
                                                           : "";
    struct wh_slice value = c->is_null ? WH_LIT("1") : c->value;
    WH_AUTO(buf) struct wh_buf url;
    char name[100];
    size_t arg;

    wh_buf_init(&url, URL_MAX_BYTES);
    (void)snprintf(name, sizeof(name), "%.70s%s", f->column->name, end);
    arg = selected(l, name, value);
    if (api_list_address(l, NULL, arg, false, &url, err) != WH_OK ||
        (arg == API_LIST_ARGS_MAX && api_list_address_add(&url, name, value, err) != WH_OK)) {
        return err->rc;
    }
    wh_jw_object(w);
    wh_jw_key(w, "value");
    if (c->is_null) {
        wh_jw_null(w);
    } else {
        wh_jw_str(w, c->value);
    }
    wh_jw_put_str(w, "label", c->is_null ? WH_LIT("not known") : c->value);
    wh_jw_put_int(w, "count", c->n);
    wh_jw_put_bool(w, "selected", arg != API_LIST_ARGS_MAX);
    wh_jw_put_str(w, "toggle_url", wh_buf_slice(&url));
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc write_facet(struct pass *p, struct facet *f, struct wh_json_writer *w,
                              struct wh_err *err)
{
    struct counted **sorted;
    void *memory;
    size_t n = 0;

    if (wh_arena_zalloc(&p->l->job->arena, f->n + 1, sizeof(struct counted *), &memory, err) !=
        WH_OK) {
        return err->rc;
    }
    sorted = memory;
    for (size_t i = 0; i < SLOTS; i++) {
        if (f->slots[i].value.ptr) {
            sorted[n++] = &f->slots[i];
        }
    }
    qsort(sorted, n, sizeof(sorted[0]), by_count);
    wh_jw_object(w);
    wh_jw_put_str(w, "name", wh_slice_str(f->column->name));
    wh_jw_put_str(w, "type",
                  f->column->shape == SQL_SHAPE_JSON ? WH_LIT("array") : WH_LIT("column"));
    wh_jw_put_bool(w, "partial", p->partial);
    wh_jw_put_bool(w, "truncated", f->full || n > (size_t)p->l->facet_size);
    wh_jw_key(w, "results");
    wh_jw_array(w);
    for (size_t i = 0; i < n && i < (size_t)p->l->facet_size; i++) {
        if (write_value(p->l, f, sorted[i], w, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc write_facets(struct pass *p, struct wh_json_writer *w, struct wh_err *err)
{
    wh_jw_key(w, "facet_results");
    wh_jw_object(w);
    wh_jw_put_int(w, "rows_counted", p->rows);
    wh_jw_put_bool(w, "partial", p->partial);
    wh_jw_key(w, "results");
    wh_jw_array(w);
    for (size_t i = 0; i < p->l->n_facets; i++) {
        if (write_facet(p, &p->facets[i], w, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc write_counts(struct pass *p, struct wh_json_writer *w, struct wh_err *err)
{
    if (p->l->extras & API_EXTRA_COUNT && !p->l->no_count) {
        wh_jw_key(w, "count");
        if (p->l->whole) {
            wh_jw_int(w, p->l->n_rows);
        } else if (p->partial) {
            wh_jw_null(w);
            wh_jw_put_int(w, "count_at_least", p->rows);
        } else {
            wh_jw_int(w, p->rows);
        }
    }
    return p->l->n_facets ? write_facets(p, w, err) : WH_OK;
}

enum wh_rc api_list_count(struct api_list *l, struct wh_json_writer *w, struct wh_err *err)
{
    struct pass p = {.l = l};
    enum wh_rc rc;

    if (l->n_facets == 0 && (!(l->extras & API_EXTRA_COUNT) || l->no_count)) {
        return WH_OK;
    }
    rc = open_facets(&p, err);
    if (rc == WH_OK && (l->n_facets || !l->whole)) {
        rc = run_pass(&p, err);
    }
    if (rc == WH_OK) {
        rc = write_counts(&p, w, err);
    }
    wh_json_parser_free(p.parser);
    return rc;
}
