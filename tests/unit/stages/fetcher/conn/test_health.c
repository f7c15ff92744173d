/* The health of a connection: the verdict on the facts, and when it is reached. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/fetcher/conn/health.h"

enum { RUN = 1000, REPAIR_DELAY_MS = 1 };

static bool says(const struct health_facts *facts, const char *part)
{
    char detail[HEALTH_DETAIL_MAX];

    return !health_verdict(facts, detail) && strstr(detail, part) != NULL;
}

static void test_verdicts(void **state)
{
    struct health_facts f = {.now_ms = 1000000};
    char detail[HEALTH_DETAIL_MAX];

    (void)state;
    assert_true(health_verdict(&f, detail)); /* nobody has set a webhook up */
    f.repaired = 9;
    assert_true(health_verdict(&f, detail)); /* then none is missed */
    f.last_ok_ms = 500000;
    assert_true(says(&f, "9 changes came by reads only"));
    f.hook = HOOK_MISSING;
    assert_true(says(&f, "no webhook for this address"));
    f.hook = HOOK_DISABLED;
    assert_true(says(&f, "switched the webhook off, after"));
    memcpy(f.hook_until, "2026-01-01", 11);
    assert_true(says(&f, "off until 2026-01-01"));
    f.hook = HOOK_WORKS;
    f.last_unauthorized_ms = 600000;
    assert_true(says(&f, "wrong secret"));
    f.repaired = 0;
    assert_true(health_verdict(&f, detail));
    /* Degraded until a delivery comes, or GitLab says that the hook works. */
    f = (struct health_facts){.last_ok_ms = 500000, .degraded_ms = 700000};
    assert_true(says(&f, "lost"));
    f.hook = HOOK_WORKS;
    assert_true(health_verdict(&f, detail));
    f.hook = HOOK_UNKNOWN;
    f.last_ok_ms = 700001;
    assert_true(health_verdict(&f, detail));
    /* But not while the newest run may still turn out to have repaired something. */
    f.settling = true;
    f.repaired_before = 7;
    assert_true(says(&f, "7 changes came by reads only"));
    f.hook = HOOK_WORKS;
    assert_true(says(&f, "7 changes came by reads only"));
    f.degraded_ms = 0;
    assert_true(health_verdict(&f, detail));
    /* Switched off, and nothing has changed since. */
    f = (struct health_facts){.last_ok_ms = 5, .hook = HOOK_DISABLED};
    assert_true(says(&f, "switched the webhook off"));
    /* Nothing but wrong secrets ever came. */
    f = (struct health_facts){.last_unauthorized_ms = 5};
    assert_true(says(&f, "wrong secret"));
    /* Silence after deliveries, without any change that was missed. */
    f = (struct health_facts){.now_ms = 1000000, .last_ok_ms = 400000, .silence_ms = 600000};
    assert_true(health_verdict(&f, detail));
    f.now_ms++;
    assert_true(says(&f, "no webhook came since 1970-01-01T00:06:40"));
    f.hook = HOOK_WORKS;
    assert_true(health_verdict(&f, detail));
    f.hook = HOOK_UNKNOWN;
    f.silence_ms = 0;
    assert_true(health_verdict(&f, detail));
    f = (struct health_facts){.held = 30, .repaired = 4, .last_ok_ms = 3};
    assert_true(says(&f, "30 deletions wait"));
}

/* ---- a health on its environment alone ---- */

struct fixture {
    struct wh_loop *loop;
    struct health *health;
    struct projects projects;
    int64_t now_ms;
    bool judgeable;
    unsigned verdicts;
    bool healthy;
    char detail[HEALTH_DETAIL_MAX];
    unsigned gaps; /* that were to be read again */
    int64_t since_ms;
};

static int64_t clock_now(void *ctx)
{
    return ((const struct fixture *)ctx)->now_ms;
}

static struct client *no_client(void *ctx)
{
    (void)ctx;
    return NULL;
}

static bool yes(void *ctx)
{
    (void)ctx;
    return true;
}

static bool judgeable(void *ctx)
{
    return ((const struct fixture *)ctx)->judgeable;
}

