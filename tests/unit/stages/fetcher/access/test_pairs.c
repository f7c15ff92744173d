/* The list of token pairs: nothing that GitLab may have issued leaves it before it is revoked. */
#include "stages/fetcher/access/pairs.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

struct fixture {
    struct wh_connection doc;
    struct wh_arena arena;
    struct wh_keyring keys;
    struct wh_json_parser *parser;
    struct pairs p;
};

static const struct oauth_kept client = {
    .client = {.issuer = {"https://h", 9},
               .client_id = {"app", 3},
               .client_secret = {"hush", 4},
               .auth_method = {"client_secret_basic", 19},
               .redirect_uri = {"http://127.0.0.1/callback", 25}},
    .token_endpoint = {"https://h/oauth/token", 21},
    .revocation_endpoint = {"https://h/oauth/revoke", 22},
};

static void set_up(struct fixture *f)
{
    static const unsigned char key[WH_AEAD_KEY_BYTES] = {1};
    struct wh_err err;

    *f = (struct fixture){.doc = {.id = WH_LIT("h"), .instance = WH_LIT("https://h")}};
    wh_arena_init(&f->arena, 4096, 1 << 20);
    wh_keyring_of(&f->keys, key, false, &err);
    f->parser = wh_json_parser_new(65536, 8);
    f->p = (struct pairs){.doc = &f->doc, .arena = &f->arena, .keys = &f->keys, .now_ms = 1000};
}

static void tear_down(struct fixture *f)
{
    wh_json_parser_free(f->parser);
    wh_arena_done(&f->arena);
}

static void make_tokens(struct oauth_tokens *t, int number)
{
    struct wh_err err;

    oauth_tokens_init(t);
    th_ok(wh_buf_printf(&t->access, &err, "access-%d", number), &err);
    th_ok(wh_buf_printf(&t->refresh, &err, "refresh-%d", number), &err);
    t->got_at_ms = 1000 + number;
}

/* The states, by spaces. */
static void states_are(const struct fixture *f, const char *expected)
{
    char text[512] = "";
    size_t n = 0;

    for (size_t i = 0; i < f->doc.n_pairs; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", i ? " " : "",
                              WH_SLICE_ARG(f->doc.pairs[i].state));
    }
    assert_string_equal(text, expected);
}

static void test_life_of_a_pair(void **state)
{
    struct oauth_tokens first;
    struct oauth_tokens refreshed;
    struct oauth_tokens second;
    struct oauth_tokens opened;
    struct oauth_kept kept;
    struct fixture f;
    struct wh_err err;

    (void)state;
    set_up(&f);
    make_tokens(&first, 1);
    make_tokens(&refreshed, 2);
    make_tokens(&second, 3);
    oauth_tokens_init(&opened);
    th_ok(pairs_ask(&f.p, PAIR_BY_APPROVAL, f.doc.instance, &err), &err);
    states_are(&f, "asked");
    pairs_answered(&f.doc, PAIR_BY_APPROVAL, 1000);
    th_ok(pairs_use(&f.p, &first, &err), &err);
    states_are(&f, "in_use");
    /* A refresh is the same entry under another name. */
    th_ok(pairs_ask(&f.p, PAIR_BY_REFRESH, f.doc.instance, &err), &err);
    assert_true(pairs_asked(&f.doc, PAIR_BY_REFRESH));
    assert_false(pairs_asked(&f.doc, PAIR_BY_APPROVAL));
    pairs_answered(&f.doc, PAIR_BY_REFRESH, 0);
    th_ok(pairs_use(&f.p, &refreshed, &err), &err);
    states_are(&f, "in_use");
    th_ok(pairs_replace(&f.p, &client, &refreshed, f.doc.instance, &err), &err);
    th_ok(pairs_use(&f.p, &second, &err), &err);
    states_are(&f, "replaced in_use");
    assert_int_equal(pairs_next(&f.doc), 0);
    th_ok(pairs_open(&f.p, &f.doc.pairs[0], f.parser, &kept, &opened, &err), &err);
    th_slice_is(wh_buf_slice(&opened.refresh), "refresh-2");
    th_slice_is(kept.revocation_endpoint, "https://h/oauth/revoke");
    th_slice_is(kept.client.client_secret, "hush");
    th_ok(pairs_end_use(&f.p, &second, NULL, &err), &err);
    states_are(&f, "replaced revoked");
    assert_int_equal(pairs_open_count(&f.doc), 1);
    oauth_tokens_done(&first);
    oauth_tokens_done(&refreshed);
    oauth_tokens_done(&second);
    oauth_tokens_done(&opened);
    tear_down(&f);
}

