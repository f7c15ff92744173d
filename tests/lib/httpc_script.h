/*
 * httpc_script.h - the HTTP client in memory: requests wait until the test answers them, in any
 * order; a script says what each answer is, at that moment.
 */
#ifndef TH_HTTPC_SCRIPT_H
#define TH_HTTPC_SCRIPT_H

#include "common/httpc/httpc.h"

enum { TH_SCRIPT_HEADERS_MAX = 16 };

struct th_script_answer {
    struct wh_slice request; /* the request's body */
    enum wh_rc rc;           /* not WH_OK: the transfer failed */
    unsigned status;
    struct wh_buf body; /* bounded by the request's body_max */
    struct wh_httpc_header headers[TH_SCRIPT_HEADERS_MAX];
    size_t n_headers;
    char text[TH_SCRIPT_HEADERS_MAX][512]; /* room for their values */
};

struct th_script;
/* Fills the answer, which begins as 200 without headers. secret: the bearer token. */
typedef void (*th_script_fn)(void *ctx, struct wh_slice url, struct wh_slice secret,
                             struct th_script_answer *answer);

/* NULL: no memory. */
struct th_script *th_script_new(th_script_fn fn, void *ctx);
/* The interface; freed with the script. */
struct wh_httpc *th_script_http(struct th_script *s);
/* Requests that wait for their answer, and all so far. */
size_t th_script_waiting(const struct th_script *s);
size_t th_script_started(const struct th_script *s);
/* The index-th of those that wait, oldest first. */
struct wh_slice th_script_url(const struct th_script *s, size_t index);
void th_script_answer_one(struct th_script *s, size_t index);
void th_script_header(struct th_script_answer *a, const char *name, const char *fmt, ...)
    WH_PRINTF(3, 4);
void th_script_free(struct th_script *s);

#endif
