/*
 * be.h - big-endian reads and writes for keys and wire formats, without struct casts.
 */
#ifndef WH_BASE_BE_H
#define WH_BASE_BE_H

#include <stdint.h>

static inline void wh_be_put16(void *to, uint16_t v)
{
    unsigned char *p = to;

    p[0] = (unsigned char)(v >> 8);
    p[1] = (unsigned char)v;
}

static inline void wh_be_put32(void *to, uint32_t v)
{
    unsigned char *p = to;

    for (int i = 3; i >= 0; i--) {
        p[i] = (unsigned char)v;
        v >>= 8;
    }
}

static inline void wh_be_put64(void *to, uint64_t v)
{
    unsigned char *p = to;

    for (int i = 7; i >= 0; i--) {
        p[i] = (unsigned char)v;
        v >>= 8;
    }
}

static inline uint16_t wh_be_get16(const void *from)
{
    const unsigned char *p = from;

    return (uint16_t)((uint16_t)(p[0] << 8) | p[1]);
}

static inline uint32_t wh_be_get32(const void *from)
{
    const unsigned char *p = from;

    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t wh_be_get64(const void *from)
{
    const unsigned char *p = from;

    return (uint64_t)wh_be_get32(p) << 32 | wh_be_get32(p + 4);
}

#endif
