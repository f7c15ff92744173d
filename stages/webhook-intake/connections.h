/*
 * connections.h - the connections that deliveries may come for, kept in memory from the connections
 * topic: the newest document of an id wins, a tombstone removes. Secrets are open here and nowhere
 * else; they are wiped when the last user lets go.
 *
 * Thread: app. A request keeps the connection that it began with by a reference.
 */
#ifndef INTAKE_CONNECTIONS_H
#define INTAKE_CONNECTIONS_H

#include <stdbool.h>

#include "common/bus/bus.h"
#include "common/event/connection.h"
#include "common/event/seal.h"
#include "common/event/topics.h"
#include "common/json/json_doc.h"
#include "stages/webhook-intake/health.h"
#include "stages/webhook-intake/verify.h"

enum { INTAKE_CONNECTIONS_MAX = 4096 };

struct intake_connection {
    char id[WH_CONNECTION_ID_MAX];
    char raw_topic[WH_TOPIC_MAX];
    struct wh_buf instance; /* as entity ids name it */
    struct wh_buf key;      /* decoded; empty: none */
    struct wh_buf token;    /* empty: none */
    bool disabled;
    bool sealed;      /* it has secrets that do not open with our key */
    bool warmed;      /* the producer has met its topic */
    bool away;        /* the last delivery to its topic failed */
    int64_t probe_ns; /* while away: when the next request may try */
    struct wh_gauge *last_delivery;
    struct intake_health health;
    unsigned refs;
};

struct intake_connections {
    const char *prefix;
    struct wh_keyring *keys;
    struct wh_log *log;
    struct wh_json_parser *parser;
    struct wh_arena arena;
    struct intake_connection *stranger; /* random secrets, which nobody knows; in no list */
    struct intake_connection **items;   /* by id, ascending */
    size_t n;
    size_t n_sealed; /* those whose secrets do not open */
    size_t cap;
};

/* prefix, keys and log are kept by reference. WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc intake_connections_init(struct intake_connections *cs, const char *prefix,
                                                 struct wh_keyring *keys, struct wh_log *log,
                                                 struct wh_err *err);
void intake_connections_done(struct intake_connections *cs);
/*
 * One record of the topic. A document that cannot be read leaves what was there (POISON: skip it);
 * secrets that cannot be opened leave a connection that refuses everything with 503.
 */
WH_MUST_CHECK enum wh_rc intake_connections_apply(struct intake_connections *cs,
                                                  const struct wh_bus_msg *msg, struct wh_err *err);
/* The stranger when there is none. Borrowed. */
struct intake_connection *intake_connections_find(const struct intake_connections *cs,
                                                  struct wh_slice id);

struct intake_connection *intake_connection_ref(struct intake_connection *c);
/* Accepts NULL. */
void intake_connection_unref(struct intake_connection *c);

#endif
