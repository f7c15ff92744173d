#include "stages/fetcher/state/mr_heads.h"

#include "common/base/hash.h"
#include "common/base/mem.h"

enum { SLOTS = 1 << 14 };

struct slot {
    int64_t id;
    uint64_t head;
};

struct mr_heads {
    struct slot slots[SLOTS];
};

struct mr_heads *mr_heads_new(void)
{
    return wh_mem_zalloc(1, sizeof(struct mr_heads));
}

void mr_heads_free(struct mr_heads *h)
{
    wh_mem_free(h);
}

void mr_heads_clear(struct mr_heads *h)
{
    *h = (struct mr_heads){0};
}

bool mr_heads_moved(struct mr_heads *h, int64_t id, struct wh_slice sha)
{
    struct slot *slot = &h->slots[(uint64_t)id % SLOTS];
    uint64_t head = wh_hash64(sha);

    if (slot->id == id && slot->head == head) {
        return false;
    }
    *slot = (struct slot){.id = id, .head = head};
    return true;
}
