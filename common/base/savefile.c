#include "common/base/savefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static bool write_all(int fd, struct wh_slice text)
{
    ssize_t n = 0;

    for (; text.len && n >= 0; text = wh_slice_from(text, (size_t)n)) {
        n = write(fd, text.ptr, text.len);
        n = n < 0 && errno == EINTR ? 0 : n;
    }
    return n >= 0 && fsync(fd) == 0;
}

enum wh_rc wh_savefile(const char *path, struct wh_slice text, struct wh_err *err)
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
