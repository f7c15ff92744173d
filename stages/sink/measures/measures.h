/*
 * measures.h - what is counted: the measures of schemas/measures.json, and their statements.
 *
 * A measure is a title, a definition in one sentence, and the rows that it counts: a select over our tables with
 * the columns id, at (the time by which it counts), value (of what is not only counted), until (of what is open for a
 * while) and one column for each dimension that it may be grouped by. A number of a measure, and the rows behind
 * it, come from the same select with the same conditions, so that they cannot differ.
 *
 * Aggregates: count; per_day, the count divided by the days of the period; open, how many are open at the
 * period's end (at <= end < until); sum, mean, p50 and p90 of value; ratio, the share of the rows whose value is 1. Rows
 * without a value do not count where there is one.
 *
 * A dimension that is a list (labels) counts a row once for each of its elements. A measure with a split
 * (currency) is never added up over it: it is grouped by it, or has one of its values in a filter.
 *
 * Parameters are bound and never part of the text. A statement refers to :from and :to, both texts.
 *
 * Thread: any, after measures_new. Ownership: slices live as long as the measures, or in the arena that was given.
 */
#ifndef WH_SINK_MEASURES_MEASURES_H
#define WH_SINK_MEASURES_MEASURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/slice.h"

enum {
    MEASURES_MAX = 64,
    MEASURE_DIMENSIONS_MAX = 32,
    MEASURE_WORDS_MAX = 12,
    MEASURE_AGGREGATES_MAX = 3,
    MEASURE_FILTERS_MAX = 8,
    MEASURE_PARAMS_MAX = MEASURE_FILTERS_MAX + 4,
};

enum measure_unit { MEASURE_COUNT, MEASURE_SECONDS, MEASURE_RATIO, MEASURE_AMOUNT };

enum measure_aggregate {
    MEASURE_BY_COUNT,
    MEASURE_PER_DAY,
    MEASURE_OPEN,
    MEASURE_SUM,
    MEASURE_MEAN,
    MEASURE_P50,
    MEASURE_P90,
    MEASURE_SHARE,
};

struct measure_dimension {
    struct wh_slice id; /* also the name of the column */
    struct wh_slice title;
    struct wh_slice definition;
    bool list; /* the column is a JSON array */
};

struct measure {
    struct wh_slice id;
    struct wh_slice title;
    struct wh_slice
        words[MEASURE_WORDS_MAX]; /* what people call it, besides the title; in lower case */
    size_t n_words;
    struct wh_slice definition;
    enum measure_unit unit;
    enum measure_aggregate aggregates[MEASURE_AGGREGATES_MAX]; /* the first one is the usual one */
    size_t n_aggregates;
    const struct measure_dimension *by[MEASURE_DIMENSIONS_MAX];
    size_t n_by;
    const struct measure_dimension *split;      /* NULL: none */
    struct wh_slice streams[MEASURE_WORDS_MAX]; /* what must have been read for it to be complete */
    size_t n_streams;
    bool dora;            /* one of the four DORA measures */
    struct wh_slice rows; /* the select */
};

struct measures;

/* The text of schemas/measures.json that is built in. */
struct wh_slice measures_file(void);
/* Reads such a text. WH_E_INVALID: it breaks a rule, and the message names the measure. */
WH_MUST_CHECK enum wh_rc measures_new(struct wh_slice file, struct measures **ret,
                                      struct wh_err *err);
/* Accepts NULL. */
void measures_free(struct measures *measures);
const struct measure *measures_list(const struct measures *measures, size_t *ret_n);
/* NULL: there is none of that id. */
const struct measure *measures_find(const struct measures *measures, struct wh_slice id);
/* The dimension of the measure, NULL: it has none of that id. */
const struct measure_dimension *measure_dimension(const struct measure *measure,
                                                  struct wh_slice id);

/* "count", "per_day", "open", "sum", "mean", "p50", "p90", "ratio" */
const char *measure_aggregate_name(enum measure_aggregate aggregate);
/* "count", "seconds", "ratio", "amount" */
const char *measure_unit_name(enum measure_unit unit);
/* Is it counted by what is open at an end, and not by what happened in a period? */
bool measure_is_stock(const struct measure *measure);

/* ---- statements ---- */

struct measure_filter {
    const struct measure_dimension *by;
    struct wh_slice value; /* ptr NULL: rows that have none */
};

struct measure_query {
    const struct measure *measure;
    const struct measure_dimension *by; /* NULL: not grouped */
    const char *over; /* unit of date_trunc: "day", "week", ...; NULL: one number for the period */
    struct wh_slice zone; /* in which days and weeks begin */
    int64_t from_ms;      /* the period, without its end */
    int64_t to_ms;
    struct measure_filter filters[MEASURE_FILTERS_MAX]; /* all must hold */
    size_t n_filters;
};

/* What the numbers of the query are grouped by: its by, or else the split of its measure unless a filter has chosen one
 * of its values; NULL: nothing. */
const struct measure_dimension *measure_grouped_by(const struct measure_query *query);

struct measure_param {
    struct wh_slice name; /* without a prefix */
    struct wh_slice value;
};

struct measure_statement {
    struct wh_slice sql;
    struct measure_param params[MEASURE_PARAMS_MAX];
    size_t n_params;
};

/*
 * The numbers: a row with the columns bucket (when there is an over; its begin), key (when there is a by; NULL for
 * rows that have none), rows, and one column for each aggregate of the measure, by its name; per_day is given as the
 * count. A stock that is over time gives in rows how many more there are: bucket NULL stands for the time before
 * from_ms, and the sum over a bucket and all before it is what is open at its end (table.h adds up).
 * WH_E_INVALID: the measure cannot be grouped or added up so; WH_E_RANGE: the period is empty.
 */
WH_MUST_CHECK enum wh_rc measure_statement(const struct measure_query *query,
                                           struct wh_arena *arena, struct measure_statement *ret,
                                           struct wh_err *err);
/* The rows behind the number for the period and the filters, with all columns of the measure; by and over do not
 * matter. As many as the number's rows say. */
WH_MUST_CHECK enum wh_rc measure_rows_statement(const struct measure_query *query,
                                                struct wh_arena *arena,
                                                struct measure_statement *ret, struct wh_err *err);

#endif
