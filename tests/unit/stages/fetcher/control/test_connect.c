/* Which connection an address becomes, and that no token goes to an address that was not typed. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/event/messages.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_control.h"

static void connect_to(struct th_control *t, const char *url, const char *token, const char *more)
{
    char body[512];

    (void)snprintf(body, sizeof(body), "{\"url\":\"%s\",\"token\":\"%s\"%s}", url, token, more);
    th_control_call(t, "POST", "/api/v1/connections", body);
}

static void connected_as(struct th_control *t, const char *url, const char *token, const char *more,
                         const char *id)
{
    char said[128];

    connect_to(t, url, token, more);
    (void)snprintf(said, sizeof(said), "\"connection\":\"%s\"", id);
    if (t->status != 200 || strstr(t->answer, said) == NULL) {
        fail_msg("%s is not %s: %u %s", url, id, t->status, t->answer);
    }
}

static void refused(struct th_control *t, const char *url, const char *more, unsigned status,
                    const char *word)
{
    size_t before = t->n_requests;

    connect_to(t, url, "glpat-refused", more);
    if (t->status != status || strstr(t->answer, word) == NULL) {
        fail_msg("%s: not %u with '%s', but %u %s", url, status, word, t->status, t->answer);
    }
    assert_int_equal(t->n_requests, before);
}

static void test_one_address_is_one_connection(void **state)
{
    static const char *const spellings[] = {
        "https://gitlab.example.com/", "HTTPS://GITLAB.example.com", "gitlab.example.com",
        "https://gitlab.example.com.", "https://gitlab.example.com:443//"};
    static struct th_control t;

    (void)state;
    th_control_init(&t);
    connected_as(&t, "https://gitlab.example.com", "glpat-1", "", "gitlab-example-com");
    assert_non_null(strstr(
        t.answer,
        "\"url\":\"https://wellhead.example.com/hooks/gitlab-example-com\",\"signing_key\":"));
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        connected_as(&t, spellings[i], "glpat-1", "", "gitlab-example-com");
        assert_non_null(strstr(t.answer, "\"existing\":true"));
    }
    th_control_done(&t);
}

/* Each of these had the id of the first one, and its token went there. */
static void test_addresses_that_look_alike_are_apart(void **state)
{
    static const char *const alike[] = {"https://gitlab-example.com", "https://gitlab.example-com",
                                        "https://gitlab.example/com", "https://gitlab.example/COM"};
    static struct th_control t;
    char token[32];

    (void)state;
    th_control_init(&t);
    connected_as(&t, "https://gitlab.example.com", "glpat-first", "", "gitlab-example-com");
    for (size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++) {
        (void)snprintf(token, sizeof(token), "glpat-%zu", i);
        connect_to(&t, alike[i], token, "");
        assert_int_equal(t.status, 200);
        assert_non_null(strstr(t.answer, "\"existing\":false"));
        assert_non_null(strstr(t.answer, "\"connection\":\"gitlab-example-com-"));
        th_control_turns(&t, 20);
        assert_int_equal(th_control_asked(&t, "https://gitlab.example.com/", token), 0);
        assert_true(th_control_asked(&t, alike[i], token) > 0);
        assert_int_equal(th_control_asked(&t, alike[i], "glpat-first"), 0);
    }
    /* The id depends on the address alone: it is the same when asked again. */
    connected_as(&t, "https://gitlab-example.com", "glpat-0", "", "gitlab-example-com-978b9d62");
    assert_non_null(strstr(t.answer, "\"existing\":true"));
    th_control_done(&t);
}

static void test_a_change_of_scheme_is_refused(void **state)
{
    static struct th_control t;

    (void)state;
    th_control_init(&t);
    connected_as(&t, "http://gitlab.example.com/git", "glpat-1", "", "gitlab-example-com-git");
    refused(&t, "https://gitlab.example.com/git", "", 409, "--move");
    connected_as(&t, "https://other.example.com", "glpat-2", "", "other-example-com");
    refused(&t, "http://other.example.com", "", 409, "unencrypted");
    refused(&t, "http://other.example.com", ",\"move\":true", 409, "none");
    /* A port of its own is a GitLab of its own. */
    connected_as(&t, "http://other.example.com:8080", "glpat-3", "", "other-example-com-8080");
    th_control_done(&t);
}

