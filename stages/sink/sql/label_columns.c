/*
 * The values of labels: the head of the other entity is read, unless the statement has read it before.
 * A label is NULL when that entity is not known.
 */
#include "common/base/hash.h"
#include "stages/sink/store/long_text.h"
#include "stages/sink/sql/entity_priv.h"
#include "stages/sink/sql/labels.h"

/* ---- labels that the statement has read ---- */

static struct sql_name *cached(struct sql_conn *conn, enum wh_kind kind,
                               const struct wh_entity_id *id, const struct sql_label *label,
                               bool *ret_found)
{
    uint64_t hash = wh_hash64(wh_slice(id->bytes, sizeof(id->bytes)));
    struct sql_name *n = &conn->names[(hash ^ (uint64_t)kind) % SQL_NAMES];

    *ret_found = n->statement == conn->statements && n->kind == kind && n->label == label &&
                 wh_entity_id_cmp(&n->id, id) == 0;
    return n;
}

static void keep(struct sql_conn *conn, struct sql_name *n, enum wh_kind kind,
                 const struct wh_entity_id *id, const struct sql_label *label, struct wh_slice text)
{
    if (text.len > sizeof(n->text)) {
        return;
    }
    n->statement = conn->statements;
    n->kind = kind;
    n->id = *id;
    n->label = label;
    n->known = text.ptr != NULL;
    n->len = text.len;
    if (text.len) {
        memcpy(n->text, text.ptr, text.len);
    }
}

/* ---- reading ---- */

/* One of the reader's own fields, or its address. *ret has a ptr of NULL when it is not known; its bytes
 * stay until the next row. */
static enum wh_rc read_field(struct sql_cursor *c, const struct wh_kind_def *kind,
                             const struct wh_entity_id *id, struct wh_slice head, const char *name,
                             struct wh_slice *ret, struct wh_err *err)
{
    const struct sql_conn *conn = c->table->conn;
    int field = wh_kind_field(kind, wh_slice_str(name));
    struct wh_version set = {0};
    struct wh_value value;
    struct wh_slice body;
    bool shown = false;
    bool deleted;

    if (field < 0) {
        return WH_OK;
    }
    if (wh_head_flags(head, &body, &deleted, err) != WH_OK ||
        wh_body_decode_field(kind, body, (unsigned)field, &c->arena, &shown, &value, err) !=
            WH_OK) {
        return err->rc;
    }
    if (!shown || value.is_null) {
        return WH_OK;
    }
    if (value.is_far && (wh_head_set_version(kind, head, (unsigned)field, &set, err) != WH_OK ||
                         sink_long_text_read(conn->store, conn->snap, kind, id, (unsigned)field,
                                             set, &c->arena, &c->text, &value, err) != WH_OK)) {
        return err->rc;
    }
    return wh_arena_dup(&c->arena, value.u.str, ret, err);
}

static enum wh_rc read_address(struct sql_cursor *c, struct wh_slice head, struct wh_slice *ret,
                               struct wh_err *err)
{
    struct wh_head_view view;

    if (wh_head_view(head, &view, err) != WH_OK) {
        return err->rc;
    }
    return view.source.url.len ? wh_arena_dup(&c->arena, view.source.url, ret, err) : WH_OK;
}

static enum wh_rc read_label(struct sql_cursor *c, const struct wh_kind_def *kind,
                             const struct wh_entity_id *id, const struct sql_label *label,
                             struct wh_slice *ret, struct wh_err *err)
{
    struct wh_store *store = c->table->conn->store;
    unsigned char key[SINK_ENTITY_KEY];
    struct wh_slice head;
    bool found = false;

    sink_entity_key(key, kind->kind, id);
    wh_buf_reset(&c->other);
    if (wh_store_get(store, c->table->conn->snap, SINK_ENTITIES, wh_slice(key, sizeof(key)),
                     &c->other, &found, err) != WH_OK) {
        return err->rc;
    }
    head = wh_buf_slice(&c->other);
    if (found && sql_past_head(c->table->conn, kind, id, &c->arena, &c->other_then, &head, &found,
                               err) != WH_OK) {
        return err->rc;
    }
    if (!found) {
        return WH_OK;
    }
    if (label->of == NULL) {
        return read_address(c, head, ret, err);
    }
    return read_field(c, kind, id, head, label->of, ret, err);
}

enum wh_rc sql_label_text(struct sql_cursor *c, enum wh_kind kind, const struct wh_entity_id *id,
                          const struct sql_label *label, struct wh_slice *ret, struct wh_err *err)
{
    bool found;
    struct sql_name *n = cached(c->table->conn, kind, id, label, &found);

    *ret = (struct wh_slice){NULL, 0};
    if (found) {
        *ret = n->known ? wh_slice(n->text, n->len) : *ret;
        return WH_OK;
    }
    if (read_label(c, wh_kind_def(kind), id, label, ret, err) != WH_OK) {
        return err->rc;
    }
    keep(c->table->conn, n, kind, id, label, *ret);
    return WH_OK;
}

/* ---- columns ---- */

static enum wh_rc list(struct sql_cursor *c, struct sql_out *out, const struct wh_field_def *field,
                       const struct sql_label *label, const struct wh_value *value,
                       struct wh_err *err)
{
    struct wh_json_writer w;

    wh_buf_reset(&c->listed);
    wh_json_writer_init(&w, &c->listed);
    wh_jw_array(&w);
    for (size_t i = 0; i < value->u.refs.n; i++) {
        struct wh_slice text;

        if (sql_label_text(c, field->ref_kind, &value->u.refs.items[i], label, &text, err) !=
            WH_OK) {
            return err->rc;
        }
        if (text.ptr) {
            wh_jw_str(&w, text);
        } else {
            wh_jw_null(&w);
        }
    }
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    sql_result_slice(out, wh_buf_slice(&c->listed));
    return WH_OK;
}

enum wh_rc sql_label_column(struct sql_cursor *c, struct sql_out *out, unsigned i,
                            struct wh_err *err)
{
    const struct wh_field_def *field = &c->table->kind->fields[i];
    const struct sql_label *label = sql_label_of(field);
    struct wh_value value;
    struct wh_slice text;
    bool shown = false;

    if (wh_body_decode_field(c->table->kind, c->head.body, i, &c->arena, &shown, &value, err) !=
        WH_OK) {
        return err->rc;
    }
    if (!shown || value.is_null || label == NULL) {
        sql_result_null(out);
        return WH_OK;
    }
    if (label->account) {
        return sql_member_column(c, out, field->type, &value, true, err);
    }
    if (field->type == WH_FIELD_REFS) {
        return list(c, out, field, label, &value, err);
    }
    if (sql_label_text(c, field->ref_kind, &value.u.ref, label, &text, err) != WH_OK) {
        return err->rc;
    }
    if (text.ptr) {
        sql_result_slice(out, text);
    } else {
        sql_result_null(out);
    }
    return WH_OK;
}
