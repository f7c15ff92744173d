/*
 * status.h - what GET /api/v1/connections and GET /api/v1/status answer. Thread: app.
 */
#ifndef WH_FETCHER_STATUS_H
#define WH_FETCHER_STATUS_H

#include <stdbool.h>

#include "common/json/json_write.h"

struct fetcher;

/* Writes the state of the fetcher and of its connections as an object. full: also what each run has
 * read, the health of the webhooks, and completeness. */
void status_write(const struct fetcher *f, struct wh_json_writer *w, bool full);

#endif
