/*
 * fetcher.h - the fetcher's core: connections, their projects, the listings that read them.
 *
 *   connection ── run (every sync.interval) ── projects ── listing per project and stream
 *
 * The cursors of the listings are records of the compacted fetch-state topic. All of it runs in the
 * loop's thread.
 */
#ifndef WH_FETCHER_FETCHER_H
#define WH_FETCHER_FETCHER_H

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

WH_MUST_CHECK enum wh_rc fetcher_new(const struct fetcher_deps *deps, struct fetcher **ret,
                                     struct wh_err *err);
/* Before start; borrowed, and freed before the fetcher. */
void fetcher_set_producer(struct fetcher *f, struct wh_producer *producer);
/* A record of the connections or the fetch-state topic, while catching up or later. */
void fetcher_take_connection(struct fetcher *f, const struct wh_bus_msg *msg);
void fetcher_take_state(struct fetcher *f, const struct wh_bus_msg *msg);
/* A record of the health topic, at any time. */
void fetcher_take_health(struct fetcher *f, const struct wh_bus_msg *msg);
/* Begins to work: all that it owns is read now. */
void fetcher_start(struct fetcher *f);
/* The shares have changed (members.h): the first time as fetcher_start; later what is new is read,
 * unless another member has just done so. */
void fetcher_assigned(struct fetcher *f);
/* What is not owned any more is left to others. */
void fetcher_revoked(struct fetcher *f);
/* No new reads; true when nothing is under way. */
void fetcher_drain(struct fetcher *f);
bool fetcher_idle(const struct fetcher *f);
void fetcher_free(struct fetcher *f);

/* Makes the access of a connection; after id and instance are set. Returns NULL without memory, and
 * when the instance is not an address. */
struct access *conn_access_new(struct conn *c);
/* Makes the health of a connection. Returns NULL without memory. */
struct health *conn_health_new(struct conn *c);
/* Makes what the listings and checks of a connection need. */
WH_MUST_CHECK enum wh_rc conn_reads_init(struct conn *c, struct wh_err *err);

struct conn *fetcher_find(struct fetcher *f, struct wh_slice id);
/* The connection is gone: nobody finds it any more; what it still waits for is let go. */
void fetcher_drop(struct fetcher *f, struct conn *c);
/* This member may work for the project now; project NULL or "": for the connection itself (its list
 * of projects, its tokens). */
bool fetcher_owns(const struct fetcher *f, const char *connection, const char *project);
/* Starts a run now, or right after the one that is under way. */
void conn_run(struct conn *c);
/* Starts a run, or plans one, of what was not read to its end within the last sync.interval. */
void conn_run_stale(struct conn *c);
/* The one that was asked for meanwhile; without any, conn_run. */
void conn_run_due(struct conn *c);
/* Asks all members for a run. */
WH_MUST_CHECK enum wh_rc conn_run_everywhere(struct conn *c, bool verify, bool confirm,
                                             struct wh_err *err);
/* Replaces the connection's document by a copy of doc, which may borrow from the present one. Saves
 * nothing. */
WH_MUST_CHECK enum wh_rc conn_set_document(struct conn *c, const struct wh_connection *doc,
                                           struct wh_err *err);
/* A connection that no approval has made (to_configure), and of which GitLab holds nothing: it is
 * taken away, in Kafka too. False: it is another. */
bool conn_forget_unconfigured(struct conn *c);
/* Sets state and detail, writes the document. */
void conn_set_state(struct conn *c, const char *state, const char *detail);
/* ack may be NULL. */
WH_MUST_CHECK enum wh_rc conn_save(struct conn *c, struct wh_bus_ack *ack, struct wh_err *err);

/* The connection's part of a row's record: the caller fills in the rest. run 0: outside of runs. */
struct outbox_row conn_row(const struct conn *c, enum wh_origin origin, int64_t run);
/*
 * A record of fetch-state, on the partition of its project (ownership.h); project "": the
 * connection's. The key begins with "<connection>:<project>:". Empty json: a tombstone. ack may be
 * NULL.
 */
WH_MUST_CHECK enum wh_rc fetcher_save_state(struct fetcher *f, struct wh_slice connection,
                                            struct wh_slice project, struct wh_slice key,
                                            struct wh_slice json, struct wh_bus_ack *ack,
                                            struct wh_err *err);

/* ---- run.c ---- */

/* The sink's report about a run: the summary of that run shows it. */
void conn_take_outcome(struct conn *c, const struct wh_outcome *o);
/* For listing_env.on_end. */
void conn_listing_ended(void *ctx, const struct listing_task *task,
                        const struct listing_result *result);
/* Adds the project of a row of the list of projects that the present run reads. */
void conn_add_project(struct conn *c, struct wh_json_val row);
/* The list of projects of the present run contains the project. */
void conn_project_listed(struct conn *c, struct project *p);

/* ---- report.c ---- */

/* Writes the present run into the runs topic; finished: with its end. */
void report_run(struct conn *c, bool finished);

/* ---- handover.c: records of fetch-state that one member writes for another ---- */

/*
 * "<connection>:<project>:project" says that the project is in the list of projects, on the
 * partition of the project itself; "<connection>::projects", on every partition, that each of them
 * was told by the time that it names. Written by the owner of the connection, who reads the list.
 */
void handover_announce(struct conn *c);
/* Not the owner any more: the next one tells it all anew. */
void handover_forget(struct conn *c);
/* What the owner of the connection has told, for a run of another member. */
void handover_recall(struct conn *c);
/* Takes a record of a project, or of "<connection>::sync", a run that a person asked another member
 * for; false: it is something else. */
bool handover_take(struct fetcher *f, const struct wh_bus_msg *msg);

/* ---- rereads.c ---- */
struct rereads *rereads_new(struct fetcher *f);
void rereads_free(struct rereads *r);
void rereads_take(struct rereads *r, const struct wh_reread *q);
/* Asked for and not done yet. */
size_t rereads_open(const struct rereads *r);

#endif
