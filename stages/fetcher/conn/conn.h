/*
 * conn.h - a connection, as the other rooms see it: its name, its document, its access, and how records
 * of it are written. Other headers of this room work on connections: run_request.h, leave.h and
 * rotate.h. A connection lives as long as its fetcher; one that is gone is found no more. Thread: app.
 */
#ifndef WH_FETCHER_CONN_H
#define WH_FETCHER_CONN_H

#include "common/bus/bus.h"
#include "common/event/connection.h"
#include "common/event/seal.h"
#include "common/event/topics.h"
#include "common/httpc/httpc.h"
#include "common/json/json_doc.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"
#include "stages/fetcher/gitlab/streams.h"
#include "stages/fetcher/state/ownership.h"

struct access;
struct conn;
struct fetcher;
struct rereads;
struct rotation;

struct fetcher_conf {
    const char *topic_prefix;
    const char *member;       /* its name among the fetchers, in reports */
    const char *redirect_url; /* where GitLab sends a browser back */
    const char *public_url;   /* of this installation, without a slash at the end; "": not known */
    const char *client_metadata_url; /* "" : none */
    bool allow_http;
    bool read_links; /* issue links and closed issues of merge requests */
    enum read_notes read_notes;
    int64_t sync_interval_ms;
    int64_t backoff_ms;         /* first wait after a fault; doubles */
    int64_t sync_overlap_ms;    /* overlap: how far before the cursor an incremental read starts */
    int64_t sweep_interval_ms;  /* between full listings of all numbers; 0: none */
    int64_t hold_min;           /* more tombstones at once than this, ... */
    int64_t hold_percent;       /* ... and than this share of what is known, are held */
    int64_t numbers_max;        /* missing numbers read one by one, of one stream and run */
    int64_t webhook_silence_ms; /* without a delivery, after some, that is an alarm; 0: never */
    int64_t repair_delay_ms;    /* how long a webhook may be late before a repair counts */
    int64_t reread_delay_ms;    /* re-reads wait so long, to be coalesced */
    int64_t gone_confirm_ms;    /* between two answers that an object does not exist */
    size_t max_in_flight;       /* requests of one connection */
    size_t max_walks;           /* listings of one connection at a time */
    int64_t partitions;
    int64_t replication;
    int64_t request_timeout_ms;
    int64_t key_look_ms; /* how often the key file and the sealed documents are checked */
};

struct fetcher_deps {
    struct wh_loop *loop;
    struct wh_log *log;
    struct wh_metrics *metrics;
    struct wh_clock clock;
    struct wh_httpc *http;
    struct wh_admin *admin;
    /* For work on a pool thread: a consumer without a group, a producer. */
    enum wh_rc (*consumer_new)(void *ctx, struct wh_consumer **ret, struct wh_err *err);
    enum wh_rc (*producer_new)(void *ctx, struct wh_producer **ret, struct wh_err *err);
    /* The producer is lost for good; called once, from the loop. May be NULL. */
    void (*producer_lost)(void *ctx, const struct wh_err *err);
    void *bus_ctx;           /* of the three */
    struct wh_keyring *keys; /* borrowed */
    struct fetcher_conf conf;
};

struct fetcher_topics {
    char connections[WH_TOPIC_MAX];
    char state[WH_TOPIC_MAX]; /* fetch-state */
    char runs[WH_TOPIC_MAX];
    char rereads[WH_TOPIC_MAX];
    char health[WH_TOPIC_MAX];
};

/* ---- the fetcher ---- */

const struct fetcher_deps *fetcher_deps(const struct fetcher *f);
const struct fetcher_topics *fetcher_topics(const struct fetcher *f);
/* The parser of the fetcher, for bodies of up to 16 MiB; what it returns is valid until the next parse
 * by anybody. */
struct wh_json_parser *fetcher_parser(const struct fetcher *f);
/* Which projects this member of the group works for; members/group.h changes it. */
struct ownership *fetcher_ownership(struct fetcher *f);
struct rereads *fetcher_rereads(const struct fetcher *f);
struct rotation *fetcher_rotation(const struct fetcher *f);
/* True when the topics that it needs have been read to their ends, and the stage does not drain. */
bool fetcher_working(const struct fetcher *f);

/* Returns NULL when there is no connection with that id. */
struct conn *fetcher_find(const struct fetcher *f, struct wh_slice id);
/* Iterates over the connections, newest first. prev NULL: returns the first. */
struct conn *fetcher_next(const struct fetcher *f, const struct conn *prev);

/* ---- a connection ---- */

const char *conn_id(const struct conn *c);
/* The canonical address of its GitLab. */
const char *conn_instance(const struct conn *c);
/* Valid until the document is replaced or saved. */
const struct wh_connection *conn_document(const struct conn *c);
/* Never NULL. */
struct access *conn_access(const struct conn *c);
/* Replaces the document by a copy of doc, which may borrow from the present one. Saves nothing. */
WH_MUST_CHECK enum wh_rc conn_set_document(struct conn *c, const struct wh_connection *doc,
                                           struct wh_err *err);
/* Writes the document to Kafka. ack may be NULL. WH_E_CANCELED: the connection is gone or has moved. */
WH_MUST_CHECK enum wh_rc conn_save(struct conn *c, struct wh_bus_ack *ack, struct wh_err *err);
/* saved false: the document holds something that must reach Kafka; until it has, the document is saved
 * again and again (rotate.h), and nothing else writes it. saved true: Kafka has it. */
void conn_set_saved(struct conn *c, bool saved);
/* Removes a connection that no approval has made (to_configure) and of which GitLab holds nothing,
 * also from Kafka. Returns false when it is another. */
bool conn_forget_unconfigured(struct conn *c);

#endif
