/*
 * reqlog.h - every request that reached the API: the last ones in full, all of them in counts. The
 * number of writes is what tests look at: the connector must only read. A request is a write unless
 * it is a GET, one of OAuth's own POSTs, or a read by MCP. Secrets in a query are not kept; a token
 * in one is counted as a leak.
 */
#ifndef GL_REQLOG_H
#define GL_REQLOG_H

#include "common/httpd/http.h"
#include "tests/gitlab/out.h"

enum {
    GL_REQLOG_KEEP = 50000,
    GL_ROUTES_MAX = 128,
    GL_ROUTE_BYTES = 96,
    GL_MINUTES_KEEP = 240,
    GL_NOTE_BYTES = 96
};

struct gl_req_entry {
    int64_t at_ms;
    uint64_t seq;
    unsigned status;
    char *line; /* method, path and query */
};

struct gl_route_count {
    char route[GL_ROUTE_BYTES];
    uint64_t n;
};

/* REST and MCP requests of one minute, refused ones too. */
struct gl_minute {
    int64_t minute; /* since 1970 */
    uint64_t n;
    uint64_t limited; /* answered with 429 */
};

struct gl_reqlog {
    struct gl_req_entry *ring; /* GL_REQLOG_KEEP of them, made at the first request */
    uint64_t total;
    uint64_t writes;
    uint64_t leaks; /* tokens in a query */
    uint64_t by_status[600];
    struct gl_route_count routes[GL_ROUTES_MAX];
    unsigned n_routes;
    struct gl_minute minutes[GL_MINUTES_KEEP]; /* by minute % GL_MINUTES_KEEP */
};

/*
 * status 0: the connection was cut. note: what MCP was asked, such as "tools/call get_issue", or
 * "". write: an MCP request that could change something, or that nobody knows.
 */
void gl_reqlog_add(struct gl_reqlog *log, const struct wh_http_req *req, int64_t now_ms,
                   unsigned status, const char *note, bool write);
void gl_reqlog_render(const struct gl_reqlog *log, int64_t last, struct gl_out *out);
void gl_reqlog_clear(struct gl_reqlog *log);

#endif
