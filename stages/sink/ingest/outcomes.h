/*
 * outcomes.h - what the reads of each run changed. A change is counted when it is applied, because
 * only then is it known what the store had before.
 *
 *   repaired   a read found a change that a webhook should have delivered and did not: the project
 *              has webhooks (one arrived before the change), webhooks report changes of this sort
 *              (not a counter or a timestamp alone), and the stored state is older than the change.
 *              When the webhook arrives late, the repair is subtracted again.
 *
 * Counts are written into the batch of the records that they count (family meta):
 *
 *   'u' connection 0 run 8        outcome (JSON, event/health.h)
 *   'w' connection 0 project      first and last webhook 8, 8: ms
 *
 * so that nothing is counted twice after a crash. Thread: the writer's.
 */
#ifndef WH_SINK_OUTCOMES_H
#define WH_SINK_OUTCOMES_H

#include "common/event/health.h"
#include "common/json/json_doc.h"
#include "common/metrics/metrics.h"
#include "stages/sink/batch/apply.h"

struct sink_outcomes;

/* Repairs since the start, before late webhooks take some back: of entities that were missing and of those
 * that were out of date. Each may be NULL. */
struct sink_repairs {
    struct wh_counter *missing[WH_OUTCOME_KINDS];
    struct wh_counter *stale[WH_OUTCOME_KINDS];
};

/* The store and the parser are kept; the parser is used only during calls. */
WH_MUST_CHECK enum wh_rc sink_outcomes_new(struct wh_store *store, struct wh_json_parser *parser,
                                           struct sink_outcomes **ret, struct wh_err *err);
void sink_outcomes_free(struct sink_outcomes *o);
/* Counts repairs there, too. The struct is copied. */
void sink_outcomes_set_counters(struct sink_outcomes *o, const struct sink_repairs *repairs);

/* Bit i: webhooks report changes of the field i of this kind. Thread: any. */
uint64_t sink_outcomes_telling(enum wh_kind kind);

/* Counts one observation of the connection's topic, right after `a` applied it. */
WH_MUST_CHECK enum wh_rc sink_outcomes_note(struct sink_outcomes *o, const char *connection,
                                            const struct wh_observation *observation,
                                            struct sink_apply *a,
                                            const struct wh_history_result *result,
                                            struct wh_err *err);
/* Drops what is known of a connection. */
void sink_outcomes_drop(struct sink_outcomes *o, struct wh_slice connection);
/* Adds the changed outcomes to the batch; call it before the batch is sealed. */
WH_MUST_CHECK enum wh_rc sink_outcomes_seal(struct sink_outcomes *o, struct sink_apply *a,
                                            int64_t now_ms, struct wh_err *err);
/* The batch is written or in flight: later observations count on top of it. */
void sink_outcomes_committed(struct sink_outcomes *o);
/* The batch is discarded, and with it what was counted since the last commit. */
void sink_outcomes_forget(struct sink_outcomes *o);

/* Returns a committed outcome that has changed since it was last returned, or NULL. It stays valid
 * until the next call. */
const struct wh_outcome *sink_outcomes_next(struct sink_outcomes *o);

#endif