static void test_a_move_is_of_the_same_host_and_path(void **state)
{
    static struct th_control t;

    (void)state;
    th_control_init(&t);
    connected_as(&t, "http://gitlab.example.com/git", "glpat-1", "", "gitlab-example-com-git");
    refused(&t, "https://gitlab.example.com", ",\"move\":true", 409, "another GitLab");
    refused(&t, "https://gitlab.example.com/Git", ",\"move\":true", 409, "another GitLab");
    refused(&t, "https://git.example.com/git", ",\"move\":true", 409, "another GitLab");
    refused(&t, "http://gitlab.example.com/git", ",\"move\":true", 409, "nothing to move");
    refused(&t, "http://gitlab.example.com:81/git", ",\"move\":true", 409, "none");
    th_control_done(&t);
}

/* The newest document of a connection in Kafka. */
static void read_document(struct th_control *t, const char *id, struct wh_arena *arena,
                          struct wh_connection *ret)
{
    const struct wh_bus_header *headers;
    struct wh_document doc;
    struct wh_bus_msg msg;
    bool found = false;
    struct wh_err err;
    size_t n;

    for (size_t i = 0; wh_bus_mem_get(t->bus, "connections", i, &msg, &headers, &n); i++) {
        if (msg.value.ptr && wh_slice_eq(msg.key, wh_slice_str(id))) {
            th_ok(wh_document_decode(msg.value, &doc, &err), &err);
            th_ok(wh_connection_parse(doc.document, fetcher_parser(t->f), arena, ret, &err), &err);
            found = true;
        }
    }
    assert_true(found);
}

static bool is_there(struct th_control *t, const char *purpose, const char *address,
                     struct wh_slice sealed, const char *expected)
{
    const struct wh_seal_place place = {.connection = WH_LIT("gitlab-example-com"),
                                        .purpose = purpose,
                                        .address = wh_slice_str(address)};
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;

    wh_buf_init(&text, 4096);
    return wh_secret_open(&t->keys, &place, sealed, &text, &err) == WH_OK &&
           (expected == NULL || wh_slice_eq(wh_buf_slice(&text), wh_slice_str(expected)));
}

static void test_a_move_to_https(void **state)
{
    struct wh_connection before;
    struct wh_connection after;
    struct wh_arena arena;
    static struct th_control t;

    (void)state;
    th_control_init(&t);
    wh_arena_init(&arena, 4096, 1 << 20);
    connected_as(&t, "http://gitlab.example.com", "glpat-old", "", "gitlab-example-com");
    th_control_turns(&t, 50);
    read_document(&t, "gitlab-example-com", &arena, &before);
    assert_true(th_control_asked(&t, "http://gitlab.example.com/", "glpat-old") > 0);
    t.n_requests = 0;
    connected_as(&t, "https://gitlab.example.com", "glpat-new", ",\"move\":true",
                 "gitlab-example-com");
    assert_non_null(strstr(t.answer, "\"moved_from\":\"http://gitlab.example.com\""));
    assert_null(strstr(t.answer, "signing_key")); /* the webhook stays as it was */
    th_control_turns(&t, 200);
    read_document(&t, "gitlab-example-com", &arena, &after);
    th_slice_is(after.instance, "https://gitlab.example.com");
    th_slice_is(after.identity, "http://gitlab.example.com");
    assert_int_equal(after.created_at_ms, before.created_at_ms);
    /* No token has crossed over, in either direction. */
    assert_true(th_control_asked(&t, "https://gitlab.example.com/", "glpat-new") > 0);
    assert_int_equal(th_control_asked(&t, "https://", "glpat-old"), 0);
    assert_int_equal(th_control_asked(&t, "http://", NULL), 0);
    assert_true(
        is_there(&t, "read_api", "https://gitlab.example.com", after.token_sealed, "glpat-new"));
    assert_false(is_there(&t, "read_api", "http://gitlab.example.com", after.token_sealed, NULL));
    assert_true(
        is_there(&t, "webhook_key", "https://gitlab.example.com", after.webhook_key_sealed, NULL));
    /* And so it is after a restart; a second move finds nothing to move. */
    th_control_restart(&t);
    th_control_turns(&t, 50);
    assert_string_equal(conn_instance(th_control_conn(&t, "gitlab-example-com")),
                        "https://gitlab.example.com");
    assert_int_equal(th_control_asked(&t, "http://", NULL), 0);
    refused(&t, "https://gitlab.example.com", ",\"move\":true", 409, "nothing to move");
    wh_arena_done(&arena);
    th_control_done(&t);
}

