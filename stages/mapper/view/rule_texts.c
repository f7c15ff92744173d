/* Keys of names, and lists of texts. */
#include "common/text/key.h"
#include "stages/mapper/view/rules_priv.h"

enum { ITEMS_MAX = 100 };

/* ---- keys ---- */

/* A text that cannot be compared has an empty key. */
enum wh_rc rule_key(const struct convert *c, struct wh_slice text, struct wh_slice *ret,
                    struct wh_err *err)
{
    struct wh_err why;

    wh_buf_reset(&c->rules->key);
    if (wh_key_normalise(text, &c->rules->key, &why) != WH_OK) {
        *ret = WH_LIT("");
        return why.rc == WH_E_NOMEM ? wh_fail(err, WH_E_NOMEM, "no memory for a name") : WH_OK;
    }
    return wh_arena_dup(c->arena, wh_buf_slice(&c->rules->key), ret, err);
}

struct wh_slice rule_text(const struct view_found *found)
{

    return found->form == FOUND_JSON   ? wh_json_string(found->json)
           : found->form == FOUND_TEXT ? found->text
                                       : wh_slice(NULL, 0);
}

int rule_find_word(const struct view_words *words, struct wh_slice key)
{
    for (unsigned i = 0; words && i < words->n; i++) {
        if (wh_slice_eq(words->keys[i], key)) {
            return (int)i;
        }
    }
    return -1;
}

enum wh_rc rule_is_nothing(const struct convert *c, const struct view_conv *conv,
                           struct wh_slice text, bool *ret, struct wh_err *err)
{
    struct wh_slice key;

    while (text.len && markdown_one_of(text.ptr[text.len - 1], ".,;")) {
        text.len--;
    }
    if (rule_key(c, text, &key, err) != WH_OK) {
        return err->rc;
    }
    *ret = key.len == 0 || rule_find_word(conv->rule->nothing, key) >= 0;
    return WH_OK;
}

/* ---- lists of texts ---- */

enum wh_rc rule_texts_init(struct rule_texts *t, const struct convert *c,
                           const struct view_conv *conv, struct wh_err *err)
{
    void *memory;

    *t = (struct rule_texts){.c = c, .conv = conv};
    if (wh_arena_alloc(c->arena, ITEMS_MAX * sizeof(*t->items), &memory, err) != WH_OK) {
        return err->rc;
    }
    t->items = memory;
    return WH_OK;
}

/* Adds a text unless it means nothing or is there already. Beyond ITEMS_MAX it is noted. */
enum wh_rc rule_texts_add(struct rule_texts *t, struct wh_slice text, struct wh_err *err)
{
    bool nothing = true;
    struct wh_err why;

    if (text.len == 0) {
        return WH_OK;
    }
    if (rule_is_nothing(t->c, t->conv, text, &nothing, err) != WH_OK) {
        return err->rc;
    }
    if (nothing) {
        return WH_OK;
    }
    for (size_t i = 0; i < t->n; i++) {
        if (wh_slice_eq(t->items[i], text)) {
            return WH_OK;
        }
    }
    if (t->n == ITEMS_MAX) {
        (void)wh_fail(&why, WH_E_TOO_LARGE, "%s: more than %d items", t->c->pointer, ITEMS_MAX);
        set_aside_add_text(t->c->notes, t->c->arena, t->c->pointer, &why, text);
        return WH_OK;
    }
    t->items[t->n++] = text;
    return WH_OK;
}

/* The text of a line or an item; a full stop or a comma at its end does not belong to a name. */
enum wh_rc rule_texts_add_plain(struct rule_texts *t, struct wh_slice text, struct wh_err *err)
{
    struct wh_slice plain;

    if (markdown_plain(text, t->c->arena, &plain, err) != WH_OK) {
        return err->rc;
    }
    while (plain.len > 1 && markdown_one_of(plain.ptr[plain.len - 1], ".,;")) {
        plain.len--;
    }
    return rule_texts_add(t, plain, err);
}

/* "a, b; c" */
enum wh_rc rule_texts_add_all(struct rule_texts *t, struct wh_slice text, struct wh_err *err)
{
    while (text.len) {
        size_t n = 0;

        while (n < text.len && text.ptr[n] != ',' && text.ptr[n] != ';') {
            n++;
        }
        if (rule_texts_add_plain(t, markdown_trim(wh_slice(text.ptr, n)), err) != WH_OK) {
            return err->rc;
        }
        text = wh_slice_from(text, n + 1);
    }
    return WH_OK;
}

void rule_texts_done(const struct rule_texts *t, enum view_shown *ret_shown, struct wh_value *ret)
{
    ret->u.strs.items = t->items;
    ret->u.strs.n = t->n;
    *ret_shown = t->n ? VIEW_SHOWN : VIEW_NULL;
}
