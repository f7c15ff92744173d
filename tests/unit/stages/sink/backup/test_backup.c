/* Backups of a real store: what is in them, what is refused, and the way back. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "stages/sink/backup/backups.h"
#include "stages/sink/store/data_folder.h"
#include "stages/sink/store/keyspace.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_store.h"
#include "tests/lib/th_tmp.h"

enum { ENTITIES = 3, REVISIONS = 5 };

struct fixture {
    char *dir;
    char data[512];
    char backup[512];
    struct wh_store *store;
};

static struct wh_store *open_store(const char *path)
{
    const struct wh_store_conf conf = {.path = path,
                                       .families = sink_families,
                                       .n_families = SINK_FAMILY_COUNT,
                                       .cache_bytes = 1 << 20,
                                       .memtable_bytes = 1 << 20};
    struct wh_store *s;
    struct wh_err err;

    th_ok(wh_store_rocks_open(&conf, &s, &err), &err);
    return s;
}

static void put(struct wh_batch *b, unsigned family, struct wh_slice key, struct wh_slice value)
{
    struct wh_err err;

    th_ok(wh_batch_put(b, family, key, value, &err), &err);
}

/* Three entities, five revisions, what the store says of itself, and an offset. */
static void fill(struct wh_store *s, uint64_t entities)
{
    unsigned char counts[24] = {0};
    unsigned char key[SINK_REVISION_KEY] = {WH_KIND_WORK_ITEM};
    const char kind[2] = {'c', WH_KIND_WORK_ITEM};
    struct wh_batch *b;
    struct wh_err err;

    th_ok(wh_batch_new(s, &b, &err), &err);
    for (unsigned char i = 0; i < REVISIONS; i++) {
        key[1] = i;
        if (i < ENTITIES) {
            put(b, SINK_ENTITIES, wh_slice(key, SINK_ENTITY_KEY), WH_LIT("head"));
        }
        put(b, SINK_REVISIONS, wh_slice(key, sizeof(key)), WH_LIT("entry"));
    }
    wh_be_put64(counts, entities);
    wh_be_put64(counts + 16, REVISIONS);
    put(b, SINK_META, wh_slice(kind, 2), wh_slice(counts, sizeof(counts)));
    put(b, SINK_META, wh_slice("n", 1), wh_slice("\0\0\0\0\0\0\0\7", 8));
    put(b, SINK_META, wh_slice("oentities.c\0\0\0\0\2", 16), wh_slice("\0\0\0\0\0\0\0\11", 8));
    th_ok(wh_store_write(s, b, true, &err), &err);
    wh_batch_free(b);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char path[SINK_PATH_MAX];
    struct wh_err err;

    assert_non_null(f);
    f->dir = th_tmp_new();
    (void)snprintf(f->data, sizeof(f->data), "%s/data", f->dir);
    (void)snprintf(f->backup, sizeof(f->backup), "%s/backup", f->dir);
    th_ok(sink_data_current(f->data, path, &err), &err);
    f->store = open_store(path);
    fill(f->store, ENTITIES);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    wh_store_free(f->store);
    th_tmp_remove(f->dir);
    free(f);
    return 0;
}

static enum wh_rc make(struct fixture *f, struct wh_err *err)
{
    struct sink_backup_summary made = {0};
    enum wh_rc rc = sink_backup_make(f->store, f->backup, wh_clock_real(), NULL, &made, err);

    if (rc == WH_OK) {
        assert_int_equal(made.entities, ENTITIES);
        assert_int_equal(made.revisions, REVISIONS);
        assert_true(made.files > 3 && made.bytes > 0);
    }
    return rc;
}

static enum wh_rc restore(struct fixture *f, const char *confirm, char path[SINK_PATH_MAX],
                          struct wh_err *err)
{
    const struct sink_restore_conf conf = {
        .from = f->backup, .data_path = f->data, .confirm = confirm};
    struct sink_backup_summary made;

    return sink_restore(&conf, NULL, path, &made, err);
}

