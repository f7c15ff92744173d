/*
 * What the mapper does not produce again changes nothing (stages/mapper/sent.h). Mapper and sink
 * together, without Kafka: the same raw events through a mapper that produces everything and through one
 * that remembers, restarts and loses records; all observations of each, in any order, through the sink.
 * Heads, revisions, links and indexes are the same bytes.
 */
#include <stdio.h>

#include "stages/sink/batch/apply.h"
#include "tests/lib/th_heads.h"
#include "tests/lib/th_mapper.h"
#include "tests/lib/th_store.h"

#define ENTITIES "wellhead.entities.c1"

enum { CASES = 120, EVENTS_MAX = 40, BATCH_MAX = 64, ORDER_MAX = 4096, QUEUE = 100000, TURNS = 8 };

/* ---- raw events ---- */

struct event {
    enum wh_origin origin;
    const char *kind;
    char json[1400];
    int64_t observed_ms;
    int32_t partition;
};

static const char *pick(struct th_random *r, const char *const *words, unsigned n)
{
    return words[th_random_below(r, n)];
}

/* Few persons, and few names of each. */
static const char *person(struct th_random *r, char out[120])
{
    unsigned id = th_random_below(r, 3) + 1;

    (void)snprintf(out, 120, "{\"id\":%u,\"username\":\"u%u\",\"name\":\"N%u\"}", id, id,
                   th_random_below(r, 2));
    return out;
}

static void job(struct th_random *r, unsigned id, char out[400])
{
    static const char *const states[] = {"created", "running", "success", "manual"};
    char user[120];
    bool started = th_random_below(r, 2);

    (void)snprintf(out, 400,
                   "{\"id\":%u,\"name\":\"j\",\"stage\":\"s\",\"status\":\"%s\",\"created_at\":"
                   "\"2026-01-01 00:00:00 UTC\",\"started_at\":%s,\"duration\":%s,\"user\":%s}",
                   id, pick(r, states, 4), started ? "\"2026-01-01 00:00:09 UTC\"" : "null",
                   th_random_below(r, 2) ? "1.5" : "null", person(r, user));
}

static void pipeline(struct th_random *r, struct event *e)
{
    static const char *const states[] = {"running", "success"};
    unsigned id = th_random_below(r, 2) + 1;
    char user[120];
    char jobs[2][400];

    job(r, id * 10, jobs[0]);
    job(r, id * 10 + 1, jobs[1]);
    e->origin = WH_ORIGIN_WEBHOOK;
    e->kind = "pipeline";
    (void)snprintf(e->json, sizeof(e->json),
                   "{\"object_attributes\":{\"id\":%u,\"status\":\"%s\",\"ref\":\"main\",\"sha\":"
                   "\"abc\",\"created_at\":\"2026-01-01 00:00:00 UTC\"},\"project\":{\"id\":14,"
                   "\"web_url\":\"https://gitlab.example.com/p\"},\"user\":%s,\"builds\":[%s,%s]}",
                   id, pick(r, states, 2), person(r, user), jobs[0], jobs[1]);
}

static void build(struct th_random *r, struct event *e)
{
    static const char *const states[] = {"running", "success"};
    char user[120];

    e->origin = WH_ORIGIN_WEBHOOK;
    e->kind = "build";
    (void)snprintf(e->json, sizeof(e->json),
                   "{\"build_id\":%u,\"build_status\":\"%s\",\"build_name\":\"j\","
                   "\"build_created_at\":\"2026-01-01 00:00:00 UTC\",\"project_id\":14,"
                   "\"pipeline_id\":1,\"user\":%s}",
                   10 + th_random_below(r, 2), pick(r, states, 2), person(r, user));
}

