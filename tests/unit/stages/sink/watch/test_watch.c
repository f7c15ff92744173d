/* The watch over a store and a Kafka in memory; the clock moves by hand. */
#include "stages/sink/watch/watch.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/event/heartbeat.h"
#include "common/json/json_doc.h"
#include "stages/sink/store/keyspace.h"
#include "tests/lib/bus_mem.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"

#define RAW "wellhead.raw.gl"
#define ENTITIES "wellhead.entities.gl"
#define LETTERS "wellhead.dead-letter.gl"

enum { INTERVAL_MS = 1 };

static const int64_t start_ms = INT64_C(1764000000000);

struct world {
    int64_t now_ms;
    struct wh_bus_mem *bus;
    struct wh_admin *admin;
    struct wh_producer *producer;
    struct wh_store *store;
    struct wh_loop *loop;
    struct wh_metrics *metrics;
    struct sink_watch *watch;
    struct wh_json_parser *json;
    struct wh_buf told;
    struct wh_json_val root; /* what was told last */
};

static int64_t now(void *ctx)
{
    return ((struct world *)ctx)->now_ms;
}

static int64_t mono(void *ctx)
{
    return ((struct world *)ctx)->now_ms * 1000000;
}

static enum wh_rc make_consumer(void *ctx, struct wh_consumer **ret, struct wh_err *err)
{
    struct wh_consumer_conf conf;

    wh_consumer_conf_init(&conf);
    return wh_bus_mem_consumer(((struct world *)ctx)->bus, &conf, ret, err);
}

static void put(struct world *w, struct wh_slice key, struct wh_slice value)
{
    struct wh_batch *batch;
    struct wh_err err;

    th_ok(wh_batch_new(w->store, &batch, &err), &err);
    th_ok(wh_batch_put(batch, SINK_META, key, value, &err), &err);
    th_ok(wh_store_write(w->store, batch, false, &err), &err);
    wh_batch_free(batch);
}

/* Its heartbeat of this moment is in the store. */
static void beat(struct world *w, const char *stage, const char *process, const char *group)
{
    const struct wh_heartbeat h = {.stage = wh_slice_str(stage),
                                   .process = wh_slice_str(process),
                                   .group = wh_slice_str(group),
                                   .at_ms = w->now_ms,
                                   .started_ms = start_ms - 1000,
                                   .ready = true};
    WH_AUTO(buf) struct wh_buf json;
    struct wh_err err;
    char key[128];
    int n = snprintf(key, sizeof(key), "h" WH_HEARTBEAT_OWNER "%c%s:%s", 0, stage, process);

    wh_buf_init(&json, 4096);
    th_ok(wh_heartbeat_write(&h, &json, &err), &err);
    put(w, wh_slice(key, (size_t)n), wh_buf_slice(&json));
}

static void all_beat(struct world *w)
{
    beat(w, "fetcher", "h-1", "wellhead.fetcher.rereads");
    beat(w, "webhook-intake", "h-2", "");
    beat(w, "mapper", "h-3", "wellhead.mapper");
    beat(w, "sink", "h-4", "wellhead.sink.h-4");
}

static void produce(struct world *w, const char *topic, size_t n, const char *stage,
                    const char *class_)
{
    const struct wh_bus_header headers[] = {
        {WH_LIT("wellhead.stage"), wh_slice_str(stage)},
        {WH_LIT("wellhead.error.class"), wh_slice_str(class_)},
    };
    struct wh_err err;

    for (size_t i = 0; i < n; i++) {
        th_ok(wh_producer_produce(w->producer,
                                  &(struct wh_bus_record){.topic = topic,
                                                          .partition = (int32_t)(i % 2),
                                                          .key = WH_LIT("k"),
                                                          .value = WH_LIT("v"),
                                                          .headers = headers,
                                                          .n_headers = 2,
                                                          .timestamp_ms = w->now_ms},
                                  &err),
              &err);
    }
    (void)wh_producer_poll(w->producer, 0);
}

static void commit(struct world *w, const char *group, const char *topic, int64_t a, int64_t b)
{
    const struct wh_bus_partition parts[] = {{topic, 0, a}, {topic, 1, b}};
    struct wh_err err;

    th_ok(wh_admin_group_set(w->admin, group, parts, 2, 1000, &err), &err);
}

