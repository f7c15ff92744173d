/*
 * access_env.h - what a connection lends to its access: the parts that hold its credentials and use
 * them. Types only.
 */
#ifndef WH_FETCHER_ACCESS_ENV_H
#define WH_FETCHER_ACCESS_ENV_H

#include <stdbool.h>

#include "common/bus/bus.h"
#include "common/event/connection.h"
#include "common/event/seal.h"
#include "common/httpc/httpc.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"
#include "stages/fetcher/state/projects.h"

enum access_event {
    ACCESS_READY, /* a token pair has come into use: requests that waited for it can go out */
    ACCESS_LATE, /* the token is over, and the member that owns the connection has not renewed it */
    ACCESS_ENDED, /* GitLab has ended the approval; a person must approve again */
};

/* Borrowed from the connection for as long as the connection lives. Every callback is called in the
 * loop's thread. */
struct access_env {
    struct wh_loop *loop;
    struct wh_log *log;
    struct wh_metrics *metrics;
    struct wh_clock clock;
    struct wh_httpc *http;
    struct wh_keyring *keys;
    const char *connection; /* its id */
    const char *instance;   /* GitLab's address */
    bool allow_http;
    size_t max_in_flight; /* REST requests at the same time */
    int64_t backoff_ms;   /* wait after the first failure of a request; it doubles */
    int64_t request_timeout_ms;
    struct projects *projects; /* those that a person named are added when sources are decided */
    struct wh_connection *doc; /* the connection's document; set_document replaces its content */
    /* True when the next REST request may go out; call client_wake when it turns true. */
    bool (*may_send)(void *ctx);
    /* True when this member of the group works for the connection. */
    bool (*owns)(void *ctx);
    /* True when the connections have been shared out among the members. */
    bool (*shared)(void *ctx);
    /* True when nothing may be read: the connection is disconnected, or the stage drains. */
    bool (*stopped)(void *ctx);
    /* True when the connection no longer exists, or the stage drains. */
    bool (*gone)(void *ctx);
    /* True when this member may write down what became of a replaced pair: it owns the connection,
     * has read all of Kafka's records, and none of its own changes to the document is on its way. */
    bool (*may_write)(void *ctx);
    /* Replaces the document by a copy of doc, which may borrow from the present one. Saves nothing. */
    enum wh_rc (*set_document)(void *ctx, const struct wh_connection *doc, struct wh_err *err);
    /* Writes the document to Kafka; ack is completed when Kafka has it, or has refused it. */
    enum wh_rc (*save)(void *ctx, struct wh_bus_ack *ack, struct wh_err *err);
    /* The record of a revocation has been completed. Returns true when the connection is now gone,
     * because no approval ever made it. */
    bool (*revoked)(void *ctx);
    /* why: text for people, valid during the call; NULL with ACCESS_READY. */
    void (*on_changed)(void *ctx, enum access_event what, const char *why);
    void *ctx;
};

/* The place for which a secret of the connection is sealed. */
static inline struct wh_seal_place access_seal_place(const struct access_env *env,
                                                     const char *purpose)
{
    return (struct wh_seal_place){.connection = wh_slice_str(env->connection),
                                  .purpose = purpose,
                                  .address = wh_slice_str(env->instance)};
}

#endif
