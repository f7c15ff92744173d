#include "stages/mapper/view/loader_priv.h"

/* ---- operands ---- */

static const char *const meta_names[META_COUNT] = {"project", "object_id", "observed_at",
                                                   "instance"};

static bool compile_meta(struct view_loader *l, struct wh_slice name, struct view_operand *op)
{
    op->type = OP_META;
    for (unsigned i = 0; i < META_COUNT; i++) {
        if (wh_slice_eq(name, wh_slice_str(meta_names[i]))) {
            op->meta = (enum view_meta)i;
            return true;
        }
    }
    return view_loader_fail(l, "'@%.*s' is not a known operand", WH_SLICE_ARG(name));
}

/* "/builds" followed by a star for its elements: the prefix of a scope's pointers. */
static const char *element_base(struct view_loader *l, const struct view_place *place)
{
    const struct view *view = place->view;
    const char *array = view->trie.nodes[view->scopes[place->scope].each].pointer;
    size_t n = strlen(array);
    char *text = view_loader_alloc(l, n + 3, 1);

    if (text) {
        memcpy(text, array, n);
        memcpy(text + n, array[n - 1] == '/' ? "*" : "/*", array[n - 1] == '/' ? 1 : 2);
    }
    return text;
}

static bool compile_pointer(struct view_loader *l, const struct view_place *place,
                            struct wh_slice text, struct view_operand *op)
{
    bool absolute = text.len && text.ptr[0] == '^';
    struct wh_slice pointer = absolute ? wh_slice_from(text, 1) : text;

    bool root = place->scope < 0 || absolute;
    struct view_trie *trie = root ? &place->view->trie : &place->view->scopes[place->scope].trie;

    const char *base = root ? "" : element_base(l, place);

    op->type = root ? OP_ROOT : OP_ELEMENT;
    if (base == NULL || !view_trie_add(l, trie, absolute ? wh_slice(NULL, 0) : place->prefix,
                                       pointer, base, &op->node)) {
        return false;
    }
    op->text = trie->nodes[op->node].pointer;
    return true;
}

static bool operand_init(struct view_loader *l, struct wh_slice text, struct view_operand *ret)
{
    struct wh_slice copy;

    *ret = (struct view_operand){0};
    if (!view_loader_dup(l, text, &copy)) {
        return false;
    }
    ret->text = copy.ptr;
    return true;
}

/* Compiles any operand except a template. */
static bool compile_plain(struct view_loader *l, const struct view_place *place,
                          struct wh_slice text, struct view_operand *ret)
{
    if (!operand_init(l, text, ret)) {
        return false;
    }
    if (text.len && text.ptr[0] == '@') {
        return compile_meta(l, wh_slice_from(text, 1), ret);
    }
    if (text.len && text.ptr[0] == '=') {
        return view_loader_fail(l, "a template cannot contain a template");
    }
    return compile_pointer(l, place, text, ret);
}

static bool compile_template(struct view_loader *l, const struct view_place *place,
                             struct wh_slice text, struct view_operand *op)
{
    struct view_part *parts = view_loader_alloc(l, VIEW_ALTS_MAX, sizeof(*parts));
    const char *p = text.ptr;
    const char *end = text.len ? text.ptr + text.len : text.ptr;

    op->type = OP_TEMPLATE;
    op->parts = parts;
    while (parts && p < end) {
        bool hole = *p == '{';
        const char *stop = memchr(p, hole ? '}' : '{', (size_t)(end - p));
        struct view_part *part = &parts[op->n_parts];

        if (op->n_parts++ == VIEW_ALTS_MAX) {
            return view_loader_fail(l, "'%.*s' has too many parts", WH_SLICE_ARG(text));
        }
        if (!hole) {
            stop = stop ? stop : end;
            if (!view_loader_dup(l, wh_slice(p, (size_t)(stop - p)), &part->text)) {
                return false;
            }
            p = stop;
            continue;
        }
        struct view_operand *inner = view_loader_alloc(l, 1, sizeof(*inner));

        if (stop == NULL || inner == NULL) {
            return view_loader_fail(l, "'%.*s' lacks a '}'", WH_SLICE_ARG(text));
        }
        if (!compile_plain(l, place, wh_slice(p + 1, (size_t)(stop - p - 1)), inner)) {
            return false;
        }
        part->hole = inner;
        p = stop + 1;
    }
    return parts != NULL;
}

static bool compile_operand(struct view_loader *l, const struct view_place *place,
                            struct wh_slice text, struct view_operand *ret)
{
    if (text.len == 0 || text.ptr[0] != '=') {
        return compile_plain(l, place, text, ret);
    }
    return operand_init(l, text, ret) && compile_template(l, place, wh_slice_from(text, 1), ret);
}

