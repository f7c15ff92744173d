/*
 * GET
 * /api/v1/entities?kind=work_items&state=opened&created_at__gte=2026-11-01&_sort_desc=changed_at
 *
 * A list is a query over one table: names come from the catalogue, values are parameters. Pages go on behind
 * the last row's (sort column, key), so that rows that come or go meanwhile move no other row from one page to
 * the next. _size=0 or _stream=on streams all rows.
 */
#include <stdio.h>

#include "common/base/nearest.h"
#include "stages/sink/api/lists/list_priv.h"
#include "stages/sink/sql/labels.h"

enum {
    SIZE_DEFAULT = 100,
    SIZE_MAX_ROWS = 1000,
    SQL_MAX_BYTES = 64 << 10,
    LAST_MAX_BYTES = 8 << 10,
    MEMBERS_MAX_BYTES = 4 << 20,
};

/* ---- the table ---- */

static enum wh_rc no_table(struct wh_slice name, struct wh_err *err)
{
    const struct sql_table_info *tables;
    struct wh_nearest near;
    char hint[160];
    size_t n;

    tables = sql_tables(&n);
    wh_nearest_init(&near, name);
    for (size_t i = 0; i < n; i++) {
        wh_nearest_offer(&near, tables[i].name);
    }
    wh_nearest_hint(&near, hint, sizeof(hint));
    return wh_fail(err, WH_E_INVALID,
                   "kind must be a table%s; /api/v1/kinds lists them, work_items is the first; or "
                   "ask with url=",
                   hint);
}

static enum wh_rc read_kind(struct api_list *l, struct wh_err *err)
{
    struct wh_slice kind = api_arg(&l->job->request, "kind");
    struct wh_slice deleted = api_arg(&l->job->request, "_deleted");
    const struct wh_kind_def *def = wh_kind_by_name(kind);
    const struct sql_table_info *tables;
    size_t n;

    tables = sql_tables(&n);
    if (def) {
        kind = wh_slice_str(def->table);
    }
    for (size_t i = 0; i < n; i++) {
        if (wh_slice_eq(kind, wh_slice_str(tables[i].name))) {
            (void)snprintf(l->table, sizeof(l->table), "%s", tables[i].name);
            l->of_entities = tables[i].kind != WH_KIND_NONE;
        }
    }
    if (l->table[0] == 0) {
        return no_table(kind, err);
    }
    if (deleted.ptr && (!l->of_entities || !wh_slice_eq(deleted, WH_LIT("include")))) {
        return wh_fail(err, WH_E_INVALID,
                       "_deleted must be include, of tables that have deleted rows");
    }
    if (deleted.ptr) {
        (void)snprintf(l->table + strlen(l->table), sizeof(l->table) - strlen(l->table), "_all");
    }
    l->n_columns = sql_columns(wh_slice_str(l->table), l->columns);
    return WH_OK;
}

/* What tells rows apart: a column, or an array of all that are no documents. */
static enum wh_rc find_key(struct api_list *l, struct wh_err *err)
{
    static const char *const keys[] = {"id", "sequence"};
    enum wh_rc rc = wh_buf_append(&l->key_text, WH_LIT("json_array("), err);

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (api_list_column(l, wh_slice_str(keys[i]))) {
            l->key = keys[i];
            return WH_OK;
        }
    }
    for (size_t i = 0; rc == WH_OK && i < l->n_columns; i++) {
        if (l->columns[i].shape != SQL_SHAPE_JSON) {
            rc = wh_buf_printf(&l->key_text, err, "\"%s\",", l->columns[i].name);
        }
    }
    if (rc != WH_OK) {
        return rc;
    }
    l->key_text.ptr[l->key_text.len - 1] = ')';
    l->key = wh_buf_str(&l->key_text);
    return WH_OK;
}

/* ---- columns ---- */

static bool is_hidden(const struct api_list *l, const struct sql_column *column)
{
    const struct api_request *r = &l->job->request;

    for (size_t i = 0; i < r->n_args; i++) {
        if (wh_slice_eq(r->args[i].name, WH_LIT("_nocol")) &&
            wh_slice_eq(r->args[i].value, wh_slice_str(column->name))) {
            return true;
        }
    }
    return false;
}

static enum wh_rc read_columns(struct api_list *l, struct wh_err *err)
{
    const struct api_request *r = &l->job->request;
    bool chosen = false;

