/* Kept answers: found by id and stamp alone, and never more bytes than they may have. */
#include "stages/sink/api/answers.h"

#include <string.h>

#include "tests/lib/th_cmocka.h"

enum { MAX_BYTES = 64 << 10, IDS = 500, ANSWER_BYTES = 3000 };

static struct wh_entity_id id_of(size_t n)
{
    struct wh_entity_id id = {{0}};
    uint64_t bits = n * UINT64_C(0x9E3779B97F4A7C15);

    memcpy(id.bytes, &bits, sizeof(bits));
    memcpy(id.bytes + 8, &n, sizeof(n));
    return id;
}

static void found_by_id_and_stamp(void **state)
{
    struct api_answers *a = api_answers_new(MAX_BYTES);
    const struct wh_entity_id one = id_of(1);
    struct wh_entity_id same_place = one;

    (void)state;
    same_place.bytes[15] ^= 1;
    assert_null(api_answers_get(a, &one, 5).ptr);
    api_answers_put(a, &one, 5, WH_LIT("one"));
    th_slice_is(api_answers_get(a, &one, 5), "one");
    assert_null(api_answers_get(a, &one, 6).ptr);
    assert_null(api_answers_get(a, &same_place, 5).ptr);
    api_answers_put(a, &one, 6, WH_LIT("more"));
    assert_null(api_answers_get(a, &one, 5).ptr);
    th_slice_is(api_answers_get(a, &one, 6), "more");
    api_answers_put(a, &same_place, 1, WH_LIT("other"));
    assert_null(api_answers_get(a, &one, 6).ptr);
    th_slice_is(api_answers_get(a, &same_place, 1), "other");
    api_answers_free(a);
}

static void bounded(void **state)
{
    static char bytes[MAX_BYTES + 1];
    struct api_answers *a = api_answers_new(MAX_BYTES);
    const struct wh_entity_id large = id_of(IDS);
    size_t kept = 0;

    (void)state;
    for (size_t i = 0; i < IDS; i++) {
        const struct wh_entity_id id = id_of(i);

        memset(bytes, 'a' + (int)(i % 26), ANSWER_BYTES);
        api_answers_put(a, &id, i, wh_slice(bytes, ANSWER_BYTES));
        assert_non_null(api_answers_get(a, &id, i).ptr);
    }
    for (size_t i = 0; i < IDS; i++) {
        const struct wh_entity_id id = id_of(i);
        struct wh_slice got = api_answers_get(a, &id, i);

        kept += got.len;
        for (size_t k = 0; k < got.len; k++) {
            assert_int_equal(got.ptr[k], 'a' + (int)(i % 26));
        }
    }
    assert_true(kept > MAX_BYTES / 2 && kept <= MAX_BYTES);
    api_answers_put(a, &large, 1, wh_slice(bytes, MAX_BYTES + 1));
    assert_null(api_answers_get(a, &large, 1).ptr);
    api_answers_put(a, &large, 1, wh_slice(bytes, MAX_BYTES));
    assert_int_equal(api_answers_get(a, &large, 1).len, MAX_BYTES);
    api_answers_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_by_id_and_stamp),
        cmocka_unit_test(bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
