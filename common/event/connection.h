/*
 * connection.h - one authorised link to one GitLab, as the `connections` topic keeps it (a JSON
 * document in a wh_document; key = connection id; tombstone = gone). Written by the fetcher alone;
 * read by webhook-intake (webhook secrets) and the sink (status).
 *
 * Secrets in it are sealed for this connection, this purpose and this address (seal.h).
 */
#ifndef WH_EVENT_CONNECTION_H
#define WH_EVENT_CONNECTION_H

#include "common/base/arena.h"
#include "common/base/buf.h"

struct wh_json_parser;

/* A pair of OAuth tokens that GitLab has issued, or may have issued (the fetcher's pairs.h). */
struct wh_connection_pair {
    struct wh_slice fingerprint; /* names it; part of a hash, empty while it is not known */
    struct wh_slice state;       /* asked, in_use, replaced, revoked, not_revoked, lost */
    struct wh_slice reason;      /* why it is not revoked, for people; of asked: by what */
    struct wh_slice address;     /* of the GitLab that issued it */
    struct wh_slice sealed;      /* of replaced: what revokes it */
    int64_t at_ms;
};
enum { WH_CONNECTION_PAIRS_MAX = 16 };
#define WH_CONNECTION_PAIR_PURPOSE "pair"

struct wh_connection {
    struct wh_slice id;       /* [a-z0-9-]{1,64}, from the instance's host name */
    struct wh_slice instance; /* normalised: scheme://host[:port][/root], no trailing slash */
    struct wh_slice identity; /* the address that entity ids are made of, when the connection has
                                 moved since; empty: instance */
    struct wh_slice state;    /* to_configure, processing, enabled, degraded, error, need_reconnect,
                                 suspended, disabled */
    struct wh_slice detail;   /* why, for people; may be empty */
    int64_t created_at_ms;
    int64_t updated_at_ms;
    struct wh_slice gitlab_version;       /* may be empty */
    struct wh_slice token_sealed;         /* sealed; purpose "read_api"; may be empty */
    struct wh_slice oauth_sealed;         /* sealed; purpose "oauth": the pair of tokens */
    struct wh_slice client_sealed;        /* sealed; purpose "client": how we are registered */
    struct wh_slice projects;             /* paths a person named, by spaces; may be empty */
    struct wh_slice webhook_key_sealed;   /* sealed; purpose "webhook_key": whsec_... signing key */
    struct wh_slice webhook_token_sealed; /* sealed; purpose "webhook_token": X-Gitlab-Token */
    struct wh_connection_pair pairs[WH_CONNECTION_PAIRS_MAX]; /* oldest first */
    size_t n_pairs;
    int64_t pairs_forgotten; /* revoked ones that are not listed any more */
};

/* A secret in a document: what it is for, where it is, and the address that it is sealed for. */
struct wh_connection_secret {
    const char *purpose;
    struct wh_slice *sealed;
    struct wh_slice address;
};
enum { WH_CONNECTION_SECRETS_MAX = 5 + WH_CONNECTION_PAIRS_MAX };
/* Those of c that are not empty; how many. Every sealed value of a document is among them. */
size_t wh_connection_secrets(struct wh_connection *c,
                             struct wh_connection_secret ret[WH_CONNECTION_SECRETS_MAX]);

/* What sync and people do with a state; anything unknown counts as an error, never as connected. */
enum wh_connection_class {
    WH_CONNECTION_MISSING,    /* to_configure, disabled, or none */
    WH_CONNECTION_CONNECTING, /* processing */
    WH_CONNECTION_CONNECTED,  /* enabled */
    WH_CONNECTION_ERROR,      /* degraded, error, need_reconnect, suspended, and any other word */
};
enum wh_connection_class wh_connection_class(struct wh_slice state);

/* The address that stands in raw events, and so in entity ids: it outlives a move to https. */
struct wh_slice wh_connection_identity(const struct wh_connection *c);

/* {"id":...,"instance":...,"state":...,...}; unknown keys are ignored by parse. */
WH_MUST_CHECK enum wh_rc wh_connection_write(const struct wh_connection *c, struct wh_buf *out,
                                             struct wh_err *err);
/* Slices live in the arena. WH_E_INVALID, WH_E_MISSING. */
WH_MUST_CHECK enum wh_rc wh_connection_parse(struct wh_slice document,
                                             struct wh_json_parser *parser, struct wh_arena *arena,
                                             struct wh_connection *ret, struct wh_err *err);

#endif
