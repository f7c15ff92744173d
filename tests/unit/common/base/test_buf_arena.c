#include "tests/lib/th_cmocka.h"

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/mem.h"

/* What must hold after every step. */
static void buf_check(const struct wh_buf *buf)
{
    assert_true(buf->len <= buf->cap || buf->ptr == NULL);
    assert_true(buf->cap <= buf->max);
    assert_true(buf->ptr == NULL || buf->ptr[buf->len] == '\0');
}

static void test_grow_to_max(void **state)
{
    struct wh_buf buf;
    struct wh_err err;

    (void)state;
    wh_buf_init(&buf, 1000);
    for (int i = 0; i < 100; i++) {
        th_ok(wh_buf_append(&buf, WH_LIT("0123456789"), &err), &err);
        buf_check(&buf);
    }
    assert_int_equal(wh_buf_append_char(&buf, 'x', &err), WH_E_TOO_LARGE);
    assert_int_equal(buf.len, 1000);
    wh_buf_reset(&buf);
    th_ok(wh_buf_printf(&buf, &err, "%d-%s", 7, "seven"), &err);
    assert_string_equal(buf.ptr, "7-seven");
    wh_buf_done(&buf);
    buf_check(&buf);
}

static void test_take(void **state)
{
    struct wh_buf buf;
    struct wh_err err;
    size_t len;
    char *bytes;

    (void)state;
    wh_buf_init(&buf, 100);
    th_ok(wh_buf_append(&buf, WH_LIT("bytes"), &err), &err);
    bytes = wh_buf_take(&buf, &len);
    assert_int_equal(len, 5);
    assert_string_equal(bytes, "bytes");
    assert_null(buf.ptr);
    wh_mem_free(bytes);
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static void test_no_memory(void **state)
{
    struct wh_buf buf;
    struct wh_arena arena;
    struct wh_err err;
    void *ptr;

    (void)state;
    wh_buf_init(&buf, 100);
    wh_arena_init(&arena, 100, 1000);
    wh_mem_set_hook(never, NULL);
    assert_int_equal(wh_buf_append(&buf, WH_LIT("x"), &err), WH_E_NOMEM);
    assert_int_equal(wh_arena_alloc(&arena, 10, &ptr, &err), WH_E_NOMEM);
    wh_mem_set_hook(NULL, NULL);
    buf_check(&buf);
    wh_buf_done(&buf);
    wh_arena_done(&arena);
}

static void test_arena_cap_and_reuse(void **state)
{
    struct wh_arena arena;
    struct wh_err err;
    void *first = NULL;
    void *again = NULL;
    void *ptr;

    (void)state;
    wh_arena_init(&arena, 256, 4096);
    th_ok(wh_arena_alloc(&arena, 100, &first, &err), &err);
    for (int i = 0; i < 39; i++) {
        th_ok(wh_arena_alloc(&arena, 100, &ptr, &err), &err);
        memset(ptr, i, 100);
        assert_int_equal((uintptr_t)ptr % 16, 0);
    }
    assert_int_equal(wh_arena_alloc(&arena, 200, &ptr, &err), WH_E_TOO_LARGE);
    wh_arena_reset(&arena);
    th_ok(wh_arena_alloc(&arena, 100, &again, &err), &err);
    assert_ptr_equal(first, again);
    th_ok(wh_arena_alloc(&arena, 3000, &ptr, &err), &err);
    memset(ptr, 1, 3000);
    assert_int_equal(wh_arena_zalloc(&arena, SIZE_MAX / 2, 3, &ptr, &err), WH_E_TOO_LARGE);
    wh_arena_done(&arena);
}

static void test_arena_dup(void **state)
{
    struct wh_arena arena;
    struct wh_slice copy;
    struct wh_err err;

    (void)state;
    wh_arena_init(&arena, 64, 1024);
    th_ok(wh_arena_dup(&arena, WH_LIT("copy me"), &copy, &err), &err);
    th_slice_is(copy, "copy me");
    assert_int_equal(copy.ptr[copy.len], '\0');
    wh_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow_to_max), cmocka_unit_test(test_take),
        cmocka_unit_test(test_no_memory),   cmocka_unit_test(test_arena_cap_and_reuse),
        cmocka_unit_test(test_arena_dup),
    };

    return cmocka_run_group_tests_name("base/buf arena", tests, NULL, NULL);
}
