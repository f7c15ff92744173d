/* wellhead topics read: which records it prints, and as what. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/be.h"
#include "common/event/connection.h"
#include "common/event/messages.h"
#include "common/event/raw_event.h"
#include "tests/lib/th_cli.h"

enum { VALUE_MAX_BYTES = 1 << 20 };

struct fixture {
    struct th_cli *cli;
    struct wh_producer *producer;
    struct wh_buf value;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct wh_producer_conf conf;
    struct wh_err err;

    f.cli = th_cli_new();
    wh_producer_conf_init(&conf);
    th_ok(wh_bus_mem_producer(th_cli_bus(f.cli), &conf, &f.producer, &err), &err);
    wh_buf_init(&f.value, VALUE_MAX_BYTES);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    wh_producer_free(f->producer);
    wh_buf_done(&f->value);
    th_cli_free(f->cli);
    return 0;
}

static void says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in: %s", part, text);
    }
}

static void says_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("'%s' is in: %s", part, text);
    }
}

static size_t lines(const char *text)
{
    size_t n = 0;

    for (; *text; text++) {
        n += *text == '\n';
    }
    return n;
}

static void make_topic(struct fixture *f, const char *topic, int32_t partitions)
{
    struct wh_err err;

    th_ok(wh_bus_mem_topic(th_cli_bus(f->cli), topic, partitions, &err), &err);
}

static void put_record(struct fixture *f, const struct wh_bus_record *r)
{
    struct wh_err err;

    th_ok(wh_producer_produce(f->producer, r, &err), &err);
    (void)wh_producer_poll(f->producer, 0);
}

static void put(struct fixture *f, const char *topic, const char *key, struct wh_slice value)
{
    put_record(f, &(struct wh_bus_record){.topic = topic,
                                          .partition = 0,
                                          .key = wh_slice_str(key),
                                          .value = value,
                                          .timestamp_ms = th_cli_now_ms(f->cli)});
}

/* Ten numbers as text, one a minute, the last of them a minute ago. */
static void put_numbers(struct fixture *f, const char *topic, int32_t partition)
{
    for (int i = 0; i < 10; i++) {
        char text[16];

        (void)snprintf(text, sizeof(text), "n%d", i);
        put_record(
            f, &(struct wh_bus_record){.topic = topic,
                                       .partition = partition,
                                       .key = wh_slice_str(i % 2 ? "odd" : "even"),
                                       .value = wh_slice_str(text),
                                       .timestamp_ms = th_cli_now_ms(f->cli) - (10 - i) * 60000});
    }
}

static struct wh_slice raw_event(struct fixture *f, const char *payload)
{
    const struct wh_raw_header header = {WH_LIT("x-gitlab-event"), WH_LIT("Issue Hook")};
    const struct wh_raw_event e = {.connection = WH_LIT("c"),
                                   .instance = WH_LIT("https://gitlab.example.com"),
                                   .origin = WH_ORIGIN_WEBHOOK,
                                   .kind = WH_LIT("issue"),
                                   .project = WH_LIT("7"),
                                   .object_id = WH_LIT("8"),
                                   .observed_at_ms = 1234,
                                   .delivery_id = WH_LIT("d1"),
                                   .headers = &header,
                                   .n_headers = 1,
                                   .payload = wh_slice_str(payload)};
    struct wh_err err;

    wh_buf_reset(&f->value);
    th_ok(wh_raw_event_encode(&e, &f->value, &err), &err);
    return wh_buf_slice(&f->value);
}

/* ---- what a line holds ---- */

