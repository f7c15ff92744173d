/* wellhead show: which entity is meant, and how it is shown with its past. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/event/raw_event.h"
#include "tests/lib/th_cli.h"

#define ID "6f1ed002-ab12-5a7b-9c3d-000000000001"
#define AUTHOR "6f1ed002-ab12-5a7b-9c3d-000000000002"
#define OTHER "6f1ed002-ab12-5a7b-9c3d-000000000003"
#define ENTITY "GET http://sink/api/v1/entities/" ID
#define BY_URL "GET http://sink/api/v1/entities?url="
#define SQL "POST http://sink/api/v1/sql {\"query\":\""

static int set_up(void **state)
{
    *state = th_cli_new();
    return 0;
}

static int tear_down(void **state)
{
    th_cli_free(*state);
    return 0;
}

static void says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in: %s", part, text);
    }
}

static const char entity[] =
    "{\"ok\":true,\"entity\":{\"id\":\"" ID "\",\"kind\":\"work_item\",\"source\":{\"instance\":"
    "\"https://h\",\"kind\":\"issue\",\"id\":\"7\",\"url\":\"https://h/a/b/-/issues/7\"},"
    "\"fields\":{\"title\":\"T\\u202e\",\"labels\":[\"x\",\"y\"],\"author\":\"" AUTHOR "\"},"
    "\"set_by\":{\"title\":\"r1\"},\"set_by_versions\":{\"r1\":{\"origin\":\"webhook\","
    "\"version_at\":\"2026-11-29T00:00:00Z\"}}}}";

static const char revisions[] =
    "{\"rows\":["
    "{\"version_at\":\"V3\",\"revision\":true,\"change\":\"upsert\",\"origin\":\"webhook\","
    "\"observed_at\":\"O3\",\"topic\":\"raw\",\"partition\":1,\"offset\":9,"
    "\"changed\":{\"state\":\"closed\",\"assignees\":[\"" OTHER "\",\"" AUTHOR "\"]}},"
    "{\"version_at\":\"V2\",\"revision\":false,\"change\":\"upsert\",\"origin\":\"rest\","
    "\"changed\":{}},"
    "{\"version_at\":\"V1\",\"revision\":true,\"change\":\"upsert\",\"origin\":\"rest\","
    "\"observed_at\":\"O1\",\"topic\":\"raw\",\"partition\":0,\"offset\":3,"
    "\"changed\":{\"state\":\"opened\",\"assignees\":[],\"title\":\"T\"}}],\"next\":null}";

static void script(struct th_cli *t)
{
    th_cli_answer(t, ENTITY, 200, entity);
    th_cli_answer(t, ENTITY "/revisions?_size=1000", 200, revisions);
    th_cli_answer(t, ENTITY "/links?_size=1000", 200,
                  "{\"rows\":[{\"direction\":\"out\",\"relation\":\"author\",\"kind\":"
                  "\"team_member\",\"id\":\"" AUTHOR "\"}],\"next\":null}");
    th_cli_answer(t, SQL "select t.id, coalesce(coalesce(t.team_member_name", 200,
                  "{\"rows\":[{\"id\":\"" AUTHOR "\",\"label\":\"Ana @ana\"}]}");
    th_cli_answer(t, SQL "select t.id, case t.type", 200,
                  "{\"rows\":[{\"id\":\"" ID "\",\"label\":\"#7 T\"}]}");
}

static void an_entity_is_shown_with_its_past(void **state)
{
    struct th_cli *t = *state;

    script(t);
    assert_int_equal(th_cli_run(t, "show " ID), CLI_OK);
    assert_string_equal(th_cli_stdout(t),
                        "work_item  #7 T\nhttps://h/a/b/-/issues/7\n"
                        "id " ID "; issue 7 at https://h\n\n"
                        "field   value                                            set by   at\n"
                        "title   T\\u202e                                          webhook  "
                        "2026-11-29T00:00:00Z\n"
                        "labels  x, y                                                      \n"
                        "author  Ana @ana (" AUTHOR ")           \n"
                        "\nrevisions, the newest first\n"
                        "  2  V3  webhook, received O3; raw/1/9\n"
                        "      state: opened → closed\n"
                        "      assignees: none → " OTHER ", Ana @ana (" AUTHOR ")\n"
                        "  1  V1  read by REST, received O1; raw/0/3\n"
                        "      state: opened\n"
                        "      assignees: none\n"
                        "      title: T\n"
                        "and 1 more times it was seen unchanged\n"
                        "\nlinks\n"
                        "direction  relation  kind         name      id\n"
                        "out        author    team_member  Ana @ana  " AUTHOR "\n");
    assert_int_equal(th_cli_run(t, "show " ID " --json"), CLI_OK);
    assert_int_equal(th_cli_requests(t), 1);
    assert_memory_equal(th_cli_stdout(t), entity, strlen(entity));
}

/* Without its names an entity is still shown. */
static void names_may_be_unknown(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, ENTITY, 200, entity);
    th_cli_answer(t, ENTITY "/revisions", 200, "{\"rows\":[]}");
    th_cli_answer(t, ENTITY "/links", 200, "{\"rows\":[]}");
    assert_int_equal(th_cli_run(t, "show " ID), CLI_OK);
    says(th_cli_stdout(t), "author  " AUTHOR "  ");
    assert_string_equal(th_cli_stderr(t), "");
}

