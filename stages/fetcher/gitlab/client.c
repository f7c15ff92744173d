#include "stages/fetcher/gitlab/client.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/base/backoff.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "stages/fetcher/gitlab/budget.h"
#include "stages/fetcher/gitlab/source_metrics.h"

enum {
    PATH_MAX_BYTES = 4096,
    PADDING_BYTES = 64,
    TOKEN_MAX_BYTES = 4000,
    RENEWALS_MAX = 4,
    LINES_MAX = 24,
    BUDGETS_MAX = 4,
    ROUTE_MAX = 256,
    ERROR_TEXT_MAX = 256,
    TYPE_SHOWN_MAX = 40,
    PATH_SHOWN_MAX = 160,
};

struct line;

struct call {
    struct call *next;
    struct client *client;
    struct line *line;
    uint64_t seq; /* of its place among all that wait */
    char *path;
    client_fn fn;
    void *ctx;
    unsigned attempt;
    unsigned renewals;
    uint64_t token; /* number of the token that it carried */
    int64_t sent_ms;
    struct wh_timer *retry;
    struct wh_httpc_transfer *transfer;
    struct call *all_next; /* every open call, to drop them at the end */
    struct call *all_prev;
};

/* Calls of one route: some have limits of their own, whose refusals name no budget. */
struct line {
    uint64_t route;
    struct call *first;
    struct call **last;
    struct budget *budget;
    unsigned strikes;      /* refusals in a row */
    int64_t not_before_ms; /* of this route alone */
};

struct client {
    struct client_conf conf;
    char *instance;
    char *token;
    uint64_t token_number; /* of the tokens so far */
    bool held;             /* a new token is on its way: nothing is sent */
    bool stopped;          /* nothing is sent, and nothing taken */
    struct line lines[LINES_MAX];
    size_t n_lines;
    uint64_t seq;
    struct budget budgets[BUDGETS_MAX]; /* by RateLimit-Name, the first seen first */
    uint64_t budget_names[BUDGETS_MAX];
    size_t n_budgets;
    struct call *all;
    size_t n_open;
    size_t n_in_flight;
    int64_t blocked_ms; /* since when limits alone hold back what waits; 0: they do not */
    struct wh_timer *wait;
    struct client_stats stats;
    struct wh_jitter jitter;
    struct source_metrics metrics;
};

static void pump(struct client *c);

struct client *client_new(const struct client_conf *conf)
{
    struct client *c = wh_mem_zalloc(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    c->conf = *conf;
    c->instance = wh_mem_dup(conf->instance, strlen(conf->instance));
    for (size_t i = 0; i < BUDGETS_MAX; i++) {
        budget_init(&c->budgets[i]);
    }
    c->stats.rate_limit = -1;
    c->stats.rate_left = -1;
    wh_jitter_init(&c->jitter, (uint64_t)wh_clock_mono_ns(&conf->clock));
    c->wait = wh_timer_new(conf->loop, (wh_loop_fn)pump, c);
    if (c->instance == NULL || c->wait == NULL) {
        client_free(c);
        return NULL;
    }
    source_metrics_init(&c->metrics, conf->metrics);
    return c;
}

static void free_call(struct call *call)
{
    struct client *c = call->client;

    if (call->all_prev) {
        call->all_prev->all_next = call->all_next;
    } else {
        c->all = call->all_next;
    }
    if (call->all_next) {
        call->all_next->all_prev = call->all_prev;
    }
    c->n_open--;
    wh_timer_free(call->retry);
    wh_mem_free(call->path);
    wh_mem_free(call);
}

static void drop_token(struct client *c)
{
    wh_mem_free_secret(c->token);
    c->token = NULL;
}

void client_free(struct client *c)
{
    if (c == NULL) {
        return;
    }
    while (c->all) {
        if (c->all->transfer) {
            wh_httpc_cancel(c->conf.http, c->all->transfer);
        }
        free_call(c->all);
    }
    wh_timer_free(c->wait);
    drop_token(c);
    wh_mem_free(c->instance);
    wh_mem_free(c);
}

enum wh_rc client_set_token(struct client *c, struct wh_slice token, struct wh_err *err)
{
    char *copy;

