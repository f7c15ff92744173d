/* The HTTP client, on curl's multi interface. */
#include <curl/curl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "common/base/mem.h"
#include "common/httpc/httpc.h"

enum { HEADERS_MAX = 64, HEADER_BYTES_MAX = 64 << 10, SECRET_LINE_MAX = 4096, POOL_MAX = 64 };

/* A descriptor of curl's that the loop watches. */
struct socket_watch {
    struct socket_watch *next;
    struct curl_client *client;
    struct wh_watch *watch;
    curl_socket_t fd;
};

struct wh_httpc_transfer {
    struct wh_httpc_transfer *next; /* in the list of transfers in flight */
    struct wh_httpc_transfer *prev;
    struct curl_client *client;
    CURL *easy;
    struct curl_slist *headers;
    struct wh_buf body;
    struct wh_buf request_body;
    /* Response headers: their concatenated text, and the position of each. */
    struct wh_buf header_text;
    struct wh_httpc_header header_list[HEADERS_MAX];
    size_t header_at[HEADERS_MAX][4]; /* name from, name length, value from, value length */
    size_t n_headers;
    bool head_whole; /* the empty line after the headers has arrived */
    wh_httpc_fn fn;
    void *ctx;
    wh_httpc_data_fn on_data;
    enum wh_httpc_peer peer;
    size_t received;
    size_t body_max;
    enum wh_rc limit_rc; /* why we aborted the transfer */
    int64_t stall_timeout_ms;
    char error[CURL_ERROR_SIZE];
};

struct curl_client {
    struct wh_httpc base;
    struct wh_loop *loop;
    struct wh_log *log;
    CURLM *multi;
    struct wh_timer *timer;
    struct socket_watch *sockets;
    struct wh_httpc_transfer *transfers;
    CURL *pool[POOL_MAX];
    size_t n_pool;
    size_t n_active;
    char *user_agent;
    char *ca_file;
    int64_t connect_timeout_ms;
};

/* ---- transfers ---- */

static void unlink_transfer(struct wh_httpc_transfer *t)
{
    struct curl_client *c = t->client;

    if (t->prev) {
        t->prev->next = t->next;
    } else {
        c->transfers = t->next;
    }
    if (t->next) {
        t->next->prev = t->prev;
    }
    c->n_active--;
}

static void free_transfer(struct wh_httpc_transfer *t)
{
    struct curl_client *c = t->client;

    if (t->easy && c->n_pool < POOL_MAX) {
        curl_easy_reset(t->easy);
        c->pool[c->n_pool++] = t->easy;
    } else if (t->easy) {
        curl_easy_cleanup(t->easy);
    }
    for (struct curl_slist *h = t->headers; h; h = h->next) {
        wh_mem_wipe(h->data, strlen(h->data));
    }
    curl_slist_free_all(t->headers);
    wh_buf_done(&t->body);
    wh_buf_done(&t->request_body);
    wh_buf_done(&t->header_text);
    wh_mem_free(t);
}

static void fill_head(struct wh_httpc_transfer *t, struct wh_httpc_answer *a);

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct wh_httpc_transfer *t = ctx;
    struct wh_slice piece = wh_slice(bytes, size * n);
    enum wh_httpc_take take = WH_HTTPC_KEEP;
    struct wh_httpc_answer head;
    struct wh_err err;

    if (piece.len > t->body_max - t->received) {
        t->limit_rc = WH_E_TOO_LARGE;
        return 0;
    }
    t->received += piece.len;
    if (t->on_data) {
        fill_head(t, &head);
        take = t->on_data(t->ctx, &head, piece);
    }
    if (take == WH_HTTPC_STOP) {
        t->limit_rc = WH_E_CANCELED;
        return 0;
    }
    if (take == WH_HTTPC_KEEP && wh_buf_append(&t->body, piece, &err) != WH_OK) {
        t->limit_rc = err.rc;
        return 0;
    }
    return piece.len;
}

static struct wh_slice trimmed(struct wh_slice s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s = wh_slice_from(s, 1);
    }
    while (s.len && strchr(" \t\r\n", s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

static void keep_header(struct wh_httpc_transfer *t, struct wh_slice name, struct wh_slice value)
{
    size_t *at = t->header_at[t->n_headers];
    struct wh_err err;

    at[0] = t->header_text.len;
    at[1] = name.len;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (wh_buf_append_char(&t->header_text, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c), &err) !=
            WH_OK) {
            t->limit_rc = err.rc;
            return;
        }
    }
    at[2] = t->header_text.len;
    at[3] = value.len;
    if (wh_buf_append(&t->header_text, value, &err) != WH_OK) {
        t->limit_rc = err.rc;
        return;
    }
    t->n_headers++;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
    struct wh_httpc_transfer *t = ctx;
    struct wh_slice line = wh_slice(bytes, size * n);
    const char *colon = memchr(line.ptr, ':', line.len);

    if (wh_slice_starts(line, WH_LIT("HTTP/"))) {
        /* A new response begins, for example after 100 Continue. */
        t->n_headers = 0;
        t->head_whole = false;
        wh_buf_reset(&t->header_text);
    } else if (trimmed(line).len == 0) {
        t->head_whole = true;
    } else if (colon && t->n_headers < HEADERS_MAX) {
        size_t len = (size_t)(colon - line.ptr);

        keep_header(t, trimmed(wh_slice(line.ptr, len)), trimmed(wh_slice_from(line, len + 1)));
    }
    return t->limit_rc == WH_OK ? size * n : 0;
}

