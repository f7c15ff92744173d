/* A measure for people: the chart, the numbers as text, and the table beside it. */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/sink/api/charts/charts_priv.h"

enum { LABEL_BYTES = 32, SENTENCE_MAX_BYTES = 1024, TEXT_MAX_BYTES = 256 };

static enum chart_unit unit_of(const struct measure *m)
{
    static const enum chart_unit units[] = {[MEASURE_COUNT] = CHART_NUMBER,
                                            [MEASURE_SECONDS] = CHART_SECONDS,
                                            [MEASURE_RATIO] = CHART_RATIO,
                                            [MEASURE_AMOUNT] = CHART_AMOUNT};

    return units[m->unit];
}

/* The currency of a group, when the measure is split by it. */
static struct wh_slice currency_of(const struct numbers *n, const struct measure_group *g)
{
    const struct measure *m = n->query.measure;

    if (m->split == NULL) {
        return wh_slice("", 0);
    }
    for (size_t i = 0; i < n->query.n_filters; i++) {
        if (n->query.filters[i].by == m->split) {
            return n->query.filters[i].value;
        }
    }
    return g ? g->key : wh_slice("", 0);
}

/* ---- labels ---- */

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static const char *ending(const struct numbers *n)
{
    return n->over;
}

/* "2 Nov", "Nov 2026", "14:00", "2026" */
static void label_of(const struct numbers *n, int64_t ms, bool with_year, char text[LABEL_BYTES])
{
    int64_t day = wh_zone_day(n->zone, ms);
    int year;
    int month;
    int date;

    wh_date_of_days(day, &year, &month, &date);
    if (strcmp(ending(n), "hour") == 0) {
        int64_t minutes = (ms + (int64_t)wh_zone_offset(n->zone, ms) * 1000) / 60000 % 1440;

        (void)snprintf(text, LABEL_BYTES, "%d %s %02d:%02d", date, months[month - 1],
                       (int)(minutes / 60), (int)(minutes % 60));
    } else if (strcmp(ending(n), "month") == 0 || strcmp(ending(n), "quarter") == 0) {
        (void)snprintf(text, LABEL_BYTES, "%s %d", months[month - 1], year);
    } else if (strcmp(ending(n), "year") == 0) {
        (void)snprintf(text, LABEL_BYTES, "%d", year);
    } else if (with_year) {
        (void)snprintf(text, LABEL_BYTES, "%d %s %d", date, months[month - 1], year);
    } else {
        (void)snprintf(text, LABEL_BYTES, "%d %s", date, months[month - 1]);
    }
}

static struct wh_slice name_of(const struct measure_group *g)
{
    return g->rest ? WH_LIT("others") : g->key.ptr ? g->key : WH_LIT("(none)");
}

static const char *aggregate_word(enum measure_aggregate a)
{
    static const char *const words[] = {
        [MEASURE_BY_COUNT] = "in all",     [MEASURE_PER_DAY] = "per day",
        [MEASURE_OPEN] = "open",           [MEASURE_SUM] = "",
        [MEASURE_MEAN] = "mean",           [MEASURE_P50] = "median",
        [MEASURE_P90] = "90th percentile", [MEASURE_SHARE] = "",
    };

    return words[a];
}

/* ---- the chart ---- */

enum { GAPS_MAX = 40 };

struct drawn {
    struct chart chart;
    struct chart_gap gaps[GAPS_MAX];
    struct chart_series series[CHART_SERIES_MAX];
    struct wh_slice *labels;
    struct wh_buf description;
};

static enum wh_rc put_value(const struct numbers *n, const struct measure_group *g, double value,
                            struct wh_buf *out, struct wh_err *err)
{
    return chart_value(unit_of(n->query.measure), currency_of(n, g), value, out, err);
}

static enum wh_rc make_labels(struct numbers *n, struct drawn *d, struct wh_err *err)
{
    void *memory = NULL;

