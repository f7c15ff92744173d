#include "tests/golden/gitlab_sim.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/build_version.h"
#include "common/base/enc.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "tests/gitlab/render.h"
#include "tests/gitlab/server.h"
#include "tests/golden/loop_sim.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_http.h"

enum {
    DELAY_MIN_NS = 1000000,
    DELAY_SPAN_NS = 59000000,
    LATE_NS = 1000000,
    ASKED_MAX = 8192,
    TEXT_MAX = 64 << 10,
    HEADERS_MAX = 32,
};

struct asked {
    uint64_t what;
    uint64_t times;
};

struct gitlab_sim {
    struct gl_server server;
    struct wh_loop *loop;
    struct wh_buf *log;
    uint64_t seed;
    struct asked asked[ASKED_MAX];
    size_t n_asked;
    struct wh_httpc_transfer *transfers;
    uint64_t n_clients;
};

struct sim_client {
    struct wh_httpc base;
    struct gitlab_sim *sim;
    uint64_t number;
    size_t active;
};

struct wh_httpc_transfer {
    struct wh_httpc_transfer *next;
    struct sim_client *client; /* NULL: canceled, and waits for a slow answer */
    struct gitlab_sim *sim;
    struct wh_timer *timer;
    wh_httpc_fn fn;
    wh_httpc_data_fn on_data;
    void *ctx;
    size_t body_max;
    int64_t until_ns;
    bool served;
    struct wh_buf text; /* what the slices of req point to */
    struct wh_buf address;
    struct th_http_req req;
    struct wh_httpc_header headers[HEADERS_MAX];
    size_t n_headers;
};

/* ---- the server ---- */

static void make_server(struct gitlab_sim *sim, uint64_t seed, const struct gl_sizes *sizes)
{
    struct gl_server *s = &sim->server;
    struct gl_hooks_conf hooks = {.loop = sim->loop, .concurrency = 1};
    struct wh_err err;

    s->loop = sim->loop;
    s->token = wh_mem_dup(GITLAB_SIM_TOKEN, strlen(GITLAB_SIM_TOKEN));
    assert_non_null(s->token);
    gl_faults_init(&s->faults, seed);
    gl_answers_init(&s->answers);
    gl_quirks_init(&s->quirks);
    s->quirks.token_life_s = 7200;
    assert_true(gl_quirks_version(&s->quirks, WH_LIT("19.5")));
    th_ok(gl_model_new(seed, sizes, GITLAB_SIM_URL, &s->model, &err), &err);
    s->model->clock = loop_sim_clock(sim->loop);
    assert_true(gl_render_prepare(s->model));
    hooks.model = s->model;
    hooks.faults = &s->faults;
    hooks.quirks = &s->quirks;
    th_ok(gl_hooks_new(&hooks, &s->hooks, &err), &err);
    s->live = wh_timer_new(sim->loop, gl_control_live_tick, s);
    assert_non_null(s->live);
}

struct gitlab_sim *gitlab_sim_new(struct wh_loop *loop, uint64_t seed, const struct gl_sizes *sizes,
                                  struct wh_buf *log)
{
    struct gitlab_sim *sim = wh_mem_zalloc(1, sizeof(*sim));

    assert_non_null(sim);
    sim->loop = loop;
    sim->log = log;
    sim->seed = seed;
    make_server(sim, seed, sizes);
    return sim;
}

int64_t gitlab_sim_project(const struct gitlab_sim *sim, unsigned index)
{
    return sim->server.model->projects[index].id;
}

/* ---- transfers ---- */

static void transfer_free(struct wh_httpc_transfer *t)
{
    struct wh_httpc_transfer **at = &t->sim->transfers;

    while (*at != t) {
        at = &(*at)->next;
    }
    *at = t->next;
    wh_timer_free(t->timer);
    th_http_done(&t->req);
    wh_buf_done(&t->text);
    wh_buf_done(&t->address);
    wh_mem_free(t);
}

