/* wellhead status: fetcher and sink asked, put side by side; --wait follows the first sync. */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/status_look.h"
#include "common/event/connection.h"
#include "common/json/json_write.h"

enum { ANSWER_MAX_BYTES = 32 << 20, POLL_MS = 500, SETTLED_MS = 3000, EMPTY_MS = 15000 };

static bool ask(struct cli *cli, const char *base, const char *token_file,
                struct cli_answer *answer, struct wh_json_parser *parser, struct wh_json_val *root,
                struct wh_err *err)
{
    if (cli_http(cli, "GET", base, WH_LIT("/api/v1/status"), token_file, WH_LIT(""), answer, err) !=
        WH_OK) {
        return false;
    }
    if (answer->status != 200) {
        (void)wh_fail(err, WH_E_UNAVAILABLE, "%s answers HTTP %u", base, answer->status);
        return false;
    }
    return wh_json_parse(parser, wh_buf_slice(&answer->body), root, err) == WH_OK;
}

void status_look_done(struct status_look *l)
{
    wh_buf_done(&l->fetcher.body);
    wh_buf_done(&l->sink.body);
    wh_json_parser_free(l->fetcher_parser);
    wh_json_parser_free(l->sink_parser);
}

bool status_look_at(struct cli *cli, struct status_look *l)
{
    *l = (struct status_look){0};
    l->fetcher_parser = wh_json_parser_new(ANSWER_MAX_BYTES, 32);
    l->sink_parser = wh_json_parser_new(ANSWER_MAX_BYTES, 32);
    if (l->fetcher_parser == NULL || l->sink_parser == NULL) {
        return false;
    }
    l->fetcher_ok = ask(cli, cli->conf.fetcher_url, cli->conf.fetcher_token_file, &l->fetcher,
                        l->fetcher_parser, &l->fetcher_root, &l->fetcher_err);
    l->sink_ok = ask(cli, cli->conf.sink_url, cli->conf.sink_token_file, &l->sink, l->sink_parser,
                     &l->sink_root, &l->sink_err);
    return true;
}

bool status_flag(struct wh_json_val object, const char *key)
{
    struct wh_json_val v;

    return wh_json_get(object, wh_slice_str(key), &v) && wh_json_type(v) == WH_JSON_BOOL &&
           wh_json_bool(v);
}

bool status_connections(const struct status_look *l, struct wh_json_val *ret)
{
    return l->fetcher_ok && wh_json_get(l->fetcher_root, WH_LIT("connections"), ret);
}

bool status_is_left(struct wh_json_val connection)
{
    return wh_connection_class(cli_get_str(connection, "state")) == WH_CONNECTION_MISSING;
}

/* ---- what is said ---- */

static void print_connections(const struct cli *cli, const struct status_look *l)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    struct cli_table t;

    if (!status_connections(l, &list)) {
        (void)printf("fetcher: %s\n", l->fetcher_err.msg);
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
        cli_table_cell(&t, cli_get_str(c, "id"));
        cli_table_cell(&t, cli_get_str(c, "state"));
        cli_table_int(&t, wh_json_get_int(c, "projects", 0));
        cli_table_int(&t, wh_json_get_int(c, "runs", 0));
        cli_table_int(&t, wh_json_get_int(c, "requests", 0));
        cli_table_cell(&t, cli_get_str(c, "error").len ? cli_get_str(c, "error")
                                                       : cli_get_str(c, "phase"));
    }
    cli_table_print(cli, &t, stdout);
    if (t.n_cells == 6) {
        (void)printf("no connection yet: `wellhead connect URL`\n");
    }
    cli_table_done(&t);
}

/* Where not all is read by REST: what each stream is read by, and why some are not. */
static void print_sources(const struct cli *cli, struct wh_json_val c)
{
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;
    struct cli_table t;
    bool all_rest = true;

    if (!wh_json_get(c, WH_LIT("streams"), &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        all_rest = all_rest && wh_slice_eq(cli_get_str(item, "read_by"), WH_LIT("rest"));
    }
    if (all_rest) {
        return;
    }
    cli_table_init(&t, 3);
    cli_table_cell(&t, cli_get_str(c, "id"));
    cli_table_str(&t, "read by");
    cli_table_str(&t, "");
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        struct wh_slice tool = cli_get_str(item, "tool");

        cli_table_cell(&t, cli_get_str(item, "stream"));
        cli_table_cell(&t, cli_get_str(item, "read_by"));
        cli_table_cell(&t, tool.len ? tool : cli_get_str(item, "reason"));
    }
    (void)printf("\n");
    cli_table_print(cli, &t, stdout);
    cli_table_done(&t);
}

