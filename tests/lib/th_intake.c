#include "tests/lib/th_intake.h"

#include <string.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/event/connection.h"
#include "common/event/messages.h"
#include "common/event/seal.h"
#include "tests/lib/th_cmocka.h"

enum { DOCUMENT_MAX = 64 << 10, TURNS = 100000 };

static int64_t now_ms(void *ctx)
{
    return ((struct th_intake *)ctx)->now_ms;
}

static int64_t mono_ns(void *ctx)
{
    return ((struct th_intake *)ctx)->mono_ns;
}

static void on_fatal(void *ctx, const struct wh_err *err)
{
    (void)fprintf(stderr, "fatal: %s\n", err->msg);
    ((struct th_intake *)ctx)->fatals++;
}

static enum wh_rc make_producer(void *ctx, struct wh_producer **ret, struct wh_err *err)
{
    struct th_intake *t = ctx;
    struct wh_producer_conf conf;

    wh_producer_conf_init(&conf);
    conf.queue_max_records = t->queue_max_records;
    conf.queue_max_bytes = 64 << 20;
    if (t->refuse_producers) {
        t->refuse_producers--;
        return wh_fail(err, WH_E_UNAVAILABLE, "no producer");
    }
    t->producers++;
    return wh_bus_mem_producer(t->bus, &conf, ret, err);
}

void th_intake_record(struct th_intake *t, const char *key, struct wh_slice value)
{
    const struct wh_bus_record record = {
        .topic = "wellhead.connections", .partition = -1, .key = wh_slice_str(key), .value = value};
    struct wh_err err;

    th_ok(wh_producer_produce(t->writer, &record, &err), &err);
    (void)wh_producer_poll(t->writer, 0);
}

static struct wh_slice seal(struct th_intake *t, const char *id, const char *purpose,
                            const char *secret, struct wh_buf *out)
{
    const struct wh_seal_place place = {.connection = wh_slice_str(id),
                                        .purpose = purpose,
                                        .address = WH_LIT("https://gitlab.example")};
    struct wh_err err;

    wh_buf_init(out, DOCUMENT_MAX);
    if (secret) {
        th_ok(wh_secret_seal(&t->keys, &place, wh_slice_str(secret), out, &err), &err);
    }
    return wh_buf_slice(out);
}

void th_intake_connection(struct th_intake *t, const char *id, const char *state,
                          const char *signing_key, const char *token)
{
    WH_AUTO(buf) struct wh_buf key;
    WH_AUTO(buf) struct wh_buf tok;
    WH_AUTO(buf) struct wh_buf json;
    WH_AUTO(buf) struct wh_buf bytes;
    struct wh_connection c = {.id = wh_slice_str(id),
                              .instance = WH_LIT("https://gitlab.example"),
                              .state = wh_slice_str(state)};
    struct wh_document doc = {.connection = c.id, .key = c.id, .at_ms = t->now_ms};
    struct wh_err err;

    wh_buf_init(&json, DOCUMENT_MAX);
    wh_buf_init(&bytes, DOCUMENT_MAX);
    c.webhook_key_sealed = seal(t, id, "webhook_key", signing_key, &key);
    c.webhook_token_sealed = seal(t, id, "webhook_token", token, &tok);
    if (state == NULL) {
        th_intake_record(t, id, wh_slice(NULL, 0));
        return;
    }
    th_ok(wh_connection_write(&c, &json, &err), &err);
    doc.document = wh_buf_slice(&json);
    th_ok(wh_document_encode(WH_DOCUMENT_CONNECTION, &doc, &bytes, &err), &err);
    th_intake_record(t, id, wh_buf_slice(&bytes));
}

void th_intake_init(struct th_intake *t)
{
    unsigned char key[WH_AEAD_KEY_BYTES];
    struct wh_producer_conf producer;
    struct wh_consumer_conf consumer;
    struct wh_err err;

    *t = (struct th_intake){.now_ms = TH_INTAKE_NOW_MS, .queue_max_records = 100000};
    memset(key, 7, sizeof(key));
    wh_keyring_of(&t->keys, key, false, &err);
    t->bus = wh_bus_mem_new();
    t->loop = wh_loop_new();
    t->metrics = wh_metrics_new("test");
    assert_true(t->bus && t->loop && t->metrics);
    th_ok(wh_bus_mem_topic(t->bus, "wellhead.connections", 3, &err), &err);
    th_ok(wh_bus_mem_topic(t->bus, "wellhead.raw.c1", 4, &err), &err);
    wh_producer_conf_init(&producer);
    th_ok(wh_bus_mem_producer(t->bus, &producer, &t->writer, &err), &err);
    wh_consumer_conf_init(&consumer);
    th_ok(wh_bus_mem_consumer(t->bus, &consumer, &t->consumer, &err), &err);
    th_ok(wh_bus_mem_admin(t->bus, &t->admin, &err), &err);
    th_intake_connection(t, "c1", "enabled", TH_INTAKE_KEY, TH_INTAKE_TOKEN);
}

void th_intake_turns(struct th_intake *t, int n)
{
    for (int i = 0; i < n; i++) {
        wh_loop_turn(t->loop, false);
    }
}

void th_intake_start(struct th_intake *t, const struct intake_conf *conf, bool settle)
{
    const struct intake_deps deps = {
        .make_producer = make_producer,
        .on_fatal = on_fatal,
        .ctx = t,
        .consumer = t->consumer,
        .admin = t->admin,
        .loop = t->loop,
        .clock = {.now_ms = now_ms, .mono_ns = mono_ns, .ctx = t},
        .metrics = t->metrics,
        .keys = &t->keys,
    };
    struct intake_conf defaults;
    struct wh_err err;

    intake_conf_init(&defaults);
    th_ok(intake_new(&deps, conf ? conf : &defaults, &t->intake, &err), &err);
    t->handler = intake_handler(t->intake);
    for (int i = 0; settle && intake_not_ready(t->intake); i++) {
        assert_true(i < TURNS && t->fatals == 0);
        wh_loop_turn(t->loop, true); /* a pool thread asks for the topic */
    }
}

void th_intake_done(struct th_intake *t)
{
    intake_free(t->intake);
    wh_producer_free(t->writer);
    wh_consumer_free(t->consumer);
    wh_admin_free(t->admin);
    wh_metrics_free(t->metrics);
    wh_loop_free(t->loop);
    wh_bus_mem_free(t->bus);
}

void th_intake_sign(const char *id, const char *timestamp, struct wh_slice body, char ret[64])
{
    const struct wh_slice parts[] = {wh_slice_str(id), WH_LIT("."), wh_slice_str(timestamp),
                                     WH_LIT("."), body};
    unsigned char key[32];
    unsigned char mac[WH_SHA256_BYTES];
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;

    for (unsigned i = 0; i < sizeof(key); i++) {
        key[i] = (unsigned char)(i + 1);
    }
    wh_buf_init(&text, 64);
    th_ok(wh_hmac_sha256(wh_slice(key, sizeof(key)), parts, 5, mac, &err), &err);
    th_ok(wh_base64_encode(wh_slice(mac, sizeof(mac)), &text, &err), &err);
    (void)snprintf(ret, 64, "v1,%s", wh_buf_str(&text));
}
