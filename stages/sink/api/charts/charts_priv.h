/*
 * charts_priv.h - shared by the files of charts/: a measure that is asked for, read, and written.
 *
 * Arguments of every request for a measure:
 *   since, until    the period: times as in lists; a day in `until` counts whole. 12 weeks up to now without them
 *   over            day, week, ... or none; week without it
 *   by              a dimension of the measure
 *   DIMENSION=VALUE, DIMENSION__isnull=1   filters
 *   agg             the number that is drawn when it is grouped: p50, p90, mean, ...
 *   _zone, _asof, _timelimit               as in lists
 */
#ifndef WH_SINK_API_CHARTS_PRIV_H
#define WH_SINK_API_CHARTS_PRIV_H

#include "stages/sink/api/api_priv.h"
#include "stages/sink/chart/chart.h"
#include "stages/sink/measures/table.h"

enum { NUMBERS_ARENA_MAX_BYTES = 48 << 20, NUMBERS_GROUPS = 8, NUMBERS_URL_MAX_BYTES = 4096 };

/* A period in which something may be missing. */
struct numbers_gap {
    struct numbers_gap *next;
    struct wh_slice stream; /* empty: all streams */
    int64_t from_ms;        /* INT64_MIN: since ever */
    int64_t to_ms;
    bool over; /* later reads have made up for it */
    struct wh_slice what;
};

struct numbers_gaps {
    struct wh_arena arena;
    struct numbers_gap *first;
    bool unknown; /* they could not be read in time */
};

/* A measure that is asked for. The texts live in the job, or in the arena. */
struct numbers {
    struct api_job *job;
    struct wh_arena arena;
    struct measure_query query;
    char over[16]; /* behind query.over */
    struct wh_zone zone;
    struct wh_history_when when;
    enum measure_aggregate drawn;    /* what is drawn when the measure has several numbers */
    bool until_now;                  /* the period ends now */
    int64_t timeout_ms;              /* of a statement */
    const struct numbers_gaps *gaps; /* of the caller; NULL: none are drawn */
    /* After numbers_read. */
    struct measure_statement statement;
    struct measure_table *table; /* by bucket and group */
    struct measure_table *total; /* of the whole period, not grouped but by the split */
    bool timed_out;              /* there are no numbers */
    int64_t elapsed_us;
    int64_t rows_read;
};

/* ---- numbers.c ---- */

void numbers_init(struct numbers *n, struct api_job *job);
void numbers_done(struct numbers *n);
/* Reads the arguments. WH_E_INVALID names the one that is wrong, and what there is. */
WH_MUST_CHECK enum wh_rc numbers_ask(struct numbers *n, const struct measure *measure,
                                     struct wh_err *err);
/* Runs the statements. A time-out is no error: timed_out is set. */
WH_MUST_CHECK enum wh_rc numbers_read(struct numbers *n, struct wh_err *err);
/* The measure of the part of the path; "new" is one that the request builds. WH_E_NOT_FOUND. */
WH_MUST_CHECK enum wh_rc numbers_measure(struct api_job *job, const struct measure **ret,
                                         struct wh_err *err);
/* The place of what is drawn in the measure's aggregates. */
size_t numbers_drawn(const struct numbers *n);

/* ---- builder.c ---- */

/* A measure over a table, from the arguments table, measure, column, time and by; it lives as long as the job. */
WH_MUST_CHECK enum wh_rc numbers_build(struct api_job *job, const struct measure **ret,
                                       struct wh_err *err);
/* Writes the member "builder": what can be chosen. */
void numbers_write_builder(struct api_job *job, struct wh_json_writer *w);

/* ---- gaps.c ---- */

/* Reads them from the reports about streams and runs. Call done in any case. */
WH_MUST_CHECK enum wh_rc numbers_gaps_read(struct api_job *job, struct numbers_gaps *ret,
                                           struct wh_err *err);
void numbers_gaps_done(struct numbers_gaps *gaps);
/* Is it within the period of the measure, and of a stream that it needs? */
bool numbers_gap_concerns(const struct numbers_gap *gap, const struct numbers *n);

/* ---- image.c ---- */

/* The address of the measure as an image, signed, for 30 days. */
WH_MUST_CHECK enum wh_rc numbers_image_url(const struct numbers *n, struct wh_buf *url,
                                           struct wh_err *err);

/* ---- numbers_url.c ---- */

/* The address of the rows behind a cell of a table that is grouped by `by`, NULL: not grouped. */
WH_MUST_CHECK enum wh_rc numbers_rows_url(const struct numbers *n, const struct measure_bucket *b,
                                          const struct measure_dimension *by,
                                          const struct measure_group *g, struct wh_buf *out,
                                          struct wh_err *err);
/* Appends ?name=value or &name=value. */
WH_MUST_CHECK enum wh_rc numbers_url_add(struct wh_buf *out, const char *name,
                                         struct wh_slice value, struct wh_err *err);

/* ---- numbers_json.c ---- */

/* Writes the members measure, period, over, by, total, rows, cut, sql and so on into the object that is open. */
WH_MUST_CHECK enum wh_rc numbers_write(struct numbers *n, struct wh_json_writer *w,
                                       struct wh_err *err);

/* ---- drawing.c ---- */

/*
 * Writes what people see, as members of the object that is open: shown (the numbers of the whole period, as text), svg, heads and cells of the
 * table, a sentence for what there is not (empty), and addresses. id: of the drawing, unique in the page.
 */
WH_MUST_CHECK enum wh_rc numbers_draw(struct numbers *n, const char *id, bool large,
                                      struct wh_json_writer *w, struct wh_err *err);
/* The chart alone. */
WH_MUST_CHECK enum wh_rc numbers_svg(struct numbers *n, const char *id, bool large, bool standalone,
                                     struct wh_buf *out, struct wh_err *err);

#endif
