#include "common/metrics/metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/base/build_version.h"
#include "common/base/mem.h"

enum metric_type { COUNTER, GAUGE, HISTOGRAM };

struct wh_counter {
    atomic_uint_fast64_t value;
};

struct wh_gauge {
    _Atomic double value;
};

struct wh_histogram {
    const double *bounds;
    size_t n_bounds;
    _Atomic double sum;
    atomic_uint_fast64_t buckets[]; /* n_bounds + 1, not cumulative */
};

struct metric {
    struct metric *next;
    enum metric_type type;
    char *name;
    char *labels; /* NULL for none */
    char *help;
    void *object; /* a counter, gauge or histogram */
};

struct wh_metrics {
    pthread_mutex_t lock;
    struct metric *first;
    struct metric **last;
    double start_seconds;
};

const double wh_latency_bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.02,
                                    0.03,   0.05,  0.075,  0.1,   0.25, 0.5,   1.0,
                                    2.5,    5.0,   10.0,   30.0,  60.0};
const size_t wh_latency_bounds_n = sizeof(wh_latency_bounds) / sizeof(wh_latency_bounds[0]);

struct wh_metrics *wh_metrics_new(const char *stage)
{
    struct wh_metrics *m = wh_mem_zalloc(1, sizeof(*m));
    char labels[128];
    struct timespec now;

    if (m == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&m->lock, NULL);
    m->last = &m->first;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    m->start_seconds = (double)now.tv_sec;
    (void)snprintf(labels, sizeof(labels), "stage=\"%s\",version=\"%s\"", stage,
                   wh_build_version());
    wh_gauge_set(wh_metrics_gauge(m, "wellhead_build_info", labels, "Version of this process."), 1);
    return m;
}

static void metric_free(struct metric *metric)
{
    wh_mem_free(metric->name);
    wh_mem_free(metric->labels);
    wh_mem_free(metric->help);
    wh_mem_free(metric->object);
    wh_mem_free(metric);
}

