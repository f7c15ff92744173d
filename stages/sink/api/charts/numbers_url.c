/* Addresses of the rows behind numbers. They have instants and no relative times, so that they stay. */
#include <stdio.h>

#include "common/base/enc.h"
#include "stages/sink/api/charts/charts_priv.h"

enum wh_rc numbers_url_add(struct wh_buf *out, const char *name, struct wh_slice value,
                           struct wh_err *err)
{
    bool first = memchr(out->ptr, '?', out->len) == NULL;

    return wh_buf_printf(out, err, "%c%s=", first ? '?' : '&', name) == WH_OK
               ? wh_percent_encode(value, out, err)
               : err->rc;
}

static enum wh_rc add_filter(struct wh_buf *out, const struct measure_filter *f, struct wh_err *err)
{
    char name[80];

    (void)snprintf(name, sizeof(name), "%.*s%s", WH_SLICE_ARG(f->by->id),
                   f->value.ptr ? "" : "__isnull");
    return numbers_url_add(out, name, f->value.ptr ? f->value : WH_LIT("1"), err);
}

static enum wh_rc add_time(struct wh_buf *out, const char *name, int64_t ms, struct wh_err *err)
{
    char text[WH_TIME_TEXT_MAX];

    return numbers_url_add(out, name, wh_slice_str(wh_time_format(ms, text)), err);
}

/* What a measure of one's own is made of. */
static enum wh_rc add_built(const struct numbers *n, struct wh_buf *out, struct wh_err *err)
{
    static const char *const names[] = {"table", "measure", "column", "time"};

    if (!wh_slice_eq(n->query.measure->id, WH_LIT("new"))) {
        return WH_OK;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct wh_slice value = api_arg(&n->job->request, names[i]);

        if (value.len && numbers_url_add(out, names[i], value, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc numbers_rows_url(const struct numbers *n, const struct measure_bucket *b,
                            const struct measure_dimension *by, const struct measure_group *g,
                            struct wh_buf *out, struct wh_err *err)
{
    const struct measure_query *q = &n->query;
    enum wh_rc rc = wh_buf_printf(out, err, "/rows/%.*s", WH_SLICE_ARG(q->measure->id));

    rc = rc == WH_OK ? add_built(n, out, err) : rc;
    rc = rc == WH_OK ? add_time(out, "since", b->from_ms, err) : rc;
    rc = rc == WH_OK ? add_time(out, "until", b->to_ms, err) : rc;
    for (size_t i = 0; rc == WH_OK && i < q->n_filters; i++) {
        rc = add_filter(out, &q->filters[i], err);
    }
    if (rc == WH_OK && g && by) {
        const struct measure_filter f = {by, g->key};

        rc = add_filter(out, &f, err);
    }
    return rc;
}
