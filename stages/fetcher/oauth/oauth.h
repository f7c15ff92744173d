/*
 * oauth.h - one person's approval: discovery, registration, authorization with PKCE, tokens.
 *
 *   oauth_authorize ─ resource document ─ server document ─ client ─ approval address (open)
 *        … the person approves …  oauth_redirected ─ code for tokens ─ fn
 *
 * By the MCP authorization rules of 2025-11-25 and 2026-07-28 (RFC 6749, 7591, 7636, 8414, 8707,
 * 9207, 9728). It may run again with what a 401 or 403 asks for (step-up), max_approvals times in
 * all; scopes only ever grow. A client is registered once for an issuer and used again.
 *
 * Redirects are never followed; documents, endpoints and addresses are held to metadata.h and
 * url.h. Thread: app.
 */
#ifndef WH_FETCHER_OAUTH_OAUTH_H
#define WH_FETCHER_OAUTH_OAUTH_H

#include "common/loop/loop.h"
#include "stages/fetcher/oauth/challenge.h"
#include "stages/fetcher/oauth/token.h"

enum oauth_step {
    OAUTH_STEP_RESOURCE, /* looking for the protected-resource document */
    OAUTH_STEP_SERVER,   /* looking for the authorization server's document */
    OAUTH_STEP_REGISTER, /* a client is being registered, or a known one is used */
    OAUTH_STEP_APPROVE,  /* the person's turn */
    OAUTH_STEP_TOKEN,    /* the code becomes tokens */
};

typedef void (*oauth_fn)(void *ctx, const struct wh_err *err); /* err->rc WH_OK: tokens are there */

struct oauth_conf {
    struct wh_loop *loop;
    struct wh_httpc *http;
    struct wh_clock clock;
    struct wh_slice endpoint; /* the MCP endpoint */
    bool allow_http;          /* http on loopback */
    bool own_server;          /* the authorization server must be of the endpoint's origin */
    struct wh_slice client_name;
    struct wh_slice redirect_uri;
    struct wh_slice client_id;       /* registered by hand, or empty */
    struct wh_slice client_secret;   /* of that client, or empty */
    struct wh_slice metadata_url;    /* a client id metadata document, or empty */
    struct wh_slice scope;           /* asked for where the server names none, or empty */
    const struct oauth_client *kept; /* registered before, or NULL */
    unsigned max_approvals;
    int64_t timeout_ms;         /* of one request */
    int64_t approve_timeout_ms; /* of the person */
    /* The address to be opened; copied by whoever keeps it. */
    void (*open)(void *ctx, struct wh_slice url);
    /* Progress for people; detail is an address or a word, never a secret. May be NULL. */
    void (*step)(void *ctx, enum oauth_step step, struct wh_slice detail);
    void *ctx; /* of open and step */
};

struct oauth;

/* Everything of conf is copied. */
WH_MUST_CHECK enum wh_rc oauth_new(const struct oauth_conf *conf, struct oauth **ret,
                                   struct wh_err *err);
/* Drops what is under way; wipes. */
void oauth_free(struct oauth *o);

/* challenge may be NULL. One at a time: WH_E_BUSY. WH_E_FORBIDDEN when there were too many. fn is
 * called once, later. */
WH_MUST_CHECK enum wh_rc oauth_authorize(struct oauth *o, const struct oauth_challenge *challenge,
                                         oauth_fn fn, void *ctx, struct wh_err *err);
/*
 * The redirect came: its query, or the whole address. WH_E_FORBIDDEN when it is not the answer to
 * what was asked (the state is another one): nothing has changed then. Otherwise the rest goes its
 * way and ends in fn.
 */
WH_MUST_CHECK enum wh_rc oauth_redirected(struct oauth *o, struct wh_slice query_or_url,
                                          struct wh_err *err);
bool oauth_waiting(const struct oauth *o); /* for the redirect */
/* Does a redirect with that query belong to o? */
bool oauth_knows_state(const struct oauth *o, struct wh_slice query_or_url);

/* Valid until the next authorize. */
struct oauth_tokens *oauth_tokens(struct oauth *o);
const struct oauth_client *oauth_used_client(const struct oauth *o);
bool oauth_registered(const struct oauth *o); /* the client was made in this life */
struct wh_slice oauth_resource_name(const struct oauth *o);
const struct oauth_server *oauth_used_server(const struct oauth *o);

/* ---- approve.c: pure parts ---- */

enum { OAUTH_VERIFIER_BYTES = 43 };

struct oauth_secrets {
    char state[OAUTH_VERIFIER_BYTES + 1];
    char verifier[OAUTH_VERIFIER_BYTES + 1];
};

/* BASE64URL(SHA256(verifier)), RFC 7636. */
WH_MUST_CHECK enum wh_rc oauth_challenge_s256(struct wh_slice verifier, struct wh_buf *out,
                                              struct wh_err *err);
WH_MUST_CHECK enum wh_rc oauth_secrets_make(struct oauth_secrets *ret, struct wh_err *err);
struct oauth_request {
    struct wh_slice endpoint;
    struct wh_slice client_id;
    struct wh_slice redirect_uri;
    struct wh_slice scope; /* may be empty: not sent */
    struct wh_slice resource;
    const struct oauth_secrets *secrets;
};
/* What the endpoint's own query says of our parameters is left out. */
WH_MUST_CHECK enum wh_rc oauth_request_url(const struct oauth_request *r, struct wh_buf *out,
                                           struct wh_err *err);

struct oauth_redirect {
    struct wh_buf code;
    struct wh_buf state;
    struct wh_buf iss;
    struct wh_buf error;
    bool has_iss;
};
/* WH_E_INVALID: malformed, or a parameter twice. Done with wipe in any case. */
WH_MUST_CHECK enum wh_rc oauth_redirect_read(struct wh_slice query_or_url,
                                             struct oauth_redirect *ret, struct wh_err *err);
void oauth_redirect_done(struct oauth_redirect *r);
/* RFC 9207: byte for byte. */
WH_MUST_CHECK enum wh_rc oauth_issuer_check(const struct oauth_server *server,
                                            const struct oauth_redirect *r, struct wh_err *err);

/* ---- register.c: pure parts ---- */

WH_MUST_CHECK enum wh_rc oauth_register_body(struct wh_slice client_name,
                                             struct wh_slice redirect_uri, struct wh_slice scope,
                                             struct wh_buf *out, struct wh_err *err);
/* Slices are in the arena; issuer and redirect_uri are those given. WH_E_MISSING without an id,
 * WH_E_TOO_LARGE and WH_E_INVALID for an id or a secret that is over OAUTH_CLIENT_TEXT_MAX or not
 * plain ASCII, WH_E_UNSUPPORTED for a client authentication that token.h does not name. */
WH_MUST_CHECK enum wh_rc oauth_register_read(struct wh_slice json, struct wh_json_parser *parser,
                                             const struct oauth_server *server,
                                             struct wh_slice redirect_uri, struct wh_arena *arena,
                                             struct oauth_client *ret, struct wh_err *err);
/* How a client with or without a secret shows itself at that server. */
struct wh_slice oauth_auth_method(const struct oauth_server *server, bool secret);

#endif
