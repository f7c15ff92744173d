/* Pages over HTTP: who may see them, their twins, and what they say when something is wrong. */
#include <string.h>

#include "common/base/mem.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"

enum { ROWS = 30 };

static struct th_api *new_api(void)
{
    const struct sink_api_conf conf = {
        .sql_timeout_ms = 5000, .sql_timeout_max_ms = 5000, .sql_rows = 1000, .sql_bytes = 8 << 20};

    return th_api_new(&conf, ROWS, 7);
}

static bool has(const struct wh_buf *buf, const char *text)
{
    return buf->ptr && strstr(buf->ptr, text) != NULL;
}

/* name NULL: the request has no argument. */
static void get(struct th_api *f, const char *path, const char *name, const char *value,
                unsigned status, const char *text)
{
    struct th_http_req req;

    th_api_request(f, &req, "GET", path);
    if (name) {
        th_http_arg(&req, name, value);
    }
    th_http_send(&req, &f->handler, f->loop);
    if (req.status != status || !has(&req.answer, text)) {
        fail_msg("%s: %u, no %s in %s", path, req.status, text, req.answer.ptr);
    }
    th_http_done(&req);
}

static void test_pages(void **state)
{
    struct th_api *f = new_api();

    (void)state;
    get(f, "/t/work_items", "_size", "5", 200, "<table>");
    get(f, "/t/work_items.json", "_size", "5", 200, "\"rows\":[{");
    get(f, "/t/work_items.csv", "_size", "5", 200, "id,");
    get(f, "/incidents", NULL, NULL, 200, "<h1>Incidents</h1>");
    get(f, "/sql", NULL, NULL, 200, "<textarea");
    get(f, "/sql", "sql", "select 41+1 as answer", 200, ">42</td>");
    get(f, "/sql", "sql", "drop table x", 200, "role=\"alert\"");
    get(f, "/t/no_such_table", NULL, NULL, 400, "role=\"alert\"");
    get(f, "/e/0ab8c8f0-0000-5000-8000-00000000000f", NULL, NULL, 404, "no entity has this id");
    th_api_free(f);
}

/* Each page names its twins; a twin names itself, without its ending twice. */
static void test_twins_name_themselves(void **state)
{
    struct th_api *f = new_api();

    (void)state;
    get(f, "/sql", "sql", "select 1", 200, "\"/sql.json\"");
    get(f, "/incidents.json", NULL, NULL, 200, "\"/incidents.csv\"");
    get(f, "/incidents.json", NULL, NULL, 200, "\"/incidents.json\"");
    get(f, "/index.json", NULL, NULL, 200, "\"/index.json\"");
    th_api_free(f);
}

static void test_no_page(void **state)
{
    struct th_api *f = new_api();
    struct th_http_req req;

    (void)state;
    th_api_request(f, &req, "GET", "/no-such-page");
    th_http_header(&req, "Accept", "text/html,*/*");
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(req.status, 404);
    assert_true(has(&req.answer, "<nav"));
    assert_true(has(&req.answer, "nothing is at this address"));
    th_http_done(&req);
    th_api_request(f, &req, "GET", "/no-such-page");
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(req.status, 404);
    assert_string_equal(req.content_type, "application/json");
    th_http_done(&req);
    th_api_free(f);
}

static void test_safe_headers(void **state)
{
    struct th_api *f = new_api();
    struct th_http_req req;

    (void)state;
    th_api_request(f, &req, "GET", "/sql");
    th_http_send(&req, &f->handler, f->loop);
    assert_true(has(&req.answer_headers, "Content-Security-Policy: default-src 'none'"));
    assert_true(has(&req.answer_headers, "X-Content-Type-Options: nosniff"));
    assert_false(has(&req.answer, "<script>"));
    th_http_done(&req);
    th_api_free(f);
}

static void send(struct th_api *f, struct th_http_req *req, const char *method, const char *path,
                 const char *cookie, const char *origin)
{
    th_http_init(req, method, path);
    th_http_header(req, "Host", "wellhead.example.com");
    if (cookie) {
        th_http_header(req, "Cookie", cookie);
    }
    if (origin) {
        th_http_header(req, "Origin", origin);
    }
    th_http_send(req, &f->handler, f->loop);
}

/* Takes a link with the token, and posts its code; gives the cookie, "wellhead=...". */
static void log_in(struct th_api *f, char cookie[128])
{
    struct th_http_req req;
    char body[128] = "";
    const char *at;

    th_api_request(f, &req, "POST", "/api/v1/login-links");
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(req.status, 200);
    at = strstr(req.answer.ptr, "code=");
    assert_non_null(at);
    (void)snprintf(body, sizeof(body), "%.69s", at);
    th_http_done(&req);

    th_http_init(&req, "POST", "/login");
    th_http_header(&req, "Host", "wellhead.example.com");
    th_http_header(&req, "Origin", "https://wellhead.example.com");
    req.body = wh_slice_str(body);
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(req.status, 303);
    assert_true(has(&req.answer_headers, "HttpOnly; SameSite=Strict; Secure"));
    at = strstr(req.answer_headers.ptr, "wellhead=");
    assert_non_null(at);
    (void)snprintf(cookie, 128, "%.73s", at);
    th_http_done(&req);
}

