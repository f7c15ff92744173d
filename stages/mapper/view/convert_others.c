/* What a view does not name: the other members of an object, kept as JSON text. */
#include "common/base/mem.h"
#include "common/json/json_copy.h"
#include "stages/mapper/view/convert_priv.h"

enum { OTHERS_MAX_BYTES = 1 << 20 };

static enum wh_rc write_others(const struct convert *c, struct wh_json_val object,
                               struct wh_buf *out, bool *ret_any, struct wh_err *err)
{
    struct wh_json_iter it = wh_json_iter(object);
    struct wh_json_writer w;
    struct wh_json_val v;
    struct wh_slice key;

    *ret_any = false;
    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    while (wh_json_next(&it, &key, &v)) {
        if (view_trie_child(c->trie, c->node, key) == 0) {
            *ret_any = true;
            wh_jw_key_slice(&w, key);
            wh_jw_value(&w, v);
        }
    }
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

enum wh_rc convert_others(const struct convert *c, const struct view_found *found,
                          enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text = {0};
    bool any = false;

    if (found->form != FOUND_JSON || wh_json_type(found->json) != WH_JSON_OBJECT ||
        c->trie == NULL) {
        return wh_fail(err, WH_E_TYPE, "%s: an object was expected", c->pointer);
    }
    wh_buf_init(&text, OTHERS_MAX_BYTES);
    if (write_others(c, found->json, &text, &any, err) != WH_OK) {
        return err->rc;
    }
    *ret_shown = any ? VIEW_SHOWN : VIEW_NULL;
    return any ? wh_arena_dup(c->arena, wh_buf_slice(&text), &ret->u.str, err) : WH_OK;
}
