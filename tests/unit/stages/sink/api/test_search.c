/* GET /api/v1/search, and the page of it. */
#include <stdio.h>

#include "common/base/mem.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_facts.h"
#include "tests/lib/th_tmp.h"

enum { AWAIT_MS = 20000 };

struct world {
    char *folder;
    struct th_api *api;
    struct th_facts facts;
    struct wh_json_parser *parser;
    struct th_http_req req;
};

/* clang-format off */
static const char records[] =
    "[{\"kind\":\"project\",\"id\":\"9\",\"at\":\"2026-05-01\",\"path\":\"shop/web\",\"name\":\"web\","
      "\"url\":\"https://gitlab.test/shop/web\"},"
     "{\"kind\":\"project\",\"id\":\"10\",\"at\":\"2026-05-01\",\"path\":\"shop/api\",\"name\":\"api\","
      "\"url\":\"https://gitlab.test/shop/api\"},"
     "{\"kind\":\"work_item\",\"id\":\"71\",\"at\":\"2026-05-01\",\"type\":\"merge_request\",\"iid\":\"12\","
      "\"project_id\":\"9\",\"project\":\"project:9\",\"state\":\"opened\",\"title\":\"Retry payments\","
      "\"sha\":\"0123456789abcdef0123456789abcdef01234567\","
      "\"url\":\"https://gitlab.test/shop/web/-/merge_requests/12\"},"
     "{\"kind\":\"work_item\",\"id\":\"72\",\"at\":\"2026-05-01\",\"type\":\"issue\",\"iid\":\"45\",\"confidential\":false,"
      "\"project_id\":\"10\",\"project\":\"project:10\",\"state\":\"closed\",\"title\":\"Payments <script>fail</script>\","
      "\"description\":\"A customer says that <b>payments</b> fail since !12.\","
      "\"url\":\"https://gitlab.test/shop/api/-/issues/45\"},"
     "{\"kind\":\"note\",\"id\":\"1\",\"at\":\"2026-05-01\",\"text\":\"Seen again.\",\"noteable_type\":\"Issue\","
      "\"work_item\":\"issue:72\",\"project\":\"project:10\","
      "\"url\":\"https://gitlab.test/shop/api/-/issues/45#note_1\"}]";
/* clang-format on */

static int set_up(void **state)
{
    static char token_path[256];
    struct sink_api_conf conf = {.sql_timeout_ms = 60000,
                                 .sql_timeout_max_ms = 60000,
                                 .sql_rows = 100000,
                                 .sql_bytes = 32 << 20};
    struct world *w = wh_mem_zalloc(1, sizeof(*w));

    assert_non_null(w);
    w->folder = th_tmp_new();
    (void)snprintf(token_path, sizeof(token_path), "%s/search.token", w->folder);
    conf.search_token_file = token_path;
    w->api = th_api_new(&conf, 0, 1);
    th_facts_init_on(&w->facts, w->api->store);
    w->parser = wh_json_parser_new(1 << 20, 32);
    assert_non_null(w->parser);
    th_facts_put(&w->facts, records);
    assert_true(search_await(w->api->search, sink_apply_sequence(w->facts.apply), AWAIT_MS));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    wh_json_parser_free(w->parser);
    th_facts_done(&w->facts);
    th_api_free(w->api);
    th_tmp_remove(w->folder);
    wh_mem_free(w);
    return 0;
}

/* path: with a query of its own, or none. */
static const char *get(struct world *w, const char *path, const char *text, unsigned status)
{
    static char url[1024];
    char *rest = NULL;
    char *part;

    (void)snprintf(url, sizeof(url), "%s", path);
    part = strtok_r(url, "?", &rest);
    th_api_request(w->api, &w->req, "GET", part);
    while ((part = strtok_r(NULL, "&", &rest)) != NULL) {
        char *value = strchr(part, '=');

        *value = '\0';
        th_http_arg(&w->req, part, value + 1);
    }
    if (text) {
        th_http_arg(&w->req, "_search", text);
    }
    th_http_send(&w->req, &w->api->handler, w->api->loop);
    if (w->req.status != status) {
        fail_msg("%s %s: %u %s", path, text ? text : "", w->req.status, wh_buf_str(&w->req.answer));
    }
    return wh_buf_str(&w->req.answer);
}

static void has(struct world *w, const char *part)
{
    if (strstr(wh_buf_str(&w->req.answer), part) == NULL) {
        fail_msg("there is no %s in %s", part, wh_buf_str(&w->req.answer));
    }
}

static struct wh_json_val root_of(struct world *w)
{
    struct wh_json_val root;
    struct wh_err err;

    th_ok(wh_json_parse(w->parser, wh_buf_slice(&w->req.answer), &root, &err), &err);
    return root;
}

static struct wh_json_val row(struct world *w, size_t n)
{
    struct wh_json_iter it = wh_json_get_iter(root_of(w), "rows");
    struct wh_json_val v;

