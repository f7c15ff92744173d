/*
 * client.h - one credential at one GitLab: GET only, bounded concurrency, rate budgets, retries.
 *
 * A call comes back exactly once, with the outcome below. 429, 5xx, network faults, cut and slow
 * bodies are tried again here with back-off and jitter, so that a caller's progress is never lost;
 * after retry_max attempts the call ends as CLIENT_FAILED; a 429 uses up none of them.
 *
 * Calls stand in line by route (a path without its numbers). RateLimit headers tell of a budget
 * that all routes which name it share (budget.h); a 429 without them is of the route's own limit,
 * and holds back that route alone. Nothing is sent before the time that Retry-After or
 * RateLimit-Reset names. Thread: app.
 */
#ifndef WH_FETCHER_CLIENT_H
#define WH_FETCHER_CLIENT_H

#include "common/base/time.h"
#include "common/httpc/httpc.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"

enum client_outcome {
    CLIENT_OK,      /* 2xx, body whole */
    CLIENT_GONE,    /* 404, 410 */
    CLIENT_DENIED,  /* 403 */
    CLIENT_SIGN_IN, /* 401: the credential is no good any more */
    CLIENT_REFUSED, /* 400, 405, other 4xx and redirects: asking again is no use */
    CLIENT_FAILED,  /* attempts used up */
    CLIENT_STOPPED, /* given up on our side; no call ends so */
};

struct client_answer {
    enum client_outcome outcome;
    unsigned status;
    struct wh_buf *body;       /* 64 readable bytes are behind its end */
    struct wh_slice link;      /* Link header */
    struct wh_slice next_page; /* x-next-page */
    struct wh_slice total;     /* x-total */
    const char *error;         /* what went wrong, for people */
};

typedef void (*client_fn)(void *ctx, const struct client_answer *answer);

/* GitLab refuses the token (401) that a request of sent_ms carried: true when another is on its
 * way, by client_set_token, or there already. */
typedef bool (*client_renew_fn)(void *ctx, int64_t sent_ms);

/* May the next request go out? When that changes from false to true, call client_wake. */
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
    int64_t waited_ms;  /* there was work, and limits alone held it back */
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
/* All zero for NULL. */
struct client_stats client_stats(const struct client *c);
size_t client_open(const struct client *c);

#endif
