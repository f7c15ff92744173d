/* wellhead purge: ends a connection, removes its rows, and shows each step. */
#include <stdio.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/commands/leave_plan.h"
#include "cli/import/connection.h"
#include "cli/out/value.h"

enum { PURGE_MS = 600000 };

static void progress(const struct cli *cli, const char *text)
{
    if (!cli->opt.quiet && cli->opt.format == CLI_TEXT) {
        cli_note(&cli->out, "%s\n", text);
    }
}

static int await_dropped(struct cli *cli, const char *id, struct wh_json_parser *parser,
                         int64_t until_ms)
{
    __attribute__((cleanup(leave_view_done))) struct leave_view v;
    int code;

    leave_view_init(&v);
    for (;;) {
        code = leave_look(cli, "purge", id, parser, &v);
        if (code != CLI_OK || !v.known) {
            return code;
        }
        if (!v.purging && strstr(v.detail, "purge failed")) {
            cli_note(&cli->out, "wellhead: purge: %s\n", v.detail);
            return CLI_FAILED;
        }
        if (cli_now_ms(cli) >= until_ms) {
            return CLI_TIMED_OUT;
        }
        if (cli_interrupted(cli)) {
            return CLI_INTERRUPTED;
        }
        cli_pause_ms(cli, LEAVE_LOOK_MS);
    }
}

/* Waits for a report of the sink's that was finished after asked_ms. */
static int await_report(struct cli *cli, const char *id, struct wh_json_parser *parser,
                        int64_t asked_ms, int64_t until_ms, struct wh_json_val *ret)
{
    char path[LEAVE_PATH_MAX_BYTES];
    int code;

    (void)snprintf(path, sizeof(path), "/api/v1/purges/%s", id);
    for (;;) {
        struct wh_json_val root = {0};
        unsigned status = 0;

        code = leave_get(cli, "purge", cli->conf.sink_url, cli->conf.sink_token_file, path, parser,
                         &root, &status);
        if (code != CLI_OK) {
            return code;
        }
        if (status == 200 && wh_json_get(root, WH_LIT("purge"), ret) &&
            wh_json_get_int(*ret, "finished_at_ms", 0) >= asked_ms) {
            return CLI_OK;
        }
        if (cli_now_ms(cli) >= until_ms) {
            return CLI_TIMED_OUT;
        }
        if (cli_interrupted(cli)) {
            return CLI_INTERRUPTED;
        }
        cli_pause_ms(cli, LEAVE_LOOK_MS);
    }
}

/* Counts the topics in Kafka that still belong to the connection; -1 when Kafka does not answer. */
static int topics_left(struct cli *cli, const char *id)
{
    struct wh_admin *admin = NULL;
    struct wh_bus_topic_info *list = NULL;
    struct wh_err err;
    size_t n = 0;
    int left = -1;

    if (cli_admin(cli, &admin, &err) == WH_OK &&
        wh_admin_list(admin, (int)cli->conf.timeout_ms, &list, &n, &err) == WH_OK) {
        left = 0;
        for (size_t i = 0; i < n; i++) {
            left += leave_owns_topic(cli, id, list[i].name);
        }
    }
    wh_bus_topic_list_free(list, n);
    wh_admin_free(admin);
    return left;
}

static int print_report(struct cli *cli, const char *id, struct wh_json_val report)
{
    long long entities = (long long)wh_json_get_int(report, "entities", 0);
    long long revisions = (long long)wh_json_get_int(report, "revisions", 0);
    long long changes = (long long)wh_json_get_int(report, "changes", 0);
    long long leftovers = (long long)wh_json_get_int(report, "leftovers", -1);
    int topics = topics_left(cli, id);
    bool clean = leftovers == 0 && topics == 0;

    if (cli->opt.format != CLI_TEXT) {
        cli_say(&cli->out,
                "{\"ok\":%s,\"connection\":\"%s\",\"entities\":%lld,\"revisions\":%lld,"
                "\"changes\":%lld,\"leftovers\":%lld,\"topics_left\":%d}\n",
                clean ? "true" : "false", id, entities, revisions, changes, leftovers, topics);
    } else {
        cli_say(&cli->out, "Purged: %s\n", id);
        cli_say(&cli->out,
                "  %-10s %lld rows, %lld revisions, %lld entries of the log of changes, with "
                "their links and indexes; compacted\n",
                "store", entities, revisions, changes);
        cli_say(&cli->out, "  %-10s its topics are deleted; %d remain\n", "Kafka", topics);
        cli_say(&cli->out, "  %-10s the whole store was searched afterwards: %lld keys remain\n",
                "search", leftovers);
        cli_say(&cli->out,
                "If it is connected or imported again, every object has the same id again.\n");
    }
    return clean ? CLI_OK : CLI_FAILED;
}