    for (size_t i = 0; i < r->n_args; i++) {
        bool shown = wh_slice_eq(r->args[i].name, WH_LIT("_col"));
        const struct sql_column *column;

        if (!shown && !wh_slice_eq(r->args[i].name, WH_LIT("_nocol"))) {
            continue;
        }
        column = api_list_column(l, r->args[i].value);
        if (column == NULL) {
            return api_list_unknown(l, r->args[i].value, err);
        }
        chosen = chosen || shown;
        if (shown && l->n_shown < SQL_COLUMNS_MAX && !is_hidden(l, column)) {
            l->shown[l->n_shown++] = column;
        }
    }
    for (size_t i = 0; !chosen && i < l->n_columns; i++) {
        if (!is_hidden(l, &l->columns[i])) {
            l->shown[l->n_shown++] = &l->columns[i];
        }
    }
    return l->n_shown ? WH_OK : wh_fail(err, WH_E_INVALID, "no column is left to show");
}

static enum wh_rc read_sort(struct api_list *l, struct wh_err *err)
{
    struct wh_slice up = api_arg(&l->job->request, "_sort");
    struct wh_slice down = api_arg(&l->job->request, "_sort_desc");
    struct wh_slice name = up.ptr ? up : down;

    if (up.ptr && down.ptr) {
        return wh_fail(err, WH_E_INVALID, "_sort and _sort_desc exclude each other");
    }
    l->desc = down.ptr != NULL;
    if (name.ptr == NULL || wh_slice_eq(name, wh_slice_str(l->key))) {
        return WH_OK;
    }
    l->sort = api_list_column(l, name);
    return l->sort ? WH_OK : api_list_unknown(l, name, err);
}

/* ---- the query ---- */

/* With _labels=on a reference is {"value": id, "label": name}; NULL: the column is no such reference. */
static const struct sql_column *label_of(const struct api_list *l, const struct sql_column *column)
{
    const struct sql_table_info *tables;
    const struct wh_kind_def *def = NULL;
    const struct sql_label *label;
    int field;
    size_t n;

    tables = sql_tables(&n);
    for (size_t i = 0; i < n; i++) {
        if (wh_slice_starts(wh_slice_str(l->table), wh_slice_str(tables[i].name))) {
            def = wh_kind_def(tables[i].kind);
        }
    }
    field = def ? wh_kind_field(def, wh_slice_str(column->name)) : -1;
    label = field >= 0 ? sql_label_of(&def->fields[field]) : NULL;
    return label ? api_list_column(l, wh_slice_str(label->column)) : NULL;
}

static enum wh_rc write_labelled(struct api_list *l, const struct sql_column *column,
                                 const struct sql_column *label, struct wh_err *err)
{
    bool many = column->shape == SQL_SHAPE_JSON;

    return wh_buf_printf(&l->sql, err,
                         many ? "iif(\"%s\" IS NULL, NULL, json_object('value', json(\"%s\"),"
                                " 'label', json(\"%s\"))) AS \"%s\","
                              : "iif(\"%s\" IS NULL, NULL, json_object('value', \"%s\","
                                " 'label', \"%s\")) AS \"%s\",",
                         column->name, column->name, label->name, column->name);
}

static enum wh_rc write_columns(struct api_list *l, struct wh_err *err)
{
    bool labels = wh_slice_eq(api_arg(&l->job->request, "_labels"), WH_LIT("on"));

