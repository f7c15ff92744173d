/* Full-text search: what is found, in which order, with which marks; and that the index follows the store. */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "stages/sink/search/search.h"
#include "tests/lib/th_facts.h"
#include "tests/lib/th_tmp.h"

enum { AWAIT_MS = 20000 };

struct world {
    struct th_facts facts;
    char *folder;
    struct search *search;
    struct wh_arena arena;
    struct search_answer answer;
    bool stranger; /* may not see what is confidential */
};

static void start(struct world *w)
{
    const struct search_conf conf = {
        .store = w->facts.store, .clock = wh_clock_real(), .folder = w->folder};
    struct wh_err err;

    th_ok(search_new(&conf, &w->search, &err), &err);
}

static int set_up(void **state)
{
    struct world *w = wh_mem_zalloc(1, sizeof(*w));

    assert_non_null(w);
    th_facts_init(&w->facts);
    w->folder = th_tmp_new();
    wh_arena_init(&w->arena, 1 << 20, 256 << 20);
    start(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    search_free(w->search);
    th_facts_done(&w->facts);
    th_tmp_remove(w->folder);
    wh_arena_done(&w->arena);
    wh_mem_free(w);
    return 0;
}

static void catch_up(struct world *w)
{
    assert_true(search_await(w->search, sink_apply_sequence(w->facts.apply), AWAIT_MS));
}

static void put(struct world *w, const char *json)
{
    th_facts_put(&w->facts, json);
    catch_up(w);
}

static void ask_for(struct world *w, const char *text, const char *what)
{
    const struct search_query query = {.text = wh_slice_str(text),
                                       .whats = what ? search_what_mask(wh_slice_str(what)) : 0,
                                       .confidential = !w->stranger,
                                       .size = 20};
    struct wh_err err;

    wh_arena_reset(&w->arena);
    th_ok(search_run(w->search, &query, &w->arena, &w->answer, &err), &err);
}

static bool is_hit(const struct world *w, size_t i, const char *source_kind, const char *id)
{
    const struct wh_entity_id want = th_facts_id(NULL, source_kind, id);

    return i < w->answer.n_hits && wh_entity_id_cmp(&w->answer.hits[i].id, &want) == 0;
}

static void finds_issues(struct world *w, const char *text, size_t n, const char *first)
{
    ask_for(w, text, NULL);
    assert_int_equal(w->answer.n_hits, n);
    assert_int_equal(w->answer.total, n);
    assert_true(n == 0 || is_hit(w, 0, "issue", first));
}

static const char two_issues[] =
    "[{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-01\",\"type\":\"issue\","
    "\"confidential\":false,"
    "\"iid\":\"1\",\"title\":\"Checkout is slow\",\"description\":\"The café's payments time "
    "out.\"},"
    "{\"kind\":\"work_item\",\"id\":\"2\",\"at\":\"2026-05-01\",\"type\":\"incident\","
    "\"confidential\":false,"
    "\"iid\":\"2\",\"title\":\"Payments are down\",\"description\":\"Nobody can use checkout or "
    "the café.\"}]";

static void a_title_counts_more_than_a_text(void **state)
{
    struct world *w = *state;

    put(w, two_issues);
    finds_issues(w, "checkout", 2, "1");
    finds_issues(w, "payments", 2, "2");
    assert_int_equal(w->answer.whats[w->answer.hits[0].what], 1);
    assert_string_equal(search_what_name(w->answer.hits[0].what), "incident");
    assert_string_equal(w->answer.hits[0].field, "title");
    assert_string_equal(w->answer.hits[0].title.ptr, "\x02"
                                                     "Payments\x03 are down");
}

static void words_are_found_however_they_are_written(void **state)
{
    struct world *w = *state;

    put(w, two_issues);
    finds_issues(w, "CAFE slow", 1, "1");
    assert_string_equal(w->answer.hits[0].snippet.ptr, "The \x02"
                                                       "caf\xc3\xa9\x03's payments time out.");
    finds_issues(w, "\"time out\"", 1, "1");
    assert_int_equal(w->answer.mode, SEARCH_AS_TYPED);
    finds_issues(w, "\"out time\"", 1, "1");
    assert_int_equal(w->answer.mode, SEARCH_ALL_WORDS);
    finds_issues(w, "paym*", 2, "2");
    finds_issues(w, "checkout slo", 1, "1");
    finds_issues(w, "nowhere slow", 1, "1");
    assert_int_equal(w->answer.mode, SEARCH_ANY_WORD);
    finds_issues(w, "nowhere", 0, NULL);
    finds_issues(w, " !? \"\" -- ", 0, NULL);
    assert_true(w->answer.no_words);
}

static void a_kind_is_asked_for_and_all_are_counted(void **state)
{
    struct world *w = *state;

    put(w, two_issues);
    ask_for(w, "checkout", "incidents");
    assert_int_equal(w->answer.n_hits, 1);
    assert_int_equal(w->answer.total, 1);
    assert_true(is_hit(w, 0, "issue", "2"));
    ask_for(w, "checkout", "work_item");
    assert_int_equal(w->answer.n_hits, 2);
    ask_for(w, "checkout", "comments");
    assert_int_equal(w->answer.n_hits, 0);
    assert_true(search_what_mask(wh_slice_str("nonsense")) == 0);
}

/* S4 */
static void a_former_text_is_found_and_says_so(void **state)
{
    struct world *w = *state;

    put(w, two_issues);
    put(w, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-02\",\"title\":\"Checkout is "
           "fast\"}");
    finds_issues(w, "fast", 1, "1");
    assert_false(w->answer.hits[0].former);
    finds_issues(w, "slow", 1, "1");
    assert_true(w->answer.hits[0].former);
    assert_true(wh_version_at_ms(w->answer.hits[0].version.order) == INT64_C(1777593600000));
    /* One hit, although the former title matches too. */
    finds_issues(w, "checkout", 2, "1");
    assert_false(w->answer.hits[0].former);
    /* A late revision: its title was never the present one. */
    put(w, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-04-30\",\"title\":\"Basket "
           "sluggish\"}");
    finds_issues(w, "sluggish", 1, "1");
    assert_true(w->answer.hits[0].former);
    put(w, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-03\",\"title\":\"Checkout is "
           "slow\"}");
    finds_issues(w, "slow", 1, "1");
    assert_false(w->answer.hits[0].former);
}

static void what_is_confidential_is_for_those_who_may_see_it(void **state)
{
    struct world *w = *state;

    put(w, "{\"kind\":\"note\",\"id\":\"5\",\"at\":\"2026-05-01\",\"text\":\"the leak\","
           "\"noteable_type\":\"Issue\",\"work_item\":\"issue:1\"}");
    w->stranger = true;
    finds_issues(w, "leak", 0, NULL);
    put(w, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-01\",\"type\":\"issue\",\"iid\":"
           "\"1\","
           "\"title\":\"A leak\",\"confidential\":false}");
    finds_issues(w, "leak", 2, "1");
    put(w, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-02\",\"confidential\":true}");
    finds_issues(w, "leak", 0, NULL);
    w->stranger = false;
    finds_issues(w, "leak", 2, "1");
}

static void the_index_continues_where_it_was(void **state)
{
    struct world *w = *state;
    struct search_status status;

    put(w, two_issues);
    search_free(w->search);
    th_facts_put(&w->facts,
                 "{\"kind\":\"work_item\",\"id\":\"3\",\"at\":\"2026-05-01\",\"type\":\"issue\","
                 "\"confidential\":false,\"iid\":\"3\",\"title\":\"Returns are late\"}");
    start(w);
    catch_up(w);
    finds_issues(w, "returns", 1, "3");
    finds_issues(w, "slow", 1, "1");
    search_status_get(w->search, &status);
    assert_int_equal(status.records, 3);
    assert_int_equal(status.behind, 0);
    assert_string_equal(status.error, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_title_counts_more_than_a_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(words_are_found_however_they_are_written, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_kind_is_asked_for_and_all_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_former_text_is_found_and_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_confidential_is_for_those_who_may_see_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_index_continues_where_it_was, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