/* ---- conversions ---- */

static const struct {
    const char *name;
    enum view_conv_type type;
} conv_names[] = {
    {"string", CONV_STRING},     {"lower", CONV_LOWER},     {"email", CONV_EMAIL},
    {"date", CONV_DATE},         {"map", CONV_MAP},         {"long", CONV_LONG},
    {"double", CONV_DOUBLE},     {"bool", CONV_BOOL},       {"time", CONV_TIME},
    {"strings", CONV_STRINGS},   {"ref", CONV_REF},         {"refs", CONV_REFS},
    {"foreign", CONV_FOREIGN},   {"commit", CONV_COMMIT},   {"mr_iid", CONV_MR_IID},
    {"upper", CONV_UPPER},       {"others", CONV_OTHERS},   {"line", CONV_LINE},
    {"list", CONV_LIST},         {"heading", CONV_HEADING}, {"label", CONV_LABEL},
    {"mentions", CONV_MENTIONS}, {"reverts", CONV_REVERTS}, {"categories", CONV_CATEGORIES},
};

const char *view_conv_name(enum view_conv_type type)
{
    size_t i = 0;

    while (conv_names[i].type != type) {
        i++;
    }
    return conv_names[i].name;
}

static bool fits(enum wh_field_type type, enum view_conv_type conv)
{
    switch (type) {
    case WH_FIELD_STRING:
        return conv == CONV_STRING || conv == CONV_LOWER || conv == CONV_UPPER ||
               conv == CONV_EMAIL || conv == CONV_DATE || conv == CONV_MAP || conv == CONV_COMMIT ||
               conv == CONV_OTHERS || conv == CONV_LINE || conv == CONV_HEADING ||
               conv == CONV_LABEL;
    case WH_FIELD_LONG:
        return conv == CONV_LONG || conv == CONV_MAP || conv == CONV_MR_IID;
    case WH_FIELD_DOUBLE:
        return conv == CONV_DOUBLE;
    case WH_FIELD_BOOL:
        return conv == CONV_BOOL;
    case WH_FIELD_TIME:
        return conv == CONV_TIME || conv == CONV_LINE;
    case WH_FIELD_STRINGS:
        return conv == CONV_STRINGS || conv == CONV_FOREIGN || conv == CONV_LINE ||
               conv == CONV_LIST || conv == CONV_LABEL || conv == CONV_MENTIONS ||
               conv == CONV_CATEGORIES || conv == CONV_REVERTS;
    case WH_FIELD_REF:
        return conv == CONV_REF;
    case WH_FIELD_REFS:
        return conv == CONV_REFS;
    default:
        return false;
    }
}

/* The default source kind of a reference to a canonical kind. */
static struct wh_slice default_source_kind(enum wh_kind kind)
{
    switch (kind) {
    case WH_KIND_BUILD_RECORD:
        return WH_LIT("pipeline");
    case WH_KIND_JOB:
        return WH_LIT("job");
    case WH_KIND_TEAM_MEMBER:
        return WH_LIT("user");
    case WH_KIND_PROJECT:
        return WH_LIT("project");
    case WH_KIND_DEPLOYMENT:
        return WH_LIT("deployment");
    case WH_KIND_ENVIRONMENT:
        return WH_LIT("environment");
    case WH_KIND_MILESTONE:
        return WH_LIT("milestone");
    case WH_KIND_NOTE:
        return WH_LIT("note");
    case WH_KIND_NONE:
    case WH_KIND_WORK_ITEM:
    case WH_KIND_RELEASE:
    case WH_KIND_MEMBERSHIP:
    case WH_KIND_SERVICE:
    case WH_KIND_CUSTOMER:
    case WH_KIND_SERVICE_CUSTOMER:
    case WH_KIND_SUBSCRIPTION:
    case WH_KIND_PERSON:
    case WH_KIND_SERVICE_OWNERSHIP:
    case WH_KIND_COUNT:
    default:
        return wh_slice(NULL, 0);
    }
}

static enum view_conv_type default_conv(enum wh_field_type type)
{
    static const enum view_conv_type by_type[] = {
        [WH_FIELD_STRING] = CONV_STRING, [WH_FIELD_LONG] = CONV_LONG,
        [WH_FIELD_DOUBLE] = CONV_DOUBLE, [WH_FIELD_BOOL] = CONV_BOOL,
        [WH_FIELD_TIME] = CONV_TIME,     [WH_FIELD_STRINGS] = CONV_STRINGS,
        [WH_FIELD_REF] = CONV_REF,       [WH_FIELD_REFS] = CONV_REFS,
    };

    return by_type[type];
}

