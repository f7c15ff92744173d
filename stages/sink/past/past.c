#include "stages/sink/past/past.h"

#include "common/base/mem.h"
#include "stages/sink/past/past_priv.h"
#include "stages/sink/store/long_text.h"

enum {
    VALUE_MAX_BYTES = 64 << 20,
    CHECK_EVERY = 64,
    SCRATCH_BLOCK_BYTES = 16 << 10,
    SCRATCH_MAX_BYTES = 64 << 20,
};

enum wh_rc past_new(const struct past_conf *conf, struct past **ret, struct wh_err *err)
{
    struct past *p = wh_mem_zalloc(1, sizeof(*p));

    if (p == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a reader of the state");
    }
    p->conf = *conf;
    p->when = conf->when ? *conf->when : SINK_NOW;
    keys_init(&p->keys);
    wh_buf_init(&p->value, VALUE_MAX_BYTES);
    wh_arena_init(&p->scratch, SCRATCH_BLOCK_BYTES, SCRATCH_MAX_BYTES);
    *ret = p;
    return WH_OK;
}

void past_free(struct past *p)
{
    if (p == NULL) {
        return;
    }
    wh_buf_done(&p->value);
    wh_arena_done(&p->scratch);
    wh_mem_free(p);
}

enum wh_rc past_check(struct past *p, struct wh_err *err)
{
    if (++p->reads % CHECK_EVERY == 0 && p->conf.over && p->conf.over(p->conf.ctx)) {
        return wh_fail(err, WH_E_CANCELED, "the question must end");
    }
    return WH_OK;
}

/* The value of a key in the arena; a ptr of NULL when there is none. */
static enum wh_rc read_value(struct past *p, unsigned family, struct wh_slice key,
                             struct wh_arena *arena, struct wh_slice *ret, struct wh_err *err)
{
    bool found = false;

    *ret = (struct wh_slice){NULL, 0};
    wh_buf_reset(&p->value);
    if (past_check(p, err) != WH_OK ||
        wh_store_get(p->conf.store, p->conf.snap, family, key, &p->value, &found, err) != WH_OK) {
        return err->rc;
    }
    return found ? wh_arena_dup(arena, wh_buf_slice(&p->value), ret, err) : WH_OK;
}

enum wh_rc past_head(struct past *p, enum wh_kind kind, const struct wh_entity_id *id,
                     struct wh_arena *arena, const struct wh_head **ret, struct wh_err *err)
{
    unsigned char key[SINK_ENTITY_KEY];
    struct wh_slice bytes;
    struct wh_head *head;
    void *memory = NULL;

    *ret = NULL;
    sink_entity_key(key, kind, id);
    if (read_value(p, SINK_ENTITIES, wh_slice(key, sizeof(key)), arena, &bytes, err) != WH_OK) {
        return err->rc;
    }
    if (bytes.ptr == NULL) {
        return WH_OK;
    }
    if (wh_arena_zalloc(arena, 1, sizeof(*head), &memory, err) != WH_OK) {
        return err->rc;
    }
    head = memory;
    if (wh_head_decode(wh_kind_def(kind), bytes, arena, head, err) != WH_OK) {
        return err->rc;
    }
    head->id = *id;
    head->body.def = wh_kind_def(kind);
    *ret = head;
    return sink_is_now(p->when)
               ? WH_OK
               : sink_head_at(p->conf.store, p->conf.snap, head, p->when, arena, NULL, ret, err);
}

enum wh_rc past_look(struct past *p, enum wh_kind kind, const struct wh_entity_id *id,
                     const struct wh_head **ret, struct wh_err *err)
{
    wh_arena_reset(&p->scratch);
    return past_head(p, kind, id, &p->scratch, ret, err);
}

enum wh_rc past_live(struct past *p, enum wh_kind kind, const struct wh_entity_id *id,
                     struct wh_arena *arena, const struct wh_head **ret, struct wh_err *err)
{
    if (past_head(p, kind, id, arena, ret, err) != WH_OK) {
        return err->rc;
    }
    if (*ret && wh_head_is_gone(*ret)) {
        *ret = NULL;
    }
    return WH_OK;
}

const struct wh_value *past_field(const struct wh_head *head, const char *field)
{
    int i = wh_kind_field(head->body.def, wh_slice_str(field));

    return i >= 0 && (head->body.present >> i & 1) && !head->body.values[i].is_null
               ? &head->body.values[i]
               : NULL;
}

struct wh_slice past_string(const struct wh_head *head, const char *field)
{
    const struct wh_value *v = past_field(head, field);

    return v && !v->is_far && v->u.str.len < WH_FAR_BYTES ? v->u.str : (struct wh_slice){NULL, 0};
}

enum wh_rc past_text(struct past *p, const struct wh_head *head, const char *field,
                     struct wh_arena *arena, struct wh_slice *ret, struct wh_err *err)
{
    int i = wh_kind_field(head->body.def, wh_slice_str(field));
    const struct wh_value *v = past_field(head, field);
    struct wh_value value;