    for (size_t i = 0; i < l->n_shown; i++) {
        const struct sql_column *label = labels ? label_of(l, l->shown[i]) : NULL;

        l->shapes[i] = label ? SQL_SHAPE_JSON : l->shown[i]->shape;
        if ((label ? write_labelled(l, l->shown[i], label, err)
                   : wh_buf_printf(&l->sql, err, "\"%s\",", l->shown[i]->name)) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc write_order(struct api_list *l, struct wh_err *err)
{
    const char *direction = l->desc ? "DESC" : "ASC";

    if ((l->sort == NULL ? wh_buf_printf(&l->sql, err, " ORDER BY %s %s", l->key, direction)
                         : wh_buf_printf(&l->sql, err, " ORDER BY \"%s\" %s, %s %s", l->sort->name,
                                         direction, l->key, direction)) != WH_OK) {
        return err->rc;
    }
    l->limit_at = l->sql.len;
    return l->size == 0 ? WH_OK
                        : wh_buf_printf(&l->sql, err, " LIMIT %lld", (long long)l->size + 1);
}

static enum wh_rc write_query(struct api_list *l, struct wh_err *err)
{
    char sort[80];

    (void)snprintf(sort, sizeof(sort), "\"%.60s\"", l->sort ? l->sort->name : "");
    if (wh_buf_append(&l->sql, WH_LIT("SELECT "), err) != WH_OK || write_columns(l, err) != WH_OK) {
        return err->rc;
    }
    l->hidden_from = l->sql.len - 1;
    if (wh_buf_printf(&l->sql, err, "%s,%s", l->sort ? sort : l->key, l->key) != WH_OK) {
        return err->rc;
    }
    l->hidden_to = l->sql.len;
    if (wh_buf_printf(&l->sql, err, " FROM \"%s\"%s", l->table, wh_buf_str(&l->where)) != WH_OK ||
        api_list_place(l, err) != WH_OK) {
        return err->rc;
    }
    return write_order(l, err);
}

static enum wh_rc read_size(struct api_list *l, struct wh_err *err)
{
    const struct api_request *r = &l->job->request;

    l->size = SIZE_MAX_ROWS;
    if (wh_slice_eq(api_arg(r, "_stream"), WH_LIT("on"))) {
        l->size = 0;
    } else if (!wh_slice_eq(api_arg(r, "_size"), WH_LIT("max"))) {
        return api_arg_int(r, "_size", 0, SIZE_MAX_ROWS, SIZE_DEFAULT, &l->size, err);
    }
    return WH_OK;
}

static enum wh_rc build(struct api_list *l, struct wh_err *err)
{
    const struct sink_api_conf *conf = &l->job->api->deps.conf;

    if (read_kind(l, err) != WH_OK || find_key(l, err) != WH_OK || read_columns(l, err) != WH_OK ||
        read_sort(l, err) != WH_OK || read_size(l, err) != WH_OK ||
        api_list_words(l, err) != WH_OK ||
        api_arg_int(&l->job->request, "_timelimit", 1, conf->sql_timeout_max_ms, 0, &l->timeout_ms,
                    err) != WH_OK ||
        api_list_filters(l, err) != WH_OK) {
        return err->rc;
    }
    return write_query(l, err);
}

static enum wh_rc run(struct api_list *l, enum api_format format, struct wh_err *err)
{
    struct sql_query query = {
        .text = wh_buf_slice(&l->sql),
        .params = l->params,
        .n_params = l->n_params,
        .max_rows = l->size ? l->size : INT64_MAX,
        .when = &l->when,
    };
    struct sql_outcome outcome;
    struct api_rows rows;
    struct wh_buf members;
    enum wh_rc rc;

    wh_buf_init(&members, MEMBERS_MAX_BYTES);
    api_rows_init(&rows, l->job, format);
    rows.shapes = l->shapes;
    rows.hidden = 2;
    rows.on_hidden = api_list_keep;
    rows.ctx = l;
    rc = api_rows_shape(&rows, &l->job->request, err);
    if (rc == WH_OK) {
        rc = api_rows_run(&rows, l->job, &query, api_time_limit(l->job, l->timeout_ms), &outcome,
                          err);
    }
    if (rc == WH_OK) {
        l->job->cut = outcome.cut == SQL_WHOLE ? NULL : API_CUT_PAGE;
        l->n_rows = rows.count;
        l->whole = outcome.cut == SQL_WHOLE && api_arg(&l->job->request, "_next").ptr == NULL;
        rc = api_list_next(l, outcome.cut != SQL_WHOLE, &members, err);
    }
    if (rc == WH_OK && format == API_JSON) {
        rc = api_list_extras(l, &members, err);
    }
    if (rc == WH_OK) {
        rc = api_rows_end(&rows, wh_buf_slice(&members), err);
    }
    wh_buf_done(&members);
    api_rows_done(&rows);
    return rc;
}

static enum wh_rc answer_list(struct api_list *l, struct wh_err *err)
{
    enum api_format format;

    if (build(l, err) != WH_OK ||
        api_format_of(&l->job->request, (struct wh_slice){NULL, 0}, &format, err) != WH_OK) {
        return err->rc;
    }
    if (l->size == 0 && l->job->out.flow == NULL) {
        l->job->wants_flow = true;
        return WH_OK;
    }
    l->job->content_type = api_format_type(format);
    return run(l, format, err);
}

bool api_is_url_lookup(const struct api_request *request)
{
    return api_arg(request, "url").ptr && api_arg(request, "kind").ptr == NULL;
}

enum wh_rc api_answer_entities(struct api_job *job, struct wh_err *err)
{
    struct api_list *l;
    void *memory;
    enum wh_rc rc;

    if (api_is_url_lookup(&job->request)) {
        return api_answer_url(job, err);
    }
    if (wh_arena_zalloc(&job->arena, 1, sizeof(*l), &memory, err) != WH_OK) {
        return err->rc;
    }
    l = memory;
    l->job = job;
    wh_buf_init(&l->sql, SQL_MAX_BYTES);
    wh_buf_init(&l->where, SQL_MAX_BYTES);
    wh_buf_init(&l->key_text, API_LIST_KEY_BYTES);
    wh_buf_init(&l->last, LAST_MAX_BYTES);
    rc = answer_list(l, err);
    wh_buf_done(&l->sql);
    wh_buf_done(&l->where);
    wh_buf_done(&l->key_text);
    wh_buf_done(&l->last);
    return rc;
}
