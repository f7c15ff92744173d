/* wellhead status --verify: compares what has numbers at GitLab with the store. */
#include <inttypes.h>
#include <string.h>

#include "cli/commands/status_print.h"
#include "cli/commands/status_runs.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "common/base/time.h"
#include "common/json/json_write.h"

enum { ANSWER_MAX_BYTES = 64 << 20, DEPTH_MAX = 32 };

static const char *const streams[] = {"issues", "merge_requests", "pipelines", "jobs"};
static const char *const kinds[] = {"issue", "merge_request", "pipeline", "job"};

enum { STREAMS = sizeof(streams) / sizeof(streams[0]) };

/* ---- counting ---- */

/* Counts entities that are not deleted, by instance, project and kind. The answer is one row with one
 * JSON text, because there may be more projects than an answer may have rows. */
static enum wh_rc count_stored(struct cli *cli, struct cli_answer *answer, struct wh_err *err)
{
    static const char query[] =
        "{\"query\":\"select json_group_array(json_array(instance, source_project_id, source_kind, "
        "n)) "
        "from (select instance, source_project_id, source_kind, count(*) n from work_items where "
        "source_kind in ('issue', 'merge_request') group by 1, 2, 3 union all "
        "select instance, source_project_id, source_kind, count(*) n from build_records where "
        "source_kind = 'pipeline' group by 1, 2, 3 union all "
        "select instance, source_project_id, source_kind, count(*) n from jobs where "
        "source_kind = 'job' group by 1, 2, 3)\",\"format\":\"json\"}";

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
    size_t unproved;
    size_t unread;   /* connections */
    int64_t waiting; /* records for mapper and sink; -1: not known */
};

static const char not_proved[] = "listed, not proved";

static const char *verdict(const struct result *r, const char *stream, struct wh_json_val n,
                           int64_t in_store)
{
    bool missing = wh_json_get_int(n, "missing", 0) > 0;
    /* Jobs are proved by pipelines: those of so many were read. */
    bool jobs = strcmp(stream, "jobs") == 0;
    /* Pipelines that were deleted before anybody read them leave numbers that cannot be asked for. */
    bool unproved = missing && (jobs || strcmp(stream, "pipelines") == 0);

    if (missing && !unproved) {
        return "numbers are missing";
    }
    if (wh_json_get_int(n, "held", 0) > 0) {
        return "deletions are held";
    }
    if (!jobs && in_store != wh_json_get_int(n, "have", 0)) {
        return "the store differs";
    }
    return r->waiting != 0 ? "not known" : unproved ? not_proved : "complete";
}

static void add_line(struct result *r, struct wh_json_val project, const char *stream,
                     struct wh_json_val n, int64_t in_store)
{
    const char *word = verdict(r, stream, n, in_store);
    struct wh_slice path = wh_json_get_str(project, "path");

    r->lines++;
    r->unproved += word == not_proved;
    r->bad += word != not_proved && strcmp(word, "complete") != 0;
    cli_table_cell(&r->table, path.len ? path : wh_json_get_str(project, "project"));
    cli_table_str(&r->table, stream);
    wh_jw_object(&r->json);
    wh_jw_put_str(&r->json, "project", wh_json_get_str(project, "project"));
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
        for (size_t s = 0; s < STREAMS; s++) {
            if (wh_json_get(p, WH_LIT("streams"), &n) &&
                wh_json_get(n, wh_slice_str(streams[s]), &n)) {
                add_line(r, p, streams[s], n,
                         stored(rows, wh_json_get_str(c, "instance"), wh_json_get_str(p, "project"),
                                kinds[s]));
            }
        }
    }
}

static void print_sum(const struct result *r)
{
    size_t proved = r->lines - r->bad - r->unproved;

    if (r->bad) {
        cli_say(&r->cli->out, "%zu of %zu are not complete\n", r->bad, r->lines);
    } else {
        cli_say(&r->cli->out, "%s: %zu of %zu\n", r->unproved ? "complete" : "all complete", proved,
                r->lines);
    }
    if (r->unproved) {
        cli_say(
            &r->cli->out,
            "listed, not proved: %zu: some numbers are of no pipeline that GitLab lists (deleted "
            "before, or hidden from this token), or the jobs of some pipelines were not read\n",
            r->unproved);
    }
}

static int print_result(struct result *r, struct wh_buf *json)
{
    struct wh_err err;

    wh_jw_end(&r->json);
    wh_jw_key(&r->json, "complete");
    if (r->bad == 0 && r->unread == 0 && r->waiting == 0 && r->unproved > 0) {
        wh_jw_null(&r->json);
    } else {
        wh_jw_bool(&r->json, r->bad == 0 && r->unread == 0 && r->waiting == 0);
    }
    wh_jw_put_int(&r->json, "not_proved", (int64_t)r->unproved);
    wh_jw_put_int(&r->json, "unread_connections", (int64_t)r->unread);
    wh_jw_end(&r->json);
    if (wh_jw_finish(&r->json, &err) != WH_OK) {
        return cli_fail(r->cli, "verify", &err);
    }
    if (r->cli->opt.format == CLI_JSON) {
        (void)!cli_data(&r->cli->out, wh_buf_slice(json));
    } else {
        cli_table_print(&r->table, &r->cli->out);
        if (r->waiting < 0) {
            cli_say(&r->cli->out,
                    "not known: the sink does not say what waits for mapper and sink\n");
        } else if (r->waiting > 0) {
            cli_say(&r->cli->out, "not known: %" PRId64 " records wait for mapper and sink\n",
                    r->waiting);
        }
        if (r->unread) {
            cli_say(&r->cli->out, "not verified: the numbers above are from an earlier run\n");
        } else if (r->lines == 0) {
            cli_say(&r->cli->out, "nothing to verify: nothing that has numbers is read\n");
        } else {
            print_sum(r);
        }
    }
    return r->bad || r->unread || r->waiting != 0 ? CLI_NOT_HEALTHY : CLI_OK;
}

static int show(struct cli *cli, const struct status_view *view, struct wh_json_val rows)
{
    struct result r = {.cli = cli,
                       .unread = status_runs_unread(cli, view),
                       .waiting = status_waiting(view, status_runs_ended_ms(view))};
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
    if (status_connections(view, &list)) {
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
    struct wh_json_parser *outer = wh_json_parser_new(ANSWER_MAX_BYTES, DEPTH_MAX);
    struct wh_json_parser *inner = wh_json_parser_new(ANSWER_MAX_BYTES, DEPTH_MAX);
    struct cli_answer answer = {0};
    struct status_view view = {0};
    struct wh_json_val counts;
    struct wh_err err;
    int code;

    if (outer == NULL || inner == NULL || !status_view_read(cli, &view)) {
        cli_note(&cli->out, "wellhead: status: out of memory\n");
        code = CLI_FAILED;
    } else if (count_stored(cli, &answer, &err) != WH_OK ||
               read_stored(&answer, outer, inner, &counts, &err) != WH_OK) {
        code = cli_fail(cli, "counting the store", &err);
    } else {
        code = show(cli, &view, counts);
    }
    wh_buf_done(&answer.body);
    status_view_done(&view);
    wh_json_parser_free(outer);
    wh_json_parser_free(inner);
    return code;
}

int status_verify(struct cli *cli)
{
    struct status_runs runs = {0};
    int code = status_runs_ask(cli, "verify", &runs);

    if (code == CLI_OK) {
        code = status_runs_await(cli, &runs);
    }
    return code == CLI_OK ? compare(cli) : code;
}
