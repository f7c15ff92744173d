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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
