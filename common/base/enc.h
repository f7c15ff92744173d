/*
 * enc.h - hex, base64 (RFC 4648) and percent encoding (RFC 3986). Output goes to a bounded buffer.
 */
#ifndef WH_BASE_ENC_H
#define WH_BASE_ENC_H

#include <stdbool.h>

#include "common/base/buf.h"

/* Lower case. */
WH_MUST_CHECK enum wh_rc wh_hex_encode(struct wh_slice bytes, struct wh_buf *out,
                                       struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_hex_decode(struct wh_slice text, struct wh_buf *out,
                                       struct wh_err *err);
/* Standard alphabet with padding. */
WH_MUST_CHECK enum wh_rc wh_base64_encode(struct wh_slice bytes, struct wh_buf *out,
                                          struct wh_err *err);
/* URL alphabet without padding. */
WH_MUST_CHECK enum wh_rc wh_base64url_encode(struct wh_slice bytes, struct wh_buf *out,
                                             struct wh_err *err);
/* Either alphabet, padding optional but right when present; anything else WH_E_INVALID. */
WH_MUST_CHECK enum wh_rc wh_base64_decode(struct wh_slice text, struct wh_buf *out,
                                          struct wh_err *err);
/* Everything but A-Z a-z 0-9 - . _ ~ becomes %XX. */
WH_MUST_CHECK enum wh_rc wh_percent_encode(struct wh_slice bytes, struct wh_buf *out,
                                           struct wh_err *err);
/* plus_is_space for query strings. WH_E_INVALID on a bad %XX or an encoded NUL. */
WH_MUST_CHECK enum wh_rc wh_percent_decode(struct wh_slice text, bool plus_is_space,
                                           struct wh_buf *out, struct wh_err *err);
/* True when all bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool wh_utf8_valid(struct wh_slice text);

#endif
