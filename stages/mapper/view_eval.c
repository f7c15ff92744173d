#include "stages/mapper/view_priv.h"

#include <stdio.h>

#include "common/base/mem.h"

enum {
    ARENA_BLOCK = 1 << 18,
    ARENA_MAX = 256 << 20,
    SCRATCH_MAX = 256 << 20,
    SEEN_PLACES = 256, /* by the first byte of an id */
    KIND_SHOWN_MAX = 48,
};

struct slot {
    uint32_t gen;
    bool twice; /* the document has the key twice: neither value is taken */
    struct wh_json_val val;
};

struct seen {
    uint64_t gen;
    struct wh_entity_id id;
    struct wh_version version;
};

struct mapper_eval {
    const struct mapper_views *views;
    struct wh_json_parser *parser;
    struct view_idcache *ids;
    struct wh_arena arena;
    struct wh_buf scratch;
    struct slot root[VIEW_NODES_MAX];
    struct slot element[VIEW_NODES_MAX];
    uint32_t gen; /* of slots: one more for each walk */
    uint64_t event_gen;
    struct seen seen[SEEN_PLACES];
    struct wh_observation o;

    /* of the event at hand */
    const struct view *view;
    const struct view_trie *element_trie;
    uint32_t root_gen;
    uint32_t element_gen;
    const struct wh_raw_event *e;
    const struct wh_provenance *at;
    const struct mapper_out *out;
    struct wh_instant parent;
    struct set_aside notes;           /* not sent with an observation yet */
    const struct set_aside *late;     /* notes that are sent with the main observation once more */
    const struct view_emission *main; /* the first of the document itself that was emitted */
    bool root_twice;                  /* some key of the document is there twice */
    bool element_twice;               /* some key of the array's element */
    bool emitted;
};

struct mapper_eval *mapper_eval_new(const struct mapper_views *views, size_t max_bytes,
                                    size_t max_depth)
{
    struct mapper_eval *ev = wh_mem_zalloc(1, sizeof(*ev));

    if (ev == NULL) {
        return NULL;
    }
    ev->views = views;
    wh_arena_init(&ev->arena, ARENA_BLOCK, ARENA_MAX);
    wh_buf_init(&ev->scratch, SCRATCH_MAX);
    ev->ids = view_idcache_new();
    ev->parser = wh_json_parser_new(max_bytes, max_depth);
    if (ev->ids == NULL || ev->parser == NULL) {
        mapper_eval_free(ev);
        return NULL;
    }
    return ev;
}

void mapper_eval_free(struct mapper_eval *ev)
{
    if (ev) {
        wh_json_parser_free(ev->parser);
        view_idcache_free(ev->ids);
        wh_buf_done(&ev->scratch);
        wh_arena_done(&ev->arena);
        wh_mem_free(ev);
    }
}

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

static void note_twice(struct mapper_eval *ev, struct slot *slot, const char *pointer)
{
    struct wh_err why;

    slot->twice = true;
    (void)wh_fail(&why, WH_E_DUPLICATE, "%s: the key occurs twice", pointer);
    note(ev, pointer, &why, slot->val);
}

/*
 * Fills the slots of all mapped keys; visits only objects that hold mapped keys. True when a mapped
 * key is there twice.
 */
static bool walk(struct mapper_eval *ev, const struct view_trie *trie, struct slot *slots,
                 struct wh_json_val root)
{
    struct {
        struct wh_json_iter it;
        unsigned node;
    } stack[VIEW_DEPTH_MAX];
    uint32_t gen = ++ev->gen;
    bool twice = false;
    int depth = 0;

    slots[0] = (struct slot){.gen = gen, .val = root};
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
        slots[node] = (struct slot){.gen = gen, .val = v};
        if (trie->nodes[node].table && wh_json_type(v) == WH_JSON_OBJECT) {
            depth++;
            stack[depth].it = wh_json_iter(v);
            stack[depth].node = node;
        }
    }
    return twice;
}

/* The value, or an object around it, is in the document twice. */
static bool is_twice(const struct view_trie *trie, const struct slot *slots, uint32_t gen,
                     unsigned node)
{
    while (node && !(slots[node].gen == gen && slots[node].twice)) {
        node = trie->nodes[node].parent;
    }
    return node != 0;
}

