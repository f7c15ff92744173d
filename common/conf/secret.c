#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/conf/conf.h"

enum { PATH_MAX_BYTES = 4096 };

/* Container engines mount secrets there with file modes of their own choice. */
static const char mounted_secrets[] = "/run/secrets/";

static enum wh_rc check_mode(int fd, const char *path, struct wh_err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return wh_fail(err, WH_E_CONFIG, "%.180s is not a plain file", path);
    }
    if ((st.st_mode & 077) != 0 &&
        strncmp(path, mounted_secrets, sizeof(mounted_secrets) - 1) != 0) {
        return wh_fail(err, WH_E_CONFIG,
                       "%.160s is accessible to other users (mode %03o): chmod 600 it", path,
                       (unsigned)st.st_mode & 0777U);
    }
    return WH_OK;
}

static enum wh_rc read_text(int fd, const char *path, size_t max, bool one_line, char **ret,
                            struct wh_err *err)
{
    char *text = wh_mem_zalloc(max + 4, 1);
    size_t len = 0;

    if (text == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a secret");
    }
    /* Reads two bytes beyond max: a line end, and one that shows that the file is too long. */
    while (len < max + 3) {
        ssize_t n = read(fd, text + len, max + 3 - len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
    }
    while (len > 0 && len <= max + 2 && (text[len - 1] == '\n' || text[len - 1] == '\r')) {
        text[--len] = '\0';
    }
    if (len == 0 || len > max || (one_line && memchr(text, '\n', len)) || memchr(text, '\0', len)) {
        wh_mem_wipe(text, max + 3);
        wh_mem_free(text);
        return wh_fail(err, WH_E_CONFIG, "%.160s must hold %s of 1 to %zu bytes", path,
                       one_line ? "one line" : "text", max);
    }
    *ret = text;
    return WH_OK;
}

static enum wh_rc write_text(int fd, struct wh_slice text, const char *path, struct wh_err *err)
{
    if (write(fd, text.ptr, text.len) != (ssize_t)text.len || write(fd, "\n", 1) != 1 ||
        fsync(fd) != 0) {
        return wh_fail(err, WH_E_IO, "cannot write %.180s", path);
    }
    return WH_OK;
}

/* A rename is durable only when its folder has been synced. */
static enum wh_rc sync_folder(const char *path, struct wh_err *err)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;
    char folder[PATH_MAX_BYTES] = ".";
    int failed;
    int fd;

    if (n >= sizeof(folder)) {
        return wh_fail(err, WH_E_CONFIG, "the path of a secret is too long");
    }
    if (n > 0) {
        memcpy(folder, path, n);
        folder[n] = '\0';
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    failed = fd < 0 || fsync(fd) != 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return failed ? wh_fail(err, WH_E_IO, "cannot sync the folder of %.160s", path) : WH_OK;
}

/* Writes the text to a temporary file first, so that no reader sees a part of it. */
static enum wh_rc write_beside(const char *path, struct wh_slice text, char temp[PATH_MAX_BYTES],
                               struct wh_err *err)
{
    int n = snprintf(temp, PATH_MAX_BYTES, "%s.XXXXXX", path);
    enum wh_rc rc;
    int fd;

    if (n < 0 || n >= PATH_MAX_BYTES) {
        return wh_fail(err, WH_E_CONFIG, "the path of a secret is too long");
    }
    fd = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
    if (fd < 0) {
        return wh_fail(err, WH_E_CONFIG,
                       "cannot create %.180s: does its folder exist, and is it writable?", path);
    }
    rc = write_text(fd, text, path, err);
    (void)close(fd);
    if (rc != WH_OK) {
        (void)unlink(temp);
    }
    return rc;
}

enum wh_rc wh_conf_secret_create(const char *path, struct wh_slice text, struct wh_err *err)
{
    char temp[PATH_MAX_BYTES];
    enum wh_rc rc;

    if (access(path, F_OK) == 0) {
        return WH_OK;
    }
    if (write_beside(path, text, temp, err) != WH_OK) {
        return err->rc;
    }
    rc = link(temp, path) == 0 || errno == EEXIST
             ? WH_OK
             : wh_fail(err, WH_E_CONFIG, "cannot create %.180s", path);
    (void)unlink(temp);
    return rc;
}

enum wh_rc wh_conf_secret_replace(const char *path, struct wh_slice text, struct wh_err *err)
{
    char temp[PATH_MAX_BYTES];

    if (write_beside(path, text, temp, err) != WH_OK) {
        return err->rc;
    }
    if (rename(temp, path) != 0) {
        (void)unlink(temp);
        return wh_fail(err, WH_E_CONFIG, "cannot replace %.180s (is it a mount of its own?)", path);
    }
    return sync_folder(path, err);
}

static enum wh_rc read_secret(const char *path, size_t max, bool one_line, char **ret,
                              struct wh_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    enum wh_rc rc;

    if (fd < 0) {
        return wh_fail(err, WH_E_CONFIG, "cannot read %.180s: %s", path,
                       errno == ENOENT ? "no such file" : "permission denied or unreadable");
    }
    rc = check_mode(fd, path, err);
    if (rc == WH_OK) {
        rc = read_text(fd, path, max, one_line, ret, err);
    }
    (void)close(fd);
    return rc;
}

enum wh_rc wh_conf_secret_read(const char *path, size_t max, char **ret, struct wh_err *err)
{
    return read_secret(path, max, true, ret, err);
}

enum wh_rc wh_conf_secret_read_lines(const char *path, size_t max, char **ret, struct wh_err *err)
{
    return read_secret(path, max, false, ret, err);
}
