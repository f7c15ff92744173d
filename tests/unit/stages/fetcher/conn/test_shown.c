/* What GitLab shows again: the absence ends, and where a tombstone was published, it is said. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/event/raw_event.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/number_ledger.h"
#include "stages/fetcher/conn/shown.h"
#include "tests/lib/th_control.h"

struct fixture {
    struct th_control world;
    struct conn *conn;
    struct project *project;
    struct wh_json_parser *parser;
    size_t before; /* raw events */
};

static int set_up(void **state)
{
    struct fixture *x = wh_mem_zalloc(1, sizeof(*x));
    struct wh_err err;

    assert_non_null(x);
    th_control_init(&x->world);
    th_ok(wh_bus_mem_topic(x->world.bus, "raw.c-example", 1, &err), &err);
    x->conn = th_control_approved(&x->world, 1);
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

static struct absences *absences(const struct fixture *x)
{
    return x->conn->fetcher->absences;
}

static struct absence_key key_of(const char *kind, const char *id)
{
    return (struct absence_key){"c-example", "7", kind, id};
}

static struct absence *missing(struct fixture *x, const char *kind, const char *id, bool told)
{
    const struct absence_key key = key_of(kind, id);
    struct absence *a = absences_note(absences(x), &key, 0, x->world.now_ms, true);

    assert_non_null(a);
    if (told) {
        absences_tell(absences(x), a, "deleted");
    }
    th_control_turns(&x->world, 20);
    x->before = wh_bus_mem_count(x->world.bus, "raw.c-example");
    return a;
}

/* How many events were published since, and the newest one. */
static size_t published(struct fixture *x, char kind[32], char text[256])
{
    const struct wh_bus_header *headers;
    struct wh_raw_event e;
    struct wh_arena arena;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t count;
    size_t n;

    th_control_turns(&x->world, 20);
    count = wh_bus_mem_count(x->world.bus, "raw.c-example");
    if (count == x->before) {
        return 0;
    }
    assert_true(wh_bus_mem_get(x->world.bus, "raw.c-example", count - 1, &msg, &headers, &n));
    wh_arena_init(&arena, 4096, 1 << 20);
    th_ok(wh_raw_event_decode(msg.value, &arena, &e, &err), &err);
    (void)snprintf(kind, 32, "%.*s", WH_SLICE_ARG(e.kind));
    (void)snprintf(text, 256, "%.*s", WH_SLICE_ARG(e.payload));
    wh_arena_done(&arena);
    return count - x->before;
}

static struct wh_json_val parse(struct fixture *x, const char *json)
{
    struct wh_json_val value;
    struct wh_err err;

    th_ok(wh_json_parse(x->parser, wh_slice_str(json), &value, &err), &err);
    return value;
}

static void listed(struct fixture *x, const char *stream, const char *tool, const char *json)
{
    struct listing_task task = {.project = x->project, .tool = tool};
    struct wh_json_val value = parse(x, json);
    struct gitlab_row row;

    while (strcmp(streams[task.stream].name, stream) != 0) {
        task.stream++;
        assert_true(task.stream < STREAMS);
    }
    gitlab_row_read(value, &row);
    shown_by_listing(x->conn, &task, &row, value);
}

static void record(struct fixture *x, const char *kind, const char *id)
{
    struct outbox_row row = conn_row(x->conn, WH_ORIGIN_REST, 0);
    struct wh_err err;

    row.kind = wh_slice_str(kind);
    row.project = WH_LIT("7");
    row.object_id = wh_slice_str(id);
    row.path = WH_LIT("/a");
    row.payload = WH_LIT("{}");
    th_ok(outbox_row(x->conn->fetcher->outbox, &row, NULL, &err), &err);
}

static void test_each_kind_by_its_listing(void **state)
{
    static const struct {
        const char *stream;
        const char *row;
        const char *kind;
        const char *id;
    } cases[] = {
        {"members", "{\"id\":12}", "membership", "project:7:12"},
        {"milestones", "{\"id\":5}", "milestone", "5"},
        {"environments", "{\"id\":6}", "environment", "6"},
        {"releases", "{\"tag_name\":\"v1:\\\"2\"}", "release", "7:v1:\"2"},
        {"deployments", "{\"id\":9,\"iid\":3}", "deployment", "9"},
    };
    struct fixture *x = *state;
    char kind[32];
    char text[256];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct absence_key key = key_of(cases[i].kind, cases[i].id);

        (void)missing(x, cases[i].kind, cases[i].id, true);
        listed(x, cases[i].stream, NULL, cases[i].row);
        listed(x, cases[i].stream, NULL, cases[i].row); /* once is enough */
        assert_int_equal(published(x, kind, text), 1);
        assert_string_equal(kind, "back");
        assert_non_null(strstr(text, cases[i].kind));
        assert_null(absences_find(absences(x), &key));
        listed(x, cases[i].stream, NULL, cases[i].row);
        assert_int_equal(published(x, kind, text), 1);
    }
}

