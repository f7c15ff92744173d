/* run_report.h - runs as the topic `runs` shows them. Thread: app. */
#ifndef WH_FETCHER_RUN_REPORT_H
#define WH_FETCHER_RUN_REPORT_H

#include "stages/fetcher/conn/conn.h"

/* Of the run so far: its requests, and the time in which only rate limits held them back (ms). */
uint64_t run_requests(const struct conn *c);
int64_t run_waited_ms(const struct conn *c);
/* Writes the present run into the topic; finished: with its end. */
void run_report(struct conn *c, bool finished);
/* Closes the report of a run that an earlier process began. last_ms: when that process last reported it. */
void run_report_interrupted(struct conn *c, int64_t run, int64_t last_ms, bool sweeps);

#endif
