/* wellhead open: a link that logs a browser in to the pages. */
#include "cli/commands/commands.h"
#include "cli/out/value.h"

enum { ANSWER_MAX_BYTES = 4096, DEPTH_MAX = 4 };

static int print_link(struct cli *cli, struct wh_json_val root)
{
    struct wh_slice path = wh_json_get_str(root, "path");
    long long seconds = (long long)wh_json_get_int(root, "seconds", 0);

    if (cli->opt.format == CLI_TEXT) {
        cli_say(&cli->out, "%s%.*s\n", cli->conf.sink_url, WH_SLICE_ARG(path));
        if (!cli->opt.quiet) {
            cli_note(&cli->out, "The link works once, for %lld minutes.\n", seconds / 60);
        }
    } else {
        cli_say(&cli->out, "{\"ok\":true,\"url\":\"%s%.*s\",\"seconds\":%lld}\n",
                cli->conf.sink_url, WH_SLICE_ARG(path), seconds);
    }
    return CLI_OK;
}

int cli_open(struct cli *cli)
{
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, DEPTH_MAX);
    struct cli_answer answer;
    struct wh_json_val root;
    struct wh_err err;
    int code;

    if (parser == NULL) {
        (void)wh_fail(&err, WH_E_NOMEM, "no memory for a parser");
        return cli_fail(cli, "open", &err);
    }
    if (cli_call(cli, "POST", cli->conf.sink_url, WH_LIT("/api/v1/login-links"),
                 cli->conf.sink_token_file, wh_slice("", 0), &answer, &err) != WH_OK) {
        code = cli_fail(cli, "open", &err);
    } else if (answer.status != 200) {
        code = cli_fail_answer(cli, "open", &answer);
    } else if (wh_json_parse(parser, wh_buf_slice(&answer.body), &root, &err) != WH_OK) {
        code = cli_fail(cli, "open", &err);
    } else {
        code = print_link(cli, root);
    }
    wh_buf_done(&answer.body);
    wh_json_parser_free(parser);
    return code;
}
