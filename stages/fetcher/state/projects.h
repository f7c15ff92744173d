/*
 * projects.h - the projects of one connection, as the list of projects showed them. Data only.
 *
 * Thread: app.
 */
#ifndef WH_FETCHER_PROJECTS_H
#define WH_FETCHER_PROJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json/json_doc.h"
#include "stages/fetcher/gitlab/streams.h"

struct project {
    struct project *next;
    char id[24];
    char *path;         /* full path with the namespace; NULL while it is not known */
    char skipped[96];   /* why the project cannot be read; empty when it can */
    int64_t listed_run; /* start of the newest run whose list of projects shows it, in ms */
    int64_t access;     /* our access level in it; 0 when it is not known */
    unsigned char skips[STREAMS]; /* enum client_outcome of a stream that cannot be read; else 0 */
    bool relist;                  /* it was gone and is back: all of its numbers are listed again */
    bool announced;               /* the member that owns it may know of it */
};

/* The newest project is the first. Zeros are an empty list. */
struct projects {
    struct project *first;
    size_t n;
};

void projects_free(struct projects *all);
/* NULL when there is none with that id. */
struct project *projects_find(const struct projects *all, const char *id);
/* The project with that id, made when it is new. NULL: no memory. */
struct project *projects_add(struct projects *all, struct wh_slice id);
/* The access level that a project's row gives us: the higher of the project's and its group's; 0
 * when the row does not say. */
int64_t project_access_of(struct wh_json_val row);

#endif
