/* One table of records: rows, filters, facets, columns, and why there are none. */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/lists/list_priv.h"
#include "stages/sink/api/pages/pages_priv.h"
#include "stages/sink/api/pages/records_priv.h"

enum { URL_MAX_BYTES = 32 << 10, NAME_MAX_BYTES = 128 };

/* ---- the list, with what a person wants to see first ---- */

static bool has_arg(const struct api_job *job, const char *name)
{
    return api_arg(&job->request, name).ptr != NULL;
}

static enum wh_rc add_words(struct api_job *job, const char *name, const char *const *words,
                            struct wh_err *err)
{
    for (size_t i = 0; words[i]; i++) {
        if (api_add_arg(job, name, wh_slice_str(words[i]), err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* What the address leaves out; what it says stays. */
static enum wh_rc add_defaults(struct api_job *job, struct wh_err *err)
{
    const struct records_look *look = records_look_of(job->id);

    job->n_given = job->request.n_args;
    if ((!has_arg(job, "_col") && !has_arg(job, "_nocol") &&
         add_words(job, "_col", look->columns, err) != WH_OK) ||
        (look->sort && !has_arg(job, "_sort") && !has_arg(job, "_sort_desc") &&
         api_add_arg(job, "_sort_desc", wh_slice_str(look->sort), err) != WH_OK)) {
        return err->rc;
    }
    if (job->twin == API_TWIN_CSV) {
        return WH_OK;
    }
    if ((!has_arg(job, "_facet") && !has_arg(job, "_nofacet") &&
         add_words(job, "_facet", look->facets, err) != WH_OK) ||
        (!has_arg(job, "_size") && api_add_arg(job, "_size", WH_LIT("50"), err) != WH_OK)) {
        return err->rc;
    }
    return api_add_arg(job, "_extra", WH_LIT("count,column_details,filters,permalink,query"), err);
}

/* A page that took too long still shows what was asked, so that a person can ask for less. */
static enum wh_rc answer_without_rows(struct api_job *job, const struct wh_err *failed,
                                      struct wh_err *err)
{
    struct api_json j;

    api_json_begin(&j);
    wh_jw_put_bool(&j.w, "timed_out", failed->rc == WH_E_TIMEOUT);
    wh_jw_put_bool(&j.w, "too_large", failed->rc != WH_E_TIMEOUT);
    wh_jw_put_str(&j.w, "message", wh_slice_str(failed->msg));
    return api_json_end(&j, job, err);
}

static enum wh_rc answer_list(struct api_job *job, struct wh_err *err)
{
    struct wh_err failed;

    if (add_defaults(job, err) != WH_OK) {
        return err->rc;
    }
    if (api_answer_entities(job, err) == WH_OK) {
        return WH_OK;
    }
    failed = *err;
    return job->twin == API_TWIN_HTML && (err->rc == WH_E_TIMEOUT || err->rc == WH_E_TOO_LARGE)
               ? answer_without_rows(job, &failed, err)
               : err->rc;
}

/* ---- what is around the rows ---- */

static void write_tables(const struct api_job *job, struct wh_json_writer *w)
{
    size_t n_groups;
    const struct records_group *groups = records_groups(&n_groups);

    wh_jw_key(w, "groups");
    wh_jw_array(w);
    for (size_t i = 0; i < n_groups; i++) {
        wh_jw_object(w);
        wh_jw_put_str(w, "name", wh_slice_str(groups[i].name));
        wh_jw_key(w, "list");
        wh_jw_array(w);
        for (size_t k = 0; groups[i].tables[k]; k++) {
            wh_jw_object(w);
            wh_jw_put_str(w, "name", wh_slice_str(groups[i].tables[k]));
            wh_jw_put_bool(w, "current", wh_slice_eq(job->id, wh_slice_str(groups[i].tables[k])));
            wh_jw_end(w);
        }
        wh_jw_end(w);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_operators(struct wh_json_writer *w)
{
    static const char *const classes[] = {[API_FOR_ANY] = "any",
                                          [API_FOR_TEXT] = "text",
                                          [API_FOR_ORDER] = "number time",
                                          [API_FOR_LIST] = "list",
                                          [API_FOR_TIME] = "time"};
    size_t n;
    const struct api_operator *operators = api_operators(&n);

    wh_jw_key(w, "operators");
    wh_jw_array(w);
    for (size_t i = 0; i < n; i++) {
        wh_jw_object(w);
        wh_jw_put_str(w, "name", wh_slice_str(operators[i].name));
        wh_jw_put_str(w, "words", wh_slice_str(operators[i].words));
        if (operators[i].time_words) {
            wh_jw_put_str(w, "time_words", wh_slice_str(operators[i].time_words));
        }
        wh_jw_put_str(w, "fits", wh_slice_str(classes[operators[i].fits]));
        wh_jw_put_bool(w, "plain", operators[i].plain);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

/* The arguments that other forms of the page carry on: all but their own. */
static void write_kept(const struct api_job *job, struct wh_json_writer *w, const char *key,
                       const char *without, const char *without_too)
{
    const struct api_request *r = &job->request;

    wh_jw_key(w, key);
    wh_jw_array(w);
    for (size_t i = 0; i < r->n_args; i++) {
        struct wh_slice name = r->args[i].name;

        if (wh_slice_eq(name, WH_LIT("_next")) || wh_slice_eq(name, wh_slice_str(without)) ||
            wh_slice_eq(name, wh_slice_str(without_too))) {
            continue;
        }
        wh_jw_object(w);
        wh_jw_put_str(w, "name", name);
        wh_jw_put_str(w, "value", r->args[i].value);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static const char *meaning_of(struct wh_slice table)
{
    const struct sql_table_info *tables;
    size_t n;

    tables = sql_tables(&n);
    for (size_t i = 0; i < n; i++) {
        if (wh_slice_eq(table, wh_slice_str(tables[i].name))) {
            return tables[i].doc;
        }
    }
    return "";
}

/* The address of all rows as a file. */
static enum wh_rc write_export(const struct api_job *job, struct wh_json_writer *w, const char *key,
                               const char *more, struct wh_err *err)
{
    const struct api_request *r = &job->request;
    WH_AUTO(buf) struct wh_buf url;

    wh_buf_init(&url, URL_MAX_BYTES);
    if (wh_buf_printf(&url, err, "/t/%.*s.csv?_stream=on%s", WH_SLICE_ARG(job->id), more) !=
        WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < r->n_args; i++) {
        char name[NAME_MAX_BYTES];

        if (wh_slice_eq(r->args[i].name, WH_LIT("_next")) ||
            wh_slice_eq(r->args[i].name, WH_LIT("_size")) || r->args[i].name.len >= sizeof(name)) {
            continue;
        }
        memcpy(name, r->args[i].name.ptr, r->args[i].name.len);
        name[r->args[i].name.len] = 0;
        if (api_list_address_add(&url, name, r->args[i].value, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_put_str(w, key, wh_buf_slice(&url));
    return WH_OK;
}

/* The address of the page without the place in the list, and the views of this table. */
static enum wh_rc write_views(const struct api_job *job, struct wh_json_writer *w,
                              struct wh_err *err)
{
    const struct api_request *r = &job->request;
    WH_AUTO(buf) struct wh_buf path;

    wh_buf_init(&path, URL_MAX_BYTES);
    if (wh_buf_printf(&path, err, "/t/%.*s", WH_SLICE_ARG(job->id)) != WH_OK) {
        return err->rc;
    }
    wh_jw_key(w, "views");
    views_write(job->api->views, wh_buf_slice(&path), w);
    for (size_t i = 0; i < r->n_args; i++) {
        char name[NAME_MAX_BYTES];

        if (wh_slice_eq(r->args[i].name, WH_LIT("_next")) || r->args[i].name.len >= sizeof(name)) {
            continue;
        }
        memcpy(name, r->args[i].name.ptr, r->args[i].name.len);
        name[r->args[i].name.len] = 0;
        if (api_list_address_add(&path, name, r->args[i].value, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_put_str(w, "view_path", wh_buf_slice(&path));
    return WH_OK;
}

static enum wh_rc answer_about(struct api_job *job, struct wh_err *err)
{
    struct api_json j;

    api_json_begin(&j);
    wh_jw_put_str(&j.w, "table", job->id);
    wh_jw_put_str(&j.w, "meaning", wh_slice_str(meaning_of(job->id)));
    wh_jw_put_str(&j.w, "search", api_arg(&job->request, "_search"));
    wh_jw_put_bool(&j.w, "is_page", has_arg(job, "_next"));
    wh_jw_put_str(&j.w, "query", job->request.query);
    write_tables(job, &j.w);
    write_operators(&j.w);
    write_kept(job, &j.w, "kept_by_columns", "_col", "_nocol");
    write_kept(job, &j.w, "kept_by_search", "_search", "");
    if (write_views(job, &j.w, err) != WH_OK ||
        write_export(job, &j.w, "csv_url", "", err) != WH_OK ||
        write_export(job, &j.w, "csv_raw_url", "&_format=csv-raw", err) != WH_OK) {
        wh_buf_done(&j.buf);
        return err->rc;
    }
    return api_json_end(&j, job, err);
}

/* ---- filters that are added by a form ---- */

/* COLUMN, or COLUMN__OPERATOR */
static enum wh_rc filter_name(const struct api_job *job, struct wh_buf *name, struct wh_err *err)
{
    struct wh_slice column = api_arg(&job->request, "_filter_column");
    struct wh_slice op = api_arg(&job->request, "_filter_op");

    if (column.len == 0) {
        return wh_fail(err, WH_E_INVALID, "a filter needs a column");
    }
    if (wh_buf_append(name, column, err) != WH_OK) {
        return err->rc;
    }
    return op.len == 0 || wh_slice_eq(op, WH_LIT("exact"))
               ? WH_OK
               : wh_buf_printf(name, err, "__%.*s", WH_SLICE_ARG(op));
}

static enum wh_rc add_filter(struct api_job *job, struct wh_err *err)
{
    struct wh_slice query = api_arg(&job->request, "_query");
    WH_AUTO(buf) struct wh_buf path;
    WH_AUTO(buf) struct wh_buf name;

    wh_buf_init(&path, URL_MAX_BYTES);
    wh_buf_init(&name, NAME_MAX_BYTES);
    if (filter_name(job, &name, err) != WH_OK ||
        wh_buf_printf(&path, err, "/t/%.*s%s%.*s", WH_SLICE_ARG(job->id), query.len ? "?" : "",
                      WH_SLICE_ARG(query)) != WH_OK ||
        api_list_address_add(&path, wh_buf_str(&name), api_arg(&job->request, "_filter_value"),
                             err) != WH_OK) {
        return err->rc;
    }
    return page_go(job, wh_buf_slice(&path), err);
}

static enum wh_rc act(struct api_job *job, struct wh_err *err)
{
    return add_filter(job, err);
}

/* Why a table is empty. The names of streams are those of docs/architecture.md's fetcher. */
#define WHY_EMPTY                                                                                  \
    "with t(stream) as (select case :id when 'work_items' then 'issues' when 'incidents' then "    \
    "'issues' when 'build_records' then 'pipelines' else :id end), w(why) as (select case when "   \
    ":id in ('services', 'customers', 'service_customers', 'subscriptions', 'people', "            \
    "'service_ownership') then 'imported' when not exists (select 1 from connections) then "       \
    "'connected' when exists (select 1 from streams, t where streams.stream = t.stream and "       \
    "last_success is null and state <> 'not_read') or exists (select 1 from connections where "    \
    "state = 'processing') then 'synced' when exists (select 1 from streams, t where "             \
    "streams.stream = t.stream and state = 'not_read') then 'read' else 'none' end) "              \
    "select why, nullif(why = 'imported', 0) as not_imported, nullif(why = 'connected', 0) as "    \
    "not_connected, nullif(why = 'synced', 0) as not_synced, nullif(why = 'read', 0) as "          \
    "not_read, nullif(why = 'none', 0) as none, (select max(last_success) from streams, t "        \
    "where streams.stream = t.stream) as read_at from w"

/* One row, in which the reason is a member that is true. */
static enum wh_rc answer_why(struct api_job *job, struct wh_err *err)
{
    return page_answer_listed(job, WHY_EMPTY, err);
}

static const struct api_page pages[] = {
    {.path = "/t/*",
     .file = "records",
     .title = "Records",
     .section = "/t/work_items",
     .named_by_id = true,
     .act = act,
     .parts = {{.name = "list", .answer = answer_list, .has_rows = true, .takes_kind = true},
               {.name = "about", .answer = answer_about},
               {.name = "why", .answer = answer_why}}},
};

const struct page_area page_area_records = PAGE_AREA(pages);
