/*
 * A check of issues that an MCP tool lists, in a project that a person named: only a listing that says
 * that it has ended proves what it does not contain, and only two answers that the object is not found,
 * some time apart, make it gone.
 */
#include "tests/lib/th_cmocka.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/event/raw_event.h"
#include "stages/fetcher/check/check.h"
#include "tests/lib/bus_mem.h"
#include "tests/lib/httpc_script.h"

enum { RUN_MS = 1000, TURNS_MAX = 10000, CONFIRM_MS = 60000, ISSUES = 4 };

enum object { SHOWN, NOT_FOUND, FAILS };

struct fixture {
    int64_t now_ms;
    struct wh_bus_mem *bus;
    struct wh_loop *loop;
    struct th_script *http;
    struct wh_producer *producer;
    struct outbox *outbox;
    struct mcp *mcp;
    struct wh_json_parser *parser;
    struct numbers *issues; /* of the project 7: 1 to 4 are known */
    struct projects projects;
    struct stream_count counts[STREAMS];
    struct check_env env;
    struct check *check;
    struct check_result result;
    unsigned done;
    bool tools_known;
    bool no_tool;
    bool no_sweep;
    bool listed[ISSUES + 1]; /* what the listing contains, one on a page */
    bool fails;              /* the listing */
    bool no_end;             /* its last page does not say that it is the last one */
    enum object objects[ISSUES + 1];
    unsigned lists;
    unsigned singles;
};

static int64_t clock_now(void *ctx)
{
    return ((struct fixture *)ctx)->now_ms;
}

static int64_t clock_mono(void *ctx)
{
    return ((struct fixture *)ctx)->now_ms * 1000000;
}

/* ---- GitLab ---- */

static void put(struct th_script_answer *a, const char *fmt, ...) WH_PRINTF(2, 3);
static void put(struct th_script_answer *a, const char *fmt, ...)
{
    char text[512];
    struct wh_err err;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    th_ok(wh_buf_append(&a->body, wh_slice_str(text), &err), &err);
}

static void fail_with(struct th_script_answer *a, const char *text)
{
    put(a, "{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"%s\"}]}", text);
}

static void list(struct fixture *x, struct wh_json_val arguments, struct th_script_answer *a)
{
    struct wh_json_val v;
    int64_t at = 0;

    x->lists++;
    assert_true(wh_json_get(arguments, WH_LIT("state"), &v));
    if (wh_json_get(arguments, WH_LIT("after"), &v)) {
        at = strtoll(wh_json_string(v).ptr, NULL, 10);
    }
    if (x->fails) {
        fail_with(a, "Project not found or inaccessible");
        return;
    }
    while (++at <= ISSUES && !x->listed[at]) {
    }
    put(a, "{\"structuredContent\":{\"work_items\":[");
    if (at <= ISSUES) {
        put(a, "{\"id\":\"gid://gitlab/WorkItem/%" PRId64 "\",\"iid\":\"%" PRId64 "\"}", 5000 + at,
            at);
    }
    if (at <= ISSUES) {
        put(a, "],\"pageInfo\":{\"hasNextPage\":true,\"endCursor\":\"%" PRId64 "\"}}}", at);
    } else {
        put(a, "],\"pageInfo\":{%s\"endCursor\":null}}}",
            x->no_end ? "" : "\"hasNextPage\":false,");
    }
}

static void get(struct fixture *x, struct wh_json_val arguments, struct th_script_answer *a)
{
    int64_t iid = wh_json_get_int(arguments, "work_item_iid", 0);

    assert_in_range(iid, 1, ISSUES);
    x->singles++;
    if (x->objects[iid] == SHOWN) {
        put(a, "{\"structuredContent\":{\"id\":\"gid://gitlab/WorkItem/%" PRId64 "\"}}",
            5000 + iid);
    } else {
        fail_with(a,
                  x->objects[iid] == FAILS
                      ? "Something went wrong"
                      : "Work item not found: it does not exist or you do not have access to it.");
    }
}

