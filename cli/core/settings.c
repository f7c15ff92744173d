#include "cli/core/settings.h"

#include <string.h>

#include "common/base/mem.h"

#define KEY(name_, type_, member_, value_, help_)                                                  \
    {                                                                                              \
        .name = (name_), .type = (type_), .value = (value_),                                       \
        .offset = offsetof(struct cli_conf, member_), .help = (help_)                              \
    }

static const struct wh_conf_key conf_keys[] = {
    KEY("kafka.bootstrap.servers", WH_CONF_STRING, bootstrap, "127.0.0.1:9092", "Kafka brokers"),
    KEY("topic.prefix", WH_CONF_STRING, topic_prefix, "wellhead.", "start of all topic names"),
    KEY("fetcher.url", WH_CONF_STRING, fetcher_url, "http://127.0.0.1:8701", "the fetcher"),
    KEY("intake.url", WH_CONF_STRING, intake_url, "http://127.0.0.1:8702", "webhook-intake"),
    KEY("mapper.url", WH_CONF_STRING, mapper_url, "http://127.0.0.1:8703", "the mapper"),
    KEY("sink.url", WH_CONF_STRING, sink_url, "http://127.0.0.1:8704", "the sink"),
    KEY("fetcher.token_file", WH_CONF_STRING, fetcher_token_file, "",
        "the fetcher's control token"),
    KEY("sink.token_file", WH_CONF_STRING, sink_token_file, "", "the sink's API token"),
    KEY("mapper.views_path", WH_CONF_STRING, mapper_views_path, "",
        "the mappers' views.path, for replay"),
    KEY("mapper.program", WH_CONF_STRING, mapper_program, "wellhead-mapper", "run by replay"),
    KEY("sink.program", WH_CONF_STRING, sink_program, "wellhead-sink", "run by restore"),
    KEY("sink.data_path", WH_CONF_STRING, sink_data_path, "", "the sink's data.path, for restore"),
    KEY("registry.url", WH_CONF_STRING, registry_url, "",
        "schema registry for records of other producers"),
    KEY("registry.token_file", WH_CONF_STRING, registry_token_file, "", "the registry's token"),
    KEY("timeout", WH_CONF_DURATION, timeout_ms, "30s", "of one call"),
    KEY("topics.partitions", WH_CONF_INT, partitions, "4", "of new topics"),
    KEY("topics.replication", WH_CONF_INT, replication, "1", "of new topics"),
};

static const struct wh_conf_program conf_program = {
    .name = "wellhead",
    .purpose = "command line",
    .keys = conf_keys,
    .n_keys = sizeof(conf_keys) / sizeof(conf_keys[0]),
    .pairs_offset = offsetof(struct cli_conf, kafka),
    .check_pairs = wh_bus_kafka_check,
    .default_file = "/etc/wellhead/wellhead.conf",
};

enum wh_rc cli_settings_load(const char *path, char *const *env, struct cli_conf *conf,
                             struct wh_err *err)
{
    char program[] = "wellhead";
    char option[] = "--config";
    char *argv[] = {program, option, NULL, NULL};
    bool named = path && path[0];
    enum wh_conf_action action;
    enum wh_rc rc;

    if (named) {
        argv[2] = wh_mem_dup(path, strlen(path));
        if (argv[2] == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for the settings");
        }
    }
    rc = wh_conf_load(&conf_program, named ? 3 : 1, argv, env, stdout, conf, &action, err);
    wh_mem_free(argv[2]);
    return rc;
}

void cli_settings_release(struct cli_conf *conf)
{
    wh_conf_release(&conf_program, conf);
}

enum wh_rc cli_settings_help(struct wh_buf *out, struct wh_err *err)
{
    for (size_t i = 0; i < conf_program.n_keys; i++) {
        if (wh_buf_printf(out, err, "  %-26s %s [%s]\n", conf_keys[i].name, conf_keys[i].help,
                          conf_keys[i].value) != WH_OK) {
            return err->rc;
        }
    }
    return wh_buf_printf(out, err, "  %-26s any property of librdkafka\n", "kafka.<property>");
}