/* "name", "name:argument". */
static bool parse_conv(struct view_loader *l, struct wh_slice text, struct view_conv *conv)
{
    const char *colon = text.ptr == NULL ? NULL : memchr(text.ptr, ':', text.len);
    struct wh_slice name = wh_slice(text.ptr, colon ? (size_t)(colon - text.ptr) : text.len);
    struct wh_slice arg = colon ? wh_slice_from(text, name.len + 1) : wh_slice(NULL, 0);

    for (size_t i = 0; i < sizeof(conv_names) / sizeof(conv_names[0]); i++) {
        if (!wh_slice_eq(name, wh_slice_str(conv_names[i].name))) {
            continue;
        }
        conv->type = conv_names[i].type;
        if (conv->type == CONV_REF || conv->type == CONV_REFS) {
            return arg.len == 0 || view_loader_dup(l, arg, &conv->kind);
        }
        if (conv->type == CONV_MAP) {
            conv->map = view_loader_map(l->maps, l->n_maps, arg);
            return conv->map ? true : view_loader_fail(l, "unknown map '%.*s'", WH_SLICE_ARG(arg));
        }
        if (conv->type >= CONV_LINE) {
            return view_rule_compile(l, arg, conv);
        }
        return arg.len == 0 || view_loader_dup(l, arg, &conv->key);
    }
    return view_loader_fail(l, "unknown conversion '%.*s'", WH_SLICE_ARG(name));
}

static bool check_conv(struct view_loader *l, const struct wh_field_def *field,
                       struct view_conv *conv)
{
    if (field == NULL) {
        return true;
    }
    if (!fits(field->type, conv->type)) {
        return view_loader_fail(l, "field %s: the conversion does not fit its type", field->name);
    }
    if ((conv->type == CONV_REF || conv->type == CONV_REFS) && conv->kind.len == 0) {
        conv->kind = default_source_kind(field->ref_kind);
        if (conv->kind.len == 0) {
            return view_loader_fail(l, "field %s: name the source kind (ref:issue)", field->name);
        }
    }
    if (conv->key.len == 0) {
        conv->key =
            conv->type == CONV_REFS || conv->type == CONV_FOREIGN ? WH_LIT("id") : WH_LIT("title");
    }
    return true;
}

static bool parse_where(struct view_loader *l, struct wh_json_val object, struct view_conv *conv)
{
    struct wh_json_iter it = wh_json_iter(object);
    struct wh_json_val value;
    struct wh_slice key;

    if (!wh_json_next(&it, &key, &value) || wh_json_type(value) != WH_JSON_STRING) {
        return view_loader_fail(l, "'where' must be {\"member\": \"text\"}");
    }
    return view_loader_dup(l, key, &conv->where_key) &&
           view_loader_dup(l, wh_json_string(value), &conv->where_value);
}

/* ---- alternatives ---- */

struct alts_build {
    struct view_loader *l;
    const struct view_place *place;
    const struct wh_field_def *field;
    struct view_alt *items;
    unsigned n;
    unsigned group;
};

static bool add_operand(struct alts_build *b, struct wh_slice text, const struct view_alt *model)
{
    struct view_alt *alt;

    if (b->n == VIEW_ALTS_MAX) {
        return view_loader_fail(b->l, "more than %d alternatives", VIEW_ALTS_MAX);
    }
    alt = &b->items[b->n];
    *alt = *model;
    alt->group = b->group;
    b->n++;
    return compile_operand(b->l, b->place, text, &alt->op) &&
           check_conv(b->l, b->field, &alt->conv);
}

static bool add_alt(struct alts_build *b, struct wh_json_val from, const struct view_alt *model)
{
    if (wh_json_type(from) != WH_JSON_STRING) {
        return view_loader_fail(b->l, "an operand must be a text like \"/a/b\"");
    }
    return add_operand(b, wh_json_string(from), model);
}

static bool add_from(struct alts_build *b, struct wh_json_val from, const struct view_alt *model)
{
    struct wh_json_iter it = wh_json_iter(from);
    struct wh_json_val each;

    if (wh_json_type(from) != WH_JSON_ARRAY) {
        return add_alt(b, from, model);
    }
    while (wh_json_next(&it, NULL, &each)) {
        if (!add_alt(b, each, model)) {
            return false;
        }
    }
    return true;
}

