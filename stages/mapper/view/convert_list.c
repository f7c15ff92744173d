/* Conversions of arrays. An element that cannot be converted is noted and left out. */
#include <stdlib.h>

#include "stages/mapper/view/convert_priv.h"

/* The member of an element; a key that occurs twice is refused. */
static enum wh_rc member(const struct convert *c, struct wh_json_val object, struct wh_slice key,
                         bool *ret_found, struct wh_json_val *ret, struct wh_err *err)
{
    struct wh_json_iter it = wh_json_iter(object);
    struct wh_json_val v;
    struct wh_slice name;

    *ret_found = false;
    while (wh_json_next(&it, &name, &v)) {
        if (!wh_slice_eq(name, key)) {
            continue;
        }
        if (*ret_found) {
            return wh_fail(err, WH_E_DUPLICATE, "%s: an element has the key '%.*s' twice",
                           c->pointer, WH_SLICE_ARG(key));
        }
        *ret_found = true;
        *ret = v;
    }
    return WH_OK;
}

static enum wh_rc want_array(const struct convert *c, const struct view_found *found, size_t *ret_n,
                             struct wh_err *err)
{
    struct wh_json_iter it;
    struct wh_json_val v;

    *ret_n = 0;
    if (found->form != FOUND_JSON) {
        return wh_fail(err, WH_E_TYPE, "%s: an array was expected", c->pointer);
    }
    if (wh_json_type(found->json) != WH_JSON_ARRAY) {
        return convert_wrong(c, "an array", found->json, err);
    }
    it = wh_json_iter(found->json);
    while (wh_json_next(&it, NULL, &v)) {
        (*ret_n)++;
    }
    return WH_OK;
}

/* One element of STRINGS: a text, or an object whose member `key` is a text. */
static enum wh_rc string_element(const struct convert *c, const struct view_conv *conv,
                                 struct wh_json_val v, struct wh_slice *ret, struct wh_err *err)
{
    bool there = true;

    if (wh_json_type(v) == WH_JSON_OBJECT && member(c, v, conv->key, &there, &v, err) != WH_OK) {
        return err->rc;
    }
    return there ? convert_text(c, v, ret, err)
                 : wh_fail(err, WH_E_MISSING, "%s: an element has no '%.*s'", c->pointer,
                           WH_SLICE_ARG(conv->key));
}

static enum wh_rc to_strings(const struct convert *c, const struct view_conv *conv,
                             const struct view_found *found, struct wh_value *ret,
                             struct wh_err *err)
{
    struct wh_json_iter it;
    struct wh_json_val v;
    struct wh_slice *items;
    void *memory;
    size_t n;

    if (want_array(c, found, &n, err) != WH_OK ||
        wh_arena_zalloc(c->arena, n + 1, sizeof(*items), &memory, err) != WH_OK) {
        return err->rc;
    }
    items = memory;
    it = wh_json_iter(found->json);
    n = 0;
    while (wh_json_next(&it, NULL, &v)) {
        if (string_element(c, conv, v, &items[n], err) == WH_OK) {
            n++;
        } else if (wh_rc_class(err->rc) == WH_CLASS_POISON) {
            set_aside_add(c->notes, c->arena, c->pointer, err, v);
        } else {
            return err->rc;
        }
    }
    ret->u.strs.items = items;
    ret->u.strs.n = n;
    return WH_OK;
}

static int id_cmp(const void *a, const void *b)
{
    return wh_entity_id_cmp(a, b);
}

static void sort_unique(struct wh_entity_id *items, size_t *n)
{
    size_t kept = 0;

    if (*n > 1) {
        qsort(items, *n, sizeof(*items), id_cmp);
    }
    for (size_t i = 0; i < *n; i++) {
        if (kept == 0 || wh_entity_id_cmp(&items[kept - 1], &items[i]) != 0) {
            items[kept++] = items[i];
        }
    }
    *n = kept;
}

/* One element of REFS; *ret_skip when the filter leaves it out. */
static enum wh_rc ref_element(const struct convert *c, const struct view_conv *conv,
                              struct wh_json_val v, bool *ret_skip, enum view_shown *ret_shown,
                              struct wh_entity_id *ret, struct wh_err *err)
{
    struct view_found inner = {.form = FOUND_JSON, .json = v};
    struct wh_slice id;
    bool there = true;

    *ret_skip = false;
    if (conv->where_key.len) {
        struct wh_json_val w;

        if (member(c, v, conv->where_key, &there, &w, err) != WH_OK) {
            return err->rc;
        }
        *ret_skip = !there || !wh_slice_eq(wh_json_string(w), conv->where_value);
        if (*ret_skip) {
            return WH_OK;
        }
    }
    if (wh_json_type(v) == WH_JSON_OBJECT &&
        member(c, v, conv->key, &there, &inner.json, err) != WH_OK) {
        return err->rc;
    }
    if (!there) {
        *ret_shown = VIEW_ABSENT;
        return WH_OK;
    }
    if (conv->foreign_kept && convert_is_foreign(inner.json)) {
        *ret_skip = true;
        return WH_OK;
    }
    if (convert_id(c, &inner, false, ret_shown, &id, err) != WH_OK) {
        return err->rc;
    }
    if (*ret_shown == VIEW_SHOWN) {
        *ret = view_idcache_make(c->ids, c->instance, conv->kind, id);
    }
    return WH_OK;
}

