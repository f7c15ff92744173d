#include "tests/lib/th_raw.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/time.h"
#include "tests/lib/th_cmocka.h"

enum { ANSWER_MAX = 1 << 20, NS_PER_MS = 1000000 };

bool th_raw_descriptors(size_t n)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < n) {
        return false;
    }
    limit.rlim_cur = limit.rlim_cur > n ? limit.rlim_cur : n;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

int th_raw_try_dial(const char *from, uint16_t port)
{
    const int on = 1;
    struct sockaddr_in here = {.sin_family = AF_INET};
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(inet_pton(AF_INET, from, &here.sin_addr), 1);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&here, sizeof(here)) != 0 ||
        connect(fd, (struct sockaddr *)&there, sizeof(there)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

int th_raw_dial(const char *from, uint16_t port)
{
    int fd = th_raw_try_dial(from, port);

    assert_true(fd >= 0);
    return fd;
}

bool th_raw_send(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

void th_raw_say(int fd, const char *text)
{
    assert_true(th_raw_send(fd, text, strlen(text)));
}

const char *th_raw_hear_for(int fd, const char *until, int timeout_ms)
{
    static char answer[ANSWER_MAX];
    struct wh_clock clock = wh_clock_real();
    int64_t end_ns = wh_clock_mono_ns(&clock) + (int64_t)timeout_ms * NS_PER_MS;
    size_t len = 0;

    answer[0] = '\0';
    while (len < sizeof(answer) - 1 && (until == NULL || strstr(answer, until) == NULL)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left_ms = (end_ns - wh_clock_mono_ns(&clock)) / NS_PER_MS;
        ssize_t n;

        if (left_ms <= 0 || poll(&p, 1, (int)left_ms) != 1) {
            break;
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

const char *th_raw_hear(int fd, const char *until)
{
    const char *answer = th_raw_hear_for(fd, until, TH_RAW_TIMEOUT_MS);

    if (until == NULL && !th_raw_closed(fd)) {
        fail_msg("the connection is still open; so far: %.300s", answer);
    }
    if (until && strstr(answer, until) == NULL && !th_raw_closed(fd)) {
        fail_msg("'%s' did not arrive; so far: %.300s", until, answer);
    }
    return answer;
}

bool th_raw_closed(int fd)
{
    char byte;
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

void th_raw_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in: %.300s", part, text);
    }
}
