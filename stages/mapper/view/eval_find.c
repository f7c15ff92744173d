/* The values of one event: its slots, operands, conditions and alternatives. */
#include "stages/mapper/view/eval_priv.h"

#include <stdio.h>

/* ---- the walk ---- */

static inline unsigned find_child(const struct view_trie *trie, unsigned node, struct wh_slice key)
{
    const struct view_node *n = &trie->nodes[node];
    uint32_t at = view_key_hash(key) & n->mask;

    while (n->table[at]) {
        if (wh_slice_eq(trie->nodes[n->table[at]].key, key)) {
            return n->table[at];
        }
        at = (at + 1) & n->mask;
    }
    return 0;
}

static void note(struct mapper_eval *ev, const char *pointer, const struct wh_err *err,
                 struct wh_json_val value)
{
    set_aside_add(&ev->notes, &ev->arena, pointer, err, value);
}

static void note_twice(struct mapper_eval *ev, struct eval_slot *slot, const char *pointer)
{
    struct wh_err why;

    slot->twice = true;
    (void)wh_fail(&why, WH_E_DUPLICATE, "%s: the key occurs twice", pointer);
    note(ev, pointer, &why, slot->val);
}

unsigned view_trie_child(const struct view_trie *trie, unsigned node, struct wh_slice key)
{
    return trie->nodes[node].table ? find_child(trie, node, key) : 0;
}

bool eval_walk(struct mapper_eval *ev, const struct view_trie *trie, struct eval_slot *slots,
               struct wh_json_val root)
{
    struct {
        struct wh_json_iter it;
        unsigned node;
    } stack[VIEW_DEPTH_MAX];
    uint32_t gen = ++ev->gen;
    bool twice = false;
    int depth = 0;

    slots[0] = (struct eval_slot){.gen = gen, .val = root};
    if (trie->nodes[0].table == NULL || wh_json_type(root) != WH_JSON_OBJECT) {
        return false;
    }
    stack[0].it = wh_json_iter(root);
    stack[0].node = 0;
    while (depth >= 0) {
        struct wh_json_val v;
        struct wh_slice key;
        unsigned node;

        if (!wh_json_next(&stack[depth].it, &key, &v)) {
            depth--;
            continue;
        }
        node = find_child(trie, stack[depth].node, key);
        if (node == 0) {
            continue;
        }
        if (slots[node].gen == gen) {
            note_twice(ev, &slots[node], trie->nodes[node].pointer);
            twice = true;
            continue;
        }
        slots[node] = (struct eval_slot){.gen = gen, .val = v};
        if (trie->nodes[node].table && wh_json_type(v) == WH_JSON_OBJECT) {
            depth++;
            stack[depth].it = wh_json_iter(v);
            stack[depth].node = node;
        }
    }
    return twice;
}

/* True when the value, or an object around it, occurs twice in the document. */
static bool is_twice(const struct view_trie *trie, const struct eval_slot *slots, uint32_t gen,
                     unsigned node)
{
    while (node && !(slots[node].gen == gen && slots[node].twice)) {
        node = trie->nodes[node].parent;
    }
    return node != 0;
}

/* A member of null is null: {"author": null} shows that /author/id is null. */
static enum view_shown look(const struct view_trie *trie, const struct eval_slot *slots,
                            uint32_t gen, unsigned node, struct wh_json_val *ret)
{
    if (slots[node].gen == gen) {
        *ret = slots[node].val;
        return wh_json_type(*ret) == WH_JSON_NULL ? VIEW_NULL : VIEW_SHOWN;
    }
    while (node) {
        node = trie->nodes[node].parent;
        if (slots[node].gen == gen) {
            return wh_json_type(slots[node].val) == WH_JSON_NULL ? VIEW_NULL : VIEW_ABSENT;
        }
    }
    return VIEW_ABSENT;
}

enum view_shown eval_look_root(const struct mapper_eval *ev, unsigned node, struct wh_json_val *ret)
{
    if (ev->root_twice && is_twice(&ev->view->trie, ev->root, ev->root_gen, node)) {
        return VIEW_ABSENT;
    }
    return look(&ev->view->trie, ev->root, ev->root_gen, node, ret);
}

