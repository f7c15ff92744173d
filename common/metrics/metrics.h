/*
 * metrics.h - counters, gauges and histograms in Prometheus' text exposition format 0.0.4.
 *
 * A metric is registered once at start and lives as long as its registry. Updates are atomic and
 * allocate nothing. The stages' READMEs list all names and labels; labels never name a project, a user
 * or an entity. Thread: app registers and renders; any thread updates.
 */
#ifndef WH_METRICS_METRICS_H
#define WH_METRICS_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

struct wh_metrics;
struct wh_counter;
struct wh_gauge;
struct wh_histogram;

/* Registers wellhead_build_info{version,stage} and process_* metrics. NULL: no memory. */
struct wh_metrics *wh_metrics_new(const char *stage);
void wh_metrics_free(struct wh_metrics *metrics);

/*
 * Registers a metric, or returns the existing one with the same name and labels. labels is NULL or
 * `name="value",...` with escaped values. NULL: no memory; updating a NULL metric does nothing.
 */
struct wh_counter *wh_metrics_counter(struct wh_metrics *m, const char *name, const char *labels,
                                      const char *help);
struct wh_gauge *wh_metrics_gauge(struct wh_metrics *m, const char *name, const char *labels,
                                  const char *help);
/* bounds: ascending, in seconds, kept by reference, so static. */
struct wh_histogram *wh_metrics_histogram(struct wh_metrics *m, const char *name,
                                          const char *labels, const char *help,
                                          const double *bounds, size_t n_bounds);

void wh_counter_add(struct wh_counter *c, uint64_t n);
uint64_t wh_counter_get(const struct wh_counter *c);
void wh_gauge_set(struct wh_gauge *g, double value);
double wh_gauge_get(const struct wh_gauge *g);
void wh_histogram_observe(struct wh_histogram *h, double value);
/* Linear interpolation inside the bucket, as PromQL does; 0 when nothing was observed. */
double wh_histogram_quantile(const struct wh_histogram *h, double q);
uint64_t wh_histogram_count(const struct wh_histogram *h);

/* Latency bounds shared by all request histograms: 0.5 ms .. 60 s. */
extern const double wh_latency_bounds[];
extern const size_t wh_latency_bounds_n;

WH_MUST_CHECK enum wh_rc wh_metrics_render(struct wh_metrics *m, struct wh_buf *out,
                                           struct wh_err *err);

#endif
