/*
 * number_ledger.h - notes the numbers of a connection's rows (state/numbers.h), saves changed segments
 * in fetch-state, and publishes completeness in the topic health. Thread: app.
 */
#ifndef WH_FETCHER_NUMBER_LEDGER_H
#define WH_FETCHER_NUMBER_LEDGER_H

#include "stages/fetcher/conn/conn.h"
#include "stages/fetcher/gitlab/row.h"
#include "stages/fetcher/state/numbers.h"
#include "stages/fetcher/state/projects.h"

struct wh_json_writer;

/* Writes the segments that have changed since they were last written. Call it before the cursor that
 * moves over the same rows is written. n may be NULL. Errors: those of outbox_state. */
WH_MUST_CHECK enum wh_rc number_ledger_save(struct fetcher *f, struct numbers *n,
                                            struct wh_err *err);
/* The same for one stream of a project. Does nothing for streams whose rows have no numbers. */
WH_MUST_CHECK enum wh_rc number_ledger_save_stream(struct conn *c, const struct project *project,
                                                   unsigned stream, struct wh_err *err);
/* Notes a row. The cursor of its listing must move over the row only when Kafka has it. */
void number_ledger_row(struct conn *c, const struct project *project, unsigned stream,
                       const struct gitlab_row *row, struct wh_json_val value);
/* Notes whether the jobs of a pipeline were read to a proved end. iid: its number, as text. */
void number_ledger_jobs(struct conn *c, const struct project *project, const char *iid, bool whole);
/* Over the projects of this member: pipelines that are known, and those whose jobs were read. */
struct number_counts number_ledger_pipelines(const struct conn *c);
/* Writes {"project","path","at_ms","streams":{"issues":{"expected",...},...}}; the jobs are
 * counted by pipelines. */
void number_ledger_write(struct wh_json_writer *w, const struct conn *c, const char *project,
                         const char *path);
/* Publishes the completeness of the project if it has changed. */
void number_ledger_publish(struct conn *c, const char *project, const char *path);

#endif
