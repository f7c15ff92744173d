/* Sealed secrets follow the key file, and the old key leaves when nothing needs it. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/event/messages.h"
#include "common/event/messages.h"
#include "stages/fetcher/conn/run.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_control.h"

enum { LONG_AFTER_MS = 20000, TEXT_MAX = 8192 };

static void connect_to(struct th_control *t, const char *url)
{
    char body[256];

    (void)snprintf(body, sizeof(body), "{\"url\":\"%s\",\"token\":\"glpat-1\"}", url);
    th_control_call(t, "POST", "/api/v1/connections", body);
    if (t->status != 200) {
        fail_msg("%u %s", t->status, t->answer);
    }
}

/* The ring of the world becomes one of a file. */
static void use_file(struct th_control *t)
{
    char path[256];
    struct wh_err err;

    (void)snprintf(path, sizeof(path), "%s/key", t->folder);
    th_ok(wh_keyring_load(&t->keys, path, true, &err), &err);
}

/* Whether each secret of each newest document in Kafka opens by a ring; and how many there are. */
static unsigned opens(struct th_control *t, struct wh_keyring *ring, unsigned *ret_all)
{
    static const char *const ids[] = {"a-example", "b-example", "c-example"};
    const struct wh_bus_header *headers;
    unsigned opened = 0;

    *ret_all = 0;
    for (size_t k = 0; k < sizeof(ids) / sizeof(ids[0]); k++) {
        struct wh_connection_secret secrets[WH_CONNECTION_SECRETS_MAX];
        struct wh_connection c = {0};
        struct wh_document doc;
        struct wh_arena arena;
        struct wh_bus_msg msg;
        struct wh_err err;
        size_t n;

        wh_arena_init(&arena, 4096, 1 << 22);
        for (size_t i = 0; wh_bus_mem_get(t->bus, "connections", i, &msg, &headers, &n); i++) {
            if (wh_slice_eq(msg.key, wh_slice_str(ids[k]))) {
                th_ok(wh_document_decode(msg.value, &doc, &err), &err);
                th_ok(wh_connection_parse(doc.document, fetcher_parser(t->f), &arena, &c, &err),
                      &err);
            }
        }
        n = wh_connection_secrets(&c, secrets);
        for (size_t i = 0; i < n; i++) {
            const struct wh_seal_place place = {
                .connection = c.id, .purpose = secrets[i].purpose, .address = secrets[i].address};
            WH_AUTO(buf) struct wh_buf text;

            wh_buf_init(&text, TEXT_MAX);
            opened += wh_secret_open(ring, &place, *secrets[i].sealed, &text, &err) == WH_OK;
            (*ret_all)++;
        }
        wh_arena_done(&arena);
    }
    return opened;
}

static void all_open(struct th_control *t, struct wh_keyring *ring)
{
    unsigned all;
    unsigned opened = opens(t, ring, &all);

    assert_int_equal(opened, all);
    assert_true(all >= 3);
}

/* A process that starts now: it has what is in the file. */
static void read_anew(const struct th_control *t, struct wh_keyring *ring)
{
    char path[256];
    struct wh_err err;

    (void)snprintf(path, sizeof(path), "%s/key", t->folder);
    th_ok(wh_keyring_load(ring, path, false, &err), &err);
}

static bool nothing_left(struct th_control *t)
{
    th_control_call(t, "GET", "/api/v1/keys", NULL);
    t->now_ms += 100;
    return strstr(t->answer, "\"left\":0") != NULL;
}

static bool rotated(struct th_control *t)
{
    th_control_call(t, "GET", "/api/v1/keys", NULL);
    t->now_ms += 1000;
    usleep(2000);
    return strstr(t->answer, "\"rotating\":false") != NULL;
}

