#include "common/base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t wh_hash64(struct wh_slice bytes)
{
    return XXH3_64bits(bytes.ptr, bytes.len);
}

struct wh_hash128 wh_hash128(struct wh_slice bytes)
{
    XXH128_hash_t h = XXH3_128bits(bytes.ptr, bytes.len);

    return (struct wh_hash128){.high = h.high64, .low = h.low64};
}
