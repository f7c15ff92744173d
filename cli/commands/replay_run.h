/* replay_run.h - what `wellhead replay` is going to do, and the mapper that does it. */
#ifndef WH_CLI_COMMANDS_REPLAY_RUN_H
#define WH_CLI_COMMANDS_REPLAY_RUN_H

#include "cli/core/cli.h"
#include "common/event/topics.h"

enum { REPLAY_PARTITIONS_MAX = 256, REPLAY_GROUP_MAX = 128, REPLAY_REPORT_MAX = 256 };

/* Of each partition of a topic the records from parts[i].offset to before ends[i]. */
struct replay_plan {
    char topic[WH_TOPIC_MAX];
    char group[REPLAY_GROUP_MAX];
    struct wh_bus_partition parts[REPLAY_PARTITIONS_MAX];
    int64_t ends[REPLAY_PARTITIONS_MAX];
    size_t n;
    int64_t records;
    const char
        *shadow; /* a view file: the mapper only reports what it would change. NULL: it produces */
    char report[REPLAY_REPORT_MAX]; /* the file of that report */
};

/*
 * Runs a mapper in the plan's group, whose offsets are set, until it has read all, and shows how many records of all it
 * has committed. Ctrl-C ends it. Gives the exit code, after it said why.
 */
int replay_run(struct cli *cli, struct wh_admin *admin, const struct replay_plan *plan,
               const char *connection);

#endif
