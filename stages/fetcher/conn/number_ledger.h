/*
 * number_ledger.h - the numbers of a connection's objects (state/numbers.h) and Kafka: rows are
 * noted, changed segments are saved in fetch-state, and completeness is published in the health
 * topic.
 *
 * Thread: app.
 */
#ifndef WH_FETCHER_NUMBER_LEDGER_H
#define WH_FETCHER_NUMBER_LEDGER_H

#include "stages/fetcher/conn/conn.h"
#include "stages/fetcher/gitlab/row.h"
#include "stages/fetcher/state/numbers.h"
#include "stages/fetcher/state/projects.h"

struct wh_json_writer;

/* Writes the segments that changed since they were written last. The caller does so before it
 * writes the cursor that moves over the same rows. n may be NULL. */
WH_MUST_CHECK enum wh_rc number_ledger_save(struct fetcher *f, struct numbers *n,
                                            struct wh_err *err);
/* The same for one stream of a project; nothing to do where rows have no numbers. */
WH_MUST_CHECK enum wh_rc number_ledger_save_stream(struct conn *c, const struct project *project,
                                                   unsigned stream, struct wh_err *err);
/* Notes a row of a listing whose cursor moves over the row only when it is in Kafka. */
void number_ledger_row(struct conn *c, const struct project *project, unsigned stream,
                       const struct gitlab_row *row, struct wh_json_val value);
/* {"project","path","at_ms","streams":{"issues":{"expected",...},...}} */
void number_ledger_write(struct wh_json_writer *w, const struct conn *c, const char *project,
                         const char *path);
/* Publishes how complete the project is, when that has changed. */
void number_ledger_publish(struct conn *c, const char *project, const char *path);

#endif
