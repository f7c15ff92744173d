/* wellhead status: prints what the runs of each connection did. */
#include <inttypes.h>
#include <string.h>

#include "cli/commands/status_print.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/base/time.h"

enum { RUNS_SHOWN = 5, DELIVERIES_SHOWN = 6, MS_PER_S = 1000 };

static void when(int64_t ms, char text[WH_TIME_TEXT_MAX])
{
    if (ms > 0) {
        (void)wh_time_format(ms, text);
    } else {
        (void)snprintf(text, WH_TIME_TEXT_MAX, "%s", "never");
    }
}

static void add_run(struct cli_table *t, struct wh_json_val run)
{
    static const char *const numbers[] = {"read",    "new",     "changed", "repaired",
                                          "deleted", "skipped", "requests"};
    char text[WH_TIME_TEXT_MAX];

    when(wh_json_get_int(run, "run", 0), text);
    cli_table_str(t, text);
    cli_table_cell(t, wh_json_get_str(run, "kind"));
    cli_table_str(t, wh_json_get_flag(run, "ok") ? "ok" : "failed");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        cli_table_int(t, wh_json_get_int(run, numbers[i], 0));
    }
    cli_table_str(t, cli_seconds((double)wh_json_get_int(run, "waited_ms", 0) / MS_PER_S, text));
}

/* False: the run read nothing. */
static bool print_run_streams(const struct cli *cli, struct wh_json_val run)
{
    struct wh_json_val parts;
    struct wh_json_val n;
    struct wh_json_iter it;
    struct wh_slice name;
    bool any = false;

    if (!wh_json_get(run, WH_LIT("streams"), &parts)) {
        return false;
    }
    for (it = wh_json_iter(parts); wh_json_next(&it, &name, &n);) {
        int64_t skipped = wh_json_get_int(n, "skipped", 0);

        if (wh_json_get_int(n, "read", 0) + skipped > 0) {
            cli_say(&cli->out, "%s%.*s %" PRId64,
                    any ? ", " : "newest run, read: ", WH_SLICE_ARG(name),
                    wh_json_get_int(n, "read", 0));
            any = true;
        }
        if (skipped) {
            cli_say(&cli->out, " (%" PRId64 " skipped)", skipped);
        }
    }
    return any;
}

static void print_kind(const struct cli *cli, struct wh_slice name, struct wh_json_val n)
{
    static const char *const words[] = {"new", "changed", "repaired", "deleted"};

    cli_say(&cli->out, "%.*s:", WH_SLICE_ARG(name));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        int64_t count = wh_json_get_int(n, words[i], 0);

        if (count) {
            cli_say(&cli->out, " %" PRId64 " %s", count, words[i]);
        }
    }
}

/* Prints one line: how much the run read of each stream, and what changed by kind of object. */
static void print_run_parts(const struct cli *cli, struct wh_json_val run)
{
    struct wh_json_val parts;
    struct wh_json_val n;
    struct wh_json_iter it;
    struct wh_slice name;
    bool any = print_run_streams(cli, run);

    if (wh_json_get(run, WH_LIT("kinds"), &parts)) {
        for (it = wh_json_iter(parts); wh_json_next(&it, &name, &n); any = true) {
            cli_say(&cli->out, "%s", any ? "; " : "newest run, ");
            print_kind(cli, name, n);
        }
    }
    if (any) {
        cli_say(&cli->out, "\n");
    }
}

static void print_runs(const struct cli *cli, struct wh_json_val c)
{
    static const char *const heads[] = {"run",     "kind",     "end",      "read",
                                        "new",     "changed",  "repaired", "deleted",
                                        "skipped", "requests", "waited"};
    struct wh_json_val runs;
    struct wh_json_val run = {0};
    struct wh_json_iter it;
    struct wh_slice key;
    struct cli_table t;
    size_t n;
    size_t i = 0;

    if (!wh_json_get(c, WH_LIT("last_runs"), &runs) || (n = cli_count(runs)) == 0) {
        return;
    }
    cli_table_init(&t, sizeof(heads) / sizeof(heads[0]));
    for (size_t h = 0; h < sizeof(heads) / sizeof(heads[0]); h++) {
        cli_table_str(&t, heads[h]);
    }
    for (it = wh_json_iter(runs); wh_json_next(&it, &key, &run); i++) {
        if (i + RUNS_SHOWN >= n) {
            add_run(&t, run);
        }
    }
    cli_say(&cli->out, "\n");
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
    print_run_parts(cli, run);
}