void gitlab_sim_free(struct gitlab_sim *sim)
{
    struct gl_server *s = &sim->server;

    gl_rest_release(s);
    gl_answers_drop(s);
    while (sim->transfers) {
        transfer_free(sim->transfers);
    }
    gl_hooks_free(s->hooks);
    wh_timer_free(s->live);
    gl_reqlog_clear(&s->requests);
    gl_oauth_release(&s->oauth);
    gl_mcp_release(&s->mcp);
    gl_model_free(s->model);
    wh_mem_free(s->token);
    wh_mem_free(sim);
}

static uint64_t times_asked(struct gitlab_sim *sim, uint64_t what)
{
    for (size_t i = 0; i < sim->n_asked; i++) {
        if (sim->asked[i].what == what) {
            return ++sim->asked[i].times;
        }
    }
    assert_true(sim->n_asked < ASKED_MAX);
    sim->asked[sim->n_asked++] = (struct asked){what, 0};
    return 0;
}

/* Of a call by MCP; without the version of this build, which the first call of a session names.
 * Other bodies are forms of OAuth, with random parts: 0. */
static uint64_t body_hash(struct wh_slice path, struct wh_slice body)
{
    const char *version = wh_build_version();
    uint64_t parts[2];
    const char *at;
    size_t before;

    if (!wh_slice_eq(path, WH_LIT("/api/v4/mcp")) || body.len == 0) {
        return 0;
    }
    at = memmem(body.ptr, body.len, version, strlen(version));
    before = at ? (size_t)(at - body.ptr) : body.len;
    parts[0] = wh_hash64(wh_slice(body.ptr, before));
    parts[1] = wh_hash64(wh_slice_from(body, at ? before + strlen(version) : body.len));
    return wh_hash64(wh_slice(parts, sizeof(parts)));
}

static int64_t delay_of(struct gitlab_sim *sim, const struct wh_httpc_request *req, uint64_t client)
{
    struct wh_slice path = wh_slice_from(req->url, strlen(GITLAB_SIM_URL));
    uint64_t seeds[6] = {sim->seed, wh_hash64(req->method), wh_hash64(req->url),
                         body_hash(path, req->body), client};

    seeds[5] = times_asked(sim, wh_hash64(wh_slice(seeds, sizeof(seeds))));
    return DELAY_MIN_NS + (int64_t)(wh_hash64(wh_slice(seeds, sizeof(seeds))) % DELAY_SPAN_NS);
}

static const char *keep(struct wh_httpc_transfer *t, struct wh_slice text)
{
    size_t at = t->text.len;
    struct wh_err err;

    th_ok(wh_buf_append(&t->text, text, &err), &err);
    th_ok(wh_buf_append(&t->text, wh_slice("", 1), &err), &err);
    return t->text.ptr + at;
}

static const char *keep_decoded(struct wh_httpc_transfer *t, struct wh_slice text, bool plus)
{
    size_t at = t->text.len;
    struct wh_err err;

    th_ok(wh_percent_decode(text, plus, &t->text, &err), &err);
    th_ok(wh_buf_append(&t->text, wh_slice("", 1), &err), &err);
    return t->text.ptr + at;
}

static void add_query(struct wh_httpc_transfer *t, struct wh_slice query)
{
    t->req.raw_query = wh_slice(keep(t, query), query.len);
    while (query.len) {
        const char *amp = memchr(query.ptr, '&', query.len);
        struct wh_slice pair = amp ? wh_slice(query.ptr, (size_t)(amp - query.ptr)) : query;
        const char *eq = memchr(pair.ptr, '=', pair.len);
        size_t name = eq ? (size_t)(eq - pair.ptr) : pair.len;

        th_http_arg(&t->req, keep_decoded(t, wh_slice(pair.ptr, name), true),
                    keep_decoded(t, wh_slice_from(pair, eq ? name + 1 : pair.len), true));
        query = wh_slice_from(query, amp ? pair.len + 1 : query.len);
    }
}

