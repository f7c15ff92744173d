/* wellhead import: what it refuses, what it compares, what it sends and when it asks. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/event/entity.h"
#include "common/event/raw_event.h"
#include "tests/lib/th_cli.h"
#include "tests/lib/th_tmp.h"

#define ROWS "POST http://sink/api/v1/sql {\"query\":\"select id, source_id, deleted"
#define KNOWN "POST http://sink/api/v1/sql {\"query\":\"select json_extract"
#define RAW "wellhead.raw.import-crm"

static const char none[] = "{\"ok\":true,\"columns\":[],\"rows\":[],\"truncated\":false}";
/* services a, which is as in the file below, b, and c, which is deleted */
static const char some[] =
    "{\"ok\":true,\"columns\":[],\"rows\":["
    "[\"0ef1fd5d-c4d3-5a1b-b2d8-0e0f0a3b7f11\",\"b\",0,\"2026-01-01T00:00:00.000Z\",\"B\",null,"
    "null,"
    "null,null,null,null],"
    "[\"%s\",\"a\",0,\"2027-01-01T00:00:00.000Z\",\"A\",null,null,null,null,null,null],"
    "[\"0ef1fd5d-c4d3-5a1b-b2d8-0e0f0a3b7f12\",\"c\",1,\"2026-01-01T00:00:00.000Z\",\"C\",null,"
    "null,"
    "null,null,null,null]],\"truncated\":false}";

struct fixture {
    struct th_cli *t;
    char *folder;
    char path[512];
};