static enum wh_rc rc_of(CURLcode code)
{
    switch ((int)code) {
    case CURLE_OPERATION_TIMEDOUT:
        return WH_E_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return WH_E_NOMEM;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return WH_E_INVALID;
    default:
        return WH_E_NET;
    }
}

static void fill_head(struct wh_httpc_transfer *t, struct wh_httpc_answer *a)
{
    long status = 0;
    curl_off_t total = 0;

    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &total);
    for (size_t i = 0; i < t->n_headers; i++) {
        const size_t *at = t->header_at[i];

        t->header_list[i].name = wh_slice(wh_buf_str(&t->header_text) + at[0], at[1]);
        t->header_list[i].value = wh_slice(wh_buf_str(&t->header_text) + at[2], at[3]);
    }
    *a = (struct wh_httpc_answer){.status = (unsigned)status,
                                  .body = &t->body,
                                  .headers = t->header_list,
                                  .n_headers = t->n_headers,
                                  .total_us = (int64_t)total};
}

static const char *limit_text(enum wh_rc rc)
{
    return rc == WH_E_FORBIDDEN  ? "the address is not allowed"
           : rc == WH_E_CANCELED ? "the rest of the answer is not needed"
                                 : "the answer is larger than the limit";
}

static void fill_answer(struct wh_httpc_transfer *t, CURLcode code, struct wh_httpc_answer *a)
{
    fill_head(t, a);
    if (t->limit_rc != WH_OK) {
        a->rc = wh_fail(&a->err, t->limit_rc, "%s", limit_text(t->limit_rc));
    } else if (code != CURLE_OK) {
        a->rc =
            wh_fail(&a->err, rc_of(code), "%s", t->error[0] ? t->error : curl_easy_strerror(code));
    } else if (!t->head_whole) {
        /* For curl this is a response without a body. */
        a->rc = wh_fail(&a->err, WH_E_NET, "the answer ends within its headers");
    }
}

static void finish(struct wh_httpc_transfer *t, CURLcode code)
{
    struct wh_httpc_answer answer;

    (void)curl_multi_remove_handle(t->client->multi, t->easy);
    unlink_transfer(t);
    fill_answer(t, code, &answer);
    t->fn(t->ctx, &answer);
    free_transfer(t);
}

static void collect(struct curl_client *c)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(c->multi, &left)) != NULL) {
        struct wh_httpc_transfer *t = NULL;
        char *private = NULL;

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
        t = (struct wh_httpc_transfer *)(void *)private;
        finish(t, msg->data.result);
    }
}

/* ---- the loop's side ---- */

static void on_timer(void *ctx)
{
    struct curl_client *c = ctx;
    int running;

    (void)curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(c);
}

static int on_timeout_change(CURLM *multi, long timeout_ms, void *ctx)
{
    struct curl_client *c = ctx;

    (void)multi;
    if (timeout_ms < 0) {
        wh_timer_stop(c->timer);
    } else {
        wh_timer_start(c->timer, timeout_ms, 0);
    }
    return 0;
}

static void on_ready(void *ctx, int fd, unsigned events)
{
    struct curl_client *c = ((struct socket_watch *)ctx)->client;
    int mask = ((events & WH_READABLE) ? CURL_CSELECT_IN : 0) |
               ((events & WH_WRITABLE) ? CURL_CSELECT_OUT : 0);
    int running;

    (void)curl_multi_socket_action(c->multi, fd, mask, &running);
    collect(c);
}

static void forget_socket(struct curl_client *c, struct socket_watch *s)
{
    struct socket_watch **link = &c->sockets;

    while (*link && *link != s) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = s->next;
    }
    wh_watch_free(s->watch);
    wh_mem_free(s);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct curl_client *c = ctx;
    struct socket_watch *s = socket_ctx;
    unsigned events = (what == CURL_POLL_IN || what == CURL_POLL_INOUT ? WH_READABLE : 0U) |
                      (what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? WH_WRITABLE : 0U);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s) {
            (void)curl_multi_assign(c->multi, fd, NULL);
            forget_socket(c, s);
        }
        return 0;
    }
    if (s == NULL) {
        s = wh_mem_zalloc(1, sizeof(*s));
        if (s == NULL) {
            return -1;
        }
        s->client = c;
        s->fd = fd;
        s->next = c->sockets;
        c->sockets = s;
        s->watch = wh_watch_new(c->loop, fd, events, on_ready, s);
        (void)curl_multi_assign(c->multi, fd, s);
        return s->watch ? 0 : -1;
    }
    wh_watch_set(s->watch, events);
    return 0;
}

