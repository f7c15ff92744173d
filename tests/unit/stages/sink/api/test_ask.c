/* GET /api/v1/ask: questions about the incident of th_story, which started on Tuesday, 12 May 2026, at 22:10 UTC. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_facts.h"

#define THURSDAY "2026-05-14T10:00:00Z"

struct world {
    struct th_api *api;
    struct th_facts facts;
};

/* Another incident of that Tuesday, in another project, with the same number; one in April. */
static const char others[] =
    "[{\"kind\":\"work_item\",\"id\":\"11\",\"at\":\"2026-05-13\",\"type\":\"incident\","
    "\"title\":\"Search is slow\",\"severity\":\"low\",\"created_at\":\"2026-05-12T08:00:00Z\","
    "\"state\":\"opened\",\"url\":\"https://gitlab.test/other/app/-/issues/1\",\"iid\":\"1\","
    "\"project_id\":\"10\",\"stated_services\":[\"Search\"]},"
    "{\"kind\":\"work_item\",\"id\":\"12\",\"at\":\"2026-05-13\",\"type\":\"incident\","
    "\"title\":\"Database\",\"severity\":\"critical\",\"created_at\":\"2026-04-02T08:00:00Z\","
    "\"closed_at\":\"2026-04-02T08:20:00Z\",\"state\":\"closed\",\"url\":"
    "\"https://gitlab.test/other/app/-/issues/2\",\"iid\":\"2\",\"project_id\":\"10\"}]";

static int set_up(void **state)
{
    const struct sink_api_conf conf = {.sql_timeout_ms = 60000,
                                       .sql_timeout_max_ms = 60000,
                                       .sql_rows = 100000,
                                       .sql_bytes = 32 << 20};
    struct world *w = wh_mem_zalloc(1, sizeof(*w));

    assert_non_null(w);
    w->api = th_api_new(&conf, 0, 1);
    th_facts_init_on(&w->facts, w->api->store);
    w->facts.now_ms = INT64_C(1778700000000);
    th_facts_put(&w->facts, th_story);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    th_facts_done(&w->facts);
    th_api_free(w->api);
    wh_mem_free(w);
    return 0;
}

