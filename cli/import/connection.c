#include "cli/import/connection.h"

#include <string.h>

#include "cli/core/query.h"
#include "cli/out/value.h"
#include "common/event/connection.h"
#include "common/event/messages.h"

enum {
    ADMIN_MS = 30000,
    DOCUMENT_MAX_BYTES = 16 << 10,
    ANSWER_MAX_BYTES = 1 << 20,
    ANSWER_DEPTH = 16,
    GONE_LOOKS = 150,
    GONE_PAUSE_MS = 200,
};

int import_connection_find(struct cli *cli, const char *doing, const char *id,
                           enum import_known *ret)
{
    const struct cli_query query = {
        .text = "select json_extract(document, '$.instance') as instance from connection_documents "
                "where id = :id",
        .names = {"id"},
        .values = {wh_slice_str(id)}};
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, ANSWER_DEPTH);
    struct wh_json_val rows;
    struct wh_json_val row;
    struct wh_json_iter it;
    struct wh_err err;
    int code = CLI_OK;

    *ret = IMPORT_UNKNOWN;
    if (parser == NULL) {
        (void)wh_fail(&err, WH_E_NOMEM, "no memory to ask the sink");
        return cli_fail(cli, doing, &err);
    }
    code = cli_query(cli, doing, &query, parser, &rows);
    if (code == CLI_OK) {
        it = wh_json_iter(rows);
        if (wh_json_next(&it, NULL, &row)) {
            *ret = wh_slice_starts(wh_json_get_str(row, "instance"), WH_LIT(WH_CONNECTION_IMPORT))
                       ? IMPORT_KNOWN
                       : IMPORT_OF_GITLAB;
        }
    }
    wh_json_parser_free(parser);
    return code;
}

enum wh_rc import_connection_topics(const struct cli *cli, const char *id,
                                    char ret[3][WH_TOPIC_MAX], struct wh_err *err)
{
    static const enum wh_topic_role roles[] = {WH_TOPIC_RAW, WH_TOPIC_ENTITIES,
                                               WH_TOPIC_DEAD_LETTER};

    for (size_t i = 0; i < 3; i++) {
        if (wh_topic_name(cli->conf.topic_prefix, roles[i], wh_slice_str(id), ret[i], err) !=
            WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- the record ---- */

enum wh_rc import_connection_write(const struct cli *cli, const char *id, const char *instance,
                                   struct wh_err *err)
{
    struct wh_connection c = {.id = wh_slice_str(id),
                              .instance = wh_slice_str(instance),
                              .state = WH_LIT("enabled"),
                              .created_at_ms = cli_now_ms(cli)};
    struct wh_document document = {.connection = c.id, .key = c.id, .at_ms = c.created_at_ms};
    WH_AUTO(buf) struct wh_buf json;
    WH_AUTO(buf) struct wh_buf bytes;

    c.updated_at_ms = c.created_at_ms;
    wh_buf_init(&json, DOCUMENT_MAX_BYTES);
    wh_buf_init(&bytes, (size_t)2 * DOCUMENT_MAX_BYTES);
    if (wh_connection_write(&c, &json, err) != WH_OK) {
        return err->rc;
    }
    document.document = wh_buf_slice(&json);
    return wh_document_encode(WH_DOCUMENT_CONNECTION, &document, &bytes, err) == WH_OK
               ? cli_produce(cli, WH_TOPIC_CONNECTIONS, c.id, wh_buf_slice(&bytes), err)
               : err->rc;
}

/* ---- the end ---- */

static enum wh_rc count_topics(struct wh_admin *admin, char names[3][WH_TOPIC_MAX], unsigned *ret,
                               struct wh_err *err)
{
    struct wh_bus_topic_info *list = NULL;
    size_t n = 0;

    *ret = 0;
    if (wh_admin_list(admin, ADMIN_MS, &list, &n, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < 3; k++) {
            *ret += strcmp(list[i].name, names[k]) == 0;
        }
    }
    wh_bus_topic_list_free(list, n);
    return WH_OK;
}

static enum wh_rc remove_topics(struct cli *cli, struct wh_admin *admin,
                                char names[3][WH_TOPIC_MAX], struct wh_err *err)
{
    const char *const list[] = {names[0], names[1], names[2]};
    unsigned left = 1;

    if (wh_admin_remove(admin, list, 3, ADMIN_MS, err) != WH_OK) {
        return err->rc;
    }
    for (unsigned look = 0; look < GONE_LOOKS; look++) {
        if (count_topics(admin, names, &left, err) != WH_OK) {
            return err->rc;
        }
        if (left == 0) {
            return WH_OK;
        }
        cli_pause_ms(cli, GONE_PAUSE_MS);
    }
    return wh_fail(err, WH_E_TIMEOUT, "Kafka still lists %u of the connection's topics", left);
}

enum wh_rc import_connection_remove(struct cli *cli, const char *id, struct wh_err *err)
{
    char names[3][WH_TOPIC_MAX];
    struct wh_admin *admin = NULL;
    enum wh_rc rc;

    if (import_connection_topics(cli, id, names, err) != WH_OK ||
        cli_admin(cli, &admin, err) != WH_OK) {
        return err->rc;
    }
    rc = remove_topics(cli, admin, names, err);
    wh_admin_free(admin);
    return rc == WH_OK
               ? cli_produce(cli, WH_TOPIC_CONNECTIONS, wh_slice_str(id), wh_slice(NULL, 0), err)
               : rc;
}
