/* Requests: who may come in, what they hear. */
#include "stages/webhook-intake/intake.h"

#include "common/base/mem.h"
#include "stages/webhook-intake/intake_priv.h"

enum {
    POOL_MAX = 1024,
    KEY_MAX_BYTES = 1024,
    JSON_DEPTH = 128,
    NS_PER_S = 1000000000,
    LATER_WARM_MS = 1000,
};

#define HOOKS "/hooks/"

void intake_conf_init(struct intake_conf *conf)
{
    *conf = (struct intake_conf){
        .topic_prefix = "wellhead.",
        .name = "intake",
        .body_max = 25 << 20,
        .bodies_max = 256 << 20,
        .warm_ms = 5000,
        .warm_again_ms = 5000,
    };
}

/* ---- deliveries ---- */

static struct delivery *take_delivery(struct intake *intake)
{
    struct delivery *d = intake->pool;

    if (d) {
        intake->pool = d->next;
        intake->n_pool--;
        *d = (struct delivery){0};
    } else {
        d = wh_mem_zalloc(1, sizeof(*d));
        if (d == NULL) {
            return NULL;
        }
    }
    d->intake = intake;
    d->next = intake->active;
    if (d->next) {
        d->next->prev = d;
    }
    intake->active = d;
    intake->n_active++;
    return d;
}

static void unlink_delivery(struct delivery *d)
{
    struct intake *intake = d->intake;

    if (d->prev) {
        d->prev->next = d->next;
    } else {
        intake->active = d->next;
    }
    if (d->next) {
        d->next->prev = d->prev;
    }
    intake->n_active--;
    intake->body_bytes -= d->reserved;
    intake_connection_unref(d->connection);
}

static void check_drained(struct intake *intake)
{
    void (*drained)(void *ctx) = intake->drained;

    if (drained && intake->n_active == 0) {
        intake->drained = NULL;
        drained(intake->drained_ctx);
    }
}

void intake_settle(struct delivery *d)
{
    struct intake *intake = d->intake;

    if (d->open || d->pending || d->held) {
        return;
    }
    unlink_delivery(d);
    if (intake->n_pool < POOL_MAX) {
        d->next = intake->pool;
        intake->pool = d;
        intake->n_pool++;
    } else {
        wh_mem_free(d);
    }
    check_drained(intake);
}

static void count(struct delivery *d, enum intake_result result)
{
    struct intake *intake = d->intake;

    intake_tally_count(&intake->tally, d->event, result,
                       wh_clock_mono_ns(&intake->deps.clock) - d->start_ns);
}

static void note_refusal(struct intake *intake, struct intake_connection *c,
                         enum intake_result result)
{
    if (c && result == INTAKE_UNAUTHORIZED) {
        intake_health_unauthorized(&c->health, wh_clock_now_ms(&intake->deps.clock));
    } else if (c && result != INTAKE_DISABLED) {
        intake_health_refused(&c->health);
    }
}

void intake_refuse(struct delivery *d, const struct intake_refusal *why)
{
    struct wh_http_req *req = d->req;

    count(d, why->result);
    d->req = NULL;
    note_refusal(d->intake, d->connection, why->result);
    if (req) {
        wh_http_reply_error(req, why->status, why->text, why->retry_after_s);
    }
}

void intake_accept(struct delivery *d)
{
    static const struct wh_http_reply ok = {
        .status = 200,
        .content_type = "application/json",
        .body = {"{\"ok\":true}\n", 12},
        .constant = true,
    };
    struct wh_http_req *req = d->req;

    count(d, req ? INTAKE_ACCEPTED : INTAKE_LATE);
    d->req = NULL;
    if (req) {
        wh_http_reply(req, &ok);
    }
}

/* ---- the head ---- */

static void read_proof(const struct wh_http_req *req, struct intake_proof *ret)
{
    *ret = (struct intake_proof){
        .id = wh_http_header(req, "webhook-id"),
        .timestamp = wh_http_header(req, "webhook-timestamp"),
        .signature = wh_http_header(req, "webhook-signature"),
        .token = wh_http_header(req, "x-gitlab-token"),
    };
}

