/*
 * approve.h - the authorization request and the redirect that answers it (RFC 6749 4.1, RFC 7636,
 * RFC 9207). Internal to the OAuth room. Pure, apart from oauth_secrets_make.
 */
#ifndef WH_FETCHER_OAUTH_APPROVE_H
#define WH_FETCHER_OAUTH_APPROVE_H

#include "stages/fetcher/oauth/metadata.h"

enum { OAUTH_VERIFIER_BYTES = 43 };

/* The caller wipes them. */
struct oauth_secrets {
    char state[OAUTH_VERIFIER_BYTES + 1];
    char verifier[OAUTH_VERIFIER_BYTES + 1];
};

/* Draws both from the system's random numbers. */
WH_MUST_CHECK enum wh_rc oauth_secrets_make(struct oauth_secrets *ret, struct wh_err *err);
/* Appends BASE64URL(SHA256(verifier)), RFC 7636 4.2. */
WH_MUST_CHECK enum wh_rc oauth_challenge_s256(struct wh_slice verifier, struct wh_buf *out,
                                              struct wh_err *err);

struct oauth_request {
    struct wh_slice endpoint;
    struct wh_slice client_id;
    struct wh_slice redirect_uri;
    struct wh_slice scope; /* not sent when it is empty */
    struct wh_slice resource;
    const struct oauth_secrets *secrets;
};
/* Appends the address that the person opens. The endpoint's own query is kept, except for
 * parameters that have the name of one of ours. WH_E_INVALID, WH_E_TOO_LARGE. */
WH_MUST_CHECK enum wh_rc oauth_request_url(const struct oauth_request *r, struct wh_buf *out,
                                           struct wh_err *err);

struct oauth_redirect {
    struct wh_buf code;
    struct wh_buf state;
    struct wh_buf iss;
    struct wh_buf error;
    bool has_iss;
};
/* Reads the parameters, each at most 4 KiB. WH_E_INVALID when it is malformed or has a parameter
 * twice. ret needs oauth_redirect_done in every case. */
WH_MUST_CHECK enum wh_rc oauth_redirect_read(struct wh_slice query_or_url,
                                             struct oauth_redirect *ret, struct wh_err *err);
/* Wipes and frees. */
void oauth_redirect_done(struct oauth_redirect *r);
/* Compares the redirect's iss with the server's issuer byte for byte (RFC 9207 2.4).
 * WH_E_FORBIDDEN when they differ, or when the server promised an iss and none came. */
WH_MUST_CHECK enum wh_rc oauth_issuer_check(const struct oauth_server *server,
                                            const struct oauth_redirect *r, struct wh_err *err);

#endif
