/* What agents were granted: a code works once, a refresh token once, and only for the client, the redirect and the resource. */
#include "stages/sink/tokens/grants.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_tmp.h"

static const int64_t day_ms = 86400000;

/* RFC 7636 appendix B. */
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define REDIRECT "http://127.0.0.1:4321/callback"
#define RESOURCE "http://127.0.0.1:8704/mcp"

struct fixture {
    char *folder;
    char path[256];
    int64_t now_ms;
    struct grants *grants;
    char client[GRANT_CLIENT_ID + 1];
};

static int64_t now(void *ctx)
{
    return ((struct fixture *)ctx)->now_ms;
}

static void open_grants(struct fixture *f)
{
    const struct wh_clock clock = {.now_ms = now, .ctx = f};
    struct wh_err err;

    th_ok(grants_new(f->path, clock, &f->grants, &err), &err);
}

static void reopen(struct fixture *f)
{
    grants_free(f->grants);
    open_grants(f);
}

static void begin(struct fixture *f)
{
    struct grants_client client;
    struct wh_err err;

    *f = (struct fixture){.folder = th_tmp_new(), .now_ms = 1800000000000};
    (void)snprintf(f->path, sizeof(f->path), "%s/grants", f->folder);
    open_grants(f);
    th_ok(grants_register(f->grants, WH_LIT("An agent"), WH_LIT(REDIRECT), &client, &err), &err);
    memcpy(f->client, client.id, sizeof(f->client));
}

static void end(struct fixture *f)
{
    grants_free(f->grants);
    th_tmp_remove(f->folder);
}

static struct grants_ask ask_of(struct fixture *f)
{
    return (struct grants_ask){.client = wh_slice_str(f->client),
                               .redirect = WH_LIT(REDIRECT),
                               .challenge = WH_LIT(CHALLENGE),
                               .resource = WH_LIT(RESOURCE)};
}

static void allow(struct fixture *f, char code[GRANT_TOKEN_TEXT + 1])
{
    const struct grants_ask ask = ask_of(f);
    struct wh_err err;

    th_ok(grants_allow(f->grants, &ask, code, &err), &err);
}

static enum wh_rc redeem(struct fixture *f, const char *code, struct grants_pair *ret)
{
    const struct grants_ask ask = ask_of(f);
    struct wh_err err;

    return grants_redeem(f->grants, wh_slice_str(code), &ask, WH_LIT(VERIFIER), ret, &err);
}

static void grant(struct fixture *f, struct grants_pair *ret)
{
    char code[GRANT_TOKEN_TEXT + 1];

    allow(f, code);
    assert_int_equal(redeem(f, code, ret), WH_OK);
}

static enum wh_rc refresh(struct fixture *f, const char *token, struct grants_pair *ret)
{
    struct wh_err err;

    return grants_refresh(f->grants, wh_slice_str(token), wh_slice_str(f->client), WH_LIT(RESOURCE),
                          ret, &err);
}

static bool fits(struct fixture *f, const char *access)
{
    char header[GRANT_TOKEN_TEXT + 20];
    struct grants_agent agent;
    bool good;

    (void)snprintf(header, sizeof(header), "bearer %s", access);
    good = grants_fits(f->grants, wh_slice_str(header), WH_LIT(RESOURCE), &agent);
    assert_false(
        grants_fits(f->grants, wh_slice_str(header), WH_LIT("http://localhost:8704/mcp"), &agent));
    if (good) {
        assert_string_equal(agent.name, "An agent");
    }
    return good;
}

static void test_a_code_works_once_and_its_second_use_ends_the_grant(void **state)
{
    struct fixture f;
    char code[GRANT_TOKEN_TEXT + 1];
    struct grants_pair pair;
    struct grants_pair more;

    (void)state;
    begin(&f);
    allow(&f, code);
    assert_int_equal(redeem(&f, code, &pair), WH_OK);
    assert_true(fits(&f, pair.access));
    reopen(&f);
    assert_true(fits(&f, pair.access));
    assert_int_equal(redeem(&f, code, &more), WH_E_AUTH);
    assert_false(fits(&f, pair.access));
    assert_int_equal(refresh(&f, pair.refresh, &more), WH_E_AUTH);
    end(&f);
}

