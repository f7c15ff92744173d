/*
 * projects.h - the projects of one connection: from the list of projects that GitLab returns, from
 * another member of the group, or by ids that a person gave. Pure data: no clock, no I/O.
 *
 * A list owns its projects; a pointer to a project stays valid until projects_free. Thread: app.
 */
#ifndef WH_FETCHER_PROJECTS_H
#define WH_FETCHER_PROJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json/json_doc.h"
#include "stages/fetcher/gitlab/streams.h"

enum { PROJECT_ID_MAX = 24 };

struct project {
    struct project *next;
    char id[PROJECT_ID_MAX];
    char *path;         /* with its namespace, as "group/name"; NULL while it is not known */
    char skipped[96];   /* why the project cannot be read; empty when it can */
    int64_t listed_run; /* start (ms) of the newest run whose list of projects contained it */
    int64_t access;     /* our access level in the project; 0 when it is not known */
    unsigned char skips[STREAMS]; /* enum client_outcome of each stream that cannot be read; or 0 */
    int64_t rows
        [STREAMS];  /* of a stream that every run lists whole: 1 + how many it had; 0: not known */
    bool relist;    /* it was gone and is back: the check lists all of its numbers */
    bool announced; /* the other members were informed of it */
};

/* The newest project comes first. A list of zeros is empty. */
struct projects {
    struct project *first;
    size_t n;
};

void projects_free(struct projects *all);
/* Returns NULL when there is no project with that id. */
struct project *projects_find(const struct projects *all, const char *id);
/* Returns the project with that id, and adds it first when it is new; NULL without memory. */
struct project *projects_add(struct projects *all, struct wh_slice id);
/* Adds the project that a row of the list of projects describes, or updates its access level.
 * Returns NULL when the row has no numeric id, and without memory. */
struct project *projects_add_row(struct projects *all, struct wh_json_val row);
/* Our access level according to a project's row: the higher one of permissions.project_access and
 * permissions.group_access (GitLab, "Projects API"); 0 when the row names neither. */
int64_t project_access_of(struct wh_json_val row);

#endif