static enum wh_rc to_refs(const struct convert *c, const struct view_conv *conv,
                          const struct view_found *found, enum view_shown *ret_shown,
                          struct wh_value *ret, struct wh_err *err)
{
    struct wh_entity_id *items;
    struct wh_json_iter it;
    struct wh_json_val v;
    void *memory;
    size_t n;

    if (want_array(c, found, &n, err) != WH_OK ||
        wh_arena_zalloc(c->arena, n + 1, sizeof(*items), &memory, err) != WH_OK) {
        return err->rc;
    }
    items = memory;
    it = wh_json_iter(found->json);
    n = 0;
    while (wh_json_next(&it, NULL, &v)) {
        enum view_shown shown = VIEW_SHOWN;
        bool skip;

        if (ref_element(c, conv, v, &skip, &shown, &items[n], err) != WH_OK) {
            if (wh_rc_class(err->rc) != WH_CLASS_POISON) {
                return err->rc;
            }
            set_aside_add(c->notes, c->arena, c->pointer, err, v);
            continue;
        }
        /* An object without an id: the list as a whole is unknown. */
        if (!skip && shown != VIEW_SHOWN) {
            *ret_shown = VIEW_ABSENT;
            return WH_OK;
        }
        n += !skip;
    }
    sort_unique(items, &n);
    ret->u.refs.items = items;
    ret->u.refs.n = n;
    return WH_OK;
}

/* The key of a foreign element, followed by a blank and its address if it has one. */
static enum wh_rc foreign_text(const struct convert *c, struct wh_json_val element,
                               struct wh_slice key, struct wh_slice *ret, struct wh_err *err)
{
    struct wh_slice url = {NULL, 0};
    struct wh_json_val v;
    void *memory;
    char *p;

    if (key.len > VIEW_ID_MAX || memchr(key.ptr, ' ', key.len)) {
        return wh_fail(err, WH_E_INVALID, "%s: not the key of an object of another tracker",
                       c->pointer);
    }
    if (wh_json_get(element, WH_LIT("web_url"), &v) || wh_json_get(element, WH_LIT("url"), &v)) {
        url = wh_json_string(v);
    }
    if (wh_arena_alloc(c->arena, key.len + url.len + 2, &memory, err) != WH_OK) {
        return err->rc;
    }
    p = memory;
    memcpy(p, key.ptr, key.len);
    *ret = wh_slice(p, key.len);
    if (url.len) {
        p[key.len] = ' ';
        memcpy(p + key.len + 1, url.ptr, url.len);
        ret->len += 1 + url.len;
    }
    return WH_OK;
}

static enum wh_rc to_foreign(const struct convert *c, const struct view_conv *conv,
                             const struct view_found *found, struct wh_value *ret,
                             struct wh_err *err)
{
    struct wh_slice *items;
    struct wh_json_iter it;
    struct wh_json_val v;
    void *memory;
    size_t n;

    if (want_array(c, found, &n, err) != WH_OK ||
        wh_arena_zalloc(c->arena, n + 1, sizeof(*items), &memory, err) != WH_OK) {
        return err->rc;
    }
    items = memory;
    it = wh_json_iter(found->json);
    n = 0;
    while (wh_json_next(&it, NULL, &v)) {
        struct wh_json_val id = v;

        if (wh_json_type(v) == WH_JSON_OBJECT && !wh_json_get(v, conv->key, &id)) {
            continue;
        }
        if (!convert_is_foreign(id)) {
            continue;
        }
        if (foreign_text(c, v, wh_json_string(id), &items[n], err) == WH_OK) {
            n++;
        } else if (wh_rc_class(err->rc) == WH_CLASS_POISON) {
            set_aside_add(c->notes, c->arena, c->pointer, err, id);
        } else {
            return err->rc;
        }
    }
    ret->u.strs.items = items;
    ret->u.strs.n = n;
    return WH_OK;
}

enum wh_rc convert_list(const struct convert *c, const struct view_conv *conv,
                        const struct view_found *found, enum view_shown *ret_shown,
                        struct wh_value *ret, struct wh_err *err)
{
    if (conv->type == CONV_STRINGS) {
        return to_strings(c, conv, found, ret, err);
    }
    return conv->type == CONV_REFS ? to_refs(c, conv, found, ret_shown, ret, err)
                                   : to_foreign(c, conv, found, ret, err);
}
