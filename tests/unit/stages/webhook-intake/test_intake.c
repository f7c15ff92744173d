/* The core on Kafka in memory; requests without a server. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/arena.h"
#include "common/event/messages.h"
#include "common/event/raw_event.h"
#include "tests/lib/th_http.h"
#include "tests/lib/th_intake.h"

#define BODY "{\"object_kind\":\"issue\",\"project\":{\"id\":5},\"object_attributes\":{\"id\":99}}"
#define RAW "wellhead.raw.c1"
#define NS_PER_S INT64_C(1000000000)

static int set_up(void **state)
{
    static struct th_intake t;

    th_intake_init(&t);
    *state = &t;
    return 0;
}

static int tear_down(void **state)
{
    th_intake_done(*state);
    return 0;
}

static void post_init(struct th_http_req *req, const char *path, const char *token)
{
    th_http_init(req, "POST", path);
    req->body = WH_LIT(BODY);
    if (token) {
        th_http_header(req, "X-Gitlab-Token", token);
    }
}

/* One request to its end; gives the status. */
static unsigned post(struct th_intake *t, const char *path, const char *token)
{
    struct th_http_req req;

    post_init(&req, path, token);
    th_http_send(&req, &t->handler, t->loop);
    th_http_done(&req);
    /* Whoever may come again is told when; who may not is not asked to. */
    assert_int_equal(req.retry_after_s > 0, req.status == 503);
    return req.status;
}

static unsigned hook(struct th_intake *t)
{
    return post(t, "/hooks/c1", TH_INTAKE_TOKEN);
}

/* The request up to the wait for Kafka. */
static void begin(struct th_intake *t, struct th_http_req *req)
{
    post_init(req, "/hooks/c1", TH_INTAKE_TOKEN);
    th_http_begin(req, &t->handler);
}

/* Turns the loop until it has an answer. */
static unsigned answer_of(struct th_intake *t, const struct th_http_req *req)
{
    for (int i = 0; !req->replied; i++) {
        assert_true(i < 10000);
        wh_loop_turn(t->loop, true);
    }
    assert_int_equal(req->retry_after_s > 0, req->status == 503);
    return req->status;
}

static size_t produced(const struct th_intake *t)
{
    return wh_bus_mem_calls(t->bus, WH_BUS_MEM_PRODUCE) - 1; /* one is the connection */
}

static void end(struct th_intake *t, struct th_http_req *req)
{
    th_http_over(req, &t->handler);
    th_http_done(req);
}

static const struct wh_bus_header *header(const struct wh_bus_header *headers, size_t n,
                                          const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (wh_slice_eq(headers[i].name, wh_slice_str(name))) {
            return &headers[i];
        }
    }
    return NULL;
}

/* How the webhooks are is told when it changed, the last time when the process stops. */
static void test_health_is_told(void **state)
{
    struct th_intake *t = *state;
    const struct wh_bus_header *headers;
    struct wh_document doc;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    th_ok(wh_bus_mem_topic(t->bus, "wellhead.health", 1, &err), &err);
    th_intake_start(t, NULL, true);
    assert_int_equal(hook(t), 200);
    assert_int_equal(post(t, "/hooks/c1", "wrong"), 401);
    intake_drain(t->intake, NULL, NULL);
    th_intake_turns(t, 3);
    assert_int_equal(wh_bus_mem_count(t->bus, "wellhead.health"), 1);
    assert_true(wh_bus_mem_get(t->bus, "wellhead.health", 0, &msg, &headers, &n));
    th_slice_is(msg.key, "c1:webhooks:intake");
    th_ok(wh_document_decode(msg.value, &doc, &err), &err);
    th_slice_is(doc.connection, "c1");
    assert_non_null(memmem(doc.document.ptr, doc.document.len, "\"accepted\":1", 12));
    assert_non_null(memmem(doc.document.ptr, doc.document.len, "\"unauthorized\":1", 16));
    assert_non_null(memmem(doc.document.ptr, doc.document.len, "\"project\":\"5\"", 13));
}

