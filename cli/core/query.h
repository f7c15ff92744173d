/* query.h - a query of our own to the sink, for commands that look something up. */
#ifndef WH_CLI_CORE_QUERY_H
#define WH_CLI_CORE_QUERY_H

#include "cli/core/cli.h"
#include "common/json/json_doc.h"
#include "common/json/json_write.h"

enum { CLI_QUERY_PARAMS_MAX = 4 };

struct cli_query {
    const char *text;
    const char *names[CLI_QUERY_PARAMS_MAX]; /* of parameters, without ':'; NULL: no more */
    struct wh_slice values[CLI_QUERY_PARAMS_MAX];
    bool past; /* --as-of and --valid-at apply to it */
};

/* Writes the members as_of and valid_at of a request when the user asks for the past. */
void cli_write_past(const struct cli *cli, struct wh_json_writer *w);

/*
 * *ret_rows is an array of at most 5000 objects that belong to the parser. Gives an exit code, after it said on stderr what went
 * wrong while doing that; doing NULL: says nothing.
 */
int cli_query(struct cli *cli, const char *doing, const struct cli_query *query,
              struct wh_json_parser *parser, struct wh_json_val *ret_rows);

#endif
