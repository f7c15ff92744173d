/*
 * Disconnect and purge: what is revoked, what is proved, what is claimed, and what becomes of a
 * connection that is connected again meanwhile.
 */
#include "tests/lib/th_cmocka.h"

#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/event/messages.h"
#include "stages/fetcher/access/access.h"
#include "stages/fetcher/conn/leave.h"
#include "tests/lib/th_control.h"

#define AT "https://c.example"
#define REVOKE AT "/oauth/revoke"
#define PROOF AT "/api/v4/mcp"

/* How GitLab behaves; answers of 0 are the usual ones. */
struct gitlab {
    unsigned revoke_status;
    unsigned proof_status;
};

static bool answer(struct th_control *t, struct wh_slice url, struct wh_slice token,
                   struct th_script_answer *a)
{
    const struct gitlab *g = t->ctx;

    (void)token;
    if (wh_slice_eq(url, WH_LIT(REVOKE))) {
        a->status = g->revoke_status ? g->revoke_status : 200;
        return true;
    }
    if (wh_slice_eq(url, WH_LIT(PROOF))) {
        a->status = g->proof_status ? g->proof_status : 401;
        return true;
    }
    return false;
}

static struct th_control *world(struct gitlab *g)
{
    static struct th_control t;

    th_control_init(&t);
    t.gitlab = answer;
    t.ctx = g;
    return &t;
}

static const char *detail(struct th_control *t)
{
    static char text[512];
    const struct conn *c = th_control_conn(t, "c-example");

    (void)snprintf(text, sizeof(text), "%.*s", WH_SLICE_ARG(conn_document(c)->detail));
    return text;
}

static bool left(struct th_control *t)
{
    const struct conn *c = th_control_conn(t, "c-example");

    return wh_slice_eq(conn_document(c)->state, WH_LIT("disabled")) && !leave_under_way(c) &&
           strstr(detail(t), "disconnected") != NULL;
}

static void disconnect(struct th_control *t)
{
    th_control_call(t, "POST", "/api/v1/connections/c-example/disconnect", NULL);
    assert_int_equal(t->status, 202);
}

static void test_a_pair_is_revoked_and_refused(void **state)
{
    struct gitlab g = {0};
    struct th_control *t = world(&g);
    const struct conn *c = th_control_approved(t, 1);

    (void)state;
    disconnect(t);
    th_control_until(t, left);
    assert_int_equal(th_control_asked(t, REVOKE, NULL),
                     2); /* the refresh token, the access token */
    assert_int_equal(th_control_asked(t, PROOF, "access-1"), 1);
    assert_non_null(strstr(detail(t), "the approval is revoked, and GitLab refuses the old token"));
    assert_int_equal(conn_document(c)->oauth_sealed.len, 0);
    /* The client stays for the next approval; a second disconnect changes nothing. */
    assert_true(conn_document(c)->client_sealed.len > 0);
    disconnect(t);
    th_control_turns(t, 20);
    assert_int_equal(th_control_asked(t, REVOKE, NULL), 2);
    th_control_done(t);
}

static void test_what_was_not_revoked_is_not_called_revoked(void **state)
{
    struct gitlab g = {.revoke_status = 403};
    struct th_control *t = world(&g);

    (void)state;
    (void)th_control_approved(t, 1);
    disconnect(t);
    th_control_until(t, left);
    assert_non_null(strstr(detail(t), "did not take the revocation"));
    assert_null(strstr(detail(t), "is revoked"));
    th_control_done(t);
}

static bool failed(struct th_control *t)
{
    return strstr(detail(t), "not revoked yet") != NULL;
}

static void test_gitlab_is_asked_again_until_it_answers(void **state)
{
    struct gitlab g = {.revoke_status = 503};
    struct th_control *t = world(&g);

    (void)state;
    (void)th_control_approved(t, 1);
    disconnect(t);
    th_control_until(t, failed);
    g.revoke_status = 0;
    g.proof_status = 200; /* the token still works: nothing may be claimed, nothing forgotten */
    while (strstr(detail(t), "still takes the old token (HTTP 200)") == NULL) {
        th_control_turns(t, 1);
    }
    assert_true(leave_under_way(th_control_conn(t, "c-example")));
    g.proof_status = 0;
    th_control_until(t, left);
    th_control_done(t);
}

