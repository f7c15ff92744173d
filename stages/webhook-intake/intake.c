/* Requests: from the head through the body to the answer. */
#include "stages/webhook-intake/intake.h"

#include "common/base/mem.h"
#include "stages/webhook-intake/intake_priv.h"

enum {
    POOL_MAX = 1024,
    KEY_MAX_BYTES = 1024,
    JSON_DEPTH = 128,
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
    d->ack.fn = intake_on_record;
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
    if (c == intake->connections.stranger) {
        return;
    }
    if (result == INTAKE_UNAUTHORIZED) {
        intake_health_unauthorized(&c->health, wh_clock_now_ms(&intake->deps.clock));
    } else if (result != INTAKE_DISABLED) {
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

static void give_room_back(struct delivery *d)
{
    d->intake->body_bytes -= d->reserved;
    d->reserved = 0;
}

/* The body takes as much of bodies_max as the server holds for it, whatever was announced. */
static bool on_hold(void *ctx, struct wh_http_req *req, size_t bytes)
{
    static const struct intake_refusal full = {503, INTAKE_BUSY, "too much is waiting; try again",
                                               1};
    struct intake *intake = ctx;
    struct delivery *d = wh_http_user(req);

    if (bytes - d->reserved > intake->conf.bodies_max - intake->body_bytes) {
        give_room_back(d);
        intake_refuse(d, &full);
        return false;
    }
    intake->body_bytes += bytes - d->reserved;
    d->reserved = bytes;
    return true;
}

struct claim {
    struct intake_connection *connection;
    bool proved;
    unsigned event;
    int64_t start_ns;
};

/* NULL: the request goes on. */
static const struct intake_refusal *check_claim(struct intake *intake, struct wh_http_req *req,
                                                struct claim *claim)
{
    const struct intake_refusal *why = intake_check_state(intake);

    if (why == NULL) {
        why = intake_check_head(intake, req, claim->connection, &claim->proved);
    }
    if (why == NULL && claim->proved) {
        why = intake_check_connection(intake, claim->connection);
    }
    return why;
}

static void let_in(struct intake *intake, struct wh_http_req *req, const struct claim *claim)
{
    struct delivery *d = take_delivery(intake);

    if (d == NULL) {
        wh_http_reply_error(req, 503, "out of memory", 1);
        return;
    }
    d->req = req;
    d->open = true;
    d->proved = claim->proved;
    d->connection = intake_connection_ref(claim->connection);
    d->start_ns = claim->start_ns;
    d->event = claim->event;
    wh_http_set_user(req, d);
}

static void turn_away(struct intake *intake, struct wh_http_req *req, const struct claim *claim,
                      const struct intake_refusal *why)
{
    intake_tally_count(&intake->tally, claim->event, why->result,
                       wh_clock_mono_ns(&intake->deps.clock) - claim->start_ns);
    note_refusal(intake, claim->connection, why->result);
    wh_http_reply_error(req, why->status, why->text, why->retry_after_s);
}

static size_t on_head(void *ctx, struct wh_http_req *req)
{
    struct intake *intake = ctx;
    struct claim claim = {.start_ns = wh_clock_mono_ns(&intake->deps.clock)};
    const struct intake_refusal *why;
    struct wh_slice id;

    if (!is_hook(req, &id)) {
        wh_http_reply_error(req, 404, "there is only POST /hooks/<connection>", 0);
        return 0;
    }
    if (!wh_slice_eq(wh_http_method(req), WH_LIT("POST"))) {
        refuse_method(req);
        return 0;
    }
    claim.event = intake_tally_event(wh_http_header(req, "x-gitlab-event"));
    claim.connection = intake_connections_find(&intake->connections, id);
    why = check_claim(intake, req, &claim);
    if (why) {
        turn_away(intake, req, &claim, why);
        return 0;
    }
    let_in(intake, req, &claim);
    return intake->conf.body_max;
}

/* ---- the body ---- */

static const struct intake_refusal *check_signature(struct intake *intake, const struct delivery *d,
                                                    struct wh_slice body)
{
    const struct intake_refusal *why = intake_check_body(intake, d->req, d->connection, body);

    return why ? why : intake_check_connection(intake, d->connection);
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct intake *intake = ctx;
    struct delivery *d = wh_http_user(req);
    const struct intake_refusal *why = NULL;

    if (!d->proved) {
        why = check_signature(intake, d, wh_http_body(req));
        d->proved = why == NULL;
    }
    if (why) {
        intake_refuse(d, why);
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
        .on_head = on_head,
        .on_hold = on_hold,
        .on_request = on_request,
        .on_done = on_done,
        .ctx = intake,
    };
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

    if (!wh_tail_caught_up(intake->tail)) {
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

static void on_tail_fatal(void *ctx, const struct wh_err *err)
{
    struct intake *intake = ctx;

    intake->deps.on_fatal(intake->deps.ctx, err);
}

/* ---- life ---- */

static enum wh_rc start(struct intake *intake, struct wh_err *err)
{
    struct wh_tail_conf tail = {
        .consumer = intake->deps.consumer,
        .admin = intake->deps.admin,
        .loop = intake->deps.loop,
        .log = intake->deps.log,
        .topic = intake->connections_topic,
        .on_record = on_record,
        .on_settled = on_settled,
        .on_fatal = on_tail_fatal,
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
    return wh_tail_new(&tail, &intake->tail, err);
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
    if (!wh_tail_caught_up(intake->tail)) {
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
    (void)wh_tail_stop(intake->tail);
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
    wh_tail_free(intake->tail);
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
