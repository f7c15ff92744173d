/*
 * table.h - the numbers of a measure by parts of the period (buckets) and by groups, from the rows of its statement.
 *
 * A bucket is a day, week, ... of the zone, so a week has seven days also when the clock changes; the first and the last one
 * are cut to the period. Without an over, the period is the only bucket. Every bucket has a cell in every group: one without
 * rows counts 0, and its other numbers are not known.
 *
 * Ownership: everything lives in the arena. Thread: one at a time.
 */
#ifndef WH_SINK_MEASURES_TABLE_H
#define WH_SINK_MEASURES_TABLE_H

#include "common/base/zone.h"
#include "stages/sink/measures/measures.h"

enum { MEASURE_BUCKETS_MAX = 400, MEASURE_GROUPS_MAX = 500 };

struct measure_cell {
    int64_t rows; /* that the cell counts */
    bool known[MEASURE_AGGREGATES_MAX];
    double values[MEASURE_AGGREGATES_MAX]; /* in the order of the measure's aggregates */
};

struct measure_bucket {
    int64_t from_ms;
    int64_t to_ms;
};

struct measure_group {
    struct wh_slice key; /* ptr NULL: of rows that have none, and of a table that is not grouped */
    bool rest;           /* what the other groups of a short table are together */
    int64_t rows;        /* of all buckets; of a stock, of the last one */
    struct measure_cell *cells; /* one for each bucket */
};

struct measure_table {
    const struct measure *measure;
    struct measure_bucket *buckets;
    size_t n_buckets;
    struct measure_group *groups; /* most rows first, when it was ended */
    size_t n_groups;
    bool cut; /* there were more than MEASURE_GROUPS_MAX groups; the others are missing */
    struct wh_arena *arena;
    struct wh_zone zone;
};

/* One row of the statement. */
struct measure_row {
    bool has_bucket;
    int64_t bucket_ms;
    struct wh_slice key; /* copied */
    struct measure_cell cell;
};

/* How many days of the zone a period has, at least 1. */
int64_t measure_days(struct wh_zone zone, int64_t from_ms, int64_t to_ms);
/* WH_E_RANGE: more than MEASURE_BUCKETS_MAX buckets; WH_E_INVALID: no such unit. */
WH_MUST_CHECK enum wh_rc measure_table_new(const struct measure_query *query, struct wh_zone zone,
                                           struct wh_arena *arena, struct measure_table **ret,
                                           struct wh_err *err);
WH_MUST_CHECK enum wh_rc measure_table_add(struct measure_table *table,
                                           const struct measure_row *row, struct wh_err *err);
/* Adds up stocks, divides by days and puts the groups in order. Without rows there is one group, of zeros. */
WH_MUST_CHECK enum wh_rc measure_table_end(struct measure_table *table, struct wh_err *err);
/* The numbers of the whole period, from those of its parts; *ret stays NULL when they do not follow from them, as a
 * median does not. After measure_table_end. */
WH_MUST_CHECK enum wh_rc measure_table_whole(const struct measure_table *table,
                                             struct measure_table **ret, struct wh_err *err);
/* Leaves so many groups and puts the others into one, where the measure's numbers can be added up; otherwise the
 * others are left out, and cut is set. */
WH_MUST_CHECK enum wh_rc measure_table_shorten(struct measure_table *table, size_t groups,
                                               struct wh_err *err);

#endif
