/* Rules on labels: what they mean by a table of the view files. */
#include "stages/mapper/view/rules_priv.h"

/* A text, or an object's title or name. */
static enum wh_rc label_text(const struct convert *c, struct wh_json_val v, struct wh_slice *ret,
                             struct wh_err *err)
{
    if (wh_json_type(v) == WH_JSON_OBJECT && !wh_json_get(v, WH_LIT("title"), &v) &&
        !wh_json_get(v, WH_LIT("name"), &v)) {
        *ret = WH_LIT("");
        return WH_OK;
    }
    return convert_text(c, v, ret, err);
}

enum wh_rc rule_labels(const struct convert *c, const struct view_found *found, struct wh_err *err)
{
    struct convert_rules *r = c->rules;
    struct wh_json_iter it;
    struct wh_json_val v;
    void *memory;
    size_t n = 0;

    if (found->form != FOUND_JSON) {
        return wh_fail(err, WH_E_TYPE, "%s: an array was expected", c->pointer);
    }
    if (wh_json_type(found->json) != WH_JSON_ARRAY) {
        return convert_wrong(c, "an array", found->json, err);
    }
    if (r->array.doc && r->array.index == found->json.index) {
        return WH_OK;
    }
    for (it = wh_json_iter(found->json); wh_json_next(&it, NULL, &v); n++) {
    }
    if (wh_arena_alloc(c->arena, (n + 1) * sizeof(*r->labels), &memory, err) != WH_OK) {
        return err->rc;
    }
    r->labels = memory;
    r->n_labels = 0;
    for (it = wh_json_iter(found->json); wh_json_next(&it, NULL, &v);) {
        struct convert_named *label = &r->labels[r->n_labels];

        if (label_text(c, v, &label->text, err) != WH_OK ||
            rule_key(c, label->text, &label->key, err) != WH_OK) {
            if (wh_rc_class(err->rc) != WH_CLASS_POISON) {
                return err->rc;
            }
            continue; /* the field of the labels themselves notes it */
        }
        r->n_labels++;
    }
    r->array = found->json;
    return WH_OK;
}

enum wh_rc rule_no_labels(const struct convert *c)
{
    c->rules->array = (struct wh_json_val){NULL, 0};
    c->rules->n_labels = 0;
    return WH_OK;
}

/* What follows the key's last colon, as it is written; by the key where colons are written otherwise. */
static struct wh_slice rest_of(const struct convert_named *label, const struct view_label *item)
{
    struct wh_slice rest = label->text;

    for (unsigned i = 0; i < item->colons && rest.len; i++) {
        const char *colon = memchr(rest.ptr, ':', rest.len);

        rest = wh_slice_from(rest, colon ? (size_t)(colon - rest.ptr) + 1 : rest.len);
    }
    return markdown_trim(rest.len ? rest : wh_slice_from(label->key, item->key.len));
}

static bool label_means(const struct convert_named *label, const struct view_label *item,
                        struct wh_slice *ret)
{
    if (item->begins ? label->key.len <= item->key.len || !wh_slice_starts(label->key, item->key)
                     : !wh_slice_eq(label->key, item->key)) {
        return false;
    }
    *ret = item->value.ptr ? item->value : item->begins ? rest_of(label, item) : label->text;
    return true;
}

static enum wh_rc to_labels(const struct convert *c, const struct view_conv *conv,
                            enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    const struct view_labels *table = conv->rule->labels;
    struct rule_texts t;

    if (rule_texts_init(&t, c, conv, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < c->rules->n_labels; i++) {
        for (unsigned k = 0; k < table->n; k++) {
            struct wh_slice text;

            if (label_means(&c->rules->labels[i], &table->items[k], &text) &&
                rule_texts_add(&t, text, err) != WH_OK) {
                return err->rc;
            }
        }
    }
    rule_texts_done(&t, ret_shown, ret);
    return WH_OK;
}

/* Labels of the best rank decide. When they contradict each other, nothing is stated. */
static enum wh_rc to_label(const struct convert *c, const struct view_conv *conv,
                           enum view_shown *ret_shown, struct wh_value *ret)
{
    const struct view_labels *table = conv->rule->labels;
    const struct view_label *best = NULL;
    bool contradicted = false;
    struct wh_slice text;
    struct wh_err why;

    for (size_t i = 0; i < c->rules->n_labels; i++) {
        for (unsigned k = 0; k < table->n; k++) {
            const struct view_label *item = &table->items[k];

            if ((best && item->rank > best->rank) ||
                !label_means(&c->rules->labels[i], item, &text)) {
                continue;
            }
            contradicted = best && item->rank == best->rank &&
                           (contradicted || !wh_slice_eq(text, ret->u.str));
            ret->u.str = text;
            best = item;
        }
    }
    if (contradicted) {
        (void)wh_fail(&why, WH_E_INVALID, "%s: labels contradict each other", c->pointer);
        set_aside_add_text(c->notes, c->arena, c->pointer, &why, ret->u.str);
    }
    *ret_shown = best && !contradicted ? VIEW_SHOWN : VIEW_NULL;
    return WH_OK;
}

enum wh_rc convert_label(const struct convert *c, const struct view_conv *conv,
                         enum wh_field_type type, const struct view_found *found,
                         enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    if (rule_labels(c, found, err) != WH_OK) {
        return err->rc;
    }
    return type == WH_FIELD_STRINGS ? to_labels(c, conv, ret_shown, ret, err)
                                    : to_label(c, conv, ret_shown, ret);
}
