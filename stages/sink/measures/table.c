#include "stages/sink/measures/table.h"

#include <stdlib.h>

enum { DAY_MS = 86400000 };

int64_t measure_days(struct wh_zone zone, int64_t from_ms, int64_t to_ms)
{
    return wh_zone_day(zone, to_ms - 1) - wh_zone_day(zone, from_ms) + 1;
}

/* Longer than the unit ever is, and shorter than two of them. */
static int64_t one_and_a_half(enum wh_zone_unit unit)
{
    switch (unit) {
    case WH_ZONE_SECOND:
        return 1500;
    case WH_ZONE_MINUTE:
        return 90000;
    case WH_ZONE_HOUR:
        return INT64_C(90) * 60000;
    case WH_ZONE_WEEK:
        return INT64_C(10) * DAY_MS;
    case WH_ZONE_MONTH:
        return INT64_C(45) * DAY_MS;
    case WH_ZONE_QUARTER:
        return INT64_C(135) * DAY_MS;
    case WH_ZONE_YEAR:
        return INT64_C(540) * DAY_MS;
    case WH_ZONE_DAY:
    default:
        return INT64_C(36) * 3600000;
    }
}

static enum wh_rc make_buckets(struct measure_table *t, const struct measure_query *q,
                               enum wh_zone_unit unit, struct wh_err *err)
{
    int64_t begins = wh_zone_trunc(t->zone, unit, q->from_ms);

    for (int64_t ends; begins < q->to_ms; begins = ends) {
        ends = wh_zone_trunc(t->zone, unit, begins + one_and_a_half(unit));
        if (t->n_buckets == MEASURE_BUCKETS_MAX) {
            return wh_fail(err, WH_E_RANGE, "the period has more than %d parts; take longer ones",
                           MEASURE_BUCKETS_MAX);
        }
        t->buckets[t->n_buckets++] = (struct measure_bucket){
            begins > q->from_ms ? begins : q->from_ms, ends < q->to_ms ? ends : q->to_ms};
    }
    return WH_OK;
}

/* NULL with *err when there is no memory. */
static void *zeroed(struct wh_arena *arena, size_t n, size_t size, struct wh_err *err)
{
    void *memory = NULL;

    return wh_arena_zalloc(arena, n, size, &memory, err) == WH_OK ? memory : NULL;
}

enum wh_rc measure_table_new(const struct measure_query *query, struct wh_zone zone,
                             struct wh_arena *arena, struct measure_table **ret, struct wh_err *err)
{
    enum wh_zone_unit unit;
    struct measure_table *t;

    if (query->over && !wh_zone_unit_parse(wh_slice_str(query->over), &unit)) {
        return wh_fail(err, WH_E_INVALID, "over is hour, day, week, month, quarter or year");
    }
    t = zeroed(arena, 1, sizeof(*t), err);
    if (t == NULL) {
        return err->rc;
    }
    *t = (struct measure_table){
        .measure = query->measure,
        .arena = arena,
        .zone = zone,
        .buckets = zeroed(arena, query->over ? MEASURE_BUCKETS_MAX : 1, sizeof(*t->buckets), err),
        .groups = zeroed(arena, MEASURE_GROUPS_MAX + 1, sizeof(*t->groups), err),
    };
    if (t->buckets == NULL || t->groups == NULL) {
        return err->rc;
    }
    *ret = t;
    if (query->over) {
        return make_buckets(t, query, unit, err);
    }
    t->buckets[t->n_buckets++] = (struct measure_bucket){query->from_ms, query->to_ms};
    return WH_OK;
}

/* ---- rows ---- */

static bool same_key(struct wh_slice a, struct wh_slice b)
{
    return a.ptr == NULL || b.ptr == NULL ? a.ptr == b.ptr : wh_slice_eq(a, b);
}

static enum wh_rc make_group(struct measure_table *t, struct wh_slice key,
                             struct measure_group **ret, struct wh_err *err)
{
    struct measure_group *g = &t->groups[t->n_groups];

    *g = (struct measure_group){.key = {NULL, 0}};
    if (key.ptr && wh_arena_dup(t->arena, key, &g->key, err) != WH_OK) {
        return err->rc;
    }
    g->cells = zeroed(t->arena, t->n_buckets, sizeof(*g->cells), err);
    if (g->cells == NULL) {
        return err->rc;
    }
    t->n_groups++;
    *ret = g;
    return WH_OK;
}

/* *ret is NULL when there are too many. */
static enum wh_rc group_of(struct measure_table *t, struct wh_slice key, struct measure_group **ret,
                           struct wh_err *err)
{
    *ret = NULL;
    for (size_t i = 0; i < t->n_groups; i++) {
        if (same_key(t->groups[i].key, key)) {
            *ret = &t->groups[i];
            return WH_OK;
        }
    }
    if (t->n_groups == MEASURE_GROUPS_MAX) {
        t->cut = true;
        return WH_OK;
    }
    return make_group(t, key, ret, err);
}

