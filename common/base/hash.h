/* hash.h - fast hashes (XXH3) for content and in-memory tables. They do not resist an attacker. */
#ifndef WH_BASE_HASH_H
#define WH_BASE_HASH_H

#include <stdint.h>

#include "common/base/slice.h"

struct wh_hash128 {
    uint64_t high;
    uint64_t low;
};

uint64_t wh_hash64(struct wh_slice bytes);
struct wh_hash128 wh_hash128(struct wh_slice bytes);

#endif
