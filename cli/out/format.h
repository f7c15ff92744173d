/* format.h - printf whose arguments cannot break a line or reach a terminal raw. See cli_say. */
#ifndef WH_CLI_OUT_FORMAT_H
#define WH_CLI_OUT_FORMAT_H

#include <stdarg.h>

#include "common/base/buf.h"

/* Appends to out. WH_E_TOO_LARGE when out is full; it then holds what came before. */
WH_MUST_CHECK enum wh_rc cli_format(struct wh_buf *out, const char *format, va_list args,
                                    struct wh_err *err) __attribute__((format(printf, 2, 0)));

#endif
