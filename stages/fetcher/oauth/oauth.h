/*
 * oauth.h - one person's approval: discovery, registration, authorization with PKCE, tokens.
 *
 *   oauth_authorize ─ resource document ─ server document ─ client ─ approval address (open)
 *        … the person approves …  oauth_redirected ─ code for tokens ─ fn
 *
 * It follows the MCP authorization rules of 2025-11-25 and 2026-07-28 (RFC 6749, 7591, 7636, 8414,
 * 8707, 9207 and 9728). It may run again with what a later 401 or 403 asks for (step-up), at most
 * max_approvals times in all; the scopes that it asks for only ever grow. A client is registered
 * once for an issuer and used again.
 *
 * The servers are not trusted: redirects are never followed, a document is at most 256 KiB and 32
 * levels deep, at most six places are asked for each document, and what a document says is checked
 * as metadata.h and url.h describe. Thread: app.
 */
#ifndef WH_FETCHER_OAUTH_OAUTH_H
#define WH_FETCHER_OAUTH_OAUTH_H

#include "common/loop/loop.h"
#include "stages/fetcher/oauth/challenge.h"
#include "stages/fetcher/oauth/token.h"

enum oauth_step {
    OAUTH_STEP_RESOURCE, /* asking for the protected-resource document */
    OAUTH_STEP_SERVER,   /* asking for the authorization server's document */
    OAUTH_STEP_REGISTER, /* a client was registered, or a known one is used */
    OAUTH_STEP_APPROVE,  /* waiting for the person */
    OAUTH_STEP_TOKEN,    /* exchanging the code for tokens */
};

/* err->rc is WH_OK when the tokens are there. The callback may free the approval. */
typedef void (*oauth_fn)(void *ctx, const struct wh_err *err);

struct oauth_conf {
    struct wh_loop *loop;     /* keeps */
    struct wh_httpc *http;    /* keeps */
    struct wh_clock clock;    /* dates the tokens */
    struct wh_slice endpoint; /* the MCP endpoint */
    bool allow_http;          /* http is allowed on loopback */
    bool own_server;          /* the authorization server must have the endpoint's origin */
    struct wh_slice client_name;
    struct wh_slice redirect_uri;
    struct wh_slice client_id;       /* of a client that was registered by hand; may be empty */
    struct wh_slice client_secret;   /* of that client; may be empty */
    struct wh_slice metadata_url;    /* of a client id metadata document; may be empty */
    struct wh_slice scope;           /* asked for when the server names no scope; may be empty */
    const struct oauth_client *kept; /* a client that was registered before; may be NULL */
    unsigned max_approvals;
    int64_t timeout_ms;         /* of one request */
    int64_t approve_timeout_ms; /* of the person */
    /* Shows the person the address to open, which is valid during the call. */
    void (*open)(void *ctx, struct wh_slice url);
    /* Progress for people: detail is an address or a word, never a secret. May be NULL. */
    void (*step)(void *ctx, enum oauth_step step, struct wh_slice detail);
    /* The person has approved, and GitLab is about to be asked for tokens: oauth_go_on does it. May
     * be NULL: it is done at once. */
    void (*hold)(void *ctx);
    void *ctx; /* of open, step and hold */
};

struct oauth;

/* Copies the texts and the client of conf; sends nothing yet. WH_E_INVALID or WH_E_FORBIDDEN for an
 * endpoint that url.h refuses, WH_E_TOO_LARGE, WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc oauth_new(const struct oauth_conf *conf, struct oauth **ret,
                                   struct wh_err *err);
/* Drops what is under way without calling back, and wipes the secrets. NULL is accepted. */
void oauth_free(struct oauth *o);

/* Begins an approval. challenge, which may be NULL, is copied. fn is called once, later. WH_E_BUSY
 * while another approval is under way, WH_E_FORBIDDEN after max_approvals or when the challenge
 * names a document at another origin. */
WH_MUST_CHECK enum wh_rc oauth_authorize(struct oauth *o, const struct oauth_challenge *challenge,
                                         oauth_fn fn, void *ctx, struct wh_err *err);
/*
 * Takes the redirect that the person's browser was sent to: its query, or its whole address.
 * WH_E_FORBIDDEN when its state is not the one that was asked with, WH_E_INVALID when it is
 * malformed; the approval goes on waiting in both cases. Otherwise the state is used up, and the
 * approval ends in fn.
 */
WH_MUST_CHECK enum wh_rc oauth_redirected(struct oauth *o, struct wh_slice query_or_url,
                                          struct wh_err *err);
/* Is the approval waiting for the redirect? */
bool oauth_waiting(const struct oauth *o);
/* After hold: asks for the tokens. */
void oauth_go_on(struct oauth *o);

/* What is known of the tokens that were last asked for. */
enum oauth_issue {
    OAUTH_NOT_ISSUED,  /* not asked for, or refused */
    OAUTH_MAY_BE_LOST, /* asked for, and no answer has come */
    OAUTH_ISSUED,      /* oauth_tokens holds them */
};
enum oauth_issue oauth_issue(const struct oauth *o);
/* Does a redirect with that query belong to this approval? Takes constant time for the state. */
bool oauth_knows_state(const struct oauth *o, struct wh_slice query_or_url);

/* ---- the outcome, valid until the next oauth_authorize ---- */

/* Empty before an approval has succeeded. The caller may move them out. */
struct oauth_tokens *oauth_tokens(struct oauth *o);
const struct oauth_client *oauth_used_client(const struct oauth *o);
/* Was the client registered by this object, rather than given to it? */
bool oauth_registered(const struct oauth *o);
struct wh_slice oauth_resource_name(const struct oauth *o);
const struct oauth_server *oauth_used_server(const struct oauth *o);

#endif
