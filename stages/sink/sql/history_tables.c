/* The tables links, revisions, changes and connection_documents; keys as keyspace.h says. */
#include <stdio.h>

#include "common/base/be.h"
#include "common/json/json_write.h"
#include "stages/sink/sql/computed_priv.h"
#include "stages/sink/sql/entity_priv.h"
#include "stages/sink/sql/field_json.h"
#include "stages/sink/sql/labels.h"

static struct wh_version read_version(const char *bytes)
{
    return (struct wh_version){wh_be_get64(bytes), wh_be_get64(bytes + 8)};
}

static struct wh_entity_id read_id(const char *bytes)
{
    struct wh_entity_id id;

    memcpy(id.bytes, bytes, sizeof(id.bytes));
    return id;
}

static void kind_name(struct sql_out *out, unsigned kind)
{
    const struct wh_kind_def *def = wh_kind_def((enum wh_kind)kind);

    sql_result_maybe(out, wh_slice_str(def ? def->name : ""));
}

/* NULL when the entity is not known. */
static enum wh_rc address(struct sql_cursor *c, struct sql_out *out, enum wh_kind kind,
                          const struct wh_entity_id *id, struct wh_err *err)
{
    struct wh_slice text;

    if (sql_label_text(c, kind, id, &sql_label_address, &text, err) != WH_OK) {
        return err->rc;
    }
    sql_result_maybe(out, text);
    return WH_OK;
}

/* All keys of a family that begin with prefix, which may be empty. */
static enum wh_rc prefix_range(struct sql_cursor *c, unsigned family, struct wh_slice prefix,
                               bool backwards, struct wh_err *err)
{
    unsigned char upper[SQL_KEY_MAX];
    size_t upper_len = prefix.len;

    if (prefix.len) {
        memcpy(upper, prefix.ptr, prefix.len);
    }
    if (!sql_prefix_end(upper, upper_len)) {
        upper_len = 0;
    }
    return sql_cursor_range(c, family, prefix, wh_slice(upper, upper_len), backwards, err);
}

/* ---- links ---- */

enum { LINKS_SCAN, LINKS_FROM, LINKS_TO };

static const struct sql_index_def links_indexes[] = {
    [LINKS_SCAN] = {NULL, NULL, NULL, NULL, false, 2e6, 1, LINKS_SCAN, false},
    [LINKS_FROM] = {"from_id", NULL, NULL, NULL, false, 10, 1, SQL_NONE, false},
    [LINKS_TO] = {"to_id", NULL, NULL, NULL, false, 100, 1, SQL_NONE, false},
};

enum links_column {
    L_FROM,
    L_FROM_KIND,
    L_FROM_URL,
    L_RELATION,
    L_TO,
    L_TO_KIND,
    L_TO_URL,
    L_VERSION,
    L_VERSION_AT
};

/* Links of the past are computed from heads of then, so each is given the key that it would have. */
enum wh_rc sql_links_next(struct sql_cursor *c, struct wh_err *err)
{
    struct past_found found;
    unsigned char version[16];
    bool more = false;

    if (past_next(c->scan, &found, &more, err) != WH_OK) {
        return err->rc;
    }
    c->eof = !more;
    if (!more) {
        return WH_OK;
    }
    sink_link_key(c->single_key, &c->scan_of,
                  c->scan_kind == WH_KIND_NONE ? found.kind : c->scan_kind, found.field, &found.id);
    wh_be_put64(version, found.version.order);
    wh_be_put64(version + 8, found.version.tie);
    wh_buf_reset(&c->fetched);
    if (wh_buf_append(&c->fetched, wh_slice(version, sizeof(version)), err) != WH_OK) {
        return err->rc;
    }
    c->key = wh_slice(c->single_key, SINK_LINK_KEY);
    c->value = wh_buf_slice(&c->fetched);
    c->rowid++;
    wh_arena_reset(&c->arena);
    return WH_OK;
}

static enum wh_rc past_links(struct sql_cursor *c, unsigned index, const struct sql_bounds *bounds,
                             struct wh_err *err)
{
    const struct wh_kind_def *kind = NULL;
    struct past *past = NULL;

