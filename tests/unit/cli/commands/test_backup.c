/* wellhead backup and restore: what is fetched and compared, what is refused, and what is left behind. */
#include "tests/lib/th_cmocka.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/th_cli.h"
#include "tests/lib/th_tmp.h"

#define BACKUPS "http://sink/api/v1/backups"
#define DIGEST_OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static const char making[] =
    "{\"ok\":true,\"backup\":{\"state\":\"making\",\"name\":\"20261130T1Z\","
    "\"step\":\"counting\",\"unit\":\"keys\",\"done\":7,\"total\":-1}}";
static const char made[] =
    "{\"ok\":true,\"backup\":{\"state\":\"made\",\"name\":\"20261130T1Z\",\"bytes\":3}}";
static const char failed[] =
    "{\"ok\":true,\"backup\":{\"state\":\"failed\",\"name\":\"20261130T1Z\","
    "\"error\":\"the disk is full\"}}";
static const char manifest[] =
    "{\"format\":1,\"made_at\":\"2026-11-30T00:00:00.000Z\",\"bytes\":3,\"entities\":5,"
    "\"revisions\":9,\"files\":[{\"name\":\"CURRENT\",\"bytes\":3,\"sha256\":\"" DIGEST_OF_ABC
    "\"}]}";

struct fixture {
    struct th_cli *cli;
    char *dir;
    char to[512];
    char words[600];
    char data[600];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->cli = th_cli_new();
    f->dir = th_tmp_new();
    (void)snprintf(f->to, sizeof(f->to), "%s/backup", f->dir);
    (void)snprintf(f->words, sizeof(f->words), "backup %s", f->to);
    (void)snprintf(f->data, sizeof(f->data), "WELLHEAD_SINK_DATA_PATH=%s/data", f->dir);
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

static void says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in: %s", part, text);
    }
}

static bool exists(const char *folder, const char *name)
{
    char path[700];

    (void)snprintf(path, sizeof(path), "%s%s", folder, name);
    return access(path, F_OK) == 0;
}

static void sink_makes_it(struct th_cli *t, const char *content)
{
    th_cli_answer(t, "POST " BACKUPS, 202, making);
    th_cli_answer(t, "GET " BACKUPS, 200, making);
    th_cli_answer(t, "GET " BACKUPS, 200, made);
    th_cli_answer(t, "GET " BACKUPS "/20261130T1Z/manifest.json", 200, manifest);
    th_cli_answer(t, "GET " BACKUPS "/20261130T1Z/CURRENT", 200, content);
    th_cli_answer(t, "POST " BACKUPS " {\"remove\":\"20261130T1Z\"}", 200, made);
}

static void a_backup_is_fetched_and_compared(void **state)
{
    struct fixture *f = *state;
    char text[8] = "";
    char path[600];
    FILE *file;

    sink_makes_it(f->cli, "abc");
    assert_int_equal(th_cli_run(f->cli, f->words), CLI_OK);
    says(th_cli_stdout(f->cli),
         "/backup: 5 entities with 9 revisions as of 2026-11-30T00:00:00.000Z, 3 bytes");
    (void)snprintf(path, sizeof(path), "%s/store/CURRENT", f->to);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof(text), file), 3);
    (void)fclose(file);
    assert_string_equal(text, "abc");
    assert_true(exists(f->to, "/manifest.json"));
    assert_false(exists(f->to, ".part"));
    says(th_cli_last(f->cli, "POST"), "{\"remove\":\"20261130T1Z\"}");
    /* It is never overwritten. */
    assert_int_equal(th_cli_run(f->cli, f->words), CLI_FAILED);
    says(th_cli_stderr(f->cli), "exists already");
    assert_int_equal(th_cli_requests(f->cli), 0);
}

static void what_arrives_damaged_is_no_backup(void **state)
{
    struct fixture *f = *state;

    sink_makes_it(f->cli, "abd");
    assert_int_equal(th_cli_run(f->cli, f->words), CLI_FAILED);
    says(th_cli_stderr(f->cli), "store/CURRENT did not arrive as it was sent");
    assert_false(exists(f->to, ""));
    assert_false(exists(f->to, ".part"));
    says(th_cli_last(f->cli, "POST"), "{\"remove\":\"20261130T1Z\"}");
}

