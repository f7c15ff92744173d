/* th_past.h - stores that were given the first of a list of observations, to compare the past with. */
#ifndef TH_PAST_H
#define TH_PAST_H

#include "common/store/store.h"
#include "tests/lib/th_observation.h"

enum { TH_PAST_AT_ONCE = 5 };

/* The first n of the list; TH_PAST_AT_ONCE of them are stored in each millisecond, from 0 on. */
struct wh_store *th_past_store(const struct th_encoded *list, size_t n);

#endif
