/* wellhead sql: sends a query to the sink and prints its rows. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands/commands.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/json/json_write.h"

enum { QUERY_MAX_BYTES = 1 << 20, CELL_MAX_BYTES = 1 << 20, ANSWER_MAX_BYTES = 256 << 20 };

static enum wh_rc read_input(int fd, struct wh_buf *out, struct wh_err *err)
{
    char chunk[4096];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
        if (wh_buf_append(out, wh_slice(chunk, (size_t)n), err) != WH_OK) {
            return err->rc;
        }
    }
    return n < 0 ? wh_fail(err, WH_E_IO, "cannot read standard input") : WH_OK;
}

/* The sink's "csv" is safe for spreadsheets. */
static const char *format_name(const struct cli_options *opt)
{
    switch (opt->format) {
    case CLI_CSV:
        return opt->csv_safe ? "csv" : "csv-raw";
    case CLI_NDJSON:
        return "ndjson";
    case CLI_JSON:
    case CLI_TEXT:
    default:
        return "json";
    }
}

static enum wh_rc request_body(struct cli *cli, struct wh_slice query, struct wh_buf *out,
                               struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_key(&w, "query");
    wh_jw_str(&w, query);
    wh_jw_key(&w, "format");
    wh_jw_str(&w, wh_slice_str(format_name(&cli->opt)));
    if (cli->opt.limit >= 0) {
        wh_jw_key(&w, "limit");
        wh_jw_int(&w, cli->opt.limit);
    }
    if (cli->opt.timeout_ms > 0) {
        wh_jw_key(&w, "timeout_ms");
        wh_jw_int(&w, cli->opt.timeout_ms);
    }
    wh_jw_key(&w, "params");
    wh_jw_object(&w);
    for (size_t i = 0; i < cli->opt.n_params; i++) {
        wh_jw_key_slice(&w, wh_slice(cli->opt.param_names[i], cli->opt.param_name_lens[i]));
        wh_jw_str(&w, wh_slice_str(cli->opt.param_values[i]));
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

static size_t add_heading(struct cli_table *table, struct wh_json_val columns)
{
    struct wh_json_iter it = wh_json_iter(columns);
    struct wh_json_val name;
    struct wh_slice key;
    size_t n = 0;

    while (wh_json_next(&it, &key, &name)) {
        n++;
    }
    cli_table_init(table, n);
    for (it = wh_json_iter(columns); wh_json_next(&it, &key, &name);) {
        cli_table_cell(table, wh_json_string(name));
    }
    return n;
}

static void add_row(struct cli_table *table, struct wh_json_val row)
{
    struct wh_json_iter it = wh_json_iter(row);
    struct wh_json_val value;
    struct wh_slice key;
    WH_AUTO(buf) struct wh_buf cell;

    wh_buf_init(&cell, CELL_MAX_BYTES);
    while (wh_json_next(&it, &key, &value)) {
        wh_buf_reset(&cell);
        cli_value_text(value, &cell);
        cli_table_cell(table, wh_buf_slice(&cell));
    }
}

/* Rows are objects or arrays in column order; both iterate the same way. */
static int print_table(struct cli *cli, const struct cli_answer *answer)
{
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, 64);
    struct wh_json_val root;
    struct wh_json_val columns;
    struct wh_json_val rows;
    struct wh_json_val row;
    struct wh_json_val truncated;
    struct wh_json_iter it;
    struct cli_table table;
    struct wh_slice key;
    struct wh_err err;
    size_t n = 0;

    if (parser == NULL ||
        wh_json_parse(parser, wh_buf_slice(&answer->body), &root, &err) != WH_OK ||
        !wh_json_get(root, WH_LIT("columns"), &columns) ||
        !wh_json_get(root, WH_LIT("rows"), &rows)) {
        wh_json_parser_free(parser);
        cli_note(&cli->out, "wellhead: the sink's answer cannot be read\n");
        return CLI_FAILED;
    }
    (void)add_heading(&table, columns);
    for (it = wh_json_iter(rows); wh_json_next(&it, &key, &row); n++) {
        add_row(&table, row);
    }
    cli_table_print(&table, &cli->out);
    cli_table_done(&table);
    if (wh_json_get(root, WH_LIT("truncated"), &truncated) && wh_json_bool(truncated)) {
        cli_note(&cli->out, "(only the first %zu rows are shown; --limit N asks for more)\n", n);
    }
    wh_json_parser_free(parser);
    return CLI_OK;
}

int cli_sql(struct cli *cli)
{
    WH_AUTO(buf) struct wh_buf query = {0};
    WH_AUTO(buf) struct wh_buf body = {0};
    struct cli_answer answer;
    struct wh_err err;
    int code;

    if (cli->opt.n_args != 2) {
        cli_note(&cli->out, "wellhead: sql needs one query, or - to read it from standard input\n");
        return CLI_USAGE;
    }
    wh_buf_init(&query, QUERY_MAX_BYTES);
    wh_buf_init(&body, (size_t)2 * QUERY_MAX_BYTES);
    if ((strcmp(cli->opt.args[1], "-") == 0
             ? read_input(cli->world.input, &query, &err)
             : wh_buf_append(&query, wh_slice_str(cli->opt.args[1]), &err)) != WH_OK ||
        request_body(cli, wh_buf_slice(&query), &body, &err) != WH_OK) {
        return cli_fail(cli, "sql", &err);
    }
    if (cli_call(cli, "POST", cli->conf.sink_url, WH_LIT("/api/v1/sql"), cli->conf.sink_token_file,
                 wh_buf_slice(&body), &answer, &err) != WH_OK) {
        code = cli_fail(cli, "sql", &err);
    } else if (answer.status != 200) {
        code = cli_fail_answer(cli, "sql", &answer);
    } else if (cli->opt.format == CLI_TEXT) {
        code = print_table(cli, &answer);
    } else {
        code = cli_data(&cli->out, wh_buf_slice(&answer.body)) ? CLI_OK : CLI_FAILED;
    }
    wh_buf_done(&answer.body);
    return code;
}
