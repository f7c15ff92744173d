/* source_metrics.h - the metrics of all requests to GitLab, by REST and by MCP. Thread: app. */
#ifndef WH_FETCHER_SOURCE_METRICS_H
#define WH_FETCHER_SOURCE_METRICS_H

#include "common/httpc/httpc.h"
#include "common/metrics/metrics.h"

struct source_metrics {
    struct wh_counter *good;
    struct wh_counter *bad;
    struct wh_histogram *duration;
};

/* metrics NULL: nothing is counted. */
void source_metrics_init(struct source_metrics *s, struct wh_metrics *metrics);
/* A request has ended. */
void source_metrics_note(const struct source_metrics *s, const struct wh_httpc_answer *a);

#endif
