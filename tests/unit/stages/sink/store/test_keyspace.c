/* Byte order of keys is the order of what they encode. */
#include "stages/sink/store/keyspace.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_observation.h"

static int sign(int c)
{
    return (c > 0) - (c < 0);
}

static int64_t random_time(struct th_random *r)
{
    static const int64_t edges[] = {INT64_MIN, -1, 0, 1, INT64_MAX};

    return th_random_below(r, 4) == 0 ? edges[th_random_below(r, 5)] : (int64_t)th_random_next(r);
}

static struct wh_entity_id random_id(struct th_random *r)
{
    struct wh_entity_id id;

    wh_be_put64(id.bytes, th_random_next(r) >> (th_random_below(r, 2) * 60));
    wh_be_put64(id.bytes + 8, th_random_next(r));
    return id;
}

static void test_time_order(void **state)
{
    struct th_random r = {12345};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t a = random_time(&r);
        int64_t b = random_time(&r);
        struct wh_entity_id ida = random_id(&r);
        struct wh_entity_id idb = random_id(&r);
        unsigned char ka[SINK_BY_TIME_KEY];
        unsigned char kb[SINK_BY_TIME_KEY];
        int want = a != b ? (a > b) - (a < b) : sign(wh_entity_id_cmp(&ida, &idb));

        sink_by_time_key(ka, WH_KIND_JOB, a, &ida);
        sink_by_time_key(kb, WH_KIND_JOB, b, &idb);
        assert_int_equal(sign(memcmp(ka, kb, sizeof(ka))), want);
    }
}

static void test_revision_order(void **state)
{
    struct th_random r = {777};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct wh_entity_id id = random_id(&r);
        struct wh_version a = {th_random_next(&r) >> (th_random_below(&r, 2) * 62),
                               th_random_next(&r)};
        struct wh_version b = {th_random_next(&r) >> (th_random_below(&r, 2) * 62),
                               th_random_next(&r)};
        unsigned char ka[SINK_REVISION_KEY];
        unsigned char kb[SINK_REVISION_KEY];

        sink_revision_key(ka, &id, a);
        sink_revision_key(kb, &id, b);
        assert_int_equal(sign(memcmp(ka, kb, sizeof(ka))), sign(wh_version_cmp(a, b)));
    }
}

static void test_kinds_are_ranges(void **state)
{
    struct th_random r = {99};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct wh_entity_id a = random_id(&r);
        struct wh_entity_id b = random_id(&r);
        unsigned char ka[SINK_ENTITY_KEY];
        unsigned char kb[SINK_ENTITY_KEY];

        sink_entity_key(ka, WH_KIND_WORK_ITEM, &a);
        sink_entity_key(kb, WH_KIND_BUILD_RECORD, &b);
        assert_true(memcmp(ka, kb, sizeof(ka)) < 0);
    }
}

static void test_source_keys(void **state)
{
    struct wh_source_id s = {.instance = WH_LIT("https://a"),
                             .kind = WH_LIT("issue"),
                             .project = WH_LIT("7"),
                             .iid = WH_LIT("12")};
    static char longer[SINK_SOURCE_KEY_MAX + 1];
    struct wh_buf key;
    struct wh_err err;

    (void)state;
    wh_buf_init(&key, 1 << 16);
    th_ok(sink_iid_key(&s, &key, &err), &err);
    assert_int_equal(key.len, sizeof("ihttps://a\0issue\0"
                                     "7\0"
                                     "12") -
                                  1);
    assert_memory_equal(key.ptr,
                        "ihttps://a\0issue\0"
                        "7\0"
                        "12",
                        key.len);
    wh_buf_reset(&key);
    th_ok(sink_url_key(WH_LIT("https://a/b"), &key, &err), &err);
    th_slice_is(wh_buf_slice(&key), "uhttps://a/b");
    wh_buf_reset(&key);
    memset(longer, 'x', sizeof(longer));
    assert_int_equal(sink_url_key(wh_slice(longer, sizeof(longer)), &key, &err), WH_E_TOO_LARGE);
    s.iid = wh_slice(longer, sizeof(longer));
    assert_int_equal(sink_iid_key(&s, &key, &err), WH_E_TOO_LARGE);
    th_ok(sink_offset_key(WH_LIT("t"), 258, &key, &err), &err);
    assert_int_equal(key.len, 7);
    assert_memory_equal(key.ptr, "ot\0\0\0\1\2", 7);
    wh_buf_done(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_order),
        cmocka_unit_test(test_revision_order),
        cmocka_unit_test(test_kinds_are_ranges),
        cmocka_unit_test(test_source_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