static void a_raw_event_is_one_line(void **state)
{
    const struct wh_bus_header headers[] = {{WH_LIT("ce_type"), WH_LIT("t")},
                                            {WH_LIT("odd"), WH_LIT("\xff")}};
    struct fixture *f = *state;

    make_topic(f, "wellhead.raw.c", 2);
    put_record(
        f, &(struct wh_bus_record){.topic = "wellhead.raw.c",
                                   .partition = 1,
                                   .key = WH_LIT("issue:7:8"),
                                   .value = raw_event(f, "{ \"a\": [1, \"x y\\\"\"],\n\"b\": 2 }"),
                                   .headers = headers,
                                   .n_headers = 2,
                                   .timestamp_ms = th_cli_now_ms(f->cli)});
    assert_int_equal(th_cli_run(f->cli, "topics read raw.c"), CLI_OK);
    assert_string_equal(
        th_cli_stdout(f->cli),
        "{\"topic\":\"wellhead.raw.c\",\"partition\":1,\"offset\":0,"
        "\"timestamp\":\"2026-11-30T00:00:00.000Z\",\"key\":\"issue:7:8\","
        "\"headers\":{\"ce_type\":\"t\",\"odd\":{\"base64\":\"/w==\"}},"
        "\"schema_id\":1,\"schema\":\"wellhead.RawEvent\",\"value\":{\"connection\":\"c\","
        "\"instance\":\"https://gitlab.example.com\",\"origin\":\"webhook\",\"kind\":\"issue\","
        "\"project\":\"7\",\"object_id\":\"8\",\"observed_at\":1234,\"delivery_id\":\"d1\","
        "\"headers\":[{\"name\":\"x-gitlab-event\",\"value\":\"Issue Hook\"}],"
        "\"payload\":{\"a\":[1,\"x y\\\"\"],\"b\":2}}}\n");
}

static void bytes_are_shown_as_what_they_are(void **state)
{
    struct fixture *f = *state;

    make_topic(f, "wellhead.raw.c", 1);
    put(f, "wellhead.raw.c", "k", raw_event(f, "{broken"));
    put(f, "wellhead.raw.c", "k", raw_event(f, "\xff\xfe"));
    put(f, "wellhead.raw.c", "k", wh_slice(NULL, 0));
    assert_int_equal(th_cli_run(f->cli, "topics read raw.c"), CLI_OK);
    says(th_cli_stdout(f->cli), "\"payload\":\"{broken\"}}\n");
    says(th_cli_stdout(f->cli), "\"payload\":{\"base64\":\"//4=\"}}}\n");
    says(th_cli_stdout(f->cli), "\"key\":\"k\",\"headers\":{},\"value\":null}\n");
}

static void a_dead_letter_shows_its_input(void **state)
{
    struct fixture *f = *state;
    WH_AUTO(buf) struct wh_buf out;
    struct wh_dead_letter d = {.connection = WH_LIT("c"), .text = WH_LIT("no id")};
    struct wh_err err;

    wh_buf_init(&out, VALUE_MAX_BYTES);
    make_topic(f, "wellhead.dead-letter.c", 1);
    d.value = raw_event(f, "{\"id\":null}");
    th_ok(wh_dead_letter_encode(&d, &out, &err), &err);
    put(f, "wellhead.dead-letter.c", "k", wh_buf_slice(&out));
    wh_buf_reset(&out);
    d.value = WH_LIT("\0\0\0\0\1damaged");
    th_ok(wh_dead_letter_encode(&d, &out, &err), &err);
    put(f, "wellhead.dead-letter.c", "k", wh_buf_slice(&out));
    assert_int_equal(th_cli_run(f->cli, "topics read dead-letter.c"), CLI_OK);
    says(th_cli_stdout(f->cli), "\"text\":\"no id\"");
    says(th_cli_stdout(f->cli), "\"value\":{\"schema_id\":1,\"schema\":\"wellhead.RawEvent\","
                                "\"value\":{\"connection\":\"c\",");
    says(th_cli_stdout(f->cli), "\"payload\":{\"id\":null}}}}}\n");
    says(th_cli_stdout(f->cli), "\"value\":\"\\u0000\\u0000\\u0000\\u0000\\u0001damaged\"}}\n");
}

