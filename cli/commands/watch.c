/* wellhead watch: the changes of the store as they happen, resumed wherever the stream breaks. */
#include <stdio.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/http/events.h"
#include "cli/out/value.h"
#include "common/base/backoff.h"
#include "common/base/enc.h"

enum {
    PATH_MAX_BYTES = 32 << 10,
    EVENT_DEPTH = 32,
    FIELDS_SHOWN = 4,
    VALUE_COLUMNS = 40,
    VALUE_MAX_BYTES = 4096,
    RETRY_FIRST_MS = 500,
    RETRY_MAX_MS = 30000,
};

struct watching {
    struct cli *cli;
    struct cli_events events;
    struct wh_json_parser *parser;
    int64_t shown;
    bool enough;    /* as many as --limit */
    bool unwritten; /* the output cannot be written */
    unsigned failures;
};

/* ---- one change ---- */

/* Of a list, a first look. */
static const char *text_of(struct wh_json_val v, struct wh_buf *out)
{
    cli_value_text(v, out);
    return out->len ? wh_buf_str(out) : "nothing";
}

static void print_field(const struct cli *cli, struct wh_slice name, struct wh_json_val field)
{
    WH_AUTO(buf) struct wh_buf before;
    WH_AUTO(buf) struct wh_buf after;
    struct wh_json_val v;
    const char *to;

    wh_buf_init(&before, VALUE_MAX_BYTES);
    wh_buf_init(&after, VALUE_MAX_BYTES);
    to = text_of(wh_json_get(field, WH_LIT("after"), &v) ? v : field, &after);
    if (wh_json_get(field, WH_LIT("before"), &v) && wh_json_type(v) != WH_JSON_NULL) {
        cli_say(&cli->out, "  %.*s: %.*s -> %.*s", WH_SLICE_ARG(name), VALUE_COLUMNS,
                text_of(v, &before), VALUE_COLUMNS, to);
    } else {
        cli_say(&cli->out, "  %.*s: %.*s", WH_SLICE_ARG(name), VALUE_COLUMNS, to);
    }
}

/* Of a new record the name says enough. */
static void print_fields(const struct cli *cli, struct wh_json_val change)
{
    struct wh_json_val fields = {0};
    struct wh_json_val field;
    struct wh_json_iter it;
    struct wh_slice name;
    size_t n = 0;

    if (!wh_json_get(change, WH_LIT("changes"), &fields) ||
        wh_slice_eq(wh_json_get_str(change, "operation"), WH_LIT("new"))) {
        return;
    }
    it = wh_json_iter(fields);
    while (wh_json_next(&it, &name, &field)) {
        if (n++ < FIELDS_SHOWN) {
            print_field(cli, name, field);
        }
    }
    if (n > FIELDS_SHOWN) {
        cli_say(&cli->out, "  and %zu more", n - FIELDS_SHOWN);
    }
}

static struct wh_slice name_of(struct wh_json_val change)
{
    static const char *const members[] = {"url", "title", "name", "username"};
    struct wh_json_val row = {0};
    struct wh_slice name = {NULL, 0};

    if (wh_json_get(change, WH_LIT("row"), &row) && wh_json_type(row) == WH_JSON_OBJECT) {
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]) && name.len == 0; i++) {
            name = wh_json_get_str(row, members[i]);
        }
    }
    return name.len ? name : wh_json_get_str(change, "id");
}

static void print_change(struct watching *w, const struct cli_event *event)
{
    const struct cli *cli = w->cli;
    struct wh_json_val change;
    struct wh_err err;

    if (wh_json_parse(w->parser, event->data, &change, &err) != WH_OK) {
        cli_note(&cli->out, "wellhead: watch: a change cannot be read\n");
        return;
    }
    cli_say(&cli->out, "%.*s  %-8.*s %-13.*s %.*s", WH_SLICE_ARG(wh_json_get_str(change, "time")),
            WH_SLICE_ARG(wh_json_get_str(change, "operation")),
            WH_SLICE_ARG(wh_json_get_str(change, "kind")), WH_SLICE_ARG(name_of(change)));
    print_fields(cli, change);
    cli_say(&cli->out, "\n");
}

/* ---- events ---- */

static void say_event(struct watching *w, const struct cli_event *event, const char *what)
{
    struct wh_json_val root;
    struct wh_err err;

    if (wh_json_parse(w->parser, event->data, &root, &err) == WH_OK) {
        cli_note(&w->cli->out, "wellhead: watch: %s: %.*s\n", what,
                 WH_SLICE_ARG(wh_json_get_str(root, "reason")));
    }
}