static bool add_object(struct alts_build *b, struct wh_json_val object, struct view_alt model)
{
    struct wh_json_iter it = wh_json_iter(object);
    struct wh_json_val from = {NULL, 0};
    struct wh_json_val with = {NULL, 0};
    struct wh_json_val v;
    struct wh_slice key;

    while (wh_json_next(&it, &key, &v)) {
        bool good = true;

        if (wh_slice_eq(key, WH_LIT("from"))) {
            from = v;
        } else if (wh_slice_eq(key, WH_LIT("with"))) {
            with = v;
        } else if (wh_slice_eq(key, WH_LIT("as"))) {
            good = parse_conv(b->l, wh_json_string(v), &model.conv);
        } else if (wh_slice_eq(key, WH_LIT("where"))) {
            good = parse_where(b->l, v, &model.conv);
        } else if (wh_slice_eq(key, WH_LIT("when"))) {
            good = view_conds_compile(b->l, b->place, v, &model.conds, &model.n_conds);
        } else {
            good = view_loader_fail(b->l, "unknown key '%.*s'", WH_SLICE_ARG(key));
        }
        if (!good) {
            return false;
        }
    }
    if (with.doc && !view_with_compile(b->l, b->place, with, &model.conv)) {
        return false;
    }
    if (model.conv.type == CONV_CATEGORIES && from.doc == NULL) {
        return add_operand(b, WH_LIT("="), &model);
    }
    return from.doc ? add_from(b, from, &model)
                    : view_loader_fail(b->l, "an alternative lacks 'from'");
}

static bool add_all(struct alts_build *b, struct wh_json_val val, const struct view_alt *model)
{
    struct wh_json_iter it = wh_json_iter(val);
    struct wh_json_val each;

    if (wh_json_type(val) == WH_JSON_OBJECT) {
        return add_object(b, val, *model);
    }
    if (wh_json_type(val) != WH_JSON_ARRAY) {
        return add_alt(b, val, model);
    }
    while (wh_json_next(&it, NULL, &each)) {
        if (wh_json_type(each) == WH_JSON_OBJECT ? !add_object(b, each, *model)
                                                 : !add_alt(b, each, model)) {
            return false;
        }
        b->group++;
    }
    return true;
}

bool view_alts_compile(struct view_loader *l, const struct view_place *place,
                       struct wh_json_val val, const struct wh_field_def *field,
                       enum view_conv_type fallback, struct view_alts *ret)
{
    struct view_alt items[VIEW_ALTS_MAX];
    struct alts_build b = {.l = l, .place = place, .field = field, .items = items};
    struct view_alt model = {.conv = {.type = field ? default_conv(field->type) : fallback}};
    struct view_alt *exact;

    if (!add_all(&b, val, &model)) {
        return false;
    }
    /* A copy of exact size, so that a view's data are adjacent in memory. */
    exact = view_loader_alloc(l, b.n ? b.n : 1, sizeof(*exact));
    if (exact == NULL) {
        return false;
    }
    memcpy(exact, items, b.n * sizeof(*exact));
    *ret = (struct view_alts){exact, b.n};
    return true;
}

/* ---- conditions ---- */

static bool add_values(struct view_loader *l, struct wh_json_val val, struct view_cond *cond)
{
    struct wh_slice *values = view_loader_alloc(l, VIEW_ALTS_MAX, sizeof(*values));
    struct wh_json_iter it = wh_json_iter(val);
    struct wh_json_val each = val;
    bool array = wh_json_type(val) == WH_JSON_ARRAY;

    if (values == NULL) {
        return false;
    }
    while (!array || wh_json_next(&it, NULL, &each)) {
        if (wh_json_type(each) != WH_JSON_STRING || cond->n_values == VIEW_ALTS_MAX) {
            return view_loader_fail(l,
                                    "a condition's value must be a text or a short list of texts");
        }
        if (!view_loader_dup(l, wh_json_string(each), &values[cond->n_values++])) {
            return false;
        }
        if (!array) {
            break;
        }
    }
    cond->values = values;
    return true;
}

bool view_conds_compile(struct view_loader *l, const struct view_place *place,
                        struct wh_json_val object, const struct view_cond **ret, unsigned *ret_n)
{
    struct view_cond *conds = view_loader_alloc(l, VIEW_ALTS_MAX, sizeof(*conds));
    struct wh_json_iter it = wh_json_iter(object);
    struct wh_json_val value;
    struct wh_slice key;
    unsigned n = 0;

    if (conds == NULL) {
        return false;
    }
    while (wh_json_next(&it, &key, &value)) {
        bool unless = key.len && key.ptr[0] == '!';

        if (n == VIEW_ALTS_MAX) {
            return view_loader_fail(l, "too many conditions");
        }
        conds[n].unless = unless;
        if (!compile_operand(l, place, unless ? wh_slice_from(key, 1) : key, &conds[n].op) ||
            !add_values(l, value, &conds[n])) {
            return false;
        }
        n++;
    }
    *ret = conds;
    *ret_n = n;
    return true;
}
