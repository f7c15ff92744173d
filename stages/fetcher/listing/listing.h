/*
 * listing.h - reads one stream of a project, or the list of projects, from its cursor to its end,
 * and publishes its rows.
 *
 *   pages in flight ── rows and follow-ups ── records ── acknowledged by Kafka ── cursor saved
 *
 * There are two implementations: by REST (rest_priv.h) and by an MCP tool (tool.c). A page counts
 * as read when every record that came out of it is acknowledged, those of follow-ups included. The
 * cursor moves over read pages in order only. So a listing that is freed at any moment costs
 * requests, never a row.
 *
 * A listing knows no connection: it uses what listing_env and listing_task lend, and reports its
 * outcome to listing_env.on_end. Thread: app.
 */
#ifndef WH_FETCHER_LISTING_H
#define WH_FETCHER_LISTING_H

#include "common/log/log.h"
#include "stages/fetcher/gitlab/client.h"
#include "stages/fetcher/gitlab/row.h"
#include "stages/fetcher/mcp/mcp.h"
#include "stages/fetcher/outbox/outbox.h"
#include "stages/fetcher/state/cursors.h"
#include "stages/fetcher/state/mr_heads.h"
#include "stages/fetcher/state/open_pipelines.h"
#include "stages/fetcher/state/projects.h"
#include "stages/fetcher/state/stream_count.h"

/* What one listing reads and by what; copied when it starts. The pointers must outlive it. */
struct listing_task {
    struct project *project; /* NULL: the list of projects */
    unsigned stream;         /* an index of streams.h */
    struct client *client;   /* reads by REST, when tool is NULL */
    const char *tool;        /* the MCP tool that lists the stream */
    struct mcp *mcp;         /* calls the tool */
    int64_t from_ms;         /* where to begin (ms), when that is before the cursor; 0: nowhere */
    /* The listing adds to it while it reads, so that its owner can show progress. */
    struct stream_count *count;
};

enum listing_outcome {
    LISTING_ENDED,        /* every page was read, and all of its records are in Kafka */
    LISTING_MORE,         /* stopped before the end; what was read is saved */
    LISTING_CANNOT_GO_ON, /* the next page, a follow-up or a record failed */
};

struct listing_result {
    enum listing_outcome outcome;
    /* Why it cannot go on. CLIENT_SIGN_IN means by a tool, too, that the credential was refused. */
    enum client_outcome why;
    /* Rows that GitLab could not list and follow-ups that failed, whatever the outcome is; the next
     * listing tries them again. */
    uint64_t unread;
    uint64_t listed; /* rows that GitLab has shown, unchanged ones included; by REST alone */
    char error[160]; /* readable text; empty when there is none */
};

/* Borrowed from the connection for as long as the connection lives. Every callback is called in the
 * loop's thread. */
struct listing_env {
    struct outbox *outbox;
    struct cursors *cursors;
    struct mr_heads *heads;
    struct open_pipelines *open;
    struct wh_json_parser *arrays; /* pages */
    struct wh_clock clock;
    struct wh_log *log;
    const char *connection; /* its id */
    const char *instance;   /* GitLab's address */
    int64_t overlap_ms;     /* how far before the cursor an incremental read starts */
    enum read_notes read_notes;
    bool read_links; /* read issue links, closed issues of merge requests, details by tools */
    /* True when this member works for the project; with project NULL, for the connection itself. */
    bool (*owns)(void *ctx, const char *project);
    /* True when nothing may be read any more: the listing fails with its next step. */
    bool (*stopped)(void *ctx);
    /* The connection's part of a row's record; the listing fills in the rest. */
    struct outbox_row (*row)(void *ctx);
    /* A row that is new; called before its record is published. By a tool, row has only the id and the number. */
    void (*on_row)(void *ctx, const struct listing_task *task, const struct gitlab_row *row,
                   struct wh_json_val value);
    /* A follow-up of a row has ended: whole when its answer was read to its proved end. iid: the row's number, as text.
     * NULL: nobody asks. */
    void (*on_follow)(void *ctx, const struct listing_task *task, const char *kind, const char *iid,
                      bool whole);
    /* Writes the cursor to fetch-state. What on_row noted of the rows must be written before it. */
    enum wh_rc (*save)(void *ctx, const struct listing_task *task, struct wh_slice key,
                       struct wh_slice json, struct wh_bus_ack *ack, struct wh_err *err);
    /* Called once for each listing that has started, also from inside listing_start and
     * listings_stop_foreign, but not by listings_free. The listing is already freed. */
    void (*on_end)(void *ctx, const struct listing_task *task, const struct listing_result *result);
    void *ctx;
};

struct listing;

/* The listings of a connection that are under way. Zeros: none. */
struct listings {
    struct listing *first;
    size_t n;
};

/* Starts a listing at its cursor. With an error nothing was started, and on_end is not called. */
WH_MUST_CHECK enum wh_rc listing_start(struct listings *all, const struct listing_env *env,
                                       const struct listing_task *task, struct wh_err *err);
/* Stops the listings of projects that another member works for now: they send no more requests, and
 * end as LISTING_MORE when what is under way is saved. */
void listings_stop_foreign(struct listings *all);
/* Whether a listing of that stream in that project has not ended. */
bool listings_read(const struct listings *all, const struct project *project, unsigned stream);
/* Frees all of them at once. Records on their way must have been abandoned (outbox_abandon). Open
 * requests of the clients still refer to the listings: free the clients next. */
void listings_free(struct listings *all);

#endif