static void secrets_of_connections_stay_sealed(void **state)
{
    struct fixture *f = *state;
    WH_AUTO(buf) struct wh_buf text;
    struct wh_connection c = {.id = WH_LIT("c"),
                              .instance = WH_LIT("https://gitlab.example.com"),
                              .state = WH_LIT("enabled"),
                              .oauth_sealed = WH_LIT("2.0123456789abcdef.s3cret"),
                              .webhook_key_sealed = WH_LIT("s3cret")};
    struct wh_document d = {.connection = WH_LIT("c"), .key = WH_LIT("c")};
    struct wh_err err;

    c.pairs[c.n_pairs++] = (struct wh_connection_pair){.sealed = WH_LIT("s3cret!")};
    wh_buf_init(&text, VALUE_MAX_BYTES);
    th_ok(wh_connection_write(&c, &text, &err), &err);
    make_topic(f, "wellhead.connections", 1);
    d.document = wh_buf_slice(&text);
    th_ok(wh_document_encode(WH_DOCUMENT_CONNECTION, &d, &f->value, &err), &err);
    put(f, "wellhead.connections", "c", wh_buf_slice(&f->value));
    wh_buf_reset(&f->value);
    d.document = WH_LIT("{\"oauth_sealed\":\"s3cret\"");
    th_ok(wh_document_encode(WH_DOCUMENT_CONNECTION, &d, &f->value, &err), &err);
    put(f, "wellhead.connections", "c", wh_buf_slice(&f->value));
    assert_int_equal(th_cli_run(f->cli, "topics read connections"), CLI_OK);
    says(th_cli_stdout(f->cli), "\"state\":\"enabled\"");
    says(th_cli_stdout(f->cli), "\"oauth_sealed\":{\"sealed_bytes\":25}");
    says(th_cli_stdout(f->cli), "\"webhook_key_sealed\":{\"sealed_bytes\":6}");
    says(th_cli_stdout(f->cli), "\"sealed\":{\"sealed_bytes\":7}");
    says(th_cli_stdout(f->cli), "\"document\":{\"bytes\":24}}}\n");
    says_not(th_cli_stdout(f->cli), "s3cret");
}

static void documents_are_json(void **state)
{
    struct fixture *f = *state;
    struct wh_document d = {.connection = WH_LIT("c"),
                            .key = WH_LIT("c:7:issues"),
                            .document = WH_LIT("{\"cursor\": 9}")};
    struct wh_err err;

    make_topic(f, "wellhead.fetch-state", 1);
    th_ok(wh_document_encode(WH_DOCUMENT_FETCH_STATE, &d, &f->value, &err), &err);
    put(f, "wellhead.fetch-state", "c:7:issues", wh_buf_slice(&f->value));
    assert_int_equal(th_cli_run(f->cli, "topics read fetch-state --key c:7:issues"), CLI_OK);
    says(th_cli_stdout(f->cli), "\"document\":{\"cursor\":9}}}\n");
}

static void a_terminal_is_not_steered(void **state)
{
    struct fixture *f = *state;

    make_topic(f, "other", 1);
    put(f, "other", "\033[2J",
        WH_LIT("\033]0;title\a\xc2\x9b"
               "2J\xe2\x80\xae"));
    th_cli_on_terminal(f->cli);
    assert_int_equal(th_cli_run(f->cli, "topics read other"), CLI_OK);
    says(th_cli_stdout(f->cli), "\"value\":\"\\u001b]0;title\\u0007\\u009b2J\\u202e\"}\n");
    says_not(th_cli_stdout(f->cli), "\033");
}

/* ---- what cannot be decoded ---- */

static void damaged_records_are_set_aside(void **state)
{
    struct fixture *f = *state;

    make_topic(f, "wellhead.raw.c", 1);
    put(f, "wellhead.raw.c", "a", WH_LIT("text"));
    put(f, "wellhead.raw.c", "b", WH_LIT("\0\0\0\0\1\x7f"));
    put(f, "wellhead.raw.c", "c", WH_LIT("\0\0"));
    put(f, "wellhead.raw.c", "d", WH_LIT("\0\0\0\0\x63yyy"));
    put(f, "wellhead.raw.c", "e", raw_event(f, "{}"));
    assert_int_equal(th_cli_run(f->cli, "topics read raw.c"), CLI_FAILED);
    assert_int_equal(lines(th_cli_stdout(f->cli)), 5);
    says(th_cli_stdout(f->cli),
         "\"key\":\"a\",\"headers\":{},\"error\":\"no schema frame before the "
         "record\",\"value_bytes\":4}\n");
    says(th_cli_stdout(f->cli), "\"offset\":1,");
    says(th_cli_stdout(f->cli), "\"schema_id\":1,\"error\":\"a length points past the record\","
                                "\"value_bytes\":6}\n");
    says(th_cli_stdout(f->cli), "\"error\":\"the value ends within the frame");
    says(th_cli_stdout(f->cli), "\"schema_id\":99,\"error\":\"schema id 99 is not built in; "
                                "registry.url can name a registry\"");
    says(th_cli_stdout(f->cli), "\"payload\":{}}}\n");
    says(th_cli_stderr(f->cli), "4 of 5 records could not be decoded");
}