/* The answer; free with wh_mem_free. args: names and values, which a NULL ends. */
static char *ask(struct world *w, const char *question, const char *const *args, unsigned status)
{
    struct th_http_req req;
    char *text;

    th_api_request(w->api, &req, "GET", "/api/v1/ask");
    th_http_arg(&req, "q", question);
    for (; args && args[0]; args += 2) {
        th_http_arg(&req, args[0], args[1]);
    }
    th_http_send(&req, &w->api->handler, w->api->loop);
    text = wh_mem_dup(req.answer.ptr, req.answer.len);
    if (req.status != status) {
        fail_msg("%s: %u %s", question, req.status, text);
    }
    th_http_done(&req);
    return text;
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void says(struct world *w, const char *question, const char *const *args, unsigned status,
                 const char *part)
{
    char *text = ask(w, question, args, status);

    if (strstr(text, part) == NULL) {
        fail_msg("%s\n'%s' is not in\n%s", question, part, text);
    }
    wh_mem_free(text);
}

static void an_answer_says_what_it_understood(void **state)
{
    static const char question[] = "which customers were impacted by last Tuesday's incident";
    struct world *w = *state;

    says(w, question, ARGS("now", THURSDAY), 200,
         "\"understood\":{\"form\":\"customers\",\"from\":\"2026-05-12T00:00:00Z\",\"to\":"
         "\"2026-05-13T00:00:00Z\",\"zone\":\"UTC\",\"first_day\":\"2026-05-12\",\"last_day\":"
         "\"2026-05-12\",\"incident\":null,\"severity\":null,\"service\":null,\"customer\":null,"
         "\"title\":[]}");
    says(
        w, question, ARGS("now", THURSDAY), 200,
        "\"answer\":\"There was 1 incident on Tuesday, 12 May 2026 (UTC):\\n#1 Payments fail, high "
        "severity; started Tuesday, 12 May 2026, 22:10, restored after 2 h 50 min\\n    "
        "https://gitlab.test/shop/web/-/issues/1\\n    2 customers:\\n      Acme, ");
    says(w, question, ARGS("now", THURSDAY), 200, "\"incidents\":[{\"incident\":{\"id\":");
    says(w, question, ARGS("now", THURSDAY), 200, "\"nearest\":[]");
    says(w, question, ARGS("now", THURSDAY), 200,
         "\"sql\":\"select distinct incident, incident_url, incident_title, started_at, customer, "
         "customer_name from incident_impact where");
    /* In Berlin it was Wednesday already. */
    says(w, question, ARGS("now", THURSDAY, "zone", "Europe/Berlin"), 200,
         "There was no incident on Tuesday, 12 May 2026 (Europe/Berlin).\\nThe nearest after: #1");
    says(w, question, ARGS("now", THURSDAY, "zone", "Europe/Berlin"), 200,
         "\"from\":\"2026-05-12T00:00:00+02:00\"");
    says(w, "what happened yesterday", ARGS("now", THURSDAY, "zone", "Europe/Berlin"), 200,
         "There was 1 incident on Wednesday, 13 May 2026");
}

static void every_form_has_an_answer(void **state)
{
    struct world *w = *state;

    says(w, "which services did #1 hit", NULL, 200, "services: Checkout API, Search, Web");
    says(w, "what is still open from shop/web#1", NULL, 200,
         "1 open follow-up:\\n      Add a test  https://gitlab.test/2");
    says(w, "how long did https://gitlab.test/shop/web/-/issues/1 last", NULL, 200,
         "restored after 2 h 50 min");
    says(w, "what revenue was hit by #1", NULL, 200, "impacted revenue a month: ");
    says(w, "how many incidents in May", ARGS("now", THURSDAY), 200, "There was 1 incident from");
    says(w, "how many customers were affected by #7", NULL, 200, "There is no incident 7.");
}

static void names_and_titles_are_found(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts, others);
    says(w, "what hit Acme Inc this month", ARGS("now", THURSDAY), 200, "\"customer\":{\"id\":");
    says(w, "what hit globex this month", ARGS("now", THURSDAY), 200,
         "There was 1 incident that hit the customer Globex from Friday, 1 May 2026 to Sunday, 31 "
         "May 2026 (UTC):\\n#1 Payments fail");
    says(w, "which incidents hit the checkout_api service", NULL, 200,
         "There was 1 incident that hit the service Checkout API:");
    says(w, "what hit search this month", ARGS("now", THURSDAY), 200, "There were 2 incidents");
    says(w, "incidents with payments", NULL, 200,
         "with a title of \\\"payments\\\":\\n#1 Payments");
    says(
        w, "critical incidents this month", ARGS("now", THURSDAY), 200,
        "There was no incident of severity critical from Friday, 1 May 2026 to Sunday, 31 May 2026 "
        "(UTC).\\nThe nearest before: #2 Database");
    says(w, "what hit the customer Nobody", NULL, 422, "no customer is called Nobody");
    /* Two on one Tuesday are told apart, in the order of their starts. */
    says(w, "what happened last Tuesday", ARGS("now", THURSDAY), 200,
         "There were 2 incidents on Tuesday, 12 May 2026 (UTC):\\n#1 Search is slow");
}

