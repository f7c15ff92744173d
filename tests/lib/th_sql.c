#include "tests/lib/th_sql.h"

#include <inttypes.h>

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

enum { TEXT_MAX_BYTES = 64 << 20, TIMEOUT_MS = 60000 };

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    (void)ctx;
    (void)names;
    (void)n;
    (void)err;
    return WH_OK;
}

static enum wh_rc add_value(struct wh_buf *out, const struct sql_value *v, struct wh_err *err)
{
    switch (v->type) {
    case SQL_INT:
        return wh_buf_printf(out, err, "%" PRId64 "|", v->i);
    case SQL_DOUBLE:
        return wh_buf_printf(out, err, "%.17g|", v->num);
    case SQL_TEXT:
    case SQL_BLOB:
        return wh_buf_printf(out, err, "%.*s|", WH_SLICE_ARG(v->bytes));
    case SQL_NULL:
    default:
        return wh_buf_append(out, WH_LIT("|"), err);
    }
}

static enum wh_rc on_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    struct wh_buf *out = ctx;

    (void)ret_full;
    for (size_t i = 0; i < n; i++) {
        if (add_value(out, &values[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return wh_buf_append_char(out, '\n', err);
}

char *th_sql_rows_at(struct sql_engine *engine, const char *sql, const struct wh_history_when *when,
                     int64_t *ret_read)
{
    const struct sql_param param = {WH_LIT("p"), {.type = SQL_TEXT, .bytes = WH_LIT("main")}};
    const struct sql_query query = {.text = wh_slice_str(sql),
                                    .params = &param,
                                    .n_params = 1,
                                    .timeout_ms = TIMEOUT_MS,
                                    .max_rows = 1 << 22,
                                    .when = when};
    struct sql_outcome outcome;
    struct wh_buf out;
    struct wh_err err;
    const struct sql_rows rows = {on_columns, on_row, &out};
    size_t len;

    wh_buf_init(&out, TEXT_MAX_BYTES);
    th_ok(wh_buf_printf(&out, &err, "rows\n"), &err);
    if (sql_run(engine, &query, &rows, &outcome, &err) != WH_OK) {
        fail_msg("%s: %s", sql, err.msg);
    }
    *ret_read = outcome.rows_read;
    return wh_buf_take(&out, &len);
}

char *th_sql_rows(struct sql_engine *engine, const char *sql, int64_t *ret_read)
{
    return th_sql_rows_at(engine, sql, NULL, ret_read);
}

void th_sql_is(struct sql_engine *engine, const char *sql, const char *want)
{
    int64_t read;
    char *got = th_sql_rows(engine, sql, &read);

    if (strcmp(got + strlen("rows\n"), want) != 0) {
        fail_msg("%s\ngot\n%.1000s\nwant\n%.1000s", sql, got, want);
    }
    wh_mem_free(got);
}

int64_t th_sql_same(struct sql_engine *engine, const char *sql, const char *as)
{
    int64_t read;
    int64_t read_as;
    char *got = th_sql_rows(engine, sql, &read);
    char *want = th_sql_rows(engine, as, &read_as);

    if (strcmp(got, want) != 0) {
        fail_msg("%s\ngot\n%.1000s\nwant\n%.1000s", sql, got, want);
    }
    wh_mem_free(got);
    wh_mem_free(want);
    return read;
}
