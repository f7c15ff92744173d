/* run_report.h - runs as the topic `runs` shows them. Thread: app. */
#ifndef WH_FETCHER_RUN_REPORT_H
#define WH_FETCHER_RUN_REPORT_H

#include "stages/fetcher/conn/conn.h"

/* Writes the present run into the topic; finished: with its end. */
void run_report(struct conn *c, bool finished);

#endif