static void fill_request(struct wh_httpc_transfer *t, const struct wh_httpc_request *req)
{
    struct wh_slice rest = wh_slice_from(req->url, strlen(GITLAB_SIM_URL));
    const char *query = memchr(rest.ptr, '?', rest.len);
    size_t path = query ? (size_t)(query - rest.ptr) : rest.len;
    struct wh_err err;

    wh_buf_init(&t->text, TEXT_MAX);
    wh_buf_init(&t->address, TEXT_MAX);
    th_ok(wh_buf_reserve(&t->text, TEXT_MAX - 1, &err), &err); /* so that it never moves */
    th_ok(wh_buf_printf(&t->address, &err, "%.*s %.*s", WH_SLICE_ARG(req->method),
                        WH_SLICE_ARG(rest)),
          &err);
    th_http_init(&t->req, keep(t, req->method), keep_decoded(t, wh_slice(rest.ptr, path), false));
    if (query) {
        add_query(t, wh_slice_from(rest, path + 1));
    }
    for (size_t i = 0; i < req->n_headers; i++) {
        th_http_header(&t->req, keep(t, req->headers[i].name), keep(t, req->headers[i].value));
    }
    if (req->secret_header && req->secret.len) {
        struct wh_slice line = wh_slice_str(req->secret_header);
        const char *colon = strchr(req->secret_header, ':');
        size_t at = t->text.len;

        th_ok(wh_buf_printf(&t->text, &err, "%s%.*s%c",
                            req->secret_header + (colon - req->secret_header) + 2,
                            WH_SLICE_ARG(req->secret), '\0'),
              &err);
        th_http_header(&t->req, keep(t, wh_slice(line.ptr, (size_t)(colon - line.ptr))),
                       t->text.ptr + at);
    }
    t->req.body = wh_slice(keep(t, req->body), req->body.len);
}

/* ---- answers ---- */

/* Without "/api/v4", which most addresses begin with. A call by MCP is told by the hash of its
 * body.
 */
static void note(struct wh_httpc_transfer *t, const char *how)
{
    static const char root[] = "/api/v4";
    struct wh_slice address = wh_buf_slice(&t->address);
    size_t path = t->req.method.len + 1;
    uint64_t body = body_hash(t->req.path, t->req.body);
    struct wh_err err;

    if (wh_slice_starts(wh_slice_from(address, path), WH_LIT(root))) {
        path += sizeof(root) - 1;
    }
    th_ok(wh_buf_printf(t->sim->log, &err, "%" PRId64 " %.*s %.*s",
                        loop_sim_elapsed_ms(t->sim->loop), WH_SLICE_ARG(t->req.method),
                        WH_SLICE_ARG(wh_slice_from(address, path))),
          &err);
    if (body) {
        th_ok(wh_buf_printf(t->sim->log, &err, " %08" PRIx64, body & UINT32_MAX), &err);
    }
    th_ok(wh_buf_printf(t->sim->log, &err, " %s\n", how), &err);
}

static void add_header(struct wh_httpc_transfer *t, char *name, struct wh_slice value)
{
    assert_true(t->n_headers < HEADERS_MAX);
    for (char *c = name; *c; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
    }
    t->headers[t->n_headers++] = (struct wh_httpc_header){wh_slice_str(name), value};
}

static struct wh_slice trimmed(struct wh_slice value)
{
    while (value.len && value.ptr[0] == ' ') {
        value = wh_slice_from(value, 1);
    }
    while (value.len && value.ptr[value.len - 1] == ' ') {
        value.len--;
    }
    return value;
}

