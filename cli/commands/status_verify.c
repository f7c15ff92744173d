/* wellhead status --verify: every number looked for at GitLab and counted in the store. */
#include <inttypes.h>
#include <string.h>

#include "cli/commands/status_print.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/base/time.h"
#include "common/json/json_write.h"

enum {
    PATH_MAX_BYTES = 160,
    ANSWER_MAX_BYTES = 64 << 20,
    DEFAULT_WAIT_MS = 3600000,
    QUIET_LOOKS = 3,
};

static const char *const streams[] = {"issues", "merge_requests"};
static const char *const kinds[] = {"issue", "merge_request"};

/* ---- asking for runs ---- */

static int ask_run(struct cli *cli, struct wh_slice id, const char *what)
{
    struct cli_answer answer;
    struct wh_err err;
    char path[PATH_MAX_BYTES];
    int n = snprintf(path, sizeof(path), "/api/v1/connections/%.*s/%s", WH_SLICE_ARG(id), what);
    int code = CLI_OK;

    if (cli_call(cli, "POST", cli->conf.fetcher_url, wh_slice(path, n > 0 ? (size_t)n : 0),
                 cli->conf.fetcher_token_file, WH_LIT("{}"), &answer, &err) != WH_OK) {
        code = cli_fail(cli, what, &err);
    } else if (answer.status != 202) {
        code = cli_fail_answer(cli, what, &answer);
    }
    wh_buf_done(&answer.body);
    return code;
}

/* The smallest number of runs that each connection must have ended: two more when one is under way,
 * as that one began before we asked. */
static int64_t runs_wanted(struct wh_json_val c)
{
    return wh_json_get_int(c, "runs", 0) +
           (wh_slice_eq(cli_get_str(c, "phase"), WH_LIT("idle")) ? 1 : 2);
}

enum { CONNECTIONS_MAX = 256, NOT_ASKED = -1 };

struct wanted {
    int64_t runs[CONNECTIONS_MAX]; /* or NOT_ASKED */
    size_t n;
    int64_t held; /* deletions that wait for a person */
};

static bool state_is(struct wh_json_val c, const char *state)
{
    return wh_slice_eq(cli_get_str(c, "state"), wh_slice_str(state));
}

static int ask_all(struct cli *cli, const char *what, struct wanted *wanted)
{
    struct status_view l;
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    int code = CLI_OK;

    if (!status_view_read(cli, &l) || !status_connections(&l, &list)) {
        code = cli_fail(cli, "status", &l.fetcher_err);
        status_view_done(&l);
        return code;
    }
    wanted->n = 0;
    for (it = wh_json_iter(list);
         code == CLI_OK && wanted->n < CONNECTIONS_MAX && wh_json_next(&it, &key, &c);) {
        wanted->held += wh_json_get_int(c, "held_deletes", 0);
        if (status_is_left(c) || state_is(c, "need_reconnect")) {
            wanted->runs[wanted->n++] = NOT_ASKED;
            continue;
        }
        wanted->runs[wanted->n++] = runs_wanted(c);
        code = ask_run(cli, cli_get_str(c, "id"), what);
    }
    status_view_done(&l);
    return code;
}

/* Every connection has ended its runs and the sink has what came of them; *ret_rows: its count. */
static bool ended(const struct status_view *l, const struct wanted *wanted, int64_t *ret_rows)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    size_t i = 0;

    *ret_rows = l->sink_ok ? wh_json_get_int(l->sink_root, "observations", 0) : -1;
    if (!status_connections(l, &list) || !l->sink_ok) {
        return false;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c) && i < wanted->n; i++) {
        if (wanted->runs[i] != NOT_ASKED &&
            (wh_json_get_int(c, "runs", 0) < wanted->runs[i] ||
             !wh_slice_eq(cli_get_str(c, "phase"), WH_LIT("idle")))) {
            return false;
        }
    }
    return i == wanted->n && wh_json_get_int(l->sink_root, "lag_records", -1) == 0;
}

