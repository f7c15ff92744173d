/*
 * enc.h - hex and base64 (RFC 4648), percent encoding (RFC 3986), UTF-8. Output is appended to `out`.
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
/* Accepts either alphabet. Padding is optional, but must be correct when present (WH_E_INVALID). */
WH_MUST_CHECK enum wh_rc wh_base64_decode(struct wh_slice text, struct wh_buf *out,
                                          struct wh_err *err);
/* Escapes every byte except A-Z a-z 0-9 - . _ ~ */
WH_MUST_CHECK enum wh_rc wh_percent_encode(struct wh_slice bytes, struct wh_buf *out,
                                           struct wh_err *err);
/* plus_is_space is for query strings. WH_E_INVALID for a bad %XX or an encoded NUL. */
WH_MUST_CHECK enum wh_rc wh_percent_decode(struct wh_slice text, bool plus_is_space,
                                           struct wh_buf *out, struct wh_err *err);
/* True when all bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool wh_utf8_valid(struct wh_slice text);

#endif