/* Another member moves it: what is known of the old address is not used for the new one. */
static void test_a_document_with_another_address(void **state)
{
    struct wh_connection doc;
    struct wh_document full = {.connection = WH_LIT("gitlab-example-com"),
                               .key = WH_LIT("gitlab-example-com")};
    WH_AUTO(buf) struct wh_buf json;
    WH_AUTO(buf) struct wh_buf record;
    struct wh_arena arena;
    static struct th_control t;
    struct wh_err err;

    (void)state;
    th_control_init(&t);
    wh_arena_init(&arena, 4096, 1 << 20);
    wh_buf_init(&json, 65536);
    wh_buf_init(&record, 65536);
    connected_as(&t, "https://gitlab.example.com", "glpat-1", "", "gitlab-example-com");
    read_document(&t, "gitlab-example-com", &arena, &doc);
    doc.instance = WH_LIT("https://evil.example.com");
    doc.updated_at_ms += 1000000;
    th_ok(wh_connection_write(&doc, &json, &err), &err);
    full.document = wh_buf_slice(&json);
    th_ok(wh_document_encode(WH_DOCUMENT_CONNECTION, &full, &record, &err), &err);
    fetcher_take_connection(t.f, &(struct wh_bus_msg){.topic = "connections",
                                                      .key = full.key,
                                                      .value = wh_buf_slice(&record)});
    th_control_turns(&t, 200);
    assert_int_equal(th_control_asked(&t, "https://evil.example.com", NULL), 0);
    wh_arena_done(&arena);
    th_control_done(&t);
}

static bool one_project(struct th_control *t, struct wh_slice url, struct wh_slice token,
                        struct th_script_answer *a)
{
    static const char path[] = "/api/v4/projects/acme%2Fback.end";
    struct wh_err err;
    bool its = url.len > sizeof(path) &&
               memcmp(url.ptr + url.len - (sizeof(path) - 1), path, sizeof(path) - 1) == 0;

    (void)t;
    (void)token;
    if (!its && memmem(url.ptr, url.len, "/api/v4/projects/acme", 21)) {
        a->status = 404;
        its = true;
    }
    th_ok(wh_buf_append(&a->body, its ? WH_LIT("{\"id\":12}") : WH_LIT(""), &err), &err);
    return its;
}

static void test_projects_by_number_and_path(void **state)
{
    static const char *const wrong[] = {"[0]",         "[\"7\"]",     "[\"/a\"]", "[\"a/\"]",
                                        "[\"a b/c\"]", "[\"a/b?c\"]", "[\"\"]",   "[true]"};
    static struct th_control t;
    char more[128];

    (void)state;
    th_control_init(&t);
    t.gitlab = one_project;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        (void)snprintf(more, sizeof(more), ",\"projects\":%s", wrong[i]);
        refused(&t, "https://gitlab.example.com", more, 400, "projects are numbers");
    }
    connected_as(&t, "https://gitlab.example.com", "glpat-1", ",\"projects\":[7,\"acme/back.end\"]",
                 "gitlab-example-com");
    th_slice_is(conn_document(th_control_conn(&t, "gitlab-example-com"))->projects, "7 12");
    connect_to(&t, "https://gitlab.example.com", "glpat-1", ",\"projects\":[\"acme/none\"]");
    assert_int_equal(t.status, 422);
    assert_non_null(strstr(t.answer, "no project acme/none for this user"));
    th_control_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_address_is_one_connection),
        cmocka_unit_test(test_addresses_that_look_alike_are_apart),
        cmocka_unit_test(test_a_change_of_scheme_is_refused),
        cmocka_unit_test(test_a_move_is_of_the_same_host_and_path),
        cmocka_unit_test(test_a_move_to_https),
        cmocka_unit_test(test_a_document_with_another_address),
        cmocka_unit_test(test_projects_by_number_and_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
