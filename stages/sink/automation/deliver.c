/* Deliveries: attempts, one at a time for each rule, until the target has acknowledged. */
#include <stdio.h>
#include <string.h>

#include "common/base/be.h"
#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/conf/conf.h"
#include "common/crypto/crypto.h"
#include "stages/sink/automation/automation_priv.h"

enum {
    RETRY_FIRST_MS = 1000,
    RETRY_MAX_MS = 3600000,
    RETRY_AFTER_MAX_S = 3600,
    TIMEOUT_MS = 15000,
    ANSWER_MAX_BYTES = 1 << 20,
    SECRET_MAX_BYTES = 512,
    PATH_BYTES = 4096,
    HEADERS = 5,
    GONE = 410,
    NS_PER_MS = 1000000,
};

/* One attempt. Its thread makes and frees it; in between it is the loop's, or the producer's. */
struct attempt {
    struct wh_bus_ack ack; /* first: a record of Kafka carries it */
    struct automation *a;
    struct attempt *next;
    struct wh_httpc_transfer *transfer;
    struct wh_buf delivery; /* as in the store */
    struct wh_slice body;
    char entity[WH_ENTITY_ID_TEXT + 1];
    char message[MESSAGE_ID_BYTES];
    char timestamp[24];
    struct wh_buf signature;
    char *url;
    /* The answer; done is set last. */
    atomic_bool done;
    unsigned status; /* 0: none came */
    int64_t retry_after_ms;
    bool permanent;
    struct wh_err err;
};

static void attempt_free(struct attempt *t)
{
    if (t) {
        wh_buf_done(&t->delivery);
        wh_buf_done(&t->signature);
        wh_mem_free(t->url);
        wh_mem_free(t);
    }
}

static void end_attempt(struct attempt *t)
{
    struct automation *a = t->a;

    /* From here on it may be freed. */
    atomic_store(&t->done, true);
    automation_notify(a);
}

/* ---- the loop's side ---- */

static int64_t retry_after_ms(const struct wh_httpc_answer *answer)
{
    struct wh_slice text = wh_httpc_answer_header(answer, "retry-after");
    struct wh_err err;
    int64_t s = 0;

    if (text.ptr == NULL || wh_num_i64(text, &s, &err) != WH_OK || s < 0) {
        return 0; /* a date, or nonsense: the usual back-off */
    }
    return (s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S) * 1000;
}

/* What another attempt could not change. */
static bool is_permanent(const struct wh_httpc_answer *answer)
{
    if (answer->rc != WH_OK) {
        return answer->rc == WH_E_FORBIDDEN || answer->rc == WH_E_INVALID;
    }
    return answer->status >= 300 && answer->status < 500 && answer->status != 408 &&
           answer->status != 409 && answer->status != 425 && answer->status != 429;
}

static void unlink_flying(struct attempt *t)
{
    for (struct attempt **at = &t->a->flying; *at; at = &(*at)->next) {
        if (*at == t) {
            *at = t->next;
            return;
        }
    }
}

/* The message of a failed transfer may hold the address; the class says enough. */
static const char *what_failed(enum wh_rc rc)
{
    if (rc == WH_E_FORBIDDEN) {
        return "the address is not a public one (rules.private_targets)";
    }
    if (rc == WH_E_TIMEOUT) {
        return "no answer in time";
    }
    return rc == WH_E_TOO_LARGE ? "the answer is too long" : "nobody answers, or not by TLS";
}

static void on_answer(void *ctx, const struct wh_httpc_answer *answer)
{
    struct attempt *t = ctx;

    unlink_flying(t);
    t->transfer = NULL;
    t->permanent = is_permanent(answer);
    if (answer->rc != WH_OK) {
        (void)wh_fail(&t->err, answer->rc, "%s", what_failed(answer->rc));
    } else {
        t->status = answer->status;
        t->retry_after_ms = retry_after_ms(answer);
    }
    end_attempt(t);
}

static enum wh_httpc_take drop(void *ctx, const struct wh_httpc_answer *head, struct wh_slice bytes)
{
    (void)ctx;
    (void)head;
    (void)bytes;
    return WH_HTTPC_TAKEN;
}