enum view_shown eval_look_element(const struct mapper_eval *ev, unsigned node,
                                  struct wh_json_val *ret)
{
    if (ev->element_twice && is_twice(ev->element_trie, ev->element, ev->element_gen, node)) {
        return VIEW_ABSENT;
    }
    return look(ev->element_trie, ev->element, ev->element_gen, node, ret);
}

/* ---- operands ---- */

struct convert eval_converter(struct mapper_eval *ev, const struct view_operand *op)
{
    return (struct convert){.arena = &ev->arena,
                            .ids = ev->ids,
                            .instance = ev->e->instance,
                            .pointer = op->text,
                            .trie = op->type == OP_ROOT      ? &ev->view->trie
                                    : op->type == OP_ELEMENT ? ev->element_trie
                                                             : NULL,
                            .node = op->node,
                            .notes = &ev->notes,
                            .rules = &ev->rules};
}

static enum view_shown find_simple(const struct mapper_eval *ev, const struct view_operand *op,
                                   struct view_found *ret)
{
    ret->form = FOUND_JSON;
    if (op->type == OP_ROOT) {
        return eval_look_root(ev, op->node, &ret->json);
    }
    if (op->type == OP_ELEMENT) {
        return eval_look_element(ev, op->node, &ret->json);
    }
    ret->form = FOUND_TEXT;
    switch (op->meta) {
    case META_PROJECT:
        ret->text = ev->e->project;
        break;
    case META_OBJECT_ID:
        ret->text = ev->e->object_id;
        break;
    case META_INSTANCE:
        ret->text = ev->e->instance;
        break;
    case META_OBSERVED_AT:
    case META_COUNT:
    default:
        ret->form = FOUND_TIME;
        ret->ms = ev->e->observed_at_ms;
        return VIEW_SHOWN;
    }
    return ret->text.len ? VIEW_SHOWN : VIEW_ABSENT;
}

/* Joins the parts; the result is not shown when a part is not shown. */
static enum wh_rc find_template(struct mapper_eval *ev, const struct view_operand *op,
                                enum view_shown *ret_shown, struct view_found *ret,
                                struct wh_err *err)
{
    struct wh_slice parts[VIEW_ALTS_MAX];
    size_t len = 0;
    void *memory;
    char *p;

    for (unsigned i = 0; i < op->n_parts; i++) {
        const struct view_operand *hole = op->parts[i].hole;
        struct view_found found;
        struct convert c;

        parts[i] = op->parts[i].text;
        if (hole) {
            *ret_shown = find_simple(ev, hole, &found);
            c = eval_converter(ev, hole);
            if (*ret_shown == VIEW_SHOWN &&
                convert_id(&c, &found, true, ret_shown, &parts[i], err) != WH_OK) {
                return err->rc;
            }
            if (*ret_shown != VIEW_SHOWN) {
                *ret_shown = VIEW_ABSENT;
                return WH_OK;
            }
        }
        len += parts[i].len;
    }
    if (wh_arena_alloc(&ev->arena, len + 1, &memory, err) != WH_OK) {
        return err->rc;
    }
    p = memory;
    for (unsigned i = 0; i < op->n_parts; i++) {
        if (parts[i].len) {
            memcpy(p, parts[i].ptr, parts[i].len);
            p += parts[i].len;
        }
    }
    ret->form = FOUND_TEXT;
    ret->text = wh_slice(memory, len);
    *ret_shown = VIEW_SHOWN;
    return WH_OK;
}

enum wh_rc eval_find(struct mapper_eval *ev, const struct view_operand *op,
                     enum view_shown *ret_shown, struct view_found *ret, struct wh_err *err)
{
    if (op->type == OP_TEMPLATE) {
        return find_template(ev, op, ret_shown, ret, err);
    }
    *ret_shown = find_simple(ev, op, ret);
    return WH_OK;
}

/* ---- conditions ---- */

