/* Categories of work items and pipelines, and the rules that assign them. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>

#include "tests/lib/th_map.h"
#include "tests/lib/th_tmp.h"

enum { TEXT_MAX = 512 };

static int setup(void **state)
{
    *state = th_map_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    th_map_free(*state);
    return 0;
}

/* The categories of an observation as "fix label, ..."; "-" for null. */
static void are(struct wh_json_val v, const char *path, const char *want)
{
    char got[TEXT_MAX] = "";
    struct wh_json_iter it;
    struct wh_json_val each;
    size_t n = 0;

    v = th_json(v, path);
    if (wh_json_type(v) == WH_JSON_NULL) {
        (void)snprintf(got, sizeof(got), "-");
    }
    it = wh_json_iter(v);
    for (size_t i = 0; wh_json_next(&it, NULL, &each); i++) {
        struct wh_slice text = wh_json_string(each);

        assert_in_range(text.len, 1, 64);
        n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%.*s",
                              i == 0  ? ""
                              : i % 2 ? " "
                                      : ", ",
                              WH_SLICE_ARG(text));
    }
    assert_string_equal(got, want);
}

static struct wh_json_val map(void **state, enum wh_origin origin, const char *kind,
                              const char *json)
{
    return th_map(*state, origin, kind, "14", "9", wh_slice_str(json));
}

#define CATEGORIES "observations.0.fields.categories"

static void test_issue(void **state)
{
    static const struct {
        const char *json;
        const char *want;
    } cases[] = {
        {"{\"id\":9,\"title\":\"t\",\"labels\":[],\"issue_type\":\"incident\"}", "incident type"},
        {"{\"id\":9,\"title\":\"t\",\"labels\":[\"Type::Bug\"],\"issue_type\":\"issue\"}",
         "fix label"},
        {"{\"id\":9,\"title\":\"FIX(api): x\",\"labels\":[\"security\",\"docs::api\"]}",
         "security label, fix title, documentation label"},
        /* One category once, by the first rule. */
        {"{\"id\":9,\"title\":\"fix: x\",\"labels\":[\"bug\",\"regression\"]}", "fix label"},
        {"{\"id\":9,\"title\":\"Feature-Request\",\"labels\":[\"feature_request\"]}",
         "feature label"},
        {"{\"id\":9,\"title\":\"Fixture\",\"labels\":[\"debug\",\"bugs\"]}", "-"},
        {"{\"id\":9,\"title\":null,\"labels\":null}", "-"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        are(map(state, WH_ORIGIN_REST, "issue", cases[i].json), CATEGORIES, cases[i].want);
    }
}

static void test_merge_request(void **state)
{
    are(map(state, WH_ORIGIN_REST, "merge_request",
            "{\"id\":9,\"title\":\"t\",\"labels\":[],\"source_branch\":\"hotfix/123-x\"}"),
        CATEGORIES, "fix branch");
    are(map(state, WH_ORIGIN_WEBHOOK, "merge_request",
            "{\"labels\":[{\"title\":\"type::feature\"}],\"object_attributes\":{\"id\":9,"
            "\"title\":\"docs: x\",\"source_branch\":\"main\"}}"),
        CATEGORIES, "feature label, documentation title");
    are(map(state, WH_ORIGIN_MCP, "merge_request_node",
            "{\"id\":\"gid://gitlab/MergeRequest/9\",\"title\":\"t\",\"sourceBranch\":\"feat/a\","
            "\"labels\":{\"nodes\":[{\"title\":\"chore\"}]}}"),
        CATEGORIES, "feature branch, maintenance label");
}

static void test_pipeline(void **state)
{
    are(map(state, WH_ORIGIN_REST, "pipeline",
            "{\"id\":9,\"source\":\"schedule\",\"ref\":\"main\"}"),
        CATEGORIES, "maintenance source");
    are(map(state, WH_ORIGIN_WEBHOOK, "pipeline",
            "{\"object_attributes\":{\"id\":9,\"source\":\"push\",\"ref\":\"fix/a\"}}"),
        CATEGORIES, "fix branch");
    are(map(state, WH_ORIGIN_REST, "pipeline", "{\"id\":9,\"source\":\"push\",\"ref\":\"main\"}"),
        CATEGORIES, "-");
}

/* Without one of the inputs it is not known which rules apply. */
static void test_not_shown(void **state)
{
    assert_false(th_json_has(map(state, WH_ORIGIN_REST, "issue", "{\"id\":9,\"title\":\"fix: x\"}"),
                             CATEGORIES));
    assert_false(th_json_has(map(state, WH_ORIGIN_REST, "pipeline", "{\"id\":9}"), CATEGORIES));
    are(map(state, WH_ORIGIN_MCP, "work_item_node",
            "{\"id\":\"gid://gitlab/WorkItem/9\",\"title\":\"t\",\"workItemType\":{\"name\":"
            "\"Incident\"},\"widgets\":[{\"type\":\"LABELS\",\"labels\":{\"nodes\":[{\"title\":"
            "\"bug\"}]}}]}"),
        "observations.1.fields.categories", "incident type, fix label");
}

static void test_override(void **state)
{
    char *dir = th_tmp_new();
    char path[TEXT_MAX];
    struct mapper_views *views;
    struct th_map *own;
    struct wh_err err;
    FILE *f;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/own.json", dir);
    f = fopen(path, "we");
    assert_non_null(f);
    (void)fputs("{\"categories\":{\"work_item\":[{\"category\":\"St\xC3\xB6rung\",\"title\":"
                "[\"*ST\xC3\x96RUNG*\"]},{\"category\":\"rest\",\"title\":[\"*\"]}]}}",
                f);
    assert_int_equal(fclose(f), 0);
    th_ok(mapper_views_load(dir, &views, &err), &err);
    own = th_map_new(views);
    are(map((void **)&own, WH_ORIGIN_REST, "issue",
            "{\"id\":9,\"title\":\"Die gro\xC3\x9F"
            "e st\xC3\xB6rung!\",\"labels\":[\"bug\"]}"),
        CATEGORIES, "St\xC3\xB6rung title, rest title");
    th_map_free(own);
    mapper_views_free(views);
    th_tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_issue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pipeline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_shown, setup, teardown),
        cmocka_unit_test(test_override),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
