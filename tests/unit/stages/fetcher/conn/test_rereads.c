/* Objects that are read again: which address is asked for, what becomes a record, what is tried again. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/event/raw_event.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/rereads.h"
#include "tests/lib/th_control.h"

struct gitlab {
    unsigned status;   /* of the object's own address */
    const char *body;  /* NULL: an object */
    bool no_project;   /* its project answers 404 too */
    unsigned answered; /* requests for the object */
};

enum { CONFIRM_MS = 5000 };

static bool answer(struct th_control *t, struct wh_slice url, struct wh_slice token,
                   struct th_script_answer *a)
{
    struct gitlab *g = t->ctx;
    struct wh_err err;

    (void)token;
    if (memmem(url.ptr, url.len, "/projects/7", 11) != NULL &&
        memmem(url.ptr, url.len, "/7/", 3) == NULL) {
        a->status = g->no_project ? 404 : 200;
        th_ok(wh_buf_append(&a->body, WH_LIT("{\"id\":7}"), &err), &err);
        return true;
    }
    if (memmem(url.ptr, url.len, "/7/", 3) == NULL &&
        memmem(url.ptr, url.len, "/users/", 7) == NULL) {
        return false;
    }
    a->status = g->status;
    g->answered++;
    th_ok(wh_buf_append(&a->body, wh_slice_str(g->body ? g->body : "{\"id\":5}"), &err), &err);
    return true;
}

static struct th_control *world(struct gitlab *g)
{
    static struct th_control t;

    th_control_init(&t);
    t.gitlab = answer;
    t.ctx = g;
    *g = (struct gitlab){.status = 200};
    (void)th_control_connected(&t);
    th_control_turns(&t, 100);
    return &t;
}

static struct rereads *rereads(struct th_control *t)
{
    return fetcher_rereads(t->f);
}

static void request(struct th_control *t, const char *connection, const char *kind,
                    const char *project, const char *id)
{
    rereads_take(rereads(t), &(struct wh_reread){.connection = wh_slice_str(connection),
                                                 .kind = wh_slice_str(kind),
                                                 .project = wh_slice_str(project),
                                                 .id = wh_slice_str(id)});
}

static bool none_open(struct th_control *t)
{
    t->now_ms += 100;
    return rereads_open(rereads(t)) == 0;
}

/* The kind of the newest raw event, and how many there are. */
static size_t newest(struct th_control *t, char kind[32], char *payload, size_t size)
{
    const struct wh_bus_header *headers;
    struct wh_raw_event e;
    struct wh_arena arena;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t i;
    size_t n;

    wh_arena_init(&arena, 4096, 1 << 20);
    for (i = 0; wh_bus_mem_get(t->bus, "raw.c-example", i, &msg, &headers, &n); i++) {
        th_ok(wh_raw_event_decode(msg.value, &arena, &e, &err), &err);
        (void)snprintf(kind, 32, "%.*s", WH_SLICE_ARG(e.kind));
        (void)snprintf(payload, size, "%.*s", WH_SLICE_ARG(e.payload));
    }
    wh_arena_done(&arena);
    return i;
}

static void test_each_kind_has_its_address(void **state)
{
    static const struct {
        const char *kind;
        const char *project;
        const char *id;
        const char *path;
        const char *raw_kind;
    } cases[] = {
        {"merge_request", "7", "3", "/api/v4/projects/7/merge_requests/3", "merge_request"},
        {"issue", "7", "3", "/api/v4/projects/7/issues/3", "issue"},
        {"pipeline", "7", "9", "/api/v4/projects/7/pipelines/9", "pipeline_detail"},
        {"release", "7", "v1/2 b", "/api/v4/projects/7/releases/v1%2F2%20b", "release"},
        {"user", "", "12", "/api/v4/users/12", "user"},
    };
    struct gitlab g;
    struct th_control *t = world(&g);
    char address[256];
    char kind[32];
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t before = wh_bus_mem_count(t->bus, "raw.c-example");

        request(t, "c-example", cases[i].kind, cases[i].project, cases[i].id);
        assert_int_equal(rereads_open(rereads(t)), 1);
        th_control_until(t, none_open);
        (void)snprintf(address, sizeof(address), "https://c.example%s ", cases[i].path);
        assert_int_equal(th_control_asked(t, address, "glpat-1"), 1);
        assert_int_equal(newest(t, kind, text, sizeof(text)), before + 1);
        assert_string_equal(kind, cases[i].raw_kind);
        assert_string_equal(text, "{\"id\":5}");
    }
    th_control_done(t);
}

