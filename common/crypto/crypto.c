#include "common/crypto/crypto.h"

#include <limits.h>
#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

enum { NONCE_BYTES = 12, TAG_BYTES = 16, FILE_PIECE_BYTES = 8 << 10 };

enum wh_rc wh_sha256(struct wh_slice bytes, unsigned char ret[WH_SHA256_BYTES], struct wh_err *err)
{
    if (EVP_Digest(bytes.ptr, bytes.len, ret, NULL, EVP_sha256(), NULL) != 1) {
        return wh_fail(err, WH_E_INTERNAL, "SHA-256 failed");
    }
    return WH_OK;
}

static bool digest_stream(EVP_MD_CTX *ctx, FILE *f, unsigned char ret[WH_SHA256_BYTES])
{
    char piece[FILE_PIECE_BYTES];
    size_t n = sizeof(piece);

    if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        return false;
    }
    while (n == sizeof(piece)) {
        n = fread(piece, 1, sizeof(piece), f);
        if (EVP_DigestUpdate(ctx, piece, n) != 1) {
            return false;
        }
    }
    return !ferror(f) && EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
}

enum wh_rc wh_sha256_file(const char *path, unsigned char ret[WH_SHA256_BYTES], struct wh_err *err)
{
    FILE *f = fopen(path, "re");
    EVP_MD_CTX *ctx = f ? EVP_MD_CTX_new() : NULL;
    bool ok = ctx && digest_stream(ctx, f, ret);

    EVP_MD_CTX_free(ctx);
    if (f) {
        (void)fclose(f);
    }
    return ok ? WH_OK : wh_fail(err, WH_E_IO, "%.200s cannot be read", path);
}

static bool hmac_parts(EVP_MAC_CTX *ctx, struct wh_slice key, const struct wh_slice *parts,
                       size_t n_parts, unsigned char ret[WH_SHA256_BYTES])
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                           OSSL_PARAM_construct_end()};
    size_t len = 0;

    if (EVP_MAC_init(ctx, (const unsigned char *)key.ptr, key.len, params) != 1) {
        return false;
    }
    for (size_t i = 0; i < n_parts; i++) {
        if (EVP_MAC_update(ctx, (const unsigned char *)parts[i].ptr, parts[i].len) != 1) {
            return false;
        }
    }
    return EVP_MAC_final(ctx, ret, &len, WH_SHA256_BYTES) == 1 && len == WH_SHA256_BYTES;
}

enum wh_rc wh_hmac_sha256(struct wh_slice key, const struct wh_slice *parts, size_t n_parts,
                          unsigned char ret[WH_SHA256_BYTES], struct wh_err *err)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    bool ok = ctx != NULL && hmac_parts(ctx, key, parts, n_parts, ret);

    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return ok ? WH_OK : wh_fail(err, WH_E_INTERNAL, "HMAC-SHA256 failed");
}

bool wh_constant_time_eq(struct wh_slice a, struct wh_slice b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

enum wh_rc wh_random_bytes(void *to, size_t n, struct wh_err *err)
{
    if (n > INT_MAX || RAND_bytes(to, (int)n) != 1) {
        return wh_fail(err, WH_E_INTERNAL, "the random number generator failed");
    }
    return WH_OK;
}

static bool seal_into(EVP_CIPHER_CTX *ctx, const unsigned char *key, const unsigned char *nonce,
                      struct wh_slice plain, struct wh_slice aad, unsigned char *to)
{
    int n = 0;

    return EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)aad.ptr, (int)aad.len) == 1 &&
           EVP_EncryptUpdate(ctx, to, &n, (const unsigned char *)plain.ptr, (int)plain.len) == 1 &&
           EVP_EncryptFinal_ex(ctx, to + n, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, to + plain.len) == 1;
}

enum wh_rc wh_aead_seal(const unsigned char key[WH_AEAD_KEY_BYTES], struct wh_slice plain,
                        struct wh_slice aad, struct wh_buf *out, struct wh_err *err)
{
    unsigned char nonce[NONCE_BYTES];
    EVP_CIPHER_CTX *ctx;
    bool ok;

    if (plain.len > INT_MAX - NONCE_BYTES - TAG_BYTES || aad.len > INT_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "too large to seal");
    }
    if (wh_random_bytes(nonce, sizeof(nonce), err) != WH_OK ||
        wh_buf_reserve(out, NONCE_BYTES + plain.len + TAG_BYTES, err) != WH_OK) {
        return err->rc;
    }
    ctx = EVP_CIPHER_CTX_new();
    memcpy(out->ptr + out->len, nonce, NONCE_BYTES);
    ok = ctx != NULL &&
         seal_into(ctx, key, nonce, plain, aad, (unsigned char *)out->ptr + out->len + NONCE_BYTES);
    EVP_CIPHER_CTX_free(ctx);
    if (!ok) {
        return wh_fail(err, WH_E_INTERNAL, "sealing failed");
    }
    out->len += NONCE_BYTES + plain.len + TAG_BYTES;
    out->ptr[out->len] = '\0';
    return WH_OK;
}

static bool open_into(EVP_CIPHER_CTX *ctx, const unsigned char *key, struct wh_slice sealed,
                      struct wh_slice aad, unsigned char *to)
{
    const unsigned char *bytes = (const unsigned char *)sealed.ptr;
    size_t text_len = sealed.len - NONCE_BYTES - TAG_BYTES;
    unsigned char tag[TAG_BYTES];
    int n = 0;

    memcpy(tag, bytes + sealed.len - TAG_BYTES, sizeof(tag));
    return EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, bytes) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)aad.ptr, (int)aad.len) == 1 &&
           EVP_DecryptUpdate(ctx, to, &n, bytes + NONCE_BYTES, (int)text_len) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, to + n, &n) == 1;
}

enum wh_rc wh_aead_open(const unsigned char key[WH_AEAD_KEY_BYTES], struct wh_slice sealed,
                        struct wh_slice aad, struct wh_buf *out, struct wh_err *err)
{
    EVP_CIPHER_CTX *ctx;
    size_t text_len;
    bool ok;

    if (sealed.len < NONCE_BYTES + TAG_BYTES || sealed.len > INT_MAX || aad.len > INT_MAX) {
        return wh_fail(err, WH_E_AUTH, "the sealed value is truncated or damaged");
    }
    text_len = sealed.len - NONCE_BYTES - TAG_BYTES;
    if (wh_buf_reserve(out, text_len + 1, err) != WH_OK) {
        return err->rc;
    }
    ctx = EVP_CIPHER_CTX_new();
    ok = ctx != NULL && open_into(ctx, key, sealed, aad, (unsigned char *)out->ptr + out->len);
    EVP_CIPHER_CTX_free(ctx);
    if (!ok) {
        OPENSSL_cleanse(out->ptr + out->len, text_len);
        return wh_fail(err, WH_E_AUTH, "the sealed value cannot be opened with this key");
    }
    out->len += text_len;
    out->ptr[out->len] = '\0';
    return WH_OK;
}