static void test_a_code_is_bound_to_what_was_allowed(void **state)
{
    struct fixture f;
    char code[GRANT_TOKEN_TEXT + 1];
    struct grants_pair pair;
    struct wh_err err;

    (void)state;
    begin(&f);
    for (int i = 0; i < 5; i++) {
        struct grants_ask ask = ask_of(&f);

        ask.client = i == 0 ? WH_LIT("0123456789abcdef0123456789abcdef") : ask.client;
        ask.redirect = i == 1 ? WH_LIT("http://127.0.0.1:4322/callback") : ask.redirect;
        ask.resource = i == 2 ? WH_LIT("https://other.example/mcp") : ask.resource;
        allow(&f, code);
        f.now_ms += i == 4 ? 60000 : 0;
        assert_int_equal(grants_redeem(f.grants, wh_slice_str(code), &ask,
                                       i == 3 ? WH_LIT(CHALLENGE) : WH_LIT(VERIFIER), &pair, &err),
                         WH_E_AUTH);
        /* A code that was tried is used up. */
        assert_int_equal(redeem(&f, code, &pair), WH_E_AUTH);
    }
    end(&f);
}

static void test_a_refresh_token_works_once_and_its_second_use_ends_the_grant(void **state)
{
    struct fixture f;
    struct grants_pair first;
    struct grants_pair second;
    struct grants_pair third;

    (void)state;
    begin(&f);
    grant(&f, &first);
    assert_int_equal(refresh(&f, first.refresh, &second), WH_OK);
    reopen(&f);
    assert_false(fits(&f, first.access));
    assert_true(fits(&f, second.access));
    assert_int_equal(refresh(&f, first.refresh, &third), WH_E_AUTH);
    assert_false(fits(&f, second.access));
    assert_int_equal(refresh(&f, second.refresh, &third), WH_E_AUTH);
    end(&f);
}

static void test_access_ends_after_an_hour_and_a_grant_after_60_days(void **state)
{
    struct fixture f;
    struct grants_pair pair;
    struct grants_pair more;

    (void)state;
    begin(&f);
    grant(&f, &pair);
    f.now_ms += (int64_t)GRANT_ACCESS_S * 1000 - 1;
    assert_true(fits(&f, pair.access));
    f.now_ms += 1;
    assert_false(fits(&f, pair.access));
    f.now_ms += 50 * day_ms;
    assert_int_equal(refresh(&f, pair.refresh, &more), WH_OK);
    f.now_ms += 60 * day_ms;
    assert_int_equal(refresh(&f, more.refresh, &pair), WH_E_AUTH);
    end(&f);
}

static void test_a_grant_is_revoked_by_its_client_and_ended_by_a_person(void **state)
{
    struct fixture f;
    struct grants_pair pair;
    struct wh_err err;
    struct wh_buf text;
    struct wh_json_writer w;
    const char *id;

    (void)state;
    begin(&f);
    grant(&f, &pair);
    th_ok(grants_revoke(f.grants, wh_slice_str(pair.refresh), WH_LIT("another"), &err), &err);
    assert_true(fits(&f, pair.access));
    th_ok(grants_revoke(f.grants, wh_slice_str(pair.refresh), wh_slice_str(f.client), &err), &err);
    assert_false(fits(&f, pair.access));
    grant(&f, &pair);
    wh_buf_init(&text, 4096);
    wh_json_writer_init(&w, &text);
    wh_jw_array(&w);
    grants_write(f.grants, &w);
    id = strstr(wh_buf_str(&text), "\"id\":\"");
    assert_non_null(id);
    assert_null(strstr(wh_buf_str(&text), pair.access + 4));
    assert_int_equal(grants_end(f.grants, WH_LIT("000000000000"), &err), WH_E_NOT_FOUND);
    th_ok(grants_end(f.grants, wh_slice(id + 6, GRANT_ID), &err), &err);
    assert_false(fits(&f, pair.access));
    wh_buf_done(&text);
    end(&f);
}

