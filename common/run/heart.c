#include "common/run/heart.h"

#include <stdio.h>

#include "common/base/build_version.h"
#include "common/base/mem.h"
#include "common/event/messages.h"
#include "common/event/topics.h"

enum { RECORD_MAX_BYTES = 64 << 10, KEY_MAX_BYTES = 256, FLUSH_MS = 1000, RETRY_MS = 100 };

struct wh_heart {
    struct wh_bus_ack ack;
    struct wh_heart_conf conf;
    char topic[WH_TOPIC_MAX];
    char key[KEY_MAX_BYTES];
    int64_t started_ms;
    struct wh_producer *producer; /* NULL after a fatal error of the bus */
    struct wh_watch *watch;
    struct wh_timer *timer;
    bool heard;  /* Kafka has taken a heartbeat */
    bool failed; /* the last one was not sent */
};

static void failed(struct wh_heart *heart, const char *why)
{
    if (!heart->failed) {
        wh_log_warn(heart->conf.log, "heartbeats do not reach Kafka", WH_STR("err", why));
    }
    heart->failed = true;
}

static void on_ack(struct wh_bus_ack *ack, const struct wh_bus_delivery *delivery)
{
    struct wh_heart *heart = (struct wh_heart *)ack;

    if (delivery->rc == WH_OK) {
        heart->heard = true;
        heart->failed = false;
    } else {
        failed(heart, delivery->reason ? delivery->reason : wh_rc_name(delivery->rc));
    }
}

static void on_producer(void *ctx, int fd, unsigned events)
{
    struct wh_heart *heart = ctx;

    (void)fd;
    (void)events;
    if (heart->producer) {
        (void)wh_producer_poll(heart->producer, 0);
    }
}

static void drop_producer(struct wh_heart *heart)
{
    wh_watch_free(heart->watch);
    wh_producer_free(heart->producer);
    heart->watch = NULL;
    heart->producer = NULL;
}

static enum wh_rc need_producer(struct wh_heart *heart, struct wh_err *err)
{
    if (heart->producer) {
        return WH_OK;
    }
    if (heart->conf.make_producer(heart->conf.ctx, &heart->producer, err) != WH_OK) {
        heart->producer = NULL;
        return err->rc;
    }
    heart->watch = wh_watch_new(heart->conf.loop, wh_producer_fd(heart->producer), WH_READABLE,
                                on_producer, heart);
    return heart->watch ? WH_OK : wh_fail(err, WH_E_NOMEM, "no memory for heartbeats");
}

static enum wh_rc encode(struct wh_heart *heart, bool stopped, struct wh_buf *out,
                         struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf json;
    struct wh_heartbeat beat = {.ready = true};
    struct wh_document document = {.connection = WH_LIT(""), .key = wh_slice_str(heart->key)};

    wh_buf_init(&json, RECORD_MAX_BYTES);
    heart->conf.describe(heart->conf.ctx, &beat);
    beat.stage = wh_slice_str(heart->conf.stage);
    beat.process = wh_slice_str(heart->conf.process);
    beat.version = wh_slice_str(wh_build_version());
    beat.at_ms = wh_clock_now_ms(&heart->conf.clock);
    beat.started_ms = heart->started_ms;
    beat.stopped = stopped;
    if (wh_heartbeat_write(&beat, &json, err) != WH_OK) {
        return err->rc;
    }
    document.at_ms = beat.at_ms;
    document.document = wh_buf_slice(&json);
    return wh_document_encode(WH_DOCUMENT_HEALTH, &document, out, err);
}

static enum wh_rc send(struct wh_heart *heart, bool stopped, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf value;

    wh_buf_init(&value, RECORD_MAX_BYTES);
    if (encode(heart, stopped, &value, err) != WH_OK || need_producer(heart, err) != WH_OK) {
        return err->rc;
    }
    if (heart->producer == NULL) {
        return wh_fail(err, WH_E_INTERNAL, "no producer for heartbeats");
    }
    return wh_producer_produce(heart->producer,
                               &(struct wh_bus_record){.topic = heart->topic,
                                                       .partition = -1,
                                                       .key = wh_slice_str(heart->key),
                                                       .value = wh_buf_slice(&value),
                                                       .ack = &heart->ack},
                               err);
}

static void on_timer(void *ctx)
{
    struct wh_heart *heart = ctx;
    struct wh_err err;

    if (send(heart, false, &err) != WH_OK) {
        failed(heart, err.msg);
        if (err.rc == WH_E_FATAL_BUS) {
            drop_producer(heart);
            wh_timer_start(heart->timer, RETRY_MS, WH_HEARTBEAT_MS);
        }
    }
}

enum wh_rc wh_heart_new(const struct wh_heart_conf *conf, struct wh_heart **ret, struct wh_err *err)
{
    struct wh_heart *heart = wh_mem_zalloc(1, sizeof(*heart));

    if (heart == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for heartbeats");
    }
    heart->ack.fn = on_ack;
    heart->conf = *conf;
    heart->started_ms = wh_clock_now_ms(&conf->clock);
    (void)snprintf(heart->key, sizeof(heart->key), WH_HEARTBEAT_OWNER ":%.32s:%.160s", conf->stage,
                   conf->process);
    heart->timer = wh_timer_new(conf->loop, on_timer, heart);
    if (heart->timer == NULL) {
        (void)wh_fail(err, WH_E_NOMEM, "no memory for heartbeats");
    } else if (wh_topic_name(conf->topic_prefix, WH_TOPIC_HEALTH, WH_LIT(""), heart->topic, err) ==
                   WH_OK &&
               need_producer(heart, err) == WH_OK) {
        wh_timer_start(heart->timer, 0, WH_HEARTBEAT_MS);
        *ret = heart;
        return WH_OK;
    }
    wh_heart_free(heart);
    return err->rc;
}

void wh_heart_stop(struct wh_heart *heart)
{
    struct wh_err err;

    wh_timer_stop(heart->timer);
    if (heart->heard && heart->producer && send(heart, true, &err) == WH_OK) {
        (void)!wh_producer_flush(heart->producer, FLUSH_MS, &err);
    }
}

void wh_heart_free(struct wh_heart *heart)
{
    if (heart) {
        drop_producer(heart);
        wh_timer_free(heart->timer);
        wh_mem_free(heart);
    }
}
