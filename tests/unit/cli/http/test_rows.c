/* The sink's answer taken apart: whatever the pieces in which it arrives. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "cli/http/rows.h"

/* The parts, each in brackets of its own: "<head>(row)(row)". */
struct parts {
    struct wh_buf text;
    size_t most; /* rows that are wanted */
    size_t n;
};

static bool on_head(void *ctx, struct wh_slice json)
{
    struct parts *p = ctx;
    struct wh_err err;

    return wh_buf_printf(&p->text, &err, "<%.*s>", WH_SLICE_ARG(json)) == WH_OK;
}

static bool on_row(void *ctx, struct wh_slice json)
{
    struct parts *p = ctx;
    struct wh_err err;

    return wh_buf_printf(&p->text, &err, "(%.*s)", WH_SLICE_ARG(json)) == WH_OK && ++p->n < p->most;
}

/* Takes the answer in pieces of that size. False as cli_rows_take. */
static bool take(const char *answer, size_t piece, struct parts *parts, struct cli_rows *rows)
{
    struct wh_slice rest = wh_slice_str(answer);
    bool more = true;

    parts->n = 0;
    wh_buf_reset(&parts->text);
    while (rest.len && more) {
        size_t n = rest.len < piece ? rest.len : piece;

        more = cli_rows_take(rows, wh_slice(rest.ptr, n));
        rest = wh_slice_from(rest, n);
    }
    return more;
}

static void is(const char *answer, const char *expected, const char *tail)
{
    struct parts parts = {.most = SIZE_MAX};
    const struct cli_rows_sink sink = {on_head, on_row, &parts};

    wh_buf_init(&parts.text, 4096);
    for (size_t piece = 1; piece <= strlen(answer); piece++) {
        struct cli_rows rows;

        cli_rows_init(&rows, &sink);
        assert_true(take(answer, piece, &parts, &rows));
        assert_string_equal(wh_buf_str(&parts.text), expected);
        assert_int_equal(cli_rows_whole(&rows), tail != NULL);
        th_slice_is(cli_rows_tail(&rows), tail ? tail : "");
        cli_rows_done(&rows);
    }
    wh_buf_done(&parts.text);
}

static void an_answer_is_head_rows_and_tail(void **state)
{
    (void)state;
    is("{\"ok\":true,\"columns\":[\"a\"],\"rows\":[{\"a\":1},{\"a\":[2,{}]}],\"n\":2}\n",
       "<{\"ok\":true,\"columns\":[\"a\"],\"rows\":[>({\"a\":1})({\"a\":[2,{}]})", "],\"n\":2}");
    is("{\"rows\":[[1], [\"x\"]\n]}", "<{\"rows\":[>([1])([\"x\"])", "]}");
    is("{\"rows\":[]}", "<{\"rows\":[>", "]}");
}

static void brackets_in_texts_are_text(void **state)
{
    (void)state;
    is("{\"columns\":[\"\\\"rows\\\":[\"],\"rows\":[[\"]}\\\\\"],[\"\\\"]\"]],\"e\":\"}\"}",
       "<{\"columns\":[\"\\\"rows\\\":[\"],\"rows\":[>([\"]}\\\\\"])([\"\\\"]\"])",
       "],\"e\":\"}\"}");
}

static void an_unfinished_answer_is_not_whole(void **state)
{
    (void)state;
    is("{\"rows\":[[1],[2", "<{\"rows\":[>([1])", NULL);
    is("{\"rows\":[[1]]", "<{\"rows\":[>([1])", NULL);
    is("<html>", "", NULL);
}

static void other_answers_are_refused(void **state)
{
    static const char *const answers[] = {"{\"rows\":[1]}", "{\"rows\":[[1]\"", "{\"rows\":[]}x"};
    struct parts parts = {.most = SIZE_MAX};
    const struct cli_rows_sink sink = {on_head, on_row, &parts};

    (void)state;
    wh_buf_init(&parts.text, 4096);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct cli_rows rows;

        cli_rows_init(&rows, &sink);
        assert_false(take(answers[i], 3, &parts, &rows));
        cli_rows_done(&rows);
    }
    wh_buf_done(&parts.text);
}

static void a_reader_may_have_had_enough(void **state)
{
    struct parts parts = {.most = 2};
    const struct cli_rows_sink sink = {on_head, on_row, &parts};
    struct cli_rows rows;

    (void)state;
    wh_buf_init(&parts.text, 4096);
    cli_rows_init(&rows, &sink);
    assert_false(take("{\"rows\":[[1],[2],[3]]}", 99, &parts, &rows));
    assert_string_equal(wh_buf_str(&parts.text), "<{\"rows\":[>([1])([2])");
    cli_rows_done(&rows);
    wh_buf_done(&parts.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_head_rows_and_tail),
        cmocka_unit_test(brackets_in_texts_are_text),
        cmocka_unit_test(an_unfinished_answer_is_not_whole),
        cmocka_unit_test(other_answers_are_refused),
        cmocka_unit_test(a_reader_may_have_had_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