    if (token.len == 0 || token.len > TOKEN_MAX_BYTES) {
        return wh_fail(err, WH_E_INVALID, "a token has 1 to %d bytes", TOKEN_MAX_BYTES);
    }
    copy = wh_mem_dup(token.ptr, token.len);
    if (copy == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a token");
    }
    drop_token(c);
    c->token = copy;
    c->token_number++;
    c->stopped = false;
    client_release(c);
    return WH_OK;
}

void client_release(struct client *c)
{
    if (c && c->held) {
        c->held = false;
        wh_timer_start(c->wait, 0, 0);
    }
}

struct client_stats client_stats(const struct client *c)
{
    return c ? c->stats : (struct client_stats){.rate_limit = -1, .rate_left = -1};
}

size_t client_open(const struct client *c)
{
    return c->n_open;
}

/* ---- waiting ---- */

static int64_t now_ms(const struct client *c)
{
    return wh_clock_now_ms(&c->conf.clock);
}

static int64_t backoff_ms(struct client *c, unsigned attempt)
{
    return wh_jitter_ms(&c->jitter,
                        wh_backoff_ms(c->conf.backoff_ms, c->conf.backoff_max_ms, attempt));
}

static int64_t header_number(const struct wh_httpc_answer *a, const char *name)
{
    struct wh_slice text = wh_httpc_answer_header(a, name);
    struct wh_err err;
    int64_t n;

    return text.ptr && wh_num_i64(text, &n, &err) == WH_OK && n >= 0 ? n : -1;
}

/* The budget that an answer names; answers without a name are the first one's. */
static struct budget *budget_of(struct client *c, const struct wh_httpc_answer *a)
{
    struct wh_slice name = wh_httpc_answer_header(a, "ratelimit-name");
    uint64_t hash = name.len ? wh_hash64(name) : 0;

    for (size_t i = 0; i < c->n_budgets; i++) {
        if (c->budget_names[i] == hash) {
            return &c->budgets[i];
        }
    }
    if (c->n_budgets == BUDGETS_MAX) {
        return &c->budgets[0];
    }
    c->budget_names[c->n_budgets] = hash;
    return &c->budgets[c->n_budgets++];
}

/* Takes over what the answer says of limits. */
static void read_budget(struct client *c, struct line *line, const struct wh_httpc_answer *a)
{
    int64_t limit = header_number(a, "ratelimit-limit");
    int64_t left = header_number(a, "ratelimit-remaining");
    int64_t reset_s = header_number(a, "ratelimit-reset");

    if (a->rc != WH_OK) {
        return;
    }
    if (limit >= 0) {
        line->budget = budget_of(c, a);
        budget_answer(line->budget, now_ms(c), limit, left, reset_s * 1000,
                      (int64_t)c->n_in_flight);
        c->stats.rate_limit = limit;
        c->stats.rate_left = left;
    }
    if (a->status != 429) {
        line->strikes = 0;
    }
}

/* ---- lines ---- */

/* A path without its numbers and its query. */
static uint64_t route_of(const char *path)
{
    char route[ROUTE_MAX];
    size_t n = 0;

    for (const char *p = path; *p && *p != '?' && n < sizeof(route) - 1; p++) {
        if (*p < '0' || *p > '9') {
            route[n++] = *p;
        }
    }
    return wh_hash64(wh_slice(route, n));
}

static struct line *line_of(struct client *c, const char *path)
{
    uint64_t route = route_of(path);
    struct line *line;

