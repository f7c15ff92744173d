/* th_cmocka.h - cmocka with the headers that it wants before it, and what all tests share. */
#ifndef TH_CMOCKA_H
#define TH_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/err.h"
#include "common/base/slice.h"

/* A call that must succeed; the error's text is shown when it does not. */
#define th_ok(call, err)                                                                           \
    do {                                                                                           \
        if ((call) != WH_OK) {                                                                     \
            fail_msg("%s: %s", #call, (err)->msg);                                                 \
        }                                                                                          \
    } while (0)

/* A slice against a string literal or C string. */
#define th_slice_is(slice, text)                                                                   \
    do {                                                                                           \
        struct wh_slice th_s_ = (slice);                                                           \
        assert_int_equal(th_s_.len, strlen(text));                                                 \
        assert_memory_equal(th_s_.ptr ? th_s_.ptr : "", (text), th_s_.len);                        \
    } while (0)

#endif
