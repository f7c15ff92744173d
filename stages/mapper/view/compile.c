#include "stages/mapper/view/loader_priv.h"

#include "common/base/num.h"

/* An expected member of an object; any other name is an error. */
struct member {
    const char *name;
    struct wh_json_val *val; /* doc stays NULL when absent */
};

static bool members(struct view_loader *l, struct wh_json_val object, const struct member *list,
                    size_t n)
{
    struct wh_json_iter it = wh_json_iter(object);
    struct wh_json_val v;
    struct wh_slice key;

    if (wh_json_type(object) != WH_JSON_OBJECT) {
        return view_loader_fail(l, "an object was expected");
    }
    while (wh_json_next(&it, &key, &v)) {
        size_t i = 0;

        while (i < n && !wh_slice_eq(key, wh_slice_str(list[i].name))) {
            i++;
        }
        if (i == n) {
            return view_loader_fail(l, "unknown key '%.*s'", WH_SLICE_ARG(key));
        }
        *list[i].val = v;
    }
    return true;
}

/* A key of an object, and the variable of the same name that receives its value. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define MEMBER(name)                                                                               \
    {                                                                                              \
#name, &name                                                                               \
    }
/* NOLINTEND(bugprone-macro-parentheses) */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool text(struct view_loader *l, struct wh_json_val v, const char *what,
                 struct wh_slice *ret)
{
    if (v.doc == NULL || wh_json_type(v) != WH_JSON_STRING) {
        return view_loader_fail(l, "'%s' must be a text", what);
    }
    return view_loader_dup(l, wh_json_string(v), ret);
}

static bool optional_alts(struct view_loader *l, const struct view_place *place,
                          struct wh_json_val v, enum view_conv_type conv, struct view_alts *ret)
{
    return v.doc == NULL || view_alts_compile(l, place, v, NULL, conv, ret);
}

/* ---- version ---- */

static bool compile_rank(struct view_loader *l, const struct view_place *place,
                         struct wh_json_val rank, struct view_version *version)
{
    struct wh_json_val from = {0};
    struct wh_json_val table = {0};
    const struct member list[] = {MEMBER(from), MEMBER(table)};

    if (wh_json_type(rank) == WH_JSON_INT) {
        version->rank_fixed = (unsigned)(wh_json_int(rank) & 31);
        return true;
    }
    if (!members(l, rank, list, COUNT(list))) {
        return false;
    }
    if (from.doc == NULL || table.doc == NULL) {
        return view_loader_fail(l, "'rank' needs 'from' and 'table'");
    }
    version->rank = view_loader_map(l->ranks, l->n_ranks, wh_json_string(table));
    if (version->rank == NULL) {
        return view_loader_fail(l, "unknown rank table '%.*s'",
                                WH_SLICE_ARG(wh_json_string(table)));
    }
    return view_alts_compile(l, place, from, NULL, CONV_STRING, &version->rank_from);
}

static bool compile_version(struct view_loader *l, const struct view_place *place,
                            struct wh_json_val v, struct view_version *version)
{
    struct wh_json_val first_of = {0};
    struct wh_json_val latest_of = {0};
    struct wh_json_val otherwise = {0};
    struct wh_json_val rank = {0};
    const struct member list[] = {
        MEMBER(first_of), MEMBER(latest_of), {"else", &otherwise}, MEMBER(rank)};
    struct wh_slice name;

    if (v.doc == NULL) {
        return view_loader_fail(l, "an emission lacks 'version'");
    }
    if (!members(l, v, list, COUNT(list))) {
        return false;
    }
    if (otherwise.doc) {
        name = wh_json_string(otherwise);
        version->otherwise = wh_slice_eq(name, WH_LIT("observed")) ? ELSE_OBSERVED
                             : wh_slice_eq(name, WH_LIT("aside"))  ? ELSE_ASIDE
                             : wh_slice_eq(name, WH_LIT("parent")) ? ELSE_PARENT
                                                                   : ELSE_FAIL;
        if (version->otherwise == ELSE_FAIL) {
            return view_loader_fail(l, "'else' must be observed, parent or aside");
        }
    }
    return optional_alts(l, place, first_of, CONV_TIME, &version->first_of) &&
           optional_alts(l, place, latest_of, CONV_TIME, &version->latest_of) &&
           (rank.doc == NULL || compile_rank(l, place, rank, version));
}

/* ---- fields ---- */

