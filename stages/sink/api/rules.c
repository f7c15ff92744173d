/*
 * Rules, as automation.h says:
 *
 *   GET    /api/v1/rules                  what they say, and how they are
 *   POST   /api/v1/rules                  adds or replaces one
 *   DELETE /api/v1/rules/ID
 *   GET    /api/v1/rules/deliveries       of all rules: those that wait, those that have failed, the log
 *   GET    /api/v1/rules/ID/deliveries
 *   POST   /api/v1/rules/ID/replay        {"number": N, "discard": true}: a failed delivery again, or all; or
 *                                         forget it
 *   POST   /api/v1/rules/test             {"rule": {...}} or {"id": ID}, and "since": when would it have fired?
 */
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/json/json_copy.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/api_priv.h"
#include "stages/sink/store/keyspace.h"

enum {
    BODY_MAX_BYTES = 64 << 10,
    DEPTH_MAX = 8,
    LIST_MAX_BYTES = 4 << 20,
    DELIVERIES_MAX = 200, /* of each kind and rule */
    FIRED_MAX = 1000,
    ARGS_MAX = 16,
    SINCE_DEFAULT_DAYS = 30,
};

static const char rules_sql[] =
    "select value->>'id' as rule, value->>'description' as description, value->>'table' as "
    "records, "
    "value->>'enters' as enters, (select group_concat(o.value, ' and ') from json_each(l.value, "
    "'$.on') o) as tells_on, coalesce(value->>'url', 'topic ' || (value->>'topic')) as target, "
    "value->>'source' as source, value->>'state' as state, nullif(value->>'reason', '') as reason, "
    "value->>'behind' as behind, value->>'waiting' as waiting, value->>'delivered' as delivered, "
    "value->>'failed' as failed, value->>'silent' as silent, value->>'last_delivery' as "
    "last_delivery, value->>'position' as position from json_each(:list) l order by 1";

static const char deliveries_sql[] =
    "select value->>'rule' as rule, value->>'number' as number, "
    "coalesce(value->>'state', value->>'$.entry.outcome') as state, "
    "coalesce(value->>'$.about.event', value->>'$.entry.about.event') as event, "
    "coalesce(value->>'$.about.entity', value->>'$.entry.about.entity') as entity, "
    "coalesce(value->>'$.about.at', value->>'$.entry.about.at') as happened_at, "
    "strftime('%Y-%m-%dT%H:%M:%fZ', (value->>'$.entry.ended_ms') / 1000.0, 'unixepoch') as "
    "ended_at, value->>'$.entry.attempts' as attempts, nullif(value->>'$.entry.status', 0) as "
    "status, nullif(value->>'$.entry.reason', '') as reason, "
    "coalesce(value->>'$.about.message', value->>'$.entry.about.message') as message "
    "from json_each(:list) where not (coalesce(value->>'$.entry.outcome', '') = 'failed' and "
    "exists (select 1 from json_each(:list) f where f.value->>'state' = 'failed' and "
    "f.value->>'rule' = json_each.value->>'rule' and f.value->>'number' = "
    "json_each.value->>'number'))"
    " order by case coalesce(value->>'state', '') when 'failed' then 0 when 'waiting' then 1 else "
    "2 "
    "end, number desc";

static enum wh_rc has_rules(const struct api_job *job, struct wh_err *err)
{
    return job->api->deps.automation
               ? WH_OK
               : wh_fail(err, WH_E_UNAVAILABLE, "this sink has no rules while it builds a store");
}

/* Rows of SQL, so that they come in every format. */
static enum wh_rc answer_rows(struct api_job *job, const char *sql, struct wh_slice list,
                              struct wh_err *err)
{
    struct api_arg args[ARGS_MAX] = {{WH_LIT("sql"), wh_slice_str(sql)},
                                     {WH_LIT("list"), {NULL, 0}}};
    size_t n = 2;

