/*
 * framing.h - private to httpd/: determines the length of a request's body strictly. A request whose
 * framing two parsers could interpret differently is refused, because it could be smuggled past a proxy
 * (RFC 9112 sections 2.2, 5.1, 5.2, 6.1 and 6.3).
 */
#ifndef WH_HTTPD_FRAMING_H
#define WH_HTTPD_FRAMING_H

#include <stdbool.h>
#include <stdint.h>

struct httpd_req;

struct httpd_framing {
    const char *wrong; /* why the request is refused; NULL when its framing is sound */
    bool has_host;
    bool has_length;
    bool chunked;
    uint64_t length; /* Content-Length; 0 without one */
};

/* The head is complete; its first headers are noted in req. version is that of the request line, for example "HTTP/1.1". */
struct httpd_framing httpd_framing_read(struct httpd_req *req, const char *version);

#endif