static void fly(struct automation *a, struct attempt *t)
{
    const struct wh_httpc_header headers[HEADERS] = {
        {WH_LIT("Content-Type"), WH_LIT("application/json")},
        {WH_LIT("webhook-id"), wh_slice_str(t->message)},
        {WH_LIT("webhook-timestamp"), wh_slice_str(t->timestamp)},
        {WH_LIT("webhook-signature"), wh_buf_slice(&t->signature)},
        {WH_LIT("Accept"), WH_LIT("*/*")},
    };
    const struct wh_httpc_request request = {
        .method = WH_LIT("POST"),
        .url = wh_slice_str(t->url),
        .headers = headers,
        .n_headers = HEADERS,
        .body = t->body,
        .on_data = drop,
        .peer = a->deps.conf.private_targets ? WH_HTTPC_PEER_ANY : WH_HTTPC_PEER_PUBLIC,
        .body_max = ANSWER_MAX_BYTES,
        .timeout_ms = TIMEOUT_MS,
        .stall_timeout_ms = TIMEOUT_MS,
    };

    t->next = a->flying;
    a->flying = t;
    if (wh_httpc_start(a->deps.http, &request, on_answer, t, &t->transfer, &t->err) != WH_OK) {
        unlink_flying(t);
        end_attempt(t);
    }
}

void automation_fly(void *ctx)
{
    struct automation *a = ctx;
    struct attempt *given;

    (void)pthread_mutex_lock(&a->stir);
    given = a->given;
    a->given = NULL;
    (void)pthread_mutex_unlock(&a->stir);
    while (given) {
        struct attempt *t = given;

        given = t->next;
        fly(a, t);
    }
}

void automation_land(struct automation *a)
{
    for (struct attempt *t = a->flying; t; t = t->next) {
        wh_httpc_cancel(a->deps.http, t->transfer);
    }
    a->flying = NULL;
    a->given = NULL;
    for (struct automation_rule *r = a->rules; r; r = r->next) {
        attempt_free(r->attempt);
        r->attempt = NULL;
    }
}

/* ---- making an attempt ---- */

static enum wh_rc read_key(const struct automation *a, const struct automation_def *def,
                           struct wh_buf *out, struct wh_err *err)
{
    static const struct wh_slice prefix = {"whsec_", 6};
    char path[PATH_BYTES];
    char *text = NULL;
    enum wh_rc rc = WH_OK;
    int n = def->secret_file[0] == '/' ? snprintf(path, sizeof(path), "%s", def->secret_file)
                                       : snprintf(path, sizeof(path), "%s/%s",
                                                  a->deps.conf.secrets_path, def->secret_file);

    if (n < 0 || n >= (int)sizeof(path) ||
        wh_conf_secret_read(path, SECRET_MAX_BYTES, &text, err) != WH_OK) {
        return wh_fail(err, WH_E_CONFIG,
                       "the rule's secret_file cannot be read, or others may "
                       "read it (mode 0600)");
    }
    if (!wh_slice_starts(wh_slice_str(text), prefix) ||
        wh_base64_decode(wh_slice_from(wh_slice_str(text), prefix.len), out, err) != WH_OK ||
        out->len < 16) {
        rc = wh_fail(err, WH_E_CONFIG,
                     "the rule's secret_file is not whsec_ and base64 of 24 to "
                     "64 bytes");
    }
    wh_mem_free_secret(text);
    return rc;
}

static enum wh_rc sign(struct automation *a, const struct automation_def *def, struct attempt *t,
                       struct wh_err *err)
{
    const struct wh_slice parts[] = {wh_slice_str(t->message), WH_LIT("."),
                                     wh_slice_str(t->timestamp), WH_LIT("."), t->body};
    unsigned char mac[WH_SHA256_BYTES];
    WH_AUTO(buf) struct wh_buf key;

    wh_buf_init_secret(&key, SECRET_MAX_BYTES);
    if (read_key(a, def, &key, err) != WH_OK ||
        wh_hmac_sha256(wh_buf_slice(&key), parts, sizeof(parts) / sizeof(parts[0]), mac, err) !=
            WH_OK ||
        wh_buf_append(&t->signature, WH_LIT("v1,"), err) != WH_OK) {
        return err->rc;
    }
    return wh_base64_encode(wh_slice(mac, sizeof(mac)), &t->signature, err);
}

