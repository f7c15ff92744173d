/*
 * conn_priv.h - what the files of conn/ share: a connection, the fetcher that owns it, and the base
 * functions on both.
 *
 *   connection ── run (every sync.interval) ── projects ── listing per project and stream
 *
 * Thread: app.
 */
#ifndef WH_FETCHER_CONN_PRIV_H
#define WH_FETCHER_CONN_PRIV_H

#include "common/event/health.h"
#include "common/event/messages.h"
#include "stages/fetcher/access/access.h"
#include "stages/fetcher/check/check.h"
#include "stages/fetcher/conn/conn.h"
#include "stages/fetcher/conn/stream_trace.h"
#include "stages/fetcher/listing/listing.h"
#include "stages/fetcher/outbox/outbox.h"
#include "stages/fetcher/state/cursors.h"
#include "stages/fetcher/state/numbers.h"
#include "stages/fetcher/state/projects.h"
#include "stages/fetcher/state/stream_count.h"

enum { RUNS_KEPT = 12, CONN_ARENA_BLOCK = 4096, CONN_ARENA_MAX = 256 << 10 };

enum run_phase { RUN_IDLE, RUN_PROJECTS, RUN_STREAMS, RUN_CHECK };

/* A run that has ended, as the status shows it. */
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
    struct wh_outcome outcome; /* as the sink has reported it; its connection is empty */
};

/* The runs of a connection; run.h. */
/* The streams before it are of the connection; those from it on are read for each project. */
enum { FIRST_PROJECT_STREAM = 1 };

struct conn_run {
    enum run_phase phase;
    struct wh_timer *timer;  /* starts the next run */
    struct wh_timer *teller; /* reports of the present one */
    int64_t begun_ms;        /* start of the first run */
    int64_t id;              /* of the present reads; 0 outside of runs */
    int64_t started_ms;
    int64_t finished_ms;
    int64_t next_ms; /* when the next run begins by itself; 0: one is under way, or there is none */
    uint64_t count;  /* of ended runs, since the start */
    bool warmed;     /* the producer has asked for its topics */
    bool succeeded;  /* a run has ended well since the start */
    /* The present run, or the last one. */
    bool failed;
    bool refused;  /* it failed because GitLab refuses the token, and there is no other */
    bool stale;    /* it leaves out what was read within sync.interval */
    bool sweeps;   /* it lists all numbers */
    bool verifies; /* it also reads every missing number */
    bool confirms; /* it publishes the tombstones that are held */
    struct sources_wait sources_wait;
    struct project *next_project; /* of the listing that starts next */
    unsigned next_stream;
    struct stream_count counts[STREAMS];
    struct stream_traces traces;
    /* At the start of the run. */
    uint64_t requests_before;
    int64_t waited_before_ms;
    int64_t next_due_ms; /* when the first stream that was left out is due */
    uint64_t tombstones;
    char error[160];
    /* The next run. */
    bool again;       /* conn_run was called during the present run */
    bool again_stale; /* conn_run_stale was called during the present run */
    bool want_verify;
    bool want_confirm;
    int64_t requested_ms; /* time of the newest request of another member (run_request.h) */
    int64_t from_ms;      /* listings begin here if that is before their cursor; 0: at the cursor */
    int64_t held;         /* tombstones that wait for a person */
    struct run_summary summaries[RUNS_KEPT]; /* newest last */
    unsigned n_summaries;
};

/* What reads a connection. */
struct conn_reads {
    struct listing_env listing_env;
    struct listings listings;
    struct check_env check_env;
    struct check *check; /* the one under way, or NULL */
    struct gone *gone;   /* never NULL */
    struct mr_heads *heads;
    struct open_pipelines *open;
};

/* The seals of the document's secrets; rotate.h. */
struct conn_seals {
    bool unsaved;          /* the document holds something that must reach Kafka */
    char problem[160];     /* why the secrets cannot be opened; empty when they can */
    int64_t problem_at_ms; /* updated_at_ms of the document with that problem */
};

/* What this member has announced of the projects; project_handover.h. */
struct conn_announced {
    int64_t epoch_ms; /* 0: nothing yet */
    bool all;         /* all members know that everything of the epoch has been announced */
};

struct conn {
    struct conn *next;
    struct fetcher *fetcher;
    char id[WH_CONNECTION_ID_MAX];
    char *instance;
    char raw_topic[WH_TOPIC_MAX];
    struct wh_arena arena; /* holds the texts of doc */
    struct wh_connection doc;
    char state[24];   /* the text of doc.state, once conn_set_state has set it */
    char detail[400]; /* holds the text of doc.detail */
    bool stopped;     /* nothing is read: it is disconnected, or gone */
    bool dropped;     /* it is gone: fetcher_find and fetcher_next leave it out */
    struct conn_seals seals;
    struct conn_announced announced;
    struct access *access; /* never NULL */
    struct projects projects;
    struct conn_run run;
    struct conn_reads reads;
    struct health *health; /* never NULL */
    struct leave *leave;   /* never NULL */
    struct purge *purge;   /* the one under way, or NULL */
};

struct fetcher {
    struct fetcher_deps deps;
    struct fetcher_topics topics;
    struct wh_producer *producer;
    struct outbox *outbox;
    struct cursors *cursors;
    struct numbers_table *numbers;
    struct absences *absences;
    struct listed_table *listed;
    struct ownership ownership;
    struct conn *conns;
    struct wh_json_parser *rows;   /* for one row or document */
    struct wh_json_parser *arrays; /* for pages */
    struct rereads *rereads;
    struct rotation *rotation;
    int64_t begun_ms; /* when it was made */
    bool draining;
    bool caught_up; /* connections and fetch-state have been read to their ends */
};

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

/* Copies a document; its texts are in the arena, which is initialised, and empty after an error. */
WH_MUST_CHECK enum wh_rc conn_copy_document(const struct fetcher *f,
                                            const struct wh_connection *doc, struct wh_arena *arena,
                                            struct wh_connection *ret, struct wh_err *err);
/* Writes a tombstone for the document. ack may be NULL. */
WH_MUST_CHECK enum wh_rc conn_save_removed(const struct conn *c, struct wh_bus_ack *ack,
                                           struct wh_err *err);
/* Sets state and detail; the owner of the connection writes them to Kafka. */
void conn_set_state(struct conn *c, const char *state, const char *detail);
/* Nothing is read from now on, and nobody finds the connection any more: it was purged. */
void conn_drop(struct conn *c);
/* Nothing is read from now on: the connection has another address, for which it is made anew. */
void conn_leave_address(struct conn *c);
/* Adds the project of a row of the list of projects that the present run reads. */
void conn_add_project(struct conn *c, struct wh_json_val row);
/* The list of projects of the present run contains the project. */
void conn_project_listed(struct conn *c, struct project *p);
/* The connection's part of a row's record; the caller fills in the rest. run 0: outside of runs. */
struct outbox_row conn_row(const struct conn *c, enum wh_origin origin, int64_t run);

#endif