/* Also one whose weight is set aside, and one that is a dead letter, with or without a person before. */
static void issue(struct th_random *r, struct event *e)
{
    static const char *const weights[] = {"1", "\"heavy\"", "null"};
    static const char *const times[] = {"2026-01-01T00:00:00.500Z", "2026-01-02T00:00:00.500Z",
                                        "yesterday"};
    bool hook = th_random_below(r, 2);
    char user[120];

    e->origin = hook ? WH_ORIGIN_WEBHOOK : WH_ORIGIN_REST;
    e->kind = "issue";
    (void)person(r, user);
    (void)snprintf(e->json, sizeof(e->json),
                   hook ? "{\"object_attributes\":{\"id\":%u,\"weight\":%s,\"updated_at\":\"%s\"},"
                          "\"project\":{\"id\":14},\"user\":%s}"
                        : "{\"id\":%u,\"weight\":%s,\"updated_at\":\"%s\",\"author\":%s}",
                   th_random_below(r, 2) + 1, pick(r, weights, 3), pick(r, times, 3), user);
}

/* Times repeat, and span a few of the steps in which last_seen is kept. */
static void any_event(struct th_random *r, struct event *e)
{
    static void (*const makes[])(struct th_random *, struct event *) = {pipeline, pipeline, build,
                                                                        issue};

    makes[th_random_below(r, 4)](r, e);
    e->observed_ms = 1700000000000 + (int64_t)th_random_below(r, 9) * 250000;
    e->partition = (int32_t)th_random_below(r, TH_MAPPER_PARTITIONS);
}

/* Some are deliveries of the same body again, and some the same record again. */
static void make_events(struct th_random *r, struct event *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i && th_random_below(r, 3) == 0) {
            events[i] = events[th_random_below(r, (unsigned)i)];
            events[i].partition = (int32_t)th_random_below(r, TH_MAPPER_PARTITIONS);
            events[i].observed_ms += th_random_below(r, 2) * 250000;
        } else {
            any_event(r, &events[i]);
        }
    }
}

/* ---- two mappers ---- */

static void put_all(struct th_mapper *s, const struct event *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        s->partition = events[i].partition;
        s->observed_ms = events[i].observed_ms;
        th_mapper_put(s, "c1", events[i].origin, events[i].kind, events[i].json);
    }
}

static void start(struct th_mapper *s, size_t remember)
{
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    conf.remember_max = remember;
    conf.flush_ms = 1;
    conf.in_flight_max = 4;
    th_mapper_start(s, &conf, QUEUE);
}

/* Kafka is away for a while; the process may be killed meanwhile, or lose a record for another reason. */
static void disturb(struct th_mapper *s, struct th_random *r, size_t remember)
{
    switch (th_random_below(r, 4)) {
    case 0:
        wh_bus_mem_hold(s->bus, true);
        th_mapper_run(s, 1);
        th_mapper_stop(s);
        wh_bus_mem_hold(s->bus, false);
        start(s, remember);
        break;
    case 1:
        wh_bus_mem_hold(s->bus, true);
        th_mapper_run(s, 2);
        wh_bus_mem_hold(s->bus, false);
        break;
    case 2:
        wh_bus_mem_fail(s->bus, WH_BUS_MEM_DELIVERY, th_random_below(r, 5), 1, WH_E_NOT_FOUND);
        th_mapper_run(s, 1);
        wh_bus_mem_fail(s->bus, WH_BUS_MEM_DELIVERY, 0, 0, WH_OK);
        break;
    default:
        th_mapper_stop(s);
        start(s, remember);
        break;
    }
    th_mapper_run(s, th_random_below(r, 3));
}

static void map_calmly(struct th_mapper *s, const struct event *events, size_t n)
{
    put_all(s, events, n);
    start(s, 0);
    th_mapper_run(s, EVENTS_MAX);
    th_mapper_stop(s);
}

static void map_disturbed(struct th_mapper *s, const struct event *events, size_t n,
                          struct th_random *r)
{
    size_t remember = th_random_below(r, 2) ? 8 : 4096;

    start(s, remember);
    for (size_t at = 0; at < n;) {
        size_t some = th_random_below(r, 6) + 1;

        some = some < n - at ? some : n - at;
        put_all(s, events + at, some);
        at += some;
        th_mapper_run(s, th_random_below(r, 3));
        if (th_random_below(r, 3) == 0) {
            disturb(s, r, remember);
        }
    }
    th_mapper_run(s, TURNS);
    /* The retry of what is held. */
    s->now_ms += 3600000;
    th_mapper_run(s, EVENTS_MAX);
    th_mapper_stop(s);
}

