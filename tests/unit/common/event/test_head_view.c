/* The tail of a head, read without its body, equals what wh_head_decode reads. */

#include "common/event/history.h"

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"

static void equals_the_whole_decoding(void **state)
{
    (void)state;
    for (unsigned k = 1; k < WH_KIND_COUNT; k++) {
        struct wh_store *store = th_sink_store();
        struct th_heads heads;
        struct wh_err err;

        th_heads_init(&heads, store, (enum wh_kind)k, 11 + k);
        heads.long_texts = true;
        th_heads_add(&heads, 50);
        for (size_t i = 0; i < heads.n; i++) {
            const struct wh_head *want = heads.items[i];
            struct wh_slice body;
            struct wh_head_view got;
            struct wh_buf bytes;
            bool deleted = false;

            wh_buf_init(&bytes, 1 << 20);
            th_ok(wh_head_encode(want, &bytes, &err), &err);
            th_ok(wh_head_view(wh_buf_slice(&bytes), &got, &err), &err);
            th_ok(wh_head_flags(wh_buf_slice(&bytes), &body, &deleted, &err), &err);
            assert_int_equal(deleted, want->deleted);
            assert_int_equal(got.deleted, want->deleted);
            assert_ptr_equal(body.ptr, got.body.ptr);
            assert_true(wh_slice_eq(got.source.url, want->source.url));
            assert_true(wh_slice_eq(got.source.id, want->source.id));
            assert_true(wh_slice_eq(got.source.iid, want->source.iid));
            assert_true(wh_slice_eq(got.reason, want->reason));
            assert_int_equal(wh_version_cmp(got.version, want->version), 0);
            assert_int_equal(wh_version_cmp(got.deleted_version, want->deleted_version), 0);
            assert_true(got.first_seen_ms == want->first_seen_ms);
            assert_true(got.last_seen_ms == want->last_seen_ms);
            wh_buf_done(&bytes);
        }
        th_heads_done(&heads);
        wh_store_free(store);
    }
}

static void cut_heads_are_refused(void **state)
{
    struct wh_store *store = th_sink_store();
    struct th_heads heads;
    struct wh_buf bytes;
    struct wh_err err;

    (void)state;
    th_heads_init(&heads, store, WH_KIND_NOTE, 3);
    th_heads_add(&heads, 1);
    wh_buf_init(&bytes, 1 << 20);
    th_ok(wh_head_encode(heads.items[0], &bytes, &err), &err);
    for (size_t n = 0; n < bytes.len; n++) {
        char *copy = wh_mem_dup(bytes.ptr, n);
        struct wh_head_view got;
        struct wh_slice body;
        bool deleted;

        /* Reads nothing behind the bytes (the sanitizers watch); may succeed near the end. */
        (void)!wh_head_view(wh_slice(copy, n), &got, &err);
        (void)!wh_head_flags(wh_slice(copy, n), &body, &deleted, &err);
        wh_mem_free(copy);
    }
    wh_buf_done(&bytes);
    th_heads_done(&heads);
    wh_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_whole_decoding),
        cmocka_unit_test(cut_heads_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
