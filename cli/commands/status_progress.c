#include "cli/commands/status_progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/out/value.h"

enum { LINE_MAX_BYTES = 256, SAY_EVERY_MS = 10000 };

/* Of all connections that are read. */
struct sums {
    int64_t lists;
    int64_t lists_read;
    int64_t rows;
    int64_t projects;
    bool listing_projects;
    bool checking;
};

static int64_t rows_of(struct wh_json_val connection)
{
    struct wh_json_val streams;
    struct wh_json_val stream;
    struct wh_json_iter it;
    struct wh_slice key;
    int64_t n = 0;

    if (wh_json_get(connection, WH_LIT("streams"), &streams)) {
        for (it = wh_json_iter(streams); wh_json_next(&it, &key, &stream);) {
            n += wh_json_get_int(stream, "rows", 0);
        }
    }
    return n;
}

static void add(struct sums *s, struct wh_json_val c)
{
    struct wh_slice phase = wh_json_get_str(c, "phase");

    s->lists += wh_json_get_int(c, "lists", 0);
    s->lists_read += wh_json_get_int(c, "lists_read", 0);
    s->rows += rows_of(c);
    s->projects += wh_json_get_int(c, "projects", 0);
    s->listing_projects = s->listing_projects || wh_slice_eq(phase, WH_LIT("projects"));
    s->checking = s->checking || wh_slice_eq(phase, WH_LIT("check"));
}

static struct sums sum(const struct status_view *view)
{
    struct sums s = {0};
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;

    if (status_connections(view, &list)) {
        for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
            if (!status_is_left(c)) {
                add(&s, c);
            }
        }
    }
    return s;
}

static void write_reading(const struct status_view *view, char text[LINE_MAX_BYTES])
{
    struct sums s = sum(view);

    if (!view->fetcher_ok) {
        (void)snprintf(text, LINE_MAX_BYTES, "the fetcher does not answer");
    } else if (s.listing_projects) {
        (void)snprintf(text, LINE_MAX_BYTES, "listing projects: %" PRId64 " so far", s.projects);
    } else {
        (void)snprintf(text, LINE_MAX_BYTES,
                       "reading: %" PRId64 " of %" PRId64 " lists, %" PRId64 " rows%s",
                       s.lists_read, s.lists, s.rows, s.checking ? "; looking for gaps" : "");
    }
}

static void write_storing(const struct status_view *view, char text[LINE_MAX_BYTES])
{
    int64_t stored = view->sink_ok ? wh_json_get_int(view->sink_root, "observations", 0) : 0;
    int64_t behind = view->sink_ok ? wh_json_get_int(view->sink_root, "lag_records", -1) : 0;

    if (!view->sink_ok) {
        (void)snprintf(text, LINE_MAX_BYTES, "the sink does not answer");
    } else if (behind < 0) {
        (void)snprintf(text, LINE_MAX_BYTES, "stored: %" PRId64 " records", stored);
    } else {
        (void)snprintf(text, LINE_MAX_BYTES, "stored: %" PRId64 " of %" PRId64 " records", stored,
                       stored + behind);
    }
}

void status_progress(const struct cli *cli, struct status_progress *p,
                     const struct status_view *view)
{
    int64_t now_ms = cli_now_ms(cli);
    char reading[LINE_MAX_BYTES];
    char storing[LINE_MAX_BYTES];

    if (cli->opt.quiet) {
        return;
    }
    write_reading(view, reading);
    write_storing(view, storing);
    cli_progress(&cli->out, "%s; %s", reading, storing);
    if (p->said_ms == 0) {
        p->said_ms = now_ms;
    }
    if (!cli->out.messages_terminal && now_ms - p->said_ms >= SAY_EVERY_MS) {
        cli_note(&cli->out, "%s; %s\n", reading, storing);
        p->said_ms = now_ms;
    }
}

void status_progress_end(const struct cli *cli)
{
    cli_progress_end(&cli->out);
}

int status_progress_interrupted(const struct cli *cli)
{
    cli_note(&cli->out, "wellhead: the sync goes on without this command; `wellhead status` shows "
                        "how far it is, and `wellhead status --wait 30m` waits again\n");
    return CLI_INTERRUPTED;
}