static char *read_text(const char *folder, const char *name)
{
    char path[600];
    char *text = calloc(1, 1 << 16);
    FILE *f;

    assert_non_null(text);
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
    (void)fclose(f);
    return text;
}

static bool exists(const char *folder, const char *name)
{
    char path[600];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

/* The same keys and values in all families. */
static void same(struct wh_store *a, struct wh_store *b)
{
    for (unsigned i = 0; i < SINK_FAMILY_COUNT; i++) {
        char *x = th_store_dump(a, i);
        char *y = th_store_dump(b, i);

        assert_string_equal(x, y);
        wh_mem_free(x);
        wh_mem_free(y);
    }
}

static void test_manifest_says_what_is_in_it(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;
    char *text;

    th_ok(make(f, &err), &err);
    text = read_text(f->backup, "manifest.json");
    assert_non_null(strstr(text, "\"sequence\":7,"));
    assert_non_null(strstr(text, "\"work_item\":{\"entities\":3,\"deleted\":0,\"revisions\":5}"));
    assert_non_null(
        strstr(text, "\"offsets\":[{\"topic\":\"entities.c\",\"partition\":2,\"next\":9}]"));
    assert_non_null(strstr(text, "{\"name\":\"CURRENT\",\"bytes\":16,\"sha256\":\""));
    assert_null(strstr(text, "\"LOG"));
    free(text);
    assert_int_equal(make(f, &err), WH_E_EXISTS);
}

static void test_replaces_rows_only_when_their_store_is_named(void **state)
{
    struct fixture *f = *state;
    char path[SINK_PATH_MAX];
    struct wh_store *restored;
    struct wh_err err;

    th_ok(make(f, &err), &err);
    assert_int_equal(restore(f, "", path, &err), WH_E_EXISTS);
    assert_non_null(strstr(err.msg, "store-1"));
    assert_int_equal(restore(f, "store-2", path, &err), WH_E_EXISTS);
    th_ok(restore(f, "store-1", path, &err), &err);
    assert_true(strcmp(path + strlen(f->data), "/store-2") == 0);
    restored = open_store(path);
    same(f->store, restored);
    wh_store_free(restored);
    th_ok(sink_data_current(f->data, path, &err), &err);
    assert_non_null(strstr(path, "/store-2"));
    assert_true(exists(f->data, "store-1"));
    assert_false(exists(f->data, "restoring"));
}

static void test_an_empty_store_is_replaced_without_a_question(void **state)
{
    struct fixture *f = *state;
    char path[SINK_PATH_MAX];
    struct wh_err err;

    th_ok(make(f, &err), &err);
    (void)snprintf(f->data, sizeof(f->data), "%s/other", f->dir);
    th_ok(restore(f, "", path, &err), &err);
    (void)snprintf(f->data, sizeof(f->data), "%s/third", f->dir);
    th_ok(sink_data_current(f->data, path, &err), &err);
    wh_store_free(open_store(path));
    th_ok(restore(f, "", path, &err), &err);
    assert_non_null(strstr(path, "/store-2"));
}

/* Changes one byte in the middle of a file of the backup. */
static void damage(const struct fixture *f, const char *name)
{
    char path[600];
    struct stat st;
    char c;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/store/%s", f->backup, name);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(pread(fd, &c, 1, st.st_size / 2), 1);
    c = (char)(c ^ 1);
    assert_int_equal(pwrite(fd, &c, 1, st.st_size / 2), 1);
    (void)close(fd);
}

static void test_damage_is_found_and_nothing_is_replaced(void **state)
{
    struct fixture *f = *state;
    char path[SINK_PATH_MAX];
    char file[600];
    struct wh_err err;

    th_ok(make(f, &err), &err);
    damage(f, "CURRENT");
    assert_int_equal(restore(f, "store-1", path, &err), WH_E_CORRUPT);
    assert_non_null(strstr(err.msg, "CURRENT"));
    damage(f, "CURRENT"); /* undone */
    (void)snprintf(file, sizeof(file), "%s/store/CURRENT", f->backup);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(restore(f, "store-1", path, &err), WH_E_NOT_FOUND);
    th_ok(sink_data_current(f->data, path, &err), &err);
    assert_non_null(strstr(path, "/store-1"));
    assert_false(exists(f->data, "store-2"));
    assert_false(exists(f->data, "restoring"));
}

static void test_what_was_not_finished_is_no_backup(void **state)
{
    struct fixture *f = *state;
    char path[SINK_PATH_MAX];
    struct wh_err err;

    th_ok(make(f, &err), &err);
    (void)snprintf(path, sizeof(path), "%s/manifest.json", f->backup);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(restore(f, "store-1", path, &err), WH_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, "is no backup"));
}

