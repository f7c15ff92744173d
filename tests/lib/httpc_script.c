#include "tests/lib/httpc_script.h"

#include <stdio.h>

#include "common/base/mem.h"

enum { WAITING_MAX = 512 };

struct wh_httpc_transfer {
    wh_httpc_fn fn;
    void *ctx;
    char *url;
    size_t url_len;
    char *secret;
    size_t secret_len;
    char *body;
    size_t body_len;
    size_t body_max;
};

struct th_script {
    struct wh_httpc base;
    th_script_fn fn;
    void *ctx;
    struct wh_httpc_transfer *waiting[WAITING_MAX];
    size_t n_waiting;
    size_t started;
};

static struct th_script *self(const struct wh_httpc *c)
{
    return (struct th_script *)(uintptr_t)c;
}

static void transfer_free(struct wh_httpc_transfer *t)
{
    wh_mem_free(t->url);
    wh_mem_free(t->secret);
    wh_mem_free(t->body);
    wh_mem_free(t);
}

static enum wh_rc script_start(struct wh_httpc *c, const struct wh_httpc_request *req,
                               wh_httpc_fn fn, void *ctx, struct wh_httpc_transfer **ret,
                               struct wh_err *err)
{
    struct th_script *s = self(c);
    struct wh_httpc_transfer *t;

    if (s->n_waiting == WAITING_MAX) {
        return wh_fail(err, WH_E_BUSY, "too many requests for the test");
    }
    t = wh_mem_zalloc(1, sizeof(*t));
    if (t == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a request");
    }
    t->fn = fn;
    t->ctx = ctx;
    t->url = wh_mem_dup(req->url.ptr, req->url.len);
    t->url_len = req->url.len;
    t->secret = wh_mem_dup(req->secret.ptr ? req->secret.ptr : "", req->secret.len);
    t->secret_len = req->secret.len;
    t->body = wh_mem_dup(req->body.ptr ? req->body.ptr : "", req->body.len);
    t->body_len = req->body.len;
    t->body_max = req->body_max;
    if (t->url == NULL || t->secret == NULL || t->body == NULL) {
        transfer_free(t);
        return wh_fail(err, WH_E_NOMEM, "no memory for a request");
    }
    s->waiting[s->n_waiting++] = t;
    s->started++;
    if (ret) {
        *ret = t;
    }
    return WH_OK;
}

static void take_out(struct th_script *s, size_t index)
{
    memmove(&s->waiting[index], &s->waiting[index + 1],
            (s->n_waiting - index - 1) * sizeof(s->waiting[0]));
    s->n_waiting--;
}

static void script_cancel(struct wh_httpc *c, struct wh_httpc_transfer *t)
{
    struct th_script *s = self(c);

    for (size_t i = 0; i < s->n_waiting; i++) {
        if (s->waiting[i] == t) {
            take_out(s, i);
            transfer_free(t);
            return;
        }
    }
}

static size_t script_active(const struct wh_httpc *c)
{
    return self(c)->n_waiting;
}

void th_script_free(struct th_script *s)
{
    while (s && s->n_waiting) {
        transfer_free(s->waiting[--s->n_waiting]);
    }
    wh_mem_free(s);
}

static void script_free(struct wh_httpc *c)
{
    (void)c; /* th_script_free does it */
}

struct th_script *th_script_new(th_script_fn fn, void *ctx)
{
    static const struct wh_httpc_ops ops = {.start = script_start,
                                            .cancel = script_cancel,
                                            .active = script_active,
                                            .free = script_free};
    struct th_script *s = wh_mem_zalloc(1, sizeof(*s));

    if (s) {
        s->base.ops = &ops;
        s->fn = fn;
        s->ctx = ctx;
    }
    return s;
}

struct wh_httpc *th_script_http(struct th_script *s)
{
    return &s->base;
}

size_t th_script_waiting(const struct th_script *s)
{
    return s->n_waiting;
}

size_t th_script_started(const struct th_script *s)
{
    return s->started;
}

struct wh_slice th_script_url(const struct th_script *s, size_t index)
{
    return wh_slice(s->waiting[index]->url, s->waiting[index]->url_len);
}

void th_script_header(struct th_script_answer *a, const char *name, const char *fmt, ...)
{
    char *to = a->text[a->n_headers];
    va_list ap;
    int n;

    if (a->n_headers == TH_SCRIPT_HEADERS_MAX) {
        return;
    }
    va_start(ap, fmt);
    n = vsnprintf(to, sizeof(a->text[0]), fmt, ap);
    va_end(ap);
    a->headers[a->n_headers++] = (struct wh_httpc_header){
        wh_slice_str(name), wh_slice(to, n > 0 && (size_t)n < sizeof(a->text[0]) ? (size_t)n : 0)};
}

void th_script_answer_one(struct th_script *s, size_t index)
{
    struct wh_httpc_transfer *t = s->waiting[index];
    struct th_script_answer a = {.status = 200, .request = wh_slice(t->body, t->body_len)};
    struct wh_httpc_answer answer = {.body = &a.body, .total_us = 1000};

    take_out(s, index);
    wh_buf_init(&a.body, t->body_max);
    s->fn(s->ctx, wh_slice(t->url, t->url_len), wh_slice(t->secret, t->secret_len), &a);
    /* GitLab's own 404 has a JSON object; a test that means another one writes its body. */
    if ((a.status == 404 || a.status == 410) && a.body.len == 0) {
        struct wh_err err;

        (void)!wh_buf_append(&a.body, WH_LIT("{\"message\":\"404 Not found\"}"), &err);
    }
    answer.rc = a.rc == WH_OK ? WH_OK : wh_fail(&answer.err, a.rc, "made to fail");
    answer.status = a.status;
    answer.headers = a.headers;
    answer.n_headers = a.n_headers;
    t->fn(t->ctx, &answer);
    wh_buf_done(&a.body);
    transfer_free(t);
}
