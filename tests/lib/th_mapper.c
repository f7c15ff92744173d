#include "tests/lib/th_mapper.h"

#include <stdio.h>

#include "common/event/observation.h"

enum { NAME_MAX_BYTES = 64 };

static int64_t now(void *ctx)
{
    return ((struct th_mapper *)ctx)->now_ms;
}

static int64_t mono(void *ctx)
{
    return ((struct th_mapper *)ctx)->mono_ns += 1000;
}

static void on_fatal(void *ctx, const struct wh_err *err)
{
    ((struct th_mapper *)ctx)->fatal = *err;
}

static void on_drained(void *ctx)
{
    ((struct th_mapper *)ctx)->drained = true;
}

static void is_delivered(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    (void)ack;
    assert_int_equal(d->rc, WH_OK);
}

static struct wh_bus_ack written = {.fn = is_delivered};

static const char *topic_of(const char *role, const char *connection, char out[NAME_MAX_BYTES])
{
    (void)snprintf(out, NAME_MAX_BYTES, "wellhead.%s.%s", role, connection);
    return out;
}

int th_mapper_setup(void **state)
{
    static const char *const topics[] = {
        "wellhead.raw.c1",  "wellhead.entities.c1", "wellhead.dead-letter.c1",
        "wellhead.raw.c2",  "wellhead.entities.c2", "wellhead.dead-letter.c2",
        "wellhead.rereads",
    };
    struct th_mapper *s = wh_mem_zalloc(1, sizeof(*s));
    struct wh_producer_conf pc;
    struct wh_err err;

    s->now_ms = 1700000000000;
    s->observed_ms = s->now_ms;
    s->bus = wh_bus_mem_new();
    s->metrics = wh_metrics_new("mapper");
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        bool raw = strncmp(topics[i], "wellhead.raw.", 13) == 0;

        th_ok(wh_bus_mem_topic(s->bus, topics[i], raw ? TH_MAPPER_PARTITIONS : 1, &err), &err);
    }
    th_ok(mapper_views_load(NULL, &s->views, &err), &err);
    wh_producer_conf_init(&pc);
    th_ok(wh_bus_mem_producer(s->bus, &pc, &s->writer, &err), &err);
    wh_buf_init(&s->value, 1 << 20);
    *state = s;
    return 0;
}

int th_mapper_teardown(void **state)
{
    struct th_mapper *s = *state;

    wh_producer_free(s->writer);
    mapper_views_free(s->views);
    wh_bus_mem_free(s->bus);
    wh_metrics_free(s->metrics);
    wh_buf_done(&s->value);
    wh_mem_free(s);
    return 0;
}

void th_mapper_start(struct th_mapper *s, const struct mapper_conf *conf, size_t queue)
{
    const struct mapper_deps deps = {.views = s->views,
                                     .clock = {now, mono, s},
                                     .metrics = s->metrics,
                                     .foreign = s->foreign,
                                     .on_fatal = on_fatal,
                                     .on_drained = on_drained,
                                     .ctx = s};
    struct wh_producer_conf pc;
    struct wh_consumer_conf cc;
    struct wh_err err;

    th_ok(mapper_new(&deps, conf, &s->mapper, &err), &err);
    wh_producer_conf_init(&pc);
    pc.queue_max_records = queue;
    th_ok(wh_bus_mem_producer(s->bus, &pc, &s->producer, &err), &err);
    wh_consumer_conf_init(&cc);
    cc.group = TH_MAPPER_GROUP;
    cc.rebalance = mapper_rebalance(s->mapper);
    th_ok(wh_bus_mem_consumer(s->bus, &cc, &s->consumer, &err), &err);
    th_ok(mapper_start(s->mapper, s->consumer, s->producer, &err), &err);
}

void th_mapper_stop(struct th_mapper *s)
{
    wh_consumer_free(s->consumer);
    wh_producer_free(s->producer);
    mapper_free(s->mapper);
}

