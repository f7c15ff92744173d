#include "cli/commands/sql_print.h"

#include <inttypes.h>

#include "cli/out/value.h"
#include "common/base/csv.h"
#include "common/json/json_write.h"

enum { LINE_MAX_BYTES = 2 * CLI_ROW_MAX_BYTES, DEPTH_MAX = 64 };

bool sql_print_wants_objects(const struct cli *cli)
{
    return cli->opt.format == CLI_JSON || cli->opt.format == CLI_NDJSON;
}

/* ---- a table ---- */

/* Bytes have no type in JSON: the sink sends them as {"$base64":true,"encoded":"..."}. */
static void add_row(struct sql_print *p, struct wh_json_val row)
{
    struct wh_json_iter it = wh_json_iter(row);
    struct wh_json_val value;
    struct wh_slice key;

    while (wh_json_next(&it, &key, &value)) {
        wh_buf_reset(&p->line);
        if (wh_json_type(value) == WH_JSON_OBJECT) {
            cli_table_cell(&p->table, wh_json_get_str(value, "encoded"));
        } else {
            cli_value_text(value, &p->line);
            cli_table_cell(&p->table, wh_buf_slice(&p->line));
        }
    }
}

static bool table_head(struct sql_print *p, struct wh_json_val columns)
{
    cli_table_init(&p->table, cli_count(columns));
    if (p->cli->opt.expanded) {
        cli_table_expand(&p->table);
    }
    add_row(p, columns);
    return true;
}

static bool table_row(struct sql_print *p, struct wh_json_val row)
{
    add_row(p, row);
    cli_table_stream(&p->table, &p->cli->out);
    return !ferror(p->cli->out.data);
}

/* ---- CSV ---- */

static enum wh_rc csv_value(struct sql_print *p, struct wh_json_val v, struct wh_err *err)
{
    switch (wh_json_type(v)) {
    case WH_JSON_NULL:
        return WH_OK;
    case WH_JSON_STRING:
        return wh_csv_text(wh_json_string(v), p->cli->opt.csv_safe, &p->line, err);
    case WH_JSON_OBJECT:
        return wh_csv_text(wh_json_get_str(v, "encoded"), p->cli->opt.csv_safe, &p->line, err);
    case WH_JSON_BOOL:
    case WH_JSON_INT:
    case WH_JSON_UINT:
    case WH_JSON_DOUBLE:
    case WH_JSON_ARRAY:
    default:
        cli_value_text(v, &p->line);
        return WH_OK;
    }
}

static bool csv_row(struct sql_print *p, struct wh_json_val row)
{
    struct wh_json_iter it = wh_json_iter(row);
    struct wh_json_val value;
    struct wh_slice key;
    struct wh_err err;
    bool first = true;

    wh_buf_reset(&p->line);
    for (; wh_json_next(&it, &key, &value); first = false) {
        if ((!first && wh_buf_append_char(&p->line, ',', &err) != WH_OK) ||
            csv_value(p, value, &err) != WH_OK) {
            return false;
        }
    }
    return wh_buf_append_char(&p->line, '\n', &err) == WH_OK &&
           cli_data_part(&p->cli->out, wh_buf_slice(&p->line));
}

/* ---- as it arrives ---- */

static bool on_head(void *ctx, struct wh_slice json)
{
    struct sql_print *p = ctx;
    struct wh_json_val root;
    struct wh_json_val columns;
    struct wh_err err;

    wh_buf_reset(&p->line);
    if (wh_buf_append(&p->line, json, &err) != WH_OK ||
        wh_buf_append(&p->line, WH_LIT("]}"), &err) != WH_OK ||
        wh_json_parse(p->parser, wh_buf_slice(&p->line), &root, &err) != WH_OK ||
        !wh_json_get(root, WH_LIT("columns"), &columns)) {
        return false;
    }
    p->begun = true;
    cli_use_pager(p->cli);
    switch (p->cli->opt.format) {
    case CLI_JSON:
        return cli_data_part(&p->cli->out, json);
    case CLI_NDJSON:
        return true;
    case CLI_CSV:
        return csv_row(p, columns);
    case CLI_TEXT:
    default:
        return table_head(p, columns);
    }
}

