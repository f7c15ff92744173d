/*
 * conn.h - a connection: its document, its parts, and how records of it are written. What works on
 * connections (run.h, leave.h, rotate.h, ...) is built on top of this; fetcher.h makes and frees them.
 *
 *   connection ── run (every sync.interval) ── projects ── listing per project and stream
 *   listing ── pages in flight ── rows and follow-ups ── records ── acknowledged ── cursor saved
 *
 * A page counts as read when every record that came out of it, follow-up reads included, is
 * acknowledged by Kafka. Cursors move over read pages in order only, and are records of the compacted
 * topic fetch-state themselves. Thread: app.
 */
#ifndef WH_FETCHER_CONN_H
#define WH_FETCHER_CONN_H

#include "common/bus/bus.h"
#include "common/event/connection.h"
#include "common/event/seal.h"
#include "common/event/messages.h"
#include "common/event/topics.h"
#include "common/httpc/httpc.h"
#include "common/json/json_doc.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"
#include "common/event/health.h"
#include "stages/fetcher/access/access.h"
#include "stages/fetcher/check/check.h"
#include "stages/fetcher/listing/listing.h"
#include "stages/fetcher/state/numbers.h"
#include "stages/fetcher/state/projects.h"
#include "stages/fetcher/state/stream_count.h"
#include "stages/fetcher/outbox/outbox.h"
#include "stages/fetcher/state/ownership.h"
#include "stages/fetcher/state/cursors.h"

