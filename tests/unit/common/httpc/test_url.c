/* Addresses, taken apart as libcurl reads them. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/httpc/url.h"

static void test_the_parts(void **state)
{
    struct wh_url u;
    struct wh_err err;

    (void)state;
    th_ok(wh_url_parse(WH_LIT("HTTPS://GitLab.example.com:8443/a/../b?c=d?e"), &u, &err), &err);
    assert_true(u.https);
    th_slice_is(u.origin, "HTTPS://GitLab.example.com:8443");
    th_slice_is(u.host, "GitLab.example.com");
    assert_int_equal(u.port, 8443);
    th_slice_is(u.path, "/a/../b"); /* as written */
    th_slice_is(u.query, "c=d?e");
    th_ok(wh_url_parse(WH_LIT("http://[2001:DB8:0::1]?q"), &u, &err), &err);
    assert_false(u.https);
    th_slice_is(u.host, "[2001:DB8:0::1]");
    assert_int_equal(u.port, 80);
    th_slice_is(u.path, "");
    th_slice_is(u.query, "q");
    th_ok(wh_url_parse(WH_LIT("https://my_host."), &u, &err), &err);
    th_slice_is(u.host, "my_host.");
    assert_int_equal(u.port, 443);
}

/* Each of these would be read in one way here and in another way by the transfer, or by a person. */
static void test_what_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "https://",
        "https:///path",
        "https:/host",
        "https:host",
        "//host",
        "host",
        "ftp://host",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://user@host",
        "https://user:secret@host",
        "https://host@evil.example",
        "https://host\\@evil.example",
        "https://host#@evil.example",
        "https://host/#fragment",
        "https://h%6fst",
        "https://ho st",
        "https://host/a b",
        "https://host/\r\nX: y",
        "https://h\xc3\xb6st",
        "https://127.1",
        "https://2130706433",
        "https://0x7f.0.0.1",
        "https://127.0.0.01",
        "https://host:0",
        "https://host:65536",
        "https://host:8x",
        "https://host:+443",
        "https://host:80:80",
        "https://[::1",
        "https://::1",
        "https://[::1]x",
        "https://[]",
        "https://[127.0.0.1]",
    };
    static char long_text[WH_URL_MAX + 2] = "https://host/";
    struct wh_url u = {.port = 7};
    struct wh_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (wh_url_parse(wh_slice_str(texts[i]), &u, &err) != WH_E_INVALID) {
            fail_msg("'%s' is taken", texts[i]);
        }
    }
    memset(long_text + 13, 'a', WH_URL_MAX + 1 - 13);
    assert_int_equal(wh_url_parse(wh_slice_str(long_text), &u, &err), WH_E_INVALID);
    assert_int_equal(u.port, 7); /* nothing is set on an error */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_parts),
        cmocka_unit_test(test_what_is_refused),
    };

    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