/* Jobs and notes are rows of no listing of their own. */
static void test_by_their_records(void **state)
{
    static const struct {
        const char *raw_kind;
        const char *kind;
    } cases[] = {{"job", "job"}, {"bridge", "job"}, {"note", "note"}};
    struct fixture *x = *state;
    char kind[32];
    char text[256];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)missing(x, cases[i].kind, "41", true);
        record(x, cases[i].raw_kind, "40");
        assert_int_equal(published(x, kind, text), 1);
        record(x, cases[i].raw_kind, "41");
        assert_int_equal(published(x, kind, text), 3);
        assert_string_equal(kind, "back");
        assert_non_null(strstr(text, "\"id\":\"41\""));
    }
}

static void test_what_was_only_unsure_is_not_told(void **state)
{
    struct fixture *x = *state;
    const struct absence_key key = key_of("deployment", "9");
    char kind[32];
    char text[256];

    (void)missing(x, "deployment", "9", false);
    listed(x, "deployments", NULL, "{\"id\":9}");
    assert_int_equal(published(x, kind, text), 0);
    assert_null(absences_find(absences(x), &key));
}

/* A record that Kafka refuses is told by the next sighting. */
static void test_refused(void **state)
{
    struct fixture *x = *state;
    char kind[32];
    char text[256];

    (void)missing(x, "milestone", "5", true);
    wh_bus_mem_fail(x->world.bus, WH_BUS_MEM_DELIVERY, 0, 1, WH_E_TOO_LARGE);
    listed(x, "milestones", NULL, "{\"id\":5}");
    assert_int_equal(published(x, kind, text), 0);
    listed(x, "milestones", NULL, "{\"id\":5}");
    assert_int_equal(published(x, kind, text), 1);
}

/* ---- objects with numbers ---- */

static struct numbers *gone_number(struct fixture *x, enum numbers_stream stream, int64_t number,
                                   int64_t id)
{
    struct numbers *n = numbers_of(x->conn->fetcher->numbers, "c-example", "7", stream, true);
    struct wh_err err;

    assert_non_null(n);
    th_ok(number_set_put(n->set, number, id, NUMBER_DELETED, false, &err), &err);
    x->before = wh_bus_mem_count(x->world.bus, "raw.c-example");
    return n;
}

static void test_numbers_by_a_tool(void **state)
{
    struct fixture *x = *state;
    const struct numbers *n = gone_number(x, NUMBERS_ISSUES, 3, 5003);
    char kind[32];
    char text[256];

    listed(x, "issues", "list_work_items", "{\"id\":5003,\"iid\":\"4\"}");
    assert_int_equal(published(x, kind, text), 0);
    listed(x, "issues", "list_work_items", "{\"id\":5003,\"iid\":\"3\"}");
    assert_int_equal(published(x, kind, text), 1);
    assert_string_equal(kind, "back");
    assert_int_equal(number_set_get(n->set, 3).fate, NUMBER_HAVE);
}

static void test_numbers_by_a_reread(void **state)
{
    static const struct {
        enum numbers_stream stream;
        const char *kind;
    } cases[] = {{NUMBERS_ISSUES, "issue"},
                 {NUMBERS_MERGE_REQUESTS, "merge_request"},
                 {NUMBERS_PIPELINES, "pipeline"}};
    struct fixture *x = *state;
    char kind[32];
    char text[256];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct numbers *n = gone_number(x, cases[i].stream, 3, 5003);
        const struct absence_key key = key_of(cases[i].kind, "");

        shown_by_reread(x->conn, &key, parse(x, "{\"id\":5003,\"iid\":3}"));
        assert_int_equal(published(x, kind, text), 1);
        assert_string_equal(kind, "back");
        assert_int_equal(number_set_get(n->set, 3).fate, NUMBER_HAVE);
    }
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(test_each_kind_by_its_listing),
        ONE(test_by_their_records),
        ONE(test_what_was_only_unsure_is_not_told),
        ONE(test_refused),
        ONE(test_numbers_by_a_tool),
        ONE(test_numbers_by_a_reread),
    };

    return cmocka_run_group_tests_name("shown", tests, NULL, NULL);
}
