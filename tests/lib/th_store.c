#include "tests/lib/th_store.h"

#include <stdlib.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

const struct wh_store_family th_store_families[TH_STORE_FAMILIES] = {
    {.name = "points", .point_reads = true},
    {.name = "ranges", .prefix_bytes = 2},
    {.name = "meta"},
    {.name = "sorted", .point_reads = true, .sorted = true},
};

enum { MODEL_KEYS = 64, ROUNDS = 60 };

static void put(struct wh_batch *b, unsigned family, const char *key, const char *value)
{
    struct wh_err err;

    th_ok(wh_batch_put(b, family, wh_slice_str(key), wh_slice_str(value), &err), &err);
}

static void write_batch(struct wh_store *s, struct wh_batch *b)
{
    struct wh_err err;

    th_ok(wh_store_write(s, b, true, &err), &err);
    wh_batch_reset(b);
}

static void expect(struct wh_store *s, const struct wh_snapshot *snap, unsigned family,
                   const char *key, const char *value)
{
    struct wh_buf out;
    struct wh_err err;
    bool found = false;

    wh_buf_init(&out, 1 << 20);
    th_ok(wh_store_get(s, snap, family, wh_slice_str(key), &out, &found, &err), &err);
    assert_int_equal(found, value != NULL);
    if (value) {
        th_slice_is(wh_buf_slice(&out), value);
    }
    wh_buf_done(&out);
}

/* Keys in [lower, upper) from `seek` on, joined by spaces. */
static void expect_walk(struct wh_store *s, const char *lower, const char *upper, const char *seek,
                        bool backwards, const char *keys)
{
    struct wh_iter *it;
    struct wh_buf text;
    struct wh_slice key;
    struct wh_slice value;
    struct wh_err err;

    wh_buf_init(&text, 1 << 20);
    th_ok(wh_iter_new(s, NULL, 1, wh_slice_str(lower), wh_slice_str(upper), &it, &err), &err);
    assert_false(wh_iter_valid(it, &key, &value));
    for (wh_iter_seek(it, wh_slice_str(seek), backwards); wh_iter_valid(it, &key, &value);
         wh_iter_step(it, backwards)) {
        if (text.len > 0) {
            th_ok(wh_buf_append_char(&text, ' ', &err), &err);
        }
        th_ok(wh_buf_append(&text, key, &err), &err);
    }
    th_ok(wh_iter_error(it, &err), &err);
    wh_iter_free(it);
    assert_string_equal(wh_buf_str(&text), keys);
    wh_buf_done(&text);
}

static void test_batches(struct wh_store *s, struct wh_batch *b)
{
    expect(s, NULL, 0, "a", NULL);
    put(b, 0, "a", "1");
    put(b, 2, "a", "other family");
    put(b, 0, "empty", "");
    assert_true(wh_batch_bytes(b) > 0);
    expect(s, NULL, 0, "a", NULL);
    write_batch(s, b);
    expect(s, NULL, 0, "a", "1");
    expect(s, NULL, 2, "a", "other family");
    expect(s, NULL, 0, "empty", "");
    put(b, 0, "a", "2");
    put(b, 0, "a", "3");
    write_batch(s, b);
    expect(s, NULL, 0, "a", "3");
    put(b, 0, "a", "4");
    wh_batch_reset(b);
    write_batch(s, b);
    expect(s, NULL, 0, "a", "3");
}

static void test_order_in_batch(struct wh_store *s, struct wh_batch *b)
{
    struct wh_err err;

    put(b, 0, "x", "1");
    th_ok(wh_batch_remove(b, 0, WH_LIT("x"), &err), &err);
    th_ok(wh_batch_remove(b, 0, WH_LIT("y"), &err), &err);
    put(b, 0, "y", "kept");
    write_batch(s, b);
    expect(s, NULL, 0, "x", NULL);
    expect(s, NULL, 0, "y", "kept");
}

static void test_snapshot(struct wh_store *s, struct wh_batch *b)
{
    struct wh_snapshot *snap;
    struct wh_err err;

    put(b, 0, "s", "old");
    write_batch(s, b);
    th_ok(wh_store_snapshot(s, &snap, &err), &err);
    put(b, 0, "s", "new");
    put(b, 0, "t", "new");
    write_batch(s, b);
    expect(s, snap, 0, "s", "old");
    expect(s, snap, 0, "t", NULL);
    expect(s, NULL, 0, "s", "new");
    wh_store_snapshot_free(s, snap);
    expect(s, NULL, 0, "t", "new");
}

