/*
 * numbers.h - the numbers (ids.h) of every project and stream that has some: kept in fetch-state,
 * beside the project's cursors, so that whoever takes the project over knows them.
 *
 *   issues, merge_requests   GitLab's number within the project
 *   pipelines                likewise, but GitLab reads them by id alone: only what is gone is seen
 *   project                  one number, 1: is the project itself there?
 *
 * Thread: app.
 */
#ifndef WH_FETCHER_NUMBERS_H
#define WH_FETCHER_NUMBERS_H

#include "stages/fetcher/state/ids.h"
#include "stages/fetcher/gitlab/row.h"

enum numbered {
    NUMBERED_ISSUES,
    NUMBERED_MERGE_REQUESTS,
    NUMBERED_PIPELINES,
    NUMBERED_PROJECT,
    NUMBERED_STREAMS
};

/* The first of those whose numbers prove nothing: a missing one cannot be read. */
#define NUMBERED_PROOF NUMBERED_PIPELINES

struct numbers {
    struct numbers *next; /* in its bucket */
    struct numbers *all;  /* of all that there are */
    char connection[65];
    char project[24];
    enum numbered stream;
    struct ids *ids;
    struct ids_counts told; /* in the health topic */
    const char *lost;       /* NUMBERED_PROJECT: why it is not there, as this run found; or NULL */
};

struct numbers_table;

/* NULL: no memory. */
struct numbers_table *numbers_table_new(void);
void numbers_table_free(struct numbers_table *t);

/* "issues", "merge_requests", "pipelines", "project"; also the end of their address below a
 * project. */
const char *numbered_name(enum numbered stream);
/* Raw event kind: "issue", "merge_request", "pipeline", "project". */
const char *numbered_kind(enum numbered stream);
/* NUMBERED_STREAMS when rows of that stream (streams.h) have no numbers that are followed. */
enum numbered numbered_of(unsigned stream);

/* NULL when there are none; make: then empty ones, NULL without memory. */
struct numbers *numbers_of(struct numbers_table *t, const char *connection, const char *project,
                           enum numbered stream, bool make);
/* All of them, in no order; prev NULL: the first. */
struct numbers *numbers_next(const struct numbers_table *t, const struct numbers *prev);

/* Drops those of a connection; nothing may use one of them. */
void numbers_forget(struct numbers_table *t, const char *connection);

enum { NUMBERS_KEY_MAX = 192 };

enum numbers_taken {
    NUMBERS_OTHER, /* the key is not that of a segment */
    NUMBERS_TAKEN,
    NUMBERS_DAMAGED, /* the segment is not used: its numbers are read again */
};

/* Takes a record of fetch-state when it is a segment of numbers. */
enum numbers_taken numbers_take(struct numbers_table *t, struct wh_json_parser *parser,
                                struct wh_slice key, struct wh_slice json);
/* The key and the document of one segment (ids_dirty names those that changed). */
WH_MUST_CHECK enum wh_rc numbers_segment_write(struct numbers *n, uint32_t seq,
                                               char key[NUMBERS_KEY_MAX], struct wh_buf *json,
                                               struct wh_err *err);

/* What else a row says of its fate. */
bool numbers_row_confidential(struct wh_json_val value);
bool numbers_row_moved(struct wh_json_val value);

#endif
