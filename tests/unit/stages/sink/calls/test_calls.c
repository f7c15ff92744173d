/* The log of calls: what was written is read, after a restart too; it is bounded; a damaged line costs itself alone. */
#include "stages/sink/calls/calls.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_tmp.h"

struct fixture {
    char *folder;
    char path[256];
    struct calls *calls;
};

static void open_calls(struct fixture *f)
{
    struct wh_err err;

    th_ok(calls_new(f->path, &f->calls, &err), &err);
}

static void begin(struct fixture *f)
{
    *f = (struct fixture){.folder = th_tmp_new()};
    (void)snprintf(f->path, sizeof(f->path), "%s/calls", f->folder);
    open_calls(f);
}

static void end(struct fixture *f)
{
    calls_free(f->calls);
    th_tmp_remove(f->folder);
}

static void add(struct fixture *f, int64_t at_ms, struct wh_slice arguments)
{
    const struct calls_call call = {.at_ms = at_ms,
                                    .agent = WH_LIT("4f2a"),
                                    .name = WH_LIT("An \"agent\"\n"),
                                    .tool = WH_LIT("query"),
                                    .arguments = arguments,
                                    .result = WH_LIT("ok"),
                                    .rows = 3,
                                    .ids = WH_LIT("[]"),
                                    .n_ids = 2,
                                    .took_ms = 5};
    struct wh_err err;

    th_ok(calls_add(f->calls, &call, &err), &err);
}

/* How many calls there are; *ret is the last. */
static int64_t count(struct fixture *f, int64_t *ret_first, int64_t *ret_last)
{
    struct calls_reading *reading;
    struct calls_call call;
    struct wh_err err;
    int64_t n = 0;

    th_ok(calls_read(f->calls, &reading, &err), &err);
    while (calls_next(reading, &call)) {
        *ret_first = n == 0 ? call.at_ms : *ret_first;
        assert_true(n == 0 || call.at_ms == *ret_last + 1);
        assert_true(wh_slice_eq(call.name, WH_LIT("An \"agent\"\n")));
        *ret_last = call.at_ms;
        n++;
    }
    calls_read_end(reading);
    return n;
}

static void test_calls_outlive_the_process(void **state)
{
    struct fixture f;
    int64_t first = 0;
    int64_t last = 0;

    (void)state;
    begin(&f);
    add(&f, 1, WH_LIT("{}"));
    calls_free(f.calls);
    open_calls(&f);
    add(&f, 2, WH_LIT("{\"sql\":\"select 1\"}"));
    assert_int_equal(count(&f, &first, &last), 2);
    assert_int_equal(last, 2);
    end(&f);
}

static void test_the_oldest_make_room(void **state)
{
    struct fixture f;
    struct stat st;
    char older[300];
    char arguments[2000];
    int64_t first = 0;
    int64_t last = 0;
    int64_t n;

    (void)state;
    memset(arguments, 'x', sizeof(arguments));
    begin(&f);
    for (int64_t at = 1; at <= 10000; at++) {
        add(&f, at, wh_slice(arguments, sizeof(arguments)));
    }
    n = count(&f, &first, &last);
    assert_int_equal(last, 10000);
    assert_int_equal(first, 10001 - n);
    assert_true(n > 3000 && n < 10000);
    assert_int_equal(stat(f.path, &st), 0);
    assert_true(st.st_size <= CALLS_FILE_MAX);
    (void)snprintf(older, sizeof(older), "%s.1", f.path);
    assert_int_equal(stat(older, &st), 0);
    assert_true(st.st_size <= CALLS_FILE_MAX);
    assert_int_equal(st.st_mode & 0777, 0600);
    end(&f);
}

static void test_a_damaged_line_costs_itself_alone(void **state)
{
    struct fixture f;
    int64_t first = 0;
    int64_t last = 0;
    FILE *file;

    (void)state;
    begin(&f);
    add(&f, 1, WH_LIT("{}"));
    file = fopen(f.path, "a");
    assert_non_null(file);
    assert_true(fputs("{\"at\":7,\"ag\n", file) >= 0);
    (void)fclose(file);
    add(&f, 2, WH_LIT("{}"));
    assert_int_equal(count(&f, &first, &last), 2);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_outlive_the_process),
        cmocka_unit_test(test_the_oldest_make_room),
        cmocka_unit_test(test_a_damaged_line_costs_itself_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
