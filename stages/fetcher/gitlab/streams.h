/*
 * streams.h - the streams that are read of each project, and how each is read. A new stream is a
 * new line of the table.
 */
#ifndef WH_FETCHER_STREAMS_H
#define WH_FETCHER_STREAMS_H

#include <stdbool.h>

enum stream_mode {
    /* Ordered by updated_at, ascending. Each page starts at the updated_at of the last row, so a row
     * that changes during the listing is read again later and none is skipped. No deep offsets. */
    STREAM_BY_UPDATE,
    /* Page by page to the end. A page with the same content as in the last run is not produced
     * again. */
    STREAM_LIST,
    /* The same, but every page is produced: objects that are not final. */
    STREAM_OPEN,
    /* Open merge requests whose head commit has changed. Not in the first run, which reads all merge
     * requests anyway. */
    STREAM_HEADS,
    /* The list of projects: keyset pagination by id, following the Link header. */
    STREAM_PROJECTS,
};

/* Follow-ups: further reads for each row of a listing. */
enum stream_follow {
    FOLLOW_NONE = 0,
    FOLLOW_PIPELINE = 1, /* detail and jobs */
    FOLLOW_ISSUE_LINKS = 2,
    FOLLOW_MR_CLOSES = 4,
    FOLLOW_BRIDGES = 8, /* trigger jobs, in projects that have child pipelines */
    FOLLOW_NOTES = 16,  /* notes that are newer than the listing's cursor */
};

/* Which notes of changed issues and merge requests are read. ALL includes those that GitLab writes
 * when something happens; GitLab does not count them, so each changed object costs a request. */
enum read_notes { READ_NOTES_NONE, READ_NOTES_PEOPLE, READ_NOTES_ALL };

enum stream_rule {
    STREAM_NO_RULE = 0,
    /* Starts in a project only when STREAM_CHILD_PIPELINES has ended there. */
    STREAM_AFTER_CHILDREN = 1,
    /* GitLab refuses order_by=updated_at without the filter updated_after ("`updated_at` filter and
     * `updated_at` sorting must be paired"). Elsewhere the filter would hide rows without a time. */
    STREAM_PAIRED = 2,
};

enum { STREAMS = 16, STREAM_CHILD_PIPELINES = 5 };

struct stream {
    const char *name;
    const char *kind; /* of the raw event */
    const char *path; /* below the project; may contain a query */
    enum stream_mode mode;
    unsigned follow;
    unsigned rules; /* enum stream_rule */
};

extern const struct stream streams[STREAMS];

#endif