static void print_skipped(const struct cli *cli, struct wh_json_val c)
{
    struct wh_json_val list;
    struct wh_json_val s;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!wh_json_get(c, WH_LIT("skipped_projects"), &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &s);) {
        struct wh_slice stream = wh_json_get_str(s, "stream");
        struct wh_slice path = wh_json_get_str(s, "path");

        cli_say(&cli->out, "skipped: %.*s%s%.*s: %.*s\n",
                WH_SLICE_ARG(path.len ? path : wh_json_get_str(s, "project")),
                stream.len ? ", " : "", WH_SLICE_ARG(stream),
                WH_SLICE_ARG(wh_json_get_str(s, "reason")));
    }
}

static void print_webhooks(const struct cli *cli, struct wh_json_val c)
{
    struct wh_json_val w;
    char last[WH_TIME_TEXT_MAX];
    struct wh_slice hook;

    if (!wh_json_get(c, WH_LIT("webhooks"), &w)) {
        return;
    }
    when(wh_json_get_int(w, "last_delivery_ms", 0), last);
    hook = wh_json_get_str(w, "hook");
    cli_say(&cli->out,
            "webhooks: last delivery %s, %" PRId64 " accepted, %" PRId64
            " with a wrong secret, %" PRId64 " refused%s%.*s\n",
            last, wh_json_get_int(w, "accepted", 0), wh_json_get_int(w, "unauthorized", 0),
            wh_json_get_int(w, "refused", 0),
            wh_slice_eq(hook, WH_LIT("unknown")) ? "" : "; at GitLab: ",
            wh_slice_eq(hook, WH_LIT("unknown")) ? 0 : (int)hook.len, hook.ptr);
}

/* The last delivery of each project and kind, the longest silent ones first. */
static void print_deliveries(const struct cli *cli, struct wh_json_val c)
{
    struct wh_json_val list;
    struct wh_json_val d;
    struct wh_json_iter it;
    struct wh_slice key;
    struct cli_table t;
    char text[WH_TIME_TEXT_MAX];
    size_t n;
    size_t i = 0;

    if (!wh_json_get(c, WH_LIT("webhooks"), &list) ||
        !wh_json_get(list, WH_LIT("deliveries"), &list) || (n = cli_count(list)) == 0) {
        return;
    }
    cli_table_init(&t, 4);
    cli_table_str(&t, "webhooks of project");
    cli_table_str(&t, "kind");
    cli_table_str(&t, "silent longest");
    cli_table_str(&t, "count");
    for (it = wh_json_iter(list); i < DELIVERIES_SHOWN && wh_json_next(&it, &key, &d); i++) {
        when(wh_json_get_int(d, "last_ms", 0), text);
        cli_table_cell(&t, wh_json_get_str(d, "project"));
        cli_table_cell(&t, wh_json_get_str(d, "event"));
        cli_table_str(&t, text);
        cli_table_int(&t, wh_json_get_int(d, "count", 0));
    }
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
    if (n > i) {
        cli_say(&cli->out, "%zu more: `wellhead sql \"select * from webhook_health\"`\n", n - i);
    }
}

/* Over the projects of a connection. */
struct numbers {
    int64_t expected;
    int64_t have;
    int64_t missing;
};

static struct numbers sum_numbers(struct wh_json_val list, const char *stream)
{
    struct wh_json_iter it = wh_json_iter(list);
    struct numbers sum = {0};
    struct wh_json_val p;
    struct wh_json_val n;
    struct wh_slice key;

    while (wh_json_next(&it, &key, &p)) {
        if (wh_json_get(p, WH_LIT("streams"), &n) && wh_json_get(n, wh_slice_str(stream), &n)) {
            sum.expected += wh_json_get_int(n, "expected", 0);
            sum.have += wh_json_get_int(n, "have", 0);
            sum.missing += wh_json_get_int(n, "missing", 0);
        }
    }
    return sum;
}

