/* The drawing. Coordinates are in units of the view box, which is as wide as the chart at its usual size. */
#include <math.h>
#include <stdio.h>

#include "common/base/escape.h"
#include "common/base/mem.h"
#include "stages/sink/chart/chart_priv.h"

enum {
    LABEL_WIDTH = 7, /* of a character, at most */
    LEGEND_HEIGHT = 18,
    LEGEND_MAX = 28, /* characters of a name */
    GAP_MIN_WIDTH = 3,
    TICK_HEIGHT = 13,
};

/* A drawing under way; the first error sticks. */
struct drawing {
    const struct chart *c;
    struct wh_buf *out;
    struct wh_err *err;
    enum wh_rc rc;
    struct chart_scale scale;
    double width;
    double height;
    double left;
    double right;
    double top;
    double bottom;
};

__attribute__((format(printf, 2, 3))) static void put(struct drawing *d, const char *format, ...)
{
    char text[1024];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (d->rc != WH_OK) {
        return;
    }
    d->rc = n >= 0 && n < (int)sizeof(text)
                ? wh_buf_append(d->out, wh_slice(text, (size_t)n), d->err)
                : wh_fail(d->err, WH_E_INTERNAL, "a part of a drawing is too long");
}

static void put_text(struct drawing *d, struct wh_slice text, size_t most)
{
    d->rc = d->rc == WH_OK ? chart_text(text, most, d->out, d->err) : d->rc;
}

static void put_value(struct drawing *d, double value)
{
    d->rc = d->rc == WH_OK ? chart_value(d->c->unit, d->c->currency, value, d->out, d->err) : d->rc;
}

/* One character for XML; what would steer the text becomes a blank. */
static enum wh_rc put_character(struct wh_slice character, uint32_t code, bool steers,
                                struct wh_buf *out, struct wh_err *err)
{
    static const struct {
        uint32_t code;
        struct wh_slice name;
    } names[] = {{'&', {"&amp;", 5}}, {'<', {"&lt;", 4}}, {'>', {"&gt;", 4}}, {'"', {"&quot;", 6}}};

    if (steers || (character.len == 1 && code >= 0x80)) {
        return wh_buf_append_char(out, ' ', err);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].code == code) {
            return wh_buf_append(out, names[i].name, err);
        }
    }
    return wh_buf_append(out, character, err);
}

enum wh_rc chart_text(struct wh_slice text, size_t most, struct wh_buf *out, struct wh_err *err)
{
    enum wh_rc rc = WH_OK;

    for (size_t chars = 0; rc == WH_OK && text.len; chars++) {
        uint32_t code;
        bool steers;
        size_t n = wh_escape_next(text, &code, &steers);

        if (chars + 1 == most && n < text.len) {
            return wh_buf_append(out, WH_LIT("…"), err);
        }
        rc = put_character(wh_slice(text.ptr, n), code, steers, out, err);
        text = wh_slice_from(text, n);
    }
    return rc;
}

/* ---- places ---- */

static double x_of(const struct drawing *d, double point)
{
    return d->left + (d->right - d->left) * point / (double)d->c->n_points;
}

static double y_of(const struct drawing *d, double value)
{
    double part = value / d->scale.top;

    return d->bottom - (d->bottom - d->top) * (part < 0 ? 0 : part > 1 ? 1 : part);
}

static double largest(const struct chart *c)
{
    double max = 0;

    for (size_t i = 0; i < c->n_points; i++) {
        double sum = 0;

        for (size_t s = 0; s < c->n_series; s++) {
            const struct chart_point *p = &c->series[s].points[i];

            sum += p->known && c->kind == CHART_STACKED ? p->value : 0;
            max = p->known && p->value > max ? p->value : max;
        }
        max = sum > max ? sum : max;
    }
    return max;
}

/* ---- what stands around the values ---- */