/* A store whose own numbers are wrong is not saved as if they were right. */
static void test_counts_that_do_not_agree_make_no_backup(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;

    fill(f->store, ENTITIES + 1);
    assert_int_equal(make(f, &err), WH_E_CORRUPT);
    assert_false(exists(f->dir, "backup"));
}

static void await_end(struct sink_backups *b, struct sink_backups_status *ret)
{
    do {
        (void)usleep(1000);
        sink_backups_status(b, ret);
    } while (ret->state == SINK_BACKUPS_MAKING);
}

static enum wh_rc open_file(struct sink_backups *b, const char *name, const char *file)
{
    int64_t bytes;
    struct wh_err err;
    int fd;
    enum wh_rc rc = sink_backups_open(b, wh_slice_str(name), wh_slice_str(file), &fd, &bytes, &err);

    if (rc == WH_OK) {
        assert_true(bytes > 0);
        (void)close(fd);
    }
    return rc;
}

static void test_a_running_sink_keeps_the_newest(void **state)
{
    struct fixture *f = *state;
    struct sink_backups_status first;
    struct sink_backups_status second;
    struct sink_backups *b;
    struct wh_err err;

    th_ok(sink_backups_new(f->store, f->backup, wh_clock_real(), NULL, &b, &err), &err);
    sink_backups_status(b, &first);
    assert_int_equal(first.state, SINK_BACKUPS_NONE);
    th_ok(sink_backups_begin(b, &err), &err);
    await_end(b, &first);
    assert_int_equal(first.state, SINK_BACKUPS_MADE);
    assert_int_equal(first.summary.entities, ENTITIES);
    assert_int_equal(open_file(b, first.name, "manifest.json"), WH_OK);
    assert_int_equal(open_file(b, first.name, "CURRENT"), WH_OK);
    assert_int_equal(open_file(b, first.name, "../manifest.json"), WH_E_NOT_FOUND);
    assert_int_equal(open_file(b, "..", "CURRENT"), WH_E_NOT_FOUND);
    assert_int_equal(open_file(b, first.name, "none"), WH_E_NOT_FOUND);
    (void)usleep(2000);
    th_ok(sink_backups_begin(b, &err), &err);
    await_end(b, &second);
    assert_string_not_equal(first.name, second.name);
    assert_false(exists(f->backup, first.name));
    assert_int_equal(sink_backups_remove(b, wh_slice_str(first.name), &err), WH_E_NOT_FOUND);
    sink_backups_free(b);
    /* After a start, too: the next one removes what is left. */
    assert_true(exists(f->backup, second.name));
    th_ok(sink_backups_new(f->store, f->backup, wh_clock_real(), NULL, &b, &err), &err);
    th_ok(sink_backups_begin(b, &err), &err);
    await_end(b, &first);
    assert_false(exists(f->backup, second.name));
    th_ok(sink_backups_remove(b, wh_slice_str(first.name), &err), &err);
    assert_false(exists(f->backup, first.name));
    sink_backups_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_manifest_says_what_is_in_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaces_rows_only_when_their_store_is_named, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_empty_store_is_replaced_without_a_question, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_found_and_nothing_is_replaced, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_was_not_finished_is_no_backup, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts_that_do_not_agree_make_no_backup, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_running_sink_keeps_the_newest, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
