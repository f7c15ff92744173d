/*
 * streams.h - the streams of the input, and which of them are held.
 *
 * A stream is what one connection receives from one origin: its webhooks, its rows of REST reads, and so
 * on. Events whose bytes cannot be decoded have no origin and are a stream of their own, `unreadable`.
 * A stream is held when mapping it makes no sense, so that a wrong view, a newer writer or a hostile
 * tenant neither fills a topic with dead letters nor stops the other streams:
 *
 *   reason                                               held
 *   most of the recent events cannot be mapped           the stream
 *   an event has a schema that this build does not know  the connection's unreadable events
 *   a record is rejected, or its topic does not exist    all streams of the connection
 *
 * All streams of a connection share the partitions of its topic. Events of a held stream are passed over,
 * and the committed offset of their partition stays at the first of them; events of other streams behind
 * it are mapped. So nothing but Kafka's own offset records what is held, and whoever reads the partition
 * next begins there: after a restart, after a rebalance, or after a retry, for which the mapper joins its
 * group again. Events of other streams behind that offset are then mapped a second time. This yields the
 * same records, which the sink counts once, and because the sink merges by version, the order in which
 * a stream catches up does not matter.
 *
 * A stream that is held again soon after a retry waits twice as long for the next one, up to a day. So an
 * endless stream of bad events costs at most breaker.min dead letters for each retry and twice the
 * reading, while the events behind a burst of bad ones are mapped after some retries.
 *
 * Thread: app.
 */
#ifndef WH_MAPPER_STREAMS_H
#define WH_MAPPER_STREAMS_H

#include "common/base/time.h"
#include "common/event/heartbeat.h"
#include "common/event/version.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "stages/mapper/breaker.h"

/* The origins, and the number of the unreadable stream. */
enum { STREAM_UNREADABLE = WH_ORIGIN_COUNT, STREAM_COUNT };

/* Of one connection. */
struct streams;

/* Of all connections that this process reads. The members are borrowed. */
struct stream_table {
    struct streams *first;
    size_t breaker_window;
    size_t breaker_min;
    unsigned breaker_share;
    int64_t retry_ms; /* 0: no retries */
    struct wh_clock clock;
    struct wh_log *log;
    struct wh_metrics *metrics; /* may be NULL */
};

void stream_table_done(struct stream_table *t);
/* The streams of a connection, for one partition that is read; NULL: no memory. */
struct streams *streams_use(struct stream_table *t, struct wh_slice connection);
/* The partition is not read any more. The state of the streams survives a rebalance of a minute. */
void streams_leave(struct stream_table *t, struct streams *s);

bool stream_is_held(const struct streams *of, unsigned stream);
/* Counts an event of a stream that is not held; why->rc is WH_OK when it was mapped. True when the
 * stream is held from now on. */
bool stream_count(struct stream_table *t, struct streams *of, unsigned stream,
                  const struct wh_err *why);
/* Nothing happens to streams that are held already. */
void stream_hold(struct stream_table *t, struct streams *of, unsigned stream, const char *reason);
void streams_hold_all(struct stream_table *t, struct streams *of, const char *reason);

/* Counts a dead letter of the connection by its reason. */
void streams_dead_letter(struct stream_table *t, struct streams *s, enum wh_rc code);

/* True when a held stream should be tried again: the caller makes its consumer read from the committed
 * offsets, and then calls streams_retry. */
bool streams_due(const struct stream_table *t);
void streams_retry(struct stream_table *t);
/* Regularly: forgets the connections that are not read any more, and updates the metrics. */
void streams_tick(struct stream_table *t);
/* Fills at most max entries, valid until the next call of any function; returns how many. A connection
 * whose streams are all held is one entry. */
size_t streams_held(const struct stream_table *t, struct wh_heartbeat_held *out, size_t max);

#endif
