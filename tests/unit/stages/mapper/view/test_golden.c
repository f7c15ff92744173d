/* Every recorded REST row against what an independent script says it is. */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "tests/lib/th_map.h"

static const char *const names[] = {"issues",
                                    "merge_requests",
                                    "pipeline",
                                    "pipeline_details",
                                    "job",
                                    "trigger_job",
                                    "deployments",
                                    "merge_request_notes",
                                    "users_direct_api",
                                    "users"};
static const size_t rows[] = {16, 18, 29, 16, 75, 1, 8, 26, 6, 6};

static void text_is(struct wh_json_val want, struct wh_json_val got, const char *key,
                    const char *where)
{
    if (!th_json_eq(th_json(want, key), th_json(got, key))) {
        struct wh_slice w = wh_json_string(th_json(want, key));
        struct wh_slice g = wh_json_string(th_json(got, key));

        fail_msg("%s: %s is '%.*s', not '%.*s'", where, key, WH_SLICE_ARG(g), WH_SLICE_ARG(w));
    }
}

static void fields_are(struct wh_json_val want, struct wh_json_val got, const char *where)
{
    struct wh_json_iter it = wh_json_iter(want);
    struct wh_json_val a;
    struct wh_json_val b;
    struct wh_slice key;

    while (wh_json_next(&it, &key, &a)) {
        if (!wh_json_get(got, key, &b)) {
            fail_msg("%s: field %.*s is not shown", where, WH_SLICE_ARG(key));
        }
        if (!th_json_eq(a, b)) {
            fail_msg("%s: field %.*s differs", where, WH_SLICE_ARG(key));
        }
    }
    it = wh_json_iter(got);
    while (wh_json_next(&it, &key, &b)) {
        if (!wh_json_get(want, key, &a)) {
            fail_msg("%s: field %.*s is shown and should not", where, WH_SLICE_ARG(key));
        }
    }
}

/* All that are expected are there, and nothing else is. */
static void nested_are(struct wh_json_val want, struct wh_json_val observations, const char *where)
{
    struct wh_json_iter it = wh_json_iter(want);
    struct wh_json_val pair;
    struct wh_json_val o;

    while (wh_json_next(&it, NULL, &pair)) {
        struct wh_json_iter inner = wh_json_iter(observations);
        bool found = false;

        while (wh_json_next(&inner, NULL, &o)) {
            found = found || (th_json_eq(th_json(o, "kind"), th_json(pair, "0")) &&
                              th_json_eq(th_json(o, "source_id"), th_json(pair, "1")));
        }
        if (!found) {
            fail_msg("%s: no nested %.*s", where, WH_SLICE_ARG(wh_json_string(th_json(pair, "0"))));
        }
    }
    it = wh_json_iter(observations);
    (void)wh_json_next(&it, NULL, &o);
    while (wh_json_next(&it, NULL, &o)) {
        struct wh_json_iter inner = wh_json_iter(want);
        bool found = false;

        while (wh_json_next(&inner, NULL, &pair)) {
            found = found || (th_json_eq(th_json(o, "kind"), th_json(pair, "0")) &&
                              th_json_eq(th_json(o, "source_id"), th_json(pair, "1")));
        }
        if (!found) {
            fail_msg("%s: nested %.*s was not expected", where,
                     WH_SLICE_ARG(wh_json_string(th_json(o, "source_id"))));
        }
    }
}

static void check_row(struct th_map *map, struct wh_json_val want, const char *payload,
                      const char *where)
{
    static const char *const texts[] = {"kind", "id", "source_kind", "source_id", "iid", "url"};
    char raw[64];
    char project[32];
    struct wh_json_val got;
    struct wh_json_val main_one;

    (void)snprintf(raw, sizeof(raw), "%.*s", WH_SLICE_ARG(wh_json_string(th_json(want, "raw"))));
    (void)snprintf(project, sizeof(project), "%.*s",
                   WH_SLICE_ARG(wh_json_string(th_json(want, "project"))));
    got = th_map(map, WH_ORIGIN_REST, raw, project, "", wh_slice_str(payload));
    if (!wh_slice_eq(wh_json_string(th_json(got, "rc")), WH_LIT("ok"))) {
        fail_msg("%s: %.*s", where, WH_SLICE_ARG(wh_json_string(th_json(got, "err"))));
    }
    main_one = th_json(got, "observations.0");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        text_is(want, main_one, texts[i], where);
    }
    text_is(want, main_one, "at", where);
    fields_are(th_json(want, "fields"), th_json(main_one, "fields"), where);
    nested_are(th_json(want, "nested"), th_json(got, "observations"), where);
}

static void test_recorded_rows(void **state)
{
    struct th_map *map = th_map_new(NULL);
    struct wh_json_parser *parser = wh_json_parser_new(16 << 20, 32);

    (void)state;
    for (size_t f = 0; f < sizeof(names) / sizeof(names[0]); f++) {
        char path[128];
        size_t len;
        size_t n;
        char **payloads;
        char *golden;
        struct wh_json_val root;
        struct wh_json_val want;
        struct wh_json_iter it;
        struct wh_err err;
        size_t i = 0;

        (void)snprintf(path, sizeof(path), "tests/fixtures/gitlab/devlake/_raw_gitlab_api_%s.csv",
                       names[f]);
        payloads = th_csv_column(path, "data", &n);
        assert_int_equal(n, rows[f]);
        (void)snprintf(path, sizeof(path), "tests/fixtures/gitlab/golden/%s.json", names[f]);
        golden = th_file_read(path, &len);
        th_ok(wh_json_parse(parser, wh_slice(golden, len), &root, &err), &err);
        it = wh_json_iter(root);
        while (wh_json_next(&it, NULL, &want)) {
            char where[64];

            (void)snprintf(where, sizeof(where), "%s row %zu", names[f], i);
            assert_true(i < n);
            check_row(map, want, payloads[i++], where);
        }
        assert_int_equal(i, n);
        wh_mem_free(golden);
        th_csv_free(payloads, n);
    }
    wh_json_parser_free(parser);
    th_map_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_recorded_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
