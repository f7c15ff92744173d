/* Tables of entities: a row is a head of the store; columns are decoded when they are asked for. */
#include "stages/sink/store/long_text.h"
#include "stages/sink/sql/entity_priv.h"
#include "stages/sink/sql/imported.h"
#include "stages/sink/sql/labels.h"

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

/* ---- rows ---- */

/* An index's key ends with the entity's id: fetch its head. */
static enum wh_rc fetch(struct sql_cursor *c, bool *ret_found, struct wh_err *err)
{
    unsigned char key[SINK_ENTITY_KEY];

    if (c->key.len < sizeof(c->id.bytes)) {
        return wh_fail(err, WH_E_CORRUPT, "an index key of %zu bytes", c->key.len);
    }
    memcpy(c->id.bytes, c->key.ptr + c->key.len - sizeof(c->id.bytes), sizeof(c->id.bytes));
    if (!sql_entity_by_index(c)) {
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
    if (found && sql_past_head(c->table->conn, c->table->kind, &c->id, &c->arena, &c->then,
                               &c->value, &found, err) != WH_OK) {
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
    return *ret_skip ? WH_OK : sql_entity_other_part(c, ret_skip, err);
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

/* Finds a field's value; NULL when it is not shown. *one is room for it. */
static enum wh_rc find_field(struct sql_cursor *c, unsigned i, struct wh_value *one,
                             const struct wh_value **ret, struct wh_err *err)
{
    const struct wh_kind_def *kind = c->table->kind;
    bool present = false;
    size_t used;

    c->fields_asked++;
    if (!c->body_ready && c->fields_asked < WHOLE_BODY_FROM && c->fields_usual < WHOLE_BODY_FROM) {
        if (wh_body_decode_field(kind, c->head.body, i, &c->arena, &present, one, err) != WH_OK) {
            return err->rc;
        }
        *ret = present ? one : NULL;
        return WH_OK;
    }
    if (!c->body_ready &&
        wh_body_decode(kind, c->head.body, &c->arena, &c->body, &used, err) != WH_OK) {
        return err->rc;
    }
    c->body_ready = true;
    *ret = c->body.present >> i & 1 ? &c->body.values[i] : NULL;
    return WH_OK;
}

static enum wh_rc field(struct sql_cursor *c, struct sql_out *out, unsigned i, struct wh_err *err)
{
    struct wh_value one;
    const struct wh_value *value = NULL;

    if (find_field(c, i, &one, &value, err) != WH_OK) {
        return err->rc;
    }
    if (value == NULL) {
        sql_result_null(out);
        return WH_OK;
    }
    if (value->is_far) {
        return far_text(c, out, i, err);
    }
    return sql_result_value(out, &c->text, c->table->kind->fields[i].type, value, err);
}

static enum wh_rc member(struct sql_cursor *c, struct sql_out *out, unsigned i, struct wh_err *err)
{
    struct wh_value one;
    const struct wh_value *value = NULL;

    if (find_field(c, i, &one, &value, err) != WH_OK) {
        return err->rc;
    }
    if (value == NULL) {
        sql_result_null(out);
        return WH_OK;
    }
    return sql_member_column(c, out, c->table->kind->fields[i].type, value, false, err);
}

/* What the key in a field resolves to. */
static enum wh_rc claimant(struct sql_cursor *c, struct sql_out *out, unsigned i, bool name,
                           struct wh_err *err)
{
    struct sql_column unused[2];
    struct wh_value one;
    const struct wh_value *value = NULL;

    if (find_field(c, i, &one, &value, err) != WH_OK) {
        return err->rc;
    }
    if (value == NULL || value->is_null || value->is_far) {
        sql_result_null(out);
        return WH_OK;
    }
    return sql_claimant_column(c, out, sql_imported_key(c->table->kind, i, unused), value->u.str,
                               name, err);
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
        sql_result_time(out, wh_head_last_seen_ms(h->first_seen_ms, h->last_seen_ms));
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

/* ---- columns of imported rows ---- */

static enum wh_rc monthly(struct sql_cursor *c, struct sql_out *out, struct wh_err *err)
{
    const struct wh_kind_def *kind = c->table->kind;
    const int fields[] = {wh_kind_field(kind, WH_LIT("amount_minor")),
                          wh_kind_field(kind, WH_LIT("period"))};
    struct wh_value values[2];
    int64_t worth;
    bool known = true;

    for (size_t i = 0; i < 2; i++) {
        bool shown = false;

        if (wh_body_decode_field(kind, c->head.body, (unsigned)fields[i], &c->arena, &shown,
                                 &values[i], err) != WH_OK) {
            return err->rc;
        }
        known = known && shown && !values[i].is_null;
    }
    if (known && sql_imported_monthly(values[1].u.str, values[0].u.i, &worth)) {
        sql_result_int(out, worth);
    } else {
        sql_result_null(out);
    }
    return WH_OK;
}

/* "import:crm" is crm. */
static enum wh_rc source(struct sql_cursor *c, struct sql_out *out, struct wh_err *err)
{
    struct wh_head_view head;
    struct wh_slice instance;

    if (wh_head_view(c->value, &head, err) != WH_OK) {
        return err->rc;
    }
    instance = head.source.instance;
    sql_result_maybe(out, wh_slice_starts(instance, WH_LIT("import:"))
                              ? wh_slice_from(instance, sizeof("import:") - 1)
                              : instance);
    return WH_OK;
}

static enum wh_rc imported(struct sql_cursor *c, struct sql_out *out, unsigned number,
                           struct wh_err *err)
{
    const struct sql_imported_column *columns[SQL_IMPORTED_MAX];
    size_t n = sql_imported_columns(c->table->kind, columns);

    if (number >= n) {
        return WH_OK;
    }
    switch (columns[number]->what) {
    case SQL_IMPORTED_SOURCE:
        return source(c, out, err);
    case SQL_IMPORTED_KEY:
        return field(c, out,
                     (unsigned)wh_kind_field(c->table->kind, wh_slice_str(columns[number]->field)),
                     err);
    case SQL_IMPORTED_MONTHLY:
    default:
        return monthly(c, out, err);
    }
}

void sql_entity_columns(struct sql_table *table)
{
    const struct sql_imported_column *columns[SQL_IMPORTED_MAX];
    size_t n_imported = sql_imported_columns(table->kind, columns);
    size_t n = 0;

    table->shown[n++].what = SQL_SHOWS_ID;
    for (unsigned i = 0; i < table->kind->n_fields; i++) {
        const struct sql_label *label = sql_label_of(&table->kind->fields[i]);
        unsigned char what = label && label->account ? SQL_SHOWS_MEMBER : SQL_SHOWS_FIELD;
        struct sql_column unused[2];

        if (sql_imported_key(table->kind, i, unused) != WH_KIND_NONE) {
            table->shown[n++] = (struct sql_shown){SQL_SHOWS_CLAIMANT, (unsigned char)i};
            table->shown[n++] = (struct sql_shown){SQL_SHOWS_CLAIMANT_NAME, (unsigned char)i};
            continue;
        }
        table->shown[n++] = (struct sql_shown){what, (unsigned char)i};
        if (label) {
            table->shown[n++] = (struct sql_shown){SQL_SHOWS_LABEL, (unsigned char)i};
        }
        if (what == SQL_SHOWS_MEMBER) {
            table->shown[n++] = (struct sql_shown){SQL_SHOWS_FIELD, (unsigned char)i};
        }
    }
    for (unsigned i = 0; i < n_imported; i++) {
        table->shown[n++] = (struct sql_shown){SQL_SHOWS_IMPORTED, (unsigned char)i};
    }
    for (unsigned i = 0; n < table->n_columns; i++) {
        table->shown[n++] = (struct sql_shown){SQL_SHOWS_IDENTITY, (unsigned char)i};
    }
}

static enum wh_rc column(struct sql_cursor *c, struct sql_out *out, int number, struct wh_err *err)
{
    struct sql_shown shown = c->table->shown[number > 0 ? number : 0];

    switch (shown.what) {
    case SQL_SHOWS_ID:
        sql_result_id(out, &c->id);
        return WH_OK;
    case SQL_SHOWS_FIELD:
        return field(c, out, shown.number, err);
    case SQL_SHOWS_MEMBER:
        return member(c, out, shown.number, err);
    case SQL_SHOWS_LABEL:
        return sql_label_column(c, out, shown.number, err);
    case SQL_SHOWS_CLAIMANT:
    case SQL_SHOWS_CLAIMANT_NAME:
        return claimant(c, out, shown.number, shown.what == SQL_SHOWS_CLAIMANT_NAME, err);
    case SQL_SHOWS_IMPORTED:
        return imported(c, out, shown.number, err);
    case SQL_SHOWS_IDENTITY:
    default:
        break;
    }
    if (!c->head_ready && wh_head_view(c->value, &c->head, err) != WH_OK) {
        return err->rc;
    }
    c->head_ready = true;
    if (shown.number == CHANGED_AT) {
        return changed_at(c, out, err);
    }
    identity(&c->head, out, (enum identity)shown.number);
    return WH_OK;
}

const struct sql_table_def sql_entities = {
    .indexes = sql_entity_indexes,
    .n_indexes = SQL_ENTITY_INDEXES,
    .filter = sql_entity_filter,
    .more = sql_entity_more,
    .row = row,
    .column = column,
    .family = SINK_ENTITIES,
    .key_bytes = SINK_ENTITY_KEY,
};