/* ---- other producers ---- */

static const char answer[] =
    "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"Order\\\",\\\"namespace\\\":"
    "\\\"shop\\\","
    "\\\"fields\\\":[{\\\"name\\\":\\\"n\\\",\\\"type\\\":[\\\"null\\\",\\\"long\\\"]}]}\"}";

static void foreign_schemas_come_from_the_registry(void **state)
{
    struct fixture *f = *state;

    th_cli_env(f->cli, "WELLHEAD_REGISTRY_URL=http://registry");
    th_cli_answer(f->cli, "GET http://registry/schemas/ids/3 ", 200, answer);
    th_cli_answer(f->cli, "GET http://registry/schemas/ids/4 ", 404,
                  "{\"error_code\":40403,\"message\":\"Schema not found\"}");
    make_topic(f, "orders", 1);
    put(f, "orders", "k", WH_LIT("\0\0\0\0\3\2\x54"));
    put(f, "orders", "k", WH_LIT("\0\0\0\0\3\0"));
    put(f, "orders", "k", WH_LIT("\0\0\0\0\4\0"));
    put(f, "orders", "k", WH_LIT("\0\0\0\0\4\0"));
    put(f, "orders", "k", WH_LIT("{\"plain\": 1}"));
    assert_int_equal(th_cli_run(f->cli, "topics read orders"), CLI_FAILED);
    says(th_cli_stdout(f->cli),
         "\"schema_id\":3,\"schema\":\"shop.Order\",\"value\":{\"n\":42}}\n");
    says(th_cli_stdout(f->cli), "\"value\":{\"n\":null}}\n");
    says(th_cli_stdout(f->cli), "\"error\":\"the registry has no schema id 4\"");
    says(th_cli_stdout(f->cli), "\"schema_id\":null,\"value\":{\"plain\":1}}\n");
    /* Each was asked for once. */
    assert_int_equal(th_cli_requests(f->cli), 2);
}

static void a_registry_that_does_not_answer_ends_it(void **state)
{
    struct fixture *f = *state;

    th_cli_env(f->cli, "WELLHEAD_REGISTRY_URL=http://registry");
    make_topic(f, "orders", 1);
    put(f, "orders", "k", WH_LIT("\0\0\0\0\x0c\0"));
    assert_int_equal(th_cli_run(f->cli, "topics read orders"), CLI_FAILED);
    assert_string_equal(th_cli_stdout(f->cli), "");
    says(th_cli_stderr(f->cli), "partition 0, offset 0: http://registry: nobody listens");
    th_cli_answer(f->cli, "GET http://registry", 404, "<html>");
    assert_int_equal(th_cli_run(f->cli, "topics read orders"), CLI_TRY_LATER);
    says(th_cli_stderr(f->cli), "is no registry (status 404)");
}

/* ---- which records ---- */

static void a_range_is_chosen(void **state)
{
    static const struct {
        const char *words;
        const char *first;
        const char *last;
        size_t n;
    } cases[] = {
        {"", "n0", "n9", 20},
        {"--from start --to end", "n0", "n9", 20},
        {"--from 0:4", "n4", "n9", 6},
        {"--from 1:3 --to 1:3", "n3", "n3", 1},
        {"--from 3 --to 0:5", "n3", "n5", 3},
        {"--to 1:1", "n0", "n1", 2},
        {"--from 8", "n8", "n9", 4},
        {"--from -3", "n7", "n9", 6},
        {"--from -3 --to -3", "n7", "n7", 2},
        {"--from -99 --to 0", "n0", "n0", 2},
        {"--from -3m", "n7", "n9", 6},
        {"--from 2026-11-29T23:55:00Z --to 2026-11-29T23:56:00Z", "n5", "n6", 4},
        {"--from @2026-11-29T23:55:00Z", "n5", "n9", 10},
        {"--to 2026-11-29T23:55:00Z --from 0:0", "n0", "n5", 6},
        {"--key odd --from 0:0", "n1", "n9", 5},
        {"--from 0:5 --to 99", "n5", "n9", 5},
    };
    struct fixture *f = *state;

    make_topic(f, "t", 2);
    put_numbers(f, "t", 0);
    put_numbers(f, "t", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char words[120];
        char part[40];

        (void)snprintf(words, sizeof(words), "topics read t %s", cases[i].words);
        assert_int_equal(th_cli_run(f->cli, words), CLI_OK);
        if (lines(th_cli_stdout(f->cli)) != cases[i].n) {
            fail_msg("%s: %s", words, th_cli_stdout(f->cli));
        }
        (void)snprintf(part, sizeof(part), "\"value\":\"%s\"", cases[i].first);
        says(strchr(th_cli_stdout(f->cli), '{'), part);
        (void)snprintf(part, sizeof(part), "\"value\":\"%s\"}\n", cases[i].last);
        says(th_cli_stdout(f->cli), part);
    }
}

