/*
 * client.h - the REST client: one credential at one GitLab, GET requests only, with bounded
 * concurrency, rate budgets and retries.
 *
 * Every call completes exactly once with one of the outcomes below. The client itself retries 429,
 * 5xx, network errors and truncated or stalled bodies with back-off and jitter. After retry_max
 * attempts a call ends as CLIENT_FAILED; a 429 does not count as an attempt.
 *
 * Calls are queued by route, which is a path without its numbers. RateLimit headers describe a budget
 * that all routes of the same RateLimit-Name share (budget.h). A 429 without these headers concerns
 * its route alone. No request goes out before the time that Retry-After or RateLimit-Reset names.
 * Thread: app.
 */
#ifndef WH_FETCHER_CLIENT_H
#define WH_FETCHER_CLIENT_H

#include "common/base/time.h"
#include "common/httpc/httpc.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"

enum client_outcome {
    CLIENT_OK,      /* 2xx with a complete body */
    CLIENT_GONE,    /* 404, 410, with a JSON object as body; otherwise CLIENT_FAILED */
    CLIENT_DENIED,  /* 403 */
    CLIENT_SIGN_IN, /* 401: the credential is not valid any more */
    CLIENT_REFUSED, /* 400, 405, other 4xx and redirects: a retry would not help */
    CLIENT_FAILED,  /* all attempts failed */
};

struct client_answer {
    enum client_outcome outcome;
    unsigned status;
    struct wh_buf *body;       /* 64 more bytes are readable behind its end */
    struct wh_slice link;      /* Link header */
    struct wh_slice next_page; /* x-next-page */
    struct wh_slice total;     /* x-total */
    const char *error;         /* readable text; NULL with CLIENT_OK */
};

typedef void (*client_fn)(void *ctx, const struct client_answer *answer);

/* GitLab has refused (401) the token of a request that was sent at sent_ms. True when a newer token is
 * already set or will be set by client_set_token. */
typedef bool (*client_renew_fn)(void *ctx, int64_t sent_ms);

/* True when the next request may go out. When this turns true, call client_wake. */
typedef bool (*client_may_send_fn)(void *ctx);

struct client_conf {
    struct wh_loop *loop;
    struct wh_httpc *http;
    struct wh_log *log;
    struct wh_metrics *metrics;
    struct wh_clock clock;
    const char *instance;
    unsigned max_in_flight;
    unsigned retry_max;
    int64_t backoff_ms; /* first wait; doubles */
    int64_t backoff_max_ms;
    int64_t timeout_ms;
    size_t body_max;
    client_may_send_fn may_send; /* may be NULL: always */
    client_renew_fn renew;       /* may be NULL */
    void *ctx;                   /* of both */
};

struct client_stats {
    uint64_t requests;
    uint64_t retries;
    uint64_t throttled; /* 429 answers */
    int64_t waited_ms;  /* time in which only rate limits held requests back */
    int64_t rate_limit; /* newest RateLimit-Limit, -1 when GitLab sends none */
    int64_t rate_left;  /* newest RateLimit-Remaining, -1 */
};

struct client;

/* conf is copied; instance too. NULL: no memory. */
struct client *client_new(const struct client_conf *conf);
/* Calls that are open are dropped without their fn. */
void client_free(struct client *c);
/* Copied; wiped when replaced or freed. */
WH_MUST_CHECK enum wh_rc client_set_token(struct client *c, struct wh_slice token,
                                          struct wh_err *err);
/* Ends every open call as CLIENT_FAILED and takes no more until a token is set. c may be NULL. */
void client_stop(struct client *c);
/* No other token will come: what waits for one goes out with the old. c may be NULL. */
void client_release(struct client *c);
/* Sends what may_send held back. c may be NULL. */
void client_wake(struct client *c);
/* path begins with "/api/v4/". Calls wait in line when too many are in flight. */
WH_MUST_CHECK enum wh_rc client_get(struct client *c, struct wh_slice path, client_fn fn, void *ctx,
                                    struct wh_err *err);
/* The same with a single attempt: a 5xx or a network error ends the call at once. */
WH_MUST_CHECK enum wh_rc client_try(struct client *c, struct wh_slice path, client_fn fn, void *ctx,
                                    struct wh_err *err);
/* All zero for NULL. */
struct client_stats client_stats(const struct client *c);
size_t client_open(const struct client *c);

#endif
