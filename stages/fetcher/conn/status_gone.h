/*
 * status_gone.h - what the status says of objects that are gone, or seem to be. Thread: app.
 */
#ifndef WH_FETCHER_STATUS_GONE_H
#define WH_FETCHER_STATUS_GONE_H

#include "stages/fetcher/conn/conn.h"

struct wh_json_writer;

/*
 * Writes the members "held_deletes" (how many), "held" (for each project and stream with held deletions:
 * "project", "path", "stream", "count", "known", "examples", which are addresses, or ids of objects without
 * numbers), "unsure_deletes" (how
 * many) and "unsure" (some of them: "project", "kind", "id", "number", "since_ms").
 */
void status_gone_write(const struct conn *c, struct wh_json_writer *w);

#endif
