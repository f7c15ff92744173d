#include "stages/fetcher/state/open_pipelines.h"

#include "common/base/hash.h"
#include "common/base/mem.h"

enum { SLOTS = 1 << 12 };

struct open_pipelines {
    struct open_pipeline slots[SLOTS];
};

struct open_pipelines *open_pipelines_new(void)
{
    return wh_mem_zalloc(1, sizeof(struct open_pipelines));
}

void open_pipelines_free(struct open_pipelines *o)
{
    wh_mem_free(o);
}

const struct open_pipeline *open_pipelines_get(const struct open_pipelines *o, int64_t id)
{
    const struct open_pipeline *slot = &o->slots[(uint64_t)id % SLOTS];

    return slot->id == id ? slot : NULL;
}

void open_pipelines_put(struct open_pipelines *o, const struct open_pipeline *pipeline)
{
    o->slots[(uint64_t)pipeline->id % SLOTS] = *pipeline;
}

static bool is_final(struct wh_slice state)
{
    static const char *const states[] = {"success", "failed", "canceled", "skipped"};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (wh_slice_eq(state, wh_slice_str(states[i]))) {
            return true;
        }
    }
    return false;
}

void open_pipeline_job(uint64_t *jobs, int64_t id, struct wh_slice state)
{
    uint64_t parts[2] = {(uint64_t)id, wh_hash64(state)};

    if (!is_final(state)) {
        *jobs += wh_hash64(wh_slice(parts, sizeof(parts)));
    }
}
