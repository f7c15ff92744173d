/*
 * check_job_priv.h - the part of a check that works on one stream of one project: it lists the
 * stream, then reads single numbers. Used by check.c only.
 */
#ifndef WH_FETCHER_CHECK_JOB_H
#define WH_FETCHER_CHECK_JOB_H

#include "stages/fetcher/check/check_env.h"

struct check_job;

struct check_jobs {
    struct check_job *first;
    size_t n;
};

struct check_job_conf {
    const struct check_env *env;
    const struct check_run *run;
    struct check_result *result; /* a failed job writes its first error here */
    void (*progress)(void *ctx); /* an answer was processed: call check_jobs_pump again */
    void *ctx;
    const struct project *project;
    struct numbers *n;
    bool list;
    bool thorough; /* read all missing numbers, without numbers_max */
};

/* Returns false without memory. */
bool check_job_start(struct check_jobs *jobs, const struct check_job_conf *conf);
/* Sends the requests that may be sent now and frees the jobs that are finished. Returns false when
 * one of the finished jobs failed. */
bool check_jobs_pump(struct check_jobs *jobs);
void check_jobs_free(struct check_jobs *jobs);

#endif