static void test_iterators(struct wh_store *s, struct wh_batch *b)
{
    put(b, 1, "aa1", "1");
    put(b, 1, "aa2", "2");
    put(b, 1, "bb1", "3");
    put(b, 1, "bb3", "4");
    put(b, 1, "cc1", "5");
    write_batch(s, b);
    expect_walk(s, "", "", "", false, "aa1 aa2 bb1 bb3 cc1");
    expect_walk(s, "", "", "", true, "cc1 bb3 bb1 aa2 aa1");
    expect_walk(s, "bb", "cc", "", false, "bb1 bb3");
    expect_walk(s, "bb", "cc", "", true, "bb3 bb1");
    expect_walk(s, "bb", "cc", "zz", true, "bb3 bb1");
    expect_walk(s, "bb", "cc", "bb2", true, "bb1");
    expect_walk(s, "bb", "cc", "bb3", true, "bb3 bb1");
    expect_walk(s, "bb", "cc", "bb2", false, "bb3");
    expect_walk(s, "bb", "cc", "aa", true, "");
    expect_walk(s, "bb", "cc", "zz", false, "");
    expect_walk(s, "dd", "", "", false, "");
    expect_walk(s, "dd", "", "", true, "");
}

static void test_iterator_keeps_its_view(struct wh_store *s, struct wh_batch *b)
{
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    struct wh_err err;
    int n = 0;

    th_ok(wh_iter_new(s, NULL, 1, WH_LIT("aa"), WH_LIT("ab"), &it, &err), &err);
    put(b, 1, "aa9", "late");
    write_batch(s, b);
    for (wh_iter_seek(it, WH_LIT(""), false); wh_iter_valid(it, &key, &value);
         wh_iter_step(it, false)) {
        n++;
    }
    assert_int_equal(n, 2);
    wh_iter_free(it);
    expect_walk(s, "aa", "ab", "", false, "aa1 aa2 aa9");
}

static void test_remove_range(struct wh_store *s, struct wh_batch *b)
{
    struct wh_err err;

    put(b, 1, "aa5", "gone with the range");
    th_ok(wh_batch_remove_range(b, 1, WH_LIT("aa"), WH_LIT("bb3"), &err), &err);
    put(b, 1, "aa7", "put behind it");
    write_batch(s, b);
    expect_walk(s, "", "", "", false, "aa7 bb3 cc1");
    expect(s, NULL, 1, "aa5", NULL);
}

/* Random batches against an array of what must be there. */
static void test_model(struct wh_store *s, struct wh_batch *b)
{
    char model[MODEL_KEYS][16] = {{0}};
    char key[16];
    struct wh_err err;
    unsigned seed = 7;

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 12; i++) {
            int k = (int)(rand_r(&seed) % MODEL_KEYS);

            (void)snprintf(key, sizeof(key), "m%02d", k);
            switch (rand_r(&seed) % 5) {
            case 0:
                th_ok(wh_batch_remove(b, 0, wh_slice_str(key), &err), &err);
                model[k][0] = '\0';
                break;
            case 1: {
                int end = k + (int)(rand_r(&seed) % 6);
                char to[16];

                (void)snprintf(to, sizeof(to), "m%02d", end);
                th_ok(wh_batch_remove_range(b, 0, wh_slice_str(key), wh_slice_str(to), &err), &err);
                for (int x = k; x < end && x < MODEL_KEYS; x++) {
                    model[x][0] = '\0';
                }
                break;
            }
            default:
                (void)snprintf(model[k], sizeof(model[k]), "%d.%d", round, i);
                put(b, 0, key, model[k]);
            }
        }
        write_batch(s, b);
        for (int k = 0; k < MODEL_KEYS; k++) {
            (void)snprintf(key, sizeof(key), "m%02d", k);
            expect(s, NULL, 0, key, model[k][0] ? model[k] : NULL);
        }
    }
}

