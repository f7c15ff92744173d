/* wellhead topics: creates and checks the topics that all stages share. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands/commands.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/event/topics.h"
#include "common/json/json_write.h"

enum {
    ADMIN_TIMEOUT_MS = 30000,
    SHARED = 5,
    DAY_MS = 86400000,
    SEGMENT_MS = 3600000,
    ANSWER_MAX_BYTES = 64 << 10,
    SHOW_LOOKS = 100,
    SHOW_PAUSE_MS = 100
};

struct shared_topic {
    enum wh_topic_role role;
    bool compact;
    int64_t retention_ms;
};

/* Topics whose records a purge must remove by key are compacted, even where they also expire. The
 * connections and health topics have one partition: they are small, and every stage reads all of them.
 */
static const struct shared_topic shared_topics[SHARED] = {
    {WH_TOPIC_CONNECTIONS, true, -1}, {WH_TOPIC_FETCH_STATE, true, -1},
    {WH_TOPIC_REREADS, true, DAY_MS}, {WH_TOPIC_RUNS, true, INT64_C(90) * DAY_MS},
    {WH_TOPIC_HEALTH, true, -1},
};

static enum wh_rc describe(struct cli *cli, char names[SHARED][WH_TOPIC_MAX],
                           struct wh_bus_topic topics[SHARED], struct wh_err *err)
{
    for (size_t i = 0; i < SHARED; i++) {
        bool one = shared_topics[i].role == WH_TOPIC_CONNECTIONS ||
                   shared_topics[i].role == WH_TOPIC_HEALTH;

        if (wh_topic_name(cli->conf.topic_prefix, shared_topics[i].role, WH_LIT(""), names[i],
                          err) != WH_OK) {
            return err->rc;
        }
        topics[i] = (struct wh_bus_topic){
            .name = names[i],
            .partitions = one ? 1 : (int32_t)cli->conf.partitions,
            .replication = (int32_t)cli->conf.replication,
            .retention_ms = shared_topics[i].retention_ms,
            .compact = shared_topics[i].compact,
            /* Heartbeats never cease, and every fetcher reads this topic from its start. */
            .segment_ms = shared_topics[i].role == WH_TOPIC_HEALTH ? SEGMENT_MS : 0,
        };
    }
    return WH_OK;
}

static int32_t partitions_of(const struct wh_bus_topic_info *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (name && strcmp(list[i].name, name) == 0) {
            return list[i].partitions;
        }
    }
    return 0;
}

static void print_state(const struct cli *cli, const struct wh_bus_topic *topics,
                        const struct wh_bus_topic_info *list, size_t n)
{
    struct cli_table table;

    cli_table_init(&table, 3);
    cli_table_str(&table, "topic");
    cli_table_str(&table, "partitions");
    cli_table_str(&table, "state");
    for (size_t i = 0; i < SHARED; i++) {
        int32_t have = partitions_of(list, n, topics[i].name);

        cli_table_str(&table, topics[i].name);
        cli_table_int(&table, have);
        cli_table_str(&table, have ? "ok" : "missing: run `wellhead topics`");
    }
    cli_table_print(&table, &cli->out);
    cli_table_done(&table);
}

static bool print_json(const struct cli *cli, const struct wh_bus_topic *topics,
                       const struct wh_bus_topic_info *list, size_t n, bool there)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_json_writer w;
    struct wh_err err;

    wh_buf_init(&out, ANSWER_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", there);
    wh_jw_key(&w, "topics");
    wh_jw_array(&w);
    for (size_t i = 0; i < SHARED; i++) {
        int32_t have = partitions_of(list, n, topics[i].name);

        wh_jw_object(&w);
        wh_jw_put_str(&w, "topic", wh_slice_str(topics[i].name));
        wh_jw_put_int(&w, "partitions", have);
        wh_jw_put_str(&w, "state", have ? WH_LIT("ok") : WH_LIT("missing"));
        wh_jw_end(&w);
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, &err) == WH_OK && cli_data(&cli->out, wh_buf_slice(&out));
}

static bool all_there(const struct wh_bus_topic *topics, const struct wh_bus_topic_info *list,
                      size_t n)
{
    for (size_t i = 0; i < SHARED; i++) {
        if (partitions_of(list, n, topics[i].name) == 0) {
            return false;
        }
    }
    return true;
}

/* A broker may take a moment to list a topic that was just created. */
static int report(struct cli *cli, struct wh_admin *admin, const struct wh_bus_topic *topics,
                  struct wh_err *err)
{
    struct wh_bus_topic_info *list = NULL;
    unsigned looks = cli->opt.check ? 1 : SHOW_LOOKS;
    bool there = false;
    bool said = true;
    size_t n = 0;

    for (unsigned i = 0; i < looks && !there; i++) {
        if (i > 0) {
            wh_bus_topic_list_free(list, n);
            cli_pause_ms(cli, SHOW_PAUSE_MS);
        }
        if (wh_admin_list(admin, ADMIN_TIMEOUT_MS, &list, &n, err) != WH_OK) {
            return cli_fail_kafka(cli, "topics", err);
        }
        there = all_there(topics, list, n);
    }
    if (cli->opt.format == CLI_JSON) {
        said = print_json(cli, topics, list, n, there);
    } else if (!cli->opt.quiet) {
        print_state(cli, topics, list, n);
    }
    wh_bus_topic_list_free(list, n);
    if (!said) {
        return CLI_FAILED;
    }
    return there ? CLI_OK : CLI_NOT_HEALTHY;
}

int cli_topics(struct cli *cli)
{
    char names[SHARED][WH_TOPIC_MAX];
    struct wh_bus_topic topics[SHARED] = {{0}};
    struct wh_admin *admin = NULL;
    struct wh_err err;
    int code;

    if (describe(cli, names, topics, &err) != WH_OK || cli_admin(cli, &admin, &err) != WH_OK) {
        return cli_fail_kafka(cli, "topics", &err);
    }
    if (!cli->opt.check &&
        wh_admin_create(admin, topics, SHARED, ADMIN_TIMEOUT_MS, &err) != WH_OK) {
        code = cli_fail_kafka(cli, "topics", &err);
    } else {
        code = report(cli, admin, topics, &err);
    }
    wh_admin_free(admin);
    return code;
}
