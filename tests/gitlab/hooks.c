#include "tests/gitlab/hooks.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/crypto/crypto.h"
#include "common/httpc/httpc.h"
#include "tests/gitlab/quirks.h"
#include "tests/gitlab/text.h"

enum {
    UUID_BYTES = 37,
    TIMEOUT_MS = 10000,
    ANSWER_MAX_BYTES = 64 << 10,
    RECORDS_MAX = 2000000,
    QUEUE_MAX = 200000,
    TEXT_BYTES = 160,
    REORDER_MAX_MS = 300
};

/* What became of one delivery; status 0: no answer (yet). */
struct record {
    char id[UUID_BYTES];
    const char *event;
    const char *fault; /* NULL, "dropped", "duplicate", ... */
    int64_t project_id;
    int64_t object_id;
    int64_t at_ms;
    int64_t took_us;
    unsigned status;
    uint8_t kind;
    bool done;
};

struct delivery {
    struct delivery *next;
    struct gl_hooks *hooks;
    struct wh_httpc_transfer *transfer;
    struct wh_timer *timer; /* of a delayed one */
    uint32_t record;
    struct gl_out body;
    char event_uuid[UUID_BYTES];
};

struct gl_hooks {
    struct gl_hooks_conf conf;
    struct wh_httpc *client;
    char *url;
    char *token;
    struct wh_buf key; /* decoded */
    struct record *records;
    uint32_t n_records;
    uint32_t records_cap;
    struct delivery *head;
    struct delivery *tail;
    struct delivery *flying;
    struct delivery *waiting; /* on their timers */
    size_t n_queued;
    unsigned n_flying;
    uint64_t random;
    uint64_t n_ok;
    uint64_t n_failed;
    uint64_t n_dropped;
    struct gl_hook_state state;
    bool group;
};

