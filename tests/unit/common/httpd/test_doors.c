/* Who is let in, how long he may keep the server waiting, and what of a body is read. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/time.h"
#include "tests/lib/th_echo.h"
#include "tests/lib/th_raw.h"

enum {
    TABLE = 20,
    SHARE = 5,
    SOON_MS = 300,
    NEVER_MS = 600000,
    IDLE = 1100,
    TRICKLING = 500,
    DELIVERIES = 100,
    IN_TIME_PERCENT = 95,
    NS_PER_MS = 1000000,
};

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void begin(struct th_echo *e, void (*change)(struct wh_httpd_conf *conf))
{
    struct wh_httpd_conf conf;

    wh_httpd_conf_init(&conf);
    conf.max_connections = TABLE;
    conf.max_per_peer = SHARE;
    conf.head_timeout_ms = NEVER_MS;
    conf.idle_timeout_ms = NEVER_MS;
    conf.body_timeout_ms = NEVER_MS;
    if (change) {
        change(&conf);
    }
    th_echo_start(e, &conf);
}

static void ask(int fd, const char *request, const char *expected)
{
    th_raw_say(fd, request);
    th_raw_contains(th_raw_hear(fd, "plain"), expected);
}

/* Connects and is known to the server: connections are accepted in order. */
static int settle(const struct th_echo *e, const char *from)
{
    int fd = th_raw_dial(from, e->port);

    ask(fd, GET("/plain"), "HTTP/1.1 200");
    return fd;
}

static void await_closed(int fd)
{
    (void)th_raw_hear(fd, NULL);
}

/* ---- deadlines ---- */

static void impatient(struct wh_httpd_conf *conf)
{
    conf->head_timeout_ms = SOON_MS;
    conf->idle_timeout_ms = SOON_MS;
    conf->body_timeout_ms = SOON_MS;
}

/* Sends what it can, a byte at a time, until the server closes; gives what the server said. */
static const char *trickle(int fd, const char *text)
{
    while (!th_raw_closed(fd)) {
        if (!th_raw_send(fd, *text ? text : "x", 1) ||
            strlen(th_raw_hear_for(fd, "\r\n\r\n", 20)) > 0) {
            break;
        }
        text += *text != '\0';
    }
    return th_raw_hear(fd, NULL);
}

static void test_a_head_has_a_deadline(void **state)
{
    struct th_echo e;
    int fd;

    (void)state;
    begin(&e, impatient);
    fd = th_raw_dial("127.0.0.1", e.port);
    (void)trickle(fd, "GET /plain HTTP/1.1\r\nHost: x\r\nX-Long: ");
    (void)close(fd);
    /* In the request line, too. */
    fd = th_raw_dial("127.0.0.1", e.port);
    (void)trickle(fd, "GET /");
    (void)close(fd);
    /* And one that says nothing hears why. */
    fd = th_raw_dial("127.0.0.1", e.port);
    th_raw_contains(th_raw_hear(fd, NULL), "HTTP/1.1 408");
    (void)close(fd);
    assert_int_equal(atomic_load(&e.heads), 0);
    th_echo_stop(&e);
}

/* After a reply too, and then in silence: a 408 would be taken for the answer to a next request. */
static void test_a_kept_connection_has_a_deadline(void **state)
{
    struct th_echo e;
    int fd;

    (void)state;
    begin(&e, impatient);
    fd = settle(&e, "127.0.0.1");
    assert_string_equal(th_raw_hear(fd, NULL), "");
    (void)close(fd);
    fd = settle(&e, "127.0.0.1");
    assert_string_equal(trickle(fd, GET("/plain") + 3), "");
    (void)close(fd);
    th_echo_stop(&e);
}

static void test_a_body_has_a_deadline(void **state)
{
    struct th_echo e;
    int fd;

    (void)state;
    begin(&e, impatient);
    fd = th_raw_dial("127.0.0.1", e.port);
    th_raw_say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n");
    (void)trickle(fd, "x");
    (void)close(fd);
    /* A body that was refused amid its bytes is not read for ever. */
    fd = th_raw_dial("127.0.0.1", e.port);
    th_raw_say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n");
    for (int i = 0; i < 1100; i += 100) {
        char block[100] = {0};

        assert_true(th_raw_send(fd, block, sizeof(block)));
    }
    (void)trickle(fd, "x");
    (void)close(fd);
    assert_int_equal(atomic_load(&e.requests), 0);
    th_echo_stop(&e);
}

/* ---- shares ---- */

