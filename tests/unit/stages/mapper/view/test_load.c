#include "tests/lib/th_cmocka.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "tests/lib/th_map.h"
#include "tests/lib/th_tmp.h"

#define VIEW(emit)                                                                                 \
    "{\"views\":[{\"name\":\"v@1\",\"match\":{\"origin\":[\"rest\"],\"kind\":[\"x\"]},\"emit\":"   \
    "[" emit "]}]}"
#define SOURCE "\"source\":{\"kind\":\"issue\",\"id\":\"/id\"},\"version\":{\"else\":\"observed\"}"

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        const char *err;
    } cases[] = {
        {"[]", "JSON object"},
        {"{\"view\":1}", "unknown key 'view'"},
        {"{", "malformed"},
        {VIEW("{\"kind\":\"wrong\"}"), "canonical kind"},
        {VIEW("{\"kind\":\"note\"," SOURCE "}"), "'fields' or 'delete'"},
        {VIEW("{\"kind\":\"note\"," SOURCE ",\"fields\":{\"nope\":\"/a\"}}"), "no field 'nope'"},
        {VIEW("{\"kind\":\"note\"," SOURCE ",\"fields\":{\"text\":\"a\"}}"), "not a pointer"},
        {VIEW("{\"kind\":\"note\"," SOURCE
              ",\"fields\":{\"text\":{\"from\":\"/a\",\"as\":\"time\"}}}"),
         "does not fit"},
        {VIEW("{\"kind\":\"note\"," SOURCE
              ",\"fields\":{\"text\":{\"from\":\"/a\",\"as\":\"x\"}}}"),
         "unknown conversion 'x'"},
        {VIEW("{\"kind\":\"note\"," SOURCE ",\"fields\":{\"text\":{\"as\":\"string\"}}}"),
         "lacks 'from'"},
        {VIEW("{\"kind\":\"note\"," SOURCE ",\"fields\":{\"work_item\":\"/a\"}}"),
         "name the source kind"},
        {VIEW("{\"kind\":\"note\"," SOURCE ",\"fields\":{\"text\":\"={/a\"}}"), "lacks a '}'"},
        {VIEW("{\"kind\":\"note\"," SOURCE ",\"fields\":{\"text\":\"@nothing\"}}"),
         "not a known operand"},
        {VIEW("{\"kind\":\"note\"," SOURCE ",\"fields\":{\"text\":\"/a/b/c/d/e/f/g/h/i\"}}"),
         "too deep"},
        {VIEW("{\"use\":\"nobody\"}"), "unknown definition"},
        {VIEW("{\"kind\":\"note\",\"fields\":{},\"version\":{}}"), "needs 'source'"},
        {VIEW(""), "at least one"},
        {"{\"edition\":512}", "from 0 to 511"},
        {"{\"words\":{\"a\":[\"-\"]}}", "cannot be compared"},
        {"{\"labels\":{\"a\":[{\"b\":1}]}}", "must be a text"},
        {"{\"categories\":{\"a\":[{\"label\":[\"b\"]}]}}", "lacks 'category'"},
        {"{\"categories\":{\"a\":[{\"category\":\"b\",\"url\":[\"c\"]}]}}", "has no 'url'"},
        {VIEW("{\"kind\":\"note\"," SOURCE
              ",\"fields\":{\"text\":{\"from\":\"/a\",\"as\":\"line:x\"}}}"),
         "unknown table 'x'"},
        {"{\"ignore\":[{\"origin\":[\"mail\"],\"kind\":[\"x\"]}]}", "origin must be"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mapper_views *views;
        struct wh_err err = {0};

        assert_int_equal(mapper_views_load_text(wh_slice_str(cases[i].text), &views, &err),
                         WH_E_CONFIG);
        if (strstr(err.msg, cases[i].err) == NULL) {
            fail_msg("case %zu: %s", i, err.msg);
        }
    }
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[512];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* A folder's views go over the built-in ones; the rest stays. */
static void test_folder(void **state)
{
    char *dir = th_tmp_new();
    struct mapper_views *views;
    struct th_map *map;
    struct wh_json_val v;
    struct wh_err err;

    (void)state;
    write_file(
        dir, "own.json",
        "{\"ignore\":[{\"origin\":[\"webhook\"],\"kind\":[\"note\"]}],"
        "\"views\":[{\"name\":\"own@1\",\"match\":{\"origin\":[\"rest\"],\"kind\":[\"issue\"]},"
        "\"emit\":[{\"kind\":\"work_item\"," SOURCE ",\"fields\":{\"title\":\"/summary\"}}]}]}");
    write_file(dir, "README.md", "not a view");
    th_ok(mapper_views_load(dir, &views, &err), &err);
    map = th_map_new(views);
    v = th_map(map, WH_ORIGIN_REST, "issue", "1", "1", WH_LIT("{\"id\":3,\"summary\":\"s\"}"));
    th_slice_is(wh_json_string(th_json(v, "observations.0.fields.title")), "s");
    v = th_map(map, WH_ORIGIN_WEBHOOK, "note", "1", "1", WH_LIT("{}"));
    th_slice_is(wh_json_string(th_json(v, "outcome")), "ignored");
    v = th_map(map, WH_ORIGIN_REST, "user", "1", "1", WH_LIT("{\"id\":3,\"name\":\"n\"}"));
    th_slice_is(wh_json_string(th_json(v, "observations.0.fields.name")), "n");
    th_map_free(map);
    mapper_views_free(views);
    write_file(dir, "bad.json", "{]");
    assert_int_equal(mapper_views_load(dir, &views, &err), WH_E_CONFIG);
    assert_non_null(strstr(err.msg, "bad.json"));
    th_tmp_remove(dir);
    assert_int_equal(mapper_views_load("/nonexistent-folder", &views, &err), WH_E_CONFIG);
}

/* The built-in files are those of the repository, and compile as a folder too. */
static void test_repository(void **state)
{
    struct mapper_views *built_in;
    struct mapper_views *folder;
    struct wh_err err;

    (void)state;
    th_ok(mapper_views_load(NULL, &built_in, &err), &err);
    th_ok(mapper_views_load("schemas/views", &folder, &err), &err);
    assert_int_equal(mapper_views_count(folder), 2 * mapper_views_count(built_in));
    mapper_views_free(built_in);
    mapper_views_free(folder);
}

static struct wh_slice described(struct mapper_views *views, const char *kind, const char *field,
                                 const char *member, struct wh_json_parser *parser,
                                 struct wh_buf *out)
{
    char path[128];
    struct wh_json_val root;
    struct wh_err err;

    wh_buf_reset(out);
    th_ok(mapper_views_describe(views, out, &err), &err);
    th_ok(wh_json_parse(parser, wh_buf_slice(out), &root, &err), &err);
    (void)snprintf(path, sizeof(path), "kinds.%s.%s.0.%s", kind, field, member);
    return wh_json_string(th_json(root, path));
}

/* What fills a field: of the view that maps the kind, not of one that it overrides. */
static void test_described(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(1 << 20, 16);
    WH_AUTO(buf) struct wh_buf out;
    char *dir = th_tmp_new();
    struct mapper_views *views;
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, 1 << 20);
    th_ok(mapper_views_load(NULL, &views, &err), &err);
    th_slice_is(described(views, "work_item", "stated_started_at", "rule", parser, &out),
                "line:started");
    th_slice_is(described(views, "work_item", "stated_started_at", "pointer", parser, &out),
                "/object_attributes/description");
    th_slice_is(described(views, "project", "visibility", "conversion", parser, &out),
                "map:visibility");
    mapper_views_free(views);
    write_file(dir, "own.json",
               "{\"views\":[{\"name\":\"own@2\",\"match\":{\"origin\":[\"rest\",\"mcp\","
               "\"import\"],\"kind\":[\"user\"]},\"emit\":[{\"kind\":\"team_member\"," SOURCE
               ",\"fields\":{\"location\":\"/where\"}}]}]}");
    th_ok(mapper_views_load(dir, &views, &err), &err);
    th_slice_is(described(views, "team_member", "location", "view", parser, &out), "own@2");
    th_slice_is(described(views, "team_member", "location", "pointer", parser, &out), "/where");
    mapper_views_free(views);
    wh_json_parser_free(parser);
    th_tmp_remove(dir);
}

