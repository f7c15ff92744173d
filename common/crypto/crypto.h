/*
 * crypto.h - hashes, HMAC, random bytes and authenticated encryption, by OpenSSL 3. Thread: any.
 */
#ifndef WH_CRYPTO_CRYPTO_H
#define WH_CRYPTO_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

#define WH_SHA1_BYTES 20
#define WH_SHA256_BYTES 32
#define WH_AEAD_KEY_BYTES 32

/* SHA-1 over the concatenated parts, for name-based UUIDs only (RFC 9562, version 5). Never fails. */
void wh_sha1(const struct wh_slice *parts, size_t n, unsigned char ret[WH_SHA1_BYTES]);
WH_MUST_CHECK enum wh_rc wh_sha256(struct wh_slice bytes, unsigned char ret[WH_SHA256_BYTES],
                                   struct wh_err *err);
/* Of a file's content, which is read in pieces. WH_E_IO. */
WH_MUST_CHECK enum wh_rc wh_sha256_file(const char *path, unsigned char ret[WH_SHA256_BYTES],
                                        struct wh_err *err);
/* HMAC-SHA256 over the concatenated parts. */
WH_MUST_CHECK enum wh_rc wh_hmac_sha256(struct wh_slice key, const struct wh_slice *parts,
                                        size_t n_parts, unsigned char ret[WH_SHA256_BYTES],
                                        struct wh_err *err);
/* Runs in a time that depends on the lengths alone. */
bool wh_constant_time_eq(struct wh_slice a, struct wh_slice b);
WH_MUST_CHECK enum wh_rc wh_random_bytes(void *to, size_t n, struct wh_err *err);
/* AES-256-GCM. Appends a 12-byte nonce, ciphertext and 16-byte tag. aad is authenticated, not stored. */
WH_MUST_CHECK enum wh_rc wh_aead_seal(const unsigned char key[WH_AEAD_KEY_BYTES],
                                      struct wh_slice plain, struct wh_slice aad,
                                      struct wh_buf *out, struct wh_err *err);
/* WH_E_AUTH when the bytes are damaged, or the key or aad differ from those used to seal. */
WH_MUST_CHECK enum wh_rc wh_aead_open(const unsigned char key[WH_AEAD_KEY_BYTES],
                                      struct wh_slice sealed, struct wh_slice aad,
                                      struct wh_buf *out, struct wh_err *err);

#endif
