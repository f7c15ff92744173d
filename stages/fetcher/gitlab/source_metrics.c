#include "stages/fetcher/gitlab/source_metrics.h"

#define REQUESTS "wellhead_source_requests_total"

void source_metrics_init(struct source_metrics *s, struct wh_metrics *metrics)
{
    *s = (struct source_metrics){0};
    if (metrics) {
        s->good = wh_metrics_counter(metrics, REQUESTS, "code=\"2xx\"", "Requests to GitLab.");
        s->bad = wh_metrics_counter(metrics, REQUESTS, "code=\"other\"", "Requests to GitLab.");
        s->duration = wh_metrics_histogram(metrics, "wellhead_source_request_duration_seconds",
                                           NULL, "Time of one request to GitLab.",
                                           wh_latency_bounds, wh_latency_bounds_n);
    }
}

void source_metrics_note(const struct source_metrics *s, const struct wh_httpc_answer *a)
{
    wh_counter_add(a->rc == WH_OK && a->status < 300 ? s->good : s->bad, 1);
    wh_histogram_observe(s->duration, (double)a->total_us / 1e6);
}
