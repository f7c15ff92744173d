/*
 * key.h - the form in which names are compared: the same name written in another way has the same key.
 *
 * Rules, in this order: Unicode NFKC; full case folding; every run of white space, '-', '_' and '/' becomes
 * one '-'; '-' is removed from both ends. The result is stable: its own key is itself.
 *
 * Thread: any. Pure functions.
 */
#ifndef WH_TEXT_KEY_H
#define WH_TEXT_KEY_H

#include "common/base/buf.h"

enum { WH_KEY_TEXT_MAX = 1024 };

/*
 * Appends the key of a text to out; nothing when no character is left. WH_E_UTF8; WH_E_TOO_LARGE: the text
 * has more than WH_KEY_TEXT_MAX bytes, or out is full. After an error, out is as it was before.
 */
WH_MUST_CHECK enum wh_rc wh_key_normalise(struct wh_slice text, struct wh_buf *out,
                                          struct wh_err *err);

/* The first two rules alone, for texts in which '-' and '_' tell apart: addresses and user names. Errors as
 * above. */
WH_MUST_CHECK enum wh_rc wh_key_fold(struct wh_slice text, struct wh_buf *out, struct wh_err *err);

#endif
