/* The evidence that objects are gone: what proves it, what ends it, and how fetch-state keeps it. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "stages/fetcher/check/absence.h"
#include "tests/lib/th_observation.h"

enum { CONFIRM_MS = 5000, JSON_MAX = 4096, OBJECTS = 60, STEPS = 4000 };

struct saved {
    struct absences *copy; /* what another member would read; NULL: nobody does */
    struct wh_json_parser *parser;
    unsigned changes;
};

static void on_save(void *ctx, const struct absence *a, bool removed)
{
    WH_AUTO(buf) struct wh_buf json;
    char key[ABSENCE_KEY_MAX];
    struct saved *saved = ctx;
    struct wh_err err;

    wh_buf_init(&json, JSON_MAX);
    saved->changes++;
    if (saved->copy == NULL) {
        return;
    }
    th_ok(absence_write(a, key, &json, &err), &err);
    assert_true(absences_take(saved->copy, saved->parser, wh_slice_str(key),
                              removed ? WH_LIT("") : wh_buf_slice(&json), false));
}

static struct absence_key job(const char *id)
{
    return (struct absence_key){.connection = "c", .project = "7", .kind = "job", .id = id};
}

static void test_twice_and_some_time_apart(void **state)
{
    static const struct {
        int64_t at[4]; /* of the 404s; 0: no more */
        bool proved;
    } cases[] = {
        {{1000}, false},          {{1000, 1000}, false},       {{1000, 5999}, false},
        {{1000, 6000}, true},     {{1000, 2000, 6000}, true},  {{1000, 2000, 3000}, false},
        {{1000, 90000000}, true}, {{9000, 1000, 9500}, false},
    };
    const struct absence_key key = job("41");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct absences *t = absences_new(NULL, NULL);
        struct absence *a = NULL;

        for (size_t k = 0; k < 4 && cases[i].at[k]; k++) {
            a = absences_note(t, &key, 0, cases[i].at[k], true);
            assert_non_null(a);
        }
        assert_int_equal(absence_proved(a, CONFIRM_MS), cases[i].proved);
        absences_free(t);
    }
}

/* Without a pause that is asked for, it still takes two answers. */
static void test_never_by_one_answer(void **state)
{
    struct absences *t = absences_new(NULL, NULL);
    const struct absence_key key = job("41");
    struct absence *a = absences_note(t, &key, 0, 1000, true);

    (void)state;
    assert_false(absence_proved(a, 0));
    assert_int_equal(absence_due_ms(a, 500), 1500);
    a = absences_note(t, &key, 0, 1000, true);
    assert_true(absence_proved(a, 0));
    absences_free(t);
}

/* A 403, a page of a proxy, a failure: the object is unsure, and nothing more. */
static void test_other_answers_prove_nothing(void **state)
{
    struct saved saved = {0};
    struct absences *t = absences_new(on_save, &saved);
    const struct absence_key key = job("41");
    struct absence *a = NULL;

    (void)state;
    for (int i = 0; i < 10; i++) {
        a = absences_note(t, &key, 0, 1000 + i * CONFIRM_MS, false);
    }
    assert_false(absence_proved(a, CONFIRM_MS));
    assert_int_equal(absences_unsure(t, "c"), 1);
    assert_int_equal(saved.changes, 1);
    a = absences_note(t, &key, 0, 100000, true);
    assert_false(absence_proved(a, CONFIRM_MS));
    assert_int_equal(saved.changes, 2);
    absences_free(t);
}

static void test_shown_again(void **state)
{
    struct absences *t = absences_new(NULL, NULL);
    const struct absence_key key = job("41");
    struct absence *a = absences_note(t, &key, 0, 1000, true);

    (void)state;
    absences_remove(t, a);
    assert_null(absences_find(t, &key));
    a = absences_note(t, &key, 0, 1000 + CONFIRM_MS, true);
    assert_false(absence_proved(a, CONFIRM_MS));
    absences_remove(t, NULL);
    absences_free(t);
}

static void test_told_is_not_unsure(void **state)
{
    struct absences *t = absences_new(NULL, NULL);
    const struct absence_key key = job("41");
    const struct absence_key other = {"d", "7", "job", "41"};

    (void)state;
    absences_tell(t, absences_note(t, &key, 0, 1000, true), "deleted");
    (void)absences_note(t, &other, 0, 1000, true);
    assert_int_equal(absences_unsure(t, "c"), 0);
    assert_int_equal(absences_unsure(t, "d"), 1);
    assert_true(absences_find(t, &key)->told);
    absences_forget(t, "c");
    assert_null(absences_find(t, &key));
    assert_non_null(absences_find(t, &other));
    absences_free(t);
}

