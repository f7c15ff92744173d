#include "common/event/history.h"

static uint64_t bit(unsigned field)
{
    return UINT64_C(1) << field;
}

int64_t wh_head_changed_ms(const struct wh_value *updated_at, struct wh_version version)
{
    const int64_t max_ms = wh_version_at_ms(UINT64_MAX);

    if (updated_at == NULL || updated_at->is_null) {
        return wh_version_at_ms(version.order);
    }
    if (updated_at->u.i < 0) {
        return 0;
    }
    return updated_at->u.i < max_ms ? updated_at->u.i : max_ms;
}

/* ---- one step of the fold ---- */

/* The content of an observation that is new, or rebuilt from its entry. */
struct step {
    struct wh_version version;
    enum wh_change change;
    struct wh_slice reason;
    const struct wh_source_id *source;
    uint64_t shown;
    const struct wh_value *values; /* full values of the shown fields */
};

static void take_part(struct wh_slice *to, struct wh_slice part)
{
    if (part.len) {
        *to = part;
    }
}

static bool deletion_changes(const struct wh_head *state, bool first, const struct step *s)
{
    bool deleted = s->change == WH_CHANGE_DELETE;

    return first || state->deleted != deleted ||
           (deleted && !wh_slice_eq(state->reason, s->reason));
}

/* Applies one observation to the state; returns the fields that it changed. */
static uint64_t fold(struct wh_head *state, bool first, const struct step *s, bool *ret_deletion)
{
    const struct wh_kind_def *def = state->body.def;
    uint64_t changed = 0;

    *ret_deletion = deletion_changes(state, first, s);
    if (*ret_deletion) {
        state->deleted = s->change == WH_CHANGE_DELETE;
        state->reason = state->deleted ? s->reason : wh_slice("", 0);
        state->deleted_version = s->version;
    }
    for (unsigned i = 0; i < def->n_fields; i++) {
        if ((s->shown & bit(i)) == 0) {
            continue;
        }
        state->shown[i] = s->version;
        if ((state->body.present & bit(i)) &&
            wh_value_eq(def->fields[i].type, &state->body.values[i], &s->values[i])) {
            continue;
        }
        state->body.values[i] = s->values[i];
        state->set[i] = s->version;
        changed |= bit(i);
    }
    state->body.present |= s->shown;
    take_part(&state->source.project, s->source->project);
    take_part(&state->source.iid, s->source->iid);
    take_part(&state->shown_url, s->source->url);
    state->source.url = state->shown_url;
    state->version = s->version;
    return changed;
}

static struct step step_of(const struct wh_observation *o)
{
    return (struct step){
        .version = o->version,
        .change = o->change,
        .reason = o->reason,
        .source = &o->source,
        .shown = o->change == WH_CHANGE_DELETE ? 0 : o->body.present,
        .values = o->body.values,
    };
}

static void entry_of(const struct wh_observation *o, uint64_t changed, bool revision,
                     int64_t stored_ms, struct wh_entry *e)
{
    e->version = o->version;
    e->revision = revision;
    e->change = o->change;
    e->reason = o->reason;
    e->shown = o->change == WH_CHANGE_DELETE ? 0 : o->body.present;
    e->delta.def = o->body.def;
    e->delta.present = changed;
    for (unsigned i = 0; i < o->body.def->n_fields; i++) {
        if (changed & bit(i)) {
            e->delta.values[i] = o->body.values[i];
        }
    }
    e->provenance = o->provenance;
    e->source = o->source;
    e->stored_ms = stored_ms;
}

/* ---- the same observation again ---- */

static int provenance_cmp(const struct wh_provenance *a, const struct wh_provenance *b)
{
    int c;

    if (a->observed_at_ms != b->observed_at_ms) {
        return a->observed_at_ms < b->observed_at_ms ? -1 : 1;
    }
    c = wh_slice_cmp(a->topic, b->topic);
    if (c != 0) {
        return c;
    }
    if (a->partition != b->partition) {
        return a->partition < b->partition ? -1 : 1;
    }
    if (a->offset != b->offset) {
        return a->offset < b->offset ? -1 : 1;
    }
    return wh_slice_cmp(a->delivery_id, b->delivery_id);
}

static bool see(struct wh_head *head, const struct wh_observation *o)
{
    int64_t at_ms = o->provenance.observed_at_ms;
    bool first = head->first_seen_ms == 0 || at_ms < head->first_seen_ms;
    bool last = wh_seen_ms(at_ms) > head->last_seen_ms;

    if (wh_version_is_aside(o->version)) {
        return false;
    }
    head->first_seen_ms = first ? at_ms : head->first_seen_ms;
    head->last_seen_ms = last ? wh_seen_ms(at_ms) : head->last_seen_ms;
    return first || last;
}