/* What a pair is revoked by opens for the address that issued it, and nowhere else. */
static void test_a_sealed_pair_keeps_its_address(void **state)
{
    struct oauth_tokens tokens;
    struct oauth_tokens opened;
    struct oauth_kept kept;
    struct fixture f;
    struct wh_err err;

    (void)state;
    set_up(&f);
    make_tokens(&tokens, 1);
    oauth_tokens_init(&opened);
    th_ok(pairs_replace(&f.p, &client, &tokens, WH_LIT("http://h"), &err), &err);
    f.doc.pairs[0].address = WH_LIT("https://h");
    assert_int_equal(pairs_open(&f.p, &f.doc.pairs[0], f.parser, &kept, &opened, &err), WH_E_AUTH);
    f.doc.pairs[0].address = WH_LIT("http://h");
    th_ok(pairs_open(&f.p, &f.doc.pairs[0], f.parser, &kept, &opened, &err), &err);
    oauth_tokens_done(&tokens);
    oauth_tokens_done(&opened);
    tear_down(&f);
}

static void test_lost_answers_stay_listed(void **state)
{
    struct fixture f;
    struct wh_err err;

    (void)state;
    set_up(&f);
    th_ok(pairs_ask(&f.p, PAIR_BY_REFRESH, f.doc.instance, &err), &err);
    f.p.now_ms = 2000;
    th_ok(pairs_ask(&f.p, PAIR_BY_APPROVAL, f.doc.instance, &err), &err);
    f.p.now_ms = 3000;
    th_ok(pairs_ask(&f.p, PAIR_BY_APPROVAL, f.doc.instance, &err), &err);
    pairs_answered(&f.doc, PAIR_BY_APPROVAL, 3000); /* only this one */
    states_are(&f, "asked asked");
    pairs_lost_before(&f.doc, 2000);
    states_are(&f, "lost asked");
    pairs_lost(&f.doc, PAIR_BY_APPROVAL, 0);
    states_are(&f, "lost lost");
    assert_int_equal(pairs_open_count(&f.doc), 2);
    assert_true(f.doc.pairs[0].reason.len > 0);
    tear_down(&f);
}

/* A full list lets go of what is revoked, and of nothing else. */
static void test_a_full_list(void **state)
{
    struct oauth_tokens tokens;
    struct fixture f;
    struct wh_err err;

    (void)state;
    set_up(&f);
    for (int i = 0; i < 2 * WH_CONNECTION_PAIRS_MAX; i++) {
        make_tokens(&tokens, i);
        th_ok(pairs_end_use(&f.p, &tokens, NULL, &err), &err);
        oauth_tokens_done(&tokens);
    }
    assert_int_equal(f.doc.n_pairs, WH_CONNECTION_PAIRS_MAX);
    assert_int_equal(f.doc.pairs_forgotten, WH_CONNECTION_PAIRS_MAX);
    for (int i = 0; i < WH_CONNECTION_PAIRS_MAX; i++) {
        make_tokens(&tokens, 100 + i);
        th_ok(pairs_end_use(&f.p, &tokens, "GitLab said no", &err), &err);
        oauth_tokens_done(&tokens);
    }
    assert_int_equal(pairs_open_count(&f.doc), WH_CONNECTION_PAIRS_MAX);
    assert_int_equal(pairs_ask(&f.p, PAIR_BY_APPROVAL, f.doc.instance, &err), WH_E_TOO_LARGE);
    tear_down(&f);
}

/* Through Kafka and back. */
static void test_the_list_in_a_document(void **state)
{
    struct oauth_tokens tokens;
    WH_AUTO(buf) struct wh_buf json;
    struct wh_connection_secret secrets[WH_CONNECTION_SECRETS_MAX];
    struct wh_connection back;
    struct fixture f;
    struct wh_err err;

    (void)state;
    set_up(&f);
    wh_buf_init(&json, 1 << 20);
    for (int i = 0; i < WH_CONNECTION_PAIRS_MAX; i++) {
        make_tokens(&tokens, i);
        th_ok(pairs_replace(&f.p, &client, &tokens, f.doc.instance, &err), &err);
        oauth_tokens_done(&tokens);
    }
    f.doc.pairs_forgotten = 3;
    th_ok(wh_connection_write(&f.doc, &json, &err), &err);
    assert_null(strstr(json.ptr, "refresh-"));
    th_ok(wh_connection_parse(wh_buf_slice(&json), f.parser, &f.arena, &back, &err), &err);
    assert_int_equal(back.n_pairs, WH_CONNECTION_PAIRS_MAX);
    assert_int_equal(back.pairs_forgotten, 3);
    th_slice_is(back.pairs[5].address, "https://h");
    assert_int_equal(back.pairs[5].at_ms, 1005);
    assert_int_equal(wh_connection_secrets(&back, secrets), WH_CONNECTION_PAIRS_MAX);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_pair),
        cmocka_unit_test(test_a_sealed_pair_keeps_its_address),
        cmocka_unit_test(test_lost_answers_stay_listed),
        cmocka_unit_test(test_a_full_list),
        cmocka_unit_test(test_the_list_in_a_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
