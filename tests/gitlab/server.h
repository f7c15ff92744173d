/*
 * server.h - what the parts of the running process share.
 */
#ifndef GL_SERVER_H
#define GL_SERVER_H

#include "common/httpd/httpd.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "tests/gitlab/answers.h"
#include "tests/gitlab/faults.h"
#include "tests/gitlab/hooks.h"
#include "tests/gitlab/mcp.h"
#include "tests/gitlab/model.h"
#include "tests/gitlab/oauth.h"
#include "tests/gitlab/paging.h"
#include "tests/gitlab/quirks.h"
#include "tests/gitlab/reqlog.h"

struct gl_delayed;

struct gl_server {
    struct gl_model *model;
    struct wh_loop *loop;
    struct wh_log *log;
    struct gl_hooks *hooks;
    struct gl_faults faults;
    struct gl_quirks quirks;
    struct gl_answers answers;
    struct gl_oauth oauth;
    struct gl_mcp mcp;
    struct gl_reqlog requests;
    char *token;
    bool token_sees_hooks;
    struct gl_delayed *delayed; /* slow answers */
    struct wh_timer *live;
    double live_rate; /* events a second */
    double live_due;  /* parts of events not made yet */
    int64_t live_until_ns;
    uint64_t live_made;
    uint64_t next_request_id;
};

/* rest.c: the API; control.c: the control port. */
void gl_rest_request(void *ctx, struct wh_http_req *req);
void gl_rest_done(void *ctx, struct wh_http_req *req);
void gl_rest_release(struct gl_server *server);
void gl_control_request(void *ctx, struct wh_http_req *req);
void gl_control_live_tick(void *ctx);

/* oracle.c: the truth as lines of JSON, or the counts alone. */
void gl_oracle_reply(struct gl_server *server, struct wh_http_req *req);

/* Answers with out's bytes, which it takes over; headers may be NULL. */
void gl_reply_json(struct wh_http_req *req, unsigned status, struct gl_out *out,
                   const struct gl_headers *headers);

#endif
