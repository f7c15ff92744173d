/* th_observation.h - random observations that can be repeated, for tests of the sink. */
#ifndef TH_OBSERVATION_H
#define TH_OBSERVATION_H

#include "common/base/arena.h"
#include "common/event/observation.h"

struct th_random {
    uint64_t state;
};

uint64_t th_random_next(struct th_random *r);
unsigned th_random_below(struct th_random *r, unsigned n);

/* Framed bytes of observations. */
struct th_encoded {
    struct wh_entity_id id;
    char *bytes;
    size_t len;
};

/*
 * n observations over `entities` entities of all kinds: versions that repeat and tie, fields shown
 * and not, nulls, links among the entities, deletions. at_ms is the receipt of the first one.
 */
struct th_encoded *th_observations_new(uint64_t seed, size_t n, unsigned entities, int64_t at_ms);
/* The same, at projects that are renamed: they have two addresses, and objects have those of before. */
struct th_encoded *th_observations_moving_new(uint64_t seed, size_t n, unsigned entities,
                                              int64_t at_ms);
void th_observations_free(struct th_encoded *list, size_t n);
void th_shuffle(struct th_random *r, size_t *order, size_t n);

#endif
