/*
 * replay.h - where a replay ends: the high watermarks of a topic's partitions at its start.
 */
#ifndef WH_MAPPER_REPLAY_H
#define WH_MAPPER_REPLAY_H

#include "common/bus/bus.h"
#include "common/event/topics.h"

enum { REPLAY_PARTITIONS_MAX = 256 };

struct replay_ends {
    char topic[WH_TOPIC_MAX];
    struct wh_bus_partition parts[REPLAY_PARTITIONS_MAX]; /* offset: one past the last record */
    size_t n;
};

/* Fills parts with the partitions of ends->topic that have records after the group's committed offset. */
WH_MUST_CHECK enum wh_rc replay_ends_find(struct wh_admin *admin, const char *group,
                                          struct replay_ends *ends, struct wh_err *err);

#endif