static void test_what_is_produced(void **state)
{
    struct th_intake *t = *state;
    const char *trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const struct wh_bus_header *headers;
    size_t n;
    struct th_http_req req;
    struct wh_bus_msg msg;
    struct wh_raw_event e;
    struct wh_arena arena;
    struct wh_err err;
    char signature[64];

    th_intake_start(t, NULL, true);
    th_intake_sign("msg-1", "1700000000", WH_LIT(BODY), signature);
    post_init(&req, "/hooks/c1", NULL);
    th_http_header(&req, "webhook-id", "msg-1");
    th_http_header(&req, "webhook-timestamp", "1700000000");
    th_http_header(&req, "webhook-signature", signature);
    th_http_header(&req, "X-Gitlab-Event", "Issue Hook");
    th_http_header(&req, "traceparent", trace);
    th_http_send(&req, &t->handler, t->loop);
    assert_int_equal(req.status, 200);
    th_slice_is(wh_buf_slice(&req.answer), "{\"ok\":true}\n");
    th_http_done(&req);

    assert_int_equal(wh_bus_mem_count(t->bus, RAW), 1);
    assert_true(wh_bus_mem_get(t->bus, RAW, 0, &msg, &headers, &n));
    th_slice_is(msg.key, "issue:5:99");
    assert_int_equal(n, 6);
    th_slice_is(header(headers, n, "ce_specversion")->value, "1.0");
    th_slice_is(header(headers, n, "ce_id")->value, "msg-1");
    th_slice_is(header(headers, n, "ce_source")->value, "https://gitlab.example");
    th_slice_is(header(headers, n, "ce_type")->value, "com.gitlab.issue");
    th_slice_is(header(headers, n, "ce_time")->value, "2023-11-14T22:13:20.000Z");
    th_slice_is(header(headers, n, "traceparent")->value, trace);
    wh_arena_init(&arena, 4096, 1 << 20);
    th_ok(wh_raw_event_decode(msg.value, &arena, &e, &err), &err);
    th_slice_is(e.connection, "c1");
    th_slice_is(e.instance, "https://gitlab.example");
    assert_int_equal(e.origin, WH_ORIGIN_WEBHOOK);
    th_slice_is(e.kind, "issue");
    th_slice_is(e.project, "5");
    th_slice_is(e.object_id, "99");
    assert_int_equal(e.observed_at_ms, TH_INTAKE_NOW_MS);
    th_slice_is(e.delivery_id, "msg-1");
    th_slice_is(e.payload, BODY);
    /* No secret in what is kept. */
    assert_int_equal(e.n_headers, 4);
    for (size_t i = 0; i < e.n_headers; i++) {
        assert_false(wh_slice_eq(e.headers[i].name, WH_LIT("webhook-signature")));
        assert_false(wh_slice_eq(e.headers[i].name, WH_LIT("x-gitlab-token")));
    }
    wh_arena_done(&arena);
}

static void test_authentic_nonsense_is_kept(void **state)
{
    struct th_intake *t = *state;
    struct th_http_req req;
    struct wh_bus_msg msg;

    th_intake_start(t, NULL, true);
    post_init(&req, "/hooks/c1", TH_INTAKE_TOKEN);
    req.body = WH_LIT("\x01not json");
    th_http_header(&req, "traceparent", "nonsense");
    th_http_send(&req, &t->handler, t->loop);
    assert_int_equal(req.status, 200);
    th_http_done(&req);
    assert_true(wh_bus_mem_get(t->bus, RAW, 0, &msg, NULL, NULL));
    assert_true(wh_slice_starts(msg.key, WH_LIT("unknown::")));
    assert_int_equal(msg.key.len, strlen("unknown::") + 32);
}