static void test_login(void **state)
{
    struct th_api *f = new_api();
    struct th_http_req req;
    char cookie[128];

    (void)state;
    send(f, &req, "GET", "/", NULL, NULL);
    assert_int_equal(req.status, 401);
    assert_true(has(&req.answer, "wellhead open"));
    th_http_done(&req);
    log_in(f, cookie);
    send(f, &req, "GET", "/sql", cookie, NULL);
    assert_int_equal(req.status, 200);
    th_http_done(&req);
    send(f, &req, "GET", "/api/v1/kinds", cookie, NULL);
    assert_int_equal(req.status, 200);
    th_http_done(&req);
    /* A session makes no links. */
    send(f, &req, "POST", "/api/v1/login-links", cookie, "https://wellhead.example.com");
    assert_int_equal(req.status, 403);
    th_http_done(&req);
    send(f, &req, "POST", "/logout", cookie, "https://wellhead.example.com");
    assert_int_equal(req.status, 303);
    th_http_done(&req);
    send(f, &req, "GET", "/sql", cookie, NULL);
    assert_int_equal(req.status, 401);
    th_http_done(&req);
    th_api_free(f);
}

/* Another site's page may not act with the browser's session. */
static void test_foreign_origin(void **state)
{
    static const char *const foreign[] = {"https://evil.example.com",
                                          "null",
                                          "https://wellhead.example.com.evil.example.com",
                                          "https://wellhead.example.com:444",
                                          "wellhead.example.com",
                                          ""};
    struct th_api *f = new_api();
    struct th_http_req req;
    char cookie[128];

    (void)state;
    log_in(f, cookie);
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        send(f, &req, "POST", "/logout", cookie, foreign[i]);
        assert_int_equal(req.status, 401);
        th_http_done(&req);
        send(f, &req, "POST", "/login", NULL, foreign[i]);
        assert_int_equal(req.status, 403);
        th_http_done(&req);
    }
    send(f, &req, "POST", "/api/v1/sql", cookie, NULL);
    assert_int_equal(req.status, 401);
    th_http_done(&req);
    send(f, &req, "GET", "/sql", cookie, NULL);
    assert_int_equal(req.status, 200);
    th_http_done(&req);
    th_api_free(f);
}

static void post_form(struct th_api *f, const char *path, const char *body, const char *origin,
                      const char *cookie, unsigned status, const char *text)
{
    struct th_http_req req;

    th_http_init(&req, "POST", path);
    th_http_header(&req, "Host", "wellhead.example.com");
    th_http_header(&req, "Cookie", cookie);
    th_http_header(&req, "Origin", origin);
    req.body = wh_slice_str(body);
    th_http_send(&req, &f->handler, f->loop);
    if (req.status != status || !has(&req.answer, text)) {
        fail_msg("%s: %u, no %s in %s", path, req.status, text, req.answer.ptr);
    }
    th_http_done(&req);
}

/* A form's error is shown on its page; another site's form is refused, and so is one for a page without forms. */
static void test_forms(void **state)
{
    static const char here[] = "https://wellhead.example.com";
    struct th_api *f = new_api();
    char cookie[128];

    (void)state;
    log_in(f, cookie);
    post_form(f, "/connections", "url=https%3A%2F%2Fgitlab.example.com", here, cookie, 503,
              "this sink is not told where the fetcher is");
    post_form(f, "/connections", "url=", here, cookie, 400, "type the address of a GitLab");
    post_form(f, "/connections/some", "do=purge&name=other", here, cookie, 400, "nothing was done");
    post_form(f, "/connections/some", "do=purge&name=%zz", here, cookie, 400, "");
    post_form(f, "/connections", "url=x", "https://evil.example.com", cookie, 401, "");
    post_form(f, "/model", "a=b", here, cookie, 405, "read with GET");
    th_api_free(f);
}

static void test_token_in_address(void **state)
{
    struct th_api *f = new_api();
    struct th_http_req req;

    (void)state;
    th_http_init(&req, "GET", "/sql");
    th_http_arg(&req, "token", f->authorization + strlen("Bearer "));
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(req.status, 401);
    th_http_done(&req);
    th_api_free(f);
}

static void test_assets(void **state)
{
    struct th_api *f = new_api();
    struct th_http_req req;

    (void)state;
    send(f, &req, "GET", "/assets/style.css", NULL, NULL);
    assert_int_equal(req.status, 200);
    assert_string_equal(req.content_type, "text/css; charset=utf-8");
    th_http_done(&req);
    send(f, &req, "GET", "/assets/../api.token", NULL, NULL);
    assert_int_equal(req.status, 404);
    th_http_done(&req);
    send(f, &req, "GET", "/assets/home", NULL, NULL);
    assert_int_equal(req.status, 404);
    th_http_done(&req);
    th_api_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),   cmocka_unit_test(test_twins_name_themselves),
        cmocka_unit_test(test_no_page), cmocka_unit_test(test_safe_headers),
        cmocka_unit_test(test_login),   cmocka_unit_test(test_foreign_origin),
        cmocka_unit_test(test_forms),   cmocka_unit_test(test_token_in_address),
        cmocka_unit_test(test_assets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
