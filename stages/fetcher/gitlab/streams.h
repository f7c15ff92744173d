/*
 * streams.h - what is read of a project, and how. A table: a new stream is a line.
 */
#ifndef WH_FETCHER_STREAMS_H
#define WH_FETCHER_STREAMS_H

#include <stdbool.h>

enum stream_mode {
    /* order_by=updated_at ascending: each page asks from the last row's updated_at on, so that rows
     * which move while we read are met again later and none is passed over; no deep offsets. */
    STREAM_BY_UPDATE,
    /* Page after page until there is none; a page whose content is that of the last run is not
     * produced again. */
    STREAM_LIST,
    /* As LIST, and always produced: objects that are under way. */
    STREAM_OPEN,
    /* As OPEN, but only rows whose head commit is another one than before; not in the first run,
     * which reads all of them anyway. */
    STREAM_HEADS,
    /* Keyset by id, following Link; the list of projects itself. */
    STREAM_PROJECTS,
};

/* Reads that a row asks for. */
enum stream_follow {
    FOLLOW_NONE = 0,
    FOLLOW_PIPELINE = 1, /* detail and jobs */
    FOLLOW_ISSUE_LINKS = 2,
    FOLLOW_MR_CLOSES = 4,
};

enum { STREAMS = 15 };

struct stream {
    const char *name;
    const char *kind; /* of the raw event */
    const char *path; /* below the project; with '?' or without */
    enum stream_mode mode;
    unsigned follow;
};

extern const struct stream streams[STREAMS];

#endif
