/*
 * health.h - the documents of the `health` topic (compacted, one partition), by record key:
 *
 *   <connection>:outcome              the sink: what the reads of one run changed (the newest run
 *                                     that changed last)
 *   <connection>:webhooks:<intake>    an intake: deliveries that came, and those that it refused
 *   <connection>:completeness:<project>  the fetcher: numbers expected, had and missing
 *
 * The first two are read by other stages, and so have their shape here.
 */
#ifndef WH_EVENT_HEALTH_H
#define WH_EVENT_HEALTH_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"

struct wh_json_parser;

/* ---- what a run changed ---- */

/* Source kinds; the last one is all others. */
enum { WH_OUTCOME_KINDS = 13 };

struct wh_outcome_counts {
    int64_t read;     /* observations */
    int64_t added;    /* entities that were not there */
    int64_t changed;  /* entities that got another head */
    int64_t repaired; /* of added and changed: a webhook should have said so, and none had */
    int64_t deleted;
};

struct wh_outcome {
    struct wh_slice connection;
    int64_t run;                /* run_id.h */
    int64_t at_ms;              /* when it last changed */
    int64_t last_webhook_ms;    /* newest webhook of the connection that is stored; 0: none */
    int64_t repaired_oldest_ms; /* GitLab's time of the oldest repaired change; 0: none */
    struct wh_outcome_counts kinds[WH_OUTCOME_KINDS];
};

/* "issue", "merge_request", ...; "other". */
const char *wh_outcome_kind(unsigned i);
unsigned wh_outcome_kind_of(struct wh_slice source_kind);
struct wh_outcome_counts wh_outcome_sum(const struct wh_outcome *o);
/* Kinds that counted nothing are left out. */
WH_MUST_CHECK enum wh_rc wh_outcome_write(const struct wh_outcome *o, struct wh_buf *out,
                                          struct wh_err *err);
/* connection is borrowed from the parser. */
WH_MUST_CHECK enum wh_rc wh_outcome_parse(struct wh_slice json, struct wh_json_parser *parser,
                                          struct wh_outcome *ret, struct wh_err *err);

/* ---- webhooks ---- */

/* Deliveries of one project and event that Kafka has. */
struct wh_webhook_line {
    struct wh_slice project;
    struct wh_slice event;
    int64_t last_ms;
    int64_t count; /* since the intake's start */
};

struct wh_webhook_health {
    struct wh_slice connection;
    struct wh_slice intake; /* which one */
    int64_t at_ms;
    int64_t last_ok_ms;           /* newest delivery that Kafka has; 0: none since start */
    int64_t last_unauthorized_ms; /* newest delivery with a wrong secret; 0: none since start */
    int64_t accepted;
    int64_t unauthorized;
    int64_t refused; /* 503: Kafka away, too much waiting, draining */
    const struct wh_webhook_line *lines;
    size_t n_lines;
};

WH_MUST_CHECK enum wh_rc wh_webhook_health_write(const struct wh_webhook_health *h,
                                                 struct wh_buf *out, struct wh_err *err);
/* Texts are borrowed from the parser, lines are in the arena. */
WH_MUST_CHECK enum wh_rc wh_webhook_health_parse(struct wh_slice json,
                                                 struct wh_json_parser *parser,
                                                 struct wh_arena *arena,
                                                 struct wh_webhook_health *ret, struct wh_err *err);

#endif
