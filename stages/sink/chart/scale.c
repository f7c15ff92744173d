/* Scales and the texts of values. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "common/text/money.h"
#include "stages/sink/chart/chart_priv.h"

enum { TICKS = 4 };

/* Units of time, each with the largest maximum that it is used for. */
static const struct span {
    double seconds;
    double until;
    const char *name;
} spans[] = {{1, 120, "s"}, {60, 7200, "min"}, {3600, 172800, "h"}, {86400, HUGE_VAL, "d"}};

static const struct span *span_of(double max)
{
    size_t i = 0;

    while (max > spans[i].until) {
        i++;
    }
    return &spans[i];
}

/* The smallest of 1, 2, 5, 10, 20, ... that is not less. */
static double round_up(double least)
{
    double ten = pow(10, floor(log10(least)));

    for (double f = 1; f < 10; f = f < 1.5 ? 2 : f < 3 ? 5 : 10) {
        if (f * ten >= least * (1 - 1e-9)) {
            return f * ten;
        }
    }
    return 10 * ten;
}

static struct chart_scale scale_of(double step, double max)
{
    double n = ceil(max / step - 1e-9);

    n = n < 1 ? 1 : n;
    return (struct chart_scale){step, step * n, (unsigned)n};
}

struct chart_scale chart_scale(enum chart_unit unit, double max)
{
    double unit_size = unit == CHART_SECONDS  ? span_of(max)->seconds
                       : unit == CHART_AMOUNT ? 100
                                              : 1;
    double step;

    if (unit == CHART_RATIO) {
        return scale_of(0.25, 1);
    }
    if (!(max > 0)) {
        return scale_of(unit_size, unit_size);
    }
    step = round_up(max / unit_size / TICKS);
    return scale_of((unit == CHART_NUMBER && step < 1 && max >= 3 ? 1 : step) * unit_size, max);
}

/* "1234567" -> "1,234,567" */
static enum wh_rc put_whole(double value, struct wh_buf *out, struct wh_err *err)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%" PRId64, (int64_t)fabs(value));

    if (value < 0 && wh_buf_append_char(out, '-', err) != WH_OK) {
        return err->rc;
    }
    for (int i = 0; i < n && i < (int)sizeof(text); i++) {
        if ((i && (n - i) % 3 == 0 && wh_buf_append_char(out, ',', err) != WH_OK) ||
            wh_buf_append_char(out, text[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc put_number(double value, struct wh_buf *out, struct wh_err *err)
{
    bool whole = fabs(value - round(value)) < 1e-9 || fabs(value) >= 100;

    if (fabs(value) >= 1e15) {
        return wh_buf_printf(out, err, "%.3g", value);
    }
    return whole ? put_whole(round(value), out, err)
                 : wh_buf_printf(out, err, fabs(value) < 1 ? "%.2g" : "%.1f", value);
}

static enum wh_rc put_seconds(double value, struct wh_buf *out, struct wh_err *err)
{
    const struct span *s = span_of(value);
    double in = value / s->seconds;

    return put_number(in >= 10 ? round(in) : in, out, err) == WH_OK
               ? wh_buf_printf(out, err, " %s", s->name)
               : err->rc;
}

enum wh_rc chart_value(enum chart_unit unit, struct wh_slice currency, double value,
                       struct wh_buf *out, struct wh_err *err)
{
    switch (unit) {
    case CHART_SECONDS:
        return put_seconds(value, out, err);
    case CHART_RATIO:
        return wh_buf_printf(out, err, "%.*f %%", value > 0.9995 || value == 0 ? 0 : 1,
                             value * 100);
    case CHART_AMOUNT:
        if (currency.len && fabs(value) < 9e18) {
            return wh_money_append((int64_t)value, currency, out, err);
        }
        return put_number(value / 100, out, err);
    case CHART_NUMBER:
    default:
        return put_number(value, out, err);
    }
}

/* 12,000 -> 12k */
static enum wh_rc put_short(double value, struct wh_buf *out, struct wh_err *err)
{
    static const struct {
        double size;
        const char *sign;
    } sizes[] = {{1e9, "G"}, {1e6, "M"}, {1e4, "k"}};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        if (fabs(value) >= sizes[i].size) {
            double size = sizes[i].size > 1e5 ? sizes[i].size : 1000;

            return wh_buf_printf(out, err, "%.4g%s", value / size, sizes[i].sign);
        }
    }
    return wh_buf_printf(out, err, "%.4g", value);
}

enum wh_rc chart_tick(enum chart_unit unit, const struct chart_scale *scale, double value,
                      struct wh_buf *out, struct wh_err *err)
{
    const struct span *s = span_of(scale->top);

    switch (unit) {
    case CHART_SECONDS:
        return value > 0 ? wh_buf_printf(out, err, "%.4g %s", value / s->seconds, s->name)
                         : wh_buf_printf(out, err, "0");
    case CHART_RATIO:
        return wh_buf_printf(out, err, "%.0f %%", value * 100);
    case CHART_AMOUNT:
        return put_short(value / 100, out, err);
    case CHART_NUMBER:
    default:
        return put_short(value, out, err);
    }
}
