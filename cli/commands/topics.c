/*
 * wellhead topics: creates the topics that all stages share where they are missing, and lists those of
 * the installation. topics_read.c prints their records.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/out/table.h"
#include "cli/record/position.h"
#include "common/event/topics.h"
#include "common/json/json_write.h"

enum {
    ADMIN_TIMEOUT_MS = 30000,
    SHARED = 6,
    DAY_MS = 86400000,
    SEGMENT_MS = 3600000,
    ANSWER_MAX_BYTES = 4 << 20,
    SHOW_LOOKS = 100,
    SHOW_PAUSE_MS = 100
};

struct shared_topic {
    enum wh_topic_role role;
    bool compact;
    int64_t retention_ms;
};

/* Topics whose records a purge must remove by key are compacted, even where they also expire. The
 * connections, health and decisions topics have one partition: they are small, and every stage reads all of them.
 */
static const struct shared_topic shared_topics[SHARED] = {
    {WH_TOPIC_CONNECTIONS, true, -1}, {WH_TOPIC_FETCH_STATE, true, -1},
    {WH_TOPIC_REREADS, true, DAY_MS}, {WH_TOPIC_RUNS, true, INT64_C(90) * DAY_MS},
    {WH_TOPIC_HEALTH, true, -1},      {WH_TOPIC_DECISIONS, true, -1},
};

