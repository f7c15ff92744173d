#include "cli/commands/status_progress.h"
#include "cli/commands/status_runs.h"

#include "cli/out/value.h"

enum { PATH_MAX_BYTES = 160, DEFAULT_WAIT_MS = 3600000, QUIET_POLLS = 3 };

static int ask_run(struct cli *cli, struct wh_slice id, const char *what)
{
    struct cli_answer answer;
    struct wh_err err;
    char path[PATH_MAX_BYTES];
    int n = snprintf(path, sizeof(path), "/api/v1/connections/%.*s/%s", WH_SLICE_ARG(id), what);
    int code = CLI_OK;

    if (cli_call(cli, "POST", cli->conf.fetcher_url, wh_slice(path, n > 0 ? (size_t)n : 0),
                 cli->conf.fetcher_token_file, WH_LIT(""), &answer, &err) != WH_OK) {
        code = cli_fail(cli, what, &err);
    } else if (answer.status != 202) {
        code = cli_fail_answer(cli, what, &answer);
    }
    wh_buf_done(&answer.body);
    return code;
}

/* How many runs the connection must have finished. A run in progress began before we asked, so that
 * only the one after it counts. */
static int64_t runs_wanted(struct wh_json_val c)
{
    return wh_json_get_int(c, "runs", 0) +
           (wh_slice_eq(wh_json_get_str(c, "phase"), WH_LIT("idle")) ? 1 : 2);
}

static bool state_is(struct wh_json_val c, const char *state)
{
    return wh_slice_eq(wh_json_get_str(c, "state"), wh_slice_str(state));
}

int status_runs_ask(struct cli *cli, const char *what, struct status_runs *runs)
{
    struct status_view view;
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    int code = CLI_OK;

    if (!status_view_read(cli, &view) || !status_connections(&view, &list)) {
        code = cli_fail(cli, "status", &view.fetcher_err);
        status_view_done(&view);
        return code;
    }
    runs->n = 0;
    for (it = wh_json_iter(list);
         code == CLI_OK && runs->n < STATUS_CONNECTIONS_MAX && wh_json_next(&it, &key, &c);) {
        runs->held += wh_json_get_int(c, "held_deletes", 0);
        if (status_is_left(c) || state_is(c, "need_reconnect")) {
            runs->runs[runs->n++] = STATUS_NOT_ASKED;
            continue;
        }
        runs->runs[runs->n++] = runs_wanted(c);
        code = ask_run(cli, wh_json_get_str(c, "id"), what);
    }
    status_view_done(&view);
    return code;
}

/* Has every connection finished its runs, and has the sink stored everything that it has received?
 * *ret_rows is the number of observations in the sink. */
static bool ended(const struct status_view *view, const struct status_runs *runs, int64_t *ret_rows)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    size_t i = 0;

    *ret_rows = view->sink_ok ? wh_json_get_int(view->sink_root, "observations", 0) : -1;
    if (!status_connections(view, &list) || !view->sink_ok) {
        return false;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c) && i < runs->n; i++) {
        if (runs->runs[i] != STATUS_NOT_ASKED &&
            (wh_json_get_int(c, "runs", 0) < runs->runs[i] ||
             !wh_slice_eq(wh_json_get_str(c, "phase"), WH_LIT("idle")))) {
            return false;
        }
    }
    return i == runs->n && wh_json_get_int(view->sink_root, "lag_records", -1) == 0 &&
           status_waiting(view, status_runs_ended_ms(view)) == 0;
}

int64_t status_runs_ended_ms(const struct status_view *view)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    int64_t newest = 0;

    if (status_connections(view, &list)) {
        for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
            int64_t at_ms = wh_json_get_int(c, "run_finished_ms", 0);

            newest = at_ms > newest ? at_ms : newest;
        }
    }
    return newest;
}

/* The mapper may lag between fetcher and sink: wait until nothing waits for either, and several polls in a row see no
 * new row. */
int status_runs_await(struct cli *cli, const struct status_runs *runs)
{
    struct status_progress progress = {0};
    int64_t last_rows = -1;
    unsigned quiet = 0;
    int64_t end_ms =
        cli_now_ms(cli) + (cli->opt.wait_ms == CLI_NOT_GIVEN ? DEFAULT_WAIT_MS : cli->opt.wait_ms);

    cli_catch_interrupt(cli);
    while (quiet < QUIET_POLLS) {
        struct status_view view;
        int64_t rows = -1;

        if (status_view_read(cli, &view) && ended(&view, runs, &rows) && rows == last_rows) {
            quiet++;
        } else {
            quiet = 0;
        }
        last_rows = rows;
        if (!cli_interrupted(cli)) { /* it may have cut off the answers */
            status_progress(cli, &progress, &view);
        }
        status_view_done(&view);
        if (cli_interrupted(cli)) {
            status_progress_end(cli);
            return status_progress_interrupted(cli);
        }
        if (cli_now_ms(cli) > end_ms) {
            status_progress_end(cli);
            cli_note(&cli->out, "wellhead: the run is not done yet\n");
            return CLI_TIMED_OUT;
        }
        cli_pause_ms(cli, STATUS_POLL_MS);
    }
    status_progress_end(cli);
    return CLI_OK;
}

/* Did the newest run that lists everything succeed? Numbers left by a failed one are out of date. */
static bool was_read(struct wh_json_val c)
{
    struct wh_json_val runs;
    struct wh_json_val run;
    struct wh_json_iter it;
    struct wh_slice key;
    bool ok = false;

    if (state_is(c, "need_reconnect") || !wh_json_get(c, WH_LIT("last_runs"), &runs)) {
        return false;
    }
    for (it = wh_json_iter(runs); wh_json_next(&it, &key, &run);) {
        if (wh_slice_eq(wh_json_get_str(run, "kind"), WH_LIT("sweep"))) {
            ok = wh_json_get_flag(run, "ok");
        }
    }
    return ok;
}

size_t status_runs_unread(const struct cli *cli, const struct status_view *view)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    size_t n = 0;

    if (!status_connections(view, &list)) {
        return 0;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
        if (!status_is_left(c) && !was_read(c)) {
            struct wh_slice why =
                wh_json_get_str(c, state_is(c, "need_reconnect") ? "detail" : "error");

            cli_note(&cli->out, "wellhead: %.*s could not be read: %.*s\n",
                     WH_SLICE_ARG(wh_json_get_str(c, "id")),
                     WH_SLICE_ARG(why.len ? why : WH_LIT("see the fetcher's log")));
            n++;
        }
    }
    return n;
}