static void test_refusals(void **state)
{
    struct th_intake *t = *state;
    struct th_http_req req;
    char signature[64];

    th_intake_connection(t, "off", "disabled", NULL, TH_INTAKE_TOKEN);
    th_intake_connection(t, "bare", "enabled", NULL, NULL);
    th_intake_start(t, NULL, true);
    assert_int_equal(post(t, "/hooks/c1", "wrong"), 401);
    assert_int_equal(post(t, "/hooks/c1", NULL), 401);
    assert_int_equal(post(t, "/hooks/bare", TH_INTAKE_TOKEN), 401);
    assert_int_equal(post(t, "/hooks/bare", ""), 401);
    assert_int_equal(post(t, "/hooks/c2", TH_INTAKE_TOKEN), 401);
    assert_int_equal(post(t, "/hooks/", TH_INTAKE_TOKEN), 404);
    assert_int_equal(post(t, "/hooks/c1/", TH_INTAKE_TOKEN), 404);
    assert_int_equal(post(t, "/hook", TH_INTAKE_TOKEN), 404);
    assert_int_equal(post(t, "/", TH_INTAKE_TOKEN), 404);
    assert_int_equal(post(t, "/hooks/off", TH_INTAKE_TOKEN), 410);
    th_http_init(&req, "GET", "/hooks/c1");
    th_http_send(&req, &t->handler, t->loop);
    assert_int_equal(req.status, 405);
    th_slice_is(wh_buf_slice(&req.answer_headers), "Allow: POST\n");
    th_http_done(&req);
    /* A right token does not help a wrong signature: by its time, or by its body. */
    th_intake_sign("m", "1600000000", WH_LIT(BODY), signature);
    post_init(&req, "/hooks/c1", TH_INTAKE_TOKEN);
    th_http_header(&req, "webhook-id", "m");
    th_http_header(&req, "webhook-timestamp", "1600000000");
    th_http_header(&req, "webhook-signature", signature);
    th_http_send(&req, &t->handler, t->loop);
    assert_int_equal(req.status, 401);
    th_http_done(&req);
    th_intake_sign("m", "1700000000", WH_LIT("another"), signature);
    post_init(&req, "/hooks/c1", TH_INTAKE_TOKEN);
    th_http_header(&req, "webhook-id", "m");
    th_http_header(&req, "webhook-timestamp", "1700000000");
    th_http_header(&req, "webhook-signature", signature);
    th_http_send(&req, &t->handler, t->loop);
    assert_int_equal(req.status, 401);
    th_http_done(&req);
    assert_int_equal(wh_bus_mem_count(t->bus, RAW), 0);
}

/* A request with a proof of some kind, as it is answered. */
enum proof { PROOF_NONE, PROOF_WRONG_TOKEN, PROOF_FORGED, PROOF_OLD, PROOFS };

static void answer_to(struct th_intake *t, const char *id, enum proof proof,
                      struct th_http_req *req)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "/hooks/%s", id);
    post_init(req, path, proof == PROOF_WRONG_TOKEN ? "wrong" : NULL);
    if (proof == PROOF_FORGED || proof == PROOF_OLD) {
        th_http_header(req, "webhook-id", "m");
        th_http_header(req, "webhook-timestamp", proof == PROOF_OLD ? "1600000000" : "1700000000");
        th_http_header(req, "webhook-signature", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    }
    th_http_send(req, &t->handler, t->loop);
}

/* Without a proof, nothing tells which connections exist, nor how they are. */
static void test_strangers_hear_the_same_for_every_id(void **state)
{
    static const char *const ids[] = {"c1", "nobody", "off", "bare", "signed", "away"};
    struct th_intake *t = *state;
    struct wh_err err;

    th_ok(wh_bus_mem_topic(t->bus, "wellhead.raw.away", 1, &err), &err);
    th_intake_connection(t, "off", "disabled", TH_INTAKE_KEY, TH_INTAKE_TOKEN);
    th_intake_connection(t, "bare", "enabled", NULL, NULL);
    th_intake_connection(t, "signed", "enabled", TH_INTAKE_KEY, NULL);
    th_intake_connection(t, "away", "enabled", TH_INTAKE_KEY, TH_INTAKE_TOKEN);
    th_intake_start(t, NULL, true);
    wh_bus_mem_fail(t->bus, WH_BUS_MEM_DELIVERY, 0, 1, WH_E_TIMEOUT);
    assert_int_equal(post(t, "/hooks/away", TH_INTAKE_TOKEN), 503);
    for (int proof = 0; proof < PROOFS; proof++) {
        struct th_http_req known;

        answer_to(t, ids[0], (enum proof)proof, &known);
        assert_int_equal(known.status, 401);
        for (size_t i = 1; i < sizeof(ids) / sizeof(ids[0]); i++) {
            struct th_http_req req;

            answer_to(t, ids[i], (enum proof)proof, &req);
            assert_int_equal(req.status, known.status);
            assert_true(wh_slice_eq(wh_buf_slice(&req.answer), wh_buf_slice(&known.answer)));
            assert_true(wh_slice_eq(wh_buf_slice(&req.answer_headers),
                                    wh_buf_slice(&known.answer_headers)));
            /* As much of the request was read before the answer. */
            assert_int_equal(req.body_read, known.body_read);
            th_http_done(&req);
        }
        th_http_done(&known);
    }
}

