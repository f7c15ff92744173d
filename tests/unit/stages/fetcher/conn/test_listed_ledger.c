/* What complete listings contain, on its way to fetch-state; what they do not contain any more. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/fetcher.h"
#include "stages/fetcher/conn/listed_ledger.h"
#include "stages/fetcher/state/listed.h"
#include "tests/lib/th_control.h"

struct fixture {
    struct th_control world;
    struct conn *conn;
    struct project *project;
    struct wh_json_parser *parser;
};

static int set_up(void **state)
{
    struct fixture *x = wh_mem_zalloc(1, sizeof(*x));
    struct wh_err err;

    assert_non_null(x);
    th_control_init(&x->world);
    th_ok(wh_bus_mem_topic(x->world.bus, "raw.c-example", 1, &err), &err);
    x->conn = th_control_connected(&x->world);
    x->project = projects_add(&x->conn->projects, WH_LIT("7"));
    x->parser = wh_json_parser_new(1 << 16, 16);
    assert_true(x->project && x->parser);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    wh_json_parser_free(x->parser);
    th_control_done(&x->world);
    wh_mem_free(x);
    return 0;
}

/* One listing of that stream with the rows of a JSON array. */
static void list(struct fixture *x, const char *stream, const char *tool, const char *rows,
                 const struct listing_result *result)
{
    struct listing_task task = {.project = x->project, .tool = tool};
    struct wh_json_iter it;
    struct wh_json_val root;
    struct wh_json_val row;
    struct wh_slice key;
    struct wh_err err;

    while (strcmp(streams[task.stream].name, stream) != 0) {
        task.stream++;
        assert_true(task.stream < STREAMS);
    }
    th_ok(wh_json_parse(x->parser, wh_slice_str(rows), &root, &err), &err);
    listed_ledger_begin(x->conn, x->project, task.stream);
    for (it = wh_json_iter(root); wh_json_next(&it, &key, &row);) {
        struct gitlab_row read;

        gitlab_row_read(row, &read);
        listed_ledger_row(x->conn, &task, &read, row);
    }
    listed_ledger_end(x->conn, &task, result);
}

static void complete(struct fixture *x, const char *stream, const char *rows)
{
    list(x, stream, NULL, rows, &(struct listing_result){.outcome = LISTING_ENDED});
}

static struct absence *absence(const struct fixture *x, const char *kind, const char *id)
{
    const struct absence_key key = {"c-example", "7", kind, id};

    return absences_find(x->conn->fetcher->absences, &key);
}

static size_t unsure(const struct fixture *x)
{
    return absences_unsure(x->conn->fetcher->absences, "c-example");
}

static void test_what_is_missing_is_unsure(void **state)
{
    static const struct {
        const char *stream;
        const char *rows;
        const char *kind;
        const char *id;
        int64_t number;
    } cases[] = {
        {"members", "[{\"id\":12}]", "membership", "project:7:12", 0},
        {"milestones", "[{\"id\":5,\"project_id\":7}]", "milestone", "5", 0},
        {"milestones", "[{\"id\":6,\"group_id\":77}]", "milestone", "6", 77},
        {"environments", "[{\"id\":8}]", "environment", "8", 0},
        {"releases", "[{\"tag_name\":\"v1:2\"}]", "release", "7:v1:2", 0},
    };
    struct fixture *x = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        complete(x, cases[i].stream, cases[i].rows);
        assert_null(absence(x, cases[i].kind, cases[i].id));
        assert_int_equal(listed_ledger_known(x->conn, "7", cases[i].kind), i == 2 ? 2 : 1);
        complete(x, cases[i].stream, "[]");
        assert_non_null(absence(x, cases[i].kind, cases[i].id));
        assert_int_equal(absence(x, cases[i].kind, cases[i].id)->number, cases[i].number);
        assert_int_equal(absence(x, cases[i].kind, cases[i].id)->times, 0); /* no proof */
    }
    assert_int_equal(unsure(x), 5);
}

/* A listing that is not complete, or by a tool, or of another stream, says nothing. */
static void test_only_complete_listings_count(void **state)
{
    struct fixture *x = *state;

    complete(x, "members", "[{\"id\":12},{\"id\":13}]");
    list(x, "members", NULL, "[]", &(struct listing_result){.outcome = LISTING_MORE});
    list(x, "members", NULL, "[]", &(struct listing_result){.outcome = LISTING_CANNOT_GO_ON});
    list(x, "members", NULL, "[]", &(struct listing_result){.outcome = LISTING_ENDED, .unread = 1});
    list(x, "members", "list_project_members", "[]",
         &(struct listing_result){.outcome = LISTING_ENDED});
    complete(x, "issues", "[{\"id\":1}]");
    complete(x, "issues", "[]");
    assert_int_equal(unsure(x), 0);
    complete(x, "members", "[{\"id\":13}]");
    assert_int_equal(unsure(x), 1);
}

/* Once the tombstone is published, it is not known any more. */
static void test_told(void **state)
{
    struct fixture *x = *state;

    complete(x, "members", "[{\"id\":12},{\"id\":13}]");
    complete(x, "members", "[{\"id\":13}]");
    assert_int_equal(listed_ledger_known(x->conn, "7", "membership"), 2);
    absences_tell(x->conn->fetcher->absences, absence(x, "membership", "project:7:12"), "deleted");
    complete(x, "members", "[{\"id\":13}]");
    assert_int_equal(listed_ledger_known(x->conn, "7", "membership"), 1);
}

/* What was listed is saved once, and known after a restart. */
static void test_saved(void **state)
{
    struct fixture *x = *state;
    const struct wh_bus_header *headers;
    struct wh_bus_msg msg;
    unsigned saved = 0;
    size_t n;

    complete(x, "members", "[{\"id\":12}]");
    complete(x, "members", "[{\"id\":12}]");
    th_control_turns(&x->world, 20);
    x->conn->fetcher->caught_up = false;
    listed_forget(x->conn->fetcher->listed, "c-example");
    for (size_t i = 0; wh_bus_mem_get(x->world.bus, "fetch-state", i, &msg, &headers, &n); i++) {
        saved += wh_slice_eq(msg.key, WH_LIT("c-example:7:members:listed"));
        fetcher_take_state(x->conn->fetcher, &msg);
    }
    assert_int_equal(saved, 1);
    assert_int_equal(listed_ledger_known(x->conn, "7", "membership"), 1);
    complete(x, "members", "[]");
    assert_int_equal(unsure(x), 1);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(test_what_is_missing_is_unsure),
        ONE(test_only_complete_listings_count),
        ONE(test_told),
        ONE(test_saved),
    };

    return cmocka_run_group_tests_name("listed_ledger", tests, NULL, NULL);
}
