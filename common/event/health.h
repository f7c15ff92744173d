/*
 * health.h - the documents of the topic `health` (compacted, one partition), by record key:
 *
 *   <connection>:outcome                 from the sink: what the newest run changed
 *   <connection>:webhooks:<intake>       from an intake: deliveries accepted and refused
 *   <connection>:completeness:<project>  from the fetcher: numbers expected, present and missing
 *   <connection>:streams:<fetcher>       from each fetcher: how its reads fare (streams.h)
 *   _model:mapper                        from the mapper: which pointers and rules fill the fields
 *
 * Other stages read the first two, whose format is defined here.
 */
#ifndef WH_EVENT_HEALTH_H
#define WH_EVENT_HEALTH_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"

struct wh_json_parser;

/* What fills the fields is about no connection: no connection id begins with an underscore. */
#define WH_MODEL_OWNER "_model"
#define WH_MODEL_KEY WH_MODEL_OWNER ":mapper"

/* ---- what a run changed ---- */

/* One for each source kind; the last one is "other". */
enum { WH_OUTCOME_KINDS = 13 };

struct wh_outcome_counts {
    int64_t read;     /* observations */
    int64_t added;    /* new entities */
    int64_t changed;  /* entities whose head changed */
    int64_t repaired; /* added or changed entities for which no expected webhook had arrived */
    int64_t deleted;
};

struct wh_outcome {
    struct wh_slice connection;
    int64_t run;                /* run_id.h */
    int64_t at_ms;              /* when this outcome last changed */
    int64_t last_webhook_ms;    /* newest stored webhook of the connection; 0: none */
    int64_t repaired_oldest_ms; /* when GitLab made the oldest repaired change; 0: none */
    struct wh_outcome_counts kinds[WH_OUTCOME_KINDS];
};

/* "issue", "merge_request", ...; "other". */
const char *wh_outcome_kind(unsigned i);
unsigned wh_outcome_kind_of(struct wh_slice source_kind);
struct wh_outcome_counts wh_outcome_sum(const struct wh_outcome *o);
/* Omits kinds whose counts are all 0. */
WH_MUST_CHECK enum wh_rc wh_outcome_write(const struct wh_outcome *o, struct wh_buf *out,
                                          struct wh_err *err);
/* The connection's slice is valid until the parser's next parse. */
WH_MUST_CHECK enum wh_rc wh_outcome_parse(struct wh_slice json, struct wh_json_parser *parser,
                                          struct wh_outcome *ret, struct wh_err *err);

/* ---- webhooks ---- */

/* Acknowledged deliveries of one project and event. */
struct wh_webhook_line {
    struct wh_slice project;
    struct wh_slice event;
    int64_t last_ms;
    int64_t count; /* since the intake's start */
};

struct wh_webhook_health {
    struct wh_slice connection;
    struct wh_slice intake; /* the intake's id */
    int64_t at_ms;
    int64_t last_ok_ms;           /* newest acknowledged delivery; 0: none since start */
    int64_t last_unauthorized_ms; /* newest delivery with a wrong secret; 0: none since start */
    int64_t accepted;
    int64_t unauthorized;
    int64_t refused; /* 503: Kafka unavailable, too many deliveries waiting, draining */
    const struct wh_webhook_line *lines;
    size_t n_lines;
};

WH_MUST_CHECK enum wh_rc wh_webhook_health_write(const struct wh_webhook_health *h,
                                                 struct wh_buf *out, struct wh_err *err);
/* Texts are valid until the parser's next parse; lines are in the arena. */
WH_MUST_CHECK enum wh_rc wh_webhook_health_parse(struct wh_slice json,
                                                 struct wh_json_parser *parser,
                                                 struct wh_arena *arena,
                                                 struct wh_webhook_health *ret, struct wh_err *err);

#endif
