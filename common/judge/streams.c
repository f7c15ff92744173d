#include "common/judge/streams.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/base/time.h"

enum { LEFT_INTERVALS = 3, FRESH_MS = 3 * WH_STREAMS_MS };

static const char *const states[] = {"on_time", "syncing", "late", "failing", "not_read"};

const char *wh_stream_state_name(enum wh_stream_state state)
{
    return states[state];
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t interval_of(const struct wh_streams *all)
{
    return later(all->interval_ms, WH_STREAMS_MS);
}

static bool is_read(const struct wh_stream *one)
{
    return one->read_by.len > 0 && !wh_slice_eq(one->read_by, WH_LIT("none")) &&
           (one->projects == 0 || one->skipped < one->projects);
}

/* A run without an answer for an interval, or of which nothing is heard, does not read. */
static bool is_syncing(const struct wh_streams *all, const struct wh_stream *one, int64_t now_ms)
{
    return all->run > 0 && one->active && now_ms - all->at_ms <= FRESH_MS &&
           now_ms - later(all->progress_ms, all->run) <= interval_of(all);
}

enum wh_stream_state wh_stream_state(const struct wh_streams *all, const struct wh_stream *one,
                                     int64_t now_ms)
{
    int64_t interval_ms = interval_of(all);
    int64_t since_ms = one->last_success_ms > 0 ? one->last_success_ms : all->started_ms;
    int64_t overdue_ms = now_ms - since_ms - interval_ms;

    if (!is_read(one)) {
        return WH_STREAM_NOT_READ;
    }
    if (one->failing_runs > WH_STREAM_RUNS_LATE ||
        (one->failing_runs > 0 && one->last_success_ms == 0)) {
        return WH_STREAM_FAILING;
    }
    if (one->failing_runs > 0) {
        return WH_STREAM_LATE;
    }
    if (is_syncing(all, one, now_ms)) {
        return WH_STREAM_SYNCING;
    }
    if (overdue_ms > interval_ms) {
        return overdue_ms > 2 * interval_ms ? WH_STREAM_FAILING : WH_STREAM_LATE;
    }
    if (one->unread > 0) {
        return WH_STREAM_LATE;
    }
    return one->last_success_ms > 0 ? WH_STREAM_ON_TIME : WH_STREAM_SYNCING;
}

/* ---- the connection ---- */

struct seen {
    const struct wh_stream *failing; /* the first of each kind */
    const struct wh_stream *late;
    const struct wh_stream *not_read;
    size_t n_failing;
    size_t n_late;
    size_t n_read; /* without the list of projects */
};

static struct seen look(const struct wh_streams *all, int64_t now_ms)
{
    struct seen s = {.n_failing = 0};

    for (size_t i = 0; i < all->n; i++) {
        const struct wh_stream *one = &all->list[i];
        enum wh_stream_state state = wh_stream_state(all, one, now_ms);

        s.n_read += state != WH_STREAM_NOT_READ && !wh_slice_eq(one->name, WH_LIT("projects"));
        if (state == WH_STREAM_FAILING) {
            s.failing = s.failing ? s.failing : one;
            s.n_failing++;
        } else if (state == WH_STREAM_LATE) {
            s.late = s.late ? s.late : one;
            s.n_late++;
        } else if (state == WH_STREAM_NOT_READ) {
            s.not_read = s.not_read ? s.not_read : one;
        }
    }
    return s;
}

/* What to do about a failure, by the text that the fetcher has made of it; "" when that is not known. */
static const char *advice_for(struct wh_slice reason)
{
    static const struct {
        const char *part;
        const char *advice;
    } known[] = {
        {"answers 5", "; GitLab's own log says why, and it is tried again"},
        {"answers 401", "; the credential has ended: `wellhead connect` renews it"},
        {"answers 403", "; give the user of the token the right to read it"},
        {"text/html", "; a proxy or a sign-in page seems to answer in GitLab's place"},
        {"no JSON", "; a proxy or a sign-in page seems to answer in GitLab's place"},
        {"imed out", "; is GitLab up, and can it be reached from here?"},
        {"onnect", "; is GitLab up, and can it be reached from here?"},
    };

    for (size_t i = 0; reason.len && i < sizeof(known) / sizeof(known[0]); i++) {
        if (memmem(reason.ptr, reason.len, known[i].part, strlen(known[i].part))) {
            return known[i].advice;
        }
    }
    return "";
}

/* The reason without the name of the stream, with which it may begin. */
static struct wh_slice bare(const struct wh_stream *one)
{
    size_t n = one->name.len;

    return wh_slice_starts(one->reason, one->name) && one->reason.len > n + 2 &&
                   one->reason.ptr[n] == ':'
               ? wh_slice_from(one->reason, n + 2)
               : one->reason;
}

/* How a stream fares, as a part of a sentence. */
static void tell(const struct wh_streams *all, const struct wh_stream *one, char *to, size_t size)
{
    char at[WH_TIME_TEXT_MAX];

    if (one->failing_runs == 1) {
        (void)snprintf(to, size, "failed in the newest run: %.*s", WH_SLICE_ARG(bare(one)));
    } else if (one->failing_runs > 1) {
        (void)snprintf(to, size, "failed in the last %" PRId64 " runs: %.*s", one->failing_runs,
                       WH_SLICE_ARG(bare(one)));
    } else if (one->unread > 0) {
        (void)snprintf(to, size, "%.*s", WH_SLICE_ARG(bare(one)));
    } else if (one->last_success_ms > 0) {
        (void)snprintf(to, size, "was read last at %s%s%.*s",
                       wh_time_format(one->last_success_ms, at), all->error.len ? ": " : "",
                       WH_SLICE_ARG(all->error));
    } else {
        (void)snprintf(to, size, "was never read%s%.*s", all->error.len ? ": " : "",
                       WH_SLICE_ARG(all->error));
    }
}

static void say(struct wh_streams_verdict *ret, const struct wh_streams *all, const char *state,
                const struct wh_stream *one, size_t n)
{
    char text[240];
    char more[48] = "";

    ret->state = state;
    tell(all, one, text, sizeof(text));
    if (n > 1) {
        (void)snprintf(more, sizeof(more), "; so %s %zu other stream%s", n > 2 ? "are" : "is",
                       n - 1, n > 2 ? "s" : "");
    }
    (void)snprintf(ret->detail, sizeof(ret->detail), "%.*s%s %s%s%s", WH_SLICE_ARG(one->name),
                   one->failing_runs == 0 && one->unread > 0 ? ":" : "", text,
                   advice_for(one->reason), more);
}

/* No stream tells why: a check failed, or Kafka. */
static void say_runs(struct wh_streams_verdict *ret, const struct wh_streams *all)
{
    ret->state = all->failing_runs > WH_STREAM_RUNS_LATE ? "error" : "degraded";
    if (all->failing_runs == 1) {
        (void)snprintf(ret->detail, sizeof(ret->detail), "the newest run failed: %.*s",
                       WH_SLICE_ARG(all->error));
    } else {
        (void)snprintf(ret->detail, sizeof(ret->detail), "the last %" PRId64 " runs failed: %.*s",
                       all->failing_runs, WH_SLICE_ARG(all->error));
    }
}

void wh_streams_judge(const struct wh_streams *all, int64_t now_ms, struct wh_streams_verdict *ret)
{
    struct seen s = look(all, now_ms);

    *ret = (struct wh_streams_verdict){.state = "enabled"};
    if (all->failing_runs > 0 && all->succeeded_ms == 0) {
        ret->state = "error";
        (void)snprintf(ret->detail, sizeof(ret->detail),
                       "the first run failed and is tried again: %.*s", WH_SLICE_ARG(all->error));
    } else if (s.n_failing > 0) {
        say(ret, all, "error", s.failing, s.n_failing);
    } else if (all->failing_runs > 0 && s.n_late == 0) {
        say_runs(ret, all);
    } else if (s.n_late > 0) {
        say(ret, all, "degraded", s.late, s.n_late);
    } else if (all->n > 0 && s.n_read == 0 && s.not_read) {
        ret->state = "degraded";
        (void)snprintf(ret->detail, sizeof(ret->detail), "nothing is read: %.*s: %.*s",
                       WH_SLICE_ARG(s.not_read->name), WH_SLICE_ARG(s.not_read->reason));
    } else if (all->succeeded_ms == 0) {
        ret->state = "processing";
    }
}

/* ---- several fetchers ---- */

static int64_t earlier_success(int64_t a, int64_t b)
{
    return a == 0 || b == 0 ? 0 : a < b ? a : b;
}

static int64_t add(int64_t a, int64_t b)
{
    return a < 0 || b < 0 ? -1 : a + b;
}

static void join_one(struct wh_stream *to, const struct wh_stream *other)
{
    bool worse = other->failing_runs > to->failing_runs || to->reason.len == 0;

    if (!is_read(to) && is_read(other)) {
        struct wh_slice read_by = other->read_by;

        to->read_by = read_by;
        to->tool = other->tool;
        to->credential = other->credential;
    }
    to->reason = worse ? other->reason : to->reason;
    if (to->projects > 0 && other->projects > 0) {
        to->last_success_ms = earlier_success(to->last_success_ms, other->last_success_ms);
    } else if (to->projects == 0) {
        to->last_success_ms = other->last_success_ms;
    }
    to->failing_since_ms =
        other->failing_runs > to->failing_runs ? other->failing_since_ms : to->failing_since_ms;
    to->failing_runs = later(to->failing_runs, other->failing_runs);
    to->unread += other->unread;
    to->at_gitlab = add(to->at_gitlab, other->at_gitlab);
    to->missing = add(to->missing, other->missing);
    to->projects += other->projects;
    to->skipped += other->skipped;
    to->active = to->active || other->active;
}

static struct wh_stream *find(struct wh_streams *all, struct wh_slice name)
{
    for (size_t i = 0; i < all->n; i++) {
        if (wh_slice_eq(all->list[i].name, name)) {
            return &all->list[i];
        }
    }
    return NULL;
}

void wh_streams_join(struct wh_streams *to, const struct wh_streams *other)
{
    if (to->at_ms - other->at_ms > LEFT_INTERVALS * interval_of(to)) {
        return;
    }
    for (size_t i = 0; i < other->n; i++) {
        struct wh_stream *one = find(to, other->list[i].name);

        if (one) {
            join_one(one, &other->list[i]);
        } else if (to->n < WH_STREAMS_MAX) {
            to->list[to->n++] = other->list[i];
        }
    }
    to->run = later(to->run, other->run);
    to->progress_ms = later(to->progress_ms, other->progress_ms);
    to->started_ms = to->started_ms < other->started_ms ? to->started_ms : other->started_ms;
    to->succeeded_ms = earlier_success(to->succeeded_ms, other->succeeded_ms);
    if (other->failing_runs > to->failing_runs) {
        to->failing_runs = other->failing_runs;
        to->failing_since_ms = other->failing_since_ms;
        to->error = other->error;
    }
}