static int text_cmp(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Batches in key order, puts and removals, among removals of ranges elsewhere. */
static void test_sorted(struct wh_store *s, struct wh_batch *b)
{
    enum { KEYS = 400, BATCH = 40 };
    static bool there[KEYS];
    char keys[BATCH][8];
    struct wh_err err;
    unsigned seed = 11;

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BATCH; i++) {
            (void)snprintf(keys[i], sizeof(keys[i]), "%05d", (int)(rand_r(&seed) % KEYS));
        }
        qsort(keys, BATCH, sizeof(keys[0]), text_cmp);
        for (int i = 0; i < BATCH; i++) {
            bool keep = rand_r(&seed) % 3 != 0;

            if (keep) {
                put(b, 3, keys[i], "here");
            } else {
                th_ok(wh_batch_remove(b, 3, wh_slice_str(keys[i]), &err), &err);
            }
            there[strtol(keys[i], NULL, 10)] = keep;
        }
        th_ok(wh_batch_remove_range(b, 1, WH_LIT("x"), WH_LIT("y"), &err), &err);
        write_batch(s, b);
    }
    for (int k = 0; k < KEYS; k++) {
        char key[16];

        (void)snprintf(key, sizeof(key), "%05d", k);
        expect(s, NULL, 3, key, there[k] ? "here" : NULL);
    }
    assert_int_equal(wh_batch_remove_range(b, 3, WH_LIT("0"), WH_LIT("1"), &err), WH_E_INTERNAL);
}

static void test_refusals(struct wh_store *s, struct wh_batch *b)
{
    struct wh_buf out;
    struct wh_err err;
    bool found;

    wh_buf_init(&out, 4);
    assert_int_equal(wh_batch_put(b, 99, WH_LIT("a"), WH_LIT("b"), &err), WH_E_INTERNAL);
    assert_int_equal(wh_store_get(s, NULL, 99, WH_LIT("a"), &out, &found, &err), WH_E_INTERNAL);
    put(b, 2, "long", "longer than four");
    write_batch(s, b);
    assert_int_equal(wh_store_get(s, NULL, 2, WH_LIT("long"), &out, &found, &err), WH_E_TOO_LARGE);
    assert_int_equal(wh_store_property(s, "background-errors"), 0);
    assert_int_equal(wh_store_property(s, "write-stopped"), 0);
    assert_true(wh_store_property(s, "family.0.bytes") > 0);
    assert_int_equal(wh_store_property(s, "family.9.bytes"), -1);
    assert_int_equal(wh_store_property(s, "family..bytes"), -1);
    assert_int_equal(wh_store_property(s, "color"), -1);
    wh_buf_done(&out);
}

void th_store_behaviour(struct wh_store *s)
{
    struct wh_batch *b;
    struct wh_err err;

    th_ok(wh_batch_new(s, &b, &err), &err);
    test_batches(s, b);
    test_order_in_batch(s, b);
    test_snapshot(s, b);
    test_iterators(s, b);
    test_iterator_keeps_its_view(s, b);
    test_remove_range(s, b);
    test_model(s, b);
    test_sorted(s, b);
    test_refusals(s, b);
    wh_batch_free(b);
}

char *th_store_dump(struct wh_store *s, unsigned family)
{
    struct wh_iter *it;
    struct wh_buf text;
    struct wh_slice key;
    struct wh_slice value;
    struct wh_err err;
    size_t len;

    wh_buf_init(&text, 256 << 20);
    th_ok(wh_iter_new(s, NULL, family, WH_LIT(""), WH_LIT(""), &it, &err), &err);
    for (wh_iter_seek(it, WH_LIT(""), false); wh_iter_valid(it, &key, &value);
         wh_iter_step(it, false)) {
        th_ok(wh_hex_encode(key, &text, &err), &err);
        th_ok(wh_buf_append_char(&text, ' ', &err), &err);
        th_ok(wh_hex_encode(value, &text, &err), &err);
        th_ok(wh_buf_append_char(&text, '\n', &err), &err);
    }
    th_ok(wh_iter_error(it, &err), &err);
    wh_iter_free(it);
    if (text.len == 0) {
        th_ok(wh_buf_append_char(&text, '\n', &err), &err);
    }
    return wh_buf_take(&text, &len);
}