static void test_what_cannot_be_asked_for_is_left_out(void **state)
{
    struct gitlab g;
    struct th_control *t = world(&g);

    (void)state;
    request(t, "nobody", "issue", "7", "3");
    request(t, "c-example", "unheard_of", "7", "3");
    request(t, "c-example", "issue", "7/../8", "3");
    request(t, "c-example", "issue", "7", "");
    request(t, "c-example", "issue", "123456789012345678901234567890", "3");
    assert_int_equal(rereads_open(rereads(t)), 0);
    th_control_done(t);
}

static void test_the_same_object_is_read_once(void **state)
{
    struct gitlab g;
    struct th_control *t = world(&g);
    const char *address = "https://c.example/api/v4/projects/7/issues/3 ";

    (void)state;
    request(t, "c-example", "issue", "7", "3");
    request(t, "c-example", "issue", "7", "3");
    assert_int_equal(rereads_open(rereads(t)), 1);
    th_control_until(t, none_open);
    assert_int_equal(th_control_asked(t, address, NULL), 1);
    /* A request that comes while the object is being read may mean a later change. */
    t->held = "/issues/3";
    request(t, "c-example", "issue", "7", "3");
    while (th_script_waiting(t->script) == 0) {
        (void)none_open(t);
        th_control_turns(t, 1);
    }
    request(t, "c-example", "issue", "7", "3");
    t->held = NULL;
    th_control_until(t, none_open);
    assert_int_equal(th_control_asked(t, address, NULL), 3);
    th_control_done(t);
}

static void test_an_object_that_is_gone(void **state)
{
    struct gitlab g;
    struct th_control *t = world(&g);
    const char *address = "https://c.example/api/v4/projects/7/jobs/41 ";
    char kind[32] = "";
    char text[256] = "";
    int64_t started;
    size_t n;

    (void)state;
    g.status = 404;
    started = t->now_ms;
    request(t, "c-example", "job", "7", "41");
    th_control_until(t, none_open);
    n = newest(t, kind, text, sizeof(text));
    assert_string_equal(kind, "gone");
    assert_string_equal(
        text, "{\"reason\":\"deleted\",\"kind\":\"job\",\"id\":\"41\",\"project_id\":\"7\"}");
    assert_true(th_control_asked(t, address, NULL) >= 2);
    assert_int_equal(th_control_asked(t, "https://c.example/api/v4/projects/7 ", NULL), 1);
    assert_true(t->now_ms - started >= CONFIRM_MS);
    /* The number of an issue does not tell its id: nothing is said about it. */
    request(t, "c-example", "issue", "7", "3");
    th_control_until(t, none_open);
    assert_int_equal(newest(t, kind, text, sizeof(text)), n);
    th_control_done(t);
}

static bool asked_once(struct th_control *t)
{
    t->now_ms += 100;
    return ((const struct gitlab *)t->ctx)->answered > 0;
}

/* The API lags behind the webhook, or a proxy answers: no tombstone, and the object when it is there. */
static void test_one_answer_proves_nothing(void **state)
{
    static const char *const bodies[] = {"{\"message\":\"404 Not found\"}", "<html>404</html>",
                                         " "};
    struct gitlab g;
    struct th_control *t = world(&g);
    char kind[32] = "";
    char text[256] = "";

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        size_t before = wh_bus_mem_count(t->bus, "raw.c-example");

        g.status = 404;
        g.body = bodies[i];
        g.answered = 0;
        request(t, "c-example", "pipeline", "7", "9");
        th_control_until(t, asked_once);
        g.status = 200;
        g.body = NULL;
        th_control_until(t, none_open);
        assert_int_equal(newest(t, kind, text, sizeof(text)), before + 1);
        assert_string_equal(kind, "pipeline_detail");
    }
    th_control_done(t);
}

static void know_issue(struct th_control *t, int64_t number, int64_t id)
{
    struct numbers *n = numbers_of(t->f->numbers, "c-example", "7", NUMBERS_ISSUES, true);
    struct wh_err err;

    assert_non_null(n);
    th_ok(number_set_put(n->set, number, id, NUMBER_HAVE, false, &err), &err);
}