static const char style[] =
    "<style>svg{font:12px "
    "system-ui,sans-serif;background:#fff;--bg:#fff;--fg:#1b1f24;--soft:#57606a;--line:#d0d7de;--"
    "s1:#0b62c4;--s2:#b45309;"
    "--s3:#1257a8;--s4:#8431d6;--s5:#be185d;--s6:#4d7c0f;--s7:#7c2d12;--s8:#334155;--s0:#818b96}"
    "@media(prefers-color-scheme:dark){svg{background:#0d1117;--bg:#0d1117;--fg:#e6edf3;--soft:#"
    "9da7b1;--line:#30363d;--s1:#35b3c0;--s2:#f0883e;--s3:#83baff;--s4:#bc8cff;"
    "--s5:#f778ba;--s6:#a3d15a;--s7:#e0a37a;--s8:#cbd5e1;--s0:#8b949e}}"
    ".grid{stroke:var(--line)}text{fill:var(--soft);font-size:11px}.title{fill:var(--fg);font-size:"
    "13px;font-weight:600}"
    ".bar{stroke:var(--bg)}.run{fill-opacity:.35;stroke-dasharray:2 "
    "2}.line{fill:none;stroke-width:2}.second{stroke-dasharray:5 "
    "3}.band{fill-opacity:.15;stroke:none}"
    ".hatch{stroke:var(--soft);stroke-opacity:.5}.past{opacity:.5}.named{fill:var(--fg);paint-"
    "order:stroke;stroke:var(--bg);stroke-width:3}"
    ".s1{--c:var(--s1)}.s2{--c:var(--s2)}.s3{--c:var(--s3)}.s4{--c:var(--s4)}.s5{--c:var(--s5)}.s6{"
    "--c:var(--s6)}.s7{--c:var(--s7)}.s8{--c:var(--s8)}.s0{--c:var(--s0)}"
    ".bar,.band,.dot,.key{fill:var(--c)}.line,.run{stroke:var(--c)}</style>";

static unsigned colour_of(const struct chart *c, size_t series)
{
    return c->series[series].rest ? 0 : (unsigned)(series % 8) + 1;
}

static void put_begin(struct drawing *d)
{
    const struct chart *c = d->c;

    put(d, "<svg class=\"chart\" viewBox=\"0 0 %.0f %.0f\" ", d->width, d->height);
    if (c->standalone) {
        put(d, "width=\"%.0f\" height=\"%.0f\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" ",
            d->width, d->height);
    } else {
        put(d, "role=\"group\" ");
    }
    put(d, "aria-labelledby=\"%s-t\" aria-describedby=\"%s-d\"><title id=\"%s-t\">", c->id, c->id,
        c->id);
    put_text(d, c->title, 200);
    put(d, "</title><desc id=\"%s-d\">", c->id);
    put_text(d, c->description, 1000);
    put(d, "</desc>%s", "");
    if (c->standalone) {
        d->rc = d->rc == WH_OK ? wh_buf_append(d->out, wh_slice_str(style), d->err) : d->rc;
        put(d, "<text class=\"title\" x=\"8\" y=\"18\">");
        put_text(d, c->title, c->large ? 90 : 40);
        put(d, "</text>");
    }
    put(d,
        "<defs><pattern id=\"%s-h\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
        "patternTransform=\"rotate(45)\"><path class=\"hatch\" d=\"M1 0V6\"/></pattern></defs>\n",
        c->id);
}

static void put_grid(struct drawing *d)
{
    for (unsigned i = 0; i <= d->scale.n; i++) {
        double value = d->scale.step * i;
        double y = y_of(d, value);

        put(d,
            "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/><text x=\"%.1f\" y=\"%.1f\" "
            "text-anchor=\"end\">",
            d->left, y, d->right, d->left - 5, y + 4);
        d->rc = d->rc == WH_OK ? chart_tick(d->c->unit, &d->scale, value, d->out, d->err) : d->rc;
        put(d, "</text>\n");
    }
}

/* As many labels as fit beside each other, always with the first one. */
static void put_labels(struct drawing *d)
{
    const struct chart *c = d->c;
    double room = (d->right - d->left) / (double)c->n_points;
    size_t longest = 1;
    size_t step;

    for (size_t i = 0; i < c->n_points; i++) {
        longest = c->labels[i].len > longest ? c->labels[i].len : longest;
    }
    step = (size_t)ceil((double)(longest * LABEL_WIDTH + 6) / room);
    for (size_t i = 0; i < c->n_points; i += step ? step : 1) {
        double half = (double)(longest * LABEL_WIDTH) / 2;
        double x = x_of(d, (double)i + 0.5);

        if (x + half > d->width && i > 0) {
            break;
        }
        put(d, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", x - half < 0 ? half : x,
            d->bottom + TICK_HEIGHT + 2);
        put_text(d, c->labels[i], 24);
        put(d, "</text>");
    }
    put(d, "\n");
}

/* Beside the tooltip, where there is room. */
static void put_gap_name(struct drawing *d, const struct chart_gap *g, double from, double to)
{
    double room = (to - from - 8) / LABEL_WIDTH;

    if (room >= 8) {
        put(d, "<text class=\"named\" x=\"%.1f\" y=\"%.1f\">", from + 4, d->top + 12);
        put_text(d, g->name, (size_t)room);
        put(d, "</text>\n");
    }
}

