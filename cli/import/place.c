/* The connection of an import: its record in the topic `connections`, and its topics. */
#include <string.h>

#include "cli/core/query.h"
#include "cli/import/send_priv.h"
#include "cli/out/value.h"
#include "common/event/connection.h"
#include "common/event/messages.h"

enum {
    FLUSH_MS = 30000,
    DEAD_LETTER_DAYS = 30,
    DAY_MS = 86400000,
    MESSAGE_MAX_BYTES = 30 << 20,
    DOCUMENT_MAX_BYTES = 16 << 10,
    ANSWER_MAX_BYTES = 1 << 20,
    ANSWER_DEPTH = 16,
};

/* ---- topics ---- */

static enum wh_rc make_topics(struct import_sending *s, struct wh_err *err)
{
    static const enum wh_topic_role roles[] = {WH_TOPIC_RAW, WH_TOPIC_ENTITIES,
                                               WH_TOPIC_DEAD_LETTER};
    const struct cli_conf *conf = &s->cli->conf;
    struct wh_bus_topic topics[3];

    for (size_t i = 0; i < 3; i++) {
        topics[i] = (struct wh_bus_topic){
            .name = s->topics[i],
            .partitions = (int32_t)conf->partitions,
            .replication = (int32_t)conf->replication,
            .retention_ms =
                roles[i] == WH_TOPIC_DEAD_LETTER ? INT64_C(1) * DEAD_LETTER_DAYS * DAY_MS : -1,
            .max_message_bytes = MESSAGE_MAX_BYTES,
        };
        if (wh_topic_name(conf->topic_prefix, roles[i],
                          wh_slice_str(import_plan_connection(s->plan)), s->topics[i],
                          err) != WH_OK) {
            return err->rc;
        }
    }
    return wh_admin_create(s->admin, topics, 3, IMPORT_ADMIN_MS, err);
}

/* ---- the record ---- */

/* What the sink knows: whether the connection is there, and whether it is an import. */
static int look_up(struct import_sending *s, bool *ret_there)
{
    const struct cli_query query = {
        .text = "select json_extract(document, '$.instance') as instance from connection_documents "
                "where id = :id",
        .names = {"id"},
        .values = {wh_slice_str(import_plan_connection(s->plan))}};
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, ANSWER_DEPTH);
    struct wh_json_val rows;
    struct wh_json_val row;
    struct wh_json_iter it;
    struct wh_err err;
    int code = CLI_OK;

    *ret_there = false;
    if (parser == NULL) {
        (void)wh_fail(&err, WH_E_NOMEM, "no memory to ask the sink");
        return cli_fail(s->cli, "import", &err);
    }
    code = cli_query(s->cli, "import", &query, parser, &rows);
    if (code == CLI_OK) {
        it = wh_json_iter(rows);
        *ret_there = wh_json_next(&it, NULL, &row);
        if (*ret_there && !wh_slice_eq(cli_get_str(row, "instance"),
                                       wh_slice_str(import_plan_instance(s->plan)))) {
            cli_note(&s->cli->out, "wellhead: import: the connection %s belongs to a GitLab\n",
                     import_plan_connection(s->plan));
            code = CLI_FAILED;
        }
    }
    wh_json_parser_free(parser);
    return code;
}

static enum wh_rc write_record(struct import_sending *s, struct wh_buf *out, struct wh_err *err)
{
    struct wh_connection c = {.id = wh_slice_str(import_plan_connection(s->plan)),
                              .instance = wh_slice_str(import_plan_instance(s->plan)),
                              .state = WH_LIT("enabled"),
                              .created_at_ms = cli_now_ms(s->cli)};
    WH_AUTO(buf) struct wh_buf json;

    c.updated_at_ms = c.created_at_ms;
    wh_buf_init(&json, DOCUMENT_MAX_BYTES);
    if (wh_connection_write(&c, &json, err) != WH_OK) {
        return err->rc;
    }
    return wh_document_encode(WH_DOCUMENT_CONNECTION,
                              &(struct wh_document){.connection = c.id,
                                                    .key = c.id,
                                                    .at_ms = c.created_at_ms,
                                                    .document = wh_buf_slice(&json)},
                              out, err);
}

static enum wh_rc send_record(struct import_sending *s, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf bytes;
    char topic[WH_TOPIC_MAX];

    wh_buf_init(&bytes, (size_t)2 * DOCUMENT_MAX_BYTES);
    if (wh_topic_name(s->cli->conf.topic_prefix, WH_TOPIC_CONNECTIONS, WH_LIT(""), topic, err) !=
            WH_OK ||
        write_record(s, &bytes, err) != WH_OK ||
        wh_producer_produce(
            s->producer,
            &(struct wh_bus_record){.topic = topic,
                                    .partition = -1,
                                    .key = wh_slice_str(import_plan_connection(s->plan)),
                                    .value = wh_buf_slice(&bytes)},
            err) != WH_OK) {
        return err->rc;
    }
    return wh_producer_flush(s->producer, FLUSH_MS, err);
}

int import_place(struct import_sending *s)
{
    bool there = false;
    struct wh_err err;
    int code = look_up(s, &there);

    if (code != CLI_OK) {
        return code;
    }
    if (make_topics(s, &err) != WH_OK || (!there && send_record(s, &err) != WH_OK)) {
        return cli_fail_kafka(s->cli, "import", &err);
    }
    return CLI_OK;
}
