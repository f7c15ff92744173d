#include "common/event/keyring.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/conf/conf.h"

enum { HEX_DIGITS = WH_AEAD_KEY_BYTES * 2, LINE_MAX_BYTES = HEX_DIGITS + 8 };
enum { FILE_MAX_BYTES = WH_KEYS_IN_FILE_MAX * LINE_MAX_BYTES };

static const char marker[] = "key2:";

void wh_keyring_wipe(struct wh_keyring *ring)
{
    wh_mem_wipe(ring, sizeof(*ring));
}

const struct wh_key *wh_keyring_find(const struct wh_keyring *ring, struct wh_slice name)
{
    for (size_t i = 0; i < ring->n; i++) {
        if (wh_slice_eq(wh_slice_str(ring->keys[i].name), name)) {
            return &ring->keys[i];
        }
    }
    return NULL;
}

/* ---- one key ---- */

static enum wh_rc name_key(struct wh_key *key, struct wh_err *err)
{
    const struct wh_slice purpose = WH_LIT("wellhead key name");
    unsigned char digest[WH_SHA256_BYTES];
    WH_AUTO(buf) struct wh_buf hex;

    wh_buf_init(&hex, WH_KEY_NAME_BYTES + 1);
    if (wh_hmac_sha256(wh_slice(key->bytes, sizeof(key->bytes)), &purpose, 1, digest, err) !=
            WH_OK ||
        wh_hex_encode(wh_slice(digest, WH_KEY_NAME_BYTES / 2), &hex, err) != WH_OK) {
        return err->rc;
    }
    memcpy(key->name, hex.ptr, WH_KEY_NAME_BYTES);
    return WH_OK;
}

static enum wh_rc read_key(struct wh_slice line, struct wh_key *ret, struct wh_err *err)
{
    struct wh_key key = {.opens_unnamed = !wh_slice_starts(line, WH_LIT(marker))};
    struct wh_buf bytes;
    enum wh_rc rc;

    if (!key.opens_unnamed) {
        line = wh_slice_from(line, sizeof(marker) - 1);
    }
    wh_buf_init_secret(&bytes, WH_AEAD_KEY_BYTES);
    rc = line.len == HEX_DIGITS ? wh_hex_decode(line, &bytes, err) : WH_E_INVALID;
    if (rc == WH_OK) {
        memcpy(key.bytes, bytes.ptr, sizeof(key.bytes));
        rc = name_key(&key, err);
    }
    wh_buf_done(&bytes);
    if (rc == WH_OK) {
        *ret = key;
    }
    wh_mem_wipe(&key, sizeof(key));
    return rc;
}

static enum wh_rc write_key(const struct wh_key *key, struct wh_buf *out, struct wh_err *err)
{
    if (wh_buf_printf(out, err, "%s%s", out->len ? "\n" : "", key->opens_unnamed ? "" : marker) !=
        WH_OK) {
        return err->rc;
    }
    return wh_hex_encode(wh_slice(key->bytes, sizeof(key->bytes)), out, err);
}

static enum wh_rc make_key(struct wh_key *ret, struct wh_err *err)
{
    *ret = (struct wh_key){0};
    if (wh_random_bytes(ret->bytes, sizeof(ret->bytes), err) != WH_OK) {
        return err->rc;
    }
    return name_key(ret, err);
}

/* ---- the file ---- */

static enum wh_rc read_lines(struct wh_slice text, struct wh_keyring *ret, struct wh_err *err)
{
    while (text.len) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t n = end ? (size_t)(end - text.ptr) : text.len;
        struct wh_key *key = &ret->keys[ret->n];

        if (ret->n == WH_KEYS_IN_FILE_MAX || read_key(wh_slice(text.ptr, n), key, err) != WH_OK) {
            return wh_fail(err, WH_E_CONFIG, "%.160s must hold 1 to %d lines of %d hex digits",
                           ret->path, WH_KEYS_IN_FILE_MAX, HEX_DIGITS);
        }
        ret->n++;
        text = wh_slice_from(text, end ? n + 1 : n);
    }
    ret->n_file = ret->n;
    return WH_OK;
}

/* Takes the file's stamp first, so that a file replaced in between is read again later. */
static enum wh_rc read_file(struct wh_keyring *ret, struct wh_err *err)
{
    struct stat st;
    char *text = NULL;
    enum wh_rc rc;

    if (stat(ret->path, &st) != 0) {
        return wh_fail(err, WH_E_CONFIG, "cannot read %.180s", ret->path);
    }
    ret->device = st.st_dev;
    ret->inode = st.st_ino;
    ret->changed_at = st.st_mtim;
    rc = wh_conf_secret_read_lines(ret->path, FILE_MAX_BYTES, &text, err);
    if (rc == WH_OK) {
        rc = read_lines(wh_slice_str(text), ret, err);
        wh_mem_free_secret(text);
    }
    return rc;
}

static enum wh_rc create_file(const char *path, struct wh_err *err)
{
    struct wh_key key;
    struct wh_buf text;
    enum wh_rc rc;

    wh_buf_init_secret(&text, LINE_MAX_BYTES);
    rc = make_key(&key, err);
    if (rc == WH_OK) {
        rc = write_key(&key, &text, err);
    }
    if (rc == WH_OK) {
        rc = wh_conf_secret_create(path, wh_buf_slice(&text), err);
    }
    wh_mem_wipe(&key, sizeof(key));
    wh_buf_done(&text);
    return rc;
}