static void put_gaps(struct drawing *d)
{
    for (size_t i = 0; i < d->c->n_gaps; i++) {
        const struct chart_gap *g = &d->c->gaps[i];
        double from = x_of(d, g->from);
        double to = x_of(d, g->to);

        from = from < d->left ? d->left : from;
        to = to > d->right ? d->right : to;
        if (to - from < GAP_MIN_WIDTH) {
            from = to > d->left + GAP_MIN_WIDTH ? to - GAP_MIN_WIDTH : d->left;
            to = from + GAP_MIN_WIDTH;
        }
        put(d,
            "<rect class=\"gap%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
            "fill=\"url(#%s-h)\"><title>",
            g->over ? " past" : "", from, d->top, to - from, d->bottom - d->top, d->c->id);
        put_text(d, g->name, 300);
        put(d, "</title></rect>\n");
        put_gap_name(d, g, from, to);
    }
}

/* ---- values ---- */

static void begin_link(struct drawing *d, const struct chart_point *p)
{
    if (p->href.ptr && !d->c->standalone) {
        put(d, "<a tabindex=\"-1\" href=\"");
        put_text(d, p->href, 0);
        put(d, "\">");
    }
}

static void end_link(struct drawing *d, const struct chart_point *p)
{
    put(d, p->href.ptr && !d->c->standalone ? "</a>\n" : "\n");
}

static void put_name(struct drawing *d, size_t series, size_t point)
{
    put(d, "<title>");
    put_text(d, d->c->labels[point], 40);
    if (d->c->series[series].name.len) {
        put(d, ", ");
        put_text(d, d->c->series[series].name, 80);
    }
    put(d, ": ");
    put_value(d, d->c->series[series].points[point].value);
    put(d, "%s</title>", d->c->last_runs && point + 1 == d->c->n_points ? " so far" : "");
}

static void put_bar(struct drawing *d, size_t series, size_t point, double below)
{
    const struct chart_point *p = &d->c->series[series].points[point];
    double room = (d->right - d->left) / (double)d->c->n_points;
    double width = room > 4 ? room * 0.74 : room;
    double top = y_of(d, below + p->value);
    bool runs = d->c->last_runs && point + 1 == d->c->n_points;

    begin_link(d, p);
    put(d, "<rect class=\"bar s%u%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">",
        colour_of(d->c, series), runs ? " run" : "", x_of(d, (double)point + 0.5) - width / 2, top,
        width, y_of(d, below) - top);
    put_name(d, series, point);
    put(d, "</rect>");
    end_link(d, p);
}

static void put_bars(struct drawing *d)
{
    for (size_t i = 0; i < d->c->n_points; i++) {
        double below = 0;

        for (size_t s = 0; s < d->c->n_series; s++) {
            const struct chart_point *p = &d->c->series[s].points[i];

            if (p->known && p->value > 0) {
                put_bar(d, s, i, below);
                below += p->value;
            }
        }
    }
}

/* A line through the points that are known, with holes where one is not. */
static void put_line(struct drawing *d, size_t series)
{
    const struct chart_series *s = &d->c->series[series];
    bool on = false;
    bool second = d->c->kind == CHART_BAND && series > 0;

    put(d, "<path class=\"line s%u%s\" d=\"",
        d->c->kind == CHART_BAND ? 1 : colour_of(d->c, series), second ? " second" : "");
    for (size_t i = 0; i < d->c->n_points; i++) {
        if (s->points[i].known) {
            put(d, "%c%.1f %.1f", on ? 'L' : 'M', x_of(d, (double)i + 0.5),
                y_of(d, s->points[i].value));
        }
        on = s->points[i].known;
    }
    put(d, "\"/>\n");
}

static void put_dots(struct drawing *d, size_t series)
{
    const struct chart_series *s = &d->c->series[series];

    for (size_t i = 0; i < d->c->n_points; i++) {
        if (s->points[i].known) {
            begin_link(d, &s->points[i]);
            put(d, "<circle class=\"dot s%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\">",
                d->c->kind == CHART_BAND ? 1 : colour_of(d->c, series), x_of(d, (double)i + 0.5),
                y_of(d, s->points[i].value), d->c->n_points > 60 ? "1.6" : "2.8");
            put_name(d, series, i);
            put(d, "</circle>");
            end_link(d, &s->points[i]);
        }
    }
}

static bool both_known(const struct chart *c, size_t point)
{
    return point < c->n_points && c->series[0].points[point].known &&
           c->series[1].points[point].known;
}

/* The area over the points of a run from first to last. */
static void put_area(struct drawing *d, size_t first, size_t last)
{
    put(d, "<path class=\"band s1\" d=\"");
    for (size_t i = first; i <= last; i++) {
        put(d, "%c%.1f %.1f", i == first ? 'M' : 'L', x_of(d, (double)i + 0.5),
            y_of(d, d->c->series[1].points[i].value));
    }
    for (size_t i = last + 1; i-- > first;) {
        put(d, "L%.1f %.1f", x_of(d, (double)i + 0.5), y_of(d, d->c->series[0].points[i].value));
    }
    put(d, "Z\"/>\n");
}

