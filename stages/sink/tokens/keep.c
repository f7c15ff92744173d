#include <string.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/crypto/crypto.h"
#include "stages/sink/tokens/tokens_priv.h"

enum { SECRET_BYTES = 32 };

enum wh_rc tokens_hash(struct wh_slice secret, char ret[TOKEN_TEXT + 1], struct wh_err *err)
{
    unsigned char hash[WH_SHA256_BYTES];
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, TOKEN_TEXT);
    if (wh_sha256(secret, hash, err) != WH_OK ||
        wh_hex_encode(wh_slice(hash, sizeof(hash)), &text, err) != WH_OK) {
        return err->rc;
    }
    memcpy(ret, text.ptr, TOKEN_TEXT);
    ret[TOKEN_TEXT] = 0;
    return WH_OK;
}

enum wh_rc tokens_new(char ret[TOKEN_TEXT + 1], char ret_hash[TOKEN_TEXT + 1], struct wh_err *err)
{
    unsigned char secret[SECRET_BYTES];
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init_secret(&text, TOKEN_TEXT);
    if (wh_random_bytes(secret, sizeof(secret), err) != WH_OK ||
        wh_hex_encode(wh_slice(secret, sizeof(secret)), &text, err) != WH_OK) {
        return err->rc;
    }
    wh_mem_wipe(secret, sizeof(secret));
    memcpy(ret, text.ptr, TOKEN_TEXT);
    ret[TOKEN_TEXT] = 0;
    return tokens_hash(wh_slice(ret, TOKEN_TEXT), ret_hash, err);
}
