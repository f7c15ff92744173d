/*
 * chart.h - a chart as SVG: bars, stacked bars, lines, and a band between two percentiles, with the periods in which
 * something is missing drawn behind them.
 *
 * Inside a page (standalone = false) the colours come from the page's style sheet, by classes, and the points are links to
 * the rows behind them, outside the order of the tab key: the table beside a chart has the same links. A standalone
 * chart is an image with its own style sheet, title and no links.
 *
 * A value that is not known leaves a hole; 0 is drawn as 0. Every text is escaped.
 *
 * Pure functions. Thread: any.
 */
#ifndef WH_SINK_CHART_CHART_H
#define WH_SINK_CHART_CHART_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

enum { CHART_POINTS_MAX = 400, CHART_SERIES_MAX = 12, CHART_SVG_MAX_BYTES = 2 << 20 };

enum chart_kind {
    CHART_STACKED, /* bars; the series stand on each other */
    CHART_LINES,
    CHART_BAND, /* the first series is a line, and the area from it to the second one is filled */
};

enum chart_unit { CHART_NUMBER, CHART_SECONDS, CHART_RATIO, CHART_AMOUNT };

struct chart_point {
    bool known;
    double value;
    struct wh_slice href; /* ptr NULL: none */
};

struct chart_series {
    struct wh_slice name;
    bool rest; /* what the other groups are together: drawn in grey */
    const struct chart_point *points;
};

/* A period in which something is missing. From and to count points: 0 is the begin of the first one. */
struct chart_gap {
    double from;
    double to;
    bool over;            /* what was missing has been read since */
    struct wh_slice name; /* what happened */
};

struct chart {
    enum chart_kind kind;
    enum chart_unit unit;
    struct wh_slice currency;      /* of an amount */
    const char *id;                /* unique in its page; letters, digits, - and _ */
    struct wh_slice title;         /* what it shows */
    struct wh_slice description;   /* the whole in a sentence, for those who do not see it */
    const struct wh_slice *labels; /* of the points */
    size_t n_points;
    bool last_runs; /* the last point's period is not over */
    const struct chart_series *series;
    size_t n_series;
    const struct chart_gap *gaps;
    size_t n_gaps;
    bool large;
    bool standalone;
};

/* WH_E_RANGE: no point, or more points or series than there may be. */
WH_MUST_CHECK enum wh_rc chart_svg(const struct chart *chart, struct wh_buf *out,
                                   struct wh_err *err);
/* A value for people: "1,234", "5.2 h", "93.5 %", "3,270.00 EUR" (an amount is in minor units). */
WH_MUST_CHECK enum wh_rc chart_value(enum chart_unit unit, struct wh_slice currency, double value,
                                     struct wh_buf *out, struct wh_err *err);

#endif
