#include "stages/mapper/view/eval_priv.h"

#include <stdio.h>

#include "common/base/mem.h"

enum {
    ARENA_BLOCK = 1 << 18,
    ARENA_MAX = 256 << 20,
    SCRATCH_MAX = 256 << 20,
    KIND_SHOWN_MAX = 48,
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
    wh_buf_init(&ev->rules.key, SCRATCH_MAX);
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
        wh_buf_done(&ev->rules.key);
        wh_arena_done(&ev->arena);
        wh_mem_free(ev);
    }
}

/* ---- versions ---- */

static bool later(struct wh_instant a, struct wh_instant b)
{
    return a.ms != b.ms ? a.ms > b.ms : a.has_fraction && !b.has_fraction;
}

/*
 * The first or the latest of the times that are shown and not null. A time that cannot be converted is
 * noted and skipped; *ret_bad is then the reason.
 */
static enum wh_rc alts_time(struct mapper_eval *ev, const struct view_alts *alts, bool first,
                            bool *ret_found, struct wh_instant *ret, struct wh_err *ret_bad,
                            struct wh_err *err)
{
    for (unsigned i = 0; i < alts->n && !(first && *ret_found); i++) {
        const struct view_alt *alt = &alts->items[i];
        struct convert c = eval_converter(ev, &alt->op);
        struct wh_instant at;
        struct view_found found = {0};
        enum view_shown shown;

        if (eval_find(ev, &alt->op, &shown, &found, err) != WH_OK) {
            return err->rc;
        }
        if (shown != VIEW_SHOWN ||
            (found.form == FOUND_JSON && wh_json_type(found.json) == WH_JSON_STRING &&
             wh_json_string(found.json).len == 0)) {
            continue;
        }
        if (convert_time(&c, &found, &at, ret_bad) != WH_OK) {
            if (!eval_set_aside(ev, alt->op.text, &found, ret_bad)) {
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
    if (eval_text(ev, &v->rank_from, &state, err) != WH_OK) {
        return err->rc;
    }
    for (unsigned i = 0; i < v->rank->n; i++) {
        if (wh_slice_eq(v->rank->items[i].from, state)) {
            *ret = (unsigned)(v->rank->items[i].number & 31);
        }
    }
    return WH_OK;
}

/* True for the event's own object, false for mentioned objects and elements of arrays. */
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
    /* A malformed time cannot order the event's own object. */
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
    ev->o.version.order = wh_version_order(at, rank, ev->e->origin) + ev->views->edition;
    return WH_OK;
}

/* ---- emissions ---- */

/* A missing id is an error only for the event's own object. */
static enum wh_rc no_identity(struct mapper_eval *ev, const struct view_emission *em,
                              struct wh_err *err)
{
    const char *pointer = em->id.items[0].op.text;

    if (em->optional) {
        return WH_OK;
    }
    (void)wh_fail(err, WH_E_MISSING, "%s: the id is missing, null or 0", pointer);
    return is_own(em) || !eval_set_aside(ev, pointer, NULL, err) ? err->rc : WH_OK;
}

static enum wh_rc find_source(struct mapper_eval *ev, const struct view_emission *em,
                              enum view_shown *ret_shown, struct wh_err *err)
{
    struct wh_source_id *s = &ev->o.source;
    enum view_shown shown;

    *s = (struct wh_source_id){
        .system = em->system, .instance = ev->e->instance, .kind = em->source_kind};
    if ((is_own(em) ? eval_id : eval_id_optional)(ev, &em->id, false, ret_shown, &s->id, err) !=
        WH_OK) {
        return err->rc;
    }
    if (*ret_shown != VIEW_SHOWN) {
        return no_identity(ev, em, err);
    }
    if (eval_id_optional(ev, &em->project, false, &shown, &s->project, err) != WH_OK ||
        eval_id_optional(ev, &em->iid, false, &shown, &s->iid, err) != WH_OK) {
        return err->rc;
    }
    return eval_text(ev, &em->url, &s->url, err);
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

        if (eval_value(ev, &f->alts, f->type, &shown, &body->values[f->field], err) != WH_OK) {
            return err->rc;
        }
        if (shown != VIEW_ABSENT) {
            body->present |= UINT64_C(1) << f->field;
        }
    }
    return WH_OK;
}

/* An event often shows the same person repeatedly; emit that person once. */
static bool first_time(struct mapper_eval *ev)
{
    struct eval_seen *seen = &ev->seen[ev->o.id.bytes[0]];

    if (seen->gen == ev->event_gen && wh_entity_id_cmp(&seen->id, &ev->o.id) == 0 &&
        wh_version_cmp(seen->version, ev->o.version) == 0) {
        return false;
    }
    *seen = (struct eval_seen){ev->event_gen, ev->o.id, ev->o.version};
    return true;
}

/* Attaches the notes collected so far to the observation. */
static enum wh_rc send(struct mapper_eval *ev, struct wh_err *err)
{
    const struct set_aside *notes = ev->late ? ev->late : &ev->notes;