/* A member of a null is null too: {"author": null} shows that there is no /author/id. */
static enum view_shown look(const struct view_trie *trie, const struct slot *slots, uint32_t gen,
                            unsigned node, struct wh_json_val *ret)
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

/* ---- operands ---- */

static struct convert converter(struct mapper_eval *ev, const struct view_operand *op)
{
    return (struct convert){.arena = &ev->arena,
                            .ids = ev->ids,
                            .instance = ev->e->instance,
                            .pointer = op->text,
                            .notes = &ev->notes};
}

static enum view_shown find_simple(const struct mapper_eval *ev, const struct view_operand *op,
                                   struct view_found *ret)
{
    ret->form = FOUND_JSON;
    if (op->type == OP_ROOT) {
        if (ev->root_twice && is_twice(&ev->view->trie, ev->root, ev->root_gen, op->node)) {
            return VIEW_ABSENT;
        }
        return look(&ev->view->trie, ev->root, ev->root_gen, op->node, &ret->json);
    }
    if (op->type == OP_ELEMENT) {
        if (ev->element_twice &&
            is_twice(ev->element_trie, ev->element, ev->element_gen, op->node)) {
            return VIEW_ABSENT;
        }
        return look(ev->element_trie, ev->element, ev->element_gen, op->node, &ret->json);
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

/* Joins the parts; not shown when one of them is not. */
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
            c = converter(ev, hole);
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

static enum wh_rc find(struct mapper_eval *ev, const struct view_operand *op,
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

static bool conds_hold(struct mapper_eval *ev, const struct view_cond *conds, unsigned n)
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

/* The first alternative that is shown; *ret_op for messages. */
static enum wh_rc alts_id(struct mapper_eval *ev, const struct view_alts *alts, bool text_allowed,
                          enum view_shown *ret_shown, struct wh_slice *ret, struct wh_err *err)
{
    *ret_shown = VIEW_ABSENT;
    for (unsigned i = 0; i < alts->n && *ret_shown != VIEW_SHOWN; i++) {
        const struct view_alt *alt = &alts->items[i];
        struct convert c = converter(ev, &alt->op);
        struct view_found found;

        if (!conds_hold(ev, alt->conds, alt->n_conds)) {
            continue;
        }
        if (find(ev, &alt->op, ret_shown, &found, err) != WH_OK) {
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

/*
 * A value that cannot be converted is as if it were not shown, and is noted; true when the error is
 * of that sort.
 */
static bool set_aside(struct mapper_eval *ev, const char *pointer, const struct view_found *found,
                      const struct wh_err *err)
{
    bool json = found && found->form == FOUND_JSON;

    if (wh_rc_class(err->rc) != WH_CLASS_POISON) {
        return false;
    }
    note(ev, pointer, err, json ? found->json : (struct wh_json_val){0});
    return true;
}

static enum wh_rc alt_value(struct mapper_eval *ev, const struct view_alt *alt,
                            enum wh_field_type type, enum view_shown *ret_shown,
                            struct wh_value *ret, struct wh_err *err)
{
    struct view_found found = {0};
    struct convert c;

    if (find(ev, &alt->op, ret_shown, &found, err) == WH_OK) {
        if (*ret_shown != VIEW_SHOWN) {
            return WH_OK;
        }
        c = converter(ev, &alt->op);
        if (convert_value(&c, &alt->conv, type, &found, ret_shown, ret, err) == WH_OK) {
            return WH_OK;
        }
    }
    *ret_shown = VIEW_ABSENT;
    return set_aside(ev, alt->op.text, &found, err) ? WH_OK : err->rc;
}

static enum wh_rc alts_value(struct mapper_eval *ev, const struct view_alts *alts,
                             enum wh_field_type type, enum view_shown *ret_shown,
                             struct wh_value *ret, struct wh_err *err)
{
    *ret_shown = VIEW_ABSENT;
    for (unsigned i = 0; i < alts->n && *ret_shown == VIEW_ABSENT; i++) {
        const struct view_alt *alt = &alts->items[i];

        if (alt->n_conds && !conds_hold(ev, alt->conds, alt->n_conds)) {
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

static enum wh_rc alts_text(struct mapper_eval *ev, const struct view_alts *alts,
                            struct wh_slice *ret, struct wh_err *err)
{
    struct wh_value value = {0};
    enum view_shown shown;

    *ret = wh_slice(NULL, 0);
    if (alts_value(ev, alts, WH_FIELD_STRING, &shown, &value, err) != WH_OK) {
        return err->rc;
    }
    if (shown == VIEW_SHOWN) {
        *ret = value.u.str;
    }
    return WH_OK;
}

/* An id that is no part of the identity: one that cannot be read is not shown. */
static enum wh_rc alts_id_optional(struct mapper_eval *ev, const struct view_alts *alts,
                                   bool text_allowed, enum view_shown *ret_shown,
                                   struct wh_slice *ret, struct wh_err *err)
{
    if (alts_id(ev, alts, text_allowed, ret_shown, ret, err) == WH_OK) {
        return WH_OK;
    }
    *ret_shown = VIEW_ABSENT;
    return set_aside(ev, alts->items[0].op.text, NULL, err) ? WH_OK : err->rc;
}

/* ---- versions ---- */

static bool later(struct wh_instant a, struct wh_instant b)
{
    return a.ms != b.ms ? a.ms > b.ms : a.has_fraction && !b.has_fraction;
}

/*
 * The first, or the latest, of the times that are shown and not null. One that cannot be read is
 * noted and left out; *ret_bad is then the reason.
 */
static enum wh_rc alts_time(struct mapper_eval *ev, const struct view_alts *alts, bool first,
                            bool *ret_found, struct wh_instant *ret, struct wh_err *ret_bad,
                            struct wh_err *err)
{
    for (unsigned i = 0; i < alts->n && !(first && *ret_found); i++) {
        const struct view_alt *alt = &alts->items[i];
        struct convert c = converter(ev, &alt->op);
        struct wh_instant at;
        struct view_found found = {0};
        enum view_shown shown;

        if (find(ev, &alt->op, &shown, &found, err) != WH_OK) {
            return err->rc;
        }
        if (shown != VIEW_SHOWN ||
            (found.form == FOUND_JSON && wh_json_type(found.json) == WH_JSON_STRING &&
             wh_json_string(found.json).len == 0)) {
            continue;
        }
        if (convert_time(&c, &found, &at, ret_bad) != WH_OK) {
            if (!set_aside(ev, alt->op.text, &found, ret_bad)) {
                *err = *ret_bad;
                return err->rc;
            }
            continue;
        }
        if (!*ret_found || later(at, *ret)) {
            *ret = at;
            *ret_found = true;
        }
    }
    return WH_OK;
}

static enum wh_rc find_rank(struct mapper_eval *ev, const struct view_version *v, unsigned *ret,
                            struct wh_err *err)
{
    struct wh_slice state = {NULL, 0};

    *ret = v->rank_fixed;
    if (v->rank == NULL) {
        return WH_OK;
    }
    if (alts_text(ev, &v->rank_from, &state, err) != WH_OK) {
        return err->rc;
    }
    for (unsigned i = 0; i < v->rank->n; i++) {
        if (wh_slice_eq(v->rank->items[i].from, state)) {
            *ret = (unsigned)(v->rank->items[i].number & 31);
        }
    }
    return WH_OK;
}

/* The object that the event is about, not one that is mentioned in it or an element of an array. */
static bool is_own(const struct view_emission *em)
{
    return em->scope < 0 && !em->optional;
}

static enum wh_rc find_version(struct mapper_eval *ev, const struct view_emission *em,
                               struct wh_err *err)
{
    const struct view_version *v = &em->version;
    struct wh_err bad = {.rc = WH_OK};
    struct wh_instant at = {0};
    bool found = false;
    unsigned rank;

    if (alts_time(ev, &v->first_of, true, &found, &at, &bad, err) != WH_OK) {
        return err->rc;
    }
    if (!found && alts_time(ev, &v->latest_of, false, &found, &at, &bad, err) != WH_OK) {
        return err->rc;
    }
    /* The event's own object cannot be put in order by a time that nobody can read. */
    if (!found && bad.rc != WH_OK && is_own(em)) {
        *err = bad;
        return err->rc;
    }
    if (!found && v->otherwise == ELSE_ASIDE) {
        at = (struct wh_instant){0};
    } else if (!found && v->otherwise == ELSE_PARENT && ev->emitted) {
        at = ev->parent;
    } else if (!found && v->otherwise != ELSE_FAIL) {
        at = (struct wh_instant){.ms = ev->e->observed_at_ms, .has_fraction = true};
    } else if (!found) {
        return wh_fail(err, WH_E_MISSING, "%s: no time that orders versions is shown",
                       em->def->name);
    }
    if (find_rank(ev, v, &rank, err) != WH_OK) {
        return err->rc;
    }
    if (!ev->emitted) {
        ev->parent = at;
    }
    ev->o.version.order = wh_version_order(at, rank, ev->e->origin);
    return WH_OK;
}

/* ---- emissions ---- */

/* Only an event whose own object has no id is lost. */
static enum wh_rc no_identity(struct mapper_eval *ev, const struct view_emission *em,
                              struct wh_err *err)
{
    const char *pointer = em->id.items[0].op.text;

    if (em->optional) {
        return WH_OK;
    }
    (void)wh_fail(err, WH_E_MISSING, "%s: the id is missing, null or 0", pointer);
    return is_own(em) || !set_aside(ev, pointer, NULL, err) ? err->rc : WH_OK;
}

static enum wh_rc find_source(struct mapper_eval *ev, const struct view_emission *em,
                              enum view_shown *ret_shown, struct wh_err *err)
{
    struct wh_source_id *s = &ev->o.source;
    enum view_shown shown;

    *s = (struct wh_source_id){
        .system = WH_LIT("gitlab"), .instance = ev->e->instance, .kind = em->source_kind};
    if ((is_own(em) ? alts_id : alts_id_optional)(ev, &em->id, false, ret_shown, &s->id, err) !=
        WH_OK) {
        return err->rc;
    }
    if (*ret_shown != VIEW_SHOWN) {
        return no_identity(ev, em, err);
    }
    if (alts_id_optional(ev, &em->project, false, &shown, &s->project, err) != WH_OK ||
        alts_id_optional(ev, &em->iid, false, &shown, &s->iid, err) != WH_OK) {
        return err->rc;
    }
    return alts_text(ev, &em->url, &s->url, err);
}

static enum wh_rc find_fields(struct mapper_eval *ev, const struct view_emission *em,
                              struct wh_err *err)
{
    struct wh_body *body = &ev->o.body;

    body->def = em->def;
    body->present = 0;
    for (unsigned i = 0; i < em->n_fields; i++) {
        const struct view_field *f = &em->fields[i];
        enum view_shown shown;

        if (alts_value(ev, &f->alts, f->type, &shown, &body->values[f->field], err) != WH_OK) {
            return err->rc;
        }
        if (shown != VIEW_ABSENT) {
            body->present |= UINT64_C(1) << f->field;
        }
    }
    return WH_OK;
}

/* One event shows the same person often; once is enough. */
static bool first_time(struct mapper_eval *ev)
{
    struct seen *seen = &ev->seen[ev->o.id.bytes[0]];

    if (seen->gen == ev->event_gen && wh_entity_id_cmp(&seen->id, &ev->o.id) == 0 &&
        wh_version_cmp(seen->version, ev->o.version) == 0) {
        return false;
    }
    *seen = (struct seen){ev->event_gen, ev->o.id, ev->o.version};
    return true;
}

/* The notes so far travel with the observation. */
static enum wh_rc send(struct mapper_eval *ev, struct wh_err *err)
{
    const struct set_aside *notes = ev->late ? ev->late : &ev->notes;

    ev->o.set_aside = notes->items;
    ev->o.n_set_aside = notes->n;
    if (ev->out->observation(ev->out->ctx, &ev->o, err) != WH_OK) {
        return err->rc;
    }
    ev->notes.n = 0;
    return WH_OK;
}

static enum wh_rc emit(struct mapper_eval *ev, const struct view_emission *em, struct wh_err *err)
{
    struct wh_observation *o = &ev->o;
    enum view_shown shown;

    if (em->n_conds && !conds_hold(ev, em->conds, em->n_conds)) {
        return WH_OK;
    }
    if (find_source(ev, em, &shown, err) != WH_OK) {
        return err->rc;
    }
    if (shown != VIEW_SHOWN) {
        return WH_OK;
    }
    /* The event's own object: most are not seen again before the cache has forgotten them. */
    o->id = em->scope < 0 && !em->optional
                ? wh_entity_id_make(ev->e->instance, em->source_kind, o->source.id)
                : view_idcache_make(ev->ids, ev->e->instance, em->source_kind, o->source.id);
    if (find_version(ev, em, err) != WH_OK) {
        return err->rc;
    }
    o->provenance = *ev->at;
    o->provenance.origin = ev->e->origin;
    o->provenance.delivery_id = ev->e->delivery_id;
    o->provenance.observed_at_ms = ev->e->observed_at_ms;
    o->provenance.view = ev->view->name;
    o->change = em->change;
    o->reason = wh_slice(NULL, 0);
    if (find_fields(ev, em, err) != WH_OK ||
        (em->change == WH_CHANGE_DELETE && alts_text(ev, &em->reason, &o->reason, err) != WH_OK) ||
        wh_observation_tie(o, &ev->scratch, &o->version.tie, err) != WH_OK) {
        return err->rc;
    }
    ev->emitted = true;
    if (ev->main == NULL && em->scope < 0) {
        ev->main = em;
    }
    return first_time(ev) || ev->notes.n || ev->late ? send(ev, err) : WH_OK;
}

static enum wh_rc emit_scope(struct mapper_eval *ev, unsigned scope, struct wh_err *err)
{
    const struct view_scope *s = &ev->view->scopes[scope];
    const char *pointer = ev->view->trie.nodes[s->each].pointer;
    struct wh_json_val array;
    struct wh_json_iter it;
    struct wh_json_val v;

    if (look(&ev->view->trie, ev->root, ev->root_gen, s->each, &array) != VIEW_SHOWN) {
        return WH_OK;
    }
    if (ev->root_twice && is_twice(&ev->view->trie, ev->root, ev->root_gen, s->each)) {
        return WH_OK;
    }
    if (wh_json_type(array) != WH_JSON_ARRAY) {
        (void)wh_fail(err, WH_E_TYPE, "%s: an array was expected", pointer);
        note(ev, pointer, err, array);
        return WH_OK;
    }
    it = wh_json_iter(array);
    ev->element_trie = &s->trie;
    for (size_t n = 0; wh_json_next(&it, NULL, &v); n++) {
        if (wh_json_type(v) != WH_JSON_OBJECT) {
            (void)wh_fail(err, WH_E_TYPE, "%s: an element is not an object", pointer);
            note(ev, pointer, err, v);
            continue;
        }
        ev->element_twice = walk(ev, &s->trie, ev->element, v);
        ev->element_gen = ev->gen;
        for (unsigned i = 0; i < ev->view->n_emissions; i++) {
            if (ev->view->emissions[i].scope == (int)scope &&
                emit(ev, &ev->view->emissions[i], err) != WH_OK) {
                return wh_err_prefix(err, "%s element %zu", pointer, n);
            }
        }
    }
    return WH_OK;
}

/*
 * Notes that were made after the last observation are sent with the main one once more: the same
 * content and version again changes nothing but brings the notes.
 */
static enum wh_rc emit_late_notes(struct mapper_eval *ev, struct wh_err *err)
{
    const struct set_aside late = ev->notes;
    enum wh_rc rc;

    ev->late = &late;
    rc = emit(ev, ev->main, err);
    ev->late = NULL;
    return rc;
}

static enum wh_rc emit_all(struct mapper_eval *ev, struct wh_err *err)
{
    const struct view *view = ev->view;

    for (unsigned i = 0; i < view->n_emissions; i++) {
        if (view->emissions[i].scope < 0 && emit(ev, &view->emissions[i], err) != WH_OK) {
            return err->rc;
        }
    }
    for (unsigned i = 0; i < view->n_scopes; i++) {
        if (emit_scope(ev, i, err) != WH_OK) {
            return err->rc;
        }
    }
    if (!ev->emitted && ev->notes.n) {
        const struct wh_set_aside *first = &ev->notes.items[0];

        return wh_fail(err, WH_E_INVALID, "%.*s: %.*s", WH_SLICE_ARG(first->pointer),
                       WH_SLICE_ARG(first->reason));
    }
    if (!ev->emitted) {
        return wh_fail(err, WH_E_UNKNOWN_KIND, "view %.*s: no emission applies",
                       WH_SLICE_ARG(view->name));
    }
    return ev->notes.n && ev->main ? emit_late_notes(ev, err) : WH_OK;
}

/* ---- rereads ---- */

static enum wh_rc ask_reread(struct mapper_eval *ev, const struct view_reread *r,
                             struct wh_err *err)
{
    struct mapper_reread wish = {
        .kind = r->kind, .reason = r->reason, .within_ms = r->within_ms, .trailing = r->trailing};
    enum view_shown shown;

    if (r->n_conds && !conds_hold(ev, r->conds, r->n_conds)) {
        return WH_OK;
    }
    if (alts_id_optional(ev, &r->project, false, &shown, &wish.project, err) != WH_OK ||
        alts_id_optional(ev, &r->id, true, &shown, &wish.id, err) != WH_OK) {
        return err->rc;
    }
    if (shown != VIEW_SHOWN) {
        return WH_OK;
    }
    if (r->unless_emitted) {
        struct wh_entity_id id = view_idcache_make(ev->ids, ev->e->instance, r->kind, wish.id);
        const struct seen *seen = &ev->seen[id.bytes[0]];

        if (seen->gen == ev->event_gen && wh_entity_id_cmp(&seen->id, &id) == 0) {
            return WH_OK;
        }
    }
    return ev->out->reread(ev->out->ctx, &wish, err);
}

/* ---- the event ---- */

static enum wh_rc unknown_kind(const struct wh_raw_event *e, struct wh_err *err)
{
    char shown[KIND_SHOWN_MAX + 1];
    size_t n = 0;

    for (; n < e->kind.len && n < KIND_SHOWN_MAX; n++) {
        char c = e->kind.ptr[n];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-' || c == '.';

        shown[n] = plain ? c : '?';
    }
    shown[n] = '\0';
    return wh_fail(err, WH_E_UNKNOWN_KIND, "no view maps kind '%s' from %s", shown,
                   wh_origin_name(e->origin));
}

static enum wh_rc map(struct mapper_eval *ev, struct wh_err *err)
{
    struct wh_json_val root;

    if (wh_json_parse(ev->parser, ev->e->payload, &root, err) != WH_OK) {
        return err->rc;
    }
    if (ev->view->trie.nodes[0].table && wh_json_type(root) != WH_JSON_OBJECT) {
        return wh_fail(err, WH_E_TYPE, "/: an object was expected");
    }
    ev->root_twice = walk(ev, &ev->view->trie, ev->root, root);
    ev->root_gen = ev->gen;
    if (emit_all(ev, err) != WH_OK) {
        return err->rc;
    }
    for (unsigned i = 0; i < ev->view->n_rereads; i++) {
        if (ask_reread(ev, &ev->view->rereads[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc mapper_eval_map(struct mapper_eval *ev, const struct wh_raw_event *e,
                           const struct wh_provenance *at, const struct mapper_out *out,
                           enum mapper_outcome *ret_outcome, struct wh_err *err)
{
    const struct view_match *match = mapper_views_find(ev->views, e->kind);

    *ret_outcome = MAPPER_MAPPED;
    if (match == NULL || (match->views[e->origin] == NULL && !match->ignored[e->origin])) {
        return unknown_kind(e, err);
    }
    if (match->views[e->origin] == NULL) {
        *ret_outcome = MAPPER_IGNORED;
        return WH_OK;
    }
    /* Half of all generations away from those in the slots: start over with clean ones. */
    if (ev->gen > UINT32_MAX / 2) {
        memset(ev->root, 0, sizeof(ev->root));
        memset(ev->element, 0, sizeof(ev->element));
        ev->gen = 0;
    }
    wh_arena_reset(&ev->arena);
    ev->view = match->views[e->origin];
    ev->e = e;
    ev->at = at;
    ev->out = out;
    ev->emitted = false;
    ev->main = NULL;
    ev->late = NULL;
    ev->notes.n = 0;
    ev->element_twice = false;
    ev->event_gen++;
    return map(ev, err);
}
