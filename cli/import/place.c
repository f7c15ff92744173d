/* The connection of an import and its topics are made where they are missing. */
#include "cli/import/connection.h"
#include "cli/import/send_priv.h"

enum { DEAD_LETTER_DAYS = 30, DAY_MS = 86400000, MESSAGE_MAX_BYTES = 30 << 20 };

static enum wh_rc make_topics(struct import_sending *s, struct wh_err *err)
{
    const struct cli_conf *conf = &s->cli->conf;
    struct wh_bus_topic topics[3];

    for (size_t i = 0; i < 3; i++) {
        topics[i] = (struct wh_bus_topic){
            .name = s->topics[i],
            .partitions = (int32_t)conf->partitions,
            .replication = (int32_t)conf->replication,
            .retention_ms = i == 2 ? (int64_t)DEAD_LETTER_DAYS * DAY_MS : -1,
            .max_message_bytes = MESSAGE_MAX_BYTES,
        };
    }
    return wh_admin_create(s->admin, topics, 3, IMPORT_ADMIN_MS, err);
}

int import_place(struct import_sending *s)
{
    const char *id = import_plan_connection(s->plan);
    enum import_known known;
    struct wh_err err;
    int code = import_connection_find(s->cli, "import", id, &known);

    if (code != CLI_OK) {
        return code;
    }
    if (known == IMPORT_OF_GITLAB) {
        cli_note(&s->cli->out, "wellhead: import: the connection %s belongs to a GitLab\n", id);
        return CLI_FAILED;
    }
    if (import_connection_topics(s->cli, id, s->topics, &err) != WH_OK ||
        make_topics(s, &err) != WH_OK ||
        (known == IMPORT_UNKNOWN &&
         import_connection_write(s->cli, id, import_plan_instance(s->plan), &err) != WH_OK)) {
        return cli_fail_kafka(s->cli, "import", &err);
    }
    return CLI_OK;
}
