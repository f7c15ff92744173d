/*
 * wellhead replay: maps raw events again. A separate mapper runs over the chosen range, in a consumer
 * group of its own, while the live mappers go on. It produces the same observations again, which the
 * sink recognises, so that no row is doubled.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands/commands.h"
#include "cli/commands/replay_run.h"
#include "cli/commands/replay_shadow.h"
#include "cli/out/table.h"
#include "cli/record/position.h"
#include "common/event/topics.h"
#include "common/json/json_write.h"

enum { ADMIN_TIMEOUT_MS = 10000, ANSWER_MAX_BYTES = 1 << 20 };

/* ---- the plan ---- */

static enum wh_rc plan_partition(struct wh_admin *admin, const struct cli_position *from,
                                 struct replay_plan *plan, int32_t partition,
                                 const struct cli_span *span, struct wh_err *err)
{
    int64_t begin;

    if (cli_position_offset(admin, plan->topic, partition, span, from, false, &begin, err) !=
        WH_OK) {
        return err->rc;
    }
    if (begin > span->high || (from->partition >= 0 && from->partition != partition)) {
        begin = span->high;
    }
    begin = begin < span->low ? span->low : begin;
    plan->parts[plan->n] = (struct wh_bus_partition){plan->topic, partition, begin};
    plan->ends[plan->n] = span->high;
    plan->records += span->high - begin;
    plan->n++;
    return WH_OK;
}

static enum wh_rc plan_topic(struct wh_admin *admin, const struct cli_position *from,
                             struct replay_plan *plan, int32_t partitions, struct wh_err *err)
{
    struct cli_span spans[REPLAY_PARTITIONS_MAX];

