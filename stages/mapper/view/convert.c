#include "stages/mapper/view/convert_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/num.h"

enum { SHA1_TEXT = 40, SHA256_TEXT = 64 };

static const char *type_name(struct wh_json_val v)
{
    switch (wh_json_type(v)) {
    case WH_JSON_NULL:
        return "null";
    case WH_JSON_BOOL:
        return "a boolean";
    case WH_JSON_INT:
    case WH_JSON_UINT:
    case WH_JSON_DOUBLE:
        return "a number";
    case WH_JSON_STRING:
        return "a text";
    case WH_JSON_ARRAY:
        return "an array";
    case WH_JSON_OBJECT:
    default:
        return "an object";
    }
}

enum wh_rc convert_wrong(const struct convert *c, const char *want, struct wh_json_val v,
                         struct wh_err *err)
{
    return wh_fail(err, WH_E_TYPE, "%s: %s was expected, not %s", c->pointer, want, type_name(v));
}

/* ---- numbers as text ---- */

static enum wh_rc digits(const struct convert *c, int64_t v, struct wh_slice *ret,
                         struct wh_err *err)
{
    char text[20];
    size_t at = sizeof(text);

    for (uint64_t u = (uint64_t)v; at == sizeof(text) || u; u /= 10) {
        text[--at] = (char)('0' + u % 10);
    }
    return wh_arena_dup(c->arena, wh_slice(text + at, sizeof(text) - at), ret, err);
}

/* The number that a text holds: "12", or GraphQL's global id "gid://gitlab/WorkItem/12". */
static bool number_of(struct wh_slice text, struct wh_slice *ret)
{
    const char *slash;
    struct wh_err err;
    int64_t number;

    if (wh_slice_starts(text, WH_LIT("gid://"))) {
        slash = memrchr(text.ptr, '/', text.len);
        text = wh_slice_from(text, (size_t)(slash - text.ptr) + 1);
    }
    /* Leading zeros would make a second id of the same object. */
    *ret = text;
    return text.len > 0 && text.ptr[0] >= '1' && text.ptr[0] <= '9' &&
           wh_num_i64(text, &number, &err) == WH_OK;
}

static bool is_empty_or_zero(struct wh_slice text)
{
    return text.len == 0 || (text.len == 1 && text.ptr[0] == '0');
}

bool convert_is_foreign(struct wh_json_val id)
{
    struct wh_slice text = wh_json_string(id);
    struct wh_slice number;

    return wh_json_type(id) == WH_JSON_STRING && !is_empty_or_zero(text) &&
           !number_of(text, &number);
}

enum wh_rc convert_id(const struct convert *c, const struct view_found *found, bool text_allowed,
                      enum view_shown *ret_shown, struct wh_slice *ret, struct wh_err *err)
{
    enum wh_json_type type = found->form == FOUND_JSON ? wh_json_type(found->json) : WH_JSON_STRING;
    struct wh_slice text = found->form == FOUND_JSON ? wh_json_string(found->json) : found->text;

    *ret_shown = VIEW_SHOWN;
    if (found->form == FOUND_TEXT || (type == WH_JSON_STRING && text_allowed)) {
        *ret_shown = text.len ? VIEW_SHOWN : VIEW_ABSENT;
        *ret = text;
        return text.len <= VIEW_ID_MAX
                   ? WH_OK
                   : wh_fail(err, WH_E_TOO_LARGE, "%s: an id of %zu bytes", c->pointer, text.len);
    }
    switch (type) {
    case WH_JSON_INT:
        if (wh_json_int(found->json) < 0) {
            return wh_fail(err, WH_E_RANGE, "%s: an id cannot be negative", c->pointer);
        }
        if (wh_json_int(found->json) == 0) {
            *ret_shown = VIEW_NULL;
            return WH_OK;
        }
        return digits(c, wh_json_int(found->json), ret, err);
    case WH_JSON_UINT:
        return wh_fail(err, WH_E_RANGE, "%s: an id is above 9223372036854775807", c->pointer);
    case WH_JSON_NULL:
        *ret_shown = VIEW_NULL;
        return WH_OK;
    case WH_JSON_STRING:
        if (is_empty_or_zero(text)) {
            *ret_shown = VIEW_NULL;
            return WH_OK;
        }
        return number_of(text, ret) ? WH_OK
                                    : convert_wrong(c, "a whole number as id", found->json, err);
    case WH_JSON_BOOL:
    case WH_JSON_DOUBLE:
    case WH_JSON_ARRAY:
    case WH_JSON_OBJECT:
    default:
        return convert_wrong(c, "a whole number as id", found->json, err);
    }
}

