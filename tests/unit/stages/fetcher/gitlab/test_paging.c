/* Where a listing goes on after a page: with the headers that GitLab sends, and with those that are
 * left of them behind a proxy. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "stages/fetcher/gitlab/paging.h"

#define LIST "/api/v4/projects/7/members/all?per_page=100"
#define KEYSET "/api/v4/projects?pagination=keyset&order_by=id&per_page=100"

static struct paging next_of(const char *link, const char *next_page, const char *path, size_t rows)
{
    const struct client_answer a = {.link = link ? wh_slice_str(link) : wh_slice(NULL, 0),
                                    .next_page =
                                        next_page ? wh_slice_str(next_page) : wh_slice(NULL, 0)};
    struct paging ret;

    paging_next(&a, path, rows, &ret);
    assert_int_equal(ret.reason != NULL, ret.outcome == PAGING_STUCK);
    return ret;
}

static void goes_on_at(const char *link, const char *next_page, const char *path, size_t rows,
                       const char *expected)
{
    struct paging next = next_of(link, next_page, path, rows);

    assert_int_equal(next.outcome, PAGING_MORE);
    assert_string_equal(next.path, expected);
}

static void a_link_is_requested_here(void **state)
{
    const char *const urls[] = {"<https://gitlab.example.com/api/v4/x?page=2>; rel=\"next\"",
                                "<http://internal:8080/api/v4/x?page=2>; rel=\"next\"",
                                "<https://other.example/gitlab/api/v4/x?page=2>;rel=next",
                                "</api/v4/x?page=2>; rel=\"next\"",
                                "<https://h/api/v4/x>; rel=\"first\", "
                                "<https://h/api/v4/x?page=2>; rel=\"next\", "
                                "<https://h/b>; rel=\"last\""};

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        goes_on_at(urls[i], NULL, LIST, PAGING_ROWS, "/api/v4/x?page=2");
        goes_on_at(urls[i], NULL, LIST, 3, "/api/v4/x?page=2");
    }
}

/* A link that cannot be requested is none. */
static void useless_links(void **state)
{
    static char far[2 * PAGING_PATH_MAX];
    const char *const links[] = {NULL,
                                 "",
                                 "<https://h/api/v4/x>; rel=\"prev\"",
                                 "<https://h/api/v4/x",
                                 "no link at all; rel=\"next\"",
                                 "<>; rel=\"next\"",
                                 "<https://h/?q=/api/v4/x>; rel=\"next\"",
                                 "<https://h/login>; rel=\"next\"",
                                 "<https://h/api/v4/x y>; rel=\"next\"",
                                 "<https://h/api/v4/x\r\nA: b>; rel=\"next\"",
                                 far};

    (void)state;
    (void)snprintf(far, sizeof(far), "<https://h/api/v4/%0*d>; rel=\"next\"", PAGING_PATH_MAX, 1);
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        assert_int_equal(next_of(links[i], NULL, LIST, 99).outcome, PAGING_ENDED);
        assert_int_equal(next_of(links[i], "", LIST, 0).outcome, PAGING_ENDED);
        goes_on_at(links[i], NULL, LIST, PAGING_ROWS, LIST "&page=2");
        goes_on_at(links[i], "2", LIST, 5, LIST "&page=2");
    }
}

/* Whatever the headers say, only a page that is not full ends a listing. */
static void one_more_after_a_full_page(void **state)
{
    (void)state;
    goes_on_at(NULL, "", LIST, PAGING_ROWS, LIST "&page=2");
    goes_on_at(NULL, " ", LIST "&page=9", PAGING_ROWS, LIST "&page=10");
    goes_on_at(NULL, NULL, "/api/v4/x?page=2&per_page=100&a=b", PAGING_ROWS,
               "/api/v4/x?a=b&per_page=100&page=3");
    goes_on_at(NULL, NULL, "/api/v4/x", PAGING_ROWS, "/api/v4/x?per_page=100&page=2");
    assert_int_equal(next_of(NULL, NULL, LIST "&page=10", 0).outcome, PAGING_ENDED);
}

/* Keyset pages have no numbers. */
static void keyset_pages_need_a_link(void **state)
{
    (void)state;
    assert_int_equal(next_of(NULL, NULL, KEYSET, PAGING_ROWS).outcome, PAGING_STUCK);
    assert_int_equal(next_of(NULL, NULL, KEYSET, 99).outcome, PAGING_ENDED);
    /* The link to this page came. */
    assert_int_equal(next_of(NULL, NULL, KEYSET "&cursor=abc", PAGING_ROWS).outcome, PAGING_ENDED);
    /* GitLab: the list of projects has a link after each page that is full. */
    assert_int_equal(next_of(NULL, NULL, KEYSET "&id_after=7", PAGING_ROWS).outcome, PAGING_STUCK);
    goes_on_at("<https://h" KEYSET "&id_after=7>; rel=\"next\"", NULL, KEYSET, PAGING_ROWS,
               KEYSET "&id_after=7");
}

static void no_page_follows_itself(void **state)
{
    (void)state;
    assert_int_equal(next_of("<https://h" LIST ">; rel=\"next\"", NULL, LIST, PAGING_ROWS).outcome,
                     PAGING_STUCK);
}

static void parts_of_a_page(void **state)
{
    char path[PAGING_PATH_MAX];

    (void)state;
    assert_true(paging_part(LIST, 50, 50, path));
    assert_string_equal(path, "/api/v4/projects/7/members/all?per_page=50&page=2");
    assert_true(paging_part("/api/v4/x?page=3&per_page=100&scope=all", 75, 25, path));
    assert_string_equal(path, "/api/v4/x?scope=all&per_page=25&page=12");
    assert_true(paging_part("/api/v4/x?per_page=100&page=1", 99, 1, path));
    assert_string_equal(path, "/api/v4/x?per_page=1&page=100");
    assert_false(paging_part(KEYSET, 0, 50, path));
}

/* A path that would be too long is not cut. */
static void long_paths(void **state)
{
    static char path[PAGING_PATH_MAX];

    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    assert_int_equal(next_of(NULL, NULL, path, PAGING_ROWS).outcome, PAGING_STUCK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_is_requested_here),
        cmocka_unit_test(useless_links),
        cmocka_unit_test(one_more_after_a_full_page),
        cmocka_unit_test(keyset_pages_need_a_link),
        cmocka_unit_test(no_page_follows_itself),
        cmocka_unit_test(parts_of_a_page),
        cmocka_unit_test(long_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
