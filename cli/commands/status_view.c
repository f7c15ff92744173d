#include "cli/commands/status_view.h"

#include "cli/out/value.h"
#include "common/base/time.h"
#include "common/event/connection.h"

enum { DEPTH_MAX = 32 };

static bool ask(const struct cli *cli, const char *base, const char *token_file,
                struct cli_answer *answer, struct wh_json_parser *parser, struct wh_json_val *root,
                struct wh_err *err)
{
    struct cli soon = *cli;

    if (soon.conf.timeout_ms > STATUS_TIMEOUT_MS) {
        soon.conf.timeout_ms = STATUS_TIMEOUT_MS;
    }
    if (cli_call(&soon, "GET", base, WH_LIT("/api/v1/status"), token_file, WH_LIT(""), answer,
                 err) != WH_OK) {
        return false;
    }
    if (answer->status != 200) {
        (void)wh_fail(err, WH_E_UNAVAILABLE, "%s answers HTTP %u", base, answer->status);
        return false;
    }
    return wh_json_parse(parser, wh_buf_slice(&answer->body), root, err) == WH_OK;
}

void status_view_done(struct status_view *view)
{
    wh_buf_done(&view->fetcher.body);
    wh_buf_done(&view->sink.body);
    wh_json_parser_free(view->fetcher_parser);
    wh_json_parser_free(view->sink_parser);
    wh_mem_free(view->findings);
}

/* ---- findings ---- */

static void copy_text(char *to, size_t size, struct wh_slice from)
{
    (void)snprintf(to, size, "%.*s", WH_SLICE_ARG(from));
}

static void take_findings(const struct status_view *view)
{
    struct wh_findings *f = view->findings;
    struct wh_json_val health;
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!status_health(view, &health) || !wh_json_get(health, WH_LIT("findings"), &list)) {
        wh_findings_add(f, WH_SEVERITY_UNKNOWN, "sink", "it tells nothing of the other stages",
                        "install the same version of all parts");
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        struct wh_finding one;

        copy_text(one.subject, sizeof(one.subject), wh_json_get_str(item, "subject"));
        copy_text(one.text, sizeof(one.text), wh_json_get_str(item, "text"));
        copy_text(one.advice, sizeof(one.advice), wh_json_get_str(item, "advice"));
        wh_findings_add(f, wh_severity_parse(wh_json_get_str(item, "severity")), one.subject,
                        one.text, one.advice);
    }
}

/* The sink is away: the fetcher knows its connections. */
static void judge_connections(const struct status_view *view)
{
    struct wh_seen_connection one;
    const struct wh_evidence e = {.connections = &one, .n_connections = 1};
    struct wh_json_val list;
    struct wh_json_val c;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!status_connections(view, &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &c);) {
        one = (struct wh_seen_connection){.id = wh_json_get_str(c, "id"),
                                          .instance = wh_json_get_str(c, "instance"),
                                          .state = wh_json_get_str(c, "state"),
                                          .detail = wh_json_get_str(c, "detail")};
        wh_judge_connections(&e, view->findings);
    }
}

static void find(struct status_view *view)
{
    char text[sizeof(((struct wh_finding *)0)->text)];

    if (view->sink_ok) {
        take_findings(view);
    } else {
        (void)snprintf(text, sizeof(text), "it does not answer: %.200s", view->sink_err.msg);
        wh_findings_add(view->findings, WH_SEVERITY_ERROR, "sink", text,
                        "start it, or read its log; `wellhead doctor` asks every process");
        wh_findings_add(view->findings, WH_SEVERITY_UNKNOWN, "mapper, webhook-intake",
                        "how they are is not known while the sink is away", "");
        judge_connections(view);
    }
    if (!view->fetcher_ok) {
        (void)snprintf(text, sizeof(text), "it does not answer this command: %.200s",
                       view->fetcher_err.msg);
        wh_findings_add(view->findings, WH_SEVERITY_UNKNOWN, "fetcher", text,
                        "start it, or read its log; `wellhead doctor` asks every process");
    }
}

bool status_view_read(struct cli *cli, struct status_view *view)
{
    *view = (struct status_view){0};
    view->fetcher_parser = wh_json_parser_new(STATUS_ANSWER_MAX_BYTES, DEPTH_MAX);
    view->sink_parser = wh_json_parser_new(STATUS_ANSWER_MAX_BYTES, DEPTH_MAX);
    view->findings = wh_mem_zalloc(1, sizeof(*view->findings));
    if (view->fetcher_parser == NULL || view->sink_parser == NULL || view->findings == NULL) {
        return false;
    }
    view->fetcher_ok = ask(cli, cli->conf.fetcher_url, cli->conf.fetcher_token_file, &view->fetcher,
                           view->fetcher_parser, &view->fetcher_root, &view->fetcher_err);
    view->sink_ok = ask(cli, cli->conf.sink_url, cli->conf.sink_token_file, &view->sink,
                        view->sink_parser, &view->sink_root, &view->sink_err);
    find(view);
    return true;
}

bool status_connections(const struct status_view *view, struct wh_json_val *ret)
{
    return view->fetcher_ok && wh_json_get(view->fetcher_root, WH_LIT("connections"), ret);
}

bool status_is_left(struct wh_json_val connection)
{
    return wh_connection_class(wh_json_get_str(connection, "state")) == WH_CONNECTION_MISSING;
}

bool status_health(const struct status_view *view, struct wh_json_val *ret)
{
    return view->sink_ok && wh_json_get(view->sink_root, WH_LIT("health"), ret) &&
           wh_json_type(*ret) == WH_JSON_OBJECT;
}

bool status_is_healthy(const struct status_view *view)
{
    return wh_findings_verdict(view->findings) == WH_VERDICT_HEALTHY;
}

/* ---- what waits ---- */

static bool is_on_the_way(struct wh_json_val flow)
{
    struct wh_slice stage = wh_json_get_str(flow, "stage");

    return wh_json_get_str(flow, "connection").len > 0 &&
           (wh_slice_eq(stage, WH_LIT("mapper")) || wh_slice_eq(stage, WH_LIT("sink")));
}

int64_t status_waiting(const struct status_view *view, int64_t since_ms)
{
    struct wh_json_val health;
    struct wh_json_val list;
    struct wh_json_val flow;
    struct wh_instant looked;
    struct wh_json_iter it;
    struct wh_slice key;
    struct wh_err err;
    int64_t sum = 0;

    if (!status_health(view, &health) || !wh_json_get(health, WH_LIT("flows"), &list) ||
        wh_time_parse(wh_json_get_str(health, "watched_at"), &looked, &err) != WH_OK ||
        looked.ms < since_ms) {
        return -1;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &flow);) {
        int64_t n = is_on_the_way(flow) ? wh_json_get_int(flow, "lag_records", -1) : 0;

        if (n < 0) {
            return -1;
        }
        sum += n;
    }
    return sum;
}