static void all_pages_are_read(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, ENTITY, 200, entity);
    th_cli_answer(t, ENTITY "/links", 200, "{\"rows\":[]}");
    th_cli_answer(t, ENTITY "/revisions?_size=1000", 200,
                  "{\"rows\":[{\"revision\":true,\"version_at\":\"V2\",\"changed\":{\"state\":"
                  "\"b\"}}],\"next\":\"n1\"}");
    th_cli_answer(t, ENTITY "/revisions?_size=1000&_next=n1", 200,
                  "{\"rows\":[{\"revision\":true,\"version_at\":\"V1\",\"changed\":{\"state\":"
                  "\"a\"}}],\"next\":null}");
    assert_int_equal(th_cli_run(t, "show " ID), CLI_OK);
    says(th_cli_stdout(t), "  2  V2");
    says(th_cli_stdout(t), "      state: a → b\n");
    says(th_cli_stdout(t), "  1  V1");
}

/* ---- the raw events ---- */

static void put_event(struct th_cli *t, enum wh_origin origin, const char *payload)
{
    const struct wh_raw_event event = {.connection = WH_LIT("h"),
                                       .origin = origin,
                                       .kind = WH_LIT("issue"),
                                       .payload = wh_slice_str(payload)};
    struct wh_bus_record record = {.topic = "raw"};
    struct wh_producer_conf conf;
    struct wh_producer *producer;
    struct wh_buf value;
    struct wh_err err;

    wh_producer_conf_init(&conf);
    wh_buf_init(&value, 4096);
    th_ok(wh_bus_mem_producer(th_cli_bus(t), &conf, &producer, &err), &err);
    th_ok(wh_raw_event_encode(&event, &value, &err), &err);
    record.value = wh_buf_slice(&value);
    th_ok(wh_producer_produce(producer, &record, &err), &err);
    (void)wh_producer_poll(producer, 0);
    wh_producer_free(producer);
    wh_buf_done(&value);
}

static void script_events(struct th_cli *t)
{
    struct wh_err err;

    th_cli_answer(t, ENTITY, 200, entity);
    th_cli_answer(t, ENTITY "/links", 200, "{\"rows\":[]}");
    th_cli_answer(
        t, ENTITY "/revisions", 200,
        "{\"rows\":[{\"revision\":true,\"version_at\":\"V2\",\"origin\":\"webhook\",\"observed_"
        "at\":"
        "\"O2\",\"topic\":\"raw\",\"partition\":0,\"offset\":1,\"changed\":{}},"
        "{\"revision\":false,\"origin\":\"webhook\",\"topic\":\"raw\",\"partition\":0,\"offset\":7}"
        ","
        "{\"revision\":true,\"version_at\":\"V1\",\"origin\":\"rest\",\"observed_at\":\"O1\","
        "\"topic\":\"raw\",\"partition\":0,\"offset\":0,\"changed\":{}}]}");
    th_ok(wh_bus_mem_topic(th_cli_bus(t), "raw", 1, &err), &err);
    put_event(t, WH_ORIGIN_REST, "{\"user\":{\"name\":\"X\"}} ");
    put_event(t, WH_ORIGIN_WEBHOOK, "{\"user\":{\"name\":\"Ana\\u001b\",\"username\":\"ana\"}}\n");
}

