/* Tables of entities: a row is a head of the store; columns are decoded when they are asked for. */
#include "common/base/be.h"
#include "stages/sink/store/long_text.h"
#include "stages/sink/sql/sql_priv.h"

enum { INDEX_SCAN, INDEX_ID, INDEX_URL, INDEX_TIME, INDEX_PROJECT };

static const struct sql_index_def indexes[] = {
    [INDEX_SCAN] = {NULL, "id", "id", NULL, false, 1e6, 1, INDEX_SCAN},
    [INDEX_ID] = {"id", NULL, NULL, NULL, true, 1, 2, SQL_NONE},
    [INDEX_URL] = {"url", NULL, NULL, NULL, true, 1, 4, SQL_NONE},
    [INDEX_TIME] = {NULL, "changed_at", "changed_at", "id", false, 1e6, 4, INDEX_TIME},
    [INDEX_PROJECT] = {"project", "changed_at", "changed_at", "id", false, 1e4, 4, INDEX_TIME},
};

/* Behind id and the kind's fields, in the order of sql_columns. */
enum identity {
    SOURCE_SYSTEM,
    INSTANCE,
    SOURCE_KIND,
    SOURCE_PROJECT_ID,
    SOURCE_ID,
    SOURCE_IID,
    URL,
    DELETED,
    DELETED_REASON,
    DELETED_AT,
    VERSION,
    VERSION_AT,
    CHANGED_AT,
    FIRST_SEEN,
    LAST_SEEN,
};

/* When a row needs this many columns, its whole body is decoded at once. */
enum { WHOLE_BODY_FROM = 4 };

/* ---- ranges of keys ---- */

static enum wh_rc by_id(struct sql_cursor *c, const struct wh_entity_id *id, struct wh_err *err)
{
    unsigned char key[SINK_ENTITY_KEY];

    sink_entity_key(key, c->table->kind->kind, id);
    return sql_cursor_single(c, SINK_ENTITIES, wh_slice(key, sizeof(key)), err);
}

static enum wh_rc scan(struct sql_cursor *c, const struct sql_bounds *bounds, struct wh_err *err)
{
    unsigned char lower[SINK_ENTITY_KEY] = {(unsigned char)c->table->kind->kind};
    unsigned char upper[SINK_ENTITY_KEY + 1] = {(unsigned char)(c->table->kind->kind + 1)};
    size_t upper_len = 1;
    struct wh_entity_id id;

    if (bounds->lower && sql_bound_id(bounds->lower, &id)) {
        sink_entity_key(lower, c->table->kind->kind, &id);
    }
    if (bounds->upper && sql_bound_id(bounds->upper, &id)) {
        /* The key itself is still inside: one byte more is behind it. */
        sink_entity_key(upper, c->table->kind->kind, &id);
        upper[SINK_ENTITY_KEY] = 0;
        upper_len = sizeof(upper);
    }
    return sql_cursor_range(c, SINK_ENTITIES, wh_slice(lower, sizeof(lower)),
                            wh_slice(upper, upper_len), bounds->backwards, err);
}

/* An address that is too long for the index is searched in all rows. */
static enum wh_rc by_url(struct sql_cursor *c, sqlite3_value *value, struct wh_err *err)
{
    const struct sql_bounds none = {0};
    struct sql_conn *conn = c->table->conn;
    struct wh_entity_id id;
    struct wh_slice url;
    bool found = false;

    if (sqlite3_value_type(value) != SQLITE_TEXT) {
        return WH_OK;
    }
    url = sql_value_text(value);
    if (url.ptr == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an address");
    }
    wh_buf_reset(&c->text);
    if (url.len + 1 > SINK_SOURCE_KEY_MAX) {
        return scan(c, &none, err);
    }
    wh_buf_reset(&c->fetched);
    if (sink_url_key(url, &c->text, err) != WH_OK ||
        wh_store_get(conn->store, conn->snap, SINK_SOURCE_IDS, wh_buf_slice(&c->text), &c->fetched,
                     &found, err) != WH_OK) {
        return err->rc;
    }
    if (!found || c->fetched.len != SINK_ENTITY_KEY ||
        (unsigned char)c->fetched.ptr[0] != c->table->kind->kind) {
        return WH_OK;
    }
    memcpy(id.bytes, c->fetched.ptr + 1, sizeof(id.bytes));
    return by_id(c, &id, err);
}

