/*
 * The client against our own server in the same loop, and against a raw one that misbehaves:
 * limits, silence, bodies that are cut, headers that would smuggle others in.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/httpc/httpc.h"
#include "common/httpd/httpd.h"
#include "tests/lib/th_cmocka.h"

enum { BODY_MAX = 2000, MANY = 40, URL_MAX = 128, TEXT_MAX = 4096 };

struct seen {
    int calls;
    enum wh_rc rc;
    unsigned status;
    char body[TEXT_MAX];
    size_t body_len;
    char message[WH_ERR_MSG_MAX];
    char location[URL_MAX];
    char custom[URL_MAX];
};

struct fixture {
    struct wh_loop *loop;
    struct wh_httpd *httpd;
    struct wh_httpc *client;
    size_t requests;
    size_t at_once;
    size_t most_at_once;
    struct wh_http_req *held[MANY];
    size_t n_held;
};

/* ---- the server ---- */

static size_t on_head(void *ctx, struct wh_http_req *req)
{
    (void)ctx;
    (void)req;
    return 1 << 20;
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct fixture *f = ctx;
    struct wh_slice path = wh_http_path(req);
    static char large[BODY_MAX + 1];

    f->requests++;
    if (wh_slice_eq(path, WH_LIT("/echo"))) {
        const struct wh_http_header header = {WH_LIT("X-Custom"), wh_http_header(req, "X-Asked")};

        wh_http_reply(req, &(struct wh_http_reply){.status = 200,
                                                   .body = wh_http_body(req),
                                                   .headers = &header,
                                                   .n_headers = header.value.ptr ? 1 : 0});
    } else if (wh_slice_eq(path, WH_LIT("/secret"))) {
        wh_http_reply(req, &(struct wh_http_reply){.status = 200,
                                                   .body = wh_http_header(req, "PRIVATE-TOKEN")});
    } else if (wh_slice_eq(path, WH_LIT("/large")) || wh_slice_eq(path, WH_LIT("/just"))) {
        memset(large, 'x', sizeof(large));
        wh_http_reply(
            req, &(struct wh_http_reply){.status = 200,
                                         .body = wh_slice(large, wh_slice_eq(path, WH_LIT("/just"))
                                                                     ? BODY_MAX
                                                                     : BODY_MAX + 1)});
    } else if (wh_slice_eq(path, WH_LIT("/away"))) {
        const struct wh_http_header header = {WH_LIT("Location"), WH_LIT("http://127.0.0.1:1/")};

        wh_http_reply(req,
                      &(struct wh_http_reply){.status = 302, .headers = &header, .n_headers = 1});
    } else if (wh_slice_eq(path, WH_LIT("/hold")) && f->n_held < MANY) {
        f->held[f->n_held++] = req;
        f->at_once++;
        f->most_at_once = f->at_once > f->most_at_once ? f->at_once : f->most_at_once;
    } else {
        wh_http_reply_error(req, 404, "no such page", 0);
    }
}

static void let_go(struct fixture *f)
{
    for (size_t i = 0; i < f->n_held; i++) {
        wh_http_reply(f->held[i], &(struct wh_http_reply){.status = 200, .body = WH_LIT("ok")});
    }
    f->n_held = 0;
    f->at_once = 0;
}

static int set_up(void **state)
{
    static struct fixture f;
    struct wh_http_handler handler = {.on_head = on_head, .on_request = on_request, .ctx = &f};
    const struct wh_httpc_conf client = {
        .max_connections = 4, .user_agent = "test", .connect_timeout_ms = 5000};
    struct wh_httpd_conf conf;
    struct wh_err err;

    f = (struct fixture){.loop = wh_loop_new()};
    assert_non_null(f.loop);
    wh_httpd_conf_init(&conf);
    conf.address = "127.0.0.1";
    conf.port = 0;
    th_ok(wh_httpd_new(f.loop, NULL, &conf, &handler, &f.httpd, &err), &err);
    th_ok(wh_httpc_curl_new(f.loop, NULL, &client, &f.client, &err), &err);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    wh_httpc_free(f->client);
    wh_httpd_free(f->httpd);
    wh_loop_free(f->loop);
    return 0;
}

/* ---- the client ---- */

static void copy_text(char *to, size_t room, struct wh_slice from)
{
    size_t n = from.len < room - 1 ? from.len : room - 1;

    if (n) {
        memcpy(to, from.ptr, n);
    }
    to[n] = '\0';
}

static void on_answer(void *ctx, const struct wh_httpc_answer *answer)
{
    struct seen *s = ctx;

    s->calls++;
    s->rc = answer->rc;
    s->status = answer->status;
    if (answer->rc == WH_OK) {
        s->body_len = answer->body->len;
        copy_text(s->body, sizeof(s->body), wh_buf_slice(answer->body));
        copy_text(s->location, sizeof(s->location), wh_httpc_answer_header(answer, "location"));
        copy_text(s->custom, sizeof(s->custom), wh_httpc_answer_header(answer, "x-custom"));
    } else {
        copy_text(s->message, sizeof(s->message), wh_slice_str(answer->err.msg));
    }
}

