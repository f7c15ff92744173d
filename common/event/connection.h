/*
 * connection.h - one authorised connection to one GitLab, as a record of the topic `connections`: a
 * JSON document in a wh_document, keyed by the connection id; a tombstone means that it was purged.
 * Only the fetcher writes it; webhook-intake (webhook secrets) and the sink (status) read it.
 *
 * Its secrets are sealed for this connection, their purpose and this address (seal.h).
 */
#ifndef WH_EVENT_CONNECTION_H
#define WH_EVENT_CONNECTION_H

#include "common/base/arena.h"
#include "common/base/buf.h"

struct wh_json_parser;

/* A pair of OAuth tokens that GitLab has issued, or may have issued (the fetcher's pairs.h). */
struct wh_connection_pair {
    struct wh_slice fingerprint; /* its name, part of a hash; empty until the pair is known */
    struct wh_slice state;       /* asked, in_use, replaced, revoked, not_revoked, lost */
    struct wh_slice reason;      /* why it is not revoked, as text; of `asked`: which request */
    struct wh_slice address;     /* the GitLab that issued it */
    struct wh_slice sealed;      /* of `replaced`: the token that revokes the pair */
    int64_t at_ms;
};
enum { WH_CONNECTION_PAIRS_MAX = 16 };
#define WH_CONNECTION_PAIR_PURPOSE "pair"

struct wh_connection {
    struct wh_slice id;       /* [a-z0-9-]{1,64}, from the instance's host name */
    struct wh_slice instance; /* normalised: scheme://host[:port][/root], no trailing slash */
    struct wh_slice identity; /* the address used in entity ids if the connection has moved to
                                 another address since; empty: instance */
    struct wh_slice state;    /* to_configure, processing, enabled, degraded, error, need_reconnect,
                                 suspended, disabled */
    struct wh_slice detail;   /* why, as text; may be empty */
    int64_t created_at_ms;
    int64_t updated_at_ms;
    struct wh_slice gitlab_version; /* may be empty */
    struct wh_slice token_sealed;   /* sealed; purpose "read_api"; may be empty */
    struct wh_slice oauth_sealed;   /* sealed; purpose "oauth": the token pair */
    struct wh_slice client_sealed;  /* sealed; purpose "client": the OAuth client registration */
    struct wh_slice projects;       /* user-selected paths, separated by spaces; may be empty */
    struct wh_slice webhook_key_sealed;   /* sealed; purpose "webhook_key": whsec_... signing key */
    struct wh_slice webhook_token_sealed; /* sealed; purpose "webhook_token": X-Gitlab-Token */
    struct wh_connection_pair pairs[WH_CONNECTION_PAIRS_MAX]; /* oldest first */
    size_t n_pairs;
    int64_t pairs_forgotten; /* number of revoked pairs dropped from the list */
};

/* A secret in a document: its purpose, its value, and the address for which it is sealed. */
struct wh_connection_secret {
    const char *purpose;
    struct wh_slice *sealed;
    struct wh_slice address;
};
enum { WH_CONNECTION_SECRETS_MAX = 5 + WH_CONNECTION_PAIRS_MAX };
/* Lists every sealed value of c that is not empty; returns how many. */
size_t wh_connection_secrets(struct wh_connection *c,
                             struct wh_connection_secret ret[WH_CONNECTION_SECRETS_MAX]);

/* The meaning of a state; an unknown state counts as an error, never as connected. */
enum wh_connection_class {
    WH_CONNECTION_MISSING,    /* to_configure, disabled, or none */
    WH_CONNECTION_CONNECTING, /* processing */
    WH_CONNECTION_CONNECTED,  /* enabled */
    WH_CONNECTION_ERROR,      /* degraded, error, need_reconnect, suspended, or unknown */
};
enum wh_connection_class wh_connection_class(struct wh_slice state);

/* A connection of imported rows, made by `wellhead import`: it has no GitLab, and no fetcher works for it. */
#define WH_CONNECTION_IMPORT "import:"
bool wh_connection_is_import(const struct wh_connection *c);

/* The address used in raw events and so in entity ids; a move to https does not change it. */
struct wh_slice wh_connection_identity(const struct wh_connection *c);

/* {"id":...,"instance":...,"state":...,...}; parse ignores unknown keys. */
WH_MUST_CHECK enum wh_rc wh_connection_write(const struct wh_connection *c, struct wh_buf *out,
                                             struct wh_err *err);
/* The slices are copied into the arena. WH_E_INVALID, WH_E_MISSING, WH_E_TYPE. */
WH_MUST_CHECK enum wh_rc wh_connection_parse(struct wh_slice document,
                                             struct wh_json_parser *parser, struct wh_arena *arena,
                                             struct wh_connection *ret, struct wh_err *err);

#endif
