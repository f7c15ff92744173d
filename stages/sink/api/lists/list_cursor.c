/*
 * Pages of a list. The token is column, direction, key, type and value of the last row, separated,
 * in base64url.
 */
#include <stdio.h>

#include "common/base/enc.h"
#include "stages/sink/api/lists/list_priv.h"

enum { TOKEN_MAX_BYTES = 8 << 10, URL_MAX_BYTES = 16 << 10, SEPARATOR = '\x1f' };

static enum wh_rc put_part(struct wh_buf *out, struct wh_slice part, struct wh_err *err)
{
    return wh_buf_append(out, part, err) == WH_OK ? wh_buf_append_char(out, SEPARATOR, err)
                                                  : err->rc;
}

static const char *sorted_by(const struct api_list *l)
{
    return l->sort ? l->sort->name : "";
}

/* A key is a text or a whole number. */
static enum wh_rc put_key(struct wh_buf *out, const struct sql_value *key, struct wh_err *err)
{
    return key->type == SQL_INT ? wh_buf_printf(out, err, "%lld%c", (long long)key->i, SEPARATOR)
                                : put_part(out, key->bytes, err);
}

void api_list_keep(void *ctx, const struct sql_value *values, size_t n)
{
    struct api_list *l = ctx;
    const struct sql_value *v = &values[0];
    struct wh_err err;
    enum wh_rc rc;

    wh_buf_reset(&l->last);
    rc = n == 2 ? put_part(&l->last, wh_slice_str(sorted_by(l)), &err) : WH_E_INTERNAL;
    if (rc == WH_OK && (put_part(&l->last, l->desc ? WH_LIT("d") : WH_LIT("u"), &err) != WH_OK ||
                        put_key(&l->last, &values[1], &err) != WH_OK)) {
        rc = err.rc;
    }
    if (rc == WH_OK) {
        switch (v->type) {
        case SQL_INT:
            rc = wh_buf_printf(&l->last, &err, "i%c%lld", SEPARATOR, (long long)v->i);
            break;
        case SQL_DOUBLE:
            rc = wh_buf_printf(&l->last, &err, "f%c%.17g", SEPARATOR, v->num);
            break;
        case SQL_TEXT:
        case SQL_BLOB:
            rc = put_part(&l->last, WH_LIT("t"), &err) == WH_OK
                     ? wh_buf_append(&l->last, v->bytes, &err)
                     : err.rc;
            break;
        case SQL_NULL:
        default:
            rc = put_part(&l->last, WH_LIT("n"), &err);
            break;
        }
    }
    l->too_long = rc != WH_OK;
}

static bool take_part(struct wh_slice *rest, struct wh_slice *ret)
{
    const char *at = rest->len ? memchr(rest->ptr, SEPARATOR, rest->len) : NULL;

    if (at == NULL) {
        return false;
    }
    *ret = wh_slice(rest->ptr, (size_t)(at - rest->ptr));
    *rest = wh_slice_from(*rest, ret->len + 1);
    return true;
}

static enum wh_rc bad_token(struct wh_err *err)
{
    return wh_fail(
        err, WH_E_INVALID,
        "_next is not a token of this list; take it from the answer before, with the same "
        "sort");
}

static enum wh_rc parse_token(struct api_list *l, struct wh_slice token, struct wh_slice *ret_id,
                              char *ret_type, struct wh_slice *ret_value, struct wh_err *err)
{
    struct wh_buf decoded;
    struct wh_slice rest;
    struct wh_slice column;
    struct wh_slice direction;
    struct wh_slice type;
    enum wh_rc rc;

    wh_buf_init(&decoded, TOKEN_MAX_BYTES);
    rc = wh_base64_decode(token, &decoded, err);
    if (rc == WH_OK) {
        rc = wh_arena_dup(&l->job->arena, wh_buf_slice(&decoded), &rest, err);
    }
    wh_buf_done(&decoded);
    if (rc != WH_OK || !take_part(&rest, &column) || !take_part(&rest, &direction) ||
        !take_part(&rest, ret_id) || !take_part(&rest, &type) || type.len != 1 ||
        !wh_slice_eq(column, wh_slice_str(sorted_by(l))) ||
        !wh_slice_eq(direction, l->desc ? WH_LIT("d") : WH_LIT("u"))) {
        return bad_token(err);
    }
    *ret_type = type.ptr[0];
    *ret_value = rest;
    return WH_OK;
}