    for (size_t i = 0; wh_json_next(&it, NULL, &v); i++) {
        if (i == n) {
            return v;
        }
    }
    fail_msg("there is no row %zu in %s", n, wh_buf_str(&w->req.answer));
    return v;
}

static void first_is(struct world *w, const char *text, const char *url)
{
    (void)get(w, "/api/v1/search", text, 200);
    th_slice_is(wh_json_get_str(row(w, 0), "url"), url);
    th_slice_is(wh_json_get_str(row(w, 0), "field"), "reference");
    th_http_done(&w->req);
}

/* S2 */
static void what_is_named_exactly_comes_first(void **state)
{
    struct world *w = *state;
    static const char mr[] = "https://gitlab.test/shop/web/-/merge_requests/12";
    static const char issue[] = "https://gitlab.test/shop/api/-/issues/45";

    first_is(w, "!12", mr);
    first_is(w, "shop/web!12", mr);
    first_is(w, " Shop/Web!12 ", mr);
    first_is(w, "#45", issue);
    first_is(w, "shop/api#45", issue);
    first_is(w, "https://gitlab.test/shop/web/-/merge_requests/12/diffs?tab=x", mr);
    first_is(w, "gitlab.test/shop/api/issues/45", issue);
    first_is(w, "https://gitlab.test/shop/api/-/issues/45#note_1",
             "https://gitlab.test/shop/api/-/issues/45#note_1");
    first_is(w, "https://gitlab.test/shop/api/-/issues/45#note_2", issue);
    first_is(w, "0123456789abcdef0123456789abcdef01234567", mr);
    first_is(w, "0123456", mr);
    first_is(w, "https://gitlab.test/shop/api", "https://gitlab.test/shop/api");
    (void)get(w, "/api/v1/search", "seen again", 200);
    th_slice_is(wh_json_get_str(row(w, 0), "kind"), "comment");
    th_slice_is(wh_json_get_str(row(w, 0), "title"), "Comment on Payments <script>fail</script>");
    th_http_done(&w->req);
    (void)get(w, "/api/v1/search", "shop/web!13", 200);
    th_http_done(&w->req);
}

/* S3 */
static void a_hit_says_what_matches_where(void **state)
{
    struct world *w = *state;

    (void)get(w, "/api/v1/search", "payments fail", 200);
    th_slice_is(wh_json_get_str(row(w, 0), "kind"), "issue");
    th_slice_is(wh_json_get_str(row(w, 0), "state"), "closed");
    th_slice_is(wh_json_get_str(row(w, 0), "field"), "title");
    th_slice_is(wh_json_get_str(row(w, 0), "project_path"), "shop/api");
    th_slice_is(wh_json_get_str(row(w, 0), "snippet"),
                "A customer says that <b>payments</b> fail since !12.");
    has(w, "{\"text\":\"payments\",\"match\":true}");
    th_http_done(&w->req);
    (void)get(w, "/api/v1/search", "payments", 200);
    has(w, "\"kinds\":[{\"kind\":\"merge_request\",\"count\":1,\"selected\":false,"
           "\"page\":\"/search?_search=payments&kind=merge_request\"},"
           "{\"kind\":\"issue\",\"count\":1");
    has(w, "\"total\":2,\"partial\":false");
    th_http_done(&w->req);
    (void)get(w, "/api/v1/search?kind=issues", "payments", 200);
    has(w, "\"total\":1,");
    th_http_done(&w->req);
    (void)get(w, "/api/v1/search?kind=nonsense", "payments", 400);
    th_http_done(&w->req);
    (void)get(w, "/api/v1/search", NULL, 400);
    th_http_done(&w->req);
}

static void the_page_and_its_twins_show_the_same(void **state)
{
    struct world *w = *state;

    (void)get(w, "/search", "payments fail", 200);
    has(w, "<mark>Payments</mark> &lt;script&gt;<mark>fail</mark>&lt;/script&gt;");
    has(w, "&lt;b&gt;<mark>payments</mark>&lt;/b&gt;");
    assert_null(strstr(wh_buf_str(&w->req.answer), "<script>fail"));
    th_http_done(&w->req);
    (void)get(w, "/search.json", "payments fail", 200);
    has(w, "\"title\":\"Payments <script>fail</script>\"");
    th_http_done(&w->req);
    (void)get(w, "/search.csv", "payments fail", 200);
    has(w, "kind,id,title,state,");
    has(w, ",Payments <script>fail</script>,closed,shop/api,"
           "https://gitlab.test/shop/api/-/issues/45,");
    th_http_done(&w->req);
    (void)get(w, "/search", NULL, 200);
    has(w, "<input id=\"search\" name=\"_search\"");
    th_http_done(&w->req);
    (void)get(w, "/search", "nowhere", 200);
    has(w, "No record has these words.");
    th_http_done(&w->req);
}

