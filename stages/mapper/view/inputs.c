/* What an emission depends on, and its hash for one event. */
#include "stages/mapper/view/eval_priv.h"
#include "stages/mapper/view/loader_priv.h"

#include "common/base/hash.h"

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9E3779B97F4A7C15ULL;
    return hash ^ hash >> 29;
}

/* ---- collecting ---- */

struct collected {
    bool root[VIEW_NODES_MAX];
    bool element[VIEW_NODES_MAX];
    struct view_inputs *inputs;
};

static void collect_simple(struct collected *c, const struct view_operand *op)
{
    if (op->type == OP_ROOT) {
        c->root[op->node] = true;
    } else if (op->type == OP_ELEMENT) {
        c->element[op->node] = true;
    } else if (op->type == OP_META) {
        c->inputs->meta[op->meta] = true;
    }
}

/* The holes of a template are not templates themselves. */
static void collect_operand(struct collected *c, const struct view_operand *op)
{
    collect_simple(c, op);
    for (unsigned i = 0; op->type == OP_TEMPLATE && i < op->n_parts; i++) {
        if (op->parts[i].hole) {
            collect_simple(c, op->parts[i].hole);
        }
    }
}

static void collect_conds(struct collected *c, const struct view_cond *conds, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        collect_operand(c, &conds[i].op);
    }
}

static void collect_plain(struct collected *c, const struct view_alts *alts)
{
    for (unsigned i = 0; i < alts->n; i++) {
        collect_operand(c, &alts->items[i].op);
        collect_conds(c, alts->items[i].conds, alts->items[i].n_conds);
    }
}

static void collect_alts(struct collected *c, const struct view_alts *alts)
{
    collect_plain(c, alts);
    for (unsigned i = 0; i < alts->n; i++) {
        const struct view_rule *rule = alts->items[i].conv.rule;

        for (unsigned k = 0; rule && k < WITH_COUNT; k++) {
            if (rule->with[k]) {
                collect_plain(c, rule->with[k]);
            }
        }
    }
}

static const uint16_t *list_of(struct view_loader *l, const bool *used, unsigned *ret_n)
{
    uint16_t *list = view_loader_alloc(l, VIEW_NODES_MAX, sizeof(*list));

    for (unsigned i = 0; list && i < VIEW_NODES_MAX; i++) {
        if (used[i]) {
            list[(*ret_n)++] = (uint16_t)i;
        }
    }
    return list;
}

bool view_inputs_compile(struct view_loader *l, const struct view *view, struct view_emission *e)
{
    const struct view_alts *const all[] = {&e->id,
                                           &e->project,
                                           &e->iid,
                                           &e->url,
                                           &e->reason,
                                           &e->version.first_of,
                                           &e->version.latest_of,
                                           &e->version.rank_from};
    struct collected c = {.inputs = &e->inputs};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        collect_alts(&c, all[i]);
    }
    for (unsigned i = 0; i < e->n_fields; i++) {
        collect_alts(&c, &e->fields[i].alts);
    }
    collect_conds(&c, e->conds, e->n_conds);
    e->inputs.number = mix(wh_hash64(view->name), (uint64_t)(e - view->emissions));
    e->inputs.parent = e->version.otherwise == ELSE_PARENT;
    e->inputs.usable = (e->scope >= 0 || e->optional) && e->version.otherwise != ELSE_OBSERVED &&
                       !e->inputs.meta[META_OBSERVED_AT];
    e->inputs.root = list_of(l, c.root, &e->inputs.n_root);
    e->inputs.element = list_of(l, c.element, &e->inputs.n_element);
    return e->inputs.root && e->inputs.element;
}

/* ---- hashing ---- */

static uint64_t mix_text(uint64_t hash, struct wh_slice text)
{
    return mix(mix(hash, text.len), wh_hash64(text));
}

/* False for arrays and objects. */
static bool mix_value(uint64_t *hash, enum view_shown shown, struct wh_json_val v)
{
    enum wh_json_type type;

    if (shown != VIEW_SHOWN) {
        *hash = mix(*hash, shown);
        return true;
    }
    type = wh_json_type(v);
    *hash = mix(*hash, (uint64_t)VIEW_SHOWN + 1 + type);
    switch (type) {
    case WH_JSON_STRING:
        *hash = mix_text(*hash, wh_json_string(v));
        return true;
    case WH_JSON_INT:
    case WH_JSON_UINT:
    case WH_JSON_DOUBLE:
        *hash = mix(*hash, wh_json_number_word(v));
        return true;
    case WH_JSON_BOOL:
        *hash = mix(*hash, wh_json_bool(v));
        return true;
    case WH_JSON_NULL:
    case WH_JSON_ARRAY:
    case WH_JSON_OBJECT:
    default:
        return false;
    }
}

static uint64_t hash_event(const struct mapper_eval *ev, const struct view_inputs *in)
{
    uint64_t hash = mix_text(mix(in->number, ev->e->origin), ev->e->instance);

    if (in->parent) {
        hash = mix(mix(hash, (uint64_t)ev->parent.ms), ev->parent.has_fraction);
    }
    hash = in->meta[META_PROJECT] ? mix_text(hash, ev->e->project) : hash;
    return in->meta[META_OBJECT_ID] ? mix_text(hash, ev->e->object_id) : hash;
}

/* An object that is not there is found out faster than it is hashed. */
static bool has_id(const struct mapper_eval *ev, const struct view_emission *em)
{
    const struct view_operand *op = &em->id.items[0].op;
    struct wh_json_val v;

    return op->type == OP_ROOT      ? eval_look_root(ev, op->node, &v) == VIEW_SHOWN
           : op->type == OP_ELEMENT ? eval_look_element(ev, op->node, &v) == VIEW_SHOWN
                                    : true;
}

bool eval_hash_inputs(const struct mapper_eval *ev, const struct view_emission *em, uint64_t *ret)
{
    const struct view_inputs *in = &em->inputs;
    struct wh_json_val v = {0};
    uint64_t hash;

    if (!in->usable || ev->root_twice || ev->element_twice || !has_id(ev, em)) {
        return false;
    }
    hash = hash_event(ev, in);
    for (unsigned i = 0; i < in->n_root; i++) {
        enum view_shown shown = eval_look_root(ev, in->root[i], &v);

        if (!mix_value(&hash, shown, v)) {
            return false;
        }
    }
    for (unsigned i = 0; i < in->n_element; i++) {
        enum view_shown shown = eval_look_element(ev, in->element[i], &v);

        if (!mix_value(&hash, shown, v)) {
            return false;
        }
    }
    *ret = hash | 1;
    return true;
}
