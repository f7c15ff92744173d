/* Streams of changes: every change once, resumed at any place, and never a burden for the sink. */
#include <stdio.h>
#include <stdlib.h>

#include "stages/sink/store/keyspace.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_facts.h"

enum { STREAMS_MAX = 16, STALL_MS = 50, MANY = 300 };

struct world {
    struct th_api *api;
    struct th_facts facts;
    unsigned stored;
};

static int set_up(void **state)
{
    const struct sink_api_conf conf = {.sql_timeout_ms = 5000,
                                       .sql_timeout_max_ms = 60000,
                                       .sql_rows = 100,
                                       .sql_bytes = 1 << 20,
                                       .stall_ms = STALL_MS};
    struct world *w = calloc(1, sizeof(*w));

    w->api = th_api_new(&conf, 0, 1);
    th_facts_init_on(&w->facts, w->api->store);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    th_facts_done(&w->facts);
    th_api_free(w->api);
    free(w);
    return 0;
}

static void store(struct world *w, const char *status)
{
    char json[512];

    w->facts.now_ms += 1000;
    (void)snprintf(json, sizeof(json),
                   "{\"kind\":\"build_record\",\"id\":\"%u\",\"at\":\"2026-05-01T10:00:00Z\","
                   "\"status\":\"%s\"}",
                   ++w->stored, status);
    th_facts_put(&w->facts, json);
    changes_notify(w->api->changes, sink_apply_sequence(w->facts.apply));
}

static void ask(struct world *w, struct th_http_req *req, const char *method, const char *since)
{
    th_api_request(w->api, req, method, "/api/v1/changes");
    th_http_arg(req, "kind", "pipelines");
    if (since) {
        th_http_arg(req, "since", since);
    }
}

static void begin(struct world *w, struct th_http_req *req)
{
    th_http_begin(req, &w->api->handler);
    while (!req->replied) {
        wh_loop_turn(w->api->loop, true);
    }
}

static void await_text(struct world *w, struct th_http_req *req, const char *text)
{
    while (strstr(wh_buf_str(&req->answer), text) == NULL) {
        assert_true(req->streaming);
        wh_loop_turn(w->api->loop, true);
    }
}

static void leave(struct world *w, struct th_http_req *req)
{
    th_http_over(req, &w->api->handler);
    th_http_done(req);
}

/* Counts the changes, which must be consecutive from `first` on. */
static unsigned count_changes(const struct th_http_req *req, unsigned first)
{
    const char *at = wh_buf_str(&req->answer);
    unsigned n = 0;

    while ((at = strstr(at, "\"sequence\":")) != NULL) {
        assert_int_equal(atoi(at + 11), first + n);
        n++;
        at++;
    }
    return n;
}

static void a_stream_has_what_was_and_what_comes(void **state)
{
    struct world *w = *state;
    struct th_http_req req;

    store(w, "running");
    store(w, "failed");
    ask(w, &req, "GET", "0");
    begin(w, &req);
    assert_int_equal(req.status, 200);
    assert_string_equal(req.content_type, "text/event-stream");
    await_text(w, &req, "\"sequence\":2,");
    store(w, "success");
    await_text(w, &req, "\"sequence\":3,");
    assert_int_equal(count_changes(&req, 1), 3);
    assert_non_null(strstr(wh_buf_str(&req.answer), "event: change\nid: 0-1\ndata: {"));
    leave(w, &req);
}

static void a_stream_without_a_place_begins_now(void **state)
{
    struct world *w = *state;
    struct th_http_req req;

    store(w, "running");
    ask(w, &req, "GET", NULL);
    begin(w, &req);
    await_text(w, &req, "id: 0-1\n");
    store(w, "failed");
    await_text(w, &req, "\"sequence\":2,");
    assert_int_equal(count_changes(&req, 2), 1);
    leave(w, &req);
}

static void a_stream_is_resumed_behind_an_event(void **state)
{
    struct world *w = *state;
    struct th_http_req req;

    for (int i = 0; i < 5; i++) {
        store(w, "failed");
    }
    ask(w, &req, "GET", "1"); /* the field counts more */
    th_http_header(&req, "Last-Event-ID", "0-3");
    begin(w, &req);
    await_text(w, &req, "\"sequence\":5,");
    assert_int_equal(count_changes(&req, 4), 2);
    leave(w, &req);
}

static void a_condition_chooses_the_changes(void **state)
{
    struct world *w = *state;
    struct th_http_req req;

    store(w, "running");
    store(w, "failed");
    store(w, "success");
    store(w, "failed");
    ask(w, &req, "GET", "0");
    th_http_arg(&req, "where", "status = 'failed'");
    begin(w, &req);
    await_text(w, &req, "\"sequence\":4,");
    assert_null(strstr(wh_buf_str(&req.answer), "\"sequence\":1,"));
    assert_non_null(strstr(wh_buf_str(&req.answer), "\"sequence\":2,"));
    assert_null(strstr(wh_buf_str(&req.answer), "\"sequence\":3,"));
    leave(w, &req);
}

