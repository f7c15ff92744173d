/*
 * num.h - strict number parsing: the whole slice is the number, without spaces or overflow.
 */
#ifndef WH_BASE_NUM_H
#define WH_BASE_NUM_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"

/* Decimal with an optional '-'. WH_E_INVALID: not a number. WH_E_RANGE: it does not fit. */
WH_MUST_CHECK enum wh_rc wh_num_i64(struct wh_slice text, int64_t *ret, struct wh_err *err);
/* "1500", "1500ms", "10s", "5m", "2h", "1d"; a bare number is milliseconds. Not negative. */
WH_MUST_CHECK enum wh_rc wh_num_duration_ms(struct wh_slice text, int64_t *ret_ms,
                                            struct wh_err *err);
/* "4096", "64KiB", "25MiB", "1GiB" (KB, MB and GB are powers of 1000). Not negative. */
WH_MUST_CHECK enum wh_rc wh_num_size_bytes(struct wh_slice text, int64_t *ret_bytes,
                                           struct wh_err *err);

#endif
