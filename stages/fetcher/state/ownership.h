/*
 * ownership.h - which projects this fetcher works for when several fetchers share them.
 *
 * The state of one project (the cursors of all its streams) is kept on one partition of the
 * fetch-state topic. So is the state of the connection itself (the list of projects, the refresh of
 * its token), as that of the project "". The fetchers are a consumer group over these partitions:
 * the member that holds a partition works for the projects on it. A fetcher without partitions is
 * alone and works for all projects.
 *
 * A member works for a partition only when the partition is ready: its records are read up to the
 * end that it had when the partition was assigned. Thread: app.
 */
#ifndef WH_FETCHER_OWNERSHIP_H
#define WH_FETCHER_OWNERSHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

enum { OWNERSHIP_PARTITIONS_MAX = 1024 };

struct ownership {
    int32_t partitions; /* of the fetch-state topic; 0: this fetcher is alone */
    bool owned[OWNERSHIP_PARTITIONS_MAX];
    bool ready[OWNERSHIP_PARTITIONS_MAX];
};

/* The partition of a project's state, or with project "" of the connection's own. Returns -1 when
 * partitions is 0. */
int32_t ownership_partition(struct wh_slice connection, struct wh_slice project,
                            int32_t partitions);
/* Owns no partition. Partitions from OWNERSHIP_PARTITIONS_MAX on are ignored. */
void ownership_init(struct ownership *s, int32_t partitions);
void ownership_assign(struct ownership *s, int32_t partition);
void ownership_ready(struct ownership *s, int32_t partition);
void ownership_revoke(struct ownership *s, int32_t partition);
/* True when this member may work for the project now. */
bool ownership_owns(const struct ownership *s, struct wh_slice connection, struct wh_slice project);
/* True when this member may work for any partition. */
bool ownership_any(const struct ownership *s);
/* True when this member works for the partition, so that its own memory is newer than the topic. */
bool ownership_works_on(const struct ownership *s, int32_t partition);

#endif
