/* Rows as JSON objects or arrays, as lines of JSON, as CSV (RFC 4180). */
#include <stdio.h>

#include "common/base/csv.h"
#include "common/base/enc.h"
#include "common/base/mem.h"
#include "stages/sink/api/api_priv.h"
#include "stages/sink/sql/value_json.h"

enum { ROW_MAX_BYTES = 64 << 20 };

enum wh_rc api_format_of(const struct api_request *request, struct wh_slice asked,
                         enum api_format *ret, struct wh_err *err)
{
    static const struct {
        const char *name;
        const char *type;
        enum api_format format;
    } formats[] = {
        {"json", "application/json", API_JSON},
        {"ndjson", "application/x-ndjson", API_NDJSON},
        {"csv", "text/csv", API_CSV},
        {"csv-raw", NULL, API_CSV_RAW},
    };

    if (asked.ptr == NULL) {
        asked = api_arg(request, "_format");
    }
    if (asked.ptr == NULL && wh_slice_eq(api_arg(request, "_nl"), WH_LIT("on"))) {
        asked = WH_LIT("ndjson");
    }
    *ret = API_JSON;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (asked.ptr ? wh_slice_eq(asked, wh_slice_str(formats[i].name))
                      : formats[i].type &&
                            wh_slice_starts(request->accept, wh_slice_str(formats[i].type))) {
            *ret = formats[i].format;
            return WH_OK;
        }
    }
    return asked.ptr ? wh_fail(err, WH_E_INVALID, "format must be json, ndjson, csv or csv-raw")
                     : WH_OK;
}

const char *api_format_type(enum api_format format)
{
    switch (format) {
    case API_NDJSON:
        return "application/x-ndjson";
    case API_CSV:
    case API_CSV_RAW:
        return "text/csv; charset=utf-8; header=present";
    case API_JSON:
    default:
        return "application/json";
    }
}

void api_rows_init(struct api_rows *rows, struct api_job *job, enum api_format format)
{
    *rows =
        (struct api_rows){.out = &job->out,
                          .arena = &job->arena,
                          .format = format,
                          .max_bytes = job->out.flow ? INT64_MAX : job->api->deps.conf.sql_bytes};
    job->has_rows = true;
    wh_buf_init(&rows->row, ROW_MAX_BYTES);
}

void api_rows_done(struct api_rows *rows)
{
    wh_buf_done(&rows->row);
}

enum wh_rc api_rows_shape(struct api_rows *rows, const struct api_request *request,
                          struct wh_err *err)
{
    struct wh_slice shape = api_arg(request, "_shape");

    rows->arrays = wh_slice_eq(shape, WH_LIT("arrays"));
    rows->first_only = wh_slice_eq(shape, WH_LIT("arrayfirst"));
    rows->bare = rows->first_only || wh_slice_eq(shape, WH_LIT("array"));
    rows->no_head = wh_slice_eq(api_arg(request, "_header"), WH_LIT("off"));
    return shape.ptr == NULL || rows->arrays || rows->bare || wh_slice_eq(shape, WH_LIT("objects"))
               ? WH_OK
               : wh_fail(err, WH_E_INVALID, "_shape is objects, arrays, array or arrayfirst");
}

/* ---- CSV ---- */

static bool is_csv(const struct api_rows *rows)
{
    return rows->format == API_CSV || rows->format == API_CSV_RAW;
}

static enum wh_rc csv_text(struct api_rows *rows, struct wh_slice text, struct wh_err *err)
{
    return wh_csv_text(text, rows->format == API_CSV, &rows->row, err);
}

static enum wh_rc csv_blob(struct api_rows *rows, struct wh_slice bytes, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, ROW_MAX_BYTES);
    /* Base64 has the sign '+'. */
    return wh_base64_encode(bytes, &text, err) == WH_OK ? csv_text(rows, wh_buf_slice(&text), err)
                                                        : err->rc;
}

