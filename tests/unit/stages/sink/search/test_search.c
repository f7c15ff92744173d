/* Full-text search: what is found, in which order, with which marks; and that the index follows the store. */
#include "tests/lib/th_cmocka.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "stages/sink/batch/removal.h"
#include "stages/sink/search/search.h"
#include "tests/lib/th_facts.h"
#include "tests/lib/th_observation.h"
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

static void stop(struct world *w)
{
    search_free(w->search);
    w->search = NULL;
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
    stop(w);
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

/* ---- S1: whatever is typed ---- */

static void add_noise(struct th_random *r, char *out, size_t *len)
{
    static const char *const noise[] = {"\"",
                                        "'",
                                        "-",
                                        "*",
                                        "(",
                                        ")",
                                        ":",
                                        "^",
                                        "+",
                                        "{",
                                        "}",
                                        ";",
                                        "\\",
                                        "%",
                                        "_",
                                        "#",
                                        "@",
                                        "!",
                                        "/",
                                        "\xe2\x80\x93",
                                        "\xf0\x9f\x94\xa5",
                                        "\x01",
                                        "\xff",
                                        "\xc3",
                                        "~",
                                        "|",
                                        ",",
                                        "=",
                                        "&",
                                        "<",
                                        ">",
                                        "?"};
    size_t n = th_random_below(r, 3);

    while (n--) {
        const char *part = noise[th_random_below(r, sizeof(noise) / sizeof(noise[0]))];

        *len += (size_t)sprintf(out + *len, "%s", part);
    }
}

/* Words of the record in any order, with anything before, between and behind them. */
static void make_input(struct th_random *r, char *out)
{
    static const char *const words[] = {
        "Checkout", "is",   "slow", "CAF\xc3\x89", "payments", "time", "out", "AND",
        "the",      "NEAR", "OR",   "not",         "x12",      "g",    "p",   "34"};
    size_t n = 1 + th_random_below(r, 4);
    size_t len = 0;

    add_noise(r, out, &len);
    while (n--) {
        const char *word = words[th_random_below(r, sizeof(words) / sizeof(words[0]))];

        len += (size_t)sprintf(out + len, "%s%c", word, " -\"'(*:.!"[th_random_below(r, 9)]);
        add_noise(r, out, &len);
    }
    out[len] = '\0';
}

static void no_input_is_an_error_or_finds_nothing(void **state)
{
    struct world *w = *state;
    struct th_random r = {.state = 7};
    char input[512];

    put(w, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-01\",\"type\":\"issue\","
           "\"confidential\":false,"
           "\"iid\":\"1\",\"title\":\"Checkout is slow\",\"description\":\"The caf\xc3\xa9's "
           "payments time out, and "
           "near or not x12 g p 34.\"}");
    for (size_t i = 0; i < 10000; i++) {
        make_input(&r, input);
        ask_for(w, input, NULL);
        if (w->answer.n_hits != 1) {
            fail_msg("'%s' finds nothing", input);
        }
    }
}

/* ---- a file that is of no use ---- */

static void scribble(struct world *w, const char *name, long at)
{
    char path[512];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", w->folder, name);
    file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    for (size_t i = 0; i < 3000; i++) {
        assert_int_not_equal(fputs("garbage!", file), EOF);
    }
    assert_int_equal(fclose(file), 0);
}

static void a_damaged_file_is_built_anew(void **state)
{
    struct world *w = *state;

    put(w, two_issues);
    for (long at = 0; at <= 8192; at += 4096) {
        char name[64];

        stop(w);
        (void)snprintf(name, sizeof(name), "search-%ld.sqlite", at / 4096 + 1);
        scribble(w, name, at);
        start(w);
        while (!search_await(w->search, sink_apply_sequence(w->facts.apply), 100)) {
            const struct search_query query = {.text = WH_LIT("payments"), .size = 20};
            struct wh_err err;

            /* A query is what finds a page that the writer did not read. */
            wh_arena_reset(&w->arena);
            (void)!search_run(w->search, &query, &w->arena, &w->answer, &err);
        }
        {
            const struct search_query query = {
                .text = WH_LIT("payments"), .confidential = true, .size = 20};
            struct wh_err err;

            wh_arena_reset(&w->arena);
            if (search_run(w->search, &query, &w->arena, &w->answer, &err) != WH_OK) {
                assert_int_equal(err.rc, WH_E_UNAVAILABLE);
            }
        }
        catch_up(w);
        finds_issues(w, "payments", 2, "2");
    }
}

static bool is_there(const struct world *w, const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", w->folder, name);
    return access(path, F_OK) == 0;
}

static void run_sql(struct world *w, const char *name, const char *sql)
{
    char path[512];
    sqlite3 *db = NULL;

    (void)snprintf(path, sizeof(path), "%s/%s", w->folder, name);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_file_of_another_version_or_store_is_built_anew(void **state)
{
    struct world *w = *state;
    struct th_facts other;
    struct search_status status;

    put(w, two_issues);
    stop(w);
    run_sql(w, "search-1.sqlite",
            "UPDATE meta SET value = x'0000000000000063' WHERE key = 'version'");
    start(w);
    catch_up(w);
    assert_false(is_there(w, "search-1.sqlite"));
    assert_true(is_there(w, "search-2.sqlite"));
    finds_issues(w, "payments", 2, "2");
    stop(w);
    /* A store that has seen less, as after a restore. */
    other = w->facts;
    th_facts_init(&w->facts);
    th_facts_put(&w->facts,
                 "{\"kind\":\"work_item\",\"id\":\"3\",\"at\":\"2026-05-01\",\"type\":\"issue\","
                 "\"confidential\":false,\"iid\":\"3\",\"title\":\"Returns are late\"}");
    start(w);
    catch_up(w);
    finds_issues(w, "payments", 0, NULL);
    finds_issues(w, "returns", 1, "3");
    search_status_get(w->search, &status);
    assert_int_equal(status.records, 1);
    th_facts_done(&other);
}

/* ---- a purge ---- */

static void purge(struct world *w, const char *source_kind, const char *id)
{
    const struct wh_entity_id entity = th_facts_id(NULL, source_kind, id);
    struct sink_apply *a = w->facts.apply;
    unsigned char key[SINK_ENTITY_KEY];
    struct wh_buf head;
    uint64_t revisions = 0;
    bool found = false;
    struct wh_err err;

    wh_buf_init(&head, 1 << 20);
    sink_entity_key(key, WH_KIND_WORK_ITEM, &entity);
    th_ok(wh_store_get(w->facts.store, NULL, SINK_ENTITIES, wh_slice(key, sizeof(key)), &head,
                       &found, &err),
          &err);
    assert_true(found);
    sink_apply_begin(a);
    th_ok(sink_remove_entity(a, WH_KIND_WORK_ITEM, &entity, wh_buf_slice(&head),
                             wh_slice_str(TH_FACTS_INSTANCE), &found, &revisions, &err),
          &err);
    th_ok(sink_replace_meta(a, WH_LIT("gc1"),
                            WH_LIT("{\"connection\":\"c1\",\"finished_at_ms\":5}"), &err),
          &err);
    th_ok(sink_apply_seal(a, &err), &err);
    th_ok(sink_apply_commit(a, false, &err), &err);
    sink_apply_begin(a);
    wh_buf_done(&head);
}

/* Does a file of the folder contain the text? */
static bool is_in_files(const struct world *w, const char *text)
{
    char command[700];

    (void)snprintf(command, sizeof(command), "grep -rqai '%s' '%s'", text, w->folder);
    return system(command) == 0;
}

static void what_was_purged_is_in_no_file(void **state)
{
    struct world *w = *state;
    struct search_status status;
    size_t rounds = 0;

    put(w, two_issues);
    put(w, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-02\",\"title\":\"Marmalade\"}");
    put(w, "{\"kind\":\"work_item\",\"id\":\"1\",\"at\":\"2026-05-03\",\"title\":\"Jam\"}");
    assert_true(is_in_files(w, "marmalade"));
    purge(w, "issue", "1");
    do {
        /* It answers all the time. */
        finds_issues(w, "nobody", 1, "2");
        search_status_get(w->search, &status);
    } while (status.records != 1 && rounds++ < 100000);
    assert_int_equal(status.records, 1);
    finds_issues(w, "marmalade", 0, NULL);
    stop(w);
    assert_false(is_in_files(w, "marmalade"));
    start(w);
    catch_up(w);
    finds_issues(w, "nobody", 1, "2");
}

/* ---- following ends in what a build makes ---- */

enum { OBSERVATIONS = 600, STEP = 40 };

static void append_rows(struct world *w, struct wh_buf *out)
{
    static const char sql[] = "SELECT quote(id), quote(version), row & 127, hash, title, text, "
                              "names FROM record JOIN texts ON texts.rowid = row "
                              "ORDER BY 1, 2, 3";
    char path[512];
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    struct wh_err err;

    (void)snprintf(path, sizeof(path), "%s/search-1.sqlite", w->folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < 7; i++) {
            th_ok(wh_buf_printf(out, &err, "%s|", (const char *)sqlite3_column_text(stmt, i)),
                  &err);
        }
        th_ok(wh_buf_append_char(out, '\n', &err), &err);
    }
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
}

static void apply(struct world *w, const struct th_encoded *o)
{
    struct sink_apply *a = w->facts.apply;
    struct wh_history_result result;
    struct wh_observation decoded;
    struct wh_err err;

    th_ok(wh_observation_decode(wh_slice(o->bytes, o->len), sink_apply_arena(a), &decoded, &err),
          &err);
    th_ok(sink_apply_observation(a, &decoded, 1000, &result, &err), &err);
}

static void follow_and_build(struct world *w, uint64_t seed)
{
    struct th_encoded *list = th_observations_new(seed, OBSERVATIONS, 60, 1700000000000);
    struct wh_buf followed;
    struct wh_buf built;
    struct wh_err err;

    wh_buf_init(&followed, 64 << 20);
    wh_buf_init(&built, 64 << 20);
    for (size_t i = 0; i < OBSERVATIONS; i++) {
        apply(w, &list[i]);
        if (i % STEP == STEP - 1) {
            th_ok(sink_apply_seal(w->facts.apply, &err), &err);
            th_ok(sink_apply_commit(w->facts.apply, false, &err), &err);
            sink_apply_begin(w->facts.apply);
            catch_up(w);
        }
        if (i % (5 * STEP) == 5 * STEP - 1) {
            stop(w);
            start(w);
        }
    }
    catch_up(w);
    stop(w);
    append_rows(w, &followed);
    th_tmp_remove(w->folder);
    w->folder = th_tmp_new();
    start(w);
    catch_up(w);
    stop(w);
    append_rows(w, &built);
    assert_true(built.len > 1000);
    assert_string_equal(wh_buf_str(&followed), wh_buf_str(&built));
    start(w);
    wh_buf_done(&followed);
    wh_buf_done(&built);
    th_observations_free(list, OBSERVATIONS);
}

static void an_index_that_follows_equals_one_that_is_built(void **state)
{
    follow_and_build(*state, 11);
    follow_and_build(*state, 12);
    follow_and_build(*state, 13);
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
        cmocka_unit_test_setup_teardown(no_input_is_an_error_or_finds_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_built_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_of_another_version_or_store_is_built_anew, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_purged_is_in_no_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_index_that_follows_equals_one_that_is_built, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