    if (wh_arena_zalloc(&n->arena, n->table->n_buckets, sizeof(*d->labels), &memory, err) !=
        WH_OK) {
        return err->rc;
    }
    d->labels = memory;
    for (size_t i = 0; i < n->table->n_buckets; i++) {
        char text[LABEL_BYTES];

        label_of(n, n->table->buckets[i].from_ms, false, text);
        if (wh_arena_dup(&n->arena, wh_slice_str(text), &d->labels[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc make_points(struct numbers *n, const struct measure_group *g, size_t aggregate,
                              bool links, struct chart_series *ret, struct wh_err *err)
{
    const struct measure_table *t = n->table;
    struct chart_point *points;
    void *memory = NULL;

    if (wh_arena_zalloc(&n->arena, t->n_buckets, sizeof(*points), &memory, err) != WH_OK) {
        return err->rc;
    }
    points = memory;
    for (size_t i = 0; i < t->n_buckets; i++) {
        WH_AUTO(buf) struct wh_buf url;

        wh_buf_init(&url, NUMBERS_URL_MAX_BYTES);
        points[i].known = g->cells[i].known[aggregate];
        points[i].value = g->cells[i].values[aggregate];
        if (links && !g->rest &&
            (numbers_rows_url(n, &t->buckets[i], measure_grouped_by(&n->query), g, &url, err) !=
                 WH_OK ||
             wh_arena_dup(&n->arena, wh_buf_slice(&url), &points[i].href, err) != WH_OK)) {
            return err->rc;
        }
    }
    ret->points = points;
    return WH_OK;
}

static bool is_band(const struct numbers *n)
{
    const struct measure *m = n->query.measure;

    return measure_grouped_by(&n->query) == NULL && m->n_aggregates > 1 &&
           m->aggregates[0] == MEASURE_P50 && n->drawn == MEASURE_P50;
}

static enum wh_rc make_series(struct numbers *n, struct drawn *d, bool links, struct wh_err *err)
{
    const struct measure *m = n->query.measure;
    bool band = is_band(n);

    d->chart.n_series = band ? 2 : n->table->n_groups;
    for (size_t i = 0; i < d->chart.n_series; i++) {
        const struct measure_group *g = &n->table->groups[band ? 0 : i];

        d->series[i].name = band ? wh_slice_str(aggregate_word(m->aggregates[i]))
                            : measure_grouped_by(&n->query) ? name_of(g)
                                                            : wh_slice("", 0);
        d->series[i].rest = g->rest;
        if (make_points(n, g, band ? i : numbers_drawn(n), links, &d->series[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* "45 in all; most in the week of 23 Nov: 12." */
static enum wh_rc describe(struct numbers *n, struct drawn *d, struct wh_err *err)
{
    const struct chart_series *s = &d->series[0];
    size_t at = n->table->n_buckets;
    struct wh_buf *out = &d->description;

    for (size_t i = 0; i < n->table->n_buckets; i++) {
        if (s->points[i].known &&
            (at == n->table->n_buckets || s->points[i].value > s->points[at].value)) {
            at = i;
        }
    }
    if (wh_buf_printf(out, err, "%.*s %zu %s%s", WH_SLICE_ARG(n->query.measure->definition),
                      n->table->n_buckets, n->over, n->table->n_buckets == 1 ? "" : "s") != WH_OK) {
        return err->rc;
    }
    if (at < n->table->n_buckets) {
        if (wh_buf_printf(out, err,
                          "; the most%s%.*s is in that of %.*s: ", s->name.len ? " of " : "",
                          WH_SLICE_ARG(s->name), WH_SLICE_ARG(d->labels[at])) != WH_OK ||
            put_value(n, &n->table->groups[0], s->points[at].value, out, err) != WH_OK) {
            return err->rc;
        }
    }
    return wh_buf_printf(out, err, ". The table has all numbers.");
}

/* Amounts of several currencies must not stand on each other: that would add them up. */
static enum chart_kind kind_of(const struct numbers *n)
{
    bool split = n->query.measure->split && n->table->n_groups > 1 &&
                 measure_grouped_by(&n->query) == n->query.measure->split;

    return is_band(n)                          ? CHART_BAND
           : n->drawn <= MEASURE_SUM && !split ? CHART_STACKED
                                               : CHART_LINES;
}

/* Where the instant is, counted in buckets. */
static double place_of(const struct measure_table *t, int64_t ms)
{
    for (size_t i = 0; i < t->n_buckets; i++) {
        const struct measure_bucket *b = &t->buckets[i];

        if (ms < b->to_ms) {
            return ms <= b->from_ms
                       ? (double)i
                       : (double)i + (double)(ms - b->from_ms) / (double)(b->to_ms - b->from_ms);
        }
    }
    return (double)t->n_buckets;
}

/* C7: what may be missing is drawn behind the values. */
static void make_gaps(const struct numbers *n, struct drawn *d)
{
    for (const struct numbers_gap *g = n->gaps ? n->gaps->first : NULL;
         g && d->chart.n_gaps < GAPS_MAX; g = g->next) {
        if (numbers_gap_concerns(g, n)) {
            d->gaps[d->chart.n_gaps++] = (struct chart_gap){.from = place_of(n->table, g->from_ms),
                                                            .to = place_of(n->table, g->to_ms),
                                                            .over = g->over,
                                                            .name = g->what};
        }
    }
    d->chart.gaps = d->gaps;
}

static enum wh_rc make(struct numbers *n, const char *id, bool large, bool standalone,
                       struct drawn *d, struct wh_err *err)
{
    const struct measure_group *first = &n->table->groups[0];

    d->chart = (struct chart){.kind = kind_of(n),
                              .unit = unit_of(n->query.measure),
                              .id = id,
                              .title = n->query.measure->title,
                              .n_points = n->table->n_buckets,
                              .last_runs = n->until_now,
                              .series = d->series,
                              .large = large,
                              .standalone = standalone};
    if (make_labels(n, d, err) != WH_OK || make_series(n, d, !standalone, err) != WH_OK ||
        describe(n, d, err) != WH_OK) {
        return err->rc;
    }
    make_gaps(n, d);
    d->chart.labels = d->labels;
    d->chart.currency = currency_of(n, first);
    d->chart.description = wh_buf_slice(&d->description);
    return WH_OK;
}

enum wh_rc numbers_svg(struct numbers *n, const char *id, bool large, bool standalone,
                       struct wh_buf *out, struct wh_err *err)
{
    struct drawn d = {.labels = NULL};
    enum wh_rc rc;

    wh_buf_init(&d.description, SENTENCE_MAX_BYTES);
    rc = make(n, id, large, standalone, &d, err);
    rc = rc == WH_OK ? chart_svg(&d.chart, out, err) : rc;
    wh_buf_done(&d.description);
    return rc;
}

/* ---- numbers as text ---- */

static enum wh_rc write_value(struct numbers *n, const struct measure_group *g, size_t bucket,
                              size_t aggregate, struct wh_json_writer *w, struct wh_err *err)
{
    const struct measure_cell *c = &g->cells[bucket];
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, TEXT_MAX_BYTES);
    if (!c->known[aggregate]) {
        wh_jw_put_bool(w, "unknown", true);
        return WH_OK;
    }
    if (put_value(n, g, c->values[aggregate], &text, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_put_str(w, "text", wh_buf_slice(&text));
    return WH_OK;
}

static enum wh_rc write_href(struct numbers *n, const struct measure_bucket *b,
                             const struct measure_dimension *by, const struct measure_group *g,
                             struct wh_json_writer *w, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf url;

    wh_buf_init(&url, NUMBERS_URL_MAX_BYTES);
    if (g->rest) {
        return WH_OK;
    }
    if (numbers_rows_url(n, b, by, g, &url, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_put_str(w, "href", wh_buf_slice(&url));
    return WH_OK;
}

/* The numbers of the whole period, one for each aggregate, or for each currency. */
static enum wh_rc write_shown(struct numbers *n, struct wh_json_writer *w, struct wh_err *err)
{
    struct measure_query whole = n->query;
    const struct measure *m = n->query.measure;

    whole.by = NULL;
    wh_jw_key(w, "shown");
    wh_jw_array(w);
    for (size_t g = 0; n->total && g < n->total->n_groups; g++) {
        for (size_t i = 0; i < m->n_aggregates && m->aggregates[i] != MEASURE_MEAN; i++) {
            wh_jw_object(w);
            wh_jw_put_str(w, "word", wh_slice_str(aggregate_word(m->aggregates[i])));
            wh_jw_put_bool(w, "first", i == 0 && g == 0);
            if (write_value(n, &n->total->groups[g], 0, i, w, err) != WH_OK ||
                write_href(n, &n->total->buckets[0], measure_grouped_by(&whole),
                           &n->total->groups[g], w, err) != WH_OK) {
                return err->rc;
            }
            wh_jw_end(w);
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

/* ---- the table ---- */

/* Of what is grouped and over time, each group has a column, with the number that is drawn. */
static bool is_matrix(const struct numbers *n)
{
    return n->query.over && measure_grouped_by(&n->query);
}

/* Is the number another one than that of the rows? */
static bool is_own(enum measure_aggregate a)
{
    return a != MEASURE_BY_COUNT && a != MEASURE_OPEN;
}

static void write_head(struct numbers *n, struct wh_json_writer *w)
{
    const struct measure *m = n->query.measure;
    const struct measure_dimension *by = measure_grouped_by(&n->query);

    wh_jw_key(w, "head");
    wh_jw_array(w);
    if (n->query.over || by == NULL) {
        wh_jw_str(w, wh_slice_str(n->query.over ? n->over : "period"));
    }
    for (size_t g = 0; is_matrix(n) && g < n->table->n_groups; g++) {
        wh_jw_str(w, name_of(&n->table->groups[g]));
    }
    if (!is_matrix(n)) {
        if (by) {
            wh_jw_str(w, by->title);
        }
        wh_jw_str(w, WH_LIT("rows"));
    }
    for (size_t i = 0; !is_matrix(n) && i < m->n_aggregates; i++) {
        const char *word = aggregate_word(m->aggregates[i]);

        if (is_own(m->aggregates[i])) {
            wh_jw_str(w, wh_slice_str(*word ? word : measure_aggregate_name(m->aggregates[i])));
        }
    }
    wh_jw_end(w);
}

static void write_count(const struct measure_cell *c, struct wh_json_writer *w)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%lld", (long long)c->rows);
    wh_jw_put_str(w, "text", wh_slice_str(text));
}

/* A cell of the table: the rows of it, or one of its numbers. */
static enum wh_rc write_cell(struct numbers *n, size_t bucket, const struct measure_group *g,
                             const size_t *aggregate, struct wh_json_writer *w, struct wh_err *err)
{
    wh_jw_object(w);
    if (aggregate == NULL) {
        write_count(&g->cells[bucket], w);
    } else if (write_value(n, g, bucket, *aggregate, w, err) != WH_OK) {
        return err->rc;
    }
    if (write_href(n, &n->table->buckets[bucket], measure_grouped_by(&n->query), g, w, err) !=
        WH_OK) {
        return err->rc;
    }
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc write_groups(struct numbers *n, size_t bucket, struct wh_json_writer *w,
                               struct wh_err *err)
{
    size_t drawn = numbers_drawn(n);

    for (size_t g = 0; g < n->table->n_groups; g++) {
        if (write_cell(n, bucket, &n->table->groups[g], &drawn, w, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc write_numbers(struct numbers *n, size_t bucket, const struct measure_group *g,
                                struct wh_json_writer *w, struct wh_err *err)
{
    const struct measure *m = n->query.measure;

    if (write_cell(n, bucket, g, NULL, w, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < m->n_aggregates; i++) {
        if (is_own(m->aggregates[i]) && write_cell(n, bucket, g, &i, w, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* g NULL: all groups. */
static enum wh_rc write_line(struct numbers *n, size_t bucket, const struct measure_group *g,
                             struct wh_json_writer *w, struct wh_err *err)
{
    char text[LABEL_BYTES] = "";

    wh_jw_object(w);
    if (n->query.over) {
        label_of(n, n->table->buckets[bucket].from_ms, true, text);
    }
    wh_jw_put_str(w, "name",
                  *text                                ? wh_slice_str(text)
                  : g && measure_grouped_by(&n->query) ? name_of(g)
                                                       : WH_LIT("the whole period"));
    wh_jw_key(w, "cells");
    wh_jw_array(w);
    if ((g ? write_numbers(n, bucket, g, w, err) : write_groups(n, bucket, w, err)) != WH_OK) {
        return err->rc;
    }
    wh_jw_end(w);
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc write_lines(struct numbers *n, struct wh_json_writer *w, struct wh_err *err)
{
    wh_jw_key(w, "lines");
    wh_jw_array(w);
    for (size_t b = 0; b < n->table->n_buckets; b++) {
        for (size_t g = 0; g < (is_matrix(n) ? 1 : n->table->n_groups); g++) {
            if (write_line(n, b, is_matrix(n) ? NULL : &n->table->groups[g], w, err) != WH_OK) {
                return err->rc;
            }
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

/* ---- the whole ---- */

static bool has_rows(const struct numbers *n)
{
    for (size_t g = 0; n->table && g < n->table->n_groups; g++) {
        for (size_t b = 0; b < n->table->n_buckets; b++) {
            if (n->table->groups[g].cells[b].rows > 0) {
                return true;
            }
        }
    }
    return false;
}

static enum wh_rc write_svg(struct numbers *n, const char *id, bool large, struct wh_json_writer *w,
                            struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf svg;

    wh_buf_init(&svg, CHART_SVG_MAX_BYTES);
    if (numbers_svg(n, id, large, false, &svg, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_put_str(w, "svg", wh_buf_slice(&svg));
    return WH_OK;
}

static bool has_open_gap(const struct numbers *n)
{
    for (const struct numbers_gap *g = n->gaps ? n->gaps->first : NULL; g; g = g->next) {
        if (!g->over && numbers_gap_concerns(g, n)) {
            return true;
        }
    }
    return false;
}

/* X8: what there is not is said in words that differ. */
static void write_nothing(const struct numbers *n, struct wh_json_writer *w)
{
    if (n->timed_out) {
        wh_jw_put_str(w, "empty",
                      WH_LIT("This took longer than its time limit; nothing is shown instead of a "
                             "part. Take a shorter period."));
    } else if (!has_rows(n)) {
        wh_jw_put_str(
            w, "empty",
            has_open_gap(n)
                ? WH_LIT("No row yet; what is read late, or was never read, is named below.")
            : n->query.n_filters ? WH_LIT("No row fits these filters in this period.")
                                 : WH_LIT("No row in this period."));
    }
}

enum wh_rc numbers_draw(struct numbers *n, const char *id, bool large, struct wh_json_writer *w,
                        struct wh_err *err)
{
    write_nothing(n, w);
    if (n->timed_out) {
        return WH_OK;
    }
    if (write_shown(n, w, err) != WH_OK ||
        (n->query.over && has_rows(n) && write_svg(n, id, large, w, err) != WH_OK)) {
        return err->rc;
    }
    write_head(n, w);
    return write_lines(n, w, err);
}
