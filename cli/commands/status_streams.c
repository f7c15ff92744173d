/* wellhead status: prints the streams of each connection with their states. */
#include <inttypes.h>

#include "cli/commands/status_print.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/base/time.h"

enum { READER_MAX = 96 };

/* "rest, read_api token", "list_issues, approval", "-" */
static void add_reader(struct cli_table *t, struct wh_json_val one)
{
    struct wh_slice read_by = wh_json_get_str(one, "read_by");
    struct wh_slice tool = wh_json_get_str(one, "tool");
    struct wh_slice credential = wh_json_get_str(one, "credential");
    char text[READER_MAX];

    if (read_by.len == 0 || wh_slice_eq(read_by, WH_LIT("none"))) {
        cli_table_str(t, "-");
        return;
    }
    (void)snprintf(text, sizeof(text), "%.*s%s%.*s%s%.*s", WH_SLICE_ARG(read_by),
                   tool.len ? " " : "", WH_SLICE_ARG(tool), credential.len ? ", " : "",
                   WH_SLICE_ARG(credential));
    cli_table_str(t, text);
}

/* null: not known. */
static void add_count(struct cli_table *t, struct wh_json_val one, const char *name)
{
    int64_t n = wh_json_get_int(one, name, -1);

    if (n < 0) {
        cli_table_str(t, "-");
    } else {
        cli_table_int(t, n);
    }
}

/* The sink tells times as text, the fetcher in ms. */
static void add_success(struct cli_table *t, struct wh_json_val one)
{
    struct wh_slice text = wh_json_get_str(one, "last_success");
    int64_t ms = wh_json_get_int(one, "last_success_ms", 0);
    char at[WH_TIME_TEXT_MAX];

    if (text.len > 0) {
        cli_table_cell(t, text);
    } else {
        cli_table_str(t, ms > 0 ? wh_time_format(ms, at) : "never");
    }
}

static void add_stream(struct cli_table *t, struct wh_json_val one)
{
    struct wh_slice state = wh_json_get_str(one, "state");

    if (state.len == 0) {
        return; /* a part of another one */
    }
    cli_table_cell(t, wh_json_get_str(one, "stream"));
    cli_table_cell(t, state);
    add_reader(t, one);
    add_count(t, one, "at_gitlab");
    add_count(t, one, "stored");
    cli_table_cell(t, wh_json_get_str(one, "counted_by"));
    add_success(t, one);
    cli_table_cell(t, wh_json_get_str(one, "reason"));
}

static void print_streams(const struct cli *cli, struct wh_slice connection,
                          struct wh_json_val list)
{
    static const char *const heads[] = {"state",      "read by",      "at GitLab", "stored",
                                        "counted by", "last success", ""};
    struct wh_json_val one;
    struct wh_json_iter it;
    struct wh_slice key;
    struct cli_table t;

    cli_table_init(&t, sizeof(heads) / sizeof(heads[0]) + 1);
    cli_table_cell(&t, connection);
    cli_table_head(&t, heads, sizeof(heads) / sizeof(heads[0]));
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &one);) {
        add_stream(&t, one);
    }
    cli_say(&cli->out, "\n");
    cli_table_print(&t, &cli->out);
    cli_table_done(&t);
}

void status_print_streams(const struct cli *cli, const struct status_view *view)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_val streams;
    struct wh_json_iter it;
    struct wh_slice key;
    bool by_sink = view->sink_ok && wh_json_get(view->sink_root, WH_LIT("streams"), &list);

    if (!by_sink && !status_connections(view, &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
        if ((by_sink || !status_is_left(c)) && wh_json_get(c, WH_LIT("streams"), &streams)) {
            print_streams(cli, wh_json_get_str(c, by_sink ? "connection" : "id"), streams);
        }
    }
}
