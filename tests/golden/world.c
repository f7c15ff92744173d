#include "tests/golden/world.h"

#include <stdio.h>
#include <string.h>

#include "tests/golden/loop_sim.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_tmp.h"

enum { TOPIC_PARTITIONS = 3 };

void world_init(struct world *w, uint64_t seed, const struct gl_sizes *sizes)
{
    static const char *const topics[] = {"connections", "fetch-state", "runs", "rereads"};
    struct wh_producer_conf producer;
    char key_file[256];
    struct wh_err err;

    memset(w, 0, sizeof(*w));
    w->loop = wh_loop_new();
    w->bus = wh_bus_mem_new();
    assert_non_null(w->loop);
    assert_non_null(w->bus);
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        th_ok(wh_bus_mem_topic(w->bus, topics[i], TOPIC_PARTITIONS, &err), &err);
    }
    th_ok(wh_bus_mem_topic(w->bus, "health", 1, &err), &err);
    wh_producer_conf_init(&producer);
    producer.queue_max_records = 1000;
    producer.queue_max_bytes = 1 << 20;
    th_ok(wh_bus_mem_producer(w->bus, &producer, &w->producer, &err), &err);
    w->transcript = transcript_new(w->bus, WORLD_CONNECTION);
    w->gitlab = gitlab_sim_new(w->loop, seed, sizes, transcript_text(w->transcript));
    w->folder = th_tmp_new();
    (void)snprintf(w->token_file, sizeof(w->token_file), "%s/token", w->folder);
    (void)snprintf(key_file, sizeof(key_file), "%s/key", w->folder);
    th_ok(wh_keyring_load(&w->keys, key_file, true, &err), &err);
    w->conf = (struct member_conf){.loop = w->loop,
                                   .bus = w->bus,
                                   .name = "a",
                                   .keys = &w->keys,
                                   .token_file = w->token_file,
                                   .sync_interval_ms = 10 * MINUTE,
                                   .sweep_interval_ms = 24 * HOUR,
                                   .queue_max_records = 100000,
                                   .read_links = true};
}

void world_done(struct world *w)
{
    for (int i = 0; i < 2; i++) {
        if (w->members[i]) {
            member_stop(w->members[i]);
        }
    }
    gitlab_sim_free(w->gitlab);
    transcript_free(w->transcript);
    wh_producer_free(w->producer);
    wh_bus_mem_free(w->bus);
    wh_loop_free(w->loop);
    wh_keyring_wipe(&w->keys);
    th_tmp_remove(w->folder);
}

void world_start(struct world *w, int index)
{
    w->members[index] = member_new(&w->conf, gitlab_sim_client(w->gitlab));
}

void world_stop(struct world *w, int index)
{
    member_stop(w->members[index]);
    w->members[index] = NULL;
}

void world_run_for(struct world *w, int64_t ms)
{
    int64_t until = loop_sim_elapsed_ms(w->loop) + ms;

    while (loop_sim_elapsed_ms(w->loop) < until) {
        wh_loop_turn(w->loop, true);
    }
}

void world_call(struct world *w, int index, const char *method, const char *path, const char *json,
                struct wh_buf *out)
{
    struct th_http_req req;
    struct wh_err err;

    member_call(w->members[index], method, path, json, &req);
    if (req.status >= 300) {
        fail_msg("%s %s: %u %.*s", method, path, req.status,
                 WH_SLICE_ARG(wh_buf_slice(&req.answer)));
    }
    if (out) {
        wh_buf_reset(out);
        th_ok(wh_buf_append(out, wh_buf_slice(&req.answer), &err), &err);
        th_ok(wh_buf_append(out, wh_slice("", 1), &err), &err);
    }
    th_http_done(&req);
}

void world_control(struct world *w, const char *path, const char *fmt, ...)
{
    char json[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(json, sizeof(json), fmt, ap);
    va_end(ap);
    gitlab_sim_control(w->gitlab, path, json);
}

void world_connect(struct world *w)
{
    world_start(w, 0);
    world_run_for(w, 5 * SECOND);
    world_call(w, 0, "POST", "/api/v1/connections",
               "{\"url\":\"" GITLAB_SIM_URL "\",\"token\":\"" GITLAB_SIM_TOKEN "\"}", NULL);
}
