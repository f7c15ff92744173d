#include "stages/webhook-intake/tally.h"

#include <stdio.h>

enum { NAME_MAX_BYTES = 64 };

static const char *const events[INTAKE_EVENT_COUNT] = {
    "none",          "other",     "issue",     "work_item",    "merge_request",
    "note",          "pipeline",  "job",       "deployment",   "release",
    "emoji",         "milestone", "member",    "project",      "subgroup",
    "push",          "tag_push",  "wiki_page", "feature_flag", "resource_access_token",
    "vulnerability", "system",
};

static const char *const results[INTAKE_RESULT_COUNT] = {
    "accepted", "late", "unauthorized", "disabled", "too_large", "busy", "failed",
};

void intake_tally_init(struct intake_tally *t, struct wh_metrics *metrics)
{
    *t = (struct intake_tally){.metrics = metrics};
    t->seconds = wh_metrics_histogram(metrics, "wellhead_http_request_duration_seconds",
                                      "route=\"/hooks\"", "From the request's head to its answer.",
                                      wh_latency_bounds, wh_latency_bounds_n);
    t->body_bytes = wh_metrics_gauge(metrics, "wellhead_webhook_body_bytes", NULL,
                                     "Body bytes of deliveries that are not finished.");
    t->connections = wh_metrics_gauge(metrics, "wellhead_webhook_connections", NULL,
                                      "Connections that deliveries may come for.");
    t->in_flight = wh_metrics_gauge(metrics, "wellhead_webhook_in_flight", NULL,
                                    "Deliveries that are not finished.");
    t->rebuilds = wh_metrics_counter(metrics, "wellhead_webhook_producer_rebuilds_total", NULL,
                                     "Kafka producers given up for a new one.");
}

/* Lower case, underscores for spaces, without "Confidential" and "Hook". */
static struct wh_slice plain_name(struct wh_slice header, char text[NAME_MAX_BYTES])
{
    struct wh_slice name;
    size_t n = header.len < NAME_MAX_BYTES ? header.len : NAME_MAX_BYTES;

    for (size_t i = 0; i < n; i++) {
        char c = header.ptr[i];

        text[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c == ' ' ? '_' : c;
    }
    name = wh_slice(text, n);
    if (n > 5 && memcmp(text + n - 5, "_hook", 5) == 0) {
        name.len -= 5;
    }
    return wh_slice_starts(name, WH_LIT("confidential_")) ? wh_slice_from(name, 13) : name;
}

unsigned intake_tally_event(struct wh_slice header)
{
    char text[NAME_MAX_BYTES];
    struct wh_slice name;

    if (header.len == 0) {
        return 0;
    }
    name = plain_name(header, text);
    for (unsigned i = 2; i < INTAKE_EVENT_COUNT; i++) {
        if (wh_slice_eq(name, wh_slice_str(events[i]))) {
            return i;
        }
    }
    return 1;
}

const char *intake_tally_event_name(unsigned event)
{
    return events[event < INTAKE_EVENT_COUNT ? event : 1];
}

void intake_tally_count(struct intake_tally *t, unsigned event, enum intake_result result,
                        int64_t duration_ns)
{
    struct wh_counter **counter = &t->deliveries[event][result];

    /* Made when first needed: most pairs never come. */
    if (*counter == NULL) {
        char labels[128];

        (void)snprintf(labels, sizeof(labels), "event=\"%s\",result=\"%s\"", events[event],
                       results[result]);
        *counter = wh_metrics_counter(t->metrics, "wellhead_webhook_deliveries_total", labels,
                                      "Webhook deliveries by event and result.");
    }
    wh_counter_add(*counter, 1);
    wh_histogram_observe(t->seconds, (double)duration_ns / 1e9);
}

struct wh_gauge *intake_tally_last(struct intake_tally *t, const char *connection)
{
    char labels[128];

    (void)snprintf(labels, sizeof(labels), "connection=\"%s\"", connection);
    return wh_metrics_gauge(t->metrics, "wellhead_webhook_last_delivery_timestamp_seconds", labels,
                            "Unix time of the last delivery that Kafka acknowledged.");
}
