/*
 * check_job.h - one stream of one project in a check: listed, then read number by number. Used by
 * check.c only.
 */
#ifndef WH_FETCHER_CHECK_JOB_H
#define WH_FETCHER_CHECK_JOB_H

#include "stages/fetcher/check/check_env.h"

struct job;

struct check_jobs {
    struct job *first;
    size_t n;
};

struct check_job_conf {
    const struct check_env *env;
    const struct check_run *run;
    struct check_result *result; /* its error is set by the first failure */
    void (*progress)(void *ctx); /* an answer came: the check goes on */
    void *ctx;
    const struct project *project;
    struct numbers *n;
    bool list;
    bool thorough; /* no bound on single reads */
};

/* False: no memory. */
bool check_job_start(struct check_jobs *jobs, const struct check_job_conf *conf);
/* Asks for what may be asked for, drops what is over; false when one of these failed. */
bool check_jobs_pump(struct check_jobs *jobs);
void check_jobs_free(struct check_jobs *jobs);

#endif
