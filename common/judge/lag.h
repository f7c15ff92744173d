/*
 * lag.h - how far a consumer group is behind, by Kafka's own committed offsets, ends and timestamps, so that
 * it can be told of processes that are dead. Blocks on requests to the brokers.
 */
#ifndef WH_JUDGE_LAG_H
#define WH_JUDGE_LAG_H

#include "common/bus/bus.h"

struct wh_lag {
    const char *topic;
    int32_t partition;
    int64_t position; /* the next offset that the group reads; -1: not known */
    int64_t records;  /* -1: not known */
    int64_t
        ms; /* age of the oldest record that waits, rounded down by up to a fourth; -1: not known */
};

/*
 * Fills position, records and ms of each partition. A group without a committed offset begins at the
 * start of the log. Partitions that cannot be asked are not known; the call fails when Kafka does not answer.
 */
WH_MUST_CHECK enum wh_rc wh_lag_ask(struct wh_admin *admin, const char *group, struct wh_lag *lags,
                                    size_t n, int64_t now_ms, int timeout_ms, struct wh_err *err);

#endif
