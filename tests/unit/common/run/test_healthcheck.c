/* A server that answers once, in a thread of its own, with the bytes of the case. */
#include "tests/lib/th_cmocka.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/run/run.h"

struct server {
    int fd;
    uint16_t port;
    const char *answer; /* NULL: closes without one */
    char request[256];
    pthread_t thread;
};

static void *serve(void *ctx)
{
    struct server *s = ctx;
    int fd = accept(s->fd, NULL, NULL);
    ssize_t n = recv(fd, s->request, sizeof(s->request) - 1, 0);

    s->request[n > 0 ? n : 0] = '\0';
    if (s->answer) {
        (void)send(fd, s->answer, strlen(s->answer), MSG_NOSIGNAL);
    }
    (void)close(fd);
    return NULL;
}

static bool listen_on(struct server *s, int family)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    const struct sockaddr *at =
        family == AF_INET ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
    socklen_t len = family == AF_INET ? sizeof(v4) : sizeof(v6);
    struct sockaddr_in6 got;
    socklen_t got_len = sizeof(got);

    s->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || bind(s->fd, at, len) != 0 || listen(s->fd, 1) != 0) {
        return false;
    }
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&got, &got_len), 0);
    s->port = ntohs(got.sin6_port); /* at the same place in both families */
    return true;
}

static int check(struct server *s, const char *address, const char *answer)
{
    int code;

    s->answer = answer;
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    code = wh_run_healthcheck(address, s->port);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    assert_true(strncmp(s->request, "GET /live HTTP/1.1\r\n", 20) == 0);
    return code;
}

static void only_200_is_healthy(void **state)
{
    static const struct {
        const char *answer;
        int code;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlive\n", 0},
        {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 1},
        {"HTTP/1.1 2000 Nonsense\r\n\r\n", 1},
        {"SSH-2.0-OpenSSH_9.2 and some more text\r\n", 1},
        {"HTTP/1.1 2", 1},
        {NULL, 1},
    };
    struct server s;

    (void)state;
    assert_true(listen_on(&s, AF_INET));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (check(&s, "127.0.0.1", cases[i].answer) != cases[i].code) {
            fail_msg("%s", cases[i].answer ? cases[i].answer : "(none)");
        }
    }
    (void)close(s.fd);
}

static void a_wildcard_is_the_loopback(void **state)
{
    struct server s;

    (void)state;
    assert_true(listen_on(&s, AF_INET));
    assert_int_equal(check(&s, "0.0.0.0", "HTTP/1.1 200 OK\r\n\r\n"), 0);
    (void)close(s.fd);
}

static void asks_over_ipv6(void **state)
{
    struct server s;

    (void)state;
    if (!listen_on(&s, AF_INET6)) {
        skip(); /* a machine without IPv6 */
    }
    assert_int_equal(check(&s, "::1", "HTTP/1.1 200 OK\r\n\r\n"), 0);
    assert_int_equal(check(&s, "::", "HTTP/1.1 200 OK\r\n\r\n"), 0);
    (void)close(s.fd);
}

static void nobody_listens(void **state)
{
    struct server s;

    (void)state;
    assert_true(listen_on(&s, AF_INET));
    (void)close(s.fd);
    assert_int_equal(wh_run_healthcheck("127.0.0.1", s.port), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_200_is_healthy),
        cmocka_unit_test(a_wildcard_is_the_loopback),
        cmocka_unit_test(asks_over_ipv6),
        cmocka_unit_test(nobody_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
