/*
 * stream_reports.h - what the fetchers report of the streams of a connection (event/streams.h), as the store has
 * it, joined into one report. Thread: any, with a parser of its own.
 */
#ifndef WH_SINK_STREAM_REPORTS_H
#define WH_SINK_STREAM_REPORTS_H

#include "common/base/arena.h"
#include "common/event/streams.h"
#include "common/store/store.h"

struct wh_json_parser;

/* Fills *ret, whose texts are in the arena; *ret_found is false when no fetcher has reported. */
WH_MUST_CHECK enum wh_rc sink_stream_report(struct wh_store *store, struct wh_json_parser *parser,
                                            struct wh_slice connection, struct wh_arena *arena,
                                            struct wh_streams *ret, bool *ret_found,
                                            struct wh_err *err);

#endif
