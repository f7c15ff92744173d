#include <stddef.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "stages/sink/batch/batch_priv.h"

enum {
    ARENA_FULL_BYTES = 24 << 20, /* a batch ends at this size; the rest is for one long history */
    CHANGE_VALUE_BYTES = SINK_ENTITY_KEY + 8 + 8 + 1 + 8,
    DECISION_KEY_MAX = 512,
    DECISION_MAX_BYTES = 1 << 20,
};

/* ---- the batch's entities ---- */

static size_t slot_of(const struct sink_apply *a, enum wh_kind kind, const struct wh_entity_id *id)
{
    /* Entity ids are hashes, so eight of their bytes serve as one. */
    return (size_t)(wh_be_get64(id->bytes + 8) + (uint64_t)kind) & a->slot_mask;
}

static struct sink_cached *find_cached(struct sink_apply *a, enum wh_kind kind,
                                       const struct wh_entity_id *id, size_t *ret_slot)
{
    size_t slot = slot_of(a, kind, id);

    for (; a->slots[slot] != 0; slot = (slot + 1) & a->slot_mask) {
        struct sink_cached *c = &a->cached[a->slots[slot] - 1];

        if (c->kind == kind && wh_entity_id_cmp(&c->id, id) == 0) {
            return c;
        }
    }
    *ret_slot = slot;
    return NULL;
}

enum wh_rc sink_apply_get(struct sink_apply *a, unsigned family, struct wh_slice key,
                          struct wh_buf *out, bool *ret_found, struct wh_err *err)
{
    const struct sink_op *op = a->under ? sink_ops_find(a->under, family, key) : NULL;

    if (op == NULL) {
        return wh_store_get(a->store, NULL, family, key, out, ret_found, err);
    }
    *ret_found = !op->remove;
    return op->remove ? WH_OK : wh_buf_append(out, wh_slice(op->value, op->value_len), err);
}

/* Reads a stored value into the arena; ptr NULL when there is none. */
static enum wh_rc stored(struct sink_apply *a, unsigned family, struct wh_slice key,
                         struct wh_slice *ret, struct wh_err *err)
{
    bool found = false;

    *ret = wh_slice(NULL, 0);
    wh_buf_reset(&a->scratch);
    if (sink_apply_get(a, family, key, &a->scratch, &found, err) != WH_OK) {
        return err->rc;
    }
    if (!found) {
        return WH_OK;
    }
    return wh_arena_dup(&a->arena, wh_buf_slice(&a->scratch), ret, err);
}

static enum wh_rc read_head(struct sink_apply *a, struct sink_cached *c, struct wh_err *err)
{
    unsigned char key[SINK_ENTITY_KEY];
    struct wh_slice bytes;
    void *head = NULL;

    sink_entity_key(key, c->kind, &c->id);
    if (stored(a, SINK_ENTITIES, wh_slice(key, sizeof(key)), &bytes, err) != WH_OK ||
        wh_arena_alloc(&a->arena, sizeof(struct wh_head), &head, err) != WH_OK) {
        return err->rc;
    }
    memset(head, 0,
           offsetof(struct wh_head,
                    body.values)); /* the values behind it matter only where `present` says so */
    c->head = head;
    c->is_new = bytes.ptr == NULL;
    if (c->is_new) {
        return WH_OK;
    }
    if (wh_head_decode(wh_kind_def(c->kind), bytes, &a->arena, c->head, err) != WH_OK) {
        char text[WH_ENTITY_ID_TEXT + 1];

        return wh_fail(err, WH_E_CORRUPT, "the head of %s cannot be read",
                       wh_entity_id_format(&c->id, text));
    }
    c->head->id = c->id;
    c->head->body.def = wh_kind_def(c->kind);
    if (!c->head->deleted &&
        sink_names_add(a, &c->head->source, &c->head->body, &c->old_names, err) != WH_OK) {
        return err->rc;
    }
    return sink_derived_take(a, &a->refs[c->kind], c->head, &c->old, err);
}

struct sink_cached *sink_cached_find(struct sink_apply *a, enum wh_kind kind,
                                     const struct wh_entity_id *id)
{
    size_t slot = 0;

    return find_cached(a, kind, id, &slot);
}