static bool takes_foreign(const struct view_field *fields, unsigned n,
                          const struct view_operand *op)
{
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < fields[i].alts.n; k++) {
            const struct view_alt *alt = &fields[i].alts.items[k];

            if (alt->conv.type == CONV_FOREIGN && alt->op.type == op->type &&
                alt->op.node == op->node) {
                return true;
            }
        }
    }
    return false;
}

/* A list of references drops foreign ids silently when another field contains them. */
static void mark_foreign(const struct view_field *fields, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < fields[i].alts.n; k++) {
            struct view_alt *alt = &fields[i].alts.items[k];

            alt->conv.foreign_kept =
                alt->conv.type == CONV_REFS && takes_foreign(fields, n, &alt->op);
        }
    }
}

static bool compile_field(struct view_loader *l, const struct view_place *place,
                          struct wh_slice name, struct wh_json_val v, struct view_field *fields,
                          struct view_emission *e)
{
    int index = wh_kind_field(e->def, name);
    const struct wh_field_def *field;

    if (index < 0) {
        return view_loader_fail(l, "%s has no field '%.*s'", e->def->name, WH_SLICE_ARG(name));
    }
    field = &e->def->fields[index];
    for (unsigned i = 0; i < e->n_fields; i++) {
        if (fields[i].field == (unsigned)index) {
            return view_loader_fail(l, "field '%s' occurs twice", field->name);
        }
    }
    fields[e->n_fields] = (struct view_field){.field = (unsigned)index, .type = field->type};
    if (!view_alts_compile(l, place, v, field, CONV_STRING, &fields[e->n_fields++].alts)) {
        return view_loader_fail(l, "field '%s'", field->name);
    }
    return true;
}

/* Adds the fields of the definitions that "use" lists. */
static bool use_fields(struct view_loader *l, const struct view_place *place,
                       struct wh_json_val names, struct view_field *fields, struct view_emission *e)
{
    struct wh_json_iter it = wh_json_iter(names);
    struct wh_json_val name;

    while (wh_json_next(&it, NULL, &name)) {
        struct wh_json_val definition;
        struct wh_json_val object;
        struct wh_json_iter inner;
        struct wh_json_val v;
        struct wh_slice key;

        if (!view_loader_define(l, wh_json_string(name), &definition) ||
            !wh_json_get(definition, WH_LIT("fields"), &object)) {
            return view_loader_fail(l, "no definition '%.*s' with fields",
                                    WH_SLICE_ARG(wh_json_string(name)));
        }
        inner = wh_json_iter(object);
        while (wh_json_next(&inner, &key, &v)) {
            if (!compile_field(l, place, key, v, fields, e)) {
                return false;
            }
        }
    }
    return true;
}

static bool compile_fields(struct view_loader *l, const struct view_place *place,
                           struct wh_json_val object, struct view_emission *e)
{
    struct view_field *fields = view_loader_alloc(l, WH_FIELDS_MAX, sizeof(*fields));
    struct wh_json_iter it = wh_json_iter(object);
    struct wh_json_val v;
    struct wh_slice key;

    if (fields == NULL || wh_json_type(object) != WH_JSON_OBJECT) {
        return view_loader_fail(l, "'fields' must be an object");
    }
    while (wh_json_next(&it, &key, &v)) {
        if (wh_slice_eq(key, WH_LIT("use")) ? !use_fields(l, place, v, fields, e)
                                            : !compile_field(l, place, key, v, fields, e)) {
            return false;
        }
    }
    mark_foreign(fields, e->n_fields);
    e->fields = fields;
    return true;
}

/* ---- source and change ---- */

static bool compile_source(struct view_loader *l, const struct view_place *place,
                           struct wh_json_val v, struct view_emission *e)
{
    struct wh_json_val kind = {0};
    struct wh_json_val id = {0};
    struct wh_json_val project = {0};
    struct wh_json_val iid = {0};
    struct wh_json_val url = {0};
    struct wh_json_val system = {0};
    const struct member list[] = {MEMBER(kind), MEMBER(id),  MEMBER(project),
                                  MEMBER(iid),  MEMBER(url), MEMBER(system)};

    if (v.doc == NULL || !members(l, v, list, COUNT(list)) || id.doc == NULL) {
        return view_loader_fail(l, "an emission needs 'source' with 'kind' and 'id'");
    }
    e->system = WH_LIT("gitlab");
    return text(l, kind, "source kind", &e->source_kind) &&
           (system.doc == NULL || text(l, system, "system", &e->system)) &&
           optional_alts(l, place, id, CONV_LONG, &e->id) &&
           optional_alts(l, place, project, CONV_LONG, &e->project) &&
           optional_alts(l, place, iid, CONV_LONG, &e->iid) &&
           optional_alts(l, place, url, CONV_STRING, &e->url);
}