enum wh_rc wh_keyring_load(struct wh_keyring *ring, const char *path, bool create,
                           struct wh_err *err)
{
    *ring = (struct wh_keyring){0};
    if (strlen(path) >= sizeof(ring->path)) {
        return wh_fail(err, WH_E_CONFIG, "the path of the key file is too long");
    }
    memcpy(ring->path, path, strlen(path));
    if (create && access(path, F_OK) != 0 && create_file(path, err) != WH_OK) {
        return err->rc;
    }
    return read_file(ring, err);
}

/* Appends the keys that are no longer in the file. */
static void keep_older(struct wh_keyring *fresh, const struct wh_keyring *old)
{
    for (size_t i = 0; i < old->n && fresh->n < WH_KEYS_MAX; i++) {
        if (wh_keyring_find(fresh, wh_slice_str(old->keys[i].name)) == NULL) {
            fresh->keys[fresh->n++] = old->keys[i];
        }
    }
}

static bool same_file(const struct wh_keyring *ring, const struct stat *st)
{
    return st->st_dev == ring->device && st->st_ino == ring->inode &&
           st->st_mtim.tv_sec == ring->changed_at.tv_sec &&
           st->st_mtim.tv_nsec == ring->changed_at.tv_nsec;
}

enum wh_rc wh_keyring_refresh(struct wh_keyring *ring, bool *ret_changed, struct wh_err *err)
{
    struct wh_keyring fresh = {0};
    struct stat st;
    enum wh_rc rc;

    *ret_changed = false;
    if (ring->path[0] == '\0' || (stat(ring->path, &st) == 0 && same_file(ring, &st))) {
        return WH_OK;
    }
    memcpy(fresh.path, ring->path, sizeof(fresh.path));
    rc = read_file(&fresh, err);
    if (rc == WH_OK) {
        keep_older(&fresh, ring);
        *ring = fresh;
        *ret_changed = true;
    }
    wh_mem_wipe(&fresh, sizeof(fresh));
    return rc;
}

void wh_keyring_of(struct wh_keyring *ring, const unsigned char bytes[WH_AEAD_KEY_BYTES],
                   bool opens_unnamed, struct wh_err *err)
{
    *ring = (struct wh_keyring){.n = 1, .n_file = 1};
    memcpy(ring->keys[0].bytes, bytes, WH_AEAD_KEY_BYTES);
    ring->keys[0].opens_unnamed = opens_unnamed;
    (void)!name_key(&ring->keys[0], err);
}

/* ---- rotation ---- */

static enum wh_rc lock(const struct wh_keyring *ring, int *ret_fd, struct wh_err *err)
{
    char path[sizeof(ring->path) + 8];
    int fd;

    (void)snprintf(path, sizeof(path), "%s.lock", ring->path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return wh_fail(err, WH_E_CONFIG,
                       "cannot write next to %.120s: change the key file by hand, see the "
                       "fetcher's README",
                       ring->path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        return wh_fail(err, WH_E_BUSY, "another process is changing %.160s", ring->path);
    }
    *ret_fd = fd;
    return WH_OK;
}

/* Writes `first` (may be NULL) and n keys of the ring to the file, then reads it back. */
static enum wh_rc replace(struct wh_keyring *ring, const struct wh_key *first, size_t n,
                          struct wh_err *err)
{
    struct wh_buf text;
    bool changed;
    enum wh_rc rc;

    wh_buf_init_secret(&text, FILE_MAX_BYTES);
    rc = first ? write_key(first, &text, err) : WH_OK;
    for (size_t i = 0; i < n && rc == WH_OK; i++) {
        rc = write_key(&ring->keys[i], &text, err);
    }
    if (rc == WH_OK) {
        rc = wh_conf_secret_replace(ring->path, wh_buf_slice(&text), err);
    }
    wh_buf_done(&text);
    return rc == WH_OK ? wh_keyring_refresh(ring, &changed, err) : rc;
}

enum wh_rc wh_keyring_add(struct wh_keyring *ring, struct wh_err *err)
{
    struct wh_key key;
    bool changed;
    enum wh_rc rc;
    int fd;

    if (lock(ring, &fd, err) != WH_OK) {
        return err->rc;
    }
    rc = wh_keyring_refresh(ring, &changed, err);
    if (rc == WH_OK && ring->n_file > 1) {
        rc = wh_fail(err, WH_E_BUSY, "an earlier key rotation has not finished");
    }
    if (rc == WH_OK) {
        rc = make_key(&key, err);
    }
    if (rc == WH_OK) {
        rc = replace(ring, &key, 1, err);
        wh_mem_wipe(&key, sizeof(key));
    }
    (void)close(fd);
    return rc;
}

enum wh_rc wh_keyring_drop_old(struct wh_keyring *ring, struct wh_err *err)
{
    bool changed;
    enum wh_rc rc;
    int fd;

    if (lock(ring, &fd, err) != WH_OK) {
        return err->rc;
    }
    rc = wh_keyring_refresh(ring, &changed, err);
    if (rc == WH_OK && changed) {
        rc = wh_fail(err, WH_E_BUSY, "the key file has changed");
    }
    if (rc == WH_OK) {
        rc = replace(ring, NULL, 1, err);
    }
    (void)close(fd);
    return rc;
}