static void test_every_secret_follows(void **state)
{
    static struct th_control t;
    struct wh_keyring ring;
    char old_key[16];

    (void)state;
    th_control_init(&t);
    use_file(&t);
    connect_to(&t, "https://a.example");
    connect_to(&t, "https://b.example");
    connect_to(&t, "https://c.example");
    (void)snprintf(old_key, sizeof(old_key), "%s", t.keys.keys[0].name);
    th_control_call(&t, "POST", "/api/v1/keys/rotate", NULL);
    assert_int_equal(t.status, 202);
    assert_non_null(strstr(t.answer, "\"rotating\":true"));
    assert_non_null(strstr(t.answer, old_key));
    read_anew(&t, &ring);
    all_open(&t, &ring);
    th_control_until(&t, nothing_left);
    /* The old key stays for a while: another process may just have sealed by it. */
    read_anew(&t, &ring);
    assert_int_equal(ring.n_file, 2);
    th_control_call(&t, "POST", "/api/v1/keys/rotate", NULL);
    assert_int_equal(t.status, 202);
    read_anew(&t, &ring);
    assert_int_equal(ring.n_file, 2); /* no third key */
    th_control_until(&t, rotated);
    read_anew(&t, &ring);
    assert_int_equal(ring.n_file, 1);
    assert_string_not_equal(ring.keys[0].name, old_key);
    all_open(&t, &ring);
    /* And a process that starts now works with it. */
    t.keys = ring;
    th_control_restart(&t);
    th_control_turns(&t, 20);
    th_control_call(&t, "GET", "/api/v1/keys", NULL);
    assert_non_null(strstr(t.answer, "\"problems\":[]"));
    assert_non_null(strstr(t.answer, "\"left\":0"));
    all_open(&t, &ring);
    th_control_done(&t);
}

/* Kafka refuses the documents for a while: the old key is not given up. */
static void test_kafka_away(void **state)
{
    static struct th_control t;
    struct wh_keyring ring;

    (void)state;
    th_control_init(&t);
    use_file(&t);
    connect_to(&t, "https://a.example");
    th_control_turns(&t, 50);
    wh_bus_mem_fail(t.bus, WH_BUS_MEM_DELIVERY, 0, 1000000, WH_E_UNAVAILABLE);
    th_control_call(&t, "POST", "/api/v1/keys/rotate", NULL);
    for (int i = 0; i < 30; i++) {
        th_control_turns(&t, 20);
        t.now_ms += LONG_AFTER_MS;
        usleep(10000);
    }
    th_control_call(&t, "GET", "/api/v1/keys", NULL);
    assert_null(strstr(t.answer, "\"left\":0"));
    read_anew(&t, &ring);
    assert_int_equal(ring.n_file, 2);
    all_open(&t, &ring);
    wh_bus_mem_fail(t.bus, WH_BUS_MEM_DELIVERY, 0, 0, WH_OK);
    th_control_until(&t, rotated);
    read_anew(&t, &ring);
    all_open(&t, &ring);
    th_control_done(&t);
}

/* A member that dies at any moment leaves a file and documents from which the next one goes on. */
static void test_restarts_at_any_moment(void **state)
{
    static struct th_control t;
    struct wh_keyring ring;

    (void)state;
    th_control_init(&t);
    use_file(&t);
    connect_to(&t, "https://a.example");
    connect_to(&t, "https://b.example");
    connect_to(&t, "https://c.example");
    th_control_call(&t, "POST", "/api/v1/keys/rotate", NULL);
    for (unsigned i = 0; i < 12; i++) {
        th_control_turns(&t, i);
        read_anew(&t, &t.keys);
        th_control_restart(&t);
        read_anew(&t, &ring);
        all_open(&t, &ring);
    }
    th_control_until(&t, rotated);
    read_anew(&t, &ring);
    assert_int_equal(ring.n_file, 1);
    all_open(&t, &ring);
    th_control_done(&t);
}

static bool old_form_is_gone(struct th_control *t)
{
    return wh_secret_is_current(&t->keys,
                                conn_document(th_control_conn(t, "a-example"))->token_sealed);
}

