#include "cli/core/cli.h"

enum { SILENT_MS = 1500 };

/* The calls that follow wait for a broker, some of them for long: say so before the first. */
static void say_when_waiting(const struct cli *cli, struct wh_admin *admin)
{
    struct wh_bus_topic_info *list = NULL;
    struct wh_err err;
    size_t n = 0;

    if (wh_admin_list(admin, SILENT_MS, &list, &n, &err) != WH_OK) {
        cli_note(&cli->out, "wellhead: waiting for Kafka at %s ...\n", cli->conf.bootstrap);
    }
    wh_bus_topic_list_free(list, n);
}

enum wh_rc cli_admin(struct cli *cli, struct wh_admin **ret, struct wh_err *err)
{
    enum wh_rc rc =
        cli->world.admin(cli->conf.bootstrap, "wellhead-cli", &cli->conf.kafka, NULL, ret, err);

    if (rc == WH_OK && !cli->opt.quiet) {
        say_when_waiting(cli, *ret);
    }
    return rc;
}

int cli_fail_kafka(const struct cli *cli, const char *doing, const struct wh_err *err)
{
    int code = cli_fail(cli, doing, err);

    if (code == CLI_TRY_LATER || code == CLI_TIMED_OUT) {
        cli_note(&cli->out,
                 "  is Kafka at %s? kafka.bootstrap.servers says where it is; "
                 "`wellhead doctor` checks every part\n",
                 cli->conf.bootstrap);
    }
    return code;
}
