/* wellhead export: what a file of SQLite and a folder of CSV then hold, and that a failure leaves nothing. */
#include "tests/lib/th_cmocka.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/th_cli.h"
#include "tests/lib/th_tmp.h"

#define SQL "POST http://sink/api/v1/sql "

static const char tables_answer[] =
    "{\"ok\":true,\"rows\":[{\"table\":\"things\"},{\"table\":\"links\"}]}";
static const char things_columns[] = "{\"ok\":true,\"rows\":[{\"column\":\"id\",\"type\":\"text\"},"
                                     "{\"column\":\"n\",\"type\":\"boolean (0 or 1)\"},"
                                     "{\"column\":\"share\",\"type\":\"real\"}]}";
static const char links_columns[] =
    "{\"ok\":true,\"rows\":[{\"column\":\"from_id\",\"type\":\"text\"}]}";
static const char things[] = "{\"ok\":true,\"columns\":[\"id\",\"n\",\"share\"],\"rows\":["
                             "[\"a\",1,0.5],[\"b, \\\"c\\\"\",null,2]],\"truncated\":false}";
static const char links[] =
    "{\"ok\":true,\"columns\":[\"from_id\"],\"rows\":[],\"truncated\":false}";

struct fixture {
    struct th_cli *cli;
    char *dir;
    char to[512];
    char words[600];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->cli = th_cli_new();
    f->dir = th_tmp_new();
    (void)snprintf(f->to, sizeof(f->to), "%s/out", f->dir);
    th_cli_answer(f->cli, SQL "{\"query\":\".tables\"", 200, tables_answer);
    th_cli_answer(f->cli, SQL "{\"query\":\"describe things\"", 200, things_columns);
    th_cli_answer(f->cli, SQL "{\"query\":\"describe links\"", 200, links_columns);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    th_cli_free(f->cli);
    th_tmp_remove(f->dir);
    free(f);
    return 0;
}

static void sink_has(struct fixture *f, const char *rows)
{
    th_cli_answer(f->cli,
                  SQL "{\"format\":\"json\",\"shape\":\"arrays\",\"limit\":0,\"query\":\"select "
                      "\\\"id\\\"",
                  200, rows);
    th_cli_answer(f->cli,
                  SQL "{\"format\":\"json\",\"shape\":\"arrays\",\"limit\":0,\"query\":\"select "
                      "\\\"from_id\\\"",
                  200, links);
}

static int export(struct fixture *f, const char *form)
{
    (void)snprintf(f->words, sizeof(f->words), "export %s %s", form, f->to);
    return th_cli_run(f->cli, f->words);
}

static bool is_there(const struct fixture *f, const char *suffix)
{
    char path[600];

    (void)snprintf(path, sizeof(path), "%s%s", f->to, suffix);
    return access(path, F_OK) == 0;
}

static void asked(sqlite3 *db, const char *text, const char *want)
{
    sqlite3_stmt *s = NULL;

    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(s, 0), want);
    (void)sqlite3_finalize(s);
}

static void sqlite_has_typed_tables_and_indexes(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = NULL;

    sink_has(f, things);
    assert_int_equal(export(f, "sqlite"), CLI_OK);
    assert_non_null(strstr(th_cli_stdout(f->cli), "/out: 2 rows of 2 tables, counted there.\n"));
    assert_false(is_there(f, ".part"));
    assert_int_equal(sqlite3_open(f->to, &db), SQLITE_OK);
    asked(db, "select id || n || share || typeof(n) || typeof(share) from things where n = 1",
          "a10.5integerreal");
    asked(db, "select typeof(n) || share || id from things where n is null", "null2.0b, \"c\"");
    asked(db, "select group_concat(name) from sqlite_master where type = 'index'",
          "things_id,links_from_id");
    (void)sqlite3_close(db);
    assert_int_equal(export(f, "sqlite"), CLI_FAILED);
    assert_non_null(strstr(th_cli_stderr(f->cli), "exists already"));
}

static void csv_has_a_file_for_each_table(void **state)
{
    struct fixture *f = *state;
    char text[128] = "";
    char path[600];
    FILE *file;

    sink_has(f, things);
    assert_int_equal(export(f, "csv"), CLI_OK);
    (void)snprintf(path, sizeof(path), "%s/things.csv", f->to);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    (void)fclose(file);
    assert_string_equal(text, "id,n,share\na,1,0.5\n\"b, \"\"c\"\"\",,2\n");
    assert_true(is_there(f, "/links.csv"));
}

static void an_answer_that_breaks_off_leaves_nothing(void **state)
{
    static const char *const forms[] = {"sqlite", "csv"};
    struct fixture *f = *state;

    sink_has(f, "{\"ok\":true,\"columns\":[\"id\",\"n\",\"share\"],\"rows\":[[\"a\",1,0.5]");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(export(f, forms[i]), CLI_FAILED);
        assert_non_null(strstr(th_cli_stderr(f->cli), "answer cannot be read"));
        assert_false(is_there(f, ""));
        assert_false(is_there(f, ".part"));
    }
}

static void a_row_of_another_width_is_refused(void **state)
{
    struct fixture *f = *state;

    sink_has(f, "{\"ok\":true,\"columns\":[\"id\"],\"rows\":[[\"a\"]],\"truncated\":false}");
    assert_int_equal(export(f, "sqlite"), CLI_FAILED);
    assert_non_null(strstr(th_cli_stderr(f->cli), "a row of things has 1 columns"));
    assert_false(is_there(f, ".part"));
}

static void it_says_what_it_needs(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(th_cli_run(f->cli, "export"), CLI_USAGE);
    assert_int_equal(th_cli_run(f->cli, "export xml x"), CLI_USAGE);
    assert_non_null(strstr(th_cli_stderr(f->cli), "export needs `sqlite FILE` or `csv DIR`"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sqlite_has_typed_tables_and_indexes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(csv_has_a_file_for_each_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_that_breaks_off_leaves_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_row_of_another_width_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_says_what_it_needs, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
