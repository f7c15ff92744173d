/* The server runs in a thread of its own; the test is a client that writes raw bytes. */
#include "tests/lib/th_cmocka.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/httpd/httpd.h"

enum { BODY_MAX = 1000, ANSWER_MAX = 1 << 20, CLIENT_TIMEOUT_MS = 10000, STREAM_BYTES = 300000 };

struct server {
    struct wh_loop *loop;
    struct wh_httpd *httpd;
    struct wh_wake *stop;
    struct wh_timer *later;
    struct wh_http_req *held;
    pthread_t thread;
    size_t streamed;
    size_t steps;
    struct wh_http_req *paused;
    bool endless_pause;
    int done_calls;
    _Atomic bool left_in_buffer;
};

static void reply_later(void *ctx)
{
    struct server *s = ctx;

    if (s->paused) {
        wh_http_stream_more(s->paused);
        s->paused = NULL;
    } else if (s->held) {
        wh_http_reply(s->held, &(struct wh_http_reply){.status = 200, .body = WH_LIT("late")});
        s->held = NULL;
    }
}

static enum wh_rc fill(void *ctx, struct wh_buf *out, size_t max, bool *ret_end, struct wh_err *err)
{
    struct server *s = ctx;

    (void)max;
    s->streamed += 1000;
    *ret_end = s->streamed >= STREAM_BYTES;
    for (int i = 0; i < 100; i++) {
        if (wh_buf_append(out, WH_LIT("0123456789"), err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc fill_and_break(void *ctx, struct wh_buf *out, size_t max, bool *ret_end,
                                 struct wh_err *err)
{
    struct server *s = ctx;

    (void)max;
    *ret_end = false;
    if (s->streamed > 0) {
        return wh_fail(err, WH_E_NET, "broken on purpose");
    }
    s->streamed = 1;
    return wh_buf_append(out, WH_LIT("half"), err);
}

static void filled(void *ctx)
{
    (void)ctx;
}

/* "one", a pause, "two", the end. The timer says when there is more. */
static enum wh_rc fill_with_pauses(void *ctx, struct wh_buf *out, size_t max, bool *ret_end,
                                   struct wh_err *err)
{
    static const char *const steps[] = {"one", "", "two", ""};
    struct server *s = ctx;
    size_t step = s->steps++;

    (void)max;
    *ret_end = step == 3;
    if (step == 1) {
        s->paused = s->held;
        wh_timer_start(s->later, s->endless_pause ? 1000000 : 1, 0);
    }
    return wh_buf_append(out, wh_slice_str(steps[step]), err);
}

static size_t trailers(void *ctx, struct wh_http_header out[WH_HTTP_TRAILERS_MAX])
{
    (void)ctx;
    out[0] = (struct wh_http_header){WH_LIT("X-Result"), WH_LIT("complete")};
    return 1;
}

static void stream_with_pauses(struct server *s, struct wh_http_req *req, uint64_t length)
{
    static const struct wh_http_header header = {{"X-Extra", 7}, {"yes", 3}};

    s->steps = 0;
    s->held = req;
    wh_http_reply_stream(req, 200, "text/plain",
                         &(struct wh_http_stream){.fill = fill_with_pauses,
                                                  .done = filled,
                                                  .ctx = s,
                                                  .trailers = trailers,
                                                  .length = length,
                                                  .headers = &header,
                                                  .n_headers = 1});
}

static const struct wh_http_header constant_header = {{"X-Same", 6}, {"yes", 3}};
static const struct wh_http_reply constant = {.status = 200,
                                              .body = {"always", 6},
                                              .headers = &constant_header,
                                              .n_headers = 1,
                                              .constant = true};

static size_t on_head(void *ctx, struct wh_http_req *req)
{
    (void)ctx;
    return wh_slice_eq(wh_http_path(req), WH_LIT("/echo")) ? BODY_MAX : 0;
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct server *s = ctx;
    struct wh_slice path = wh_http_path(req);

    if (wh_slice_eq(path, WH_LIT("/echo"))) {
        wh_http_reply(req, &(struct wh_http_reply){.status = 200,
                                                   .content_type = "text/plain",
                                                   .body = wh_http_body(req)});
    } else if (wh_slice_eq(path, WH_LIT("/query"))) {
        wh_http_reply(req,
                      &(struct wh_http_reply){.status = 200, .body = wh_http_query(req, "a b")});
    } else if (wh_slice_eq(path, WH_LIT("/later"))) {
        s->held = req;
        wh_timer_start(s->later, 20, 0);
    } else if (wh_slice_eq(path, WH_LIT("/never"))) {
        s->held = NULL;
    } else if (wh_slice_eq(path, WH_LIT("/stream"))) {
        s->streamed = 0;
        wh_http_reply_stream(req, 200, "text/plain",
                             &(struct wh_http_stream){.fill = fill, .done = filled, .ctx = s});
    } else if (wh_slice_eq(path, WH_LIT("/broken"))) {
        s->streamed = 0;
        wh_http_reply_stream(
            req, 200, "text/plain",
            &(struct wh_http_stream){.fill = fill_and_break, .done = filled, .ctx = s});
    } else if (wh_slice_eq(path, WH_LIT("/pauses"))) {
        stream_with_pauses(s, req, 0);
    } else if (wh_slice_eq(path, WH_LIT("/header"))) {
        struct wh_slice value = wh_http_header(req, "x-WANTED");

        wh_http_reply(req, &(struct wh_http_reply){.status = 200,
                                                   .body = value.ptr ? value : WH_LIT("absent")});
    } else if (wh_slice_eq(path, WH_LIT("/same"))) {
        wh_http_reply(req, &(struct wh_http_reply){.status = 304});
    } else if (wh_slice_eq(path, WH_LIT("/six"))) {
        stream_with_pauses(s, req, 6);
    } else if (wh_slice_eq(path, WH_LIT("/constant"))) {
        wh_http_reply(req, &constant);
    } else if (wh_slice_eq(path, WH_LIT("/json"))) {
        struct wh_buf body;
        struct wh_err err;

        wh_buf_init(&body, 100);
        if (wh_buf_append(&body, WH_LIT("{\"a\":1}"), &err) == WH_OK) {
            wh_http_reply_json(req, 202, &body);
        }
        s->left_in_buffer = body.len || body.ptr;
    } else if (wh_slice_eq(path, WH_LIT("/peer"))) {
        wh_http_reply(req, &(struct wh_http_reply){.status = 200, .body = wh_http_peer(req)});
    } else {
        wh_http_reply_error(req, 404, "no such page", 0);
    }
}

static void on_done(void *ctx, struct wh_http_req *req)
{
    struct server *s = ctx;

    s->done_calls++;
    if (s->held == req) {
        s->held = NULL;
        s->paused = NULL;
    }
}

static void on_stop(void *ctx)
{
    wh_loop_stop(((struct server *)ctx)->loop);
}

static void *serve(void *ctx)
{
    wh_loop_run(((struct server *)ctx)->loop);
    return NULL;
}

static int set_up(void **state)
{
    struct server *s = calloc(1, sizeof(*s));
    const struct wh_http_handler handler = {
        .on_head = on_head, .on_request = on_request, .on_done = on_done, .ctx = s};
    struct wh_httpd_conf conf;
    struct wh_err err;

    s->loop = wh_loop_new();
    s->stop = wh_wake_new(s->loop, on_stop, s);
    s->later = wh_timer_new(s->loop, reply_later, s);
    wh_httpd_conf_init(&conf);
    conf.body_timeout_ms = 300;
    conf.reply_timeout_ms = 300;
    th_ok(wh_httpd_new(s->loop, NULL, &conf, &handler, &s->httpd, &err), &err);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct server *s = *state;

    wh_wake_send(s->stop);
    (void)pthread_join(s->thread, NULL);
    wh_httpd_free(s->httpd);
    wh_loop_free(s->loop);
    free(s);
    return 0;
}

static int dial(const struct server *s)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(wh_httpd_port(s->httpd))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until the text has come, the peer closes or the time is up. */
static char *hear(int fd, const char *until)
{
    static char answer[ANSWER_MAX];
    size_t len = 0;

    answer[0] = '\0';
    while (len < sizeof(answer) - 1 && (until == NULL || strstr(answer, until) == NULL)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, CLIENT_TIMEOUT_MS) != 1) {
            fail_msg("no answer; so far: %s", answer);
        }
        n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
        answer[len] = '\0';
    }
    return answer;
}

static void contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in: %.300s", part, text);
    }
}