/* Between fetcher and sink the mapper may lag: done when a few looks see no new row. */
static int await(struct cli *cli, const struct wanted *wanted)
{
    int64_t last_rows = -1;
    unsigned quiet = 0;
    int64_t end_ms =
        cli_now_ms(cli) + (cli->opt.wait_ms == CLI_NOT_GIVEN ? DEFAULT_WAIT_MS : cli->opt.wait_ms);

    while (quiet < QUIET_LOOKS) {
        struct status_view l;
        int64_t rows = -1;

        if (status_view_read(cli, &l) && ended(&l, wanted, &rows) && rows == last_rows) {
            quiet++;
        } else {
            quiet = 0;
        }
        last_rows = rows;
        status_view_done(&l);
        if (cli_now_ms(cli) > end_ms) {
            cli_note(&cli->out, "wellhead: the run is not done yet\n");
            return CLI_TIMED_OUT;
        }
        cli_pause_ms(cli, STATUS_POLL_MS);
    }
    return CLI_OK;
}

/* Did the newest run that lists everything end well? What a failed one leaves is older. */
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
        if (wh_slice_eq(cli_get_str(run, "kind"), WH_LIT("sweep"))) {
            ok = cli_get_flag(run, "ok");
        }
    }
    return ok;
}

/* Connections that the run could not read, each said with its reason. */
static size_t count_unread(const struct cli *cli, const struct status_view *l)
{
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    size_t n = 0;

    if (!status_connections(l, &list)) {
        return 0;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
        if (!status_is_left(c) && !was_read(c)) {
            struct wh_slice why =
                cli_get_str(c, state_is(c, "need_reconnect") ? "detail" : "error");

            cli_note(&cli->out, "wellhead: %.*s could not be read: %.*s\n",
                     WH_SLICE_ARG(cli_get_str(c, "id")),
                     WH_SLICE_ARG(why.len ? why : WH_LIT("see the fetcher's log")));
            n++;
        }
    }
    return n;
}

/* ---- counting ---- */

/* Live entities by instance, project and kind, as the store has them: one row with one JSON text,
 * as there may be more projects than an answer may have rows. */
static enum wh_rc count_stored(struct cli *cli, struct cli_answer *answer, struct wh_err *err)
{
    static const char query[] =
        "{\"query\":\"select json_group_array(json_array(instance, source_project_id, source_kind, "
        "n)) "
        "from (select instance, source_project_id, source_kind, count(*) n from work_items where "
        "source_kind in ('issue', 'merge_request') group by 1, 2, 3)\",\"format\":\"json\"}";

    if (cli_call(cli, "POST", cli->conf.sink_url, WH_LIT("/api/v1/sql"), cli->conf.sink_token_file,
                 wh_slice_str(query), answer, err) != WH_OK) {
        return err->rc;
    }
    return answer->status == 200
               ? WH_OK
               : wh_fail(err, WH_E_UNAVAILABLE, "the sink answers HTTP %u", answer->status);
}

/* The first value of a container; false when it is empty. */
static bool first(struct wh_json_val container, struct wh_json_val *ret)
{
    struct wh_json_iter it = wh_json_iter(container);
    struct wh_slice key;

    return wh_json_next(&it, &key, ret);
}

/* The counts inside the answer. */
static enum wh_rc read_stored(const struct cli_answer *answer, struct wh_json_parser *outer,
                              struct wh_json_parser *inner, struct wh_json_val *ret,
                              struct wh_err *err)
{
    struct wh_json_val root;
    struct wh_json_val rows;
    struct wh_json_val row;
    struct wh_json_val text;

    if (wh_json_parse(outer, wh_buf_slice(&answer->body), &root, err) != WH_OK) {
        return err->rc;
    }
    if (!wh_json_get(root, WH_LIT("rows"), &rows) || !first(rows, &row) || !first(row, &text)) {
        return wh_fail(err, WH_E_INVALID, "the sink's answer cannot be read");
    }
    if (wh_json_type(text) == WH_JSON_ARRAY) {
        *ret = text;
        return WH_OK;
    }
    return wh_json_parse(inner, wh_json_string(text), ret, err);
}

