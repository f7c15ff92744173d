/* parts_priv.h - the parts of an access, for the files of this room. */
#ifndef WH_FETCHER_ACCESS_PARTS_PRIV_H
#define WH_FETCHER_ACCESS_PARTS_PRIV_H

#include "stages/fetcher/access/access_env.h"

struct access {
    struct access_env env;
    struct client *client;         /* REST; NULL while no credential reads it */
    struct mcp *mcp;               /* NULL without an approval */
    struct credential *credential; /* never NULL */
    struct sources *sources;       /* never NULL */
    struct revoke *revoke;         /* never NULL */
    bool token_refused;            /* GitLab no longer takes the read_api token */
    uint64_t token_hash;           /* of the sealed read_api token in use */
    bool rest_by_oauth;            /* the client sends the OAuth token */
    uint64_t requests;             /* of clients and sessions that were freed */
};

static inline bool parts_have_token(const struct access *a)
{
    return a->env.doc->token_sealed.len > 0 && !a->token_refused;
}

#endif