    if (partitions > REPLAY_PARTITIONS_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "%.120s has more than %d partitions", plan->topic,
                       REPLAY_PARTITIONS_MAX);
    }
    if (cli_spans_find(admin, plan->topic, partitions, spans, err) != WH_OK) {
        return err->rc;
    }
    for (int32_t p = 0; p < partitions; p++) {
        if (plan_partition(admin, from, plan, p, &spans[p], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* Moves the beginning of each partition to where the last replay of dead letters ended. */
static enum wh_rc resume(struct wh_admin *admin, struct replay_plan *plan, struct wh_err *err)
{
    struct wh_bus_partition at[REPLAY_PARTITIONS_MAX];

    memcpy(at, plan->parts, plan->n * sizeof(at[0]));
    if (wh_admin_group_get(admin, plan->group, at, plan->n, ADMIN_TIMEOUT_MS, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < plan->n; i++) {
        int64_t begin = at[i].offset < plan->ends[i] ? at[i].offset : plan->ends[i];

        if (begin > plan->parts[i].offset) {
            plan->records -= begin - plan->parts[i].offset;
            plan->parts[i].offset = begin;
        }
    }
    return WH_OK;
}

/* The status counts the dead letters that this group has not passed. */
static void name_group(const struct cli *cli, struct replay_plan *plan)
{
    if (cli->opt.dead_letters) {
        (void)snprintf(plan->group, sizeof(plan->group), "%.100s" WH_DEAD_LETTER_GROUP,
                       cli->conf.topic_prefix);
    } else {
        (void)snprintf(plan->group, sizeof(plan->group), "wellhead-replay-%" PRId64,
                       cli_now_ms(cli));
    }
}

static enum wh_rc make_plan(struct cli *cli, struct wh_admin *admin, const char *connection,
                            const struct cli_position *from, struct replay_plan *plan,
                            struct wh_err *err)
{
    struct wh_bus_topic_info *list = NULL;
    size_t n = 0;
    enum wh_rc rc = WH_OK;

    name_group(cli, plan);
    if (wh_topic_name(cli->conf.topic_prefix,
                      cli->opt.dead_letters ? WH_TOPIC_DEAD_LETTER : WH_TOPIC_RAW,
                      wh_slice_str(connection), plan->topic, err) != WH_OK ||
        wh_admin_list(admin, ADMIN_TIMEOUT_MS, &list, &n, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        if (strcmp(list[i].name, plan->topic) == 0) {
            rc = plan_topic(admin, from, plan, list[i].partitions, err);
        }
    }
    wh_bus_topic_list_free(list, n);
    if (rc == WH_OK && cli->opt.dead_letters && cli->opt.from == NULL) {
        rc = resume(admin, plan, err);
    }
    if (rc == WH_OK && plan->n == 0) {
        return wh_fail(err, WH_E_NOT_FOUND,
                       "no connection has that id; `wellhead status` lists the ids");
    }
    return rc;
}

static void print_plan(const struct cli *cli, const struct replay_plan *plan)
{
    struct cli_table t;

    cli_table_init(&t, 4);
    cli_table_str(&t, "partition");
    cli_table_str(&t, "from");
    cli_table_str(&t, "to");
    cli_table_str(&t, "records");
    for (size_t i = 0; i < plan->n; i++) {
        cli_table_int(&t, plan->parts[i].partition);
        cli_table_int(&t, plan->parts[i].offset);
        cli_table_int(&t, plan->ends[i]);
        cli_table_int(&t, plan->ends[i] - plan->parts[i].offset);
    }
    cli_say(&cli->out, "%s: %" PRId64 " records\n", plan->topic, plan->records);
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
}

static bool print_json(const struct cli *cli, const struct replay_plan *plan, bool executed)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_json_writer w;
    struct wh_err err;

    wh_buf_init(&out, ANSWER_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", true);
    wh_jw_put_str(&w, "topic", wh_slice_str(plan->topic));
    wh_jw_put_int(&w, "records", plan->records);
    wh_jw_put_bool(&w, "executed", executed);
    wh_jw_key(&w, "partitions");
    wh_jw_array(&w);
    for (size_t i = 0; i < plan->n; i++) {
        wh_jw_object(&w);
        wh_jw_put_int(&w, "partition", plan->parts[i].partition);
        wh_jw_put_int(&w, "from", plan->parts[i].offset);
        wh_jw_put_int(&w, "to", plan->ends[i]);
        wh_jw_end(&w);
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, &err) == WH_OK && cli_data(&cli->out, wh_buf_slice(&out));
}

/* ---- doing it ---- */

static int execute(struct cli *cli, struct wh_admin *admin, const struct replay_plan *plan,
                   const char *connection)
{
    struct wh_err err;

    if (plan->records == 0) {
        return CLI_OK;
    }
    if (wh_admin_group_set(admin, plan->group, plan->parts, plan->n, ADMIN_TIMEOUT_MS, &err) !=
        WH_OK) {
        return cli_fail_kafka(cli, "replay", &err);
    }
    return replay_run(cli, admin, plan, connection);
}

static int plan_and_execute(struct cli *cli, struct wh_admin *admin, struct replay_plan *plan,
                            const char *connection)
{
    bool json = cli->opt.format == CLI_JSON;
    int code = CLI_OK;

    if (cli->opt.shadow) {
        return replay_shadow(cli, admin, plan, connection);
    }
    if (!json) {
        print_plan(cli, plan);
    }
    if (cli->opt.execute) {
        code = execute(cli, admin, plan, connection);
    }
    if (json) {
        return code != CLI_OK || print_json(cli, plan, cli->opt.execute) ? code : CLI_FAILED;
    }
    if (!cli->opt.execute) {
        cli_say(&cli->out, "nothing was done; add --execute to replay\n");
    } else if (code == CLI_OK) {
        cli_say(&cli->out, "replayed %" PRId64 " records\n", plan->records);
    }
    return code;
}

static int replay(struct cli *cli, struct wh_admin *admin, const char *connection,
                  const struct cli_position *from)
{
    struct replay_plan *plan = wh_mem_zalloc(1, sizeof(*plan));
    struct wh_err err;
    int code;

    if (plan == NULL) {
        (void)wh_fail(&err, WH_E_NOMEM, "no memory for the plan");
        return cli_fail(cli, "replay", &err);
    }
    if (make_plan(cli, admin, connection, from, plan, &err) == WH_OK) {
        code = plan_and_execute(cli, admin, plan, connection);
    } else {
        code = cli_fail_kafka(cli, "replay", &err);
        code = err.rc == WH_E_NOT_FOUND ? CLI_NOTHING : code;
    }
    wh_mem_free(plan);
    return code;
}

/* Can --shadow be used like that? Gives an exit code. */
static int check_shadow(const struct cli *cli)
{
    if (cli->opt.from || cli->opt.execute || cli->opt.dead_letters) {
        cli_note(&cli->out, "wellhead: replay: --shadow compares all raw events; it goes with none "
                            "of --from, --dead-letters and --execute\n");
        return CLI_USAGE;
    }
    if (access(cli->opt.shadow, R_OK) != 0) {
        cli_note(&cli->out, "wellhead: replay: the view file %s cannot be read\n", cli->opt.shadow);
        return CLI_FAILED;
    }
    return CLI_OK;
}

int cli_replay(struct cli *cli)
{
    struct wh_admin *admin = NULL;
    const char *connection = cli->opt.args[1];
    struct cli_position from;
    struct wh_err err;
    int code;

    if (cli->opt.n_args != 2 || !cli_is_connection_id(connection)) {
        cli_note(&cli->out,
                 "wellhead: replay needs a connection's id, as `wellhead status` shows it\n");
        return CLI_USAGE;
    }
    code = cli->opt.shadow ? check_shadow(cli) : CLI_OK;
    if (code != CLI_OK) {
        return code;
    }
    if (cli_position_parse(cli, cli->opt.from ? cli->opt.from : "start", &from, &err) != WH_OK) {
        cli_note(&cli->out, "wellhead: replay: --from must be " CLI_POSITION_HELP ": %s\n",
                 err.msg);
        return CLI_USAGE;
    }
    if (cli_admin(cli, &admin, &err) != WH_OK) {
        return cli_fail_kafka(cli, "replay", &err);
    }
    code = replay(cli, admin, connection, &from);
    wh_admin_free(admin);
    return code;
}
