/* A verified delivery into Kafka, and the producer's life. */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/event/messages.h"
#include "common/event/raw_event.h"
#include "stages/webhook-intake/intake_priv.h"
#include "stages/webhook-intake/key.h"

enum {
    HEADER_VALUE_MAX = 512,
    EVENT_OVERHEAD = 16 << 10,
    RETRY_AFTER_S = 5,
    PROBE_NS = 1000000000,
    REBUILD_RETRY_MS = 1000,
    WARM_ONE_MS = 1000,
    WARM_AGAIN_MS = 100, /* deliveries wait meanwhile */
    NS_PER_MS = 1000000,
    TRACEPARENT_LEN = 55,
    MS_PER_S = 1000,
    HEALTH_MAX_BYTES = 256 << 10,
};

static const struct intake_refusal busy = {503, INTAKE_BUSY, "too much is waiting; try again", 1};
static const struct intake_refusal failed = {503, INTAKE_FAILED, "not stored; try again",
                                             RETRY_AFTER_S};
static const struct intake_refusal too_large = {413, INTAKE_TOO_LARGE,
                                                "larger than the broker takes", 0};

/* ---- wrapping ---- */

static const char *const kept_headers[] = {
    "x-gitlab-event",    "x-gitlab-event-uuid", "x-gitlab-webhook-uuid",
    "x-gitlab-instance", "idempotency-key",     "webhook-id",
    "webhook-timestamp", "user-agent",          "traceparent",
};

enum { KEPT_HEADERS = sizeof(kept_headers) / sizeof(kept_headers[0]) };

static size_t collect_headers(const struct wh_http_req *req, struct wh_raw_header out[KEPT_HEADERS])
{
    size_t n = 0;

    for (size_t i = 0; i < KEPT_HEADERS; i++) {
        struct wh_slice value = wh_http_header(req, kept_headers[i]);

        if (value.ptr && value.len <= HEADER_VALUE_MAX && wh_utf8_valid(value)) {
            out[n++] = (struct wh_raw_header){wh_slice_str(kept_headers[i]), value};
        }
    }
    return n;
}

