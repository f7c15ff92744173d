/* wellhead status --wait: until the first sync is in the store. */
#include "cli/commands/status_print.h"
#include "cli/commands/status_progress.h"
#include "cli/out/value.h"

enum { SETTLED_MS = 3000, EMPTY_MS = 15000 };

/* Has every connection finished a run, and has the sink stored all records that it knows of? */
static bool synced(const struct status_view *view, int64_t *ret_rows)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    size_t n = 0;

    *ret_rows = view->sink_ok ? wh_json_get_int(view->sink_root, "observations", 0) : 0;
    if (!view->sink_ok || !status_connections(view, &list)) {
        return false;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c); n++) {
        /* A disconnected connection runs no more. */
        if (!status_is_left(c) && (wh_json_get_int(c, "runs", 0) == 0 ||
                                   !wh_slice_eq(wh_json_get_str(c, "phase"), WH_LIT("idle")))) {
            return false;
        }
    }
    return n > 0 && wh_json_get_flag(view->sink_root, "caught_up");
}

/* Has the sink stored records of the connection? */
static bool stored_any(const struct status_view *view, struct wh_slice connection)
{
    struct wh_json_val list;
    struct wh_json_val t;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!wh_json_get(view->sink_root, WH_LIT("topics"), &list)) {
        return false;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &t);) {
        if (wh_slice_eq(wh_json_get_str(t, "connection"), connection) &&
            wh_json_get_int(t, "stored_records", 0) > 0) {
            return true;
        }
    }
    return false;
}

static bool stored_of_all(const struct status_view *view)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!status_connections(view, &list)) {
        return false;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
        if (!status_is_left(c) && !stored_any(view, wh_json_get_str(c, "id"))) {
            return false;
        }
    }
    return true;
}

/*
 * Between fetcher and sink the mapper may lag: done when two looks in a row see no new row. Where
 * webhooks keep coming that may never be, so that some seconds without a lag do, too.
 * Mapper and sink find the topics of a new connection seconds later, and see no lag until then:
 * a connection without a record is waited for, up to what an empty GitLab is worth.
 */
struct settling {
    int64_t last_rows;
    int64_t since_ms; /* synced; 0 not yet */
};

static bool settled(struct settling *s, const struct status_view *view, bool is_synced,
                    int64_t rows, int64_t now_ms)
{
    bool still = rows == s->last_rows;

    s->last_rows = rows;
    if (!is_synced) {
        s->since_ms = 0;
        return false;
    }
    if (s->since_ms == 0) {
        s->since_ms = now_ms;
    }
    if (now_ms - s->since_ms < EMPTY_MS && !stored_of_all(view)) {
        return false;
    }
    return still || (now_ms - s->since_ms >= SETTLED_MS &&
                     wh_json_get_int(view->sink_root, "lag_records", -1) == 0);
}

int status_wait(struct cli *cli)
{
    struct settling settling = {.last_rows = -1};
    struct status_progress progress = {0};
    int64_t end_ms = cli_now_ms(cli) + cli->opt.wait_ms;

    cli_catch_interrupt(cli);
    for (;;) {
        struct status_view view;
        int64_t rows = 0;
        bool is_synced = status_view_read(cli, &view) && synced(&view, &rows);
        bool done = settled(&settling, &view, is_synced, rows, cli_now_ms(cli));

        if (!cli_interrupted(cli)) { /* it may have cut off the answers */
            status_progress(cli, &progress, &view);
        }
        status_view_done(&view);
        if (done || cli_interrupted(cli) || cli_now_ms(cli) > end_ms) {
            status_progress_end(cli);
            return done                   ? CLI_OK
                   : cli_interrupted(cli) ? status_progress_interrupted(cli)
                                          : CLI_TIMED_OUT;
        }
        cli_pause_ms(cli, STATUS_POLL_MS);
    }
}
