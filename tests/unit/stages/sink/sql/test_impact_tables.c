/* Tables that are computed from the state: what incidents did. */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "stages/sink/sql/sql.h"
#include "tests/lib/th_facts.h"
#include "tests/lib/th_sql.h"

struct world {
    struct th_facts facts;
    struct sql_engine *engine;
};

static int set_up(void **state)
{
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct sql_engine_conf conf = {.clock = wh_clock_real(), .connections = 1};
    struct wh_err err;

    assert_non_null(w);
    th_facts_init(&w->facts);
    conf.store = w->facts.store;
    th_ok(sql_engine_new(&conf, &w->engine, &err), &err);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    sql_engine_free(w->engine);
    th_facts_done(&w->facts);
    wh_mem_free(w);
    return 0;
}

static void put_postmortems(struct world *w)
{
    th_facts_put(
        &w->facts,
        "[{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-02\",\"type\":\"incident\","
        "\"relates_to\":[\"issue:2\",\"issue:5\"],\"url\":\"https://gitlab.test/1\"},"
        "{\"kind\":\"work_item\",\"id\":\"2\",\"at\":\"2026-05-02\",\"type\":\"issue\","
        "\"postmortem_rule\":\"label\",\"url\":\"https://gitlab.test/2\","
        "\"relates_to\":[\"issue:1\"]},"
        "{\"kind\":\"work_item\",\"id\":\"3\",\"at\":\"2026-05-02\",\"type\":\"issue\","
        "\"postmortem_rule\":\"heading\",\"url\":\"https://gitlab.test/3\","
        "\"is_blocked_by\":[\"issue:1\"]},"
        "{\"kind\":\"work_item\",\"id\":\"4\",\"at\":\"2026-05-02\",\"type\":\"issue\","
        "\"postmortem_rule\":\"heading\",\"url\":\"https://gitlab.test/4\"},"
        "{\"kind\":\"work_item\",\"id\":\"5\",\"at\":\"2026-05-02\",\"type\":\"incident\","
        "\"postmortem_rule\":\"heading\",\"url\":\"https://gitlab.test/5\"}]");
}

static void postmortems_are_linked_issues_in_both_directions(void **state)
{
    struct world *w = *state;

    put_postmortems(w);
    th_sql_is(w->engine, "select incident_url, work_item_url, rule from postmortems order by 1, 2",
              "https://gitlab.test/1|https://gitlab.test/2|label|\n"
              "https://gitlab.test/1|https://gitlab.test/3|heading|\n");
}

static void an_incident_is_found_by_its_id(void **state)
{
    struct world *w = *state;

    put_postmortems(w);
    th_sql_is(w->engine,
              "select i.url, p.work_item_url from incidents i join postmortems p on p.incident = "
              "i.id order by 2",
              "https://gitlab.test/1|https://gitlab.test/2|\n"
              "https://gitlab.test/1|https://gitlab.test/3|\n");
    th_sql_is(
        w->engine,
        "select rule from postmortems where incident = (select id from work_items where url = "
        "'https://gitlab.test/2')",
        "");
    th_sql_is(w->engine, "select rule from postmortems where incident = 'no id'", "");
    th_sql_is(w->engine, "select rule from postmortems where incident = null", "");
}

static void what_is_deleted_is_no_postmortem(void **state)
{
    struct world *w = *state;

    put_postmortems(w);
    th_facts_put(&w->facts, "[{\"kind\":\"work_item\",\"id\":\"2\",\"at\":\"2026-05-03\","
                            "\"delete\":\"deleted\"}]");
    th_sql_is(w->engine, "select work_item_url from postmortems", "https://gitlab.test/3|\n");
    th_facts_put(&w->facts, "[{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-03\","
                            "\"delete\":\"deleted\"}]");
    th_sql_is(w->engine, "select work_item_url from postmortems", "");
}

/* ---- from an incident to customers and revenue ---- */

static const char services_sql[] = "select service_name, rule from incident_services order by 1, 2";
static const char impact_sql[] =
    "select service_name, customer_name, revenue_minor, currency from incident_impact order by "
    "1, 2, 4";

