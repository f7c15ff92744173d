/*
 * An access on its environment alone, without a connection: who is told of a decision about sources.
 */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "stages/fetcher/access/access.h"
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
};

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    (void)ctx;
    (void)url;
    (void)secret;
    a->status = 404;
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
    (void)ctx;
    (void)ack;
    return wh_fail(err, WH_E_UNAVAILABLE, "nothing is saved here");
}

static void on_changed(void *ctx, enum access_event what, const char *why)
{
    (void)ctx;
    (void)what;
    (void)why;
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
                                   .owns = yes,
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_waiter_is_called, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waiting_again_when_called, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_wait_is_listed_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_is_called_after_a_stop, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
