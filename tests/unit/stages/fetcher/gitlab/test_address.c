/* One spelling for each address; ids; how two addresses relate. */
#include "stages/fetcher/gitlab/address.h"

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

static void canonical_is(const char *typed, const char *expected)
{
    WH_AUTO(buf) struct wh_buf out;
    WH_AUTO(buf) struct wh_buf again;
    struct wh_err err;

    wh_buf_init(&out, 1024);
    wh_buf_init(&again, 1024);
    th_ok(address_canonical(wh_slice_str(typed), true, &out, &err), &err);
    assert_string_equal(wh_buf_str(&out), expected);
    th_ok(address_canonical(wh_buf_slice(&out), true, &again, &err), &err);
    assert_string_equal(wh_buf_str(&again), expected);
}

static void refused(const char *typed, bool allow_http)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, 1024);
    if (address_canonical(wh_slice_str(typed), allow_http, &out, &err) != WH_E_INVALID) {
        fail_msg("'%s' is taken as '%s'", typed, wh_buf_str(&out));
    }
}

static void one_spelling(void **state)
{
    (void)state;
    canonical_is("gitlab.example.com", "https://gitlab.example.com");
    canonical_is("HTTPS://GitLab.Example.COM/", "https://gitlab.example.com");
    canonical_is("https://gitlab.example.com.", "https://gitlab.example.com");
    canonical_is("https://gitlab.example.com.:443//", "https://gitlab.example.com");
    canonical_is("https://gitlab.example.com:", "https://gitlab.example.com");
    canonical_is("https://gitlab.example.com:0443", "https://gitlab.example.com");
    canonical_is("https://gitlab.example.com:80", "https://gitlab.example.com:80");
    canonical_is("http://gitlab.example.com:80", "http://gitlab.example.com");
    canonical_is("http://gitlab.example.com:443", "http://gitlab.example.com:443");
    canonical_is("https://host:8443/Root//", "https://host:8443/Root");
    canonical_is("https://host/git/lab", "https://host/git/lab");
    canonical_is("http://127.0.0.1:80", "http://127.0.0.1");
    canonical_is("https://[::1]:3000", "https://[::1]:3000");
    canonical_is("https://[2001:DB8:0:0::1]:443/", "https://[2001:db8::1]");
    canonical_is("https://[0:0:0:0:0:0:0:1]", "https://[::1]");
    canonical_is("https://xn--BCHER-KVA.example", "https://xn--bcher-kva.example");
    canonical_is("https://my_gitlab.local", "https://my_gitlab.local");
    canonical_is("https://1and1.example", "https://1and1.example");
}

static void what_is_no_address(void **state)
{
    static const char *const typed[] = {
        "",
        "https://",
        "https:///path",
        "https://user@host",
        "https://user:secret@host",
        "https://host@evil.example",
        "https://host/a@b",
        "https://host/?q=1",
        "https://host?",
        "https://host/#x",
        "https://ho st",
        "https://host/a\r\nX: y",
        "https://host\\evil",
        "ftp://host",
        "https://https://host",
        "https://host/a%2fb",
        "https://h%6fst",
        "https://h\xc3\xb6st.example",
        "https://host/a/../b",
        "https://host/./b",
        "https://host/a//b",
        "https://host:0",
        "https://host:65536",
        "https://host:+443",
        "https://host:44a3",
        "https://host:80:80",
        "https://[::1",
        "https://::1",
        "https://[::1]x",
        "https://[::1]443",
        "https://[fe80::1%25eth0]",
        "https://[127.0.0.1]",
        "https://[]",
        "https://.",
        "https://..",
        "https://host..",
        "https://.host",
        "https://a..b",
        "https://127.1",
        "https://2130706433",
        "https://0x7f000001",
        "https://0x7f.0.0.1",
        "https://127.0.0.01",
        "https://256.0.0.1",
        "https://1.2.3.4.5",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(typed) / sizeof(typed[0]); i++) {
        refused(typed[i], true);
    }
    refused("http://gitlab.example.com", false);
    refused("HTTP://gitlab.example.com", false);
}

static void id_is(const char *address, const char *expected)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, 1024);
    th_ok(address_connection_id(wh_slice_str(address), &out, &err), &err);
    assert_string_equal(wh_buf_str(&out), expected);
}

static void connection_ids(void **state)
{
    WH_AUTO(buf) struct wh_buf out;
    WH_AUTO(buf) struct wh_buf long_address;
    struct wh_err err;

    (void)state;
    id_is("https://gitlab.example.com", "gitlab-example-com");
    id_is("http://gitlab.example.com", "gitlab-example-com");
    id_is("https://gitlab-example.com", "gitlab-example-com");
    id_is("http://127.0.0.1:8080/Root", "127-0-0-1-8080-root");
    id_is("https://[::1]", "1");
    id_is("https://import.example.com", "gitlab-import-example-com");
    id_is("https://imports.example.com", "imports-example-com");
    wh_buf_init(&out, 1024);
    assert_int_not_equal(address_connection_id(WH_LIT("https://..."), &out, &err), WH_OK);
    wh_buf_reset(&out);
    th_ok(address_second_id(WH_LIT("https://gitlab-example.com"), &out, &err), &err);
    assert_string_equal(wh_buf_str(&out), "gitlab-example-com-978b9d62");
    wh_buf_init(&long_address, 1024);
    th_ok(wh_buf_append(&long_address, WH_LIT("https://"), &err), &err);
    for (int i = 0; i < 60; i++) {
        th_ok(wh_buf_append(&long_address, WH_LIT("a."), &err), &err);
    }
    th_ok(wh_buf_append(&long_address, WH_LIT("example"), &err), &err);
    wh_buf_reset(&out);
    th_ok(address_second_id(wh_buf_slice(&long_address), &out, &err), &err);
    assert_int_equal(out.len, 64);
}

static void relations(void **state)
{
    static const struct {
        const char *from;
        const char *to;
        enum address_relation relation;
    } pairs[] = {
        {"https://h", "https://h", ADDRESS_SAME},
        {"https://h:443", "https://h", ADDRESS_SAME}, /* as earlier versions stored it */
        {"https://h.", "https://h", ADDRESS_SAME},
        {"https://[0::1]", "https://[::1]", ADDRESS_SAME},
        {"http://h", "https://h", ADDRESS_TO_HTTPS},
        {"http://h:8080/git", "https://h:8443/git", ADDRESS_TO_HTTPS},
        {"https://h", "http://h", ADDRESS_TO_HTTP},
        {"https://h", "https://h:8443", ADDRESS_OTHER},
        {"http://h/git", "https://h", ADDRESS_OTHER},
        {"http://h/Git", "https://h/git", ADDRESS_OTHER},
        {"http://a-b.example", "https://a.b.example", ADDRESS_OTHER},
        {"http://h.evil", "https://h", ADDRESS_OTHER},
        {"nonsense/..", "https://h", ADDRESS_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (address_relation(wh_slice_str(pairs[i].from), wh_slice_str(pairs[i].to)) !=
            pairs[i].relation) {
            fail_msg("%s to %s", pairs[i].from, pairs[i].to);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_spelling),
        cmocka_unit_test(what_is_no_address),
        cmocka_unit_test(connection_ids),
        cmocka_unit_test(relations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
