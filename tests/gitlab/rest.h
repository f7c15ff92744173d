/* rest.h - one request under way, between rest.c and what answers it. */
#ifndef GL_REST_H
#define GL_REST_H

#include "tests/gitlab/render.h"
#include "tests/gitlab/server.h"

struct gl_call {
    struct gl_server *server;
    struct wh_http_req *req;
    struct wh_slice path;
    struct gl_out out;
    struct gl_headers headers;
    struct gl_who who;
    const char *content_type; /* NULL: JSON */
    char note[GL_NOTE_BYTES]; /* for the log: what MCP was asked */
    bool write;               /* for the log: MCP was asked for more than a read */
};

/* Finds the route and answers. */
void gl_route(struct gl_call *call);
/* Answers with call->out; faults of answers strike here. */
void gl_rest_send(struct gl_call *call, unsigned status);
/* As above, without faults. */
void gl_rest_reply(struct gl_call *call, unsigned status);
/* Into the request log alone. */
void gl_rest_log(const struct gl_call *call, unsigned status);
/* Half an answer, or none at once; takes out over. */
void gl_rest_cut(struct wh_http_req *req, struct gl_out *out, bool at_once);
/* Answers 429 without headers when an endpoint's own limit is reached; true then. */
bool gl_rest_limited(struct gl_call *call, enum gl_limit limit);
/* Counts the caller's request; true when it is over the budget, RateLimit headers are put then and
 * whenever there is a budget. */
bool gl_rest_over_budget(struct gl_call *call);
/* mcp.c: true when the path was /api/v4/mcp; it was answered then. */
bool gl_mcp_route(const struct gl_call *call);
/* Whether a token of scope mcp may read that route by REST, as newer versions let it. */
bool gl_mcp_may_read(const struct gl_call *call);
/* {"<key>":"<text>"} */
void gl_rest_fail(struct gl_call *call, unsigned status, const char *key, const char *text);

#endif
