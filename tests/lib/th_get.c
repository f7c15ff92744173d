#include "tests/lib/th_get.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t exchange(int fd, const char *request, char text[TH_GET_MAX])
{
    size_t n = 0;
    ssize_t got;

    if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request)) {
        return 0;
    }
    while ((got = recv(fd, text + n, TH_GET_MAX - 1 - n, 0)) > 0) {
        n += (size_t)got;
    }
    return n;
}

unsigned th_get(uint16_t port, const char *method, const char *path, char text[TH_GET_MAX])
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char request[512];
    size_t n = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(request, sizeof(request),
                   "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                   "Content-Length: 0\r\n\r\n",
                   method, path);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0) {
        n = exchange(fd, request, text);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    text[n] = '\0';
    return n > 12 && strncmp(text, "HTTP/1.1 ", 9) == 0 ? (unsigned)strtoul(text + 9, NULL, 10) : 0;
}
