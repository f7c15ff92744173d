/*
 * breaker.h - counts how many of the recent events of a stream failed, and opens when most of them did.
 */
#ifndef WH_MAPPER_BREAKER_H
#define WH_MAPPER_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAPPER_BREAKER_MAX = 4096 };

struct mapper_breaker {
    uint64_t ring[MAPPER_BREAKER_MAX / 64]; /* one bit an event: it failed */
    size_t window;   /* number of recent events that count, at most MAPPER_BREAKER_MAX */
    size_t at_least; /* events that must be seen before the breaker can open */
    unsigned share;  /* percent of failures at which it opens; 0: never */
    size_t seen;
    size_t next;
    size_t failed;
    bool open;
};

void mapper_breaker_init(struct mapper_breaker *b, size_t window, size_t at_least, unsigned share);
/* Counts one event. True when the breaker is open; an open breaker closes by init alone. */
bool mapper_breaker_count(struct mapper_breaker *b, bool failed);

#endif
