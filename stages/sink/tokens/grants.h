/*
 * grants.h - what agents were granted: our own OAuth 2.1 for /mcp, as data, without HTTP.
 *
 *   register -> client ... a person allows -> code -> redeem -> access and refresh token -> refresh ...
 *
 * A program registers itself (RFC 7591) and gets an id, which proves nothing. A person allows it, and it gets a code, which
 * it redeems once, within a minute, with the verifier of its challenge (RFC 7636, S256). An access token works for
 * an hour, a refresh token once. Whoever presents a code or a refresh token for the second time ends the grant: one
 * of the two who had it was not meant to. A grant that nobody used for 60 days has ended.
 *
 * Only hashes of secrets are kept, in memory and in a file of mode 0600 that is replaced before an answer is given. Codes end with
 * the process.
 *
 * Limits: GRANTS_MAX grants (WH_E_BUSY), GRANT_CLIENTS_MAX registrations (the oldest one without a grant makes room; one without a grant ends
 * after 30 days), GRANT_CODES_MAX codes (the oldest one makes room). Thread: any.
 */
#ifndef WH_SINK_TOKENS_GRANTS_H
#define WH_SINK_TOKENS_GRANTS_H

#include "common/base/time.h"
#include "common/json/json_write.h"

struct grants;

enum {
    GRANTS_MAX = 64,
    GRANT_CLIENTS_MAX = 128,
    GRANT_CODES_MAX = 16,
    GRANT_CLIENT_ID = 32,
    GRANT_ID = 12,
    GRANT_NAME_MAX = 80,
    GRANT_URI_MAX = 500,
    GRANT_URIS_MAX = 2000, /* bytes of all addresses of a client */
    GRANT_TOKEN_TEXT = 160,
    GRANT_ACCESS_S = 3600
};

/* path is kept; NULL: the grants end with the process. WH_E_IO, WH_E_INVALID: the file is damaged. */
WH_MUST_CHECK enum wh_rc grants_new(const char *path, struct wh_clock clock, struct grants **ret,
                                    struct wh_err *err);
void grants_free(struct grants *grants);

/* ---- clients ---- */

/* A name is what the program calls itself: printable text of at most GRANT_NAME_MAX bytes. */
struct grants_client {
    char id[GRANT_CLIENT_ID + 1];
    char name[GRANT_NAME_MAX + 1];
    char uris[GRANT_URIS_MAX + 1]; /* separated by '\n' */
    int64_t made_ms;
};

/* May a code be sent there? https, or http on loopback; visible ASCII without a fragment. */
bool grants_is_redirect(struct wh_slice uri);
/* uris: at least one, separated by '\n', all of which grants_is_redirect accepts. WH_E_INVALID, WH_E_IO. */
WH_MUST_CHECK enum wh_rc grants_register(struct grants *grants, struct wh_slice name,
                                         struct wh_slice uris, struct grants_client *ret,
                                         struct wh_err *err);
/* False: it is not registered. */
bool grants_client(struct grants *grants, struct wh_slice id, struct grants_client *ret);
/* Has the client registered that address? Exactly that, but for the port of an address of loopback (RFC 8252 section 7.3). */
bool grants_redirect_fits(const struct grants_client *client, struct wh_slice uri);

/* ---- codes and tokens ---- */

struct grants_ask {
    struct wh_slice client;
    struct wh_slice redirect;
    struct wh_slice challenge; /* 43 characters */
    struct wh_slice resource;  /* the address of /mcp, for which alone the tokens are good */
};

struct grants_pair {
    char access[GRANT_TOKEN_TEXT + 1];
    char refresh[GRANT_TOKEN_TEXT + 1];
};

/* A person allowed it. The client and its redirect have been checked. WH_E_BUSY: there are too many grants. */
WH_MUST_CHECK enum wh_rc grants_allow(struct grants *grants, const struct grants_ask *ask,
                                      char ret_code[GRANT_TOKEN_TEXT + 1], struct wh_err *err);
/* resource may be empty. WH_E_AUTH: the code is unknown, too old or used, or something differs from what was allowed. The caller wipes the pair. */
WH_MUST_CHECK enum wh_rc grants_redeem(struct grants *grants, struct wh_slice code,
                                       const struct grants_ask *ask, struct wh_slice verifier,
                                       struct grants_pair *ret, struct wh_err *err);
/* The old refresh token and the old access token are void from then on. WH_E_AUTH. */
WH_MUST_CHECK enum wh_rc grants_refresh(struct grants *grants, struct wh_slice token,
                                        struct wh_slice client, struct wh_slice resource,
                                        struct grants_pair *ret, struct wh_err *err);
/* Ends the grant of an access or refresh token of that client; nothing when there is none (RFC 7009). */
WH_MUST_CHECK enum wh_rc grants_revoke(struct grants *grants, struct wh_slice token,
                                       struct wh_slice client, struct wh_err *err);

struct grants_agent {
    char id[GRANT_ID + 1];
    char name[GRANT_NAME_MAX + 1];
};

/* Does the value of an Authorization header carry an access token that is good for this resource? */
bool grants_fits(struct grants *grants, struct wh_slice authorization, struct wh_slice resource,
                 struct grants_agent *ret);

/* ---- for people ---- */

/* Writes objects {kind, id, name, detail, created_at, used_at, ends_at} into an open array; detail is where the code went. */
void grants_write(struct grants *grants, struct wh_json_writer *w);
/* WH_E_NOT_FOUND. */
WH_MUST_CHECK enum wh_rc grants_end(struct grants *grants, struct wh_slice id, struct wh_err *err);

#endif