static void test_signatures_can_be_required(void **state)
{
    struct th_intake *t = *state;
    struct intake_conf conf;
    struct th_http_req req;
    char signature[64];

    intake_conf_init(&conf);
    conf.require_signature = true;
    th_intake_start(t, &conf, true);
    assert_int_equal(hook(t), 401);
    th_intake_sign("msg-1", "1700000000", WH_LIT(BODY), signature);
    post_init(&req, "/hooks/c1", NULL);
    th_http_header(&req, "webhook-id", "msg-1");
    th_http_header(&req, "webhook-timestamp", "1700000000");
    th_http_header(&req, "webhook-signature", signature);
    th_http_send(&req, &t->handler, t->loop);
    assert_int_equal(req.status, 200);
    th_http_done(&req);
}

/* A signature proves a disabled connection's sender, too. */
static void test_a_disabled_connection_says_so_to_its_own(void **state)
{
    struct th_intake *t = *state;
    struct th_http_req req;
    char signature[64];

    th_intake_connection(t, "off", "disabled", TH_INTAKE_KEY, TH_INTAKE_TOKEN);
    th_intake_start(t, NULL, true);
    th_intake_sign("m", "1700000000", WH_LIT(BODY), signature);
    post_init(&req, "/hooks/off", NULL);
    th_http_header(&req, "webhook-id", "m");
    th_http_header(&req, "webhook-timestamp", "1700000000");
    th_http_header(&req, "webhook-signature", signature);
    th_http_send(&req, &t->handler, t->loop);
    assert_int_equal(req.status, 410);
    th_http_done(&req);
}

static void test_connections_come_and_go(void **state)
{
    struct th_intake *t = *state;

    th_intake_start(t, NULL, true);
    assert_int_equal(hook(t), 200);
    th_intake_connection(t, "c1", "enabled", NULL, "another token");
    th_intake_turns(t, 5);
    assert_int_equal(hook(t), 401);
    assert_int_equal(post(t, "/hooks/c1", "another token"), 200);
    /* What cannot be read leaves what was there. */
    th_intake_record(t, "c1", WH_LIT("nonsense"));
    th_intake_turns(t, 5);
    assert_int_equal(post(t, "/hooks/c1", "another token"), 200);
    th_intake_connection(t, "c1", "disabled", NULL, "another token");
    th_intake_turns(t, 5);
    assert_int_equal(post(t, "/hooks/c1", "another token"), 410);
    th_intake_connection(t, "c1", NULL, NULL, NULL);
    th_intake_turns(t, 5);
    assert_int_equal(hook(t), 401);
    th_intake_connection(t, "c1", "enabled", TH_INTAKE_KEY, TH_INTAKE_TOKEN);
    th_intake_turns(t, 5);
    assert_int_equal(hook(t), 200);
    assert_int_equal(t->fatals, 0);
}

static void test_secrets_of_another_key(void **state)
{
    struct th_intake *t = *state;

    memset(t->keys.keys[0].bytes, 8, sizeof(t->keys.keys[0].bytes));
    th_intake_start(t, NULL, true);
    assert_int_equal(hook(t), 503);
}

static void test_not_ready_before_all_is_read(void **state)
{
    struct th_intake *t = *state;

    th_intake_start(t, NULL, false);
    assert_non_null(intake_not_ready(t->intake));
    assert_int_equal(hook(t), 503);
    for (int i = 0; i < 100000 && intake_not_ready(t->intake); i++) {
        wh_loop_turn(t->loop, false);
    }
    assert_null(intake_not_ready(t->intake));
    assert_int_equal(hook(t), 200);
}

