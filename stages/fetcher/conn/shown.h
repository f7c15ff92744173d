/*
 * shown.h - what GitLab shows ends an absence (check/absence.h), whichever path it comes by: rows of
 * listings by REST or by a tool, rows that follow from them, and re-reads. Where a tombstone was
 * published, a `back` event says that the object exists again, because its row may be older than the
 * tombstone. Thread: app.
 */
#ifndef WH_FETCHER_SHOWN_H
#define WH_FETCHER_SHOWN_H

#include "stages/fetcher/check/absence.h"
#include "stages/fetcher/conn/conn.h"
#include "stages/fetcher/gitlab/row.h"
#include "stages/fetcher/listing/listing.h"
#include "stages/fetcher/outbox/message.h"

/* A row of a listing, whether or not it is new. */
void shown_by_listing(struct conn *c, const struct listing_task *task, const struct gitlab_row *row,
                      struct wh_json_val value);
/* A record that is on its way into Kafka: that of a job or a note, which no listing of its own reads. */
void shown_by_record(struct conn *c, const struct outbox_row *row);
/* The answer to a re-read of that object. */
void shown_by_reread(struct conn *c, const struct absence_key *key, struct wh_json_val value);

#endif
