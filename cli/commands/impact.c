/* wellhead impact: what an incident did, from GitLab's words to customers and revenue. */
#include "cli/commands/commands.h"
#include "cli/commands/impact_print.h"
#include "cli/commands/show_parts.h"
#include "cli/out/value.h"
#include "common/base/enc.h"

enum { PATH_MAX_BYTES = 8192, DEPTH_MAX = 32 };

/* Several incidents have that number. */
static int say_choices(const struct cli *cli, struct wh_json_val root)
{
    struct wh_json_val choices;
    struct wh_json_val choice;
    struct wh_json_iter it;

    cli_note(&cli->out,
             "wellhead: impact: several incidents have that number; give one of these:\n");
    if (!wh_json_get(root, WH_LIT("choices"), &choices)) {
        return CLI_AMBIGUOUS;
    }
    for (it = wh_json_iter(choices); wh_json_next(&it, NULL, &choice);) {
        cli_note(&cli->out, "  %.*s  %.*s\n", WH_SLICE_ARG(wh_json_get_str(choice, "url")),
                 WH_SLICE_ARG(wh_json_get_str(choice, "title")));
    }
    return CLI_AMBIGUOUS;
}

static int take_answer(struct cli *cli, const struct cli_answer *answer,
                       struct wh_json_parser *parser)
{
    struct wh_json_val root;
    struct wh_err err;
    bool readable =
        parser && wh_json_parse(parser, wh_buf_slice(&answer->body), &root, &err) == WH_OK;

    if (readable && answer->status == 409) {
        return say_choices(cli, root);
    }
    if (answer->status == 404) {
        (void)cli_fail_answer(cli, "impact", answer);
        return CLI_NOTHING;
    }
    if (answer->status != 200) {
        return cli_fail_answer(cli, "impact", answer);
    }
    if (cli->opt.format == CLI_JSON) {
        return cli_data(&cli->out, wh_buf_slice(&answer->body)) ? CLI_OK : CLI_FAILED;
    }
    if (!readable) {
        cli_note(&cli->out, "wellhead: impact: the sink's answer cannot be read\n");
        return CLI_FAILED;
    }
    cli_use_pager(cli);
    impact_print(cli, root);
    return CLI_OK;
}

int cli_impact(struct cli *cli)
{
    WH_AUTO(buf) struct wh_buf path;
    struct cli_answer answer = {0};
    struct wh_json_parser *parser;
    struct wh_err err;
    int code;

    wh_buf_init(&path, PATH_MAX_BYTES);
    if (cli->opt.n_args != 2) {
        cli_note(&cli->out, "wellhead: impact needs an incident's id, address or reference\n");
        return CLI_USAGE;
    }
    if (cli_url_has_user(cli->opt.args[1])) {
        cli_note(&cli->out,
                 "wellhead: impact: an address must not hold a user name or a password\n");
        return CLI_USAGE;
    }
    if (wh_buf_append(&path, WH_LIT("/api/v1/incidents/"), &err) != WH_OK ||
        wh_percent_encode(wh_slice_str(cli->opt.args[1]), &path, &err) != WH_OK ||
        wh_buf_append(&path, WH_LIT("/impact"), &err) != WH_OK ||
        show_past_args(cli, '?', &path, &err) != WH_OK) {
        return cli_fail(cli, "impact", &err);
    }
    if (cli_call(cli, "GET", cli->conf.sink_url, wh_buf_slice(&path), cli->conf.sink_token_file,
                 WH_LIT(""), &answer, &err) != WH_OK) {
        return cli_fail(cli, "impact", &err);
    }
    parser = wh_json_parser_new(SHOW_ANSWER_MAX_BYTES, DEPTH_MAX);
    code = take_answer(cli, &answer, parser);
    wh_json_parser_free(parser);
    wh_buf_done(&answer.body);
    return code;
}
