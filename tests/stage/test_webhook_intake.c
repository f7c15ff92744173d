/* The stage behind the real server: the core and the loop in a thread, a raw client here. */
#include "tests/lib/th_cmocka.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/th_intake.h"

enum { BODY_BYTES = 3000, BODY_MAX = 4096, TIMEOUT_MS = 10000, ANSWER_MAX = 1 << 20, MANY = 2000 };

struct stage {
    struct th_intake t;
    struct wh_httpd *httpd;
    struct wh_wake *stop;
    pthread_t thread;
};

static void on_stop(void *ctx)
{
    wh_loop_stop(((struct stage *)ctx)->t.loop);
}

static void *serve(void *ctx)
{
    wh_loop_run(((struct stage *)ctx)->t.loop);
    return NULL;
}

static int begin(void **state, int64_t body_timeout_ms)
{
    static struct stage s;
    struct intake_conf conf;
    struct wh_httpd_conf http;
    struct wh_err err;

    th_intake_init(&s.t);
    intake_conf_init(&conf);
    conf.body_max = BODY_MAX;
    th_intake_start(&s.t, &conf, true);
    wh_httpd_conf_init(&http);
    http.body_timeout_ms = body_timeout_ms;
    th_ok(wh_httpd_new(s.t.loop, NULL, &http, &s.t.handler, &s.httpd, &err), &err);
    s.stop = wh_wake_new(s.t.loop, on_stop, &s);
    assert_int_equal(pthread_create(&s.thread, NULL, serve, &s), 0);
    *state = &s;
    return 0;
}

static int set_up(void **state)
{
    return begin(state, TIMEOUT_MS);
}

static int set_up_impatient(void **state)
{
    return begin(state, 100);
}

/* From here on the thread is gone, and what it did can be looked at. */
static void halt(struct stage *s)
{
    wh_wake_send(s->stop);
    (void)pthread_join(s->thread, NULL);
}

static int tear_down(void **state)
{
    struct stage *s = *state;

    wh_httpd_free(s->httpd);
    th_intake_done(&s->t);
    return 0;
}