static struct wh_httpc_request request(const char *method, char url[URL_MAX], uint16_t port,
                                       const char *path)
{
    (void)snprintf(url, URL_MAX, "http://127.0.0.1:%u%s", port, path);
    return (struct wh_httpc_request){.method = wh_slice_str(method),
                                     .url = wh_slice_str(url),
                                     .body_max = BODY_MAX,
                                     .timeout_ms = 20000,
                                     .stall_timeout_ms = 10000};
}

static void run(struct fixture *f, const struct wh_httpc_request *req, struct seen *s)
{
    struct wh_err err;

    *s = (struct seen){0};
    th_ok(wh_httpc_start(f->client, req, on_answer, s, NULL, &err), &err);
    assert_int_equal(s->calls, 0);
    while (s->calls == 0) {
        wh_loop_turn(f->loop, true);
    }
    assert_int_equal(s->calls, 1);
    assert_int_equal(wh_httpc_active(f->client), 0);
}

static void get(struct fixture *f, const char *path, struct seen *s)
{
    char url[URL_MAX];
    struct wh_httpc_request req = request("GET", url, wh_httpd_port(f->httpd), path);

    run(f, &req, s);
}

/* ---- tests ---- */

static void test_there_and_back(void **state)
{
    struct fixture *f = *state;
    const struct wh_httpc_header header = {WH_LIT("X-Asked"), WH_LIT("some value")};
    char url[URL_MAX];
    struct wh_httpc_request req = request("POST", url, wh_httpd_port(f->httpd), "/echo");
    struct seen s;

    req.body = WH_LIT("a body\0with a NUL");
    req.headers = &header;
    req.n_headers = 1;
    run(f, &req, &s);
    assert_int_equal(s.rc, WH_OK);
    assert_int_equal(s.status, 200);
    assert_int_equal(s.body_len, req.body.len);
    assert_memory_equal(s.body, req.body.ptr, req.body.len);
    assert_string_equal(s.custom, "some value");
    req = request("GET", url, wh_httpd_port(f->httpd), "/secret");
    req.secret_header = "PRIVATE-TOKEN: ";
    req.secret = WH_LIT("glpat-0123");
    run(f, &req, &s);
    assert_string_equal(s.body, "glpat-0123");
}

/* Any status is an answer; a redirect is shown, not followed. */
static void test_statuses(void **state)
{
    struct fixture *f = *state;
    struct seen s;

    get(f, "/nothing", &s);
    assert_int_equal(s.rc, WH_OK);
    assert_int_equal(s.status, 404);
    get(f, "/away", &s);
    assert_int_equal(s.rc, WH_OK);
    assert_int_equal(s.status, 302);
    assert_string_equal(s.location, "http://127.0.0.1:1/");
    assert_int_equal(f->requests, 2);
}

static void test_body_limit(void **state)
{
    struct fixture *f = *state;
    struct seen s;

    get(f, "/just", &s);
    assert_int_equal(s.rc, WH_OK);
    assert_int_equal(s.body_len, BODY_MAX);
    get(f, "/large", &s);
    assert_int_equal(s.rc, WH_E_TOO_LARGE);
    assert_true(s.message[0] != '\0');
}

static void refused(struct fixture *f, const struct wh_httpc_request *req)
{
    struct seen s = {0};
    struct wh_err err;

    assert_int_equal(wh_httpc_start(f->client, req, on_answer, &s, NULL, &err), WH_E_INVALID);
    assert_int_equal(wh_httpc_active(f->client), 0);
    wh_loop_turn(f->loop, false);
    assert_int_equal(s.calls, 0);
}

static void test_header_injection(void **state)
{
    struct fixture *f = *state;
    static const struct wh_httpc_header bad[] = {
        {{"X-A", 3}, {"a\r\nX-B: b", 9}}, {{"X-A", 3}, {"a\nb", 3}}, {{"X-A", 3}, {"a\rb", 3}},
        {{"X-A", 3}, {"a\0b", 3}},        {{"X\r\nY", 4}, {"a", 1}},
    };
    char url[URL_MAX];
    struct wh_httpc_request req = request("GET", url, wh_httpd_port(f->httpd), "/echo");

    req.n_headers = 1;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        req.headers = &bad[i];
        refused(f, &req);
    }
    req.n_headers = 0;
    req.secret_header = "PRIVATE-TOKEN: ";
    req.secret = WH_LIT("token\r\nX-Evil: 1");
    refused(f, &req);
    assert_int_equal(f->requests, 0);
}

