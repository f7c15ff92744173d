/*
 * revoke.h - revokes replaced token pairs at GitLab (RFC 7009): first the refresh token, then the
 * access token, with the client that they were issued to, at the address that issued them.
 *
 * When GitLab cannot answer (5xx, time-out), the revocation is tried again with back-off, if need be
 * by a later owner of the connection. What GitLab refuses for good stays in the connection's list of
 * pairs, with the reason. Thread: app.
 */
#ifndef WH_FETCHER_REVOKE_H
#define WH_FETCHER_REVOKE_H

#include "stages/fetcher/access/access_env.h"

struct credential;
struct revoke;

/* Both are borrowed until revoke_free. Returns NULL without memory. */
struct revoke *revoke_new(const struct access_env *env, const struct credential *credential);
/* Cancels a request that is under way. Accepts NULL. */
void revoke_free(struct revoke *r);
/* The document may hold a replaced pair: begins to revoke it, unless that is under way. */
void revoke_look(struct revoke *r);
/* A replaced pair is not revoked yet, and its revocation is tried again. */
bool revoke_under_way(const struct revoke *r);
/* Why the last attempt failed; "" when it did not. */
const char *revoke_problem(const struct revoke *r);

#endif