/* A whole look, of this moment. */
static void look(struct world *w)
{
    static const char begin[] = "\"watched_at\":";
    struct wh_json_writer out;
    char at[WH_TIME_TEXT_MAX];
    struct wh_err err;

    (void)wh_time_format(w->now_ms, at);
    for (;;) {
        const char *told;

        wh_loop_turn(w->loop, true);
        wh_buf_reset(&w->told);
        wh_json_writer_init(&out, &w->told);
        sink_watch_told(w->watch, &out);
        th_ok(wh_jw_finish(&out, &err), &err);
        told = strstr(wh_buf_str(&w->told), begin);
        if (told && strncmp(told + strlen(begin) + 1, at, strlen(at)) == 0) {
            break;
        }
    }
    /* What is told may be of a look that began before the test's last change: one more. */
    w->now_ms++;
    th_ok(wh_json_parse(w->json, wh_buf_slice(&w->told), &w->root, &err), &err);
}

static void pass(struct world *w, int64_t ms)
{
    w->now_ms += ms;
}

static void says(const struct world *w, const char *part)
{
    if (strstr(wh_buf_str(&w->told), part) == NULL) {
        fail_msg("'%s' is not in: %s", part, wh_buf_str(&w->told));
    }
}

static int set_up(void **state)
{
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    static const char *const topics[] = {RAW, ENTITIES, LETTERS};
    struct wh_producer_conf conf;
    struct wh_err err;

    assert_non_null(w);
    w->now_ms = start_ms;
    w->bus = wh_bus_mem_new();
    w->store = th_sink_store();
    w->loop = wh_loop_new();
    w->metrics = wh_metrics_new("sink");
    w->json = wh_json_parser_new(1 << 20, 16);
    assert_true(w->bus && w->store && w->loop && w->metrics && w->json);
    wh_buf_init(&w->told, 1 << 20);
    for (size_t i = 0; i < 3; i++) {
        th_ok(wh_bus_mem_topic(w->bus, topics[i], 2, &err), &err);
    }
    th_ok(wh_bus_mem_topic(w->bus, "wellhead.rereads", 2, &err), &err);
    wh_producer_conf_init(&conf);
    th_ok(wh_bus_mem_producer(w->bus, &conf, &w->producer, &err), &err);
    th_ok(wh_bus_mem_admin(w->bus, &w->admin, &err), &err);
    put(w, WH_LIT("xgl"),
        WH_LIT("{\"id\":\"gl\",\"instance\":\"https://gl\",\"state\":\"enabled\"}"));
    *state = w;
    return 0;
}

static void begin(struct world *w)
{
    const struct sink_watch_deps deps = {.store = w->store,
                                         .admin = w->admin,
                                         .make_consumer = make_consumer,
                                         .ctx = w,
                                         .loop = w->loop,
                                         .clock = {now, mono, w},
                                         .metrics = w->metrics,
                                         .topic_prefix = "wellhead.",
                                         .process = "h-4",
                                         .group = "wellhead.sink.h-4",
                                         .interval_ms = INTERVAL_MS,
                                         .stored_rows = 100};
    struct wh_err err;

    th_ok(sink_watch_new(&deps, &w->watch, &err), &err);
}

/* All processes live, and have been seen to. */
static void begin_well(struct world *w)
{
    all_beat(w);
    pass(w, 20000);
    begin(w);
    look(w);
    says(w, "\"verdict\":\"unknown\"");
    pass(w, 5000);
    all_beat(w);
    look(w);
    says(w, "\"healthy\":true,\"verdict\":\"healthy\",\"findings\":[]");
}

static int tear_down(void **state)
{
    struct world *w = *state;

    sink_watch_free(w->watch);
    wh_admin_free(w->admin);
    wh_producer_free(w->producer);
    wh_bus_mem_free(w->bus);
    wh_store_free(w->store);
    wh_metrics_free(w->metrics);
    wh_loop_free(w->loop);
    wh_json_parser_free(w->json);
    wh_buf_done(&w->told);
    wh_mem_free(w);
    return 0;
}

static void a_young_heartbeat_is_believed_at_once(void **state)
{
    struct world *w = *state;

    all_beat(w);
    pass(w, 14000);
    begin(w);
    look(w);
    says(w, "\"healthy\":true");
}