/* Follows the sink to its report. */
static int finish(struct cli *cli, const char *id, struct wh_json_parser *parser, int64_t asked_ms,
                  int64_t until_ms)
{
    struct wh_json_val report;
    int code;

    progress(cli, "removing rows from the store, and searching for what is left");
    code = await_report(cli, id, parser, asked_ms, until_ms, &report);
    return code == CLI_OK ? print_report(cli, id, report) : code;
}

static int purge(struct cli *cli, const char *id, struct wh_json_parser *parser,
                 struct leave_view *v)
{
    int64_t asked_ms = cli_now_ms(cli);
    int64_t until_ms = asked_ms + (cli->opt.timeout_ms ? cli->opt.timeout_ms : PURGE_MS);
    int code;

    progress(cli, "disconnecting");
    code = leave_now(cli, id, parser, v);
    if (code != CLI_OK) {
        return code;
    }
    if (v->leaving) {
        cli_note(&cli->out, "wellhead: purge: %s\n", v->detail);
        return CLI_TRY_LATER;
    }
    if (v->n_unrevoked) {
        cli_note(&cli->out, "%s", wh_buf_str(&v->text)); /* the list goes with the connection */
    }
    progress(cli, "removing topics and keys from Kafka");
    code = leave_ask(cli, "purge", id, "purge");
    if (code == CLI_OK) {
        code = await_dropped(cli, id, parser, until_ms);
    }
    return code == CLI_OK ? finish(cli, id, parser, asked_ms, until_ms) : code;
}

/* The fetcher knows the connection no more: the sink may still be removing its rows, or have done so. */
static int follow(struct cli *cli, const char *id, struct wh_json_parser *parser)
{
    struct wh_json_val root;
    char path[LEAVE_PATH_MAX_BYTES];
    unsigned status = 0;
    int code;

    (void)snprintf(path, sizeof(path), "/api/v1/purges/%s", id);
    code = leave_get(cli, "purge", cli->conf.sink_url, cli->conf.sink_token_file, path, parser,
                     &root, &status);
    if (code != CLI_OK) {
        return code;
    }
    return status == 200
               ? finish(cli, id, parser, 1,
                        cli_now_ms(cli) + (cli->opt.timeout_ms ? cli->opt.timeout_ms : PURGE_MS))
               : leave_unknown(cli, "purge");
}

/* Connections of imports are not the fetcher's. */
static int look(struct cli *cli, const char *id, struct wh_json_parser *parser,
                struct leave_view *v)
{
    enum import_known known = IMPORT_UNKNOWN;
    int code = CLI_OK;

    if (strncmp(id, IMPORT_PREFIX, strlen(IMPORT_PREFIX)) == 0) {
        code = import_connection_find(cli, "purge", id, &known);
        v->imported = known == IMPORT_KNOWN;
    }
    return code == CLI_OK && !v->imported ? leave_look(cli, "purge", id, parser, v) : code;
}

static int remove_import(struct cli *cli, const char *id, struct wh_json_parser *parser)
{
    int64_t asked_ms = cli_now_ms(cli);
    int64_t until_ms = asked_ms + (cli->opt.timeout_ms ? cli->opt.timeout_ms : PURGE_MS);
    struct wh_err err;

    progress(cli, "removing topics and keys from Kafka");
    if (import_connection_remove(cli, id, &err) != WH_OK) {
        return cli_fail_kafka(cli, "purge", &err);
    }
    return finish(cli, id, parser, asked_ms, until_ms);
}

static int plan_and_purge(struct cli *cli, const char *id, struct wh_json_parser *parser)
{
    __attribute__((cleanup(leave_view_done))) struct leave_view v;
    __attribute__((cleanup(leave_plan_done))) struct leave_plan plan = {0};
    int code;

    leave_view_init(&v);
    code = look(cli, id, parser, &v);
    if (code != CLI_OK) {
        return code;
    }
    if (!v.known && !v.imported) {
        return follow(cli, id, parser);
    }
    leave_plan_make(cli, LEAVE_PURGE, id, &v, &plan);
    if (cli->opt.dry_run) {
        return leave_plan_print(cli, &plan);
    }
    if (!leave_plan_confirmed(cli, &plan)) {
        return CLI_FAILED;
    }
    cli_catch_interrupt(cli);
    code = v.imported ? remove_import(cli, id, parser) : purge(cli, id, parser, &v);
    if (code == CLI_TIMED_OUT || code == CLI_INTERRUPTED) {
        cli_note(&cli->out, "wellhead: purge: it goes on by itself; the same command follows it\n");
    }
    return code;
}

int cli_purge(struct cli *cli)
{
    struct wh_json_parser *parser = wh_json_parser_new(LEAVE_ANSWER_MAX_BYTES, LEAVE_DEPTH_MAX);
    const char *id = cli->opt.args[1];
    int code = CLI_USAGE;

    if (cli->opt.n_args != 2 || !cli_is_connection_id(id) || parser == NULL) {
        cli_note(&cli->out, "wellhead: purge needs a connection's id, as `wellhead status` shows "
                            "it\n");
    } else {
        code = plan_and_purge(cli, id, parser);
    }
    wh_json_parser_free(parser);
    return code;
}