static void copy_text(char *to, size_t size, struct wh_slice text)
{
    (void)snprintf(to, size, "%.*s", WH_SLICE_ARG(text));
}

/* The first line says what it is. */
static enum wh_rc read_about(struct attempt *t, struct wh_err *err)
{
    struct wh_slice all = wh_buf_slice(&t->delivery);
    const char *end = all.len ? memchr(all.ptr, '\n', all.len) : NULL;
    struct wh_json_parser *parser = wh_json_parser_new(4096, 4);
    struct wh_json_val about;
    enum wh_rc rc = WH_OK;

    if (end == NULL || parser == NULL ||
        wh_json_parse(parser, wh_slice(all.ptr, (size_t)(end - all.ptr)), &about, err) != WH_OK) {
        rc = wh_fail(err, WH_E_CORRUPT, "a stored delivery cannot be read");
    } else {
        copy_text(t->message, sizeof(t->message), wh_json_get_str(about, "message"));
        copy_text(t->entity, sizeof(t->entity), wh_json_get_str(about, "entity"));
        t->body = wh_slice_from(all, (size_t)(end - all.ptr) + 1);
    }
    wh_json_parser_free(parser);
    return rc;
}

static void on_ack(struct wh_bus_ack *ack, const struct wh_bus_delivery *delivery)
{
    struct attempt *t = (struct attempt *)ack;

    if (delivery->rc != WH_OK) {
        (void)wh_fail(&t->err, delivery->rc, "Kafka did not take it");
    } else {
        t->status = 200;
    }
    end_attempt(t);
}

static enum wh_rc produce(struct automation *a, const struct automation_def *def, struct attempt *t,
                          struct wh_err *err)
{
    const struct wh_bus_header headers[] = {
        {WH_LIT("content-type"), WH_LIT("application/json")},
        {WH_LIT("webhook-id"), wh_slice_str(t->message)},
        {WH_LIT("webhook-timestamp"), wh_slice_str(t->timestamp)},
    };
    const struct wh_bus_record record = {.topic = def->topic,
                                         .partition = -1,
                                         .key = wh_slice_str(t->entity),
                                         .value = t->body,
                                         .headers = headers,
                                         .n_headers = sizeof(headers) / sizeof(headers[0]),
                                         .ack = &t->ack};

    t->ack.fn = on_ack;
    return a->deps.producer ? wh_producer_produce(a->deps.producer, &record, err)
                            : wh_fail(err, WH_E_CONFIG, "this sink does not produce to topics");
}

static enum wh_rc hand_over(struct automation *a, const struct automation_def *def,
                            struct attempt *t, struct wh_err *err)
{
    if (def->topic) {
        return produce(a, def, t, err);
    }
    t->url = wh_mem_dup(def->url, strlen(def->url));
    if (t->url == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an attempt");
    }
    if (sign(a, def, t, err) != WH_OK) {
        return err->rc;
    }
    (void)pthread_mutex_lock(&a->stir);
    t->next = a->given;
    a->given = t;
    (void)pthread_mutex_unlock(&a->stir);
    wh_wake_send(a->wake);
    return WH_OK;
}

static struct attempt *attempt_new(struct automation *a)
{
    struct attempt *t = wh_mem_zalloc(1, sizeof(*t));

    if (t) {
        t->a = a;
        wh_buf_init(&t->delivery, DELIVERY_MAX_BYTES);
        wh_buf_init(&t->signature, 256);
        (void)snprintf(t->timestamp, sizeof(t->timestamp), "%lld",
                       (long long)(wh_clock_now_ms(&a->deps.clock) / 1000));
    }
    return t;
}

/* An attempt that cannot even be made has failed like any other. */
static enum wh_rc begin_attempt(struct automation *a, struct automation_rule *rule,
                                struct wh_err *err)
{
    struct automation_text key;
    struct attempt *t = attempt_new(a);
    bool found = false;