/* ---- starting ---- */

static bool clean_value(struct wh_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\r' || s.ptr[i] == '\n' || s.ptr[i] == '\0') {
            return false;
        }
    }
    return true;
}

static enum wh_rc add_header_line(struct wh_httpc_transfer *t, const char *prefix,
                                  struct wh_slice name, struct wh_slice value, struct wh_err *err)
{
    char line[SECRET_LINE_MAX];
    struct curl_slist *list;
    int n;

    if (!clean_value(name) || !clean_value(value)) {
        return wh_fail(err, WH_E_INVALID, "a header holds a line break or NUL");
    }
    /* For curl "Name:" removes a header, and "Name;" sends an empty one. */
    n = snprintf(line, sizeof(line), "%s%.*s%s%.*s", prefix ? prefix : "", WH_SLICE_ARG(name),
                 prefix                           ? ""
                 : value.len == 0 && name.len > 0 ? ";"
                                                  : ": ",
                 WH_SLICE_ARG(value));
    if (n < 0 || (size_t)n >= sizeof(line)) {
        return wh_fail(err, WH_E_TOO_LARGE, "a header is too long");
    }
    list = curl_slist_append(t->headers, line);
    wh_mem_wipe(line, (size_t)n);
    if (list == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a header");
    }
    t->headers = list;
    return WH_OK;
}

static enum wh_rc add_headers(struct wh_httpc_transfer *t, const struct wh_httpc_request *req,
                              struct wh_err *err)
{
    for (size_t i = 0; i < req->n_headers; i++) {
        if (add_header_line(t, NULL, req->headers[i].name, req->headers[i].value, err) != WH_OK) {
            return err->rc;
        }
    }
    if (req->secret_header &&
        add_header_line(t, req->secret_header, wh_slice("", 0), req->secret, err) != WH_OK) {
        return err->rc;
    }
    /* Disables "Expect: 100-continue", which costs a round trip. */
    return add_header_line(t, "Expect:", WH_LIT(""), WH_LIT(""), err);
}

/* curl requests a socket for the address that it has resolved: the place to refuse it. */
static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct wh_httpc_transfer *t = ctx;
    bool allowed = t->peer == WH_HTTPC_PEER_LOOPBACK ? wh_httpc_loopback(&address->addr)
                                                     : wh_httpc_public(&address->addr);

    (void)purpose;
    if (!allowed) {
        t->limit_rc = WH_E_FORBIDDEN;
        return CURL_SOCKET_BAD;
    }
    t->limit_rc = t->limit_rc == WH_E_FORBIDDEN ? WH_OK : t->limit_rc;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_peer(struct wh_httpc_transfer *t)
{
    if (t->peer != WH_HTTPC_PEER_ANY) {
        (void)curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
        (void)curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t);
        (void)curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
        (void)curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
    }
}

static enum wh_rc set_options(struct curl_client *c, struct wh_httpc_transfer *t,
                              const struct wh_httpc_request *req, struct wh_err *err)
{
    CURL *e = t->easy;
    char url[8192];
    char method[16];

    if (req->url.len >= sizeof(url) || !clean_value(req->url) ||
        req->method.len >= sizeof(method)) {
        return wh_fail(err, WH_E_INVALID, "the URL or the method is malformed");
    }
    (void)snprintf(url, sizeof(url), "%.*s", WH_SLICE_ARG(req->url));
    (void)snprintf(method, sizeof(method), "%.*s", WH_SLICE_ARG(req->method));
    if (curl_easy_setopt(e, CURLOPT_URL, url) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK) {
        return wh_fail(err, WH_E_INVALID, "curl refused the URL");
    }
    (void)curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    (void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
    (void)curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    (void)curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    (void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
    (void)curl_easy_setopt(e, CURLOPT_USERAGENT, c->user_agent);
    (void)curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 128L << 10);
    (void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)c->connect_timeout_ms);
    (void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)req->timeout_ms);
    if (req->stall_timeout_ms > 0) {
        (void)curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
        (void)curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME,
                               (long)((req->stall_timeout_ms + 999) / 1000));
    }
    if (c->ca_file) {
        (void)curl_easy_setopt(e, CURLOPT_CAINFO, c->ca_file);
    }
    /* A proxy would resolve the name for us and bypass the check. */
    (void)curl_easy_setopt(e, CURLOPT_NOPROXY, t->peer == WH_HTTPC_PEER_ANY ? NULL : "*");
    set_peer(t);
    if (strcmp(method, "GET") != 0) {
        (void)curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
    }
    if (req->body.len) {
        (void)curl_easy_setopt(e, CURLOPT_POSTFIELDS, t->request_body.ptr);
        (void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->request_body.len);
    } else if (strcmp(method, "POST") == 0) {
        (void)curl_easy_setopt(e, CURLOPT_POSTFIELDS, "");
        (void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, 0L);
    }
    return WH_OK;
}

