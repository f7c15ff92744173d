/*
 * verify.h - is a delivery from the GitLab that we know? Pure: bytes and a time in, a verdict out.
 *
 * A signature (Standard Webhooks) decides when its header is there, and nothing else then does: a
 * wrong one never falls back to the token. Without it X-Gitlab-Token is compared in constant time.
 *
 *   webhook-signature: v1,<base64 of HMAC-SHA256(key, id "." timestamp "." body)> [more, by spaces]
 */
#ifndef INTAKE_VERIFY_H
#define INTAKE_VERIFY_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/slice.h"

enum {
    INTAKE_TOLERANCE_MS = 5 * 60 * 1000, /* between webhook-timestamp and our clock, both ways */
    INTAKE_SIGNATURES_MAX = 16,          /* of one header; the rest is not looked at */
    INTAKE_KEY_MAX_BYTES = 256,
};

/* What the request brings; ptr NULL for a header that is absent. */
struct intake_proof {
    struct wh_slice id;        /* webhook-id */
    struct wh_slice timestamp; /* webhook-timestamp, Unix seconds */
    struct wh_slice signature; /* webhook-signature */
    struct wh_slice token;     /* x-gitlab-token */
};

/* What the connection has; empty for none. */
struct intake_secrets {
    struct wh_slice key; /* decoded bytes */
    struct wh_slice token;
};

enum intake_verdict {
    INTAKE_AUTHENTIC,
    INTAKE_BODY_NEEDED, /* signed, and good so far: ask intake_verify_body */
    INTAKE_ANONYMOUS,   /* no signature, and no token that could be compared */
    INTAKE_FORGED,
    INTAKE_STALE, /* signed too long ago, or in the future */
};

/* What the headers alone tell, so that bodies of strangers are not read. */
enum intake_verdict intake_verify_head(const struct intake_proof *proof,
                                       const struct intake_secrets *secrets, int64_t now_ms);
/* AUTHENTIC or FORGED; after BODY_NEEDED only. */
enum intake_verdict intake_verify_body(const struct intake_proof *proof,
                                       const struct intake_secrets *secrets, struct wh_slice body);
/* "whsec_" and base64, as GitLab's settings show it; appends the key's bytes. WH_E_INVALID. */
WH_MUST_CHECK enum wh_rc intake_verify_key(struct wh_slice text, struct wh_buf *out,
                                           struct wh_err *err);

#endif
