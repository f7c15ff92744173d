/*
 * address.h - reads what a person types or copies to name an object of GitLab:
 *
 *   group/project!12, !12                a merge request
 *   group/project#45, #45                an issue, incident or task
 *   https://host/group/project/-/merge_requests/12/diffs?tab=x#note_1, with or without https://,
 *   also as older GitLabs wrote it (https://host/group/project/issues/45)
 *   a UUID                               an entity of Wellhead
 *
 * Pure function. Thread: any.
 */
#ifndef WH_TEXT_ADDRESS_H
#define WH_TEXT_ADDRESS_H

#include <stdbool.h>

#include "common/base/slice.h"

enum wh_thing {
    WH_THING_UNKNOWN,
    WH_THING_MERGE_REQUEST, /* by its number in the project, as the next two */
    WH_THING_ISSUE,
    WH_THING_MILESTONE,
    WH_THING_PIPELINE, /* by its id, as the next two */
    WH_THING_JOB,
    WH_THING_ENVIRONMENT,
};

/* Slices point into what was typed; empty where it does not say. */
struct wh_address {
    bool is_id;           /* a UUID, in text */
    bool is_url;          /* an address, in text */
    struct wh_slice text; /* without blanks and brackets around it, query, and mark */
    struct wh_slice home; /* address of the project, without scheme: "host/group/project" */
    struct wh_slice path; /* of the project: "group/project" */
    enum wh_thing thing;
    const char *word;       /* of the thing in addresses: "merge_requests" */
    struct wh_slice number; /* digits */
    struct wh_slice note;   /* digits of "#note_1" */
};

/* False when it is nothing of these. */
bool wh_address_read(const char *typed, struct wh_address *ret);

#endif