/* version "-" trace id "-" parent id "-" flags, lower-case hex (W3C Trace Context). */
static bool traceparent_like(struct wh_slice text)
{
    if (text.len != TRACEPARENT_LEN) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool dash = i == 2 || i == 35 || i == 52;

        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

static enum wh_rc encode(const struct wh_raw_event *event, struct wh_buf *out, struct wh_err *err)
{
    size_t room = event->payload.len + EVENT_OVERHEAD;

    wh_buf_init(out, room);
    /* At once what it will about take, so that it does not grow step by step. */
    if (wh_buf_reserve(out, event->payload.len + 1024, err) != WH_OK) {
        return err->rc;
    }
    return wh_raw_event_encode(event, out, err);
}

/* The value's memory goes to the producer, or is freed here. */
static enum wh_rc produce(struct delivery *d, const struct wh_raw_event *event, struct wh_err *err)
{
    struct intake *intake = d->intake;
    struct wh_slice trace = wh_http_header(d->req, "traceparent");
    char type[96];
    char time[WH_TIME_TEXT_MAX];
    int n = snprintf(type, sizeof(type), "com.gitlab.%.*s", WH_SLICE_ARG(event->kind));
    const struct wh_bus_header headers[] = {
        {WH_LIT("ce_specversion"), WH_LIT("1.0")},
        {WH_LIT("ce_id"), event->delivery_id},
        {WH_LIT("ce_source"), event->instance},
        {WH_LIT("ce_type"), wh_slice(type, n > 0 ? (size_t)n : 0)},
        {WH_LIT("ce_time"), wh_slice_str(wh_time_format(event->observed_at_ms, time))},
        {WH_LIT("traceparent"), trace}, /* last: left out when it is not there */
    };
    WH_AUTO(buf) struct wh_buf value = {0};
    enum wh_rc rc;

    wh_buf_reset(&intake->key);
    if (encode(event, &value, err) != WH_OK ||
        wh_raw_event_key(event, &intake->key, err) != WH_OK) {
        return err->rc;
    }
    rc = wh_producer_produce(
        intake->producer,
        &(struct wh_bus_record){.topic = d->connection->raw_topic,
                                .partition = -1,
                                .key = wh_buf_slice(&intake->key),
                                .value = wh_buf_slice(&value),
                                .take_value = true,
                                .headers = headers,
                                .n_headers = sizeof(headers) / sizeof(headers[0]) -
                                             (traceparent_like(trace) ? 0 : 1),
                                .timestamp_ms = event->observed_at_ms,
                                .ack = &d->ack},
        err);
    if (rc == WH_OK) {
        size_t len;

        (void)wh_buf_take(&value, &len);
    }
    return rc;
}

static enum wh_rc wrap(struct delivery *d, struct wh_slice body, struct wh_err *err)
{
    struct intake *intake = d->intake;
    struct wh_raw_header headers[KEPT_HEADERS];
    struct intake_delivery_id id;
    struct intake_key key;
    struct wh_raw_event event;

    if (intake->producer == NULL || intake->producer_lost) {
        return wh_fail(err, WH_E_UNAVAILABLE, "no producer now");
    }
    intake_key_read(intake->parser, body, &key);
    intake_delivery_id(wh_http_header(d->req, "webhook-id"),
                       wh_http_header(d->req, "idempotency-key"),
                       wh_http_header(d->req, "x-gitlab-event"), body, &id);
    if (key.project.len < sizeof(d->project) && key.project.len > 0) {
        memcpy(d->project, key.project.ptr, key.project.len);
        d->project[key.project.len] = '\0';
    }
    event = (struct wh_raw_event){
        .connection = wh_slice_str(d->connection->id),
        .instance = wh_buf_slice(&d->connection->instance),
        .origin = WH_ORIGIN_WEBHOOK,
        .kind = key.kind,
        .project = key.project,
        .object_id = key.object_id,
        .observed_at_ms = wh_clock_now_ms(&intake->deps.clock),
        .delivery_id = id.text,
        .headers = headers,
        .n_headers = collect_headers(d->req, headers),
        .payload = body,
    };
    return produce(d, &event, err);
}

static void lose_producer(struct intake *intake)
{
    if (!intake->producer_lost) {
        intake->producer_lost = true;
        /* Not here: we may be inside its poll. */
        wh_timer_start(intake->rebuild, 0, 0);
    }
}

void intake_deliver(struct delivery *d, struct wh_slice body)
{
    struct wh_err err;
    enum wh_rc rc = wrap(d, body, &err);

    if (rc == WH_OK) {
        d->pending = true;
        return;
    }
    wh_log_warn(d->intake->deps.log, "a delivery could not be produced",
                WH_STR("connection", d->connection->id), WH_RC(&err));
    if (rc == WH_E_FATAL_BUS) {
        lose_producer(d->intake);
    }
    intake_refuse(d, rc == WH_E_BUSY ? &busy : rc == WH_E_TOO_LARGE ? &too_large : &failed);
}

/* ---- acknowledgements ---- */

static void note_failure(struct delivery *d, const struct wh_bus_delivery *delivery)
{
    struct intake_connection *c = d->connection;

    wh_log_error(d->intake->deps.log, "a delivery was not acknowledged",
                 WH_STR("connection", c->id), WH_STR("rc", wh_rc_name(delivery->rc)),
                 WH_STR("reason", delivery->reason ? delivery->reason : ""));
    if (delivery->rc == WH_E_TOO_LARGE) {
        intake_refuse(d, &too_large);
        return;
    }
    if (delivery->rc == WH_E_FATAL_BUS) {
        lose_producer(d->intake);
    } else if (!c->away) {
        /* From now on one request a second tries, the others hear at once that it is no use. */
        c->away = true;
        c->probe_ns = wh_clock_mono_ns(&d->intake->deps.clock) + PROBE_NS;
    }
    intake_refuse(d, &failed);
}

void intake_on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *delivery)
{
    struct delivery *d = (struct delivery *)ack;
    struct intake *intake = d->intake;

    d->pending = false;
    if (delivery->rc == WH_OK) {
        struct intake_connection *c = d->connection;

        c->away = false;
        if (c->last_delivery == NULL) {
            c->last_delivery = intake_tally_last(&intake->tally, c->id);
        }
        wh_gauge_set(c->last_delivery, (double)wh_clock_now_ms(&intake->deps.clock) / MS_PER_S);
        intake_health_ok(&c->health, d->project, d->event, wh_clock_now_ms(&intake->deps.clock));
        intake_accept(d);
    } else {
        note_failure(d, delivery);
    }
    intake_settle(d);
}

/* ---- health ---- */

static enum wh_rc tell_one(struct intake *intake, struct intake_connection *c, struct wh_err *err)
{
    char key[WH_CONNECTION_ID_MAX + 160];
    int n = snprintf(key, sizeof(key), "%s:webhooks:%.128s", c->id, intake->conf.name);
    int64_t now_ms = wh_clock_now_ms(&intake->deps.clock);
    WH_AUTO(buf) struct wh_buf json;
    WH_AUTO(buf) struct wh_buf value;
    struct wh_document doc = {.connection = wh_slice_str(c->id),
                              .key = wh_slice(key, n > 0 ? (size_t)n : 0),
                              .at_ms = now_ms};

