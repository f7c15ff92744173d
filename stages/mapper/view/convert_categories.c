/* Categories: the inputs are compared with the patterns of a table of the view files. */
#include "stages/mapper/view/rules_priv.h"

/* Does the pattern match the whole text? '*' matches any text: the last one takes what is needed. */
static bool matches(struct wh_slice pattern, struct wh_slice text)
{
    size_t star = SIZE_MAX;
    size_t mark = 0;
    size_t p = 0;
    size_t t = 0;

    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.len && pattern.ptr[p] == text.ptr[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

static bool input_matches(const struct convert *c, const struct view_pattern *pattern,
                          const struct wh_slice keys[WITH_COUNT])
{
    if (pattern->input != WITH_LABEL) {
        return keys[pattern->input].len && matches(pattern->key, keys[pattern->input]);
    }
    for (size_t i = 0; i < c->rules->n_labels; i++) {
        if (matches(pattern->key, c->rules->labels[i].key)) {
            return true;
        }
    }
    return false;
}

/* The keys of the inputs that are texts; labels are read beside. */
static enum wh_rc read_inputs(const struct convert *c, struct wh_slice keys[WITH_COUNT],
                              struct wh_err *err)
{
    const struct convert_with *with = c->rules->with;

    for (unsigned i = 0; i < WITH_COUNT; i++) {
        keys[i] = wh_slice(NULL, 0);
        if (with[i].shown == VIEW_SHOWN && i != WITH_LABEL && i != WITH_URL &&
            rule_key(c, rule_text(&with[i].found), &keys[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return with[WITH_LABEL].shown == VIEW_SHOWN ? rule_labels(c, &with[WITH_LABEL].found, err)
                                                : rule_no_labels(c);
}

static bool is_there(const struct wh_slice *pairs, size_t n, struct wh_slice category)
{
    for (size_t i = 0; i < n; i += 2) {
        if (wh_slice_eq(pairs[i], category)) {
            return true;
        }
    }
    return false;
}

enum wh_rc convert_categories(const struct convert *c, const struct view_conv *conv,
                              enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    const struct view_categories *table = conv->rule->categories;
    struct wh_slice keys[WITH_COUNT];
    struct wh_slice *pairs;
    void *memory;
    size_t n = 0;

    if (read_inputs(c, keys, err) != WH_OK ||
        wh_arena_alloc(c->arena, 2 * (table->n + 1) * sizeof(*pairs), &memory, err) != WH_OK) {
        return err->rc;
    }
    pairs = memory;
    for (unsigned i = 0; i < table->n; i++) {
        const struct view_category *category = &table->items[i];

        for (unsigned k = 0; k < category->n; k++) {
            if (input_matches(c, &category->patterns[k], keys)) {
                if (!is_there(pairs, n, category->name)) {
                    pairs[n++] = category->name;
                    pairs[n++] = wh_slice_str(view_with_name(category->patterns[k].input));
                }
                break;
            }
        }
    }
    ret->u.strs.items = pairs;
    ret->u.strs.n = n;
    *ret_shown = n ? VIEW_SHOWN : VIEW_NULL;
    return WH_OK;
}
