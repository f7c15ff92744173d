#include "common/bus/bus_kafka.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "common/base/mem.h"

static void on_log(const rd_kafka_t *rk, int level, const char *fac, const char *text)
{
    const struct bus_kafka_opaque *opaque = rd_kafka_opaque(rk);
    enum wh_log_level to = level <= LOG_ERR      ? WH_LOG_WARN
                           : level <= LOG_NOTICE ? WH_LOG_INFO
                                                 : WH_LOG_DEBUG;

    if (opaque) {
        WH_LOG(opaque->log, to, "kafka client", WH_STR("facility", fac), WH_STR("text", text));
    }
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    bus_kafka_log_error(opaque ? ((struct bus_kafka_opaque *)opaque)->log : NULL, rk, code, reason);
}

void bus_kafka_log_error(struct wh_log *log, rd_kafka_t *rk, int code, const char *reason)
{
    (void)rk;
    wh_log_warn(log, "kafka client error",
                WH_STR("code", rd_kafka_err2name((rd_kafka_resp_err_t)code)),
                WH_STR("reason", reason));
}

enum wh_rc bus_kafka_rc(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return WH_OK;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return WH_E_BUSY;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
        return WH_E_TIMEOUT;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__FENCED:
        return WH_E_FATAL_BUS;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return WH_E_TOO_LARGE;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return WH_E_NOT_FOUND;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return WH_E_DENIED;
    default:
        return WH_E_UNAVAILABLE;
    }
}

static enum wh_rc set(rd_kafka_conf_t *conf, const char *name, const char *value,
                      struct wh_err *err)
{
    char text[160];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
        return wh_fail(err, WH_E_CONFIG, "kafka.%s: %s", name, text);
    }
    return WH_OK;
}

enum wh_rc wh_bus_kafka_check(const struct wh_conf_pairs *pairs, struct wh_err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum wh_rc rc = WH_OK;

    for (size_t i = 0; i < pairs->n && rc == WH_OK; i++) {
        rc = set(conf, pairs->items[i].name, pairs->items[i].value, err);
    }
    rd_kafka_conf_destroy(conf);
    return rc;
}

/*
 * librdkafka's table of properties, one line each: "<name> | <C, P or *> | ...". It is the only part of
 * the API that distinguishes consumer (C) and producer (P) properties. NULL when out of memory.
 */
static char *property_table(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL) {
        return NULL;
    }
    rd_kafka_conf_properties_show(out);
    if (fclose(out) != 0) {
        wh_mem_free(text);
        return NULL;
    }
    return text;
}

/* True for an unknown property too, so that setting it reports the error. */
static bool is_for(rd_kafka_type_t type, const char *table, const char *name)
{
    size_t len = strlen(name);
    const char *line = table;

    while (line) {
        if (strncmp(line, name, len) == 0 && line[len] == ' ') {
            const char *owner = line + len + strspn(line + len, " |");

            return *owner != (type == RD_KAFKA_PRODUCER ? 'C' : 'P');
        }
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return true;
}

/*
 * The pass-through pairs are for all clients of a stage. Pairs of the other client type are set on a
 * scratch conf, so that a bad value is rejected in every stage.
 */
static enum wh_rc set_extra(rd_kafka_type_t type, rd_kafka_conf_t *conf,
                            const struct wh_conf_pairs *extra, struct wh_err *err)
{
    WH_AUTO_FREE char *table = property_table();
    rd_kafka_conf_t *other;
    enum wh_rc rc = WH_OK;

    if (table == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for settings");
    }
    other = rd_kafka_conf_new();
    for (size_t i = 0; i < extra->n && rc == WH_OK; i++) {
        const struct wh_conf_pair *pair = &extra->items[i];

        rc = set(is_for(type, table, pair->name) ? conf : other, pair->name, pair->value, err);
    }
    rd_kafka_conf_destroy(other);
    return rc;
}

static enum wh_rc set_all(rd_kafka_type_t type, rd_kafka_conf_t *conf, const char *bootstrap,
                          const char *client_id, const struct bus_kafka_setting *settings, size_t n,
                          const struct wh_conf_pairs *extra, struct wh_err *err)
{
    const struct bus_kafka_setting common[] = {
        {"bootstrap.servers", bootstrap},
        {"client.id", client_id},
        {"socket.keepalive.enable", "true"},
        {"socket.nagle.disable", "true"},
        {"reconnect.backoff.ms", "50"},
        {"reconnect.backoff.max.ms", "2000"},
        {"topic.metadata.refresh.sparse", "true"},
        {"message.max.bytes", "31457280"},
        {"receive.message.max.bytes", "134217728"},
    };

    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
        if (set(conf, common[i].name, common[i].value, err) != WH_OK) {
            return err->rc;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (set(conf, settings[i].name, settings[i].value, err) != WH_OK) {
            return err->rc;
        }
    }
    return extra && extra->n ? set_extra(type, conf, extra, err) : WH_OK;
}

enum wh_rc bus_kafka_conf(rd_kafka_type_t type, const char *bootstrap, const char *client_id,
                          const struct bus_kafka_setting *settings, size_t n,
                          const struct wh_conf_pairs *extra, void *opaque, rd_kafka_conf_t **ret,
                          struct wh_err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    if (set_all(type, conf, bootstrap, client_id, settings, n, extra, err) != WH_OK) {
        rd_kafka_conf_destroy(conf);
        return err->rc;
    }
    rd_kafka_conf_set_opaque(conf, opaque);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    *ret = conf;
    return WH_OK;
}

enum wh_rc bus_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret,
                         struct wh_err *err)
{
    char text[200];
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof(text));

    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return wh_fail(err, WH_E_CONFIG, "Kafka client: %s", text);
    }
    *ret = rk;
    return WH_OK;
}
