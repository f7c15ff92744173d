/*
 * token.h - the token endpoint: who we are there, what we hold, the calls that change it.
 *
 * A pair is a secret from its first byte on: it lives in wiped buffers, travels in a form or a
 * header, and is in no message. Thread: app.
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

/* A client at one issuer: registered on the fly, or by hand. Belongs to whoever filled it. */
struct oauth_client {
    struct wh_slice issuer;
    struct wh_slice client_id;
    struct wh_slice client_secret; /* may be empty */
    struct wh_slice auth_method;   /* none, client_secret_basic, client_secret_post */
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
/* Wipes and frees; as after init. */
void oauth_tokens_done(struct oauth_tokens *t);
/* to takes over what from holds. */
void oauth_tokens_move(struct oauth_tokens *to, struct oauth_tokens *from);

/* How calls of one installation are made. */
struct oauth_net {
    struct wh_httpc *http;
    struct wh_clock clock;
    struct wh_json_parser *parser;
    struct oauth_url home; /* what a person configured: the one origin that may be private */
    bool allow_http;
    int64_t timeout_ms;
};

enum oauth_result {
    OAUTH_DONE,
    OAUTH_INVALID_GRANT, /* the code or refresh token is no good any more */
    OAUTH_REFUSED,       /* asking again is no use */
    OAUTH_LATER,         /* network, 5xx, 429: the token is as good as before */
};

struct oauth_token_answer {
    enum oauth_result result;
    unsigned status;
    bool unknown_client;         /* it must register anew */
    struct oauth_tokens *tokens; /* OAUTH_DONE of a grant: to be moved */
    const char *error;           /* for people; no secret in it */
};
typedef void (*oauth_token_fn)(void *ctx, const struct oauth_token_answer *answer);

struct oauth_call;

/* A form POST with the client's authentication; fields are in form (name=value&...), which is wiped
 * here. fn is called once unless it is cancelled. grant: the answer must hold tokens. */
WH_MUST_CHECK enum wh_rc oauth_call_start(const struct oauth_net *net, struct wh_slice endpoint,
                                          const struct oauth_client *client, struct wh_buf *form,
                                          bool grant, oauth_token_fn fn, void *ctx,
                                          struct oauth_call **ret, struct wh_err *err);
void oauth_call_cancel(struct oauth_call *call);

/* name=value, percent-encoded, with '&' before it when there is something. */
WH_MUST_CHECK enum wh_rc oauth_form_add(struct wh_buf *form, const char *name,
                                        struct wh_slice value, struct wh_err *err);

/* grant_type=refresh_token. resource may be empty. */
WH_MUST_CHECK enum wh_rc oauth_refresh(const struct oauth_net *net, struct wh_slice endpoint,
                                       const struct oauth_client *client, struct wh_slice resource,
                                       struct wh_slice refresh_token, oauth_token_fn fn, void *ctx,
                                       struct oauth_call **ret, struct wh_err *err);
/* RFC 7009. hint: "refresh_token" or "access_token". OAUTH_DONE: revoked, or it was no token any
 * more. Refresh token first, then the access token; then show that the old one is refused. */
WH_MUST_CHECK enum wh_rc oauth_revoke(const struct oauth_net *net, struct wh_slice endpoint,
                                      const struct oauth_client *client, struct wh_slice token,
                                      const char *hint, oauth_token_fn fn, void *ctx,
                                      struct oauth_call **ret, struct wh_err *err);

/* Reads an answer of the token endpoint; pure. */
void oauth_token_read(unsigned status, struct wh_slice body, struct wh_json_parser *parser,
                      int64_t now_ms, bool grant, struct oauth_tokens *tokens,
                      struct oauth_token_answer *ret);

#endif
