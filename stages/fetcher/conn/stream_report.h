/*
 * stream_report.h - how the streams of a connection fared in its runs, for the status, for the topic `health`
 * (event/streams.h) and for the connection's state (judge/streams.h). The parts of a stream that are listed
 * apart, such as running pipelines, are reported with it. Thread: app.
 */
#ifndef WH_FETCHER_STREAM_REPORT_H
#define WH_FETCHER_STREAM_REPORT_H

#include "common/event/streams.h"
#include "common/judge/streams.h"
#include "stages/fetcher/check/check_env.h"
#include "stages/fetcher/conn/stream_trace.h"
#include "stages/fetcher/listing/listing.h"

struct conn;

/* The texts of a report that are nobody else's. */
struct stream_texts {
    char reasons[STREAMS][STREAM_TEXT_MAX];
};

void stream_report_run_begins(struct conn *c);
void stream_report_listing_ended(struct conn *c, const struct listing_task *task,
                                 const struct listing_result *result);
void stream_report_listing_failed(struct conn *c, unsigned stream, const char *why);
void stream_report_check_begins(struct conn *c);
void stream_report_check_ended(struct conn *c, const struct check_result *result);
/* Counts the run; c->run.failed is known. */
void stream_report_run_ended(struct conn *c);
/* True when GitLab has refused every listing of a project's stream in this run, and there was one. */
bool stream_report_all_skipped(const struct conn *c);

/* Fills *ret; its texts are borrowed from c and texts, until either changes. */
void stream_report_fill(const struct conn *c, struct wh_streams *ret, struct stream_texts *texts);
void stream_report_judge(const struct conn *c, struct wh_streams_verdict *ret);
/* Writes the report to the topic `health`. */
void stream_report_publish(struct conn *c);
/* Takes a report of the topic `health`: one of an earlier process. A run that it was in the middle of is closed as
 * interrupted, and the counts of failing runs go on when that process was this member. */
void stream_report_take(struct conn *c, struct wh_slice document);

#endif
