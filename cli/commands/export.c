/* wellhead export: every table into a file of SQLite or into CSV files, while it arrives. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/backup/progress.h"
#include "cli/commands/commands.h"
#include "cli/core/query.h"
#include "cli/export/target.h"
#include "cli/http/rows.h"
#include "cli/out/value.h"

enum {
    TABLES_MAX = 256,
    NAME_MAX_BYTES = 64,
    DEPTH_MAX = 64,
    BODY_MAX_BYTES = 512,
    TELL_ROWS = 512
};

static const char doing[] = "export";

struct work {
    struct cli *cli;
    struct export_target *target;
    struct wh_json_parser *parser;
    struct backup_progress progress;
    char tables[TABLES_MAX][NAME_MAX_BYTES];
    size_t n_tables;
    const char *table;
    struct export_column columns[EXPORT_COLUMNS_MAX];
    size_t n_columns;
    int64_t rows; /* of the table */
    int64_t all;
    bool failed; /* by err */
    struct wh_err err;
};

static bool is_name(struct wh_slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_') {
            return false;
        }
    }
    return name.len > 0 && name.len < NAME_MAX_BYTES;
}

static int unreadable(const struct work *w)
{
    cli_note(&w->cli->out, "wellhead: export: the sink's answer cannot be read\n");
    return CLI_FAILED;
}

static int list_tables(struct work *w)
{
    static const struct cli_query query = {.text = ".tables"};
    struct wh_json_val rows;
    struct wh_json_val row;
    struct wh_json_iter it;
    int code = cli_query(w->cli, doing, &query, w->parser, &rows);

    if (code != CLI_OK) {
        return code;
    }
    it = wh_json_iter(rows);
    while (wh_json_next(&it, NULL, &row)) {
        struct wh_slice name = wh_json_get_str(row, "table");

        if (!is_name(name) || w->n_tables == TABLES_MAX) {
            return unreadable(w);
        }
        (void)snprintf(w->tables[w->n_tables++], NAME_MAX_BYTES, "%.*s", WH_SLICE_ARG(name));
    }
    return CLI_OK;
}

/* `describe` writes for people: "boolean (0 or 1)", "time". */
static const char *type_of(struct wh_slice described)
{
    return wh_slice_starts(described, WH_LIT("integer")) ||
                   wh_slice_starts(described, WH_LIT("boolean"))
               ? "INTEGER"
           : wh_slice_starts(described, WH_LIT("real")) ? "REAL"
                                                        : "TEXT";
}

static int list_columns(struct work *w)
{
    char text[NAME_MAX_BYTES + 16];
    const struct cli_query query = {.text = text};
    struct wh_json_val rows;
    struct wh_json_val row;
    struct wh_json_iter it;
    int code;

    (void)snprintf(text, sizeof(text), "describe %s", w->table);
    code = cli_query(w->cli, doing, &query, w->parser, &rows);
    if (code != CLI_OK) {
        return code;
    }
    w->n_columns = 0;
    it = wh_json_iter(rows);
    while (wh_json_next(&it, NULL, &row)) {
        struct wh_slice name = wh_json_get_str(row, "column");
        struct export_column *c = &w->columns[w->n_columns];

        if (!is_name(name) || w->n_columns == EXPORT_COLUMNS_MAX) {
            return unreadable(w);
        }
        (void)snprintf(c->name, sizeof(c->name), "%.*s", WH_SLICE_ARG(name));
        c->type = type_of(wh_json_get_str(row, "type"));
        w->n_columns++;
    }
    return CLI_OK;
}

/* ---- rows ---- */

static bool on_head(void *ctx, struct wh_slice json)
{
    (void)ctx;
    (void)json;
    return true;
}

static bool on_row(void *ctx, struct wh_slice json)
{
    struct work *w = ctx;
    struct wh_json_val row;

    if (wh_json_parse(w->parser, json, &row, &w->err) != WH_OK ||
        w->target->ops->row(w->target, row, &w->err) != WH_OK) {
        w->failed = true;
        return false;
    }
    if (++w->rows % TELL_ROWS == 0) {
        backup_progress_say(&w->progress, w->table, w->rows, -1, "rows");
    }
    return !cli_interrupted(w->cli);
}

static bool take(void *ctx, struct wh_slice bytes)
{
    return cli_rows_take(ctx, bytes);
}

static enum wh_rc write_body(const struct work *w, struct wh_buf *out, struct wh_err *err)
{
    enum wh_rc rc = wh_buf_printf(
        out, err, "{\"format\":\"json\",\"shape\":\"arrays\",\"limit\":0,\"query\":\"select ");

    for (size_t i = 0; rc == WH_OK && i < w->n_columns; i++) {
        rc = wh_buf_printf(out, err, "%s\\\"%s\\\"", i ? ", " : "", w->columns[i].name);
    }
    return rc == WH_OK ? wh_buf_printf(out, err, " from %s\"}", w->table) : rc;
}

