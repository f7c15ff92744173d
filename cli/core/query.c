#include "cli/core/query.h"

enum { BODY_MAX_BYTES = 4 << 20, ROWS_MAX = 5000 };

void cli_write_past(const struct cli *cli, struct wh_json_writer *w)
{
    if (cli->opt.as_of) {
        wh_jw_put_str(w, "as_of", wh_slice_str(cli->opt.as_of));
    }
    if (cli->opt.valid_at) {
        wh_jw_put_str(w, "valid_at", wh_slice_str(cli->opt.valid_at));
    }
}

static enum wh_rc write_body(const struct cli *cli, const struct cli_query *query,
                             struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "query", wh_slice_str(query->text));
    wh_jw_put_int(&w, "limit", ROWS_MAX);
    if (query->past) {
        cli_write_past(cli, &w);
    }
    wh_jw_key(&w, "params");
    wh_jw_object(&w);
    for (size_t i = 0; i < CLI_QUERY_PARAMS_MAX && query->names[i]; i++) {
        wh_jw_put_str(&w, query->names[i], query->values[i]);
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

static int take_rows(struct cli *cli, const char *doing, const struct cli_answer *answer,
                     struct wh_json_parser *parser, struct wh_json_val *ret_rows)
{
    struct wh_json_val root;
    struct wh_err err;

    if (answer->status != 200) {
        return doing ? cli_fail_answer(cli, doing, answer) : CLI_FAILED;
    }
    if (wh_json_parse(parser, wh_buf_slice(&answer->body), &root, &err) == WH_OK &&
        wh_json_get(root, WH_LIT("rows"), ret_rows)) {
        return CLI_OK;
    }
    if (doing) {
        cli_note(&cli->out, "wellhead: %s: the sink's answer cannot be read\n", doing);
    }
    return CLI_FAILED;
}

int cli_query(struct cli *cli, const char *doing, const struct cli_query *query,
              struct wh_json_parser *parser, struct wh_json_val *ret_rows)
{
    WH_AUTO(buf) struct wh_buf body;
    struct cli_answer answer = {0};
    struct wh_err err;
    int code;

    wh_buf_init(&body, BODY_MAX_BYTES);
    if (write_body(cli, query, &body, &err) != WH_OK ||
        cli_call(cli, "POST", cli->conf.sink_url, WH_LIT("/api/v1/sql"), cli->conf.sink_token_file,
                 wh_buf_slice(&body), &answer, &err) != WH_OK) {
        code = doing ? cli_fail(cli, doing, &err) : CLI_FAILED;
    } else {
        code = take_rows(cli, doing, &answer, parser, ret_rows);
    }
    wh_buf_done(&answer.body);
    return code;
}
