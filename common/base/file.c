#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 8 << 10 };

enum wh_rc wh_file_fail(struct wh_err *err, const char *doing, const char *path)
{
    int code = errno;
    char text[64];
    enum wh_rc rc = code == ENOSPC   ? WH_E_NO_SPACE
                    : code == EEXIST ? WH_E_EXISTS
                    : code == ENOENT ? WH_E_NOT_FOUND
                                     : WH_E_IO;

    return wh_fail(err, rc, "%s %.150s: %s", doing, path, strerror_r(code, text, sizeof(text)));
}

enum wh_rc wh_file_write(int fd, struct wh_slice bytes, const char *path, struct wh_err *err)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);

        if (n < 0 && errno != EINTR) {
            return wh_file_fail(err, "cannot write", path);
        }
        bytes = wh_slice_from(bytes, n > 0 ? (size_t)n : 0);
    }
    return WH_OK;
}

enum wh_rc wh_file_save(const char *path, struct wh_slice bytes, struct wh_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    enum wh_rc rc;

    if (fd < 0) {
        return wh_file_fail(err, "cannot make", path);
    }
    rc = wh_file_write(fd, bytes, path, err);
    if (rc == WH_OK && fsync(fd) != 0) {
        rc = wh_file_fail(err, "cannot write", path);
    }
    (void)close(fd);
    return rc;
}

enum wh_rc wh_file_load(const char *path, struct wh_buf *out, struct wh_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char piece[PIECE];
    enum wh_rc rc = WH_OK;
    ssize_t n = 1;

    if (fd < 0) {
        return wh_file_fail(err, "cannot read", path);
    }
    while (rc == WH_OK && n > 0) {
        n = read(fd, piece, sizeof(piece));
        rc = n < 0 ? wh_file_fail(err, "cannot read", path)
                   : wh_buf_append(out, wh_slice(piece, (size_t)n), err);
    }
    (void)close(fd);
    return rc;
}

enum wh_rc wh_folder_sync(const char *path, struct wh_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum wh_rc rc =
        fd >= 0 && fsync(fd) == 0 ? WH_OK : wh_file_fail(err, "cannot write the folder", path);

    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}
