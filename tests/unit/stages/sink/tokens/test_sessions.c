/* Links work once and for five minutes; sessions end after 30 days, and outlive the process. */
#include "stages/sink/tokens/sessions.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_tmp.h"

enum { MINUTE_MS = 60000, COOKIE_BYTES = 128 };
static const int64_t day_ms = 86400000;

struct fixture {
    char *folder;
    char path[256];
    int64_t now_ms;
    struct page_sessions *sessions;
};

static int64_t now(void *ctx)
{
    return ((struct fixture *)ctx)->now_ms;
}

static void open_sessions(struct fixture *f)
{
    const struct wh_clock clock = {.now_ms = now, .ctx = f};
    struct wh_err err;

    th_ok(page_sessions_new(f->path, clock, &f->sessions, &err), &err);
}

static void begin(struct fixture *f)
{
    *f = (struct fixture){.folder = th_tmp_new(), .now_ms = 1800000000000};
    (void)snprintf(f->path, sizeof(f->path), "%s/sessions", f->folder);
    open_sessions(f);
}

static void end(struct fixture *f)
{
    page_sessions_free(f->sessions);
    th_tmp_remove(f->folder);
}

static void log_in(struct fixture *f, char cookies[COOKIE_BYTES])
{
    char code[SESSION_TEXT + 1];
    char cookie[SESSION_TEXT + 1];
    struct wh_err err;

    th_ok(page_sessions_link(f->sessions, code, &err), &err);
    th_ok(page_sessions_login(f->sessions, wh_slice_str(code), WH_LIT("Browser\n1"), cookie, &err),
          &err);
    (void)snprintf(cookies, COOKIE_BYTES, "other=1; wellhead=%s; more=2", cookie);
}

static void test_link_works_once(void **state)
{
    struct fixture f;
    char code[SESSION_TEXT + 1];
    char cookie[SESSION_TEXT + 1];
    struct wh_err err;

    (void)state;
    begin(&f);
    th_ok(page_sessions_link(f.sessions, code, &err), &err);
    th_ok(page_sessions_login(f.sessions, wh_slice_str(code), WH_LIT("B"), cookie, &err), &err);
    assert_int_equal(page_sessions_login(f.sessions, wh_slice_str(code), WH_LIT("B"), cookie, &err),
                     WH_E_AUTH);
    th_ok(page_sessions_link(f.sessions, code, &err), &err);
    f.now_ms += 5 * MINUTE_MS;
    assert_int_equal(page_sessions_login(f.sessions, wh_slice_str(code), WH_LIT("B"), cookie, &err),
                     WH_E_AUTH);
    assert_int_equal(page_sessions_login(f.sessions, WH_LIT(""), WH_LIT("B"), cookie, &err),
                     WH_E_AUTH);
    end(&f);
}

static void test_session_lasts(void **state)
{
    struct fixture f;
    char cookies[COOKIE_BYTES];
    struct stat st;

    (void)state;
    begin(&f);
    assert_false(page_sessions_fits(f.sessions, WH_LIT("wellhead=")));
    assert_false(page_sessions_fits(f.sessions, wh_slice(NULL, 0)));
    log_in(&f, cookies);
    assert_true(page_sessions_fits(f.sessions, wh_slice_str(cookies)));
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    page_sessions_free(f.sessions);
    open_sessions(&f);
    assert_true(page_sessions_fits(f.sessions, wh_slice_str(cookies)));
    f.now_ms += SESSION_DAYS * day_ms;
    assert_false(page_sessions_fits(f.sessions, wh_slice_str(cookies)));
    end(&f);
}

/* The file has hashes alone. */
static void test_file_has_no_secret(void **state)
{
    struct fixture f;
    char cookies[COOKIE_BYTES];
    char secret[SESSION_TEXT + 1];
    char text[1024] = {0};
    FILE *file;

    (void)state;
    begin(&f);
    log_in(&f, cookies);
    memcpy(secret, strstr(cookies, "wellhead=") + 9, SESSION_TEXT);
    secret[SESSION_TEXT] = 0;
    file = fopen(f.path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    (void)fclose(file);
    assert_null(strstr(text, secret));
    assert_non_null(strstr(text, "Browser?1"));
    end(&f);
}

static void test_session_ends(void **state)
{
    struct fixture f;
    char one[COOKIE_BYTES];
    char two[COOKIE_BYTES];
    struct wh_err err;

    (void)state;
    begin(&f);
    log_in(&f, one);
    log_in(&f, two);
    th_ok(page_sessions_end(f.sessions, wh_slice("", 0), wh_slice_str(one), &err), &err);
    assert_false(page_sessions_fits(f.sessions, wh_slice_str(one)));
    assert_true(page_sessions_fits(f.sessions, wh_slice_str(two)));
    assert_int_equal(page_sessions_end(f.sessions, WH_LIT("000000000000"), wh_slice("", 0), &err),
                     WH_E_NOT_FOUND);
    end(&f);
}

/* The least recently used session makes room. */
static void test_too_many(void **state)
{
    struct fixture f;
    char first[COOKIE_BYTES];
    char cookies[COOKIE_BYTES];

    (void)state;
    begin(&f);
    log_in(&f, first);
    for (int i = 0; i < SESSIONS_MAX; i++) {
        f.now_ms++;
        log_in(&f, cookies);
    }
    assert_false(page_sessions_fits(f.sessions, wh_slice_str(first)));
    assert_true(page_sessions_fits(f.sessions, wh_slice_str(cookies)));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_works_once),    cmocka_unit_test(test_session_lasts),
        cmocka_unit_test(test_file_has_no_secret), cmocka_unit_test(test_session_ends),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
