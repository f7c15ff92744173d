#include "common/event/run_id.h"

#include <inttypes.h>

#include "common/base/num.h"

#define FRAGMENT "#run="

enum { FRAGMENT_LEN = sizeof(FRAGMENT) - 1, DIGITS_MAX = 19 };

enum wh_rc wh_run_id_write(struct wh_slice path, int64_t run, struct wh_buf *out,
                           struct wh_err *err)
{
    if (wh_buf_append(out, path, err) != WH_OK) {
        return err->rc;
    }
    return run <= 0 ? WH_OK : wh_buf_printf(out, err, FRAGMENT "%" PRId64, run);
}

int64_t wh_run_id_of(struct wh_slice delivery_id)
{
    struct wh_err err;
    size_t digits = 0;
    int64_t run = 0;

    while (digits < delivery_id.len && digits <= DIGITS_MAX &&
           delivery_id.ptr[delivery_id.len - digits - 1] >= '0' &&
           delivery_id.ptr[delivery_id.len - digits - 1] <= '9') {
        digits++;
    }
    if (digits == 0 || delivery_id.len < digits + FRAGMENT_LEN ||
        memcmp(delivery_id.ptr + delivery_id.len - digits - FRAGMENT_LEN, FRAGMENT, FRAGMENT_LEN) !=
            0 ||
        wh_num_i64(wh_slice_from(delivery_id, delivery_id.len - digits), &run, &err) != WH_OK) {
        return 0;
    }
    return run;
}
