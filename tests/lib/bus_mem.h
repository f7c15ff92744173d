/*
 * bus_mem.h - Kafka in memory, for tests: topics with partitions, keys partitioned as librdkafka's
 * murmur2_random does, consumers with and without a group, commits, admin; and faults. One thread.
 *
 * Deliveries happen in poll: each poll of a producer delivers all that is pending, unless held.
 * The members of a group share the partitions of a topic in ranges. When a member subscribes or is
 * freed, each other member gives its partitions back in its next poll and then joins again.
 */
#ifndef TH_BUS_MEM_H
#define TH_BUS_MEM_H

#include "common/bus/bus.h"

struct wh_bus_mem;

/* Calls that a fault can hit. */
enum wh_bus_mem_call {
    WH_BUS_MEM_PRODUCE,  /* produce answers the fault's rc */
    WH_BUS_MEM_DELIVERY, /* the delivery reports the fault's rc; the record is not stored */
    WH_BUS_MEM_POLL,     /* consumer poll answers the fault's rc */
    WH_BUS_MEM_COMMIT,
    WH_BUS_MEM_ADMIN,   /* all calls of an admin but the next */
    WH_BUS_MEM_OFFSETS, /* an admin's question for an offset */
    WH_BUS_MEM_WARM,
    WH_BUS_MEM_CALL_COUNT
};

/* NULL: no memory. Topics that are not there are errors, as on our brokers. */
struct wh_bus_mem *wh_bus_mem_new(void);
/* After all its producers, consumers and admins. */
void wh_bus_mem_free(struct wh_bus_mem *bus);

WH_MUST_CHECK enum wh_rc wh_bus_mem_topic(struct wh_bus_mem *bus, const char *name,
                                          int32_t partitions, struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_bus_mem_producer(struct wh_bus_mem *bus,
                                             const struct wh_producer_conf *conf,
                                             struct wh_producer **ret, struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_bus_mem_consumer(struct wh_bus_mem *bus,
                                             const struct wh_consumer_conf *conf,
                                             struct wh_consumer **ret, struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_bus_mem_admin(struct wh_bus_mem *bus, struct wh_admin **ret,
                                          struct wh_err *err);

/* Lets `skip` calls pass, then fails `count` of them with rc. */
void wh_bus_mem_fail(struct wh_bus_mem *bus, enum wh_bus_mem_call call, size_t skip, size_t count,
                     enum wh_rc rc);
/* Held records stay pending; released ones are delivered by the next poll. */
void wh_bus_mem_hold(struct wh_bus_mem *bus, bool hold);
/* Calls made so far. */
size_t wh_bus_mem_calls(const struct wh_bus_mem *bus, enum wh_bus_mem_call call);

/* Records stored in a topic, all partitions. */
size_t wh_bus_mem_count(const struct wh_bus_mem *bus, const char *topic);
/* The index-th record of a topic, partitions one after the other; slices live until more is
 * produced. false past the end. */
bool wh_bus_mem_get(const struct wh_bus_mem *bus, const char *topic, size_t index,
                    struct wh_bus_msg *ret, const struct wh_bus_header **ret_headers,
                    size_t *ret_n_headers);
/* Committed offset of a group, WH_OFFSET_STORED when none. */
int64_t wh_bus_mem_committed(const struct wh_bus_mem *bus, const char *group, const char *topic,
                             int32_t partition);

#endif
