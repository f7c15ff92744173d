/*
 * An access on its environment alone, without a connection: who is told of a decision about sources,
 * and what becomes of a token pair.
 */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/fetcher/access/access.h"
#include "stages/fetcher/access/pairs.h"
#include "tests/lib/httpc_script.h"

#define INSTANCE "https://gitlab.example.com"

enum { WAITERS = 5, TURNS_MAX = 1000 };

struct waiter {
    struct fixture *x;
    struct sources_wait wait;
    unsigned calls;
    bool again; /* waits once more when it is called */
};

struct fixture {
    struct wh_loop *loop;
    struct th_script *http;
    struct wh_keyring keys;
    struct wh_arena arena; /* of doc */
    struct wh_connection doc;
    struct wh_json_parser *parser;
    struct projects projects;
    struct access *access;
    struct waiter waiters[WAITERS];
    struct wh_bus_ack *ack; /* of the latest document */
    unsigned saves;
    const char *answer; /* of GitLab, to a refresh */
    unsigned status;
    bool owner;
    unsigned ready;
    unsigned ended;
    char why[200];
};

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    const struct fixture *x = ctx;
    struct wh_err err;

    (void)url;
    (void)secret;
    a->status = x->status;
    th_ok(wh_buf_append(&a->body, wh_slice_str(x->answer), &err), &err);
}

/* ---- the environment ---- */

static bool yes(void *ctx)
{
    (void)ctx;
    return true;
}

static bool no(void *ctx)
{
    (void)ctx;
    return false;
}

static bool owns(void *ctx)
{
    return ((const struct fixture *)ctx)->owner;
}

static enum wh_rc set_document(void *ctx, const struct wh_connection *doc, struct wh_err *err)
{
    struct fixture *x = ctx;
    WH_AUTO(buf) struct wh_buf json;
    struct wh_connection copy;
    struct wh_arena arena;

    wh_buf_init(&json, 1 << 16);
    wh_arena_init(&arena, 4096, 1 << 18);
    th_ok(wh_connection_write(doc, &json, err), err);
    th_ok(wh_connection_parse(wh_buf_slice(&json), x->parser, &arena, &copy, err), err);
    wh_arena_done(&x->arena);
    x->arena = arena;
    x->doc = copy;
    return x->access ? credential_sealed_again(access_credential(x->access), err) : WH_OK;
}

static enum wh_rc save(void *ctx, struct wh_bus_ack *ack, struct wh_err *err)
{
    struct fixture *x = ctx;

    (void)err;
    x->ack = ack;
    x->saves++;
    return WH_OK;
}

static void on_changed(void *ctx, enum access_event what, const char *why)
{
    struct fixture *x = ctx;

    x->ready += what == ACCESS_READY;
    x->ended += what == ACCESS_ENDED;
    (void)snprintf(x->why, sizeof(x->why), "%s", why ? why : "");
}

static void make_access(struct fixture *x)
{
    const struct access_env env = {.loop = x->loop,
                                   .clock = wh_clock_real(),
                                   .http = th_script_http(x->http),
                                   .keys = &x->keys,
                                   .connection = "c",
                                   .instance = INSTANCE,
                                   .max_in_flight = 4,
                                   .backoff_ms = 1,
                                   .request_timeout_ms = 1000,
                                   .doc = &x->doc,
                                   .projects = &x->projects,
                                   .may_send = yes,
                                   .owns = owns,
                                   .shared = no,
                                   .stopped = no,
                                   .gone = no,
                                   .may_write = yes,
                                   .set_document = set_document,
                                   .save = save,
                                   .revoked = no,
                                   .on_changed = on_changed,
                                   .ctx = x};

    x->access = access_new(&env);
    assert_non_null(x->access);
}

static int set_up(void **state)
{
    static const unsigned char key[WH_AEAD_KEY_BYTES] = {1};
    struct fixture *x = wh_mem_zalloc(1, sizeof(*x));
    struct wh_err err;

    assert_non_null(x);
    wh_keyring_of(&x->keys, key, false, &err);
    x->loop = wh_loop_new();
    x->http = th_script_new(gitlab, x);
    x->parser = wh_json_parser_new(1 << 16, 16);
    assert_true(x->loop && x->http && x->parser);
    x->owner = true;
    x->status = 200;
    x->answer = "{}";
    x->doc = (struct wh_connection){
        .id = WH_LIT("c"), .instance = WH_LIT(INSTANCE), .state = WH_LIT("enabled")};
    th_ok(set_document(x, &x->doc, &err), &err);
    make_access(x);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    access_free(x->access);
    projects_free(&x->projects);
    wh_arena_done(&x->arena);
    wh_json_parser_free(x->parser);
    th_script_free(x->http);
    wh_loop_free(x->loop);
    wh_mem_free(x);
    return 0;
}

