/* Tables of categories: which types, labels, titles, branches and sources assign one. */
#include "stages/mapper/view/loader_priv.h"

/* Adds the patterns that an object lists for one input. */
static bool add_patterns(struct view_loader *l, enum view_with input, struct wh_json_val list,
                         struct view_pattern *patterns, unsigned *n)
{
    struct wh_json_iter it = wh_json_iter(list);
    struct wh_json_val v;

    if (wh_json_type(list) != WH_JSON_ARRAY) {
        return view_loader_fail(l, "'%s': a list of texts was expected", view_with_name(input));
    }
    while (wh_json_next(&it, NULL, &v)) {
        if (*n == VIEW_TABLE_MAX) {
            return view_loader_fail(l, "more than %d patterns", VIEW_TABLE_MAX);
        }
        patterns[*n].input = input;
        if (!view_loader_key(l, wh_json_string(v), &patterns[(*n)++].key)) {
            return false;
        }
    }
    return true;
}

/* {"category": "fix", "label": ["bug"], "title": ["fix:*"]} */
static bool add_category(struct view_loader *l, struct wh_json_val object,
                         struct view_category *category)
{
    struct view_pattern *patterns = view_loader_alloc(l, VIEW_TABLE_MAX, sizeof(*patterns));
    struct wh_json_iter it = wh_json_iter(object);
    struct wh_json_val v;
    struct wh_slice key;

    if (patterns == NULL) {
        return false;
    }
    while (wh_json_next(&it, &key, &v)) {
        enum view_with input = view_with_find(key);

        if (wh_slice_eq(key, WH_LIT("category"))) {
            if (!view_loader_dup(l, wh_json_string(v), &category->name)) {
                return false;
            }
        } else if (input == WITH_COUNT || input == WITH_URL) {
            return view_loader_fail(l, "a category has no '%.*s'", WH_SLICE_ARG(key));
        } else if (!add_patterns(l, input, v, patterns, &category->n)) {
            return false;
        }
    }
    category->patterns = patterns;
    return category->name.len ? true : view_loader_fail(l, "a category lacks 'category'");
}

bool view_categories_add(struct view_loader *l, struct wh_slice name, struct wh_json_val table)
{
    struct view_categories *list = &l->categories[l->n_categories];
    struct view_category *items = view_loader_alloc(l, VIEW_CATEGORIES_MAX, sizeof(*items));
    struct wh_json_iter it = wh_json_iter(table);
    struct wh_json_val v;

    if (items == NULL || l->n_categories == VIEW_TABLES_MAX ||
        wh_json_type(table) != WH_JSON_ARRAY) {
        return view_loader_fail(l, "categories '%.*s': a list was expected", WH_SLICE_ARG(name));
    }
    while (wh_json_next(&it, NULL, &v)) {
        if (list->n == VIEW_CATEGORIES_MAX) {
            return view_loader_fail(l, "more than %d categories", VIEW_CATEGORIES_MAX);
        }
        if (!add_category(l, v, &items[list->n++])) {
            return false;
        }
    }
    list->items = items;
    l->n_categories++;
    return view_loader_dup(l, name, &list->name);
}

const struct view_categories *view_categories_find(const struct view_loader *l,
                                                   struct wh_slice name)
{
    for (unsigned i = l->n_categories; i-- > 0;) {
        if (wh_slice_eq(l->categories[i].name, name)) {
            return &l->categories[i];
        }
    }
    return NULL;
}