    if (index == LINKS_SCAN) {
        return wh_fail(
            err, WH_E_INVALID,
            "links of the past are found by from_id or to_id alone: compare one of them");
    }
    if (!sql_bound_id(bounds->eq, &c->scan_of)) {
        return WH_OK;
    }
    if (sql_conn_past(c->table->conn, &past, err) != WH_OK ||
        sql_kind_of(c->table->conn, &c->scan_of, &c->fetched, &kind, err) != WH_OK) {
        return err->rc;
    }
    c->scan_kind = index == LINKS_FROM && kind ? kind->kind : WH_KIND_NONE;
    if ((index == LINKS_FROM ? past_links_from(past, &c->scan_of, &c->scan, err)
                             : past_links_to(past, &c->scan_of, &c->scan, err)) != WH_OK) {
        return err->rc;
    }
    return sql_links_next(c, err);
}

static enum wh_rc links_filter(struct sql_cursor *c, unsigned index,
                               const struct sql_bounds *bounds, struct wh_err *err)
{
    struct wh_entity_id id;

    if (!sink_is_now(c->table->conn->when)) {
        return past_links(c, index, bounds, err);
    }
    if (index == LINKS_SCAN) {
        return prefix_range(c, SINK_LINKS, (struct wh_slice){NULL, 0}, false, err);
    }
    if (!sql_bound_id(bounds->eq, &id)) {
        return WH_OK;
    }
    return prefix_range(c, index == LINKS_TO ? SINK_BACKLINKS : SINK_LINKS,
                        wh_slice(id.bytes, sizeof(id.bytes)), false, err);
}

static enum wh_rc links_row(struct sql_cursor *c, bool *ret_skip, struct wh_err *err)
{
    const struct wh_kind_def *def;

    (void)ret_skip;
    if (c->key.len != SINK_LINK_KEY || c->value.len < 16) {
        return wh_fail(err, WH_E_CORRUPT, "a link's key has %zu bytes", c->key.len);
    }
    def = wh_kind_def((enum wh_kind)(unsigned char)c->key.ptr[16]);
    if (def == NULL || (unsigned char)c->key.ptr[17] >= def->n_fields) {
        return wh_fail(err, WH_E_CORRUPT, "a link of an unknown field");
    }
    return WH_OK;
}

static enum wh_rc links_column(struct sql_cursor *c, struct sql_out *out, int number,
                               struct wh_err *err)
{
    bool reverse = c->index == LINKS_TO;
    struct wh_entity_id from = read_id(c->key.ptr + (reverse ? 18 : 0));
    struct wh_entity_id to = read_id(c->key.ptr + (reverse ? 0 : 18));
    const struct wh_kind_def *def = wh_kind_def((enum wh_kind)(unsigned char)c->key.ptr[16]);
    const struct wh_field_def *field = &def->fields[(unsigned char)c->key.ptr[17]];

    switch ((enum links_column)number) {
    case L_FROM:
        sql_result_id(out, &from);
        break;
    case L_FROM_KIND:
        sql_result_slice(out, wh_slice_str(def->name));
        break;
    case L_FROM_URL:
        return address(c, out, def->kind, &from, err);
    case L_RELATION:
        sql_result_slice(out, wh_slice_str(field->name));
        break;
    case L_TO:
        sql_result_id(out, &to);
        break;
    case L_TO_KIND:
        kind_name(out, field->ref_kind);
        break;
    case L_TO_URL:
        return address(c, out, field->ref_kind, &to, err);
    case L_VERSION:
        sql_result_version(out, read_version(c->value.ptr));
        break;
    case L_VERSION_AT:
        sql_result_time(out, wh_version_at_ms(wh_be_get64(c->value.ptr)));
        break;
    default:
        break;
    }
    return WH_OK;
}

const struct sql_table_def sql_links = {links_indexes, 3,          links_filter,  links_row,
                                        links_column,  SINK_LINKS, SINK_LINK_KEY, NULL};

/* ---- revisions ---- */

enum { REVISIONS_SCAN, REVISIONS_ENTITY };

static const struct sql_index_def revisions_indexes[] = {
    [REVISIONS_SCAN] = {NULL, NULL, "entity_id", "version", false, 5e6, 1, REVISIONS_SCAN, false},
    [REVISIONS_ENTITY] = {"entity_id", "version", "version", NULL, false, 20, 1, SQL_NONE, false},
};

