#include "common/store/stamps.h"

#include <stdatomic.h>
#include <string.h>

#include "common/base/mem.h"

enum { STAMPS = 1 << 14, FIRST_TOUCHED = 256 };

/* How many writes have begun and ended; a write is under way when the two differ. */
struct stamp {
    atomic_uint begun;
    atomic_uint ended;
};

struct store_stamps {
    struct stamp all; /* writes that touch everything */
    struct stamp of[STAMPS];
};

struct store_stamps *store_stamps_new(void)
{
    return wh_mem_zalloc(1, sizeof(struct store_stamps));
}

void store_stamps_free(struct store_stamps *stamps)
{
    wh_mem_free(stamps);
}

/* Owners are random numbers or hashes already. */
static uint16_t stamp_of(const void *owner)
{
    uint16_t bits;

    memcpy(&bits, (const char *)owner + WH_STORE_OWNER_BYTES - sizeof(bits), sizeof(bits));
    return bits % STAMPS;
}

void store_touch(struct store_touched *touched, const void *owner)
{
    if (touched->n == touched->cap) {
        size_t cap = touched->cap ? 2 * touched->cap : FIRST_TOUCHED;
        uint16_t *more = wh_mem_resize(touched->stamps, cap, sizeof(*more));

        if (more == NULL) {
            touched->all = true;
            return;
        }
        touched->stamps = more;
        touched->cap = cap;
    }
    touched->stamps[touched->n++] = stamp_of(owner);
}

void store_touched_reset(struct store_touched *touched)
{
    touched->n = 0;
    touched->all = false;
}

void store_touched_done(struct store_touched *touched)
{
    wh_mem_free(touched->stamps);
    *touched = (struct store_touched){0};
}

void store_stamps_begin(struct store_stamps *stamps, const struct store_touched *touched)
{
    for (size_t i = 0; i < touched->n; i++) {
        atomic_fetch_add(&stamps->of[touched->stamps[i]].begun, 1);
    }
    if (touched->all) {
        atomic_fetch_add(&stamps->all.begun, 1);
    }
}

void store_stamps_end(struct store_stamps *stamps, const struct store_touched *touched)
{
    for (size_t i = 0; i < touched->n; i++) {
        atomic_fetch_add(&stamps->of[touched->stamps[i]].ended, 1);
    }
    if (touched->all) {
        atomic_fetch_add(&stamps->all.ended, 1);
    }
}

bool store_stamps_get(const struct store_stamps *stamps, const void *owner, uint64_t *ret)
{
    const struct stamp *one = &stamps->of[stamp_of(owner)];
    /* ended first: a write that ends in between then looks as if it were under way. */
    unsigned one_ended = atomic_load(&one->ended);
    unsigned all_ended = atomic_load(&stamps->all.ended);
    unsigned one_begun = atomic_load(&one->begun);
    unsigned all_begun = atomic_load(&stamps->all.begun);

    *ret = (uint64_t)all_begun << 32 | one_begun;
    return one_begun == one_ended && all_begun == all_ended;
}
