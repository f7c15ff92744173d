/* The real calls of the command line, to a server in a thread of the test. */
#include "tests/lib/th_cmocka.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/http/http.h"
#include "tests/lib/th_tmp.h"

enum { REQUEST_MAX_BYTES = 4096, TIMEOUT_MS = 60000 };

/* Answers the requests of one connection with the text, each after it read as far as the given end. */
struct server {
    pthread_t thread;
    int fd;
    char base[64];
    const char *answer; /* NULL: none, the connection stays open until the client leaves */
    const char *until;
    int requests;
    char request[REQUEST_MAX_BYTES];
};

static void serve_one(struct server *s, int peer)
{
    size_t len = 0;
    ssize_t n = 1;

    memset(s->request, 0, sizeof(s->request));
    while (peer >= 0 && n > 0 && strstr(s->request, s->until) == NULL) {
        n = read(peer, s->request + len, sizeof(s->request) - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (s->answer) {
        (void)!write(peer, s->answer, strlen(s->answer));
    } else {
        while (read(peer, s->request, 1) > 0) {
        }
    }
}

static void *serve(void *arg)
{
    struct server *s = arg;
    int peer = accept(s->fd, NULL, NULL);

    for (int i = 0; i < s->requests; i++) {
        serve_one(s, peer);
    }
    (void)close(peer);
    return NULL;
}

static void start_many(struct server *s, int requests, const char *answer, const char *until)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    *s = (struct server){.answer = answer, .until = until, .requests = requests};
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(s->fd >= 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(listen(s->fd, 1), 0);
    (void)snprintf(s->base, sizeof(s->base), "http://127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void start(struct server *s, const char *answer, const char *until)
{
    start_many(s, 1, answer, until);
}

static void stop(struct server *s)
{
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    (void)close(s->fd);
}

static enum wh_rc call(const struct cli_request *request, struct cli_answer *ret,
                       struct wh_err *err)
{
    struct cli_http http = cli_http_curl();
    enum wh_rc rc = http.call(&http, request, ret, err);

    cli_http_free(&http);
    return rc;
}

static void a_call_brings_token_and_body(void **state)
{
    struct cli_request request = {.method = "POST",
                                  .path = WH_LIT("/api/v1/sql"),
                                  .body = WH_LIT("{\"query\":\"x\"}"),
                                  .timeout_ms = TIMEOUT_MS};
    char *folder = th_tmp_new();
    char token[256];
    struct cli_answer answer;
    struct wh_err err;
    struct server s;
    int fd;

    (void)state;
    (void)snprintf(token, sizeof(token), "%s/token", folder);
    fd = open(token, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "t0ken\n", 6), 6);
    (void)close(fd);
    start(&s, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nbody", "\"x\"}");
    request.base = s.base;
    request.token_file = token;
    th_ok(call(&request, &answer, &err), &err);
    stop(&s);
    assert_int_equal(answer.status, 404);
    assert_string_equal(wh_buf_str(&answer.body), "body");
    assert_memory_equal(s.request, "POST /api/v1/sql HTTP/1.1\r\n", 27);
    assert_non_null(strstr(s.request, "Authorization: Bearer t0ken\r\n"));
    assert_non_null(strstr(s.request, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(s.request, "TE: trailers\r\n"));
    wh_buf_done(&answer.body);
    th_tmp_remove(folder);
}

/* The server accepts a single connection: a second call by another one would wait for ever. */
static void calls_share_a_connection(void **state)
{
    struct cli_request request = {.method = "GET", .path = WH_LIT("/"), .timeout_ms = TIMEOUT_MS};
    struct cli_http http = cli_http_curl();
    struct cli_answer answer;
    struct wh_err err;
    struct server s;

    (void)state;
    start_many(&s, 3, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "\r\n\r\n");
    request.base = s.base;
    for (int i = 0; i < s.requests; i++) {
        th_ok(http.call(&http, &request, &answer, &err), &err);
        assert_string_equal(wh_buf_str(&answer.body), "ok");
        wh_buf_done(&answer.body);
    }
    cli_http_free(&http);
    stop(&s);
}

static void nobody_listens(void **state)
{
    const struct cli_request request = {.method = "GET",
                                        .base = "http://127.0.0.1:1",
                                        .path = WH_LIT("/"),
                                        .token_file = "",
                                        .timeout_ms = TIMEOUT_MS};
    struct cli_answer answer;
    struct wh_err err;

    (void)state;
    assert_int_equal(call(&request, &answer, &err), WH_E_NET);
    assert_memory_equal(err.msg, "http://127.0.0.1:1: ", 20);
    wh_buf_done(&answer.body);
}

/* What a consumer was given. */
struct taken {
    char bytes[64];
    size_t len;
    size_t most; /* then it wants no more */
};

static bool take(void *ctx, struct wh_slice bytes)
{
    struct taken *t = ctx;

    assert_true(t->len + bytes.len < sizeof(t->bytes));
    memcpy(t->bytes + t->len, bytes.ptr, bytes.len);
    t->len += bytes.len;
    return t->len < t->most;
}

static enum wh_rc take_answer(const char *text, struct taken *taken, struct cli_answer *answer,
                              struct wh_err *err)
{
    struct cli_request request = {.method = "GET",
                                  .path = WH_LIT("/"),
                                  .timeout_ms = TIMEOUT_MS,
                                  .on_data = take,
                                  .ctx = taken};
    struct server s;
    enum wh_rc rc;

    start(&s, text, "\r\n\r\n");
    request.base = s.base;
    rc = call(&request, answer, err);
    stop(&s);
    return rc;
}

static void a_consumer_gets_the_body_of_a_good_answer(void **state)
{
    struct taken taken = {.most = 64};
    struct cli_answer answer;
    struct wh_err err;

    (void)state;
    th_ok(take_answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nrows", &taken, &answer, &err),
          &err);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body.len, 0);
    assert_int_equal(taken.len, 4);
    assert_memory_equal(taken.bytes, "rows", 4);
    wh_buf_done(&answer.body);
    th_ok(take_answer("HTTP/1.1 400 No\r\nContent-Length: 3\r\n\r\nwhy", &taken, &answer, &err),
          &err);
    assert_int_equal(answer.status, 400);
    assert_string_equal(wh_buf_str(&answer.body), "why");
    assert_int_equal(taken.len, 4);
    wh_buf_done(&answer.body);
}

static void a_consumer_may_end_the_call(void **state)
{
    struct taken taken = {.most = 1};
    struct cli_answer answer;
    struct wh_err err;

    (void)state;
    assert_int_equal(
        take_answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nro", &taken, &answer, &err),
        WH_E_CANCELED);
    wh_buf_done(&answer.body);
}

static void an_answer_that_ends_early_is_no_answer(void **state)
{
    struct taken taken = {.most = 64};
    struct cli_answer answer;
    struct wh_err err;

    (void)state;
    assert_int_equal(
        take_answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nrow", &taken, &answer, &err),
        WH_E_NET);
    wh_buf_done(&answer.body);
}

/* The sink tells it behind the last row. */
static void a_stream_may_fail_at_its_end(void **state)
{
    struct taken taken = {.most = 64};
    struct cli_answer answer;
    struct wh_err err;

    (void)state;
    assert_int_equal(
        take_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: "
                    "Wellhead-Result\r\n\r\n3\r\nrow\r\n0\r\nWellhead-Result: failed\r\n"
                    "Wellhead-Reason: out of time\r\n\r\n",
                    &taken, &answer, &err),
        WH_E_IO);
    assert_string_equal(err.msg, "out of time");
    assert_int_equal(taken.len, 3);
    wh_buf_done(&answer.body);
    th_ok(take_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrow\r\n0\r\n"
                      "Wellhead-Result: complete\r\n\r\n",
                      &taken, &answer, &err),
          &err);
    wh_buf_done(&answer.body);
}

static void an_interrupt_ends_the_call(void **state)
{
    struct cli_request request = {.method = "GET", .path = WH_LIT("/"), .timeout_ms = TIMEOUT_MS};
    struct cli_answer answer;
    struct wh_err err;
    struct server s;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    request.interrupt = ends[0];
    start(&s, NULL, "\r\n\r\n");
    request.base = s.base;
    assert_int_equal(call(&request, &answer, &err), WH_E_CANCELED);
    wh_buf_done(&answer.body);
    stop(&s);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_silent_server_times_out(void **state)
{
    struct cli_request request = {.method = "GET", .path = WH_LIT("/"), .timeout_ms = 200};
    struct cli_answer answer;
    struct wh_err err;
    struct server s;

    (void)state;
    start(&s, NULL, "\r\n\r\n");
    request.base = s.base;
    assert_int_equal(call(&request, &answer, &err), WH_E_TIMEOUT);
    wh_buf_done(&answer.body);
    stop(&s);
}

static void a_missing_token_is_no_call(void **state)
{
    const struct cli_request request = {.method = "GET",
                                        .base = "http://127.0.0.1:1",
                                        .path = WH_LIT("/"),
                                        .token_file = "/nonexistent/token",
                                        .timeout_ms = TIMEOUT_MS};
    struct cli_answer answer;
    struct wh_err err;

    (void)state;
    assert_int_not_equal(call(&request, &answer, &err), WH_OK);
    assert_non_null(strstr(err.msg, "/nonexistent/token"));
    wh_buf_done(&answer.body);
}

static void an_endless_address_is_refused(void **state)
{
    static char path[20000];
    const struct cli_request request = {.method = "GET",
                                        .base = "http://127.0.0.1:1",
                                        .path = {path, sizeof(path)},
                                        .timeout_ms = TIMEOUT_MS};
    struct cli_answer answer;
    struct wh_err err;

    (void)state;
    memset(path, 'a', sizeof(path));
    assert_int_equal(call(&request, &answer, &err), WH_E_TOO_LARGE);
    wh_buf_done(&answer.body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_brings_token_and_body),
        cmocka_unit_test(calls_share_a_connection),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_consumer_gets_the_body_of_a_good_answer),
        cmocka_unit_test(a_consumer_may_end_the_call),
        cmocka_unit_test(an_answer_that_ends_early_is_no_answer),
        cmocka_unit_test(a_stream_may_fail_at_its_end),
        cmocka_unit_test(an_interrupt_ends_the_call),
        cmocka_unit_test(a_silent_server_times_out),
        cmocka_unit_test(a_missing_token_is_no_call),
        cmocka_unit_test(an_endless_address_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