static void print_all_sources(const struct cli *cli, const struct status_look *l)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;

    if (status_connections(l, &list)) {
        for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
            print_sources(cli, c);
        }
    }
}

static void print_kinds(const struct cli *cli, const struct status_look *l)
{
    struct wh_json_val kinds;
    struct wh_json_val counts;
    struct wh_json_iter it;
    struct wh_slice name;
    struct cli_table t;

    if (!l->sink_ok || !wh_json_get(l->sink_root, WH_LIT("kinds"), &kinds)) {
        (void)printf("sink: %s\n", l->sink_err.msg);
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
    (void)printf("\n");
    cli_table_print(cli, &t, stdout);
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

/* Webhooks by kind, of the last hour and day: since receipt, and since GitLab's own time (cut to
 * the second), to queryable. */
static void print_live(const struct cli *cli, const struct status_look *l)
{
    static const char *const heads[] = {"webhooks of", "last",      "count", "receipt p50",
                                        "p99",         "event p50", "p99"};
    struct wh_json_val all;
    struct wh_json_val f;
    struct wh_json_iter it;
    struct wh_slice kind;
    struct cli_table t;
    bool any = false;

    if (!wh_json_get(l->sink_root, WH_LIT("live"), &all)) {
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
        (void)printf("\n");
        cli_table_print(cli, &t, stdout);
    }
    cli_table_done(&t);
}

static void print_freshness(const struct cli *cli, const struct status_look *l)
{
    struct wh_json_val all;
    struct wh_json_val f;
    struct wh_json_iter it;
    struct wh_slice origin;
    char p50[32];
    char p99[32];

    if (!l->sink_ok || !wh_json_get(l->sink_root, WH_LIT("freshness"), &all)) {
        return;
    }
    (void)printf("\n");
    for (it = wh_json_iter(all); wh_json_next(&it, &origin, &f);) {
        int64_t n = wh_json_get_int(f, "count", 0);

        if (n > 0) {
            (void)printf("freshness, %-8.*s receipt to queryable: p50 %s, p99 %s (%" PRId64
                         " rows, last hour)\n",
                         WH_SLICE_ARG(origin), cli_seconds(cli_get_num(f, "p50_s", 0), p50),
                         cli_seconds(cli_get_num(f, "p99_s", 0), p99), n);
        }
    }
    (void)printf("sink: %.*s, %" PRId64 " records behind, %" PRId64 " dead letters\n",
                 WH_SLICE_ARG(cli_get_str(l->sink_root, "state")),
                 wh_json_get_int(l->sink_root, "lag_records", -1),
                 wh_json_get_int(l->sink_root, "dead_letters", 0));
    print_live(cli, l);
}

static bool healthy(const struct status_look *l)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!l->sink_ok || !status_connections(l, &list)) {
        return false;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
        struct wh_slice state = cli_get_str(c, "state");

        enum wh_connection_class class = wh_connection_class(state);

        /* Disconnected on purpose is no fault. */
        if (class == WH_CONNECTION_ERROR) {
            return false;
        }
    }
    return true;
}

static int print_json(const struct status_look *l)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_json_writer w;
    struct wh_err err;

    wh_buf_init(&out, (size_t)2 * ANSWER_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    wh_jw_key(&w, "ok");
    wh_jw_bool(&w, l->fetcher_ok && l->sink_ok);
    wh_jw_key(&w, "healthy");
    wh_jw_bool(&w, healthy(l));
    wh_jw_key(&w, "fetcher");
    wh_jw_raw(&w, l->fetcher_ok ? wh_buf_slice(&l->fetcher.body) : WH_LIT("null"));
    wh_jw_key(&w, "sink");
    wh_jw_raw(&w, l->sink_ok ? wh_buf_slice(&l->sink.body) : WH_LIT("null"));
    wh_jw_end(&w);
    if (wh_jw_finish(&w, &err) != WH_OK) {
        (void)fprintf(stderr, "wellhead: status: %s\n", err.msg);
        return CLI_FAILED;
    }
    return cli_print(wh_buf_slice(&out)) ? CLI_OK : CLI_FAILED;
}