static void test_a_restart_continues(void **state)
{
    struct gitlab g = {0};
    struct th_control *t = world(&g);

    (void)state;
    (void)th_control_approved(t, 1);
    t->held = REVOKE;
    disconnect(t);
    th_control_turns(t, 50);
    th_control_restart(t);
    assert_true(leave_under_way(th_control_conn(t, "c-example")));
    t->held = NULL;
    th_control_until(t, left);
    assert_non_null(strstr(detail(t), "is revoked"));
    th_control_done(t);
}

static bool revoking(struct th_control *t)
{
    for (size_t i = 0; i < th_script_waiting(t->script); i++) {
        if (wh_slice_eq(th_script_url(t->script, i), WH_LIT(REVOKE))) {
            return true;
        }
    }
    return false;
}

/* The answer about the old pair came after the new one was there, and the new one was forgotten. */
static void test_connecting_again_ends_a_disconnect(void **state)
{
    struct gitlab g = {0};
    struct th_control *t = world(&g);
    struct conn *c = th_control_approved(t, 1);

    (void)state;
    t->held = REVOKE;
    disconnect(t);
    th_control_until(t, revoking);
    t->now_ms += 1000;
    assert_ptr_equal(th_control_approved(t, 2), c);
    t->held = NULL;
    th_control_turns(t, 200);
    assert_false(leave_under_way(c));
    th_slice_is(wh_buf_slice(&credential_pair(access_credential(conn_access(c)))->access),
                "access-2");
    assert_true(conn_document(c)->oauth_sealed.len > 0);
    assert_int_equal(th_control_asked(t, PROOF, "access-1"), 0);
    th_control_done(t);
}

static void test_a_token_given_by_hand_is_forgotten(void **state)
{
    struct gitlab g = {0};
    struct th_control *t = world(&g);

    (void)state;
    (void)th_control_connected(t);
    disconnect(t);
    th_control_until(t, left);
    assert_non_null(strstr(detail(t), "end it in GitLab under Access tokens"));
    assert_int_equal(th_control_asked(t, REVOKE, NULL), 0);
    th_control_done(t);
}

static bool purged(struct th_control *t)
{
    return fetcher_find(t->f, WH_LIT("c-example")) == NULL;
}

static unsigned purge(struct th_control *t)
{
    th_control_call(t, "POST", "/api/v1/connections/c-example/purge", NULL);
    return t->status;
}

static void test_a_purge_leaves_nothing(void **state)
{
    struct gitlab g = {0};
    struct th_control *t = world(&g);
    const struct wh_bus_header *headers;
    struct wh_bus_msg last = {0};
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    (void)state;
    (void)th_control_approved(t, 1);
    th_ok(wh_bus_mem_topic(t->bus, "raw.c-example", 1, &err), &err);
    assert_int_equal(purge(t), 409); /* it is not disconnected */
    disconnect(t);
    assert_int_equal(purge(t), 409); /* its secrets are still there */
    th_control_until(t, left);
    th_control_turns(t, 20); /* Kafka has the record */
    /* A failure leaves it disconnected, and the purge may be asked for again. */
    wh_bus_mem_fail(t->bus, WH_BUS_MEM_ADMIN, 0, 1, WH_E_UNAVAILABLE);
    assert_int_equal(purge(t), 202);
    while (strstr(detail(t), "the purge failed") == NULL) {
        th_control_turns(t, 1);
    }
    assert_int_equal(purge(t), 202);
    th_control_until(t, purged);
    for (size_t i = 0; wh_bus_mem_get(t->bus, "connections", i, &msg, &headers, &n); i++) {
        last = msg;
    }
    th_slice_is(last.key, "c-example");
    assert_null(last.value.ptr);
    assert_int_equal(wh_bus_mem_count(t->bus, "raw.c-example"), 0);
    assert_int_equal(purge(t), 404);
    th_control_done(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pair_is_revoked_and_refused),
        cmocka_unit_test(test_what_was_not_revoked_is_not_called_revoked),
        cmocka_unit_test(test_gitlab_is_asked_again_until_it_answers),
        cmocka_unit_test(test_a_restart_continues),
        cmocka_unit_test(test_connecting_again_ends_a_disconnect),
        cmocka_unit_test(test_a_token_given_by_hand_is_forgotten),
        cmocka_unit_test(test_a_purge_leaves_nothing),
    };

    return cmocka_run_group_tests_name("leave", tests, NULL, NULL);
}
