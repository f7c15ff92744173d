/*
 * Periods in which something may be missing, by what is stored: the reports about streams, and the runs. A stream that was never
 * read to its end is a gap up to now, and so is the time since the last success of one that fails or is late. Runs that failed until one
 * succeeded, and times without a run, are gaps that are over: later reads have made up for them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "stages/sink/api/charts/charts_priv.h"

enum { GAPS_TIMEOUT_MS = 1000, RUNS_MAX = 3000, SILENCE_MIN_MS = 3600000, WHAT_MAX = 200 };

static const char streams_sql[] = "select s.connection, s.stream, s.state, s.last_success, "
                                  "s.failing_since, s.reason, c.created_at "
                                  "from streams s join connections c on c.id = s.connection "
                                  "where s.state not in ('on_time') order by 1, 2";

static const char runs_sql[] =
    "select connection, state, started_at, finished_at, error from runs order by run desc limit "
    "3000";

struct run {
    struct wh_slice connection;
    bool good;
    bool ended;
    int64_t from_ms;
    int64_t to_ms;
    struct wh_slice error;
};

struct reading {
    struct numbers_gaps *gaps;
    int64_t now_ms;
    struct run *runs; /* newest first */
    size_t n_runs;
};

static bool time_of(const struct sql_value *v, int64_t *ret)
{
    struct wh_instant at;
    struct wh_err ignored;

    if (v->type != SQL_TEXT || wh_time_parse(v->bytes, &at, &ignored) != WH_OK) {
        return false;
    }
    *ret = at.ms;
    return true;
}

static struct wh_slice text_of(const struct sql_value *v)
{
    return v->type == SQL_TEXT ? v->bytes : wh_slice("", 0);
}

static enum wh_rc add(struct numbers_gaps *g, struct wh_slice stream, int64_t from_ms,
                      int64_t to_ms, bool over, const char *what, struct wh_err *err)
{
    struct numbers_gap *gap;
    void *memory = NULL;

    if (wh_arena_zalloc(&g->arena, 1, sizeof(*gap), &memory, err) != WH_OK) {
        return err->rc;
    }
    gap = memory;
    *gap = (struct numbers_gap){.from_ms = from_ms, .to_ms = to_ms, .over = over, .next = g->first};
    if (wh_arena_dup(&g->arena, stream, &gap->stream, err) != WH_OK ||
        wh_arena_dup(&g->arena, wh_slice_str(what), &gap->what, err) != WH_OK) {
        return err->rc;
    }
    g->first = gap;
    return WH_OK;
}

/* ---- streams ---- */

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    (void)ctx;
    (void)names;
    (void)n;
    (void)err;
    return WH_OK;
}

static enum wh_rc on_stream(void *ctx, const struct sql_value *v, size_t n, bool *ret_full,
                            struct wh_err *err)
{
    struct reading *r = ctx;
    struct wh_slice state = text_of(&v[2]);
    struct wh_slice reason = text_of(&v[5]);
    bool unread = wh_slice_eq(state, WH_LIT("not_read"));
    char what[WHAT_MAX];
    int64_t from_ms = INT64_MIN;
    bool read = time_of(&v[3], &from_ms);

    (void)n;
    (void)ret_full;
    if (read && wh_slice_eq(state, WH_LIT("syncing"))) {
        return WH_OK; /* read before, and being read again */
    }
    if (unread) {
        /* Webhooks bring what happens since the connection was made. */
        int64_t to_ms = 0;

        (void)snprintf(what, sizeof(what), "%.*s are not read from %.*s",
                       WH_SLICE_ARG(text_of(&v[1])), WH_SLICE_ARG(text_of(&v[0])));
        return time_of(&v[6], &to_ms)
                   ? add(r->gaps, text_of(&v[1]), INT64_MIN, to_ms, false, what, err)
                   : WH_OK;
    }
    (void)snprintf(what, sizeof(what), "%.*s of %.*s: %s%s%.*s", WH_SLICE_ARG(text_of(&v[1])),
                   WH_SLICE_ARG(text_of(&v[0])),
                   read ? "no read has succeeded since" : "not read to the end yet",
                   reason.len ? ", " : "", (int)(reason.len < 100 ? reason.len : 100), reason.ptr);
    return add(r->gaps, text_of(&v[1]), from_ms, r->now_ms, false, what, err);
}

/* ---- runs ---- */

static enum wh_rc on_run(void *ctx, const struct sql_value *v, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    struct reading *r = ctx;
    struct run *run = &r->runs[r->n_runs];

    (void)n;
    (void)ret_full;
    if (r->n_runs == RUNS_MAX || !time_of(&v[2], &run->from_ms)) {
        return WH_OK;
    }
    run->ended = time_of(&v[3], &run->to_ms);
    run->good = wh_slice_eq(text_of(&v[1]), WH_LIT("success"));
    r->n_runs++;
    return wh_arena_dup(&r->gaps->arena, text_of(&v[0]), &run->connection, err) == WH_OK
               ? wh_arena_dup(&r->gaps->arena, text_of(&v[4]), &run->error, err)
               : err->rc;
}

