/* chart_priv.h - what the files of this room share. */
#ifndef WH_SINK_CHART_CHART_PRIV_H
#define WH_SINK_CHART_CHART_PRIV_H

#include "stages/sink/chart/chart.h"

/* The scale of the values: ticks from 0 to top. */
struct chart_scale {
    double step;
    double top;
    unsigned n; /* ticks above 0 */
};

/* A scale for values up to max; steps are round in the unit: 1, 2 or 5 of its powers of ten, or of minutes, hours, days. */
struct chart_scale chart_scale(enum chart_unit unit, double max);
/* What stands at a tick: shorter than chart_value. */
WH_MUST_CHECK enum wh_rc chart_tick(enum chart_unit unit, const struct chart_scale *scale,
                                    double value, struct wh_buf *out, struct wh_err *err);
/* Appends text for XML, of at most `most` characters. */
WH_MUST_CHECK enum wh_rc chart_text(struct wh_slice text, size_t most, struct wh_buf *out,
                                    struct wh_err *err);

#endif
