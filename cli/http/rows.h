/*
 * rows.h - takes the sink's answer with rows apart while it arrives, so that a table of any length needs the
 * memory of one row:
 *
 *   {"ok":true,"columns":["id"],"rows":[   head
 *   {"id":1}                               a row, an object or an array
 *   ,{"id":2}                              another
 *   ],"truncated":false}                   tail
 *
 * The text is not checked beyond its brackets and quotes; whoever uses a part parses it. Thread: app.
 */
#ifndef WH_CLI_HTTP_ROWS_H
#define WH_CLI_HTTP_ROWS_H

#include "common/base/buf.h"

/* Longer rows are refused; the sink makes none. */
enum { CLI_ROW_MAX_BYTES = 64 << 20 };

/* Each is given the part's bytes, valid during the call; false ends the answer. */
struct cli_rows_sink {
    bool (*head)(void *ctx, struct wh_slice json);
    bool (*row)(void *ctx, struct wh_slice json);
    void *ctx;
};

enum cli_rows_at { CLI_ROWS_HEAD, CLI_ROWS_BETWEEN, CLI_ROWS_ROW, CLI_ROWS_TAIL, CLI_ROWS_END };

struct cli_rows {
    const struct cli_rows_sink *sink;
    enum cli_rows_at at;
    size_t depth;
    bool in_text;
    bool escaped;
    struct wh_buf part; /* of the current part, what came in earlier pieces */
};

/* Keeps the sink. */
void cli_rows_init(struct cli_rows *rows, const struct cli_rows_sink *sink);
void cli_rows_done(struct cli_rows *rows);
/* The next piece of the answer. False when the sink wants no more, or this is no such answer. */
WH_MUST_CHECK bool cli_rows_take(struct cli_rows *rows, struct wh_slice bytes);
/* Has the whole answer come? */
bool cli_rows_whole(const struct cli_rows *rows);
/* The tail, once it has come: "],...}". */
struct wh_slice cli_rows_tail(const struct cli_rows *rows);

#endif