static void judged(void *ctx, bool healthy, const char *detail)
{
    struct fixture *x = ctx;

    x->verdicts++;
    x->healthy = healthy;
    (void)snprintf(x->detail, sizeof(x->detail), "%s", detail);
}

static void lost(void *ctx, int64_t repaired, int64_t since_ms)
{
    struct fixture *x = ctx;

    assert_true(repaired > 0);
    x->gaps++;
    x->since_ms = since_ms;
}

static int set_up(void **state)
{
    struct fixture *x = wh_mem_zalloc(1, sizeof(*x));
    struct health_env env;

    assert_non_null(x);
    x->loop = wh_loop_new();
    x->now_ms = 100000;
    x->judgeable = true;
    env = (struct health_env){.loop = x->loop,
                              .clock = {.now_ms = clock_now, .ctx = x},
                              .connection = "c",
                              .projects = &x->projects,
                              .silence_ms = 50000,
                              .repair_delay_ms = REPAIR_DELAY_MS,
                              .client = no_client,
                              .owns = yes,
                              .judgeable = judgeable,
                              .judged = judged,
                              .lost = lost,
                              .ctx = x};
    x->health = health_new(&env);
    assert_true(x->loop && x->health);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    health_free(x->health);
    wh_loop_free(x->loop);
    wh_mem_free(x);
    return 0;
}

static void end_run(struct fixture *x, int64_t run, int64_t held)
{
    health_run_ended(x->health, &(struct health_run){.run = run, .held = held});
}

static void take_outcome(struct fixture *x, int64_t run, int64_t repaired, int64_t oldest_ms)
{
    struct wh_outcome o = {.run = run, .repaired_oldest_ms = oldest_ms};

    o.kinds[0].repaired = repaired;
    health_take_outcome(x->health, &o);
}

static void take_deliveries(struct fixture *x, const char *intake, int64_t last_ok_ms,
                            int64_t last_unauthorized_ms)
{
    const struct wh_webhook_line lines[] = {{WH_LIT("7"), WH_LIT("push"), last_ok_ms, 3},
                                            {WH_LIT("8"), WH_LIT("push"), 5, 1}};

    health_take_webhooks(x->health,
                         &(struct wh_webhook_health){.intake = wh_slice_str(intake),
                                                     .last_ok_ms = last_ok_ms,
                                                     .last_unauthorized_ms = last_unauthorized_ms,
                                                     .accepted = 3,
                                                     .refused = 2,
                                                     .lines = lines,
                                                     .n_lines = 2});
}

/* The verdict that is due after late webhooks have had their time. */
static void await_verdict(struct fixture *x)
{
    unsigned before = x->verdicts;

    while (x->verdicts == before) {
        wh_loop_turn(x->loop, true);
    }
}

static void test_a_run_without_repairs_is_healthy_at_once(void **state)
{
    struct fixture *x = *state;

    end_run(x, RUN, 0);
    assert_int_equal(x->verdicts, 1);
    assert_true(x->healthy);
    end_run(x, RUN + 1, 30);
    assert_false(x->healthy);
    assert_non_null(strstr(x->detail, "30 deletions wait"));
    assert_int_equal(x->gaps, 0);
}

static void test_repairs_are_judged_when_late_webhooks_have_had_their_time(void **state)
{
    struct fixture *x = *state;

    take_deliveries(x, "i1", 70000, 0);
    take_outcome(x, RUN, 4, 60000);
    end_run(x, RUN, 0);
    assert_int_equal(x->verdicts, 0);
    await_verdict(x);
    assert_false(x->healthy);
    assert_non_null(strstr(x->detail, "4 changes came by reads only"));
    /* The gap is read once, from the older of the last delivery and the oldest repair. */
    assert_int_equal(x->gaps, 1);
    assert_int_equal(x->since_ms, 60000);
    end_run(x, RUN + 1, 0);
    assert_false(x->healthy);
    assert_int_equal(x->gaps, 1);
    /* A delivery after that makes it healthy. */
    take_deliveries(x, "i1", 100001, 0);
    await_verdict(x);
    assert_true(x->healthy);
}

