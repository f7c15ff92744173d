/*
 * The consumer. With a group: range assignment, rebalance callbacks in the polling thread. Without a
 * group: manual assignment. Messages are taken from one queue one by one, because the batch calls of
 * librdkafka 2.0.2 lose messages around rebalances.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/bus/bus_kafka.h"

enum {
    HELD_MAX = 65536,
    API_FETCH = 1,
    HOLD_MS = 200,
    MEAN_PART = 16,
    RECORD_BYTES = 1000000,
    /* Fetching is held at half of the bound. A response fits into the other half if it unpacks to at
     * most 32 times its size, as webhooks of one project do, which have most bytes in common. */
    ANSWER_SHARE = 64,
    ANSWER_MAX_BYTES = 8 << 20,
};

struct kafka_consumer {
    struct wh_consumer base;
    struct bus_kafka_opaque opaque;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    int fd;
    bool grouped;
    struct wh_bus_rebalance rebalance;
    rd_kafka_message_t **held; /* returned by the last poll */
    size_t n_held;
    size_t cap_held;
    /* The topic handle of the last message, so that its name is looked up once. */
    const rd_kafka_topic_t *last_rkt;
    const char *last_name;
    rd_kafka_topic_partition_list_t *ends; /* reported ends; NULL without report_ends */
    /* Read by librdkafka's broker threads. */
    size_t ahead_max; /* prefetched bytes at which fetching is held */
    atomic_size_t mean_bytes;
    atomic_bool closing;
};

static struct kafka_consumer *self(struct wh_consumer *c)
{
    return (struct kafka_consumer *)c;
}

static void release_held(struct kafka_consumer *c)
{
    for (size_t i = 0; i < c->n_held; i++) {
        rd_kafka_message_destroy(c->held[i]);
    }
    c->n_held = 0;
    c->last_rkt = NULL;
}

/* ---- reading ahead ---- */

/*
 * librdkafka 2.0.2 stops fetching when its queue is full, and notices that there is room only when
 * something else wakes the broker thread, up to a second later. Unless the queue holds a second's worth
 * of messages, it runs dry. So this callback holds that thread a little earlier, before it unpacks a
 * response, until the queue has room. The hold is short; the library's own bound is the backstop.
 */
static rd_kafka_resp_err_t on_response(rd_kafka_t *rk, int sockfd, const char *brokername,
                                       int32_t brokerid, int16_t api, int16_t version,
                                       int32_t corrid, size_t size, int64_t rtt,
                                       rd_kafka_resp_err_t code, void *opaque)
{
    const struct timespec ms = {.tv_nsec = 1000000};
    struct kafka_consumer *c = opaque;

    (void)rk, (void)sockfd, (void)brokername, (void)brokerid, (void)version;
    (void)corrid, (void)size, (void)rtt, (void)code;
    for (int i = 0; api == API_FETCH && i < HOLD_MS && !atomic_load(&c->closing); i++) {
        if (rd_kafka_queue_length(c->queue) * atomic_load(&c->mean_bytes) <= c->ahead_max) {
            break;
        }
        (void)nanosleep(&ms, NULL);
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque,
                                  char *text, size_t text_size)
{
    (void)conf, (void)text, (void)text_size;
    return rd_kafka_interceptor_add_on_response_received(rk, "wellhead", on_response, opaque);
}

/* Updates the mean size of the messages that were just polled. */
static void count_mean(struct kafka_consumer *c, const struct wh_bus_msg *msgs)
{
    size_t mean = atomic_load_explicit(&c->mean_bytes, memory_order_relaxed);
    size_t bytes = 0;

    if (c->n_held == 0) {
        return;
    }
    for (size_t i = 0; i < c->n_held; i++) {
        bytes += msgs[i].key.len + msgs[i].value.len;
    }
    bytes = bytes / c->n_held + 1;
    mean = mean ? mean - mean / MEAN_PART + bytes / MEAN_PART : bytes;
    atomic_store_explicit(&c->mean_bytes, mean, memory_order_relaxed);
}

/* ---- rebalance ---- */

static struct wh_bus_partition *copy_partitions(const rd_kafka_topic_partition_list_t *list)
{
    struct wh_bus_partition *parts = wh_mem_zalloc((size_t)list->cnt + 1, sizeof(*parts));

    for (int i = 0; parts && i < list->cnt; i++) {
        parts[i] = (struct wh_bus_partition){.topic = list->elems[i].topic,
                                             .partition = list->elems[i].partition,
                                             .offset = list->elems[i].offset};
    }
    return parts;
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct kafka_consumer *c = ((struct bus_kafka_opaque *)opaque)->self;
    struct wh_bus_partition *parts = copy_partitions(list);

    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        if (parts && c->rebalance.on_assign) {
            c->rebalance.on_assign(c->rebalance.ctx, parts, (size_t)list->cnt);
        }
        (void)rd_kafka_assign(rk, list);
    } else {
        if (parts && c->rebalance.on_revoke) {
            c->rebalance.on_revoke(c->rebalance.ctx, parts, (size_t)list->cnt,
                                   rd_kafka_assignment_lost(rk) != 0);
        }
        (void)rd_kafka_assign(rk, NULL);
    }
    wh_mem_free(parts);
}