    *ret = v && !v->is_far ? v->u.str : (struct wh_slice){NULL, 0};
    if (v == NULL || !v->is_far) {
        return WH_OK;
    }
    if (sink_long_text_read(p->conf.store, p->conf.snap, head->body.def, &head->id, (unsigned)i,
                            head->set[i], arena, &p->value, &value, err) != WH_OK) {
        return err->rc;
    }
    return wh_arena_dup(arena, value.u.str, ret, err);
}

enum wh_rc past_entry(struct past *p, enum wh_kind kind, const struct wh_entity_id *id,
                      struct wh_version version, struct wh_arena *arena,
                      const struct wh_entry **ret, struct wh_err *err)
{
    unsigned char key[SINK_REVISION_KEY];
    struct wh_slice bytes;
    struct wh_entry *entry;
    void *memory = NULL;

    *ret = NULL;
    sink_revision_key(key, id, version);
    if (read_value(p, SINK_REVISIONS, wh_slice(key, sizeof(key)), arena, &bytes, err) != WH_OK) {
        return err->rc;
    }
    if (bytes.ptr == NULL) {
        return WH_OK;
    }
    if (wh_arena_zalloc(arena, 1, sizeof(*entry), &memory, err) != WH_OK) {
        return err->rc;
    }
    entry = memory;
    if (wh_entry_decode(wh_kind_def(kind), bytes, arena, entry, err) != WH_OK) {
        return err->rc;
    }
    entry->version = version;
    *ret = entry;
    return WH_OK;
}

/* ---- by the page ---- */

/* Has the entity this page, then? Of two that have it, the one that changed last, as in the present. */
static enum wh_rc offer(struct past *p, const char *kind_and_id, struct wh_slice url,
                        struct past_found *ret, bool *ret_found, struct wh_err *err)
{
    struct past_found found = {.kind = (enum wh_kind)(unsigned char)kind_and_id[0]};
    const struct wh_head *head = NULL;

    memcpy(found.id.bytes, kind_and_id + 1, sizeof(found.id.bytes));
    if (past_look(p, found.kind, &found.id, &head, err) != WH_OK) {
        return err->rc;
    }
    if (head == NULL || !wh_slice_eq(head->source.url, url) ||
        (*ret_found && wh_version_cmp(head->version, ret->version) < 0)) {
        return WH_OK;
    }
    found.version = head->version;
    *ret = found;
    *ret_found = true;
    return WH_OK;
}

static enum wh_rc offer_former(struct past *p, struct wh_slice url, struct past_found *ret,
                               bool *ret_found, struct wh_err *err)
{
    struct wh_buf prefix;
    struct wh_iter *it = NULL;
    struct wh_slice key;
    struct wh_slice value;
    enum wh_rc rc;

    wh_buf_init(&prefix, 2 * SINK_SOURCE_KEY_MAX);
    rc = sink_former_url_key(url, WH_KIND_NONE, NULL, &prefix, err);
    if (rc == WH_OK) {
        rc = wh_iter_new(p->conf.store, p->conf.snap, SINK_FORMER, wh_buf_slice(&prefix),
                         wh_slice("", 0), &it, err);
    }
    if (rc == WH_OK) {
        wh_iter_seek(it, wh_buf_slice(&prefix), false);
    }
    while (rc == WH_OK && wh_iter_valid(it, &key, &value) &&
           wh_slice_starts(key, wh_buf_slice(&prefix))) {
        if (key.len == prefix.len + SINK_ENTITY_KEY) {
            rc = offer(p, key.ptr + prefix.len, url, ret, ret_found, err);
        }
        wh_iter_step(it, false);
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    wh_buf_done(&prefix);
    return rc;
}

enum wh_rc past_by_url(struct past *p, struct wh_slice url, struct past_found *ret, bool *ret_found,
                       struct wh_err *err)
{
    char owner[SINK_ENTITY_KEY];
    struct wh_buf key;
    bool there = false;
    enum wh_rc rc;

    *ret = (struct past_found){0};
    *ret_found = false;
    wh_buf_init(&key, SINK_SOURCE_KEY_MAX);
    rc = sink_url_key(url, &key, err);
    if (rc == WH_OK) {
        wh_buf_reset(&p->value);
        rc = wh_store_get(p->conf.store, p->conf.snap, SINK_SOURCE_IDS, wh_buf_slice(&key),
                          &p->value, &there, err);
    }
    wh_buf_done(&key);
    if (rc != WH_OK) {
        return rc == WH_E_TOO_LARGE ? WH_OK : rc;
    }
    if (there && p->value.len != SINK_ENTITY_KEY) {
        return wh_fail(err, WH_E_CORRUPT, "an address leads to %zu bytes", p->value.len);
    }
    if (there) {
        memcpy(owner, p->value.ptr, sizeof(owner));
    }
    if (sink_is_now(p->when)) {
        *ret_found = there;
        if (there) {
            ret->kind = (enum wh_kind)(unsigned char)owner[0];
            memcpy(ret->id.bytes, owner + 1, sizeof(ret->id.bytes));
        }
        return WH_OK;
    }
    if (there && offer(p, owner, url, ret, ret_found, err) != WH_OK) {
        return err->rc;
    }
    return offer_former(p, url, ret, ret_found, err);
}
