/* The table categories, over the pairs that the mapper's rules find. */
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

static void each_category_names_its_rule_and_revision(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts,
                 "[{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-02\",\"type\":\"issue\","
                 "\"categories\":[\"security\",\"label\",\"fix\",\"title\"],"
                 "\"url\":\"https://gitlab.test/1\"},"
                 "{\"kind\":\"work_item\",\"id\":\"2\",\"at\":\"2026-05-02\",\"type\":\"issue\","
                 "\"url\":\"https://gitlab.test/2\"},"
                 "{\"kind\":\"build_record\",\"id\":\"3\",\"at\":\"2026-05-02\","
                 "\"categories\":[\"maintenance\",\"source\"],\"url\":\"https://gitlab.test/3\"}]");
    th_sql_is(w->engine, "select kind, url, category, rule from categories order by 2, 3",
              "work_item|https://gitlab.test/1|fix|title|\n"
              "work_item|https://gitlab.test/1|security|label|\n"
              "build_record|https://gitlab.test/3|maintenance|source|\n");
    /* A later observation that does not show the field does not set it. */
    th_facts_put(&w->facts, "[{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-03\","
                            "\"title\":\"t\"}]");
    th_sql_is(w->engine,
              "select c.category, r.version_at, w.version_at from categories c join revisions r on "
              "r.entity_id = c.entity and r.version = c.revision join work_items w on w.id = "
              "c.entity where c.category = 'fix'",
              "fix|2026-05-02T00:00:00.000Z|2026-05-03T00:00:00.000Z|\n");
}

static void a_rule_that_no_longer_applies_takes_its_category_away(void **state)
{
    struct world *w = *state;

    th_facts_put(&w->facts,
                 "[{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-02\",\"type\":\"issue\","
                 "\"categories\":[\"fix\",\"label\"]}]");
    th_facts_put(&w->facts,
                 "[{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-03\",\"type\":\"issue\","
                 "\"categories\":[]}]");
    th_sql_is(w->engine, "select category from categories", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_category_names_its_rule_and_revision, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_rule_that_no_longer_applies_takes_its_category_away,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
