/*
 * share.h - several fetchers share the projects: who reads what.
 *
 * All that is known of one project (its cursors, of every stream) lies on one partition of the
 * fetch-state topic, and so does a connection's own work (list of projects, token refresh, project
 * ""). The fetchers are a consumer group over these partitions: the member that holds a partition
 * works for what lies there. A fetcher that was told of no partitions is alone and owns everything.
 *
 * A partition is ready when its state is read to the end as it was when the partition came; before
 * that its owner does not work for it. Thread: app.
 */
#ifndef WH_FETCHER_SHARE_H
#define WH_FETCHER_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

enum { SHARE_PARTITIONS_MAX = 1024 };

struct share {
    int32_t partitions; /* of fetch-state; 0: alone */
    bool owned[SHARE_PARTITIONS_MAX];
    bool ready[SHARE_PARTITIONS_MAX];
};

/* The partition of a project's state; project "": of the connection's own. -1 when partitions is 0.
 */
int32_t share_partition(struct wh_slice connection, struct wh_slice project, int32_t partitions);
/* All partitions not owned; at most SHARE_PARTITIONS_MAX count. */
void share_init(struct share *s, int32_t partitions);
void share_assign(struct share *s, int32_t partition);
void share_ready(struct share *s, int32_t partition);
void share_revoke(struct share *s, int32_t partition);
/* May work for it now. */
bool share_owns(const struct share *s, struct wh_slice connection, struct wh_slice project);
/* Any part at all. */
bool share_any(const struct share *s);
/* True for a partition that this member works for: its own memory is newer than the topic. */
bool share_works_on(const struct share *s, int32_t partition);

#endif