static bool take_change(struct watching *w, const struct cli_event *event)
{
    if (w->cli->opt.format == CLI_TEXT) {
        print_change(w, event);
    } else if (!cli_data(&w->cli->out, event->data)) {
        w->unwritten = true;
    }
    w->unwritten = w->unwritten || !cli_out_flush(&w->cli->out);
    w->enough = ++w->shown == w->cli->opt.limit;
    return !w->enough && !w->unwritten;
}

static bool on_event(void *ctx, const struct cli_event *event)
{
    struct watching *w = ctx;

    w->failures = 0;
    if (strcmp(event->name, "change") == 0) {
        return take_change(w, event);
    }
    if (strcmp(event->name, "gone") == 0) {
        say_event(w, event, "changes are missing here");
    } else if (strcmp(event->name, "end") == 0) {
        say_event(w, event, "the sink ended the stream");
    }
    return true;
}

static bool on_data(void *ctx, struct wh_slice bytes)
{
    return cli_events_take(&((struct watching *)ctx)->events, bytes);
}

/* ---- streams ---- */

static enum wh_rc add_argument(struct wh_buf *path, const char *name, const char *value,
                               struct wh_err *err)
{
    bool first = memchr(path->ptr, '?', path->len) == NULL;

    return wh_buf_printf(path, err, "%c%s=", first ? '?' : '&', name) == WH_OK
               ? wh_percent_encode(wh_slice_str(value), path, err)
               : err->rc;
}

static enum wh_rc write_path(const struct watching *w, struct wh_buf *path, struct wh_err *err)
{
    const struct cli_options *opt = &w->cli->opt;
    const char *since = w->events.id[0] ? w->events.id : opt->since;
    enum wh_rc rc = wh_buf_append(path, WH_LIT("/api/v1/changes"), err);

    for (size_t i = 1; i < opt->n_args && rc == WH_OK; i++) {
        rc = add_argument(path, "kind", opt->args[i], err);
    }
    if (rc == WH_OK && opt->where) {
        rc = add_argument(path, "where", opt->where, err);
    }
    return rc == WH_OK && since ? add_argument(path, "since", since, err) : rc;
}

/* Gives the exit code, or -1 to go on. */
static int after_stream(struct watching *w, const struct cli_answer *answer, enum wh_rc rc,
                        const struct wh_err *err)
{
    struct cli *cli = w->cli;

    if (w->enough) {
        return CLI_OK;
    }
    if (cli_interrupted(cli)) {
        return CLI_INTERRUPTED;
    }
    if (w->unwritten) {
        return CLI_FAILED;
    }
    if (rc == WH_OK && answer->status != 200 && (answer->status < 500 || w->events.id[0] == '\0')) {
        return cli_fail_answer(cli, "watch", answer);
    }
    if (rc != WH_OK && w->events.id[0] == '\0') {
        return cli_fail(cli, "watch", err);
    }
    if (w->failures++ == 0) {
        cli_note(&cli->out, "wellhead: watch: resuming behind %s\n", w->events.id);
    }
    cli_pause_ms(cli, wh_backoff_ms(RETRY_FIRST_MS, RETRY_MAX_MS, w->failures));
    return cli_interrupted(cli) ? CLI_INTERRUPTED : -1;
}

static int watch_once(struct watching *w)
{
    WH_AUTO(buf) struct wh_buf path;
    struct cli_answer answer = {0};
    struct wh_err err = {0};
    struct cli_request request = {.method = "GET",
                                  .base = w->cli->conf.sink_url,
                                  .token_file = w->cli->conf.sink_token_file,
                                  .on_data = on_data,
                                  .ctx = w};
    enum wh_rc rc;
    int code;

    wh_buf_init(&path, PATH_MAX_BYTES);
    if (write_path(w, &path, &err) != WH_OK) {
        return cli_fail(w->cli, "watch", &err);
    }
    request.path = wh_buf_slice(&path);
    cli_events_begin(&w->events);
    rc = cli_call_with(w->cli, &request, &answer, &err);
    code = after_stream(w, &answer, rc, &err);
    wh_buf_done(&answer.body);
    return code;
}

int cli_watch(struct cli *cli)
{
    struct watching w = {.cli = cli};
    int code = -1;

    w.parser = wh_json_parser_new(CLI_EVENT_MAX_BYTES, EVENT_DEPTH);
    if (w.parser == NULL) {
        cli_note(&cli->out, "wellhead: watch: no memory\n");
        return CLI_FAILED;
    }
    cli_events_init(&w.events, on_event, &w);
    cli_catch_interrupt(cli);
    while (code < 0) {
        code = watch_once(&w);
    }
    cli_events_done(&w.events);
    wh_json_parser_free(w.parser);
    return code;
}