enum revisions_column {
    R_ENTITY,
    R_KIND,
    R_VERSION,
    R_VERSION_AT,
    R_REVISION,
    R_CHANGE,
    R_REASON,
    R_ORIGIN,
    R_DELIVERY_ID,
    R_OBSERVED_AT,
    R_TOPIC,
    R_PARTITION,
    R_OFFSET,
    R_VIEW,
    R_SHOWN,
    R_CHANGED,
    R_SOURCE_PROJECT,
    R_SOURCE_IID,
    R_URL,
    R_STORED,
};

static bool version_of(sqlite3_value *value, struct wh_version *ret)
{
    return value && sqlite3_value_type(value) == SQLITE_TEXT &&
           sql_version_parse(sql_value_text(value), ret);
}

static enum wh_rc revisions_filter(struct sql_cursor *c, unsigned index,
                                   const struct sql_bounds *bounds, struct wh_err *err)
{
    unsigned char lower[SINK_REVISION_KEY] = {0};
    unsigned char upper[SINK_REVISION_KEY + 1] = {0};
    size_t lower_len = WH_ENTITY_ID_BYTES;
    size_t upper_len = WH_ENTITY_ID_BYTES;
    struct wh_entity_id id;
    struct wh_version v;

    if (index == REVISIONS_SCAN) {
        return prefix_range(c, SINK_REVISIONS, (struct wh_slice){NULL, 0}, bounds->backwards, err);
    }
    if (!sql_bound_id(bounds->eq, &id)) {
        return WH_OK;
    }
    memcpy(lower, id.bytes, sizeof(id.bytes));
    memcpy(upper, id.bytes, sizeof(id.bytes));
    if (version_of(bounds->lower, &v)) {
        sink_revision_key(lower, &id, v);
        lower_len = SINK_REVISION_KEY;
    }
    if (version_of(bounds->upper, &v)) {
        sink_revision_key(upper, &id, v);
        upper_len = sizeof(upper);
    } else if (!sql_prefix_end(upper, upper_len)) {
        upper_len = 0;
    }
    return sql_cursor_range(c, SINK_REVISIONS, wh_slice(lower, lower_len),
                            wh_slice(upper, upper_len), bounds->backwards, err);
}

/* An entry of the past shows what it changed then. */
static enum wh_rc past_row(struct sql_cursor *c, bool *ret_skip, struct wh_err *err)
{
    const struct wh_entry *entry = NULL;

    if (sql_past_entry(c, read_version(c->key.ptr + WH_ENTITY_ID_BYTES), &entry, err) != WH_OK) {
        return err->rc;
    }
    *ret_skip = entry == NULL;
    if (entry) {
        c->entry = *entry;
        c->entry_ready = true;
    }
    return WH_OK;
}

static enum wh_rc revisions_row(struct sql_cursor *c, bool *ret_skip, struct wh_err *err)
{
    struct wh_entity_id id;

    if (c->key.len != SINK_REVISION_KEY) {
        return wh_fail(err, WH_E_CORRUPT, "a revision's key has %zu bytes", c->key.len);
    }
    id = read_id(c->key.ptr);
    if (c->entity_kind == NULL || wh_entity_id_cmp(&id, &c->id) != 0) {
        c->id = id;
        if (sql_kind_of(c->table->conn, &id, &c->fetched, &c->entity_kind, err) != WH_OK) {
            return err->rc;
        }
    }
    /* Without a head there is no kind to read it by; the writer removes both in one batch. */
    *ret_skip = c->entity_kind == NULL;
    return *ret_skip || sink_is_now(c->table->conn->when) ? WH_OK : past_row(c, ret_skip, err);
}

static enum wh_rc fields_json(struct sql_cursor *c, struct sql_out *out, bool values,
                              struct wh_err *err)
{
    const struct wh_kind_def *def = c->entity_kind;
    uint64_t which = values ? c->entry.delta.present : c->entry.shown;
    struct wh_json_writer w;

    wh_buf_reset(&c->text);
    wh_json_writer_init(&w, &c->text);
    if (values) {
        wh_jw_object(&w);
    } else {
        wh_jw_array(&w);
    }
    for (unsigned i = 0; i < def->n_fields; i++) {
        if (!(which >> i & 1)) {
            continue;
        }
        if (values) {
            wh_jw_key(&w, def->fields[i].name);
            sql_field_json(&w, def->fields[i].type, &c->entry.delta.values[i]);
        } else {
            wh_jw_str(&w, wh_slice_str(def->fields[i].name));
        }
    }
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    sql_result_slice(out, wh_buf_slice(&c->text));
    return WH_OK;
}