static void silence_is_told(void **state)
{
    struct world *w = *state;

    begin_well(w);
    for (int i = 0; i < 4; i++) {
        pass(w, 5000);
        beat(w, "fetcher", "h-1", "");
        beat(w, "webhook-intake", "h-2", "");
        beat(w, "sink", "h-4", "wellhead.sink.h-4");
        look(w);
    }
    says(w, "\"healthy\":false");
    says(w, "h-3 has been silent since 2025-11-24T16:00:25.001Z");
    says(w, "\"process\":\"h-3\",\"state\":\"silent\"");
    says(w, "\"process\":\"h-1\",\"state\":\"up\"");
    all_beat(w);
    look(w);
    says(w, "\"healthy\":true");
}

static size_t occurrences(const struct world *w, const char *part)
{
    size_t n = 0;

    for (const char *at = wh_buf_str(&w->told); (at = strstr(at, part)) != NULL; at++) {
        n++;
    }
    return n;
}

/* Containers get new names; the old ones stay in the store. */
static void old_names_do_not_take_the_places_of_the_living(void **state)
{
    struct world *w = *state;
    char name[16];

    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof(name), "a-%d", i);
        beat(w, i % 2 ? "fetcher" : "mapper", name, "");
    }
    begin(w);
    look(w);
    pass(w, 2 * 3600000);
    all_beat(w);
    look(w);
    says(w, "\"healthy\":true");
    assert_int_equal(occurrences(w, "\"process\":\"a-"), 2);
    says(w, "\"process\":\"h-3\",\"state\":\"up\"");
}

static void lag_is_told_and_standing_still(void **state)
{
    struct world *w = *state;

    begin_well(w);
    produce(w, RAW, 10, "", "");
    commit(w, "wellhead.mapper", RAW, 5, 1);
    for (int i = 0; i < 6; i++) {
        pass(w, 4000);
        all_beat(w);
        look(w);
        says(w, "\"stage\":\"mapper\",\"process\":\"\",\"lag_records\":4");
        says(w, i < 5 ? "\"healthy\":true" : "\"healthy\":false");
    }
    says(w, "it stands still: 4 records of wellhead.raw.gl wait, and none was taken for 2");
    commit(w, "wellhead.mapper", RAW, 5, 2);
    look(w);
    says(w, "\"lag_records\":3");
    says(w, "\"healthy\":true");
}

static void the_own_offsets_are_committed(void **state)
{
    struct world *w = *state;
    unsigned char offset[8];
    WH_AUTO(buf) struct wh_buf key;
    struct wh_err err;

    begin_well(w);
    produce(w, ENTITIES, 10, "", "");
    look(w);
    says(w, "\"stage\":\"sink\",\"process\":\"h-4\",\"lag_records\":10");
    wh_buf_init(&key, 512);
    th_ok(sink_offset_key(WH_LIT(ENTITIES), 1, &key, &err), &err);
    wh_be_put64(offset, 3);
    put(w, wh_buf_slice(&key), wh_slice(offset, sizeof(offset)));
    look(w);
    look(w);
    says(w, "\"stage\":\"sink\",\"process\":\"h-4\",\"lag_records\":7");
    assert_int_equal(wh_bus_mem_committed(w->bus, "wellhead.sink.h-4", ENTITIES, 1), 3);
}

static void dead_letters_are_told_until_they_are_replayed(void **state)
{
    struct world *w = *state;

    begin_well(w);
    produce(w, LETTERS, 4, "mapper", "poison");
    produce(w, LETTERS, 2, "sink", "poison");
    produce(w, LETTERS, 2, "elsewhere", "strange");
    look(w);
    look(w);
    says(w, "\"unreplayed\":[{\"connection\":\"gl\",\"stage\":\"mapper\",\"class\":\"poison\","
            "\"count\":4},{\"connection\":\"gl\",\"stage\":\"sink\",\"class\":\"poison\",\"count\":"
            "2},{\"connection\":\"gl\",\"stage\":\"unknown\",\"class\":\"unknown\",\"count\":2}]");
    says(w, "\"healthy\":true");
    says(w, "4 dead letters of the mapper (poison) are not replayed");
    commit(w, "wellhead.dead-letters", LETTERS, 2, 2);
    look(w);
    look(w);
    says(w, "\"unreplayed\":[{\"connection\":\"gl\",\"stage\":\"sink\",\"class\":\"poison\","
            "\"count\":2},{");
    commit(w, "wellhead.dead-letters", LETTERS, 4, 4);
    look(w);
    look(w);
    says(w, "\"unreplayed\":[]");
    produce(w, LETTERS, 1, "mapper", "transient");
    look(w);
    look(w);
    says(w, "\"unreplayed\":[{\"connection\":\"gl\",\"stage\":\"mapper\",\"class\":\"transient\","
            "\"count\":1}]");
}

