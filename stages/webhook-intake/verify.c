#include "stages/webhook-intake/verify.h"

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/crypto/crypto.h"

enum { MS_PER_S = 1000, SIGNATURE_TEXT_MAX = 64 };

/* Later than any clock of ours, and far from overflow in ms. */
#define TIMESTAMP_MAX_S INT64_C(1000000000000)

static bool fresh(struct wh_slice timestamp, int64_t now_ms, bool *ret_number)
{
    struct wh_err err;
    int64_t s = 0;
    int64_t apart;

    *ret_number = wh_num_i64(timestamp, &s, &err) == WH_OK && s >= 0 && s < TIMESTAMP_MAX_S;
    if (!*ret_number) {
        return false;
    }
    apart = now_ms - s * MS_PER_S;
    return apart <= INTAKE_TOLERANCE_MS && apart >= -INTAKE_TOLERANCE_MS;
}

static enum intake_verdict head_of_signed(const struct intake_proof *proof,
                                          const struct intake_secrets *secrets, int64_t now_ms)
{
    bool number;

    if (secrets->key.len == 0 || proof->id.len == 0 || proof->timestamp.len == 0) {
        return INTAKE_FORGED;
    }
    if (!fresh(proof->timestamp, now_ms, &number)) {
        return number ? INTAKE_STALE : INTAKE_FORGED;
    }
    return INTAKE_BODY_NEEDED;
}

enum intake_verdict intake_verify_head(const struct intake_proof *proof,
                                       const struct intake_secrets *secrets, int64_t now_ms)
{
    if (proof->signature.ptr) {
        return head_of_signed(proof, secrets, now_ms);
    }
    if (proof->token.ptr == NULL || secrets->token.len == 0) {
        return INTAKE_ANONYMOUS;
    }
    return wh_constant_time_eq(proof->token, secrets->token) ? INTAKE_AUTHENTIC : INTAKE_FORGED;
}

/* The header's value must hold what we would have written. */
static enum wh_rc expected(const struct intake_proof *proof, const struct intake_secrets *secrets,
                           struct wh_slice body, struct wh_buf *out, struct wh_err *err)
{
    const struct wh_slice parts[] = {proof->id, WH_LIT("."), proof->timestamp, WH_LIT("."), body};
    unsigned char mac[WH_SHA256_BYTES];

    if (wh_hmac_sha256(secrets->key, parts, sizeof(parts) / sizeof(parts[0]), mac, err) != WH_OK ||
        wh_buf_append(out, WH_LIT("v1,"), err) != WH_OK) {
        return err->rc;
    }
    return wh_base64_encode(wh_slice(mac, sizeof(mac)), out, err);
}

enum intake_verdict intake_verify_body(const struct intake_proof *proof,
                                       const struct intake_secrets *secrets, struct wh_slice body)
{
    WH_AUTO(buf) struct wh_buf wanted;
    struct wh_slice left = proof->signature;
    struct wh_err err;
    bool found = false;

    wh_buf_init(&wanted, SIGNATURE_TEXT_MAX);
    /* An empty key would make anybody's signature right. */
    if (secrets->key.len == 0 || expected(proof, secrets, body, &wanted, &err) != WH_OK) {
        return INTAKE_FORGED;
    }
    for (int i = 0; i < INTAKE_SIGNATURES_MAX && left.len; i++) {
        const char *space = memchr(left.ptr, ' ', left.len);
        size_t n = space ? (size_t)(space - left.ptr) : left.len;

        found |= wh_constant_time_eq(wh_slice(left.ptr, n), wh_buf_slice(&wanted));
        left = wh_slice_from(left, space ? n + 1 : n);
    }
    return found ? INTAKE_AUTHENTIC : INTAKE_FORGED;
}

enum wh_rc intake_verify_key(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    static const struct wh_slice prefix = {"whsec_", 6};
    size_t before = out->len;

    if (!wh_slice_starts(text, prefix) ||
        wh_base64_decode(wh_slice_from(text, prefix.len), out, err) != WH_OK ||
        out->len == before || out->len - before > INTAKE_KEY_MAX_BYTES) {
        return wh_fail(err, WH_E_INVALID, "the signing key is not whsec_ and base64");
    }
    return WH_OK;
}
