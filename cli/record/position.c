#include "cli/record/position.h"

#include <string.h>

#include "common/base/num.h"

enum { ADMIN_TIMEOUT_MS = 10000 };

static bool is_digits(const char *text, size_t n)
{
    return n > 0 && strspn(text, "0123456789") >= n;
}

static enum wh_rc parse_time(const char *text, struct cli_position *ret, struct wh_err *err)
{
    struct wh_instant at;

    if (wh_time_parse(wh_slice_str(text), &at, err) != WH_OK) {
        return err->rc;
    }
    ret->kind = CLI_POSITION_TIME;
    ret->value = at.ms;
    return WH_OK;
}

/* "-5" or "-2h" */
static enum wh_rc parse_back(const struct cli *cli, const char *text, struct cli_position *ret,
                             struct wh_err *err)
{
    int64_t age_ms;

    if (is_digits(text, strlen(text))) {
        ret->kind = CLI_POSITION_LAST;
        return wh_num_i64(wh_slice_str(text), &ret->value, err);
    }
    if (cli_duration_ms(text, &age_ms, err) != WH_OK) {
        return err->rc;
    }
    ret->kind = CLI_POSITION_TIME;
    ret->value = cli_now_ms(cli) - age_ms;
    return WH_OK;
}

static enum wh_rc parse_offset(const char *text, const char *colon, struct cli_position *ret,
                               struct wh_err *err)
{
    int64_t partition;

    ret->kind = CLI_POSITION_OFFSET;
    if (colon) {
        if (wh_num_i64(wh_slice(text, (size_t)(colon - text)), &partition, err) != WH_OK) {
            return err->rc;
        }
        if (partition > INT32_MAX) {
            return wh_fail(err, WH_E_RANGE, "there is no partition of that number");
        }
        ret->partition = (int32_t)partition;
        text = colon + 1;
    }
    return wh_num_i64(wh_slice_str(text), &ret->value, err);
}

enum wh_rc cli_position_parse(const struct cli *cli, const char *text, struct cli_position *ret,
                              struct wh_err *err)
{
    const char *colon = strchr(text, ':');

    *ret = (struct cli_position){.kind = CLI_POSITION_START, .partition = CLI_PARTITION_ANY};
    if (strcmp(text, "start") == 0 || strcmp(text, "beginning") == 0) {
        return WH_OK;
    }
    if (strcmp(text, "end") == 0) {
        ret->kind = CLI_POSITION_END;
        return WH_OK;
    }
    if (text[0] == '-') {
        return parse_back(cli, text + 1, ret, err);
    }
    if (is_digits(text, strlen(text))) {
        return parse_offset(text, NULL, ret, err);
    }
    if (colon && is_digits(text, (size_t)(colon - text)) &&
        is_digits(colon + 1, strlen(colon + 1))) {
        return parse_offset(text, colon, ret, err);
    }
    return parse_time(text[0] == '@' ? text + 1 : text, ret, err);
}

static enum wh_rc ask(struct wh_admin *admin, struct wh_bus_partition *parts, int32_t n, int64_t at,
                      struct wh_err *err)
{
    if (wh_admin_offsets(admin, parts, (size_t)n, at, ADMIN_TIMEOUT_MS, err) != WH_OK) {
        return err->rc;
    }
    for (int32_t i = 0; i < n; i++) {
        if (parts[i].offset < 0) {
            return wh_fail(err, WH_E_UNAVAILABLE, "partition %d of %.120s cannot be read now", i,
                           parts[i].topic);
        }
    }
    return WH_OK;
}

enum wh_rc cli_spans_find(struct wh_admin *admin, const char *topic, int32_t n,
                          struct cli_span *ret, struct wh_err *err)
{
    WH_AUTO_FREE struct wh_bus_partition *parts = wh_mem_zalloc((size_t)n + 1, sizeof(*parts));

    if (parts == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for offsets");
    }
    for (int32_t i = 0; i < n; i++) {
        parts[i] = (struct wh_bus_partition){.topic = topic, .partition = i};
    }
    /* The ends first: a beginning may move past its end, but then there is nothing between them. */
    if (ask(admin, parts, n, WH_OFFSET_END, err) != WH_OK) {
        return err->rc;
    }
    for (int32_t i = 0; i < n; i++) {
        ret[i].high = parts[i].offset;
    }
    if (ask(admin, parts, n, WH_OFFSET_BEGINNING, err) != WH_OK) {
        return err->rc;
    }
    for (int32_t i = 0; i < n; i++) {
        ret[i].low = parts[i].offset < ret[i].high ? parts[i].offset : ret[i].high;
    }
    return WH_OK;
}

enum wh_rc cli_position_offset(struct wh_admin *admin, const char *topic, int32_t partition,
                               const struct cli_span *span, const struct cli_position *at,
                               bool past, int64_t *ret, struct wh_err *err)
{
    switch (at->kind) {
    case CLI_POSITION_END:
        *ret = span->high;
        return WH_OK;
    case CLI_POSITION_OFFSET:
        *ret = at->value < INT64_MAX ? at->value + past : at->value;
        return WH_OK;
    case CLI_POSITION_LAST:
        *ret = at->value <= span->high ? span->high - at->value + (past && at->value) : 0;
        return WH_OK;
    case CLI_POSITION_TIME:
        return wh_admin_offset(admin, topic, partition, at->value < 0 ? 0 : at->value + past,
                               ADMIN_TIMEOUT_MS, ret, err);
    case CLI_POSITION_START:
    default:
        *ret = span->low;
        return WH_OK;
    }
}