static void nothing_to_print_is_told(void **state)
{
    static const struct {
        const char *words;
        const char *why;
    } cases[] = {
        {"--from end", "no record matches"},
        {"--key none", "no record matches"},
        {"--from 0:10 --to 0:10", "partition 0 ends before offset 10"},
        {"--from 5 --to 4", "no record matches"},
        {"--from 7:1", "t has 2 partitions, numbered from 0"},
    };
    struct fixture *f = *state;

    make_topic(f, "t", 2);
    put_numbers(f, "t", 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char words[80];

        (void)snprintf(words, sizeof(words), "topics read t %s", cases[i].words);
        assert_int_equal(th_cli_run(f->cli, words), CLI_NOTHING);
        assert_string_equal(th_cli_stdout(f->cli), "");
        says(th_cli_stderr(f->cli), cases[i].why);
    }
    assert_int_equal(th_cli_run(f->cli, "topics read tt"), CLI_NOTHING);
    says(th_cli_stderr(f->cli), "there is no topic of that name");
    make_topic(f, "wellhead.raw.gitlab", 1);
    assert_int_equal(th_cli_run(f->cli, "topics read raw.gitlub"), CLI_NOTHING);
    says(th_cli_stderr(f->cli), "did you mean raw.gitlab?");
}

static void wrong_use_is_refused(void **state)
{
    static const struct {
        const char *words;
        const char *why;
    } cases[] = {
        {"topics read", "write `wellhead topics read TOPIC`"},
        {"topics raw.c", "write `wellhead topics read TOPIC`"},
        {"topics --follow", "write `wellhead topics read TOPIC`"},
        {"topics read t --check", "--check does not"},
        {"topics read t --from yesterday", "--from must be start, end, OFFSET"},
        {"topics read t --to 1:", "--to must be start, end, OFFSET"},
        {"topics read t --from 99999999999:1", "no partition of that number"},
        {"topics read t --from 0:1 --to 1:1", "--from and --to name two partitions"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(th_cli_run(f->cli, cases[i].words), CLI_USAGE);
        says(th_cli_stderr(f->cli), cases[i].why);
    }
}

static void following_ends_at_an_offset_that_was_named(void **state)
{
    struct fixture *f = *state;

    make_topic(f, "t", 1);
    put_numbers(f, "t", 0);
    assert_int_equal(th_cli_run(f->cli, "topics read t --from -2 --to 0:9 --follow"), CLI_OK);
    assert_int_equal(lines(th_cli_stdout(f->cli)), 2);
}

static void a_fatal_error_of_kafka_ends_it(void **state)
{
    struct fixture *f = *state;

    make_topic(f, "t", 1);
    put_numbers(f, "t", 0);
    wh_bus_mem_fail(th_cli_bus(f->cli), WH_BUS_MEM_POLL, 0, 1, WH_E_FATAL_BUS);
    assert_int_equal(th_cli_run(f->cli, "topics read t"), CLI_FAILED);
    wh_bus_mem_fail(th_cli_bus(f->cli), WH_BUS_MEM_ADMIN, 0, 9, WH_E_UNAVAILABLE);
    assert_int_equal(th_cli_run(f->cli, "topics read t"), CLI_TRY_LATER);
    says(th_cli_stderr(f->cli), "kafka.bootstrap.servers says where it is");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_raw_event_is_one_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_are_shown_as_what_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_letter_shows_its_input, set_up, tear_down),
        cmocka_unit_test_setup_teardown(secrets_of_connections_stay_sealed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(documents_are_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_terminal_is_not_steered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_records_are_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(foreign_schemas_come_from_the_registry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_registry_that_does_not_answer_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_range_is_chosen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_to_print_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_use_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(following_ends_at_an_offset_that_was_named, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_fatal_error_of_kafka_ends_it, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
