/* Rules: who is told, in which order, again and again until the target has it, and never twice without need. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/crypto/crypto.h"
#include "stages/sink/automation/automation.h"
#include "tests/lib/store_mem.h"
#include "tests/lib/th_facts.h"
#include "tests/lib/th_map.h"
#include "tests/lib/th_tmp.h"

enum { TEXT_MAX = 1 << 20 };

/* ---- a target ---- */

/* A request that waits for its answer. */
struct wh_httpc_transfer {
    wh_httpc_fn fn;
    void *ctx;
    char *body;
    char url[128];
    char id[64];
    char timestamp[32];
    char signature[128];
    enum wh_httpc_peer peer;
};

enum { WAITING_MAX = 8 };

struct target {
    struct wh_httpc base;
    struct wh_httpc_transfer *waiting[WAITING_MAX];
    size_t n;
};

static void transfer_free(struct wh_httpc_transfer *t)
{
    wh_mem_free(t->body);
    wh_mem_free(t);
}

static void keep(const struct wh_httpc_request *req, const char *name, char *to, size_t size)
{
    for (size_t i = 0; i < req->n_headers; i++) {
        if (wh_slice_eq(req->headers[i].name, wh_slice_str(name))) {
            (void)snprintf(to, size, "%.*s", WH_SLICE_ARG(req->headers[i].value));
        }
    }
}

static enum wh_rc target_start(struct wh_httpc *c, const struct wh_httpc_request *req,
                               wh_httpc_fn fn, void *ctx, struct wh_httpc_transfer **ret,
                               struct wh_err *err)
{
    struct target *target = (struct target *)c;
    struct wh_httpc_transfer *t = wh_mem_zalloc(1, sizeof(*t));

    (void)err;
    assert_true(target->n < WAITING_MAX);
    assert_true(wh_slice_eq(req->method, WH_LIT("POST")));
    t->fn = fn;
    t->ctx = ctx;
    t->body = wh_mem_dup(req->body.ptr, req->body.len);
    t->peer = req->peer;
    (void)snprintf(t->url, sizeof(t->url), "%.*s", WH_SLICE_ARG(req->url));
    keep(req, "webhook-id", t->id, sizeof(t->id));
    keep(req, "webhook-timestamp", t->timestamp, sizeof(t->timestamp));
    keep(req, "webhook-signature", t->signature, sizeof(t->signature));
    target->waiting[target->n++] = t;
    *ret = t;
    return WH_OK;
}

static void take_out(struct target *target, struct wh_httpc_transfer *t)
{
    for (size_t i = 0; i < target->n; i++) {
        if (target->waiting[i] == t) {
            target->waiting[i] = target->waiting[--target->n];
            return;
        }
    }
}

static void target_cancel(struct wh_httpc *c, struct wh_httpc_transfer *t)
{
    take_out((struct target *)c, t);
    transfer_free(t);
}

static const struct wh_httpc_ops target_ops = {.start = target_start, .cancel = target_cancel};

/* ---- the world ---- */

struct world {
    struct th_facts facts;
    struct changes *changes;
    struct wh_store *store;
    struct wh_loop *loop;
    struct target target;
    struct automation *automation;
    struct wh_json_parser *parser;
    struct wh_buf text;
    char *folder;
    char file[256];
    unsigned minute;
};

static void note_begin(struct wh_store *store, uint64_t begun_ms)
{
    unsigned char ms[8];
    struct wh_batch *batch;
    struct wh_err err;

    wh_be_put64(ms, begun_ms);
    th_ok(wh_batch_new(store, &batch, &err), &err);
    th_ok(wh_batch_put(batch, SINK_META, WH_LIT("b"), wh_slice(ms, sizeof(ms)), &err), &err);
    th_ok(wh_store_write(store, batch, false, &err), &err);
    wh_batch_free(batch);
}

static void make_changes(struct world *w)
{
    const struct changes_conf conf = {.store = w->facts.store, .clock = wh_clock_real()};
    struct wh_err err;

    th_ok(changes_new(&conf, &w->changes, &err), &err);
}

static enum wh_rc try_start(struct world *w, struct wh_err *err)
{
    const struct automation_deps deps = {.store = w->store,
                                         .changes = w->changes,
                                         .http = &w->target.base,
                                         .loop = w->loop,
                                         .clock = wh_clock_real(),
                                         .conf = {.file = w->file,
                                                  .secrets_path = w->folder,
                                                  .topic_prefix = "wellhead.",
                                                  .retry_first_ms = 10}};