/* The lines of the answer's headers become NUL-terminated names and values. */
static void split_headers(struct wh_httpc_transfer *t)
{
    static char content_type[] = "content-type";
    struct wh_buf *lines = &t->req.answer_headers;

    for (size_t at = 0; at < lines->len;) {
        char *line = lines->ptr + at;
        char *end = memchr(line, '\n', lines->len - at);
        char *colon = strchr(line, ':');

        *colon = '\0';
        add_header(t, line, trimmed(wh_slice(colon + 1, (size_t)(end - colon - 1))));
        at = (size_t)(end - lines->ptr) + 1;
    }
    if (t->req.content_type[0]) {
        add_header(t, content_type, wh_slice_str(t->req.content_type));
    }
}

/* Hands the body over as the transfer's owner wants it. */
static enum wh_rc take_body(struct wh_httpc_transfer *t, struct wh_httpc_answer *answer,
                            struct wh_buf *kept, struct wh_err *err)
{
    struct wh_slice body = wh_buf_slice(&t->req.answer);
    enum wh_httpc_take take = WH_HTTPC_KEEP;

    if (body.len > t->body_max) {
        return wh_fail(err, WH_E_TOO_LARGE, "the answer is too large");
    }
    if (t->on_data && body.len) {
        take = t->on_data(t->ctx, answer, body);
    }
    if (take == WH_HTTPC_STOP) {
        return wh_fail(err, WH_E_CANCELED, "stopped by its owner");
    }
    return take == WH_HTTPC_KEEP ? wh_buf_append(kept, body, err) : WH_OK;
}

static void finish(struct wh_httpc_transfer *t, enum wh_rc rc, const char *text)
{
    struct wh_buf kept;
    struct wh_httpc_answer answer = {.total_us = 1000, .body = &kept};
    char how[16];

    wh_buf_init(&kept, t->body_max);
    if (rc == WH_OK || t->req.answer.len) {
        answer.status = t->req.status;
        split_headers(t);
        answer.headers = t->headers;
        answer.n_headers = t->n_headers;
        answer.rc = take_body(t, &answer, &kept, &answer.err);
    }
    if (rc != WH_OK) {
        answer.rc = wh_fail(&answer.err, rc, "%s", text);
    }
    (void)snprintf(how, sizeof(how), "%u", answer.status);
    note(t, answer.rc == WH_OK ? how : wh_rc_name(answer.rc));
    t->client->active--;
    t->fn(t->ctx, &answer);
    wh_buf_done(&kept);
    transfer_free(t);
}

static void on_due(void *ctx)
{
    struct wh_httpc_transfer *t = ctx;
    int64_t now_ns = loop_sim_clock(t->sim->loop).mono_ns(t->sim->loop);

    if (!t->served) {
        t->served = true;
        gl_rest_request(&t->sim->server, &t->req.http);
    }
    if (t->client == NULL) {
        if (t->req.replied) {
            transfer_free(t);
        } else {
            loop_sim_start_ns(t->timer, LATE_NS);
        }
    } else if (t->req.replied && t->req.aborted) {
        finish(t, WH_E_NET, "the connection was cut");
    } else if (t->req.replied) {
        finish(t, WH_OK, "");
    } else if (now_ns >= t->until_ns) {
        /* The server still holds the request: the transfer goes when that is answered. */
        struct wh_httpc_answer answer = {.rc = WH_E_TIMEOUT};

        (void)wh_fail(&answer.err, WH_E_TIMEOUT, "no answer in time");
        note(t, "timeout");
        t->client->active--;
        t->client = NULL;
        loop_sim_start_ns(t->timer, LATE_NS);
        t->fn(t->ctx, &answer);
    } else {
        loop_sim_start_ns(t->timer, LATE_NS);
    }
}

/* ---- the client ---- */

static enum wh_rc sim_start(struct wh_httpc *base, const struct wh_httpc_request *req,
                            wh_httpc_fn fn, void *ctx, struct wh_httpc_transfer **ret,
                            struct wh_err *err)
{
    struct sim_client *client = (struct sim_client *)base;
    struct gitlab_sim *sim = client->sim;
    struct wh_httpc_transfer *t;
    int64_t delay;