struct sink_cached *sink_cached_get(struct sink_apply *a, enum wh_kind kind,
                                    const struct wh_entity_id *id, struct wh_err *err)
{
    size_t slot = 0;
    struct sink_cached *c = find_cached(a, kind, id, &slot);

    if (c) {
        return c;
    }
    if (a->n_cached == a->max_cached) {
        wh_fail(err, WH_E_TOO_LARGE, "more than %zu entities in a batch", a->max_cached);
        return NULL;
    }
    c = &a->cached[a->n_cached];
    *c = (struct sink_cached){.kind = kind, .id = *id};
    if (read_head(a, c, err) != WH_OK || c->head == NULL) {
        return NULL;
    }
    a->slots[slot] = (uint32_t)++a->n_cached;
    return c;
}

/* ---- history's view of the store: what is stored, and over it what this batch has put ---- */

static enum wh_rc see(struct sink_apply *a, struct wh_version version, struct wh_slice bytes,
                      struct wh_err *err)
{
    if (a->n_seen == a->cap_seen) {
        size_t cap = a->cap_seen ? a->cap_seen * 2 : 64;
        struct sink_seen *seen = wh_mem_resize(a->seen, cap, sizeof(*seen));

        if (seen == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a history");
        }
        a->seen = seen;
        a->cap_seen = cap;
    }
    a->seen[a->n_seen] = (struct sink_seen){.version = version, .bytes = bytes, .rank = a->n_seen};
    a->n_seen++;
    return WH_OK;
}

static int seen_cmp(const void *left, const void *right)
{
    const struct sink_seen *a = left;
    const struct sink_seen *b = right;
    int c = wh_version_cmp(a->version, b->version);

    return c ? c : (a->rank > b->rank) - (a->rank < b->rank);
}

/* The entries that the batch below puts (it removes none). They are copied, because that batch may
 * be reset first. */
static enum wh_rc see_before(struct sink_apply *a, const struct wh_entity_id *id,
                             struct wh_err *err)
{
    struct wh_slice prefix = wh_slice(id->bytes, sizeof(id->bytes));

