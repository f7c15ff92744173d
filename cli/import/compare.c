/* The plan's rows compared with those that the sink has, which it sends one by one. */
#include <stdio.h>

#include "cli/http/rows.h"
#include "cli/import/plan_priv.h"
#include "cli/out/value.h"
#include "common/base/time.h"
#include "common/json/json_write.h"

enum { QUERY_MAX_BYTES = 4096, ROW_DEPTH = 64 };

struct compare {
    struct import_plan *plan;
    struct wh_json_parser *parser;
    struct cli_rows rows;
    int64_t n;
    enum wh_rc rc;
    struct wh_err err;
};

static struct import_count *count_of(struct compare *c)
{
    return &c->plan->counts[c->plan->kind];
}

/* ---- one row ---- */

static bool fail(struct compare *c, const char *what)
{
    c->rc = wh_fail(&c->err, WH_E_INVALID, "the sink's answer cannot be read: %s", what);
    return false;
}

static void note_version(struct compare *c, struct wh_json_val at)
{
    struct wh_instant instant;
    struct wh_err err;

    if (wh_json_type(at) == WH_JSON_STRING &&
        wh_time_parse(wh_json_string(at), &instant, &err) == WH_OK &&
        instant.ms > c->plan->newest_ms) {
        c->plan->newest_ms = instant.ms;
    }
}

static enum wh_rc add_missing(struct compare *c, struct wh_slice source_id)
{
    count_of(c)->missing++;
    return import_index_keep(
        c->plan->index, IMPORT_MISSING,
        &(struct import_kept){.kind = (int64_t)c->plan->kind, .identity = source_id}, &c->err);
}

static enum wh_rc compare_row(struct compare *c, const struct wh_entity_id *id,
                              struct wh_slice source_id, struct wh_json_iter *values)
{
    struct import_plan *plan = c->plan;
    struct import_entry entry;
    struct wh_hash128 content = {0, 0};
    bool found = false;
    bool same;

    if (import_index_find(plan->index, id, &found, &entry, &c->err) != WH_OK) {
        return c->err.rc;
    }
    if (!found) {
        return add_missing(c, source_id);
    }
    if (import_stored_content(plan->row, count_of(c)->kind, entry.shown, values, &content,
                              &c->err) != WH_OK) {
        return c->err.rc;
    }
    same = content.high == entry.content.high && content.low == entry.content.low;
    plan->marks[entry.number] = same ? IMPORT_SAME : IMPORT_CHANGED;
    *(same ? &count_of(c)->same : &count_of(c)->changed) += 1;
    return WH_OK;
}

/* [id, source_id, deleted, version_at, columns..., attributes] */
static bool on_row(void *ctx, struct wh_slice json)
{
    struct compare *c = ctx;
    struct wh_entity_id id;
    struct wh_json_val root;
    struct wh_json_val v[4];
    struct wh_json_iter it;

    import_progress(&c->plan->progress, c->plan->cli, "comparing", ++c->n, -1);
    if (wh_json_parse(c->parser, json, &root, &c->err) != WH_OK) {
        return fail(c, c->err.msg);
    }
    it = wh_json_iter(root);
    for (size_t i = 0; i < 4; i++) {
        if (!wh_json_next(&it, NULL, &v[i])) {
            return fail(c, "a row is too short");
        }
    }
    if (wh_entity_id_parse(wh_json_string(v[0]), &id, &c->err) != WH_OK) {
        return fail(c, "a row has no id");
    }
    note_version(c, v[3]);
    if (wh_json_bool(v[2]) || wh_json_int(v[2])) {
        return true;
    }
    c->rc = compare_row(c, &id, wh_json_string(v[1]), &it);
    return c->rc == WH_OK;
}

static bool on_head(void *ctx, struct wh_slice json)
{
    (void)ctx;
    (void)json;
    return true;
}

static bool on_data(void *ctx, struct wh_slice bytes)
{
    return cli_rows_take(&((struct compare *)ctx)->rows, bytes);
}

