/*
 * streams.h - the state of a stream, and of a connection from its streams. Pure functions from evidence
 * (event/streams.h) and the time; the fetcher, the sink and SQL all ask them.
 *
 *   not_read  nothing reads it, or GitLab refuses it in every project; the reason says why
 *   failing   it is overdue by more than two intervals, failed in more than two runs in a row, or failed before it
 *             was ever read
 *   late      it is overdue by more than one interval, failed in the newest run, or some of its rows were not read
 *   syncing   the run under way has not come to its end yet, and GitLab answers
 *   on_time   none of these
 *
 * A stream is due one interval after its last success. Intervals below WH_STREAMS_MS count as that.
 *
 * Thread: any.
 */
#ifndef WH_JUDGE_STREAMS_H
#define WH_JUDGE_STREAMS_H

#include "common/event/streams.h"

enum wh_stream_state {
    WH_STREAM_ON_TIME,
    WH_STREAM_SYNCING,
    WH_STREAM_LATE,
    WH_STREAM_FAILING,
    WH_STREAM_NOT_READ,
};

/* So many failed runs in a row are a delay; one more is a failure. */
enum { WH_STREAM_RUNS_LATE = 2 };

const char *wh_stream_state_name(enum wh_stream_state state);
enum wh_stream_state wh_stream_state(const struct wh_streams *all, const struct wh_stream *one,
                                     int64_t now_ms);

struct wh_streams_verdict {
    const char *state; /* as in the topic `connections`: enabled, processing, degraded, error */
    char detail[320];  /* what is wrong, with the first of the streams; empty when nothing is */
};

/* The connection's state, as far as its streams and runs tell. */
void wh_streams_judge(const struct wh_streams *all, int64_t now_ms, struct wh_streams_verdict *ret);

/*
 * Joins what several fetchers say of one connection into *to: counts are added, of times the worst, of texts the
 * first. A report that is older than the newest one by more than three intervals is of a fetcher that has left, and
 * is not joined; list the newest first.
 */
void wh_streams_join(struct wh_streams *to, const struct wh_streams *other);

#endif