static void without_kafka_nothing_is_known(void **state)
{
    struct world *w = *state;

    begin_well(w);
    wh_bus_mem_fail(w->bus, WH_BUS_MEM_ADMIN, 0, 1000000, WH_E_UNAVAILABLE);
    pass(w, 60000);
    look(w);
    says(w, "\"healthy\":null,\"verdict\":\"unknown\"");
    says(w, "so that nothing is known of the stages");
    wh_bus_mem_fail(w->bus, WH_BUS_MEM_ADMIN, 0, 0, WH_OK);
    look(w);
    look(w);
    says(w, "\"healthy\":true");
}

static void an_old_look_is_not_shown(void **state)
{
    struct world *w = *state;
    struct wh_json_writer out;
    struct wh_err err;

    begin_well(w);
    sink_watch_stop(w->watch);
    pass(w, 21000);
    wh_buf_reset(&w->told);
    wh_json_writer_init(&out, &w->told);
    sink_watch_told(w->watch, &out);
    th_ok(wh_jw_finish(&out, &err), &err);
    says(w, "{\"healthy\":null,\"verdict\":\"unknown\"");
    says(w, "its last look is too old");
}

static void metrics_say_the_same(void **state)
{
    static const char *const lines[] = {
        "\nwellhead_healthy 1\n",
        "\nwellhead_process_up{stage=\"mapper\",process=\"h-3\"} 1\n",
        "\nwellhead_consumer_lag_records{topic=\"wellhead.raw.gl\",partition=\"1\"} 2\n",
        "\nwellhead_consumer_lag_seconds{topic=\"wellhead.raw.gl\"} ",
        "\nwellhead_dead_letters_unreplayed{connection=\"gl\",stage=\"mapper\",class=\"poison\"} "
        "3\n",
    };
    struct world *w = *state;
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;

    begin_well(w);
    produce(w, RAW, 4, "", "");
    produce(w, LETTERS, 3, "mapper", "poison");
    look(w);
    look(w);
    look(w);
    wh_buf_init(&text, 1 << 20);
    th_ok(wh_metrics_render(w->metrics, &text, &err), &err);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (strstr(wh_buf_str(&text), lines[i]) == NULL) {
            fail_msg("%s is not in %s", lines[i], wh_buf_str(&text));
        }
    }
}

/* Part by part, without what is deleted and what is only mentioned. */
static void stored_rows_are_counted(void **state)
{
    const struct wh_kind_def *def = wh_kind_def(WH_KIND_WORK_ITEM);
    struct world *w = *state;
    struct th_heads heads;
    int64_t want = 0;
    int64_t at_ms = 0;

    th_heads_init(&heads, w->store, WH_KIND_WORK_ITEM, 7);
    th_heads_add(&heads, 450);
    for (size_t i = 0; i < heads.n; i++) {
        want += !heads.items[i]->deleted && heads.items[i]->first_seen_ms != 0;
    }
    begin(w);
    assert_int_equal(
        sink_watch_stored(w->watch, WH_LIT("https://gitlab.test"), wh_slice_str(def->name), &at_ms),
        -1);
    for (int i = 0; i < 20 && at_ms == 0; i++) {
        look(w);
        (void)sink_watch_stored(w->watch, WH_LIT("https://gitlab.test"), wh_slice_str(def->name),
                                &at_ms);
    }
    assert_int_not_equal(at_ms, 0);
    assert_int_equal(
        sink_watch_stored(w->watch, WH_LIT("https://gitlab.test"), wh_slice_str(def->name), &at_ms),
        want);
    assert_int_equal(
        sink_watch_stored(w->watch, WH_LIT("https://other"), wh_slice_str(def->name), &at_ms), 0);
    th_heads_done(&heads);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(stored_rows_are_counted),
        TEST(a_young_heartbeat_is_believed_at_once),
        TEST(silence_is_told),
        TEST(old_names_do_not_take_the_places_of_the_living),
        TEST(lag_is_told_and_standing_still),
        TEST(the_own_offsets_are_committed),
        TEST(dead_letters_are_told_until_they_are_replayed),
        TEST(without_kafka_nothing_is_known),
        TEST(an_old_look_is_not_shown),
        TEST(metrics_say_the_same),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