    return automation_new(&deps, &w->automation, err);
}

static void start(struct world *w)
{
    struct wh_err err;

    th_ok(try_start(w, &err), &err);
}

/* As after a kill: what was in flight is lost, the stores are as they are. */
static void restart(struct world *w)
{
    automation_free(w->automation);
    start(w);
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, true);
    (void)fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

static int set_up(void **state)
{
    const struct wh_store_conf conf = {.families = automation_families,
                                       .n_families = AUTOMATION_FAMILY_COUNT};
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct wh_err err;

    w->target.base.ops = &target_ops;
    w->folder = th_tmp_new();
    write_file(w->folder, "hook.key", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n");
    th_facts_init(&w->facts);
    note_begin(w->facts.store, UINT64_C(1780000000000));
    make_changes(w);
    th_ok(wh_store_mem_open(&conf, &w->store, &err), &err);
    w->loop = wh_loop_new();
    w->parser = wh_json_parser_new(TEXT_MAX, 16);
    wh_buf_init(&w->text, TEXT_MAX);
    start(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    changes_stop(w->changes);
    automation_free(w->automation);
    changes_free(w->changes);
    wh_store_free(w->store);
    th_facts_done(&w->facts);
    wh_loop_free(w->loop);
    wh_json_parser_free(w->parser);
    wh_buf_done(&w->text);
    th_tmp_remove(w->folder);
    wh_mem_free(w);
    return 0;
}

/* Pipeline `id` gets this status, a minute after the last change of all. */
static void pipeline(struct world *w, unsigned id, const char *status)
{
    char json[512];

    w->facts.now_ms += 1000;
    w->minute++;
    (void)snprintf(json, sizeof(json),
                   "{\"kind\":\"build_record\",\"id\":\"%u\",\"at\":\"2026-05-01T%02u:%02u:00Z\","
                   "\"status\":\"%s\"}",
                   id, 10 + w->minute / 60, w->minute % 60, status);
    th_facts_put(&w->facts, json);
    changes_notify(w->changes, sink_apply_sequence(w->facts.apply));
    automation_notify(w->automation);
}

#define TARGET ",\"url\":\"https://hooks.test/T0/SECRET\",\"secret_file\":\"hook.key\""
#define FAILED                                                                                     \
    "{\"id\":\"failed\",\"table\":\"pipelines\",\"enters\":\"status = "                            \
    "'failed'\",\"max_age\":\"0\""

static void put(struct world *w, const char *json)
{
    struct wh_err err;

    th_ok(automation_put(w->automation, wh_slice_str(json), &err), &err);
}

static struct wh_json_val list(struct world *w)
{
    struct wh_json_writer json;
    struct wh_json_val root;
    struct wh_err err;

    wh_buf_reset(&w->text);
    wh_json_writer_init(&json, &w->text);
    wh_jw_object(&json);
    wh_jw_key(&json, "rows");
    automation_list(w->automation, &json);
    wh_jw_end(&json);
    th_ok(wh_jw_finish(&json, &err), &err);
    th_ok(wh_json_parse(w->parser, wh_buf_slice(&w->text), &root, &err), &err);
    return root;
}

static int64_t number(struct world *w, const char *member)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "rows.0.%s", member);
    return wh_json_int(th_json(list(w), path));
}

/* The rules' thread cannot wake this one. */
static void give_way(void)
{
    const struct timespec moment = {.tv_nsec = 500000};

    (void)nanosleep(&moment, NULL);
}

static void await_number(struct world *w, const char *member, int64_t want)
{
    while (number(w, member) != want) {
        wh_loop_turn(w->loop, false);
        give_way();
    }
}

/* The rule knows what matched before it was. */
static void await_begin(struct world *w)
{
    for (;;) {
        struct wh_slice state = wh_json_string(th_json(list(w), "rows.0.state"));

        if (wh_slice_eq(state, WH_LIT("watching"))) {
            return;
        }
        give_way();
    }
}

static struct wh_httpc_transfer *await_request(struct world *w)
{
    while (w->target.n == 0) {
        wh_loop_turn(w->loop, false);
        give_way();
    }
    assert_int_equal(w->target.n, 1); /* one at a time */
    return w->target.waiting[0];
}

static void answer_with(struct world *w, unsigned status, const char *retry_after)
{
    struct wh_httpc_transfer *t = await_request(w);
    const struct wh_httpc_header header = {WH_LIT("retry-after"), wh_slice_str(retry_after)};
    const struct wh_httpc_answer answer = {
        .status = status, .headers = &header, .n_headers = retry_after ? 1 : 0};

    take_out(&w->target, t);
    t->fn(t->ctx, &answer);
    transfer_free(t);
}