static struct intake_secrets secrets_of(const struct intake_connection *c)
{
    return (struct intake_secrets){wh_buf_slice(&c->key), wh_buf_slice(&c->token)};
}

static const struct intake_refusal *check_state(const struct intake *intake,
                                                const struct intake_connection *c)
{
    static const struct intake_refusal draining = {503, INTAKE_BUSY, "stopping; try again", 5};
    static const struct intake_refusal behind = {503, INTAKE_BUSY, "starting; try again", 2};
    static const struct intake_refusal unknown = {404, INTAKE_UNKNOWN_CONNECTION,
                                                  "no such connection", 0};
    static const struct intake_refusal disabled = {410, INTAKE_DISABLED,
                                                   "this connection is disabled", 0};
    static const struct intake_refusal sealed = {503, INTAKE_FAILED,
                                                 "this connection's secrets cannot be used", 60};

    if (intake->draining) {
        return &draining;
    }
    if (!intake_follow_caught_up(intake->follow)) {
        return &behind;
    }
    if (c == NULL) {
        return &unknown;
    }
    if (c->disabled) {
        return &disabled;
    }
    return c->sealed ? &sealed : NULL;
}

static const struct intake_refusal unauthorized = {
    401, INTAKE_UNAUTHORIZED, "the signature or token is missing, wrong or too old", 0};

static const struct intake_refusal *check_proof(const struct intake *intake,
                                                const struct wh_http_req *req,
                                                const struct intake_connection *c)
{
    const struct intake_secrets secrets = secrets_of(c);
    struct intake_proof proof;
    enum intake_verdict verdict;

    read_proof(req, &proof);
    verdict = intake_verify_head(&proof, &secrets, wh_clock_now_ms(&intake->deps.clock));
    return verdict == INTAKE_AUTHENTIC || verdict == INTAKE_BODY_NEEDED ? NULL : &unauthorized;
}

/* What the body may take; the server refuses one that says more, or brings more. */
static size_t announced(const struct intake *intake, const struct wh_http_req *req)
{
    struct wh_slice length = wh_http_header(req, "content-length");
    size_t n = 0;

    if (length.ptr == NULL) {
        return intake->conf.body_max;
    }
    for (size_t i = 0; i < length.len && n <= intake->conf.body_max; i++) {
        n = n * 10 +
            (size_t)(length.ptr[i] >= '0' && length.ptr[i] <= '9' ? length.ptr[i] - '0' : 0);
    }
    return n < intake->conf.body_max ? n : intake->conf.body_max;
}

static const struct intake_refusal *check_room(struct intake *intake, struct intake_connection *c,
                                               size_t bytes)
{
    static const struct intake_refusal full = {503, INTAKE_BUSY, "too much is waiting; try again",
                                               1};
    static const struct intake_refusal away = {503, INTAKE_FAILED, "Kafka is away; try again", 5};
    int64_t now_ns;

    if (bytes > intake->conf.bodies_max - intake->body_bytes) {
        return &full;
    }
    if (!c->away) {
        return NULL;
    }
    now_ns = wh_clock_mono_ns(&intake->deps.clock);
    if (now_ns < c->probe_ns) {
        return &away;
    }
    c->probe_ns = now_ns + NS_PER_S;
    return NULL;
}

static bool is_hook(const struct wh_http_req *req, struct wh_slice *ret_id)
{
    struct wh_slice path = wh_http_path(req);

    *ret_id = wh_slice_from(path, sizeof(HOOKS) - 1);
    return wh_slice_starts(path, WH_LIT(HOOKS)) && wh_connection_id_valid(*ret_id);
}

static void refuse_method(struct wh_http_req *req)
{
    static const struct wh_http_header allow = {{"Allow", 5}, {"POST", 4}};

    wh_http_reply(req,
                  &(struct wh_http_reply){
                      .status = 405,
                      .content_type = "application/json",
                      .body = WH_LIT("{\"ok\":false,\"error\":\"only POST\",\"status\":405}\n"),
                      .headers = &allow,
                      .n_headers = 1});
}