static void test_in_order(void **state)
{
    static const char *const ids[] = {"5", "10", "7", "6"};
    static const char *const sorted[] = {"10", "5", "6", "7"};
    struct absences *t = absences_new(NULL, NULL);
    const struct absence_key issue = {"c", "7", "issue", "6"};
    const char *after = "";

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const struct absence_key key = job(ids[i]);

        (void)absences_note(t, &key, 0, 1000, true);
    }
    (void)absences_note(t, &issue, 3, 1000, true);
    for (size_t i = 0; i < 4; i++) {
        const struct absence *a = absences_next(t, "c", "7", "job", after);

        assert_string_equal(a->id, sorted[i]);
        after = a->id;
    }
    assert_null(absences_next(t, "c", "7", "job", after));
    assert_int_equal(absences_next(t, "c", "7", "issue", "")->number, 3);
    assert_null(absences_next(t, "c", "8", "job", ""));
    absences_free(t);
}

static void test_what_does_not_fit(void **state)
{
    char id[ABSENCE_ID_MAX + 1];
    struct absences *t = absences_new(NULL, NULL);
    const struct absence_key bad[] = {{"c", "7", "job", id},
                                      {"c", "7", "job", ""},
                                      {"c", "7", "", "1"},
                                      {"", "7", "job", "1"},
                                      {"c", "1234567890123456789012345", "job", "1"}};

    (void)state;
    memset(id, 'x', sizeof(id));
    id[ABSENCE_ID_MAX] = '\0';
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(absences_note(t, &bad[i], 0, 1000, true));
    }
    assert_int_equal(absences_unsure(t, "c"), 0);
    absences_free(t);
}

static struct absence *note_many(struct absences *t, const char *kind, unsigned n)
{
    struct absence *a = NULL;
    char id[16];
    const struct absence_key key = {"c", "7", kind, id};

    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(id, sizeof(id), "%08u", i);
        a = absences_note(t, &key, 0, 1000, true);
    }
    return a;
}

/* Tombstones that are remembered take no room from what is unsure. */
static void test_limits(void **state)
{
    struct absences *t = absences_new(NULL, NULL);
    const struct absence_key one = job("x");
    const struct absence_key two = job("y");
    struct absence *last = note_many(t, "issue", ABSENCES_MAX);

    (void)state;
    assert_non_null(last);
    assert_null(absences_note(t, &one, 0, 1000, true));
    absences_tell(t, last, "deleted");
    assert_non_null(absences_note(t, &one, 0, 1000, true));
    assert_null(absences_note(t, &two, 0, 1000, true));
    absences_remove(t, absences_find(t, &one));
    assert_non_null(absences_note(t, &two, 0, 1000, true));
    absences_free(t);
}

static void test_too_many_tombstones(void **state)
{
    struct absences *t = absences_new(NULL, NULL);
    const struct absence_key key = {"c", "7", "note", "00000000"};

    (void)state;
    for (unsigned round = 0; round < ABSENCES_TOLD_MAX / ABSENCES_MAX; round++) {
        const char *kind = round == 0 ? "issue" : "job";
        struct absence *a;

        (void)note_many(t, kind, ABSENCES_MAX);
        for (a = absences_next(t, "c", "7", kind, ""); a;
             a = absences_next(t, "c", "7", kind, a->id)) {
            absences_tell(t, a, "deleted");
        }
    }
    assert_int_equal(absences_unsure(t, "c"), 0);
    absences_tell(t, note_many(t, "note", 1), "deleted");
    assert_null(absences_find(t, &key));
    absences_free(t);
}

static void test_damaged_records(void **state)
{
    static const struct {
        const char *key;
        const char *json;
        bool ours;
    } cases[] = {
        {"c:7:issues", "{}", false},
        {"c:7:absent", "{}", false},
        {"c:7:absent:job", "{}", false},
        {"c:7:absent:job:", "{}", false},
        {":7:absent:job:1", "{}", false},
        {"c:7:issues:absent:job:1", "{}", false},
        {"c:7:absent:job:1", "{\"times\":-1,\"told\":7}", true},
        {"c:7:absent:job:2", "[", true},
        {"c:7:absent:release:7:v1:2", "{\"told\":\"a reason that is much too long\"}", true},
        {"c::absent:user:12", "{\"times\":99999999999}", true},
    };
    struct wh_json_parser *parser = wh_json_parser_new(JSON_MAX, 16);
    struct absences *t = absences_new(NULL, NULL);
    const struct absence_key release = {"c", "7", "release", "7:v1:2"};
    const struct absence_key one = job("1");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(absences_take(t, parser, wh_slice_str(cases[i].key),
                                       wh_slice_str(cases[i].json), false),
                         cases[i].ours);
    }
    assert_int_equal(absences_unsure(t, "c"), 3);
    assert_false(absence_proved(absences_find(t, &one), 0));
    assert_true(absences_find(t, &release)->told);
    absences_free(t);
    wh_json_parser_free(parser);
}