static int dial(const struct stage *s)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(wh_httpd_port(s->httpd))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void say(int fd, const char *text, size_t len)
{
    assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

static const char *hear(int fd, const char *until)
{
    static char answer[ANSWER_MAX];
    size_t len = 0;

    answer[0] = '\0';
    while (len < sizeof(answer) - 1 && strstr(answer, until) == NULL) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, TIMEOUT_MS) != 1) {
            fail_msg("no answer; so far: %.300s", answer);
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

static void ask(int fd, const char *head, const char *body, const char *expected)
{
    const char *answer;

    say(fd, head, strlen(head));
    say(fd, body, strlen(body));
    answer = hear(fd, "}");
    if (strstr(answer, expected) == NULL) {
        fail_msg("'%s' is not in: %.300s", expected, answer);
    }
}

#define HEAD(path, length)                                                                         \
    "POST " path " HTTP/1.1\r\nHost: x\r\nX-Gitlab-Token: " TH_INTAKE_TOKEN                        \
    "\r\nContent-Length: " length "\r\n\r\n"

static void test_over_the_wire(void **state)
{
    struct stage *s = *state;
    int fd = dial(s);

    ask(fd, HEAD("/hooks/c1", "2"), "{}", "HTTP/1.1 200");
    ask(fd,
        "POST /hooks/c1 HTTP/1.1\r\nHost: x\r\nX-Gitlab-Token: " TH_INTAKE_TOKEN
        "\r\nTransfer-Encoding: chunked\r\n\r\n",
        "2\r\n[]\r\n0\r\n\r\n", "HTTP/1.1 200");
    ask(fd, "GET /hooks/c1 HTTP/1.1\r\nHost: x\r\n\r\n", "", "Allow: POST");
    (void)close(fd);
    fd = dial(s);
    ask(fd, HEAD("/hooks/c1", "4097"), "", "HTTP/1.1 413");
    (void)close(fd);
    fd = dial(s);
    ask(fd, HEAD("/hooks/c9", "2"), "", "HTTP/1.1 404");
    (void)close(fd);
    fd = dial(s);
    ask(fd, "POST /hooks/c1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n", "", "HTTP/1.1 401");
    (void)close(fd);
    fd = dial(s);
    ask(fd, "POST /hooks/c1 HTTP/1.1\r\nHost: x\r\nX-Gitlab-Token: " TH_INTAKE_TOKEN "\r\n\r\n", "",
        "HTTP/1.1 411");
    (void)close(fd);
    halt(s);
    assert_int_equal(wh_bus_mem_count(s->t.bus, "wellhead.raw.c1"), 2);
}

static void test_a_sender_that_hangs_up_amid_the_body(void **state)
{
    struct stage *s = *state;
    int fd = dial(s);

    say(fd, HEAD("/hooks/c1", "2"), strlen(HEAD("/hooks/c1", "2")));
    say(fd, "{", 1);
    (void)close(fd);
    fd = dial(s);
    ask(fd, HEAD("/hooks/c1", "2"), "{}", "HTTP/1.1 200");
    (void)close(fd);
    halt(s);
    assert_int_equal(wh_bus_mem_count(s->t.bus, "wellhead.raw.c1"), 1);
}

/* Half a body, then silence: 408, and nothing of it is stored. */
static void test_a_sender_that_falls_silent(void **state)
{
    struct stage *s = *state;
    int fd = dial(s);
    const char *answer;

    say(fd, HEAD("/hooks/c1", "20"), strlen(HEAD("/hooks/c1", "20")));
    say(fd, "{\"object_k", 10);
    answer = hear(fd, "\r\n\r\n");
    assert_non_null(strstr(answer, "HTTP/1.1 408"));
    (void)close(fd);
    halt(s);
    assert_int_equal(wh_bus_mem_count(s->t.bus, "wellhead.raw.c1"), 0);
}

/* Signed deliveries one after the other on one connection: none is lost, none comes twice. */
static void test_many_signed(void **state)
{
    struct stage *s = *state;
    struct wh_clock clock = wh_clock_real();
    static char body[BODY_BYTES + 1];
    int fd = dial(s);
    int64_t start;

    memset(body, ' ', BODY_BYTES);
    memcpy(body, "{\"object_kind\":\"issue\"}", 23);
    start = wh_clock_mono_ns(&clock);
    for (int i = 0; i < MANY; i++) {
        char head[512];
        char id[16];
        char signature[64];

        (void)snprintf(id, sizeof(id), "msg-%d", i);
        th_intake_sign(id, "1700000000", wh_slice(body, BODY_BYTES), signature);
        (void)snprintf(head, sizeof(head),
                       "POST /hooks/c1 HTTP/1.1\r\nHost: x\r\nwebhook-id: %s\r\n"
                       "webhook-timestamp: 1700000000\r\nwebhook-signature: %s\r\n"
                       "X-Gitlab-Event: Issue Hook\r\nContent-Length: %d\r\n\r\n",
                       id, signature, BODY_BYTES);
        ask(fd, head, body, "HTTP/1.1 200");
    }
    print_message("%d signed posts of %d bytes, one at a time: %lld us each\n", MANY, BODY_BYTES,
                  (long long)((wh_clock_mono_ns(&clock) - start) / 1000 / MANY));
    (void)close(fd);
    halt(s);
    assert_int_equal(wh_bus_mem_count(s->t.bus, "wellhead.raw.c1"), MANY);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_over_the_wire),
        CASE(test_a_sender_that_hangs_up_amid_the_body),
        cmocka_unit_test_setup_teardown(test_a_sender_that_falls_silent, set_up_impatient,
                                        tear_down),
        CASE(test_many_signed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
