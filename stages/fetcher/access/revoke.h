/*
 * revoke.h - replaced token pairs are revoked at GitLab (RFC 7009): the refresh token, then the
 * access token, with the client that they were issued to, at the address that issued them.
 *
 * What GitLab cannot answer now (5xx, time-outs) is tried again with back-off, by a later owner
 * too; what it refuses for good stays in the connection's list with the reason. Thread: app.
 */
#ifndef WH_FETCHER_REVOKE_H
#define WH_FETCHER_REVOKE_H

#include "stages/fetcher/conn/fetcher.h"

struct revoke;

/* NULL: no memory. */
struct revoke *revoke_new(struct conn *c);
/* Accepts NULL. */
void revoke_free(struct revoke *r);
/* The connection's document may hold a replaced pair: begins, or goes on. */
void revoke_look(struct conn *c);
/* A replaced pair is not revoked yet, and it is tried again. */
bool revoke_under_way(const struct conn *c);
/* Why the last try failed; "" when none did. */
const char *revoke_problem(const struct conn *c);

#endif
