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
#include "tests/gitlab/model.h"
#include "tests/golden/loop_sim.h"
#include "tests/golden/world.h"

static const struct gl_sizes sizes = {.projects = 3,
                                      .users = 8,
                                      .mrs = 16,
                                      .issues = 18,
                                      .pipelines = 8,
                                      .deployments = 6,
                                      .releases = 2};

static void part(struct world *w, const char *title)
{
    transcript_part(w->transcript, title);
}

/* Lets time pass, then notes what was produced. */
static void settle(struct world *w, int64_t ms)
{
    static const char *const topics[] = {"connections", "raw." WORLD_CONNECTION, "fetch-state",
                                         "runs", "health"};

    world_run_for(w, ms);
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        transcript_records(w->transcript, topics[i]);
    }
}

static void note_status(struct world *w, int index)
{
    struct wh_buf out;

    wh_buf_init(&out, 1 << 20);
    world_call(w, index, "GET", "/api/v1/status", "", &out);
    transcript_json(w->transcript, "status", wh_slice(out.ptr, out.len - 1));
    wh_buf_done(&out);
}

static void delete_numbers(struct world *w, unsigned project, const char *kind, int from, int to)
{
    for (int iid = from; iid <= to; iid++) {
        world_control(w, "/control/delete", "{\"project\":%" PRId64 ",\"kind\":\"%s\",\"iid\":%d}",
                      gitlab_sim_project(w->gitlab, project), kind, iid);
    }
}