    if (wh_arena_dup(&job->arena, list, &args[1].value, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < job->request.n_args && n < ARGS_MAX; i++) {
        if (wh_slice_starts(job->request.args[i].name, WH_LIT("_"))) {
            args[n++] = job->request.args[i];
        }
    }
    job->request.method = WH_LIT("GET");
    return api_set_args(job, args, n, err) == WH_OK ? api_answer_sql(job, err) : err->rc;
}

static bool is_post(const struct api_job *job)
{
    return job->page == NULL && wh_slice_eq(job->request.method, WH_LIT("POST"));
}

/* ---- rules ---- */

static enum wh_rc list_rules(struct api_job *job, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_writer w;

    wh_buf_init(&text, LIST_MAX_BYTES);
    wh_json_writer_init(&w, &text);
    automation_list(job->api->deps.automation, &w);
    return wh_jw_finish(&w, err) == WH_OK ? answer_rows(job, rules_sql, wh_buf_slice(&text), err)
                                          : err->rc;
}

enum wh_rc api_answer_rules(struct api_job *job, struct wh_err *err)
{
    if (has_rules(job, err) != WH_OK) {
        return err->rc;
    }
    if (!is_post(job)) {
        return list_rules(job, err);
    }
    return automation_put(job->api->deps.automation, job->request.body, err) == WH_OK
               ? api_spool_write(&job->out, WH_LIT("{\"ok\":true}"), err)
               : err->rc;
}

enum wh_rc api_answer_rule(struct api_job *job, struct wh_err *err)
{
    if (has_rules(job, err) != WH_OK ||
        automation_remove(job->api->deps.automation, job->id, err) != WH_OK) {
        return err->rc;
    }
    return api_spool_write(&job->out, WH_LIT("{\"ok\":true}"), err);
}

/* ---- deliveries ---- */

enum wh_rc api_answer_rule_deliveries(struct api_job *job, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_writer w;

    wh_buf_init(&text, LIST_MAX_BYTES);
    if (has_rules(job, err) != WH_OK) {
        return err->rc;
    }
    wh_json_writer_init(&w, &text);
    if (automation_deliveries(job->api->deps.automation, job->id, DELIVERIES_MAX, &w, err) !=
            WH_OK ||
        wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    return answer_rows(job, deliveries_sql, wh_buf_slice(&text), err);
}

static enum wh_rc replay(struct api_job *job, struct wh_json_val body, struct wh_err *err)
{
    int64_t number = wh_json_get_int(body, "number", 0);
    struct api_json j;
    size_t n;

    if (automation_replay(job->api->deps.automation, job->id, number > 0 ? (uint64_t)number : 0,
                          wh_json_get_flag(body, "discard"), &n, err) != WH_OK) {
        return err->rc;
    }
    api_json_begin(&j);
    wh_jw_put_int(&j.w, "deliveries", (int64_t)n);
    return api_json_end(&j, job, err);
}

/* An empty body is an empty object. */
static enum wh_rc with_body(struct api_job *job,
                            enum wh_rc (*answer)(struct api_job *job, struct wh_json_val body,
                                                 struct wh_err *err),
                            struct wh_err *err)
{
    struct wh_slice text = job->request.body.len ? job->request.body : WH_LIT("{}");
    struct wh_json_parser *parser = wh_json_parser_new(BODY_MAX_BYTES, DEPTH_MAX);
    struct wh_json_val root;
    enum wh_rc rc;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a parser");
    }
    rc = wh_json_parse(parser, text, &root, err);
    rc = rc == WH_OK ? answer(job, root, err) : rc;
    wh_json_parser_free(parser);
    return rc;
}

enum wh_rc api_answer_rule_replay(struct api_job *job, struct wh_err *err)
{
    return has_rules(job, err) == WH_OK ? with_body(job, replay, err) : err->rc;
}

/* ---- the past ---- */

struct testing {
    struct api_job *job;
    struct wh_json_writer w;
    size_t n;
};

static enum wh_rc on_fired(void *ctx, const struct automation_fired *fired, struct wh_err *err)
{
    struct testing *t = ctx;
    char text[WH_ENTITY_ID_TEXT + WH_TIME_TEXT_MAX];