    if (t == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an attempt");
    }
    if (wh_store_get(a->deps.store, NULL, AUTOMATION_FAMILY,
                     automation_key_number(&key, KEY_QUEUE, rule, rule->state.first), &t->delivery,
                     &found, err) != WH_OK) {
        attempt_free(t);
        return err->rc;
    }
    if (!found || read_about(t, err) != WH_OK) {
        t->permanent = true;
        (void)wh_fail(&t->err, WH_E_CORRUPT, "the stored delivery cannot be read");
        atomic_store(&t->done, true);
    } else if (hand_over(a, &rule->def, t, &t->err) != WH_OK) {
        atomic_store(&t->done, true);
    }
    rule->attempt = t;
    return WH_OK;
}

/* ---- settling an attempt ---- */

static bool is_delivered(const struct attempt *t)
{
    return t->err.rc == WH_OK && t->status >= 200 && t->status < 300;
}

static void say_why(const struct attempt *t, char out[TROUBLE_BYTES])
{
    if (t->err.rc != WH_OK) {
        (void)snprintf(out, TROUBLE_BYTES, "%.200s", t->err.msg);
    } else {
        (void)snprintf(out, TROUBLE_BYTES, "the target answered %u", t->status);
    }
}

static enum wh_rc put_log(struct automation *a, struct wh_batch *batch,
                          const struct automation_rule *rule, const struct attempt *t,
                          struct wh_err *err)
{
    const struct automation_state *s = &rule->state;
    struct wh_slice all = wh_buf_slice(&t->delivery);
    const char *end = all.len ? memchr(all.ptr, '\n', all.len) : NULL;
    char why[TROUBLE_BYTES] = "";
    WH_AUTO(buf) struct wh_buf text;
    struct automation_text key;
    struct wh_json_writer w;

    if (!is_delivered(t)) {
        say_why(t, why);
    }
    wh_buf_init(&text, 8192);
    wh_json_writer_init(&w, &text);
    wh_jw_object(&w);
    wh_jw_put_int(&w, "number", (int64_t)s->first);
    wh_jw_put_int(&w, "ended_ms", wh_clock_now_ms(&a->deps.clock));
    wh_jw_put_str(&w, "outcome", is_delivered(t) ? WH_LIT("delivered") : WH_LIT("failed"));
    wh_jw_put_int(&w, "attempts", (int64_t)s->attempts + 1);
    wh_jw_put_int(&w, "status", t->status);
    wh_jw_put_str(&w, "reason", wh_slice_str(why));
    wh_jw_key(&w, "about");
    if (end) {
        wh_jw_raw(&w, wh_slice(all.ptr, (size_t)(end - all.ptr)));
    } else {
        wh_jw_null(&w);
    }
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK ||
        (s->first > LOG_MAX &&
         wh_batch_remove(batch, AUTOMATION_FAMILY,
                         automation_key_number(&key, KEY_LOG, rule, s->first - LOG_MAX),
                         err) != WH_OK)) {
        return err->rc;
    }
    return wh_batch_put(batch, AUTOMATION_FAMILY,
                        automation_key_number(&key, KEY_LOG, rule, s->first), wh_buf_slice(&text),
                        err);
}

/* The delivery leaves the queue: to nowhere, or to the failed ones. */
static enum wh_rc take_out(struct automation *a, struct automation_rule *rule,
                           const struct attempt *t, struct wh_batch *batch,
                           struct automation_state *state, struct wh_err *err)
{
    struct automation_text key;

    if (put_log(a, batch, rule, t, err) != WH_OK ||
        wh_batch_remove(batch, AUTOMATION_FAMILY,
                        automation_key_number(&key, KEY_QUEUE, rule, state->first), err) != WH_OK) {
        return err->rc;
    }
    if (!is_delivered(t) && t->delivery.len &&
        wh_batch_put(batch, AUTOMATION_FAMILY,
                     automation_key_number(&key, KEY_FAILED, rule, state->first),
                     wh_buf_slice(&t->delivery), err) != WH_OK) {
        return err->rc;
    }
    state->failed += !is_delivered(t) && t->delivery.len;
    state->delivered += is_delivered(t);
    state->last_ms = is_delivered(t) ? (uint64_t)wh_clock_now_ms(&a->deps.clock) : state->last_ms;
    state->first++;
    state->attempts = 0;
    return WH_OK;
}

