/*
 * keyring.h - the key file of an installation: the keys that seal secrets (seal.h).
 *
 * The file holds one to four lines, one key each: "key2:" and 64 hexadecimal digits, or, from
 * versions that knew one key only, 64 hexadecimal digits alone. The first key seals; each of them
 * opens. While keys are rotated the file holds the new key first and the old one after it.
 *
 * Every process of an installation reads the same file. A process reads it again when the file has
 * changed: before it seals, and when it meets the name of a key that it does not know. Keys that
 * the file no longer holds stay usable for opening until the process ends.
 *
 * Thread: app.
 */
#ifndef WH_EVENT_KEYRING_H
#define WH_EVENT_KEYRING_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/crypto/crypto.h"

enum {
    WH_KEYS_IN_FILE_MAX = 4,
    WH_KEYS_MAX = 16, /* with those that the file held earlier */
    WH_KEY_NAME_BYTES = 8
};

struct wh_key {
    unsigned char bytes[WH_AEAD_KEY_BYTES];
    char name[WH_KEY_NAME_BYTES + 1]; /* derived from the key by HMAC; no secret */
    bool opens_unnamed;               /* a key without "key2:" may have sealed unnamed values */
};

struct wh_keyring {
    char path[1024];
    struct wh_key keys[WH_KEYS_MAX]; /* [0] seals; the first n_file are in the file */
    size_t n;
    size_t n_file;
    /* What the file was when it was read. */
    dev_t device;
    ino_t inode;
    struct timespec changed_at;
};

/* Reads the file, which must have mode 0600 (wh_conf_secret_read); with create, makes it when there
 * is none. WH_E_CONFIG. */
WH_MUST_CHECK enum wh_rc wh_keyring_load(struct wh_keyring *ring, const char *path, bool create,
                                         struct wh_err *err);
/* Reads the file again if it is another one. On failure the ring keeps what it has. */
WH_MUST_CHECK enum wh_rc wh_keyring_refresh(struct wh_keyring *ring, bool *ret_changed,
                                            struct wh_err *err);
/* One key and no file, for tests. */
void wh_keyring_of(struct wh_keyring *ring, const unsigned char bytes[WH_AEAD_KEY_BYTES],
                   bool opens_unnamed, struct wh_err *err);
/*
 * Puts a new random key first, in the file and in the ring. WH_E_BUSY when the file holds several
 * keys already: an earlier rotation has not ended. WH_E_CONFIG when the file cannot be replaced.
 * Processes that share the file exclude each other by a lock on "<path>.lock".
 */
WH_MUST_CHECK enum wh_rc wh_keyring_add(struct wh_keyring *ring, struct wh_err *err);
/* Leaves the first key alone in the file. WH_E_BUSY when the file has changed since it was read. */
WH_MUST_CHECK enum wh_rc wh_keyring_drop_old(struct wh_keyring *ring, struct wh_err *err);
/* The key of that name, or NULL. */
const struct wh_key *wh_keyring_find(const struct wh_keyring *ring, struct wh_slice name);
void wh_keyring_wipe(struct wh_keyring *ring);

#endif
