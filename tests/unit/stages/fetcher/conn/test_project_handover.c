/*
 * What one member of the group tells the others by records of fetch-state: projects, and runs that a
 * person asked for. One fetcher plays both parts, as its partitions change.
 */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/event/messages.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/project_handover.h"
#include "stages/fetcher/conn/run_request.h"
#include "tests/lib/th_control.h"

enum { PARTITIONS = 4 };

struct fixture {
    struct th_control world;
    struct conn *conn;
    int32_t home; /* the partition of the connection itself */
};

static void own(struct fixture *x, int32_t partition)
{
    ownership_assign(fetcher_ownership(x->world.f), partition);
    ownership_ready(fetcher_ownership(x->world.f), partition);
}

static int set_up(void **state)
{
    struct fixture *x = wh_mem_zalloc(1, sizeof(*x));

    assert_non_null(x);
    th_control_init_partitions(&x->world, PARTITIONS);
    x->conn = th_control_approved(&x->world, 1);
    x->conn->run.started_ms = x->world.now_ms;
    ownership_init(fetcher_ownership(x->world.f), PARTITIONS);
    x->home = ownership_partition(WH_LIT("c-example"), WH_LIT(""), PARTITIONS);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    th_control_done(&x->world);
    wh_mem_free(x);
    return 0;
}

static void add_project(struct fixture *x, const char *id)
{
    struct project *p = projects_add(&x->conn->projects, wh_slice_str(id));

    assert_non_null(p);
    p->listed_run = x->conn->run.started_ms;
}

/* Records of fetch-state with that key, and the partition of the last one. */
static size_t count(struct fixture *x, const char *key, int32_t *ret_partition, bool *ret_value)
{
    const struct wh_bus_header *headers;
    struct wh_bus_msg msg;
    size_t found = 0;
    size_t n;

    th_control_turns(&x->world, 2);
    for (size_t i = 0; wh_bus_mem_get(x->world.bus, "fetch-state", i, &msg, &headers, &n); i++) {
        if (wh_slice_eq(msg.key, wh_slice_str(key))) {
            *ret_partition = msg.partition;
            *ret_value = msg.value.ptr != NULL;
            found++;
        }
    }
    return found;
}

/* Gives all records to the fetcher, as another member reads them. Returns how many gave it news. */
static unsigned take_all(struct fixture *x)
{
    const struct wh_bus_header *headers;
    struct wh_bus_msg msg;
    unsigned news = 0;
    size_t n;

    for (size_t i = 0; wh_bus_mem_get(x->world.bus, "fetch-state", i, &msg, &headers, &n); i++) {
        struct conn *c;

        assert_true(project_handover_take(x->world.f, &msg, &c));
        assert_true(c == NULL || c == x->conn);
        news += c != NULL;
    }
    return news;
}

static void test_projects_are_announced_once(void **state)
{
    struct fixture *x = *state;
    int32_t partition = -1;
    bool there = false;

    own(x, x->home);
    add_project(x, "7");
    add_project(x, "8");
    project_handover_announce(x->conn);
    project_handover_announce(x->conn);
    assert_int_equal(count(x, "c-example:7:project", &partition, &there), 1);
    assert_int_equal(partition, ownership_partition(WH_LIT("c-example"), WH_LIT("7"), PARTITIONS));
    assert_int_equal(count(x, "c-example:8:project", &partition, &there), 1);
    assert_int_equal(count(x, "c-example::projects", &partition, &there), PARTITIONS);
    /* One that is not listed any more is taken back. */
    (void)snprintf(x->conn->projects.first->skipped, 16, "gone");
    project_handover_announce(x->conn);
    assert_int_equal(count(x, "c-example:8:project", &partition, &there), 2);
    assert_false(there);
    /* The next owner tells everything again, in an epoch of its own. */
    project_handover_forget(x->conn);
    x->conn->run.started_ms++;
    project_handover_announce(x->conn);
    assert_int_equal(count(x, "c-example:7:project", &partition, &there), 2);
    assert_int_equal(count(x, "c-example::projects", &partition, &there), 2 * PARTITIONS);
}

static void test_a_fetcher_that_is_alone_announces_nothing(void **state)
{
    struct fixture *x = *state;

    ownership_init(fetcher_ownership(x->world.f), 0);
    add_project(x, "7");
    project_handover_announce(x->conn);
    th_control_turns(&x->world, 2);
    assert_int_equal(wh_bus_mem_count(x->world.bus, "fetch-state"), 0);
}

