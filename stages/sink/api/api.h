/*
 * api.h - the HTTP API of the sink: entities, SQL and status from snapshots of the store. It only
 * reads and never blocks the writer.
 *
 * Thread: app; requests are answered on threads of their lanes (lane.h) over snapshots of their own.
 */
#ifndef WH_SINK_API_H
#define WH_SINK_API_H

#include "common/base/time.h"
#include "common/httpd/http.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"
#include "common/store/store.h"
#include "stages/sink/automation/automation.h"
#include "stages/sink/changes/changes.h"
#include "stages/sink/ingest/sink.h"
#include "stages/sink/rowtopics/rowtopics.h"
#include "stages/sink/search/search.h"
#include "stages/sink/watch/watch.h"

struct sink_api;

struct sink_api_conf {
    int64_t sql_timeout_ms;         /* of a statement whose request names no time */
    int64_t sql_timeout_max_ms;     /* longest time that a request may ask for */
    int64_t sql_rows;               /* of an answer whose request names no limit */
    int64_t sql_bytes;              /* most bytes of an answer of at most sql_rows rows */
    int64_t stall_ms;               /* a stream that nobody reads for so long is cut; 0: 30 s */
    size_t answers_bytes;           /* of kept answers of entities; 0: none are kept */
    const char *zone;               /* of the workspace, for days; NULL: UTC */
    const char *data_path;          /* folder for the unnamed files of long answers */
    const char *backup_path;        /* folder of backups, kept; NULL: none are made */
    const char *fetcher_url;        /* "http://127.0.0.1:8701"; NULL or "": pages connect nothing */
    const char *fetcher_token_file; /* of the bearer token of its control API */
    const char *hosts;         /* names by which agents may reach /mcp, beside those of loopback */
    const char *sessions_file; /* sessions of browsers; made with mode 0600 with the first one */
    const char *calls_file;    /* the log of what agents asked and read; NULL: none is kept */
    const char *grants_file;   /* what agents were granted; made in the same way */
    const char *views_file;    /* saved views; NULL: they end with the process */
    const char *brokers;       /* shown in commands that read Kafka; NULL: not known */
    const char *search_token_file; /* a token that may only search; "" or NULL: there is none */
    const char *token_file;        /* the bearer token; made with mode 0600 when it is not there */
};

/* All are kept and must outlive the API. */
struct sink_api_deps {
    struct wh_store *store;
    struct sink *sink;
    struct search *search;         /* NULL: only references are found */
    struct sink_watch *watch;      /* NULL: the API tells nothing of other processes */
    struct rowtopics *rows;        /* NULL: there are no topics of rows */
    struct changes *changes;       /* NULL: there are no streams of changes */
    struct automation *automation; /* NULL: there are no rules */
    struct wh_loop *loop;
    struct wh_clock clock;
    struct wh_log *log;
    struct wh_metrics *metrics;
    struct sink_api_conf conf;
};

WH_MUST_CHECK enum wh_rc sink_api_new(const struct sink_api_deps *deps, struct sink_api **ret,
                                      struct wh_err *err);
/* The handler is valid as long as the API. */
struct wh_http_handler sink_api_handler(struct sink_api *api);
/* Refuses new requests, answers those that wait with 503 and interrupts running queries. */
void sink_api_drain(struct sink_api *api);
void sink_api_free(struct sink_api *api);

#endif