static void answer(struct world *w, unsigned status)
{
    answer_with(w, status, NULL);
}

static void says(const struct wh_httpc_transfer *t, const char *text)
{
    if (strstr(t->body, text) == NULL) {
        fail_msg("'%s' is not in: %s", text, t->body);
    }
}

/* ---- tests ---- */

static void a_record_that_enters_is_told_once(void **state)
{
    struct world *w = *state;
    struct wh_httpc_transfer *t;

    pipeline(w, 1, "failed"); /* before the rule: it is known, and not told */
    put(w, FAILED TARGET "}");
    await_begin(w);
    pipeline(w, 2, "running");
    pipeline(w, 1, "failed");
    pipeline(w, 2, "failed");
    t = await_request(w);
    assert_string_equal(t->url, "https://hooks.test/T0/SECRET");
    assert_int_equal(t->peer, WH_HTTPC_PEER_PUBLIC);
    says(t, "\"type\":\"wellhead.rule.enter\"");
    says(t, "\"rule\":\"failed\"");
    says(t, "\"status\":{\"before\":\"running\",\"after\":\"failed\"}");
    answer(w, 200);
    await_number(w, "delivered", 1);
    assert_int_equal(number(w, "waiting"), 0);
    await_begin(w);
    assert_int_equal(w->target.n, 0);
}

/* Standard Webhooks: HMAC-SHA256 over id.timestamp.body, base64, with the version in front. */
static void what_is_sent_is_signed(void **state)
{
    struct world *w = *state;
    struct wh_httpc_transfer *t;
    unsigned char mac[WH_SHA256_BYTES];
    struct wh_buf want;
    struct wh_err err;

    put(w, FAILED TARGET "}");
    await_begin(w);
    pipeline(w, 1, "failed");
    t = await_request(w);
    {
        const struct wh_slice parts[] = {wh_slice_str(t->id), WH_LIT("."),
                                         wh_slice_str(t->timestamp), WH_LIT("."),
                                         wh_slice_str(t->body)};

        th_ok(wh_hmac_sha256(WH_LIT("0123456789abcdef01234567"), parts, 5, mac, &err), &err);
    }
    wh_buf_init(&want, 256);
    th_ok(wh_buf_append(&want, WH_LIT("v1,"), &err), &err);
    th_ok(wh_base64_encode(wh_slice(mac, sizeof(mac)), &want, &err), &err);
    assert_string_equal(t->signature, wh_buf_str(&want));
    assert_int_equal(strncmp(t->id, "msg_", 4), 0);
    wh_buf_done(&want);
    answer(w, 204);
    await_number(w, "delivered", 1);
}

static void leaving_is_told_when_it_is_asked_for(void **state)
{
    struct world *w = *state;

    put(w, FAILED ",\"on\":[\"enter\",\"leave\"]" TARGET "}");
    await_begin(w);
    pipeline(w, 1, "failed");
    pipeline(w, 1, "success");
    says(await_request(w), "wellhead.rule.enter");
    answer(w, 200);
    await_number(w, "delivered", 1);
    says(await_request(w), "wellhead.rule.leave");
    answer(w, 200);
    await_number(w, "delivered", 2);
}

/* A target that fails gets the same delivery again, and what comes later waits behind it. */
static void a_delivery_is_repeated_until_it_is_acknowledged(void **state)
{
    static const unsigned failures[] = {500, 429, 503, 408};
    struct world *w = *state;
    char id[64];

    put(w, FAILED ",\"on\":[\"enter\",\"leave\"]" TARGET "}");
    await_begin(w);
    pipeline(w, 1, "failed");
    pipeline(w, 1, "success");
    (void)snprintf(id, sizeof(id), "%s", await_request(w)->id);
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        says(await_request(w), "wellhead.rule.enter");
        assert_string_equal(w->target.waiting[0]->id, id);
        answer(w, failures[i]);
        await_number(w, "attempts", (int64_t)i + 1);
    }
    assert_string_equal(await_request(w)->id, id);
    answer(w, 200);
    await_number(w, "delivered", 1);
    says(await_request(w), "wellhead.rule.leave");
    answer(w, 200);
    await_number(w, "delivered", 2);
}

