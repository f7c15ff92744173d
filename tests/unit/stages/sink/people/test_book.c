/* The book of everybody: kept until what it is made of changes, and whole or not at all. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/people/book.h"
#include "tests/lib/th_facts.h"
#include "tests/lib/th_fault.h"

#define ANA                                                                                        \
    "{\"kind\":\"team_member\",\"id\":\"1\",\"at\":\"2026-05-01\",\"username\":\"ana\","           \
    "\"name\":\"\xC3\x84na\",\"email\":\"ANA@x.test\"}"
#define ROW                                                                                        \
    "{\"kind\":\"person\",\"source\":\"hr\",\"id\":\"e1\",\"at\":\"2026-05-01\",\"name\":\"Ana "   \
    "Adams\",\"emails\":[\"ana@x.test\"],\"accounts\":[\"github:ana\",\"GitHub:Ana\",\"jira:a_"    \
    "b\"]}"

struct world {
    struct th_facts facts;
    struct people_cache *cache;
    struct past *past;
    struct people_book_conf conf;
};

static int set_up(void **state)
{
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct past_conf past = {0};
    struct wh_err err;

    th_facts_init(&w->facts);
    th_facts_put(&w->facts, "[" ANA "," ROW "]");
    past.store = w->facts.store;
    th_ok(people_cache_new(&w->cache, &err), &err);
    th_ok(past_new(&past, &w->past, &err), &err);
    w->conf = (struct people_book_conf){
        .store = w->facts.store, .past = w->past, .when = {INT64_MAX, INT64_MAX}};
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    past_free(w->past);
    people_cache_free(w->cache);
    th_facts_done(&w->facts);
    wh_mem_free(w);
    return 0;
}

static void a_book_is_kept_until_somebody_changes(void **state)
{
    struct world *w = *state;
    const struct people_book *first;
    const struct people_book *second;
    const struct people_book *third;
    struct wh_entity_id ana = th_facts_id(NULL, "user", "1");
    struct wh_err err;

    th_ok(people_book_get(w->cache, &w->conf, &first, &err), &err);
    th_facts_put(&w->facts,
                 "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-01\",\"type\":\"issue\"}");
    th_ok(people_book_get(w->cache, &w->conf, &second, &err), &err);
    assert_ptr_equal(first, second);
    th_facts_put(&w->facts,
                 "{\"kind\":\"person\",\"source\":\"hr\",\"id\":\"e1\",\"at\":\"2026-05-02\","
                 "\"name\":\"Ana Brown\"}");
    th_ok(people_book_get(w->cache, &w->conf, &third, &err), &err);
    assert_ptr_not_equal(first, third);
    /* Who has the older one goes on reading it. */
    th_slice_is(people_book_name(first, people_book_member(first, &ana)), "Ana Adams");
    th_slice_is(people_book_name(third, people_book_member(third, &ana)), "Ana Brown");
    people_book_free(first);
    people_book_free(second);
    people_book_free(third);
}

static void accounts_that_a_row_names_are_in_the_book(void **state)
{
    struct world *w = *state;
    const struct people_book *book;
    const struct people_member *m;
    struct wh_entity_id row = th_facts_id("hr", "person", "e1");
    struct wh_entity_id nobody = th_facts_id(NULL, "user", "99");
    struct wh_err err;

    th_ok(people_book_get(NULL, &w->conf, &book, &err), &err);
    m = people_book_member(book, &row);
    assert_non_null(m);
    assert_int_equal(m->n_rows, 1);
    assert_int_equal(m->n_accounts, 3); /* github:ana is one, however it is written */
    assert_null(people_book_member(book, &nobody));
    assert_int_equal(people_book_find(book, &nobody), PEOPLE_NONE);
    people_book_free(book);
}

static void a_book_is_no_memory_of_the_statement(void **state)
{
    struct world *w = *state;
    struct wh_mem_budget budget = {.limit = 64};
    const struct people_book *book;
    struct wh_err err;

    wh_mem_budget_begin(&budget);
    th_ok(people_book_get(w->cache, &w->conf, &book, &err), &err);
    people_book_free(book);
    wh_mem_budget_end();
    assert_false(budget.exceeded);
    assert_int_equal(budget.used, 0);
}

/* Each allocation fails once: an error, nothing leaked, and the next call succeeds. */
static void without_memory_there_is_no_book(void **state)
{
    struct world *w = *state;
    bool reached = true;

    for (long n = 0; reached; n++) {
        const struct people_book *book = NULL;
        struct th_fault fault;
        struct wh_err err;
        enum wh_rc rc;

        th_fault_arm(&fault, n);
        rc = people_book_get(NULL, &w->conf, &book, &err);
        reached = th_fault_disarm(&fault);
        assert_int_equal(rc, reached ? WH_E_NOMEM : WH_OK);
        assert_int_equal(book != NULL, !reached);
        people_book_free(book);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_book_is_kept_until_somebody_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accounts_that_a_row_names_are_in_the_book, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_book_is_no_memory_of_the_statement, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_there_is_no_book, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