static void test_answer_waits_for_the_broker(void **state)
{
    struct th_intake *t = *state;
    struct th_http_req req;

    th_intake_start(t, NULL, true);
    wh_bus_mem_hold(t->bus, true);
    begin(t, &req);
    th_intake_turns(t, 10);
    assert_false(req.replied);
    assert_int_equal(wh_bus_mem_count(t->bus, RAW), 0);
    wh_bus_mem_hold(t->bus, false);
    /* Another record wakes the held one. */
    assert_int_equal(hook(t), 200);
    assert_int_equal(req.status, 200);
    assert_int_equal(wh_bus_mem_count(t->bus, RAW), 2);
    end(t, &req);
}

static void test_sender_that_leaves(void **state)
{
    struct th_intake *t = *state;
    struct th_http_req req;

    th_intake_start(t, NULL, true);
    wh_bus_mem_hold(t->bus, true);
    begin(t, &req);
    wh_loop_turn(t->loop, false); /* produced */
    end(t, &req);
    wh_bus_mem_hold(t->bus, false);
    assert_int_equal(hook(t), 200);
    assert_false(req.replied);
    assert_int_equal(wh_bus_mem_count(t->bus, RAW), 2);
}

static void test_failed_delivery(void **state)
{
    struct th_intake *t = *state;

    th_intake_start(t, NULL, true);
    wh_bus_mem_fail(t->bus, WH_BUS_MEM_DELIVERY, 0, 1, WH_E_TIMEOUT);
    assert_int_equal(hook(t), 503);
    /* Away: refused at once until a probe is due, then the probe heals it. */
    assert_int_equal(hook(t), 503);
    assert_int_equal(wh_bus_mem_calls(t->bus, WH_BUS_MEM_PRODUCE), 2); /* one is the connection */
    t->mono_ns += NS_PER_S;
    assert_int_equal(hook(t), 200);
    assert_int_equal(hook(t), 200);
    wh_bus_mem_fail(t->bus, WH_BUS_MEM_DELIVERY, 0, 1, WH_E_TOO_LARGE);
    assert_int_equal(hook(t), 413);
    assert_int_equal(hook(t), 200);
}

static void test_back_pressure(void **state)
{
    struct th_intake *t = *state;
    struct th_http_req a;
    struct th_http_req b;
    struct th_http_req c;

    t->queue_max_records = 1;
    th_intake_start(t, NULL, true);
    wh_bus_mem_hold(t->bus, true);
    begin(t, &a);
    begin(t, &b);
    assert_int_equal(answer_of(t, &b), 503);
    assert_false(a.replied);
    wh_bus_mem_fail(t->bus, WH_BUS_MEM_PRODUCE, 0, 1, WH_E_UNAVAILABLE);
    begin(t, &c);
    assert_int_equal(answer_of(t, &c), 503);
    end(t, &a);
    end(t, &b);
    end(t, &c);
}

static void test_bodies_are_bounded(void **state)
{
    struct th_intake *t = *state;
    struct intake_conf conf;
    struct th_http_req a;
    struct th_http_req b;

    intake_conf_init(&conf);
    conf.body_max = sizeof(BODY) - 1;
    conf.bodies_max = 2 * (sizeof(BODY) - 1) - 1;
    th_intake_start(t, &conf, true);
    wh_bus_mem_hold(t->bus, true);
    begin(t, &a);
    begin(t, &b);
    assert_false(a.replied);
    assert_int_equal(answer_of(t, &b), 503);
    end(t, &b);
    /* Its bytes count until Kafka has answered, even if its sender has gone. */
    end(t, &a);
    begin(t, &b);
    assert_int_equal(answer_of(t, &b), 503);
    end(t, &b);
}

static void test_lost_producer_is_replaced(void **state)
{
    struct th_intake *t = *state;
    struct th_http_req held;

    th_intake_start(t, NULL, true);
    wh_bus_mem_hold(t->bus, true);
    begin(t, &held);
    wh_bus_mem_fail(t->bus, WH_BUS_MEM_PRODUCE, 0, 1, WH_E_FATAL_BUS);
    assert_int_equal(hook(t), 503);
    for (int i = 0; i < 100000 && t->producers < 2; i++) {
        wh_loop_turn(t->loop, false);
    }
    assert_int_equal(t->producers, 2);
    assert_null(intake_not_ready(t->intake));
    /* What was in the old one is not known to be stored. */
    assert_int_equal(answer_of(t, &held), 503);
    end(t, &held);
    wh_bus_mem_hold(t->bus, false);
    assert_int_equal(hook(t), 200);
    wh_bus_mem_fail(t->bus, WH_BUS_MEM_DELIVERY, 0, 1, WH_E_FATAL_BUS);
    assert_int_equal(hook(t), 503);
    for (int i = 0; i < 100000 && intake_not_ready(t->intake); i++) {
        wh_loop_turn(t->loop, false);
    }
    assert_int_equal(t->producers, 3);
    assert_int_equal(hook(t), 200);
}