    if (!wh_slice_starts(req->url, WH_LIT(GITLAB_SIM_URL "/"))) {
        return wh_fail(err, WH_E_INVALID, "nothing but the stand-in can be reached");
    }
    t = wh_mem_zalloc(1, sizeof(*t));
    assert_non_null(t);
    delay = delay_of(sim, req, client->number);
    t->client = client;
    t->sim = sim;
    t->fn = fn;
    t->ctx = ctx;
    t->on_data = req->on_data;
    t->body_max = req->body_max;
    t->until_ns = loop_sim_clock(sim->loop).mono_ns(sim->loop) + req->timeout_ms * 1000000;
    fill_request(t, req);
    t->next = sim->transfers;
    sim->transfers = t;
    t->timer = wh_timer_new(sim->loop, on_due, t);
    assert_non_null(t->timer);
    loop_sim_start_ns(t->timer, delay);
    client->active++;
    if (ret) {
        *ret = t;
    }
    return WH_OK;
}

static void sim_cancel(struct wh_httpc *base, struct wh_httpc_transfer *t)
{
    ((struct sim_client *)base)->active--;
    if (t->served) {
        t->client = NULL;
    } else {
        transfer_free(t);
    }
}

static size_t sim_active(const struct wh_httpc *base)
{
    return ((const struct sim_client *)base)->active;
}

static void sim_free(struct wh_httpc *base)
{
    struct sim_client *client = (struct sim_client *)base;
    struct wh_httpc_transfer *next;

    for (struct wh_httpc_transfer *t = client->sim->transfers; t; t = next) {
        next = t->next;
        if (t->client == client) {
            sim_cancel(base, t);
        }
    }
    wh_mem_free(client);
}

struct wh_httpc *gitlab_sim_client(struct gitlab_sim *sim)
{
    static const struct wh_httpc_ops ops = {
        .start = sim_start, .cancel = sim_cancel, .active = sim_active, .free = sim_free};
    struct sim_client *client = wh_mem_zalloc(1, sizeof(*client));

    assert_non_null(client);
    client->base.ops = &ops;
    client->sim = sim;
    client->number = sim->n_clients++;
    return &client->base;
}

/* ---- what the test does with the server ---- */

static size_t any_body(void *ctx, struct wh_http_req *req)
{
    (void)ctx;
    (void)req;
    return TEXT_MAX;
}

void gitlab_sim_control(struct gitlab_sim *sim, const char *path, const char *json)
{
    const struct wh_http_handler handler = {
        .on_head = any_body, .on_request = gl_control_request, .ctx = &sim->server};
    struct th_http_req req;

    th_http_init(&req, "POST", path);
    req.body = wh_slice_str(json);
    th_http_send(&req, &handler, sim->loop);
    if (req.status != 200) {
        fail_msg("%s %s: %u %.*s", path, json, req.status, WH_SLICE_ARG(wh_buf_slice(&req.answer)));
    }
    th_http_done(&req);
}

void gitlab_sim_approve(struct gitlab_sim *sim, const char *url, struct wh_buf *out)
{
    const struct wh_http_handler handler = {.on_request = gl_rest_request, .ctx = &sim->server};
    const struct wh_httpc_request ask = {.method = WH_LIT("GET"), .url = wh_slice_str(url)};
    struct wh_httpc_transfer t = {.sim = sim};
    const char *location;
    struct wh_err err;

    fill_request(&t, &ask);
    th_http_send(&t.req, &handler, sim->loop);
    th_ok(wh_buf_append(&t.req.answer_headers, wh_slice("", 1), &err), &err);
    location = strstr(t.req.answer_headers.ptr, "Location: ");
    assert_int_equal(t.req.status, 302);
    assert_non_null(location);
    location += strlen("Location: ");
    th_ok(wh_buf_append(out, wh_slice(location, strcspn(location, "\n")), &err), &err);
    th_ok(wh_buf_append(out, wh_slice("", 1), &err), &err);
    th_http_done(&t.req);
    wh_buf_done(&t.text);
    wh_buf_done(&t.address);
}
