#include "stages/mapper/breaker.h"

void mapper_breaker_init(struct mapper_breaker *b, size_t window, size_t at_least, unsigned share)
{
    *b = (struct mapper_breaker){
        .window = window < 1                    ? 1
                  : window > MAPPER_BREAKER_MAX ? MAPPER_BREAKER_MAX
                                                : window,
        .at_least = at_least,
        .share = share,
    };
    if (b->at_least > b->window) {
        b->at_least = b->window;
    }
}

bool mapper_breaker_count(struct mapper_breaker *b, bool failed)
{
    uint64_t *word = &b->ring[b->next / 64];
    uint64_t bit = UINT64_C(1) << b->next % 64;

    if (b->seen == b->window) {
        b->failed -= (*word & bit) != 0;
    } else {
        b->seen++;
    }
    *word = failed ? *word | bit : *word & ~bit;
    b->failed += failed;
    b->next = b->next + 1 == b->window ? 0 : b->next + 1;
    if (b->share && b->seen >= b->at_least && b->failed * 100 > b->seen * b->share) {
        b->open = true;
    }
    return b->open;
}
