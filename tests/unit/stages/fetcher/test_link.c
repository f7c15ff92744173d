/* Addresses: what a person types, connection ids, Link headers that must not lead elsewhere. */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "stages/fetcher/link.h"

static void normalised_is(const char *typed, const char *expected)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, 1024);
    th_ok(link_normalise(wh_slice_str(typed), true, &out, &err), &err);
    assert_string_equal(wh_buf_str(&out), expected);
}

static void refused(const char *typed, bool allow_http)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, 1024);
    assert_int_equal(link_normalise(wh_slice_str(typed), allow_http, &out, &err), WH_E_INVALID);
}

static void addresses(void **state)
{
    (void)state;
    normalised_is("gitlab.example.com", "https://gitlab.example.com");
    normalised_is("HTTPS://GitLab.Example.COM/", "https://gitlab.example.com");
    normalised_is("https://host:8443/Root//", "https://host:8443/Root");
    normalised_is("http://127.0.0.1:80", "http://127.0.0.1:80");
    normalised_is("https://[::1]:3000", "https://[::1]:3000");
    refused("http://gitlab.example.com", false);
    refused("", true);
    refused("https://", true);
    refused("https:///path", true);
    refused("https://user@host", true);
    refused("https://host/?q=1", true);
    refused("https://host/#x", true);
    refused("https://ho st", true);
    refused("https://host/a\r\nX: y", true);
}

static void id_is(const char *instance, const char *expected)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, 1024);
    th_ok(link_connection_id(wh_slice_str(instance), &out, &err), &err);
    assert_string_equal(wh_buf_str(&out), expected);
}

static void connection_ids(void **state)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    (void)state;
    id_is("https://gitlab.example.com", "gitlab-example-com");
    id_is("http://127.0.0.1:8080/Root", "127-0-0-1-8080-root");
    id_is("https://[::1]", "1");
    wh_buf_init(&out, 1024);
    assert_int_not_equal(link_connection_id(WH_LIT("https://..."), &out, &err), WH_OK);
}

static void next_is(const char *header, const char *expected)
{
    struct wh_slice url;

    assert_int_equal(link_next(wh_slice_str(header), &url), expected != NULL);
    if (expected) {
        th_slice_is(url, expected);
    }
}

static void link_headers(void **state)
{
    (void)state;
    next_is("<https://h/a?page=2>; rel=\"next\"", "https://h/a?page=2");
    next_is("<https://h/a>; rel=\"first\", <https://h/a?page=3&x=1>; rel=\"next\", <https://h/b>; "
            "rel=\"last\"",
            "https://h/a?page=3&x=1");
    next_is("<https://h/a>;rel=next", "https://h/a");
    next_is("<https://h/a>; rel=\"prev\"", NULL);
    next_is("", NULL);
    next_is("<https://h/a", NULL);
    next_is("no link at all; rel=\"next\"", NULL);
    next_is("<>; rel=\"next\"", "");
}

static void links_lead_to_the_same_gitlab_only(void **state)
{
    const struct wh_slice here = WH_LIT("https://gitlab.example.com");
    struct wh_slice path;

    (void)state;
    assert_true(link_path_of(WH_LIT("https://gitlab.example.com/api/v4/x?y=1"), here, &path));
    th_slice_is(path, "/api/v4/x?y=1");
    assert_false(link_path_of(WH_LIT("https://gitlab.example.com.evil.net/api"), here, &path));
    assert_false(link_path_of(WH_LIT("https://gitlab.example.com@evil.net/"), here, &path));
    assert_false(link_path_of(WH_LIT("https://gitlab.example.com:8443/api"), here, &path));
    assert_false(link_path_of(WH_LIT("http://gitlab.example.com/api"), here, &path));
    assert_false(link_path_of(WH_LIT("https://evil.net/"), here, &path));
    assert_false(link_path_of(here, here, &path));
    assert_false(link_path_of(WH_LIT(""), here, &path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(connection_ids),
        cmocka_unit_test(link_headers),
        cmocka_unit_test(links_lead_to_the_same_gitlab_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
