/* What complete listings contained: what is missing, what stays known, and how fetch-state keeps it. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "stages/fetcher/state/listed.h"
#include "tests/lib/th_observation.h"

enum { JSON_MAX = 1 << 20, IDS = 50, ROUNDS = 400 };

struct missing {
    char text[4096];
    bool keep; /* they stay known */
};

static bool on_missing(void *ctx, const char *id)
{
    struct missing *m = ctx;
    size_t len = strlen(m->text);

    (void)snprintf(m->text + len, sizeof(m->text) - len, "%s,", id);
    return m->keep;
}

static struct listed *one(struct listed_table *t)
{
    struct listed *l = listed_of(t, "c", "7", 1, true);

    assert_non_null(l);
    return l;
}

/* ids: separated by commas. Gives what was missing. */
static const char *list(struct listed *l, const char *ids, bool keep)
{
    static struct missing m;
    char text[4096];
    char *rest = text;
    char *id;
    struct wh_err err;

    m = (struct missing){.keep = keep};
    (void)snprintf(text, sizeof(text), "%s", ids);
    listed_begin(l);
    while ((id = strsep(&rest, ",")) != NULL) {
        if (id[0]) {
            listed_see(l, id);
        }
    }
    th_ok(listed_end(l, on_missing, &m, &err), &err);
    return m.text;
}

static void test_missing(void **state)
{
    struct listed_table *t = listed_table_new();
    struct listed *l = one(t);

    (void)state;
    assert_string_equal(list(l, "5,12,v1", true), "");
    assert_int_equal(l->n, 3);
    assert_string_equal(list(l, "v1,12,5,5", true), "");
    assert_string_equal(list(l, "12", true), "5,v1,");
    assert_string_equal(list(l, "12,v1", true), "5,"); /* still known */
    assert_string_equal(list(l, "12,v1", false), "5,");
    assert_string_equal(list(l, "12,v1", true), "");
    assert_string_equal(list(l, "", false), "12,v1,");
    assert_int_equal(l->n, 0);
    listed_table_free(t);
}

/* What follows a space is kept, and the newest counts. */
static void test_the_rest_of_an_id(void **state)
{
    struct listed_table *t = listed_table_new();
    struct listed *l = one(t);

    (void)state;
    (void)list(l, "5 77,50", true);
    assert_string_equal(list(l, "50,5 78", true), "");
    assert_string_equal(list(l, "50", true), "5 78,");
    listed_table_free(t);
}

/* A listing that did not end changes nothing. */
static void test_only_complete_ones_count(void **state)
{
    struct listed_table *t = listed_table_new();
    struct listed *l = one(t);

    (void)state;
    (void)list(l, "1,2", true);
    listed_begin(l);
    listed_see(l, "2");
    assert_string_equal(list(l, "1,2", true), "");
    listed_table_free(t);
}

/* More than is kept: then nothing is, and nothing is missing. */
static void test_too_many(void **state)
{
    struct listed_table *t = listed_table_new();
    struct listed *l = one(t);
    struct missing m = {.keep = true};
    char id[LISTED_ID_MAX];
    struct wh_err err;

    (void)state;
    (void)list(l, "1,2", true);
    listed_begin(l);
    for (size_t i = 0; i * 100 < LISTED_MAX_BYTES + 1000; i++) {
        (void)snprintf(id, sizeof(id), "%0100zu", i);
        listed_see(l, id);
    }
    th_ok(listed_end(l, on_missing, &m, &err), &err);
    assert_string_equal(m.text, "");
    assert_int_equal(l->n, 0);
    assert_true(l->dirty);
    assert_string_equal(list(l, "1", true), "");
    assert_int_equal(l->n, 1);
    listed_table_free(t);
}

static void test_saved_and_read(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(JSON_MAX, 16);
    struct listed_table *from = listed_table_new();
    struct listed_table *to = listed_table_new();
    struct listed *l = one(from);
    WH_AUTO(buf) struct wh_buf json;
    char key[LISTED_KEY_MAX];
    struct wh_err err;

    (void)state;
    wh_buf_init(&json, JSON_MAX);
    assert_false(l->dirty);
    (void)list(l, "5 77,v1", true);
    assert_true(l->dirty);
    th_ok(listed_write(l, key, &json, &err), &err);
    assert_false(l->dirty);
    (void)list(l, "v1,5 77", true);
    assert_false(l->dirty);
    assert_string_equal(key, "c:7:members:listed");
    assert_true(listed_take(to, parser, wh_slice_str(key), wh_buf_slice(&json)));
    assert_false(one(to)->dirty);
    assert_string_equal(list(one(to), "v1", true), "5 77,");
    listed_forget(to, "c");
    assert_null(listed_of(to, "c", "7", 1, false));
    listed_table_free(from);
    listed_table_free(to);
    wh_json_parser_free(parser);
}

static void test_damaged_records(void **state)
{
    static const struct {
        const char *key;
        const char *json;
        bool ours;
    } cases[] = {
        {"c:7:members", "{\"ids\":[\"1\"]}", false},
        {"c:7:members:listed", "{\"ids\":[1,null,\"\",\"a\\u0000b\",\"2\"]}", true},
        {"c:7:members:listed", "[", true},
        {"c:7:unheard_of:listed", "{\"ids\":[\"1\"]}", true},
        {"listed", "{}", false},
        {":listed", "{}", true},
    };
    struct wh_json_parser *parser = wh_json_parser_new(JSON_MAX, 16);
    struct listed_table *t = listed_table_new();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(
            listed_take(t, parser, wh_slice_str(cases[i].key), wh_slice_str(cases[i].json)),
            cases[i].ours);
    }
    assert_int_equal(one(t)->n, 1);
    listed_table_free(t);
    wh_json_parser_free(parser);
}

/* Against a set of flags. */
static void test_whatever_is_listed(void **state)
{
    struct listed_table *t = listed_table_new();
    struct listed *l = one(t);
    bool known[IDS] = {false};
    struct th_random random = {3};

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char ids[4096] = "";
        char want[IDS + 1] = "";
        char got[IDS + 1] = "";
        bool keep = th_random_below(&random, 2);
        const char *missing;
        bool seen[IDS];

        for (int i = 0; i < IDS; i++) {
            int k = (i * 7 + round) % IDS;

            seen[k] = th_random_below(&random, 4) != 0;
            if (seen[k]) {
                (void)snprintf(ids + strlen(ids), 8, "%d,", 100 + k);
            }
        }
        missing = list(l, ids, keep);
        for (int i = 0; i < IDS; i++) {
            char id[16];

            (void)snprintf(id, sizeof(id), "%d,", 100 + i);
            want[i] = known[i] && !seen[i] ? 'x' : '.';
            got[i] = strstr(missing, id) ? 'x' : '.';
            known[i] = seen[i] || (known[i] && keep);
        }
        assert_string_equal(want, got);
    }
    listed_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_the_rest_of_an_id),
        cmocka_unit_test(test_only_complete_ones_count),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_saved_and_read),
        cmocka_unit_test(test_damaged_records),
        cmocka_unit_test(test_whatever_is_listed),
    };

    return cmocka_run_group_tests_name("listed", tests, NULL, NULL);
}
