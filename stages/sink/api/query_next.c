/*
 * The pages of a statement: _next says how many rows were given already, and which statement they were of, so that a
 * cursor is not used with another one. The statement runs again for each page.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "stages/sink/api/query_priv.h"

enum { OFFSET_MAX = 1000000, HASH_TEXT = 16, KEY_MAX_BYTES = 4 << 20 };

/* With what the statement says, in one text. */
static enum wh_rc write_key(const struct sql_request *r, struct wh_buf *out, struct wh_err *err)
{
    enum wh_rc rc =
        wh_buf_printf(out, err, "%.*s|%.*s|", WH_SLICE_ARG(r->as_of), WH_SLICE_ARG(r->valid_at));

    if (rc == WH_OK) {
        rc = wh_buf_append(out, r->text, err);
    }
    for (size_t i = 0; rc == WH_OK && i < r->n_params; i++) {
        const struct sql_param *p = &r->params[i];

        rc = wh_buf_printf(out, err, "|%.*s=%d,%" PRId64 ",%.17g,", WH_SLICE_ARG(p->name),
                           (int)p->value.type, p->value.i, p->value.num);
        rc = rc == WH_OK ? wh_buf_append(out, p->value.bytes, err) : rc;
    }
    return rc;
}

static enum wh_rc fingerprint(const struct sql_request *r, char ret[HASH_TEXT + 1],
                              struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf key = {0};

    wh_buf_init(&key, KEY_MAX_BYTES);
    if (write_key(r, &key, err) != WH_OK) {
        return err->rc;
    }
    (void)snprintf(ret, HASH_TEXT + 1, "%016" PRIx64, wh_hash128(wh_buf_slice(&key)).low);
    return WH_OK;
}

enum wh_rc api_query_offset(const struct sql_request *r, struct wh_slice next, int64_t *ret,
                            struct wh_err *err)
{
    char hash[HASH_TEXT + 1] = "";
    const char *dash = next.len ? memchr(next.ptr, '-', next.len) : NULL;
    size_t n = dash ? (size_t)(dash - next.ptr) : 0;

    *ret = 0;
    if (next.ptr == NULL) {
        return WH_OK;
    }
    if (fingerprint(r, hash, err) != WH_OK) {
        return err->rc;
    }
    if (dash == NULL || !wh_slice_eq(wh_slice_from(next, n + 1), wh_slice_str(hash)) ||
        wh_num_i64(wh_slice(next.ptr, n), ret, err) != WH_OK || *ret < 0 || *ret > OFFSET_MAX) {
        return wh_fail(err, WH_E_INVALID,
                       "this cursor belongs to another statement; ask for the first page again");
    }
    return WH_OK;
}

enum wh_rc api_query_next(const struct sql_request *r, int64_t given, struct wh_buf *out,
                          struct wh_err *err)
{
    char hash[HASH_TEXT + 1];

    if (given == 0 || given > OFFSET_MAX) {
        return wh_buf_printf(out, err, ",\"next\":null");
    }
    return fingerprint(r, hash, err) == WH_OK
               ? wh_buf_printf(out, err, ",\"next\":\"%" PRId64 "-%s\"", given, hash)
               : err->rc;
}
