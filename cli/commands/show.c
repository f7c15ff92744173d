/* wellhead show: one entity, its past and what it is linked to. */
#include "cli/commands/commands.h"
#include "cli/commands/show_parts.h"

static int show(struct cli *cli, const char *id)
{
    WH_AUTO(buf) struct wh_buf path;
    struct wh_json_val entity;
    struct show_part part;
    struct wh_err err;
    bool found = true;
    int code;

    wh_buf_init(&path, SHOW_PATH_MAX_BYTES);
    if (wh_buf_printf(&path, &err, "/api/v1/entities/%s", id) != WH_OK ||
        show_past_args(cli, '?', &path, &err) != WH_OK) {
        return cli_fail(cli, "show", &err);
    }
    code = show_fetch(cli, wh_buf_str(&path), &part, show_is_past(cli) ? &found : NULL);
    if (code == CLI_OK && !found) {
        code = cli_fail_answer(cli, "show", &part.answer);
        code = code == CLI_FAILED ? CLI_NOTHING : code;
    }
    if (code == CLI_OK && cli->opt.format != CLI_TEXT) {
        code = cli_data(&cli->out, wh_buf_slice(&part.answer.body)) ? CLI_OK : CLI_FAILED;
    } else if (code == CLI_OK) {
        code = wh_json_get(part.root, WH_LIT("entity"), &entity) ? show_print(cli, entity)
                                                                 : CLI_FAILED;
    }
    show_part_done(&part);
    return code;
}

int cli_show(struct cli *cli)
{
    char id[SHOW_ID_MAX];
    int code;

    if (cli->opt.n_args != 2) {
        cli_note(&cli->out, "wellhead: show needs an entity's id or its GitLab address\n");
        return CLI_USAGE;
    }
    if (cli->opt.raw && cli->opt.history) {
        cli_note(&cli->out, "wellhead: show: --raw and --history are two answers; give one\n");
        return CLI_USAGE;
    }
    if (cli->opt.revision && !cli->opt.raw) {
        cli_note(&cli->out, "wellhead: --revision needs --raw\n");
        return CLI_USAGE;
    }
    if (cli_url_has_user(cli->opt.args[1])) {
        cli_note(&cli->out, "wellhead: show: an address must not hold a user name or a password\n");
        return CLI_USAGE;
    }
    code = show_find(cli, cli->opt.args[1], id);
    if (code != CLI_OK) {
        return code;
    }
    return cli->opt.raw       ? show_raw(cli, id)
           : cli->opt.history ? show_history(cli, id)
                              : show(cli, id);
}
