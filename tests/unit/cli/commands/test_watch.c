/* wellhead watch: every change once, a broken stream is resumed, and how it ends. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "cli/http/events.h"
#include "tests/lib/th_cli.h"

#define CHANGES "GET http://sink/api/v1/changes"
#define CHANGE(n_, before_, after_)                                                                \
    "event: change\nid: a-" n_ "\ndata: {\"sequence\":" n_                                         \
    ",\"time\":\"2026-05-01T10:00:00.000Z\",\"operation\":\"changed\",\"kind\":\"build_record\","  \
    "\"changes\":{\"status\":{\"before\":\"" before_ "\",\"after\":\"" after_                      \
    "\"}},\"row\":{\"url\":\"https://g/5\"}}\n\n"

static int set_up(void **state)
{
    *state = th_cli_new();
    return 0;
}

static int tear_down(void **state)
{
    th_cli_free(*state);
    return 0;
}

static void says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in: %s", part, text);
    }
}

static void a_change_is_a_line(void **state)
{
    static const char *const words[] = {
        "watch", "pipelines", "--where", "status = 'failed'", "--since", "0", "--limit", "1", NULL};
    struct th_cli *t = *state;

    th_cli_answer(t, CHANGES "?kind=pipelines&where=status%20%3D%20%27failed%27&since=0", 200,
                  ": hello\nid: a-0\n\n" CHANGE("1", "running", "failed")
                      CHANGE("2", "failed", "success"));
    assert_int_equal(th_cli_run_words(t, words), CLI_OK);
    assert_string_equal(th_cli_stdout(t),
                        "2026-05-01T10:00:00.000Z  changed  build_record  https://g/5"
                        "  status: running -> failed\n");
}

static void a_broken_stream_is_resumed_behind_the_last_event(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, CHANGES, 200, CHANGE("1", "a", "b") "event: change\nid: a-2\ndata: {\"half");
    th_cli_answer(t, CHANGES "?since=a-2", 503, "{\"ok\":false,\"error\":\"stopping\"}");
    th_cli_answer(t, CHANGES "?since=a-1", 503, "{\"ok\":false,\"error\":\"stopping\"}");
    th_cli_answer(t, CHANGES "?since=a-1", 200,
                  CHANGE("2", "b", "c") "event: gone\nid: a-3\ndata: {\"reason\":\"a purge\"}\n\n"
                                        "event: end\ndata: {\"reason\":\"too slow\"}\n\n");
    th_cli_answer(t, CHANGES "?since=a-3", 200, CHANGE("4", "c", "d"));
    assert_int_equal(th_cli_run(t, "watch --ndjson --limit 3"), CLI_OK);
    says(th_cli_stdout(t), "{\"sequence\":1,");
    says(th_cli_stdout(t), "\n{\"sequence\":2,");
    says(th_cli_stdout(t), "\n{\"sequence\":4,");
    says(th_cli_stderr(t), "resuming behind a-1");
    says(th_cli_stderr(t), "changes are missing here: a purge");
    says(th_cli_stderr(t), "the sink ended the stream: too slow");
}

static void what_cannot_begin_is_said(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, CHANGES "?since=9", 410, "{\"ok\":false,\"error\":\"built again\"}");
    assert_int_equal(th_cli_run(t, "watch --since 9"), CLI_FAILED);
    says(th_cli_stderr(t), "watch: built again");
    th_cli_answer(t, CHANGES "?kind=x", 400, "{\"ok\":false,\"error\":\"no table\"}");
    assert_int_equal(th_cli_run(t, "watch x"), CLI_FAILED);
    th_cli_answer(t, CHANGES "?kind=full", 503, "{\"ok\":false,\"error\":\"16 streams\"}");
    assert_int_equal(th_cli_run(t, "watch full"), CLI_TRY_LATER);
    th_cli_answer(t, CHANGES "?kind=who", 401, "{\"ok\":false,\"error\":\"token\"}");
    assert_int_equal(th_cli_run(t, "watch who"), CLI_SIGN_IN);
    th_cli_refuse(t, CHANGES "?kind=down", WH_E_NET, "nobody there");
    assert_int_equal(th_cli_run(t, "watch down"), CLI_FAILED);
}

/* L9 */
static void ctrl_c_ends_with_its_code(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, CHANGES, 200, CHANGE("1", "a", "b"));
    th_cli_interrupt(t, 2);
    assert_int_equal(th_cli_run(t, "watch --json"), CLI_INTERRUPTED);
}

/* ---- events ---- */

static bool keep_event(void *ctx, const struct cli_event *event)
{
    struct wh_err err;

    th_ok(
        wh_buf_printf(ctx, &err, "[%s|%s|%.*s]", event->id, event->name, WH_SLICE_ARG(event->data)),
        &err);
    return true;
}

/* Cut anywhere, the events are the same. */
static void events_arrive_in_any_pieces(void **state)
{
    static const char text[] = ": c\nid: 1\n\nid:2\nevent: e\ndata: a\ndata:b\n\nfoo\ndata\n\n"
                               "data: last\n\ndata: unfinished";
    struct wh_buf seen;
    struct cli_events e;

    (void)state;
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        wh_buf_init(&seen, 4096);
        cli_events_init(&e, keep_event, &seen);
        for (size_t at = 0; at + 1 < sizeof(text); at += piece) {
            size_t left = sizeof(text) - 1 - at;

            assert_true(cli_events_take(&e, wh_slice(text + at, left < piece ? left : piece)));
        }
        assert_string_equal(wh_buf_str(&seen), "[2|e|a\nb][2||last]");
        cli_events_done(&e);
        wh_buf_done(&seen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_is_a_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_stream_is_resumed_behind_the_last_event, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_begin_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ctrl_c_ends_with_its_code, set_up, tear_down),
        cmocka_unit_test(events_arrive_in_any_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
