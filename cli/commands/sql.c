/* wellhead sql: sends a query to the sink and prints its rows. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands/commands.h"
#include "cli/commands/sql_print.h"
#include "cli/core/query.h"

enum { QUERY_MAX_BYTES = 1 << 20, PATH_MAX_BYTES = 1 << 10, TIMED_OUT = 504 };

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

static bool is_blank(struct wh_slice text)
{
    while (text.len && strchr(" \t\r\n;", text.ptr[0])) {
        text = wh_slice_from(text, 1);
    }
    return text.len == 0;
}

static enum wh_rc request_body(struct cli *cli, struct wh_slice query, struct wh_buf *out,
                               struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_key(&w, "query");
    wh_jw_str(&w, query);
    /* A document in every format: its end says whether rows are missing. */
    wh_jw_key(&w, "format");
    wh_jw_str(&w, WH_LIT("json"));
    wh_jw_key(&w, "shape");
    wh_jw_str(&w, sql_print_wants_objects(cli) ? WH_LIT("objects") : WH_LIT("arrays"));
    if (cli->opt.limit >= 0) {
        wh_jw_key(&w, "limit");
        wh_jw_int(&w, cli->opt.limit);
    }
    if (cli->opt.timeout_ms > 0) {
        wh_jw_key(&w, "timeout_ms");
        wh_jw_int(&w, cli->opt.timeout_ms);
    }
    cli_write_past(cli, &w);
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

/* A user who leaves the pager has seen enough. */
static int fail_call(struct sql_print *p, const char *doing, const struct wh_err *err)
{
    bool left = p->failed && p->cli->out.pager;

    sql_print_rest(p);
    if (p->failed) {
        return left ? CLI_OK : CLI_FAILED;
    }
    if (err->rc == WH_E_IO) {
        cli_note(&p->cli->out, "wellhead: sql: %s; the %" PRId64 " rows before are not all\n",
                 err->msg, p->n);
        return CLI_FAILED;
    }
    if (err->rc == WH_E_CANCELED && !cli_interrupted(p->cli)) {
        cli_note(&p->cli->out, "wellhead: %s: the sink's answer cannot be read\n", doing);
        return CLI_FAILED;
    }
    return cli_fail(p->cli, doing, err);
}

static int fail_answer(struct cli *cli, const char *doing, const struct cli_answer *answer)
{
    int code = cli_fail_answer(cli, doing, answer);

    if (answer->status == TIMED_OUT) {
        cli_note(&cli->out, "  `--timeout TIME` gives it more time, as in --timeout 60s\n");
    }
    return code;
}

/* request says what is asked for: method, path and body. */
static int ask(struct cli *cli, const char *doing, struct sql_print *p, struct cli_request request)
{
    struct cli_answer answer;
    struct wh_err err;
    int code;

    request.base = cli->conf.sink_url;
    request.token_file = cli->conf.sink_token_file;
    request.on_data = sql_print_take;
    request.ctx = p;
    if (cli_call_with(cli, &request, &answer, &err) != WH_OK) {
        code = fail_call(p, doing, &err);
    } else if (answer.status != 200) {
        code = fail_answer(cli, doing, &answer);
    } else {
        code = sql_print_end(p);
    }
    wh_buf_done(&answer.body);
    return code;
}

static int print_rows(struct cli *cli, const char *doing, struct cli_request request)
{
    struct sql_print print;
    int code;

    if (sql_print_init(&print, cli)) {
        code = ask(cli, doing, &print, request);
    } else {
        cli_note(&cli->out, "wellhead: %s: out of memory\n", doing);
        code = CLI_FAILED;
    }
    sql_print_done(&print);
    return code;
}

int cli_sql_query(struct cli *cli, const char *doing, struct wh_slice query)
{
    WH_AUTO(buf) struct wh_buf body = {0};
    struct cli_request request = {.method = "POST", .path = WH_LIT("/api/v1/sql")};
    struct wh_err err;

    wh_buf_init(&body, (size_t)2 * QUERY_MAX_BYTES);
    if (request_body(cli, query, &body, &err) != WH_OK) {
        return cli_fail(cli, doing, &err);
    }
    request.body = wh_buf_slice(&body);
    return print_rows(cli, doing, request);
}

int cli_get_rows(struct cli *cli, const char *doing, const char *path)
{
    WH_AUTO(buf) struct wh_buf whole = {0};
    struct cli_request request = {.method = "GET"};
    struct wh_err err;

    wh_buf_init(&whole, PATH_MAX_BYTES);
    if (wh_buf_printf(&whole, &err, "%s%c_shape=%s", path, strchr(path, '?') ? '&' : '?',
                      sql_print_wants_objects(cli) ? "objects" : "arrays") != WH_OK) {
        return cli_fail(cli, doing, &err);
    }
    request.path = wh_buf_slice(&whole);
    return print_rows(cli, doing, request);
}

int cli_sql(struct cli *cli)
{
    WH_AUTO(buf) struct wh_buf query = {0};
    struct wh_err err;

    if (cli->opt.n_args != 2) {
        cli_note(&cli->out, "wellhead: sql needs one query, or - to read it from standard input\n");
        return CLI_USAGE;
    }
    wh_buf_init(&query, QUERY_MAX_BYTES);
    if ((strcmp(cli->opt.args[1], "-") == 0
             ? read_input(cli->world.input, &query, &err)
             : wh_buf_append(&query, wh_slice_str(cli->opt.args[1]), &err)) != WH_OK) {
        return cli_fail(cli, "sql", &err);
    }
    if (is_blank(wh_buf_slice(&query))) {
        cli_note(&cli->out, "wellhead: sql: the query is empty\n");
        return CLI_USAGE;
    }
    return cli_sql_query(cli, "sql", wh_buf_slice(&query));
}