/* prefix, then the version time, then an id. */
static enum wh_rc time_range(struct sql_cursor *c, unsigned family, struct wh_slice prefix,
                             const struct sql_bounds *bounds, struct wh_err *err)
{
    unsigned char lower[SQL_KEY_MAX];
    unsigned char upper[SQL_KEY_MAX];
    size_t lower_len = prefix.len;
    size_t upper_len = prefix.len;
    int64_t ms;

    memcpy(lower, prefix.ptr, prefix.len);
    memcpy(upper, prefix.ptr, prefix.len);
    if (bounds->lower && sql_bound_time_lower(bounds->lower, &ms)) {
        wh_be_put64(lower + lower_len, sink_time_key(ms));
        lower_len += 8;
    }
    if (bounds->upper && sql_bound_time_upper(bounds->upper, &ms)) {
        wh_be_put64(upper + upper_len, sink_time_key(ms));
        upper_len += 8;
    } else if (!sql_prefix_end(upper, upper_len)) {
        return wh_fail(err, WH_E_INTERNAL, "a kind without a key behind it");
    }
    return sql_cursor_range(c, family, wh_slice(lower, lower_len), wh_slice(upper, upper_len),
                            bounds->backwards, err);
}

static enum wh_rc filter(struct sql_cursor *c, unsigned index, const struct sql_bounds *bounds,
                         struct wh_err *err)
{
    unsigned char prefix[1 + WH_ENTITY_ID_BYTES] = {(unsigned char)c->table->kind->kind};
    struct wh_entity_id id;

    switch (index) {
    case INDEX_ID:
        return sql_bound_id(bounds->eq, &id) ? by_id(c, &id, err) : WH_OK;
    case INDEX_URL:
        return by_url(c, bounds->eq, err);
    case INDEX_TIME:
        return time_range(c, SINK_BY_TIME, wh_slice(prefix, 1), bounds, err);
    case INDEX_PROJECT:
        if (!sql_bound_id(bounds->eq, &id)) {
            return WH_OK;
        }
        memcpy(prefix + 1, id.bytes, sizeof(id.bytes));
        return time_range(c, SINK_BY_PROJECT, wh_slice(prefix, sizeof(prefix)), bounds, err);
    case INDEX_SCAN:
    default:
        return scan(c, bounds, err);
    }
}

/* ---- rows ---- */

/* An index's key ends with the entity's id: fetch its head. */
static enum wh_rc fetch(struct sql_cursor *c, bool *ret_found, struct wh_err *err)
{
    unsigned char key[SINK_ENTITY_KEY];

    if (c->key.len < sizeof(c->id.bytes)) {
        return wh_fail(err, WH_E_CORRUPT, "an index key of %zu bytes", c->key.len);
    }
    memcpy(c->id.bytes, c->key.ptr + c->key.len - sizeof(c->id.bytes), sizeof(c->id.bytes));
    if (c->index != INDEX_TIME && c->index != INDEX_PROJECT) {
        *ret_found = true;
        return WH_OK;
    }
    sink_entity_key(key, c->table->kind->kind, &c->id);
    wh_buf_reset(&c->fetched);
    if (wh_store_get(c->table->conn->store, c->table->conn->snap, SINK_ENTITIES,
                     wh_slice(key, sizeof(key)), &c->fetched, ret_found, err) != WH_OK) {
        return err->rc;
    }
    c->value = wh_buf_slice(&c->fetched);
    return WH_OK;
}

static enum wh_rc row(struct sql_cursor *c, bool *ret_skip, struct wh_err *err)
{
    bool found = false;
    bool deleted;

    if (fetch(c, &found, err) != WH_OK) {
        return err->rc;
    }
    if (!found) {
        *ret_skip = true;
        return WH_OK;
    }
    if (wh_head_flags(c->value, &c->head.body, &deleted, err) != WH_OK) {
        return err->rc;
    }
    *ret_skip = deleted && !c->table->all;
    return WH_OK;
}

/* ---- columns ---- */

/* Reads a long text, which the head does not carry. */
static enum wh_rc far_text(struct sql_cursor *c, struct sql_out *out, unsigned i,
                           struct wh_err *err)
{
    const struct wh_kind_def *kind = c->table->kind;
    const struct sql_conn *conn = c->table->conn;
    struct wh_version set = {0};
    struct wh_value value;

    if (wh_head_set_version(kind, c->value, i, &set, err) != WH_OK ||
        sink_long_text_read(conn->store, conn->snap, kind, &c->id, i, set, &c->arena, &c->text,
                            &value, err) != WH_OK) {
        return err->rc;
    }
    return sql_result_value(out, &c->text, kind->fields[i].type, &value, err);
}

