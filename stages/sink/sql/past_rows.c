/* Rows as they were: heads and entries are folded from the stored history. */
#include "stages/sink/sql/sql_priv.h"

enum { BLOCK_BYTES = 64 << 10, HISTORY_MAX_BYTES = 64 << 20 };

static enum wh_rc decode_now(const struct wh_kind_def *kind, const struct wh_entity_id *id,
                             struct wh_slice bytes, struct wh_arena *arena, struct wh_head **ret,
                             struct wh_err *err)
{
    struct wh_slice copy;
    void *memory = NULL;

    if (wh_arena_zalloc(arena, 1, sizeof(struct wh_head), &memory, err) != WH_OK ||
        wh_arena_dup(arena, bytes, &copy, err) != WH_OK) {
        return err->rc;
    }
    *ret = memory;
    (*ret)->id = *id;
    return wh_head_decode(kind, copy, arena, *ret, err);
}

enum wh_rc sql_past_head(const struct sql_conn *conn, const struct wh_kind_def *kind,
                         const struct wh_entity_id *id, struct wh_arena *arena, struct wh_buf *out,
                         struct wh_slice *head, bool *ret_found, struct wh_err *err)
{
    const struct wh_head *past = NULL;
    struct wh_head *now = NULL;

    *ret_found = true;
    if (sink_is_now(conn->when)) {
        return WH_OK;
    }
    if (decode_now(kind, id, *head, arena, &now, err) != WH_OK ||
        sink_head_at(conn->store, conn->snap, now, conn->when, arena, NULL, &past, err) != WH_OK) {
        return err->rc;
    }
    *ret_found = past != NULL;
    if (past == NULL) {
        return WH_OK;
    }
    wh_buf_reset(out);
    if (wh_head_encode_whole(past, out, err) != WH_OK) {
        return err->rc;
    }
    *head = wh_buf_slice(out);
    return WH_OK;
}

/* ---- entries ---- */

struct sql_past {
    struct wh_arena arena;
    struct wh_entity_id id;
    bool read;
    struct wh_entry **entries; /* that count, in version order */
    size_t n;
    size_t cap;
};

static enum wh_rc keep_entry(void *ctx, const struct wh_entry *entry, struct wh_err *err)
{
    struct sql_past *p = ctx;
    void *memory = NULL;

    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 16;

        memory = wh_mem_resize(p->entries, cap, sizeof(*p->entries));
        if (memory == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a history");
        }
        p->entries = memory;
        p->cap = cap;
    }
    if (wh_arena_alloc(&p->arena, sizeof(*entry), &memory, err) != WH_OK) {
        return err->rc;
    }
    p->entries[p->n] = memory;
    *p->entries[p->n++] = *entry;
    return WH_OK;
}

/* c->fetched has the present head of c->id. */
static enum wh_rc read_history(struct sql_cursor *c, struct sql_past *p, struct wh_err *err)
{
    const struct sink_history_visit visit = {.entry = keep_entry, .ctx = p};
    const struct sql_conn *conn = c->table->conn;
    const struct wh_head *past = NULL;
    struct wh_head *now = NULL;

    wh_arena_reset(&p->arena);
    p->n = 0;
    p->id = c->id;
    p->read = false;
    if (decode_now(c->entity_kind, &c->id, wh_buf_slice(&c->fetched), &p->arena, &now, err) !=
            WH_OK ||
        sink_head_at(conn->store, conn->snap, now, conn->when, &p->arena, &visit, &past, err) !=
            WH_OK) {
        return err->rc;
    }
    p->read = true;
    return WH_OK;
}

static struct sql_past *past_of(struct sql_cursor *c)
{
    if (c->past == NULL) {
        c->past = wh_mem_zalloc(1, sizeof(*c->past));
        if (c->past) {
            wh_arena_init(&c->past->arena, BLOCK_BYTES, HISTORY_MAX_BYTES);
        }
    }
    return c->past;
}

enum wh_rc sql_past_entry(struct sql_cursor *c, struct wh_version version,
                          const struct wh_entry **ret, struct wh_err *err)
{
    struct sql_past *p = past_of(c);
    size_t low = 0;
    size_t high;

    *ret = NULL;
    if (p == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a history");
    }
    if ((!p->read || wh_entity_id_cmp(&p->id, &c->id) != 0) && read_history(c, p, err) != WH_OK) {
        return err->rc;
    }
    for (high = p->n; low < high;) {
        size_t mid = low + (high - low) / 2;

        if (wh_version_cmp(p->entries[mid]->version, version) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low < p->n && wh_version_cmp(p->entries[low]->version, version) == 0) {
        *ret = p->entries[low];
    }
    return WH_OK;
}

void sql_past_free(struct sql_past *past)
{
    if (past) {
        wh_arena_done(&past->arena);
        wh_mem_free(past->entries);
        wh_mem_free(past);
    }
}