static bool compile_change(struct view_loader *l, const struct view_place *place,
                           struct wh_json_val del, struct view_emission *e)
{
    if (del.doc == NULL) {
        return true;
    }
    e->change = WH_CHANGE_DELETE;
    return view_alts_compile(l, place, del, NULL, CONV_STRING, &e->reason);
}

/* ---- places: "/a/b" or "/a/ * /b" with one star ---- */

static bool find_scope(struct view_loader *l, struct view *view, struct wh_slice array, int *ret)
{
    unsigned node;

    if (!view_trie_add(l, &view->trie, wh_slice(NULL, 0), array, "", &node)) {
        return false;
    }
    for (unsigned i = 0; i < view->n_scopes; i++) {
        if (view->scopes[i].each == node) {
            *ret = (int)i;
            return true;
        }
    }
    if (view->n_scopes == VIEW_SCOPES_MAX) {
        return view_loader_fail(l, "more than %d arrays", VIEW_SCOPES_MAX);
    }
    *ret = (int)view->n_scopes;
    view->scopes[view->n_scopes].each = node;
    return view_trie_init(l, &view->scopes[view->n_scopes++].trie);
}

static bool compile_place(struct view_loader *l, struct view *view, struct wh_json_val at,
                          struct view_place *place)
{
    struct wh_slice pointer = {0};
    const char *star;

    *place = (struct view_place){.view = view, .scope = -1};
    if (at.doc && !text(l, at, "at", &pointer)) {
        return false;
    }
    star = pointer.len ? memchr(pointer.ptr, '*', pointer.len) : NULL;
    if (star == NULL) {
        place->prefix = pointer;
        return true;
    }
    if (star == pointer.ptr || star[-1] != '/') {
        return view_loader_fail(l, "'at': a star stands for all elements: \"/builds/*\"");
    }
    place->prefix = wh_slice_from(pointer, (size_t)(star - pointer.ptr) + 1);
    return find_scope(l, view, wh_slice(pointer.ptr, (size_t)(star - pointer.ptr) - 1),
                      &place->scope);
}

/* ---- emissions ---- */

struct emission_src {
    struct wh_json_val at;
    struct wh_json_val kind;
    struct wh_json_val optional;
    struct wh_json_val when;
    struct wh_json_val source;
    struct wh_json_val version;
    struct wh_json_val del;
    struct wh_json_val fields;
};

/* The members of the emission override those of the definition that it uses. */
static bool gather(struct view_loader *l, struct wh_json_val v, struct emission_src *src)
{
    struct wh_json_val use = {0};
    struct wh_json_val definition;
    const struct member list[] = {{"use", &use},
                                  {"at", &src->at},
                                  {"kind", &src->kind},
                                  {"optional", &src->optional},
                                  {"when", &src->when},
                                  {"source", &src->source},
                                  {"version", &src->version},
                                  {"delete", &src->del},
                                  {"fields", &src->fields}};

    if (wh_json_get(v, WH_LIT("use"), &use)) {
        struct wh_json_val unused = {0};

        if (!view_loader_define(l, wh_json_string(use), &definition)) {
            return view_loader_fail(l, "unknown definition '%.*s'",
                                    WH_SLICE_ARG(wh_json_string(use)));
        }
        if (wh_json_get(definition, WH_LIT("use"), &unused)) {
            return view_loader_fail(l, "a definition cannot use another one");
        }
        if (!members(l, definition, list, COUNT(list))) {
            return false;
        }
    }
    return members(l, v, list, COUNT(list));
}

static bool compile_emission(struct view_loader *l, struct view *view, struct wh_json_val v)
{
    struct view_emission *e = &view->emissions[view->n_emissions];
    struct emission_src src = {0};
    struct view_place place;

    if (view->n_emissions == VIEW_EMISSIONS_MAX) {
        return view_loader_fail(l, "more than %d emissions", VIEW_EMISSIONS_MAX);
    }
    if (!gather(l, v, &src) || !compile_place(l, view, src.at, &place)) {
        return false;
    }
    *e = (struct view_emission){.scope = place.scope};
    e->optional = src.optional.doc && wh_json_bool(src.optional);
    e->def = src.kind.doc ? wh_kind_by_name(wh_json_string(src.kind)) : NULL;
    if (e->def == NULL) {
        return view_loader_fail(l, "an emission's 'kind' is not a canonical kind");
    }
    if (src.del.doc == NULL && src.fields.doc == NULL) {
        return view_loader_fail(l, "an emission needs 'fields' or 'delete'");
    }
    view->n_emissions++;
    return compile_source(l, &place, src.source, e) &&
           compile_version(l, &place, src.version, &e->version) &&
           (src.when.doc == NULL ||
            view_conds_compile(l, &place, src.when, &e->conds, &e->n_conds)) &&
           compile_change(l, &place, src.del, e) &&
           (src.fields.doc == NULL || compile_fields(l, &place, src.fields, e)) &&
           view_inputs_compile(l, view, e);
}