/* Nothing is complete while records wait, or while nobody knows. */
static void print_numbers(const struct cli *cli, const char *stream, struct numbers n,
                          int64_t waiting)
{
    /* Pipelines that were deleted before anybody read them leave numbers that cannot be asked for. */
    const char *word = n.missing > 0 && strcmp(stream, "pipelines") == 0 ? "listed, not proved"
                       : n.missing > 0                                   ? "not complete"
                       : waiting != 0                                    ? "not known yet"
                                                                         : "complete";

    cli_say(&cli->out,
            "%s: %s: %" PRId64 " numbers, %" PRId64 " read, %" PRId64
            " gone, hidden or held, %" PRId64 " missing",
            word, stream, n.expected, n.have, n.expected - n.have - n.missing, n.missing);
    if (waiting > 0) {
        cli_say(&cli->out, "; %" PRId64 " records wait for mapper and sink", waiting);
    } else if (waiting < 0) {
        cli_say(&cli->out, "; what waits for mapper and sink is not known");
    }
    cli_say(&cli->out, "\n");
}

/* Jobs have no numbers; those of each pipeline were read to a proved end, or not. */
static void print_jobs(const struct cli *cli, struct numbers n, int64_t waiting)
{
    if (n.expected > 0) {
        cli_say(&cli->out, "%s: jobs: those of %" PRId64 " of %" PRId64 " pipelines are read\n",
                n.missing > 0  ? "listed, not proved"
                : waiting != 0 ? "not known yet"
                               : "complete",
                n.have, n.expected);
    }
}

/* Streams of which no number proves that nothing is missing. */
static void print_unproved(const struct cli *cli, struct wh_json_val c)
{
    struct wh_json_val list;
    struct wh_json_val one;
    struct wh_json_iter it;
    struct wh_slice key;
    bool any = false;

    if (!wh_json_get(c, WH_LIT("streams"), &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &one);) {
        struct wh_slice state = wh_json_get_str(one, "state");

        if (state.len == 0 || wh_slice_eq(state, WH_LIT("not_read")) ||
            wh_slice_eq(wh_json_get_str(one, "stream"), WH_LIT("pipelines")) ||
            wh_slice_eq(wh_json_get_str(one, "counted_by"), WH_LIT("pipelines")) ||
            wh_json_get_int(one, "missing", -1) >= 0) {
            continue;
        }
        cli_say(&cli->out, "%s%.*s",
                any ? ", " : "listed, not proved: ", WH_SLICE_ARG(wh_json_get_str(one, "stream")));
        any = true;
    }
    cli_say(&cli->out, any ? "\n" : "");
}

static void print_completeness(const struct cli *cli, struct wh_json_val c, int64_t waiting)
{
    static const char *const names[] = {"issues", "merge_requests", "pipelines"};
    struct wh_json_val list;

    if (!wh_json_get(c, WH_LIT("completeness"), &list)) {
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        print_numbers(cli, names[i], sum_numbers(list, names[i]), waiting);
    }
    print_jobs(cli, sum_numbers(list, "jobs"), waiting);
    print_unproved(cli, c);
}

void status_print_sync(const struct cli *cli, const struct status_view *view)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    bool several;

    if (!status_connections(view, &list)) {
        return;
    }
    several = cli_count(list) > 1;
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
        if (status_is_left(c)) {
            continue; /* its line among the connections says it all */
        }
        if (several) {
            cli_say(&cli->out, "\n%.*s\n", WH_SLICE_ARG(wh_json_get_str(c, "id")));
        }
        if (wh_json_get_str(c, "detail").len) {
            cli_say(&cli->out, "%.*s is %.*s: %.*s\n", WH_SLICE_ARG(wh_json_get_str(c, "id")),
                    WH_SLICE_ARG(wh_json_get_str(c, "state")),
                    WH_SLICE_ARG(wh_json_get_str(c, "detail")));
        }
        status_print_gone(cli, c);
        print_skipped(cli, c);
        print_webhooks(cli, c);
        print_deliveries(cli, c);
        print_completeness(cli, c, status_waiting(view, wh_json_get_int(c, "run_finished_ms", 0)));
        print_runs(cli, c);
    }
}
