/*
 * position.h - a place in a topic as a person writes it:
 *
 *   start, beginning     the oldest record          end         after the newest record
 *   1200                 an offset of each partition 3:1200      offset 1200 of partition 3 alone
 *   -5                   the last five offsets of each partition
 *   -2h                  two hours ago              2026-11-24T00:00:00Z, @2026-11-24   a time
 */
#ifndef WH_CLI_RECORD_POSITION_H
#define WH_CLI_RECORD_POSITION_H

#include "cli/core/cli.h"

enum cli_position_kind {
    CLI_POSITION_START,
    CLI_POSITION_END,
    CLI_POSITION_OFFSET,
    CLI_POSITION_LAST,
    CLI_POSITION_TIME,
};

enum { CLI_PARTITION_ANY = -1 };

struct cli_position {
    enum cli_position_kind kind;
    int32_t partition; /* of the offset; CLI_PARTITION_ANY: every one */
    int64_t value;     /* an offset, a number of offsets, or ms since 1970 */
};

/* One phrase for help and errors. */
#define CLI_POSITION_HELP "start, end, OFFSET, PARTITION:OFFSET, a time, -AGE or -N for the last N"

/* WH_E_INVALID, WH_E_RANGE. */
WH_MUST_CHECK enum wh_rc cli_position_parse(const struct cli *cli, const char *text,
                                            struct cli_position *ret, struct wh_err *err);

/* The offsets that a partition has: from low to before high. */
struct cli_span {
    int64_t low;
    int64_t high;
};

/* Finds the spans of the partitions 0 to n - 1 of a topic. */
WH_MUST_CHECK enum wh_rc cli_spans_find(struct wh_admin *admin, const char *topic, int32_t n,
                                        struct cli_span *ret, struct wh_err *err);
/* The first offset at the position or after it; with `past`, the first one that is behind it. It may
 * be outside of the span. Asks Kafka only about a time. */
WH_MUST_CHECK enum wh_rc cli_position_offset(struct wh_admin *admin, const char *topic,
                                             int32_t partition, const struct cli_span *span,
                                             const struct cli_position *at, bool past, int64_t *ret,
                                             struct wh_err *err);

#endif