static enum wh_rc apply_duplicate(struct wh_head *head, struct wh_entry *known,
                                  const struct wh_observation *o, const struct wh_history_io *io,
                                  struct wh_history_result *ret, struct wh_err *err)
{
    ret->outcome = WH_HISTORY_DUPLICATE;
    ret->head_changed = see(head, o);
    if (provenance_cmp(&o->provenance, &known->provenance) >= 0 && io->now_ms >= known->stored_ms) {
        return WH_OK;
    }
    if (provenance_cmp(&o->provenance, &known->provenance) < 0) {
        known->provenance = o->provenance;
    }
    if (io->now_ms < known->stored_ms) {
        known->stored_ms = io->now_ms;
    }
    return io->put(io->ctx, &o->id, known, err);
}

/* ---- the newest observation so far ---- */

static enum wh_rc apply_newest(struct wh_head *head, bool is_new, const struct wh_observation *o,
                               const struct wh_history_io *io, struct wh_history_result *ret,
                               struct wh_err *err)
{
    struct step s = step_of(o);
    struct wh_entry entry;
    bool deletion;

    ret->changed = fold(head, is_new, &s, &deletion);
    ret->deleted_changed = deletion;
    ret->head_changed = true;
    ret->outcome = ret->changed || deletion ? WH_HISTORY_REVISION : WH_HISTORY_SIGHTING;
    (void)see(head, o);
    entry_of(o, ret->changed, ret->changed || deletion, io->now_ms, &entry);
    return io->put(io->ctx, &o->id, &entry, err);
}

/* ---- a late observation ---- */

static void empty_state(struct wh_head *state, const struct wh_head *head)
{
    state->id = head->id;
    state->source = head->source;
    state->source.project = wh_slice("", 0);
    state->source.iid = wh_slice("", 0);
    state->source.url = wh_slice("", 0);
    state->shown_url = wh_slice("", 0);
    state->version = (struct wh_version){0};
    state->deleted = false;
    state->reason = wh_slice("", 0);
    state->deleted_version = (struct wh_version){0};
    state->parent_reason = head->parent_reason;
    state->parent_version = head->parent_version;
    state->first_seen_ms = head->first_seen_ms;
    state->last_seen_ms = head->last_seen_ms;
    state->body.def = head->body.def;
    state->body.present = 0;
}

/* Two folds in parallel: over the stored entries, and over these with the late one. */
struct refold {
    struct wh_head before;
    struct wh_head after;
    struct wh_value full[WH_FIELDS_MAX];
    bool first;
};

/* Rebuilds everything that an entry showed, from its delta and the state before it. */
static void rebuild(struct refold *f, const struct wh_entry *e)
{
    for (unsigned i = 0; i < f->before.body.def->n_fields; i++) {
        if (e->delta.present & bit(i)) {
            f->before.body.values[i] = e->delta.values[i];
        }
        if (e->shown & bit(i)) {
            f->full[i] = f->before.body.values[i];
        }
    }
}

/* False: the entry is as it was. */
static bool refold_step(struct refold *f, struct wh_entry *e)
{
    struct step s = {.version = e->version,
                     .change = e->change,
                     .reason = e->reason,
                     .source = &e->source,
                     .shown = e->shown,
                     .values = f->full};
    bool deletion;
    uint64_t changed = fold(&f->after, f->first, &s, &deletion);

    f->first = false;
    if (changed == e->delta.present && (changed || deletion) == e->revision) {
        return false;
    }
    e->revision = changed || deletion;
    e->delta.present = changed;
    for (unsigned i = 0; i < f->after.body.def->n_fields; i++) {
        if (changed & bit(i)) {
            e->delta.values[i] = f->full[i];
        }
    }
    return true;
}

static enum wh_rc refold_entry(struct refold *f, struct wh_entry *e, const struct wh_entity_id *id,
                               const struct wh_history_io *io, struct wh_err *err)
{
    rebuild(f, e);
    return refold_step(f, e) ? io->put(io->ctx, id, e, err) : WH_OK;
}

static enum wh_rc refold_late(struct refold *f, const struct wh_observation *o,
                              const struct wh_history_io *io, struct wh_arena *arena,
                              bool *ret_revision, struct wh_err *err)
{
    struct step s = step_of(o);
    uint64_t changed;
    bool deletion;
    void *memory;

    if (wh_arena_alloc(arena, sizeof(struct wh_entry), &memory, err) != WH_OK) {
        return err->rc;
    }
    changed = fold(&f->after, f->first, &s, &deletion);
    f->first = false;
    *ret_revision = changed || deletion;
    entry_of(o, changed, *ret_revision, io->now_ms, memory);
    return io->put(io->ctx, &o->id, memory, err);
}

static uint64_t difference(const struct wh_body *a, const struct wh_body *b)
{
    uint64_t changed = a->present ^ b->present;

    for (unsigned i = 0; i < a->def->n_fields; i++) {
        if ((a->present & b->present & bit(i)) &&
            !wh_value_eq(a->def->fields[i].type, &a->values[i], &b->values[i])) {
            changed |= bit(i);
        }
    }
    return changed;
}

static enum wh_rc run_refold(struct refold *f, struct wh_entry *entries, size_t n,
                             const struct wh_observation *o, const struct wh_history_io *io,
                             struct wh_arena *arena, bool *ret_revision, struct wh_err *err)
{
    bool placed = false;

