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
    if (b->seen == b->window) {
        b->failed -= b->ring[b->next];
    } else {
        b->seen++;
    }
    b->ring[b->next] = failed;
    b->failed += failed;
    b->next = b->next + 1 == b->window ? 0 : b->next + 1;
    if (b->share && b->seen >= b->at_least && b->failed * 100 > b->seen * b->share) {
        b->open = true;
    }
    return b->open;
}
