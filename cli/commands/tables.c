/* wellhead tables: which tables there are for SQL, and the columns of one. */
#include <stdio.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/core/query.h"
#include "cli/out/value.h"

enum { QUERY_BYTES = 160, NAME_MAX_BYTES = 100, ANSWER_DEPTH_MAX = 8 };

static bool is_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    return n > 0 && n <= NAME_MAX_BYTES && name[n] == '\0';
}

/* The table's row of `.tables`; the variant with deleted rows has that of its table. */
static bool row_of(struct wh_json_val rows, const char *name, struct wh_json_val *ret)
{
    struct wh_slice wanted = wh_slice_str(name);
    struct wh_json_iter it = wh_json_iter(rows);
    struct wh_slice key;

    if (wanted.len > 4 && strcmp(name + wanted.len - 4, "_all") == 0) {
        wanted.len -= 4;
    }
    while (wh_json_next(&it, &key, ret)) {
        if (wh_slice_eq(wh_json_get_str(*ret, "table"), wanted)) {
            return true;
        }
    }
    return false;
}

/* What the table is, and a query; nothing when the sink does not say. */
static void print_purpose(struct cli *cli, const char *name)
{
    static const struct cli_query query = {.text = ".tables"};
    struct wh_json_parser *parser = wh_json_parser_new(CLI_ANSWER_MAX_BYTES, ANSWER_DEPTH_MAX);
    struct wh_json_val rows;
    struct wh_json_val row;

    if (parser && cli_query(cli, NULL, &query, parser, &rows) == CLI_OK &&
        row_of(rows, name, &row)) {
        struct wh_slice meaning = wh_json_get_str(row, "meaning");
        struct wh_slice example = wh_json_get_str(row, "example");

        cli_say(&cli->out, "%s: %.*s\n", name, WH_SLICE_ARG(meaning));
        cli_say(&cli->out, "  wellhead sql \"%.*s\"\n\n", WH_SLICE_ARG(example));
    }
    wh_json_parser_free(parser);
}

int cli_tables(struct cli *cli)
{
    const char *name = cli->opt.n_args > 1 ? cli->opt.args[1] : NULL;
    char query[QUERY_BYTES];

    if (name == NULL) {
        return cli_sql_query(cli, "tables", WH_LIT(".tables"));
    }
    if (!is_name(name)) {
        cli_note(&cli->out, "wellhead: tables: that is no name of a table; `wellhead tables` lists "
                            "them\n");
        return CLI_USAGE;
    }
    if (cli->opt.format == CLI_TEXT) {
        print_purpose(cli, name);
    }
    (void)snprintf(query, sizeof(query), "describe %s", name);
    return cli_sql_query(cli, "tables", wh_slice_str(query));
}
