/* wellhead status --confirm-deletes: lets deletions through that the fetcher holds back. */
#include <inttypes.h>

#include "cli/commands/status_print.h"
#include "cli/commands/status_runs.h"

static int say_confirmed(struct cli *cli, const struct status_runs *runs)
{
    struct status_view view;
    bool known = status_view_read(cli, &view);
    size_t unread = known ? status_runs_unread(cli, &view) : 0;

    status_view_done(&view);
    if (!known || unread) {
        return CLI_NOT_HEALTHY;
    }
    if (cli->opt.format == CLI_JSON) {
        cli_say(&cli->out, "{\"ok\":true,\"confirmed\":%" PRId64 "}\n", runs->held);
    } else if (!cli->opt.quiet && runs->held > 0) {
        cli_say(&cli->out, "%" PRId64 " held deletions are confirmed; they have been published\n",
                runs->held);
    } else if (!cli->opt.quiet) {
        cli_say(&cli->out, "no deletions were held\n");
    }
    return CLI_OK;
}

int status_confirm_deletes(struct cli *cli)
{
    struct status_runs runs = {0};
    struct status_view view;
    bool confirmed = !status_view_read(cli, &view) || status_gone_confirmed(cli, &view);
    int code;

    status_view_done(&view);
    if (!confirmed) {
        return CLI_FAILED;
    }
    code = status_runs_ask(cli, "confirm-deletes", &runs);
    if (code == CLI_OK) {
        code = status_runs_await(cli, &runs);
    }
    return code == CLI_OK ? say_confirmed(cli, &runs) : code;
}