static void an_incident_leads_to_services_by_every_rule(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts, th_story);
    th_sql_is(w->engine, services_sql, "Checkout API|label|\nSearch|heading|\nWeb|project|\n");
    th_sql_is(w->engine,
              "select json_extract(evidence, '$[0].field'), json_extract(evidence, "
              "'$[0].topic'), json_extract(evidence, '$[0].offset'), json_extract(evidence, "
              "'$[1].rule'), json_extract(evidence, '$[1].source'), json_extract(evidence, "
              "'$[1].topic') from incident_services where rule = 'label'",
              "label_services|wellhead.raw.gitlab|16|name|crm|wellhead.raw.import|\n");
    th_sql_is(w->engine,
              "select group_concat(json_extract(value, '$.field')) from incident_services s, "
              "json_each(s.evidence) where s.rule = 'project'",
              "project,path,project,name|\n");
}

static void an_incident_leads_to_revenue(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts, th_story);
    /* 1000 + 1206 / 12 = 1100.5, which is rounded to the even one; 300 / 3 for the other service. */
    th_sql_is(w->engine, impact_sql,
              "Checkout API|Acme|1100|EUR|\n"
              "Checkout API|Globex|||\n"
              "Search|Acme|1000|EUR|\n"
              "Search|Acme|100|USD|\n"
              "Web||||\n");
    th_sql_is(w->engine,
              "select distinct severity, started_at, restored_at, duration_s, open_follow_ups from "
              "incident_impact",
              "high|2026-05-12T22:10:00.000Z|2026-05-13T01:00:00.000Z|10200|1|\n");
    th_sql_is(w->engine,
              "select count(*) from incident_impact i where incident_title = 'Payments fail' and "
              "(select count(*) from json_each(i.evidence) where json_extract(value, '$.topic') = "
              "'wellhead.raw.gitlab') > 0 and (select count(*) from json_each(i.evidence) where "
              "json_extract(value, '$.topic') = 'wellhead.raw.import') > 0",
              "5|\n");
}

/* A contract counts once for a customer, whichever of the services it is for; facts need no service. */
static void facts_and_revenue_have_rows_of_their_own(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts, th_story);
    th_sql_is(w->engine,
              "select customer_name, revenue_minor, currency from incident_revenue order by 1, 3",
              "Acme|1100|EUR|\nAcme|100|USD|\n");
    th_sql_is(w->engine,
              "select incident_title, state, severity, started_at, detected_at, mitigated_at, "
              "restored_at, duration_s from incident_facts",
              "Payments fail|closed|high|2026-05-12T22:10:00.000Z|2026-05-12T22:30:00.000Z||"
              "2026-05-13T01:00:00.000Z|10200|\n");
    th_sql_is(w->engine,
              "select count(*) from incident_facts where incident = (select id from incidents)",
              "1|\n");
}

static void the_day_is_that_of_the_zone(void **state)
{
    struct world *w = *state;
    struct sql_engine_conf conf = {
        .store = w->facts.store, .clock = wh_clock_real(), .connections = 1};
    struct sql_engine *berlin = NULL;
    struct wh_err err;

    th_facts_put(&w->facts, th_story);
    th_ok(wh_zone_find(WH_LIT("Europe/Berlin"), &conf.zone, &err), &err);
    th_ok(sql_engine_new(&conf, &berlin, &err), &err);
    /* There it was the 13th: Globex' contract had ended, and so had the one in USD. */
    th_sql_is(berlin, impact_sql, "Checkout API|Acme|1100|EUR|\nSearch|Acme|1000|EUR|\nWeb||||\n");
    sql_engine_free(berlin);
}

static void follow_ups_are_found_by_every_rule(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts, th_story);
    th_sql_is(w->engine,
              "select work_item_url, title, state, rule from incident_follow_ups order by 1, 4",
              "https://gitlab.test/2|Add a test|opened|label|\n"
              "https://gitlab.test/2|Add a test|opened|link|\n"
              "https://gitlab.test/3|Call them|closed|task|\n");
}

