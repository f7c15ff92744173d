/* wellhead disconnect: ends a connection, and says what was revoked. */
#include <stdio.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/commands/leave_plan.h"
#include "cli/import/connection.h"
#include "common/json/json_write.h"

/* "revoked" is true when every pair of tokens that GitLab issued is revoked. An access token that
 * was given by hand is none, and cannot be revoked from here. */
static void print_left_json(const struct cli *cli, const char *id, const struct leave_view *v)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_json_writer w;
    struct wh_err err;

    wh_buf_init(&out, 4 * LEAVE_DETAIL_MAX + LEAVE_PAIRS_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", !v->leaving);
    wh_jw_put_str(&w, "connection", wh_slice_str(id));
    wh_jw_put_str(&w, "state", wh_slice_str(v->state));
    wh_jw_put_bool(&w, "revoked", !v->leaving && v->n_pairs > 0 && v->n_unrevoked == 0);
    wh_jw_put_str(&w, "detail", wh_slice_str(v->detail));
    wh_jw_put_int(&w, "not_revoked", (int64_t)v->n_unrevoked);
    wh_jw_key(&w, "pairs");
    wh_jw_raw(&w, v->pairs.len ? wh_buf_slice(&v->pairs) : WH_LIT("[]"));
    wh_jw_end(&w);
    if (wh_jw_finish(&w, &err) == WH_OK) {
        (void)!cli_data(&cli->out, wh_buf_slice(&out));
    }
}

static void print_left(const struct cli *cli, const char *id, const struct leave_view *v)
{
    if (cli->opt.format != CLI_TEXT) {
        print_left_json(cli, id, v);
        return;
    }
    cli_say(&cli->out, "%s %s\n", v->leaving ? "Not disconnected yet:" : "Disconnected:", id);
    cli_say(&cli->out, "  %-10s %s\n", "access", v->detail);
    if (!v->leaving && v->n_pairs) {
        cli_say(&cli->out, "  %-10s %d of %d token pairs that GitLab issued are revoked\n",
                "revoked", (int)(v->n_pairs - v->n_unrevoked), (int)v->n_pairs);
        cli_say(&cli->out, "%s", wh_buf_str(&v->text));
    }
    cli_say(&cli->out, "  %-10s are refused from now on; remove the hook in GitLab\n", "webhooks");
    cli_say(&cli->out, "  %-10s are kept; `wellhead purge %s` removes them\n", "rows", id);
}

static int disconnect(struct cli *cli, const char *id, struct wh_json_parser *parser)
{
    __attribute__((cleanup(leave_view_done))) struct leave_view v;
    __attribute__((cleanup(leave_plan_done))) struct leave_plan plan = {0};
    int code;

    leave_view_init(&v);
    code = leave_look(cli, "disconnect", id, parser, &v);
    if (code != CLI_OK) {
        return code;
    }
    if (!v.known && strncmp(id, IMPORT_PREFIX, strlen(IMPORT_PREFIX)) == 0) {
        cli_note(&cli->out,
                 "wellhead: disconnect: nothing is connected to an import; `wellhead purge "
                 "%s` removes its rows\n",
                 id);
        return CLI_NOTHING;
    }
    if (!v.known) {
        return leave_unknown(cli, "disconnect");
    }
    leave_plan_make(cli, LEAVE_DISCONNECT, id, &v, &plan);
    if (cli->opt.dry_run) {
        return leave_plan_print(cli, &plan);
    }
    if (!leave_plan_confirmed(cli, &plan)) {
        return CLI_FAILED;
    }
    code = leave_now(cli, id, parser, &v);
    if (code != CLI_OK) {
        return code;
    }
    print_left(cli, id, &v);
    return v.leaving ? CLI_TRY_LATER : CLI_OK;
}

int cli_disconnect(struct cli *cli)
{
    struct wh_json_parser *parser = wh_json_parser_new(LEAVE_ANSWER_MAX_BYTES, LEAVE_DEPTH_MAX);
    const char *id = cli->opt.args[1];
    int code = CLI_USAGE;

    if (cli->opt.n_args != 2 || !cli_is_connection_id(id) || parser == NULL) {
        cli_note(&cli->out, "wellhead: disconnect needs a connection's id, as `wellhead status` "
                            "shows it\n");
    } else {
        code = disconnect(cli, id, parser);
    }
    wh_json_parser_free(parser);
    return code;
}
