/*
 * tally.h - the stage's own metrics. Label values come from fixed lists, so that nobody outside can
 * make new series: an event of X-Gitlab-Event that is not known counts as "other".
 */
#ifndef INTAKE_TALLY_H
#define INTAKE_TALLY_H

#include "common/base/slice.h"
#include "common/metrics/metrics.h"

enum intake_result {
    INTAKE_ACCEPTED,     /* acknowledged and answered with 200 */
    INTAKE_LATE,         /* acknowledged when the sender had gone */
    INTAKE_UNAUTHORIZED, /* 401 */
    INTAKE_DISABLED,     /* 410 */
    INTAKE_TOO_LARGE,    /* 413 by Kafka's limit */
    INTAKE_BUSY,         /* 503: back-pressure, draining, not caught up */
    INTAKE_FAILED,       /* 503: not acknowledged */
    INTAKE_RESULT_COUNT
};

enum { INTAKE_EVENT_COUNT = 22 };

struct intake_tally {
    struct wh_metrics *metrics;
    struct wh_counter *deliveries[INTAKE_EVENT_COUNT][INTAKE_RESULT_COUNT];
    struct wh_histogram *seconds;
    struct wh_gauge *body_bytes;
    struct wh_gauge *connections;
    struct wh_gauge *in_flight;
    struct wh_counter *rebuilds;
};

void intake_tally_init(struct intake_tally *t, struct wh_metrics *metrics);
/* "Merge Request Hook" -> the number of "merge_request". */
unsigned intake_tally_event(struct wh_slice header);
const char *intake_tally_event_name(unsigned event);
void intake_tally_count(struct intake_tally *t, unsigned event, enum intake_result result,
                        int64_t duration_ns);
/* Unix time of the last acknowledged delivery: for alarms on silence. */
struct wh_gauge *intake_tally_last(struct intake_tally *t, const char *connection);

#endif