static void test_one_delivery_does_not_end_an_alarm_while_repairs_go_on(void **state)
{
    struct fixture *x = *state;

    take_deliveries(x, "i1", 70000, 0);
    take_outcome(x, RUN, 4, 60000);
    end_run(x, RUN, 0);
    await_verdict(x);
    assert_false(x->healthy);
    take_deliveries(x, "i1", 100001, 0);
    await_verdict(x);
    assert_false(x->healthy);
    /* The next run has ended; whether it repaired anything is not known yet. */
    end_run(x, RUN + 1, 0);
    assert_false(x->healthy);
    assert_non_null(strstr(x->detail, "4 changes came by reads only"));
    take_outcome(x, RUN + 1, 3, 90000);
    await_verdict(x);
    assert_false(x->healthy);
    assert_non_null(strstr(x->detail, "3 changes came by reads only"));
    /* A whole run without a repair, after deliveries: that ends it. */
    end_run(x, RUN + 2, 0);
    assert_false(x->healthy);
    await_verdict(x);
    assert_true(x->healthy);
    assert_int_equal(x->gaps, 1);
}

static void test_deliveries_do_not_put_the_judgement_off(void **state)
{
    struct fixture *x = *state;

    take_deliveries(x, "i1", 70000, 0);
    take_outcome(x, RUN, 4, 60000);
    end_run(x, RUN, 0);
    while (x->verdicts == 0) {
        take_deliveries(x, "i1", 70001, 0);
        wh_loop_turn(x->loop, false);
    }
    assert_false(x->healthy);
}

static void test_an_outcome_counts_for_its_own_run(void **state)
{
    struct fixture *x = *state;

    take_deliveries(x, "i1", 99000, 0);
    end_run(x, RUN, 0);
    take_outcome(x, RUN - 1, 9, 1);
    await_verdict(x);
    assert_true(x->healthy);
    assert_int_equal(health_outcome(x->health, RUN).run, 0);
    take_outcome(x, RUN, 2, 98000);
    assert_int_equal(health_outcome(x->health, RUN).run, RUN);
    await_verdict(x);
    assert_false(x->healthy);
}

static void test_nothing_is_judged_while_a_run_is_under_way(void **state)
{
    struct fixture *x = *state;

    end_run(x, RUN, 0);
    x->judgeable = false;
    take_outcome(x, RUN, 9, 1);
    take_deliveries(x, "i1", 99000, 99500);
    while (x->now_ms < 100050) {
        x->now_ms++;
        wh_loop_turn(x->loop, false);
    }
    assert_int_equal(x->verdicts, 1);
}

static void test_intakes_are_summed_up(void **state)
{
    struct fixture *x = *state;
    WH_AUTO(buf) struct wh_buf out;
    struct wh_json_writer w;
    struct wh_err err;
    char name[16];

    wh_buf_init(&out, 1 << 16);
    /* More intakes than there is room for share the last place. */
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "i%u", i);
        take_deliveries(x, name, 1000 + i, i == 3 ? 990 : 0);
    }
    end_run(x, RUN, 0);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    health_write(x->health, &w);
    wh_jw_end(&w);
    th_ok(wh_jw_finish(&w, &err), &err);
    assert_non_null(strstr(wh_buf_str(&out), "\"last_delivery_ms\":1019,"));
    assert_non_null(strstr(wh_buf_str(&out), "\"last_unauthorized_ms\":990,"));
    assert_non_null(strstr(wh_buf_str(&out), "\"accepted\":48,"));
    assert_non_null(strstr(wh_buf_str(&out), "\"refused\":32,"));
    /* The project that has been silent longest comes first. */
    assert_non_null(
        strstr(wh_buf_str(&out), "\"deliveries\":[{\"intake\":\"i0\",\"project\":\"8\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        cmocka_unit_test(test_verdicts),
        T(test_a_run_without_repairs_is_healthy_at_once),
        T(test_repairs_are_judged_when_late_webhooks_have_had_their_time),
        T(test_one_delivery_does_not_end_an_alarm_while_repairs_go_on),
        T(test_deliveries_do_not_put_the_judgement_off),
        T(test_an_outcome_counts_for_its_own_run),
        T(test_nothing_is_judged_while_a_run_is_under_way),
        T(test_intakes_are_summed_up),
    };

    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
