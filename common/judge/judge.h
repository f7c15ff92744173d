/*
 * judge.h - is the pipeline healthy? A pure function from evidence to findings, and from findings to a
 * verdict. The API, the command line and the metrics all show what it says.
 *
 *   healthy      nothing is wrong that can be seen, and everything that must be seen was seen
 *   not healthy  something is wrong
 *   unknown      nothing is known to be wrong, but something that must be seen was not
 *
 * A stage of which no process runs, that stands still with records waiting, or whose breaker is open is
 * wrong. A connection that was disconnected is neither healthy nor unhealthy: it is a note. Dead letters
 * are a warning: reads repair what they would have told, and they wait for a person.
 *
 * Thread: any.
 */
#ifndef WH_JUDGE_JUDGE_H
#define WH_JUDGE_JUDGE_H

#include "common/json/json_write.h"
#include "common/judge/evidence.h"

/* In the order in which findings are shown. */
enum wh_severity { WH_SEVERITY_ERROR, WH_SEVERITY_UNKNOWN, WH_SEVERITY_WARNING, WH_SEVERITY_NOTE };

enum wh_verdict { WH_VERDICT_HEALTHY, WH_VERDICT_NOT_HEALTHY, WH_VERDICT_UNKNOWN };

enum {
    /* A process is lost when no heartbeat came for so long. */
    WH_JUDGE_SILENCE_MS = 3 * WH_HEARTBEAT_MS,
    /* A reader that stands still for so long while records wait is stuck. */
    WH_JUDGE_PATIENCE_MS = 20000,
    /* A lost process of a stage whose others live is forgotten after that. */
    WH_JUDGE_FORGET_MS = 3600000,
    WH_FINDINGS_MAX = 32,
};

struct wh_finding {
    enum wh_severity severity;
    char subject[80]; /* "mapper", "connection gitlab-example-com", "kafka" */
    char text[320];   /* what is wrong, as a sentence without its first word */
    char advice[200]; /* what to do, with a command; may be empty */
};

struct wh_findings {
    struct wh_finding list[WH_FINDINGS_MAX]; /* errors first */
    size_t n;
    size_t left_out; /* how many more there were */
};

/* Empty findings are healthy. */
void wh_findings_add(struct wh_findings *f, enum wh_severity severity, const char *subject,
                     const char *text, const char *advice);
enum wh_verdict wh_findings_verdict(const struct wh_findings *f);
const char *wh_verdict_name(enum wh_verdict verdict); /* "healthy", "not healthy", "unknown" */
const char *wh_severity_name(enum wh_severity severity);
enum wh_severity wh_severity_parse(struct wh_slice name); /* an unknown word is an error */

/* Judges; *ret is overwritten. */
void wh_judge(const struct wh_evidence *e, struct wh_findings *ret);
/* Adds what is to be said of the connections alone, for who cannot see the rest. */
void wh_judge_connections(const struct wh_evidence *e, struct wh_findings *f);
/* May the process be counted on: not stopped, and heard of recently enough? */
bool wh_judge_lives(const struct wh_evidence *e, const struct wh_seen_process *p);

/*
 * Members of an open JSON object: "healthy" (true, false, or null when unknown), "verdict",
 * "findings" [{severity, subject, text, advice}].
 */
void wh_findings_write(const struct wh_findings *f, struct wh_json_writer *w);

#endif