void th_mapper_run(struct th_mapper *s, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        (void)mapper_turn(s->mapper);
        s->now_ms += 100;
        mapper_tick(s->mapper);
    }
}

void th_mapper_put_bytes(struct th_mapper *s, const char *connection, struct wh_slice value)
{
    char topic[NAME_MAX_BYTES];
    const struct wh_bus_record record = {.topic = topic_of("raw", connection, topic),
                                         .partition = s->partition,
                                         .key = WH_LIT("issue:1:5"),
                                         .value = value,
                                         .ack = &written};
    struct wh_err err;

    th_ok(wh_producer_produce(s->writer, &record, &err), &err);
    (void)wh_producer_poll(s->writer, 0);
}

void th_mapper_put(struct th_mapper *s, const char *connection, enum wh_origin origin,
                   const char *kind, const char *json)
{
    const struct wh_raw_event e = {.connection = wh_slice_str(connection),
                                   .instance = WH_LIT("https://gitlab.example.com"),
                                   .origin = origin,
                                   .kind = wh_slice_str(kind),
                                   .project = WH_LIT("14"),
                                   .object_id = WH_LIT("9"),
                                   .observed_at_ms = s->observed_ms,
                                   .delivery_id = WH_LIT("delivery-7"),
                                   .payload = wh_slice_str(json)};
    struct wh_err err;

    wh_buf_reset(&s->value);
    th_ok(wh_raw_event_encode(&e, &s->value, &err), &err);
    th_mapper_put_bytes(s, connection, wh_buf_slice(&s->value));
}

void th_mapper_put_issue(struct th_mapper *s, const char *connection, enum wh_origin origin,
                         unsigned id)
{
    char json[160];

    if (origin == WH_ORIGIN_WEBHOOK) {
        (void)snprintf(
            json, sizeof(json),
            "{\"object_attributes\":{\"id\":%u," TH_MAPPER_AT "},\"project\":{\"id\":14}}", id);
    } else {
        (void)snprintf(json, sizeof(json), "{\"id\":%u," TH_MAPPER_AT "}", id);
    }
    th_mapper_put(s, connection, origin, "issue", json);
}

int64_t th_mapper_committed(const struct th_mapper *s, const char *connection)
{
    char topic[NAME_MAX_BYTES];

    return wh_bus_mem_committed(s->bus, TH_MAPPER_GROUP, topic_of("raw", connection, topic), 0);
}

bool th_mapper_has_issue(const struct th_mapper *s, const char *connection, unsigned id)
{
    struct wh_observation *o = wh_mem_zalloc(1, sizeof(*o));
    const struct wh_bus_header *headers;
    char topic[NAME_MAX_BYTES];
    char wanted[24];
    struct wh_bus_msg msg;
    struct wh_arena arena;
    struct wh_err err;
    bool found = false;
    size_t n;

    (void)snprintf(wanted, sizeof(wanted), "%u", id);
    (void)topic_of("entities", connection, topic);
    wh_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; !found && wh_bus_mem_get(s->bus, topic, i, &msg, &headers, &n); i++) {
        th_ok(wh_observation_decode(msg.value, &arena, o, &err), &err);
        found = wh_slice_eq(o->source.kind, WH_LIT("issue")) &&
                wh_slice_eq(o->source.id, wh_slice_str(wanted));
        wh_arena_reset(&arena);
    }
    wh_arena_done(&arena);
    wh_mem_free(o);
    return found;
}

bool th_mapper_metric_is(struct th_mapper *s, const char *line)
{
    struct wh_buf text;
    struct wh_err err;
    bool found;

    wh_buf_init(&text, 1 << 20);
    th_ok(wh_metrics_render(s->metrics, &text, &err), &err);
    th_ok(wh_buf_append_char(&text, '\0', &err), &err);
    found = strstr(text.ptr, line) != NULL;
    wh_buf_done(&text);
    return found;
}