/* Until a new producer could be made, which is tried once a second. */
static void test_not_ready_without_a_producer(void **state)
{
    struct th_intake *t = *state;

    th_intake_start(t, NULL, true);
    t->refuse_producers = 1;
    wh_bus_mem_fail(t->bus, WH_BUS_MEM_PRODUCE, 0, 1, WH_E_FATAL_BUS);
    assert_int_equal(hook(t), 503);
    assert_non_null(intake_not_ready(t->intake));
    assert_int_equal(hook(t), 503);
    for (int i = 0; i < 1000 && intake_not_ready(t->intake); i++) {
        wh_loop_turn(t->loop, true);
    }
    assert_int_equal(t->producers, 2);
    assert_int_equal(hook(t), 200);
}

/* What comes in one turn of the loop is produced when it ends, and waits for no answer. */
static void test_gathered_for_one_turn(void **state)
{
    struct th_intake *t = *state;
    struct th_http_req reqs[5];

    th_intake_start(t, NULL, true);
    wh_bus_mem_hold(t->bus, true);
    for (size_t i = 0; i < 3; i++) {
        begin(t, &reqs[i]);
    }
    assert_int_equal(produced(t), 0);
    wh_loop_turn(t->loop, false);
    assert_int_equal(produced(t), 3);
    begin(t, &reqs[3]);
    begin(t, &reqs[4]);
    wh_loop_turn(t->loop, false);
    assert_int_equal(produced(t), 5);
    wh_bus_mem_hold(t->bus, false);
    assert_int_equal(hook(t), 200);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(answer_of(t, &reqs[i]), 200);
        end(t, &reqs[i]);
    }
    assert_int_equal(wh_bus_mem_count(t->bus, RAW), 6);
}

/* A sender that leaves before the turn ends takes its body along; the others go. */
static void test_gathered_without_who_has_gone(void **state)
{
    struct th_intake *t = *state;
    struct th_http_req a;
    struct th_http_req b;
    struct th_http_req c;

    th_intake_start(t, NULL, true);
    begin(t, &a);
    begin(t, &b);
    begin(t, &c);
    end(t, &b);
    assert_int_equal(answer_of(t, &a), 200);
    assert_int_equal(answer_of(t, &c), 200);
    assert_int_equal(wh_bus_mem_count(t->bus, RAW), 2);
    end(t, &a);
    end(t, &c);
}

static void await_warm(struct th_intake *t, size_t calls)
{
    for (int i = 0; wh_bus_mem_calls(t->bus, WH_BUS_MEM_WARM) < calls; i++) {
        assert_true(i < 10000);
        wh_loop_turn(t->loop, true);
    }
}

/* The first delivery to a topic is slow unless its metadata is there: it is asked for before. */
static void test_topics_are_met_before_deliveries(void **state)
{
    struct th_intake *t = *state;
    struct intake_conf conf;
    struct wh_err err;

    intake_conf_init(&conf);
    conf.warm_again_ms = 1;
    th_intake_start(t, &conf, true);
    assert_int_equal(wh_bus_mem_calls(t->bus, WH_BUS_MEM_WARM), 1);
    assert_int_equal(hook(t), 200);
    /* One that comes later; its topic first refuses, then is there. */
    th_ok(wh_bus_mem_topic(t->bus, "wellhead.raw.c2", 4, &err), &err);
    wh_bus_mem_fail(t->bus, WH_BUS_MEM_WARM, 0, 2, WH_E_TIMEOUT);
    th_intake_connection(t, "c2", "enabled", NULL, TH_INTAKE_TOKEN);
    await_warm(t, 4);
    /* Known ones are not asked for again, be their documents new. */
    th_intake_connection(t, "c2", "enabled", NULL, TH_INTAKE_TOKEN);
    th_intake_turns(t, 20);
    assert_int_equal(wh_bus_mem_calls(t->bus, WH_BUS_MEM_WARM), 4);
    /* A new producer has to meet both. */
    wh_bus_mem_fail(t->bus, WH_BUS_MEM_PRODUCE, 0, 1, WH_E_FATAL_BUS);
    assert_int_equal(hook(t), 503);
    await_warm(t, 6);
    assert_int_equal(t->producers, 2);
    assert_int_equal(hook(t), 200);
}

