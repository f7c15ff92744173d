/* tokens_priv.h - secrets that are given out and of which a hash is kept, and the files of those hashes. */
#ifndef WH_SINK_TOKENS_PRIV_H
#define WH_SINK_TOKENS_PRIV_H

#include "common/base/buf.h"

enum { TOKEN_TEXT = 64 };

/* The SHA-256 of a secret in hex. */
WH_MUST_CHECK enum wh_rc tokens_hash(struct wh_slice secret, char ret[TOKEN_TEXT + 1],
                                     struct wh_err *err);
/* A new secret of 256 random bits in hex, which the caller wipes, and its hash. */
WH_MUST_CHECK enum wh_rc tokens_new(char ret[TOKEN_TEXT + 1], char ret_hash[TOKEN_TEXT + 1],
                                    struct wh_err *err);
/* Replaces the file, which has mode 0600, at once and durably. */
WH_MUST_CHECK enum wh_rc tokens_save(const char *path, struct wh_slice text, struct wh_err *err);

#endif