static int set_up(void **state)
{
    struct fixture *f = wh_mem_zalloc(1, sizeof(*f));
    struct wh_err err;

    assert_non_null(f);
    f->t = th_cli_new();
    f->folder = th_tmp_new();
    th_ok(wh_bus_mem_topic(th_cli_bus(f->t), "wellhead.connections", 1, &err), &err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    th_tmp_remove(f->folder);
    th_cli_free(f->t);
    wh_mem_free(f);
    return 0;
}

/* The file's path, which the next commands name. */
static void write_file(struct fixture *f, const char *name, const char *text)
{
    FILE *file;

    (void)snprintf(f->path, sizeof(f->path), "%s/%s", f->folder, name);
    file = fopen(f->path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int run(struct fixture *f, const char *options)
{
    char words[1024];

    (void)snprintf(words, sizeof(words), "import --source crm %s%s%s", f->path,
                   options[0] ? " " : "", options);
    return th_cli_run(f->t, words);
}

static void says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in: %s", part, text);
    }
}

static void answer_some(struct fixture *f)
{
    struct wh_entity_id id =
        wh_entity_id_make(WH_LIT("import:crm"), WH_LIT("service"), WH_LIT("a"));
    char text[WH_ENTITY_ID_TEXT + 1];
    char rows[2048];

    (void)snprintf(rows, sizeof(rows), some, wh_entity_id_format(&id, text));
    th_cli_answer(f->t, ROWS, 200, rows);
}

static void wrong_use(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(th_cli_run(f->t, "import services.csv"), CLI_USAGE);
    says(th_cli_stderr(f->t), "needs --source NAME");
    assert_int_equal(th_cli_run(f->t, "import --source CRM services.csv"), CLI_USAGE);
    assert_int_equal(th_cli_run(f->t, "import --source -x services.csv"), CLI_USAGE);
    assert_int_equal(th_cli_run(f->t, "import --source crm"), CLI_USAGE);
    assert_int_equal(th_cli_run(f->t, "import --source crm things.csv"), CLI_USAGE);
    says(th_cli_stderr(f->t), "things.csv does not tell the kind of its rows: --kind services, ");
    assert_int_equal(th_cli_run(f->t, "import --source crm -"), CLI_USAGE);
    assert_int_equal(th_cli_run(f->t, "import --source crm --kind thing x.csv"), CLI_USAGE);
    assert_int_equal(th_cli_run(f->t, "import --source crm --replace --keep-going services.csv"),
                     CLI_USAGE);
    assert_int_equal(th_cli_run(f->t, "import --source crm /nowhere/services.csv"), CLI_FAILED);
    says(th_cli_stderr(f->t), "/nowhere/services.csv cannot be read: there is no such file");
    assert_int_equal(th_cli_requests(f->t), 0);
}

static void mistakes_stop_everything(void **state)
{
    struct fixture *f = *state;

    write_file(f, "services.csv", "id,name\na,A\n,B\na,C\n");
    assert_int_equal(run(f, ""), CLI_FAILED);
    says(th_cli_stderr(f->t), "services.csv:3: id: a value is needed\n");
    says(th_cli_stderr(f->t), "services.csv:4: id: the row repeats ");
    says(th_cli_stderr(f->t), "2 mistakes; nothing was imported (--keep-going");
    assert_int_equal(th_cli_requests(f->t), 0);
}

static void a_plan_does_nothing(void **state)
{
    struct fixture *f = *state;

    answer_some(f);
    write_file(f, "services.csv", "id,name\na,A\nc,C\nb2,B\n,x\n");
    assert_int_equal(run(f, "--dry-run --json"), CLI_FAILED);
    says(th_cli_stdout(f->t),
         "{\"ok\":false,\"connection\":\"import-crm\",\"executed\":false,\"kinds\":{\"services\":{"
         "\"rows\":3,\"new\":2,\"changed\":0,\"unchanged\":1,\"not_listed\":1}},\"sent\":0,"
         "\"dead_letters\":0,\"stored\":false,\"errors\":1,\"wrong\":[{\"file\":");
    says(th_cli_stdout(f->t), "\"line\":5,\"column\":\"id\",\"reason\":\"a value is needed\"}]}");
    assert_int_equal(th_cli_requests(f->t), 1);
}

static void nothing_to_do(void **state)
{
    struct fixture *f = *state;

    answer_some(f);
    write_file(f, "services.csv", "id,name\na,A\n");
    assert_int_equal(run(f, ""), CLI_OK);
    says(th_cli_stdout(f->t), "services");
    assert_int_equal(th_cli_requests(f->t), 1);
    assert_int_equal(wh_bus_mem_count(th_cli_bus(f->t), "wellhead.connections"), 0);
}

/* Standard input is CSV, or JSON where it begins so. */
static void standard_input(void **state)
{
    struct fixture *f = *state;

    answer_some(f);
    th_cli_input(f->t, "id,name\na,A\nx,X\n");
    assert_int_equal(th_cli_run(f->t, "import --source crm --kind services - --dry-run"), CLI_OK);
    says(th_cli_stderr(f->t), "nothing was done");
    th_cli_input(f->t, " [{\"id\": \"a\"}]");
    assert_int_equal(th_cli_run(f->t, "import --source crm --kind services -"), CLI_FAILED);
    says(th_cli_stderr(f->t), "-:1: name: a value is needed\n");
}

static void event(struct fixture *f, const char *identity, struct wh_arena *arena,
                  struct wh_raw_event *ret)
{
    const struct wh_bus_header *headers;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    for (size_t i = 0; wh_bus_mem_get(th_cli_bus(f->t), RAW, i, &msg, &headers, &n); i++) {
        th_ok(wh_raw_event_decode(msg.value, arena, ret, &err), &err);
        if (wh_slice_eq(ret->object_id, wh_slice_str(identity))) {
            return;
        }
    }
    fail_msg("no event of %s", identity);
}

static void rows_are_sent(void **state)
{
    struct fixture *f = *state;
    struct wh_raw_event e;
    struct wh_arena arena;

    wh_arena_init(&arena, 4096, 1 << 20);
    answer_some(f);
    th_cli_answer(f->t, KNOWN, 200, none);
    write_file(f, "services.csv", "id,name\na,Other\nnew,New\n");
    assert_int_equal(run(f, "--replace --confirm crm --no-wait"), CLI_OK);
    assert_int_equal(wh_bus_mem_count(th_cli_bus(f->t), "wellhead.connections"), 1);
    assert_int_equal(wh_bus_mem_count(th_cli_bus(f->t), RAW), 3);
    event(f, "a", &arena, &e);
    assert_int_equal(e.origin, WH_ORIGIN_IMPORT);
    assert_true(wh_slice_eq(e.instance, WH_LIT("import:crm")));
    assert_true(wh_slice_eq(e.kind, WH_LIT("services")));
    assert_true(wh_slice_eq(e.payload, WH_LIT("{\"id\":\"a\",\"name\":\"Other\"}")));
    /* The store has a version of 2027: what the file says is newer. */
    assert_true(e.observed_at_ms == INT64_C(1798761600001));
    event(f, "b", &arena, &e);
    assert_true(wh_slice_eq(e.kind, WH_LIT("gone")));
    assert_true(wh_slice_eq(
        e.payload, WH_LIT("{\"kind\":\"service\",\"id\":\"b\",\"reason\":\"not_listed\"}")));
    wh_arena_done(&arena);
}

static void deletions_are_confirmed(void **state)
{
    struct fixture *f = *state;

    answer_some(f);
    th_cli_answer(f->t, KNOWN, 200, none);
    write_file(f, "services.csv", "id,name\na,A\n");
    assert_int_equal(run(f, "--replace"), CLI_FAILED);
    says(th_cli_stderr(f->t), "1 row would be deleted, and nothing was done; --confirm crm");
    assert_int_equal(run(f, "--replace --confirm other"), CLI_FAILED);
    th_cli_type(f->t, "no\n");
    assert_int_equal(run(f, "--replace"), CLI_FAILED);
    says(th_cli_stderr(f->t), "Type crm to do this: ");
    assert_int_equal(wh_bus_mem_count(th_cli_bus(f->t), "wellhead.connections"), 0);
    th_cli_type(f->t, "crm\n");
    assert_int_equal(run(f, "--replace --no-wait"), CLI_OK);
    assert_int_equal(wh_bus_mem_count(th_cli_bus(f->t), RAW), 1);
}

static void a_gitlab_is_left_alone(void **state)
{
    struct fixture *f = *state;

    th_cli_answer(f->t, ROWS, 200, none);
    th_cli_answer(f->t, KNOWN, 200, "{\"rows\":[{\"instance\":\"https://import.example.com\"}]}");
    write_file(f, "services.csv", "id,name\na,A\n");
    assert_int_equal(run(f, ""), CLI_FAILED);
    says(th_cli_stderr(f->t), "import-crm belongs to a GitLab");
}

static void a_sink_that_is_away(void **state)
{
    struct fixture *f = *state;

    write_file(f, "services.csv", "id,name\na,A\n");
    assert_int_equal(run(f, ""), CLI_FAILED);
    assert_int_equal(wh_bus_mem_count(th_cli_bus(f->t), "wellhead.connections"), 0);
    th_cli_answer(f->t, ROWS, 200, "{\"ok\":true,\"columns\":[],\"rows\":[[\"x\"");
    assert_int_equal(run(f, ""), CLI_FAILED);
    says(th_cli_stderr(f->t), "the sink's answer is not complete");
}

static void an_import_is_purged(void **state)
{
    static const char *const topics[] = {"wellhead.raw.import-crm", "wellhead.entities.import-crm",
                                         "wellhead.dead-letter.import-crm"};
    struct fixture *f = *state;
    const struct wh_bus_header *headers;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    for (size_t i = 0; i < 3; i++) {
        th_ok(wh_bus_mem_topic(th_cli_bus(f->t), topics[i], 4, &err), &err);
    }
    th_cli_answer(f->t, KNOWN, 200, "{\"rows\":[{\"instance\":\"import:crm\"}]}");
    th_cli_answer(f->t, "GET http://sink/api/v1/purges/import-crm", 200,
                  "{\"purge\":{\"finished_at_ms\":9999999999999,\"entities\":5,\"leftovers\":0}}");
    assert_int_equal(th_cli_run(f->t, "purge import-crm --confirm import-crm"), CLI_OK);
    says(th_cli_stderr(f->t), "wellhead purge import-crm removes what was imported:\n");
    says(th_cli_stdout(f->t), "its topics are deleted; 0 remain");
    assert_true(wh_bus_mem_get(th_cli_bus(f->t), "wellhead.connections", 0, &msg, &headers, &n));
    assert_true(wh_slice_eq(msg.key, WH_LIT("import-crm")));
    assert_null(msg.value.ptr);
    assert_string_equal(th_cli_last(f->t, "GET http://fetcher"), "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wrong_use),
        TEST(mistakes_stop_everything),
        TEST(a_plan_does_nothing),
        TEST(nothing_to_do),
        TEST(standard_input),
        TEST(rows_are_sent),
        TEST(deletions_are_confirmed),
        TEST(a_gitlab_is_left_alone),
        TEST(a_sink_that_is_away),
        TEST(an_import_is_purged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
