/* The producer: idempotent, acks=all, partitions by murmur2 as Java clients choose them. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/bus/bus_kafka.h"

struct kafka_producer {
    struct wh_producer base;
    struct bus_kafka_opaque opaque;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    int fd;
    size_t pending;
    bool closing; /* purged records complete without running their acks */
    size_t served;
};

static struct kafka_producer *self(struct wh_producer *p)
{
    return (struct kafka_producer *)p;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
    struct kafka_producer *p = ((struct bus_kafka_opaque *)opaque)->self;
    struct wh_bus_ack *ack = msg->_private;
    enum wh_rc rc = bus_kafka_rc(msg->err);
    struct wh_bus_delivery d = {
        .rc = rc,
        .reason = rc == WH_OK ? NULL : rd_kafka_err2str(msg->err),
        .topic = rd_kafka_topic_name(msg->rkt),
        .partition = msg->partition,
        .offset = msg->offset,
    };

    (void)rk;
    p->pending--;
    p->served++;
    if (ack && !p->closing) {
        ack->fn(ack, &d);
    }
}

static rd_kafka_headers_t *make_headers(const struct wh_bus_record *r)
{
    rd_kafka_headers_t *headers;

    if (r->n_headers == 0) {
        return NULL;
    }
    headers = rd_kafka_headers_new(r->n_headers);
    for (size_t i = 0; i < r->n_headers; i++) {
        (void)rd_kafka_header_add(headers, r->headers[i].name.ptr, (ssize_t)r->headers[i].name.len,
                                  r->headers[i].value.ptr, (ssize_t)r->headers[i].value.len);
    }
    return headers;
}

static enum wh_rc kp_produce(struct wh_producer *base, const struct wh_bus_record *r,
                             struct wh_err *err)
{
    struct kafka_producer *p = self(base);
    rd_kafka_headers_t *headers = make_headers(r);
    rd_kafka_vu_t vus[8];
    size_t n = 0;
    rd_kafka_error_t *error;
    enum wh_rc rc;

    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = r->topic};
    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_PARTITION,
                               .u.i32 = r->partition < 0 ? RD_KAFKA_PARTITION_UA : r->partition};
    vus[n] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_VALUE};
    /* The API lacks const, but only reads the bytes, or frees those it owns. */
    memcpy(&vus[n].u.mem.ptr, &r->value.ptr, sizeof(void *));
    vus[n++].u.mem.size = r->value.len;
    vus[n] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_KEY};
    memcpy(&vus[n].u.mem.ptr, &r->key.ptr, sizeof(void *));
    vus[n++].u.mem.size = r->key.len;
    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = r->ack};
    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS,
                               .u.i = r->take_value   ? RD_KAFKA_MSG_F_FREE
                                      : r->keep_value ? 0
                                                      : RD_KAFKA_MSG_F_COPY};
    if (r->timestamp_ms) {
        vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = r->timestamp_ms};
    }
    if (headers) {
        vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers};
    }
    error = rd_kafka_produceva(p->rk, vus, n);
    if (error == NULL) {
        p->pending++;
        return WH_OK;
    }
    /* A fatal error carries the code of its cause, but all that matters is that this handle is lost. */
    rc = rd_kafka_error_is_fatal(error) ? WH_E_FATAL_BUS : bus_kafka_rc(rd_kafka_error_code(error));
    (void)wh_fail(err, rc, "cannot produce to %.80s: %.140s", r->topic,
                  rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    /* On failure the caller still owns the headers. */
    if (headers) {
        rd_kafka_headers_destroy(headers);
    }
    return err->rc;
}

static int kp_fd(struct wh_producer *base)
{
    return self(base)->fd;
}

static void drain_fd(int fd)
{
    uint64_t count;

    (void)!read(fd, &count, sizeof(count));
}

static size_t kp_poll(struct wh_producer *base, int timeout_ms)
{
    struct kafka_producer *p = self(base);

    drain_fd(p->fd);
    p->served = 0;
    (void)rd_kafka_poll(p->rk, timeout_ms);
    return p->served;
}

static enum wh_rc kp_warm(struct wh_producer *base, const char *topic, int timeout_ms,
                          struct wh_err *err)
{
    struct kafka_producer *p = self(base);
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(p->rk, topic, NULL);
    rd_kafka_resp_err_t code;

    if (rkt == NULL) {
        return wh_fail(err, WH_E_INVALID, "invalid topic name: %.80s", topic);
    }
    code = rd_kafka_metadata(p->rk, 0, rkt, &metadata, timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
        code = metadata->topics[0].err;
    }
    if (metadata) {
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(rkt);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return wh_fail(err, bus_kafka_rc(code), "metadata of %.80s: %s", topic,
                       rd_kafka_err2str(code));
    }
    return WH_OK;
}