static struct wh_slice cond_text(const struct view_found *found, char digits[24])
{
    if (found->form != FOUND_JSON) {
        return found->text;
    }
    switch (wh_json_type(found->json)) {
    case WH_JSON_STRING:
        return wh_json_string(found->json);
    case WH_JSON_BOOL:
        return wh_json_bool(found->json) ? WH_LIT("true") : WH_LIT("false");
    case WH_JSON_INT:
        return wh_slice(digits,
                        (size_t)snprintf(digits, 24, "%lld", (long long)wh_json_int(found->json)));
    case WH_JSON_NULL:
    case WH_JSON_UINT:
    case WH_JSON_DOUBLE:
    case WH_JSON_ARRAY:
    case WH_JSON_OBJECT:
    default:
        return wh_slice(NULL, 0);
    }
}

bool eval_conds_hold(struct mapper_eval *ev, const struct view_cond *conds, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct view_found found = {0};
        enum view_shown shown = find_simple(ev, &conds[i].op, &found);
        struct wh_slice text = {0};
        char digits[24];
        bool any = false;

        if (shown == VIEW_SHOWN) {
            text = cond_text(&found, digits);
        } else if (shown == VIEW_NULL) {
            text = WH_LIT("null");
        }
        for (unsigned v = 0; v < conds[i].n_values && !any; v++) {
            any = wh_slice_eq(text, conds[i].values[v]);
        }
        if (any == conds[i].unless) {
            return false;
        }
    }
    return true;
}

/* ---- alternatives ---- */