/* The share of an address is full: its connection that is idle the longest makes room. */
static void test_a_peer_has_a_share(void **state)
{
    struct th_echo e;
    int fds[SHARE];
    int other;
    int next;

    (void)state;
    begin(&e, NULL);
    other = settle(&e, "127.0.0.2");
    for (int i = 0; i < SHARE; i++) {
        fds[i] = settle(&e, "127.0.0.1");
    }
    /* Not the oldest any more. */
    ask(fds[0], GET("/plain"), "HTTP/1.1 200");
    next = settle(&e, "127.0.0.1");
    await_closed(fds[1]);
    ask(fds[0], GET("/plain"), "HTTP/1.1 200");
    ask(fds[2], GET("/plain"), "HTTP/1.1 200");
    ask(next, GET("/plain"), "HTTP/1.1 200");
    ask(other, GET("/plain"), "HTTP/1.1 200");
    for (int i = 0; i < SHARE; i++) {
        (void)close(fds[i]);
    }
    (void)close(next);
    (void)close(other);
    th_echo_stop(&e);
}

static void test_the_table_is_full(void **state)
{
    struct th_echo e;
    int fds[TABLE];
    int next;

    (void)state;
    begin(&e, NULL);
    for (int i = 0; i < TABLE; i++) {
        char from[32];

        (void)snprintf(from, sizeof(from), "127.0.1.%d", 1 + i / 2);
        fds[i] = settle(&e, from);
    }
    next = settle(&e, "127.0.0.2");
    await_closed(fds[0]);
    for (int i = 1; i < TABLE; i++) {
        ask(fds[i], GET("/plain"), "HTTP/1.1 200");
        (void)close(fds[i]);
    }
    (void)close(fds[0]);
    (void)close(next);
    th_echo_stop(&e);
}

/* Requests that wait for their answer are not dropped for a newcomer: he is refused. */
static void test_the_busy_stay(void **state)
{
    struct th_echo e;
    int fds[SHARE];
    int next;

    (void)state;
    begin(&e, NULL);
    for (int i = 0; i < SHARE; i++) {
        fds[i] = th_raw_dial("127.0.0.1", e.port);
        th_raw_say(fds[i], GET("/hold"));
        while (atomic_load(&e.requests) <= (unsigned)i) {
            (void)usleep(1000);
        }
    }
    next = th_raw_dial("127.0.0.1", e.port);
    th_raw_contains(th_raw_hear(next, NULL), "HTTP/1.1 503");
    (void)close(next);
    next = settle(&e, "127.0.0.2");
    (void)close(next);
    th_echo_release(&e);
    for (int i = 0; i < SHARE; i++) {
        th_raw_contains(th_raw_hear(fds[i], "released"), "HTTP/1.1 200");
        (void)close(fds[i]);
    }
    th_echo_stop(&e);
}

static void default_share(struct wh_httpd_conf *conf)
{
    conf->max_per_peer = 0;
}

static void test_a_share_is_the_default(void **state)
{
    struct th_echo e;
    int fds[TABLE / 4 + 1];

    (void)state;
    begin(&e, default_share);
    for (int i = 0; i < TABLE / 4 + 1; i++) {
        fds[i] = settle(&e, "127.0.0.1");
    }
    await_closed(fds[0]);
    for (int i = 0; i < TABLE / 4 + 1; i++) {
        (void)close(fds[i]);
    }
    th_echo_stop(&e);
}

/* ---- proxies ---- */

static void behind_a_proxy(struct wh_httpd_conf *conf)
{
    conf->trusted_proxies = "127.0.0.8/30, 192.0.2.1";
}

static void test_a_trusted_proxy_has_no_share(void **state)
{
    struct th_echo e;
    int fds[2 * SHARE];

    (void)state;
    begin(&e, behind_a_proxy);
    for (int i = 0; i < 2 * SHARE; i++) {
        fds[i] = settle(&e, "127.0.0.9");
    }
    for (int i = 0; i < 2 * SHARE; i++) {
        ask(fds[i], GET("/plain"), "HTTP/1.1 200");
        (void)close(fds[i]);
    }
    th_echo_stop(&e);
}

static void peer_is(const struct th_echo *e, const char *from, const char *headers,
                    const char *expected)
{
    char request[512];
    int fd = th_raw_dial(from, e->port);

    (void)snprintf(request, sizeof(request),
                   "GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", headers);
    th_raw_say(fd, request);
    (void)snprintf(request, sizeof(request), "\r\n\r\n%s", expected);
    th_raw_contains(th_raw_hear(fd, NULL), request);
    (void)close(fd);
}

