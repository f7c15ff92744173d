/* wellhead impact: what is printed, and how it ends. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "tests/lib/th_cli.h"

#define IMPACT "GET http://sink/api/v1/incidents/"

static const char answer[] =
    "{\"ok\":true,\"as_of\":null,\"incident\":{\"title\":\"Payments\\u001b fail\",\"url\":"
    "\"https://h/a/-/issues/45\",\"state\":\"closed\",\"duration_s\":10200,\"times\":{"
    "\"started_at\":{\"value\":\"T1\",\"rule\":\"line\"},\"detected_at\":{\"value\":\"T2\","
    "\"rule\":"
    "\"created_at\"},\"mitigated_at\":{\"value\":null,\"rule\":null},\"restored_at\":{\"value\":"
    "\"T3\",\"rule\":\"closed_at\"}},\"facts\":{\"severity\":{\"value\":\"high\",\"rule\":"
    "\"label\"}"
    "}},\"services\":[{\"name\":\"Checkout\",\"rules\":[\"label\",\"heading\"]}],\"customers\":["
    "{\"name\":\"Acme\",\"services\":[{\"name\":\"Checkout\"}],\"revenue\":[{\"currency\":\"EUR\","
    "\"monthly_minor\":110050},{\"currency\":\"JPY\",\"monthly_minor\":null,\"overflow\":true}]},"
    "{\"name\":\"Globex\",\"services\":[{\"name\":\"Checkout\"}],\"revenue\":[]}],\"follow_ups\":["
    "{\"title\":\"Add a test\",\"state\":\"opened\",\"rule\":\"link\",\"url\":\"https://h/2\"}],"
    "\"unresolved\":[{\"key\":\"service:printer\",\"rule\":\"heading\",\"ambiguous\":false,"
    "\"claimants\":[]},{\"key\":\"service:db\",\"rule\":\"label\",\"ambiguous\":true,\"claimants\":"
    "["
    "{\"name\":\"A\"},{\"name\":\"B\"}]}],\"totals\":{\"customers\":2,\"open_follow_ups\":1,"
    "\"revenue\":[{\"currency\":\"EUR\",\"monthly_minor\":110050}]}}";

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

static void an_impact_is_readable(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, IMPACT "shop%2Fweb%2345/impact", 200, answer);
    assert_int_equal(th_cli_run(t, "impact shop/web#45"), CLI_OK);
    assert_string_equal(th_cli_stdout(t),
                        "Payments\\u001b fail\nhttps://h/a/-/issues/45\n\n"
                        "state       closed\n"
                        "severity    high  by a label\n"
                        "started     T1  by a line of the description\n"
                        "detected    T2  when the incident was created\n"
                        "mitigated   unknown\n"
                        "restored    T3  when the incident was closed\n"
                        "duration    2 h 50 min\n\n"
                        "service   found by\n"
                        "Checkout  label, heading\n\n"
                        "customer  services  revenue per month\n"
                        "Acme      Checkout  1,100.50 EUR, more than can be counted in JPY\n"
                        "Globex    Checkout  none is known\n\n"
                        "total: 2 customers; revenue per month: 1,100.50 EUR\n\n"
                        "follow-up   state   found by  address\n"
                        "Add a test  opened  link      https://h/2\n\n"
                        "names that link to nothing:\n"
                        "  service:printer (heading): nobody claims it\n"
                        "  service:db (label): ambiguous: claimed by A, B\n");
}

static void json_is_the_sinks_answer(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, IMPACT "45/impact?as_of=2026-11-01T00%3A00%3A00Z", 200, answer);
    assert_int_equal(th_cli_run(t, "impact 45 --json --as-of 2026-11-01T00:00:00Z"), CLI_OK);
    assert_memory_equal(th_cli_stdout(t), answer, strlen(answer));
}

static void the_exit_code_says_how_it_ended(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, IMPACT "45/impact", 409,
                  "{\"ok\":false,\"error\":\"several\",\"code\":\"ambiguous\",\"status\":409,"
                  "\"choices\":[{\"url\":\"https://h/a/-/issues/45\",\"title\":\"One\"},{\"url\":"
                  "\"https://h/b/-/issues/45\",\"title\":\"Two\"}]}");
    assert_int_equal(th_cli_run(t, "impact 45"), CLI_AMBIGUOUS);
    assert_non_null(strstr(th_cli_stderr(t), "  https://h/b/-/issues/45  Two\n"));
    th_cli_answer(t, IMPACT "46/impact", 404,
                  "{\"ok\":false,\"error\":\"no incident has this id\",\"status\":404}");
    assert_int_equal(th_cli_run(t, "impact 46"), CLI_NOTHING);
    assert_non_null(strstr(th_cli_stderr(t), "no incident has this id"));
    assert_int_equal(th_cli_run(t, "impact"), CLI_USAGE);
    assert_int_equal(th_cli_run(t, "impact https://a:b@h/x"), CLI_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_impact_is_readable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_is_the_sinks_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_exit_code_says_how_it_ended, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
