/* Link headers, which must not lead elsewhere. */
#include "tests/lib/th_cmocka.h"

#include "stages/fetcher/gitlab/link.h"

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
        cmocka_unit_test(link_headers),
        cmocka_unit_test(links_lead_to_the_same_gitlab_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