static void ask_reread(struct world *w, const char *kind, const char *project, const char *id)
{
    const struct wh_reread q = {.connection = WH_LIT(WORLD_CONNECTION),
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

    world_init(&w, seed, &sizes);
    w.conf.queue_max_records = queue_max_records;
    part(&w, "first run");
    world_connect(&w);
    settle(&w, MINUTE);
    part(&w, "changes, then the next run");
    world_control(&w, "/control/mutate", "{\"count\":25}");
    settle(&w, 10 * MINUTE);
    part(&w, "re-reads");
    (void)snprintf(project, sizeof(project), "%" PRId64, gitlab_sim_project(w.gitlab, 0));
    ask_reread(&w, "issue", project, "3");
    ask_reread(&w, "merge_request", project, "5");
    ask_reread(&w, "issue", project, "3");
    ask_reread(&w, "issue", project, "987654");
    settle(&w, 30 * SECOND);
    part(&w, "restart in the middle of a run");
    world_control(&w, "/control/mutate", "{\"count\":25}");
    world_call(&w, 0, "POST", WORLD_API "/sync", "", NULL);
    world_run_for(&w, 120);
    world_stop(&w, 0);
    settle(&w, 0);
    world_start(&w, 0);
    settle(&w, MINUTE);
    part(&w, "deletions below the limit, seen by a verification");
    delete_numbers(&w, 0, "issue", 2, 3);
    delete_numbers(&w, 0, "merge_request", 4, 4);
    world_call(&w, 0, "POST", WORLD_API "/verify", "", NULL);
    settle(&w, 11 * MINUTE); /* the next run has the second answer */
    part(&w, "deletions above the limit are held");
    delete_numbers(&w, 0, "issue", 6, 14);
    world_call(&w, 0, "POST", WORLD_API "/verify", "", NULL);
    settle(&w, 11 * MINUTE); /* the next run has the second answer */
    part(&w, "and confirmed");
    world_call(&w, 0, "POST", WORLD_API "/confirm-deletes", "", NULL);
    settle(&w, MINUTE);
    part(&w, "one project is lost, another is removed");
    world_control(&w, "/control/project", "{\"project\":%" PRId64 ",\"presence\":\"lost\"}",
                  gitlab_sim_project(w.gitlab, 1));
    world_control(&w, "/control/project", "{\"project\":%" PRId64 ",\"presence\":\"removed\"}",
                  gitlab_sim_project(w.gitlab, 2));
    world_call(&w, 0, "POST", WORLD_API "/verify", "", NULL);
    settle(&w, 11 * MINUTE); /* the next run has the second answer */
    world_call(&w, 0, "POST", WORLD_API "/confirm-deletes", "", NULL);
    settle(&w, MINUTE);
    part(&w, "and one comes back");
    world_control(&w, "/control/project", "{\"project\":%" PRId64 ",\"presence\":\"here\"}",
                  gitlab_sim_project(w.gitlab, 1));
    settle(&w, 11 * MINUTE);
    note_status(&w, 0);
    part(&w, "the token is refused");
    world_control(&w, "/control/token", "{\"token\":\"another-token-9876543210\"}");
    settle(&w, 11 * MINUTE);
    part(&w, "disconnected and purged");
    world_call(&w, 0, "POST", WORLD_API "/disconnect", "", NULL);
    settle(&w, MINUTE);
    world_call(&w, 0, "POST", WORLD_API "/purge", "", NULL);
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

    world_init(&w, seed, &sizes);
    part(&w, "first run while many answers go wrong");
    world_control(
        &w, "/control/faults",
        "{\"rate_429\":0.05,\"bare_429\":0.04,\"error_5xx\":0.05,\"truncate\":0.03,"
        "\"reset\":0.03,\"slow\":0.05,\"slow_ms\":3000,\"retry_after\":5,\"status\":503}");
    world_start(&w, 0);
    world_run_for(&w, 5 * SECOND);
    world_control(&w, "/control/faults", "{\"insert_mid_listing\":1}");
    world_call(&w, 0, "POST", "/api/v1/connections",
               "{\"url\":\"" GITLAB_SIM_URL "\",\"token\":\"" GITLAB_SIM_TOKEN "\"}", NULL);
    settle(&w, 3 * MINUTE);
    part(&w, "a budget, and limits of endpoints");
    world_control(&w, "/control/faults",
                  "{\"clear\":true,\"rate_limit_per_minute\":40,\"jobs_per_minute\":3}");
    world_control(&w, "/control/mutate", "{\"count\":20}");
    settle(&w, 12 * MINUTE);
    part(&w, "GitLab is down, so the run fails");
    world_control(&w, "/control/faults", "{\"clear\":true,\"error_5xx\":1.0,\"status\":502}");
    settle(&w, 12 * MINUTE);
    part(&w, "GitLab is back");
    world_control(&w, "/control/faults", "{\"clear\":true}");
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
    world_call(w, 0, "POST", "/api/v1/connections",
               "{\"url\":\"" GITLAB_SIM_URL "\",\"oauth\":true,\"projects\":[101,108]}", &answer);
    session_text(answer.ptr, "session", session, sizeof(session));
    (void)snprintf(path, sizeof(path), "/api/v1/connects/%s", session);
    (void)snprintf(redirect, sizeof(redirect), "%s/redirect", path);
    world_run_for(w, 5 * SECOND);
    world_call(w, 0, "GET", path, "", &answer);
    session_text(answer.ptr, "approve_url", url, sizeof(url));
    gitlab_sim_approve(w->gitlab, url, &back);
    th_ok(wh_buf_printf(&body, &err, "{\"url\":\"%s\"}", back.ptr), &err);
    th_ok(wh_buf_append(&body, wh_slice("", 1), &err), &err);
    world_call(w, 0, "POST", redirect, body.ptr, NULL);
}

static void tools(uint64_t seed, const char *name)
{
    struct world w;

    world_init(&w, seed, &sizes);
    part(&w, "an approval, then a run by tools");
    world_control(&w, "/control/quirks", "{\"token_life_s\":1500}");
    world_start(&w, 0);
    world_run_for(&w, 5 * SECOND);
    connect_by_approval(&w);
    settle(&w, MINUTE);
    note_status(&w, 0);
    part(&w, "changes, then the next run");
    world_control(&w, "/control/mutate", "{\"count\":20}");
    settle(&w, 11 * MINUTE);
    part(&w, "the token pair is refreshed");
    settle(&w, 11 * MINUTE);
    part(&w, "restart in the middle of a run, and a session that the server has forgotten");
    world_control(&w, "/control/mutate", "{\"count\":20}");
    world_call(&w, 0, "POST", WORLD_API "/sync", "", NULL);
    world_run_for(&w, 200);
    world_stop(&w, 0);
    world_control(&w, "/control/oauth", "{\"forget_sessions\":true}");
    settle(&w, 0);
    world_start(&w, 0);
    settle(&w, MINUTE);
    part(&w, "GitLab revokes the tokens");
    world_control(&w, "/control/oauth", "{\"revoke\":true}");
    settle(&w, 11 * MINUTE);
    part(&w, "approved again, disconnected, purged");
    connect_by_approval(&w);
    settle(&w, MINUTE);
    world_call(&w, 0, "POST", WORLD_API "/disconnect", "", NULL);
    settle(&w, 5 * MINUTE);
    world_call(&w, 0, "POST", WORLD_API "/purge", "", NULL);
    settle(&w, MINUTE);
    transcript_check(w.transcript, name, seed != 1);
    world_done(&w);
}

static void two_members(uint64_t seed, const char *name)
{
    struct world w;

    world_init(&w, seed, &sizes);
    part(&w, "one member alone");
    world_connect(&w);
    settle(&w, MINUTE);
    part(&w, "a second member joins");
    w.conf.name = "b";
    world_start(&w, 1);
    settle(&w, MINUTE);
    part(&w, "a person asks the second one for a run");
    world_control(&w, "/control/mutate", "{\"count\":20}");
    world_call(&w, 1, "POST", WORLD_API "/sync", "", NULL);
    settle(&w, MINUTE);
    part(&w, "the first one leaves in the middle of a run");
    world_control(&w, "/control/mutate", "{\"count\":20}");
    world_call(&w, 1, "POST", WORLD_API "/sync", "", NULL);
    world_run_for(&w, 150);
    world_stop(&w, 0);
    settle(&w, 12 * MINUTE);
    part(&w, "and comes back");
    w.conf.name = "a";
    world_start(&w, 0);
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