    for (size_t i = 0; i < c->n_lines; i++) {
        if (c->lines[i].route == route) {
            return &c->lines[i];
        }
    }
    if (c->n_lines == LINES_MAX) {
        return &c->lines[LINES_MAX - 1]; /* the last one is for all that are too many */
    }
    line = &c->lines[c->n_lines++];
    *line = (struct line){.route = route, .budget = &c->budgets[0]};
    line->last = &line->first;
    return line;
}

static void stand_in_line(struct call *call)
{
    struct line *line = call->line;

    call->seq = ++call->client->seq;
    call->next = NULL;
    *line->last = call;
    line->last = &call->next;
}

/* In front: it had its turn. */
static void stand_first(struct call *call)
{
    struct line *line = call->line;

    call->next = line->first;
    line->first = call;
    if (call->next == NULL) {
        line->last = &call->next;
    }
}

static void leave_line(struct line *line)
{
    line->first = line->first->next;
    if (line->first == NULL) {
        line->last = &line->first;
    }
}

/* ---- one answer ---- */

static enum client_outcome outcome_of(unsigned status)
{
    if (status >= 200 && status < 300) {
        return CLIENT_OK;
    }
    switch (status) {
    case 401:
        return CLIENT_SIGN_IN;
    case 403:
        return CLIENT_DENIED;
    case 404:
    case 410:
        return CLIENT_GONE;
    default:
        return CLIENT_REFUSED;
    }
}

static bool worth_retrying(const struct wh_httpc_answer *a)
{
    if (a->rc != WH_OK) {
        return a->rc == WH_E_NET || a->rc == WH_E_TIMEOUT;
    }
    return a->status == 429 || a->status == 408 || a->status >= 500;
}

static void on_retry(void *ctx)
{
    struct call *call = ctx;
    stand_in_line(call);
    pump(call->client);
}

/* Into line again, behind the token that is to come or has come. */
static bool renewed(struct call *call)
{
    struct client *c = call->client;

    if (c->conf.renew == NULL || call->renewals++ >= RENEWALS_MAX) {
        return false;
    }
    if (call->token == c->token_number) {
        if (!c->conf.renew(c->conf.ctx, call->sent_ms)) {
            return false;
        }
        c->held = call->token == c->token_number;
    }
    stand_in_line(call);
    return true;
}

/* Being told to wait is no failure, and uses up no attempt. A refusal with RateLimit headers is of
 * the credential's budget; one without is of the route's own limit. */
static void wait_as_told(struct call *call, const struct wh_httpc_answer *a)
{
    struct client *c = call->client;
    struct line *line = call->line;
    int64_t after_s = header_number(a, "retry-after");
    int64_t reset_s = header_number(a, "ratelimit-reset");
    int64_t wait = after_s >= 0  ? after_s * 1000
                   : reset_s > 0 ? reset_s * 1000 - now_ms(c)
                                 : backoff_ms(c, ++line->strikes);

    call->attempt--;
    c->stats.throttled++;
    c->stats.retries++;
    if (header_number(a, "ratelimit-limit") >= 0) {
        budget_refused(line->budget, now_ms(c), wait);
    } else {
        line->not_before_ms = now_ms(c) + wait;
    }
    stand_first(call);
}

static bool try_again(struct call *call, const struct wh_httpc_answer *a)
{
    struct client *c = call->client;

    if (a->rc == WH_OK && a->status == 429) {
        wait_as_told(call, a);
        return true;
    }
    if (call->attempt >= c->conf.retry_max) {
        return false;
    }
    if (call->retry == NULL) {
        call->retry = wh_timer_new(c->conf.loop, on_retry, call);
    }
    if (call->retry == NULL) {
        return false;
    }
    c->stats.retries++;
    wh_timer_start(call->retry, backoff_ms(c, call->attempt), 0);
    return true;
}

/* What GitLab has answered, for people; no byte of the body is shown. */
static void describe(const struct call *call, const struct wh_httpc_answer *a,
                     char to[ERROR_TEXT_MAX])
{
    struct wh_slice type = wh_httpc_answer_header(a, "content-type");
    int path = (int)strcspn(call->path, "?");
    int shown = 0;

    while ((size_t)shown < type.len && shown < TYPE_SHOWN_MAX &&
           (isalnum((unsigned char)type.ptr[shown]) || strchr("/+.-", type.ptr[shown]))) {
        shown++;
    }
    (void)snprintf(to, ERROR_TEXT_MAX, "GitLab answers %u%s%.*s to GET %.*s", a->status,
                   shown ? " " : "", shown, shown ? type.ptr : "",
                   path < PATH_SHOWN_MAX ? path : PATH_SHOWN_MAX, call->path);
}

/* A 404 of GitLab's own has a JSON object as its body. That of a proxy, or a sign-in page, says nothing
 * about the object. */
static bool is_object(const struct wh_buf *body)
{
    size_t i = 0;

    while (i < body->len && isspace((unsigned char)body->ptr[i])) {
        i++;
    }
    return i < body->len && body->ptr[i] == '{';
}

static void finish(struct call *call, const struct wh_httpc_answer *a)
{
    char error[ERROR_TEXT_MAX];
    struct client_answer answer = {
        .outcome = a->rc != WH_OK || worth_retrying(a) ? CLIENT_FAILED : outcome_of(a->status),
        .status = a->rc == WH_OK ? a->status : 0,
        .body = a->body,
        .link = wh_httpc_answer_header(a, "link"),
        .next_page = wh_httpc_answer_header(a, "x-next-page"),
        .total = wh_httpc_answer_header(a, "x-total"),
        .error = a->rc != WH_OK ? a->err.msg : NULL,
    };
    client_fn fn = call->fn;
    void *ctx = call->ctx;
    struct wh_err err;

    if (a->rc == WH_OK && answer.outcome != CLIENT_OK) {
        describe(call, a, error);
        answer.error = error;
    }
    if (answer.outcome == CLIENT_GONE && !is_object(a->body)) {
        answer.outcome = CLIENT_FAILED;
    }
    if (answer.outcome == CLIENT_OK && wh_buf_reserve(a->body, PADDING_BYTES, &err) != WH_OK) {
        answer.outcome = CLIENT_REFUSED;
        answer.error = "the answer is larger than the limit";
    }
    free_call(call);
    fn(ctx, &answer);
}

void client_stop(struct client *c)
{
    struct wh_httpc_answer stopped = {.rc = WH_E_CANCELED};

    if (c == NULL) {
        return;
    }
    (void)wh_fail(&stopped.err, WH_E_CANCELED, "stopped");
    c->stopped = true;
    for (size_t i = 0; i < c->n_lines; i++) {
        c->lines[i].first = NULL;
        c->lines[i].last = &c->lines[i].first;
    }
    while (c->all) {
        struct call *call = c->all;

        if (call->transfer) {
            wh_httpc_cancel(c->conf.http, call->transfer);
            call->transfer = NULL;
            c->n_in_flight--;
        }
        finish(call, &stopped);
    }
}

static void on_answer(void *ctx, const struct wh_httpc_answer *a)
{
    struct call *call = ctx;
    struct client *c = call->client;

    call->transfer = NULL;
    c->n_in_flight--;
    read_budget(c, call->line, a);
    source_metrics_note(&c->metrics, a);
    if (a->rc == WH_OK && a->status == 401 && renewed(call)) {
        pump(c);
        return;
    }
    if (!worth_retrying(a) || !try_again(call, a)) {
        finish(call, a);
    }
    pump(c);
}

/* ---- sending ---- */

static enum wh_rc send_call(struct client *c, struct call *call, struct wh_err *err)
{
    char url[PATH_MAX_BYTES + 512];
    int n = snprintf(url, sizeof(url), "%s%s", c->instance, call->path);
    struct wh_httpc_request req = {
        .method = WH_LIT("GET"),
        .url = wh_slice(url, n > 0 ? (size_t)n : 0),
        .secret_header = c->token ? "Authorization: Bearer " : NULL,
        .secret = wh_slice_str(c->token),
        .body_max = c->conf.body_max,
        .timeout_ms = c->conf.timeout_ms,
        .stall_timeout_ms = c->conf.timeout_ms / 2,
    };

