/* The stage behind the real server: the core and the loop in a thread, a raw client here. */
#include "tests/lib/th_cmocka.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/httpd/httpd.h"
#include "tests/lib/th_intake.h"
#include "tests/lib/th_raw.h"

enum {
    BODY_BYTES = 3000,
    BODY_MAX = 4096,
    TIMEOUT_MS = 10000,
    MANY = 2000,
    FLOODERS = 60,
    FLOOD_BODY_MAX = 25 << 20,
    FLOOD_BODIES_MAX = 48 << 20,
    FLOOD_BYTES = 6 << 20, /* of each */
    FLOOD_BLOCK = 64 << 10,
    FLOOD_SLACK_KIB = 24 << 10,
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEMORY_IS_MEASURED = 0 };
#else
enum { MEMORY_IS_MEASURED = 1 };
#endif

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

static int begin(void **state, int64_t body_timeout_ms, size_t body_max, size_t bodies_max)
{
    static struct stage s;
    struct intake_conf conf;
    struct wh_httpd_conf http;
    struct wh_err err;

    th_intake_init(&s.t);
    intake_conf_init(&conf);
    conf.body_max = body_max;
    conf.bodies_max = bodies_max;
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
    return begin(state, TIMEOUT_MS, BODY_MAX, FLOOD_BODIES_MAX);
}

static int set_up_impatient(void **state)
{
    return begin(state, 100, BODY_MAX, FLOOD_BODIES_MAX);
}

static int set_up_flood(void **state)
{
    return begin(state, 60000, FLOOD_BODY_MAX, FLOOD_BODIES_MAX);
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
    return th_raw_dial("127.0.0.1", wh_httpd_port(s->httpd));
}

static void say(int fd, const char *text, size_t len)
{
    assert_true(th_raw_send(fd, text, len));
}

static void ask(int fd, const char *head, const char *body, const char *expected)
{
    const char *answer;

    say(fd, head, strlen(head));
    say(fd, body, strlen(body));
    answer = th_raw_hear(fd, "}");
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
    ask(fd, HEAD("/hooks/c9", "2"), "", "HTTP/1.1 401");
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
    answer = th_raw_hear(fd, "\r\n\r\n");
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

/* VmHWM is the most memory this process ever had, in KiB. */
static long peak_kib(void)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "re");
    long kib = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            kib = strtol(line + 6, NULL, 10);
        }
    }
    (void)fclose(f);
    return kib;
}

static double gauge(const struct stage *s, const char *name)
{
    struct wh_buf text;
    struct wh_err err;
    const char *at;
    double value;

    intake_collect(s->t.intake);
    wh_buf_init(&text, 1 << 20);
    th_ok(wh_metrics_render(s->t.metrics, &text, &err), &err);
    at = strstr(text.ptr, name);
    while (at && at != text.ptr && at[-1] != '\n') {
        at = strstr(at + 1, name);
    }
    assert_non_null(at);
    value = strtod(at + strlen(name), NULL);
    wh_buf_done(&text);
    return value;
}

/*
 * Sixty strangers send bodies under a signature that nobody made, which is not known before all of
 * a body is there. What they get to fill is bodies.max, and no more.
 */
