#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/run/run.h"

enum { TIMEOUT_SECONDS = 3 };

/* Builds the address to connect to. A server that listens on a wildcard is reached by loopback. */
static socklen_t fill_address(const char *address, uint16_t port, struct sockaddr_storage *to)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

    memset(to, 0, sizeof(*to));
    if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
            v6->sin6_addr = in6addr_loopback;
        }
        return sizeof(*v6);
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    if (inet_pton(AF_INET, address, &v4->sin_addr) != 1 ||
        v4->sin_addr.s_addr == htonl(INADDR_ANY)) {
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    return sizeof(*v4);
}

static int connect_to(const char *address, uint16_t port)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
    struct sockaddr_storage to;
    socklen_t len = fill_address(address, port, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (connect(fd, (const struct sockaddr *)&to, len) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

int wh_run_healthcheck(const char *address, uint16_t port)
{
    static const char request[] =
        "GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static const char want[] = "HTTP/1.1 200 ";
    char answer[64] = "";
    bool ok = false;
    int fd = connect_to(address, port);

    if (fd < 0) {
        (void)fprintf(stderr, "port %u does not answer\n", (unsigned)port);
        return 1;
    }
    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(request) - 1 &&
        recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) > (ssize_t)sizeof(want)) {
        ok = strncmp(answer, want, sizeof(want) - 1) == 0;
    }
    (void)close(fd);
    if (!ok) {
        (void)fprintf(stderr, "port %u does not answer /live with 200\n", (unsigned)port);
    }
    return ok ? 0 : 1;
}
