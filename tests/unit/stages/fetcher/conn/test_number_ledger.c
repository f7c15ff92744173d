/* Numbers of rows, on their way to fetch-state and to the health topic. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/event/messages.h"
#include "common/json/json_write.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/number_ledger.h"
#include "tests/lib/th_control.h"

struct fixture {
    struct th_control world;
    struct conn *conn;
    struct project *project;
    struct wh_json_parser *parser;
    unsigned issues; /* index of the stream */
    unsigned labels; /* index of a stream without numbers */
};

static unsigned index_of(const char *name)
{
    unsigned i = 0;

    while (strcmp(streams[i].name, name) != 0) {
        i++;
        assert_true(i < STREAMS);
    }
    return i;
}

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
    x->issues = index_of("issues");
    x->labels = index_of("releases");
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

static void take_row(struct fixture *x, unsigned stream, const char *json)
{
    struct wh_json_val value;
    struct gitlab_row row;
    struct wh_err err;

    th_ok(wh_json_parse(x->parser, wh_slice_str(json), &value, &err), &err);
    gitlab_row_read(value, &row);
    number_ledger_row(x->conn, x->project, stream, &row, value);
}

static const struct numbers *numbers(const struct fixture *x)
{
    return numbers_of(x->conn->fetcher->numbers, "c-example", "7", NUMBERS_ISSUES, false);
}

/* The newest document of a topic with that key; "" when there is none. */
static const char *newest(struct fixture *x, const char *topic, const char *key, size_t *ret_n)
{
    static char text[4096];
    const struct wh_bus_header *headers;
    struct wh_document doc;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    th_control_turns(&x->world, 2);
    text[0] = '\0';
    *ret_n = 0;
    for (size_t i = 0; wh_bus_mem_get(x->world.bus, topic, i, &msg, &headers, &n); i++) {
        if (wh_slice_eq(msg.key, wh_slice_str(key))) {
            th_ok(wh_document_decode(msg.value, &doc, &err), &err);
            (void)snprintf(text, sizeof(text), "%.*s", WH_SLICE_ARG(doc.document));
            (*ret_n)++;
        }
    }
    return text;
}

static void test_rows_become_numbers(void **state)
{
    struct fixture *x = *state;

    take_row(x, x->issues, "{\"id\":501,\"iid\":1}");
    take_row(x, x->issues, "{\"id\":503,\"iid\":3,\"confidential\":true}");
    take_row(x, x->issues, "{\"id\":504,\"iid\":4,\"moved_to_id\":77}");
    take_row(x, x->issues, "{\"iid\":5}");                /* without an id */
    take_row(x, x->issues, "{\"id\":506}");               /* without a number */
    take_row(x, x->issues, "{\"id\":507,\"iid\":\"x\"}"); /* a number that is none */
    take_row(x, x->labels, "{\"id\":508,\"iid\":8}");     /* of a stream without numbers */
    assert_int_equal(number_set_counts(numbers(x)->set).expected, 4);
    assert_int_equal(number_set_get(numbers(x)->set, 1).fate, NUMBER_HAVE);
    assert_int_equal(number_set_get(numbers(x)->set, 1).id, 501);
    assert_int_equal(number_set_get(numbers(x)->set, 2).fate, NUMBER_UNKNOWN);
    assert_true(number_set_get(numbers(x)->set, 3).confidential);
    assert_int_equal(number_set_get(numbers(x)->set, 4).fate, NUMBER_MOVED);
}

static void test_changed_segments_are_saved_once(void **state)
{
    struct fixture *x = *state;
    const char *key = "c-example:7:issues:ids:0";
    struct wh_err err;
    size_t n;

    take_row(x, x->issues, "{\"id\":501,\"iid\":1}");
    th_ok(number_ledger_save_stream(x->conn, x->project, x->issues, &err), &err);
    assert_non_null(strchr(newest(x, "fetch-state", key, &n), '{'));
    assert_int_equal(n, 1);
    /* The same row again changes nothing. */
    take_row(x, x->issues, "{\"id\":501,\"iid\":1}");
    th_ok(number_ledger_save_stream(x->conn, x->project, x->issues, &err), &err);
    (void)newest(x, "fetch-state", key, &n);
    assert_int_equal(n, 1);
    take_row(x, x->issues, "{\"id\":502,\"iid\":2}");
    th_ok(number_ledger_save_stream(x->conn, x->project, x->issues, &err), &err);
    (void)newest(x, "fetch-state", key, &n);
    assert_int_equal(n, 2);
    /* Where rows have no numbers there is nothing to save. */
    th_ok(number_ledger_save_stream(x->conn, x->project, x->labels, &err), &err);
    th_ok(number_ledger_save_stream(x->conn, NULL, 0, &err), &err);
    th_ok(number_ledger_save(x->conn->fetcher, NULL, &err), &err);
}

static void test_completeness_is_published_when_it_changes(void **state)
{
    struct fixture *x = *state;
    const char *key = "c-example:completeness:7";
    const char *text;
    size_t n;

    number_ledger_publish(x->conn, "7", "group/app");
    (void)newest(x, "health", key, &n);
    assert_int_equal(n, 0); /* nothing is known of it */
    take_row(x, x->issues, "{\"id\":503,\"iid\":3}");
    number_ledger_publish(x->conn, "7", "group/app");
    number_ledger_publish(x->conn, "7", "group/app");
    text = newest(x, "health", key, &n);
    assert_int_equal(n, 1);
    assert_non_null(strstr(text, "\"project\":\"7\",\"path\":\"group/app\""));
    assert_non_null(strstr(text, "\"issues\":{\"expected\":3,\"have\":1,\"missing\":2,"));
    assert_non_null(strstr(text, "\"merge_requests\":{\"expected\":0,"));
    take_row(x, x->issues, "{\"id\":502,\"iid\":2}");
    number_ledger_publish(x->conn, "7", "group/app");
    text = newest(x, "health", key, &n);
    assert_int_equal(n, 2);
    assert_non_null(strstr(text, "\"have\":2,\"missing\":1,"));
}

/* An object that was gone and is listed again: the row waits for its record. */
static void test_an_object_that_is_back(void **state)
{
    struct fixture *x = *state;
    struct wh_err err;

    take_row(x, x->issues, "{\"id\":501,\"iid\":1}");
    th_ok(number_set_put(numbers(x)->set, 1, 501, NUMBER_DELETED, false, &err), &err);
    take_row(x, x->issues, "{\"id\":501,\"iid\":1}");
    assert_int_equal(number_set_get(numbers(x)->set, 1).fate, NUMBER_DELETED);
    th_control_turns(&x->world, 5);
    assert_int_equal(number_set_get(numbers(x)->set, 1).fate, NUMBER_HAVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_rows_become_numbers),
        T(test_changed_segments_are_saved_once),
        T(test_completeness_is_published_when_it_changes),
        T(test_an_object_that_is_back),
    };

    return cmocka_run_group_tests_name("number_ledger", tests, NULL, NULL);
}
