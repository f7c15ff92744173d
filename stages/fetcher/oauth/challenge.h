/*
 * challenge.h - WWW-Authenticate (RFC 9110 11.6.1, RFC 6750 3, RFC 9728 5.1): what a 401 or 403
 * asks for. It reads several challenges in one header or in several headers, quoted strings with
 * escapes and commas, parameters in any order, and names and schemes in any case. Pure.
 */
#ifndef WH_FETCHER_OAUTH_CHALLENGE_H
#define WH_FETCHER_OAUTH_CHALLENGE_H

#include "common/httpc/httpc.h"

enum { OAUTH_SCOPE_MAX = 1024 };

struct oauth_challenge {
    bool bearer; /* there was a Bearer challenge; the fields are those of the first one */
    char resource_metadata[2048];
    char scope[OAUTH_SCOPE_MAX];
    char error[64];
};

/* Reads one header. A Bearer challenge that ret has already stays. A value that is too long, or not
 * visible ASCII and spaces, is treated as absent. */
void oauth_challenge_read(struct wh_slice header, struct oauth_challenge *ret);
/* Reads all such headers of an answer into ret. */
void oauth_challenge_of(const struct wh_httpc_answer *answer, struct oauth_challenge *ret);

#endif
