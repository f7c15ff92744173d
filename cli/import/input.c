#include "cli/import/input.h"

#include <errno.h>
#include <unistd.h>

void import_input_init(struct import_input *in, int fd)
{
    in->fd = fd;
    in->ended = false;
    in->at = 0;
    in->len = 0;
}

enum wh_rc import_input_more(struct import_input *in, struct wh_err *err)
{
    ssize_t n;

    if (in->at) {
        memmove(in->bytes, in->bytes + in->at, in->len - in->at);
        in->len -= in->at;
        in->at = 0;
    }
    do {
        n = in->len < sizeof(in->bytes)
                ? read(in->fd, in->bytes + in->len, sizeof(in->bytes) - in->len)
                : 0;
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return wh_fail(err, WH_E_IO, "the file cannot be read to its end");
    }
    in->ended = n == 0 && in->len < sizeof(in->bytes);
    in->len += (size_t)n;
    return WH_OK;
}
