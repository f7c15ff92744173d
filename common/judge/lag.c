#include "common/judge/lag.h"

#include "common/base/mem.h"

enum { FIRST_AGE_MS = 1000, DOUBLINGS = 22 /* 48 days */, HALVINGS = 3 };

/* The partitions with records that wait, and between which ages the oldest of these is. */
struct search {
    struct wh_admin *admin;
    int timeout_ms;
    int64_t now_ms;
    struct wh_bus_partition *parts;
    struct bound {
        struct wh_lag *lag;
        int64_t younger_ms; /* the record is older than that */
        int64_t older_ms;   /* and younger than that; 0: not known yet */
    } * bounds;
    size_t n;
};

/* Asks whether the record of each partition is older than age_ms, with the same age for all. */
static enum wh_rc ask_age(struct search *s, int64_t age_ms, struct wh_err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        const struct bound *b = &s->bounds[i];

        if (age_ms > b->younger_ms && (b->older_ms == 0 || age_ms < b->older_ms)) {
            s->parts[n++] =
                (struct wh_bus_partition){.topic = b->lag->topic, .partition = b->lag->partition};
        }
    }
    if (n == 0) {
        return WH_OK;
    }
    if (wh_admin_offsets(s->admin, s->parts, n, s->now_ms - age_ms, s->timeout_ms, err) != WH_OK) {
        return err->rc;
    }
    n = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct bound *b = &s->bounds[i];

        if (age_ms > b->younger_ms && (b->older_ms == 0 || age_ms < b->older_ms)) {
            int64_t first = s->parts[n++].offset; /* the first that is younger than the age */

            if (first >= 0 && first <= b->lag->position) {
                b->older_ms = age_ms;
            } else {
                b->younger_ms = age_ms;
            }
        }
    }
    return WH_OK;
}

/* Do the bounds of all partitions have both sides? */
static bool bounded(const struct search *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->bounds[i].older_ms == 0) {
            return false;
        }
    }
    return true;
}

static enum wh_rc search_ages(struct search *s, struct wh_err *err)
{
    int64_t age_ms = FIRST_AGE_MS;

    for (int i = 0; i < DOUBLINGS && !bounded(s); i++, age_ms *= 2) {
        if (ask_age(s, age_ms, err) != WH_OK) {
            return err->rc;
        }
    }
    /* Partitions with the same bounds, which are most, share their questions. */
    for (int h = 0; h < HALVINGS; h++) {
        for (size_t i = 0; i < s->n; i++) {
            const struct bound *b = &s->bounds[i];
            int64_t width = b->older_ms - b->younger_ms;

            if (b->younger_ms >= FIRST_AGE_MS && width > b->younger_ms >> (h + 1) &&
                ask_age(s, b->younger_ms + width / 2, err) != WH_OK) {
                return err->rc;
            }
        }
    }
    for (size_t i = 0; i < s->n; i++) {
        s->bounds[i].lag->ms = s->bounds[i].younger_ms;
    }
    return WH_OK;
}

static enum wh_rc find_ages(struct search *s, struct wh_lag *lags, size_t n, struct wh_err *err)
{
    for (size_t i = 0; i < n; i++) {
        lags[i].ms = lags[i].records < 0 ? -1 : 0;
        if (lags[i].records > 0) {
            s->bounds[s->n++] = (struct bound){.lag = &lags[i]};
        }
    }
    return search_ages(s, err);
}

static void fill_parts(struct wh_bus_partition *parts, const struct wh_lag *lags, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        parts[i] =
            (struct wh_bus_partition){.topic = lags[i].topic, .partition = lags[i].partition};
    }
}

static enum wh_rc find_records(struct search *s, const char *group, struct wh_lag *lags, size_t n,
                               struct wh_err *err)
{
    fill_parts(s->parts, lags, n);
    if (wh_admin_offsets(s->admin, s->parts, n, WH_OFFSET_BEGINNING, s->timeout_ms, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        lags[i].position = s->parts[i].offset >= 0 ? s->parts[i].offset : -1;
    }
    if (wh_admin_group_get(s->admin, group, s->parts, n, s->timeout_ms, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        if (lags[i].position >= 0 && s->parts[i].offset > lags[i].position) {
            lags[i].position = s->parts[i].offset;
        }
    }
    if (wh_admin_offsets(s->admin, s->parts, n, WH_OFFSET_END, s->timeout_ms, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t end = s->parts[i].offset;

        lags[i].records = end < 0 || lags[i].position < 0 ? -1
                          : end > lags[i].position        ? end - lags[i].position
                                                          : 0;
    }
    return WH_OK;
}

enum wh_rc wh_lag_ask(struct wh_admin *admin, const char *group, struct wh_lag *lags, size_t n,
                      int64_t now_ms, int timeout_ms, struct wh_err *err)
{
    WH_AUTO_FREE struct wh_bus_partition *parts = wh_mem_zalloc(n + 1, sizeof(*parts));
    WH_AUTO_FREE struct bound *bounds = wh_mem_zalloc(n + 1, sizeof(*bounds));
    struct search s = {.admin = admin,
                       .timeout_ms = timeout_ms,
                       .now_ms = now_ms,
                       .parts = parts,
                       .bounds = bounds};

    if (parts == NULL || bounds == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the lag of a group");
    }
    if (n == 0) {
        return WH_OK;
    }
    if (find_records(&s, group, lags, n, err) != WH_OK) {
        return err->rc;
    }
    return find_ages(&s, lags, n, err);
}
