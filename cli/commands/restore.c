/* wellhead restore: runs the sink's program, which makes a backup the store in use. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/backup/folder.h"
#include "cli/commands/commands.h"
#include "cli/core/child.h"
#include "common/base/mem.h"
#include "common/json/json_doc.h"

enum { DEPTH_MAX = 8, STORE_NAME_MAX = 64, OPTION_MAX = BACKUP_PATH_MAX + 32 };

static const char doing[] = "restore";

struct plan {
    struct wh_json_val manifest;
    char store[STORE_NAME_MAX]; /* the one in use; empty: there is none */
};

/* The name of the store in use, by the link that the sink follows. */
static void find_store(const struct cli *cli, struct plan *plan)
{
    char link[BACKUP_PATH_MAX];
    char store[BACKUP_PATH_MAX + STORE_NAME_MAX];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "%s/current", cli->conf.sink_data_path);
    n = readlink(link, plan->store, sizeof(plan->store) - 1);
    plan->store[n > 0 ? n : 0] = '\0';
    (void)snprintf(store, sizeof(store), "%s/%s/CURRENT", cli->conf.sink_data_path, plan->store);
    if (access(store, F_OK) != 0) {
        plan->store[0] = '\0';
    }
}

static long long number(const struct plan *plan, const char *name)
{
    return (long long)wh_json_get_int(plan->manifest, name, 0);
}

static void say_plan(const struct cli *cli, const struct plan *plan)
{
    cli_note(&cli->out, "%s: %lld entities with %lld revisions as of %.*s\n", cli->opt.args[1],
             number(plan, "entities"), number(plan, "revisions"),
             WH_SLICE_ARG(wh_json_get_str(plan->manifest, "made_at")));
    if (plan->store[0]) {
        cli_note(&cli->out,
                 "This replaces the store %s of %s, which stays in its folder. The sink then "
                 "reads from Kafka what has come since the backup.\n",
                 plan->store, cli->conf.sink_data_path);
    }
}

static bool is_confirmed(const struct cli *cli, const struct plan *plan)
{
    char name[STORE_NAME_MAX + 8];

    if (plan->store[0] == '\0') {
        return true;
    }
    if (cli->opt.confirm) {
        if (strcmp(cli->opt.confirm, plan->store) == 0) {
            return true;
        }
        cli_note(&cli->out, "wellhead: --confirm names another store; nothing was done\n");
        return false;
    }
    if (!cli_may_ask(cli)) {
        cli_note(&cli->out, "wellhead: nothing was done; --confirm %s does it without a question\n",
                 plan->store);
        return false;
    }
    cli_note(&cli->out, "Type %s to do this: ", plan->store);
    if (cli_read_line(cli, name, sizeof(name)) && strcmp(name, plan->store) == 0) {
        return true;
    }
    cli_note(&cli->out, "wellhead: that is not its name; nothing was done\n");
    return false;
}

static int run_sink(struct cli *cli, const struct plan *plan)
{
    char data[OPTION_MAX];
    char from[OPTION_MAX];
    char confirm[OPTION_MAX];
    char *argv[] = {cli->conf.sink_program, data, from, confirm, NULL};
    int status;

    (void)snprintf(data, sizeof(data), "--data.path=%s", cli->conf.sink_data_path);
    (void)snprintf(from, sizeof(from), "--restore.from=%s", cli->opt.args[1]);
    (void)snprintf(confirm, sizeof(confirm), "--restore.confirm=%s", plan->store);
    status = cli_child_run(argv);
    if (status == CLI_CHILD_MISSING) {
        cli_note(&cli->out, "wellhead: restore: %s was not found; set sink.program\n",
                 cli->conf.sink_program);
    }
    return status == 0 ? CLI_OK : CLI_FAILED;
}

static int say_done(const struct cli *cli, const struct plan *plan)
{
    if (cli->opt.format == CLI_JSON) {
        cli_say(&cli->out,
                "{\"ok\":true,\"entities\":%lld,\"revisions\":%lld,\"replaced\":%s%s%s}\n",
                number(plan, "entities"), number(plan, "revisions"), plan->store[0] ? "\"" : "",
                plan->store[0] ? plan->store : "null", plan->store[0] ? "\"" : "");
        return CLI_OK;
    }
    cli_say(&cli->out,
            "Restored: %lld entities with %lld revisions, compared file by file and counted. Start "
            "the sink%s.\n",
            number(plan, "entities"), number(plan, "revisions"), plan->store[0] ? " again" : "");
    return CLI_OK;
}

static int restore(struct cli *cli, struct plan *plan)
{
    int code;

    find_store(cli, plan);
    if (!cli->opt.quiet && cli->opt.format == CLI_TEXT) {
        say_plan(cli, plan);
    }
    if (cli->opt.dry_run) {
        cli_note(&cli->out, "nothing was done\n");
        return CLI_OK;
    }
    if (!is_confirmed(cli, plan)) {
        return CLI_FAILED;
    }
    code = run_sink(cli, plan);
    return code == CLI_OK ? say_done(cli, plan) : code;
}

int cli_restore(struct cli *cli)
{
    struct wh_json_parser *parser = wh_json_parser_new(BACKUP_MANIFEST_MAX, DEPTH_MAX);
    WH_AUTO(buf) struct wh_buf text;
    struct plan plan = {0};
    struct wh_err err;
    int code;

    wh_buf_init(&text, BACKUP_MANIFEST_MAX);
    if (cli->opt.n_args != 2) {
        cli_note(&cli->out, "wellhead: restore needs the folder of a backup\n");
        code = CLI_USAGE;
    } else if (cli->conf.sink_data_path[0] == '\0') {
        cli_note(&cli->out,
                 "wellhead: restore: set sink.data_path to the sink's data.path; it runs "
                 "where the store is\n");
        code = CLI_FAILED;
    } else if (parser == NULL || backup_folder_manifest(cli->opt.args[1], &text, &err) != WH_OK ||
               wh_json_parse(parser, wh_buf_slice(&text), &plan.manifest, &err) != WH_OK) {
        code = cli_fail(cli, doing, &err);
    } else {
        code = restore(cli, &plan);
    }
    wh_json_parser_free(parser);
    return code;
}
