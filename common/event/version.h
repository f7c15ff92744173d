/*
 * version.h - the total order of the observations of one entity, independent of their arrival.
 *
 * order, most significant bits first, so that bigger is newer:
 *   bits 63..28  seconds since 1970 UTC of the version time (36 bits)
 *   bit  27      the time had a fraction (REST): within one second a read with milliseconds is newer
 *                than a webhook, whose time is truncated to the second
 *   bits 26..17  milliseconds
 *   bits 16..12  state rank (more final states are newer: merged and closed over open)
 *   bits 11..9   source rank: import 0, webhook 1, mcp 2, rest 3
 *   bits  8..0   edition of the views: what a newer edition makes of the same raw event is newer, so that
 *                changed rules take effect when raw events are mapped again (schemas/views/README.md)
 * tie is the XXH3-64 of the observation's content (kind, change, present, body): it orders equal times
 * deterministically, and equal content with the same order is the same observation.
 *
 * Version time: updated_at where there is one. Otherwise, for pipelines and jobs the latest of
 * created_at, started_at and finished_at; for deployments status_changed_at, else as for jobs; for
 * releases in webhooks the later of created_at and released_at; for REST rows without any time
 * (release, member, user, environment) the time of the read. See schemas/views/README.md.
 *
 * An object that is only mentioned in another one (the author of a merge request, the project of a
 * webhook) has no time of its own: its version time is 0 ("aside"). It only fills fields that nothing
 * else has shown. A repeated mention is the same version, so a person's history does not grow with that
 * person's activity. Mentions do not affect first and last seen.
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

enum { WH_VERSION_EDITION_MAX = 511 };

/* at is clamped to the representable range; state_rank 0..31. Of edition 0; a higher one is added to it. */
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
