/* How long a body is must never be a matter of opinion (RFC 9112 section 6.3). */
#include "tests/lib/th_cmocka.h"

#include <string.h>
#include <unistd.h>

#include "tests/lib/th_echo.h"
#include "tests/lib/th_raw.h"

#define POST "POST /echo HTTP/1.1\r\nHost: x\r\n"
#define CHUNKS "5\r\nhello\r\n0\r\n\r\n"
#define HERE "127.0.0.1"

static int set_up(void **state)
{
    static struct th_echo e;
    struct wh_httpd_conf conf;

    wh_httpd_conf_init(&conf);
    th_echo_start(&e, &conf);
    *state = &e;
    return 0;
}

static int tear_down(void **state)
{
    th_echo_stop(*state);
    return 0;
}

/* Refused with 400, the connection closed, and no byte of what follows taken for a request. */
static void test_refused(void **state)
{
    static const char *const bad[] = {
        /* both, in either order and any case */
        POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding: chunked\r\nContent-Length: 15\r\n\r\n" CHUNKS,
        POST "transfer-ENCODING: chunked\r\ncontent-LENGTH: 0\r\n\r\n" CHUNKS,
        /* more than one length */
        POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        POST "Content-Length: 5, 5\r\n\r\nhello",
        POST "Content-Length: 5,6\r\n\r\nhello!",
        /* no length */
        POST "Content-Length: +5\r\n\r\nhello",
        POST "Content-Length: -5\r\n\r\nhello",
        POST "Content-Length: 0x5\r\n\r\nhello",
        POST "Content-Length: 5a\r\n\r\nhello",
        POST "Content-Length: 5.0\r\n\r\nhello",
        POST "Content-Length: 5 5\r\n\r\nhello",
        POST "Content-Length:\r\n\r\nhello",
        POST "Content-Length: \"5\"\r\n\r\nhello",
        /* other transfer codings, and lists */
        POST "Transfer-Encoding: gzip, chunked\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding: chunked, chunked\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding: chunked, gzip\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding: gzip\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding: identity\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding: xchunked\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding: chunked;q=1\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding: \"chunked\"\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding:\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding: \x0b"
             "chunked\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS,
        /* before HTTP/1.1 */
        "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS,
        "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: "
        "Keep-Alive\r\n\r\n" CHUNKS,
        /* white space before the colon, in the name, before the name */
        POST "Content-Length : 5\r\n\r\nhello",
        POST "Content-Length\t: 5\r\n\r\nhello",
        POST "Content Length: 5\r\n\r\nhello",
        POST "Transfer-Encoding : chunked\r\n\r\n" CHUNKS,
        POST "X: y\r\n Content-Length: 5\r\n\r\nhello",
        /* folded lines: joined to a value, or making one name of another */
        POST "Content-Length: 1\r\n 0\r\n\r\nhellohello",
        POST "Content-Lengt: 5\r\n h\r\n\r\nhello",
        POST "Content-Length:\r\n 5\r\n\r\nhello",
        POST "Transfer-Encoding:\r\n chunked\r\n\r\n" CHUNKS,
        POST "Transfer-Encoding: chunked\r\n\t, gzip\r\n\r\n" CHUNKS,
        POST "X-Any: a\r\n b\r\nContent-Length: 5\r\n\r\nhello",
        /* line ends that not everybody takes for one */
        POST "X-Any: a\nContent-Length: 5\r\n\r\nhello",
        POST "X-Any: a\rContent-Length: 5\r\n\r\nhello",
        POST "Content-Length: 5\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS,
        POST "Content-Length: 5\r\r\n\r\nhello",
        /* the host (section 3.2) and the address (section 3) */
        "POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        POST "Host: y\r\nContent-Length: 5\r\n\r\nhello",
        "POST /echo /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        /* a request that is not a POST is no exception */
        "GET /plain HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
        "chunked\r\n\r\n" CHUNKS,
        "DELETE /plain HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n" CHUNKS,
    };
    struct th_echo *e = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = th_raw_dial(HERE, e->port);
        const char *answer;

        th_raw_say(fd, bad[i]);
        answer = th_raw_hear(fd, NULL);
        if (strncmp(answer, "HTTP/1.1 400", 12) != 0) {
            fail_msg("%s\nwas answered: %.200s", bad[i], answer);
        }
        assert_null(strstr(answer, "HTTP/1.1 2"));
        (void)close(fd);
    }
    assert_int_equal(atomic_load(&e->heads), 0);
    assert_int_equal(atomic_load(&e->requests), 0);
}