static void let_in(struct intake *intake, struct wh_http_req *req, struct intake_connection *c,
                   size_t bytes, int64_t start_ns, unsigned event)
{
    struct delivery *d = take_delivery(intake);

    if (d == NULL) {
        wh_http_reply_error(req, 503, "out of memory", 1);
        return;
    }
    d->req = req;
    d->open = true;
    d->connection = intake_connection_ref(c);
    d->reserved = bytes;
    d->start_ns = start_ns;
    d->event = event;
    intake->body_bytes += bytes;
    wh_http_set_user(req, d);
}

static size_t on_head(void *ctx, struct wh_http_req *req)
{
    struct intake *intake = ctx;
    int64_t start_ns = wh_clock_mono_ns(&intake->deps.clock);
    const struct intake_refusal *why;
    struct intake_connection *c;
    struct wh_slice id;
    size_t bytes;
    unsigned event;

    if (!is_hook(req, &id)) {
        wh_http_reply_error(req, 404, "there is only POST /hooks/<connection>", 0);
        return 0;
    }
    if (!wh_slice_eq(wh_http_method(req), WH_LIT("POST"))) {
        refuse_method(req);
        return 0;
    }
    event = intake_tally_event(wh_http_header(req, "x-gitlab-event"));
    bytes = announced(intake, req);
    c = intake_connections_find(&intake->connections, id);
    why = check_state(intake, c);
    if (why == NULL) {
        why = check_proof(intake, req, c);
    }
    if (why == NULL) {
        why = check_room(intake, c, bytes);
    }
    if (why) {
        intake_tally_count(&intake->tally, event, why->result,
                           wh_clock_mono_ns(&intake->deps.clock) - start_ns);
        note_refusal(intake, c, why->result);
        wh_http_reply_error(req, why->status, why->text, why->retry_after_s);
        return 0;
    }
    let_in(intake, req, c, bytes, start_ns, event);
    return bytes;
}

/* ---- the body ---- */

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct intake *intake = ctx;
    struct delivery *d = wh_http_user(req);
    struct wh_slice body = wh_http_body(req);
    struct intake_secrets secrets;
    struct intake_proof proof;

    if (d == NULL) {
        wh_http_reply_error(req, 503, "try again", 1);
        return;
    }
    /* A chunked body was reckoned at the most that it may be. */
    if (body.len < d->reserved) {
        intake->body_bytes -= d->reserved - body.len;
        d->reserved = body.len;
    }
    secrets = secrets_of(d->connection);
    read_proof(req, &proof);
    if (proof.signature.ptr && intake_verify_body(&proof, &secrets, body) != INTAKE_AUTHENTIC) {
        intake_refuse(d, &unauthorized);
        return;
    }
    intake_gather(d);
}

static void on_done(void *ctx, struct wh_http_req *req)
{
    struct delivery *d = wh_http_user(req);

    (void)ctx;
    if (d) {
        wh_http_set_user(req, NULL);
        d->req = NULL;
        d->open = false;
        intake_settle(d);
    }
}

struct wh_http_handler intake_handler(struct intake *intake)
{
    return (struct wh_http_handler){
        .on_head = on_head, .on_request = on_request, .on_done = on_done, .ctx = intake};
}

/* ---- connections ---- */

static enum wh_rc on_record(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err)
{
    struct intake *intake = ctx;

    return intake_connections_apply(&intake->connections, msg, err);
}

static void on_settled(void *ctx)
{
    struct intake *intake = ctx;

    if (!intake_follow_caught_up(intake->follow)) {
        return;
    }
    if (!intake->warmed_once) {
        intake->warmed_once = true;
        intake_warm(intake, intake->conf.warm_ms);
        wh_log_info(intake->deps.log, "ready for deliveries",
                    WH_I("connections", intake->connections.n));
        return;
    }
    intake_warm(intake, LATER_WARM_MS);
}

static void on_follow_fatal(void *ctx, const struct wh_err *err)
{
    struct intake *intake = ctx;

    intake->deps.on_fatal(intake->deps.ctx, err);
}

/* ---- life ---- */