    call->attempt++;
    call->token = c->token_number;
    call->sent_ms = now_ms(c);
    if (wh_httpc_start(c->conf.http, &req, on_answer, call, &call->transfer, err) != WH_OK) {
        return err->rc;
    }
    c->n_in_flight++;
    c->stats.requests++;
    return WH_OK;
}

/* How long the head of a line must wait. */
static int64_t line_wait(const struct line *line, int64_t now)
{
    int64_t wait = budget_wait(line->budget, now);
    int64_t own = line->not_before_ms - now;

    return own > wait ? own : wait;
}

/* The line whose turn it is; else NULL, and how long until one may go on (-1: nobody waits). */
static struct line *next_line(struct client *c, int64_t *ret_wait)
{
    int64_t now = now_ms(c);
    struct line *best = NULL;

    *ret_wait = -1;
    for (size_t i = 0; i < c->n_lines; i++) {
        struct line *line = &c->lines[i];
        int64_t wait;

        if (line->first == NULL) {
            continue;
        }
        wait = line_wait(line, now);
        if (wait == 0) {
            best = best == NULL || line->first->seq < best->first->seq ? line : best;
        }
        *ret_wait = *ret_wait < 0 || wait < *ret_wait ? wait : *ret_wait;
    }
    return best;
}

/* Time in which there was work and limits alone held it back. */
static void count_waiting(struct client *c, bool blocked)
{
    int64_t now = now_ms(c);

    if (c->blocked_ms) {
        c->stats.waited_ms += now - c->blocked_ms;
    }
    c->blocked_ms = blocked ? now : 0;
}

static bool may_send(const struct client *c)
{
    return !c->held && c->n_in_flight < c->conf.max_in_flight &&
           (c->conf.may_send == NULL || c->conf.may_send(c->conf.ctx));
}

static void pump(struct client *c)
{
    int64_t wait = -1;

    while (may_send(c)) {
        struct line *line = next_line(c, &wait);
        struct wh_httpc_answer failed = {0};
        struct call *call;

        if (line == NULL) {
            break;
        }
        call = line->first;
        leave_line(line);
        budget_sent(line->budget, now_ms(c));
        if (send_call(c, call, &failed.err) != WH_OK) {
            failed.rc = failed.err.rc;
            finish(call, &failed);
        }
        wait = -1;
    }
    count_waiting(c, wait > 0);
    if (wait > 0) {
        wh_timer_start(c->wait, wait, 0);
    }
}

void client_wake(struct client *c)
{
    if (c) {
        pump(c);
    }
}

static enum wh_rc begin(struct client *c, struct wh_slice path, const struct call *with,
                        struct wh_err *err)
{
    struct call *call;

