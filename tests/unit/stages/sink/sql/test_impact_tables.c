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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(postmortems_are_linked_issues_in_both_directions, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_incident_is_found_by_its_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_deleted_is_no_postmortem, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
