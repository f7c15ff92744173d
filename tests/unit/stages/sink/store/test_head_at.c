/*
 * The past of a store: at any time, the head of every entity is what a store has that was given only what
 * had been stored by then, byte for byte.
 */
#include "stages/sink/store/head_at.h"

#include "stages/sink/store/keyspace.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_past.h"

enum { OBSERVATIONS = 120, ENTITIES = 10, SEEDS = 8 };

static void decode(struct wh_slice key, struct wh_slice value, struct wh_arena *arena,
                   struct wh_head *ret)
{
    const struct wh_kind_def *def = wh_kind_def((enum wh_kind)(unsigned char)key.ptr[0]);
    struct wh_slice copy;
    struct wh_err err;

    memset(ret, 0, sizeof(*ret));
    th_ok(wh_arena_dup(arena, value, &copy, &err), &err);
    th_ok(wh_head_decode(def, copy, arena, ret, &err), &err);
    memcpy(ret->id.bytes, key.ptr + 1, sizeof(ret->id.bytes));
    ret->body.def = def;
}

/* Of the same content seen several times, only the first and the newest time are kept. Whether a parent
 * was gone is not known of the past. */
static void encode(const struct wh_head *head, struct wh_buf *out)
{
    struct wh_head copy = *head;
    struct wh_err err;

    copy.first_seen_ms = 0;
    copy.last_seen_ms = 0;
    copy.parent_reason = WH_LIT("");
    wh_buf_reset(out);
    th_ok(wh_head_encode(&copy, out, &err), &err);
}

/* True when the entity was known. */
static bool check_head(struct wh_store *then, struct wh_slice key, const struct wh_head *past,
                       struct wh_arena *arena)
{
    struct wh_buf stored;
    struct wh_buf want;
    struct wh_buf got;
    struct wh_head head;
    struct wh_err err;
    bool found = false;

    wh_buf_init(&stored, 1 << 20);
    wh_buf_init(&want, 1 << 20);
    wh_buf_init(&got, 1 << 20);
    th_ok(wh_store_get(then, NULL, SINK_ENTITIES, key, &stored, &found, &err), &err);
    assert_int_equal(found, past != NULL);
    if (past) {
        decode(key, wh_buf_slice(&stored), arena, &head);
        encode(&head, &want);
        encode(past, &got);
        assert_int_equal(want.len, got.len);
        assert_memory_equal(want.ptr, got.ptr, want.len);
    }
    wh_buf_done(&stored);
    wh_buf_done(&want);
    wh_buf_done(&got);
    return found;
}

static void check_time(struct wh_store *all, struct wh_store *then, int64_t at_ms, size_t want)
{
    const struct wh_history_when when = {at_ms, INT64_MAX};
    const struct wh_slice whole = wh_slice("", 0);
    struct wh_arena arena;
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    struct wh_err err;
    size_t known = 0;

    wh_arena_init(&arena, 1 << 16, 64 << 20);
    th_ok(wh_iter_new(all, NULL, SINK_ENTITIES, whole, whole, &it, &err), &err);
    for (wh_iter_seek(it, whole, false); wh_iter_valid(it, &key, &value); wh_iter_step(it, false)) {
        const struct wh_head *past = NULL;
        struct wh_head head;

        decode(key, value, &arena, &head);
        th_ok(sink_head_at(all, NULL, &head, when, &arena, NULL, &past, &err), &err);
        known += check_head(then, key, past, &arena);
    }
    wh_iter_free(it);
    assert_int_equal(known, want);
    wh_arena_done(&arena);
}

static size_t count_entities(struct wh_store *store)
{
    const struct wh_slice whole = wh_slice("", 0);
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    struct wh_err err;
    size_t n = 0;

    th_ok(wh_iter_new(store, NULL, SINK_ENTITIES, whole, whole, &it, &err), &err);
    for (wh_iter_seek(it, whole, false); wh_iter_valid(it, &key, &value); wh_iter_step(it, false)) {
        n++;
    }
    wh_iter_free(it);
    return n;
}

static void the_past_is_a_store_of_then(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct th_encoded *list = th_observations_new(seed, OBSERVATIONS, ENTITIES, 0);
        struct wh_store *all = th_past_store(list, OBSERVATIONS);

        for (size_t n = TH_PAST_AT_ONCE; n <= OBSERVATIONS; n += TH_PAST_AT_ONCE) {
            struct wh_store *then = th_past_store(list, n);

            check_time(all, then, (int64_t)(n / TH_PAST_AT_ONCE) - 1, count_entities(then));
            wh_store_free(then);
        }
        wh_store_free(all);
        th_observations_free(list, OBSERVATIONS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_past_is_a_store_of_then),
    };

    return cmocka_run_group_tests_name("sink/store/head_at", tests, NULL, NULL);
}
