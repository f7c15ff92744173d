/* The table of cursors, and their documents in fetch-state. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/state/cursors.h"

enum { DOCUMENT_MAX_BYTES = 64 << 10, DEPTH_MAX = 16 };

static enum wh_rc parse(const char *json, struct cursor *ret, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(DOCUMENT_MAX_BYTES, DEPTH_MAX);
    enum wh_rc rc;

    assert_non_null(parser);
    rc = cursor_parse(wh_slice_str(json), parser, ret, err);
    wh_json_parser_free(parser);
    return rc;
}

/* A cursor with every part filled in. */
static void fill(struct cursor *c)
{
    const struct cursor_place place = {.pages = 7,
                                       .mark = "next \"page\"",
                                       .newest = "2023-11-14T22:13:20.000Z",
                                       .begun_ms = 1700000000000,
                                       .low_ms = 1600000000000};
    struct wh_err err;

    (void)snprintf(c->after, sizeof(c->after), "2023-11-14T22:13:20.123+02:00");
    c->rows = 12345;
    c->finished_at_ms = 1700000000001;
    cursor_set_hash(c, 2, UINT64_C(0xfedcba9876543210));
    th_ok(cursor_set_spans(c, 2, &err), &err);
    (void)snprintf(c->spans[1].after, sizeof(c->spans[1].after), "2020-01-01T00:00:00Z");
    c->spans[0].before_ms = 1500000000000;
    c->spans[1].before_ms = -1;
    th_ok(cursor_set_place(c, &place, &err), &err);
    th_ok(cursor_owe(c, 7, &err), &err);
    th_ok(cursor_owe(c, 8, &err), &err);
    th_ok(cursor_owe(c, 7, &err), &err);
    th_ok(cursor_owe(c, 9, &err), &err);
    cursor_pay(c, 8);
    cursor_pay(c, 10);
}

static void assert_filled(const struct cursor *c)
{
    assert_string_equal(c->after, "2023-11-14T22:13:20.123+02:00");
    assert_int_equal(c->rows, 12345);
    assert_int_equal(c->finished_at_ms, 1700000000001);
    assert_int_equal(c->n_hashes, 3);
    assert_int_equal(c->hashes[0], 0);
    assert_true(c->hashes[2] == UINT64_C(0xfedcba9876543210));
    assert_int_equal(c->n_spans, 2);
    assert_string_equal(c->spans[0].after, "");
    assert_int_equal(c->spans[0].before_ms, 1500000000000);
    assert_string_equal(c->spans[1].after, "2020-01-01T00:00:00Z");
    assert_int_equal(c->spans[1].before_ms, -1);
    assert_non_null(c->place);
    assert_int_equal(c->place->pages, 7);
    assert_string_equal(c->place->mark, "next \"page\"");
    assert_string_equal(c->place->newest, "2023-11-14T22:13:20.000Z");
    assert_int_equal(c->place->begun_ms, 1700000000000);
    assert_int_equal(c->place->low_ms, 1600000000000);
    assert_int_equal(c->n_owed, 2);
    assert_int_equal(c->owed[0], 7);
    assert_int_equal(c->owed[1], 9);
}

static void test_a_document_is_read_back(void **state)
{
    WH_AUTO(buf) struct wh_buf json;
    struct cursor written = {0};
    struct cursor read = {.rows = 1};
    struct wh_err err;

    (void)state;
    wh_buf_init(&json, DOCUMENT_MAX_BYTES);
    fill(&written);
    th_ok(cursor_write(&written, &json, &err), &err);
    th_ok(parse(wh_buf_str(&json), &read, &err), &err);
    assert_filled(&read);
    th_ok(parse("{}", &read, &err), &err);
    assert_string_equal(read.after, "");
    assert_int_equal(read.rows, 0);
    assert_int_equal(read.n_hashes, 0);
    assert_int_equal(read.n_spans, 0);
    assert_null(read.place);
    cursor_clear(&read);
    cursor_clear(&written);
}

/* Text of a JSON array of n copies of one item, in a member called name. */
static void many(struct wh_buf *out, const char *name, const char *item, unsigned n)
{
    struct wh_err err;

    wh_buf_reset(out);
    th_ok(wh_buf_printf(out, &err, "{\"%s\":[", name), &err);
    for (unsigned i = 0; i < n; i++) {
        th_ok(wh_buf_printf(out, &err, "%s%s", i ? "," : "", item), &err);
    }
    th_ok(wh_buf_printf(out, &err, "]}"), &err);
}