static void test_a_flood_of_forged_bodies(void **state)
{
    static const char head[] =
        "POST /hooks/c1 HTTP/1.1\r\nHost: x\r\nwebhook-id: m\r\nwebhook-timestamp: 1700000000\r\n"
        "webhook-signature: v1,AAAA\r\nTransfer-Encoding: chunked\r\n\r\n";
    static char block[FLOOD_BLOCK];
    struct stage *s = *state;
    int fds[FLOODERS];
    long before = peak_kib();
    long grown;

    for (int i = 0; i < FLOODERS; i++) {
        fds[i] = dial(s);
        say(fds[i], head, sizeof(head) - 1);
        say(fds[i], "600000\r\n", 8); /* FLOOD_BYTES */
    }
    for (int sent = 0; sent < FLOOD_BYTES; sent += FLOOD_BLOCK) {
        for (int i = 0; i < FLOODERS; i++) {
            say(fds[i], block, sizeof(block));
        }
    }
    /* Some were refused amid their bodies, the others are still held: nobody got through. */
    for (int i = 0; i < FLOODERS; i++) {
        const char *answer;

        say(fds[i], "\r\n0\r\n\r\n", 7);
        answer = th_raw_hear(fds[i], "}");
        assert_true(strstr(answer, "HTTP/1.1 503") || strstr(answer, "HTTP/1.1 401"));
        (void)close(fds[i]);
    }
    grown = peak_kib() - before;
    print_message("%d bodies of %d MiB, bodies.max %d MiB: the process grew by %ld MiB\n", FLOODERS,
                  FLOOD_BYTES >> 20, FLOOD_BODIES_MAX >> 20, grown >> 10);
    if (MEMORY_IS_MEASURED) {
        assert_true(grown <= (FLOOD_BODIES_MAX >> 10) + FLOOD_SLACK_KIB);
    }
    fds[0] = dial(s);
    ask(fds[0], HEAD("/hooks/c1", "2"), "{}", "HTTP/1.1 200");
    (void)close(fds[0]);
    halt(s);
    assert_int_equal(wh_bus_mem_count(s->t.bus, "wellhead.raw.c1"), 1);
    /* At most the one delivery that the server has not been told the end of. */
    assert_true(gauge(s, "wellhead_webhook_body_bytes") <= 2);
}

/* The same with a length that lies: refused before a byte is read. */
static void test_a_length_that_lies(void **state)
{
    struct stage *s = *state;
    int fd = dial(s);
    const char *answer;

    th_raw_say(fd, "POST /hooks/c1 HTTP/1.1\r\nHost: x\r\nwebhook-id: m\r\n"
                   "webhook-timestamp: 1700000000\r\nwebhook-signature: v1,AAAA\r\n"
                   "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
    answer = th_raw_hear(fd, NULL);
    th_raw_contains(answer, "HTTP/1.1 400");
    (void)close(fd);
    halt(s);
}

/* A delivery for that id with that proof; the answer without its date. */
static void answer_to(const struct stage *s, const char *id, const char *proof, char ret[1024])
{
    char head[512];
    int fd = dial(s);
    char *date;

    (void)snprintf(head, sizeof(head),
                   "POST /hooks/%s HTTP/1.1\r\nHost: x\r\n%sConnection: close\r\n"
                   "Content-Length: 2\r\n\r\n{}",
                   id, proof);
    th_raw_say(fd, head);
    (void)snprintf(ret, 1024, "%s", th_raw_hear(fd, NULL));
    (void)close(fd);
    date = strstr(ret, "Date: ");
    assert_non_null(date);
    memset(date, '-', strcspn(date, "\r"));
}

/* Whoever has not proved anything hears the same on the wire, headers and all, for every id. */
static void test_every_id_is_answered_alike(void **state)
{
    static const char *const proofs[] = {
        "X-Gitlab-Token: wrong\r\n",
        "",
        "webhook-id: m\r\nwebhook-timestamp: 1700000000\r\nwebhook-signature: v1,AAAA\r\n",
        "webhook-id: m\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,AAAA\r\n",
    };
    struct stage *s = *state;

    for (size_t i = 0; i < sizeof(proofs) / sizeof(proofs[0]); i++) {
        char known[1024];
        char unknown[1024];

        answer_to(s, "c1", proofs[i], known);
        answer_to(s, "nobody", proofs[i], unknown);
        th_raw_contains(known, "HTTP/1.1 401");
        assert_string_equal(known, unknown);
    }
    halt(s);
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
        cmocka_unit_test_setup_teardown(test_a_flood_of_forged_bodies, set_up_flood, tear_down),
        CASE(test_a_length_that_lies),
        CASE(test_every_id_is_answered_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