static enum wh_rc add_place(struct api_list *l, struct wh_slice id, char type,
                            struct wh_slice value, struct wh_err *err)
{
    const char *op = l->desc ? "<" : ">";
    /* Numbers go as text: CAST makes them what the column has. */
    const char *cast = type == 'i' ? "INTEGER" : type == 'f' ? "REAL" : "TEXT";
    const char *c = sorted_by(l);
    const char *i;
    const char *v;

    if (api_list_param(l, (struct sql_value){.type = SQL_TEXT, .bytes = id}, &i, err) != WH_OK ||
        api_list_condition(l, &l->sql, err) != WH_OK) {
        return err->rc;
    }
    if (l->sort == NULL) {
        return wh_buf_printf(&l->sql, err, "%s %s :%s", l->key, op, i);
    }
    if (type == 'n') {
        /* NULL is smaller than all else. */
        return wh_buf_printf(&l->sql, err,
                             l->desc ? "(\"%s\" IS NULL AND %s < :%s)"
                                     : "(\"%s\" IS NOT NULL OR %s > :%s)",
                             c, l->key, i);
    }
    if (api_list_param(l, (struct sql_value){.type = SQL_TEXT, .bytes = value}, &v, err) != WH_OK ||
        wh_buf_printf(&l->sql, err,
                      "(\"%s\" %s CAST(:%s AS %s) OR (\"%s\" = CAST(:%s AS %s) AND %s %s :%s)", c,
                      op, v, cast, c, v, cast, l->key, op, i) != WH_OK) {
        return err->rc;
    }
    if (l->desc && wh_buf_printf(&l->sql, err, " OR \"%s\" IS NULL", c) != WH_OK) {
        return err->rc;
    }
    return wh_buf_append_char(&l->sql, ')', err);
}

/* An indexed time is never NULL, so a plain bound lets the store start at the page. */
static enum wh_rc add_bound(struct api_list *l, struct wh_slice value, struct wh_err *err)
{
    const char *v;

    if (strcmp(sorted_by(l), "changed_at") != 0) {
        return WH_OK;
    }
    if (api_list_param(l, (struct sql_value){.type = SQL_TEXT, .bytes = value}, &v, err) != WH_OK ||
        api_list_condition(l, &l->sql, err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_printf(&l->sql, err, "changed_at %s :%s", l->desc ? "<=" : ">=", v);
}

enum wh_rc api_list_place(struct api_list *l, struct wh_err *err)
{
    struct wh_slice token = api_arg(&l->job->request, "_next");
    struct wh_slice id = {NULL, 0};
    struct wh_slice value = {NULL, 0};
    char type = 0;

    if (token.ptr == NULL) {
        return WH_OK;
    }
    if (parse_token(l, token, &id, &type, &value, err) != WH_OK ||
        add_bound(l, value, err) != WH_OK) {
        return err->rc;
    }
    return add_place(l, id, type, value, err);
}

/* The request's own address with another _next. */
static enum wh_rc next_url(const struct api_list *l, struct wh_slice token, struct wh_buf *out,
                           struct wh_err *err)
{
    return api_list_address(l, NULL, API_LIST_ARGS_MAX, false, out, err) == WH_OK
               ? api_list_address_add(out, "_next", token, err)
               : err->rc;
}

enum wh_rc api_list_next(struct api_list *l, bool more, struct wh_buf *members, struct wh_err *err)
{
    struct wh_json_writer w;
    struct wh_buf token;
    struct wh_buf url;
    enum wh_rc rc;

    if (!more || l->too_long) {
        return wh_buf_printf(members, err, "\"next\":null,\"next_url\":null,\"truncated\":%s",
                             more ? "true" : "false");
    }
    wh_buf_init(&token, (size_t)2 * TOKEN_MAX_BYTES);
    wh_buf_init(&url, URL_MAX_BYTES);
    rc = wh_base64url_encode(wh_buf_slice(&l->last), &token, err);
    if (rc == WH_OK) {
        rc = next_url(l, wh_buf_slice(&token), &url, err);
    }
    if (rc == WH_OK) {
        if (url.len < sizeof(l->job->link) - 16) {
            (void)snprintf(l->job->link, sizeof(l->job->link), "<%s>; rel=\"next\"",
                           wh_buf_str(&url));
        }
        rc = wh_buf_printf(members, err, "\"next\":\"%s\",\"next_url\":", wh_buf_str(&token));
    }
    if (rc == WH_OK) {
        wh_json_writer_init(&w, members);
        wh_jw_str(&w, wh_buf_slice(&url));
        rc = wh_jw_finish(&w, err);
    }
    if (rc == WH_OK) {
        rc = wh_buf_printf(members, err, ",\"truncated\":true");
    }
    wh_buf_done(&token);
    wh_buf_done(&url);
    return rc;
}