static void test_the_client_behind_a_proxy(void **state)
{
    struct th_echo e;

    (void)state;
    begin(&e, behind_a_proxy);
    peer_is(&e, "127.0.0.9", "X-Forwarded-For: 198.51.100.7\r\n", "198.51.100.7");
    peer_is(&e, "127.0.0.9", "x-forwarded-for: 2001:db8::7\r\n", "2001:db8::7");
    /* What the client itself claims stands before the proxy's word. */
    peer_is(&e, "127.0.0.9", "X-Forwarded-For: 1.1.1.1, 198.51.100.7\r\n", "198.51.100.7");
    peer_is(&e, "127.0.0.9", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 198.51.100.7\r\n",
            "198.51.100.7");
    /* Two trusted proxies in a row. */
    peer_is(&e, "127.0.0.9", "X-Forwarded-For: 198.51.100.7,192.0.2.1\r\n", "198.51.100.7");
    /* Nothing that could be believed. */
    peer_is(&e, "127.0.0.9", "", "127.0.0.9");
    peer_is(&e, "127.0.0.9", "X-Forwarded-For: 198.51.100.7, unknown\r\n", "127.0.0.9");
    peer_is(&e, "127.0.0.9", "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.9");
    /* Who is no proxy is not believed. */
    peer_is(&e, "127.0.0.13", "X-Forwarded-For: 198.51.100.7\r\n", "127.0.0.13");
    th_echo_stop(&e);
}

static void test_a_client_behind_a_proxy_has_a_share(void **state)
{
    static const char held[] =
        "GET /hold HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n";
    struct th_echo e;
    int fds[SHARE];
    int next;

    (void)state;
    begin(&e, behind_a_proxy);
    for (int i = 0; i < SHARE; i++) {
        fds[i] = th_raw_dial("127.0.0.9", e.port);
        th_raw_say(fds[i], held);
        while (atomic_load(&e.requests) <= (unsigned)i) {
            (void)usleep(1000);
        }
    }
    next = th_raw_dial("127.0.0.9", e.port);
    th_raw_say(next, held);
    th_raw_contains(th_raw_hear(next, NULL), "HTTP/1.1 503");
    (void)close(next);
    next = th_raw_dial("127.0.0.9", e.port);
    th_raw_say(next, "GET /plain HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.8\r\n\r\n");
    th_raw_contains(th_raw_hear(next, "plain"), "HTTP/1.1 200");
    (void)close(next);
    th_echo_release(&e);
    for (int i = 0; i < SHARE; i++) {
        th_raw_contains(th_raw_hear(fds[i], "released"), "HTTP/1.1 200");
        (void)close(fds[i]);
    }
    th_echo_stop(&e);
}

static void test_proxies_that_are_none(void **state)
{
    static const char *const bad[] = {"proxy.example", "10.0.0.0/33", "10.0.0.0/", "/8",
                                      "10.0.0.0/-1",   "1.2.3",       "::/129"};
    struct wh_loop *loop = wh_loop_new();
    const struct wh_http_handler handler = {.on_request = NULL};
    struct wh_httpd_conf conf;
    struct wh_httpd *httpd;
    struct wh_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        wh_httpd_conf_init(&conf);
        conf.trusted_proxies = bad[i];
        assert_int_equal(wh_httpd_new(loop, NULL, &conf, &handler, &httpd, &err), WH_E_CONFIG);
        th_raw_contains(err.msg, "http.trusted_proxies");
    }
    wh_loop_free(loop);
}

/* ---- bodies ---- */

static void test_nothing_is_read_that_is_not_wanted(void **state)
{
    static const char *const heads[] = {
        "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n",
        "POST /plain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n",
    };
    struct th_echo e;

    (void)state;
    begin(&e, NULL);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        int fd = th_raw_dial("127.0.0.1", e.port);

        /* Before the first byte of the body. */
        th_raw_say(fd, heads[i]);
        th_raw_contains(th_raw_hear(fd, NULL), "HTTP/1.1 413");
        (void)close(fd);
    }
    assert_int_equal(atomic_load(&e.requests), 0);
    /* A POST without a body is no fault where none is wanted. */
    ask(th_raw_dial("127.0.0.1", e.port), "POST /plain HTTP/1.1\r\nHost: x\r\n\r\n",
        "HTTP/1.1 200");
    assert_int_equal(atomic_load(&e.bytes), 0);
    th_echo_stop(&e);
}