/* ---- the sink ---- */

static void apply(struct sink_apply *a, struct wh_slice bytes)
{
    struct wh_history_result result;
    struct wh_observation o;
    struct wh_err err;

    sink_apply_begin(a);
    th_ok(wh_observation_decode(bytes, sink_apply_arena(a), &o, &err), &err);
    th_ok(sink_apply_observation(a, &o, 1, &result, &err), &err);
    th_ok(sink_apply_seal(a, &err), &err);
    th_ok(sink_apply_commit(a, false, &err), &err);
}

/* All but the log of changes, which is about arrival, as text. */
static char *outcome_of(struct th_mapper *s, struct th_random *r, size_t *ret_n)
{
    struct wh_store *store = th_sink_store();
    const struct wh_bus_header *headers;
    static size_t order[ORDER_MAX];
    struct sink_apply *a;
    struct wh_bus_msg msg;
    struct wh_buf all;
    struct wh_err err;
    size_t n_headers;
    size_t n = wh_bus_mem_count(s->bus, ENTITIES);
    size_t len;

    assert_in_range(n, 1, ORDER_MAX);
    for (size_t i = 0; i < n; i++) {
        order[i] = i;
    }
    th_shuffle(r, order, n);
    th_ok(sink_apply_new(store, BATCH_MAX, &a, &err), &err);
    for (size_t i = 0; i < n; i++) {
        assert_true(wh_bus_mem_get(s->bus, ENTITIES, order[i], &msg, &headers, &n_headers));
        apply(a, msg.value);
    }
    wh_buf_init(&all, 64 << 20);
    for (unsigned f = 0; f < SINK_FAMILY_COUNT; f++) {
        char *text = f == SINK_CHANGES || f == SINK_META ? NULL : th_store_dump(store, f);

        th_ok(wh_buf_append(&all, wh_slice_str(text ? text : "-"), &err), &err);
        wh_mem_free(text);
    }
    sink_apply_free(a);
    wh_store_free(store);
    *ret_n += n;
    return wh_buf_take(&all, &len);
}

static void compare(uint64_t seed, size_t *all, size_t *sent)
{
    static struct event events[EVENTS_MAX];
    struct th_random r = {seed};
    size_t n = 4 + th_random_below(&r, EVENTS_MAX - 4);
    void *calm = NULL;
    void *disturbed = NULL;
    char *want;
    char *got;

    (void)th_mapper_setup(&calm);
    (void)th_mapper_setup(&disturbed);
    make_events(&r, events, n);
    map_calmly(calm, events, n);
    map_disturbed(disturbed, events, n, &r);
    want = outcome_of(calm, &r, all);
    got = outcome_of(disturbed, &r, sent);
    if (strcmp(want, got) != 0) {
        fail_msg("what was not produced again is missing, seed %llu", (unsigned long long)seed);
    }
    wh_mem_free(want);
    wh_mem_free(got);
    (void)th_mapper_teardown(&calm);
    (void)th_mapper_teardown(&disturbed);
}

static void test_same_bytes(void **state)
{
    size_t all = 0;
    size_t sent = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= CASES; seed++) {
        compare(seed * 0x9E3779B97F4A7C15ULL, &all, &sent);
    }
    assert_true(sent < all);
}

/* ---- what is left out ---- */

static size_t produced(struct th_mapper *s)
{
    th_mapper_run(s, TURNS);
    return wh_bus_mem_count(s->bus, ENTITIES);
}

#define PIPELINE                                                                                   \
    "{\"object_attributes\":{\"id\":1,\"status\":\"%s\",\"created_at\":\"2026-01-01 00:00:00 "     \
    "UTC\"},"                                                                                      \
    "\"project\":{\"id\":14},\"builds\":[{\"id\":10,\"status\":\"%s\",\"created_at\":"             \
    "\"2026-01-01 00:00:00 UTC\"}]}"

static void put_pipeline(struct th_mapper *s, const char *status, const char *job_status)
{
    char json[400];

    (void)snprintf(json, sizeof(json), PIPELINE, status, job_status);
    s->observed_ms += 1;
    th_mapper_put(s, "c1", WH_ORIGIN_WEBHOOK, "pipeline", json);
}