static void a_failure_of_the_sink_is_told(void **state)
{
    struct fixture *f = *state;

    th_cli_answer(f->cli, "POST " BACKUPS, 202, making);
    th_cli_answer(f->cli, "GET " BACKUPS, 200, failed);
    assert_int_equal(th_cli_run(f->cli, f->words), CLI_FAILED);
    says(th_cli_stderr(f->cli), "wellhead: backup: the disk is full\n");
    assert_false(exists(f->to, ".part"));
}

static void what_takes_long_says_how_far_it_is(void **state)
{
    struct fixture *f = *state;

    th_cli_answer(f->cli, "POST " BACKUPS, 202, making);
    for (int i = 0; i < 12; i++) {
        th_cli_answer(f->cli, "GET " BACKUPS, 200, making);
    }
    th_cli_answer(f->cli, "GET " BACKUPS, 200, failed);
    assert_int_equal(th_cli_run(f->cli, f->words), CLI_FAILED);
    says(th_cli_stderr(f->cli), "counting: 7 keys\n");
}

static void ctrl_c_leaves_nothing(void **state)
{
    struct fixture *f = *state;

    th_cli_answer(f->cli, "POST " BACKUPS, 202, making);
    th_cli_answer(f->cli, "GET " BACKUPS, 200, making);
    th_cli_interrupt(f->cli, 2);
    assert_int_equal(th_cli_run(f->cli, f->words), CLI_INTERRUPTED);
    assert_false(exists(f->to, ".part"));
    says(th_cli_last(f->cli, "POST"), "{\"remove\":\"20261130T1Z\"}");
}

/* ---- restore ---- */

/* A backup, and a store with the name that is asked for. */
static void prepare(struct fixture *f)
{
    char path[600];

    sink_makes_it(f->cli, "abc");
    assert_int_equal(th_cli_run(f->cli, f->words), CLI_OK);
    (void)snprintf(path, sizeof(path), "%s/data", f->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/data/store-3", f->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/data/store-3/CURRENT", f->dir);
    (void)fclose(fopen(path, "w"));
    (void)snprintf(path, sizeof(path), "%s/data/current", f->dir);
    assert_int_equal(symlink("store-3", path), 0);
    (void)snprintf(f->words, sizeof(f->words), "restore %s", f->to);
    th_cli_env(f->cli, f->data);
}

static void restore_asks_for_the_name_of_the_store(void **state)
{
    struct fixture *f = *state;

    prepare(f);
    th_cli_env(f->cli, "WELLHEAD_SINK_PROGRAM=true");
    assert_int_equal(th_cli_run(f->cli, f->words), CLI_FAILED);
    says(th_cli_stderr(f->cli), "nothing was done; --confirm store-3 does it");
    th_cli_type(f->cli, "store-2\n");
    assert_int_equal(th_cli_run(f->cli, f->words), CLI_FAILED);
    says(th_cli_stderr(f->cli), "This replaces the store store-3 of");
    says(th_cli_stderr(f->cli), "that is not its name; nothing was done");
    th_cli_type(f->cli, "store-3\n");
    assert_int_equal(th_cli_run(f->cli, f->words), CLI_OK);
    says(th_cli_stdout(f->cli), "Restored: 5 entities with 9 revisions");
}

static void restore_tells_what_the_sink_s_program_says(void **state)
{
    struct fixture *f = *state;
    char words[700];

    prepare(f);
    (void)snprintf(words, sizeof(words), "%s --confirm store-3", f->words);
    th_cli_env(f->cli, "WELLHEAD_SINK_PROGRAM=false");
    assert_int_equal(th_cli_run(f->cli, words), CLI_FAILED);
    assert_string_equal(th_cli_stdout(f->cli), "");
}

static void restore_needs_a_backup_and_a_path(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(th_cli_run(f->cli, "restore /nowhere"), CLI_FAILED);
    says(th_cli_stderr(f->cli), "set sink.data_path");
    th_cli_env(f->cli, f->data);
    assert_int_equal(th_cli_run(f->cli, "restore /nowhere"), CLI_FAILED);
    says(th_cli_stderr(f->cli), "/nowhere is no backup");
    assert_int_equal(th_cli_run(f->cli, "restore"), CLI_USAGE);
    assert_int_equal(th_cli_run(f->cli, "backup"), CLI_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_backup_is_fetched_and_compared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_arrives_damaged_is_no_backup, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_of_the_sink_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_takes_long_says_how_far_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ctrl_c_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(restore_asks_for_the_name_of_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(restore_tells_what_the_sink_s_program_says, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(restore_needs_a_backup_and_a_path, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
