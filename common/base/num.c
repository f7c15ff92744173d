#include "common/base/num.h"

#include <stdbool.h>

struct unit {
    const char *name;
    int64_t factor;
};

enum wh_rc wh_num_i64(struct wh_slice text, int64_t *ret, struct wh_err *err)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    int64_t value = 0;
    size_t i = negative ? 1 : 0;

    if (i == text.len) {
        return wh_fail(err, WH_E_INVALID, "'%.*s' is not a whole number", WH_SLICE_ARG(text));
    }
    for (; i < text.len; i++) {
        int digit = text.ptr[i] - '0';

        if (digit < 0 || digit > 9) {
            return wh_fail(err, WH_E_INVALID, "'%.*s' is not a whole number", WH_SLICE_ARG(text));
        }
        /* Accumulates negative values, because INT64_MIN has no positive counterpart. */
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value)) {
            return wh_fail(err, WH_E_RANGE, "%.*s does not fit into 64 bits", WH_SLICE_ARG(text));
        }
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value)) {
        return wh_fail(err, WH_E_RANGE, "%.*s does not fit into 64 bits", WH_SLICE_ARG(text));
    }
    *ret = value;
    return WH_OK;
}

/* good: examples of valid input for the error message. */
static enum wh_rc with_unit(struct wh_slice text, const struct unit *units, size_t n_units,
                            const char *good, int64_t *ret, struct wh_err *err)
{
    size_t digits = 0;
    struct wh_slice suffix;
    int64_t value;

    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') {
        digits++;
    }
    if (digits == 0) {
        return wh_fail(err, WH_E_INVALID, "'%.*s' does not begin with a number, as in %s",
                       WH_SLICE_ARG(text), good);
    }
    if (wh_num_i64(wh_slice(text.ptr, digits), &value, err) != WH_OK) {
        return err->rc;
    }
    suffix = wh_slice_from(text, digits);
    for (size_t i = 0; i < n_units; i++) {
        if (!wh_slice_eq(suffix, wh_slice_str(units[i].name))) {
            continue;
        }
        if (__builtin_mul_overflow(value, units[i].factor, ret)) {
            return wh_fail(err, WH_E_RANGE, "%.*s is too large", WH_SLICE_ARG(text));
        }
        return WH_OK;
    }
    return wh_fail(err, WH_E_INVALID, "'%.*s' has the unknown unit '%.*s'; write it as in %s",
                   WH_SLICE_ARG(text), WH_SLICE_ARG(suffix), good);
}

enum wh_rc wh_num_duration_ms(struct wh_slice text, int64_t *ret_ms, struct wh_err *err)
{
    static const struct unit units[] = {{"", 1},      {"ms", 1},      {"s", 1000},
                                        {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

    return with_unit(text, units, sizeof(units) / sizeof(units[0]), "500ms, 30s, 10m, 2h, 1d",
                     ret_ms, err);
}

enum wh_rc wh_num_size_bytes(struct wh_slice text, int64_t *ret_bytes, struct wh_err *err)
{
    static const struct unit units[] = {{"", 1},          {"B", 1},           {"KB", 1000},
                                        {"MB", 1000000},  {"GB", 1000000000}, {"KiB", 1 << 10},
                                        {"MiB", 1 << 20}, {"GiB", 1 << 30}};

    return with_unit(text, units, sizeof(units) / sizeof(units[0]), "64KiB, 25MiB, 1GiB", ret_bytes,
                     err);
}
