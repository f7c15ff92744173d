/*
 * health.h - how a connection's webhooks are, as this intake sees them: the newest delivery of each
 * project and event, refusals, wrong secrets. Told in the health topic (event/health.h) when it
 * changed, at most once in INTAKE_HEALTH_MS: the fetcher and the sink learn from it whether GitLab
 * still sends.
 *
 * Lines of deliveries are bounded; the one that was silent longest makes room. Thread: app.
 */
#ifndef INTAKE_HEALTH_H
#define INTAKE_HEALTH_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/slice.h"

enum {
    INTAKE_HEALTH_MS = 2000,
    INTAKE_HEALTH_LINES = 512,
    INTAKE_PROJECT_SIZE = 24,
};

struct intake_line {
    char project[INTAKE_PROJECT_SIZE];
    unsigned event;
    int64_t last_ms;
    int64_t count;
};

struct intake_health {
    struct intake_line *lines;
    size_t n;
    size_t cap;
    int64_t last_ok_ms;
    int64_t last_unauthorized_ms;
    int64_t accepted;
    int64_t unauthorized;
    int64_t refused;
    bool dirty;
};

/* A zeroed struct is empty. */
void intake_health_done(struct intake_health *h);
/* Kafka has a delivery. Out of memory: only the sums count it. */
void intake_health_ok(struct intake_health *h, const char *project, unsigned event, int64_t now_ms);
void intake_health_unauthorized(struct intake_health *h, int64_t now_ms);
void intake_health_refused(struct intake_health *h);
/* The document; clears dirty. */
WH_MUST_CHECK enum wh_rc intake_health_write(struct intake_health *h, struct wh_slice connection,
                                             struct wh_slice intake, int64_t now_ms,
                                             struct wh_buf *out, struct wh_err *err);

#endif