static enum wh_rc entry_column(struct sql_cursor *c, struct sql_out *out,
                               enum revisions_column which, struct wh_err *err)
{
    const struct wh_entry *e = &c->entry;

    switch (which) {
    case R_REVISION:
        sql_result_int(out, e->revision);
        break;
    case R_CHANGE:
        sql_result_slice(out, wh_slice_str(e->change == WH_CHANGE_DELETE ? "delete" : "upsert"));
        break;
    case R_REASON:
        sql_result_maybe(out, e->reason);
        break;
    case R_ORIGIN:
        sql_result_slice(out, wh_slice_str(wh_origin_name(e->provenance.origin)));
        break;
    case R_DELIVERY_ID:
        sql_result_maybe(out, e->provenance.delivery_id);
        break;
    case R_OBSERVED_AT:
        sql_result_time(out, e->provenance.observed_at_ms);
        break;
    case R_TOPIC:
        sql_result_maybe(out, e->provenance.topic);
        break;
    case R_PARTITION:
        sql_result_int(out, e->provenance.partition);
        break;
    case R_OFFSET:
        sql_result_int(out, e->provenance.offset);
        break;
    case R_VIEW:
        sql_result_maybe(out, e->provenance.view);
        break;
    case R_SHOWN:
        return fields_json(c, out, false, err);
    case R_CHANGED:
        return fields_json(c, out, true, err);
    case R_SOURCE_PROJECT:
        sql_result_maybe(out, e->source.project);
        break;
    case R_SOURCE_IID:
        sql_result_maybe(out, e->source.iid);
        break;
    case R_URL:
        sql_result_maybe(out, e->source.url);
        break;
    case R_STORED:
        sql_result_time(out, e->stored_ms);
        break;
    case R_ENTITY:
    case R_KIND:
    case R_VERSION:
    case R_VERSION_AT:
    default:
        break;
    }
    return WH_OK;
}

static enum wh_rc revisions_column(struct sql_cursor *c, struct sql_out *out, int number,
                                   struct wh_err *err)
{
    switch ((enum revisions_column)number) {
    case R_ENTITY:
        sql_result_id(out, &c->id);
        return WH_OK;
    case R_KIND:
        sql_result_slice(out, wh_slice_str(c->entity_kind->name));
        return WH_OK;
    case R_VERSION:
        sql_result_version(out, read_version(c->key.ptr + WH_ENTITY_ID_BYTES));
        return WH_OK;
    case R_VERSION_AT:
        sql_result_time(out, wh_version_at_ms(wh_be_get64(c->key.ptr + WH_ENTITY_ID_BYTES)));
        return WH_OK;
    case R_REVISION:
    case R_CHANGE:
    case R_REASON:
    case R_ORIGIN:
    case R_DELIVERY_ID:
    case R_OBSERVED_AT:
    case R_TOPIC:
    case R_PARTITION:
    case R_OFFSET:
    case R_VIEW:
    case R_SHOWN:
    case R_CHANGED:
    case R_SOURCE_PROJECT:
    case R_SOURCE_IID:
    case R_URL:
    case R_STORED:
    default:
        break;
    }
    if (!c->entry_ready &&
        wh_entry_decode(c->entity_kind, c->value, &c->arena, &c->entry, err) != WH_OK) {
        return err->rc;
    }
    c->entry_ready = true;
    return entry_column(c, out, (enum revisions_column)number, err);
}

const struct sql_table_def sql_revisions = {
    revisions_indexes, 2,   revisions_filter, revisions_row, revisions_column, SINK_REVISIONS,
    SINK_REVISION_KEY, NULL};

/* ---- changes ---- */

enum { CHANGES_SCAN, CHANGES_ONE };

enum { CHANGE_BYTES = 1 + 16 + 8 + 8 + 1 + 8 };

static const struct sql_index_def changes_indexes[] = {
    [CHANGES_SCAN] = {NULL, "sequence", "sequence", NULL, false, 5e6, 1, CHANGES_SCAN, false},
    [CHANGES_ONE] = {"sequence", NULL, NULL, NULL, true, 1, 1, SQL_NONE, false},
};

