/*
 * The whole core of the fetcher against the GitLab stand-in, in one process and in simulated time:
 * what it asks, in which order and when, and every record that it produces, byte for byte the same
 * as in golden-fetcher/. A change of structure leaves these files alone; a change of behaviour
 * changes them in the same commit (GOLDEN_UPDATE=1), where a reviewer sees it.
 */
#include "tests/lib/th_cmocka.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/event/messages.h"
#include "tests/golden/gitlab_sim.h"
#include "tests/golden/loop_sim.h"
#include "tests/golden/member.h"
#include "tests/golden/transcript.h"
#include "tests/lib/th_tmp.h"

#define CONNECTION "127-0-0-1-8710"
#define API "/api/v1/connections/" CONNECTION

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, TOPIC_PARTITIONS = 3 };

struct world {
    struct wh_loop *loop;
    struct wh_bus_mem *bus;
    struct gitlab_sim *gitlab;
    struct transcript *transcript;
    struct member *members[2];
    struct member_conf conf;
    struct wh_producer *producer; /* of other stages */
    struct wh_keyring keys;
    char *folder;
    char token_file[256];
};

/* ---- the world ---- */

static void world_init(struct world *w, uint64_t seed)
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
    w->transcript = transcript_new(w->bus, CONNECTION);
    w->gitlab = gitlab_sim_new(w->loop, seed, transcript_text(w->transcript));
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

static void world_done(struct world *w)
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

static void start(struct world *w, int index)
{
    w->members[index] = member_new(&w->conf, gitlab_sim_client(w->gitlab));
}

static void stop(struct world *w, int index)
{
    member_stop(w->members[index]);
    w->members[index] = NULL;
}

static void run_for(struct world *w, int64_t ms)
{
    int64_t until = loop_sim_elapsed_ms(w->loop) + ms;

    while (loop_sim_elapsed_ms(w->loop) < until) {
        wh_loop_turn(w->loop, true);
    }
}

static void part(struct world *w, const char *title)
{
    transcript_part(w->transcript, title);
}

/* Lets time pass, then notes what was produced. */
static void settle(struct world *w, int64_t ms)
{
    static const char *const topics[] = {"connections", "raw." CONNECTION, "fetch-state", "runs",
                                         "health"};

    run_for(w, ms);
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        transcript_records(w->transcript, topics[i]);
    }
}

