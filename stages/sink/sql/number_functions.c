/*
 * median(x), percentile(x, p) and stddev(x). NULLs do not count; a value that is no number is an error.
 * median and percentile interpolate between the two nearest values, stddev is that of a sample.
 */
#include <math.h>

#include "stages/sink/sql/functions_priv.h"

/* ---- numbers of a group ---- */

struct numbers {
    double *items;
    size_t n;
    size_t cap;
    double percent;
    unsigned steps;
};

/* False for NULL, and for a value that is no number, which fails the function. */
static bool number_of(sqlite3_context *out, const char *function, sqlite3_value *value, double *ret)
{
    int type = sqlite3_value_numeric_type(value);
    char text[96];

    if (type == SQLITE_NULL) {
        return false;
    }
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) {
        (void)sqlite3_snprintf(sizeof(text), text, "%s needs numbers; cast(x as real) makes one",
                               function);
        sqlite3_result_error(out, text, -1);
        return false;
    }
    *ret = sqlite3_value_double(value);
    return !isnan(*ret);
}

static bool add_number(struct numbers *g, double value)
{
    if (g->n == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 64;
        double *more = wh_mem_resize(g->items, cap, sizeof(*more));

        if (more == NULL) {
            return false;
        }
        g->items = more;
        g->cap = cap;
    }
    g->items[g->n++] = value;
    return true;
}

static void collect(sqlite3_context *out, const char *function, sqlite3_value *value,
                    double percent)
{
    struct numbers *g = sqlite3_aggregate_context(out, sizeof(*g));
    double number;

    if (g == NULL || sql_function_begins(out, 0)) {
        return;
    }
    g->percent = percent;
    if (number_of(out, function, value, &number) && !add_number(g, number)) {
        sqlite3_result_error_nomem(out);
    }
}

static void median_step(sqlite3_context *out, int n, sqlite3_value **args)
{
    (void)n;
    collect(out, "median", args[0], 50);
}

static void percentile_step(sqlite3_context *out, int n, sqlite3_value **args)
{
    double percent = -1;

    (void)n;
    if (sqlite3_value_numeric_type(args[1]) == SQLITE_INTEGER ||
        sqlite3_value_numeric_type(args[1]) == SQLITE_FLOAT) {
        percent = sqlite3_value_double(args[1]);
    }
    if (!(percent >= 0 && percent <= 100) || (percent > 0 && percent < 1)) {
        sqlite3_result_error(
            out, "percentile's second argument is a number from 1 to 100, or 0: 95, not 0.95", -1);
        return;
    }
    collect(out, "percentile", args[0], percent);
}

/* ---- the k-th smallest of them, in linear time on the average ---- */

static bool must_end(sqlite3_context *out, struct numbers *g)
{
    return ++g->steps % SQL_STEPS == 0 && sql_function_over(out);
}

static void swap(double *a, double *b)
{
    double c = *a;

    *a = *b;
    *b = c;
}

/* Moves what is less than the pivot to the front of [low, high] and what is greater to its end; what
 * is in [*ret_low, *ret_high] equals it. */
static bool part(sqlite3_context *out, struct numbers *g, size_t low, size_t high, size_t *ret_low,
                 size_t *ret_high)
{
    double pivot = g->items[low + (high - low) / 2];
    size_t less = low;
    size_t more = high + 1;

    for (size_t i = low; i < more;) {
        if (must_end(out, g)) {
            return false;
        }
        if (g->items[i] < pivot) {
            swap(&g->items[i++], &g->items[less++]);
        } else if (g->items[i] > pivot) {
            swap(&g->items[i], &g->items[--more]);
        } else {
            i++;
        }
    }
    *ret_low = less;
    *ret_high = more - 1;
    return true;
}

/* Afterwards items[k] is the k-th, and nothing behind it is less. */
static bool select_number(sqlite3_context *out, struct numbers *g, size_t k)
{
    size_t low = 0;
    size_t high = g->n - 1;

    while (low < high) {
        size_t first;
        size_t last;

        if (!part(out, g, low, high, &first, &last)) {
            return false;
        }
        if (k < first) {
            high = first - 1;
        } else if (k > last) {
            low = last + 1;
        } else {
            return true;
        }
    }
    return true;
}

/* The value at percent % of the way from the least to the greatest. */
static bool at_percent(sqlite3_context *out, struct numbers *g, double *ret)
{
    double position = g->percent / 100 * (double)(g->n - 1);
    size_t k = (size_t)position;
    double next;

    if (!select_number(out, g, k)) {
        return false;
    }
    *ret = g->items[k];
    if (k + 1 == g->n) {
        return true;
    }
    next = g->items[k + 1];
    for (size_t i = k + 2; i < g->n; i++) {
        if (must_end(out, g)) {
            return false;
        }
        next = g->items[i] < next ? g->items[i] : next;
    }
    *ret += (position - (double)k) * (next - *ret);
    return true;
}

static void percentile_final(sqlite3_context *out)
{
    struct numbers *g = sqlite3_aggregate_context(out, 0);
    double value;

    if (g == NULL) {
        return;
    }
    if (g->n && at_percent(out, g, &value)) {
        sqlite3_result_double(out, value);
    }
    wh_mem_free(g->items);
    g->items = NULL;
    g->n = 0;
}

/* ---- stddev, by Welford's method ---- */

struct spread {
    sqlite3_int64 n;
    double mean;
    double squares;
};

static void stddev_step(sqlite3_context *out, int n, sqlite3_value **args)
{
    struct spread *g = sqlite3_aggregate_context(out, sizeof(*g));
    double number;
    double delta;

    (void)n;
    if (g == NULL || !number_of(out, "stddev", args[0], &number)) {
        return;
    }
    g->n++;
    delta = number - g->mean;
    g->mean += delta / (double)g->n;
    g->squares += delta * (number - g->mean);
}

static void stddev_final(sqlite3_context *out)
{
    const struct spread *g = sqlite3_aggregate_context(out, 0);

    if (g && g->n > 1) {
        sqlite3_result_double(out, sqrt(g->squares / (double)(g->n - 1)));
    }
}

static int add(struct sql_conn *conn, const char *name, int n_args,
               void (*step)(sqlite3_context *out, int n, sqlite3_value **args),
               void (*final)(sqlite3_context *out))
{
    return sqlite3_create_function_v2(conn->db, name, n_args,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, conn,
                                      NULL, step, final, NULL);
}

int sql_number_functions_install(struct sql_conn *conn)
{
    int rc = add(conn, "median", 1, median_step, percentile_final);

    rc = rc == SQLITE_OK ? add(conn, "percentile", 2, percentile_step, percentile_final) : rc;
    return rc == SQLITE_OK ? add(conn, "stddev", 1, stddev_step, stddev_final) : rc;
}
