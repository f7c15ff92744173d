/*
 * metadata.h - the two documents of discovery: protected resource (RFC 9728) and authorization
 * server (RFC 8414, OpenID Connect Discovery), and where to look for them. Pure.
 *
 * What a document says is checked before it is used. A list has at most 256 words and 4 KiB:
 *   resource                the same origin as the endpoint, its path a prefix by segments
 *   issuer                  the one that was asked for (one trailing slash apart at most)
 *   S256                    named by code_challenge_methods_supported
 *   endpoints               https (http on loopback by a switch), of the issuer's own origin
 */
#ifndef WH_FETCHER_OAUTH_METADATA_H
#define WH_FETCHER_OAUTH_METADATA_H

#include "common/base/arena.h"
#include "common/json/json_doc.h"
#include "stages/fetcher/oauth/url.h"

enum { OAUTH_PLACES_MAX = 6 };

/* Addresses in the order in which they are tried. */
struct oauth_places {
    struct wh_slice url[OAUTH_PLACES_MAX];
    size_t n;
};

/* Where the protected-resource document may be. named is the address in a challenge, or empty;
 * WH_E_FORBIDDEN when its origin is not the endpoint's. */
WH_MUST_CHECK enum wh_rc oauth_resource_places(const struct wh_url *endpoint, struct wh_slice named,
                                               struct wh_arena *arena, struct oauth_places *ret,
                                               struct wh_err *err);
/* Where the authorization server's document may be: at the issuer, and below endpoint unless that is
 * NULL. */
WH_MUST_CHECK enum wh_rc oauth_server_places(const struct wh_url *issuer,
                                             const struct wh_url *endpoint, struct wh_arena *arena,
                                             struct oauth_places *ret, struct wh_err *err);

struct oauth_resource {
    struct wh_slice resource; /* to the letter, as it is sent from then on */
    struct wh_slice issuer;   /* the first authorization server */
    struct wh_slice scopes;   /* scopes_supported, joined by spaces; may be empty */
};

struct oauth_server {
    struct wh_slice issuer;
    struct wh_slice authorization_endpoint;
    struct wh_slice token_endpoint;
    struct wh_slice registration_endpoint; /* may be empty */
    struct wh_slice revocation_endpoint;   /* may be empty */
    struct wh_slice scopes;
    struct wh_slice auth_methods; /* token_endpoint_auth_methods_supported; may be empty */
    bool iss_promised;            /* authorization_response_iss_parameter_supported */
    bool takes_metadata_url;      /* client_id_metadata_document_supported */
};

/* Both read a document into ret, whose slices are in the arena. WH_E_MISSING or WH_E_TYPE: it is not
 * such a document. WH_E_FORBIDDEN: it names a resource or a server that must not be used.
 * WH_E_TOO_LARGE: a list is too long. Otherwise the errors of wh_json_parse. */
WH_MUST_CHECK enum wh_rc oauth_resource_read(struct wh_slice json, struct wh_json_parser *parser,
                                             const struct wh_url *endpoint, struct wh_arena *arena,
                                             struct oauth_resource *ret, struct wh_err *err);
WH_MUST_CHECK enum wh_rc oauth_server_read(struct wh_slice json, struct wh_json_parser *parser,
                                           struct wh_slice issuer, bool allow_http,
                                           struct wh_arena *arena, struct oauth_server *ret,
                                           struct wh_err *err);

/* ---- scopes: words separated by spaces ---- */

bool oauth_scope_has(struct wh_slice scopes, struct wh_slice scope);
/* Appends those words of more that out does not have. */
WH_MUST_CHECK enum wh_rc oauth_scope_add(struct wh_buf *out, struct wh_slice more,
                                         struct wh_err *err);

#endif
