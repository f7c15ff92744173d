/* tokens_priv.h - secrets that are given out and of which a hash is kept, and the files of those hashes. */
#ifndef WH_SINK_TOKENS_PRIV_H
#define WH_SINK_TOKENS_PRIV_H

#include <pthread.h>

#include "common/base/buf.h"

enum { TOKEN_TEXT = 64 };

/* Holds a mutex up to the end of the scope. */
#define TOKENS_HOLD(mutex)                                                                         \
    __attribute__((cleanup(tokens_let_go))) pthread_mutex_t *held = tokens_hold(mutex)
static inline pthread_mutex_t *tokens_hold(pthread_mutex_t *mutex)
{
    (void)pthread_mutex_lock(mutex);
    return mutex;
}
static inline void tokens_let_go(pthread_mutex_t **held)
{
    (void)pthread_mutex_unlock(*held);
}

/* The SHA-256 of a secret in hex. */
WH_MUST_CHECK enum wh_rc tokens_hash(struct wh_slice secret, char ret[TOKEN_TEXT + 1],
                                     struct wh_err *err);
/* A new secret of 256 random bits in hex, which the caller wipes, and its hash. */
WH_MUST_CHECK enum wh_rc tokens_new(char ret[TOKEN_TEXT + 1], char ret_hash[TOKEN_TEXT + 1],
                                    struct wh_err *err);

#endif
