/*
 * token.h - the client, its pair of tokens, and the calls to the token endpoint that change them.
 *
 * A pair is a secret from its first byte on: it is kept in buffers that are wiped, travels in a
 * form or a header, and appears in no message. An answer is at most 64 KiB. Thread: app.
 */
#ifndef WH_FETCHER_OAUTH_TOKEN_H
#define WH_FETCHER_OAUTH_TOKEN_H

#include "common/base/time.h"
#include "stages/fetcher/oauth/challenge.h"
#include "stages/fetcher/oauth/metadata.h"

enum {
    OAUTH_TOKEN_MAX = 4000,
    OAUTH_CLIENT_TEXT_MAX = 900, /* of a registered id or secret: both fit into one header */
};

/* A client at one issuer, registered dynamically or by hand. The slices belong to whoever filled it.
 */
struct oauth_client {
    struct wh_slice issuer;
    struct wh_slice client_id;
    struct wh_slice client_secret; /* may be empty */
    struct wh_slice auth_method;   /* none, client_secret_basic or client_secret_post */
    struct wh_slice redirect_uri;
};

struct oauth_tokens {
    struct wh_buf access;
    struct wh_buf refresh; /* may be empty */
    char scope[OAUTH_SCOPE_MAX];
    int64_t got_at_ms;
    int64_t expires_at_ms; /* 0: not said */
};

void oauth_tokens_init(struct oauth_tokens *t);
/* Wipes and frees the tokens; t is as after oauth_tokens_init. */
void oauth_tokens_done(struct oauth_tokens *t);
/* Moves the tokens; what to held is wiped, and from is empty. */
void oauth_tokens_move(struct oauth_tokens *to, struct oauth_tokens *from);

/* How the calls of one installation are made. A call keeps it. */
struct oauth_net {
    struct wh_httpc *http;
    struct wh_clock clock;
    struct wh_json_parser *parser;
    struct wh_url home; /* the configured address: the only origin that may be private */
    bool allow_http;
    int64_t timeout_ms;
};

enum oauth_result {
    OAUTH_DONE,
    OAUTH_INVALID_GRANT, /* the code or the refresh token is not valid any more */
    OAUTH_REFUSED,       /* asking again does not help */
    OAUTH_LATER,         /* network fault, 5xx or 429: the token is as valid as before */
};

struct oauth_token_answer {
    enum oauth_result result;
    unsigned status;
    bool unknown_client;         /* invalid_client: it must be registered again */
    struct oauth_tokens *tokens; /* OAUTH_DONE of a grant; the callback may move them */
    const char *error;           /* for people; contains no secret */
};
typedef void (*oauth_token_fn)(void *ctx, const struct oauth_token_answer *answer);

struct oauth_call;

/* Posts a form with the client's authentication. form has the fields (name=value&...) and is wiped
 * in every case. grant says that the answer must contain tokens. fn is called once, later, unless
 * the call is cancelled. WH_E_INVALID or WH_E_FORBIDDEN for an endpoint that url.h refuses,
 * WH_E_TOO_LARGE, WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc oauth_call_start(const struct oauth_net *net, struct wh_slice endpoint,
                                          const struct oauth_client *client, struct wh_buf *form,
                                          bool grant, oauth_token_fn fn, void *ctx,
                                          struct oauth_call **ret, struct wh_err *err);
/* NULL is accepted. */
void oauth_call_cancel(struct oauth_call *call);

/* Appends name=value, percent-encoded, behind an '&' unless it is the first field. */
WH_MUST_CHECK enum wh_rc oauth_form_add(struct wh_buf *form, const char *name,
                                        struct wh_slice value, struct wh_err *err);

/* Asks for a new pair (grant_type=refresh_token). resource may be empty. */
WH_MUST_CHECK enum wh_rc oauth_refresh(const struct oauth_net *net, struct wh_slice endpoint,
                                       const struct oauth_client *client, struct wh_slice resource,
                                       struct wh_slice refresh_token, oauth_token_fn fn, void *ctx,
                                       struct oauth_call **ret, struct wh_err *err);
/* Revokes a token (RFC 7009). hint is "refresh_token" or "access_token". OAUTH_DONE: the token is
 * revoked, or was not valid any more. Callers revoke the refresh token before the access token. */
WH_MUST_CHECK enum wh_rc oauth_revoke(const struct oauth_net *net, struct wh_slice endpoint,
                                      const struct oauth_client *client, struct wh_slice token,
                                      const char *hint, oauth_token_fn fn, void *ctx,
                                      struct oauth_call **ret, struct wh_err *err);

/* Reads an answer of the token endpoint. Pure. Text of the server is never in ret->error. */
void oauth_token_read(unsigned status, struct wh_slice body, struct wh_json_parser *parser,
                      int64_t now_ms, bool grant, struct oauth_tokens *tokens,
                      struct oauth_token_answer *ret);

#endif
