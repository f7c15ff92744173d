/*
 * status.h - what the sink says about itself: types alone, so that the room that counts, the room
 * that reports and the rooms that show it need not know each other.
 *
 * Filled in by sink_status_get and sink_topics_get (ingest/sink.h), which say what a caller may
 * rely on.
 */
#ifndef WH_SINK_STATUS_H
#define WH_SINK_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bus/bus.h"
#include "common/event/kind.h"
#include "common/event/topics.h"
#include "common/event/version.h"

enum sink_state {
    SINK_STARTING, /* topics not known yet */
    SINK_RUNNING,
    SINK_PAUSED, /* disk full, or a dead letter cannot be set aside: reading goes on */
    SINK_STOPPED,
};

struct sink_kind_counts {
    uint64_t entities; /* deleted ones included */
    uint64_t deleted;
    uint64_t revisions;
};

/* How old records were when they became durable in the store. */
struct sink_freshness {
    uint64_t count;
    double p50_s;
    double p99_s;
};

/* What made webhooks old. Late: GitLab delivered it more than SINK_SLOW_MS after the event. Backlog: it
 * waited in Wellhead for at least half of an age above SINK_SLOW_MS, as after a stop or a replay. Clock: GitLab's
 * time of the event is after its receipt, by more than SINK_CLOCK_MS. */
enum sink_cause { SINK_LATE, SINK_BACKLOG, SINK_CLOCK, SINK_CAUSES };
enum { SINK_SLOW_MS = 60000, SINK_CLOCK_MS = 2000 };

struct sink_why {
    uint64_t counts[SINK_CAUSES];
    int64_t
        least_delay_ms; /* between event and receipt, of all webhooks; 0 when one came at once */
};

/* Webhooks of one kind: since receipt at our door, and since GitLab's own time of the event (which
 * webhooks cut to the second). */
struct sink_live {
    struct sink_freshness receipt_hour;
    struct sink_freshness receipt_day;
    struct sink_freshness event_hour;
    struct sink_freshness event_day;
    struct sink_why why_hour;
    struct sink_why why_day;
};

struct sink_status {
    enum sink_state state;
    char reason[WH_ERR_MSG_MAX]; /* why it is not ready; empty when it is */
    int64_t started_at_ms;
    int64_t last_write_ms; /* 0: none yet */
    uint64_t sequence;     /* last durable change */
    uint64_t observations; /* applied since start */
    uint64_t duplicates;   /* of these */
    uint64_t dead_letters; /* set aside since start */
    bool caught_up;        /* all that was there at the start is stored */
    int64_t lag_records;   /* over all topics; -1 while not known */
    struct sink_kind_counts kinds[WH_KIND_COUNT];
    struct sink_freshness freshness[WH_ORIGIN_COUNT]; /* since receipt, last hour */
    struct sink_live live[WH_KIND_COUNT];
};

struct sink_topic_status {
    char topic[WH_BUS_TOPIC_MAX + 1];
    char connection[WH_CONNECTION_ID_MAX]; /* empty for the connections topic */
    int32_t partitions;
    int64_t stored_records; /* sum of next offsets minus the logs' starts */
    int64_t lag_records;    /* -1 while not known */
    double lag_seconds;     /* 0 when there is no lag: age of the newest stored record, else */
    int64_t last_record_ms; /* Kafka time of the newest stored record; 0: none since start */
    bool held;              /* a partition is stopped; status.reason says why */
};

#endif
