/*
 * stamps.h - private to store/: a stamp for each owner of keys, which tells readers in other threads
 * whether what they have read about that owner may have changed.
 *
 *   writer:  touch ... touch -> begin -> the write -> end
 *   reader:  get -> read -> keep the result ... get again: the same stamp, so the result still holds
 *
 * Owners share stamps (there are 16384), which costs a reader no more than reading again.
 *
 * Thread: begin and end: one writer; get: any.
 */
#ifndef WH_STORE_STAMPS_H
#define WH_STORE_STAMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_stamps;

enum { WH_STORE_OWNER_BYTES = 16 };

/* Of one batch: the owners of its keys. */
struct store_touched {
    uint16_t *stamps;
    size_t n;
    size_t cap;
    bool all; /* of a range, or without memory for more */
};

/* NULL: no memory. */
struct store_stamps *store_stamps_new(void);
void store_stamps_free(struct store_stamps *stamps);

void store_touch(struct store_touched *touched, const void *owner);
void store_touched_reset(struct store_touched *touched);
void store_touched_done(struct store_touched *touched);

void store_stamps_begin(struct store_stamps *stamps, const struct store_touched *touched);
void store_stamps_end(struct store_stamps *stamps, const struct store_touched *touched);
/* False while a write about the owner is under way. */
bool store_stamps_get(const struct store_stamps *stamps, const void *owner, uint64_t *ret);

#endif
