/*
 * connection_parts.h - parts of the pages about connections that are no statements. Thread: a lane's.
 */
#ifndef WH_SINK_API_CONNECTION_PARTS_H
#define WH_SINK_API_CONNECTION_PARTS_H

#include "stages/sink/api/pages/pages_priv.h"

/* What the fetcher says now, of the connection of the path or of all: its documents, with times as texts, "width" (how
 * much of the lists is read, percent) and "reading". */
WH_MUST_CHECK enum wh_rc part_fetcher(struct api_job *job, struct wh_err *err);
/* The streams of the connection of the path as rows, with what GitLab has and what is stored. */
WH_MUST_CHECK enum wh_rc part_streams(struct api_job *job, struct wh_err *err);
/* From happening to queryable, by kind, over an hour and a day. */
WH_MUST_CHECK enum wh_rc part_freshness(struct api_job *job, struct wh_err *err);
/* The steps of a connect, whose session is the part of the path. */
WH_MUST_CHECK enum wh_rc part_session(struct api_job *job, struct wh_err *err);

/* Only letters, digits and hyphens: the text becomes a part of an address. */
bool part_is_name(struct wh_slice text);
/* An answer that is no success becomes an error with its text. The parser keeps *ret. */
WH_MUST_CHECK enum wh_rc part_call(struct api_job *job, const char *method, const char *path,
                                   struct wh_slice body, struct wh_json_parser *parser,
                                   struct wh_json_val *ret, struct wh_err *err);

#endif