/* ---- texts ---- */

/* A text, or a number as text. */
enum wh_rc convert_text(const struct convert *c, struct wh_json_val v, struct wh_slice *ret,
                        struct wh_err *err)
{
    char text[32];
    int n;

    switch (wh_json_type(v)) {
    case WH_JSON_STRING:
        *ret = wh_json_string(v);
        return WH_OK;
    case WH_JSON_INT:
        n = snprintf(text, sizeof(text), "%" PRId64, wh_json_int(v));
        break;
    case WH_JSON_UINT:
        n = snprintf(text, sizeof(text), "%" PRIu64, wh_json_uint(v));
        break;
    case WH_JSON_DOUBLE:
        n = snprintf(text, sizeof(text), "%.15g", wh_json_double(v));
        break;
    case WH_JSON_NULL:
    case WH_JSON_BOOL:
    case WH_JSON_ARRAY:
    case WH_JSON_OBJECT:
    default:
        return convert_wrong(c, "a text", v, err);
    }
    return wh_arena_dup(c->arena, wh_slice(text, (size_t)n), ret, err);
}

static enum wh_rc want_text(const struct convert *c, const struct view_found *found,
                            struct wh_slice *ret, struct wh_err *err)
{
    if (found->form == FOUND_TEXT) {
        *ret = found->text;
        return WH_OK;
    }
    if (found->form == FOUND_TIME) {
        return wh_fail(err, WH_E_TYPE, "%s: a text was expected", c->pointer);
    }
    return convert_text(c, found->json, ret, err);
}

static char lower(char ch)
{
    return ch == ' ' ? '_' : ch >= 'A' && ch <= 'Z' ? (char)(ch + ('a' - 'A')) : ch;
}

static char upper(char ch)
{
    return ch >= 'a' && ch <= 'z' ? (char)(ch - ('a' - 'A')) : ch;
}

static enum wh_rc each_byte(const struct convert *c, struct wh_slice text, char (*of)(char),
                            struct wh_value *ret, struct wh_err *err)
{
    void *copy;
    char *p;

    if (wh_arena_alloc(c->arena, text.len + 1, &copy, err) != WH_OK) {
        return err->rc;
    }
    p = copy;
    for (size_t i = 0; i < text.len; i++) {
        p[i] = of(text.ptr[i]);
    }
    ret->u.str = wh_slice(p, text.len);
    return WH_OK;
}

enum wh_rc convert_time(const struct convert *c, const struct view_found *found,
                        struct wh_instant *ret, struct wh_err *err)
{
    struct wh_slice text = {NULL, 0};

    if (found->form == FOUND_TIME) {
        *ret = (struct wh_instant){.ms = found->ms, .has_fraction = true};
        return WH_OK;
    }
    if (found->form == FOUND_JSON && wh_json_type(found->json) != WH_JSON_STRING) {
        return convert_wrong(c, "a date or time as text", found->json, err);
    }
    if (want_text(c, found, &text, err) != WH_OK) {
        return err->rc;
    }
    /* The message does not contain the text, which is payload. */
    if (wh_time_parse(text, ret, err) != WH_OK) {
        return wh_fail(err, WH_E_INVALID, "%s: not a known date or time format", c->pointer);
    }
    return WH_OK;
}