static void a_webhook_says_who_did_it(void **state)
{
    struct th_cli *t = *state;

    script_events(t);
    assert_int_equal(th_cli_run(t, "show " ID), CLI_OK);
    says(th_cli_stdout(t), "  2  V2  by Ana\\u001b @ana; webhook, received O2; raw/0/1\n");
    says(th_cli_stdout(t), "  1  V1  read by REST, received O1; raw/0/0\n");
    assert_string_equal(th_cli_stderr(t), "");
}

static void bytes_are_printed_as_they_came(void **state)
{
    struct th_cli *t = *state;

    script_events(t);
    assert_int_equal(th_cli_run(t, "show " ID " --raw"), CLI_OK);
    assert_string_equal(th_cli_stdout(t),
                        "{\"user\":{\"name\":\"Ana\\u001b\",\"username\":\"ana\"}}\n");
    says(th_cli_stderr(t), "wellhead topics read raw --from 0:1 --to 0:1 ");
    assert_int_equal(th_cli_run(t, "show " ID " --raw --revision 1"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "{\"user\":{\"name\":\"X\"}} ");
    assert_int_equal(th_cli_run(t, "show " ID " --raw --revision 3"), CLI_NOTHING);
    says(th_cli_stderr(t), "there is no such revision");
    assert_int_equal(th_cli_run(t, "show " ID " --revision 1"), CLI_USAGE);
}

/* Kafka keeps raw events for a time, and may be away. */
static void lost_events_are_told(void **state)
{
    struct th_cli *t = *state;
    struct wh_err err;

    th_ok(wh_bus_mem_topic(th_cli_bus(t), "raw", 1, &err), &err);
    th_cli_answer(t, ENTITY, 200, entity);
    th_cli_answer(t, ENTITY "/links", 200, "{\"rows\":[]}");
    th_cli_answer(t, ENTITY "/revisions", 200,
                  "{\"rows\":[{\"revision\":true,\"version_at\":\"V\",\"origin\":\"webhook\","
                  "\"topic\":\"raw\",\"partition\":0,\"offset\":1,\"changed\":{}}]}");
    assert_int_equal(th_cli_run(t, "show " ID), CLI_OK);
    says(th_cli_stdout(t), "  1  V  webhook, received");
    says(th_cli_stderr(t), "who made a change stands in its raw event, and Kafka does not answer");
    assert_int_equal(th_cli_run(t, "show " ID " --raw"), CLI_TIMED_OUT);
    assert_string_equal(th_cli_stdout(t), "");
}

/* ---- the past ---- */

static void an_entity_is_shown_as_it_was(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, ENTITY "?as_of=2026-11-24T10%3A00%3A00Z&valid_at=2026-11-23", 200, entity);
    th_cli_answer(t,
                  ENTITY "/revisions?_size=1000&as_of=2026-11-24T10%3A00%3A00Z&valid_at=2026-11-23",
                  200, revisions);
    th_cli_answer(t, ENTITY "/links?_size=1000&as_of=2026-11-24T10%3A00%3A00Z&valid_at=2026-11-23",
                  200, "{\"rows\":[],\"next\":null}");
    th_cli_answer(t, SQL "select t.id, coalesce(coalesce(t.team_member_name", 200, "{\"rows\":[]}");
    th_cli_answer(t, SQL "select t.id, case t.type", 200, "{\"rows\":[]}");
    assert_int_equal(
        th_cli_run(t, "show " ID " --as-of 2026-11-24T10:00:00Z --valid-at 2026-11-23"), CLI_OK);
    says(th_cli_request(t, 3), "\"as_of\":\"2026-11-24T10:00:00Z\",\"valid_at\":\"2026-11-23\"");
    says(th_cli_stdout(t), "title   T");
    th_cli_answer(t, ENTITY "?as_of=2020-01-01", 404,
                  "{\"ok\":false,\"error\":\"nothing was known of this entity then\"}");
    assert_int_equal(th_cli_run(t, "show " ID " --as-of 2020-01-01"), CLI_NOTHING);
    says(th_cli_stderr(t), "nothing was known of this entity then");
}

