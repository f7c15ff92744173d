/* wellhead status: prints connections, rows and freshness. */
#include <inttypes.h>

#include "cli/commands/status_print.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/event/connection.h"

static void print_connections(const struct cli *cli, const struct status_view *view)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    struct cli_table t;

    if (!status_connections(view, &list)) {
        cli_say(&cli->out, "fetcher: %s\n", view->fetcher_err.msg);
        return;
    }
    cli_table_init(&t, 6);
    cli_table_str(&t, "connection");
    cli_table_str(&t, "state");
    cli_table_str(&t, "projects");
    cli_table_str(&t, "runs");
    cli_table_str(&t, "requests");
    cli_table_str(&t, "now");
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
        if (status_is_left(c)) {
            continue; /* a note of the verdict says it */
        }
        cli_table_cell(&t, wh_json_get_str(c, "id"));
        cli_table_cell(&t, wh_json_get_str(c, "state"));
        cli_table_int(&t, wh_json_get_int(c, "projects", 0));
        cli_table_int(&t, wh_json_get_int(c, "runs", 0));
        cli_table_int(&t, wh_json_get_int(c, "requests", 0));
        cli_table_cell(&t, wh_json_get_str(c, "error").len ? wh_json_get_str(c, "error")
                                                           : wh_json_get_str(c, "phase"));
    }
    if (t.n_cells > 6) {
        cli_table_print(&t, &cli->out);
    } else if (cli_count(list) == 0) {
        cli_say(&cli->out, "no connection yet: `wellhead connect URL`\n");
    }
    cli_table_done(&t);
}

/* The records of a connection in the sink's list of topics. */
static int64_t stored_of(const struct status_view *view, struct wh_slice connection,
                         struct wh_slice *ret_last)
{
    struct wh_json_val list;
    struct wh_json_val t;
    struct wh_json_iter it;
    struct wh_slice key;

    *ret_last = WH_LIT("");
    if (!wh_json_get(view->sink_root, WH_LIT("topics"), &list)) {
        return 0;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &t);) {
        if (wh_slice_eq(wh_json_get_str(t, "connection"), connection)) {
            *ret_last = wh_json_get_str(t, "last_record");
            return wh_json_get_int(t, "stored_records", 0);
        }
    }
    return 0;
}

/* What was imported: no fetcher knows these connections. */
static void print_imports(const struct cli *cli, const struct status_view *view)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    struct wh_slice last;

    if (!view->sink_ok || !wh_json_get(view->sink_root, WH_LIT("connections"), &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
        if (wh_slice_starts(wh_json_get_str(c, "instance"), WH_LIT(WH_CONNECTION_IMPORT))) {
            int64_t n = stored_of(view, wh_json_get_str(c, "id"), &last);

            cli_say(&cli->out, "%.*s: %" PRId64 " imported records%s%.*s\n",
                    WH_SLICE_ARG(wh_json_get_str(c, "id")), n, last.len ? ", the last at " : "",
                    WH_SLICE_ARG(last));
        }
    }
}

static void print_kinds(const struct cli *cli, const struct status_view *view)
{
    struct wh_json_val kinds;
    struct wh_json_val counts;
    struct wh_json_iter it;
    struct wh_slice name;
    struct cli_table t;

    if (!view->sink_ok || !wh_json_get(view->sink_root, WH_LIT("kinds"), &kinds)) {
        cli_say(&cli->out, "sink: %s\n", view->sink_err.msg);
        return;
    }
    cli_table_init(&t, 4);
    cli_table_str(&t, "kind");
    cli_table_str(&t, "rows");
    cli_table_str(&t, "deleted");
    cli_table_str(&t, "revisions");
    for (it = wh_json_iter(kinds); wh_json_next(&it, &name, &counts);) {
        cli_table_cell(&t, name);
        cli_table_int(&t, wh_json_get_int(counts, "entities", 0));
        cli_table_int(&t, wh_json_get_int(counts, "deleted", 0));
        cli_table_int(&t, wh_json_get_int(counts, "revisions", 0));
    }
    cli_say(&cli->out, "\n");
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
}

static void add_quantiles(struct cli_table *t, struct wh_json_val live, const char *window)
{
    struct wh_json_val f;
    char text[32];

    if (!wh_json_get(live, wh_slice_str(window), &f) || wh_json_get_int(f, "count", 0) == 0) {
        cli_table_str(t, "-");
        cli_table_str(t, "-");
        return;
    }
    cli_table_str(t, cli_seconds(cli_get_num(f, "p50_s", 0), text));
    cli_table_str(t, cli_seconds(cli_get_num(f, "p99_s", 0), text));
}

static int64_t count_of(struct wh_json_val live, const char *window)
{
    struct wh_json_val f;

    return wh_json_get(live, wh_slice_str(window), &f) ? wh_json_get_int(f, "count", 0) : 0;
}

static void add_window(struct cli_table *t, struct wh_slice kind, const char *label,
                       struct wh_json_val live, const char *receipt, const char *event)
{
    cli_table_cell(t, kind);
    cli_table_str(t, label);
    cli_table_int(t, count_of(live, receipt));
    add_quantiles(t, live, receipt);
    add_quantiles(t, live, event);
}