static enum wh_rc to_text(const struct convert *c, const struct view_conv *conv,
                          const struct view_found *found, enum view_shown *ret_shown,
                          struct wh_value *ret, struct wh_err *err)
{
    struct wh_instant at = {0};
    struct wh_slice text;

    if (want_text(c, found, &text, err) != WH_OK) {
        return err->rc;
    }
    ret->u.str = text;
    if (conv->type == CONV_LOWER || conv->type == CONV_UPPER) {
        return each_byte(c, text, conv->type == CONV_LOWER ? lower : upper, ret, err);
    }
    if (conv->type == CONV_EMAIL) {
        *ret_shown = wh_slice_eq(text, WH_LIT("[REDACTED]")) ? VIEW_ABSENT
                     : text.len == 0                         ? VIEW_NULL
                                                             : VIEW_SHOWN;
    }
    if (conv->type == CONV_DATE) {
        if (text.len == 0) {
            *ret_shown = VIEW_NULL;
            return WH_OK;
        }
        /* A day may be later than any time that orders versions: an open end is often 9999-12-31. */
        if (!wh_date_valid(text) && convert_time(c, found, &at, err) != WH_OK) {
            return err->rc;
        }
        ret->u.str.len = 10;
    }
    return WH_OK;
}

/* The last part of ".../commit/<id>", if it is a full SHA-1 or SHA-256, so that a short id never
 * replaces a full one. */
static enum wh_rc to_commit(const struct convert *c, const struct view_found *found,
                            enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    struct wh_slice text = {NULL, 0};
    const char *slash;

    if (want_text(c, found, &text, err) != WH_OK) {
        return err->rc;
    }
    slash = text.len ? memrchr(text.ptr, '/', text.len) : NULL;
    if (slash) {
        text = wh_slice_from(text, (size_t)(slash - text.ptr) + 1);
    }
    if (text.len != SHA1_TEXT && text.len != SHA256_TEXT) {
        *ret_shown = VIEW_ABSENT;
        return WH_OK;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (memchr("0123456789abcdef", text.ptr[i], 16) == NULL) {
            *ret_shown = VIEW_ABSENT;
            return WH_OK;
        }
    }
    ret->u.str = text;
    return WH_OK;
}

/* ---- tables ---- */

static const struct view_map_item *map_find(const struct view_map *map, struct wh_slice key)
{
    for (unsigned i = 0; i < map->n; i++) {
        if (wh_slice_eq(map->items[i].from, key)) {
            return &map->items[i];
        }
    }
    return NULL;
}

static enum wh_rc by_map(const struct convert *c, const struct view_conv *conv,
                         enum wh_field_type type, const struct view_found *found,
                         enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    bool number = found->form == FOUND_JSON && wh_json_type(found->json) == WH_JSON_INT;
    const struct view_map_item *item;
    struct wh_slice key;

    if (number && type == WH_FIELD_LONG) {
        ret->u.i = wh_json_int(found->json);
        return WH_OK;
    }
    if (number ? digits(c, wh_json_int(found->json), &key, err) != WH_OK
               : want_text(c, found, &key, err) != WH_OK) {
        return err->rc;
    }
    item = map_find(conv->map, key);
    if (item && type == WH_FIELD_LONG) {
        ret->u.i = item->number;
        return WH_OK;
    }
    if (item == NULL && type == WH_FIELD_LONG) {
        /* A word that is not in the table has no number: the field becomes null. */
        struct wh_err why;

        (void)wh_fail(&why, WH_E_INVALID, "%s: the value is not in table %.*s", c->pointer,
                      WH_SLICE_ARG(conv->map->name));
        set_aside_add(c->notes, c->arena, c->pointer, &why, found->json);
        *ret_shown = VIEW_NULL;
        return WH_OK;
    }
    ret->u.str = item ? item->text : key;
    return WH_OK;
}

/* ---- numbers ---- */

