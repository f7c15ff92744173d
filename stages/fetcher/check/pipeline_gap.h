/*
 * pipeline_gap.h - where pipelines may be that no listing has shown. GitLab numbers the pipelines of a project without
 * holes, but gives a pipeline only by its id. Ids and numbers grow together, so that the ids of a missing
 * number lie between those of its neighbours. When GitLab has none of these ids in the project, the number belongs to
 * a pipeline that is gone. Pure.
 */
#ifndef WH_FETCHER_PIPELINE_GAP_H
#define WH_FETCHER_PIPELINE_GAP_H

#include "stages/fetcher/state/number_set.h"

struct pipeline_gap {
    int64_t from; /* the first number that was never seen */
    int64_t to;   /* the last one before the next that was */
    int64_t first_id;
    int64_t last_id; /* the ids in question; below first_id: there are none */
};

/* The first gap above the number `after`; false when there is none. */
bool pipeline_gap_next(const struct number_set *set, int64_t after, struct pipeline_gap *ret);
/* How many ids are in question. */
int64_t pipeline_gap_width(const struct pipeline_gap *gap);

#endif
