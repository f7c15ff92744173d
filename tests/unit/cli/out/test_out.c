/* Formats, tables and whole answers, to a file and to a terminal. */
#include "tests/lib/th_cmocka.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "cli/out/out.h"
#include "cli/out/table.h"
#include "cli/out/value.h"

/* Both streams in memory. */
struct fixture {
    struct cli_out out;
    char *data;
    char *messages;
    size_t data_len;
    size_t messages_len;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    FILE *data;
    FILE *messages;

    assert_non_null(f);
    data = open_memstream(&f->data, &f->data_len);
    messages = open_memstream(&f->messages, &f->messages_len);
    assert_true(data && messages);
    cli_out_init(&f->out, data, messages);
    assert_false(f->out.data_terminal);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)fclose(f->out.data);
    (void)fclose(f->out.messages);
    free(f->data);
    free(f->messages);
    free(f);
    return 0;
}

static const char *data_of(struct fixture *f)
{
    assert_true(cli_out_flush(&f->out));
    return f->data;
}

static const char *messages_of(struct fixture *f)
{
    (void)fflush(f->out.messages);
    return f->messages;
}

static void formats_are_printf_s(void **state)
{
    struct fixture *f = *state;

    cli_say(&f->out, "%d %u %ld %lu %lld %llu %zu %c %% %s", -1, 2U, -3L, 4UL, -5LL, 6ULL,
            (size_t)7, 'x', "text");
    cli_say(&f->out, "|%5d|%-5d|%5s|%-5s|%.2s|%-6.3s|%*d|%.*s|", 12, 34, "ab", "cd", "xyz",
            "uvwxyz", 4, 5, 2, "mno");
    cli_say(&f->out, " %" PRId64, INT64_MIN);
    assert_string_equal(data_of(f),
                        "-1 2 -3 4 -5 6 7 x % text"
                        "|   12|34   |   ab|cd   |xy|uvw   |   5|mn| -9223372036854775808");
}

static void arguments_cannot_leave_their_line(void **state)
{
    struct fixture *f = *state;

    cli_say(&f->out, "step: %s\n", "done\n  Approve at http://evil\r\n\tnow\033[1A");
    assert_string_equal(data_of(f), "step: done   Approve at http://evil  now\\u001b[1A\n");
    cli_note(&f->out, "%-8.*s|%c\n", 6, "Gr\xC3\xBC\xC3\x9F", '\a');
    assert_string_equal(messages_of(f), "Grüß    |\\u0007\n");
}

static void tables_are_aligned_and_escaped(void **state)
{
    static const char *const head[] = {"title", "n"};
    struct fixture *f = *state;
    struct cli_table t;

    cli_table_init(&t, 2);
    cli_table_head(&t, head, 2);
    cli_table_str(&t, "Grüße");
    cli_table_int(&t, 7);
    cli_table_cell(&t, wh_slice("\033[2J\0x", 6));
    cli_table_int(&t, -1);
    cli_table_str(&t, "this row is not complete");
    cli_table_print(&t, &f->out);
    cli_table_done(&t);
    assert_string_equal(data_of(f), "title             n\n"
                                    "Grüße             7\n"
                                    "\\u001b[2J\\u0000x  -1\n");
}

static void cells_are_cut_and_headings_bold(void **state)
{
    struct fixture *f = *state;
    struct cli_table t;
    char text[100];

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    f->out.colour = true;
    cli_table_init(&t, 1);
    cli_table_str(&t, "head");
    cli_table_str(&t, text);
    cli_table_print(&t, &f->out);
    cli_table_done(&t);
    text[60] = '\0';
    assert_true(strncmp(data_of(f), "\033[1mhead\033[0m\n", 13) == 0);
    assert_true(strncmp(f->data + 13, text, 60) == 0);
    assert_string_equal(f->data + 73, "\n");
}

/* Rows must reach a program as they are; a newline is added where there is none. */
static void answers_to_a_pipe_are_untouched(void **state)
{
    struct fixture *f = *state;

    assert_true(cli_data(&f->out, WH_LIT("{\"t\":\"\xC2\x9B\u202E\"}")));
    assert_true(cli_data(&f->out, WH_LIT("a,\033\r\n")));
    assert_true(cli_data(&f->out, WH_LIT("")));
    assert_string_equal(data_of(f), "{\"t\":\"\xC2\x9B\u202E\"}\na,\033\r\n\n");
}

static void answers_to_a_terminal_are_escaped(void **state)
{
    struct fixture *f = *state;

    f->out.data_terminal = true;
    assert_true(cli_data(&f->out, WH_LIT("id,title\r\n1,\"a\nb\t\033]0;x\a\xC2\x9B\"\r\n")));
    assert_string_equal(data_of(f), "id,title\n1,\"a\nb\t\\u001b]0;x\\u0007\\u009b\"\n");
}

