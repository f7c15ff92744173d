#include "cli/commands/replay_run.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/core/child.h"

enum {
    OPTIONS = 10,
    OPTION_MAX = 600,
    ADMIN_TIMEOUT_MS = 5000,
    LOOK_MS = 500,
    SAY_EVERY_MS = 10000,
};

static pid_t start_mapper(const struct cli *cli, const struct replay_plan *plan,
                          const char *connection)
{
    char options[OPTIONS][OPTION_MAX];
    char *argv[OPTIONS + 2] = {cli->conf.mapper_program};

    (void)snprintf(options[0], OPTION_MAX, "--kafka.bootstrap.servers=%.500s", cli->conf.bootstrap);
    (void)snprintf(options[1], OPTION_MAX, "--topic.prefix=%.200s", cli->conf.topic_prefix);
    (void)snprintf(options[2], OPTION_MAX, "--group=%s", plan->group);
    (void)snprintf(options[3], OPTION_MAX, "--replay.connection=%.64s", connection);
    (void)snprintf(options[4], OPTION_MAX, "--replay.dead_letters=%s",
                   cli->opt.dead_letters ? "true" : "false");
    (void)snprintf(options[5], OPTION_MAX, "--http.port=0");
    (void)snprintf(options[6], OPTION_MAX, "--log.level=warn");
    (void)snprintf(options[7], OPTION_MAX, "--views.path=%.500s", cli->conf.mapper_views_path);
    (void)snprintf(options[8], OPTION_MAX, "--replay.shadow=%.550s",
                   plan->shadow ? plan->shadow : "");
    (void)snprintf(options[9], OPTION_MAX, "--replay.report=%.550s", plan->report);
    for (size_t i = 0; i < OPTIONS; i++) {
        argv[i + 1] = options[i];
    }
    return cli_child_start(argv);
}

/* How many records the mapper has committed; the last number that was known when Kafka does not say. */
static int64_t count_done(struct wh_admin *admin, const struct replay_plan *plan, int64_t known)
{
    struct wh_bus_partition at[REPLAY_PARTITIONS_MAX];
    struct wh_err err;
    int64_t done = 0;

    memcpy(at, plan->parts, plan->n * sizeof(at[0]));
    if (wh_admin_group_get(admin, plan->group, at, plan->n, ADMIN_TIMEOUT_MS, &err) != WH_OK) {
        return known;
    }
    for (size_t i = 0; i < plan->n; i++) {
        int64_t offset = at[i].offset < plan->ends[i] ? at[i].offset : plan->ends[i];

        done += offset > plan->parts[i].offset ? offset - plan->parts[i].offset : 0;
    }
    return done > known ? done : known;
}

/* Again and again on a terminal, now and then elsewhere. */
static void say_progress(const struct cli *cli, const struct replay_plan *plan, int64_t done,
                         int64_t *said_ms)
{
    int64_t now_ms = cli_now_ms(cli);

    cli_progress(&cli->out, "replaying: %" PRId64 " of %" PRId64 " records", done, plan->records);
    if (!cli->out.messages_terminal && now_ms - *said_ms >= SAY_EVERY_MS) {
        cli_note(&cli->out, "replaying: %" PRId64 " of %" PRId64 " records\n", done, plan->records);
        *said_ms = now_ms;
    }
}

/* Until the mapper has ended, which Ctrl-C asks it to; gives its status as waitpid does. */
static int await_mapper(struct cli *cli, struct wh_admin *admin, const struct replay_plan *plan,
                        pid_t pid, int64_t *ret_done)
{
    int64_t said_ms = cli_now_ms(cli);
    int status = 0;
    int how = WNOHANG;
    pid_t ended;

    *ret_done = 0;
    while ((ended = waitpid(pid, &status, how)) == 0 || (ended < 0 && errno == EINTR)) {
        if (cli_interrupted(cli)) {
            (void)kill(pid, plan->shadow ? SIGKILL : SIGTERM);
            how = 0;
            continue;
        }
        if (plan->shadow == NULL) {
            *ret_done = count_done(admin, plan, *ret_done);
            say_progress(cli, plan, *ret_done, &said_ms);
        }
        cli_pause_ms(cli, LOOK_MS);
    }
    cli_progress_end(&cli->out);
    return status;
}

static int interrupted(const struct cli *cli, const struct replay_plan *plan, int64_t done)
{
    if (plan->shadow) {
        cli_note(&cli->out, "wellhead: replay: interrupted; nothing was changed\n");
        return CLI_INTERRUPTED;
    }
    cli_note(&cli->out,
             "wellhead: replay: interrupted after about %" PRId64 " of %" PRId64
             " records; the same command replays %s, and a record that is replayed twice changes "
             "nothing\n",
             done, plan->records, cli->opt.dead_letters ? "the rest" : "all of them again");
    return CLI_INTERRUPTED;
}

int replay_run(struct cli *cli, struct wh_admin *admin, const struct replay_plan *plan,
               const char *connection)
{
    int64_t done = 0;
    int status = 0;
    pid_t pid;

    cli_catch_interrupt(cli);
    pid = start_mapper(cli, plan, connection);
    if (pid > 0) {
        status = await_mapper(cli, admin, plan, pid, &done);
    }
    if (cli_interrupted(cli)) {
        return interrupted(cli, plan, done);
    }
    if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        cli_note(&cli->out, "wellhead: replay: %s failed%s\n", cli->conf.mapper_program,
                 WIFEXITED(status) && WEXITSTATUS(status) == CLI_CHILD_MISSING
                     ? ": the program was not found; set mapper.program"
                     : "");
        return CLI_FAILED;
    }
    return CLI_OK;
}