static void a_late_service_resolves_what_was_unresolved(void **state)
{
    struct world *w = *state;
    static const char sql[] =
        "select key, mentioned_by_url, rule, field, count, ambiguous from unresolved order by 1";

    th_facts_put(&w->facts, th_story);
    th_sql_is(w->engine, sql,
              "service:printer|https://gitlab.test/shop/web/-/issues/1|heading|stated_services|1|0|"
              "\n");
    th_facts_put(&w->facts, "{\"kind\":\"service\",\"source\":\"erp\",\"id\":\"9\","
                            "\"at\":\"2026-05-01\",\"name\":\"Out\",\"aliases\":[\"printer\"]}");
    th_sql_is(w->engine, sql, "");
    th_sql_is(w->engine, services_sql,
              "Checkout API|label|\nOut|heading|\nSearch|heading|\nWeb|project|\n");
}

static void a_whole_label_may_be_claimed(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts,
                 "[{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S1\",\"at\":\"2026-05-01\","
                 "\"name\":\"Web\",\"labels\":[\"service::frontend\"]},"
                 "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-12\",\"type\":\"incident\","
                 "\"labels\":[\"service::frontend\",\"service::other\"],"
                 "\"label_services\":[\"frontend\",\"other\"]}]");
    th_sql_is(w->engine, services_sql, "Web|label|\n");
    th_sql_is(w->engine, "select key from unresolved", "service:other|\n");
}

static void an_ambiguous_name_links_to_nobody(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts, th_story);
    th_facts_put(&w->facts, "{\"kind\":\"service\",\"source\":\"erp\",\"id\":\"9\","
                            "\"at\":\"2026-05-01\",\"name\":\"Out\",\"aliases\":[\"SEARCH\"]}");
    th_sql_is(w->engine, services_sql, "Checkout API|label|\nWeb|project|\n");
    th_sql_is(w->engine,
              "select key, rule, count, ambiguous, json_array_length(claimants) from unresolved "
              "order by 1, 2",
              "service:printer|heading|1|0||\n"
              "service:search|heading|4|1|2|\n"
              "service:search|import|4|1|2|\n"
              "service:search|import|4|1|2|\n"
              "service:search|import|4|1|2|\n");
    /* A contract for a service that is not known counts for nothing. */
    th_sql_is(w->engine, impact_sql,
              "Checkout API|Acme|1100|EUR|\nCheckout API|Globex|||\nWeb||||\n");
    /* Two services exchange their names. */
    th_facts_put(&w->facts, "[{\"kind\":\"service\",\"source\":\"erp\",\"id\":\"9\","
                            "\"at\":\"2026-05-02\",\"aliases\":[]},"
                            "{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S1\","
                            "\"at\":\"2026-05-02\",\"name\":\"Search\",\"aliases\":[]},"
                            "{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S2\","
                            "\"at\":\"2026-05-02\",\"name\":\"Checkout API\"}]");
    th_sql_is(w->engine,
              "select distinct service_name, service = (select id from services where "
              "source_id = 'S2') from incident_services where service_name like 'C%'",
              "Checkout API|1|\n");
}

static void sums_are_exact(void **state)
{
    struct world *w = *state;
    static const char sql[] = "select customer_name, revenue_minor, currency, evidence like "
                              "'%\"overflow\":true%' from incident_impact order by 3";

    th_facts_put(
        &w->facts,
        "[{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S1\",\"at\":\"2026-05-01\","
        "\"name\":\"Checkout\"},"
        "{\"kind\":\"customer\",\"source\":\"crm\",\"id\":\"C1\",\"at\":\"2026-05-01\","
        "\"name\":\"Acme\"},"
        "{\"kind\":\"service_customer\",\"source\":\"crm\",\"id\":\"u1\",\"at\":\"2026-05-01\","
        "\"service\":\"checkout\",\"customer\":\"acme\"},"
        "{\"kind\":\"subscription\",\"source\":\"crm\",\"id\":\"k1\",\"at\":\"2026-05-01\","
        "\"customer\":\"acme\",\"amount_minor\":9223372036854775807,\"currency\":\"EUR\","
        "\"period\":\"month\"},"
        "{\"kind\":\"subscription\",\"source\":\"crm\",\"id\":\"k2\",\"at\":\"2026-05-01\","
        "\"customer\":\"acme\",\"amount_minor\":6,\"currency\":\"EUR\",\"period\":\"year\"},"
        "{\"kind\":\"subscription\",\"source\":\"crm\",\"id\":\"k3\",\"at\":\"2026-05-01\","
        "\"customer\":\"acme\",\"amount_minor\":9223372036854775807,\"currency\":\"JPY\","
        "\"period\":\"month\"},"
        "{\"kind\":\"subscription\",\"source\":\"crm\",\"id\":\"k4\",\"at\":\"2026-05-01\","
        "\"customer\":\"acme\",\"amount_minor\":5,\"currency\":\"JPY\",\"period\":\"year\"},"
        "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-13\",\"type\":\"incident\","
        "\"title\":\"x\",\"created_at\":\"2026-05-12T22:30:00Z\",\"stated_services\":[\"Checkout\"]"
        "}"
        "]");
    th_sql_is(w->engine, sql, "Acme||EUR|1|\nAcme|9223372036854775807|JPY|0|\n");
}

