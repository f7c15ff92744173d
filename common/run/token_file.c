/* The bearer token: a file of its own, made on first start. */
#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/crypto/crypto.h"
#include "common/run/token_file.h"

enum { TOKEN_BYTES = 32, TOKEN_TEXT_MIN = 16 };

static enum wh_rc create(const char *path, struct wh_err *err)
{
    unsigned char secret[TOKEN_BYTES];
    WH_AUTO(buf) struct wh_buf text;
    enum wh_rc rc;

    wh_buf_init_secret(&text, WH_TOKEN_TEXT);
    rc = wh_random_bytes(secret, sizeof(secret), err);
    if (rc == WH_OK) {
        rc = wh_hex_encode(wh_slice(secret, sizeof(secret)), &text, err);
    }
    if (rc == WH_OK) {
        rc = wh_conf_secret_create(path, wh_buf_slice(&text), err);
    }
    wh_mem_wipe(secret, sizeof(secret));
    return rc;
}

enum wh_rc wh_token_file_load(const char *path, char ret[WH_TOKEN_TEXT + 1], struct wh_err *err)
{
    char *text = NULL;
    size_t len;

    if (path == NULL || path[0] == 0) {
        return wh_fail(err, WH_E_CONFIG, "no token file is set: the API would have no token");
    }
    if (create(path, err) != WH_OK ||
        wh_conf_secret_read(path, WH_TOKEN_TEXT, &text, err) != WH_OK) {
        return wh_err_prefix(err, "token file");
    }
    len = strlen(text);
    memcpy(ret, text, len + 1);
    wh_mem_free_secret(text);
    return len >= TOKEN_TEXT_MIN ? WH_OK
                                 : wh_fail(err, WH_E_CONFIG, "%.150s holds less than %d characters",
                                           path, TOKEN_TEXT_MIN);
}

static bool is_scheme(struct wh_slice text)
{
    static const char scheme[] = "bearer ";

    for (size_t i = 0; i < sizeof(scheme) - 1; i++) {
        if (i >= text.len || (text.ptr[i] | 0x20) != (scheme[i] | 0x20)) {
            return false;
        }
    }
    return true;
}

bool wh_token_fits(const char *token, struct wh_slice authorization)
{
    if (!is_scheme(authorization)) {
        return false;
    }
    return wh_constant_time_eq(wh_slice_from(authorization, 7), wh_slice_str(token));
}
