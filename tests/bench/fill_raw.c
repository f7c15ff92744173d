/*
 * fill_raw BOOTSTRAP TOPIC CONNECTION COUNT OBJECTS [TEXT|mixed] - COUNT webhooks about OBJECTS
 * merge requests with descriptions of at most TEXT bytes, or of the mixed corpus, as raw events into
 * a topic, as fast as Kafka takes them. Prints "<records> <bytes>".
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/bus/bus.h"
#include "common/event/raw_event.h"
#include "tests/bench/bench.h"

struct counts {
    struct wh_bus_ack ack; /* first: each record carries it */
    uint64_t acknowledged;
    uint64_t failed;
};

static void on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct counts *c = (struct counts *)ack;

    c->acknowledged += d->rc == WH_OK;
    c->failed += d->rc != WH_OK;
}

int main(int argc, char **argv)
{
    struct counts counts = {.ack = {.fn = on_record}};
    struct wh_producer_conf conf;
    struct wh_producer *producer;
    struct wh_err err;
    struct wh_buf record;
    struct wh_buf key;
    static char body[BENCH_BODY_MAX];
    bool usable = argc == 6 || argc == 7;
    uint64_t count = usable ? strtoull(argv[4], NULL, 10) : 0;
    uint64_t objects = usable ? strtoull(argv[5], NULL, 10) : 0;
    bool mixed = argc == 7 && strcmp(argv[6], "mixed") == 0;
    size_t text_max = argc == 7 && !mixed ? strtoull(argv[6], NULL, 10) : BENCH_TEXT_USUAL;
    uint64_t bytes = 0;

    if (count == 0 || objects == 0 || text_max > BENCH_TEXT_MAX) {
        (void)fprintf(stderr,
                      "usage: fill_raw BOOTSTRAP TOPIC CONNECTION COUNT OBJECTS [TEXT|mixed]\n");
        return 2;
    }
    wh_producer_conf_init(&conf);
    conf.bootstrap = argv[1];
    conf.profile = WH_BUS_BULK;
    if (wh_producer_kafka_new(&conf, &producer, &err) != WH_OK) {
        (void)fprintf(stderr, "fill_raw: %s\n", err.msg);
        return 1;
    }
    wh_buf_init(&record, 64 << 10);
    wh_buf_init(&key, 256);
    for (uint64_t i = 0; i < count; i++) {
        struct bench_event event = {"merge_request", i % objects + 1};
        size_t len = mixed ? bench_mixed(body, i, objects, &event)
                           : bench_body(body, event.id, i / objects, text_max);
        char id_text[24];
        int n = snprintf(id_text, sizeof(id_text), "%" PRIu64, event.id);
        struct wh_raw_event e = {
            .connection = wh_slice_str(argv[3]),
            .instance = WH_LIT("https://gitlab.example.com"),
            .origin = WH_ORIGIN_WEBHOOK,
            .kind = wh_slice_str(event.kind),
            .project = WH_LIT("7"),
            .object_id = wh_slice(id_text, n > 0 ? (size_t)n : 0),
            .observed_at_ms = 1764000000000 + (int64_t)i,
            .delivery_id = wh_slice(id_text, n > 0 ? (size_t)n : 0),
            .payload = wh_slice(body, len),
        };
        struct wh_bus_record r = {.topic = argv[2], .partition = -1, .ack = &counts.ack};

        wh_buf_reset(&record);
        wh_buf_reset(&key);
        if (wh_raw_event_encode(&e, &record, &err) != WH_OK ||
            wh_raw_event_key(&e, &key, &err) != WH_OK) {
            (void)fprintf(stderr, "fill_raw: %s\n", err.msg);
            return 1;
        }
        r.key = wh_buf_slice(&key);
        r.value = wh_buf_slice(&record);
        bytes += e.payload.len;
        while (wh_producer_produce(producer, &r, &err) == WH_E_BUSY) {
            (void)wh_producer_poll(producer, 10);
        }
        if (i % 256 == 0) {
            (void)wh_producer_poll(producer, 0);
        }
    }
    if (wh_producer_flush(producer, 120000, &err) != WH_OK || counts.failed) {
        (void)fprintf(stderr, "fill_raw: %" PRIu64 " records failed\n", counts.failed);
        return 1;
    }
    (void)printf("%" PRIu64 " %" PRIu64 "\n", counts.acknowledged, bytes);
    wh_buf_done(&record);
    wh_buf_done(&key);
    wh_producer_free(producer);
    return 0;
}