static int by_connection_and_time(const void *a, const void *b)
{
    const struct run *x = a;
    const struct run *y = b;
    int order = wh_slice_cmp(x->connection, y->connection);

    return order ? order : x->from_ms < y->from_ms ? -1 : x->from_ms > y->from_ms;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* The usual time between two runs of a connection. */
static int64_t usual_pause(const struct run *runs, size_t n, int64_t *scratch)
{
    for (size_t i = 1; i < n; i++) {
        scratch[i - 1] = runs[i].from_ms - runs[i - 1].from_ms;
    }
    if (n < 2) {
        return 0;
    }
    qsort(scratch, n - 1, sizeof(*scratch), by_size);
    return scratch[(n - 1) / 2];
}

static enum wh_rc add_failure(struct reading *r, const struct run *first, const struct run *good,
                              struct wh_err *err)
{
    char what[WHAT_MAX];

    (void)snprintf(what, sizeof(what), "reads of %.*s failed: %.*s",
                   WH_SLICE_ARG(first->connection),
                   first->error.len ? (int)(first->error.len < 120 ? first->error.len : 120) : 14,
                   first->error.len ? first->error.ptr : "no reason known");
    return add(r->gaps, wh_slice("", 0), first->from_ms, good->to_ms, true, what, err);
}

static enum wh_rc add_silence(struct reading *r, const struct run *before, const struct run *after,
                              struct wh_err *err)
{
    char what[WHAT_MAX];

    (void)snprintf(what, sizeof(what), "nothing was read from %.*s",
                   WH_SLICE_ARG(before->connection));
    return add(r->gaps, wh_slice("", 0), before->to_ms, after->from_ms, true, what, err);
}

/* The runs of one connection, in their order. */
static enum wh_rc judge_runs(struct reading *r, const struct run *runs, size_t n, int64_t *scratch,
                             struct wh_err *err)
{
    int64_t silence = 3 * usual_pause(runs, n, scratch);
    const struct run *failed = NULL;

    silence = silence < SILENCE_MIN_MS ? SILENCE_MIN_MS : silence;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && runs[i - 1].ended && runs[i].from_ms - runs[i - 1].to_ms > silence &&
            add_silence(r, &runs[i - 1], &runs[i], err) != WH_OK) {
            return err->rc;
        }
        if (failed && runs[i].good && runs[i].ended &&
            add_failure(r, failed, &runs[i], err) != WH_OK) {
            return err->rc;
        }
        failed = runs[i].good ? NULL : failed ? failed : runs[i].ended ? &runs[i] : NULL;
    }
    return WH_OK;
}

static enum wh_rc judge_all(struct reading *r, struct wh_err *err)
{
    void *memory = NULL;

    if (r->n_runs == 0) {
        return WH_OK;
    }
    if (wh_arena_zalloc(&r->gaps->arena, r->n_runs, sizeof(int64_t), &memory, err) != WH_OK) {
        return err->rc;
    }
    qsort(r->runs, r->n_runs, sizeof(*r->runs), by_connection_and_time);
    for (size_t from = 0, to; from < r->n_runs; from = to) {
        for (to = from + 1;
             to < r->n_runs && wh_slice_eq(r->runs[to].connection, r->runs[from].connection);) {
            to++;
        }
        if (judge_runs(r, r->runs + from, to - from, memory, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- the whole ---- */

static enum wh_rc run_sql(struct api_job *job, const char *sql,
                          enum wh_rc (*on_row)(void *ctx, const struct sql_value *values, size_t n,
                                               bool *ret_full, struct wh_err *err),
                          struct reading *r, struct wh_err *err)
{
    const struct sql_rows rows = {.columns = on_columns, .row = on_row, .ctx = r};
    const struct sql_query query = {.text = wh_slice_str(sql),
                                    .timeout_ms = GAPS_TIMEOUT_MS,
                                    .max_rows = RUNS_MAX,
                                    .canceled = &job->canceled};
    struct sql_outcome outcome;

    return sql_run(job->api->engine, &query, &rows, &outcome, err);
}

enum wh_rc numbers_gaps_read(struct api_job *job, struct numbers_gaps *ret, struct wh_err *err)
{
    struct reading r = {.gaps = ret, .now_ms = wh_clock_now_ms(&job->api->deps.clock)};
    void *memory = NULL;
    enum wh_rc rc;

    *ret = (struct numbers_gaps){.first = NULL};
    wh_arena_init(&ret->arena, 64 << 10, 8 << 20);
    if (wh_arena_zalloc(&ret->arena, RUNS_MAX + 1, sizeof(*r.runs), &memory, err) != WH_OK) {
        return err->rc;
    }
    r.runs = memory;
    rc = run_sql(job, streams_sql, on_stream, &r, err);
    rc = rc == WH_OK ? run_sql(job, runs_sql, on_run, &r, err) : rc;
    if (rc == WH_E_TIMEOUT) {
        ret->unknown = true;
        return WH_OK;
    }
    return rc == WH_OK ? judge_all(&r, err) : rc;
}

void numbers_gaps_done(struct numbers_gaps *gaps)
{
    wh_arena_done(&gaps->arena);
}

bool numbers_gap_concerns(const struct numbers_gap *gap, const struct numbers *n)
{
    const struct measure *m = n->query.measure;

    if (gap->to_ms <= n->query.from_ms || gap->from_ms >= n->query.to_ms) {
        return false;
    }
    for (size_t i = 0; i < m->n_streams; i++) {
        if (wh_slice_eq(gap->stream, m->streams[i])) {
            return true;
        }
    }
    return gap->stream.len == 0;
}
