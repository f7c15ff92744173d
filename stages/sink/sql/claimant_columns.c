/* Columns of imported rows that show the service or customer that a key leads to. */
#include "common/base/hash.h"
#include "stages/sink/impact/impact.h"
#include "stages/sink/sql/computed_priv.h"
#include "stages/sink/sql/entity_priv.h"
#include "stages/sink/sql/labels.h"

static bool is_known(const struct sql_conn *conn, const struct sql_claimant *known,
                     enum wh_kind kind, struct wh_slice key)
{
    return known->statement == conn->statements && known->kind == kind &&
           wh_slice_eq(wh_slice(known->key, known->key_len), key);
}

/* Rows have few keys, so that most are asked for again and again. */
static enum wh_rc find(struct sql_conn *conn, enum wh_kind kind, struct wh_slice key,
                       struct wh_entity_id *ret, bool *ret_found, struct wh_err *err)
{
    struct sql_claimant *known = &conn->claimants[wh_hash64(key) % SQL_NAMES];
    struct past *past = NULL;

    if (is_known(conn, known, kind, key)) {
        *ret = known->id;
        *ret_found = known->found;
        return WH_OK;
    }
    if (sql_conn_past(conn, &past, err) != WH_OK ||
        impact_key(past, kind, key, ret, ret_found, err) != WH_OK) {
        return err->rc;
    }
    if (key.len <= sizeof(known->key)) {
        known->statement = conn->statements;
        known->kind = kind;
        known->key_len = key.len;
        memcpy(known->key, key.ptr, key.len);
        known->found = *ret_found;
        known->id = *ret;
    }
    return WH_OK;
}

enum wh_rc sql_claimant_column(struct sql_cursor *c, struct sql_out *out, enum wh_kind kind,
                               struct wh_slice key, bool name, struct wh_err *err)
{
    static const struct sql_label label = {.column = "name", .of = "name"};
    struct wh_entity_id id = {{0}};
    struct wh_slice text;
    bool found = false;

    if (key.len > 0 && find(c->table->conn, kind, key, &id, &found, err) != WH_OK) {
        return err->rc;
    }
    if (!found) {
        sql_result_null(out);
        return WH_OK;
    }
    if (!name) {
        sql_result_id(out, &id);
        return WH_OK;
    }
    if (sql_label_text(c, kind, &id, &label, &text, err) != WH_OK) {
        return err->rc;
    }
    sql_result_maybe(out, text);
    return WH_OK;
}
