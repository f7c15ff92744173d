/* Dates: what is read prints and reads as the same instant. Numbers with units are never negative.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/num.h"
#include "common/base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wh_slice text = wh_slice(data, size);
    char printed[WH_TIME_TEXT_MAX];
    struct wh_instant at;
    struct wh_instant again;
    struct wh_err err;
    int64_t n;

    if (wh_time_parse(text, &at, &err) == WH_OK) {
        check(wh_time_parse(wh_slice_str(wh_time_format(at.ms, printed)), &again, &err) == WH_OK);
        check(again.ms == at.ms);
    }
    if (wh_num_duration_ms(text, &n, &err) == WH_OK) {
        check(n >= 0);
    }
    if (wh_num_size_bytes(text, &n, &err) == WH_OK) {
        check(n >= 0);
    }
    (void)!wh_num_i64(text, &n, &err);
    return 0;
}