void wh_metrics_free(struct wh_metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    while (metrics->first) {
        struct metric *next = metrics->first->next;

        metric_free(metrics->first);
        metrics->first = next;
    }
    (void)pthread_mutex_destroy(&metrics->lock);
    wh_mem_free(metrics);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static char *text_dup(const char *text)
{
    return text ? wh_mem_dup(text, strlen(text)) : NULL;
}

static struct metric *metric_new(enum metric_type type, const char *name, const char *labels,
                                 const char *help, size_t object_bytes)
{
    struct metric *metric = wh_mem_zalloc(1, sizeof(*metric));

    if (metric == NULL) {
        return NULL;
    }
    metric->type = type;
    metric->name = text_dup(name);
    metric->labels = text_dup(labels);
    metric->help = text_dup(help);
    metric->object = wh_mem_zalloc(1, object_bytes);
    if (!metric->name || (labels && !metric->labels) || !metric->help || !metric->object) {
        metric_free(metric);
        return NULL;
    }
    return metric;
}

/* Keeps metrics of one name together, as the exposition format requires. */
static void insert(struct wh_metrics *m, struct metric *metric)
{
    struct metric *after = NULL;

    for (struct metric *it = m->first; it; it = it->next) {
        if (strcmp(it->name, metric->name) == 0) {
            after = it;
        }
    }
    if (after) {
        metric->next = after->next;
        after->next = metric;
        if (metric->next == NULL) {
            m->last = &metric->next;
        }
        return;
    }
    *m->last = metric;
    m->last = &metric->next;
}

static void *find_or_add(struct wh_metrics *m, enum metric_type type, const char *name,
                         const char *labels, const char *help, size_t object_bytes)
{
    struct metric *metric;

    (void)pthread_mutex_lock(&m->lock);
    for (metric = m->first; metric; metric = metric->next) {
        if (metric->type == type && strcmp(metric->name, name) == 0 &&
            same_text(metric->labels, labels)) {
            break;
        }
    }
    if (metric == NULL) {
        metric = metric_new(type, name, labels, help, object_bytes);
        if (metric) {
            insert(m, metric);
        }
    }
    (void)pthread_mutex_unlock(&m->lock);
    return metric ? metric->object : NULL;
}

struct wh_counter *wh_metrics_counter(struct wh_metrics *m, const char *name, const char *labels,
                                      const char *help)
{
    return find_or_add(m, COUNTER, name, labels, help, sizeof(struct wh_counter));
}

struct wh_gauge *wh_metrics_gauge(struct wh_metrics *m, const char *name, const char *labels,
                                  const char *help)
{
    return find_or_add(m, GAUGE, name, labels, help, sizeof(struct wh_gauge));
}

struct wh_histogram *wh_metrics_histogram(struct wh_metrics *m, const char *name,
                                          const char *labels, const char *help,
                                          const double *bounds, size_t n_bounds)
{
    struct wh_histogram *h = find_or_add(m, HISTOGRAM, name, labels, help,
                                         sizeof(*h) + (n_bounds + 1) * sizeof(h->buckets[0]));

    if (h && h->bounds == NULL) {
        h->bounds = bounds;
        h->n_bounds = n_bounds;
    }
    return h;
}

void wh_counter_add(struct wh_counter *c, uint64_t n)
{
    if (c) {
        atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
    }
}

uint64_t wh_counter_get(const struct wh_counter *c)
{
    return c ? atomic_load_explicit(&c->value, memory_order_relaxed) : 0;
}

void wh_gauge_set(struct wh_gauge *g, double value)
{
    if (g) {
        atomic_store_explicit(&g->value, value, memory_order_relaxed);
    }
}

double wh_gauge_get(const struct wh_gauge *g)
{
    return g ? atomic_load_explicit(&g->value, memory_order_relaxed) : 0;
}

void wh_histogram_observe(struct wh_histogram *h, double value)
{
    double sum;
    size_t i = 0;

    if (h == NULL) {
        return;
    }
    while (i < h->n_bounds && value > h->bounds[i]) {
        i++;
    }
    atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
    sum = atomic_load_explicit(&h->sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&h->sum, &sum, sum + value, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

uint64_t wh_histogram_count(const struct wh_histogram *h)
{
    uint64_t n = 0;

    for (size_t i = 0; h && i <= h->n_bounds; i++) {
        n += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
    }
    return n;
}

double wh_histogram_quantile(const struct wh_histogram *h, double q)
{
    uint64_t total = wh_histogram_count(h);
    double rank = q * (double)total;
    uint64_t below = 0;

    if (total == 0) {
        return 0;
    }
    for (size_t i = 0; i < h->n_bounds; i++) {
        uint64_t in = atomic_load_explicit(&h->buckets[i], memory_order_relaxed);

        if ((double)(below + in) >= rank && in > 0) {
            double low = i ? h->bounds[i - 1] : 0;

            return low + (h->bounds[i] - low) * (rank - (double)below) / (double)in;
        }
        below += in;
    }
    return h->n_bounds ? h->bounds[h->n_bounds - 1] : 0;
}

static const char *type_name(enum metric_type type)
{
    switch (type) {
    case COUNTER:
        return "counter";
    case HISTOGRAM:
        return "histogram";
    case GAUGE:
    default:
        return "gauge";
    }
}

/* Prometheus writes NaN so, without the sign that C may give it. */
static double unsigned_nan(double value)
{
    return isnan(value) ? fabs(value) : value;
}

static enum wh_rc render_value(const struct metric *m, double value, struct wh_buf *out,
                               struct wh_err *err)
{
    if (m->labels) {
        return wh_buf_printf(out, err, "%s{%s} %.17g\n", m->name, m->labels, unsigned_nan(value));
    }
    return wh_buf_printf(out, err, "%s %.17g\n", m->name, unsigned_nan(value));
}

static enum wh_rc render_histogram(const struct metric *m, struct wh_buf *out, struct wh_err *err)
{
    const struct wh_histogram *h = m->object;
    const char *labels = m->labels ? m->labels : "";
    const char *comma = m->labels ? "," : "";
    const char *open = m->labels ? "{" : "";
    const char *shut = m->labels ? "}" : "";
    uint64_t total = 0;

    for (size_t i = 0; i <= h->n_bounds; i++) {
        enum wh_rc rc;

        total += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        rc = i < h->n_bounds ? wh_buf_printf(out, err, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n",
                                             m->name, labels, comma, h->bounds[i], total)
                             : wh_buf_printf(out, err, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n",
                                             m->name, labels, comma, total);
        if (rc != WH_OK) {
            return rc;
        }
    }
    return wh_buf_printf(out, err, "%s_sum%s%s%s %.17g\n%s_count%s%s%s %" PRIu64 "\n", m->name,
                         open, labels, shut, atomic_load_explicit(&h->sum, memory_order_relaxed),
                         m->name, open, labels, shut, total);
}

static enum wh_rc render_metric(const struct metric *m, bool first_of_name, struct wh_buf *out,
                                struct wh_err *err)
{
    if (first_of_name && wh_buf_printf(out, err, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help,
                                       m->name, type_name(m->type)) != WH_OK) {
        return err->rc;
    }
    switch (m->type) {
    case COUNTER:
        return render_value(m, (double)wh_counter_get(m->object), out, err);
    case HISTOGRAM:
        return render_histogram(m, out, err);
    case GAUGE:
    default:
        return render_value(m, wh_gauge_get(m->object), out, err);
    }
}

static double resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long total = 0;
    unsigned long resident = 0;
    char line[128];
    char *end;

    if (f == NULL) {
        return 0;
    }
    if (fgets(line, sizeof(line), f)) {
        total = strtoul(line, &end, 10);
        resident = strtoul(end, NULL, 10);
    }
    (void)fclose(f);
    (void)total;
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    double n = 0;

    if (dir == NULL) {
        return 0;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): glibc: safe on a stream that no other thread uses */
    while (readdir(dir)) {
        n++;
    }
    (void)closedir(dir);
    return n - 3; /* ".", ".." and the directory's own descriptor */
}

static enum wh_rc render_process(const struct wh_metrics *m, struct wh_buf *out, struct wh_err *err)
{
    struct rusage usage = {0};
    double cpu;

    (void)getrusage(RUSAGE_SELF, &usage);
    cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
          (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    return wh_buf_printf(out, err,
                         "# HELP process_cpu_seconds_total User and system CPU time.\n"
                         "# TYPE process_cpu_seconds_total counter\n"
                         "process_cpu_seconds_total %.6f\n"
                         "# HELP process_resident_memory_bytes Resident memory.\n"
                         "# TYPE process_resident_memory_bytes gauge\n"
                         "process_resident_memory_bytes %.0f\n"
                         "# HELP process_open_fds Open file descriptors.\n"
                         "# TYPE process_open_fds gauge\n"
                         "process_open_fds %.0f\n"
                         "# HELP process_start_time_seconds Start, Unix time.\n"
                         "# TYPE process_start_time_seconds gauge\n"
                         "process_start_time_seconds %.0f\n",
                         cpu, resident_bytes(), open_fds(), m->start_seconds);
}

enum wh_rc wh_metrics_render(struct wh_metrics *m, struct wh_buf *out, struct wh_err *err)
{
    const char *name = "";
    enum wh_rc rc = WH_OK;

    (void)pthread_mutex_lock(&m->lock);
    for (const struct metric *it = m->first; it && rc == WH_OK; it = it->next) {
        rc = render_metric(it, strcmp(name, it->name) != 0, out, err);
        name = it->name;
    }
    (void)pthread_mutex_unlock(&m->lock);
    return rc == WH_OK ? render_process(m, out, err) : rc;
}
