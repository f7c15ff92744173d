#include "tests/lib/th_control.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "stages/fetcher/oauth/keep.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_fetcher.h"
#include "tests/lib/th_http.h"
#include "tests/lib/th_tmp.h"

enum { LONG_S = 60, SEALED_MAX = 1 << 16 };

static const char authorization[] =
    "Bearer 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static int64_t clock_now(void *ctx)
{
    return ((struct th_control *)ctx)->now_ms;
}

static int64_t clock_mono(void *ctx)
{
    return ((struct th_control *)ctx)->now_ms * 1000000;
}

static bool has(struct wh_slice url, const char *part)
{
    return memmem(url.ptr, url.len, part, strlen(part)) != NULL;
}

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice token,
                   struct th_script_answer *a)
{
    struct th_control *t = ctx;
    const char *body = "[]";
    struct wh_err err;

    assert_true(t->n_requests < TH_CONTROL_REQUESTS_MAX);
    (void)snprintf(t->requests[t->n_requests++], TH_CONTROL_TEXT_MAX, "%.*s %.*s",
                   WH_SLICE_ARG(url), WH_SLICE_ARG(token));
    if (t->gitlab && t->gitlab(t, url, token, a)) {
        return;
    }
    if (has(url, "/api/v4/user")) {
        body = "{\"username\":\"ada\"}";
    } else if (has(url, "/api/v4/version")) {
        body = "{\"version\":\"18.6.0\"}";
    } else if (has(url, "/personal_access_tokens/self")) {
        body = "{\"scopes\":[\"read_api\"]}";
    }
    th_ok(wh_buf_append(&a->body, wh_slice_str(body), &err), &err);
}

static enum wh_rc new_consumer(void *ctx, struct wh_consumer **ret, struct wh_err *err)
{
    struct wh_consumer_conf conf;

    wh_consumer_conf_init(&conf);
    conf.report_ends = true;
    return wh_bus_mem_consumer(((struct th_control *)ctx)->bus, &conf, ret, err);
}

static enum wh_rc new_producer(void *ctx, struct wh_producer **ret, struct wh_err *err)
{
    struct wh_producer_conf conf;

    wh_producer_conf_init(&conf);
    conf.queue_max_bytes = 1 << 20;
    conf.queue_max_records = 4;
    return wh_bus_mem_producer(((struct th_control *)ctx)->bus, &conf, ret, err);
}

static void start(struct th_control *t)
{
    struct fetcher_deps deps = {
        .loop = t->loop,
        .clock = {.now_ms = clock_now, .mono_ns = clock_mono, .ctx = t},
        .http = th_script_http(t->script),
        .admin = t->admin,
        .consumer_new = new_consumer,
        .producer_new = new_producer,
        .bus_ctx = t,
        .keys = &t->keys,
        .conf = th_fetcher_conf(),
    };
    const struct wh_bus_header *headers;
    struct wh_bus_msg msg;
    char path[256];
    struct wh_err err;
    size_t n;

    deps.conf.partitions = 1;
    deps.conf.replication = 1;
    deps.conf.allow_http = true;
    deps.conf.redirect_url = "http://127.0.0.1:1/oauth/callback";
    deps.conf.client_metadata_url = "";
    deps.conf.public_url = "https://wellhead.example.com";
    th_fetcher_new(&deps, t->bus, &t->producer, &t->f);
    (void)snprintf(path, sizeof(path), "%s/token", t->folder);
    th_ok(control_new(t->f, path, &t->control, &err), &err);
    t->handler = control_handler(t->control);
    for (size_t i = 0; wh_bus_mem_get(t->bus, "connections", i, &msg, &headers, &n); i++) {
        msg.topic = NULL; /* as at a start */
        fetcher_take_connection(t->f, &msg);
    }
    fetcher_start(t->f);
}

static void stop(struct th_control *t)
{
    fetcher_drain(t->f);
    control_drain(t->control);
    control_free(t->control);
    wh_producer_free(t->producer);
    fetcher_free(t->f);
}

void th_control_init_partitions(struct th_control *t, int32_t partitions)
{
    static const char *const topics[] = {"fetch-state", "connections", "runs", "rereads", "health"};
    static const unsigned char key[WH_AEAD_KEY_BYTES] = {3};
    char path[256];
    struct wh_err err;

    *t = (struct th_control){.now_ms = INT64_C(1700000000000)};
    t->bus = wh_bus_mem_new();
    t->loop = wh_loop_new();
    t->script = th_script_new(gitlab, t);
    assert_true(t->bus && t->loop && t->script);
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        th_ok(wh_bus_mem_topic(t->bus, topics[i], i == 0 ? partitions : 1, &err), &err);
    }
    th_ok(wh_bus_mem_admin(t->bus, &t->admin, &err), &err);
    wh_keyring_of(&t->keys, key, true, &err);
    t->folder = th_tmp_new();
    (void)snprintf(path, sizeof(path), "%s/token", t->folder);
    th_ok(wh_conf_secret_create(path, wh_slice_str(authorization + 7), &err), &err);
    start(t);
}

void th_control_init(struct th_control *t)
{
    th_control_init_partitions(t, 1);
}

void th_control_restart(struct th_control *t)
{
    stop(t);
    start(t);
}

void th_control_done(struct th_control *t)
{
    stop(t);
    wh_admin_free(t->admin);
    th_script_free(t->script);
    wh_loop_free(t->loop);
    wh_bus_mem_free(t->bus);
    th_tmp_remove(t->folder);
}