    if (c->stopped) {
        return wh_fail(err, WH_E_CANCELED, "stopped");
    }
    if (path.len > PATH_MAX_BYTES) {
        return wh_fail(err, WH_E_TOO_LARGE, "an API address is too long");
    }
    call = wh_mem_alloc(sizeof(*call));
    if (call) {
        *call = *with;
        call->path = wh_mem_dup(path.ptr, path.len);
    }
    if (call == NULL || call->path == NULL) {
        wh_mem_free(call);
        return wh_fail(err, WH_E_NOMEM, "no memory for a request");
    }
    call->client = c;
    call->all_next = c->all;
    if (c->all) {
        c->all->all_prev = call;
    }
    c->all = call;
    c->n_open++;
    call->line = line_of(c, call->path);
    stand_in_line(call);
    /* Sent from the loop's next turn, so that fn never runs inside this call. */
    wh_timer_start(c->wait, 0, 0);
    return WH_OK;
}

enum wh_rc client_get(struct client *c, struct wh_slice path, client_fn fn, void *ctx,
                      struct wh_err *err)
{
    return begin(c, path, &(struct call){.fn = fn, .ctx = ctx}, err);
}

enum wh_rc client_try(struct client *c, struct wh_slice path, client_fn fn, void *ctx,
                      struct wh_err *err)
{
    const struct call last = {.fn = fn, .ctx = ctx, .attempt = c->conf.retry_max - 1};

    return begin(c, path, &last, err);
}