static void test_other_protocols(void **state)
{
    struct fixture *f = *state;
    static const char *const urls[] = {"file:///etc/hostname", "ftp://127.0.0.1/x",
                                       "gopher://127.0.0.1/x"};
    char url[URL_MAX];
    struct wh_httpc_request req = request("GET", url, 1, "/");

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct seen s = {0};
        struct wh_err err;

        req.url = wh_slice_str(urls[i]);
        if (wh_httpc_start(f->client, &req, on_answer, &s, NULL, &err) != WH_OK) {
            continue;
        }
        while (s.calls == 0) {
            wh_loop_turn(f->loop, true);
        }
        assert_int_not_equal(s.rc, WH_OK);
        assert_int_equal(s.body_len, 0);
    }
}

static void test_many_at_once_and_cancel(void **state)
{
    struct fixture *f = *state;
    static struct seen seen[MANY];
    struct wh_httpc_transfer *first = NULL;
    char url[URL_MAX];
    struct wh_httpc_request req = request("GET", url, wh_httpd_port(f->httpd), "/hold");
    struct wh_err err;
    int done = 0;

    memset(seen, 0, sizeof(seen));
    for (int i = 0; i < MANY; i++) {
        th_ok(wh_httpc_start(f->client, &req, on_answer, &seen[i], i ? NULL : &first, &err), &err);
    }
    assert_int_equal(wh_httpc_active(f->client), MANY);
    while (f->n_held == 0) {
        wh_loop_turn(f->loop, true);
    }
    wh_httpc_cancel(f->client, first);
    assert_int_equal(wh_httpc_active(f->client), MANY - 1);
    while (done < MANY - 1) {
        let_go(f);
        wh_loop_turn(f->loop, true);
        done = 0;
        for (int i = 1; i < MANY; i++) {
            done += seen[i].calls;
        }
    }
    assert_int_equal(seen[0].calls, 0);
    for (int i = 1; i < MANY; i++) {
        assert_int_equal(seen[i].calls, 1);
        assert_int_equal(seen[i].rc, WH_OK);
    }
    /* No more than the configured connections were open. */
    assert_in_range(f->most_at_once, 1, 5);
}

/* ---- a server that misbehaves ---- */

struct raw {
    int listener;
    uint16_t port;
    const char *text; /* what it says */
    bool stays;       /* keeps the connection open and says no more */
    pthread_t thread;
};

static void *raw_run(void *arg)
{
    struct raw *r = arg;
    int fd = accept(r->listener, NULL, NULL);
    char byte[512];

    if (fd < 0) {
        return NULL;
    }
    (void)!read(fd, byte, sizeof(byte));
    (void)!write(fd, r->text, strlen(r->text));
    /* Until the client gives up. */
    while (r->stays && read(fd, byte, sizeof(byte)) > 0) {
    }
    (void)close(fd);
    return NULL;
}

static void raw_init(struct raw *r, const char *text, bool stays)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    *r = (struct raw){.text = text, .stays = stays};
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(r->listener >= 0);
    assert_int_equal(bind(r->listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(r->listener, 1), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&at, &len), 0);
    r->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&r->thread, NULL, raw_run, r), 0);
}

static void raw_done(struct raw *r)
{
    (void)pthread_join(r->thread, NULL);
    (void)close(r->listener);
}

static void ask_raw(struct fixture *f, const char *text, bool stays, int64_t stall_ms,
                    struct seen *s)
{
    char url[URL_MAX];
    struct wh_httpc_request req;
    struct raw r;

    raw_init(&r, text, stays);
    req = request("GET", url, r.port, "/");
    req.stall_timeout_ms = stall_ms;
    run(f, &req, s);
    raw_done(&r);
}

static void test_cut_bodies(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nContent-Len",
        "",
    };
    struct seen s;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ask_raw(f, texts[i], false, 10000, &s);
        assert_int_equal(s.rc, WH_E_NET);
        assert_true(s.message[0] != '\0');
    }
}

static void test_garbage(void **state)
{
    struct fixture *f = *state;
    struct seen s;

    ask_raw(f, "220 smtp.example.com ESMTP\r\n", false, 10000, &s);
    assert_int_not_equal(s.rc, WH_OK);
}

static void test_silence(void **state)
{
    struct fixture *f = *state;
    struct seen s;

    ask_raw(f, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true, 1000, &s);
    assert_int_equal(s.rc, WH_E_TIMEOUT);
}

static void test_nobody_there(void **state)
{
    struct fixture *f = *state;
    char url[URL_MAX];
    struct wh_httpc_request req;
    struct raw r;
    struct seen s;

    raw_init(&r, "", false);
    (void)shutdown(r.listener, SHUT_RDWR);
    raw_done(&r);
    req = request("GET", url, r.port, "/");
    run(f, &req, &s);
    assert_int_equal(s.rc, WH_E_NET);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_there_and_back),   TEST(test_statuses),        TEST(test_body_limit),
        TEST(test_header_injection), TEST(test_other_protocols), TEST(test_many_at_once_and_cancel),
        TEST(test_cut_bodies),       TEST(test_garbage),         TEST(test_silence),
        TEST(test_nobody_there),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