static void a_kill_loses_nothing_and_repeats_what_was_in_flight(void **state)
{
    struct world *w = *state;
    char id[64];

    put(w, FAILED TARGET "}");
    await_begin(w);
    pipeline(w, 1, "failed");
    (void)snprintf(id, sizeof(id), "%s", await_request(w)->id);
    restart(w); /* the target may or may not have it */
    assert_string_equal(await_request(w)->id, id);
    answer(w, 200);
    await_number(w, "delivered", 1);
    /* While it was down, one came and one was there all the time. */
    automation_stop(w->automation);
    pipeline(w, 1, "failed");
    pipeline(w, 2, "failed");
    restart(w);
    says(await_request(w), "wellhead.rule.enter");
    assert_string_not_equal(w->target.waiting[0]->id, id);
    answer(w, 200);
    await_number(w, "delivered", 2);
    await_begin(w);
    assert_int_equal(w->target.n, 0);
}

static void what_a_target_refuses_can_be_replayed(void **state)
{
    struct world *w = *state;
    struct wh_err err;
    char id[64];
    size_t n;

    put(w, FAILED TARGET "}");
    await_begin(w);
    pipeline(w, 1, "failed");
    (void)snprintf(id, sizeof(id), "%s", await_request(w)->id);
    answer(w, 400);
    await_number(w, "failed", 1);
    pipeline(w, 2, "failed"); /* goes on */
    answer(w, 301);           /* no redirect is followed */
    await_number(w, "failed", 2);
    assert_int_equal(automation_replay(w->automation, WH_LIT("failed"), 7, false, &n, &err),
                     WH_E_NOT_FOUND);
    th_ok(automation_replay(w->automation, WH_LIT("failed"), 1, false, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_string_equal(await_request(w)->id, id);
    answer(w, 200);
    await_number(w, "delivered", 1);
    th_ok(automation_replay(w->automation, WH_LIT("failed"), 0, true, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_int_equal(number(w, "failed"), 0);
    assert_int_equal(w->target.n, 0);
}

static void a_target_that_is_gone_ends_its_rule(void **state)
{
    struct world *w = *state;
    struct wh_err err;
    size_t n;

    put(w, FAILED TARGET "}");
    await_begin(w);
    pipeline(w, 1, "failed");
    pipeline(w, 2, "failed");
    answer(w, 410);
    await_number(w, "failed", 1);
    assert_true(wh_slice_eq(wh_json_string(th_json(list(w), "rows.0.state")), WH_LIT("ended")));
    th_ok(automation_replay(w->automation, WH_LIT("failed"), 0, false, &n, &err), &err);
    answer(w, 200);
    await_number(w, "delivered", 1);
    answer(w, 200);
    await_number(w, "delivered", 2);
}

static void retry_after_is_honoured(void **state)
{
    struct world *w = *state;

    put(w, FAILED TARGET "}");
    await_begin(w);
    pipeline(w, 1, "failed");
    await_request(w);
    answer_with(w, 503, "3600");
    await_number(w, "attempts", 1);
    for (int i = 0; i < 50; i++) {
        wh_loop_turn(w->loop, false);
        give_way();
    }
    assert_int_equal(w->target.n, 0);
}

/* A slow target costs only its own rule. */
static void rules_do_not_wait_for_each_other(void **state)
{
    struct world *w = *state;
    struct wh_httpc_transfer *slow;

    put(w, FAILED TARGET "}");
    put(w, "{\"id\":\"other\",\"table\":\"pipelines\",\"enters\":\"status = "
           "'success'\",\"max_age\":\"0\"" TARGET "}");
    await_begin(w);
    pipeline(w, 1, "failed");
    slow = await_request(w);
    take_out(&w->target, slow);
    pipeline(w, 2, "success");
    says(await_request(w), "\"rule\":\"other\"");
    answer(w, 200);
    w->target.waiting[w->target.n++] = slow;
    answer(w, 200);
    await_number(w, "delivered", 1);
}

static void what_was_learned_late_is_not_told(void **state)
{
    struct world *w = *state;

    /* The observations of the facts came long after what they show. */
    put(w, "{\"id\":\"failed\",\"table\":\"pipelines\",\"enters\":\"status = "
           "'failed'\",\"max_age\":\"1ms\"" TARGET "}");
    await_begin(w);
    pipeline(w, 1, "failed");
    await_number(w, "silent", 1);
    assert_int_equal(number(w, "waiting"), 0);
}

/* Another store has other sequences: the records themselves are compared. */
static void a_rebuilt_store_is_compared(void **state)
{
    struct world *w = *state;

    put(w, FAILED ",\"on\":[\"enter\",\"leave\"]" TARGET "}");
    await_begin(w);
    pipeline(w, 1, "failed");
    answer(w, 200);
    await_number(w, "delivered", 1);
    automation_free(w->automation);
    changes_free(w->changes);
    th_facts_done(&w->facts);
    th_facts_init(&w->facts);
    note_begin(w->facts.store, UINT64_C(1790000000000));
    make_changes(w);
    th_facts_put(&w->facts,
                 "{\"kind\":\"build_record\",\"id\":\"9\",\"at\":\"2026-05-02T10:00:00Z\","
                 "\"status\":\"failed\"}");
    changes_notify(w->changes, 1);
    start(w);
    says(await_request(w), "wellhead.rule.enter");
    answer(w, 200);
    await_number(w, "delivered", 2);
    says(await_request(w), "wellhead.rule.leave");
    answer(w, 200);
    await_number(w, "delivered", 3);
}

static void an_altered_condition_tells_nobody(void **state)
{
    struct world *w = *state;

    put(w, FAILED TARGET "}");
    await_begin(w);
    pipeline(w, 1, "success");
    put(w, "{\"id\":\"failed\",\"table\":\"pipelines\",\"enters\":\"status = "
           "'success'\",\"max_age\":\"0\"" TARGET "}");
    await_begin(w);
    pipeline(w, 1, "success");
    pipeline(w, 2, "success");
    await_request(w);
    answer(w, 200);
    await_number(w, "delivered", 1);
    await_begin(w);
    assert_int_equal(w->target.n, 0);
}

static void secrets_are_never_shown(void **state)
{
    struct world *w = *state;

    put(w, FAILED TARGET "}");
    list(w);
    assert_null(strstr(wh_buf_str(&w->text), "SECRET"));
    assert_null(strstr(wh_buf_str(&w->text), "MDEyMz"));
    assert_non_null(strstr(wh_buf_str(&w->text), "\"url\":\"https://hooks.test\""));
}

static void wrong_rules_are_refused(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{\"id\":\"a\"}",
        "{\"id\":\"A b\",\"table\":\"jobs\",\"enters\":\"1\"" TARGET "}",
        "{\"id\":\"a\",\"table\":\"nothing\",\"enters\":\"1\"" TARGET "}",
        "{\"id\":\"a\",\"table\":\"jobs\",\"enters\":\"nothing = 1\"" TARGET "}",
        "{\"id\":\"a\",\"table\":\"jobs\",\"enters\":\"1\"}",
        "{\"id\":\"a\",\"table\":\"jobs\",\"enters\":\"1\",\"topic\":\"x\"" TARGET "}",
        "{\"id\":\"a\",\"table\":\"jobs\",\"enters\":\"1\",\"topic\":\"wellhead.entities.x\"}",
        "{\"id\":\"a\",\"table\":\"jobs\",\"enters\":\"1\",\"topic\":\"__consumer_offsets\"}",
        "{\"id\":\"a\",\"table\":\"jobs\",\"enters\":\"1\",\"url\":\"ftp://x/"
        "\",\"secret_file\":\"k\"}",
        "{\"id\":\"a\",\"table\":\"jobs\",\"enters\":\"1\",\"url\":\"https://u:p@x/"
        "\",\"secret_file\":\"k\"}",
        "{\"id\":\"a\",\"table\":\"jobs\",\"enters\":\"1\",\"url\":\"https://x/\"}",
        "{\"id\":\"a\",\"table\":\"jobs\",\"enters\":\"1\",\"url\":\"https://x/"
        "\",\"secret_file\":\"/etc/passwd\"}",
        "{\"id\":\"a\",\"table\":\"jobs\",\"enters\":\"1\",\"url\":\"https://x/"
        "\",\"secret_file\":\"../k\"}",
        "{\"id\":\"a\",\"table\":\"jobs\",\"enters\":\"1\",\"enter\":\"2\"" TARGET "}",
        "{\"id\":\"a\",\"table\":\"jobs\",\"enters\":\"1\",\"on\":[\"exit\"]" TARGET "}",
    };
    struct world *w = *state;
    struct wh_err err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (automation_put(w->automation, wh_slice_str(bad[i]), &err) == WH_OK) {
            fail_msg("accepted: %s", bad[i]);
        }
        assert_int_equal(wh_rc_class(err.rc), WH_CLASS_POISON);
    }
    assert_int_equal(automation_remove(w->automation, WH_LIT("a"), &err), WH_E_NOT_FOUND);
}

static void a_rule_is_removed_with_all_about_it(void **state)
{
    struct world *w = *state;
    struct wh_err err;

    put(w, FAILED TARGET "}");
    await_begin(w);
    pipeline(w, 1, "failed");
    await_request(w);
    th_ok(automation_remove(w->automation, WH_LIT("failed"), &err), &err);
    answer(w, 200);
    restart(w);
    list(w);
    assert_string_equal(wh_buf_str(&w->text), "{\"rows\":[]}");
}

static void rules_of_the_file_are_the_files(void **state)
{
    struct world *w = *state;
    struct wh_err err;

    (void)snprintf(w->file, sizeof(w->file), "%s/rules.json", w->folder);
    write_file(w->folder, "rules.json", "{\"version\":1,\"rules\":[" FAILED TARGET "}]}");
    restart(w);
    await_begin(w);
    assert_int_equal(automation_remove(w->automation, WH_LIT("failed"), &err), WH_E_BUSY);
    assert_int_equal(automation_put(w->automation, WH_LIT(FAILED TARGET "}"), &err), WH_E_BUSY);
    pipeline(w, 1, "failed");
    answer(w, 200);
    await_number(w, "delivered", 1);
    write_file(w->folder, "rules.json", "{\"version\":1,\"rules\":[{\"id\":\"x\"}]}");
    automation_free(w->automation);
    w->automation = NULL;
    assert_int_equal(try_start(w, &err), WH_E_CONFIG);
    assert_non_null(strstr(err.msg, "rule 1"));
}

/* ---- the past ---- */

struct fired {
    unsigned entered;
    unsigned left;
};

static enum wh_rc on_fired(void *ctx, const struct automation_fired *fired, struct wh_err *err)
{
    struct fired *f = ctx;

    (void)err;
    f->entered += fired->entered;
    f->left += !fired->entered;
    return WH_OK;
}

/* What a dry run finds is what the rule told. */
static void a_dry_run_finds_what_was_told(void **state)
{
    static const char *const statuses[] = {"running", "failed", "success"};
    struct world *w = *state;
    struct fired fired = {0, 0};
    struct automation_dry_run run = {.deadline_ns = INT64_MAX, .fired = on_fired, .ctx = &fired};
    struct fired told = {0, 0};
    struct wh_err err;
    unsigned seed = 7;

    pipeline(w, 0, "failed"); /* before */
    run.since_ms = w->facts.now_ms + 1;
    put(w, FAILED ",\"on\":[\"enter\",\"leave\"]" TARGET "}");
    await_begin(w);
    for (int i = 0; i < 60; i++) {
        seed = seed * 1103515245 + 12345;
        pipeline(w, seed >> 16 & 3, statuses[(seed >> 20) % 3]);
    }
    await_number(w, "behind", 0);
    while (number(w, "waiting") > 0) {
        struct wh_httpc_transfer *t = await_request(w);
        int64_t delivered = number(w, "delivered");

        told.entered += strstr(t->body, "rule.enter") != NULL;
        told.left += strstr(t->body, "rule.leave") != NULL;
        answer(w, 200);
        await_number(w, "delivered", delivered + 1);
    }
    assert_true(told.entered > 5 && told.left > 5);
    th_ok(automation_test(w->automation, (struct wh_slice){NULL, 0}, WH_LIT("failed"), &run, &err),
          &err);
    assert_int_equal(fired.entered, told.entered);
    assert_int_equal(fired.left, told.left);
    assert_int_equal(run.left_out, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_record_that_enters_is_told_once),
        TEST(what_is_sent_is_signed),
        TEST(leaving_is_told_when_it_is_asked_for),
        TEST(a_delivery_is_repeated_until_it_is_acknowledged),
        TEST(a_kill_loses_nothing_and_repeats_what_was_in_flight),
        TEST(what_a_target_refuses_can_be_replayed),
        TEST(a_target_that_is_gone_ends_its_rule),
        TEST(retry_after_is_honoured),
        TEST(rules_do_not_wait_for_each_other),
        TEST(what_was_learned_late_is_not_told),
        TEST(a_rebuilt_store_is_compared),
        TEST(an_altered_condition_tells_nobody),
        TEST(secrets_are_never_shown),
        TEST(wrong_rules_are_refused),
        TEST(a_rule_is_removed_with_all_about_it),
        TEST(rules_of_the_file_are_the_files),
        TEST(a_dry_run_finds_what_was_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
