/*
 * bus_kafka.h - private to bus/: shared by the three librdkafka implementations.
 *
 * Traps of librdkafka 2.0.2: it owns a conf object only after a successful rd_kafka_new;
 * ALL_BROKERS_DOWN can follow an idle disconnect, so it is only logged; unknown topics are retried.
 */
#ifndef WH_BUS_BUS_KAFKA_H
#define WH_BUS_BUS_KAFKA_H

#include <librdkafka/rdkafka.h>

#include "common/bus/bus.h"

/* The broker's message.max.bytes and replica.fetch.max.bytes must be at least this. */
enum { BUS_KAFKA_MESSAGE_MAX_BYTES = 30 << 20 };

struct bus_kafka_setting {
    const char *name;
    const char *value;
};

/*
 * Builds a conf from the common settings, `settings`, and those pass-through pairs that apply to this
 * client type; the others are only validated. opaque is set when not NULL. WH_E_CONFIG names the
 * property that librdkafka rejected.
 */
WH_MUST_CHECK enum wh_rc bus_kafka_conf(rd_kafka_type_t type, const char *bootstrap,
                                        const char *client_id,
                                        const struct bus_kafka_setting *settings, size_t n,
                                        const struct wh_conf_pairs *extra, void *opaque,
                                        rd_kafka_conf_t **ret, struct wh_err *err);
/* Creates the handle; consumes conf, also on failure. */
WH_MUST_CHECK enum wh_rc bus_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf,
                                       rd_kafka_t **ret, struct wh_err *err);
/*
 * The committed offsets of groups (bus_kafka_groups.c). Each group has a client of its own, which is made when
 * it is needed and never joins the group. The texts are borrowed. Thread: one at a time.
 */
struct bus_kafka_group;
struct bus_kafka_groups {
    const char *bootstrap;
    const char *client_id;
    const struct wh_conf_pairs *extra;
    void *opaque;
    struct bus_kafka_group *first;
    size_t n;
};
/* See wh_admin_group_get and wh_admin_group_set. */
WH_MUST_CHECK enum wh_rc bus_kafka_group_get(struct bus_kafka_groups *groups, const char *group,
                                             struct wh_bus_partition *parts, size_t n,
                                             int timeout_ms, struct wh_err *err);
WH_MUST_CHECK enum wh_rc bus_kafka_group_set(struct bus_kafka_groups *groups, const char *group,
                                             const struct wh_bus_partition *parts, size_t n,
                                             int timeout_ms, struct wh_err *err);
void bus_kafka_groups_free(struct bus_kafka_groups *groups);

/* Maps an error of librdkafka to a wh_rc. */
enum wh_rc bus_kafka_rc(rd_kafka_resp_err_t code);
/* Logs an error event of a handle; nothing else reacts to it. */
void bus_kafka_log_error(struct wh_log *log, rd_kafka_t *rk, int code, const char *reason);
/* The opaque of every handle; librdkafka's own log lines go to `log`. */
struct bus_kafka_opaque {
    struct wh_log *log;
    void *self;
};

#endif
