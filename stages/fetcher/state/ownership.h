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
#ifndef WH_FETCHER_SHARE_H
#define WH_FETCHER_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

enum { SHARE_PARTITIONS_MAX = 1024 };

struct share {
    int32_t partitions; /* of the fetch-state topic; 0: this fetcher is alone */
    bool owned[SHARE_PARTITIONS_MAX];
    bool ready[SHARE_PARTITIONS_MAX];
};

/* The partition of a project's state, or with project "" of the connection's own. Returns -1 when
 * partitions is 0. */
int32_t share_partition(struct wh_slice connection, struct wh_slice project, int32_t partitions);
/* Owns no partition. Partitions from SHARE_PARTITIONS_MAX on are ignored. */
void share_init(struct share *s, int32_t partitions);
void share_assign(struct share *s, int32_t partition);
void share_ready(struct share *s, int32_t partition);
void share_revoke(struct share *s, int32_t partition);
/* True when this member may work for the project now. */
bool share_owns(const struct share *s, struct wh_slice connection, struct wh_slice project);
/* True when this member may work for any partition. */
bool share_any(const struct share *s);
/* True when this member works for the partition, so that its own memory is newer than the topic. */
bool share_works_on(const struct share *s, int32_t partition);

#endif