/* ---- following the first sync ---- */

/* Every connection has run once, and all that it produced is in the store. */
static bool synced(const struct status_look *l, int64_t *ret_rows)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    size_t n = 0;

    *ret_rows = l->sink_ok ? wh_json_get_int(l->sink_root, "observations", 0) : 0;
    if (!l->sink_ok || !status_connections(l, &list)) {
        return false;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c); n++) {
        /* What is disconnected runs no more. */
        if (!status_is_left(c) && (wh_json_get_int(c, "runs", 0) == 0 ||
                                   !wh_slice_eq(cli_get_str(c, "phase"), WH_LIT("idle")))) {
            return false;
        }
    }
    return n > 0 && status_flag(l->sink_root, "caught_up");
}

/* Does the sink have records of the connection? */
static bool stored_any(const struct status_look *l, struct wh_slice connection)
{
    struct wh_json_val list;
    struct wh_json_val t;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!wh_json_get(l->sink_root, WH_LIT("topics"), &list)) {
        return false;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &t);) {
        if (wh_slice_eq(cli_get_str(t, "connection"), connection) &&
            wh_json_get_int(t, "stored_records", 0) > 0) {
            return true;
        }
    }
    return false;
}

static bool stored_of_all(const struct status_look *l)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!status_connections(l, &list)) {
        return false;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
        if (!status_is_left(c) && !stored_any(l, cli_get_str(c, "id"))) {
            return false;
        }
    }
    return true;
}

void status_pause_ms(int64_t ms)
{
    const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};

    (void)nanosleep(&ts, NULL);
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

static bool settled(struct settling *s, const struct status_look *l, bool is_synced, int64_t rows,
                    int64_t now_ms)
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
    if (now_ms - s->since_ms < EMPTY_MS && !stored_of_all(l)) {
        return false;
    }
    return still || (now_ms - s->since_ms >= SETTLED_MS &&
                     wh_json_get_int(l->sink_root, "lag_records", -1) == 0);
}

static int wait_synced(struct cli *cli)
{
    struct wh_clock clock = wh_clock_real();
    struct settling settling = {.last_rows = -1};
    int64_t end_ms = wh_clock_now_ms(&clock) + cli->opt.wait_ms;

    for (;;) {
        struct status_look l;
        int64_t rows = 0;
        bool is_synced = status_look_at(cli, &l) && synced(&l, &rows);
        bool done = settled(&settling, &l, is_synced, rows, wh_clock_now_ms(&clock));

        status_look_done(&l);
        if (isatty(STDERR_FILENO) && !cli->opt.quiet) {
            (void)fprintf(stderr, "\r\033[Ksyncing: %" PRId64 " observations stored", rows);
        }
        if (done || wh_clock_now_ms(&clock) > end_ms) {
            if (isatty(STDERR_FILENO) && !cli->opt.quiet) {
                (void)fprintf(stderr, "\r\033[K");
            }
            return done ? CLI_OK : CLI_TIMED_OUT;
        }
        status_pause_ms(POLL_MS);
    }
}

int cli_status(struct cli *cli)
{
    struct status_look l;
    int code;

    if (cli->opt.verify) {
        return status_verify(cli);
    }
    if (cli->opt.confirm_deletes) {
        return status_confirm_deletes(cli);
    }
    code = cli->opt.wait ? wait_synced(cli) : CLI_OK;

    if (!status_look_at(cli, &l)) {
        status_look_done(&l);
        (void)fprintf(stderr, "wellhead: status: out of memory\n");
        return CLI_FAILED;
    }
    if (cli->opt.format == CLI_JSON) {
        code = code ? code : print_json(&l);
    } else if (!cli->opt.quiet) {
        print_connections(cli, &l);
        print_all_sources(cli, &l);
        status_print_sync(cli, &l);
        print_kinds(cli, &l);
        print_freshness(cli, &l);
    }
    if (code == CLI_OK && cli->opt.check && !healthy(&l)) {
        code = CLI_NOT_HEALTHY;
    }
    if (code == CLI_OK && !l.fetcher_ok && !l.sink_ok) {
        code = CLI_FAILED;
    }
    if (code == CLI_TIMED_OUT) {
        (void)fprintf(stderr, "wellhead: the first sync is not done yet\n");
    }
    status_look_done(&l);
    return code;
}