    for (size_t i = sink_ops_from(a->under, SINK_REVISIONS, prefix); i < a->under->n_sealed; i++) {
        const struct sink_op *op = a->under->sealed[i];
        struct wh_version version;
        struct wh_slice bytes;

        if (op->family != SINK_REVISIONS || op->key_len != SINK_REVISION_KEY ||
            memcmp(op->key, prefix.ptr, prefix.len) != 0) {
            break;
        }
        version.order = wh_be_get64(op->key + 16);
        version.tie = wh_be_get64(op->key + 24);
        if (wh_arena_dup(&a->arena, wh_slice(op->value, op->value_len), &bytes, err) != WH_OK ||
            see(a, version, bytes, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc see_stored(struct sink_apply *a, const struct wh_entity_id *id,
                             struct wh_err *err)
{
    unsigned char lower[SINK_REVISION_KEY] = {0};
    unsigned char upper[SINK_REVISION_KEY + 1];
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    enum wh_rc rc = WH_OK;

    memcpy(lower, id->bytes, sizeof(id->bytes));
    memset(upper, 0xff, sizeof(upper));
    memcpy(upper, id->bytes, sizeof(id->bytes));
    if (wh_iter_new(a->store, NULL, SINK_REVISIONS, wh_slice(lower, sizeof(lower)),
                    wh_slice(upper, sizeof(upper)), &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, wh_slice(lower, sizeof(lower)), false);
         rc == WH_OK && wh_iter_valid(it, &key, &value); wh_iter_step(it, false)) {
        struct wh_version version;
        struct wh_slice bytes;

        if (key.len != SINK_REVISION_KEY) {
            rc = wh_fail(err, WH_E_CORRUPT, "a revision's key has %zu bytes", key.len);
            break;
        }
        version.order = wh_be_get64(key.ptr + 16);
        version.tie = wh_be_get64(key.ptr + 24);
        rc = wh_arena_dup(&a->arena, value, &bytes, err);
        if (rc == WH_OK) {
            rc = see(a, version, bytes, err);
        }
    }
    if (rc == WH_OK) {
        rc = wh_iter_error(it, err);
    }
    wh_iter_free(it);
    return rc;
}

static enum wh_rc decode_seen(struct sink_apply *a, struct wh_entry *entries, struct wh_err *err)
{
    const struct wh_kind_def *def = wh_kind_def(a->current->kind);

    for (size_t i = 0; i < a->n_seen; i++) {
        if (wh_entry_decode(def, a->seen[i].bytes, &a->arena, &entries[i], err) != WH_OK) {
            return wh_fail(err, WH_E_CORRUPT, "a revision cannot be read");
        }
        entries[i].version = a->seen[i].version;
        a->seen[i].revision = entries[i].revision;
    }
    return WH_OK;
}

static enum wh_rc io_entries(void *ctx, const struct wh_entity_id *id, struct wh_arena *arena,
                             struct wh_entry **ret, size_t *ret_n, struct wh_err *err)
{
    struct sink_apply *a = ctx;
    void *entries = NULL;
    size_t n = 0;

    a->n_seen = 0;
    for (const struct sink_put *p = a->current->puts; p; p = p->next) {
        if (see(a, p->version, p->bytes, err) != WH_OK) {
            return err->rc;
        }
    }
    if ((a->under && see_before(a, id, err) != WH_OK) || see_stored(a, id, err) != WH_OK) {
        return err->rc;
    }
    qsort(a->seen, a->n_seen, sizeof(a->seen[0]), seen_cmp);
    for (size_t i = 0; i < a->n_seen; i++) {
        if (n == 0 || wh_version_cmp(a->seen[n - 1].version, a->seen[i].version) != 0) {
            a->seen[n++] = a->seen[i];
        }
    }
    a->n_seen = n;
    if (wh_arena_alloc(arena, n * sizeof(struct wh_entry) + 1, &entries, err) != WH_OK ||
        decode_seen(a, entries, err) != WH_OK) {
        return err->rc;
    }
    *ret = entries;
    *ret_n = n;
    return WH_OK;
}

static enum wh_rc io_find(void *ctx, const struct wh_entity_id *id, struct wh_version version,
                          struct wh_arena *arena, const struct wh_kind_def *def, bool *ret_found,
                          struct wh_entry *ret, struct wh_err *err)
{
    struct sink_apply *a = ctx;
    unsigned char key[SINK_REVISION_KEY];
    struct wh_slice bytes = {NULL, 0};

    a->n_seen = 0;
    for (const struct sink_put *p = a->current->puts; p && bytes.ptr == NULL; p = p->next) {
        if (wh_version_cmp(p->version, version) == 0) {
            bytes = p->bytes;
        }
    }
    if (bytes.ptr == NULL) {
        sink_revision_key(key, id, version);
        if (stored(a, SINK_REVISIONS, wh_slice(key, sizeof(key)), &bytes, err) != WH_OK) {
            return err->rc;
        }
    }
    *ret_found = bytes.ptr != NULL;
    if (bytes.ptr == NULL) {
        return WH_OK;
    }
    if (wh_entry_decode(def, bytes, arena, ret, err) != WH_OK) {
        return wh_fail(err, WH_E_CORRUPT, "a revision cannot be read");
    }
    ret->version = version;
    if (see(a, version, bytes, err) != WH_OK) {
        return err->rc;
    }
    a->seen[0].revision = ret->revision;
    return WH_OK;
}

static void count_revision(struct sink_apply *a, const struct wh_entry *entry)
{
    const struct sink_seen want = {.version = entry->version};
    struct sink_kind_counts *counts = &a->totals.counts[a->current->kind];
    bool was = false;
    size_t low = 0;
    size_t high = a->n_seen;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (wh_version_cmp(a->seen[mid].version, want.version) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low < a->n_seen && wh_version_cmp(a->seen[low].version, want.version) == 0) {
        was = a->seen[low].revision;
    }
    counts->revisions += (uint64_t)entry->revision;
    counts->revisions -= (uint64_t)was;
}

static enum wh_rc io_put(void *ctx, const struct wh_entity_id *id, const struct wh_entry *entry,
                         struct wh_err *err)
{
    struct sink_apply *a = ctx;
    unsigned char key[SINK_REVISION_KEY];
    struct sink_put *put;
    void *memory = NULL;

    wh_buf_reset(&a->scratch);
    if (wh_entry_encode(entry, &a->scratch, err) != WH_OK ||
        wh_arena_alloc(&a->arena, sizeof(*put), &memory, err) != WH_OK) {
        return err->rc;
    }
    put = memory;
    put->version = entry->version;
    if (wh_arena_dup(&a->arena, wh_buf_slice(&a->scratch), &put->bytes, err) != WH_OK) {
        return err->rc;
    }
    put->next = a->current->puts;
    a->current->puts = put;
    count_revision(a, entry);
    sink_revision_key(key, id, entry->version);
    return sink_op_put_kept(a, SINK_REVISIONS, wh_slice(key, sizeof(key)), put->bytes, err);
}

/* ---- observations ---- */

static enum wh_rc log_change(struct sink_apply *a, const struct wh_observation *o,
                             enum wh_history_outcome outcome, int64_t now_ms, struct wh_err *err)
{
    unsigned char key[8];
    unsigned char value[CHANGE_VALUE_BYTES];

    wh_be_put64(key, ++a->totals.sequence);
    sink_entity_key(value, o->body.def->kind, &o->id);
    wh_be_put64(value + SINK_ENTITY_KEY, o->version.order);
    wh_be_put64(value + SINK_ENTITY_KEY + 8, o->version.tie);
    value[SINK_ENTITY_KEY + 16] = (unsigned char)outcome;
    wh_be_put64(value + SINK_ENTITY_KEY + 17, (uint64_t)now_ms);
    return sink_op_put(a, SINK_CHANGES, wh_slice(key, sizeof(key)), wh_slice(value, sizeof(value)),
                       err);
}

static void count_entity(struct sink_apply *a, enum wh_kind kind, bool was_new, bool was_deleted,
                         bool deleted)
{
    struct sink_kind_counts *counts = &a->totals.counts[kind];

    counts->entities += (uint64_t)was_new;
    counts->deleted += (uint64_t)deleted;
    counts->deleted -= (uint64_t)(!was_new && was_deleted);
}

/* An observation that leaves the head alone may show names that it does not have. */
static enum wh_rc note_names(struct sink_apply *a, struct sink_cached *c,
                             const struct wh_observation *o, struct wh_err *err)
{
    if (o->change == WH_CHANGE_DELETE) {
        return WH_OK;
    }
    if (sink_names_add(a, &o->source, &o->body, &c->shown_names, err) != WH_OK) {
        return err->rc;
    }
    c->dirty = c->dirty || c->shown_names != NULL;
    return WH_OK;
}

enum wh_rc sink_apply_observation(struct sink_apply *a, const struct wh_observation *o,
                                  int64_t now_ms, struct wh_history_result *ret, struct wh_err *err)
{
    const struct wh_history_io io = {
        .entries = io_entries, .find = io_find, .put = io_put, .ctx = a, .now_ms = now_ms};
    struct sink_cached *c = sink_cached_get(a, o->body.def->kind, &o->id, err);
    struct sink_parent parent;
    bool was_deleted;
    bool was_new;

    if (c == NULL) {
        return err->rc;
    }
    a->current = c;
    a->n_seen = 0;
    was_deleted = wh_head_is_gone(c->head);
    parent = sink_parent_of(c);
    was_new = c->is_new;
    a->before = (struct sink_before){.is_new = was_new || c->head->first_seen_ms == 0};
    if (!was_new) {
        a->before.version = c->head->version;
        a->before.present = c->head->body.present;
    }
    if (wh_history_apply(c->head, c->is_new, o, &io, &a->arena, ret, err) != WH_OK) {
        return err->rc;
    }
    c->is_new = false;
    c->dirty = c->dirty || ret->head_changed;
    count_entity(a, c->kind, was_new, was_deleted, wh_head_is_gone(c->head));
    if (sink_parents_changed(a, c, &parent, err) != WH_OK) {
        return err->rc;
    }
    if (ret->outcome != WH_HISTORY_DUPLICATE &&
        (sink_parents_look(a, c, err) != WH_OK || note_names(a, c, o, err) != WH_OK)) {
        return err->rc;
    }
    if (ret->outcome != WH_HISTORY_REVISION && ret->outcome != WH_HISTORY_LATE) {
        return WH_OK;
    }
    return log_change(a, o, ret->outcome, now_ms, err);
}

const struct sink_before *sink_apply_before(const struct sink_apply *a)
{
    return &a->before;
}

/* ---- the rest of a batch ---- */

enum wh_rc sink_apply_meta(struct sink_apply *a, struct wh_slice key, struct wh_slice value,
                           struct wh_err *err)
{
    return wh_batch_put(a->batch, SINK_META, key, value, err);
}

enum wh_rc sink_apply_meta_last(struct sink_apply *a, struct wh_slice key, struct wh_slice value,
                                struct wh_err *err)
{
    return sink_op_put(a, SINK_META, key, value, err);
}

enum wh_rc sink_apply_meta_remove(struct sink_apply *a, struct wh_slice from, struct wh_slice to,
                                  struct wh_err *err)
{
    return wh_batch_remove_range(a->batch, SINK_META, from, to, err);
}

enum wh_rc sink_apply_offset(struct sink_apply *a, const char *topic, int32_t partition,
                             int64_t next, struct wh_err *err)
{
    unsigned char value[8];

    wh_buf_reset(&a->scratch);
    wh_be_put64(value, (uint64_t)next);
    if (sink_offset_key(wh_slice_str(topic), partition, &a->scratch, err) != WH_OK) {
        return err->rc;
    }
    return wh_batch_put(a->batch, SINK_META, wh_buf_slice(&a->scratch),
                        wh_slice(value, sizeof(value)), err);
}

enum wh_rc sink_apply_forget_topic(struct sink_apply *a, const char *topic, struct wh_err *err)
{
    struct wh_slice from;
    struct wh_slice to;
    size_t split;

    wh_buf_reset(&a->scratch);
    if (sink_offset_key(wh_slice_str(topic), 0, &a->scratch, err) != WH_OK) {
        return err->rc;
    }
    split = a->scratch.len;
    if (sink_offset_key(wh_slice_str(topic), -1, &a->scratch, err) != WH_OK) {
        return err->rc;
    }
    from = wh_slice(a->scratch.ptr, split);
    to = wh_slice_from(wh_buf_slice(&a->scratch), split);
    return wh_batch_remove_range(a->batch, SINK_META, from, to, err);
}

enum wh_rc sink_apply_connection(struct sink_apply *a, struct wh_slice id, struct wh_slice document,
                                 struct wh_err *err)
{
    wh_buf_reset(&a->scratch);
    if (wh_buf_append_char(&a->scratch, 'x', err) != WH_OK ||
        wh_buf_append(&a->scratch, id, err) != WH_OK) {
        return err->rc;
    }
    /* Put as a change of a key, so that a purge in the next batch sees it. */
    if (document.ptr == NULL) {
        return sink_op_remove(a, SINK_META, wh_buf_slice(&a->scratch), err);
    }
    return sink_op_put(a, SINK_META, wh_buf_slice(&a->scratch), document, err);
}

/* The time at which the value under the key was stored first. */
static enum wh_rc first_stored(struct sink_apply *a, struct wh_slice key, int64_t *stored_ms,
                               struct wh_err *err)
{
    struct wh_buf value;
    bool found = false;
    enum wh_rc rc;

    wh_buf_init(&value, DECISION_MAX_BYTES);
    rc = sink_apply_get(a, SINK_META, key, &value, &found, err);
    if (rc == WH_OK && found && value.len >= 8) {
        *stored_ms = (int64_t)wh_be_get64(value.ptr);
    }
    wh_buf_done(&value);
    return rc;
}

enum wh_rc sink_apply_decision(struct sink_apply *a, struct wh_slice id, struct wh_slice document,
                               int64_t stored_ms, struct wh_err *err)
{
    unsigned char at[8];
    struct wh_buf key;
    enum wh_rc rc;

    wh_buf_init(&key, DECISION_KEY_MAX);
    rc = wh_buf_append_char(&key, 'd', err);
    rc = rc == WH_OK ? wh_buf_append(&key, id, err) : rc;
    rc = rc == WH_OK ? first_stored(a, wh_buf_slice(&key), &stored_ms, err) : rc;
    wh_be_put64(at, (uint64_t)stored_ms);
    wh_buf_reset(&a->scratch);
    rc = rc == WH_OK ? wh_buf_append(&a->scratch, wh_slice(at, sizeof(at)), err) : rc;
    rc = rc == WH_OK ? wh_buf_append(&a->scratch, document, err) : rc;
    if (rc == WH_OK) {
        a->totals.people++;
        rc = document.ptr
                 ? sink_op_put(a, SINK_META, wh_buf_slice(&key), wh_buf_slice(&a->scratch), err)
                 : sink_op_remove(a, SINK_META, wh_buf_slice(&key), err);
    }
    wh_buf_done(&key);
    return rc;
}

static enum wh_rc seal_head(struct sink_apply *a, const struct sink_cached *c, struct wh_err *err)
{
    unsigned char key[SINK_ENTITY_KEY];

    sink_note_people(a, c->kind);
    sink_entity_key(key, c->kind, &c->id);
    wh_buf_reset(&a->scratch);
    if (wh_head_encode(c->head, &a->scratch, err) != WH_OK ||
        sink_op_put(a, SINK_ENTITIES, wh_slice(key, sizeof(key)), wh_buf_slice(&a->scratch), err) !=
            WH_OK) {
        return err->rc;
    }
    return sink_derive(a, c, err) == WH_OK ? sink_derive_names(a, c, err) : err->rc;
}

static enum wh_rc seal_counts(struct sink_apply *a, struct wh_err *err)
{
    for (unsigned k = 0; k < WH_KIND_COUNT; k++) {
        const struct sink_kind_counts *counts = &a->totals.counts[k];
        const unsigned char key[2] = {'c', (unsigned char)k};
        unsigned char value[24];

        if (memcmp(counts, &a->base.counts[k], sizeof(*counts)) == 0) {
            continue;
        }
        wh_be_put64(value, counts->entities);
        wh_be_put64(value + 8, counts->deleted);
        wh_be_put64(value + 16, counts->revisions);
        if (wh_batch_put(a->batch, SINK_META, wh_slice(key, sizeof(key)),
                         wh_slice(value, sizeof(value)), err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc seal_number(struct sink_apply *a, struct wh_slice key, uint64_t before,
                              uint64_t now, struct wh_err *err)
{
    unsigned char value[8];

    wh_be_put64(value, now);
    return before == now
               ? WH_OK
               : wh_batch_put(a->batch, SINK_META, key, wh_slice(value, sizeof(value)), err);
}

enum wh_rc sink_apply_seal(struct sink_apply *a, struct wh_err *err)
{

    for (size_t i = 0; i < a->n_cached; i++) {
        if (a->cached[i].dirty && seal_head(a, &a->cached[i], err) != WH_OK) {
            return err->rc;
        }
    }
    if (sink_ops_flush(a, err) != WH_OK || seal_counts(a, err) != WH_OK ||
        seal_number(a, WH_LIT("n"), a->base.sequence, a->totals.sequence, err) != WH_OK) {
        return err->rc;
    }
    return seal_number(a, WH_LIT("p"), a->base.people, a->totals.people, err);
}

enum wh_rc sink_apply_write(struct sink_apply *a, bool sync, struct wh_err *err)
{
    return wh_store_write(a->store, a->batch, sync, err);
}

void sink_apply_written(struct sink_apply *a)
{
    *a->committed = a->totals;
}

enum wh_rc sink_apply_commit(struct sink_apply *a, bool sync, struct wh_err *err)
{
    if (sink_apply_write(a, sync, err) != WH_OK) {
        return err->rc;
    }
    sink_apply_written(a);
    return WH_OK;
}

void sink_apply_begin_over(struct sink_apply *a, struct sink_apply *before)
{
    a->under = before;
    wh_batch_reset(a->batch);
    wh_arena_reset(&a->arena);
    memset(a->slots, 0, (a->slot_mask + 1) * sizeof(a->slots[0]));
    a->base = before ? before->totals : *a->committed;
    a->totals = a->base;
    a->n_cached = 0;
    a->n_ops = 0;
    a->n_sealed = 0;
    a->op_bytes = 0;
    a->current = NULL;
    memset(a->parents, 0, sizeof(a->parents));
}

void sink_apply_begin(struct sink_apply *a)
{
    sink_apply_begin_over(a, NULL);
}

bool sink_apply_full(const struct sink_apply *a, size_t batch_bytes)
{
    return a->n_cached == a->max_cached || a->arena.used_bytes >= ARENA_FULL_BYTES ||
           a->op_bytes >= batch_bytes;
}

struct wh_arena *sink_apply_arena(struct sink_apply *a)
{
    return &a->arena;
}

const struct sink_kind_counts *sink_apply_counts(const struct sink_apply *a)
{
    return a->committed->counts;
}

uint64_t sink_apply_sequence(const struct sink_apply *a)
{
    return a->committed->sequence;
}
