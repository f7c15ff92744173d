/* What a person types or copies: the project and the number it names. */
#include "tests/lib/th_cmocka.h"

#include "common/text/address.h"

struct expected {
    const char *typed;
    enum wh_thing thing;
    const char *home;
    const char *path;
    const char *number;
    const char *note;
};

static void is(const struct expected *e)
{
    struct wh_address a;

    assert_true(wh_address_read(e->typed, &a));
    if (a.thing != e->thing) {
        fail_msg("'%s' is a thing of kind %d", e->typed, (int)a.thing);
    }
    th_slice_is(a.home, e->home);
    th_slice_is(a.path, e->path);
    th_slice_is(a.number, e->number);
    th_slice_is(a.note, e->note);
}

static void references_are_read(void **state)
{
    static const struct expected cases[] = {
        {"group/project!12", WH_THING_MERGE_REQUEST, "", "group/project", "12", ""},
        {"a/b/c.d-e_f#45", WH_THING_ISSUE, "", "a/b/c.d-e_f", "45", ""},
        {"!12", WH_THING_MERGE_REQUEST, "", "", "12", ""},
        {"#45", WH_THING_ISSUE, "", "", "45", ""},
        {" <#45> ", WH_THING_ISSUE, "", "", "45", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is(&cases[i]);
    }
}

static void addresses_are_read_as_they_are_copied(void **state)
{
    static const struct expected cases[] = {
        {"https://h/g/p/-/merge_requests/12", WH_THING_MERGE_REQUEST, "h/g/p", "g/p", "12", ""},
        {"https://h/g/p/-/merge_requests/12/", WH_THING_MERGE_REQUEST, "h/g/p", "g/p", "12", ""},
        {"https://h/g/p/-/merge_requests/12/diffs", WH_THING_MERGE_REQUEST, "h/g/p", "g/p", "12",
         ""},
        {"https://h/g/p/-/merge_requests/12/diffs?commit_id=1a#note_7", WH_THING_MERGE_REQUEST,
         "h/g/p", "g/p", "12", "7"},
        {"https://h/g/p/-/merge_requests/12#note_99", WH_THING_MERGE_REQUEST, "h/g/p", "g/p", "12",
         "99"},
        {"https://h/g/p/-/merge_requests/12?tab=x", WH_THING_MERGE_REQUEST, "h/g/p", "g/p", "12",
         ""},
        {"https://h/g/p/-/issues/45/designs/a.png", WH_THING_ISSUE, "h/g/p", "g/p", "45", ""},
        {"https://h/g/p/-/issues/incident/45", WH_THING_ISSUE, "h/g/p", "g/p", "45", ""},
        {"https://h/g/p/-/work_items/45", WH_THING_ISSUE, "h/g/p", "g/p", "45", ""},
        {"https://h/g/p/issues/45", WH_THING_ISSUE, "h/g/p", "g/p", "45", ""},
        {"https://h/g/p/merge_requests/12/diffs", WH_THING_MERGE_REQUEST, "h/g/p", "g/p", "12", ""},
        {"https://h/g/p/builds/9", WH_THING_JOB, "h/g/p", "g/p", "9", ""},
        {"https://h/g/p/-/jobs/9/raw", WH_THING_JOB, "h/g/p", "g/p", "9", ""},
        {"https://h/g/p/-/jobs/9#L12", WH_THING_JOB, "h/g/p", "g/p", "9", ""},
        {"https://h/g/p/-/pipelines/9/builds", WH_THING_PIPELINE, "h/g/p", "g/p", "9", ""},
        {"https://h/g/p/-/milestones/3", WH_THING_MILESTONE, "h/g/p", "g/p", "3", ""},
        {"https://h/g/p/-/environments/5", WH_THING_ENVIRONMENT, "h/g/p", "g/p", "5", ""},
        {"http://h:8080/git/g/p/-/issues/1", WH_THING_ISSUE, "h:8080/git/g/p", "git/g/p", "1", ""},
        {"h.example/g/issues/issues/4", WH_THING_ISSUE, "h.example/g/issues", "g/issues", "4", ""},
        {"\"https://h/g/p/-/issues/45\"", WH_THING_ISSUE, "h/g/p", "g/p", "45", ""},
        /* Pages of which only the address says more. */
        {"https://h/g/p", WH_THING_UNKNOWN, "", "", "", ""},
        {"https://h/g/p/-/releases/v1.0", WH_THING_UNKNOWN, "", "", "", ""},
        {"https://h/g/p/-/issues/45a", WH_THING_UNKNOWN, "", "", "", ""},
        {"https://h/g/p/-/issues", WH_THING_UNKNOWN, "", "", "", ""},
        {"https://h", WH_THING_UNKNOWN, "", "", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is(&cases[i]);
    }
}

static void an_address_is_kept_without_query_and_mark(void **state)
{
    struct wh_address a;

    (void)state;
    assert_true(wh_address_read(" https://h/g/p/-/releases/v1?x=1#top ", &a));
    assert_true(a.is_url && !a.is_id);
    th_slice_is(a.text, "https://h/g/p/-/releases/v1");
}

static void ids_are_ids(void **state)
{
    struct wh_address a;

    (void)state;
    assert_true(wh_address_read("6f1ed002-ab12-5a7b-9c3d-0123456789AB\n", &a));
    assert_true(a.is_id && !a.is_url);
    th_slice_is(a.text, "6f1ed002-ab12-5a7b-9c3d-0123456789AB");
}

static void other_words_are_refused(void **state)
{
    static const char *const words[] = {"", " ", "!", "#", "12", "glpat-x", "x!", "!x"};
    struct wh_address a;

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_false(wh_address_read(words[i], &a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_read),
        cmocka_unit_test(addresses_are_read_as_they_are_copied),
        cmocka_unit_test(an_address_is_kept_without_query_and_mark),
        cmocka_unit_test(ids_are_ids),
        cmocka_unit_test(other_words_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
