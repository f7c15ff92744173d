#include "stages/fetcher/state/mr_heads.h"

#include "common/base/hash.h"
#include "common/base/mem.h"

enum { SLOTS = 1 << 14 };

struct slot {
    int64_t id;
    uint64_t head;
};

struct heads {
    struct slot slots[SLOTS];
};

struct heads *heads_new(void)
{
    return wh_mem_zalloc(1, sizeof(struct heads));
}

void heads_free(struct heads *h)
{
    wh_mem_free(h);
}

void heads_clear(struct heads *h)
{
    *h = (struct heads){0};
}

bool heads_moved(struct heads *h, int64_t id, struct wh_slice sha)
{
    struct slot *slot = &h->slots[(uint64_t)id % SLOTS];
    uint64_t head = wh_hash64(sha);

    if (slot->id == id && slot->head == head) {
        return false;
    }
    *slot = (struct slot){.id = id, .head = head};
    return true;
}