static void test_left_out(void **state)
{
    struct th_mapper *s = *state;

    start(s, 1000);
    put_pipeline(s, "running", "created");
    assert_int_equal(produced(s), 2);
    put_pipeline(s, "running", "created");
    assert_int_equal(produced(s), 2);
    assert_true(th_mapper_metric_is(s, "wellhead_mapper_unchanged_total 2"));
    put_pipeline(s, "running", "running");
    assert_int_equal(produced(s), 3);
    put_pipeline(s, "success", "running");
    assert_int_equal(produced(s), 4);
    /* Seen again later: once for each step of last_seen. */
    s->observed_ms += 600000;
    put_pipeline(s, "success", "running");
    put_pipeline(s, "success", "running");
    assert_int_equal(produced(s), 6);
    /* Observed before all others: its provenance counts. */
    s->observed_ms -= 700000;
    put_pipeline(s, "success", "running");
    assert_int_equal(produced(s), 8);
    th_mapper_stop(s);
}

/* A value that was set aside is counted each time. */
static void test_set_aside(void **state)
{
    static const char json[] =
        "{\"object_attributes\":{\"id\":1,\"weight\":\"heavy\","
        "\"updated_at\":\"2026-01-01 00:00:00 UTC\"},\"project\":{\"id\":14}}";
    struct th_mapper *s = *state;

    start(s, 1000);
    for (unsigned i = 0; i < 3; i++) {
        s->observed_ms += 1;
        th_mapper_put(s, "c1", WH_ORIGIN_WEBHOOK, "issue", json);
    }
    assert_int_equal(produced(s), 3);
    th_mapper_stop(s);
}

/* The event was nearly mapped when it became a dead letter. */
static void test_dead_letter(void **state)
{
    struct th_mapper *s = *state;
    struct mapper_conf conf;
    char ref[2000];
    char json[2400];

    memset(ref, 'x', sizeof(ref) - 1);
    ref[sizeof(ref) - 1] = '\0';
    (void)snprintf(json, sizeof(json),
                   "{\"object_attributes\":{\"id\":1,\"status\":\"running\",\"created_at\":"
                   "\"2026-01-01 00:00:00 UTC\"},\"project\":{\"id\":14},\"builds\":[{\"id\":10,"
                   "\"status\":\"created\",\"created_at\":\"2026-01-01 00:00:00 UTC\"},{\"id\":11,"
                   "\"name\":\"%s\",\"created_at\":\"2026-01-01 00:00:00 UTC\"}]}",
                   ref);
    mapper_conf_init(&conf);
    conf.max_record_bytes = 1500;
    th_mapper_start(s, &conf, QUEUE);
    th_mapper_put(s, "c1", WH_ORIGIN_WEBHOOK, "pipeline", json);
    assert_int_equal(produced(s), 0);
    assert_int_equal(wh_bus_mem_count(s->bus, "wellhead.dead-letter.c1"), 1);
    put_pipeline(s, "running", "created");
    assert_int_equal(produced(s), 2);
    th_mapper_stop(s);
}

/* Rows of reads are produced each time, because the sink counts them. */
static void test_reads_are_counted(void **state)
{
    struct th_mapper *s = *state;

    start(s, 1000);
    for (unsigned i = 0; i < 3; i++) {
        s->observed_ms += 1;
        th_mapper_put_issue(s, "c1", WH_ORIGIN_REST, 5);
    }
    assert_int_equal(produced(s), 3);
    th_mapper_stop(s);
}

/* A topic that is made again does not lack what was produced into the old one. */
static void test_forgets(void **state)
{
    struct th_mapper *s = *state;

    start(s, 1000);
    put_pipeline(s, "running", "created");
    assert_int_equal(produced(s), 2);
    th_mapper_stop(s);
    start(s, 1000);
    put_pipeline(s, "running", "created");
    assert_int_equal(produced(s), 4);
    th_mapper_stop(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, th_mapper_setup, th_mapper_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes), T(test_left_out), T(test_set_aside), T(test_dead_letter),
        T(test_reads_are_counted),         T(test_forgets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