/* Long answers are escaped in pieces: no character may be torn between two of them. */
static void long_answers_are_escaped_whole(void **state)
{
    enum { UNITS = 40000 };
    struct fixture *f = *state;
    struct wh_buf text;
    struct wh_err err;

    wh_buf_init(&text, 1 << 20);
    for (size_t i = 0; i < UNITS; i++) {
        th_ok(wh_buf_append(&text, WH_LIT("€\r\n"), &err), &err);
    }
    f->out.data_terminal = true;
    assert_true(cli_data(&f->out, wh_buf_slice(&text)));
    (void)data_of(f);
    assert_int_equal(f->data_len, UNITS * 4);
    for (size_t i = 0; i < UNITS; i++) {
        assert_memory_equal(f->data + i * 4, "€\n", 4);
    }
    wh_buf_done(&text);
}

static void progress_is_for_terminals(void **state)
{
    struct fixture *f = *state;

    cli_progress(&f->out, "syncing %d", 1);
    cli_progress_end(&f->out);
    assert_string_equal(messages_of(f), "");
    f->out.messages_terminal = true;
    cli_progress(&f->out, "at %s", "\033");
    cli_progress_end(&f->out);
    assert_string_equal(messages_of(f), "\r\033[Kat \\u001b\r\033[K");
}

static void a_terminal_is_recognised(void **state)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    struct cli_out out;
    char name[64];
    char shown[64] = "";
    FILE *slave;

    (void)state;
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    assert_int_equal(ptsname_r(master, name, sizeof(name)), 0);
    slave = fopen(name, "r+");
    assert_non_null(slave);
    cli_out_init(&out, slave, slave);
    assert_true(out.data_terminal && out.messages_terminal);
    assert_true(cli_data(&out, WH_LIT("a\033[31m")));
    assert_true(cli_out_flush(&out));
    assert_true(read(master, shown, sizeof(shown) - 1) > 0);
    assert_string_equal(shown, "a\\u001b[31m\r\n");
    (void)fclose(slave);
    (void)close(master);
}

static void a_full_disk_is_told(void **state)
{
    struct cli_out out;
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    assert_non_null(full);
    cli_out_init(&out, full, full);
    cli_say(&out, "text\n");
    assert_false(cli_out_flush(&out));
    (void)fclose(full);
}

static void values_become_text(void **state)
{
    static const char json[] =
        "{\"s\":\"a\",\"i\":-3,\"u\":18446744073709551615,\"d\":1.5,\"b\":true,"
        "\"n\":null,\"a\":[\"x\",2,null],\"o\":{\"k\":\"v\"}}";
    static const char *const shown[][2] = {
        {"s", "a"}, {"i", "-3"},     {"d", "1.5"}, {"b", "true"},
        {"n", ""},  {"a", "x, 2, "}, {"o", "v"},   {"u", "1.84467440737096e+19"}};
    struct wh_json_parser *parser = wh_json_parser_new(4096, 8);
    struct wh_json_val root;
    struct wh_json_val v;
    struct wh_buf text;
    struct wh_err err;

    (void)state;
    assert_non_null(parser);
    th_ok(wh_json_parse(parser, wh_slice_str(json), &root, &err), &err);
    wh_buf_init(&text, 256);
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        wh_buf_reset(&text);
        assert_true(wh_json_get(root, wh_slice_str(shown[i][0]), &v));
        cli_value_text(v, &text);
        assert_string_equal(wh_buf_str(&text), shown[i][1]);
    }
    th_slice_is(cli_get_str(root, "s"), "a");
    th_slice_is(cli_get_str(root, "i"), "");
    th_slice_is(cli_get_str(root, "absent"), "");
    assert_true(cli_get_num(root, "d", 0) > 1.4 && cli_get_num(root, "s", 7) > 6.9);
    assert_true(cli_get_flag(root, "b") && !cli_get_flag(root, "i") &&
                !cli_get_flag(root, "absent"));
    assert_int_equal(cli_count(root), 8);
    wh_buf_done(&text);
    wh_json_parser_free(parser);
}

static void seconds_are_readable(void **state)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{-1, "0.0 ms"},     {0.0012, "1.2 ms"}, {0.5, "500.0 ms"}, {3, "3.0 s"},
                 {119.9, "119.9 s"}, {120, "2 min"},     {7200, "120 min"}, {1e12, "533333 min"}};
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(cli_seconds(cases[i].seconds, text), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(formats_are_printf_s, set_up, tear_down),
        cmocka_unit_test_setup_teardown(arguments_cannot_leave_their_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tables_are_aligned_and_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cells_are_cut_and_headings_bold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_to_a_pipe_are_untouched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_to_a_terminal_are_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_answers_are_escaped_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(progress_is_for_terminals, set_up, tear_down),
        cmocka_unit_test(a_terminal_is_recognised),
        cmocka_unit_test(a_full_disk_is_told),
        cmocka_unit_test(values_become_text),
        cmocka_unit_test(seconds_are_readable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