    ev->o.set_aside = notes->items;
    ev->o.n_set_aside = notes->n;
    if (ev->out->observation(ev->out->ctx, &ev->o, ev->inputs, err) != WH_OK) {
        return err->rc;
    }
    ev->notes.n = 0;
    return WH_OK;
}

static void emitted(struct mapper_eval *ev, const struct view_emission *em)
{
    ev->emitted = true;
    if (ev->main == NULL && em->scope < 0) {
        ev->main = em;
    }
}

/* An object that is known counts as emitted. False when it has no id after all. */
static bool note_known(struct mapper_eval *ev, const struct view_emission *em)
{
    struct wh_entity_id id;
    enum view_shown shown;
    struct wh_err err;

    if (!ev->view->asks_what_is_emitted) {
        return true;
    }
    if (find_source(ev, em, &shown, &err) != WH_OK || shown != VIEW_SHOWN) {
        return false;
    }
    id = view_idcache_make(ev->ids, ev->e->instance, em->source_kind, ev->o.source.id);
    ev->seen[id.bytes[0]] = (struct eval_seen){.gen = ev->event_gen, .id = id};
    return true;
}

/*
 * Is the observation of a nested object known already? Never before the event's own object is
 * evaluated, which sets the version of the parent, and never while notes wait for an observation.
 */
static bool is_known(struct mapper_eval *ev, const struct view_emission *em)
{
    ev->inputs = 0;
    return ev->out->known && ev->emitted && ev->notes.n == 0 && ev->late == NULL &&
           eval_hash_inputs(ev, em, &ev->inputs) && ev->out->known(ev->out->ctx, ev->inputs) &&
           note_known(ev, em);
}

static enum wh_rc emit(struct mapper_eval *ev, const struct view_emission *em, struct wh_err *err)
{
    struct wh_observation *o = &ev->o;
    enum view_shown shown;

    if (em->n_conds && !eval_conds_hold(ev, em->conds, em->n_conds)) {
        return WH_OK;
    }
    if (is_known(ev, em)) {
        emitted(ev, em);
        return WH_OK;
    }
    if (find_source(ev, em, &shown, err) != WH_OK) {
        return err->rc;
    }
    if (shown != VIEW_SHOWN) {
        return WH_OK;
    }
    /* The event's own object bypasses the cache, because it rarely occurs again soon. */
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
        (em->change == WH_CHANGE_DELETE && eval_text(ev, &em->reason, &o->reason, err) != WH_OK) ||
        wh_observation_tie(o, &ev->scratch, &o->version.tie, err) != WH_OK) {
        return err->rc;
    }
    emitted(ev, em);
    return first_time(ev) || ev->notes.n || ev->late ? send(ev, err) : WH_OK;
}

static enum wh_rc emit_scope(struct mapper_eval *ev, unsigned scope, struct wh_err *err)
{
    const struct view_scope *s = &ev->view->scopes[scope];
    const char *pointer = ev->view->trie.nodes[s->each].pointer;
    struct wh_json_val array;
    struct wh_json_iter it;
    struct wh_json_val v;

    if (eval_look_root(ev, s->each, &array) != VIEW_SHOWN) {
        return WH_OK;
    }
    if (wh_json_type(array) != WH_JSON_ARRAY) {
        (void)wh_fail(err, WH_E_TYPE, "%s: an array was expected", pointer);
        set_aside_add(&ev->notes, &ev->arena, pointer, err, array);
        return WH_OK;
    }
    it = wh_json_iter(array);
    ev->element_trie = &s->trie;
    for (size_t n = 0; wh_json_next(&it, NULL, &v); n++) {
        if (wh_json_type(v) != WH_JSON_OBJECT) {
            (void)wh_fail(err, WH_E_TYPE, "%s: an element is not an object", pointer);
            set_aside_add(&ev->notes, &ev->arena, pointer, err, v);
            continue;
        }
        ev->element_twice = eval_walk(ev, &s->trie, ev->element, v);
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
 * Sends the main observation again with the notes that were made after the last observation. The same
 * content and version changes nothing else.
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
    struct mapper_reread request = {
        .kind = r->kind, .reason = r->reason, .within_ms = r->within_ms, .trailing = r->trailing};
    enum view_shown shown;

    if (r->n_conds && !eval_conds_hold(ev, r->conds, r->n_conds)) {
        return WH_OK;
    }
    if (eval_id_optional(ev, &r->project, false, &shown, &request.project, err) != WH_OK ||
        eval_id_optional(ev, &r->id, true, &shown, &request.id, err) != WH_OK) {
        return err->rc;
    }
    if (shown != VIEW_SHOWN) {
        return WH_OK;
    }
    if (r->unless_emitted) {
        struct wh_entity_id id = view_idcache_make(ev->ids, ev->e->instance, r->kind, request.id);
        const struct eval_seen *seen = &ev->seen[id.bytes[0]];

        if (seen->gen == ev->event_gen && wh_entity_id_cmp(&seen->id, &id) == 0) {
            return WH_OK;
        }
    }
    return ev->out->reread(ev->out->ctx, &request, err);
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
    ev->root_twice = eval_walk(ev, &ev->view->trie, ev->root, root);
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
    /* Restart with cleared slots well before the generation counter wraps around. */
    if (ev->gen > UINT32_MAX / 2) {
        memset(ev->root, 0, sizeof(ev->root));
        memset(ev->element, 0, sizeof(ev->element));
        ev->gen = 0;
    }
    wh_arena_reset(&ev->arena);
    convert_rules_reset(&ev->rules);
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