static void what_is_wrong_is_refused_before_the_stream(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        unsigned status;
    } bad[] = {{"where", "nothing = 1", 400}, {"where", "1); drop table jobs", 400},
               {"kind", "revisions", 400},    {"since", "yesterday", 400},
               {"since", "5", 410},           {"since", "18f3a0c2b11-0", 410}};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct th_http_req req;

        ask(w, &req, "GET", NULL);
        th_http_arg(&req, bad[i].name, bad[i].value);
        th_http_send(&req, &w->api->handler, w->api->loop);
        assert_int_equal(req.status, bad[i].status);
        th_http_done(&req);
    }
}

static void a_head_request_opens_no_stream(void **state)
{
    struct world *w = *state;
    struct th_http_req req;

    ask(w, &req, "HEAD", "0");
    th_http_send(&req, &w->api->handler, w->api->loop);
    assert_int_equal(req.status, 200);
    assert_false(req.streamed);
    th_http_done(&req);
}

static void removed_changes_are_named(void **state)
{
    struct world *w = *state;
    struct wh_batch *batch;
    struct th_http_req req;
    struct wh_err err;

    for (int i = 0; i < 4; i++) {
        store(w, "failed");
    }
    th_ok(wh_batch_new(w->api->store, &batch, &err), &err);
    for (uint64_t i = 2; i <= 3; i++) {
        unsigned char key[8];

        wh_be_put64(key, i);
        th_ok(wh_batch_remove(batch, SINK_CHANGES, wh_slice(key, sizeof(key)), &err), &err);
    }
    th_ok(wh_store_write(w->api->store, batch, false, &err), &err);
    wh_batch_free(batch);
    ask(w, &req, "GET", "0");
    begin(w, &req);
    await_text(w, &req, "\"sequence\":4,");
    assert_non_null(
        strstr(wh_buf_str(&req.answer), "event: gone\nid: 0-3\ndata: {\"from\":2,\"to\":3,"));
    leave(w, &req);
}

/* There is room for another stream only when one has ended. */
static void begin_when_free(struct world *w, struct th_http_req *req, const char *since)
{
    for (;;) {
        ask(w, req, "GET", since);
        begin(w, req);
        if (req->status == 200) {
            return;
        }
        assert_int_equal(req->status, 503);
        assert_non_null(strstr(wh_buf_str(&req->answer), "16 streams of changes are open"));
        leave(w, req);
    }
}

/* The slow one is cut with a reason, at a whole event, and goes on where it was. */
static void a_slow_reader_is_cut_and_resumes(void **state)
{
    struct world *w = *state;
    struct th_http_req *idle = calloc(STREAMS_MAX - 1, sizeof(*idle));
    struct th_http_req slow;
    struct th_http_req next;
    char since[32];
    unsigned n;

    for (int i = 0; i < MANY; i++) {
        store(w, "failed");
    }
    ask(w, &slow, "GET", "0");
    slow.read_max = 100;
    begin(w, &slow);
    for (int i = 0; i < STREAMS_MAX - 1; i++) {
        ask(w, &idle[i], "GET", NULL);
        begin(w, &idle[i]);
        assert_int_equal(idle[i].status, 200);
    }
    begin_when_free(w, &next, NULL);
    leave(w, &next);
    slow.read_max = 0;
    th_http_read(&slow);
    assert_false(slow.streaming || slow.aborted);
    assert_non_null(strstr(wh_buf_str(&slow.answer),
                           "\n\nevent: end\ndata: {\"reason\":\"stopped because the client reads"));
    n = count_changes(&slow, 1);
    assert_in_range(n, 1, MANY - 1);
    leave(w, &slow);
    (void)snprintf(since, sizeof(since), "0-%u", n);
    begin_when_free(w, &next, since);
    (void)snprintf(since, sizeof(since), "\"sequence\":%d,", MANY);
    await_text(w, &next, since);
    assert_int_equal(count_changes(&next, n + 1), MANY - n);
    leave(w, &next);
    for (int i = 0; i < STREAMS_MAX - 1; i++) {
        leave(w, &idle[i]);
    }
    free(idle);
}

static void streams_end_with_the_sink(void **state)
{
    struct world *w = *state;
    struct th_http_req req;

    ask(w, &req, "GET", NULL);
    begin(w, &req);
    await_text(w, &req, "\n\n");
    changes_stop(w->api->changes);
    sink_api_drain(w->api->api);
    await_text(w, &req, "event: end\n");
    assert_non_null(strstr(wh_buf_str(&req.answer), "\"code\":\"canceled\""));
    while (req.streaming) {
        wh_loop_turn(w->api->loop, true);
    }
    leave(w, &req);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stream_has_what_was_and_what_comes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_without_a_place_begins_now, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_is_resumed_behind_an_event, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_condition_chooses_the_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_refused_before_the_stream, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_head_request_opens_no_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removed_changes_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_slow_reader_is_cut_and_resumes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams_end_with_the_sink, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