    wh_buf_init(&json, HEALTH_MAX_BYTES);
    wh_buf_init(&value, HEALTH_MAX_BYTES);
    if (intake_health_write(&c->health, doc.connection, wh_slice_str(intake->conf.name), now_ms,
                            &json, err) != WH_OK) {
        return err->rc;
    }
    doc.document = wh_buf_slice(&json);
    if (wh_document_encode(WH_DOCUMENT_HEALTH, &doc, &value, err) != WH_OK) {
        return err->rc;
    }
    return wh_producer_produce(intake->producer,
                               &(struct wh_bus_record){.topic = intake->health_topic,
                                                       .partition = -1,
                                                       .key = doc.key,
                                                       .value = wh_buf_slice(&value)},
                               err);
}

void intake_tell_health(void *ctx)
{
    struct intake *intake = ctx;
    struct wh_err err;

    for (size_t i = 0; i < intake->connections.n; i++) {
        struct intake_connection *c = intake->connections.items[i];

        if (!c->health.dirty || intake->producer == NULL || intake->producer_lost) {
            continue;
        }
        if (tell_one(intake, c, &err) != WH_OK) {
            wh_log_debug(intake->deps.log, "the health of webhooks is not told", WH_RC(&err));
        }
    }
}

/* ---- the producer ---- */

static void on_producer(void *ctx, int fd, unsigned events)
{
    struct intake *intake = ctx;

    (void)fd;
    (void)events;
    (void)wh_producer_poll(intake->producer, 0);
}

enum wh_rc intake_producer_start(struct intake *intake, struct wh_err *err)
{
    struct wh_producer *made = NULL;

    if (intake->deps.make_producer(intake->deps.ctx, &made, err) != WH_OK) {
        return err->rc;
    }
    intake->watch =
        wh_watch_new(intake->deps.loop, wh_producer_fd(made), WH_READABLE, on_producer, intake);
    if (intake->watch == NULL) {
        wh_producer_free(made);
        return wh_fail(err, WH_E_NOMEM, "no memory to watch the producer");
    }
    intake->producer = made;
    intake->producer_lost = false;
    return WH_OK;
}

void intake_producer_stop(struct intake *intake)
{
    if (intake->watch) {
        wh_watch_free(intake->watch);
        intake->watch = NULL;
    }
    wh_producer_free(intake->producer);
    intake->producer = NULL;
}

/* What was in the old producer may or may not be stored: the sender hears "not stored". */
static void give_up_pending(struct intake *intake)
{
    struct delivery *next;

    for (struct delivery *d = intake->active; d; d = next) {
        next = d->next;
        if (d->pending) {
            d->pending = false;
            intake_refuse(d, &failed);
            intake_settle(d);
        }
    }
}

/* A new producer has met nobody. */
static void forget_warmth(struct intake *intake)
{
    for (size_t i = 0; i < intake->connections.n; i++) {
        intake->connections.items[i]->warmed = false;
    }
    wh_timer_start(intake->warm, 0, 0);
}

void intake_rebuild(void *ctx)
{
    struct intake *intake = ctx;
    struct wh_err err;

    if (intake->producer) {
        wh_counter_add(intake->tally.rebuilds, 1);
        wh_log_error(intake->deps.log, "the Kafka producer is lost; making a new one",
                     WH_I("pending", wh_producer_pending(intake->producer)));
        (void)wh_producer_poll(intake->producer, 0);
        intake_producer_stop(intake);
        give_up_pending(intake);
    }
    if (intake_producer_start(intake, &err) != WH_OK) {
        wh_log_error(intake->deps.log, "no new Kafka producer; trying again", WH_RC(&err));
        wh_timer_start(intake->rebuild, REBUILD_RETRY_MS, 0);
        return;
    }
    forget_warmth(intake);
}

static bool warm_one(struct intake *intake, struct intake_connection *c, int64_t left_ms)
{
    struct wh_err err;

    if (left_ms <= 0 || intake->producer == NULL) {
        return false;
    }
    if (wh_producer_warm(intake->producer, c->raw_topic,
                         (int)(left_ms < WARM_ONE_MS ? left_ms : WARM_ONE_MS), &err) != WH_OK) {
        wh_log_warn(intake->deps.log, "no metadata of a topic yet", WH_STR("connection", c->id),
                    WH_RC(&err));
        return false;
    }
    return true;
}

void intake_warm(struct intake *intake, int64_t budget_ms)
{
    int64_t until_ns = wh_clock_mono_ns(&intake->deps.clock) + budget_ms * NS_PER_MS;
    bool all = true;

    for (size_t i = 0; i < intake->connections.n; i++) {
        struct intake_connection *c = intake->connections.items[i];

        if (!c->warmed && !c->disabled) {
            c->warmed =
                warm_one(intake, c, (until_ns - wh_clock_mono_ns(&intake->deps.clock)) / NS_PER_MS);
            all &= c->warmed;
        }
    }
    if (!all) {
        wh_timer_start(intake->warm, intake->conf.warm_again_ms, 0);
    }
}

void intake_warm_again(void *ctx)
{
    intake_warm(ctx, WARM_AGAIN_MS);
}