static void test_echo_in_pieces_and_keep_alive(void **state)
{
    int fd = dial(*state);

    say(fd, "POST /ec");
    say(fd, "ho HTTP/1.1\r\nHost: x\r\nContent-Le");
    say(fd, "ngth: 5\r\n\r\nhe");
    say(fd, "llo");
    contains(hear(fd, "hello"), "200 OK");
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
            "chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    contains(hear(fd, "abcdefg"), "200 OK");
    (void)close(fd);
}

static void test_pipelined(void **state)
{
    int fd = dial(*state);
    const char *text;

    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ntwo");
    text = hear(fd, "two");
    contains(text, "one");
    (void)close(fd);
}

static void test_query_is_decoded(void **state)
{
    int fd = dial(*state);

    say(fd, "GET /qu%65ry?x=1&a%20b=c%26d+e HTTP/1.1\r\nHost: x\r\n\r\n");
    contains(hear(fd, "c&d e"), "200 OK");
    (void)close(fd);
}

static void test_answer_comes_later(void **state)
{
    int fd = dial(*state);

    say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    contains(hear(fd, "late"), "200 OK");
    say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    contains(hear(fd, "late"), "200 OK");
    (void)close(fd);
}

static void test_no_answer_in_time(void **state)
{
    int fd = dial(*state);
    const char *text;

    say(fd, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
    text = hear(fd, "again");
    contains(text, "503");
    contains(text, "Retry-After: 1");
    (void)close(fd);
}

static void test_peer_gone_while_waiting(void **state)
{
    for (int i = 0; i < 20; i++) {
        int fd = dial(*state);

        say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
        (void)close(fd);
    }
    test_answer_comes_later(state);
}

static void test_too_large(void **state)
{
    char big[BODY_MAX + 200];
    int fd = dial(*state);

    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
    contains(hear(fd, "limit"), "413");
    (void)close(fd);
    fd = dial(*state);
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4AF\r\n");
    say(fd, big);
    say(fd, "\r\n0\r\n\r\n");
    contains(hear(fd, "limit"), "413");
    (void)close(fd);
}

static void test_headers_too_large(void **state)
{
    static char big[20 << 10];
    int fd = dial(*state);

    memset(big, 'x', sizeof(big) - 1);
    say(fd, "GET /query HTTP/1.1\r\nHost: x\r\nX-Big: ");
    say(fd, big);
    contains(hear(fd, "\r\n\r\n"), "431");
    (void)close(fd);
}

static void test_no_length(void **state)
{
    int fd = dial(*state);

    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    contains(hear(fd, "chunks"), "411");
    (void)close(fd);
}

static void test_slow_body(void **state)
{
    int fd = dial(*state);

    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    contains(hear(fd, NULL), "408");
    (void)close(fd);
}

static void test_malformed(void **state)
{
    static const char *const bad[] = {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
                                      "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
                                      "GET / HTTP/1.1\r\n\r\n"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = dial(*state);

        say(fd, bad[i]);
        contains(hear(fd, "\r\n\r\n"), "400");
        (void)close(fd);
    }
}

static void test_stream(void **state)
{
    int fd = dial(*state);
    const char *text;
    size_t digits = 0;

    say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    text = hear(fd, NULL);
    contains(text, "Transfer-Encoding: chunked");
    for (const char *p = strstr(text, "0123456789"); p; p = strstr(p + 1, "0123456789")) {
        digits += 10;
    }
    /* Chunk borders may cut a few of the runs. */
    assert_true(digits > STREAM_BYTES - 1000);
    (void)close(fd);
}

static void test_broken_stream_is_closed(void **state)
{
    int fd = dial(*state);
    const char *text;

    say(fd, "GET /broken HTTP/1.1\r\nHost: x\r\n\r\n");
    text = hear(fd, NULL);
    contains(text, "half");
    assert_null(strstr(text, "\r\n0\r\n"));
    (void)close(fd);
}

/* Another connection is served while the stream pauses, and the connection is kept alive. */
static void test_a_stream_pauses(void **state)
{
    int fd = dial(*state);
    const char *text;

    say(fd, "GET /pauses HTTP/1.1\r\nHost: x\r\n\r\n");
    text = hear(fd, "\r\n0\r\nX-Result: complete\r\n\r\n");
    contains(text, "X-Extra: yes\r\n");
    contains(text, "3\r\none\r\n3\r\ntwo\r\n0\r\n");
    say(fd, "GET /six HTTP/1.1\r\nHost: x\r\n\r\n");
    text = hear(fd, "onetwo");
    contains(text, "Content-Length: 6\r\n");
    assert_null(strstr(text, "X-Result"));
    say(fd, "GET /constant HTTP/1.1\r\nHost: x\r\n\r\n");
    contains(hear(fd, "always"), "200 OK");
    (void)close(fd);
}

static void test_others_are_served_while_a_stream_pauses(void **state)
{
    struct server *s = *state;
    int fd = dial(s);
    int other = dial(s);

    s->endless_pause = true;
    say(fd, "GET /pauses HTTP/1.1\r\nHost: x\r\n\r\n");
    contains(hear(fd, "one"), "200 OK");
    say(other, "GET /constant HTTP/1.1\r\nHost: x\r\n\r\n");
    contains(hear(other, "always"), "200 OK");
    (void)close(other);
    /* tear_down frees the server while the stream pauses. */
    (void)shutdown(fd, SHUT_WR);
}

/* HTTP/1.0 has no chunks: a body of unknown length could end early unnoticed. */
static void test_no_stream_of_unknown_length_by_http_1_0(void **state)
{
    int fd = dial(*state);

    say(fd, "GET /pauses HTTP/1.0\r\n\r\n");
    contains(hear(fd, NULL), "505 ");
    (void)close(fd);
    fd = dial(*state);
    say(fd, "GET /six HTTP/1.0\r\n\r\n");
    contains(hear(fd, NULL), "onetwo");
    (void)close(fd);
}

static void test_constant_reply_again_and_again(void **state)
{
    int fds[3];

    for (size_t i = 0; i < 9; i++) {
        int *fd = &fds[i % 3];
        const char *text;

        if (i < 3) {
            *fd = dial(*state);
        }
        say(*fd, "GET /constant HTTP/1.1\r\nHost: x\r\n\r\n");
        text = hear(*fd, "always");
        contains(text, "X-Same: yes");
        contains(text, "200 OK");
    }
    for (size_t i = 0; i < 3; i++) {
        (void)close(fds[i]);
    }
}

/* A reply to HEAD, or a 304, ends with its head: what follows on the connection is the next reply. */
static void test_replies_without_a_body(void **state)
{
    int fd = dial(*state);
    const char *text;

    say(fd, "HEAD /constant HTTP/1.1\r\nHost: x\r\n\r\nHEAD /pauses HTTP/1.1\r\nHost: x\r\n\r\n"
            "GET /same HTTP/1.1\r\nHost: x\r\n\r\nGET /json HTTP/1.1\r\nHost: x\r\n\r\n");
    text = hear(fd, "{\"a\":1}");
    contains(text, "Content-Length: 6\r\n");
    contains(text, "\r\n\r\nHTTP/1.1 200 OK\r\n");
    contains(text, "\r\n\r\nHTTP/1.1 304 Not Modified\r\n");
    contains(text, "\r\n\r\nHTTP/1.1 202 Accepted\r\n");
    assert_null(strstr(text, "always"));
    assert_null(strstr(text, "one"));
    (void)close(fd);
}

/* A body's memory is used again: nothing of the one before may be left in it. */
static void test_shorter_body_after_longer(void **state)
{
    int fd = dial(*state);
    const char *text;

    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nlonger-body.");
    contains(hear(fd, "longer-body."), "200 OK");
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    text = hear(fd, "abc");
    contains(text, "Content-Length: 3\r\n");
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    contains(hear(fd, "\r\n\r\n"), "Content-Length: 0\r\n");
    (void)close(fd);
}

/* Of two with the name the first, behind however many others. */
static void test_a_header_is_found(void **state)
{
    int fd = dial(*state);

    for (size_t others = 0; others < 60; others += 4) {
        WH_AUTO(buf) struct wh_buf head;
        struct wh_err err;

        wh_buf_init(&head, 4096);
        th_ok(wh_buf_printf(&head, &err, "GET /header HTTP/1.1\r\nHost: x\r\n"), &err);
        for (size_t i = 0; i < others; i++) {
            th_ok(wh_buf_printf(&head, &err, "X-Other%zu: no\r\n", i), &err);
        }
        say(fd, wh_buf_str(&head));
        say(fd, "\r\n");
        contains(hear(fd, "absent"), "200 OK");
        say(fd, wh_buf_str(&head));
        say(fd, "X-Wanter: no\r\nX-wanted: found\r\nX-Wanted: no\r\n\r\n");
        contains(hear(fd, "found"), "200 OK");
    }
    (void)close(fd);
}

static void test_peer(void **state)
{
    int fd = dial(*state);

    say(fd, "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n");
    contains(hear(fd, "127.0.0.1"), "200 OK");
    (void)close(fd);
}

static void test_json_reply_takes_the_buffer(void **state)
{
    struct server *s = *state;
    int fd = dial(s);
    const char *answer;

    say(fd, "GET /json HTTP/1.1\r\nHost: x\r\n\r\n");
    answer = hear(fd, "{\"a\":1}");
    contains(answer, "202 Accepted");
    contains(answer, "Content-Type: application/json\r\n");
    contains(answer, "Content-Length: 7\r\n");
    assert_false(s->left_in_buffer);
    (void)close(fd);
}

static void test_free_with_open_requests(void **state)
{
    int fd = dial(*state);

    say(fd, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
    /* Answered or not by then: tear_down frees the server while the request is open. */
    (void)shutdown(fd, SHUT_WR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_echo_in_pieces_and_keep_alive),
        T(test_pipelined),
        T(test_query_is_decoded),
        T(test_answer_comes_later),
        T(test_no_answer_in_time),
        T(test_peer_gone_while_waiting),
        T(test_too_large),
        T(test_headers_too_large),
        T(test_no_length),
        T(test_slow_body),
        T(test_malformed),
        T(test_stream),
        T(test_broken_stream_is_closed),
        T(test_a_stream_pauses),
        T(test_others_are_served_while_a_stream_pauses),
        T(test_no_stream_of_unknown_length_by_http_1_0),
        T(test_constant_reply_again_and_again),
        T(test_replies_without_a_body),
        T(test_shorter_body_after_longer),
        T(test_a_header_is_found),
        T(test_peer),
        T(test_json_reply_takes_the_buffer),
        T(test_free_with_open_requests),
    };

    return cmocka_run_group_tests_name("httpd", tests, NULL, NULL);
}
