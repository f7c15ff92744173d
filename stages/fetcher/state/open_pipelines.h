/*
 * open_pipelines.h - remembers in which state each pipeline that is not final was read: a hash of its
 * row, and of its jobs that were not final either.
 *
 * This is a cache of fixed size. A pipeline that it has forgotten is read again, which does no harm.
 * Thread: app.
 */
#ifndef WH_FETCHER_OPEN_PIPELINES_H
#define WH_FETCHER_OPEN_PIPELINES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

struct open_pipeline {
    int64_t id;
    uint64_t row;       /* hash of its row */
    uint64_t jobs;      /* of ids and states of its open jobs, in any order; open_pipeline_job */
    int64_t oldest_job; /* its smallest id; 0: there is none */
};

struct open_pipelines;

/* Returns NULL without memory. */
struct open_pipelines *open_pipelines_new(void);
void open_pipelines_free(struct open_pipelines *o);
/* Returns NULL when it is not remembered. Valid until the next open_pipelines_put. */
const struct open_pipeline *open_pipelines_get(const struct open_pipelines *o, int64_t id);
void open_pipelines_put(struct open_pipelines *o, const struct open_pipeline *pipeline);

/* Adds a job to jobs, unless its state is final. */
void open_pipeline_job(uint64_t *jobs, int64_t id, struct wh_slice state);

#endif