/* A number that was sent as text; an empty text is null. */
static enum wh_rc long_of_text(const struct convert *c, struct wh_slice text,
                               enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    if (text.len == 0) {
        *ret_shown = VIEW_NULL;
        return WH_OK;
    }
    return wh_num_i64(text, &ret->u.i, err) == WH_OK
               ? WH_OK
               : wh_fail(err, WH_E_TYPE, "%s: a number was expected, not a text", c->pointer);
}

static enum wh_rc to_long(const struct convert *c, const struct view_found *found,
                          enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    double d;

    if (found->form != FOUND_JSON) {
        return long_of_text(c, found->text, ret_shown, ret, err);
    }
    switch (wh_json_type(found->json)) {
    case WH_JSON_INT:
        ret->u.i = wh_json_int(found->json);
        return WH_OK;
    case WH_JSON_UINT:
        return wh_fail(err, WH_E_RANGE, "%s: above 9223372036854775807", c->pointer);
    case WH_JSON_DOUBLE:
        d = wh_json_double(found->json);
        if (d >= 9.2e18 || d <= -9.2e18) {
            return wh_fail(err, WH_E_RANGE, "%s: out of range", c->pointer);
        }
        ret->u.i = (int64_t)d;
        return WH_OK;
    case WH_JSON_STRING:
        return long_of_text(c, wh_json_string(found->json), ret_shown, ret, err);
    case WH_JSON_NULL:
    case WH_JSON_BOOL:
    case WH_JSON_ARRAY:
    case WH_JSON_OBJECT:
    default:
        return convert_wrong(c, "a number", found->json, err);
    }
}

/* Pipelines of merge requests run on refs/merge-requests/<iid>/head, /merge or /train. */
static enum wh_rc to_mr_iid(const struct convert *c, const struct view_found *found,
                            enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    static const char prefix[] = "refs/merge-requests/";
    struct wh_slice text = {NULL, 0};
    const char *slash;

    if (want_text(c, found, &text, err) != WH_OK) {
        return err->rc;
    }
    *ret_shown = VIEW_ABSENT;
    if (!wh_slice_starts(text, wh_slice_str(prefix))) {
        return WH_OK;
    }
    text = wh_slice_from(text, sizeof(prefix) - 1);
    slash = memchr(text.ptr, '/', text.len);
    if (slash &&
        wh_num_i64(wh_slice(text.ptr, (size_t)(slash - text.ptr)), &ret->u.i, err) == WH_OK &&
        ret->u.i > 0) {
        *ret_shown = VIEW_SHOWN;
    }
    return WH_OK;
}

/* GitLab sends coverage as text: "68.49". */
static enum wh_rc to_double(const struct convert *c, const struct view_found *found,
                            enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    enum wh_json_type type = found->form == FOUND_JSON ? wh_json_type(found->json) : WH_JSON_STRING;
    struct wh_slice text;
    char copy[64];
    char *end;

    if (type == WH_JSON_INT || type == WH_JSON_UINT || type == WH_JSON_DOUBLE) {
        ret->u.num = wh_json_double(found->json);
        return WH_OK;
    }
    if (type != WH_JSON_STRING) {
        return convert_wrong(c, "a number", found->json, err);
    }
    text = found->form == FOUND_JSON ? wh_json_string(found->json) : found->text;
    if (text.len == 0) {
        *ret_shown = VIEW_NULL;
        return WH_OK;
    }
    if (text.len < sizeof(copy)) {
        memcpy(copy, text.ptr, text.len);
        copy[text.len] = '\0';
        ret->u.num = strtod(copy, &end);
        if (end == copy + text.len && isfinite(ret->u.num)) {
            return WH_OK;
        }
    }
    return wh_fail(err, WH_E_INVALID, "%s: a text that is not a number", c->pointer);
}