/* A record from a partition that this member works on: its own older one, or news of another member. */
static void test_foreign_records_only_add(void **state)
{
    static const char unsure[] = "{\"first_ms\":1,\"last_ms\":1,\"times\":1,\"told\":\"\"}";
    static const char told[] = "{\"first_ms\":1,\"last_ms\":9,\"times\":2,\"told\":\"deleted\"}";
    struct wh_json_parser *parser = wh_json_parser_new(JSON_MAX, 16);
    struct absences *t = absences_new(NULL, NULL);
    const struct absence_key key = job("1");
    const struct wh_slice name = WH_LIT("c:7:absent:job:1");

    (void)state;
    assert_true(absences_take(t, parser, name, wh_slice_str(unsure), true));
    assert_int_equal(absences_find(t, &key)->times, 1);
    (void)absences_note(t, &key, 0, 5, true);
    assert_true(absences_take(t, parser, name, wh_slice_str(unsure), true));
    assert_int_equal(absences_find(t, &key)->times, 2);
    assert_true(absences_take(t, parser, name, WH_LIT(""), true));
    assert_non_null(absences_find(t, &key));
    assert_true(absences_take(t, parser, name, wh_slice_str(told), true));
    assert_true(absences_find(t, &key)->told);
    assert_true(absences_take(t, parser, name, wh_slice_str(unsure), true));
    assert_true(absences_find(t, &key)->told);
    absences_free(t);
    wh_json_parser_free(parser);
}

/* ---- whatever happens ---- */

struct object {
    int64_t first_ms; /* of the 404s in a row; 0: the last answer showed it */
    int64_t last_ms;
    unsigned times;
    bool told;
};

static void one_answer(struct absences *t, struct object *o, const struct absence_key *key,
                       int64_t now_ms, unsigned what)
{
    struct absence *a = absences_find(t, key);

    if (what == 0) {
        absences_remove(t, a);
        *o = (struct object){0};
    } else if (what < 3) {
        assert_non_null(absences_note(t, key, 0, now_ms, false));
    } else {
        a = absences_note(t, key, 0, now_ms, true);
        o->first_ms = o->times++ ? o->first_ms : now_ms;
        o->last_ms = now_ms;
        assert_int_equal(absence_proved(a, CONFIRM_MS),
                         o->times > 1 && o->last_ms - o->first_ms >= CONFIRM_MS);
        if (absence_proved(a, CONFIRM_MS) && !a->told) {
            absences_tell(t, a, "deleted");
            o->told = true;
        }
    }
}

/* Proved means exactly that; and who reads what was saved has the same tombstones, and asks again for
 * the rest, with the time of the first answer. */
static void test_whatever_happens(void **state)
{
    struct saved saved = {.copy = absences_new(NULL, NULL),
                          .parser = wh_json_parser_new(JSON_MAX, 16)};
    struct absences *t = absences_new(on_save, &saved);
    struct object objects[OBJECTS] = {{0}};
    struct th_random random = {7};
    int64_t now_ms = 1000;
    char id[16];

    (void)state;
    for (int i = 0; i < STEPS; i++) {
        unsigned k = th_random_below(&random, OBJECTS);
        const struct absence_key key = job(id);

        now_ms += th_random_below(&random, 300);
        (void)snprintf(id, sizeof(id), "%u", k * 7919 % 1000);
        one_answer(t, &objects[k], &key, now_ms, th_random_below(&random, 8));
    }
    for (int k = 0; k < OBJECTS; k++) {
        const struct absence_key key = job(id);
        const struct absence *a;
        const struct absence *b;

        (void)snprintf(id, sizeof(id), "%d", k * 7919 % 1000);
        a = absences_find(t, &key);
        b = absences_find(saved.copy, &key);
        assert_int_equal(a != NULL, b != NULL);
        assert_true(a == NULL || (a->told == b->told && a->first_ms == b->first_ms &&
                                  a->told == objects[k].told));
    }
    assert_int_equal(absences_unsure(t, "c"), absences_unsure(saved.copy, "c"));
    absences_free(t);
    absences_free(saved.copy);
    wh_json_parser_free(saved.parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twice_and_some_time_apart),
        cmocka_unit_test(test_never_by_one_answer),
        cmocka_unit_test(test_other_answers_prove_nothing),
        cmocka_unit_test(test_shown_again),
        cmocka_unit_test(test_told_is_not_unsure),
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_too_many_tombstones),
        cmocka_unit_test(test_damaged_records),
        cmocka_unit_test(test_foreign_records_only_add),
        cmocka_unit_test(test_whatever_happens),
    };

    return cmocka_run_group_tests_name("absence", tests, NULL, NULL);
}
