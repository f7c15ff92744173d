/*
 * check_absent_priv.h - the part of a check that reads objects without numbers again, which were not there
 * before (absence.h): those that a complete listing did not contain any more, and those that a re-read did
 * not find before a restart. Used by check.c only.
 */
#ifndef WH_FETCHER_CHECK_ABSENT_H
#define WH_FETCHER_CHECK_ABSENT_H

#include "stages/fetcher/check/check_env.h"

struct check_absent;

struct check_absent_conf {
    const struct check_env *env;
    const struct check_run *run;
    struct check_result *result; /* its held, tombstones, ok and error are added to */
    void (*progress)(void *ctx); /* an answer was processed: call check_absent_pump again */
    void *ctx;
};

/* NULL: no memory. */
struct check_absent *check_absent_new(const struct check_absent_conf *conf);
/* Sends the requests that may be sent now. Returns true when all is done. */
bool check_absent_pump(struct check_absent *x);
/* x may be NULL. */
void check_absent_free(struct check_absent *x);

#endif
