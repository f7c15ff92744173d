#include "cli/core/cli.h"

enum { SILENT_MS = 1500, FLUSH_MS = 30000 };

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

/* ---- one record ---- */

struct put {
    struct wh_bus_ack ack; /* first: the record carries it */
    enum wh_rc rc;
};

static void on_ack(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    ((struct put *)ack)->rc = d->rc;
}

static enum wh_rc put(struct wh_producer *producer, const char *topic, struct wh_slice key,
                      struct wh_slice value, struct wh_err *err)
{
    struct put waiting = {{on_ack}, WH_E_TIMEOUT};
    const struct wh_bus_record record = {
        .topic = topic, .partition = -1, .key = key, .value = value, .ack = &waiting.ack};

    if (wh_producer_produce(producer, &record, err) != WH_OK ||
        wh_producer_flush(producer, FLUSH_MS, err) != WH_OK) {
        return err->rc;
    }
    return waiting.rc == WH_OK
               ? WH_OK
               : wh_fail(err, waiting.rc, "Kafka did not take a record of %s", topic);
}

enum wh_rc cli_produce(const struct cli *cli, enum wh_topic_role role, struct wh_slice key,
                       struct wh_slice value, struct wh_err *err)
{
    struct wh_producer *producer = NULL;
    struct wh_producer_conf conf;
    char topic[WH_TOPIC_MAX];
    enum wh_rc rc = wh_topic_name(cli->conf.topic_prefix, role, WH_LIT(""), topic, err);

    wh_producer_conf_init(&conf);
    conf.bootstrap = cli->conf.bootstrap;
    conf.client_id = "wellhead-cli";
    conf.extra = &cli->conf.kafka;
    rc = rc == WH_OK ? cli->world.producer(&conf, &producer, err) : rc;
    rc = rc == WH_OK ? put(producer, topic, key, value, err) : rc;
    wh_producer_free(producer);
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