static void call(struct fixture *x, struct wh_json_val root, struct th_script_answer *a)
{
    struct wh_json_val params;
    struct wh_json_val name;
    struct wh_json_val arguments;

    assert_true(wh_json_get(root, WH_LIT("params"), &params));
    assert_true(wh_json_get(params, WH_LIT("name"), &name));
    assert_true(wh_json_get(params, WH_LIT("arguments"), &arguments));
    (wh_slice_eq(wh_json_string(name), WH_LIT("list_work_items")) ? list : get)(x, arguments, a);
}

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    struct fixture *x = ctx;
    struct wh_json_val root;
    struct wh_json_val v;
    struct wh_err err;

    (void)url;
    (void)secret;
    if (wh_json_parse(x->parser, a->request, &root, &err) != WH_OK ||
        !wh_json_get(root, WH_LIT("id"), &v)) {
        a->status = 202;
        return;
    }
    put(a, "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",\"result\":", wh_json_int(v));
    assert_true(wh_json_get(root, WH_LIT("method"), &v));
    if (wh_slice_eq(wh_json_string(v), WH_LIT("initialize"))) {
        put(a, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}");
    } else if (wh_slice_eq(wh_json_string(v), WH_LIT("tools/list"))) {
        put(a, "{\"tools\":[{\"name\":\"list_work_items\",\"inputSchema\":{\"type\":\"object\","
               "\"properties\":{\"project_id\":{},\"state\":{},\"first\":{},\"after\":{}}}},"
               "{\"name\":\"get_work_item\",\"inputSchema\":{\"type\":\"object\",\"properties\":"
               "{\"project_id\":{},\"work_item_iid\":{}}}}]}");
    } else {
        call(x, root, a);
    }
    put(a, "}");
}

/* ---- the environment ---- */

static struct outbox_row run_row(void *ctx)
{
    (void)ctx;
    return (struct outbox_row){.topic = "raw.c",
                               .connection = WH_LIT("c"),
                               .instance = WH_LIT("https://gitlab.example.com"),
                               .origin = WH_ORIGIN_REST,
                               .run = RUN_MS};
}

static void on_settled(void *ctx)
{
    const struct fixture *x = ctx;

    if (x->check) {
        check_wake(x->check);
    }
}

static bool owns(void *ctx, const char *project)
{
    (void)ctx;
    (void)project;
    return true;
}

static bool by_rest(void *ctx, unsigned stream)
{
    (void)ctx;
    (void)stream;
    return false;
}

static const char *tool(void *ctx, unsigned stream)
{
    const struct fixture *x = ctx;

    return !x->no_tool && numbers_stream_of(stream) == NUMBERS_ISSUES ? "list_work_items" : NULL;
}

static bool stopping(void *ctx)
{
    (void)ctx;
    return false;
}

static enum wh_rc save(void *ctx, struct numbers *n, struct wh_err *err)
{
    (void)ctx;
    (void)n;
    (void)err;
    return WH_OK;
}

static void publish(void *ctx, const char *project, const char *path)
{
    (void)ctx;
    (void)project;
    (void)path;
}

static void on_done(void *ctx, const struct check_result *result)
{
    struct fixture *x = ctx;

    x->check = NULL;
    x->result = *result;
    x->done++;
}

static void make_env(struct fixture *x)
{
    const struct gone_env gone = {
        .outbox = x->outbox, .row = run_row, .settled = on_settled, .ctx = x};

    x->env = (struct check_env){.loop = x->loop,
                                .outbox = x->outbox,
                                .gone = gone_new(&gone),
                                .numbers = numbers_table_new(),
                                .absences = absences_new(NULL, NULL),
                                .clock = {clock_now, clock_mono, x},
                                .connection = "c",
                                .limits = {.max_jobs = 2,
                                           .hold_min = 20,
                                           .hold_percent = 10,
                                           .numbers_max = 100,
                                           .confirm_ms = CONFIRM_MS},
                                .owns = owns,
                                .by_rest = by_rest,
                                .tool = tool,
                                .stopping = stopping,
                                .save = save,
                                .publish = publish,
                                .ctx = x};
    assert_true(x->env.gone && x->env.numbers && x->env.absences);
}

static void make_mcp(struct fixture *x)
{
    const struct mcp_conf conf = {.loop = x->loop,
                                  .http = th_script_http(x->http),
                                  .clock = {clock_now, clock_mono, x},
                                  .endpoint = WH_LIT("https://gitlab.example.com/api/v4/mcp"),
                                  .version = "2025-11-25",
                                  .client_name = "t",
                                  .client_version = "1",
                                  .retry_max = 1,
                                  .backoff_ms = 1,
                                  .timeout_ms = 60000,
                                  .body_max = 1 << 16,
                                  .allowed = mcp_tool_is_read};
    struct wh_err err;

    th_ok(mcp_new(&conf, &x->mcp, &err), &err);
}

