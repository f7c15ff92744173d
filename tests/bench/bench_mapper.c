/*
 * bench_mapper EVENTS [mixed] - what an event costs the thread that maps, without Kafka: webhooks about
 * EVENTS/4 merge requests from memory, through the stage's core, to a producer that drops them.
 *
 *   valgrind --tool=callgrind bench-mapper 20000
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/event/raw_event.h"
#include "stages/mapper/mapper.h"
#include "tests/bench/bench.h"

#define TOPIC "wellhead.raw.b"

enum { BATCH_MAX = 256, RECORD_MAX = 1 << 16 };

/* ---- a producer that acknowledges all at the next poll ---- */

struct sink {
    struct wh_producer base;
    struct wh_bus_ack *waiting[1 << 16];
    size_t n;
    uint64_t records;
    uint64_t bytes;
    uint64_t hash; /* of all keys and values: the same over builds that make the same records */
};

static enum wh_rc sink_produce(struct wh_producer *p, const struct wh_bus_record *r,
                               struct wh_err *err)
{
    struct sink *s = (struct sink *)p;

    if (s->n == sizeof(s->waiting) / sizeof(s->waiting[0])) {
        return wh_fail(err, WH_E_BUSY, "full");
    }
    s->waiting[s->n++] = r->ack;
    s->records++;
    s->bytes += r->value.len;
    s->hash = s->hash * 31 + (wh_hash64(r->key) ^ wh_hash64(r->value));
    return WH_OK;
}

static size_t sink_poll(struct wh_producer *p, int timeout_ms)
{
    struct sink *s = (struct sink *)p;
    size_t n = s->n;

    (void)timeout_ms;
    for (size_t i = 0; i < n; i++) {
        s->waiting[i]->fn(s->waiting[i], &(struct wh_bus_delivery){.rc = WH_OK});
    }
    s->n = 0;
    return n;
}

static const struct wh_producer_ops sink_ops = {.produce = sink_produce, .poll = sink_poll};

/* ---- a consumer that reads from memory ---- */

struct source {
    struct wh_consumer base;
    struct wh_slice *records;
    size_t n;
    size_t at;
};

static enum wh_rc source_subscribe(struct wh_consumer *c, const char *const *topics, size_t n,
                                   struct wh_err *err)
{
    (void)c, (void)topics, (void)n, (void)err;
    return WH_OK;
}

static enum wh_rc source_poll(struct wh_consumer *c, int timeout_ms, size_t max,
                              struct wh_bus_msg *out, size_t *ret_n, struct wh_err *err)
{
    struct source *s = (struct source *)c;
    size_t n = 0;

    (void)timeout_ms, (void)err;
    for (; n < max && n < BATCH_MAX && s->at < s->n; n++, s->at++) {
        out[n] = (struct wh_bus_msg){
            .topic = TOPIC, .offset = (int64_t)s->at, .value = s->records[s->at]};
    }
    *ret_n = n;
    return WH_OK;
}

static struct wh_slice source_header(struct wh_consumer *c, const struct wh_bus_msg *msg,
                                     const char *name)
{
    (void)c, (void)msg, (void)name;
    return wh_slice(NULL, 0);
}

static const struct wh_consumer_ops source_ops = {
    .subscribe = source_subscribe, .poll = source_poll, .header = source_header};

/* ---- the run ---- */

static void need(enum wh_rc rc, const struct wh_err *err)
{
    if (rc != WH_OK) {
        (void)fprintf(stderr, "bench_mapper: %s\n", err->msg);
        exit(1);
    }
}

static struct wh_slice make_record(uint64_t i, size_t objects, bool mixed, struct wh_buf *scratch)
{
    static char body[BENCH_BODY_MAX];
    struct bench_event event = {"merge_request", i % objects + 1};
    size_t len = mixed ? bench_mixed(body, i, objects, &event)
                       : bench_body(body, event.id, i / objects, BENCH_TEXT_USUAL);
    char id_text[24];
    int n = snprintf(id_text, sizeof(id_text), "%" PRIu64, event.id);
    struct wh_raw_event e = {
        .connection = WH_LIT("b"),
        .instance = WH_LIT("https://gitlab.example.com"),
        .origin = WH_ORIGIN_WEBHOOK,
        .kind = wh_slice_str(event.kind),
        .project = WH_LIT("7"),
        .object_id = wh_slice(id_text, n > 0 ? (size_t)n : 0),
        .observed_at_ms = 1764000000000 + (int64_t)i,
        .delivery_id = wh_slice(id_text, n > 0 ? (size_t)n : 0),
        .payload = wh_slice(body, len),
    };
    struct wh_err err;

    wh_buf_reset(scratch);
    need(wh_raw_event_encode(&e, scratch, &err), &err);
    return wh_slice(wh_mem_dup(scratch->ptr, scratch->len), scratch->len);
}

static double cpu_seconds(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6;
}

/* Stands still, so that the records are the same in every run. */
static int64_t still(void *ctx)
{
    (void)ctx;
    return 1764000000000;
}

static void run(struct source *source, struct sink *sink)
{
    struct mapper_conf conf;
    struct mapper_deps deps = {.clock = {.now_ms = still, .mono_ns = still}};
    struct mapper_views *views;
    struct mapper *m;
    struct wh_err err;
    double start;

    mapper_conf_init(&conf);
    need(mapper_views_load("", &views, &err), &err);
    deps.views = views;
    need(mapper_new(&deps, &conf, &m, &err), &err);
    need(mapper_start(m, &source->base, &sink->base, &err), &err);
    start = cpu_seconds();
    while (source->at < source->n && mapper_not_ready(m) == NULL) {
        (void)mapper_turn(m);
    }
    (void)sink_poll(&sink->base, 0);
    (void)printf("%.2f us an event; %" PRIu64 " records, %" PRIu64 " bytes, hash %016" PRIx64 "\n",
                 (cpu_seconds() - start) * 1e6 / (double)source->n, sink->records, sink->bytes,
                 sink->hash);
    mapper_free(m);
    mapper_views_free(views);
}

int main(int argc, char **argv)
{
    static struct sink sink = {.base = {&sink_ops}};
    struct source source = {.base = {&source_ops}};
    struct wh_buf scratch;

    bool mixed = argc == 3 && strcmp(argv[2], "mixed") == 0;

    source.n = argc == 2 || mixed ? strtoull(argv[1], NULL, 10) : 0;
    source.records = source.n < 4 ? NULL : wh_mem_zalloc(source.n, sizeof(*source.records));
    if (source.records == NULL) {
        (void)fprintf(stderr, "usage: bench_mapper EVENTS [mixed]\n");
        return 2;
    }
    wh_buf_init(&scratch, RECORD_MAX);
    for (size_t i = 0; i < source.n; i++) {
        source.records[i] = make_record(i, source.n / 4, mixed, &scratch);
    }
    run(&source, &sink);
    for (size_t i = 0; i < source.n; i++) {
        wh_mem_free((void *)(uintptr_t)source.records[i].ptr);
    }
    wh_mem_free(source.records);
    wh_buf_done(&scratch);
    return 0;
}