/* [instance, project, kind, count] */
static bool count_is(struct wh_json_val row, const struct wh_slice want[3], int64_t *ret)
{
    struct wh_json_iter it = wh_json_iter(row);
    struct wh_json_val v;
    struct wh_slice key;

    for (size_t i = 0; i < 3; i++) {
        if (!wh_json_next(&it, &key, &v) || !wh_slice_eq(wh_json_string(v), want[i])) {
            return false;
        }
    }
    *ret = wh_json_next(&it, &key, &v) ? wh_json_int(v) : 0;
    return true;
}

static int64_t stored(struct wh_json_val counts, struct wh_slice instance, struct wh_slice project,
                      const char *kind)
{
    const struct wh_slice want[3] = {instance, project, wh_slice_str(kind)};
    struct wh_json_iter it = wh_json_iter(counts);
    struct wh_json_val row;
    struct wh_slice key;
    int64_t n = 0;

    while (wh_json_next(&it, &key, &row)) {
        if (count_is(row, want, &n)) {
            return n;
        }
    }
    return 0;
}

/* ---- the result ---- */

static const char *const columns[] = {"expected", "have",      "missing", "deleted",     "hidden",
                                      "moved",    "no_access", "held",    "confidential"};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

struct result {
    struct cli *cli;
    struct cli_table table;
    struct wh_json_writer json;
    size_t lines;
    size_t bad;
    size_t unread; /* connections */
};

static const char *verdict(struct wh_json_val n, int64_t in_store)
{
    if (wh_json_get_int(n, "missing", 0) > 0) {
        return "numbers are missing";
    }
    if (wh_json_get_int(n, "held", 0) > 0) {
        return "deletions are held";
    }
    return in_store == wh_json_get_int(n, "have", 0) ? "complete" : "the store differs";
}

static void add_line(struct result *r, struct wh_json_val project, const char *stream,
                     struct wh_json_val n, int64_t in_store)
{
    const char *word = verdict(n, in_store);
    struct wh_slice path = cli_get_str(project, "path");

    r->lines++;
    r->bad += strcmp(word, "complete") != 0;
    cli_table_cell(&r->table, path.len ? path : cli_get_str(project, "project"));
    cli_table_str(&r->table, stream);
    wh_jw_object(&r->json);
    wh_jw_put_str(&r->json, "project", cli_get_str(project, "project"));
    wh_jw_put_str(&r->json, "path", path);
    wh_jw_put_str(&r->json, "stream", wh_slice_str(stream));
    for (size_t i = 0; i < COLUMNS; i++) {
        cli_table_int(&r->table, wh_json_get_int(n, columns[i], 0));
        wh_jw_key(&r->json, columns[i]);
        wh_jw_int(&r->json, wh_json_get_int(n, columns[i], 0));
    }
    cli_table_int(&r->table, in_store);
    cli_table_str(&r->table, word);
    wh_jw_put_int(&r->json, "in_store", in_store);
    wh_jw_put_str(&r->json, "verdict", wh_slice_str(word));
    wh_jw_end(&r->json);
}

static void add_connection(struct result *r, struct wh_json_val c, struct wh_json_val rows)
{
    struct wh_json_val projects;
    struct wh_json_val p;
    struct wh_json_val n;
    struct wh_json_iter it;
    struct wh_slice key;

    if (status_is_left(c) || !wh_json_get(c, WH_LIT("completeness"), &projects)) {
        return;
    }
    for (it = wh_json_iter(projects); wh_json_next(&it, &key, &p);) {
        for (size_t s = 0; s < 2; s++) {
            if (wh_json_get(p, WH_LIT("streams"), &n) &&
                wh_json_get(n, wh_slice_str(streams[s]), &n)) {
                add_line(
                    r, p, streams[s], n,
                    stored(rows, cli_get_str(c, "instance"), cli_get_str(p, "project"), kinds[s]));
            }
        }
    }
}

