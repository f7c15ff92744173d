/* Saved views: named, replaced, deleted, and the same after a start; through the API, and never from elsewhere. */
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/views/views.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_tmp.h"

static struct wh_slice lit(const char *text)
{
    return wh_slice_str(text);
}

static void list_is(struct views *v, const char *prefix, const char *text)
{
    struct wh_buf out;
    struct wh_json_writer w;
    struct wh_err err;

    wh_buf_init(&out, 1 << 20);
    wh_json_writer_init(&w, &out);
    views_write(v, lit(prefix), &w);
    th_ok(wh_jw_finish(&w, &err), &err);
    if (strstr(wh_buf_str(&out), text) == NULL) {
        fail_msg("no %s in %s", text, wh_buf_str(&out));
    }
    wh_buf_done(&out);
}

static void they_last(void **state)
{
    char *folder = th_tmp_new();
    struct views *v = NULL;
    char path[256];
    char first[VIEW_ID_TEXT + 1];
    char id[VIEW_ID_TEXT + 1];
    struct wh_err err;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/views", folder);
    th_ok(views_new(path, wh_clock_real(), &v, &err), &err);
    list_is(v, "", "[]");
    th_ok(views_put(v, lit("open \"bugs\""), lit("/t/issues?state=opened"), first, &err), &err);
    th_ok(views_put(v, lit("a board"), lit("/charts"), id, &err), &err);
    th_ok(views_put(v, lit("open \"bugs\""), lit("/t/issues?state=closed"), id, &err), &err);
    assert_string_equal(id, first);
    views_free(v);
    th_ok(views_new(path, wh_clock_real(), &v, &err), &err);
    list_is(v, "", "\"name\":\"a board\",\"path\":\"/charts\"");
    list_is(v, "/t/issues", "\"path\":\"/t/issues?state=closed\"");
    th_ok(views_end(v, lit(first), &err), &err);
    assert_int_equal(views_end(v, lit(first), &err), WH_E_NOT_FOUND);
    views_free(v);
    th_ok(views_new(path, wh_clock_real(), &v, &err), &err);
    list_is(v, "/t/", "[]");
    views_free(v);
    th_tmp_remove(folder);
}

static void bad_ones_are_refused(void **state)
{
    static const char *const paths[] = {"",
                                        "t/issues",
                                        "//elsewhere.example",
                                        "/t/a b",
                                        "/t/\r\nX: y",
                                        "https://x.test/",
                                        "/\\elsewhere"};
    struct views *v = NULL;
    char id[VIEW_ID_TEXT + 1];
    char name[32];
    struct wh_err err;

    (void)state;
    th_ok(views_new(NULL, wh_clock_real(), &v, &err), &err);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(views_put(v, lit("x"), lit(paths[i]), id, &err), WH_E_INVALID);
    }
    assert_int_equal(views_put(v, lit(""), lit("/t/issues"), id, &err), WH_E_INVALID);
    for (int i = 0; i < VIEWS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "view %d", i);
        th_ok(views_put(v, lit(name), lit("/t/issues"), id, &err), &err);
    }
    assert_int_equal(views_put(v, lit("x"), lit("/t/issues"), id, &err), WH_E_TOO_LARGE);
    views_free(v);
}

/* ---- over HTTP ---- */

static unsigned send(struct th_api *f, const char *method, const char *path, const char *body,
                     bool token, const char *origin, const char *part)
{
    struct th_http_req req;
    unsigned status;

    th_http_init(&req, method, path);
    th_http_header(&req, "Host", "wellhead.example.com");
    if (token) {
        th_http_header(&req, "Authorization", f->authorization);
    }
    if (origin) {
        th_http_header(&req, "Origin", origin);
    }
    req.body = lit(body);
    th_http_send(&req, &f->handler, f->loop);
    status = req.status;
    if (part && strstr(wh_buf_str(&req.answer), part) == NULL) {
        fail_msg("%s %s: %u, no %s in %s", method, path, status, part, wh_buf_str(&req.answer));
    }
    th_http_done(&req);
    return status;
}

static void over_http(void **state)
{
    const struct sink_api_conf conf = {
        .sql_timeout_ms = 5000, .sql_timeout_max_ms = 5000, .sql_rows = 1000, .sql_bytes = 8 << 20};
    static const char api[] = "/api/v1/saved-views";
    struct th_api *f = th_api_new(&conf, 3, 7);

    (void)state;
    assert_int_equal(send(f, "GET", api, "", true, NULL, "\"rows\":[]"), 200);
    assert_int_equal(send(f, "POST", api, "{\"name\":\"mine\",\"path\":\"/t/issues?state=opened\"}",
                          true, NULL, "\"id\":\""),
                     201);
    assert_int_equal(send(f, "GET", api, "", true, NULL, "\"name\":\"mine\""), 200);
    assert_int_equal(send(f, "GET", "/views", "", true, NULL, "/t/issues?state=opened"), 200);
    assert_int_equal(send(f, "GET", "/t/issues", "", true, NULL, "mine"), 200);
    /* Not a page; no token; a page from elsewhere. */
    assert_int_equal(send(f, "POST", api, "{\"name\":\"x\",\"path\":\"/api/v1/sql\"}", true, NULL,
                          "address of a page"),
                     400);
    assert_int_equal(send(f, "POST", api, "{}", false, NULL, NULL), 401);
    assert_int_equal(
        send(f, "DELETE", "/api/v1/saved-views/0", "", false, "https://elsewhere.example", NULL),
        401);
    assert_int_equal(
        send(f, "DELETE", "/api/v1/saved-views/000000000000", "", true, NULL, "no such view"), 404);
    assert_int_equal(send(f, "DELETE", api, "", true, NULL, NULL), 405);
    th_api_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_last),
        cmocka_unit_test(bad_ones_are_refused),
        cmocka_unit_test(over_http),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