static void make_uuid(struct gl_hooks *h, char to[UUID_BYTES])
{
    uint64_t a = h->random = gl_mix(h->random + 0x632be5abu);
    uint64_t b = gl_mix(a ^ 0x5bd1e995u);

    (void)snprintf(to, UUID_BYTES, "%08x-%04x-4%03x-%04x-%012" PRIx64, (unsigned)(a >> 32),
                   (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
                   (unsigned)(0x8000 | (b >> 48 & 0x3fff)), b & 0xffffffffffffu);
}

/* ---- settings ---- */

static enum wh_rc copy_text(char **to, struct wh_slice text, struct wh_err *err)
{
    char *copy = wh_mem_dup(text.ptr ? text.ptr : "", text.len);

    if (copy == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the webhook's settings");
    }
    wh_mem_free(*to);
    *to = copy;
    return WH_OK;
}

enum wh_rc gl_hooks_set(struct gl_hooks *h, struct wh_slice url, struct wh_slice token,
                        struct wh_slice key, struct wh_err *err)
{
    static const char prefix[] = "whsec_";

    wh_buf_reset(&h->key);
    if (key.len > 0) {
        if (!wh_slice_starts(key, WH_LIT(prefix))) {
            return wh_fail(err, WH_E_INVALID, "a signing key is whsec_ and base64");
        }
        if (wh_base64_decode(wh_slice_from(key, sizeof(prefix) - 1), &h->key, err) != WH_OK) {
            return wh_err_prefix(err, "signing key");
        }
    }
    if (copy_text(&h->url, url, err) != WH_OK) {
        return err->rc;
    }
    return copy_text(&h->token, token, err);
}

void gl_hooks_set_group(struct gl_hooks *h, bool group)
{
    h->group = group;
}

bool gl_hooks_on(const struct gl_hooks *h)
{
    return h->url[0] != '\0';
}

size_t gl_hooks_pending(const struct gl_hooks *h)
{
    size_t n = h->n_queued + h->n_flying;

    for (const struct delivery *d = h->waiting; d; d = d->next) {
        n++;
    }
    return n;
}

/* ---- sending ---- */

static void pump(struct gl_hooks *h);

static void free_delivery(struct delivery *d)
{
    wh_timer_free(d->timer);
    gl_out_done(&d->body);
    wh_mem_free(d);
}

static void unlink_from(struct delivery **list, struct delivery *d)
{
    while (*list && *list != d) {
        list = &(*list)->next;
    }
    if (*list) {
        *list = d->next;
    }
}

static int64_t now_ms(const struct gl_hooks *h)
{
    return wh_clock_now_ms(&h->conf.model->clock) + h->conf.model->clock_offset_ms;
}

static void finish(struct delivery *d, unsigned status, int64_t took_us)
{
    struct gl_hooks *h = d->hooks;
    struct record *r = &h->records[d->record];

    r->status = status;
    r->took_us = took_us;
    r->done = true;
    if (status >= 200 && status < 400) {
        h->n_ok++;
    } else {
        h->n_failed++;
    }
    gl_hook_state_answer(&h->state, status >= 200 && status < 400, now_ms(h));
    free_delivery(d);
}

static void on_answer(void *ctx, const struct wh_httpc_answer *answer)
{
    struct delivery *d = ctx;
    struct gl_hooks *h = d->hooks;

    unlink_from(&h->flying, d);
    h->n_flying--;
    finish(d, answer->rc == WH_OK ? answer->status : 0, answer->total_us);
    pump(h);
}

struct request_text {
    char timestamp[24];
    char signature[TEXT_BYTES];
    char agent[24];
};

/* "v1,<base64>" over "id.timestamp.body"; empty without a key. */
static void sign(const struct gl_hooks *h, const char *id, const struct delivery *d,
                 struct request_text *t)
{
    const struct wh_slice parts[] = {wh_slice_str(id), WH_LIT("."), wh_slice_str(t->timestamp),
                                     WH_LIT("."), gl_out_slice(&d->body)};
    unsigned char mac[WH_SHA256_BYTES];
    struct wh_buf text;
    struct wh_err err;

    t->signature[0] = '\0';
    if (h->key.len == 0) {
        return;
    }
    wh_buf_init(&text, TEXT_BYTES - 4);
    if (wh_hmac_sha256(wh_buf_slice(&h->key), parts, sizeof(parts) / sizeof(parts[0]), mac, &err) ==
            WH_OK &&
        wh_base64_encode(wh_slice(mac, sizeof(mac)), &text, &err) == WH_OK) {
        (void)snprintf(t->signature, sizeof(t->signature), "v1,%.150s", wh_buf_str(&text));
    }
    wh_buf_done(&text);
}

static void send_now(struct gl_hooks *h, struct delivery *d)
{
    struct record *r = &h->records[d->record];
    struct request_text t;
    char webhook_uuid[UUID_BYTES];
    struct wh_httpc_header headers[12];
    struct wh_httpc_request req = {.method = WH_LIT("POST"),
                                   .url = wh_slice_str(h->url),
                                   .headers = headers,
                                   .body = gl_out_slice(&d->body),
                                   .body_max = ANSWER_MAX_BYTES,
                                   .timeout_ms = TIMEOUT_MS,
                                   .stall_timeout_ms = TIMEOUT_MS};
    struct wh_err err;
    size_t n = 0;

    make_uuid(h, webhook_uuid);
    (void)snprintf(t.timestamp, sizeof(t.timestamp), "%" PRId64,
                   wh_clock_now_ms(&h->conf.model->clock) / 1000);
    sign(h, r->id, d, &t);
    headers[n++] = (struct wh_httpc_header){WH_LIT("Content-Type"), WH_LIT("application/json")};
    headers[n++] = (struct wh_httpc_header){WH_LIT("X-Gitlab-Event"), wh_slice_str(r->event)};
    headers[n++] =
        (struct wh_httpc_header){WH_LIT("X-Gitlab-Event-UUID"), wh_slice_str(d->event_uuid)};
    headers[n++] =
        (struct wh_httpc_header){WH_LIT("X-Gitlab-Webhook-UUID"), wh_slice_str(webhook_uuid)};
    headers[n++] = (struct wh_httpc_header){WH_LIT("X-Gitlab-Instance"),
                                            wh_slice_str(h->conf.model->base_url)};
    headers[n++] = (struct wh_httpc_header){WH_LIT("Idempotency-Key"), wh_slice_str(r->id)};
    headers[n++] = (struct wh_httpc_header){WH_LIT("webhook-id"), wh_slice_str(r->id)};
    headers[n++] = (struct wh_httpc_header){WH_LIT("webhook-timestamp"), wh_slice_str(t.timestamp)};
    if (t.signature[0]) {
        headers[n++] =
            (struct wh_httpc_header){WH_LIT("webhook-signature"), wh_slice_str(t.signature)};
    }
    if (h->token[0]) {
        req.secret_header = "X-Gitlab-Token: ";
        req.secret = wh_slice_str(h->token);
    }
    req.n_headers = n;
    r->at_ms = wh_clock_now_ms(&h->conf.model->clock);
    if (wh_httpc_start(h->client, &req, on_answer, d, &d->transfer, &err) != WH_OK) {
        wh_log_warn(h->conf.log, "a webhook could not be sent", WH_RC(&err));
        finish(d, 0, 0);
        return;
    }
    d->next = h->flying;
    h->flying = d;
    h->n_flying++;
}

static void pump(struct gl_hooks *h)
{
    while (h->head && h->n_flying < h->conf.concurrency) {
        struct delivery *d = h->head;

        h->head = d->next;
        h->tail = h->head ? h->tail : NULL;
        h->n_queued--;
        send_now(h, d);
    }
}

static void enqueue(struct gl_hooks *h, struct delivery *d)
{
    d->next = NULL;
    if (h->tail) {
        h->tail->next = d;
    } else {
        h->head = d;
    }
    h->tail = d;
    h->n_queued++;
    pump(h);
}

/* ---- events ---- */

static struct record *new_record(struct gl_hooks *h, const struct gl_event *e, const char *event)
{
    const struct gl_project *project = &h->conf.model->projects[e->project];
    struct record *r;

    if (h->n_records == h->records_cap) {
        uint32_t cap = h->records_cap ? h->records_cap * 2 : 1024;
        struct record *grown =
            cap > RECORDS_MAX ? NULL : wh_mem_resize(h->records, cap, sizeof(*grown));

        if (grown == NULL) {
            return NULL;
        }
        h->records = grown;
        h->records_cap = cap;
    }
    r = &h->records[h->n_records++];
    *r = (struct record){.event = event,
                         .project_id = project->id,
                         .object_id = project->sets[e->kind].items[e->pos].id,
                         .at_ms = h->conf.model->last_ms,
                         .kind = (uint8_t)e->kind};
    make_uuid(h, r->id);
    return r;
}

static struct delivery *new_delivery(struct gl_hooks *h, uint32_t record, struct gl_out *body)
{
    struct delivery *d = wh_mem_zalloc(1, sizeof(*d));

    if (d) {
        d->hooks = h;
        d->record = record;
        d->body = *body;
        *body = (struct gl_out){0};
        make_uuid(h, d->event_uuid);
    }
    return d;
}

/* The same event again: with the same id, as after a timeout that was none, or by another hook. */
static void send_twice(struct gl_hooks *h, const struct delivery *d, const struct gl_event *e,
                       bool same_id)
{
    struct gl_out body = {0};
    struct record *r = new_record(h, e, h->records[d->record].event);
    struct delivery *copy;

    gl_out_raw(&body, gl_out_slice(&d->body));
    copy = r && !body.failed ? new_delivery(h, h->n_records - 1, &body) : NULL;
    gl_out_done(&body);
    if (copy == NULL) {
        return;
    }
    if (same_id) {
        memcpy(r->id, h->records[d->record].id, UUID_BYTES);
    }
    memcpy(copy->event_uuid, d->event_uuid, UUID_BYTES);
    r->fault = same_id ? "duplicate" : "group";
    enqueue(h, copy);
}

static void on_delay(void *ctx)
{
    struct delivery *d = ctx;
    struct gl_hooks *h = d->hooks;

    unlink_from(&h->waiting, d);
    enqueue(h, d);
}

static bool delay(struct gl_hooks *h, struct delivery *d, int64_t ms, const char *fault)
{
    d->timer = wh_timer_new(h->conf.loop, on_delay, d);
    if (d->timer == NULL) {
        return false;
    }
    h->records[d->record].fault = fault;
    d->next = h->waiting;
    h->waiting = d;
    wh_timer_start(d->timer, ms, 0);
    return true;
}

static void dispatch(struct gl_hooks *h, struct delivery *d, const struct gl_event *e)
{
    /* Overtaken by what comes in the next moments. */
    int64_t moment = 1 + (int64_t)(gl_mix(h->random) % REORDER_MAX_MS);

    if (gl_fault_hit(h->conf.faults, GL_FAULT_DELAY_HOOK) &&
        delay(h, d, h->conf.faults->delay_ms, "delayed")) {
        return;
    }
    if (gl_fault_hit(h->conf.faults, GL_FAULT_REORDER_HOOK) && delay(h, d, moment, "reordered")) {
        return;
    }
    if (gl_fault_hit(h->conf.faults, GL_FAULT_DUPLICATE_HOOK)) {
        send_twice(h, d, e, true);
    }
    if (h->group) {
        send_twice(h, d, e, false);
    }
    enqueue(h, d);
}

void gl_hooks_event(void *ctx, const struct gl_event *e)
{
    struct gl_hooks *h = ctx;
    struct gl_out body = {0};
    const char *event;
    struct record *r;
    struct delivery *d;
    bool disabled;

    if (!gl_hooks_on(h)) {
        return;
    }
    event = gl_payload(h->conf.model, e, &body);
    r = event && !body.failed ? new_record(h, e, event) : NULL;
    if (r == NULL) {
        gl_out_done(&body);
        return;
    }
    disabled = h->state.disabled ||
               (h->conf.quirks->auto_disable_hooks && !gl_hook_state_calls(&h->state, now_ms(h)));
    if (disabled || h->n_queued >= QUEUE_MAX || gl_fault_hit(h->conf.faults, GL_FAULT_DROP_HOOK)) {
        r->fault = disabled ? "disabled" : "dropped";
        r->done = true;
        h->n_dropped++;
        gl_out_done(&body);
        return;
    }
    d = new_delivery(h, h->n_records - 1, &body);
    gl_out_done(&body);
    if (d) {
        dispatch(h, d, e);
    }
}

/* ---- looking ---- */

int64_t gl_hooks_id(const struct gl_project *project)
{
    return 500000 + project->id;
}

struct gl_hook_state *gl_hooks_state(struct gl_hooks *h)
{
    return &h->state;
}

void gl_hooks_render_hook(const struct gl_hooks *h, const struct gl_project *project,
                          struct gl_out *out)
{
    bool counts = h->conf.quirks->auto_disable_hooks || h->state.disabled;

    gl_out_tpl(out, "{'id':%d,'url':", gl_hooks_id(project));
    gl_out_quoted(out, wh_slice_str(h->url));
    gl_out_tpl(out,
               ",'name':null,'description':null,'created_at':%t,'push_events':false,"
               "'tag_push_events':false,'merge_requests_events':true,'repository_update_events':"
               "false,'enable_ssl_verification':true,'alert_status':'%s','disabled_until':%t,"
               "'url_variables':[],'custom_headers':[],'push_events_branch_filter':null,"
               "'branch_filter_strategy':'wildcard','custom_webhook_template':null,",
               project->created_ms,
               wh_slice_str(counts ? gl_hook_state_name(&h->state, now_ms(h)) : "executable"),
               counts ? h->state.until_ms : (int64_t)0);
    gl_out_tpl(out,
               "'project_id':%d,'issues_events':true,'confidential_issues_events':true,"
               "'note_events':true,'confidential_note_events':true,'pipeline_events':true,"
               "'wiki_page_events':false,'deployment_events':true,'feature_flag_events':false,"
               "'job_events':true,'releases_events':true,'milestone_events':true,'emoji_events':"
               "false,'resource_access_token_events':false,'token_present':%b,"
               "'signing_token_present':%b}",
               project->id, h->token[0] != '\0', h->key.len > 0);
}

/* ---- life ---- */

void gl_hooks_render(const struct gl_hooks *h, int64_t last, struct gl_out *out)
{
    uint32_t from = last >= 0 && (int64_t)h->n_records > last ? h->n_records - (uint32_t)last : 0;

    gl_out_tpl(out,
               "{'url':%s,'total':%d,'ok':%d,'failed':%d,'dropped':%d,'pending':%d,'deliveries':[",
               gl_hooks_on(h) ? WH_LIT("\"set\"") : WH_LIT("null"), (int64_t)h->n_records,
               (int64_t)h->n_ok, (int64_t)h->n_failed, (int64_t)h->n_dropped,
               (int64_t)gl_hooks_pending(h));
    for (uint32_t i = from; i < h->n_records; i++) {
        const struct record *r = &h->records[i];

        gl_out_tpl(out,
                   "%s{'id':'%s','event':'%s','kind':'%s','project_id':%d,'object_id':%d,'at':%t,"
                   "'status':%d,'took_us':%d,'done':%b,'fault':",
                   i > from ? WH_LIT(",") : WH_LIT(""), wh_slice_str(r->id), wh_slice_str(r->event),
                   wh_slice_str(gl_kind_name((enum gl_kind)r->kind)), r->project_id, r->object_id,
                   r->at_ms, (int64_t)r->status, r->took_us, (int)r->done);
        if (r->fault) {
            gl_out_tpl(out, "'%s'}", wh_slice_str(r->fault));
        } else {
            gl_out_str(out, "null}");
        }
    }
    gl_out_str(out, "]}");
}

enum wh_rc gl_hooks_new(const struct gl_hooks_conf *conf, struct gl_hooks **ret, struct wh_err *err)
{
    const struct wh_httpc_conf client = {.max_connections = conf->concurrency,
                                         .user_agent = "GitLab/19.2.1-ee",
                                         .connect_timeout_ms = TIMEOUT_MS};
    struct gl_hooks *h = wh_mem_zalloc(1, sizeof(*h));
    const struct wh_slice none = {0};

    if (h == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for webhooks");
    }
    h->conf = *conf;
    wh_buf_init(&h->key, 256);
    /* Ids must differ between two runs with the same seed: a receiver keeps them. */
    if (wh_random_bytes(&h->random, sizeof(h->random), err) != WH_OK ||
        gl_hooks_set(h, none, none, none, err) != WH_OK ||
        wh_httpc_curl_new(conf->loop, conf->log, &client, &h->client, err) != WH_OK) {
        gl_hooks_free(h);
        return err->rc;
    }
    *ret = h;
    return WH_OK;
}

static void free_list(struct delivery *d)
{
    while (d) {
        struct delivery *next = d->next;

        free_delivery(d);
        d = next;
    }
}

void gl_hooks_free(struct gl_hooks *h)
{
    if (h == NULL) {
        return;
    }
    for (struct delivery *d = h->flying; d; d = d->next) {
        wh_httpc_cancel(h->client, d->transfer);
    }
    free_list(h->flying);
    free_list(h->head);
    free_list(h->waiting);
    wh_httpc_free(h->client);
    wh_buf_done(&h->key);
    wh_mem_free(h->url);
    if (h->token) {
        wh_mem_wipe(h->token, strlen(h->token));
    }
    wh_mem_free(h->token);
    wh_mem_free(h->records);
    wh_mem_free(h);
}