static enum wh_rc field(struct sql_cursor *c, struct sql_out *out, unsigned i, struct wh_err *err)
{
    const struct wh_kind_def *kind = c->table->kind;
    struct wh_value one;
    const struct wh_value *value = &one;
    bool present = false;
    size_t used;

    c->fields_asked++;
    if (!c->body_ready && c->fields_asked < WHOLE_BODY_FROM && c->fields_usual < WHOLE_BODY_FROM) {
        if (wh_body_decode_field(kind, c->head.body, i, &c->arena, &present, &one, err) != WH_OK) {
            return err->rc;
        }
    } else {
        if (!c->body_ready &&
            wh_body_decode(kind, c->head.body, &c->arena, &c->body, &used, err) != WH_OK) {
            return err->rc;
        }
        c->body_ready = true;
        present = (c->body.present >> i & 1) != 0;
        value = &c->body.values[i];
    }
    if (!present) {
        sql_result_null(out);
        return WH_OK;
    }
    if (value->is_far) {
        return far_text(c, out, i, err);
    }
    return sql_result_value(out, &c->text, kind->fields[i].type, value, err);
}

static void identity(const struct wh_head_view *h, struct sql_out *out, enum identity which)
{
    switch (which) {
    case SOURCE_SYSTEM:
        sql_result_maybe(out, h->source.system);
        break;
    case INSTANCE:
        sql_result_maybe(out, h->source.instance);
        break;
    case SOURCE_KIND:
        sql_result_maybe(out, h->source.kind);
        break;
    case SOURCE_PROJECT_ID:
        sql_result_maybe(out, h->source.project);
        break;
    case SOURCE_ID:
        sql_result_maybe(out, h->source.id);
        break;
    case SOURCE_IID:
        sql_result_maybe(out, h->source.iid);
        break;
    case URL:
        sql_result_maybe(out, h->source.url);
        break;
    case DELETED:
        sql_result_int(out, h->deleted);
        break;
    case DELETED_REASON:
        sql_result_maybe(out, h->deleted ? h->reason : WH_LIT(""));
        break;
    case DELETED_AT:
        if (h->deleted) {
            sql_result_time(out, wh_version_at_ms(h->deleted_version.order));
        }
        break;
    case VERSION:
        sql_result_version(out, h->version);
        break;
    case VERSION_AT:
        sql_result_time(out, wh_version_at_ms(h->version.order));
        break;
    case CHANGED_AT: /* changed_at() */
        break;
    case FIRST_SEEN:
        sql_result_time(out, h->first_seen_ms);
        break;
    case LAST_SEEN:
        sql_result_time(out, h->last_seen_ms);
        break;
    default:
        break;
    }
}

static enum wh_rc changed_at(struct sql_cursor *c, struct sql_out *out, struct wh_err *err)
{
    const struct wh_kind_def *kind = c->table->kind;
    int i = wh_kind_field(kind, WH_LIT("updated_at"));
    struct wh_value value;
    bool shown = false;

    if (i >= 0 && wh_body_decode_field(kind, c->head.body, (unsigned)i, &c->arena, &shown, &value,
                                       err) != WH_OK) {
        return err->rc;
    }
    sql_result_time(out, wh_head_changed_ms(shown ? &value : NULL, c->head.version));
    return WH_OK;
}

static enum wh_rc column(struct sql_cursor *c, struct sql_out *out, int number, struct wh_err *err)
{
    int n_fields = (int)c->table->kind->n_fields;

    if (number <= 0) {
        sql_result_id(out, &c->id);
        return WH_OK;
    }
    if (number <= n_fields) {
        return field(c, out, (unsigned)number - 1, err);
    }
    if (!c->head_ready && wh_head_view(c->value, &c->head, err) != WH_OK) {
        return err->rc;
    }
    c->head_ready = true;
    if (number - n_fields - 1 == CHANGED_AT) {
        return changed_at(c, out, err);
    }
    identity(&c->head, out, (enum identity)(number - n_fields - 1));
    return WH_OK;
}

const struct sql_table_def sql_entities = {
    .indexes = indexes,
    .n_indexes = sizeof(indexes) / sizeof(indexes[0]),
    .filter = filter,
    .row = row,
    .column = column,
    .family = SINK_ENTITIES,
    .key_bytes = SINK_ENTITY_KEY,
};