static bool on_json_row(struct sql_print *p, struct wh_slice json)
{
    const struct cli_out *out = &p->cli->out;

    if (p->cli->opt.format == CLI_NDJSON) {
        return cli_data(out, json);
    }
    return (p->n == 0 || cli_data_part(out, WH_LIT(","))) && cli_data_part(out, json);
}

static bool on_row(void *ctx, struct wh_slice json)
{
    struct sql_print *p = ctx;
    struct wh_json_val row;
    struct wh_err err;
    bool more;

    if (sql_print_wants_objects(p->cli)) {
        more = on_json_row(p, json);
    } else if (wh_json_parse(p->parser, json, &row, &err) != WH_OK) {
        return false;
    } else {
        more = p->cli->opt.format == CLI_CSV ? csv_row(p, row) : table_row(p, row);
    }
    p->n += more;
    p->failed = !more;
    return more;
}

bool sql_print_init(struct sql_print *p, struct cli *cli)
{
    *p = (struct sql_print){.cli = cli, .sink = {on_head, on_row, p}};
    wh_buf_init(&p->line, LINE_MAX_BYTES);
    cli_rows_init(&p->rows, &p->sink);
    cli_table_init(&p->table, 0);
    p->parser = wh_json_parser_new(CLI_ROW_MAX_BYTES, DEPTH_MAX);
    return p->parser != NULL;
}

void sql_print_done(struct sql_print *p)
{
    cli_page_end(&p->cli->out);
    cli_table_done(&p->table);
    cli_rows_done(&p->rows);
    wh_buf_done(&p->line);
    wh_json_parser_free(p->parser);
}

bool sql_print_take(void *ctx, struct wh_slice bytes)
{
    struct sql_print *p = ctx;

    return cli_rows_take(&p->rows, bytes);
}

/* ---- the end ---- */

/* Says on stderr why rows are missing, if any are. */
static int say_cut(const struct sql_print *p, struct wh_json_val end)
{
    struct wh_slice by = wh_json_get_str(end, "truncated_by");

    if (!wh_json_get_flag(end, "truncated")) {
        return CLI_OK;
    }
    cli_note(&p->cli->out,
             "wellhead: sql: there are more rows than the %" PRId64 " shown: %s; --limit N asks "
             "for more, --limit 0 for all\n",
             p->n,
             wh_slice_eq(by, WH_LIT("bytes")) ? "the answer has reached its longest size"
                                              : "that is the limit");
    return CLI_CUT;
}

/* The tail without what ends the array, as a document. */
static bool parse_tail(struct sql_print *p, struct wh_json_val *ret)
{
    struct wh_slice tail = cli_rows_tail(&p->rows);
    struct wh_err err;

    while (tail.len && (tail.ptr[0] == ']' || tail.ptr[0] == ',')) {
        tail = wh_slice_from(tail, 1);
    }
    wh_buf_reset(&p->line);
    return wh_buf_append_char(&p->line, '{', &err) == WH_OK &&
           wh_buf_append(&p->line, tail, &err) == WH_OK &&
           wh_json_parse(p->parser, wh_buf_slice(&p->line), ret, &err) == WH_OK;
}

void sql_print_rest(struct sql_print *p)
{
    if (p->begun && !p->failed && p->cli->opt.format == CLI_TEXT) {
        cli_table_print(&p->table, &p->cli->out);
    }
    cli_page_end(&p->cli->out);
}

int sql_print_end(struct sql_print *p)
{
    struct wh_json_val end;

    if (!cli_rows_whole(&p->rows) || !parse_tail(p, &end)) {
        cli_page_end(&p->cli->out);
        cli_note(&p->cli->out, "wellhead: sql: the sink's answer cannot be read\n");
        return CLI_FAILED;
    }
    if (p->cli->opt.format == CLI_TEXT) {
        cli_table_print(&p->table, &p->cli->out);
    } else if (p->cli->opt.format == CLI_JSON && !cli_data(&p->cli->out, cli_rows_tail(&p->rows))) {
        return CLI_FAILED;
    }
    cli_page_end(&p->cli->out);
    return say_cut(p, end);
}