static enum wh_rc kp_flush(struct wh_producer *base, int timeout_ms, struct wh_err *err)
{
    struct kafka_producer *p = self(base);

    if (rd_kafka_flush(p->rk, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return wh_fail(err, WH_E_TIMEOUT, "%zu records are not acknowledged yet", p->pending);
    }
    return WH_OK;
}

static size_t kp_pending(struct wh_producer *base)
{
    return self(base)->pending;
}

static void kp_free(struct wh_producer *base)
{
    struct kafka_producer *p = self(base);

    p->closing = true;
    (void)rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    (void)rd_kafka_flush(p->rk, 1000);
    rd_kafka_queue_io_event_enable(p->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(p->queue);
    rd_kafka_destroy(p->rk);
    (void)close(p->fd);
    wh_mem_free(p);
}

static const struct wh_producer_ops kafka_producer_ops = {
    .produce = kp_produce,
    .fd = kp_fd,
    .poll = kp_poll,
    .warm = kp_warm,
    .flush = kp_flush,
    .pending = kp_pending,
    .free = kp_free,
};

static const char *linger_ms(enum wh_bus_profile profile)
{
    switch (profile) {
    case WH_BUS_EAGER:
        return "0";
    case WH_BUS_BULK:
        return "20";
    case WH_BUS_REPLAY:
        /*
         * Longer than an acknowledgement takes: librdkafka 2.0.2 keeps one request per partition in
         * flight, and polls without a pause once the next one's linger has expired.
         */
        return "100";
    case WH_BUS_LIVE:
    default:
        return "1";
    }
}

static enum wh_rc make_conf(const struct wh_producer_conf *conf, struct kafka_producer *p,
                            rd_kafka_conf_t **ret, struct wh_err *err)
{
    bool bulk = conf->profile == WH_BUS_BULK || conf->profile == WH_BUS_REPLAY;
    char kbytes[24];
    char records[24];
    char timeout[24];
    const struct bus_kafka_setting settings[] = {
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {"partitioner", "murmur2_random"},
        {"compression.codec", "lz4"},
        {"linger.ms", linger_ms(conf->profile)},
        /*
         * Live: records that arrive while a request is in flight share the next one. More requests in
         * flight would save only network time, since a broker handles one request of a connection
         * at a time, and librdkafka 2.0.2 polls without a pause during a linger of one millisecond,
         * which took a third of a core.
         */
        {"max.in.flight.requests.per.connection", bulk ? "5" : "1"},
        {"batch.size", "1000000"},
        {"batch.num.messages", "10000"},
        {"queue.buffering.max.kbytes", kbytes},
        {"queue.buffering.max.messages", records},
        {"delivery.timeout.ms", timeout},
        {"allow.auto.create.topics", "false"},
    };
    rd_kafka_conf_t *made;

    (void)snprintf(kbytes, sizeof(kbytes), "%zu", conf->queue_max_bytes / 1024 + 1);
    (void)snprintf(records, sizeof(records), "%zu", conf->queue_max_records);
    (void)snprintf(timeout, sizeof(timeout), "%" PRId64, conf->delivery_timeout_ms);
    if (bus_kafka_conf(RD_KAFKA_PRODUCER, conf->bootstrap, conf->client_id, settings,
                       sizeof(settings) / sizeof(settings[0]), conf->extra, &p->opaque, &made,
                       err) != WH_OK) {
        return err->rc;
    }
    rd_kafka_conf_set_dr_msg_cb(made, on_delivery);
    *ret = made;
    return WH_OK;
}

enum wh_rc wh_producer_kafka_new(const struct wh_producer_conf *conf, struct wh_producer **ret,
                                 struct wh_err *err)
{
    static const uint64_t one = 1;
    struct kafka_producer *p = wh_mem_zalloc(1, sizeof(*p));
    rd_kafka_conf_t *made = NULL;

    if (p == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a producer");
    }
    p->base.ops = &kafka_producer_ops;
    p->opaque = (struct bus_kafka_opaque){.log = conf->log, .self = p};
    p->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (p->fd < 0) {
        wh_mem_free(p);
        return wh_fail(err, WH_E_INTERNAL, "no descriptor for a producer");
    }
    if (make_conf(conf, p, &made, err) != WH_OK ||
        bus_kafka_new(RD_KAFKA_PRODUCER, made, &p->rk, err) != WH_OK) {
        (void)close(p->fd);
        wh_mem_free(p);
        return err->rc;
    }
    p->queue = rd_kafka_queue_get_main(p->rk);
    rd_kafka_queue_io_event_enable(p->queue, p->fd, &one, sizeof(one));
    *ret = &p->base;
    return WH_OK;
}
