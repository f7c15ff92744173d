/* Tables of rules: words and labels, in the form in which they are compared. */
#include "stages/mapper/view/loader_priv.h"

#include "common/text/key.h"

bool view_loader_key(struct view_loader *l, struct wh_slice text, struct wh_slice *ret)
{
    wh_buf_reset(&l->key);
    if (wh_key_normalise(text, &l->key, l->err) != WH_OK || l->key.len == 0) {
        wh_err_clear(l->err);
        return view_loader_fail(l, "'%.*s' cannot be compared", WH_SLICE_ARG(text));
    }
    return view_loader_dup(l, wh_buf_slice(&l->key), ret);
}

bool view_words_add(struct view_loader *l, struct wh_slice name, struct wh_json_val array)
{
    struct view_words *words = &l->words[l->n_words];
    struct wh_slice *keys = view_loader_alloc(l, VIEW_TABLE_MAX, sizeof(*keys));
    struct wh_json_iter it = wh_json_iter(array);
    struct wh_json_val v;

    if (keys == NULL || l->n_words == VIEW_TABLES_MAX || wh_json_type(array) != WH_JSON_ARRAY) {
        return view_loader_fail(l, "words '%.*s': a list of texts was expected",
                                WH_SLICE_ARG(name));
    }
    while (wh_json_next(&it, NULL, &v)) {
        struct wh_slice *key = &keys[words->n];

        if (words->n == VIEW_TABLE_MAX || !view_loader_key(l, wh_json_string(v), key)) {
            return view_loader_fail(l, "words '%.*s': too many", WH_SLICE_ARG(name));
        }
        words->first[(unsigned char)key->ptr[0] / 64] |= UINT64_C(1)
                                                         << (unsigned char)key->ptr[0] % 64;
        words->n++;
    }
    words->keys = keys;
    l->n_words++;
    return view_loader_dup(l, name, &words->name);
}

/* "service::*" stands for all labels that begin so; the star must follow a colon. */
static bool add_label(struct view_loader *l, struct view_label *items, unsigned *n,
                      struct wh_slice pattern, struct wh_slice value, unsigned rank)
{
    struct view_label *item = &items[*n];

    if (*n == VIEW_TABLE_MAX) {
        return view_loader_fail(l, "more than %d labels in a table", VIEW_TABLE_MAX);
    }
    *item = (struct view_label){.begins = wh_slice_ends(pattern, WH_LIT(":*")), .rank = rank};
    pattern.len -= item->begins;
    if (!view_loader_key(l, pattern, &item->key) ||
        (value.ptr && !view_loader_dup(l, value, &item->value))) {
        return false;
    }
    for (size_t i = 0; i < item->key.len; i++) {
        item->colons += item->key.ptr[i] == ':';
    }
    (*n)++;
    return true;
}

/* {"severity::1": "critical"} */
static bool add_meanings(struct view_loader *l, struct view_label *items, unsigned *n,
                         struct wh_json_val object, unsigned rank)
{
    struct wh_json_iter it = wh_json_iter(object);
    struct wh_json_val v;
    struct wh_slice key;

    while (wh_json_next(&it, &key, &v)) {
        if (wh_json_type(v) != WH_JSON_STRING) {
            return view_loader_fail(l, "label '%.*s': its meaning must be a text",
                                    WH_SLICE_ARG(key));
        }
        if (!add_label(l, items, n, key, wh_json_string(v), rank)) {
            return false;
        }
    }
    return true;
}

bool view_labels_add(struct view_loader *l, struct wh_slice name, struct wh_json_val table)
{
    struct view_labels *labels = &l->labels[l->n_labels];
    struct view_label *items = view_loader_alloc(l, VIEW_TABLE_MAX, sizeof(*items));
    struct wh_json_iter it = wh_json_iter(table);
    struct wh_json_val v;
    unsigned rank = 0;

    if (items == NULL || l->n_labels == VIEW_TABLES_MAX || wh_json_type(table) != WH_JSON_ARRAY) {
        return view_loader_fail(l, "labels '%.*s': a list was expected", WH_SLICE_ARG(name));
    }
    for (; wh_json_next(&it, NULL, &v); rank++) {
        bool good =
            wh_json_type(v) == WH_JSON_OBJECT
                ? add_meanings(l, items, &labels->n, v, rank)
                : add_label(l, items, &labels->n, wh_json_string(v), wh_slice(NULL, 0), rank);

        if (!good) {
            return false;
        }
    }
    labels->items = items;
    l->n_labels++;
    return view_loader_dup(l, name, &labels->name);
}

/* The last table of that name; NULL: there is none. */
static const struct view_words *find_words(const struct view_loader *l, struct wh_slice name)
{
    for (unsigned i = l->n_words; i-- > 0;) {
        if (wh_slice_eq(l->words[i].name, name)) {
            return &l->words[i];
        }
    }
    return NULL;
}

static const struct view_labels *find_labels(const struct view_loader *l, struct wh_slice name)
{
    for (unsigned i = l->n_labels; i-- > 0;) {
        if (wh_slice_eq(l->labels[i].name, name)) {
            return &l->labels[i];
        }
    }
    return NULL;
}

bool view_rule_compile(struct view_loader *l, struct wh_slice name, struct view_conv *conv)
{
    struct view_rule *rule = view_loader_alloc(l, 1, sizeof(*rule));

    if (rule == NULL) {
        return false;
    }
    rule->nothing = find_words(l, WH_LIT("nothing"));
    conv->rule = rule;
    if (conv->type == CONV_MENTIONS || conv->type == CONV_REVERTS) {
        return true;
    }
    if (conv->type == CONV_LABEL) {
        rule->labels = find_labels(l, name);
    } else if (conv->type == CONV_CATEGORIES) {
        rule->categories = view_categories_find(l, name);
    } else {
        rule->words = find_words(l, name);
    }
    return rule->labels || rule->words || rule->categories
               ? true
               : view_loader_fail(l, "unknown table '%.*s'", WH_SLICE_ARG(name));
}

static const char *const with_names[WITH_COUNT] = {
    [WITH_URL] = "url",     [WITH_TYPE] = "type",     [WITH_LABEL] = "label",
    [WITH_TITLE] = "title", [WITH_BRANCH] = "branch", [WITH_SOURCE] = "source",
};

const char *view_with_name(enum view_with with)
{
    return with_names[with];
}

enum view_with view_with_find(struct wh_slice name)
{
    unsigned i = 0;

    while (i < WITH_COUNT && !wh_slice_eq(name, wh_slice_str(with_names[i]))) {
        i++;
    }
    return (enum view_with)i;
}

bool view_with_compile(struct view_loader *l, const struct view_place *place,
                       struct wh_json_val object, struct view_conv *conv)
{
    struct view_rule *rule = view_loader_alloc(l, 1, sizeof(*rule));
    struct wh_json_iter it = wh_json_iter(object);
    struct wh_json_val v;
    struct wh_slice key;

    if (rule == NULL || conv->rule == NULL) {
        return view_loader_fail(l, "'with' needs a rule");
    }
    *rule = *conv->rule;
    conv->rule = rule;
    while (wh_json_next(&it, &key, &v)) {
        struct view_alts *alts = view_loader_alloc(l, 1, sizeof(*alts));
        enum view_with with = view_with_find(key);

        if (with == WITH_COUNT || alts == NULL) {
            return view_loader_fail(l, "unknown key '%.*s' in 'with'", WH_SLICE_ARG(key));
        }
        if (!view_alts_compile(l, place, v, NULL, CONV_STRING, alts)) {
            return false;
        }
        rule->with[with] = alts;
    }
    return true;
}
