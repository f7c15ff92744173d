/* wellhead tokens: who may see the workspace, and the end of it. */
#include <string.h>

#include "cli/commands/commands.h"
#include "common/json/json_write.h"

enum { BODY_MAX_BYTES = 256, ID_MAX_BYTES = 64 };

static int revoke(struct cli *cli, const char *id)
{
    WH_AUTO(buf) struct wh_buf body = {0};
    struct cli_answer answer;
    struct wh_json_writer w;
    struct wh_err err;
    int code = CLI_OK;

    wh_buf_init(&body, BODY_MAX_BYTES);
    wh_json_writer_init(&w, &body);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "end", wh_slice_str(id));
    wh_jw_end(&w);
    if (wh_jw_finish(&w, &err) != WH_OK) {
        return cli_fail(cli, "tokens", &err);
    }
    if (cli_call(cli, "POST", cli->conf.sink_url, WH_LIT("/api/v1/tokens"),
                 cli->conf.sink_token_file, wh_buf_slice(&body), &answer, &err) != WH_OK) {
        code = cli_fail(cli, "tokens", &err);
    } else if (answer.status != 200) {
        code = cli_fail_answer(cli, "tokens", &answer);
    } else if (cli->opt.format == CLI_JSON) {
        cli_say(&cli->out, "{\"ok\":true}\n");
    } else if (!cli->opt.quiet) {
        cli_note(&cli->out, "%s is refused from now on.\n", id);
    }
    wh_buf_done(&answer.body);
    return code;
}

int cli_tokens(struct cli *cli)
{
    const char *const *args = (const char *const *)cli->opt.args;

    if (cli->opt.n_args == 1) {
        return cli_get_rows(cli, "tokens", "/api/v1/tokens");
    }
    if (cli->opt.n_args != 3 || strcmp(args[1], "revoke") != 0 || strlen(args[2]) > ID_MAX_BYTES) {
        cli_note(&cli->out, "wellhead: tokens: it is `wellhead tokens` or `wellhead tokens revoke "
                            "ID`\n");
        return CLI_USAGE;
    }
    return revoke(cli, args[2]);
}
