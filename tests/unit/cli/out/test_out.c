/* Formats, tables and whole answers, to a file and to a terminal. */
#include "tests/lib/th_cmocka.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "cli/out/out.h"
#include "cli/out/table.h"
#include "cli/out/value.h"
#include "tests/lib/th_tmp.h"

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

static void says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in: %s", part, text);
    }
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

static void headings_are_bold(void **state)
{
    struct fixture *f = *state;
    struct cli_table t;

    f->out.colour = true;
    cli_table_init(&t, 1);
    cli_table_str(&t, "head");
    cli_table_str(&t, "cell");
    cli_table_print(&t, &f->out);
    cli_table_done(&t);
    assert_string_equal(data_of(f), "\033[1mhead\033[0m\ncell\n");
}

/* Two columns of text and a number. */
static void print_three(struct fixture *f, unsigned columns)
{
    static const char *const cells[] = {"id",
                                        "title",
                                        "n",
                                        "6f1ed002-ab12-5a7b-9c3d-0123456789ab",
                                        "a title that is longer than anybody wants",
                                        "7"};
    struct cli_table t;

    f->out.columns = columns;
    cli_table_init(&t, 3);
    cli_table_head(&t, cells, 6);
    cli_table_print(&t, &f->out);
    cli_table_done(&t);
}

static void a_table_fits_the_terminal(void **state)
{
    struct fixture *f = *state;

    print_three(f, 45);
    assert_string_equal(data_of(f), "id                    title                 n\n"
                                    "6f1ed002-ab12-5a7b-…  a title that is lon…  7\n");
}

static void a_table_that_fits_is_not_cut(void **state)
{
    struct fixture *f = *state;

    print_three(f, 82);
    says(data_of(f),
         "6f1ed002-ab12-5a7b-9c3d-0123456789ab  a title that is longer than anybody wants  7\n");
}

/* To a file or a pipe. */
static void nothing_is_cut_without_a_terminal(void **state)
{
    struct fixture *f = *state;

    print_three(f, 0);
    says(data_of(f),
         "6f1ed002-ab12-5a7b-9c3d-0123456789ab  a title that is longer than anybody wants  7\n");
}

static void a_long_cell_widens_no_other_row(void **state)
{
    struct fixture *f = *state;
    struct cli_table t;
    char text[100];

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    cli_table_init(&t, 2);
    cli_table_str(&t, "text");
    cli_table_str(&t, "n");
    cli_table_str(&t, text);
    cli_table_str(&t, "1");
    cli_table_print(&t, &f->out);
    cli_table_done(&t);
    assert_int_equal(strcspn(data_of(f), "\n"), 60 + 2 + 1);
    says(f->data, "aaa  1\n");
}

static void columns_take_lines_where_they_do_not_fit(void **state)
{
    struct fixture *f = *state;

    print_three(f, 16);
    assert_string_equal(data_of(f), "-- row 1\n"
                                    "id     6f1ed002-ab12-5a7b-9c3d-0123456789ab\n"
                                    "title  a title that is longer than anybody wants\n"
                                    "n      7\n");
}

static void a_long_table_is_printed_in_parts(void **state)
{
    enum { ROWS = 40000 };
    struct fixture *f = *state;
    struct cli_table t;
    char last[64];

    cli_table_init(&t, 2);
    cli_table_str(&t, "n");
    cli_table_str(&t, "text");
    for (int64_t i = 0; i < ROWS; i++) {
        cli_table_int(&t, i);
        cli_table_str(&t, "thirty bytes of text in a row.");
        cli_table_stream(&t, &f->out);
        assert_true(t.cells.len < 2 << 20);
    }
    cli_table_print(&t, &f->out);
    cli_table_done(&t);
    assert_true(strncmp(data_of(f), "n      text\n0      thirty", 25) == 0);
    (void)snprintf(last, sizeof(last), "\n%d  thirty bytes of text in a row.\n", ROWS - 1);
    assert_string_equal(f->data + f->data_len - strlen(last), last);
    for (size_t i = 0, lines = 0; i < f->data_len; i++) {
        lines += f->data[i] == '\n';
        assert_true(i + 1 < f->data_len || lines == ROWS + 1);
    }
}

static void a_table_may_have_as_many_columns_as_a_query(void **state)
{
    struct fixture *f = *state;
    struct cli_table t;

    cli_table_init(&t, 300);
    for (int64_t i = 0; i < 600; i++) {
        cli_table_int(&t, i % 300);
    }
    cli_table_print(&t, &f->out);
    cli_table_done(&t);
    says(data_of(f), "  298  299\n0  1  2");
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
    assert_int_equal(out.columns, 80); /* a terminal that does not say */
    assert_true(cli_data(&out, WH_LIT("a\033[31m")));
    assert_true(cli_out_flush(&out));
    assert_true(read(master, shown, sizeof(shown) - 1) > 0);
    assert_string_equal(shown, "a\\u001b[31m\r\n");
    (void)fclose(slave);
    (void)close(master);
}

/* The pager is a program that writes into a file, as data would go to the terminal. */
static void data_go_through_the_pager(void **state)
{
    struct fixture *f = *state;
    char *folder = th_tmp_new();
    char command[256];
    char path[128];
    char got[64] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/paged", folder);
    (void)snprintf(command, sizeof(command), "{ echo $LESS; cat; } >%s", path);
    cli_page(&f->out, command);
    assert_int_equal(f->out.pager, 0); /* no terminal */
    f->out.data_terminal = true;
    cli_page(&f->out, "cat");
    cli_page(&f->out, "");
    assert_int_equal(f->out.pager, 0);
    assert_int_equal(unsetenv("LESS"), 0);
    cli_page(&f->out, command);
    cli_say(&f->out, "a row\n");
    cli_page_end(&f->out);
    cli_say(&f->out, "behind\n");
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(got, 1, sizeof(got) - 1, file) > 0);
    (void)fclose(file);
    assert_string_equal(got, "FRX\na row\n");
    assert_string_equal(data_of(f), "behind\n");
    (void)signal(SIGPIPE, SIG_IGN);
    cli_page(&f->out, "/nonexistent/pager");
    cli_say(&f->out, "lost\n");
    cli_page_end(&f->out);
    says(messages_of(f), "the pager was not found; --no-pager");
    assert_false(cli_out_flush(&f->out));
    th_tmp_remove(folder);
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
        {"n", ""},  {"a", "x, 2, "}, {"o", "v"},   {"u", "1.8446744073709552e+19"}};
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
    th_slice_is(wh_json_get_str(root, "s"), "a");
    th_slice_is(wh_json_get_str(root, "i"), "");
    th_slice_is(wh_json_get_str(root, "absent"), "");
    assert_true(cli_get_num(root, "d", 0) > 1.4 && cli_get_num(root, "s", 7) > 6.9);
    assert_true(wh_json_get_flag(root, "b") && !wh_json_get_flag(root, "i") &&
                !wh_json_get_flag(root, "absent"));
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
        cmocka_unit_test_setup_teardown(headings_are_bold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_table_fits_the_terminal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_table_that_fits_is_not_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_cut_without_a_terminal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_cell_widens_no_other_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(columns_take_lines_where_they_do_not_fit, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_long_table_is_printed_in_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_table_may_have_as_many_columns_as_a_query, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(data_go_through_the_pager, set_up, tear_down),
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
