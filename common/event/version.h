/*
 * version.h - the total order of observations of one entity. Never by arrival.
 *
 * order, most significant bits first, so that bigger is newer:
 *   bits 63..28  seconds since 1970 UTC of the version time (36 bits)
 *   bit  27      the time had a fraction (REST) - within one second a read with milliseconds is
 *                newer than a push without, since the push was cut to the second
 *   bits 26..17  milliseconds
 *   bits 16..12  state rank (pipelines, jobs, deployments by how final; merged, closed over open)
 *   bits 11..9   source rank: import 0, webhook 1, mcp 2, rest 3
 *   bits  8..0   zero
 * tie is the XXH3-64 of the observation's content (kind, change, present, body), so that equal
 * versions fall by a fixed rule and the same content at the same version is the same observation.
 *
 * Version time: updated_at where there is one. Without: pipeline, job - the latest of created_at,
 * started_at, finished_at; deployment - status_changed_at, then as job; release - the later of
 * created_at and released_at in webhooks; REST rows of kinds without any (release, member, user,
 * environment without updated_at) - the time of the read. See schemas/README.md.
 *
 * An object that is only mentioned inside another (the author of a merge request, the project of a
 * webhook) has no time of its own. Its version time is 0: it is "aside". It fills what nothing else
 * has shown and never goes over it; the same mention is the same version, however often it comes,
 * so that a person's history does not grow with everything that person does. Asides do not count as
 * seen.
 */
#ifndef WH_EVENT_VERSION_H
#define WH_EVENT_VERSION_H

#include <stdint.h>

#include "common/base/time.h"

struct wh_version {
    uint64_t order;
    uint64_t tie;
};

enum wh_origin {
    WH_ORIGIN_IMPORT,
    WH_ORIGIN_WEBHOOK,
    WH_ORIGIN_MCP,
    WH_ORIGIN_REST,
    WH_ORIGIN_COUNT
};

const char *wh_origin_name(enum wh_origin origin); /* "import", "webhook", "mcp", "rest" */
/* WH_ORIGIN_COUNT when unknown. */
enum wh_origin wh_origin_parse(struct wh_slice name);

/* at is clamped to the representable range; state_rank 0..31. */
uint64_t wh_version_order(struct wh_instant at, unsigned state_rank, enum wh_origin origin);
/* The version time, ms. */
int64_t wh_version_at_ms(uint64_t order);

static inline bool wh_version_is_aside(struct wh_version v)
{
    return v.order >> 28 == 0;
}

static inline int wh_version_cmp(struct wh_version a, struct wh_version b)
{
    if (a.order != b.order) {
        return a.order < b.order ? -1 : 1;
    }
    return a.tie < b.tie ? -1 : a.tie > b.tie;
}

#endif
