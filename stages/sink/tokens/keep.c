#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/crypto/crypto.h"
#include "stages/sink/tokens/tokens_priv.h"

enum { SECRET_BYTES = 32, PATH_BYTES = 4096 };

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

static bool write_all(int fd, struct wh_slice text)
{
    ssize_t n = 0;

    for (; text.len && n >= 0; text = wh_slice_from(text, (size_t)n)) {
        n = write(fd, text.ptr, text.len);
        n = n < 0 && errno == EINTR ? 0 : n;
    }
    return n >= 0 && fsync(fd) == 0;
}

enum wh_rc tokens_save(const char *path, struct wh_slice text, struct wh_err *err)
{
    char temp[PATH_BYTES];
    int n = snprintf(temp, sizeof(temp), "%s.new", path);
    int fd = n > 0 && (size_t)n < sizeof(temp)
                 ? open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)
                 : -1;
    bool written = fd >= 0 && write_all(fd, text);

    if (fd >= 0) {
        written = close(fd) == 0 && written;
    }
    if (!written || rename(temp, path) != 0) {
        return wh_fail(err, WH_E_IO, "cannot write %.200s: error %d", path, errno);
    }
    return WH_OK;
}