static enum wh_rc describe(struct cli *cli, char names[SHARED][WH_TOPIC_MAX],
                           struct wh_bus_topic topics[SHARED], struct wh_err *err)
{
    for (size_t i = 0; i < SHARED; i++) {
        bool one = shared_topics[i].role == WH_TOPIC_CONNECTIONS ||
                   shared_topics[i].role == WH_TOPIC_HEALTH ||
                   shared_topics[i].role == WH_TOPIC_DECISIONS;

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

/* What a topic holds, by role. */
static const char *const contents[WH_TOPIC_ROLE_COUNT + 1] = {
    [WH_TOPIC_RAW] = "webhooks and rows of reads, exactly as received",
    [WH_TOPIC_ENTITIES] = "what each event showed of each object",
    [WH_TOPIC_DEAD_LETTER] = "events that could not be processed, with the reason",
    [WH_TOPIC_CONNECTIONS] = "connections, with sealed credentials",
    [WH_TOPIC_FETCH_STATE] = "how far each stream is read",
    [WH_TOPIC_REREADS] = "requests to read an object again",
    [WH_TOPIC_RUNS] = "reports of the runs",
    [WH_TOPIC_HEALTH] = "reports on webhooks, outcomes and completeness",
    [WH_TOPIC_DECISIONS] = "what people decided about who is who",
    [WH_TOPIC_ROLE_COUNT] = "not known to this version",
};

/* A topic of the installation, as it is listed. */
struct listed {
    const char *name;
    int32_t partitions; /* 0: missing */
    int64_t records;    /* -1: not known */
    bool compact;       /* records is an upper bound, because older records of a key are removed */
    const char *holds;
};

static enum wh_topic_role role_of(const struct cli *cli, const char *name)
{
    struct wh_slice connection;

    return wh_topic_role(cli->conf.topic_prefix, name, &connection);
}

static bool is_own(const struct cli *cli, const char *name)
{
    return strncmp(name, cli->conf.topic_prefix, strlen(cli->conf.topic_prefix)) == 0;
}

static const struct wh_bus_topic_info *find(const struct wh_bus_topic_info *list, size_t n,
                                            const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (name && strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

static bool is_compact(const struct wh_bus_topic *topics, const char *name)
{
    for (size_t i = 0; i < SHARED; i++) {
        if (strcmp(topics[i].name, name) == 0) {
            return topics[i].compact;
        }
    }
    return false;
}

static int64_t count_records(struct wh_admin *admin, const struct wh_bus_topic_info *info)
{
    WH_AUTO_FREE struct cli_span *spans =
        wh_mem_zalloc((size_t)info->partitions + 1, sizeof(*spans));
    struct wh_err err;
    int64_t records = 0;

    if (spans == NULL ||
        cli_spans_find(admin, info->name, info->partitions, spans, &err) != WH_OK) {
        return -1;
    }
    for (int32_t p = 0; p < info->partitions; p++) {
        records += spans[p].high - spans[p].low;
    }
    return records;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

/* The topics of the installation and those that it misses, by name. The caller frees *ret. */
static enum wh_rc list_topics(const struct cli *cli, struct wh_admin *admin,
                              const struct wh_bus_topic *topics,
                              const struct wh_bus_topic_info *list, size_t n, struct listed **ret,
                              size_t *ret_n, struct wh_err *err)
{
    struct listed *all = wh_mem_zalloc(n + SHARED, sizeof(*all));
    size_t count = 0;

    if (all == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the topics");
    }
    for (size_t i = 0; i < n; i++) {
        if (is_own(cli, list[i].name)) {
            all[count++] = (struct listed){
                .name = list[i].name,
                .partitions = list[i].partitions,
                .records = count_records(admin, &list[i]),
                .compact = is_compact(topics, list[i].name),
                .holds = contents[role_of(cli, list[i].name)],
            };
        }
    }
    for (size_t i = 0; i < SHARED; i++) {
        if (find(list, n, topics[i].name) == NULL) {
            all[count++] = (struct listed){.name = topics[i].name, .records = -1};
        }
    }
    qsort(all, count, sizeof(*all), by_name);
    *ret = all;
    *ret_n = count;
    return WH_OK;
}

static void print_table(const struct cli *cli, const struct listed *all, size_t n)
{
    static const char *const names[] = {"topic", "partitions", "records", "holds"};
    struct cli_table table;
    char records[48];

    cli_table_init(&table, 4);
    cli_table_head(&table, names, 4);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(records, sizeof(records), "%s%" PRId64,
                       all[i].compact && all[i].records ? "at most " : "", all[i].records);
        cli_table_str(&table, all[i].name);
        cli_table_int(&table, all[i].partitions);
        cli_table_str(&table, all[i].records < 0 ? "?" : records);
        cli_table_str(&table, all[i].partitions ? all[i].holds : "missing: run `wellhead topics`");
    }
    cli_table_print(&table, &cli->out);
    cli_table_done(&table);
}

static bool print_json(const struct cli *cli, const struct listed *all, size_t n, bool there)
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
    for (size_t i = 0; i < n; i++) {
        wh_jw_object(&w);
        wh_jw_put_str(&w, "topic", wh_slice_str(all[i].name));
        wh_jw_put_int(&w, "partitions", all[i].partitions);
        wh_jw_put_str(&w, "state", all[i].partitions ? WH_LIT("ok") : WH_LIT("missing"));
        wh_jw_key(&w, all[i].compact ? "records_at_most" : "records");
        if (all[i].records < 0) {
            wh_jw_null(&w);
        } else {
            wh_jw_int(&w, all[i].records);
        }
        if (all[i].holds) {
            wh_jw_put_str(&w, "holds", wh_slice_str(all[i].holds));
        }
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
        if (find(list, n, topics[i].name) == NULL) {
            return false;
        }
    }
    return true;
}

static int print_list(const struct cli *cli, struct wh_admin *admin,
                      const struct wh_bus_topic *topics, const struct wh_bus_topic_info *list,
                      size_t n)
{
    bool there = all_there(topics, list, n);
    struct listed *all = NULL;
    struct wh_err err;
    size_t count = 0;
    bool said = true;

    if (cli->opt.quiet && cli->opt.format != CLI_JSON) {
        return there ? CLI_OK : CLI_NOT_HEALTHY;
    }
    if (list_topics(cli, admin, topics, list, n, &all, &count, &err) != WH_OK) {
        return cli_fail(cli, "topics", &err);
    }
    if (cli->opt.format == CLI_JSON) {
        said = print_json(cli, all, count, there);
    } else {
        print_table(cli, all, count);
    }
    wh_mem_free(all);
    if (!said) {
        return CLI_FAILED;
    }
    return there ? CLI_OK : CLI_NOT_HEALTHY;
}

/* A broker may take a moment to list a topic that was just created. */
static int report(struct cli *cli, struct wh_admin *admin, const struct wh_bus_topic *topics,
                  struct wh_err *err)
{
    struct wh_bus_topic_info *list = NULL;
    unsigned looks = cli->opt.check ? 1 : SHOW_LOOKS;
    bool there = false;
    size_t n = 0;
    int code;

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
    code = print_list(cli, admin, topics, list, n);
    wh_bus_topic_list_free(list, n);
    return code;
}

static int create_and_list(struct cli *cli)
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

int cli_topics(struct cli *cli)
{
    const struct cli_options *opt = &cli->opt;
    bool chosen = opt->from || opt->to || opt->key || opt->follow;

    if (opt->n_args == 1 && !chosen) {
        return create_and_list(cli);
    }
    if (opt->n_args == 3 && strcmp(opt->args[1], "read") == 0 && !opt->check) {
        return cli_topics_read(cli, opt->args[2]);
    }
    cli_note(&cli->out, "wellhead: topics: to print records, write `wellhead topics read TOPIC`; "
                        "--from, --to, --key and --follow belong to that, --check does not\n");
    return CLI_USAGE;
}
