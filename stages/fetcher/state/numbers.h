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

struct wh_json_writer;
struct conn;
struct fetcher;
struct project;

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

/* Is this fetch-state key a segment of numbers? Then takes it; damaged ones are logged. */
bool numbers_take(struct fetcher *f, struct wh_slice key, struct wh_slice json);
/* Writes what is not written: before the cursor that moves over the same rows. */
WH_MUST_CHECK enum wh_rc numbers_save(struct fetcher *f, struct numbers *n, struct wh_err *err);
WH_MUST_CHECK enum wh_rc numbers_save_stream(struct conn *c, const struct project *project,
                                             unsigned stream, struct wh_err *err);

/* A row of a listing, whose cursor moves over it only when it is in Kafka. */
void numbers_row(struct conn *c, const struct project *project, unsigned stream,
                 const struct row *row, struct wh_json_val value);
/* What else a row says of its fate. */
bool numbers_row_confidential(struct wh_json_val value);
bool numbers_row_moved(struct wh_json_val value);

/* {"project","path","at_ms","streams":{"issues":{"expected",...},...}} */
void numbers_write(struct wh_json_writer *w, const struct conn *c, const char *project,
                   const char *path);
/* Tells the health topic how complete the project is, when that changed. */
void numbers_tell(struct conn *c, const char *project, const char *path);

#endif
