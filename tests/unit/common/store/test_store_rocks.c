#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/store/store.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_store.h"
#include "tests/lib/th_tmp.h"

struct fixture {
    char *dir;
    char path[512];
    struct wh_store_conf conf;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->dir = th_tmp_new();
    (void)snprintf(f->path, sizeof(f->path), "%s/store", f->dir);
    f->conf = (struct wh_store_conf){.path = f->path,
                                     .families = th_store_families,
                                     .n_families = TH_STORE_FAMILIES,
                                     .cache_bytes = 1 << 20,
                                     .memtable_bytes = 1 << 20};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    th_tmp_remove(f->dir);
    free(f);
    return 0;
}

static struct wh_store *open_store(const struct fixture *f)
{
    struct wh_store *s;
    struct wh_err err;

    th_ok(wh_store_rocks_open(&f->conf, &s, &err), &err);
    return s;
}

static void test_behaviour(void **state)
{
    struct wh_store *s = open_store(*state);

    th_store_behaviour(s);
    wh_store_free(s);
}

static void test_reopen_keeps_everything(void **state)
{
    struct wh_store *s = open_store(*state);
    char *before;
    char *after;

    th_store_behaviour(s);
    before = th_store_dump(s, 0);
    wh_store_free(s);
    s = open_store(*state);
    after = th_store_dump(s, 0);
    assert_string_equal(before, after);
    wh_store_free(s);
    wh_mem_free(before);
    wh_mem_free(after);
}

static void test_lock_says_what_to_do(void **state)
{
    struct fixture *f = *state;
    struct wh_store *s = open_store(f);
    struct wh_store *second;
    struct wh_err err;

    assert_int_equal(wh_store_rocks_open(&f->conf, &second, &err), WH_E_BUSY);
    assert_non_null(strstr(err.msg, "in use"));
    assert_non_null(strstr(err.msg, f->path));
    wh_store_free(s);
}

static void test_read_only_beside_the_writer(void **state)
{
    struct fixture *f = *state;
    struct wh_store *s = open_store(f);
    struct wh_store_conf conf = f->conf;
    struct wh_store *reader;
    struct wh_err err;
    char *a;
    char *b;

    th_store_behaviour(s);
    conf.read_only = true;
    th_ok(wh_store_rocks_open(&conf, &reader, &err), &err);
    a = th_store_dump(s, 0);
    b = th_store_dump(reader, 0);
    assert_string_equal(a, b);
    wh_mem_free(a);
    wh_mem_free(b);
    wh_store_free(reader);
    wh_store_free(s);
}

static void test_read_only_of_nothing(void **state)
{
    struct fixture *f = *state;
    struct wh_store_conf conf = f->conf;
    struct wh_store *s;
    struct wh_err err;

    conf.read_only = true;
    assert_int_not_equal(wh_store_rocks_open(&conf, &s, &err), WH_OK);
    assert_non_null(strstr(err.msg, f->path));
}

static void test_checkpoint_is_a_store(void **state)
{
    struct fixture *f = *state;
    struct wh_store *s = open_store(f);
    struct wh_store_conf conf = f->conf;
    struct wh_store *copy;
    struct wh_err err;
    char path[600];
    char *a;
    char *b;

    th_store_behaviour(s);
    (void)snprintf(path, sizeof(path), "%s-copy", f->path);
    th_ok(wh_store_checkpoint(s, path, &err), &err);
    assert_int_not_equal(wh_store_checkpoint(s, path, &err), WH_OK);
    conf.path = path;
    th_ok(wh_store_rocks_open(&conf, &copy, &err), &err);
    for (unsigned i = 0; i < TH_STORE_FAMILIES; i++) {
        a = th_store_dump(s, i);
        b = th_store_dump(copy, i);
        assert_string_equal(a, b);
        wh_mem_free(a);
        wh_mem_free(b);
    }
    wh_store_free(copy);
    wh_store_free(s);
}

static void test_damage_is_corrupt(void **state)
{
    struct fixture *f = *state;
    struct wh_store *s = open_store(f);
    struct wh_err err;
    char path[600];
    FILE *file;

    wh_store_free(s);
    (void)snprintf(path, sizeof(path), "%s/CURRENT", f->path);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("MANIFEST-000000 is not here", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(wh_store_rocks_open(&f->conf, &s, &err), WH_E_CORRUPT);
}

static void put(struct wh_store *s, const char *key, const char *value)
{
    struct wh_batch *batch;
    struct wh_err err;

    th_ok(wh_batch_new(s, &batch, &err), &err);
    th_ok(wh_batch_put(batch, 0, wh_slice_str(key), wh_slice_str(value), &err), &err);
    th_ok(wh_store_write(s, batch, false, &err), &err);
    wh_batch_free(batch);
}

static enum wh_rc get(struct wh_store *s, const struct wh_snapshot *snap, const char *key)
{
    WH_AUTO(buf) struct wh_buf value;
    struct wh_err err;
    bool found = false;
    enum wh_rc rc;

    wh_buf_init(&value, 100);
    rc = wh_store_get(s, snap, 0, wh_slice_str(key), &value, &found, &err);
    assert_true(rc != WH_OK || found);
    return rc;
}

static enum wh_rc seek(struct wh_store *s, const struct wh_snapshot *snap, const char *key)
{
    const struct wh_slice all = wh_slice("", 0);
    struct wh_iter *it;
    struct wh_err err;
    enum wh_rc rc;

    th_ok(wh_iter_new(s, snap, 0, all, all, &it, &err), &err);
    wh_iter_seek(it, wh_slice_str(key), false);
    rc = wh_iter_error(it, &err);
    assert_int_equal(wh_iter_valid(it, NULL, NULL), rc == WH_OK);
    wh_iter_free(it);
    return rc;
}

/* A reopened store has its rows on the disk; a read that may wait brings them into memory. */
static void test_reads_that_do_not_wait(void **state)
{
    struct wh_store *s = open_store(*state);
    struct wh_snapshot *snap = NULL;
    struct wh_err err;

    put(s, "a", "1");
    th_ok(wh_store_snapshot_in_memory(s, &snap, &err), &err);
    assert_int_equal(get(s, snap, "a"), WH_OK);
    assert_int_equal(seek(s, snap, "a"), WH_OK);
    wh_store_snapshot_free(s, snap);
    wh_store_free(s);
    s = open_store(*state);
    th_ok(wh_store_compact(s, 0, &err), &err);
    wh_store_free(s);
    s = open_store(*state);
    th_ok(wh_store_snapshot_in_memory(s, &snap, &err), &err);
    assert_int_equal(get(s, snap, "a"), WH_E_BUSY);
    assert_int_equal(seek(s, snap, "a"), WH_E_BUSY);
    assert_int_equal(get(s, NULL, "a"), WH_OK);
    assert_int_equal(seek(s, NULL, "a"), WH_OK);
    assert_int_equal(get(s, snap, "a"), WH_OK);
    assert_int_equal(seek(s, snap, "a"), WH_OK);
    wh_store_snapshot_free(s, snap);
    wh_store_free(s);
}

static void test_every_write_raises_the_sequence(void **state)
{
    struct wh_store *s = open_store(*state);
    uint64_t before = wh_store_sequence(s);

    for (int i = 0; i < 3; i++) {
        put(s, "a", "1");
        assert_true(wh_store_sequence(s) > before);
        before = wh_store_sequence(s);
    }
    wh_store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_behaviour, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reopen_keeps_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock_says_what_to_do, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_only_beside_the_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_only_of_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_checkpoint_is_a_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_corrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads_that_do_not_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_write_raises_the_sequence, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