/* Why events of a kind were old when they became queryable. */
static void print_why(const struct cli *cli, struct wh_slice kind, struct wh_json_val live)
{
    static const char *const keys[] = {"why_hour", "why_day"};
    static const char *const windows[] = {"hour", "day"};
    struct wh_json_val why;
    struct wh_slice before = WH_LIT("");

    for (size_t i = 0; i < 2; i++) {
        struct wh_slice text = wh_json_get(live, wh_slice_str(keys[i]), &why)
                                   ? wh_json_get_str(why, "text")
                                   : WH_LIT("");

        if (text.len > 0 && !wh_slice_eq(text, before)) {
            cli_say(&cli->out, "%.*s of the last %s: %.*s\n", WH_SLICE_ARG(kind), windows[i],
                    WH_SLICE_ARG(text));
        }
        before = text;
    }
}

/* Webhooks by kind, of the last hour and day: since receipt, and since GitLab's own time (cut to
 * the second), to queryable. */
static void print_live(const struct cli *cli, const struct status_view *view)
{
    static const char *const heads[] = {"webhooks of", "last",      "count", "receipt p50",
                                        "p99",         "event p50", "p99"};
    struct wh_json_val all;
    struct wh_json_val f;
    struct wh_json_iter it;
    struct wh_slice kind;
    struct cli_table t;
    bool any = false;

    if (!wh_json_get(view->sink_root, WH_LIT("live"), &all)) {
        return;
    }
    cli_table_init(&t, sizeof(heads) / sizeof(heads[0]));
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        cli_table_str(&t, heads[i]);
    }
    for (it = wh_json_iter(all); wh_json_next(&it, &kind, &f); any = true) {
        int64_t hour = count_of(f, "receipt_hour");
        int64_t day = count_of(f, "receipt_day");

        if (hour != day) {
            add_window(&t, kind, "hour", f, "receipt_hour", "event_hour");
        }
        add_window(&t, kind, hour == day ? "hour, day" : "day", f, "receipt_day", "event_day");
    }
    if (any) {
        cli_say(&cli->out, "\n");
        cli_table_print(&t, &cli->out);
    }
    cli_table_done(&t);
    for (it = wh_json_iter(all); wh_json_next(&it, &kind, &f);) {
        print_why(cli, kind, f);
    }
}

enum { SEARCH_LATE_MS = 2000 };

/* Only when a search does not show what is stored. */
static void print_search(const struct cli *cli, const struct status_view *view)
{
    struct wh_json_val search;

    if (!wh_json_get(view->sink_root, WH_LIT("search"), &search)) {
        return;
    }
    if (wh_json_get_flag(search, "building")) {
        cli_say(&cli->out, "search: the index is being built, %" PRId64 " records read\n",
                wh_json_get_int(search, "read", 0));
    } else if (wh_json_get_int(search, "lag_ms", 0) >= SEARCH_LATE_MS) {
        cli_say(&cli->out, "search: %" PRId64 " changes behind\n",
                wh_json_get_int(search, "behind", 0));
    }
    if (wh_json_get_str(search, "error").len) {
        cli_say(&cli->out, "search: %.*s\n", WH_SLICE_ARG(wh_json_get_str(search, "error")));
    }
}

static void print_freshness(const struct cli *cli, const struct status_view *view)
{
    struct wh_json_val all;
    struct wh_json_val f;
    struct wh_json_iter it;
    struct wh_slice origin;
    char p50[32];
    char p99[32];

    if (!view->sink_ok || !wh_json_get(view->sink_root, WH_LIT("freshness"), &all)) {
        return;
    }
    cli_say(&cli->out, "\n");
    for (it = wh_json_iter(all); wh_json_next(&it, &origin, &f);) {
        int64_t n = wh_json_get_int(f, "count", 0);

        if (n > 0) {
            cli_say(&cli->out,
                    "freshness, %-8.*s receipt to queryable: p50 %s, p99 %s (%" PRId64
                    " rows, last hour)\n",
                    WH_SLICE_ARG(origin), cli_seconds(cli_get_num(f, "p50_s", 0), p50),
                    cli_seconds(cli_get_num(f, "p99_s", 0), p99), n);
        }
    }
    cli_say(&cli->out, "sink: %.*s, %" PRId64 " records behind, %" PRId64 " dead letters\n",
            WH_SLICE_ARG(wh_json_get_str(view->sink_root, "state")),
            wh_json_get_int(view->sink_root, "lag_records", -1),
            wh_json_get_int(view->sink_root, "dead_letters", 0));
    print_search(cli, view);
    print_live(cli, view);
}

void status_print_overview(const struct cli *cli, const struct status_view *v)
{
    status_print_health(cli, v);
    print_connections(cli, v);
    print_imports(cli, v);
    status_print_streams(cli, v);
    status_print_sync(cli, v);
    print_kinds(cli, v);
    print_freshness(cli, v);
}