/* The same event by a higher edition is newer, and by nothing else. */
static void test_edition(void **state)
{
    char *dir = th_tmp_new();
    struct mapper_views *views[2];
    uint64_t order[2];
    struct wh_err err;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct th_map *map;
        struct wh_json_val v;
        char text[32];

        th_ok(mapper_views_load(dir, &views[i], &err), &err);
        map = th_map_new(views[i]);
        v = th_map(map, WH_ORIGIN_REST, "issue", "1", "1",
                   WH_LIT("{\"id\":3,\"updated_at\":\"2026-11-24T00:00:00Z\"}"));
        (void)snprintf(text, sizeof(text), "%.*s",
                       WH_SLICE_ARG(wh_json_string(th_json(v, "observations.0.order"))));
        order[i] = strtoull(text, NULL, 10);
        th_map_free(map);
        write_file(dir, "a.json", "{\"edition\":7}");
        write_file(dir, "b.json", "{\"edition\":2}");
    }
    assert_int_equal(mapper_views_edition(views[0]), 0);
    assert_int_equal(mapper_views_edition(views[1]), 7);
    assert_int_equal(order[1] - order[0], 7);
    mapper_views_free(views[0]);
    mapper_views_free(views[1]);
    th_tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused), cmocka_unit_test(test_folder),
        cmocka_unit_test(test_repository), cmocka_unit_test(test_described),
        cmocka_unit_test(test_edition)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
