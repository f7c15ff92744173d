/* wellhead status: prints the verdict on all stages, their processes, and what waits between them. */
#include <inttypes.h>

#include "cli/commands/status_print.h"
#include "cli/out/table.h"
#include "cli/out/value.h"

enum { FLOWS_SHOWN = 12 };

static void print_finding(const struct cli *cli, const struct wh_finding *f)
{
    cli_say(&cli->out, "  %s: %s: %s%s%s\n", wh_severity_name(f->severity), f->subject, f->text,
            f->advice[0] ? "; " : "", f->advice);
}

/* The first line is "healthy", or what is wrong and what to do. */
static void print_verdict(const struct cli *cli, const struct wh_findings *f)
{
    enum wh_verdict verdict = wh_findings_verdict(f);
    size_t from = 0;

    if (verdict == WH_VERDICT_HEALTHY) {
        cli_say(&cli->out, "healthy\n");
    } else {
        const struct wh_finding *first = &f->list[from++];

        cli_say(&cli->out, "%s: %s: %s%s%s\n", wh_verdict_name(verdict), first->subject,
                first->text, first->advice[0] ? "; " : "", first->advice);
    }
    for (; from < f->n; from++) {
        print_finding(cli, &f->list[from]);
    }
    if (f->left_out > 0) {
        cli_say(&cli->out, "  and %zu more\n", f->left_out);
    }
}

static void print_processes(const struct cli *cli, struct wh_json_val health)
{
    static const char *const heads[] = {"stage", "process", "state", "last heartbeat", "version"};
    static const char *const keys[] = {"stage", "process", "state", "last_heartbeat", "version"};
    enum { N = sizeof(keys) / sizeof(keys[0]) };
    struct wh_json_val list;
    struct wh_json_val p;
    struct wh_json_iter it;
    struct wh_slice key;
    struct cli_table t;

    if (!wh_json_get(health, WH_LIT("processes"), &list) || cli_count(list) == 0) {
        return;
    }
    cli_table_init(&t, N);
    for (size_t i = 0; i < N; i++) {
        cli_table_str(&t, heads[i]);
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &p);) {
        for (size_t i = 0; i < N; i++) {
            cli_table_cell(&t, wh_json_get_str(p, keys[i]));
        }
    }
    cli_say(&cli->out, "\n");
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
}

/* null: not known. */
static void add_count(struct cli_table *t, struct wh_json_val flow, const char *name)
{
    int64_t n = wh_json_get_int(flow, name, -1);

    if (n < 0) {
        cli_table_str(t, "unknown");
    } else {
        cli_table_int(t, n);
    }
}

/* All topics when they are few; else those where something waits. */
static void print_flows(const struct cli *cli, struct wh_json_val health)
{
    static const char *const heads[] = {"topic", "waits for", "records", "for seconds"};
    struct wh_json_val list;
    struct wh_json_val flow;
    struct wh_json_iter it;
    struct wh_slice key;
    struct cli_table t;
    size_t n;

    if (!wh_json_get(health, WH_LIT("flows"), &list) || (n = cli_count(list)) == 0) {
        return;
    }
    cli_table_init(&t, sizeof(heads) / sizeof(heads[0]));
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        cli_table_str(&t, heads[i]);
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &flow);) {
        if (n > FLOWS_SHOWN && wh_json_get_int(flow, "lag_records", -1) == 0) {
            continue;
        }
        cli_table_cell(&t, wh_json_get_str(flow, "topic"));
        cli_table_cell(&t, wh_json_get_str(flow, "stage"));
        add_count(&t, flow, "lag_records");
        add_count(&t, flow, "lag_seconds");
    }
    cli_say(&cli->out, "\n");
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
    if (n > FLOWS_SHOWN) {
        cli_say(&cli->out, "nothing waits in the others of %zu topics\n", n);
    }
}

static void print_set_aside(const struct cli *cli, const struct status_view *view)
{
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!wh_json_get(view->sink_root, WH_LIT("set_aside"), &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        cli_say(&cli->out,
                "set aside: %s%" PRId64 " values of %.*s that could not be converted: `wellhead "
                "sql \"select * from set_aside\"`\n",
                wh_json_get_flag(item, "or_more") ? "at least " : "",
                wh_json_get_int(item, "values", 0),
                WH_SLICE_ARG(wh_json_get_str(item, "connection")));
    }
}

/* The streams' are in their table. */
static void print_successes(const struct cli *cli, const struct status_view *view)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!wh_json_get(view->sink_root, WH_LIT("last_success"), &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
        struct wh_slice at = wh_json_get_str(c, "at");

        cli_say(&cli->out, "last good run of %.*s: %.*s\n",
                WH_SLICE_ARG(wh_json_get_str(c, "connection")),
                WH_SLICE_ARG(at.len ? at : WH_LIT("none yet")));
    }
}

void status_print_health(const struct cli *cli, const struct status_view *view)
{
    struct wh_json_val health;

    print_verdict(cli, view->findings);
    if (status_health(view, &health)) {
        print_processes(cli, health);
        print_flows(cli, health);
    }
    if (view->sink_ok) {
        cli_say(&cli->out, "\n");
        print_set_aside(cli, view);
        print_successes(cli, view);
    }
    cli_say(&cli->out, "\n");
}
