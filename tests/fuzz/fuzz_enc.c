/* Hex, base64, percent encoding: encoding is undone by decoding; what decodes is as long as it
 * says. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/enc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum wh_rc (*coder)(struct wh_slice in, struct wh_buf *out, struct wh_err *err);

enum { OUT_MAX_BYTES = 64 << 20 };

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static enum wh_rc percent_decode(struct wh_slice in, struct wh_buf *out, struct wh_err *err)
{
    return wh_percent_decode(in, false, out, err);
}

static void there_and_back(struct wh_slice bytes, coder encode, coder decode, bool all_bytes)
{
    struct wh_buf text;
    struct wh_buf back;
    struct wh_err err;

    wh_buf_init(&text, OUT_MAX_BYTES);
    wh_buf_init(&back, OUT_MAX_BYTES);
    check(encode(bytes, &text, &err) == WH_OK);
    if (decode(wh_buf_slice(&text), &back, &err) == WH_OK) {
        check(wh_slice_eq(bytes, wh_buf_slice(&back)));
    } else {
        check(!all_bytes);
    }
    wh_buf_done(&back);
    wh_buf_done(&text);
}

/* The text as it comes, from a stranger. */
static void only_back(struct wh_slice text, coder decode)
{
    struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, OUT_MAX_BYTES);
    if (decode(text, &out, &err) == WH_OK) {
        check(out.len <= text.len);
    }
    wh_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wh_slice bytes = wh_slice(data, size);
    struct wh_buf spaced;
    struct wh_err err;

    there_and_back(bytes, wh_hex_encode, wh_hex_decode, true);
    there_and_back(bytes, wh_base64_encode, wh_base64_decode, true);
    there_and_back(bytes, wh_base64url_encode, wh_base64_decode, true);
    /* An encoded NUL is refused. */
    there_and_back(bytes, wh_percent_encode, percent_decode, size == 0 || !memchr(data, 0, size));
    only_back(bytes, wh_hex_decode);
    only_back(bytes, wh_base64_decode);
    only_back(bytes, percent_decode);
    wh_buf_init(&spaced, OUT_MAX_BYTES);
    (void)!wh_percent_decode(bytes, true, &spaced, &err);
    wh_buf_done(&spaced);
    (void)wh_utf8_valid(bytes);
    return 0;
}
