/*
 * Any text as a statement: it ends in time, changes nothing, and the next statement works. Built
 * with SAN=fuzz and -fsanitize=fuzzer; the store holds the heads of th_heads.
 */
#include <stdlib.h>

#include "stages/sink/sql/sql.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"

enum { ROWS = 40, TIME_LIMIT_MS = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    int64_t *last = ctx;

    (void)ret_full;
    (void)err;
    *last = n && values[0].type == SQL_INT ? values[0].i : -1;
    return WH_OK;
}

static struct sql_engine *engine(void)
{
    static struct sql_engine *made;

    if (made == NULL) {
        static struct th_heads heads;
        struct sql_engine_conf conf = {
            .clock = wh_clock_real(), .connections = 1, .memory_bytes = 32 << 20};
        struct wh_err err;

        conf.store = th_sink_store();
        th_heads_init(&heads, conf.store, WH_KIND_WORK_ITEM, 1);
        th_heads_add(&heads, ROWS);
        if (sql_engine_new(&conf, &made, &err) != WH_OK) {
            abort();
        }
    }
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t last = -1;
    const struct sql_rows rows = {on_columns, on_row, &last};
    struct sql_query query = {
        .text = wh_slice(data, size), .timeout_ms = TIME_LIMIT_MS, .max_rows = 1000};
    struct sql_outcome outcome;
    struct wh_err err;

    (void)!sql_run(engine(), &query, &rows, &outcome, &err);
    /* Sanitizers are slow, but not this slow. */
    if (outcome.elapsed_us > 20 * 1000000) {
        abort();
    }
    query.text = WH_LIT("SELECT count(*) FROM work_items_all");
    query.timeout_ms = 10000;
    if (sql_run(engine(), &query, &rows, &outcome, &err) != WH_OK || last != ROWS) {
        abort();
    }
    return 0;
}