/* The last bucket that begins at or before the time; the first one when there is none, as it may be cut. */
static size_t bucket_of(const struct measure_table *t, int64_t ms)
{
    size_t low = 0;
    size_t high = t->n_buckets;

    while (high - low > 1) {
        size_t mid = (low + high) / 2;

        if (t->buckets[mid].from_ms <= ms) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return low;
}

enum wh_rc measure_table_add(struct measure_table *table, const struct measure_row *row,
                             struct wh_err *err)
{
    struct measure_group *g = NULL;
    struct measure_cell *cell;
    enum wh_rc rc = group_of(table, row->key, &g, err);

    if (rc != WH_OK || g == NULL) {
        return rc;
    }
    cell = &g->cells[row->has_bucket ? bucket_of(table, row->bucket_ms) : 0];
    if (!measure_is_stock(table->measure)) {
        *cell = row->cell;
        return WH_OK;
    }
    /* What was open before comes into the first bucket, and so do its own changes. */
    cell->rows += row->cell.rows;
    return WH_OK;
}

/* ---- the end ---- */

static bool is_additive(enum measure_aggregate a)
{
    return a <= MEASURE_SUM;
}

static void end_cell(const struct measure_table *t, const struct measure_bucket *b,
                     struct measure_cell *cell)
{
    for (size_t i = 0; i < t->measure->n_aggregates; i++) {
        enum measure_aggregate a = t->measure->aggregates[i];

        if (a == MEASURE_BY_COUNT || a == MEASURE_OPEN || a == MEASURE_PER_DAY) {
            cell->known[i] = true;
            cell->values[i] = (double)cell->rows;
        }
        if (a == MEASURE_SUM && cell->rows == 0) {
            cell->known[i] = true;
        }
        if (a == MEASURE_PER_DAY) {
            cell->values[i] /= (double)measure_days(t->zone, b->from_ms, b->to_ms);
        }
    }
}

static void end_group(const struct measure_table *t, struct measure_group *g)
{
    bool stock = measure_is_stock(t->measure);

    for (size_t i = 0; i < t->n_buckets; i++) {
        if (stock && i > 0) {
            g->cells[i].rows += g->cells[i - 1].rows;
        }
        end_cell(t, &t->buckets[i], &g->cells[i]);
        g->rows = stock ? g->cells[i].rows : g->rows + g->cells[i].rows;
    }
}

static int most_rows_first(const void *a, const void *b)
{
    const struct measure_group *x = a;
    const struct measure_group *y = b;

    if (x->rows != y->rows) {
        return x->rows > y->rows ? -1 : 1;
    }
    return wh_slice_cmp(x->key, y->key);
}

enum wh_rc measure_table_end(struct measure_table *table, struct wh_err *err)
{
    struct measure_group *none = NULL;

    if (table->n_groups == 0 &&
        make_group(table, (struct wh_slice){NULL, 0}, &none, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < table->n_groups; i++) {
        end_group(table, &table->groups[i]);
    }
    qsort(table->groups, table->n_groups, sizeof(*table->groups), most_rows_first);
    return WH_OK;
}

static void add_cells(const struct measure *m, const struct measure_cell *from,
                      struct measure_cell *to)
{
    to->rows += from->rows;
    for (size_t i = 0; i < m->n_aggregates; i++) {
        to->known[i] |= from->known[i];
        to->values[i] += from->known[i] ? from->values[i] : 0;
    }
}

/* All numbers add up, but for those of a stock, which are those of its last part. */
static void whole_cell(const struct measure_table *t, const struct measure_group *g,
                       struct measure_cell *ret)
{
    bool stock = measure_is_stock(t->measure);

    for (size_t i = stock ? t->n_buckets - 1 : 0; i < t->n_buckets; i++) {
        add_cells(t->measure, &g->cells[i], ret);
    }
}

enum wh_rc measure_table_whole(const struct measure_table *table, struct measure_table **ret,
                               struct wh_err *err)
{
    struct measure_table *whole;

    *ret = NULL;
    for (size_t i = 0; i < table->measure->n_aggregates; i++) {
        if (!is_additive(table->measure->aggregates[i])) {
            return WH_OK;
        }
    }
    whole = zeroed(table->arena, 1, sizeof(*whole), err);
    if (whole == NULL) {
        return err->rc;
    }
    *whole = *table;
    whole->n_buckets = 1;
    whole->buckets = zeroed(table->arena, 1, sizeof(*whole->buckets), err);
    whole->groups = zeroed(table->arena, table->n_groups + 1, sizeof(*whole->groups), err);
    if (whole->buckets == NULL || whole->groups == NULL) {
        return err->rc;
    }
    whole->buckets[0] = (struct measure_bucket){table->buckets[0].from_ms,
                                                table->buckets[table->n_buckets - 1].to_ms};
    for (size_t g = 0; g < table->n_groups; g++) {
        whole->groups[g] = table->groups[g];
        whole->groups[g].cells = zeroed(table->arena, 1, sizeof(struct measure_cell), err);
        if (whole->groups[g].cells == NULL) {
            return err->rc;
        }
        whole_cell(table, &table->groups[g], &whole->groups[g].cells[0]);
        end_cell(whole, &whole->buckets[0], &whole->groups[g].cells[0]);
    }
    *ret = whole;
    return WH_OK;
}

enum wh_rc measure_table_shorten(struct measure_table *table, size_t groups, struct wh_err *err)
{
    struct measure_group rest = {.rest = true};

    if (table->n_groups <= groups) {
        return WH_OK;
    }
    if (!is_additive(table->measure->aggregates[0])) {
        table->cut = true;
        table->n_groups = groups;
        return WH_OK;
    }
    rest.cells = zeroed(table->arena, table->n_buckets, sizeof(*rest.cells), err);
    if (rest.cells == NULL) {
        return err->rc;
    }
    for (size_t g = groups; g < table->n_groups; g++) {
        rest.rows += table->groups[g].rows;
        for (size_t i = 0; i < table->n_buckets; i++) {
            add_cells(table->measure, &table->groups[g].cells[i], &rest.cells[i]);
        }
    }
    table->groups[groups] = rest;
    table->n_groups = groups + 1;
    return WH_OK;
}