/* ---- calls ---- */

static rd_kafka_topic_partition_list_t *make_list(const struct wh_bus_partition *parts, size_t n)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);

    for (size_t i = 0; i < n; i++) {
        rd_kafka_topic_partition_list_add(list, parts[i].topic, parts[i].partition)->offset =
            parts[i].offset;
    }
    return list;
}

static enum wh_rc translate(rd_kafka_resp_err_t code, const char *doing, struct wh_err *err)
{
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return WH_OK;
    }
    return wh_fail(err, bus_kafka_rc(code), "%s: %s", doing, rd_kafka_err2str(code));
}

static enum wh_rc kc_subscribe(struct wh_consumer *base, const char *const *topics, size_t n,
                               struct wh_err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    enum wh_rc rc;

    for (size_t i = 0; i < n; i++) {
        (void)rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
    }
    rc = translate(rd_kafka_subscribe(self(base)->rk, list), "subscribing", err);
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

/* Keeps the position of partitions that stay assigned. */
static void keep_positions(struct kafka_consumer *c, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *now = NULL;

    if (rd_kafka_assignment(c->rk, &now) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    (void)rd_kafka_position(c->rk, now);
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *old =
            rd_kafka_topic_partition_list_find(now, list->elems[i].topic, list->elems[i].partition);

        if (list->elems[i].offset != RD_KAFKA_OFFSET_STORED) {
            continue;
        }
        list->elems[i].offset = old && old->offset >= 0 ? old->offset : RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_topic_partition_list_destroy(now);
}

static enum wh_rc kc_assign(struct wh_consumer *base, const struct wh_bus_partition *parts,
                            size_t n, struct wh_err *err)
{
    struct kafka_consumer *c = self(base);
    rd_kafka_topic_partition_list_t *list = make_list(parts, n);
    enum wh_rc rc;

    keep_positions(c, list);
    rc = translate(rd_kafka_assign(c->rk, list), "assigning partitions", err);
    if (c->ends) {
        rd_kafka_topic_partition_list_destroy(c->ends);
        c->ends = rd_kafka_topic_partition_list_new((int)n);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

static int kc_fd(struct wh_consumer *base)
{
    return self(base)->fd;
}

static bool make_room(struct kafka_consumer *c, size_t max)
{
    rd_kafka_message_t **held;

    if (max <= c->cap_held) {
        return true;
    }
    held = wh_mem_resize(c->held, max, sizeof(*held));
    if (held == NULL) {
        return false;
    }
    c->held = held;
    c->cap_held = max;
    return true;
}

static void give(struct kafka_consumer *c, rd_kafka_message_t *m, struct wh_bus_msg *out)
{
    if (m->rkt != c->last_rkt) {
        c->last_rkt = m->rkt;
        c->last_name = rd_kafka_topic_name(m->rkt);
    }
    *out = (struct wh_bus_msg){
        .topic = c->last_name,
        .partition = m->partition,
        .offset = m->offset,
        .timestamp_ms = rd_kafka_message_timestamp(m, NULL),
        .key = wh_slice(m->key, m->key_len),
        .value = wh_slice(m->payload, m->len),
        .priv = m,
    };
}

static void note_end(struct kafka_consumer *c, const rd_kafka_message_t *m)
{
    const char *topic = rd_kafka_topic_name(m->rkt);
    rd_kafka_topic_partition_t *end;

    if (c->ends == NULL) {
        return;
    }
    end = rd_kafka_topic_partition_list_find(c->ends, topic, m->partition);
    if (end == NULL) {
        end = rd_kafka_topic_partition_list_add(c->ends, topic, m->partition);
    }
    end->offset = m->offset;
}

/* Handles an error event; only a fatal one ends the consumer. */
static enum wh_rc message_error(struct kafka_consumer *c, rd_kafka_message_t *m, struct wh_err *err)
{
    rd_kafka_resp_err_t code = m->err;
    enum wh_rc rc = WH_OK;

    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        rc = wh_fail(err, WH_E_FATAL_BUS, "consumer: %s", rd_kafka_message_errstr(m));
    } else if (code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
        rc = wh_fail(err, WH_E_NOT_FOUND, "consumer: the stored offset is gone: %s",
                     rd_kafka_message_errstr(m));
    } else if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        note_end(c, m);
    } else {
        bus_kafka_log_error(c->opaque.log, c->rk, code, rd_kafka_message_errstr(m));
    }
    rd_kafka_message_destroy(m);
    return rc;
}

static enum wh_rc kc_poll(struct wh_consumer *base, int timeout_ms, size_t max,
                          struct wh_bus_msg *out, size_t *ret_n, struct wh_err *err)
{
    struct kafka_consumer *c = self(base);
    uint64_t count;

    release_held(c);
    *ret_n = 0;
    max = max < HELD_MAX ? max : HELD_MAX;
    if (!make_room(c, max)) {
        return wh_fail(err, WH_E_NOMEM, "no memory for %zu messages", max);
    }
    (void)!read(c->fd, &count, sizeof(count));
    while (c->n_held < max) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(c->rk, c->n_held ? 0 : timeout_ms);

        if (m == NULL) {
            break;
        }
        if (m->err) {
            if (message_error(c, m, err) != WH_OK) {
                return err->rc;
            }
            timeout_ms = 0;
            continue;
        }
        c->held[c->n_held] = m;
        give(c, m, &out[c->n_held++]);
    }
    /* More messages may wait, and the descriptor was drained above: make it readable again. */
    if (c->n_held == max) {
        (void)!write(c->fd, &(uint64_t){1}, sizeof(uint64_t));
    }
    count_mean(c, out);
    *ret_n = c->n_held;
    return WH_OK;
}

static struct wh_slice kc_header(struct wh_consumer *base, const struct wh_bus_msg *msg,
                                 const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;

    (void)base;
    if (rd_kafka_message_headers(msg->priv, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return wh_slice(NULL, 0);
    }
    return wh_slice(value ? value : "", size);
}

static size_t kc_headers(struct wh_consumer *base, const struct wh_bus_msg *msg,
                         struct wh_bus_header out[WH_BUS_HEADERS_MAX])
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t size;
    size_t n = 0;

    (void)base;
    if (rd_kafka_message_headers(msg->priv, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0;
    }
    while (n < WH_BUS_HEADERS_MAX && rd_kafka_header_get_all(headers, n, &name, &value, &size) ==
                                         RD_KAFKA_RESP_ERR_NO_ERROR) {
        out[n++] = (struct wh_bus_header){wh_slice_str(name), wh_slice(value ? value : "", size)};
    }
    return n;
}

static enum wh_rc kc_pause(struct wh_consumer *base, const struct wh_bus_partition *parts, size_t n,
                           bool pause, struct wh_err *err)
{
    rd_kafka_topic_partition_list_t *list = make_list(parts, n);
    rd_kafka_resp_err_t code = pause ? rd_kafka_pause_partitions(self(base)->rk, list)
                                     : rd_kafka_resume_partitions(self(base)->rk, list);

    rd_kafka_topic_partition_list_destroy(list);
    return translate(code, pause ? "pausing" : "resuming", err);
}

static enum wh_rc kc_commit(struct wh_consumer *base, const struct wh_bus_partition *parts,
                            size_t n, bool wait, struct wh_err *err)
{
    rd_kafka_topic_partition_list_t *list = make_list(parts, n);
    rd_kafka_resp_err_t code = rd_kafka_commit(self(base)->rk, list, wait ? 0 : 1);

    rd_kafka_topic_partition_list_destroy(list);
    return translate(code, "committing offsets", err);
}

static enum wh_rc kc_watermarks(struct wh_consumer *base, const char *topic, int32_t partition,
                                int timeout_ms, int64_t *ret_low, int64_t *ret_high,
                                struct wh_err *err)
{
    return translate(rd_kafka_query_watermark_offsets(self(base)->rk, topic, partition, ret_low,
                                                      ret_high, timeout_ms),
                     "asking for offsets", err);
}

static int64_t kc_end(struct wh_consumer *base, const char *topic, int32_t partition)
{
    const struct kafka_consumer *c = self(base);
    const rd_kafka_topic_partition_t *end =
        c->ends ? rd_kafka_topic_partition_list_find(c->ends, topic, partition) : NULL;

    return end ? end->offset : -1;
}

static void kc_free(struct wh_consumer *base)
{
    struct kafka_consumer *c = self(base);

    atomic_store(&c->closing, true);
    release_held(c);
    rd_kafka_queue_io_event_enable(c->queue, -1, NULL, 0);
    if (c->grouped) {
        (void)rd_kafka_consumer_close(c->rk);
    }
    rd_kafka_queue_destroy(c->queue);
    rd_kafka_destroy_flags(c->rk, c->grouped ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    (void)close(c->fd);
    if (c->ends) {
        rd_kafka_topic_partition_list_destroy(c->ends);
    }
    wh_mem_free(c->held);
    wh_mem_free(c);
}

static const struct wh_consumer_ops kafka_consumer_ops = {
    .subscribe = kc_subscribe,
    .assign = kc_assign,
    .fd = kc_fd,
    .poll = kc_poll,
    .header = kc_header,
    .headers = kc_headers,
    .pause = kc_pause,
    .commit = kc_commit,
    .watermarks = kc_watermarks,
    .end = kc_end,
    .free = kc_free,
};

/* The maximum size of one compressed response; one that overflows the queue makes fetching sleep. */
static size_t answer_bytes(size_t ahead_bytes)
{
    size_t share = ahead_bytes / ANSWER_SHARE;

    if (share < RECORD_BYTES) {
        return RECORD_BYTES;
    }
    return share < ANSWER_MAX_BYTES ? share : ANSWER_MAX_BYTES;
}

static enum wh_rc make_conf(const struct wh_consumer_conf *conf, struct kafka_consumer *c,
                            rd_kafka_conf_t **ret, struct wh_err *err)
{
    char kbytes[24];
    char record[24];
    char answer[24];
    char refresh[24];
    char session[24];
    const struct bus_kafka_setting settings[] = {
        /* librdkafka requires a group even for manual assignment. */
        {"group.id", c->grouped ? conf->group : "wellhead-unused"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", c->grouped ? "earliest" : "error"},
        {"partition.assignment.strategy", "range"},
        {"fetch.wait.max.ms", "50"},
        {"fetch.min.bytes", "1"},
        {"fetch.error.backoff.ms", "100"},
        {"fetch.message.max.bytes", "2097152"},
        /* Larger records are still fetched. */
        {"message.max.bytes", record},
        {"fetch.max.bytes", answer},
        {"queued.max.messages.kbytes", kbytes},
        /* With this many queued, librdkafka pauses fetching for a second; only bytes shall limit. */
        {"queued.min.messages", "1000000"},
        {"check.crcs", "true"},
        {"topic.metadata.refresh.interval.ms", refresh},
        {"session.timeout.ms", session},
        {"max.poll.interval.ms", "600000"},
        {"allow.auto.create.topics", "false"},
        {"enable.partition.eof", conf->report_ends ? "true" : "false"},
        {"group.instance.id", conf->instance_id},
    };
    size_t n = sizeof(settings) / sizeof(settings[0]) - (conf->instance_id == NULL);
    rd_kafka_conf_t *made;

    (void)snprintf(kbytes, sizeof(kbytes), "%zu", conf->fetch_max_bytes / 1024 + 1);
    (void)snprintf(record, sizeof(record), "%d", RECORD_BYTES);
    (void)snprintf(answer, sizeof(answer), "%zu", answer_bytes(conf->fetch_max_bytes));
    (void)snprintf(refresh, sizeof(refresh), "%" PRId64, conf->metadata_refresh_ms);
    (void)snprintf(session, sizeof(session), "%" PRId64, conf->session_timeout_ms);
    if (bus_kafka_conf(RD_KAFKA_CONSUMER, conf->bootstrap, conf->client_id, settings, n,
                       conf->extra, &c->opaque, &made, err) != WH_OK) {
        return err->rc;
    }
    rd_kafka_conf_set_rebalance_cb(made, on_rebalance);
    (void)rd_kafka_conf_interceptor_add_on_new(made, "wellhead", on_new, c);
    *ret = made;
    return WH_OK;
}

enum wh_rc wh_consumer_kafka_new(const struct wh_consumer_conf *conf, struct wh_consumer **ret,
                                 struct wh_err *err)
{
    static const uint64_t one = 1;
    struct kafka_consumer *c = wh_mem_zalloc(1, sizeof(*c));
    rd_kafka_conf_t *made = NULL;

    if (c == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a consumer");
    }
    c->base.ops = &kafka_consumer_ops;
    c->opaque = (struct bus_kafka_opaque){.log = conf->log, .self = c};
    c->grouped = conf->group != NULL && conf->group[0] != '\0';
    c->rebalance = conf->rebalance;
    c->ahead_max = conf->fetch_max_bytes / 2;
    c->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (c->fd < 0) {
        wh_mem_free(c);
        return wh_fail(err, WH_E_INTERNAL, "no descriptor for a consumer");
    }
    if (make_conf(conf, c, &made, err) != WH_OK ||
        bus_kafka_new(RD_KAFKA_CONSUMER, made, &c->rk, err) != WH_OK) {
        (void)close(c->fd);
        wh_mem_free(c);
        return err->rc;
    }
    (void)rd_kafka_poll_set_consumer(c->rk);
    c->queue = rd_kafka_queue_get_consumer(c->rk);
    rd_kafka_queue_io_event_enable(c->queue, c->fd, &one, sizeof(one));
    if (conf->report_ends) {
        c->ends = rd_kafka_topic_partition_list_new(1);
    }
    *ret = &c->base;
    return WH_OK;
}