/* ---- rereads ---- */

static bool compile_reread(struct view_loader *l, struct view *view, struct wh_json_val v)
{
    struct wh_json_val kind = {0};
    struct wh_json_val id = {0};
    struct wh_json_val project = {0};
    struct wh_json_val reason = {0};
    struct wh_json_val within = {0};
    struct wh_json_val when = {0};
    struct wh_json_val trailing = {0};
    struct wh_json_val unless_emitted = {0};
    const struct member list[] = {
        MEMBER(kind),   MEMBER(id),   MEMBER(project),  MEMBER(reason),
        MEMBER(within), MEMBER(when), MEMBER(trailing), MEMBER(unless_emitted)};
    const struct view_place place = {.view = view, .scope = -1};
    struct view_reread *r = &view->rereads[view->n_rereads];

    if (view->n_rereads == VIEW_REREADS_MAX) {
        return view_loader_fail(l, "more than %d rereads", VIEW_REREADS_MAX);
    }
    if (!members(l, v, list, COUNT(list)) || id.doc == NULL || within.doc == NULL) {
        return view_loader_fail(l, "a reread needs 'kind', 'id', 'reason' and 'within'");
    }
    view->n_rereads++;
    r->trailing = trailing.doc && wh_json_bool(trailing);
    r->unless_emitted = unless_emitted.doc && wh_json_bool(unless_emitted);
    view->asks_what_is_emitted = view->asks_what_is_emitted || r->unless_emitted;
    if (wh_num_duration_ms(wh_json_string(within), &r->within_ms, l->err) != WH_OK) {
        return view_loader_fail(l, "'within' is not a duration");
    }
    return text(l, kind, "kind", &r->kind) && text(l, reason, "reason", &r->reason) &&
           optional_alts(l, &place, id, CONV_LONG, &r->id) &&
           optional_alts(l, &place, project, CONV_LONG, &r->project) &&
           (when.doc == NULL || view_conds_compile(l, &place, when, &r->conds, &r->n_conds));
}

/* ---- the view ---- */

static bool each(struct view_loader *l, struct view *view, struct wh_json_val array,
                 bool (*fn)(struct view_loader *l, struct view *view, struct wh_json_val v))
{
    struct wh_json_iter it = wh_json_iter(array);
    struct wh_json_val v;

    while (wh_json_next(&it, NULL, &v)) {
        if (!fn(l, view, v)) {
            return false;
        }
    }
    return true;
}

static bool compile_parts(struct view_loader *l, struct view *view, struct wh_json_val val)
{
    struct wh_json_val name = {0};
    struct wh_json_val match = {0};
    struct wh_json_val emit = {0};
    struct wh_json_val reread = {0};
    const struct member list[] = {MEMBER(name), MEMBER(match), MEMBER(emit), MEMBER(reread)};

    if (!members(l, val, list, COUNT(list)) || !text(l, name, "name", &view->name)) {
        return false;
    }
    l->view = view->name;
    view->emissions = view_loader_alloc(l, VIEW_EMISSIONS_MAX, sizeof(*view->emissions));
    if (view->emissions == NULL || !view_trie_init(l, &view->trie)) {
        return false;
    }
    if (emit.doc == NULL || !each(l, view, emit, compile_emission) || view->n_emissions == 0) {
        return view_loader_fail(l, "a view must emit at least one observation");
    }
    if (reread.doc && !each(l, view, reread, compile_reread)) {
        return false;
    }
    for (unsigned i = 0; i < view->n_scopes; i++) {
        if (!view_trie_seal(l, &view->scopes[i].trie)) {
            return false;
        }
    }
    return view_trie_seal(l, &view->trie);
}

struct view *view_compile(struct view_loader *l, struct wh_json_val val)
{
    struct view *view = view_loader_alloc(l, 1, sizeof(*view));

    l->view = wh_slice(NULL, 0);
    return view && compile_parts(l, view, val) ? view : NULL;
}