/* Of objects with numbers the check of a run says so; it continues with what the re-read has found. */
static void test_objects_with_numbers_wait_for_the_check(void **state)
{
    static const struct {
        const char *kind;
        const char *asked;
        const char *id;
        int64_t number;
    } cases[] = {{"issue", "3", "5003", 3}, {"pipeline", "9", "9", 0}};
    struct gitlab g;
    struct th_control *t = world(&g);

    (void)state;
    g.status = 404;
    know_issue(t, 3, 5003);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct absence_key key = {"c-example", "7", cases[i].kind, cases[i].id};
        size_t before = wh_bus_mem_count(t->bus, "raw.c-example");
        const struct absence *a;

        request(t, "c-example", cases[i].kind, "7", cases[i].asked);
        th_control_until(t, none_open);
        assert_int_equal(wh_bus_mem_count(t->bus, "raw.c-example"), before);
        a = absences_find(t->f->absences, &key);
        assert_non_null(a);
        assert_int_equal(a->number, cases[i].number);
        assert_false(a->told);
        assert_true(absence_proved(a, CONFIRM_MS));
    }
    th_control_done(t);
}

/* The ids of tombstones are those of the entities. */
static void test_each_kind_has_its_tombstone(void **state)
{
    static const struct {
        const char *kind;
        const char *project;
        const char *id;
        const char *text;
    } cases[] = {
        {"deployment", "7", "9", "\"id\":\"9\",\"project_id\":\"7\""},
        {"environment", "7", "8", "\"id\":\"8\",\"project_id\":\"7\""},
        {"milestone", "7", "6", "\"id\":\"6\",\"project_id\":\"7\""},
        {"release", "7", "v1\"", "\"id\":\"7:v1\\\"\",\"project_id\":\"7\""},
        {"user", "", "12", "\"id\":\"12\",\"project_id\":\"\""},
    };
    struct gitlab g;
    struct th_control *t = world(&g);
    char kind[32] = "";
    char text[256] = "";

    (void)state;
    g.status = 404;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        request(t, "c-example", cases[i].kind, cases[i].project, cases[i].id);
        th_control_until(t, none_open);
        (void)newest(t, kind, text, sizeof(text));
        assert_string_equal(kind, "gone");
        assert_non_null(strstr(text, cases[i].text));
    }
    assert_int_equal(absences_unsure(t->f->absences, "c-example"), 0);
    th_control_done(t);
}

/* It may be that we lost the right to see it. */
static void test_a_project_that_cannot_be_read_proves_nothing(void **state)
{
    struct gitlab g;
    struct th_control *t = world(&g);
    size_t before = wh_bus_mem_count(t->bus, "raw.c-example");

    (void)state;
    g.status = 404;
    g.no_project = true;
    request(t, "c-example", "job", "7", "41");
    th_control_until(t, none_open);
    assert_int_equal(wh_bus_mem_count(t->bus, "raw.c-example"), before);
    th_control_done(t);
}

static void test_a_record_that_kafka_refuses_is_read_again(void **state)
{
    struct gitlab g;
    struct th_control *t = world(&g);

    (void)state;
    wh_bus_mem_fail(t->bus, WH_BUS_MEM_DELIVERY, 0, 1, WH_E_TIMEOUT);
    request(t, "c-example", "issue", "7", "3");
    th_control_until(t, none_open);
    assert_int_equal(th_control_asked(t, "https://c.example/api/v4/projects/7/issues/3 ", NULL), 2);
    th_control_done(t);
}

static void test_a_disconnected_connection_is_not_read(void **state)
{
    struct gitlab g;
    struct th_control *t = world(&g);

    (void)state;
    request(t, "c-example", "issue", "7", "3");
    th_control_call(t, "POST", "/api/v1/connections/c-example/disconnect", NULL);
    assert_int_equal(t->status, 202);
    th_control_until(t, none_open);
    assert_int_equal(th_control_asked(t, "https://c.example/api/v4/projects/7/issues/3 ", NULL), 0);
    th_control_done(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_has_its_address),
        cmocka_unit_test(test_what_cannot_be_asked_for_is_left_out),
        cmocka_unit_test(test_the_same_object_is_read_once),
        cmocka_unit_test(test_an_object_that_is_gone),
        cmocka_unit_test(test_one_answer_proves_nothing),
        cmocka_unit_test(test_objects_with_numbers_wait_for_the_check),
        cmocka_unit_test(test_each_kind_has_its_tombstone),
        cmocka_unit_test(test_a_project_that_cannot_be_read_proves_nothing),
        cmocka_unit_test(test_a_record_that_kafka_refuses_is_read_again),
        cmocka_unit_test(test_a_disconnected_connection_is_not_read),
    };

    return cmocka_run_group_tests_name("rereads", tests, NULL, NULL);
}
