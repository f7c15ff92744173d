/*
 * numbers.h - a table of the numbers (number_set.h) of each project and stream. fetch-state keeps them
 * next to the project's cursors, so that a member that takes a project over knows them.
 * Pure data: no clock, no I/O; conn/number_ledger.h saves and publishes them.
 *
 *   issues, merge_requests   GitLab's number within the project (iid)
 *   pipelines                also the iid, of child pipelines too. GitLab reads a pipeline only by its id, so that
 *                            numbers that were never seen are looked for between the ids of their neighbours
 *   project                  the single number 1 stands for the project itself
 *
 * Thread: app.
 */
#ifndef WH_FETCHER_NUMBERS_H
#define WH_FETCHER_NUMBERS_H

#include "common/event/topics.h"
#include "stages/fetcher/state/number_set.h"
#include "stages/fetcher/gitlab/row.h"

enum numbers_stream {
    NUMBERS_ISSUES,
    NUMBERS_MERGE_REQUESTS,
    NUMBERS_PIPELINES,
    NUMBERS_PROJECT,
    NUMBERS_STREAMS
};

/* Before this one, numbers prove that a stream is complete. */
#define NUMBERS_PROOF NUMBERS_PROJECT

struct numbers {
    struct numbers *next; /* in the same bucket */
    struct numbers *all;  /* the next one of the whole table */
    char connection[WH_CONNECTION_ID_MAX];
    char project[24];
    enum numbers_stream stream;
    struct number_set *set;
    struct number_counts published; /* the counts that the health topic has */
    const char *lost; /* NUMBERS_PROJECT: why this run found the project to be gone; or NULL */
    bool holds;       /* the newest check holds the tombstones of its held numbers */
};

struct numbers_table;

/* Returns NULL without memory. */
struct numbers_table *numbers_table_new(void);
void numbers_table_free(struct numbers_table *t);

/* "issues", "merge_requests", "pipelines" or "project". The first three are also the last part of
 * the API path of a project's listing. */
const char *numbers_stream_name(enum numbers_stream stream);
/* The kind of the raw event: "issue", "merge_request", "pipeline" or "project". */
const char *numbers_stream_kind(enum numbers_stream stream);
/* stream is an index of streams.h. Returns NUMBERS_STREAMS when it is not one of those above. */
enum numbers_stream numbers_stream_of(unsigned stream);
/* The same for the rows of a stream: those of child pipelines and of running pipelines belong to the pipelines. Returns
 * NUMBERS_STREAMS when the numbers of its rows are not kept. */
enum numbers_stream numbers_rows_of(unsigned stream);

/* Returns the numbers of one stream of a project, or NULL when there are none. With make, empty
 * ones are added instead; then NULL means that there is no memory. */
struct numbers *numbers_of(struct numbers_table *t, const char *connection, const char *project,
                           enum numbers_stream stream, bool make);
/* Iterates over the whole table in no particular order. prev NULL: returns the first. */
struct numbers *numbers_next(const struct numbers_table *t, const struct numbers *prev);

/* Removes the numbers of a connection, to which no pointer may be left. */
void numbers_forget(struct numbers_table *t, const char *connection);

enum { NUMBERS_KEY_MAX = 192 };

enum numbers_taken {
    NUMBERS_OTHER, /* the key is not that of a segment */
    NUMBERS_TAKEN,
    NUMBERS_DAMAGED, /* the segment is not used: its numbers are read again */
};

/* Takes a record of fetch-state if it is a segment of numbers; key and json may be damaged. */
enum numbers_taken numbers_take(struct numbers_table *t, struct wh_json_parser *parser,
                                struct wh_slice key, struct wh_slice json);
/* Writes the key and the document of one segment, which then counts as saved. ids_dirty returns the
 * segments that have changed. */
WH_MUST_CHECK enum wh_rc numbers_segment_write(struct numbers *n, uint32_t seq,
                                               char key[NUMBERS_KEY_MAX], struct wh_buf *json,
                                               struct wh_err *err);

/* What the row of an issue says about its number: "confidential", and "moved_to_id". */
bool numbers_row_confidential(struct wh_json_val value);
bool numbers_row_moved(struct wh_json_val value);

#endif