static void imported_rows_show_what_their_keys_lead_to(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts, th_story);
    th_sql_is(w->engine,
              "select r.service = s.id, r.service_name, r.service_key, r.customer_name, "
              "r.customer_key from service_customers r left join services s on s.id = r.service "
              "order by 3, 4",
              "1|Checkout API|S1|Globex|C2|\n"
              "1|Checkout API|checkout-api|Acme|acme inc|\n"
              "1|Search|search|Acme|C1|\n1|Search|search|Globex|C2|\n");
    th_sql_is(
        w->engine,
        "select source_id, customer_name, service_name, monthly_minor from subscriptions where "
        "customer = (select id from customers where source_id = 'C1') order by 1",
        "k1|Acme||1000|\nk2|Acme|Checkout API|100|\nk3|Acme|Search|100|\n"
        "k4|Acme||77|\nk5|Acme||0|\n");
    th_facts_put(&w->facts, "{\"kind\":\"customer\",\"source\":\"erp\",\"id\":\"9\","
                            "\"at\":\"2026-05-01\",\"name\":\"Acme\"}");
    th_sql_is(
        w->engine,
        "select customer, customer_name, customer_key from subscriptions where source_id = 'k1'",
        "||acme|\n");
}

/* ---- what becomes of an incident ---- */

static const char facts_sql[] =
    "select severity, started_at, restored_at, duration_s from incident_impact order by 1 limit 1";

static void a_fact_comes_from_its_first_rule(void **state)
{
    struct world *w = *state;

    th_facts_put(
        &w->facts,
        "[{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S1\",\"at\":\"2026-05-01\","
        "\"name\":\"Web\"},"
        "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-12T12:00:00Z\","
        "\"type\":\"incident\",\"state\":\"opened\",\"created_at\":\"2026-05-12T10:00:00Z\","
        "\"stated_services\":[\"web\"]}]");
    th_sql_is(w->engine, facts_sql, "unknown|2026-05-12T10:00:00.000Z|||\n");
    /* Closed, */
    th_facts_put(&w->facts, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-12T13:00:00Z\","
                            "\"state\":\"closed\",\"closed_at\":\"2026-05-12T13:00:00Z\","
                            "\"severity\":\"low\",\"stated_severity\":\"critical\"}");
    th_sql_is(w->engine, facts_sql,
              "low|2026-05-12T10:00:00.000Z|2026-05-12T13:00:00.000Z|10800|\n");
    /* reopened, where GitLab may still show when it was closed, */
    th_facts_put(&w->facts, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-12T14:00:00Z\","
                            "\"state\":\"opened\",\"severity\":\"unknown\"}");
    th_sql_is(w->engine, facts_sql, "critical|2026-05-12T10:00:00.000Z|||\n");
    /* resolved, */
    th_facts_put(&w->facts, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-12T15:00:00Z\","
                            "\"escalation_status\":\"resolved\",\"confidential\":true}");
    th_sql_is(w->engine, facts_sql,
              "critical|2026-05-12T10:00:00.000Z|2026-05-12T15:00:00.000Z|18000|\n");
    /* and stated; an end before the start gives no duration. */
    th_facts_put(&w->facts, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-12T16:00:00Z\","
                            "\"stated_restored_at\":\"2026-05-12T09:00:00Z\"}");
    th_sql_is(w->engine, facts_sql,
              "critical|2026-05-12T10:00:00.000Z|2026-05-12T09:00:00.000Z||\n");
    th_facts_put(&w->facts, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-12T17:00:00Z\","
                            "\"delete\":\"deleted\"}");
    th_sql_is(w->engine, facts_sql, "");
}