static enum wh_rc prepare(struct curl_client *c, struct wh_httpc_transfer *t,
                          const struct wh_httpc_request *req, struct wh_err *err)
{
    t->easy = c->n_pool ? c->pool[--c->n_pool] : curl_easy_init();
    if (t->easy == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a transfer");
    }
    if (req->body.len && wh_buf_append(&t->request_body, req->body, err) != WH_OK) {
        return err->rc;
    }
    if (add_headers(t, req, err) != WH_OK) {
        return err->rc;
    }
    return set_options(c, t, req, err);
}

static enum wh_rc cc_start(struct wh_httpc *base, const struct wh_httpc_request *req,
                           wh_httpc_fn fn, void *ctx, struct wh_httpc_transfer **ret,
                           struct wh_err *err)
{
    struct curl_client *c = (struct curl_client *)base;
    struct wh_httpc_transfer *t = wh_mem_zalloc(1, sizeof(*t));

    if (t == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a transfer");
    }
    t->client = c;
    t->fn = fn;
    t->ctx = ctx;
    t->on_data = req->on_data;
    t->peer = req->peer;
    t->body_max = req->body_max;
    wh_buf_init(&t->body, req->body_max);
    wh_buf_init_secret(&t->request_body, req->body.len + 1);
    wh_buf_init(&t->header_text, HEADER_BYTES_MAX);
    if (prepare(c, t, req, err) != WH_OK) {
        free_transfer(t);
        return err->rc;
    }
    if (curl_multi_add_handle(c->multi, t->easy) != CURLM_OK) {
        free_transfer(t);
        return wh_fail(err, WH_E_INTERNAL, "curl refused a transfer");
    }
    t->next = c->transfers;
    if (t->next) {
        t->next->prev = t;
    }
    c->transfers = t;
    c->n_active++;
    if (ret) {
        *ret = t;
    }
    return WH_OK;
}

static void cc_cancel(struct wh_httpc *base, struct wh_httpc_transfer *t)
{
    struct curl_client *c = (struct curl_client *)base;

    (void)curl_multi_remove_handle(c->multi, t->easy);
    unlink_transfer(t);
    free_transfer(t);
}

static size_t cc_active(const struct wh_httpc *base)
{
    return ((const struct curl_client *)base)->n_active;
}

static void cc_free(struct wh_httpc *base)
{
    struct curl_client *c = (struct curl_client *)base;

    while (c->transfers) {
        cc_cancel(base, c->transfers);
    }
    for (size_t i = 0; i < c->n_pool; i++) {
        curl_easy_cleanup(c->pool[i]);
    }
    if (c->multi) {
        (void)curl_multi_cleanup(c->multi);
    }
    while (c->sockets) {
        forget_socket(c, c->sockets);
    }
    wh_timer_free(c->timer);
    wh_mem_free(c->user_agent);
    wh_mem_free(c->ca_file);
    wh_mem_free(c);
}

static const struct wh_httpc_ops curl_ops = {
    .start = cc_start, .cancel = cc_cancel, .active = cc_active, .free = cc_free};

enum wh_rc wh_httpc_curl_new(struct wh_loop *loop, struct wh_log *log,
                             const struct wh_httpc_conf *conf, struct wh_httpc **ret,
                             struct wh_err *err)
{
    struct curl_client *c = wh_mem_zalloc(1, sizeof(*c));

    if (c == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an HTTP client");
    }
    c->base.ops = &curl_ops;
    c->loop = loop;
    c->log = log;
    c->connect_timeout_ms = conf->connect_timeout_ms;
    c->user_agent = wh_mem_dup(conf->user_agent, strlen(conf->user_agent));
    c->ca_file =
        conf->ca_file && conf->ca_file[0] ? wh_mem_dup(conf->ca_file, strlen(conf->ca_file)) : NULL;
    c->timer = wh_timer_new(loop, on_timer, c);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    c->multi = curl_multi_init();
    if (!c->user_agent || !c->timer || !c->multi) {
        cc_free(&c->base);
        return wh_fail(err, WH_E_NOMEM, "no memory for an HTTP client");
    }
    (void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    (void)curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timeout_change);
    (void)curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    (void)curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)conf->max_connections);
    *ret = &c->base;
    return WH_OK;
}
