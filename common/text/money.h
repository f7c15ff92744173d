/*
 * money.h - amounts of money for people.
 *
 * Thread: any. Pure functions.
 */
#ifndef WH_TEXT_MONEY_H
#define WH_TEXT_MONEY_H

#include "common/base/buf.h"

/*
 * Appends an amount in the smallest unit of its currency: 327000 EUR is "3,270.00 EUR", 5 EUR is "0.05 EUR". The
 * digits behind the point are those of ISO 4217, and two for a currency that it does not have.
 */
WH_MUST_CHECK enum wh_rc wh_money_append(int64_t minor, struct wh_slice currency,
                                         struct wh_buf *out, struct wh_err *err);

#endif
