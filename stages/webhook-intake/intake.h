/*
 * intake.h - the stage's core: POST /hooks/<connection> -> verify -> wrap -> produce -> answer when
 * the broker has acknowledged. 200 means: stored, nothing less.
 *
 *   401 the sender has not proved that it is the GitLab of this connection, or there is none
 *   404 no such path     405 not POST     413 larger than the limits
 *   410 the sender has proved itself, and the connection is disabled
 *   503 + Retry-After: not caught up, draining, queue or bodies full, not acknowledged
 *
 * A body is read when the token matches, or when there is a signature over it; both only as far as
 * bodies_max has room, which is taken as the bytes arrive.
 *
 * Thread: app.
 */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H

#include "common/base/time.h"
#include "common/bus/bus.h"
#include "common/event/connection.h"
#include "common/event/keyring.h"
#include "common/httpd/http.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"

struct intake;

struct intake_deps {
    /* Makes a producer; called again after WH_E_FATAL_BUS. */
    enum wh_rc (*make_producer)(void *ctx, struct wh_producer **ret, struct wh_err *err);
    /* Something that a restart may heal. */
    void (*on_fatal)(void *ctx, const struct wh_err *err);
    void *ctx;                    /* of both */
    struct wh_consumer *consumer; /* without a group; borrowed */
    struct wh_admin *admin;       /* borrowed */
    struct wh_loop *loop;
    struct wh_clock clock;
    struct wh_log *log;
    struct wh_metrics *metrics;
    struct wh_keyring *keys; /* kept by reference */
};

struct intake_conf {
    const char *topic_prefix; /* kept by reference */
    const char *name;         /* of this intake, in health documents; kept by reference */
    bool require_signature;   /* refuse deliveries that only bring a token */
    size_t body_max;          /* one body */
    size_t bodies_max;        /* memory for bodies of all deliveries that are not finished */
    int64_t warm_ms;          /* longest time spent on metadata at the start */
    int64_t warm_again_ms;    /* pause after metadata that could not be had */
};

void intake_conf_init(struct intake_conf *conf);
WH_MUST_CHECK enum wh_rc intake_new(const struct intake_deps *deps, const struct intake_conf *conf,
                                    struct intake **ret, struct wh_err *err);
struct wh_http_handler intake_handler(struct intake *intake);
/* NULL when ready. */
const char *intake_not_ready(const struct intake *intake);
void intake_collect(struct intake *intake);
/* New deliveries get 503; done is called once those that are there are finished, maybe at once. */
void intake_drain(struct intake *intake, void (*done)(void *ctx), void *ctx);
/* What is not acknowledged is dropped without an answer; the handler must not be called after. */
void intake_free(struct intake *intake);

#endif
