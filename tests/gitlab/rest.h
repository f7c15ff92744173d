/* rest.h - between rest.c and routes.c: one request under way. */
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
};

/* Finds the route and answers. */
void gl_route(struct gl_call *call);
/* Answers with call->out; faults of answers strike here. */
void gl_rest_send(struct gl_call *call, unsigned status);
/* {"<key>":"<text>"} */
void gl_rest_fail(struct gl_call *call, unsigned status, const char *key, const char *text);

#endif
