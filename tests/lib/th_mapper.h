/*
 * th_mapper.h - the mapper's core on Kafka in memory, with the topics of the connections c1 and c2 and a
 * clock that stands still between turns.
 */
#ifndef TH_MAPPER_H
#define TH_MAPPER_H

#include "common/base/mem.h"
#include "common/event/raw_event.h"
#include "common/metrics/metrics.h"
#include "stages/mapper/mapper.h"
#include "tests/lib/bus_mem.h"
#include "tests/lib/th_cmocka.h"

#define TH_MAPPER_GROUP "wellhead-mapper"
#define TH_MAPPER_AT "\"updated_at\":\"2026-01-01T00:00:00.500Z\""

struct th_mapper {
    struct wh_bus_mem *bus;
    struct mapper_views *views;
    struct wh_metrics *metrics;
    struct foreign *foreign; /* of the test; NULL: none */
    struct mapper *mapper;
    struct wh_consumer *consumer;
    struct wh_producer *producer;
    struct wh_producer *writer; /* of raw events */
    int64_t now_ms;
    int64_t mono_ns;
    struct wh_err fatal;
    bool drained;
    struct wh_buf value;
    /* Of the events that are put. */
    int32_t partition;
    int64_t observed_ms;
};

enum { TH_MAPPER_PARTITIONS = 2 };

/* For cmocka. */
int th_mapper_setup(void **state);
int th_mapper_teardown(void **state);

/* A producer's queue of `queue` records. Deliveries happen in its polls. */
void th_mapper_start(struct th_mapper *s, const struct mapper_conf *conf, size_t queue);
void th_mapper_stop(struct th_mapper *s);
/* Turns and ticks, 100 ms apart. */
void th_mapper_run(struct th_mapper *s, unsigned turns);

/* Writes to s->partition of the connection's raw topic. */
void th_mapper_put_bytes(struct th_mapper *s, const char *connection, struct wh_slice value);
void th_mapper_put(struct th_mapper *s, const char *connection, enum wh_origin origin,
                   const char *kind, const char *json);
/* A row of issue `id` that can be mapped. */
void th_mapper_put_issue(struct th_mapper *s, const char *connection, enum wh_origin origin,
                         unsigned id);
/* True when the metrics contain this line, without its end. */
bool th_mapper_metric_is(struct th_mapper *s, const char *line);
/* Of partition 0 of the connection's raw topic. */
int64_t th_mapper_committed(const struct th_mapper *s, const char *connection);
/* True when one of the entities of the connection is issue `id`. */
bool th_mapper_has_issue(const struct th_mapper *s, const char *connection, unsigned id);

#endif
