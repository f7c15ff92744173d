/*
 * outcomes.h - what the reads of each run changed, counted where it is known: as they are applied.
 *
 *   repaired   a read brought something new that a webhook should have told, and none had: the
 *              project has webhooks (one came before the change), the change is one that webhooks
 *              tell (not a counter, not a time alone), and what was stored is older than it. A
 *              webhook that comes late takes the repair back.
 *
 * Counts are written into the batch of the records that they count (family meta):
 *
 *   'u' connection 0 run 8        outcome (JSON, event/health.h)
 *   'w' connection 0 project      first and last webhook 8, 8: ms
 *
 * so that a crash counts nothing twice. Thread: the writer.
 */
#ifndef WH_SINK_OUTCOMES_H
#define WH_SINK_OUTCOMES_H

#include "common/event/health.h"
#include "common/json/json_doc.h"
#include "stages/sink/batch/apply.h"

struct sink_outcomes;

/* store and parser are kept; the parser is used inside calls only. */
WH_MUST_CHECK enum wh_rc sink_outcomes_new(struct wh_store *store, struct wh_json_parser *parser,
                                           struct sink_outcomes **ret, struct wh_err *err);
void sink_outcomes_free(struct sink_outcomes *o);

/* One observation of the connection's topic, just applied by a. */
WH_MUST_CHECK enum wh_rc sink_outcomes_note(struct sink_outcomes *o, const char *connection,
                                            const struct wh_observation *observation,
                                            struct sink_apply *a,
                                            const struct wh_history_result *result,
                                            struct wh_err *err);
/* Forgets a connection. */
void sink_outcomes_drop(struct sink_outcomes *o, struct wh_slice connection);
/* Puts what changed into the batch, before it is sealed. */
WH_MUST_CHECK enum wh_rc sink_outcomes_seal(struct sink_outcomes *o, struct sink_apply *a,
                                            int64_t now_ms, struct wh_err *err);
/* The batch is written, or given to be written: the next one counts on. */
void sink_outcomes_committed(struct sink_outcomes *o);
/* The batch is forgotten. */
void sink_outcomes_forget(struct sink_outcomes *o);

/* An outcome that was committed and was not taken since it changed; borrowed until the next call.
 * NULL: none. */
const struct wh_outcome *sink_outcomes_next(struct sink_outcomes *o);

#endif