enum changes_column {
    C_SEQUENCE,
    C_KIND,
    C_ENTITY,
    C_ENTITY_URL,
    C_VERSION,
    C_VERSION_AT,
    C_OUTCOME,
    C_STORED
};

/* A whole number as a bound; others give none. */
static bool sequence_of(sqlite3_value *value, uint64_t *ret)
{
    if (value == NULL || sqlite3_value_numeric_type(value) != SQLITE_INTEGER) {
        return false;
    }
    *ret = sqlite3_value_int64(value) < 0 ? 0 : (uint64_t)sqlite3_value_int64(value);
    return true;
}

static enum wh_rc changes_filter(struct sql_cursor *c, unsigned index,
                                 const struct sql_bounds *bounds, struct wh_err *err)
{
    unsigned char lower[8] = {0};
    unsigned char upper[8] = {0};
    size_t upper_len = 0;
    uint64_t sequence;

    if (index == CHANGES_ONE) {
        if (!sequence_of(bounds->eq, &sequence)) {
            return sqlite3_value_type(bounds->eq) == SQLITE_NULL
                       ? WH_OK
                       : prefix_range(c, SINK_CHANGES, (struct wh_slice){NULL, 0}, false, err);
        }
        wh_be_put64(lower, sequence);
        return sql_cursor_single(c, SINK_CHANGES, wh_slice(lower, sizeof(lower)), err);
    }
    if (sequence_of(bounds->lower, &sequence)) {
        wh_be_put64(lower, sequence);
    }
    if (sequence_of(bounds->upper, &sequence)) {
        wh_be_put64(upper, sequence + 1);
        upper_len = sizeof(upper);
    }
    return sql_cursor_range(c, SINK_CHANGES, wh_slice(lower, sizeof(lower)),
                            wh_slice(upper, upper_len), bounds->backwards, err);
}

static enum wh_rc changes_row(struct sql_cursor *c, bool *ret_skip, struct wh_err *err)
{
    if (c->key.len != 8 || c->value.len != CHANGE_BYTES) {
        return wh_fail(err, WH_E_CORRUPT, "a change of %zu bytes", c->value.len);
    }
    *ret_skip = (int64_t)wh_be_get64(c->value.ptr + 34) > c->table->conn->when.stored_ms ||
                wh_version_at_ms(wh_be_get64(c->value.ptr + 17)) > c->table->conn->when.valid_ms;
    return WH_OK;
}

static const char *outcome_name(unsigned outcome)
{
    switch (outcome) {
    case WH_HISTORY_DUPLICATE:
        return "duplicate";
    case WH_HISTORY_SIGHTING:
        return "sighting";
    case WH_HISTORY_REVISION:
        return "revision";
    case WH_HISTORY_LATE:
        return "late";
    default:
        return "";
    }
}

static enum wh_rc changes_column(struct sql_cursor *c, struct sql_out *out, int number,
                                 struct wh_err *err)
{
    const char *v = c->value.ptr;
    struct wh_entity_id id = read_id(v + 1);

    switch ((enum changes_column)number) {
    case C_SEQUENCE:
        sql_result_int(out, (int64_t)wh_be_get64(c->key.ptr));
        break;
    case C_KIND:
        kind_name(out, (unsigned char)v[0]);
        break;
    case C_ENTITY:
        sql_result_id(out, &id);
        break;
    case C_ENTITY_URL:
        return wh_kind_def((enum wh_kind)(unsigned char)v[0])
                   ? address(c, out, (enum wh_kind)(unsigned char)v[0], &id, err)
                   : WH_OK;
    case C_VERSION:
        sql_result_version(out, read_version(v + 17));
        break;
    case C_VERSION_AT:
        sql_result_time(out, wh_version_at_ms(wh_be_get64(v + 17)));
        break;
    case C_OUTCOME:
        sql_result_maybe(out, wh_slice_str(outcome_name((unsigned char)v[33])));
        break;
    case C_STORED:
        sql_result_time(out, (int64_t)wh_be_get64(v + 34));
        break;
    default:
        break;
    }
    return WH_OK;
}

const struct sql_table_def sql_changes = {
    changes_indexes, 2, changes_filter, changes_row, changes_column, SINK_CHANGES, 8, NULL};