    (void)err;
    if (t->n++ >= FIRED_MAX) {
        return WH_OK;
    }
    wh_jw_object(&t->w);
    wh_jw_put_str(&t->w, "time", wh_slice_str(wh_time_format(change_at_ms(fired->change), text)));
    wh_jw_put_str(&t->w, "event", fired->entered ? WH_LIT("enter") : WH_LIT("leave"));
    wh_jw_put_str(&t->w, "entity", wh_slice_str(wh_entity_id_format(&fired->change->id, text)));
    wh_jw_put_int(&t->w, "sequence", (int64_t)fired->change->sequence);
    wh_jw_put_bool(&t->w, "silent", fired->silent);
    wh_jw_end(&t->w);
    return WH_OK;
}

/* A length of time before now, or a time. */
static enum wh_rc read_since(const struct api_job *job, struct wh_slice text, int64_t *ret_ms,
                             struct wh_err *err)
{
    int64_t now_ms = wh_clock_now_ms(&job->api->deps.clock);
    int64_t back_ms = SINCE_DEFAULT_DAYS * INT64_C(86400000);
    struct wh_instant at;

    if (text.len && wh_time_parse(text, &at, err) == WH_OK) {
        *ret_ms = at.ms;
        return WH_OK;
    }
    if (text.len && wh_num_duration_ms(text, &back_ms, err) != WH_OK) {
        return wh_fail(err, WH_E_INVALID,
                       "since is a length of time, as in 30d, or a time, as in 2026-11-24");
    }
    *ret_ms = now_ms - back_ms;
    return WH_OK;
}

static enum wh_rc finish_test(struct testing *t, const struct automation_dry_run *run,
                              const struct wh_buf *list, struct wh_err *err)
{
    struct api_json j;

    api_json_begin(&j);
    wh_jw_put_int(&j.w, "fired", (int64_t)t->n);
    wh_jw_put_int(&j.w, "looked_at", (int64_t)run->looked_at);
    wh_jw_put_int(&j.w, "left_out", (int64_t)run->left_out);
    wh_jw_put_bool(&j.w, "truncated", t->n > FIRED_MAX);
    wh_jw_key(&j.w, "rows");
    wh_jw_raw(&j.w, wh_buf_slice(list));
    return api_json_end(&j, t->job, err);
}

static enum wh_rc test(struct api_job *job, struct wh_json_val body, struct wh_err *err)
{
    struct sink_api *api = job->api;
    struct testing t = {.job = job};
    struct automation_dry_run run = {.fired = on_fired, .ctx = &t, .canceled = &job->canceled};
    struct wh_slice id = wh_json_get_str(body, "id");
    struct wh_slice rule = {NULL, 0};
    WH_AUTO(buf) struct wh_buf list;
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_val v;

    wh_buf_init(&list, LIST_MAX_BYTES);
    wh_buf_init(&text, BODY_MAX_BYTES);
    if (wh_json_get(body, WH_LIT("rule"), &v)) {
        struct wh_json_writer w;

        wh_json_writer_init(&w, &text);
        wh_jw_value(&w, v);
        if (wh_jw_finish(&w, err) != WH_OK) {
            return err->rc;
        }
        rule = wh_buf_slice(&text);
    }
    if (read_since(job, wh_json_get_str(body, "since"), &run.since_ms, err) != WH_OK) {
        return err->rc;
    }
    run.deadline_ns = wh_clock_mono_ns(&api->deps.clock) +
                      (api->deps.conf.sql_timeout_ms - api_waited_ms(job)) * 1000000;
    wh_json_writer_init(&t.w, &list);
    wh_jw_array(&t.w);
    if (automation_test(api->deps.automation, rule, id, &run, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_end(&t.w);
    return wh_jw_finish(&t.w, err) == WH_OK ? finish_test(&t, &run, &list, err) : err->rc;
}

enum wh_rc api_answer_rule_test(struct api_job *job, struct wh_err *err)
{
    return has_rules(job, err) == WH_OK ? with_body(job, test, err) : err->rc;
}