static void a_history_says_where_it_is_from(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, ENTITY "/revisions?_size=1000&as_of=2020-01-01", 200,
                  "{\"rows\":[],\"next\":null}");
    th_cli_answer(t, SQL "select t.id, case t.type", 200,
                  "{\"rows\":[{\"id\":\"" ID "\",\"label\":\"#7 T\"}]}");
    th_cli_answer(
        t, ENTITY "/revisions?_size=1000", 200,
        "{\"rows\":[{\"kind\":\"work_item\",\"version\":\"b2\",\"version_at\":\"V2\",\"revision\":"
        "true,"
        "\"change\":\"upsert\",\"origin\":\"rest\",\"delivery_id\":\"d2\",\"observed_at\":\"O2\","
        "\"stored_at\":\"S2\",\"topic\":\"raw\",\"partition\":1,\"offset\":9,\"view\":\"v@1\","
        "\"changed\":{\"state\":\"closed\"}},"
        "{\"kind\":\"work_item\",\"version_at\":\"V1\",\"revision\":true,\"origin\":\"rest\","
        "\"changed\":{\"state\":\"opened\"}}],\"next\":null}");
    assert_int_equal(th_cli_run(t, "show " ID " --history"), CLI_OK);
    says(th_cli_stdout(t), "work_item  #7 T\n");
    says(th_cli_stdout(t), "  2  V2  read by REST, received O2; raw/1/9\n"
                           "      stored S2; delivery d2; view v@1\n"
                           "      state: opened → closed\n"
                           "      bytes: wellhead show " ID " --raw --revision 2\n");
    assert_int_equal(th_cli_run(t, "show " ID " --history --json"), CLI_OK);
    says(th_cli_stdout(t),
         "{\"ok\":true,\"id\":\"" ID "\",\"kind\":\"work_item\",\"revisions\":[{\"number\":2,"
         "\"actor\":null,\"version\":\"b2\",\"version_at\":\"V2\",\"change\":\"upsert\","
         "\"origin\":\"rest\",\"delivery_id\":\"d2\",\"observed_at\":\"O2\",\"stored_at\":\"S2\","
         "\"topic\":\"raw\",\"partition\":1,\"offset\":9,\"view\":\"v@1\",\"changes\":[{\"field\":"
         "\"state\",\"before\":\"opened\",\"after\":\"closed\"}]}");
    assert_int_equal(th_cli_run(t, "show " ID " --history --raw"), CLI_USAGE);
    assert_int_equal(th_cli_run(t, "show " ID " --history --as-of 2020-01-01"), CLI_NOTHING);
}

/* ---- which one ---- */

static void an_address_is_asked_for_as_gitlab_writes_it(void **state)
{
    static const char *const cases[][2] = {
        {"https://h/a/b/-/issues/7", "https%3A%2F%2Fh%2Fa%2Fb%2F-%2Fissues%2F7 "},
        {"https://h/a/b/issues/7?x=1", "https%3A%2F%2Fh%2Fa%2Fb%2F-%2Fissues%2F7 "},
        {"http://h/a/b/-/merge_requests/7/diffs#note_5",
         "http%3A%2F%2Fh%2Fa%2Fb%2F-%2Fmerge_requests%2F7%23note_5 "},
        {"https://h/a/b/-/releases/v1?x#y", "https%3A%2F%2Fh%2Fa%2Fb%2F-%2Freleases%2Fv1 "},
        {"h/a/b/-/issues/7", "https%3A%2F%2Fh%2Fa%2Fb%2F-%2Fissues%2F7 "}};
    struct th_cli *t = *state;

    script(t);
    th_cli_answer(t, BY_URL, 200, entity);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *words[] = {"show", cases[i][0], "--json", NULL};

        assert_int_equal(th_cli_run_words(t, words), CLI_OK);
        says(th_cli_request(t, 0), cases[i][1]);
    }
}