static void answer_all(struct th_control *t)
{
    size_t i = 0;

    while (i < th_script_waiting(t->script)) {
        if (t->held && has(th_script_url(t->script, i), t->held)) {
            i++;
        } else {
            th_script_answer_one(t->script, i);
            i = 0;
        }
    }
}

void th_control_turns(struct th_control *t, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        t->now_ms++;
        wh_loop_turn(t->loop, false);
        (void)wh_producer_poll(t->producer, 0);
        answer_all(t);
    }
}

void th_control_until(struct th_control *t, bool (*done)(struct th_control *t))
{
    time_t end = time(NULL) + LONG_S;

    while (!done(t)) {
        assert_true(time(NULL) < end);
        th_control_turns(t, 1);
    }
}

void th_control_call(struct th_control *t, const char *method, const char *path, const char *body)
{
    time_t end = time(NULL) + LONG_S;
    struct th_http_req req;

    th_http_init(&req, method, path);
    th_http_header(&req, "authorization", authorization);
    req.body = wh_slice_str(body ? body : "");
    th_http_begin(&req, &t->handler);
    while (!req.replied) {
        assert_true(time(NULL) < end);
        th_control_turns(t, 1);
    }
    t->status = req.status;
    (void)snprintf(t->answer, sizeof(t->answer), "%s", wh_buf_str(&req.answer));
    th_http_over(&req, &t->handler);
    th_http_done(&req);
}

struct conn *th_control_conn(struct th_control *t, const char *id)
{
    struct conn *c = fetcher_find(t->f, wh_slice_str(id));

    if (c == NULL) {
        fail_msg("no connection %s; the newest answer is %u %s", id, t->status, t->answer);
    }
    return c;
}

struct conn *th_control_connected(struct th_control *t)
{
    th_control_call(t, "POST", "/api/v1/connections",
                    "{\"url\":\"https://c.example\",\"token\":\"glpat-1\"}");
    assert_int_equal(t->status, 200);
    return th_control_conn(t, "c-example");
}

static struct wh_slice sealed(struct th_control *t, struct wh_arena *arena, const char *purpose,
                              const struct wh_buf *secret)
{
    const struct wh_seal_place place = {.connection = WH_LIT("c-example"),
                                        .purpose = purpose,
                                        .address = WH_LIT("https://c.example")};
    WH_AUTO(buf) struct wh_buf text;
    struct wh_slice ret;
    struct wh_err err;

    wh_buf_init(&text, SEALED_MAX);
    th_ok(wh_secret_seal(&t->keys, &place, wh_buf_slice(secret), &text, &err), &err);
    th_ok(wh_arena_dup(arena, wh_buf_slice(&text), &ret, &err), &err);
    return ret;
}

static void make_pair(const struct th_control *t, unsigned n, struct wh_buf *client,
                      struct wh_buf *pair)
{
    const struct oauth_kept kept = {
        .client = {.issuer = WH_LIT("https://c.example"),
                   .client_id = WH_LIT("client"),
                   .auth_method = WH_LIT("none"),
                   .redirect_uri = WH_LIT("http://127.0.0.1:1/oauth/callback")},
        .token_endpoint = WH_LIT("https://c.example/oauth/token"),
        .revocation_endpoint = WH_LIT("https://c.example/oauth/revoke"),
    };
    struct oauth_tokens tokens;
    struct wh_err err;

    oauth_tokens_init(&tokens);
    th_ok(wh_buf_printf(&tokens.access, &err, "access-%u", n), &err);
    th_ok(wh_buf_printf(&tokens.refresh, &err, "refresh-%u", n), &err);
    tokens.got_at_ms = t->now_ms;
    wh_buf_init(client, SEALED_MAX);
    wh_buf_init(pair, SEALED_MAX);
    th_ok(oauth_kept_write(&kept, client, &err), &err);
    th_ok(oauth_tokens_write(&tokens, pair, &err), &err);
    oauth_tokens_done(&tokens);
}

struct conn *th_control_approved(struct th_control *t, unsigned n)
{
    struct wh_connection doc = {.id = WH_LIT("c-example"),
                                .instance = WH_LIT("https://c.example"),
                                .state = WH_LIT("enabled"),
                                .created_at_ms = t->now_ms,
                                .updated_at_ms = t->now_ms};
    WH_AUTO(buf) struct wh_buf client;
    WH_AUTO(buf) struct wh_buf pair;
    struct wh_arena arena;
    struct conn *c;
    struct wh_err err;

    make_pair(t, n, &client, &pair);
    wh_arena_init(&arena, 4096, 1 << 18);
    doc.client_sealed = sealed(t, &arena, "client", &client);
    doc.oauth_sealed = sealed(t, &arena, "oauth", &pair);
    th_ok(fetcher_adopt(t->f, &doc, &c, &err), &err);
    wh_arena_done(&arena);
    return c;
}

unsigned th_control_asked(const struct th_control *t, const char *address, const char *token)
{
    unsigned n = 0;

    for (size_t i = 0; i < t->n_requests; i++) {
        const char *space = strrchr(t->requests[i], ' ');

        n += strncmp(t->requests[i], address, strlen(address)) == 0 &&
             (token == NULL || (space && strcmp(space + 1, token) == 0));
    }
    return n;
}
