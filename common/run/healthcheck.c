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

static int connect_to(const char *address, uint16_t port)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    /* A wildcard is what the server listens on; the way in is the loopback. */
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || to.sin_addr.s_addr == htonl(INADDR_ANY)) {
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

int wh_run_healthcheck(const char *address, uint16_t port)
{
    static const char request[] =
        "GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static const char want[] = "HTTP/1.1 200";
    char answer[64] = "";
    bool ok = false;
    int fd = connect_to(address, port);

    if (fd < 0) {
        (void)fprintf(stderr, "no answer on port %u\n", (unsigned)port);
        return 1;
    }
    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(request) - 1 &&
        recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) > (ssize_t)sizeof(want)) {
        ok = strncmp(answer, want, sizeof(want) - 1) == 0;
    }
    (void)close(fd);
    return ok ? 0 : 1;
}
