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

/* In place of the C library's explicit_bzero, in both of its forms: notes what was overwritten last. */
static const void *wiped;
static size_t wiped_len;

static void note_wiped(void *ptr, size_t len)
{
    wiped = ptr;
    wiped_len = len;
    memset(ptr, 0, len);
}

void bzero_plain(void *ptr, size_t len) __asm__("explicit_bzero");
void bzero_fortified(void *ptr, size_t len, size_t room) __asm__("__explicit_bzero_chk");

void bzero_plain(void *ptr, size_t len)
{
    note_wiped(ptr, len);
}

void bzero_fortified(void *ptr, size_t len, size_t room)
{
    (void)room;
    note_wiped(ptr, len);
}

static void test_a_secret_is_overwritten_when_it_grows(void **state)
{
    struct wh_buf buf;
    struct wh_err err;
    const void *before;
    size_t cap;

    (void)state;
    wh_buf_init_secret(&buf, 1000);
    th_ok(wh_buf_append(&buf, WH_LIT("glpat-secret"), &err), &err);
    before = buf.ptr;
    cap = buf.cap;
    th_ok(wh_buf_reserve(&buf, 500, &err), &err);
    assert_ptr_equal(wiped, before);
    assert_int_equal(wiped_len, cap);
    th_slice_is(wh_buf_slice(&buf), "glpat-secret");
    wh_buf_done(&buf);
}

static void test_a_secret_is_overwritten_at_its_end(void **state)
{
    struct wh_buf buf;
    struct wh_err err;
    const char *bytes;
    size_t cap;

    (void)state;
    wh_buf_init_secret(&buf, 1000);
    th_ok(wh_buf_append(&buf, WH_LIT("glpat-secret"), &err), &err);
    bytes = buf.ptr;
    wh_buf_reset(&buf);
    for (size_t i = 0; i < sizeof("glpat-secret"); i++) {
        assert_int_equal(bytes[i], 0);
    }
    for (int i = 0; i < 2; i++) { /* a buffer that is used again stays secret */
        th_ok(wh_buf_append(&buf, WH_LIT("another"), &err), &err);
        bytes = buf.ptr;
        cap = buf.cap;
        wiped = NULL;
        wh_buf_done(&buf);
        assert_ptr_equal(wiped, bytes);
        assert_int_equal(wiped_len, cap);
    }
}

static void test_a_secret_text_is_overwritten(void **state)
{
    char *text = wh_mem_dup("glpat-secret", 12);

    (void)state;
    assert_non_null(text);
    wh_mem_free_secret(text);
    assert_ptr_equal(wiped, text);
    assert_int_equal(wiped_len, 12);
    wiped = NULL;
    wh_mem_free_secret(NULL);
    assert_null(wiped);
}

static void test_other_buffers_are_not_overwritten(void **state)
{
    struct wh_buf buf;
    struct wh_err err;

    (void)state;
    wiped = NULL;
    wh_buf_init(&buf, 1000);
    th_ok(wh_buf_append(&buf, WH_LIT("page"), &err), &err);
    th_ok(wh_buf_reserve(&buf, 500, &err), &err);
    wh_buf_done(&buf);
    assert_null(wiped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow_to_max),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_arena_cap_and_reuse),
        cmocka_unit_test(test_arena_dup),
        cmocka_unit_test(test_a_secret_is_overwritten_when_it_grows),
        cmocka_unit_test(test_a_secret_is_overwritten_at_its_end),
        cmocka_unit_test(test_a_secret_text_is_overwritten),
        cmocka_unit_test(test_other_buffers_are_not_overwritten),
    };

    return cmocka_run_group_tests_name("base/buf arena", tests, NULL, NULL);
}