static void put_band(struct drawing *d)
{
    for (size_t i = 0, first = 0; d->c->n_series > 1 && i < d->c->n_points; i++) {
        first = both_known(d->c, i) && (i == 0 || !both_known(d->c, i - 1)) ? i : first;
        if (both_known(d->c, i) && !both_known(d->c, i + 1)) {
            put_area(d, first, i);
        }
    }
}

static void put_lines(struct drawing *d)
{
    for (size_t s = 0; s < d->c->n_series; s++) {
        put_line(d, s);
        put_dots(d, s);
    }
}

/* ---- the legend ---- */

static size_t name_width(struct wh_slice name)
{
    size_t n = wh_escape_width(name);

    return (n < LEGEND_MAX ? n : LEGEND_MAX) * LABEL_WIDTH + 26;
}

static bool has_legend(const struct chart *c)
{
    return c->n_series > 1;
}

/* Lines that the legend takes. */
static unsigned legend_lines(const struct chart *c, double width)
{
    unsigned lines = 1;
    double x = 8;

    for (size_t i = 0; i < c->n_series; i++) {
        double w = (double)name_width(c->series[i].name);

        if (x + w > width && x > 8) {
            x = 8;
            lines++;
        }
        x += w;
    }
    return has_legend(c) ? lines : 0;
}

static void put_legend(struct drawing *d)
{
    double x = 8;
    double y = d->bottom + TICK_HEIGHT + LEGEND_HEIGHT + 4;

    for (size_t i = 0; has_legend(d->c) && i < d->c->n_series; i++) {
        double w = (double)name_width(d->c->series[i].name);
        bool band = d->c->kind == CHART_BAND;

        if (x + w > d->width && x > 8) {
            x = 8;
            y += LEGEND_HEIGHT;
        }
        if (band) {
            put(d, "<path class=\"line s1%s\" d=\"M%.1f %.1fh14\"/>", i ? " second" : "", x, y - 4);
        } else {
            put(d,
                "<rect class=\"key s%u\" x=\"%.1f\" y=\"%.1f\" width=\"10\" height=\"10\" "
                "rx=\"2\"/>",
                colour_of(d->c, i), x, y - 9);
        }
        put(d, "<text x=\"%.1f\" y=\"%.1f\">", x + (band ? 18 : 15), y);
        put_text(d, d->c->series[i].name, LEGEND_MAX);
        put(d, "</text>\n");
        x += w;
    }
}

/* ---- the whole ---- */

/* Room for the longest text of a tick. */
static double left_margin(struct drawing *d)
{
    size_t longest = 0;

    for (unsigned i = 0; i <= d->scale.n && d->rc == WH_OK; i++) {
        WH_AUTO(buf) struct wh_buf text;

        wh_buf_init(&text, 64);
        d->rc = chart_tick(d->c->unit, &d->scale, d->scale.step * i, &text, d->err);
        longest = text.len > longest ? text.len : longest;
    }
    return (double)(longest * LABEL_WIDTH) + 8;
}

static void lay_out(struct drawing *d)
{
    const struct chart *c = d->c;

    d->width = c->large ? 760 : 310;
    d->left = left_margin(d);
    d->right = d->width - 6;
    d->top = c->standalone ? 32 : 10;
    d->bottom = d->top + (c->large ? 260 : 110);
    d->height = d->bottom + TICK_HEIGHT + 8 + legend_lines(c, d->width) * LEGEND_HEIGHT;
}

enum wh_rc chart_svg(const struct chart *chart, struct wh_buf *out, struct wh_err *err)
{
    struct drawing d = {.c = chart, .out = out, .err = err};

    if (chart->n_points == 0 || chart->n_points > CHART_POINTS_MAX ||
        chart->n_series > CHART_SERIES_MAX) {
        return wh_fail(err, WH_E_RANGE, "a chart has 1 to %d points and at most %d series",
                       CHART_POINTS_MAX, CHART_SERIES_MAX);
    }
    d.scale = chart_scale(chart->unit, largest(chart));
    lay_out(&d);
    put_begin(&d);
    put_grid(&d);
    put_gaps(&d);
    if (chart->kind == CHART_STACKED) {
        put_bars(&d);
    } else {
        if (chart->kind == CHART_BAND) {
            put_band(&d);
        }
        put_lines(&d);
    }
    put_labels(&d);
    put_legend(&d);
    put(&d, "</svg>\n");
    return d.rc;
}