static void test_a_damaged_document_changes_nothing(void **state)
{
    static const struct {
        const char *json;
        enum wh_rc rc;
    } cases[] = {
        {"{\"after\":\"2023-11-14T22:13:20.123456789012345678901234567890+02:00\"}",
         WH_E_TOO_LARGE},
        {"{\"rows\":1,\"spans\":[{\"after\":\"2020-01-01T00:00:00Z\"}]}", WH_E_TYPE},
        {"{\"rows\":1,\"spans\":[{\"before_ms\":\"5\"}]}", WH_E_TYPE},
        {"{\"rows\":1,\"place\":{\"pages\":0,\"begun_ms\":1}}", WH_E_TYPE},
        {"{\"rows\":1,\"place\":{\"pages\":2147483648,\"begun_ms\":1}}", WH_E_TYPE},
        {"{\"rows\":1,\"place\":{\"pages\":1}}", WH_E_TYPE},
    };
    WH_AUTO(buf) struct wh_buf json;
    struct cursor c = {0};
    struct wh_err err;

    (void)state;
    wh_buf_init(&json, DOCUMENT_MAX_BYTES);
    fill(&c);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse(cases[i].json, &c, &err), cases[i].rc);
        assert_filled(&c);
    }
    assert_int_not_equal(parse("{\"rows\":", &c, &err), WH_OK);
    assert_filled(&c);
    many(&json, "spans", "{\"before_ms\":5}", CURSOR_SPANS_MAX + 1);
    assert_int_equal(parse(wh_buf_str(&json), &c, &err), WH_E_TOO_LARGE);
    assert_filled(&c);
    cursor_clear(&c);
}

static void test_limits(void **state)
{
    WH_AUTO(buf) struct wh_buf json;
    struct cursor c = {0};
    struct wh_err err;

    (void)state;
    wh_buf_init(&json, DOCUMENT_MAX_BYTES);
    cursor_set_hash(&c, CURSOR_HASHES_MAX, 1);
    assert_int_equal(c.n_hashes, 0);
    cursor_set_hash(&c, CURSOR_HASHES_MAX - 1, 1);
    assert_int_equal(c.n_hashes, CURSOR_HASHES_MAX);
    assert_int_equal(cursor_set_spans(&c, CURSOR_SPANS_MAX + 1, &err), WH_E_TOO_LARGE);
    th_ok(cursor_set_spans(&c, CURSOR_SPANS_MAX, &err), &err);
    c.spans[0].before_ms = 9;
    th_ok(cursor_set_spans(&c, 0, &err), &err);
    th_ok(cursor_set_spans(&c, 1, &err), &err);
    assert_int_equal(c.spans[0].before_ms, 0);
    many(&json, "hashes", "\"00000000000000ff\"", CURSOR_HASHES_MAX + 1);
    th_ok(parse(wh_buf_str(&json), &c, &err), &err);
    assert_int_equal(c.n_hashes, CURSOR_HASHES_MAX);
    assert_int_equal(c.hashes[CURSOR_HASHES_MAX - 1], 0xff);
    cursor_clear(&c);
}

static void count_rows(void *ctx, struct wh_slice key, struct cursor *c)
{
    uint64_t *rows = ctx;

    assert_true(wh_slice_starts(key, WH_LIT("c:")));
    *rows += c->rows;
}

static void test_table(void **state)
{
    struct cursors *cursors = cursors_new();
    struct cursor *c;
    uint64_t rows = 0;

    (void)state;
    assert_non_null(cursors);
    c = cursors_get(cursors, WH_LIT("c:1:issues"));
    assert_non_null(c);
    c->rows = 1;
    cursor_set_hash(c, 0, 1);
    cursors_get(cursors, WH_LIT("c:2:issues"))->rows = 2;
    cursors_get(cursors, WH_LIT("c2:1:issues"))->rows = 4;
    assert_ptr_equal(cursors_get(cursors, WH_LIT("c:1:issues")), c);
    cursors_each(cursors, WH_LIT("c:"), count_rows, &rows);
    assert_int_equal(rows, 3);
    cursors_forget(cursors, WH_LIT("c:"));
    assert_int_equal(cursors_get(cursors, WH_LIT("c:1:issues"))->rows, 0);
    assert_int_equal(cursors_get(cursors, WH_LIT("c2:1:issues"))->rows, 4);
    cursors_free(cursors);
    cursors_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_document_is_read_back),
        cmocka_unit_test(test_a_damaged_document_changes_nothing),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