/* Seals a secret into the document. */
static void put_secret(struct fixture *x, const char *purpose, struct wh_slice secret,
                       struct wh_slice *ret)
{
    const struct wh_seal_place place = {
        .connection = WH_LIT("c"), .purpose = purpose, .address = WH_LIT(INSTANCE)};
    WH_AUTO(buf) struct wh_buf sealed;
    struct wh_err err;

    wh_buf_init(&sealed, 8192);
    th_ok(wh_secret_seal(&x->keys, &place, secret, &sealed, &err), &err);
    th_ok(wh_arena_dup(&x->arena, wh_buf_slice(&sealed), ret, &err), &err);
}

static void load_token(struct fixture *x)
{
    struct wh_err err;

    put_secret(x, "read_api", WH_LIT("glpat-1"), &x->doc.token_sealed);
    th_ok(access_load(x->access, &err), &err);
}

/* ---- waiting for a decision ---- */

static void find(struct waiter *w);

static void on_sources(void *ctx)
{
    struct waiter *w = ctx;

    w->calls++;
    if (w->again) {
        w->again = false;
        find(w);
        assert_int_equal(w->calls, 1); /* never from inside the call */
    }
}

static void find(struct waiter *w)
{
    sources_find(access_sources(w->x->access), &w->wait, on_sources, w);
}

static void find_all(struct fixture *x)
{
    for (unsigned i = 0; i < WAITERS; i++) {
        x->waiters[i].x = x;
        find(&x->waiters[i]);
    }
}

static void calls_are(const struct fixture *x, unsigned first, unsigned others)
{
    for (unsigned i = 0; i < WAITERS; i++) {
        if (x->waiters[i].calls != (i ? others : first)) {
            fail_msg("waiter %u was called %u times", i, x->waiters[i].calls);
        }
    }
}

static void test_every_waiter_is_called(void **state)
{
    struct fixture *x = *state;

    load_token(x);
    find_all(x);
    calls_are(x, 0, 0); /* never from inside the call */
    wh_loop_turn(x->loop, true);
    calls_are(x, 1, 1);
    assert_int_equal(source_of(access_sources(x->access), 0)->kind, SOURCE_REST);
}

static void test_waiting_again_when_called(void **state)
{
    struct fixture *x = *state;

    load_token(x);
    x->waiters[0].again = true;
    find_all(x);
    for (unsigned i = 0; i < TURNS_MAX && x->waiters[0].calls < 2; i++) {
        wh_loop_turn(x->loop, true);
    }
    calls_are(x, 2, 1);
}

static void test_a_wait_is_listed_once(void **state)
{
    struct fixture *x = *state;

    load_token(x);
    find_all(x);
    find_all(x);
    wh_loop_turn(x->loop, true);
    calls_are(x, 1, 1);
}

static void test_nobody_is_called_after_a_stop(void **state)
{
    struct fixture *x = *state;

    load_token(x);
    find_all(x);
    sources_stop(access_sources(x->access));
    wh_loop_turn(x->loop, false);
    calls_are(x, 0, 0);
    find(&x->waiters[0]); /* a wait may begin anew */
    wh_loop_turn(x->loop, true);
    calls_are(x, 1, 0);
}

/* ---- a token pair ---- */

static const struct oauth_kept client = {
    .client = {.issuer = {INSTANCE, sizeof(INSTANCE) - 1},
               .client_id = {"app", 3},
               .redirect_uri = {"http://127.0.0.1/callback", 25}},
    .token_endpoint = {INSTANCE "/oauth/token", sizeof(INSTANCE) + 11},
};

/* The document gets a pair that has expired. */
static void load_pair(struct fixture *x)
{
    WH_AUTO(buf) struct wh_buf text;
    struct oauth_tokens tokens;
    struct wh_err err;

    wh_buf_init(&text, 8192);
    th_ok(oauth_kept_write(&client, &text, &err), &err);
    put_secret(x, "client", wh_buf_slice(&text), &x->doc.client_sealed);
    oauth_tokens_init(&tokens);
    th_ok(wh_buf_append(&tokens.access, WH_LIT("access-1"), &err), &err);
    th_ok(wh_buf_append(&tokens.refresh, WH_LIT("refresh-1"), &err), &err);
    tokens.got_at_ms = 1000;
    tokens.expires_at_ms = 2000;
    wh_buf_reset(&text);
    th_ok(oauth_tokens_write(&tokens, &text, &err), &err);
    oauth_tokens_done(&tokens);
    put_secret(x, "oauth", wh_buf_slice(&text), &x->doc.oauth_sealed);
    th_ok(access_load(x->access, &err), &err);
}

static void kafka(struct fixture *x, enum wh_rc rc)
{
    const struct wh_bus_delivery d = {.rc = rc, .reason = "no"};
    struct wh_bus_ack *ack = x->ack;

    if (ack == NULL) {
        fail_msg("no record waits for Kafka");
        return;
    }
    x->ack = NULL;
    ack->fn(ack, &d);
}