static int print_result(struct result *r, struct wh_buf *json)
{
    struct wh_err err;

    wh_jw_end(&r->json);
    wh_jw_put_bool(&r->json, "complete", r->bad == 0 && r->unread == 0);
    wh_jw_put_int(&r->json, "unread_connections", (int64_t)r->unread);
    wh_jw_end(&r->json);
    if (wh_jw_finish(&r->json, &err) != WH_OK) {
        return cli_fail(r->cli, "verify", &err);
    }
    if (r->cli->opt.format == CLI_JSON) {
        (void)!cli_data(&r->cli->out, wh_buf_slice(json));
    } else {
        cli_table_print(&r->table, &r->cli->out);
        if (r->unread) {
            cli_say(&r->cli->out, "not verified: what is shown is what was known before\n");
        } else if (r->lines == 0) {
            cli_say(&r->cli->out, "nothing to verify: no numbered project is read\n");
        } else {
            cli_say(&r->cli->out,
                    r->bad ? "%zu of %zu are not complete\n" : "all complete: %zu of %zu\n",
                    r->bad ? r->bad : r->lines, r->lines);
        }
    }
    return r->bad || r->unread ? CLI_NOT_HEALTHY : CLI_OK;
}

static int show(struct cli *cli, const struct status_view *l, struct wh_json_val rows)
{
    struct result r = {.cli = cli, .unread = count_unread(cli, l)};
    WH_AUTO(buf) struct wh_buf json;
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;
    int code;

    wh_buf_init(&json, ANSWER_MAX_BYTES);
    wh_json_writer_init(&r.json, &json);
    cli_table_init(&r.table, COLUMNS + 4);
    cli_table_str(&r.table, "project");
    cli_table_str(&r.table, "stream");
    for (size_t i = 0; i < COLUMNS; i++) {
        cli_table_str(&r.table, columns[i]);
    }
    cli_table_str(&r.table, "in store");
    cli_table_str(&r.table, "verdict");
    wh_jw_object(&r.json);
    wh_jw_key(&r.json, "ok");
    wh_jw_bool(&r.json, true);
    wh_jw_key(&r.json, "rows");
    wh_jw_array(&r.json);
    if (status_connections(l, &list)) {
        for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
            add_connection(&r, c, rows);
        }
    }
    code = print_result(&r, &json);
    cli_table_done(&r.table);
    return code;
}

static int compare(struct cli *cli)
{
    struct wh_json_parser *outer = wh_json_parser_new(ANSWER_MAX_BYTES, 32);
    struct wh_json_parser *inner = wh_json_parser_new(ANSWER_MAX_BYTES, 32);
    struct cli_answer answer = {0};
    struct status_view l = {0};
    struct wh_json_val counts;
    struct wh_err err;
    int code;

    if (outer == NULL || inner == NULL || !status_view_read(cli, &l)) {
        cli_note(&cli->out, "wellhead: status: out of memory\n");
        code = CLI_FAILED;
    } else if (count_stored(cli, &answer, &err) != WH_OK ||
               read_stored(&answer, outer, inner, &counts, &err) != WH_OK) {
        code = cli_fail(cli, "counting the store", &err);
    } else {
        code = show(cli, &l, counts);
    }
    wh_buf_done(&answer.body);
    status_view_done(&l);
    wh_json_parser_free(outer);
    wh_json_parser_free(inner);
    return code;
}

int status_verify(struct cli *cli)
{
    struct wanted wanted = {0};
    int code = ask_all(cli, "verify", &wanted);

    if (code == CLI_OK) {
        code = await(cli, &wanted);
    }
    return code == CLI_OK ? compare(cli) : code;
}

static int say_confirmed(struct cli *cli, const struct wanted *wanted)
{
    struct status_view l;
    bool known = status_view_read(cli, &l);
    size_t unread = known ? count_unread(cli, &l) : 0;

    status_view_done(&l);
    if (!known || unread) {
        return CLI_NOT_HEALTHY;
    }
    if (cli->opt.format == CLI_JSON) {
        cli_say(&cli->out, "{\"ok\":true,\"confirmed\":%" PRId64 "}\n", wanted->held);
    } else if (!cli->opt.quiet && wanted->held > 0) {
        cli_say(&cli->out, "%" PRId64 " deletions were held, and are told now\n", wanted->held);
    } else if (!cli->opt.quiet) {
        cli_say(&cli->out, "no deletion was held\n");
    }
    return CLI_OK;
}

int status_confirm_deletes(struct cli *cli)
{
    struct wanted wanted = {0};
    int code = ask_all(cli, "confirm-deletes", &wanted);

    if (code == CLI_OK) {
        code = await(cli, &wanted);
    }
    return code == CLI_OK ? say_confirmed(cli, &wanted) : code;
}