static void on_tools(void *ctx, const struct mcp_answer *a)
{
    assert_int_equal(a->outcome, MCP_OK);
    ((struct fixture *)ctx)->tools_known = true;
}

/* Answers one request, or lets one step of the loop pass. */
static void step(struct fixture *x)
{
    wh_loop_turn(x->loop, false);
    if (th_script_waiting(x->http)) {
        th_script_answer_one(x->http, 0);
    } else if (wh_producer_pending(x->producer)) {
        (void)wh_producer_poll(x->producer, 0);
    } else {
        x->now_ms += 200;
        wh_loop_turn(x->loop, true);
    }
}

static void learn_tools(struct fixture *x)
{
    struct wh_err err;

    th_ok(mcp_list_tools(x->mcp, on_tools, x, &err), &err);
    for (unsigned i = 0; !x->tools_known; i++) {
        assert_true(i < TURNS_MAX);
        step(x);
    }
}

static int set_up(void **state)
{
    struct fixture *x = wh_mem_zalloc(1, sizeof(*x));
    struct wh_producer_conf conf;
    struct wh_err err;

    assert_non_null(x);
    x->now_ms = 1700000000000;
    x->bus = wh_bus_mem_new();
    x->loop = wh_loop_new();
    x->http = th_script_new(gitlab, x);
    x->parser = wh_json_parser_new(1 << 16, 16);
    assert_true(x->bus && x->loop && x->http && x->parser);
    th_ok(wh_bus_mem_topic(x->bus, "raw.c", 1, &err), &err);
    x->outbox = outbox_new(&(struct outbox_conf){
        .loop = x->loop, .clock = {clock_now, clock_mono, x}, .on_room = on_settled, .ctx = x});
    assert_non_null(x->outbox);
    wh_producer_conf_init(&conf);
    th_ok(wh_bus_mem_producer(x->bus, &conf, &x->producer, &err), &err);
    outbox_set_producer(x->outbox, x->producer);
    make_mcp(x);
    make_env(x);
    assert_non_null(projects_add(&x->projects, WH_LIT("7")));
    x->issues = numbers_of(x->env.numbers, "c", "7", NUMBERS_ISSUES, true);
    assert_non_null(x->issues);
    for (int64_t i = 1; i <= ISSUES; i++) {
        th_ok(number_set_put(x->issues->set, i, 5000 + i, NUMBER_HAVE, false, &err), &err);
        x->listed[i] = true;
    }
    learn_tools(x);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    check_free(x->check);
    mcp_free(x->mcp);
    outbox_abandon(x->outbox);
    gone_free(x->env.gone);
    wh_producer_free(x->producer);
    outbox_free(x->outbox);
    numbers_table_free(x->env.numbers);
    absences_free(x->env.absences);
    projects_free(&x->projects);
    wh_json_parser_free(x->parser);
    th_script_free(x->http);
    wh_loop_free(x->loop);
    wh_bus_mem_free(x->bus);
    wh_mem_free(x);
    return 0;
}

/* ---- one check ---- */

static void start(struct fixture *x)
{
    const struct check_run run = {.sweep = !x->no_sweep,
                                  .mcp = x->mcp,
                                  .projects = &x->projects,
                                  .started_ms = RUN_MS,
                                  .counts = x->counts,
                                  .done = on_done,
                                  .ctx = x};

    x->done = x->lists = x->singles = 0;
    x->check = check_start(&x->env, &run);
    assert_non_null(x->check);
}

static void check(struct fixture *x)
{
    start(x);
    for (unsigned i = 0; i < TURNS_MAX && x->done == 0; i++) {
        step(x);
    }
    assert_int_equal(x->done, 1);
}

static enum number_fate fate_of(const struct fixture *x, int64_t number)
{
    return number_set_get(x->issues->set, number).fate;
}

static void nothing_is_gone(const struct fixture *x)
{
    assert_int_equal(x->result.tombstones, 0);
    assert_int_equal(wh_bus_mem_count(x->bus, "raw.c"), 0);
    for (int64_t i = 1; i <= ISSUES; i++) {
        assert_int_equal(fate_of(x, i), NUMBER_HAVE);
    }
}