static void what_is_unclear_is_a_choice(void **state)
{
    struct world *w = *state;

    says(w, "what is the weather like", NULL, 422, "\"code\":\"not_understood\",\"status\":422");
    says(w, "who was hit by the weather yesterday, not by us", NULL, 422,
         "\"not\\\" is not understood in a question about incidents");
    says(w, "customers of the moon", NULL, 422,
         "\"moon\\\" is not understood in a question about customers");
    says(w, "customers of the moon", NULL, 422, "\"suggestions\":[\"which ");
    says(w, "customers of the moon", NULL, 422, "\"search\":{\"ok\":true");
    says(w, "incidents on 30 February", NULL, 422, "a date that does not exist");
    th_facts_put(&w->facts, others);
    says(w, "which customers were hit by #1", NULL, 409, "\"code\":\"ambiguous\"");
    says(w, "which customers were hit by #1", NULL, 409,
         "\"url\":\"https://gitlab.test/other/app/-/issues/1\"");
    says(w, "which customers were hit by shop/web#1", NULL, 200, "2 customers");
    th_facts_put(&w->facts, "{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S9\",\"at\":"
                            "\"2026-05-01\",\"name\":\"Acme\"}");
    says(w, "what hit Acme", NULL, 409, "several services or customers are called so");
    says(w, "what hit the customer Acme", NULL, 200, "that hit the customer Acme");
}

static void bad_arguments_are_refused(void **state)
{
    struct world *w = *state;

    says(w, "incidents", ARGS("now", "soon"), 400, "now must be a time");
    says(w, "incidents", ARGS("zone", "Mars/Base"), 400, "there is no time zone");
    says(w, "incidents", ARGS("as_of", "soon"), 400, "as_of must be a time");
}

/* What was stored later is not part of an answer about the past. */
static void the_past_can_be_asked(void **state)
{
    struct world *w = *state;
    char before[WH_TIME_TEXT_MAX];

    (void)wh_time_format(w->facts.now_ms, before);
    w->facts.now_ms += 60000;
    th_facts_put(&w->facts, others);
    says(w, "what happened last Tuesday", ARGS("now", THURSDAY), 200, "There were 2 incidents");
    says(w, "what happened last Tuesday", ARGS("now", THURSDAY, "as_of", before), 200,
         "There was 1 incident on");
    says(w, "what happened last Tuesday", ARGS("now", THURSDAY, "as_of", "2020-01-01"), 200,
         "There was no incident on");
}

/* The statement of each answer gives as many rows as it has incidents, customers, and so on. */
static void the_statement_gives_the_same_rows(void **state)
{
    static const struct {
        const char *question;
        const char *rows;
    } cases[] = {
        {"what happened this month", "\"row_count\":2"},
        {"how many incidents this month", "{\"incidents\":2}"},
        {"which customers were hit by shop/web#1", "\"row_count\":2"},
        {"which services were hit by shop/web#1", "\"row_count\":3"},
        {"what is still open from shop/web#1", "\"row_count\":1"},
        {"what hit globex this month", "\"row_count\":1"},
        {"how long was shop/web#1", "\"row_count\":1"},
    };
    struct world *w = *state;

    th_facts_put(&w->facts, others);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = ask(w, cases[i].question, ARGS("now", THURSDAY), 200);
        struct wh_json_parser *parser = wh_json_parser_new(1 << 20, 32);
        struct wh_json_val root;
        struct wh_json_val sql;
        struct th_http_req req;
        struct wh_err err;
        char statement[2048];

        th_ok(wh_json_parse(parser, wh_slice_str(text), &root, &err), &err);
        assert_true(wh_json_get(root, WH_LIT("sql"), &sql));
        (void)snprintf(statement, sizeof(statement), "%.*s", WH_SLICE_ARG(wh_json_string(sql)));
        th_api_request(w->api, &req, "GET", "/api/v1/sql");
        th_http_arg(&req, "sql", statement);
        th_http_send(&req, &w->api->handler, w->api->loop);
        if (req.status != 200 || strstr(wh_buf_str(&req.answer), cases[i].rows) == NULL) {
            fail_msg("%s\n%s\n%s", cases[i].question, statement, wh_buf_str(&req.answer));
        }
        th_http_done(&req);
        wh_json_parser_free(parser);
        wh_mem_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_says_what_it_understood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_form_has_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_and_titles_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_unclear_is_a_choice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_arguments_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_past_can_be_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_statement_gives_the_same_rows, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("sink/api/ask", tests, NULL, NULL);
}
