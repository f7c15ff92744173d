/* input.h - the bytes of a file, in pieces. Thread: one at a time. */
#ifndef WH_CLI_IMPORT_INPUT_H
#define WH_CLI_IMPORT_INPUT_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/slice.h"

enum { IMPORT_INPUT_BYTES = 256 << 10 };

struct import_input {
    int fd;
    bool ended;
    size_t at;
    size_t len;
    char bytes[IMPORT_INPUT_BYTES];
};

/* Keeps the descriptor, which stays the caller's. */
void import_input_init(struct import_input *in, int fd);
/* What has been read and not been taken. */
static inline struct wh_slice import_input_rest(const struct import_input *in)
{
    return wh_slice(in->bytes + in->at, in->len - in->at);
}
/* Reads more behind the rest, which it moves to the front; sets ended at the end of the file. WH_E_IO. */
WH_MUST_CHECK enum wh_rc import_input_more(struct import_input *in, struct wh_err *err);

#endif
