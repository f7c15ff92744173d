/*
 * challenge.h - WWW-Authenticate (RFC 9110 11.6.1, RFC 6750 3, RFC 9728 5.1): what a 401 or 403
 * asks for. Several challenges in one header or in several, quoted strings with escapes and commas,
 * parameters in any order, names and schemes in any case. Pure.
 */
#ifndef WH_FETCHER_OAUTH_CHALLENGE_H
#define WH_FETCHER_OAUTH_CHALLENGE_H

#include "common/httpc/httpc.h"

enum { OAUTH_SCOPE_MAX = 1024 };

struct oauth_challenge {
    bool bearer; /* a Bearer challenge was there; the first one that is counts */
    char resource_metadata[2048];
    char scope[OAUTH_SCOPE_MAX];
    char error[64];
};

/* Of one header; what ret holds already stays. A value that is too long or not visible ASCII (and
 * space) is as good as absent. */
void oauth_challenge_read(struct wh_slice header, struct oauth_challenge *ret);
/* Of all such headers of an answer. */
void oauth_challenge_of(const struct wh_httpc_answer *answer, struct oauth_challenge *ret);

#endif