/* A boolean, or its form in older versions: "true", "1", 1. */
static enum wh_rc to_bool(const struct convert *c, const struct view_found *found,
                          struct wh_value *ret, struct wh_err *err)
{
    enum wh_json_type type = found->form == FOUND_JSON ? wh_json_type(found->json) : WH_JSON_STRING;
    struct wh_slice text = found->form == FOUND_JSON ? wh_json_string(found->json) : found->text;

    if (type == WH_JSON_BOOL) {
        ret->u.b = wh_json_bool(found->json);
        return WH_OK;
    }
    if (type == WH_JSON_INT) {
        text = wh_json_int(found->json) == 1   ? WH_LIT("1")
               : wh_json_int(found->json) == 0 ? WH_LIT("0")
                                               : WH_LIT("");
    }
    ret->u.b = wh_slice_eq(text, WH_LIT("true")) || wh_slice_eq(text, WH_LIT("1"));
    if (ret->u.b || wh_slice_eq(text, WH_LIT("false")) || wh_slice_eq(text, WH_LIT("0"))) {
        return WH_OK;
    }
    return found->form == FOUND_JSON
               ? convert_wrong(c, "a boolean", found->json, err)
               : wh_fail(err, WH_E_TYPE, "%s: a boolean was expected", c->pointer);
}

static enum wh_rc to_ref(const struct convert *c, const struct view_conv *conv,
                         const struct view_found *found, enum view_shown *ret_shown,
                         struct wh_value *ret, struct wh_err *err)
{
    struct wh_slice id;

    if (convert_id(c, found, false, ret_shown, &id, err) != WH_OK) {
        return err->rc;
    }
    if (*ret_shown == VIEW_SHOWN) {
        ret->u.ref = view_idcache_make(c->ids, c->instance, conv->kind, id);
    }
    return WH_OK;
}

enum wh_rc convert_value(const struct convert *c, const struct view_conv *conv,
                         enum wh_field_type type, const struct view_found *found,
                         enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    struct wh_instant at = {0};

    *ret_shown = VIEW_SHOWN;
    ret->is_null = false;
    switch (conv->type) {
    case CONV_STRING:
    case CONV_LOWER:
    case CONV_UPPER:
    case CONV_EMAIL:
    case CONV_DATE:
        return to_text(c, conv, found, ret_shown, ret, err);
    case CONV_OTHERS:
        return convert_others(c, found, ret_shown, ret, err);
    case CONV_COMMIT:
        return to_commit(c, found, ret_shown, ret, err);
    case CONV_MAP:
        return by_map(c, conv, type, found, ret_shown, ret, err);
    case CONV_LONG:
        return to_long(c, found, ret_shown, ret, err);
    case CONV_MR_IID:
        return to_mr_iid(c, found, ret_shown, ret, err);
    case CONV_DOUBLE:
        return to_double(c, found, ret_shown, ret, err);
    case CONV_BOOL:
        return to_bool(c, found, ret, err);
    case CONV_TIME:
        if (found->form == FOUND_JSON && wh_json_type(found->json) == WH_JSON_STRING &&
            wh_json_string(found->json).len == 0) {
            *ret_shown = VIEW_NULL;
            return WH_OK;
        }
        if (convert_time(c, found, &at, err) != WH_OK) {
            return err->rc;
        }
        ret->u.i = at.ms;
        return WH_OK;
    case CONV_STRINGS:
    case CONV_REFS:
    case CONV_FOREIGN:
        return convert_list(c, conv, found, ret_shown, ret, err);
    case CONV_REF:
        return to_ref(c, conv, found, ret_shown, ret, err);
    case CONV_LINE:
    case CONV_LIST:
    case CONV_HEADING:
    case CONV_LABEL:
    case CONV_MENTIONS:
    case CONV_CATEGORIES:
    case CONV_REVERTS:
        return convert_rule(c, conv, type, found, ret_shown, ret, err);
    default:
        return wh_fail(err, WH_E_INTERNAL, "conversion %d", (int)conv->type);
    }
}