/* A call that must succeed; gives the answer as text in out when that is not NULL. */
static void call(struct world *w, int index, const char *method, const char *path, const char *json,
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

static void note_status(struct world *w, int index)
{
    struct wh_buf out;

    wh_buf_init(&out, 1 << 20);
    call(w, index, "GET", "/api/v1/status", "", &out);
    transcript_json(w->transcript, "status", wh_slice(out.ptr, out.len - 1));
    wh_buf_done(&out);
}

static void control(struct world *w, const char *path, const char *fmt, ...) WH_PRINTF(3, 4);
static void control(struct world *w, const char *path, const char *fmt, ...)
{
    char json[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(json, sizeof(json), fmt, ap);
    va_end(ap);
    gitlab_sim_control(w->gitlab, path, json);
}

static void delete_numbers(struct world *w, unsigned project, const char *kind, int from, int to)
{
    for (int iid = from; iid <= to; iid++) {
        control(w, "/control/delete", "{\"project\":%" PRId64 ",\"kind\":\"%s\",\"iid\":%d}",
                gitlab_sim_project(w->gitlab, project), kind, iid);
    }
}

static void connect_with_token(struct world *w)
{
    start(w, 0);
    run_for(w, 5 * SECOND);
    call(w, 0, "POST", "/api/v1/connections",
         "{\"url\":\"" GITLAB_SIM_URL "\",\"token\":\"" GITLAB_SIM_TOKEN "\"}", NULL);
}

static void ask_reread(struct world *w, const char *kind, const char *project, const char *id)
{
    const struct wh_reread q = {.connection = WH_LIT(CONNECTION),
                                .kind = wh_slice_str(kind),
                                .project = wh_slice_str(project),
                                .id = wh_slice_str(id),
                                .reason = WH_LIT("no_version"),
                                .asked_at_ms = LOOP_SIM_EPOCH_MS};
    struct wh_bus_record record = {.topic = "rereads", .partition = -1, .key = wh_slice_str(id)};
    WH_AUTO(buf) struct wh_buf value;
    struct wh_err err;

    wh_buf_init(&value, 4096);
    th_ok(wh_reread_encode(&q, &value, &err), &err);
    record.value = wh_buf_slice(&value);
    th_ok(wh_producer_produce(w->producer, &record, &err), &err);
    (void)wh_producer_poll(w->producer, 0);
}

/* ---- scenarios ---- */

static void rest_with(uint64_t seed, const char *name, size_t queue_max_records)
{
    struct world w;
    char project[32];

    world_init(&w, seed);
    w.conf.queue_max_records = queue_max_records;
    part(&w, "first run");
    connect_with_token(&w);
    settle(&w, MINUTE);
    part(&w, "changes, then the next run");
    control(&w, "/control/mutate", "{\"count\":25}");
    settle(&w, 10 * MINUTE);
    part(&w, "re-reads");
    (void)snprintf(project, sizeof(project), "%" PRId64, gitlab_sim_project(w.gitlab, 0));
    ask_reread(&w, "issue", project, "3");
    ask_reread(&w, "merge_request", project, "5");
    ask_reread(&w, "issue", project, "3");
    ask_reread(&w, "issue", project, "987654");
    settle(&w, 30 * SECOND);
    part(&w, "restart in the middle of a run");
    control(&w, "/control/mutate", "{\"count\":25}");
    call(&w, 0, "POST", API "/sync", "", NULL);
    run_for(&w, 120);
    stop(&w, 0);
    settle(&w, 0);
    start(&w, 0);
    settle(&w, MINUTE);
    part(&w, "deletions below the limit, seen by a verification");
    delete_numbers(&w, 0, "issue", 2, 3);
    delete_numbers(&w, 0, "merge_request", 4, 4);
    call(&w, 0, "POST", API "/verify", "", NULL);
    settle(&w, MINUTE);
    part(&w, "deletions above the limit are held");
    delete_numbers(&w, 0, "issue", 6, 14);
    call(&w, 0, "POST", API "/verify", "", NULL);
    settle(&w, MINUTE);
    part(&w, "and confirmed");
    call(&w, 0, "POST", API "/confirm-deletes", "", NULL);
    settle(&w, MINUTE);
    part(&w, "one project is lost, another is removed");
    control(&w, "/control/project", "{\"project\":%" PRId64 ",\"presence\":\"lost\"}",
            gitlab_sim_project(w.gitlab, 1));
    control(&w, "/control/project", "{\"project\":%" PRId64 ",\"presence\":\"removed\"}",
            gitlab_sim_project(w.gitlab, 2));
    call(&w, 0, "POST", API "/verify", "", NULL);
    settle(&w, MINUTE);
    call(&w, 0, "POST", API "/confirm-deletes", "", NULL);
    settle(&w, MINUTE);
    part(&w, "and one comes back");
    control(&w, "/control/project", "{\"project\":%" PRId64 ",\"presence\":\"here\"}",
            gitlab_sim_project(w.gitlab, 1));
    settle(&w, 11 * MINUTE);
    note_status(&w, 0);
    part(&w, "the token is refused");
    control(&w, "/control/token", "{\"token\":\"another-token-9876543210\"}");
    settle(&w, 11 * MINUTE);
    part(&w, "disconnected and purged");
    call(&w, 0, "POST", API "/disconnect", "", NULL);
    settle(&w, MINUTE);
    call(&w, 0, "POST", API "/purge", "", NULL);
    settle(&w, MINUTE);
    transcript_check(w.transcript, name, seed != 1);
    world_done(&w);
}

static void rest(uint64_t seed, const char *name)
{
    rest_with(seed, name, 100000);
}

static void faults(uint64_t seed, const char *name)
{
    struct world w;

    world_init(&w, seed);
    part(&w, "first run while many answers go wrong");
    control(&w, "/control/faults",
            "{\"rate_429\":0.05,\"bare_429\":0.04,\"error_5xx\":0.05,\"truncate\":0.03,"
            "\"reset\":0.03,\"slow\":0.05,\"slow_ms\":3000,\"retry_after\":5,\"status\":503}");
    start(&w, 0);
    run_for(&w, 5 * SECOND);
    control(&w, "/control/faults", "{\"insert_mid_listing\":1}");
    call(&w, 0, "POST", "/api/v1/connections",
         "{\"url\":\"" GITLAB_SIM_URL "\",\"token\":\"" GITLAB_SIM_TOKEN "\"}", NULL);
    settle(&w, 3 * MINUTE);
    part(&w, "a budget, and limits of endpoints");
    control(&w, "/control/faults",
            "{\"clear\":true,\"rate_limit_per_minute\":40,\"jobs_per_minute\":3}");
    control(&w, "/control/mutate", "{\"count\":20}");
    settle(&w, 12 * MINUTE);
    part(&w, "GitLab is down, so the run fails");
    control(&w, "/control/faults", "{\"clear\":true,\"error_5xx\":1.0,\"status\":502}");
    settle(&w, 12 * MINUTE);
    part(&w, "GitLab is back");
    control(&w, "/control/faults", "{\"clear\":true}");
    settle(&w, 12 * MINUTE);
    note_status(&w, 0);
    transcript_check(w.transcript, name, seed != 1);
    world_done(&w);
}

/* The text of a member of the session's answer, which is JSON without escapes there. */
static void session_text(const char *json, const char *name, char *to, size_t max)
{
    char mark[64];
    const char *at;

    (void)snprintf(mark, sizeof(mark), "\"%s\":\"", name);
    at = strstr(json, mark);
    if (at == NULL) {
        fail_msg("no %s in %s", name, json);
        return;
    }
    at += strlen(mark);
    assert_true(strcspn(at, "\"") < max);
    memcpy(to, at, strcspn(at, "\""));
    to[strcspn(at, "\"")] = '\0';
}

/* Connects by an approval, as a person with a browser does. */
static void connect_by_approval(struct world *w)
{
    WH_AUTO(buf) struct wh_buf answer;
    WH_AUTO(buf) struct wh_buf back;
    WH_AUTO(buf) struct wh_buf body;
    char session[64];
    char path[128];
    char redirect[192];
    char url[2048];
    struct wh_err err;

    wh_buf_init(&answer, 1 << 20);
    wh_buf_init(&back, 4096);
    wh_buf_init(&body, 8192);
    call(w, 0, "POST", "/api/v1/connections",
         "{\"url\":\"" GITLAB_SIM_URL "\",\"oauth\":true,\"projects\":[101,108]}", &answer);
    session_text(answer.ptr, "session", session, sizeof(session));
    (void)snprintf(path, sizeof(path), "/api/v1/connects/%s", session);
    (void)snprintf(redirect, sizeof(redirect), "%s/redirect", path);
    run_for(w, 5 * SECOND);
    call(w, 0, "GET", path, "", &answer);
    session_text(answer.ptr, "approve_url", url, sizeof(url));
    gitlab_sim_approve(w->gitlab, url, &back);
    th_ok(wh_buf_printf(&body, &err, "{\"url\":\"%s\"}", back.ptr), &err);
    th_ok(wh_buf_append(&body, wh_slice("", 1), &err), &err);
    call(w, 0, "POST", redirect, body.ptr, NULL);
}

static void tools(uint64_t seed, const char *name)
{
    struct world w;

    world_init(&w, seed);
    part(&w, "an approval, then a run by tools");
    control(&w, "/control/quirks", "{\"token_life_s\":1500}");
    start(&w, 0);
    run_for(&w, 5 * SECOND);
    connect_by_approval(&w);
    settle(&w, MINUTE);
    note_status(&w, 0);
    part(&w, "changes, then the next run");
    control(&w, "/control/mutate", "{\"count\":20}");
    settle(&w, 11 * MINUTE);
    part(&w, "the token pair is refreshed");
    settle(&w, 11 * MINUTE);
    part(&w, "restart in the middle of a run, and a session that the server has forgotten");
    control(&w, "/control/mutate", "{\"count\":20}");
    call(&w, 0, "POST", API "/sync", "", NULL);
    run_for(&w, 200);
    stop(&w, 0);
    control(&w, "/control/oauth", "{\"forget_sessions\":true}");
    settle(&w, 0);
    start(&w, 0);
    settle(&w, MINUTE);
    part(&w, "GitLab revokes the tokens");
    control(&w, "/control/oauth", "{\"revoke\":true}");
    settle(&w, 11 * MINUTE);
    part(&w, "approved again, disconnected, purged");
    connect_by_approval(&w);
    settle(&w, MINUTE);
    call(&w, 0, "POST", API "/disconnect", "", NULL);
    settle(&w, 5 * MINUTE);
    call(&w, 0, "POST", API "/purge", "", NULL);
    settle(&w, MINUTE);
    transcript_check(w.transcript, name, seed != 1);
    world_done(&w);
}

static void two_members(uint64_t seed, const char *name)
{
    struct world w;

    world_init(&w, seed);
    part(&w, "one member alone");
    connect_with_token(&w);
    settle(&w, MINUTE);
    part(&w, "a second member joins");
    w.conf.name = "b";
    start(&w, 1);
    settle(&w, MINUTE);
    part(&w, "a person asks the second one for a run");
    control(&w, "/control/mutate", "{\"count\":20}");
    call(&w, 1, "POST", API "/sync", "", NULL);
    settle(&w, MINUTE);
    part(&w, "the first one leaves in the middle of a run");
    control(&w, "/control/mutate", "{\"count\":20}");
    call(&w, 1, "POST", API "/sync", "", NULL);
    run_for(&w, 150);
    stop(&w, 0);
    settle(&w, 12 * MINUTE);
    part(&w, "and comes back");
    w.conf.name = "a";
    start(&w, 0);
    settle(&w, 12 * MINUTE);
    note_status(&w, 0);
    note_status(&w, 1);
    transcript_check(w.transcript, name, seed != 1);
    world_done(&w);
}

/* The files of the first seed have all lines, those of the others a hash for each section. */
#define SCENARIO(fn, seed)                                                                         \
    static void test_##fn##_##seed(void **state)                                                   \
    {                                                                                              \
        (void)state;                                                                               \
        fn(seed, #fn "-" #seed);                                                                   \
    }
SCENARIO(rest, 1)
SCENARIO(rest, 2)
SCENARIO(rest, 3)
SCENARIO(faults, 1)
SCENARIO(faults, 2)
SCENARIO(faults, 3)
SCENARIO(tools, 1)
SCENARIO(tools, 2)
SCENARIO(tools, 3)
SCENARIO(two_members, 1)
SCENARIO(two_members, 2)
SCENARIO(two_members, 3)

/* The producer's queue is full all the time and records wait for it: nothing else is different. */
static void test_full_queue(void **state)
{
    (void)state;
    rest_with(2, "rest-2", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rest_1),        cmocka_unit_test(test_rest_2),
        cmocka_unit_test(test_rest_3),        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_faults_1),      cmocka_unit_test(test_faults_2),
        cmocka_unit_test(test_faults_3),      cmocka_unit_test(test_tools_1),
        cmocka_unit_test(test_tools_2),       cmocka_unit_test(test_tools_3),
        cmocka_unit_test(test_two_members_1), cmocka_unit_test(test_two_members_2),
        cmocka_unit_test(test_two_members_3),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