static void a_moved_incident_counts_once(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts, th_story);
    th_facts_put(&w->facts, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-14\","
                            "\"moved_to\":\"issue:77\"}");
    /* To a project that nothing is known of. */
    th_sql_is(w->engine, "select distinct incident_url from incident_services",
              "https://gitlab.test/shop/web/-/issues/1|\n");
    th_facts_put(&w->facts, "{\"kind\":\"work_item\",\"id\":\"77\",\"at\":\"2026-05-14\","
                            "\"type\":\"incident\",\"url\":\"https://gitlab.test/77\","
                            "\"stated_services\":[\"Search\",\"Printer\"]}");
    th_sql_is(w->engine, "select distinct incident_url from incident_services",
              "https://gitlab.test/77|\n");
    th_sql_is(w->engine, "select key, mentioned_by_url from unresolved",
              "service:printer|https://gitlab.test/77|\n");
}

/* ---- rollbacks ---- */

static void rollbacks_are_found_by_every_rule(void **state)
{
    struct world *w = *state;

    th_facts_put(
        &w->facts,
        "[{\"kind\":\"project\",\"id\":\"9\",\"at\":\"2026-05-01\",\"path\":\"shop/web\"},"
        "{\"kind\":\"service\",\"source\":\"crm\",\"id\":\"S1\",\"at\":\"2026-05-01\","
        "\"name\":\"Web\"},"
        "{\"kind\":\"service_ownership\",\"source\":\"crm\",\"id\":\"1\",\"at\":\"2026-05-01\","
        "\"service\":\"web\",\"project\":\"9\",\"environment\":\"live\"},"
        "{\"kind\":\"build_record\",\"id\":\"100\",\"at\":\"2026-05-01\"},"
        "{\"kind\":\"build_record\",\"id\":\"99\",\"at\":\"2026-05-01\"},"
        "{\"kind\":\"job\",\"id\":\"5\",\"at\":\"2026-05-01\",\"name\":\"Rollback live\"},"
        "{\"kind\":\"work_item\",\"id\":\"50\",\"at\":\"2026-05-01\",\"type\":\"merge_request\","
        "\"project\":\"project:9\",\"merge_commit_sha\":\"dddddddddd\",\"reverts\":[\"aaaaaaaa\"],"
        "\"closes\":[\"issue:1\"]},"
        "{\"kind\":\"deployment\",\"id\":\"1\",\"at\":\"2026-05-01\",\"project\":\"project:9\","
        "\"environment_name\":\"live\",\"status\":\"success\",\"sha\":\"aaaaaaaaaa\","
        "\"finished_at\":\"2026-05-01T01:00:00Z\"},"
        "{\"kind\":\"deployment\",\"id\":\"2\",\"at\":\"2026-05-01\",\"project\":\"project:9\","
        "\"environment_name\":\"live\",\"status\":\"success\",\"sha\":\"bbbbbbbbbb\","
        "\"finished_at\":\"2026-05-01T02:00:00Z\",\"pipeline\":\"pipeline:100\",\"ref\":\"main\"},"
        "{\"kind\":\"deployment\",\"id\":\"3\",\"at\":\"2026-05-01\",\"project\":\"project:9\","
        "\"environment_name\":\"live\",\"status\":\"failed\",\"sha\":\"aaaaaaaaaa\","
        "\"finished_at\":\"2026-05-01T03:00:00Z\"},"
        "{\"kind\":\"deployment\",\"id\":\"4\",\"at\":\"2026-05-01\",\"project\":\"project:9\","
        "\"environment_name\":\"live\",\"status\":\"success\",\"sha\":\"cccccccccc\","
        "\"finished_at\":\"2026-05-01T04:00:00Z\",\"pipeline\":\"pipeline:99\",\"ref\":\"main\"},"
        "{\"kind\":\"deployment\",\"id\":\"5\",\"at\":\"2026-05-01\",\"project\":\"project:9\","
        "\"environment_name\":\"live\",\"status\":\"success\",\"sha\":\"aaaaaaaa\","
        "\"finished_at\":\"2026-05-01T05:00:00Z\"},"
        "{\"kind\":\"deployment\",\"id\":\"6\",\"at\":\"2026-05-01\",\"project\":\"project:9\","
        "\"environment_name\":\"live\",\"status\":\"success\",\"sha\":\"aaaaaaaaaa\","
        "\"finished_at\":\"2026-05-01T06:00:00Z\"},"
        "{\"kind\":\"deployment\",\"id\":\"7\",\"at\":\"2026-05-01\",\"project\":\"project:9\","
        "\"environment_name\":\"test\",\"status\":\"success\",\"sha\":\"dddddddddd\","
        "\"finished_at\":\"2026-05-01T07:00:00Z\"},"
        "{\"kind\":\"deployment\",\"id\":\"8\",\"at\":\"2026-05-01\",\"project\":\"project:9\","
        "\"environment_name\":\"live\",\"status\":\"success\",\"sha\":\"eeeeeeeeee\","
        "\"finished_at\":\"2026-05-01T08:00:00Z\",\"job\":\"job:5\"},"
        "{\"kind\":\"deployment\",\"id\":\"9\",\"at\":\"2026-05-01\",\"project\":\"project:9\","
        "\"environment_name\":\"live\",\"status\":\"success\",\"sha\":\"dddddddddd\","
        "\"finished_at\":\"2026-05-01T09:00:00Z\"},"
        "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-02\",\"type\":\"incident\","
        "\"url\":\"https://gitlab.test/1\",\"created_at\":\"2026-05-01T04:30:00Z\","
        "\"project\":\"project:8\"},"
        "{\"kind\":\"work_item\",\"id\":\"2\",\"at\":\"2026-05-02\",\"type\":\"incident\","
        "\"url\":\"https://gitlab.test/2\",\"created_at\":\"2026-05-01T04:30:00Z\","
        "\"closed_at\":\"2026-05-01T05:00:00Z\",\"state\":\"closed\",\"project\":\"project:9\"},"
        "{\"kind\":\"work_item\",\"id\":\"3\",\"at\":\"2026-05-02\",\"type\":\"incident\","
        "\"url\":\"https://gitlab.test/3\",\"created_at\":\"2026-05-01T05:30:00Z\","
        "\"closed_at\":\"2026-05-01T06:30:00Z\",\"state\":\"closed\",\"project\":\"project:9\"}]");
    th_sql_is(w->engine,
              "select d.source_id, p.source_id, r.environment, r.project_path, r.at, r.rule, "
              "r.service_name from rollbacks r join deployments d on d.id = r.deployment left join "
              "deployments p on p.id = r.replaced_deployment order by r.at",
              "4|2|live|shop/web|2026-05-01T04:00:00.000Z|older_pipeline|Web|\n"
              "5|4|live|shop/web|2026-05-01T05:00:00.000Z|older_commit|Web|\n"
              "7||test|shop/web|2026-05-01T07:00:00.000Z|revert||\n"
              "8|6|live|shop/web|2026-05-01T08:00:00.000Z|name|Web|\n"
              "9|8|live|shop/web|2026-05-01T09:00:00.000Z|revert|Web|\n");
    /* The first one is closed by the merge request; in the time of the second one was a rollback. */
    th_sql_is(w->engine,
              "select incident_url, service_name, rule from incident_services order by 1",
              "https://gitlab.test/1|Web|rollback|\nhttps://gitlab.test/2|Web|rollback|\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(postmortems_are_linked_issues_in_both_directions, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_incident_is_found_by_its_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_deleted_is_no_postmortem, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_incident_leads_to_services_by_every_rule, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_incident_leads_to_revenue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(facts_and_revenue_have_rows_of_their_own, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_day_is_that_of_the_zone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(follow_ups_are_found_by_every_rule, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_late_service_resolves_what_was_unresolved, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_whole_label_may_be_claimed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_ambiguous_name_links_to_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sums_are_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(imported_rows_show_what_their_keys_lead_to, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_fact_comes_from_its_first_rule, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_moved_incident_counts_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rollbacks_are_found_by_every_rule, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