static void test_the_file_holds_no_secret(void **state)
{
    struct fixture f;
    struct grants_pair pair;
    static char text[16384];
    struct stat st;
    FILE *file;

    (void)state;
    begin(&f);
    grant(&f, &pair);
    file = fopen(f.path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    (void)fclose(file);
    assert_null(strstr(text, pair.access + 4));
    /* Neither half of a token. */
    pair.refresh[4 + 64] = 0;
    assert_null(strstr(text, pair.refresh + 4));
    assert_null(strstr(text, pair.refresh + 4 + 65));
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    end(&f);
}

static void test_redirects(void **state)
{
    static const struct {
        const char *uri;
        bool good;
    } cases[] = {
        {"https://client.example/callback", true},
        {"http://127.0.0.1:1/", true},
        {"http://localhost/cb?x=1", true},
        {"http://[::1]:9/cb", true},
        {"http://client.example/callback", false},
        {"javascript:alert(1)", false},
        {"cursor://callback", false},
        {"https://client.example/#f", false},
        {"https://u:p@client.example/", false},
        {"https://client.example/\r\nX: y", false},
        {"https://client.example/a b", false},
        {"https://client.example;script-src/", false},
        {"http://127.0.0.1.evil.example/", false},
        {"", false},
    };
    struct fixture f;
    struct grants_client client;
    struct wh_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (grants_is_redirect(wh_slice_str(cases[i].uri)) != cases[i].good) {
            fail_msg("%s", cases[i].uri);
        }
    }
    begin(&f);
    th_ok(grants_register(f.grants, WH_LIT("b"),
                          WH_LIT("https://c.example/cb\nhttp://127.0.0.1/cb"), &client, &err),
          &err);
    assert_true(grants_redirect_fits(&client, WH_LIT("https://c.example/cb")));
    assert_true(grants_redirect_fits(&client, WH_LIT("http://127.0.0.1:5555/cb")));
    assert_false(grants_redirect_fits(&client, WH_LIT("http://127.0.0.1:5555/cb/")));
    assert_false(grants_redirect_fits(&client, WH_LIT("http://localhost:5555/cb")));
    assert_false(grants_redirect_fits(&client, WH_LIT("https://c.example:444/cb")));
    assert_false(grants_redirect_fits(&client, WH_LIT("https://c.example/cb?x")));
    end(&f);
}

static void test_registrations_are_bounded_and_those_with_a_grant_stay(void **state)
{
    struct fixture f;
    struct grants_client client;
    struct grants_pair pair;
    struct wh_err err;

    (void)state;
    begin(&f);
    grant(&f, &pair);
    for (int i = 0; i < 3 * GRANT_CLIENTS_MAX; i++) {
        f.now_ms += 1;
        th_ok(grants_register(f.grants, WH_LIT("x\n\xff"), WH_LIT(REDIRECT), &client, &err), &err);
    }
    assert_true(grants_client(f.grants, wh_slice_str(f.client), &client));
    assert_true(fits(&f, pair.access));
    reopen(&f);
    f.now_ms += 31 * day_ms;
    th_ok(grants_register(f.grants, WH_LIT("y"), WH_LIT(REDIRECT), &client, &err), &err);
    assert_true(grants_client(f.grants, wh_slice_str(f.client), &client));
    end(&f);
}

static void test_a_damaged_file_is_an_error(void **state)
{
    struct fixture f;
    const struct wh_clock clock = {.now_ms = now, .ctx = &f};
    struct grants *grants;
    struct wh_err err;
    FILE *file;

    (void)state;
    begin(&f);
    file = fopen(f.path, "w");
    assert_non_null(file);
    assert_true(fputs("{\"clients\":", file) >= 0);
    (void)fclose(file);
    assert_int_not_equal(grants_new(f.path, clock, &grants, &err), WH_OK);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_code_works_once_and_its_second_use_ends_the_grant),
        cmocka_unit_test(test_a_code_is_bound_to_what_was_allowed),
        cmocka_unit_test(test_a_refresh_token_works_once_and_its_second_use_ends_the_grant),
        cmocka_unit_test(test_access_ends_after_an_hour_and_a_grant_after_60_days),
        cmocka_unit_test(test_a_grant_is_revoked_by_its_client_and_ended_by_a_person),
        cmocka_unit_test(test_the_file_holds_no_secret),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_registrations_are_bounded_and_those_with_a_grant_stay),
        cmocka_unit_test(test_a_damaged_file_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
