#include "stages/fetcher/conn/collect.h"

#include <math.h>
#include <stdio.h>

#include "stages/fetcher/conn/conn_priv.h"

enum { LABEL_MAX = 96, MS_PER_S = 1000 };

static void set(struct wh_metrics *m, const char *name, const char *label, const char *help,
                int64_t value, bool known)
{
    wh_gauge_set(wh_metrics_gauge(m, name, label, help), known ? (double)value : (double)NAN);
}

static void collect_budget(struct wh_metrics *m, const char *label, const struct client *client)
{
    struct client_stats stats = client_stats(client);
    struct wh_counter *waited =
        wh_metrics_counter(m, "wellhead_source_rate_limit_wait_seconds_total", label,
                           "Time in which only rate limits held requests to GitLab back");
    uint64_t now_s = (uint64_t)(stats.waited_ms / MS_PER_S);

    set(m, "wellhead_source_rate_limit_remaining", label,
        "Requests that GitLab still allows in its present window; NaN when it does not say",
        stats.rate_left, stats.rate_left >= 0);
    set(m, "wellhead_source_rate_limit", label,
        "Requests that GitLab allows in a window; NaN when it does not say", stats.rate_limit,
        stats.rate_limit >= 0);
    if (now_s > wh_counter_get(waited)) {
        wh_counter_add(waited, now_s - wh_counter_get(waited));
    }
}

void fetcher_collect(struct fetcher *f)
{
    char label[LABEL_MAX];

    for (const struct conn *c = f->conns; c; c = c->next) {
        int64_t expires_ms = c->stopped ? 0 : credential_expires_ms(access_credential(c->access));

        if (c->dropped) {
            continue;
        }
        (void)snprintf(label, sizeof(label), "connection=\"%s\"", c->id);
        set(f->deps.metrics, "wellhead_token_expiry_timestamp_seconds", label,
            "When the OAuth token in use expires, Unix time; it is refreshed before. NaN: none",
            expires_ms / MS_PER_S, expires_ms > 0);
        if (access_client(c->access)) {
            collect_budget(f->deps.metrics, label, access_client(c->access));
        }
    }
}
