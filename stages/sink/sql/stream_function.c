/* stream_state(report, stream, now_ms): the state of a stream, from what a fetcher reports of a connection's
 * streams (event/streams.h); NULL when the report has no such stream. For the view streams. */
#include "common/json/json_doc.h"
#include "common/judge/streams.h"
#include "stages/sink/sql/functions_priv.h"

enum { REPORT_MAX_BYTES = 1 << 20, REPORT_DEPTH = 16 };

static void answer(sqlite3_context *out, struct wh_json_parser *parser, struct wh_slice report,
                   struct wh_slice stream, int64_t now_ms)
{
    struct wh_streams all;
    struct wh_err ignored;

    if (wh_streams_parse(report, parser, &all, &ignored) != WH_OK) {
        return;
    }
    for (size_t i = 0; i < all.n; i++) {
        if (wh_slice_eq(all.list[i].name, stream)) {
            sqlite3_result_text(out,
                                wh_stream_state_name(wh_stream_state(&all, &all.list[i], now_ms)),
                                -1, SQLITE_STATIC);
            return;
        }
    }
}

static void stream_state(sqlite3_context *out, int n, sqlite3_value **args)
{
    struct wh_slice report = sql_value_text(args[0]);
    struct wh_slice stream = sql_value_text(args[1]);
    struct wh_json_parser *parser;

    (void)n;
    if (report.ptr == NULL || stream.ptr == NULL || report.len > REPORT_MAX_BYTES ||
        sql_function_begins(out, report.len)) {
        return;
    }
    parser = wh_json_parser_new(REPORT_MAX_BYTES, REPORT_DEPTH);
    if (parser == NULL) {
        sqlite3_result_error_nomem(out);
        return;
    }
    answer(out, parser, report, stream, sqlite3_value_int64(args[2]));
    wh_json_parser_free(parser);
}

int sql_stream_function_install(struct sql_conn *conn)
{
    return sql_function_add(conn, "stream_state", 3, stream_state);
}
