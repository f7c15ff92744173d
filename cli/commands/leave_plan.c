#include "cli/commands/leave_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/out/value.h"
#include "common/json/json_write.h"

enum {
    QUERY_MAX_BYTES = 64 << 10,
    BODY_MAX_BYTES = 2 * QUERY_MAX_BYTES,
    TEXT_MAX_BYTES = 64 << 10,
    NAME_MAX = CLI_CONNECTION_ID_MAX + 1,
};

/* ---- rows ---- */

/* Names of tables come into a query. */
static bool is_name(struct wh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '_' && (text.ptr[i] < 'a' || text.ptr[i] > 'z')) {
            return false;
        }
    }
    return text.len > 0;
}

/* A count of each table that has rows. They bear the address by which the connection began. */
static enum wh_rc count_query(struct wh_json_val kinds, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_iter it = wh_json_iter(kinds);
    struct wh_json_val kind;
    struct wh_slice key;

    while (wh_json_next(&it, &key, &kind)) {
        struct wh_slice table = wh_json_get_str(kind, "table");

        if (is_name(table) &&
            wh_json_get_int(kind, "entities", 1) + wh_json_get_int(kind, "deleted", 0) > 0 &&
            wh_buf_printf(out, err,
                          "%sselect '%.*s' as name, count(*) as n from %.*s_all where instance = "
                          "(select coalesce(json_extract(document, '$.identity'), "
                          "json_extract(document, '$.instance')) from connection_documents "
                          "where id = :connection)",
                          out->len ? " union all " : "", WH_SLICE_ARG(table),
                          WH_SLICE_ARG(table)) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc count_body(struct wh_slice query, const char *id, struct wh_buf *out,
                             struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "query", query);
    wh_jw_key(&w, "params");
    wh_jw_object(&w);
    wh_jw_put_str(&w, "connection", wh_slice_str(id));
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

/* Calls the sink quietly: a plan is shown without what it does not know. */
static bool ask_sink(struct cli *cli, const char *method, const char *path, struct wh_slice body,
                     struct wh_json_parser *parser, struct wh_json_val *ret_rows)
{
    struct cli_answer answer;
    struct wh_json_val root;
    struct wh_err err;
    bool ok;

    ok = cli_call(cli, method, cli->conf.sink_url, wh_slice_str(path), cli->conf.sink_token_file,
                  body, &answer, &err) == WH_OK &&
         answer.status == 200 &&
         wh_json_parse(parser, wh_buf_slice(&answer.body), &root, &err) == WH_OK &&
         wh_json_get(root, WH_LIT("rows"), ret_rows);
    wh_buf_done(&answer.body);
    return ok;
}

static void take_counts(struct wh_json_val rows, struct leave_plan *plan)
{
    struct wh_json_iter it = wh_json_iter(rows);
    struct wh_json_writer w;
    struct wh_json_val row;
    struct wh_slice key;
    struct wh_err err;

    plan->rows = 0;
    wh_json_writer_init(&w, &plan->list);
    wh_jw_object(&w);
    while (wh_json_next(&it, &key, &row)) {
        int64_t n = wh_json_get_int(row, "n", 0);

        if (n > 0) {
            wh_jw_key_slice(&w, wh_json_get_str(row, "name"));
            wh_jw_int(&w, n);
            plan->rows += n;
        }
    }
    wh_jw_end(&w);
    (void)!wh_jw_finish(&w, &err);
}

static void count_rows(struct cli *cli, struct leave_plan *plan)
{
    struct wh_json_parser *parser = wh_json_parser_new(LEAVE_ANSWER_MAX_BYTES, LEAVE_DEPTH_MAX);
    WH_AUTO(buf) struct wh_buf query;
    WH_AUTO(buf) struct wh_buf body;
    struct wh_json_val rows;
    struct wh_err err;

    wh_buf_init(&query, QUERY_MAX_BYTES);
    wh_buf_init(&body, BODY_MAX_BYTES);
    if (parser && ask_sink(cli, "GET", "/api/v1/kinds", WH_LIT(""), parser, &rows) &&
        count_query(rows, &query, &err) == WH_OK) {
        if (query.len == 0) {
            plan->rows = 0;
        } else if (count_body(wh_buf_slice(&query), plan->id, &body, &err) == WH_OK &&
                   ask_sink(cli, "POST", "/api/v1/sql", wh_buf_slice(&body), parser, &rows)) {
            take_counts(rows, plan);
        }
    }
    wh_json_parser_free(parser);
}

/* ---- topics ---- */

static bool count_topic(struct cli *cli, struct wh_admin *admin,
                        const struct wh_bus_topic_info *topic, struct leave_plan *plan)
{
    int timeout_ms = (int)cli->conf.timeout_ms;
    struct wh_err err;

    for (int32_t p = 0; p < topic->partitions; p++) {
        int64_t begin = 0;
        int64_t end = 0;

        if (wh_admin_offset(admin, topic->name, p, WH_OFFSET_BEGINNING, timeout_ms, &begin, &err) !=
                WH_OK ||
            wh_admin_offset(admin, topic->name, p, WH_OFFSET_END, timeout_ms, &end, &err) !=
                WH_OK) {
            return false;
        }
        plan->records += end - begin;
    }
    plan->topics++;
    return true;
}

static void count_topics(struct cli *cli, struct leave_plan *plan)
{
    struct wh_admin *admin = NULL;
    struct wh_bus_topic_info *list = NULL;
    struct wh_err err;
    size_t n = 0;
    bool known = cli_admin(cli, &admin, &err) == WH_OK &&
                 wh_admin_list(admin, (int)cli->conf.timeout_ms, &list, &n, &err) == WH_OK;

    for (size_t i = 0; known && i < n; i++) {
        if (leave_owns_topic(cli, plan->id, list[i].name)) {
            known = count_topic(cli, admin, &list[i], plan);
        }
    }
    if (!known) {
        plan->topics = -1;
    }
    wh_bus_topic_list_free(list, n);
    wh_admin_free(admin);
}

void leave_plan_make(struct cli *cli, enum leave_step step, const char *id,
                     const struct leave_view *view, struct leave_plan *ret)
{
    *ret = (struct leave_plan){.step = step, .id = id, .view = view, .rows = -1};
    wh_buf_init(&ret->list, TEXT_MAX_BYTES);
    count_rows(cli, ret);
    if (step == LEAVE_PURGE) {
        count_topics(cli, ret);
    }
}

void leave_plan_done(struct leave_plan *plan)
{
    wh_buf_done(&plan->list);
}

/* ---- for people ---- */

static void line(struct wh_buf *out, const char *label, const char *text)
{
    struct wh_err err;

    (void)!wh_buf_printf(out, &err, "  %-9s %s\n", label, text);
}

static void write_access(const struct leave_plan *plan, struct wh_buf *out)
{
    size_t n = plan->view->n_unrevoked;
    struct wh_err err;

    if (n) {
        (void)!wh_buf_printf(out, &err,
                             "  %-9s %zu token %s that GitLab issued %s revoked there, and tried "
                             "afterwards\n",
                             "revoked", n, n == 1 ? "pair" : "pairs", n == 1 ? "is" : "are");
    }
    if (plan->view->has_token) {
        line(out, "forgotten",
             "the access token that was given by hand; only you can revoke it, in GitLab");
    }
    if (n == 0 && !plan->view->has_token) {
        line(out, "revoked", "nothing: no token is in use");
    }
}

/* "5 work_items, 2 jobs" */
static void write_list(const struct leave_plan *plan, struct wh_buf *out)
{
    struct wh_json_parser *parser = wh_json_parser_new(TEXT_MAX_BYTES, LEAVE_DEPTH_MAX);
    struct wh_json_iter it;
    struct wh_json_val root;
    struct wh_json_val n;
    struct wh_slice name;
    struct wh_err err;
    const char *before = " (";

    if (parser && plan->list.len &&
        wh_json_parse(parser, wh_buf_slice(&plan->list), &root, &err) == WH_OK) {
        for (it = wh_json_iter(root); wh_json_next(&it, &name, &n); before = ", ") {
            (void)!wh_buf_printf(out, &err, "%s%" PRId64 " %.*s", before, wh_json_int(n),
                                 WH_SLICE_ARG(name));
        }
        (void)!wh_buf_append(out, before[0] == ',' ? WH_LIT(")") : WH_LIT(""), &err);
    }
    wh_json_parser_free(parser);
}

static void write_rows(const struct leave_plan *plan, struct wh_buf *out)
{
    bool purge = plan->step == LEAVE_PURGE;
    struct wh_err err;

    (void)!wh_buf_printf(out, &err, "  %-9s ", purge ? "removed" : "kept");
    if (plan->rows < 0) {
        (void)!wh_buf_append(out, WH_LIT("all rows (the sink could not count them)"), &err);
    } else {
        (void)!wh_buf_printf(out, &err, "%" PRId64 " rows", plan->rows);
        write_list(plan, out);
    }
    (void)!wh_buf_printf(out, &err, "%s\n",
                         purge ? " with their revisions and links, for good" : "");
}

static void write_topics(const struct leave_plan *plan, struct wh_buf *out)
{
    struct wh_err err;

    if (plan->topics < 0) {
        line(out, "removed", "its topics, for good (Kafka did not say how much they hold)");
    } else {
        (void)!wh_buf_printf(out, &err,
                             "  %-9s %d topics of Kafka with %" PRId64 " records, for good\n",
                             "removed", plan->topics, plan->records);
    }
}

static void write_text(const struct leave_plan *plan, struct wh_buf *out)
{
    struct wh_err err;

    if (plan->view->imported) {
        (void)!wh_buf_printf(out, &err, "wellhead purge %s removes what was imported:\n", plan->id);
        write_rows(plan, out);
        write_topics(plan, out);
        return;
    }
    (void)!wh_buf_printf(out, &err, "wellhead %s %s ends the connection to %s:\n",
                         plan->step == LEAVE_PURGE ? "purge" : "disconnect", plan->id,
                         plan->view->instance[0] ? plan->view->instance : "its GitLab");
    write_access(plan, out);
    line(out, "refused", "its webhooks, from then on");
    write_rows(plan, out);
    if (plan->step == LEAVE_PURGE) {
        write_topics(plan, out);
    }
}

/* ---- for programs ---- */

static void unknown_or(struct wh_json_writer *w, const char *key, int64_t n, bool known)
{
    wh_jw_key(w, key);
    if (known) {
        wh_jw_int(w, n);
    } else {
        wh_jw_null(w);
    }
}

static enum wh_rc write_json(const struct leave_plan *plan, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", true);
    wh_jw_put_bool(&w, "executed", false);
    wh_jw_put_str(&w, "connection", wh_slice_str(plan->id));
    wh_jw_put_str(&w, "instance", wh_slice_str(plan->view->instance));
    wh_jw_put_int(&w, "pairs_to_revoke", (int64_t)plan->view->n_unrevoked);
    wh_jw_put_bool(&w, "token_to_forget", plan->view->has_token);
    unknown_or(&w, "rows", plan->rows, plan->rows >= 0);
    wh_jw_key(&w, "tables");
    wh_jw_raw(&w, plan->list.len ? wh_buf_slice(&plan->list) : WH_LIT("{}"));
    if (plan->step == LEAVE_PURGE) {
        unknown_or(&w, "topics", plan->topics, plan->topics >= 0);
        unknown_or(&w, "records", plan->records, plan->topics >= 0);
    }
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

int leave_plan_print(const struct cli *cli, const struct leave_plan *plan)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, TEXT_MAX_BYTES);
    if (cli->opt.format == CLI_TEXT) {
        write_text(plan, &out);
    } else if (write_json(plan, &out, &err) != WH_OK) {
        return cli_fail(cli, "plan", &err);
    }
    if (!cli_data(&cli->out, wh_buf_slice(&out))) {
        return CLI_FAILED;
    }
    if (cli->opt.format == CLI_TEXT) {
        cli_note(&cli->out, "nothing was done\n");
    }
    return CLI_OK;
}

/* ---- the question ---- */

static bool named_in_advance(const struct cli *cli, const struct leave_plan *plan)
{
    if (strcmp(cli->opt.confirm, plan->id) == 0) {
        return true;
    }
    cli_note(&cli->out, "wellhead: --confirm names another connection; nothing was done\n");
    return false;
}

static bool typed(const struct cli *cli, const struct leave_plan *plan)
{
    char name[NAME_MAX + 8];

    cli_note(&cli->out, "Type %s to do this: ", plan->id);
    if (cli_read_line(cli, name, sizeof(name)) && strcmp(name, plan->id) == 0) {
        return true;
    }
    cli_note(&cli->out, "wellhead: that is not its name; nothing was done\n");
    return false;
}

bool leave_plan_confirmed(const struct cli *cli, const struct leave_plan *plan)
{
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, TEXT_MAX_BYTES);
    write_text(plan, &text);
    if (!cli->opt.quiet && cli->opt.format == CLI_TEXT) {
        cli_note_text(&cli->out, wh_buf_str(&text));
    }
    if (cli->opt.confirm) {
        return named_in_advance(cli, plan);
    }
    if (cli_may_ask(cli)) {
        return typed(cli, plan);
    }
    cli_note(&cli->out, "wellhead: nothing was done; --confirm %s does it without a question\n",
             plan->id);
    return false;
}
