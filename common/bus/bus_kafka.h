/*
 * bus_kafka.h - inside bus/ only: what the three Kafka implementations share.
 *
 * Traps of librdkafka 2.0.2 that are minded here and in the files: conf objects belong to the
 * library only after a successful rd_kafka_new; ALL_BROKERS_DOWN may come on an idle disconnect and
 * is only logged; unknown topics are retried.
 */
#ifndef WH_BUS_BUS_KAFKA_H
#define WH_BUS_BUS_KAFKA_H

#include <librdkafka/rdkafka.h>

#include "common/bus/bus.h"

/* Broker settings that this needs: message.max.bytes and replica.fetch.max.bytes at least this. */
enum { BUS_KAFKA_MESSAGE_MAX_BYTES = 30 << 20 };

struct bus_kafka_setting {
    const char *name;
    const char *value;
};

/*
 * Gives a conf with the common settings, the given ones and on top the pass-through pairs that a
 * client of this type has; the others are only checked.
 * WH_E_CONFIG names the property that librdkafka refused. opaque is set when not NULL.
 */
WH_MUST_CHECK enum wh_rc bus_kafka_conf(rd_kafka_type_t type, const char *bootstrap,
                                        const char *client_id,
                                        const struct bus_kafka_setting *settings, size_t n,
                                        const struct wh_conf_pairs *extra, void *opaque,
                                        rd_kafka_conf_t **ret, struct wh_err *err);
/* Makes the handle; conf is used up either way. */
WH_MUST_CHECK enum wh_rc bus_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf,
                                       rd_kafka_t **ret, struct wh_err *err);
/* Our code for an error of the library. */
enum wh_rc bus_kafka_rc(rd_kafka_resp_err_t code);
/* An error event of a handle: logged, never acted on. */
void bus_kafka_log_error(struct wh_log *log, rd_kafka_t *rk, int code, const char *reason);
/* Lines of the library's own log; the opaque is a struct bus_kafka_opaque. */
struct bus_kafka_opaque {
    struct wh_log *log;
    void *self;
};

#endif