    for (size_t i = 0; i < n; i++) {
        if (!placed && wh_version_cmp(o->version, entries[i].version) < 0) {
            placed = true;
            if (refold_late(f, o, io, arena, ret_revision, err) != WH_OK) {
                return err->rc;
            }
        }
        if (refold_entry(f, &entries[i], &o->id, io, err) != WH_OK) {
            return err->rc;
        }
    }
    return placed ? WH_OK
                  : wh_fail(err, WH_E_CORRUPT, "an entity's head is newer than its history");
}

static enum wh_rc apply_late(struct wh_head *head, const struct wh_observation *o,
                             const struct wh_history_io *io, struct wh_arena *arena,
                             struct wh_history_result *ret, struct wh_err *err)
{
    struct wh_entry *entries = NULL;
    struct refold *f;
    bool revision = false;
    void *memory;
    size_t n = 0;

    if (io->entries(io->ctx, &o->id, arena, &entries, &n, err) != WH_OK ||
        wh_arena_alloc(arena, sizeof(*f), &memory, err) != WH_OK) {
        return err->rc;
    }
    f = memory;
    f->first = true;
    empty_state(&f->before, head);
    empty_state(&f->after, head);
    (void)see(&f->after, o);
    if (run_refold(f, entries, n, o, io, arena, &revision, err) != WH_OK) {
        return err->rc;
    }
    ret->changed = difference(&head->body, &f->after.body);
    ret->deleted_changed = head->deleted != f->after.deleted;
    ret->head_changed = true;
    ret->outcome = revision ? WH_HISTORY_LATE : WH_HISTORY_SIGHTING;
    *head = f->after;
    return WH_OK;
}

enum wh_rc wh_history_apply(struct wh_head *head, bool is_new, const struct wh_observation *o,
                            const struct wh_history_io *io, struct wh_arena *arena,
                            struct wh_history_result *ret, struct wh_err *err)
{
    struct wh_entry known;
    bool found = false;

    *ret = (struct wh_history_result){0};
    if (is_new) {
        head->id = o->id;
        head->source = o->source;
        head->shown_url = wh_slice("", 0);
        head->body.def = o->body.def;
        head->body.present = 0;
        head->parent_reason = wh_slice("", 0);
        head->parent_version = (struct wh_version){0};
        head->first_seen_ms = 0;
        head->last_seen_ms = 0;
        return apply_newest(head, true, o, io, ret, err);
    }
    if (wh_version_cmp(o->version, head->version) > 0) {
        return apply_newest(head, false, o, io, ret, err);
    }
    if (io->find(io->ctx, &o->id, o->version, arena, o->body.def, &found, &known, err) != WH_OK) {
        return err->rc;
    }
    if (found) {
        known.version = o->version;
        return apply_duplicate(head, &known, o, io, ret, err);
    }
    return apply_late(head, o, io, arena, ret, err);
}

/* ---- the past ---- */

struct wh_history_past {
    struct refold fold; /* before: of all entries; after: of those that count */
    struct wh_history_when when;
    int64_t now_seen_ms; /* when the entity was last seen, of all observations */
    bool all;            /* every entry counts so far */
};

enum wh_rc wh_history_past_new(const struct wh_head *now, struct wh_history_when when,
                               struct wh_arena *arena, struct wh_history_past **ret,
                               struct wh_err *err)
{
    struct wh_history_past *p;
    void *memory = NULL;

    if (wh_arena_alloc(arena, sizeof(*p), &memory, err) != WH_OK) {
        return err->rc;
    }
    p = memory;
    p->when = when;
    p->all = true;
    p->now_seen_ms = now->last_seen_ms;
    p->fold.first = true;
    empty_state(&p->fold.before, now);
    empty_state(&p->fold.after, now);
    p->fold.after.parent_reason = wh_slice("", 0);
    p->fold.after.parent_version = (struct wh_version){0};
    p->fold.after.first_seen_ms = 0;
    p->fold.after.last_seen_ms = 0;
    *ret = p;
    return WH_OK;
}

static void see_entry(struct wh_history_past *p, const struct wh_entry *e)
{
    struct wh_head *head = &p->fold.after;
    int64_t at_ms = e->provenance.observed_at_ms;

    if (wh_version_is_aside(e->version)) {
        return;
    }
    if (head->first_seen_ms == 0 || at_ms < head->first_seen_ms) {
        head->first_seen_ms = at_ms;
    }
    if (wh_seen_ms(at_ms) > head->last_seen_ms) {
        head->last_seen_ms = wh_seen_ms(at_ms);
    }
}

bool wh_history_past_add(struct wh_history_past *p, struct wh_entry *e)
{
    rebuild(&p->fold, e);
    if (e->stored_ms > p->when.stored_ms || wh_version_at_ms(e->version.order) > p->when.valid_ms) {
        p->all = false;
        return false;
    }
    (void)refold_step(&p->fold, e);
    see_entry(p, e);
    return true;
}

const struct wh_head *wh_history_past_head(struct wh_history_past *p)
{
    if (p->all && p->now_seen_ms <= p->when.stored_ms) {
        p->fold.after.last_seen_ms = p->now_seen_ms;
    }
    return p->fold.first ? NULL : &p->fold.after;
}
