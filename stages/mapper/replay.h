/*
 * replay.h - how far a replay goes: the ends of a topic's partitions as they are now.
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

/* Fills parts with those partitions of ends->topic that have records behind the group's position.
 */
WH_MUST_CHECK enum wh_rc replay_ends_find(struct wh_admin *admin, const char *group,
                                          struct replay_ends *ends, struct wh_err *err);

#endif