/* An announcement takes no memory: what is asked for follows what has arrived. */
static void test_memory_follows_the_bytes(void **state)
{
    struct th_echo e;
    int fd;

    (void)state;
    begin(&e, NULL);
    fd = th_raw_dial("127.0.0.1", e.port);
    th_raw_say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n");
    while (atomic_load(&e.heads) < 1) {
        (void)usleep(1000);
    }
    (void)close(settle(&e, "127.0.0.1"));
    assert_int_equal(atomic_load(&e.bytes), 0);
    (void)close(fd);
    fd = th_raw_dial("127.0.0.1", e.port);
    ask(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nplain", "HTTP/1.1 200");
    assert_int_equal(atomic_load(&e.bytes), 5);
    (void)close(fd);
    th_echo_stop(&e);
}

/* ---- the port ---- */

static void test_a_port_in_use(void **state)
{
    struct th_echo e;
    struct wh_httpd_conf conf;
    const struct wh_http_handler handler = {.on_request = NULL};
    struct wh_loop *loop = wh_loop_new();
    struct wh_httpd *second = NULL;
    struct wh_err err;

    (void)state;
    begin(&e, NULL);
    wh_httpd_conf_init(&conf);
    conf.port = e.port;
    assert_int_equal(wh_httpd_new(loop, NULL, &conf, &handler, &second, &err), WH_E_IO);
    th_raw_contains(err.msg, "is in use");
    (void)close(settle(&e, "127.0.0.1"));
    th_echo_stop(&e);
    /* Free again at once, although connections of the first one linger. */
    th_ok(wh_httpd_new(loop, NULL, &conf, &handler, &second, &err), &err);
    wh_httpd_free(second);
    wh_loop_free(loop);
}

/* ---- a siege ---- */

static void usual(struct wh_httpd_conf *conf)
{
    wh_httpd_conf_init(conf);
}

static int *besiege(const struct th_echo *e)
{
    int *fds = wh_mem_zalloc(IDLE + TRICKLING, sizeof(*fds));

    assert_non_null(fds);
    for (int i = 0; i < IDLE + TRICKLING; i++) {
        fds[i] = th_raw_try_dial("127.0.0.1", e->port);
    }
    return fds;
}

/* One more byte of each head; whoever was closed comes again. */
static void press(const struct th_echo *e, int *fds)
{
    for (int i = IDLE; i < IDLE + TRICKLING; i++) {
        if (fds[i] < 0 || send(fds[i], "G", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) {
            (void)close(fds[i]);
            fds[i] = th_raw_try_dial("127.0.0.1", e->port);
        }
    }
}

static void test_a_siege_from_one_address(void **state)
{
    struct wh_clock clock = wh_clock_real();
    struct th_echo e;
    int answered = 0;
    int in_time = 0;
    int *fds;

    (void)state;
    if (!th_raw_descriptors((size_t)2 * (IDLE + TRICKLING) + 100)) {
        skip();
    }
    begin(&e, usual);
    fds = besiege(&e);
    for (int i = 0; i < DELIVERIES; i++) {
        int64_t start_ns = wh_clock_mono_ns(&clock);
        int fd = th_raw_try_dial("127.0.0.2", e.port);

        if (fd >= 0 && th_raw_send(fd, GET("/plain"), sizeof(GET("/plain")) - 1) &&
            strstr(th_raw_hear_for(fd, "plain", TH_RAW_TIMEOUT_MS), "HTTP/1.1 200")) {
            answered++;
            in_time += wh_clock_mono_ns(&clock) - start_ns < INT64_C(1000) * NS_PER_MS;
        }
        (void)close(fd);
        if (i % 10 == 0) {
            press(&e, fds);
        }
    }
    print_message("%d idle and %d trickling connections: %d of %d requests from another address "
                  "answered, %d within a second\n",
                  IDLE, TRICKLING, answered, DELIVERIES, in_time);
    assert_true(answered * 100 >= DELIVERIES * IN_TIME_PERCENT);
    for (int i = 0; i < IDLE + TRICKLING; i++) {
        (void)close(fds[i]);
    }
    wh_mem_free(fds);
    th_echo_stop(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_head_has_a_deadline),
        cmocka_unit_test(test_a_kept_connection_has_a_deadline),
        cmocka_unit_test(test_a_body_has_a_deadline),
        cmocka_unit_test(test_a_peer_has_a_share),
        cmocka_unit_test(test_the_table_is_full),
        cmocka_unit_test(test_the_busy_stay),
        cmocka_unit_test(test_a_share_is_the_default),
        cmocka_unit_test(test_a_trusted_proxy_has_no_share),
        cmocka_unit_test(test_the_client_behind_a_proxy),
        cmocka_unit_test(test_a_client_behind_a_proxy_has_a_share),
        cmocka_unit_test(test_proxies_that_are_none),
        cmocka_unit_test(test_nothing_is_read_that_is_not_wanted),
        cmocka_unit_test(test_memory_follows_the_bytes),
        cmocka_unit_test(test_a_port_in_use),
        cmocka_unit_test(test_a_siege_from_one_address),
    };

    return cmocka_run_group_tests_name("doors", tests, NULL, NULL);
}
