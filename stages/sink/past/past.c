#include "stages/sink/past/past.h"

#include "common/base/mem.h"
#include "stages/sink/past/past_priv.h"
#include "stages/sink/store/long_text.h"

enum { VALUE_MAX_BYTES = 64 << 20, CHECK_EVERY = 64 };

enum wh_rc past_new(const struct past_conf *conf, struct past **ret, struct wh_err *err)
{
    struct past *p = wh_mem_zalloc(1, sizeof(*p));

    if (p == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a reader of the state");
    }
    p->conf = *conf;
    wh_buf_init(&p->value, VALUE_MAX_BYTES);
    *ret = p;
    return WH_OK;
}

void past_free(struct past *p)
{
    if (p == NULL) {
        return;
    }
    wh_buf_done(&p->value);
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
    return WH_OK;
}

enum wh_rc past_live(struct past *p, enum wh_kind kind, const struct wh_entity_id *id,
                     struct wh_arena *arena, const struct wh_head **ret, struct wh_err *err)
{
    if (past_head(p, kind, id, arena, ret, err) != WH_OK) {
        return err->rc;
    }
    if (*ret && (*ret)->deleted) {
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

    return v && !v->is_far ? v->u.str : (struct wh_slice){NULL, 0};
}

enum wh_rc past_text(struct past *p, const struct wh_head *head, const char *field,
                     struct wh_arena *arena, struct wh_slice *ret, struct wh_err *err)
{
    int i = wh_kind_field(head->body.def, wh_slice_str(field));
    struct wh_value value;

    *ret = past_string(head, field);
    if (past_field(head, field) == NULL || !past_field(head, field)->is_far) {
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

enum wh_rc past_by_url(struct past *p, struct wh_slice url, struct past_found *ret, bool *ret_found,
                       struct wh_err *err)
{
    struct wh_buf key;
    enum wh_rc rc;

    *ret = (struct past_found){0};
    *ret_found = false;
    wh_buf_init(&key, SINK_SOURCE_KEY_MAX);
    rc = sink_url_key(url, &key, err);
    if (rc == WH_OK) {
        wh_buf_reset(&p->value);
        rc = wh_store_get(p->conf.store, p->conf.snap, SINK_SOURCE_IDS, wh_buf_slice(&key),
                          &p->value, ret_found, err);
    }
    wh_buf_done(&key);
    if (rc != WH_OK) {
        return rc == WH_E_TOO_LARGE ? WH_OK : rc;
    }
    if (*ret_found && p->value.len != SINK_ENTITY_KEY) {
        return wh_fail(err, WH_E_CORRUPT, "an address leads to %zu bytes", p->value.len);
    }
    if (*ret_found) {
        ret->kind = (enum wh_kind)(unsigned char)p->value.ptr[0];
        memcpy(ret->id.bytes, p->value.ptr + 1, sizeof(ret->id.bytes));
    }
    return WH_OK;
}
