/*
 * faults.h - what goes wrong on purpose: by probability, or for the next n chances.
 */
#ifndef GL_FAULTS_H
#define GL_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "tests/gitlab/out.h"

enum gl_fault {
    GL_FAULT_429,      /* with Retry-After and RateLimit-* */
    GL_FAULT_BARE_429, /* plain text alone, as application limits answer */
    GL_FAULT_5XX,
    GL_FAULT_TRUNCATE, /* half of the body, then the connection ends */
    GL_FAULT_SLOW,
    GL_FAULT_RESET, /* the connection ends before the body */
    GL_FAULT_DROP_HOOK,
    GL_FAULT_DUPLICATE_HOOK,
    GL_FAULT_REORDER_HOOK, /* waits a moment, so that later ones overtake it */
    GL_FAULT_DELAY_HOOK,
    GL_FAULT_COUNT
};

/* One for each user whose tokens ask: GitLab counts by user. */
enum { GL_BUDGETS = 8 };

/* Limits of some endpoints alone: 429 without headers. */
enum gl_limit { GL_LIMIT_JOBS, GL_LIMIT_MEMBERS, GL_LIMIT_USERS, GL_LIMIT_COUNT };

struct gl_window {
    int64_t start_s;
    int64_t n;
};

struct gl_faults {
    double p[GL_FAULT_COUNT];
    int64_t next[GL_FAULT_COUNT];
    uint64_t hits[GL_FAULT_COUNT];
    int64_t slow_ms;
    int64_t delay_ms;
    int64_t status_5xx;
    int64_t retry_after_s;
    int64_t insert_mid_listing; /* objects before each page after the first */
    int64_t rate_limit;         /* requests a minute; 0: none */
    struct gl_window budgets[GL_BUDGETS];
    int64_t limits[GL_LIMIT_COUNT]; /* requests a minute and user; 0: none */
    struct gl_window limited[GL_LIMIT_COUNT][GL_BUDGETS];
    char broken[64]; /* paths with this part are answered with a page of HTML; empty: none */
    int64_t broken_status;
    uint64_t random;
};

void gl_faults_init(struct gl_faults *f, uint64_t seed);
/* True when it strikes now; counts. */
bool gl_fault_hit(struct gl_faults *f, enum gl_fault fault);
/*
 * A control request: {"clear":true,"slow":0.1,"reset":{"next":3},"slow_ms":500,...}. A number is a
 * probability. NULL, or what is wrong.
 */
const char *gl_faults_set(struct gl_faults *f, struct wh_slice json);
void gl_faults_render(const struct gl_faults *f, struct gl_out *out);
/* Is the path one of those that are broken? */
bool gl_fault_breaks(const struct gl_faults *f, struct wh_slice path);
/* Counts a request; true when it is over the limit. Nothing when there is no limit. */
bool gl_rate_limited(struct gl_faults *f, unsigned user, int64_t now_s);
bool gl_endpoint_limited(struct gl_faults *f, enum gl_limit limit, unsigned user, int64_t now_s);

#endif
