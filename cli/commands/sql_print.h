/* sql_print.h - the rows of a query as a table, CSV, lines of JSON or one document, while they arrive. */
#ifndef WH_CLI_COMMANDS_SQL_PRINT_H
#define WH_CLI_COMMANDS_SQL_PRINT_H

#include "cli/core/cli.h"
#include "cli/http/rows.h"
#include "cli/out/table.h"
#include "common/json/json_doc.h"

struct sql_print {
    struct cli *cli;
    struct wh_json_parser *parser;
    struct cli_rows_sink sink;
    struct cli_rows rows;
    struct cli_table table;
    struct wh_buf line;
    int64_t n;   /* rows printed */
    bool begun;  /* the head has come */
    bool failed; /* stdout takes no more */
};

/* False: no memory. sql_print_done in any case. */
WH_MUST_CHECK bool sql_print_init(struct sql_print *p, struct cli *cli);
void sql_print_done(struct sql_print *p);
/* Does the format want rows as objects? Otherwise as arrays, in the order of the columns. */
bool sql_print_wants_objects(const struct cli *cli);
/* For cli_request.on_data; ctx is the struct. */
bool sql_print_take(void *ctx, struct wh_slice bytes);
/* Prints the rows that wait for others to be aligned with, and leaves the pager. */
void sql_print_rest(struct sql_print *p);
/* After an answer that ended well: prints what is left, and says when rows are missing. Gives the exit code. */
int sql_print_end(struct sql_print *p);

#endif