/* S4 */
static void a_former_text_says_where_it_stood(void **state)
{
    struct world *w = *state;

    th_facts_put(
        &w->facts,
        "{\"kind\":\"work_item\",\"id\":\"71\",\"at\":\"2026-05-02\",\"type\":\"merge_request\","
        "\"title\":\"Retry every payment\"}");
    th_facts_put(
        &w->facts,
        "{\"kind\":\"work_item\",\"id\":\"71\",\"at\":\"2026-05-03\",\"type\":\"merge_request\","
        "\"title\":\"Retry nothing\"}");
    assert_true(search_await(w->api->search, sink_apply_sequence(w->facts.apply), AWAIT_MS));
    (void)get(w, "/api/v1/search", "every", 200);
    th_slice_is(wh_json_get_str(row(w, 0), "note"), "only in revision 2; the text is gone now");
    th_slice_is(wh_json_get_str(row(w, 0), "title"), "Retry nothing");
    has(w, "\"snippet_parts\":[{\"text\":\"Retry \",\"match\":false},"
           "{\"text\":\"every\",\"match\":true},{\"text\":\" payment\",\"match\":false}]");
    th_http_done(&w->req);
}

static void pages_follow_each_other(void **state)
{
    struct world *w = *state;
    struct wh_json_val next;
    char path[512];

    (void)get(w, "/api/v1/search?_size=1", "payments", 200);
    th_slice_is(wh_json_get_str(row(w, 0), "title"), "Retry payments");
    assert_true(wh_json_get(root_of(w), WH_LIT("next_url"), &next));
    (void)snprintf(path, sizeof(path), "%.*s", WH_SLICE_ARG(wh_json_string(next)));
    th_http_done(&w->req);
    (void)get(w, path, NULL, 200);
    th_slice_is(wh_json_get_str(row(w, 0), "title"), "Payments <script>fail</script>");
    has(w, "\"next\":null");
    th_http_done(&w->req);
    (void)get(w, "/api/v1/search?_next=nonsense", "payments", 400);
    th_http_done(&w->req);
}

static void the_status_says_how_far_the_index_is(void **state)
{
    struct world *w = *state;

    (void)get(w, "/api/v1/status", NULL, 200);
    has(w, "\"search\":{\"ready\":true,\"building\":false,\"records\":5,\"read\":0,\"sequence\":5,"
           "\"behind\":0,\"lag_ms\":0,");
    th_http_done(&w->req);
}

/* The token that may only search. */
static unsigned search_as_stranger(struct world *w, const char *path, const char *text)
{
    char file[256];
    char token[80] = {0};
    char authorization[128];
    FILE *f;

    (void)snprintf(file, sizeof(file), "%s/search.token", w->folder);
    f = fopen(file, "r");
    assert_non_null(f);
    assert_int_equal(fread(token, 1, 64, f), 64);
    (void)fclose(f);
    (void)snprintf(authorization, sizeof(authorization), "Bearer %s", token);
    th_http_init(&w->req, "GET", path);
    th_http_header(&w->req, "Authorization", authorization);
    th_http_arg(&w->req, "_search", text);
    th_http_send(&w->req, &w->api->handler, w->api->loop);
    return w->req.status;
}

static void a_limited_token_finds_nothing_confidential(void **state)
{
    struct world *w = *state;

    assert_int_equal(search_as_stranger(w, "/api/v1/search", "payments"), 200);
    has(w, "\"total\":2,");
    th_http_done(&w->req);
    th_facts_put(
        &w->facts,
        "{\"kind\":\"work_item\",\"id\":\"72\",\"at\":\"2026-05-02\",\"confidential\":true}");
    assert_true(search_await(w->api->search, sink_apply_sequence(w->facts.apply), AWAIT_MS));
    assert_int_equal(search_as_stranger(w, "/api/v1/search", "payments"), 200);
    has(w, "\"total\":1,");
    assert_null(strstr(wh_buf_str(&w->req.answer), "script"));
    th_http_done(&w->req);
    assert_int_equal(search_as_stranger(w, "/api/v1/search", "#45"), 200);
    assert_null(strstr(wh_buf_str(&w->req.answer), "issues/45"));
    th_http_done(&w->req);
    assert_int_equal(search_as_stranger(w, "/api/v1/search", "seen again"), 200);
    has(w, "\"rows\":[]");
    th_http_done(&w->req);
    assert_int_equal(search_as_stranger(w, "/api/v1/kinds", "x"), 401);
    th_http_done(&w->req);
    assert_int_equal(search_as_stranger(w, "/api/v1/entities", "x"), 401);
    th_http_done(&w->req);
    (void)get(w, "/api/v1/search", "payments", 200);
    has(w, "\"total\":2,");
    has(w, "\"confidential\":true");
    th_http_done(&w->req);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_named_exactly_comes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hit_says_what_matches_where, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_page_and_its_twins_show_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_former_text_says_where_it_stood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_follow_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_limited_token_finds_nothing_confidential, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_status_says_how_far_the_index_is, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