/* ---- tests ---- */

static void test_all_are_listed(void **state)
{
    struct fixture *x = *state;

    check(x);
    assert_true(x->result.ok);
    assert_int_equal(x->lists, ISSUES + 1);
    assert_int_equal(x->singles, 0);
    nothing_is_gone(x);
    x->no_sweep = true;
    check(x);
    assert_int_equal(x->lists, 0);
}

static void test_gone_is_confirmed(void **state)
{
    struct fixture *x = *state;

    x->listed[2] = false;
    x->objects[2] = NOT_FOUND;
    check(x);
    assert_true(x->result.ok);
    assert_int_equal(x->singles, 1);
    nothing_is_gone(x);
    assert_int_equal(absences_unsure(x->env.absences, "c"), 1);
    /* Too early. */
    x->no_sweep = true;
    check(x);
    assert_int_equal(x->singles, 0);
    nothing_is_gone(x);
    x->now_ms += CONFIRM_MS;
    check(x);
    assert_true(x->result.ok);
    assert_int_equal(x->singles, 1);
    assert_int_equal(x->lists, 1); /* the project can still be read */
    assert_int_equal(x->result.tombstones, 1);
    assert_int_equal(fate_of(x, 2), NUMBER_HIDDEN); /* the token's role is not known */
    assert_int_equal(absences_unsure(x->env.absences, "c"), 0);
    check(x);
    assert_int_equal(x->result.tombstones, 0);
}

static void test_shown_alone(void **state)
{
    struct fixture *x = *state;

    x->listed[2] = x->listed[3] = false;
    x->objects[3] = NOT_FOUND;
    check(x);
    assert_int_equal(x->singles, 2);
    x->objects[3] = SHOWN;
    x->now_ms += CONFIRM_MS;
    x->no_sweep = true;
    check(x);
    assert_int_equal(absences_unsure(x->env.absences, "c"), 0);
    nothing_is_gone(x);
}

static void test_no_proof(void **state)
{
    struct fixture *x = *state;

    x->listed[2] = false;
    x->objects[2] = FAILS;
    check(x);
    assert_non_null(strstr(x->result.error, "the tool says: Something went wrong"));
    nothing_is_gone(x);
    x->objects[2] = NOT_FOUND;
    x->fails = true;
    for (unsigned i = 0; i < 3; i++) {
        x->now_ms += CONFIRM_MS;
        check(x);
        assert_false(x->result.ok);
        assert_int_equal(x->singles, 0);
        nothing_is_gone(x);
    }
    assert_non_null(strstr(x->result.error, "Project not found or inaccessible"));
    x->fails = false;
    x->no_end = true;
    check(x);
    assert_true(x->result.ok); /* the next run would not know more */
    assert_non_null(strstr(x->result.error, "does not say where its listing ends"));
    assert_int_equal(x->singles, 0);
    nothing_is_gone(x);
}

/* The project is lost between the two answers. */
static void test_the_project_must_be_readable(void **state)
{
    struct fixture *x = *state;

    x->listed[2] = false;
    x->objects[2] = NOT_FOUND;
    check(x);
    x->now_ms += CONFIRM_MS;
    x->no_sweep = true;
    x->fails = true;
    check(x);
    assert_int_equal(x->singles, 1);
    assert_false(x->result.ok);
    nothing_is_gone(x);
    x->fails = false;
    check(x);
    assert_int_equal(x->result.tombstones, 1);
}

static void test_freed_anywhere(void **state)
{
    struct fixture *x = *state;

    x->listed[2] = false;
    x->objects[2] = NOT_FOUND;
    for (unsigned steps = 1; steps < 12; steps++) {
        start(x);
        for (unsigned i = 0; i < steps && x->done == 0; i++) {
            step(x);
        }
        check_free(x->check);
        x->check = NULL;
    }
    /* The tool is not used any more. */
    start(x);
    step(x);
    x->no_tool = true;
    for (unsigned i = 0; i < TURNS_MAX && x->done == 0; i++) {
        step(x);
    }
    assert_int_equal(x->done, 1);
    assert_false(x->result.ok);
    nothing_is_gone(x);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_are_listed), TEST(test_gone_is_confirmed),
        TEST(test_shown_alone),    TEST(test_no_proof),
        TEST(test_freed_anywhere), TEST(test_the_project_must_be_readable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
