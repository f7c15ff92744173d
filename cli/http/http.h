/*
 * http.h - one HTTP call at a time, awaited: how the commands reach the stages.
 *
 * An interface, so that tests answer in place of a stage. The real one (cli_http_curl) knows no
 * redirect and no proxy of its own and verifies TLS, as common/httpc does. Thread: app.
 */
#ifndef WH_CLI_HTTP_HTTP_H
#define WH_CLI_HTTP_HTTP_H

#include "common/base/buf.h"
#include "common/base/err.h"

enum { CLI_ANSWER_MAX_BYTES = 256 << 20 };

/* Borrowed for the call. */
struct cli_request {
    const char *method;
    const char *base; /* "http://127.0.0.1:8704" */
    struct wh_slice path;
    const char *token_file; /* of a bearer token; NULL or "": none */
    struct wh_slice body;   /* JSON; empty: none */
    int64_t timeout_ms;     /* of the whole call; with on_data, of a silence */
    /* NULL: the body is kept. Otherwise called with each piece of the body of an answer 200, which is then not
     * kept; false ends the call with WH_E_CANCELED. */
    bool (*on_data)(void *ctx, struct wh_slice bytes);
    void *ctx;
    /* Ends the call with WH_E_CANCELED when it is readable; 0: none. */
    int interrupt;
};

struct cli_answer {
    unsigned status;
    struct wh_buf body;
};

struct cli_http_client;

struct cli_http {
    struct cli_http_client *client; /* of cli_http_curl; made by its first call */
    /*
     * Any HTTP status is a success. WH_E_NET when nobody answers, WH_E_TIMEOUT, WH_E_IO when a stream says
     * at its end that it has failed (the message is its reason), and the errors of
     * wh_conf_secret_read for the token file; the message names the base.
     * ret->body is initialised in any case; free it with wh_buf_done.
     */
    enum wh_rc (*call)(struct cli_http *http, const struct cli_request *request,
                       struct cli_answer *ret, struct wh_err *err);
};

/*
 * By curl. Connections are kept between calls, so that a series of calls reaches the same process
 * where a name stands for several: a session of connecting is known to one fetcher alone.
 */
struct cli_http cli_http_curl(void);
/* Closes the connections. */
void cli_http_free(struct cli_http *http);

#endif