/* What a version before keys had names has stored opens, and is sealed for its address. */
static void test_the_old_form_is_sealed_again(void **state)
{
    static const unsigned char old_key[WH_AEAD_KEY_BYTES] = {3};
    struct wh_document full = {.connection = WH_LIT("a-example"), .key = WH_LIT("a-example")};
    struct wh_connection c = {.id = WH_LIT("a-example"),
                              .instance = WH_LIT("https://a.example"),
                              .state = WH_LIT("enabled"),
                              .updated_at_ms = 5};
    static struct th_control t;
    WH_AUTO(buf) struct wh_buf bytes;
    WH_AUTO(buf) struct wh_buf text;
    WH_AUTO(buf) struct wh_buf json;
    WH_AUTO(buf) struct wh_buf record;
    struct wh_err err;

    (void)state;
    wh_buf_init(&bytes, TEXT_MAX);
    wh_buf_init(&text, TEXT_MAX);
    wh_buf_init(&json, TEXT_MAX);
    wh_buf_init(&record, TEXT_MAX);
    th_ok(wh_aead_seal(old_key, WH_LIT("glpat-old"), WH_LIT("a-example/read_api"), &bytes, &err),
          &err);
    th_ok(wh_base64_encode(wh_buf_slice(&bytes), &text, &err), &err);
    c.token_sealed = wh_buf_slice(&text);
    th_ok(wh_connection_write(&c, &json, &err), &err);
    full.document = wh_buf_slice(&json);
    th_ok(wh_document_encode(WH_DOCUMENT_CONNECTION, &full, &record, &err), &err);
    th_control_init(&t);
    fetcher_take_connection(t.f,
                            &(struct wh_bus_msg){.key = full.key, .value = wh_buf_slice(&record)});
    conn_run(th_control_conn(&t, "a-example"));
    th_control_until(&t, old_form_is_gone);
    assert_true(th_control_asked(&t, "https://a.example/", "glpat-old") > 0);
    th_control_done(&t);
}

/* A document that does not open is named, and keeps the old key. */
static void test_a_document_that_does_not_open(void **state)
{
    struct wh_document full = {.connection = WH_LIT("b-example"), .key = WH_LIT("b-example")};
    static struct th_control t;
    WH_AUTO(buf) struct wh_buf json;
    WH_AUTO(buf) struct wh_buf record;
    struct wh_connection doc;
    struct wh_keyring ring;
    struct wh_err err;

    (void)state;
    wh_buf_init(&json, 65536);
    wh_buf_init(&record, 65536);
    th_control_init(&t);
    use_file(&t);
    connect_to(&t, "https://a.example");
    /* The secrets of one connection, copied into the document of another. */
    doc = *conn_document(th_control_conn(&t, "a-example"));
    doc.id = WH_LIT("b-example");
    doc.instance = WH_LIT("https://b.example");
    th_ok(wh_connection_write(&doc, &json, &err), &err);
    full.document = wh_buf_slice(&json);
    th_ok(wh_document_encode(WH_DOCUMENT_CONNECTION, &full, &record, &err), &err);
    fetcher_take_connection(t.f,
                            &(struct wh_bus_msg){.key = full.key, .value = wh_buf_slice(&record)});
    th_control_call(&t, "POST", "/api/v1/keys/rotate", NULL);
    for (int i = 0; i < 40; i++) {
        th_control_turns(&t, 10);
        t.now_ms += LONG_AFTER_MS;
        usleep(10000);
    }
    th_control_call(&t, "GET", "/api/v1/keys", NULL);
    assert_non_null(strstr(t.answer, "\"left\":1"));
    assert_non_null(strstr(t.answer, "{\"connection\":\"b-example\",\"reason\":"));
    assert_int_equal(th_control_asked(&t, "https://b.example/", NULL), 0);
    read_anew(&t, &ring);
    assert_int_equal(ring.n_file, 2);
    th_control_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_secret_follows),
        cmocka_unit_test(test_kafka_away),
        cmocka_unit_test(test_restarts_at_any_moment),
        cmocka_unit_test(test_the_old_form_is_sealed_again),
        cmocka_unit_test(test_a_document_that_does_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