static enum wh_rc csv_value(struct api_rows *rows, const struct sql_value *v, struct wh_err *err)
{
    switch (v->type) {
    case SQL_INT:
        return wh_buf_printf(&rows->row, err, "%lld", (long long)v->i);
    case SQL_DOUBLE:
        return wh_buf_printf(&rows->row, err, "%.17g", v->num);
    case SQL_TEXT:
        return csv_text(rows, v->bytes, err);
    case SQL_BLOB:
        return csv_blob(rows, v->bytes, err);
    case SQL_NULL:
    default:
        return WH_OK;
    }
}

static enum wh_rc csv_row(struct api_rows *rows, const struct sql_value *values, size_t n,
                          struct wh_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if ((i && wh_buf_append_char(&rows->row, ',', err) != WH_OK) ||
            csv_value(rows, &values[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return wh_buf_append(&rows->row, WH_LIT("\r\n"), err);
}

static enum wh_rc csv_head(struct api_rows *rows, struct wh_err *err)
{
    for (size_t i = 0; i < rows->n - rows->hidden; i++) {
        if ((i && wh_buf_append_char(&rows->row, ',', err) != WH_OK) ||
            csv_text(rows, rows->names[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return wh_buf_append(&rows->row, WH_LIT("\r\n"), err);
}

/* ---- JSON ---- */

static void json_values(const struct api_rows *rows, struct wh_json_writer *w,
                        const struct sql_value *values, size_t n)
{
    if (rows->arrays) {
        wh_jw_array(w);
    } else {
        wh_jw_object(w);
    }
    for (size_t i = 0; i < n; i++) {
        if (!rows->arrays) {
            wh_jw_key_slice(w, rows->names[i]);
        }
        sql_value_json(w, &values[i], rows->shapes ? rows->shapes[i] : SQL_SHAPE_PLAIN);
    }
    wh_jw_end(w);
}

static enum wh_rc json_row(struct api_rows *rows, const struct sql_value *values, size_t n,
                           struct wh_err *err)
{
    struct wh_json_writer w;

    if (rows->format == API_JSON && rows->count > 0 &&
        wh_buf_append_char(&rows->row, ',', err) != WH_OK) {
        return err->rc;
    }
    wh_json_writer_init(&w, &rows->row);
    if (rows->first_only) {
        sql_value_json(&w, &values[0], rows->shapes ? rows->shapes[0] : SQL_SHAPE_PLAIN);
    } else {
        json_values(rows, &w, values, n);
    }
    if (wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    return rows->format == API_NDJSON ? wh_buf_append_char(&rows->row, '\n', err) : WH_OK;
}

static enum wh_rc json_names(struct api_rows *rows, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, &rows->row);
    wh_jw_array(&w);
    for (size_t i = 0; i < rows->n - rows->hidden; i++) {
        wh_jw_str(&w, rows->names[i]);
    }
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

static enum wh_rc json_head(struct api_rows *rows, struct wh_err *err)
{
    if (rows->bare) {
        return wh_buf_append_char(&rows->row, '[', err);
    }
    if (wh_buf_append(&rows->row, WH_LIT("{\"ok\":true,\"columns\":"), err) != WH_OK ||
        json_names(rows, err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_append(&rows->row, WH_LIT(",\"rows\":["), err);
}

/* Rows that are arrays need the names once; rows that are objects have them. */
static enum wh_rc ndjson_head(struct api_rows *rows, struct wh_err *err)
{
    if (!rows->arrays) {
        return WH_OK;
    }
    return json_names(rows, err) == WH_OK ? wh_buf_append_char(&rows->row, '\n', err) : err->rc;
}

static enum wh_rc write_head(struct api_rows *rows, struct wh_err *err)
{
    switch (rows->format) {
    case API_NDJSON:
        return ndjson_head(rows, err);
    case API_CSV:
    case API_CSV_RAW:
        return rows->no_head ? WH_OK : csv_head(rows, err);
    case API_JSON:
    default:
        return json_head(rows, err);
    }
}

/* ---- for sql_run ---- */

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    struct api_rows *rows = ctx;
    void *memory;

    if (wh_arena_zalloc(rows->arena, n, sizeof(*names), &memory, err) != WH_OK) {
        return err->rc;
    }
    rows->names = memory;
    rows->n = n;
    for (size_t i = 0; i < n; i++) {
        if (wh_arena_dup(rows->arena, names[i], &rows->names[i], err) != WH_OK) {
            return err->rc;
        }
    }
    wh_buf_reset(&rows->row);
    if (write_head(rows, err) != WH_OK) {
        return err->rc;
    }
    return api_spool_write(rows->out, wh_buf_slice(&rows->row), err);
}

static enum wh_rc on_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    struct api_rows *rows = ctx;
    size_t shown = n - rows->hidden;
    enum wh_rc rc;

    if (rows->skip > 0) {
        rows->skip--;
        return WH_OK;
    }
    wh_buf_reset(&rows->row);
    rc = is_csv(rows) ? csv_row(rows, values, shown, err) : json_row(rows, values, shown, err);
    if (rc != WH_OK) {
        return rc;
    }
    if (rows->out->taken + (int64_t)rows->row.len > rows->max_bytes) {
        *ret_full = true;
        return WH_OK;
    }
    if (rows->on_hidden) {
        rows->on_hidden(rows->ctx, values + shown, rows->hidden);
    }
    rows->count++;
    return api_spool_write(rows->out, wh_buf_slice(&rows->row), err);
}

int64_t api_time_limit(const struct api_job *job, int64_t asked_ms)
{
    const struct sink_api_conf *conf = &job->api->deps.conf;

    if (asked_ms) {
        return asked_ms;
    }
    return job->out.flow ? conf->sql_timeout_max_ms : conf->sql_timeout_ms;
}

/* A file that a browser has saved does not say that its transfer broke off, so its last line does (T3). */
static void write_csv_end(struct api_rows *rows, const struct api_job *job,
                          const struct wh_err *failed)
{
    struct wh_err ignored;

    if (rows->format != API_CSV || job->out.flow == NULL || rows->count == 0) {
        return;
    }
    wh_buf_reset(&rows->row);
    if (wh_buf_printf(&rows->row, &ignored, "error: not all rows are here: %.200s\r\n",
                      failed->msg) == WH_OK) {
        (void)!api_spool_write(rows->out, wh_buf_slice(&rows->row), &ignored);
    }
}

enum wh_rc api_rows_run(struct api_rows *rows, struct api_job *job, struct sql_query *query,
                        int64_t timeout_ms, struct sql_outcome *ret, struct wh_err *err)
{
    const struct sql_rows sink = {.columns = on_columns, .row = on_row, .ctx = rows};

    query->timeout_ms = timeout_ms;
    query->waited_ms = api_waited_ms(job);
    query->paused_ns = job->out.flow ? api_flow_waited_ns(job->out.flow) : NULL;
    query->canceled = &job->canceled;
    if (sql_run(job->api->engine, query, &sink, ret, err) == WH_OK) {
        job->part_rows = rows->count;
        return WH_OK;
    }
    write_csv_end(rows, job, err);
    return err->rc;
}

enum wh_rc api_rows_end(struct api_rows *rows, struct wh_slice members, struct wh_err *err)
{
    wh_buf_reset(&rows->row);
    if (rows->format == API_JSON && rows->bare &&
        wh_buf_append_char(&rows->row, ']', err) != WH_OK) {
        return err->rc;
    }
    if (rows->format == API_JSON && !rows->bare &&
        wh_buf_printf(&rows->row, err, "]%s%.*s}", members.len ? "," : "", WH_SLICE_ARG(members)) !=
            WH_OK) {
        return err->rc;
    }
    return api_spool_write(rows->out, wh_buf_slice(&rows->row), err);
}