static void a_number_is_looked_for_in_its_project(void **state)
{
    struct th_cli *t = *state;

    script(t);
    th_cli_answer(t, SQL "select t.id, t.url", 200, "{\"rows\":[{\"id\":\"" ID "\"}]}");
    assert_int_equal(th_cli_run(t, "show a/b!7 --json"), CLI_OK);
    says(th_cli_request(t, 0),
         "from projects_all p cross join work_items_all t on t.project = p.id "
         "where t.source_iid = :number and t.type = 'merge_request' and "
         "p.path = :path collate nocase");
    says(th_cli_request(t, 0), "\"params\":{\"number\":\"7\",\"path\":\"a/b\"}");
    assert_int_equal(th_cli_run(t, "show #7 --json"), CLI_OK);
    says(th_cli_request(t, 0),
         "from work_items_all t where t.source_iid = :number and t.type is not "
         "'merge_request' limit");
}

/* The project was renamed after its rows were read: the page is unknown, the project is not. */
static void an_unknown_page_is_looked_for_by_number(void **state)
{
    struct th_cli *t = *state;

    script(t);
    th_cli_answer(t, BY_URL, 404, "{\"error\":\"no entity has this page\"}");
    th_cli_answer(t, SQL "select t.id, t.url", 200, "{\"rows\":[{\"id\":\"" ID "\"}]}");
    th_cli_answer(t, SQL "select id from notes_all", 200, "{\"rows\":[]}");
    assert_int_equal(th_cli_run(t, "show https://h/a/b/-/pipelines/9#note_1 --json"), CLI_OK);
    says(th_cli_request(t, 1),
         "cross join build_records_all t on t.project = p.id where t.source_id "
         "= :number and substr(p.url, instr(p.url, '://') + 3) = :home");
    says(th_cli_request(t, 1), "\"home\":\"h/a/b\"");
    says(th_cli_request(t, 2), "\"params\":{\"about\":\"" ID "\",\"note\":\"1\"}");
}

static void what_is_not_there_is_told(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, BY_URL, 404, "");
    th_cli_answer(t, SQL, 200, "{\"rows\":[]}");
    assert_int_equal(th_cli_run(t, "show https://h/a/b/-/issues/7"), CLI_NOTHING);
    says(th_cli_stderr(t), "nothing is stored under that");
    assert_int_equal(th_cli_run(t, "show https://h/a/b"), CLI_NOTHING);
    assert_int_equal(th_cli_run(t, "show a/b#1"), CLI_NOTHING);
    assert_string_equal(th_cli_stdout(t), "");
}

static void several_are_a_choice(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, SQL, 200,
                  "{\"rows\":[{\"id\":\"1\",\"url\":\"https://h/a/-/issues/7\",\"title\":\"A\"},"
                  "{\"id\":\"2\",\"url\":\"https://h/b/-/issues/7\",\"title\":\"B\"}]}");
    assert_int_equal(th_cli_run(t, "show #7"), CLI_AMBIGUOUS);
    says(th_cli_stderr(t), "2 objects have that number; give one of these:\n"
                           "  https://h/a/-/issues/7  A\n  https://h/b/-/issues/7  B\n");
    assert_string_equal(th_cli_stdout(t), "");
}

static void a_part_that_fails_is_an_error(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, ENTITY, 200, entity);
    th_cli_answer(t, ENTITY "/revisions", 200, "{\"rows\":[]}");
    th_cli_answer(t, ENTITY "/links", 503, "{\"error\":\"busy\"}");
    assert_int_equal(th_cli_run(t, "show " ID), CLI_TRY_LATER);
    th_cli_answer(t, "GET http://sink/api/v1/entities/" AUTHOR, 200, "[");
    assert_int_equal(th_cli_run(t, "show " AUTHOR), CLI_FAILED);
    says(th_cli_stderr(t), "cannot be read");
    th_cli_answer(t, "GET http://sink/api/v1/entities/" OTHER, 200, "{}");
    assert_int_equal(th_cli_run(t, "show " OTHER), CLI_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_entity_is_shown_with_its_past, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_may_be_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_pages_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_webhook_says_who_did_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_are_printed_as_they_came, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lost_events_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_entity_is_shown_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_history_says_where_it_is_from, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_address_is_asked_for_as_gitlab_writes_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_number_is_looked_for_in_its_project, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_page_is_looked_for_by_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_are_a_choice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_part_that_fails_is_an_error, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