static void token_is(const struct fixture *x, const char *expected)
{
    struct wh_slice token = credential_access(access_credential(x->access));

    assert_int_equal(token.len, strlen(expected));
    assert_memory_equal(token.ptr, expected, token.len);
}

/* The expired pair is noticed, and GitLab has been asked for a new one. */
static void ask(struct fixture *x)
{
    load_pair(x);
    assert_int_equal(x->ready, 1);
    wh_loop_turn(x->loop, true);
    assert_int_equal(x->saves, 1);
    assert_true(pairs_asked(&x->doc, PAIR_BY_REFRESH));
    assert_int_equal(th_script_started(x->http), 0); /* Kafka has the note first */
    kafka(x, WH_OK);
    assert_int_equal(th_script_waiting(x->http), 1);
    assert_true(credential_asking(access_credential(x->access)));
}

static void test_a_pair_is_renewed(void **state)
{
    struct fixture *x = *state;

    x->answer = "{\"access_token\":\"access-2\",\"refresh_token\":\"refresh-2\","
                "\"token_type\":\"Bearer\",\"expires_in\":7200}";
    ask(x);
    th_script_answer_one(x->http, 0);
    assert_int_equal(x->saves, 2);
    assert_false(pairs_asked(&x->doc, PAIR_BY_REFRESH));
    token_is(x, "access-1"); /* not before Kafka has the new pair */
    assert_true(credential_busy(access_credential(x->access)));
    kafka(x, WH_OK);
    token_is(x, "access-2");
    assert_int_equal(x->ready, 2);
    assert_int_equal(credential_refreshes(access_credential(x->access)), 1);
    assert_true(access_idle(x->access));
}

static void test_a_pair_that_kafka_refuses_is_saved_again(void **state)
{
    struct fixture *x = *state;

    x->answer = "{\"access_token\":\"access-2\",\"refresh_token\":\"refresh-2\","
                "\"token_type\":\"Bearer\",\"expires_in\":7200}";
    ask(x);
    th_script_answer_one(x->http, 0);
    kafka(x, WH_E_UNAVAILABLE);
    token_is(x, "access-1");
    assert_true(credential_busy(access_credential(x->access)));
    access_drain(x->access);
    assert_int_equal(x->saves, 3);
    kafka(x, WH_OK);
    token_is(x, "access-2");
}

static void test_an_approval_ends(void **state)
{
    struct fixture *x = *state;

    x->status = 400;
    x->answer = "{\"error\":\"invalid_grant\"}";
    ask(x);
    th_script_answer_one(x->http, 0);
    assert_int_equal(x->ended, 1);
    assert_non_null(strstr(x->why, "invalid_grant"));
    assert_non_null(strstr(x->why, "wellhead connect " INSTANCE));
    assert_false(credential_there(access_credential(x->access)));
    assert_false(sources_any(access_sources(x->access)));
    assert_false(pairs_asked(&x->doc, PAIR_BY_REFRESH));
}

static void test_only_the_owner_renews(void **state)
{
    struct fixture *x = *state;

    x->owner = false;
    load_pair(x);
    wh_loop_turn(x->loop, true);
    assert_int_equal(x->saves, 0);
    assert_int_equal(th_script_started(x->http), 0);
    assert_true(credential_settled(access_credential(x->access)));
}

static void test_an_approval_replaces_a_refused_token(void **state)
{
    struct fixture *x = *state;

    load_token(x);
    assert_true(access_has_token(x->access));
    assert_false(access_drop_token(x->access)); /* there is nothing else */
    load_pair(x);
    assert_true(access_drop_token(x->access));
    assert_false(access_has_token(x->access));
    assert_true(access_token_refused(x->access));
    assert_true(sources_any(access_sources(x->access)));
}

/* By REST and by MCP, also of clients that are gone. */
static void test_all_requests_are_counted(void **state)
{
    struct fixture *x = *state;

    load_token(x);
    load_pair(x);
    assert_int_equal(access_requests(x->access), 0);
    assert_true(access_drop_token(x->access));
    find(&(struct waiter){.x = x});
    for (unsigned i = 0; access_requests(x->access) == 0; i++) {
        assert_in_range(i, 0, 10);
        wh_loop_turn(x->loop, false);
    }
    assert_int_equal(access_requests(x->access), 1); /* the handshake */
    assert_int_equal(mcp_requests(access_mcp(x->access)), 1);
    access_forget(x->access);
    assert_null(access_mcp(x->access));
    assert_int_equal(access_requests(x->access), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_waiter_is_called, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waiting_again_when_called, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_wait_is_listed_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_is_called_after_a_stop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_pair_is_renewed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_pair_that_kafka_refuses_is_saved_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_an_approval_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_the_owner_renews, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_approval_replaces_a_refused_token, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_all_requests_are_counted, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