static void test_another_member_takes_them_over(void **state)
{
    struct fixture *x = *state;
    const struct project *p;

    own(x, x->home);
    add_project(x, "7");
    add_project(x, "8");
    project_handover_announce(x->conn);
    th_control_turns(&x->world, 2);
    projects_free(&x->conn->projects);
    x->conn->projects = (struct projects){0};
    /* The same records, as a member reads them that does not own the connection. */
    ownership_revoke(fetcher_ownership(x->world.f), x->home);
    own(x, (x->home + 1) % PARTITIONS);
    assert_true(take_all(x) > 0);
    project_handover_recall(x->conn);
    assert_int_equal(x->conn->projects.n, 2);
    p = projects_find(&x->conn->projects, "7");
    assert_non_null(p);
    assert_int_equal(p->listed_run, x->conn->run.started_ms);
    /* Projects of an older epoch do not count. */
    projects_free(&x->conn->projects);
    x->conn->projects = (struct projects){0};
    project_handover_forget(x->conn);
    x->conn->run.started_ms += 1000;
    add_project(x, "9");
    project_handover_announce(x->conn);
    th_control_turns(&x->world, 2);
    projects_free(&x->conn->projects);
    x->conn->projects = (struct projects){0};
    (void)take_all(x);
    project_handover_recall(x->conn);
    assert_int_equal(x->conn->projects.n, 1);
    assert_non_null(projects_find(&x->conn->projects, "9"));
}

static void test_the_owner_hears_no_news_of_itself(void **state)
{
    struct fixture *x = *state;

    for (int32_t p = 0; p < PARTITIONS; p++) {
        own(x, p);
    }
    add_project(x, "7");
    project_handover_announce(x->conn);
    th_control_turns(&x->world, 2);
    assert_int_equal(take_all(x), 0);
}

static void test_other_records_are_left_alone(void **state)
{
    static const char *const keys[] = {"", "c-example:7:issues", "project", "c-example::sweep"};
    struct fixture *x = *state;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct wh_bus_msg msg = {.topic = "fetch-state", .key = wh_slice_str(keys[i])};
        struct conn *c;

        assert_false(project_handover_take(x->world.f, &msg, &c));
        assert_false(run_request_take(x->world.f, &msg));
    }
}

/* ---- runs ---- */

static void test_a_run_is_requested_from_the_other_members(void **state)
{
    struct fixture *x = *state;
    const struct wh_bus_header *headers;
    struct wh_bus_msg msg;
    int32_t partition;
    bool there;
    struct wh_err err;
    size_t n;

    own(x, x->home);
    th_ok(run_request(x->conn, true, false, &err), &err);
    assert_int_equal(count(x, "c-example::sync", &partition, &there), PARTITIONS - 1);
    /* Another member honours it once, however many partitions it comes on. */
    own(x, (x->home + 1) % PARTITIONS);
    own(x, (x->home + 2) % PARTITIONS);
    x->conn->run.want_verify = false;
    for (size_t i = 0; wh_bus_mem_get(x->world.bus, "fetch-state", i, &msg, &headers, &n); i++) {
        bool before = x->conn->run.requested_ms > 0;

        if (wh_slice_eq(msg.key, WH_LIT("c-example::sync"))) {
            x->conn->run.want_verify = false;
            assert_true(run_request_take(x->world.f, &msg));
            if (before) {
                assert_false(x->conn->run.want_verify);
            }
        }
    }
    assert_true(x->conn->run.requested_ms > 0);
}

static void test_a_disconnected_connection_is_not_run(void **state)
{
    struct fixture *x = *state;
    struct wh_err err;

    own(x, x->home);
    x->conn->stopped = true;
    assert_int_equal(run_request(x->conn, false, false, &err), WH_E_CANCELED);
    th_control_turns(&x->world, 2);
    assert_int_equal(wh_bus_mem_count(x->world.bus, "fetch-state"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_projects_are_announced_once),
        T(test_a_fetcher_that_is_alone_announces_nothing),
        T(test_another_member_takes_them_over),
        T(test_the_owner_hears_no_news_of_itself),
        T(test_other_records_are_left_alone),
        T(test_a_run_is_requested_from_the_other_members),
        T(test_a_disconnected_connection_is_not_run),
    };

    return cmocka_run_group_tests_name("project_handover", tests, NULL, NULL);
}