static enum wh_rc start(struct intake *intake, struct wh_err *err)
{
    struct intake_follow_deps follow = {
        .consumer = intake->deps.consumer,
        .admin = intake->deps.admin,
        .loop = intake->deps.loop,
        .log = intake->deps.log,
        .topic = intake->connections_topic,
        .apply = on_record,
        .settled = on_settled,
        .on_fatal = on_follow_fatal,
        .ctx = intake,
    };

    intake->parser = wh_json_parser_new(intake->conf.body_max, JSON_DEPTH);
    intake->rebuild = wh_timer_new(intake->deps.loop, intake_rebuild, intake);
    intake->warm = wh_timer_new(intake->deps.loop, intake_warm_again, intake);
    intake->tell = wh_timer_new(intake->deps.loop, intake_tell_health, intake);
    intake->gather = wh_timer_new(intake->deps.loop, intake_gather_end, intake);
    if (!intake->parser || !intake->rebuild || !intake->warm || !intake->tell || !intake->gather) {
        return wh_fail(err, WH_E_NOMEM, "no memory to start");
    }
    if (wh_topic_name(intake->conf.topic_prefix, WH_TOPIC_CONNECTIONS, WH_LIT(""),
                      intake->connections_topic, err) != WH_OK ||
        wh_topic_name(intake->conf.topic_prefix, WH_TOPIC_HEALTH, WH_LIT(""), intake->health_topic,
                      err) != WH_OK ||
        intake_connections_init(&intake->connections, intake->conf.topic_prefix, intake->deps.keys,
                                intake->deps.log, err) != WH_OK ||
        intake_producer_start(intake, err) != WH_OK) {
        return err->rc;
    }
    wh_timer_start(intake->tell, INTAKE_HEALTH_MS, INTAKE_HEALTH_MS);
    return intake_follow_new(&follow, &intake->follow, err);
}

enum wh_rc intake_new(const struct intake_deps *deps, const struct intake_conf *conf,
                      struct intake **ret, struct wh_err *err)
{
    struct intake *intake = wh_mem_zalloc(1, sizeof(*intake));

    if (intake == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to start");
    }
    intake->deps = *deps;
    intake->conf = *conf;
    wh_buf_init(&intake->key, KEY_MAX_BYTES);
    intake_tally_init(&intake->tally, deps->metrics);
    if (start(intake, err) != WH_OK) {
        intake_free(intake);
        return err->rc;
    }
    *ret = intake;
    return WH_OK;
}

const char *intake_not_ready(const struct intake *intake)
{
    if (intake->draining) {
        return "draining";
    }
    if (!intake_follow_caught_up(intake->follow)) {
        return "the connections topic is not read yet";
    }
    return intake->producer == NULL || intake->producer_lost ? "no Kafka producer now" : NULL;
}

void intake_collect(struct intake *intake)
{
    wh_gauge_set(intake->tally.body_bytes, (double)intake->body_bytes);
    wh_gauge_set(intake->tally.connections, (double)intake->connections.n);
    wh_gauge_set(intake->tally.in_flight, (double)intake->n_active);
}

void intake_drain(struct intake *intake, void (*done)(void *ctx), void *ctx)
{
    intake->draining = true;
    intake->drained = done;
    intake->drained_ctx = ctx;
    wh_timer_stop(intake->warm);
    intake_follow_stop(intake->follow);
    intake_tell_health(intake);
    check_drained(intake);
}

static void free_list(struct delivery *d)
{
    while (d) {
        struct delivery *next = d->next;

        wh_mem_free(d);
        d = next;
    }
}

void intake_free(struct intake *intake)
{
    if (intake == NULL) {
        return;
    }
    intake->drained = NULL;
    intake_follow_free(intake->follow);
    intake_producer_stop(intake);
    wh_timer_free(intake->rebuild);
    wh_timer_free(intake->warm);
    wh_timer_free(intake->tell);
    wh_timer_free(intake->gather);
    for (struct delivery *d = intake->active; d; d = d->next) {
        intake_connection_unref(d->connection);
    }
    free_list(intake->active);
    free_list(intake->pool);
    intake_connections_done(&intake->connections);
    wh_json_parser_free(intake->parser);
    wh_buf_done(&intake->key);
    wh_mem_free(intake);
}
