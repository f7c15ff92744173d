/*
 * SHA-1 for name-based ids. Uses OpenSSL's deprecated calls, because setting up its EVP interface
 * takes longer than hashing a short name, and every event needs ids.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/sha.h>

#include "common/crypto/crypto.h"

void wh_sha1(const struct wh_slice *parts, size_t n, unsigned char ret[WH_SHA1_BYTES])
{
    SHA_CTX ctx;

    (void)SHA1_Init(&ctx);
    for (size_t i = 0; i < n; i++) {
        (void)SHA1_Update(&ctx, parts[i].ptr, parts[i].len);
    }
    (void)SHA1_Final(ret, &ctx);
}