static void on_drained(void *ctx)
{
    (*(int *)ctx)++;
}

static void test_drain(void **state)
{
    struct th_intake *t = *state;
    struct th_http_req req;
    int drained = 0;

    th_intake_start(t, NULL, true);
    begin(t, &req);
    intake_drain(t->intake, on_drained, &drained);
    assert_int_equal(hook(t), 503);
    assert_int_equal(drained, 0);
    for (int i = 0; i < 100000 && !req.replied; i++) {
        wh_loop_turn(t->loop, false);
    }
    assert_int_equal(req.status, 200);
    assert_int_equal(drained, 0);
    end(t, &req);
    assert_int_equal(drained, 1);
}

static void test_idle_drain_is_at_once(void **state)
{
    struct th_intake *t = *state;
    int drained = 0;

    th_intake_start(t, NULL, true);
    intake_drain(t->intake, on_drained, &drained);
    assert_int_equal(drained, 1);
}

static void test_freed_with_work_in_flight(void **state)
{
    struct th_intake *t = *state;
    struct th_http_req req;
    struct th_http_req held;

    th_intake_start(t, NULL, true);
    wh_bus_mem_hold(t->bus, true);
    begin(t, &req);
    begin(t, &held);
    assert_false(req.replied);
    assert_false(held.replied);
    th_http_done(&req);
    th_http_done(&held);
}

static void test_metrics(void **state)
{
    struct th_intake *t = *state;
    struct th_http_req req;
    struct wh_buf text;
    struct wh_err err;

    th_intake_start(t, NULL, true);
    post_init(&req, "/hooks/c1", TH_INTAKE_TOKEN);
    th_http_header(&req, "X-Gitlab-Event", "Confidential Issue Hook");
    th_http_send(&req, &t->handler, t->loop);
    th_http_done(&req);
    post_init(&req, "/hooks/c1", "wrong");
    th_http_header(&req, "X-Gitlab-Event", "\"} evil 1");
    th_http_send(&req, &t->handler, t->loop);
    th_http_done(&req);
    intake_collect(t->intake);
    wh_buf_init(&text, 1 << 20);
    th_ok(wh_metrics_render(t->metrics, &text, &err), &err);
    assert_non_null(strstr(
        text.ptr, "wellhead_webhook_deliveries_total{event=\"issue\",result=\"accepted\"} 1"));
    assert_non_null(strstr(
        text.ptr, "wellhead_webhook_deliveries_total{event=\"other\",result=\"unauthorized\"} 1"));
    assert_non_null(strstr(text.ptr, "wellhead_webhook_connections 1"));
    assert_non_null(strstr(text.ptr, "wellhead_webhook_in_flight 0"));
    assert_null(strstr(text.ptr, "evil"));
    wh_buf_done(&text);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_health_is_told),
        CASE(test_what_is_produced),
        CASE(test_authentic_nonsense_is_kept),
        CASE(test_refusals),
        CASE(test_strangers_hear_the_same_for_every_id),
        CASE(test_signatures_can_be_required),
        CASE(test_a_disabled_connection_says_so_to_its_own),
        CASE(test_connections_come_and_go),
        CASE(test_secrets_of_another_key),
        CASE(test_not_ready_before_all_is_read),
        CASE(test_answer_waits_for_the_broker),
        CASE(test_sender_that_leaves),
        CASE(test_failed_delivery),
        CASE(test_back_pressure),
        CASE(test_bodies_are_bounded),
        CASE(test_lost_producer_is_replaced),
        CASE(test_not_ready_without_a_producer),
        CASE(test_gathered_for_one_turn),
        CASE(test_gathered_without_who_has_gone),
        CASE(test_topics_are_met_before_deliveries),
        CASE(test_drain),
        CASE(test_idle_drain_is_at_once),
        CASE(test_freed_with_work_in_flight),
        CASE(test_metrics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