struct fetcher_conf {
    const char *topic_prefix;
    const char *redirect_url; /* where GitLab sends a browser back */
    const char *public_url;   /* of this installation, without a slash at the end; "": not known */
    const char *client_metadata_url; /* "" : none */
    bool allow_http;
    bool read_links; /* issue links and closed issues of merge requests */
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

enum run_phase { RUN_IDLE, RUN_PROJECTS, RUN_STREAMS, RUN_CHECK };

enum { RUNS_KEPT = 12 };

struct leave;

/* A run that ended, as the status shows it. */
struct run_summary {
    int64_t run;
    int64_t finished_ms;
    bool sweep;
    bool ok;
    uint64_t rows;
    uint64_t requests;
    int64_t waited_ms;
    uint64_t tombstones;
    uint64_t skipped;
    struct stream_count counts[STREAMS];
    struct wh_outcome outcome; /* the sink's; no connection */
};

struct fetcher;
struct rotation;

struct conn {
    struct conn *next;
    struct fetcher *fetcher;
    struct wh_arena arena; /* holds doc's texts */
    struct wh_connection doc;
    char id[65];
    char *instance;
    char raw_topic[WH_TOPIC_MAX];
    char state[24];        /* doc's, while it is set here */
    char detail[400];      /* the document's, in the same way */
    struct access *access; /* credentials, REST client, MCP session, sources; never NULL */
    struct leave *leave;   /* disconnect and purge; never NULL */
    bool stopped;          /* disconnected: nothing is read */
    bool warmed;           /* the producer knows its topics */
    bool dropped;          /* purged: not there for anybody */
    bool unsaved_seals; /* secrets were sealed again (rotate.h), and Kafka does not have them yet */
    char unsealable[160];     /* why they cannot be; empty when they can */
    int64_t unsealable_at_ms; /* the document of which that is true */
    struct projects projects;
    enum run_phase phase;
    struct sources_wait sources_wait; /* of a run that begins */
    struct project *next_project;     /* the task that comes next */
    unsigned next_stream;
    struct listing_env listing_env;
    struct listings listings;
    struct wh_timer *timer;
    struct stream_count counts[STREAMS];
    int64_t run_id; /* of the reads now; 0 outside of runs */
    int64_t run_started_ms;
    int64_t run_finished_ms;
    uint64_t runs;
    bool run_failed;
    bool run_again;  /* asked for while one was under way */
    bool run_sweeps; /* it lists all numbers */
    bool run_verifies;
    bool run_confirms;
    bool want_verify;  /* the next run lists all, and reads every missing number */
    bool want_confirm; /* the next run publishes the held tombstones */
    bool succeeded;    /* a run ended well, since the start */
    int64_t from_ms;   /* listings begin here when that is before their cursor; 0: no */
    struct client_stats stats_before;
    struct check_env check_env;
    struct check *check; /* under way; or NULL */
    struct gone *gone;   /* records about objects that are gone or back; never NULL */
    int64_t held;        /* tombstones that wait for a person */
    uint64_t tombstones; /* of this run */
    struct run_summary summaries[RUNS_KEPT]; /* newest last */
    unsigned n_summaries;
    struct health *health;
    struct mr_heads *heads;
    bool again_stale;      /* a second run was requested by conn_run_stale */
    bool run_stale;        /* what was read within sync.interval is left out */
    int64_t sync_asked_ms; /* the newest request of another member that was honoured */
    int64_t next_due_ms;   /* of what was left out, the first that is due */
    int64_t epoch_ms;      /* of our announcements of projects; 0: none yet */
    bool epoch_told;
    char error[160];
};

struct fetcher {
    struct fetcher_deps deps;
    struct wh_producer *producer;
    struct outbox *outbox; /* the only one that produces */
    struct cursors *cursors;
    struct ownership ownership; /* which projects are this member's */
    struct conn *conns;
    struct wh_json_parser *rows;   /* one row */
    struct wh_json_parser *arrays; /* pages */
    struct numbers_table *numbers;
    bool draining;
    bool caught_up; /* connections and fetch-state are read to their ends */
    char connections_topic[WH_TOPIC_MAX];
    char state_topic[WH_TOPIC_MAX];
    char runs_topic[WH_TOPIC_MAX];
    char rereads_topic[WH_TOPIC_MAX];
    char health_topic[WH_TOPIC_MAX];
    struct rereads *rereads;
    struct rotation *rotation;
};

/* ---- the fetcher's connections ---- */

/* Returns NULL when there is no connection with that id. */
struct conn *fetcher_find(struct fetcher *f, struct wh_slice id);
/* True when this member of the group works for the project now. project NULL or "": for the
 * connection itself, which has the list of projects and the tokens. */
bool fetcher_owns(const struct fetcher *f, const char *connection, const char *project);
/*
 * Writes a record of fetch-state on the partition of its project (ownership.h); project "": on the
 * connection's. The key begins with "<connection>:<project>:". Empty json writes a tombstone. ack may
 * be NULL.
 */
WH_MUST_CHECK enum wh_rc fetcher_save_state(struct fetcher *f, struct wh_slice connection,
                                            struct wh_slice project, struct wh_slice key,
                                            struct wh_slice json, struct wh_bus_ack *ack,
                                            struct wh_err *err);
/* Writes the same record of fetch-state to each partition; own: also to those of this member. The key
 * begins with "<connection>::". */
WH_MUST_CHECK enum wh_rc fetcher_save_everywhere(const struct fetcher *f, const struct conn *c,
                                                 const char *key, struct wh_slice json, bool own,
                                                 struct wh_err *err);

/* ---- one connection ---- */

/* Replaces the document by a copy of doc, which may borrow from the present one. Saves nothing. */
WH_MUST_CHECK enum wh_rc conn_set_document(struct conn *c, const struct wh_connection *doc,
                                           struct wh_err *err);
/* Writes the document to Kafka. ack may be NULL. WH_E_CANCELED: the connection is gone or has moved. */
WH_MUST_CHECK enum wh_rc conn_save(struct conn *c, struct wh_bus_ack *ack, struct wh_err *err);
/* Writes a tombstone for the document. ack may be NULL. */
WH_MUST_CHECK enum wh_rc conn_save_removed(const struct conn *c, struct wh_bus_ack *ack,
                                           struct wh_err *err);
/* Sets state and detail; the owner of the connection writes them to Kafka. */
void conn_set_state(struct conn *c, const char *state, const char *detail);
/* Nothing is read from now on, and nobody finds the connection any more: it was purged. */
void conn_drop(struct conn *c);
/* Nothing is read from now on: the connection has another address, for which it is made anew. */
void conn_leave_address(struct conn *c);
/* Removes a connection that no approval has made (to_configure) and of which GitLab holds nothing,
 * also from Kafka. Returns false when it is another. */
bool conn_forget_unconfigured(struct conn *c);
/* Adds the project of a row of the list of projects that the present run reads. */
void conn_add_project(struct conn *c, struct wh_json_val row);
/* The list of projects of the present run contains the project. */
void conn_project_listed(struct conn *c, struct project *p);
/* The connection's part of a row's record; the caller fills in the rest. run 0: outside of runs. */
struct outbox_row conn_row(const struct conn *c, enum wh_origin origin, int64_t run);

#endif
