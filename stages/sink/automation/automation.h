/*
 * automation.h - rules: when a record begins or ceases to meet a condition, somebody is told, by a signed
 * webhook or by a record of a Kafka topic.
 *
 *   log of changes --> evaluate: does the record match after the change, and did it before?
 *                      -> one batch: who matches, the deliveries of this step, how far the rule has read
 *                  --> deliver: the oldest delivery, until the target has acknowledged it
 *
 * A rule is judged at each change of a record of its table, as of after that change (changes.h); what only
 * changes in another record is seen when the record itself changes. A new or altered rule learns first what matches
 * already, and tells nobody.
 *
 * Promises: at least once; in order, per rule and so per record; who matches, what is to be delivered and how
 * far each rule has read are one batch of a store of its own (<data.path>/automation), which survives a
 * kill and a rebuild of the entities. A delivery is removed when its target has acknowledged it. Attempts
 * are repeated with exponential back-off and jitter, or when Retry-After says; what a target refuses, or
 * does not take in ATTEMPTS_MAX attempts, goes to the rule's list of failed deliveries, from which it can be
 * replayed. A target that is slow or dead stops only its own rule, whose place in the log then waits, so
 * nothing grows without bound.
 *
 * Each delivery has an id that follows from the rule, the record and its revision: a repeated one has the same.
 * Webhooks are signed as the Standard Webhooks specification says: webhook-id, webhook-timestamp, and
 * webhook-signature "v1,<base64 of HMAC-SHA256 over id.timestamp.body>", by a key that is read from a file at
 * each attempt. Redirects are not followed. Addresses that are not public are refused unless the configuration
 * allows them. Logs and answers never show a secret, nor the path of an address, which may be one.
 *
 * Thread: one thread of its own evaluates and writes; transfers run in the loop's. The functions below are
 * for any thread unless they say otherwise.
 */
#ifndef WH_SINK_AUTOMATION_AUTOMATION_H
#define WH_SINK_AUTOMATION_AUTOMATION_H

#include "common/bus/bus.h"
#include "common/httpc/httpc.h"
#include "common/json/json_write.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"
#include "common/store/store.h"
#include "stages/sink/changes/changes.h"

struct automation;

enum { AUTOMATION_RULES_MAX = 64, AUTOMATION_ID_MAX = 64 };

/* The families of its store. */
enum { AUTOMATION_FAMILY, AUTOMATION_FAMILY_COUNT };
extern const struct wh_store_family automation_families[AUTOMATION_FAMILY_COUNT];

struct automation_conf {
    const char *file;         /* of rules (JSON), read at the start; NULL or "": none */
    const char *secrets_path; /* folder of the secrets that rules of the API name; NULL: none */
    const char *topic_prefix; /* topics that begin so are no targets */
    bool private_targets;     /* webhooks may go to addresses that are not public */
    int64_t retry_first_ms;   /* 0: 1 s */
};

/* All are kept and must outlive it. */
struct automation_deps {
    struct wh_store *store; /* of its own */
    struct changes *changes;
    struct wh_httpc *http;
    struct wh_producer *producer; /* used by its thread alone; NULL: no topics are targets */
    struct wh_loop *loop;
    struct wh_clock clock;
    struct wh_log *log;
    struct wh_metrics *metrics; /* may be NULL */
    struct automation_conf conf;
};

/* Reads the rules and starts. WH_E_CONFIG: the file, with the reason. Thread: loop. */
WH_MUST_CHECK enum wh_rc automation_new(const struct automation_deps *deps, struct automation **ret,
                                        struct wh_err *err);
/* Changes were stored. Cheap. */
void automation_notify(struct automation *a);
/* Ends its thread and the transfers; what was not acknowledged is delivered after the next start. Thread: loop. */
void automation_stop(struct automation *a);
/* Stops it when it was not. Accepts NULL. Thread: loop. */
void automation_free(struct automation *a);

/* ---- rules ---- */

/*
 * Adds or replaces a rule:
 *
 *   {"id": "failed-pipelines", "description": "...", "table": "pipelines",
 *    "enters": "status = 'failed'", "on": ["enter", "leave"], "max_age": "1d",
 *    "url": "https://...", "secret_file": "hook.key"}      or "topic": "alerts"
 *
 * on: by default enter alone. max_age: a change of which Wellhead learned later than so after it happened, as in
 * a first sync, tells nobody; "0": there is no such limit. secret_file: a name in secrets_path, and in the rules' file
 * also a path. WH_E_INVALID with the reason; WH_E_BUSY: the rule is one of the file, or there are too
 * many.
 */
WH_MUST_CHECK enum wh_rc automation_put(struct automation *a, struct wh_slice json,
                                        struct wh_err *err);
/* Removes a rule with everything that is known of it. WH_E_NOT_FOUND; WH_E_BUSY: it is one of the file. */
WH_MUST_CHECK enum wh_rc automation_remove(struct automation *a, struct wh_slice id,
                                           struct wh_err *err);
/* Writes an array of rules: what they say, and how they are. */
void automation_list(struct automation *a, struct wh_json_writer *w);
/*
 * Writes an array of a rule's deliveries, or of all rules' with an empty id: the newest `max` of each that wait and
 * that have failed, {rule, number, state, about}, and of the log, {rule, number, entry}.
 */
WH_MUST_CHECK enum wh_rc automation_deliveries(struct automation *a, struct wh_slice id, size_t max,
                                               struct wh_json_writer *w, struct wh_err *err);
/* Delivers failed deliveries again, behind those that wait; number 0: all of them. *ret_n: how many. With
 * `discard` they are forgotten instead. A rule that its target has ended (410) begins again. */
WH_MUST_CHECK enum wh_rc automation_replay(struct automation *a, struct wh_slice id,
                                           uint64_t number, bool discard, size_t *ret_n,
                                           struct wh_err *err);

/* ---- history ---- */

struct automation_fired {
    const struct change *change;
    bool entered;
    bool silent; /* because of max_age */
};

struct automation_dry_run {
    int64_t since_ms;    /* from when on */
    int64_t deadline_ns; /* of the clock; then the rest is left out */
    const atomic_bool *canceled;
    enum wh_rc (*fired)(void *ctx, const struct automation_fired *fired, struct wh_err *err);
    void *ctx;
    /* The answer. */
    uint64_t looked_at; /* changes */
    uint64_t left_out;  /* changes that there was no time for */
};

/* When would the rule have fired? json: a rule, or NULL and the id of one. */
WH_MUST_CHECK enum wh_rc automation_test(struct automation *a, struct wh_slice json,
                                         struct wh_slice id, struct automation_dry_run *run,
                                         struct wh_err *err);

#endif
