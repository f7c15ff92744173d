/*
 * GET
 * /api/v1/entities?kind=work_items&state=opened&created_at__gte=2026-11-01&_sort_desc=changed_at
 *
 * A list is a query over the kind's table: names come from the catalogue, values are parameters.
 * Pages go on behind the last row's (sort column, id), so that rows that come or go meanwhile move
 * no other row from one page to the next. _size=0 streams all rows.
 */
#include <stdio.h>

#include "stages/sink/api/list_priv.h"

enum {
    SIZE_DEFAULT = 100,
    SIZE_MAX_ROWS = 1000,
    SQL_MAX_BYTES = 32 << 10,
    LAST_MAX_BYTES = 8 << 10,
    MEMBERS_MAX_BYTES = 48 << 10,
};

/* ---- the table ---- */

static enum wh_rc all_kinds(struct wh_err *err)
{
    return wh_fail(
        err, WH_E_INVALID,
        "kind must be one of work_items, build_records, jobs, team_members, projects, "
        "deployments, environments, releases, milestones, notes, memberships, incidents, "
        "issues, merge_requests, pipelines; or ask with url=");
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
        if (tables[i].kind != WH_KIND_NONE && wh_slice_eq(kind, wh_slice_str(tables[i].name))) {
            (void)snprintf(l->table, sizeof(l->table), "%s%s", tables[i].name,
                           wh_slice_eq(deleted, WH_LIT("include")) ? "_all" : "");
        }
    }
    if (l->table[0] == 0) {
        return all_kinds(err);
    }
    if (deleted.ptr && !wh_slice_eq(deleted, WH_LIT("include"))) {
        return wh_fail(err, WH_E_INVALID, "_deleted must be include");
    }
    l->n_columns = sql_columns(wh_slice_str(l->table), l->columns);
    return WH_OK;
}

static enum wh_rc read_columns(struct api_list *l, struct wh_err *err)
{
    const struct api_request *r = &l->job->request;

    for (size_t i = 0; i < r->n_args; i++) {
        const struct sql_column *column;

        if (!wh_slice_eq(r->args[i].name, WH_LIT("_col"))) {
            continue;
        }
        column = api_list_column(l, r->args[i].value);
        if (column == NULL) {
            return api_list_unknown(l, r->args[i].value, err);
        }
        if (l->n_shown < SQL_COLUMNS_MAX) {
            l->shown[l->n_shown++] = column;
        }
    }
    for (size_t i = 0; l->n_shown == 0 && i < l->n_columns; i++) {
        l->shown[i] = &l->columns[i];
    }
    l->n_shown = l->n_shown ? l->n_shown : l->n_columns;
    return WH_OK;
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
    l->sort = api_list_column(l, name.ptr ? name : WH_LIT("id"));
    return l->sort ? WH_OK : api_list_unknown(l, name, err);
}

/* ---- the query ---- */

static enum wh_rc write_select(struct api_list *l, struct wh_err *err)
{
    if (wh_buf_append(&l->sql, WH_LIT("SELECT "), err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < l->n_shown; i++) {
        if (wh_buf_printf(&l->sql, err, "\"%s\",", l->shown[i]->name) != WH_OK) {
            return err->rc;
        }
        l->shapes[i] = l->shown[i]->shape;
    }
    return wh_buf_printf(&l->sql, err, "\"%s\",id FROM \"%s\"", l->sort->name, l->table);
}

static enum wh_rc write_order(struct api_list *l, struct wh_err *err)
{
    const char *direction = l->desc ? "DESC" : "ASC";

    if ((api_list_by_id(l) ? wh_buf_printf(&l->sql, err, " ORDER BY id %s", direction)
                           : wh_buf_printf(&l->sql, err, " ORDER BY \"%s\" %s, id %s",
                                           l->sort->name, direction, direction)) != WH_OK) {
        return err->rc;
    }
    return l->size == 0 ? WH_OK
                        : wh_buf_printf(&l->sql, err, " LIMIT %lld", (long long)l->size + 1);
}

static enum wh_rc build(struct api_list *l, struct wh_err *err)
{
    const struct sink_api_conf *conf = &l->job->api->deps.conf;

    if (read_kind(l, err) != WH_OK || read_columns(l, err) != WH_OK || read_sort(l, err) != WH_OK ||
        api_arg_int(&l->job->request, "_size", 0, SIZE_MAX_ROWS, SIZE_DEFAULT, &l->size, err) !=
            WH_OK ||
        api_arg_int(&l->job->request, "_timelimit", 1, conf->sql_timeout_max_ms, 0, &l->timeout_ms,
                    err) != WH_OK ||
        write_select(l, err) != WH_OK || api_list_filters(l, err) != WH_OK ||
        api_list_place(l, err) != WH_OK) {
        return err->rc;
    }
    return write_order(l, err);
}

static enum wh_rc run(struct api_list *l, enum api_format format, struct wh_err *err)
{
    struct sql_query query = {
        .text = wh_buf_slice(&l->sql),
        .params = l->params,
        .n_params = l->n_params,
        .max_rows = l->size ? l->size : INT64_MAX,
    };
    struct sql_outcome outcome;
    struct api_rows rows;
    struct wh_buf members;
    enum wh_rc rc;

    wh_buf_init(&members, MEMBERS_MAX_BYTES);
    api_rows_init(&rows, l->job, format);
    rows.arrays = wh_slice_eq(api_arg(&l->job->request, "_shape"), WH_LIT("arrays"));
    rows.shapes = l->shapes;
    rows.hidden = 2;
    rows.on_hidden = api_list_keep;
    rows.ctx = l;
    rc = api_rows_run(&rows, l->job, &query, api_time_limit(l->job, l->timeout_ms), &outcome, err);
    if (rc == WH_OK) {
        l->job->cut = outcome.cut == SQL_WHOLE ? NULL : API_CUT_PAGE;
        rc = api_list_next(l, outcome.cut != SQL_WHOLE, &members, err);
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
    wh_buf_init(&l->last, LAST_MAX_BYTES);
    rc = answer_list(l, err);
    wh_buf_done(&l->sql);
    wh_buf_done(&l->last);
    return rc;
}