/* ---- the question ---- */

static enum wh_rc write_query(const struct import_plan *plan, struct wh_buf *out,
                              struct wh_err *err)
{
    const struct import_kind *kind = plan->counts[plan->kind].kind;

    if (wh_buf_append(out, WH_LIT("select id, source_id, deleted, version_at"), err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < kind->n_columns; i++) {
        if (kind->columns[i].stored &&
            wh_buf_printf(out, err, ", %s", kind->columns[i].stored) != WH_OK) {
            return err->rc;
        }
    }
    return wh_buf_printf(out, err, ", attributes from %s_all where instance = :instance",
                         kind->name);
}

static enum wh_rc write_body(const struct import_plan *plan, struct wh_buf *out, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf query;
    struct wh_json_writer w;

    wh_buf_init(&query, QUERY_MAX_BYTES);
    if (write_query(plan, &query, err) != WH_OK) {
        return err->rc;
    }
    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "query", wh_buf_slice(&query));
    wh_jw_put_str(&w, "format", WH_LIT("json"));
    wh_jw_put_str(&w, "shape", WH_LIT("arrays"));
    wh_jw_put_int(&w, "limit", 0);
    wh_jw_key(&w, "params");
    wh_jw_object(&w);
    wh_jw_put_str(&w, "instance", wh_slice_str(plan->instance));
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

static int ask(struct compare *c, struct wh_slice body)
{
    struct cli *cli = c->plan->cli;
    struct cli_request request = {
        .method = "POST",
        .base = cli->conf.sink_url,
        .path = WH_LIT("/api/v1/sql"),
        .token_file = cli->conf.sink_token_file,
        .body = body,
        .on_data = on_data,
        .ctx = c,
    };
    struct cli_answer answer;
    struct wh_err err;
    int code = CLI_OK;

    if (cli_call_with(cli, &request, &answer, &err) != WH_OK) {
        code = cli_fail(cli, "import", c->rc != WH_OK ? &c->err : &err);
    } else if (answer.status != 200) {
        code = cli_fail_answer(cli, "import", &answer);
    } else if (!cli_rows_whole(&c->rows)) {
        cli_note(&cli->out, "wellhead: import: the sink's answer is not complete\n");
        code = CLI_FAILED;
    }
    wh_buf_done(&answer.body);
    return code;
}

static int compare_kind(struct import_plan *plan)
{
    struct compare c = {.plan = plan};
    const struct cli_rows_sink sink = {.head = on_head, .row = on_row, .ctx = &c};
    WH_AUTO(buf) struct wh_buf body;
    struct wh_err err;
    int code;

    wh_buf_init(&body, (size_t)2 * QUERY_MAX_BYTES);
    c.parser = wh_json_parser_new(CLI_ROW_MAX_BYTES, ROW_DEPTH);
    cli_rows_init(&c.rows, &sink);
    if (c.parser == NULL) {
        (void)wh_fail(&err, WH_E_NOMEM, "no memory to compare rows");
        code = cli_fail(plan->cli, "import", &err);
    } else if (write_body(plan, &body, &err) != WH_OK) {
        code = cli_fail(plan->cli, "import", &err);
    } else {
        code = ask(&c, wh_buf_slice(&body));
    }
    cli_rows_done(&c.rows);
    wh_json_parser_free(c.parser);
    return code;
}

bool import_plan_compare(struct import_plan *plan, int *ret_code)
{
    import_progress_begin(&plan->progress, plan->cli);
    *ret_code = CLI_OK;
    for (size_t i = 0; i < plan->n_kinds && *ret_code == CLI_OK; i++) {
        struct import_count *count = &plan->counts[i];

        if (count->given) {
            plan->kind = i;
            *ret_code = compare_kind(plan);
            count->added = count->rows - count->changed - count->same;
        }
    }
    cli_progress_end(&plan->cli->out);
    return *ret_code == CLI_OK;
}
