#include "common/text/money.h"

#include <inttypes.h>
#include <stdio.h>

enum { DIGITS_MAX = 24 };

static unsigned digits_of(struct wh_slice currency)
{
    static const char none[] =
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
    static const char three[] = "BHD IQD JOD KWD LYD OMR TND";
    char word[4] = "";

    if (currency.len == 3) {
        memcpy(word, currency.ptr, 3);
    }
    return word[0] == 0 ? 2 : strstr(none, word) ? 0 : strstr(three, word) ? 3 : 2;
}

enum wh_rc wh_money_append(int64_t minor, struct wh_slice currency, struct wh_buf *out,
                           struct wh_err *err)
{
    uint64_t amount = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    unsigned digits = digits_of(currency);
    char text[DIGITS_MAX];
    int n = snprintf(text, sizeof(text), "%0*" PRIu64, (int)digits + 1, amount);
    enum wh_rc rc = minor < 0 ? wh_buf_append_char(out, '-', err) : WH_OK;

    for (int i = 0; i < n && rc == WH_OK; i++) {
        unsigned left = (unsigned)(n - i);

        if (digits && left == digits) {
            rc = wh_buf_append_char(out, '.', err);
        } else if (i > 0 && left > digits && (left - digits) % 3 == 0) {
            rc = wh_buf_append_char(out, ',', err);
        }
        rc = rc == WH_OK ? wh_buf_append_char(out, text[i], err) : rc;
    }
    return rc == WH_OK ? wh_buf_printf(out, err, " %.*s", WH_SLICE_ARG(currency)) : rc;
}