enum wh_rc eval_id(struct mapper_eval *ev, const struct view_alts *alts, bool text_allowed,
                   enum view_shown *ret_shown, struct wh_slice *ret, struct wh_err *err)
{
    *ret_shown = VIEW_ABSENT;
    for (unsigned i = 0; i < alts->n && *ret_shown != VIEW_SHOWN; i++) {
        const struct view_alt *alt = &alts->items[i];
        struct convert c = eval_converter(ev, &alt->op);
        struct view_found found;

        if (!eval_conds_hold(ev, alt->conds, alt->n_conds)) {
            continue;
        }
        if (eval_find(ev, &alt->op, ret_shown, &found, err) != WH_OK) {
            return err->rc;
        }
        if (*ret_shown == VIEW_SHOWN &&
            convert_id(&c, &found, text_allowed || alt->conv.type == CONV_STRING, ret_shown, ret,
                       err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

bool eval_set_aside(struct mapper_eval *ev, const char *pointer, const struct view_found *found,
                    const struct wh_err *err)
{
    bool json = found && found->form == FOUND_JSON;

    if (wh_rc_class(err->rc) != WH_CLASS_POISON) {
        return false;
    }
    note(ev, pointer, err, json ? found->json : (struct wh_json_val){0});
    return true;
}

/* Finds the further operands of a rule; *ret_shown: all of them are shown, or null. */
static enum wh_rc find_with(struct mapper_eval *ev, const struct view_rule *rule,
                            enum view_shown *ret_shown, struct wh_err *err)
{
    for (unsigned i = 0; i < WITH_COUNT && *ret_shown != VIEW_ABSENT; i++) {
        struct convert_with *with = &ev->rules.with[i];
        const struct view_alts *alts = rule->with[i];

        with->shown = VIEW_NULL;
        if (alts == NULL) {
            continue;
        }
        with->shown = VIEW_ABSENT;
        for (unsigned k = 0; k < alts->n && with->shown == VIEW_ABSENT; k++) {
            if (eval_find(ev, &alts->items[k].op, &with->shown, &with->found, err) != WH_OK) {
                return err->rc;
            }
        }
        *ret_shown = with->shown == VIEW_ABSENT ? VIEW_ABSENT : *ret_shown;
    }
    return WH_OK;
}

static enum wh_rc alt_value(struct mapper_eval *ev, const struct view_alt *alt,
                            enum wh_field_type type, enum view_shown *ret_shown,
                            struct wh_value *ret, struct wh_err *err)
{
    struct view_found found = {0};
    struct convert c;

    if (eval_find(ev, &alt->op, ret_shown, &found, err) == WH_OK) {
        if (alt->conv.rule && find_with(ev, alt->conv.rule, ret_shown, err) != WH_OK) {
            return err->rc;
        }
        /* A title can state something without a description. */
        if (*ret_shown == VIEW_NULL && alt->conv.rule && alt->conv.rule->with[WITH_TITLE]) {
            found = (struct view_found){.form = FOUND_TEXT, .text = WH_LIT("")};
            *ret_shown = VIEW_SHOWN;
        }
        if (*ret_shown != VIEW_SHOWN) {
            return WH_OK;
        }
        c = eval_converter(ev, &alt->op);
        if (convert_value(&c, &alt->conv, type, &found, ret_shown, ret, err) == WH_OK) {
            return WH_OK;
        }
    }
    *ret_shown = VIEW_ABSENT;
    return eval_set_aside(ev, alt->op.text, &found, err) ? WH_OK : err->rc;
}

/*
 * The first rule that states something. Null when all of them were applied and state nothing; not shown
 * when one of them could not be applied.
 */
static enum wh_rc eval_rules(struct mapper_eval *ev, const struct view_alts *alts,
                             enum wh_field_type type, enum view_shown *ret_shown,
                             struct wh_value *ret, struct wh_err *err)
{
    unsigned done = 0; /* groups before this one were applied */

    for (unsigned i = 0; i < alts->n && *ret_shown != VIEW_SHOWN; i++) {
        const struct view_alt *alt = &alts->items[i];

        if (alt->group < done) {
            continue;
        }
        if (alt_value(ev, alt, type, ret_shown, ret, err) != WH_OK) {
            return err->rc;
        }
        done += *ret_shown != VIEW_ABSENT && alt->group == done;
    }
    if (*ret_shown != VIEW_SHOWN) {
        bool all = done > alts->items[alts->n - 1].group;

        *ret_shown = all ? VIEW_NULL : VIEW_ABSENT;
        *ret = (struct wh_value){.is_null = true};
    }
    return WH_OK;
}

enum wh_rc eval_value(struct mapper_eval *ev, const struct view_alts *alts, enum wh_field_type type,
                      enum view_shown *ret_shown, struct wh_value *ret, struct wh_err *err)
{
    *ret_shown = VIEW_ABSENT;
    if (alts->n && alts->items[0].conv.rule) {
        return eval_rules(ev, alts, type, ret_shown, ret, err);
    }
    for (unsigned i = 0; i < alts->n && *ret_shown == VIEW_ABSENT; i++) {
        const struct view_alt *alt = &alts->items[i];

        if (alt->n_conds && !eval_conds_hold(ev, alt->conds, alt->n_conds)) {
            continue;
        }
        if (alt_value(ev, alt, type, ret_shown, ret, err) != WH_OK) {
            return err->rc;
        }
    }
    if (*ret_shown == VIEW_NULL) {
        *ret = (struct wh_value){.is_null = true};
    }
    return WH_OK;
}

enum wh_rc eval_text(struct mapper_eval *ev, const struct view_alts *alts, struct wh_slice *ret,
                     struct wh_err *err)
{
    struct wh_value value = {0};
    enum view_shown shown;

    *ret = wh_slice(NULL, 0);
    if (eval_value(ev, alts, WH_FIELD_STRING, &shown, &value, err) != WH_OK) {
        return err->rc;
    }
    if (shown == VIEW_SHOWN) {
        *ret = value.u.str;
    }
    return WH_OK;
}

enum wh_rc eval_id_optional(struct mapper_eval *ev, const struct view_alts *alts, bool text_allowed,
                            enum view_shown *ret_shown, struct wh_slice *ret, struct wh_err *err)
{
    if (eval_id(ev, alts, text_allowed, ret_shown, ret, err) == WH_OK) {
        return WH_OK;
    }
    *ret_shown = VIEW_ABSENT;
    return eval_set_aside(ev, alts->items[0].op.text, NULL, err) ? WH_OK : err->rc;
}