static void test_a_nul_in_a_header(void **state)
{
    static const char head[] = POST "Transfer-Encoding: chunked\0, gzip\r\n\r\n" CHUNKS;
    struct th_echo *e = *state;
    int fd = th_raw_dial(HERE, e->port);

    assert_true(th_raw_send(fd, head, sizeof(head) - 1));
    th_raw_contains(th_raw_hear(fd, NULL), "HTTP/1.1 400");
    (void)close(fd);
    assert_int_equal(atomic_load(&e->heads), 0);
}

static void test_a_length_out_of_range(void **state)
{
    struct th_echo *e = *state;
    int fd = th_raw_dial(HERE, e->port);
    const char *answer;

    th_raw_say(fd, POST "Content-Length: 18446744073709551621\r\n\r\nhello");
    answer = th_raw_hear(fd, NULL);
    assert_true(strstr(answer, "HTTP/1.1 413") || strstr(answer, "HTTP/1.1 400"));
    (void)close(fd);
}

static void test_accepted(void **state)
{
    static const char *const good[] = {
        POST "Content-Length: 5\r\n\r\nhello",
        POST "content-length:5\r\n\r\nhello",
        POST "Content-Length: \t 005\r\n\r\nhello",
        POST "Transfer-Encoding: chunked\r\n\r\n" CHUNKS,
        POST "transfer-encoding: CHUNKED\r\n\r\n" CHUNKS,
        POST "X-Empty:\r\nX-Tab: a\tb\r\nContent-Length: 5\r\nX-Last: z\r\n\r\nhello",
    };
    struct th_echo *e = *state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int fd = th_raw_dial(HERE, e->port);

        th_raw_say(fd, good[i]);
        th_raw_contains(th_raw_hear(fd, "hello"), "HTTP/1.1 200");
        /* The connection is kept: exactly the body was read. */
        th_raw_say(fd, "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n");
        th_raw_contains(th_raw_hear(fd, "plain"), "HTTP/1.1 200");
        (void)close(fd);
    }
}

static void answers(const struct th_echo *e, const char *head, bool accepted)
{
    int fd = th_raw_dial(HERE, e->port);

    th_raw_say(fd, head);
    th_raw_contains(th_raw_hear(fd, "\r\n\r\n"), accepted ? "HTTP/1.1 200" : "HTTP/1.1 400");
    (void)close(fd);
}

/* Heads are looked at several bytes at a time: every byte, at the places that differ. */
static void test_every_byte(void **state)
{
    const struct th_echo *e = *state;
    char head[128];

    for (int c = 1; c < 256; c++) {
        bool control = (c < 0x20 && c != '\t') || c == 0x7F;
        bool token = c < 128 && (strchr("!#$%&'*+-.^_`|~", c) || (c >= '0' && c <= '9') ||
                                 ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'));

        if (c == '\r' || c == '\n') {
            continue;
        }
        (void)snprintf(head, sizeof(head), "GET /x HTTP/1.1\r\nHost: x\r\nA: abc%cefghijkl\r\n\r\n",
                       c);
        answers(e, head, !control);
        (void)snprintf(head, sizeof(head), "GET /x HTTP/1.1\r\nHost: x\r\nA: abcdefghij%cl\r\n\r\n",
                       c);
        answers(e, head, !control);
        if (c != ':') {
            (void)snprintf(head, sizeof(head), "GET /x HTTP/1.1\r\nHost: x\r\nab%cd: e\r\n\r\n", c);
            answers(e, head, token);
        }
    }
}

/* The same heads, cut at every byte: nothing depends on how they are received. */
static void test_in_pieces(void **state)
{
    static const char folded[] = POST "Content-Length: 1\r\n 0\r\n\r\n";
    static const char sound[] = POST "X: y\r\nContent-Length: 5\r\n\r\nhello";
    struct th_echo *e = *state;

    for (size_t cut = 1; cut < sizeof(folded) - 1; cut++) {
        int fd = th_raw_dial(HERE, e->port);

        assert_true(th_raw_send(fd, folded, cut));
        /* An answer may be there already: the rest need not arrive. */
        (void)th_raw_send(fd, folded + cut, sizeof(folded) - 1 - cut);
        th_raw_contains(th_raw_hear(fd, NULL), "HTTP/1.1 400");
        (void)close(fd);
    }
    for (size_t cut = 1; cut < sizeof(sound) - 1; cut++) {
        int fd = th_raw_dial(HERE, e->port);

        assert_true(th_raw_send(fd, sound, cut));
        assert_true(th_raw_send(fd, sound + cut, sizeof(sound) - 1 - cut));
        th_raw_contains(th_raw_hear(fd, "hello"), "HTTP/1.1 200");
        (void)close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_refused),  T(test_a_nul_in_a_header), T(test_a_length_out_of_range),
        T(test_accepted), T(test_every_byte),        T(test_in_pieces),
    };

    return cmocka_run_group_tests_name("framing", tests, NULL, NULL);
}