static void wait_for_next(struct automation *a, struct automation_rule *rule,
                          const struct attempt *t)
{
    int64_t first_ms = a->deps.conf.retry_first_ms ? a->deps.conf.retry_first_ms : RETRY_FIRST_MS;
    int64_t ms = wh_jitter_ms(
        &a->jitter, wh_backoff_ms(first_ms, RETRY_MAX_MS, (unsigned)rule->state.attempts));

    ms = t->retry_after_ms > ms ? t->retry_after_ms : ms;
    rule->try_at_ns = automation_now_ns(a) + ms * NS_PER_MS;
}

static void tell_outcome(struct automation *a, struct automation_rule *rule,
                         const struct attempt *t, enum automation_outcome outcome)
{
    static const char *const what[] = {"a rule's delivery was acknowledged",
                                       "a rule's delivery is repeated later",
                                       "a rule's delivery has failed"};

    wh_counter_add(a->outcomes[outcome], 1);
    rule->refusal[0] = '\0';
    if (outcome == AUTOMATION_DELIVERED) {
        return;
    }
    say_why(t, rule->refusal);
    if (outcome == AUTOMATION_FAILED || rule->state.attempts <= 1) {
        wh_log_warn(a->deps.log, what[outcome], WH_STR("rule", rule->def.id),
                    WH_STR("message", t->message), WH_STR("reason", rule->refusal));
    }
}

static enum wh_rc settle(struct automation *a, struct automation_rule *rule,
                         const struct attempt *t, struct wh_err *err)
{
    struct automation_state state = rule->state;
    enum automation_outcome outcome = is_delivered(t) ? AUTOMATION_DELIVERED
                                      : t->permanent || state.attempts + 1 >= ATTEMPTS_MAX
                                          ? AUTOMATION_FAILED
                                          : AUTOMATION_REPEATED;
    struct wh_batch *batch;
    enum wh_rc rc = wh_batch_new(a->deps.store, &batch, err);

    if (rc != WH_OK) {
        return rc;
    }
    state.attempts++;
    state.ended = t->status == GONE;
    if (outcome != AUTOMATION_REPEATED) {
        rc = take_out(a, rule, t, batch, &state, err);
    }
    rc = rc == WH_OK ? automation_state_put(batch, rule, &state, err) : rc;
    rc = rc == WH_OK ? wh_store_write(a->deps.store, batch, false, err) : rc;
    wh_batch_free(batch);
    if (rc == WH_OK) {
        rule->state = state;
        rule->try_at_ns = 0;
        if (outcome == AUTOMATION_REPEATED) {
            wait_for_next(a, rule, t);
        }
        tell_outcome(a, rule, t, outcome);
    }
    return rc;
}

/* ---- the step ---- */

static bool is_due(const struct automation *a, const struct automation_rule *rule)
{
    return rule->attempt == NULL && !rule->removed && !rule->state.ended &&
           rule->state.first < rule->state.next && automation_now_ns(a) >= rule->try_at_ns;
}

bool automation_deliver(struct automation *a, struct automation_rule *rule)
{
    struct attempt *t = rule->attempt;
    struct wh_err err;
    enum wh_rc rc = WH_OK;

    if (t && !atomic_load(&t->done)) {
        return false;
    }
    if (t) {
        rc = rule->removed ? WH_OK : settle(a, rule, t, &err);
        attempt_free(t);
        rule->attempt = NULL;
    } else if (is_due(a, rule)) {
        rc = begin_attempt(a, rule, &err);
    } else {
        return false;
    }
    if (rc != WH_OK) {
        wh_log_error(a->deps.log, "the store of rules cannot be used", WH_RC(&err));
        rule->try_at_ns = automation_now_ns(a) + (int64_t)RETRY_FIRST_MS * NS_PER_MS;
    }
    return rc == WH_OK;
}

int64_t automation_due_ns(const struct automation *a, const struct automation_rule *rule)
{
    bool waits =
        rule->attempt == NULL && !rule->state.ended && rule->state.first < rule->state.next;
    int64_t due_ns = waits ? rule->try_at_ns : INT64_MAX;

    (void)a;
    return rule->judge_at_ns && rule->judge_at_ns < due_ns ? rule->judge_at_ns : due_ns;
}
