/*
 * answers.h - what goes wrong with the answers of discovery, OAuth and MCP, place by place:
 * refused, cut, lost after the work was done, held until the control port lets it go, redirected,
 * without end, too long, or no JSON.
 */
#ifndef GL_ANSWERS_H
#define GL_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "tests/gitlab/out.h"

struct gl_call;
struct gl_server;
struct gl_held;

enum gl_where {
    GL_AT_RESOURCE,
    GL_AT_METADATA,
    GL_AT_REGISTER,
    GL_AT_AUTHORIZE,
    GL_AT_TOKEN,
    GL_AT_REVOKE,
    GL_AT_INFO,
    GL_AT_MCP,
    GL_AT_COUNT
};

enum gl_how {
    GL_HOW_FINE,
    GL_HOW_ERROR,       /* a 5xx, nothing was done */
    GL_HOW_CUT,         /* the connection ends, nothing was done */
    GL_HOW_LOST,        /* it was done, and then the connection ends */
    GL_HOW_LOST_ERROR,  /* it was done, and then a 5xx */
    GL_HOW_HOLD_BEFORE, /* nothing is done until it is released */
    GL_HOW_HOLD_AFTER,  /* it is done, the answer waits */
    GL_HOW_REDIRECT,
    GL_HOW_OVERSIZED, /* 32 MB of spaces, then the answer */
    GL_HOW_ENDLESS,
    GL_HOW_GARBAGE,
    GL_HOW_LIMITED, /* 429 in plain text, without headers */
    GL_HOW_COUNT
};

struct gl_answer_fault {
    enum gl_how how;
    int64_t next;
    uint64_t hits;
};

enum { GL_REDIRECT_BYTES = 256 };

struct gl_answers {
    struct gl_answer_fault at[GL_AT_COUNT];
    char redirect_to[GL_REDIRECT_BYTES];
    unsigned redirect_status;
    unsigned error_status;
    struct gl_held *held;
};

void gl_answers_init(struct gl_answers *a);
/* {"where":"token","how":"lost","next":1}, {"clear":true}. NULL, or what is wrong. */
const char *gl_answers_set(struct gl_answers *a, struct wh_slice json);
void gl_answers_render(const struct gl_answers *a, struct gl_out *out);

/* Does the work of one place: fills call->out and gives the status. */
typedef unsigned (*gl_work_fn)(struct gl_call *call);
/* Works and answers, or does what was asked to go wrong. */
void gl_answer(const struct gl_call *call, enum gl_where where, gl_work_fn work);
/* Lets held answers go; gives their number. */
unsigned gl_answers_release(struct gl_server *server);
/* At the end: forgets them unanswered. */
void gl_answers_drop(struct gl_server *server);

#endif
