/* The control API's door: who may call what, and how much of a body is read. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "stages/fetcher/control/control.h"
#include "tests/lib/th_fetcher.h"
#include "tests/lib/th_http.h"
#include "tests/lib/th_tmp.h"

#define TOKEN "0123456789abcdef"

struct fixture {
    struct wh_loop *loop;
    struct fetcher *fetcher; /* it is catching up */
    struct control *control;
    struct wh_http_handler handler;
    char *folder;
};

static int set_up(void **state)
{
    struct fixture *f = wh_mem_zalloc(1, sizeof(*f));
    char path[512];
    struct wh_err err;

    f->folder = th_tmp_new();
    (void)snprintf(path, sizeof(path), "%s/token", f->folder);
    th_ok(wh_conf_secret_create(path, WH_LIT(TOKEN), &err), &err);
    f->loop = wh_loop_new();
    assert_non_null(f->loop);
    th_ok(fetcher_new(&(struct fetcher_deps){.loop = f->loop,
                                             .clock = wh_clock_real(),
                                             .conf = th_fetcher_conf()},
                      &f->fetcher, &err),
          &err);
    th_ok(control_new(f->fetcher, path, &f->control, &err), &err);
    f->handler = control_handler(f->control);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    control_free(f->control);
    fetcher_free(f->fetcher);
    wh_loop_free(f->loop);
    th_tmp_remove(f->folder);
    wh_mem_free(f);
    return 0;
}

struct call {
    const char *method;
    const char *path;
    bool takes_body;
};

static const struct call calls[] = {
    {"POST", "/api/v1/connections", true},
    {"POST", "/api/v1/connects/s1/redirect", true},
    {"POST", "/api/v1/connections/c1/sync", false},
    {"POST", "/api/v1/connections/c1/verify", false},
    {"POST", "/api/v1/connections/c1/confirm-deletes", false},
    {"POST", "/api/v1/connections/c1/disconnect", false},
    {"POST", "/api/v1/connections/c1/purge", false},
    {"GET", "/api/v1/connects/s1", false},
};

enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

static unsigned ask(struct fixture *f, const char *method, const char *path, struct wh_slice body,
                    const char *authorization, bool *ret_read)
{
    struct th_http_req req;

    th_http_init(&req, method, path);
    req.body = body;
    if (authorization) {
        th_http_header(&req, "Authorization", authorization);
    }
    th_http_begin(&req, &f->handler);
    th_http_over(&req, &f->handler);
    th_http_done(&req);
    *ret_read = req.body_read;
    return req.status;
}

static void test_nothing_is_read_without_the_token(void **state)
{
    static const char *const wrong[] = {NULL, "", "Bearer", "Bearer 0123456789abcdeX",
                                        "Basic " TOKEN};
    struct fixture *f = *state;
    bool read = true;

    for (size_t i = 0; i < CALLS; i++) {
        for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
            assert_int_equal(ask(f, calls[i].method, calls[i].path, WH_LIT("{}"), wrong[k], &read),
                             401);
            assert_false(read);
        }
    }
    assert_int_equal(ask(f, "POST", "/nothing", WH_LIT("{}"), NULL, &read), 401);
    assert_false(read);
}

/* With the token, a body where one belongs; the fetcher is catching up, which is the answer then.
 */
static void test_bodies_belong_to_some_calls(void **state)
{
    struct fixture *f = *state;
    bool read = false;

    for (size_t i = 0; i < CALLS; i++) {
        assert_int_equal(ask(f, calls[i].method, calls[i].path, WH_LIT(""), "Bearer " TOKEN, &read),
                         503);
        assert_int_equal(
            ask(f, calls[i].method, calls[i].path, WH_LIT("{}"), "Bearer " TOKEN, &read),
            calls[i].takes_body ? 503 : 413);
    }
    assert_int_equal(ask(f, "POST", "/nothing", WH_LIT("{}"), "Bearer " TOKEN, &read), 404);
    assert_false(read);
}

static void test_bodies_are_bounded(void **state)
{
    static char long_body[(64 << 10) + 1];
    struct fixture *f = *state;
    bool read;

    assert_int_equal(ask(f, "POST", "/api/v1/connections", wh_slice(long_body, sizeof(long_body)),
                         "Bearer " TOKEN, &read),
                     413);
    assert_int_equal(ask(f, "POST", "/api/v1/connections",
                         wh_slice(long_body, sizeof(long_body) - 1), "Bearer " TOKEN, &read),
                     503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_nothing_is_read_without_the_token),
        T(test_bodies_belong_to_some_calls),
        T(test_bodies_are_bounded),
    };

    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
