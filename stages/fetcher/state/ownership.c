#include "stages/fetcher/state/ownership.h"

#include <stdio.h>

#include "common/base/hash.h"

enum { KEY_MAX_BYTES = 320 };

int32_t ownership_partition(struct wh_slice connection, struct wh_slice project, int32_t partitions)
{
    char key[KEY_MAX_BYTES];
    int n =
        snprintf(key, sizeof(key), "%.*s:%.*s", WH_SLICE_ARG(connection), WH_SLICE_ARG(project));
    size_t len = n < 0 ? 0 : (size_t)n < sizeof(key) ? (size_t)n : sizeof(key) - 1;

    return partitions > 0 ? (int32_t)(wh_hash64(wh_slice(key, len)) % (uint64_t)partitions) : -1;
}

static bool valid(const struct ownership *s, int32_t partition)
{
    return partition >= 0 && partition < s->partitions;
}

void ownership_init(struct ownership *s, int32_t partitions)
{
    *s = (struct ownership){.partitions = partitions < OWNERSHIP_PARTITIONS_MAX
                                              ? partitions
                                              : OWNERSHIP_PARTITIONS_MAX};
}

void ownership_assign(struct ownership *s, int32_t partition)
{
    if (valid(s, partition)) {
        s->owned[partition] = true;
        s->ready[partition] = false;
    }
}

void ownership_ready(struct ownership *s, int32_t partition)
{
    if (valid(s, partition) && s->owned[partition]) {
        s->ready[partition] = true;
    }
}

void ownership_revoke(struct ownership *s, int32_t partition)
{
    if (valid(s, partition)) {
        s->owned[partition] = false;
        s->ready[partition] = false;
    }
}

bool ownership_works_on(const struct ownership *s, int32_t partition)
{
    return s->partitions == 0 ||
           (valid(s, partition) && s->owned[partition] && s->ready[partition]);
}

bool ownership_any(const struct ownership *s)
{
    for (int32_t p = 0; p < s->partitions; p++) {
        if (ownership_works_on(s, p)) {
            return true;
        }
    }
    return s->partitions == 0;
}

bool ownership_owns(const struct ownership *s, struct wh_slice connection, struct wh_slice project)
{
    return ownership_works_on(s, ownership_partition(connection, project, s->partitions));
}
