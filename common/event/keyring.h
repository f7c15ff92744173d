/*
 * keyring.h - the key file of an installation: the keys that seal secrets (seal.h).
 *
 * The file has one to four lines with one key each: "key2:" and 64 hexadecimal digits, or, written by
 * versions that supported only one key, 64 hexadecimal digits alone. The first key seals; all keys
 * open. During a rotation the file has the new key first and the old one after it.
 *
 * Every process of an installation reads the same file. A process checks whether it has changed before
 * sealing and when a value names an unknown key. Keys that are no longer in the file can still open
 * values until the process ends.
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
    WH_KEYS_MAX = 16, /* including those that were in the file earlier */
    WH_KEY_NAME_BYTES = 8
};

struct wh_key {
    unsigned char bytes[WH_AEAD_KEY_BYTES];
    char name[WH_KEY_NAME_BYTES + 1]; /* derived from the key by HMAC; not a secret */
    bool opens_unnamed;               /* a key without "key2:" may have sealed unnamed values */
};

struct wh_keyring {
    char path[1024];
    struct wh_key keys[WH_KEYS_MAX]; /* [0] seals; the first n_file are in the file */
    size_t n;
    size_t n_file;
    /* The file's identity when it was read. */
    dev_t device;
    ino_t inode;
    struct timespec changed_at;
};

/* Reads the file, which must have mode 0600 (wh_conf_secret_read). With create, writes a file with a
 * random key if there is none. WH_E_CONFIG. */
WH_MUST_CHECK enum wh_rc wh_keyring_load(struct wh_keyring *ring, const char *path, bool create,
                                         struct wh_err *err);
/* Reads the file again if it has changed. On failure the ring keeps its keys. */
WH_MUST_CHECK enum wh_rc wh_keyring_refresh(struct wh_keyring *ring, bool *ret_changed,
                                            struct wh_err *err);
/* A ring of one key without a file, for tests. */
void wh_keyring_of(struct wh_keyring *ring, const unsigned char bytes[WH_AEAD_KEY_BYTES],
                   bool opens_unnamed, struct wh_err *err);
/*
 * Adds a new random key as the first, in the file and in the ring. WH_E_BUSY: the file has several keys
 * because an earlier rotation has not finished, or another process is changing it. WH_E_CONFIG: the
 * file cannot be replaced. A lock on "<path>.lock" serializes the processes that share the file.
 */
WH_MUST_CHECK enum wh_rc wh_keyring_add(struct wh_keyring *ring, struct wh_err *err);
/* Removes all keys but the first from the file. WH_E_BUSY: it has changed since it was read. */
WH_MUST_CHECK enum wh_rc wh_keyring_drop_old(struct wh_keyring *ring, struct wh_err *err);
/* The key with that name, or NULL. */
const struct wh_key *wh_keyring_find(const struct wh_keyring *ring, struct wh_slice name);
void wh_keyring_wipe(struct wh_keyring *ring);

#endif
