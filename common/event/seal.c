#include "common/event/seal.h"

#include "common/base/enc.h"
#include "common/base/mem.h"

enum { PLACE_MAX_BYTES = 2048, SEALED_MAX_BYTES = 64 << 10 };

static const char form[] = "2.";

/* No part contains a newline: ids and purposes are plain words, addresses are visible ASCII. */
static enum wh_rc place_text(const struct wh_seal_place *place, struct wh_buf *out,
                             struct wh_err *err)
{
    wh_buf_init(out, PLACE_MAX_BYTES);
    if (place->address.len == 0 || memchr(place->address.ptr, '\n', place->address.len)) {
        return wh_fail(err, WH_E_INVALID, "a secret can be sealed only for an address");
    }
    return wh_buf_printf(out, err, "wellhead seal 2\n%.*s\n%s\n%.*s",
                         WH_SLICE_ARG(place->connection), place->purpose,
                         WH_SLICE_ARG(place->address));
}

static enum wh_rc unnamed_place_text(const struct wh_seal_place *place, struct wh_buf *out,
                                     struct wh_err *err)
{
    wh_buf_init(out, PLACE_MAX_BYTES);
    return wh_buf_printf(out, err, "%.*s/%s", WH_SLICE_ARG(place->connection), place->purpose);
}

/* "2.<name>.<base64>"; false for any other form. */
static bool split(struct wh_slice sealed, struct wh_slice *ret_name, struct wh_slice *ret_text)
{
    struct wh_slice rest;

    if (!wh_slice_starts(sealed, WH_LIT(form))) {
        return false;
    }
    rest = wh_slice_from(sealed, sizeof(form) - 1);
    if (rest.len <= WH_KEY_NAME_BYTES || rest.ptr[WH_KEY_NAME_BYTES] != '.') {
        return false;
    }
    *ret_name = wh_slice(rest.ptr, WH_KEY_NAME_BYTES);
    *ret_text = wh_slice_from(rest, WH_KEY_NAME_BYTES + 1);
    return true;
}

bool wh_secret_is_current(const struct wh_keyring *ring, struct wh_slice sealed)
{
    struct wh_slice name;
    struct wh_slice text;

    return split(sealed, &name, &text) && wh_slice_eq(name, wh_slice_str(ring->keys[0].name));
}

enum wh_rc wh_secret_seal(struct wh_keyring *ring, const struct wh_seal_place *place,
                          struct wh_slice secret, struct wh_buf *out, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf aad = {0};
    WH_AUTO(buf) struct wh_buf sealed;
    bool changed;

    wh_buf_init(&sealed, SEALED_MAX_BYTES);
    /* If the key file cannot be read now, the known key seals, so that no secret is lost. */
    (void)!wh_keyring_refresh(ring, &changed, err);
    if (place_text(place, &aad, err) != WH_OK ||
        wh_aead_seal(ring->keys[0].bytes, secret, wh_buf_slice(&aad), &sealed, err) != WH_OK ||
        wh_buf_printf(out, err, "%s%s.", form, ring->keys[0].name) != WH_OK) {
        return err->rc;
    }
    return wh_base64_encode(wh_buf_slice(&sealed), out, err);
}

/* The key may have been added to the file after the ring was loaded. */
static const struct wh_key *find_key(struct wh_keyring *ring, struct wh_slice name)
{
    const struct wh_key *key = wh_keyring_find(ring, name);
    bool changed;
    struct wh_err err;

    if (key == NULL && wh_keyring_refresh(ring, &changed, &err) == WH_OK && changed) {
        key = wh_keyring_find(ring, name);
    }
    return key;
}

static enum wh_rc open_named(struct wh_keyring *ring, const struct wh_seal_place *place,
                             struct wh_slice name, struct wh_slice text, struct wh_buf *out,
                             struct wh_err *err)
{
    const struct wh_key *key = find_key(ring, name);
    WH_AUTO(buf) struct wh_buf aad = {0};
    WH_AUTO(buf) struct wh_buf bytes;

    wh_buf_init(&bytes, SEALED_MAX_BYTES);
    if (place_text(place, &aad, err) != WH_OK || wh_base64_decode(text, &bytes, err) != WH_OK) {
        return err->rc;
    }
    if (key == NULL) {
        return wh_fail(err, WH_E_AUTH, "sealed by key %.*s, which the key file does not hold",
                       WH_SLICE_ARG(name));
    }
    return wh_aead_open(key->bytes, wh_buf_slice(&bytes), wh_buf_slice(&aad), out, err);
}

static enum wh_rc open_unnamed(const struct wh_keyring *ring, const struct wh_seal_place *place,
                               struct wh_slice sealed, struct wh_buf *out, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf aad = {0};
    WH_AUTO(buf) struct wh_buf bytes;

    wh_buf_init(&bytes, SEALED_MAX_BYTES);
    if (unnamed_place_text(place, &aad, err) != WH_OK ||
        wh_base64_decode(sealed, &bytes, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < ring->n; i++) {
        if (ring->keys[i].opens_unnamed && wh_aead_open(ring->keys[i].bytes, wh_buf_slice(&bytes),
                                                        wh_buf_slice(&aad), out, err) == WH_OK) {
            return WH_OK;
        }
    }
    return wh_fail(err, WH_E_AUTH, "sealed by a key that the key file does not hold");
}

enum wh_rc wh_secret_open(struct wh_keyring *ring, const struct wh_seal_place *place,
                          struct wh_slice sealed, struct wh_buf *out, struct wh_err *err)
{
    struct wh_slice name;
    struct wh_slice text;

    return split(sealed, &name, &text) ? open_named(ring, place, name, text, out, err)
                                       : open_unnamed(ring, place, sealed, out, err);
}