static int call(struct work *w, struct cli_rows *rows, struct wh_slice body)
{
    struct cli_request request = {
        .method = "POST",
        .base = w->cli->conf.sink_url,
        .path = WH_LIT("/api/v1/sql"),
        .token_file = w->cli->conf.sink_token_file,
        .body = body,
        .on_data = take,
        .ctx = rows,
    };
    struct cli_answer answer;
    struct wh_err err;
    int code = CLI_OK;

    if (cli_call_with(w->cli, &request, &answer, &err) != WH_OK) {
        code = cli_fail(w->cli, w->table, w->failed ? &w->err : &err);
    } else if (answer.status != 200) {
        code = cli_fail_answer(w->cli, w->table, &answer);
    } else if (!cli_rows_whole(rows)) {
        code = unreadable(w);
    }
    wh_buf_done(&answer.body);
    return code;
}

static int fetch_rows(struct work *w)
{
    const struct cli_rows_sink sink = {on_head, on_row, w};
    WH_AUTO(buf) struct wh_buf body = {0};
    struct cli_rows rows;
    struct wh_err err;
    int code;

    wh_buf_init(&body, (size_t)EXPORT_COLUMNS_MAX * NAME_MAX_BYTES + BODY_MAX_BYTES);
    if (write_body(w, &body, &err) != WH_OK) {
        return cli_fail(w->cli, doing, &err);
    }
    cli_rows_init(&rows, &sink);
    code = call(w, &rows, wh_buf_slice(&body));
    cli_rows_done(&rows);
    return code;
}

/* What arrived must be what can be counted there. */
static int export_table(struct work *w)
{
    struct wh_err err;
    int64_t there = 0;
    int code = list_columns(w);

    if (code != CLI_OK) {
        return code;
    }
    w->rows = 0;
    if (w->target->ops->table(w->target, w->table, w->columns, w->n_columns, &err) != WH_OK) {
        return cli_fail(w->cli, doing, &err);
    }
    code = fetch_rows(w);
    if (code != CLI_OK) {
        return code;
    }
    if (w->target->ops->table_end(w->target, &there, &err) != WH_OK) {
        return cli_fail(w->cli, doing, &err);
    }
    if (there != w->rows) {
        cli_note(&w->cli->out, "wellhead: export: %s has %lld rows there, and %lld arrived\n",
                 w->table, (long long)there, (long long)w->rows);
        return CLI_FAILED;
    }
    w->all += there;
    return CLI_OK;
}

static int export_all(struct work *w)
{
    int code = list_tables(w);

    cli_catch_interrupt(w->cli);
    backup_progress_begin(&w->progress, w->cli);
    for (size_t i = 0; code == CLI_OK && i < w->n_tables; i++) {
        w->table = w->tables[i];
        code = export_table(w);
    }
    cli_progress_end(&w->cli->out);
    return code;
}

static int say_done(const struct work *w)
{
    if (w->cli->opt.format == CLI_JSON) {
        cli_say(&w->cli->out, "{\"ok\":true,\"tables\":%zu,\"rows\":%lld}\n", w->n_tables,
                (long long)w->all);
    } else {
        cli_say(&w->cli->out, "%s: %lld rows of %zu tables, counted there.\n", w->cli->opt.args[2],
                (long long)w->all, w->n_tables);
    }
    return CLI_OK;
}

static enum wh_rc open_target(struct work *w, bool sqlite, struct wh_err *err)
{
    const char *path = w->cli->opt.args[2];

    return sqlite ? export_sqlite_open(path, &w->target, err)
                  : export_csv_open(path, &w->target, err);
}

static int export_to(struct work *w, bool sqlite)
{
    struct wh_err err;
    int code;

    w->parser = wh_json_parser_new(CLI_ROW_MAX_BYTES, DEPTH_MAX);
    if (w->parser == NULL) {
        (void)wh_fail(&err, WH_E_NOMEM, "no memory for a parser");
        return cli_fail(w->cli, doing, &err);
    }
    if (open_target(w, sqlite, &err) != WH_OK) {
        return cli_fail(w->cli, doing, &err);
    }
    code = export_all(w);
    if (w->target->ops->close(w->target, code == CLI_OK, &err) != WH_OK && code == CLI_OK) {
        code = cli_fail(w->cli, doing, &err);
    }
    return code == CLI_OK ? say_done(w) : code;
}

int cli_export(struct cli *cli)
{
    const char *form = cli->opt.n_args == 3 ? cli->opt.args[1] : "";
    bool sqlite = strcmp(form, "sqlite") == 0;
    struct work *w;
    int code;

    if (!sqlite && strcmp(form, "csv") != 0) {
        cli_note(&cli->out, "wellhead: export needs `sqlite FILE` or `csv DIR`\n");
        return CLI_USAGE;
    }
    w = wh_mem_zalloc(1, sizeof(*w));
    if (w == NULL) {
        return CLI_FAILED;
    }
    w->cli = cli;
    code = export_to(w, sqlite);
    wh_json_parser_free(w->parser);
    wh_mem_free(w);
    return code;
}
