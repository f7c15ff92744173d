#include "tests/lib/th_past.h"

#include "stages/sink/batch/apply.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"

enum { BATCH_MAX = 64, BATCH = 7 };

struct wh_store *th_past_store(const struct th_encoded *list, size_t n)
{
    struct wh_store *store = th_sink_store();
    struct sink_apply *a = NULL;
    struct wh_history_result result;
    struct wh_observation o;
    struct wh_err err;

    th_ok(sink_apply_new(store, BATCH_MAX, &a, &err), &err);
    for (size_t i = 0; i < n; i++) {
        struct wh_slice bytes = wh_slice(list[i].bytes, list[i].len);

        th_ok(wh_observation_decode(bytes, sink_apply_arena(a), &o, &err), &err);
        th_ok(sink_apply_observation(a, &o, (int64_t)(i / TH_PAST_AT_ONCE), &result, &err), &err);
        if (i % BATCH == BATCH - 1 || i + 1 == n) {
            th_ok(sink_apply_seal(a, &err), &err);
            th_ok(sink_apply_commit(a, false, &err), &err);
            sink_apply_begin(a);
        }
    }
    sink_apply_free(a);
    return store;
}
