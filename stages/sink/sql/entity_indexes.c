/* Constraints of a table of entities -> ranges of keys. */
#include "common/base/be.h"
#include "stages/sink/sql/entity_priv.h"

enum index {
    BY_SCAN,
    BY_ID,
    BY_URL,
    BY_CHANGED = SQL_ENTITIES_NEWEST,
    BY_PROJECT,
    BY_UPDATED,
    BY_PROJECT_UPDATED,
    BY_CREATED,
    BY_CLOSED,
    BY_MERGED,
    BY_FINISHED,
    BY_SHA,
    BY_MERGE_SHA,
};

/* The family by_time has the time of a change, which is updated_at where that is known: it serves both
 * columns. A table that lacks a column has no index of it. */
const struct sql_index_def sql_entity_indexes[SQL_ENTITY_INDEXES] = {
    [BY_SCAN] = {NULL, "id", "id", NULL, false, 1e6, 1, BY_SCAN, false},
    [BY_ID] = {"id", NULL, NULL, NULL, true, 1, 2, BY_SCAN, false},
    [BY_URL] = {"url", NULL, NULL, NULL, true, 1, 4, SQL_NONE, false},
    [BY_CHANGED] = {NULL, "changed_at", "changed_at", "id", false, 1e6, 4, BY_CHANGED, false},
    [BY_PROJECT] = {"project", "changed_at", "changed_at", "id", false, 1e4, 4, BY_CHANGED, false},
    [BY_UPDATED] = {NULL, "updated_at", "updated_at", "id", false, 1e6, 4, BY_UPDATED, false},
    [BY_PROJECT_UPDATED] = {"project", "updated_at", "updated_at", NULL, false, 1e4, 4, BY_UPDATED,
                            false},
    [BY_CREATED] = {NULL, "created_at", "created_at", "id", false, 1e6, 4, BY_CREATED, false},
    [BY_CLOSED] = {NULL, "closed_at", "closed_at", "id", false, 1e6, 4, BY_CLOSED, false},
    [BY_MERGED] = {NULL, "merged_at", "merged_at", "id", false, 1e6, 4, BY_MERGED, false},
    [BY_FINISHED] = {NULL, "finished_at", "finished_at", "id", false, 1e6, 4, BY_FINISHED, false},
    [BY_SHA] = {"sha", NULL, NULL, NULL, false, 10, 4, SQL_NONE, true},
    [BY_MERGE_SHA] = {"merge_commit_sha", NULL, NULL, NULL, false, 10, 4, SQL_NONE, true},
};

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

/* prefix, then a time, then an id. */
static enum wh_rc time_range(struct sql_cursor *c, unsigned family, struct wh_slice prefix,
                             const struct sql_bounds *bounds, struct wh_err *err)
{
    unsigned char lower[SQL_KEY_MAX];
    unsigned char upper[SQL_KEY_MAX];
    size_t lower_len = prefix.len;
    size_t upper_len = lower_len; /* the bounds share the prefix */
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

/* ---- orders with nulls: of a column that may be NULL, the index has the other rows ---- */

static int nullable_field(const struct sql_cursor *c)
{
    const struct sql_index_def *def = &sql_entity_indexes[c->index];

    switch ((enum index)c->index) {
    case BY_UPDATED:
    case BY_PROJECT_UPDATED:
    case BY_CREATED:
    case BY_CLOSED:
    case BY_MERGED:
    case BY_FINISHED:
        return wh_kind_field(c->table->kind, wh_slice_str(def->order));
    case BY_SCAN:
    case BY_ID:
    case BY_URL:
    case BY_CHANGED:
    case BY_PROJECT:
    case BY_SHA:
    case BY_MERGE_SHA:
    default:
        return SQL_NONE;
    }
}

enum wh_rc sql_entity_other_part(struct sql_cursor *c, bool *ret_skip, struct wh_err *err)
{
    struct wh_value value;
    bool shown = false;

    if (c->null_field == SQL_NONE) {
        return WH_OK;
    }
    if (wh_body_decode_field(c->table->kind, c->head.body, (unsigned)c->null_field, &c->arena,
                             &shown, &value, err) != WH_OK) {
        return err->rc;
    }
    *ret_skip = (shown && !value.is_null) == c->nulls;
    return WH_OK;
}

bool sql_entity_by_index(const struct sql_cursor *c)
{
    return c->index >= BY_CHANGED && !c->own_keys;
}

/* All rows of the index, or within its bounds. */
static enum wh_rc indexed_part(struct sql_cursor *c, const struct sql_bounds *bounds,
                               struct wh_err *err)
{
    unsigned char prefix[1 + WH_ENTITY_ID_BYTES] = {(unsigned char)c->table->kind->kind};

    c->own_keys = false;
    if (c->index == BY_CHANGED || c->index == BY_UPDATED) {
        return time_range(c, SINK_BY_TIME, wh_slice(prefix, 1), bounds, err);
    }
    if (c->index == BY_PROJECT || c->index == BY_PROJECT_UPDATED) {
        memcpy(prefix + 1, c->project.bytes, sizeof(c->project.bytes));
        return time_range(c, SINK_BY_PROJECT, wh_slice(prefix, sizeof(prefix)), bounds, err);
    }
    prefix[1] = (unsigned char)c->null_field;
    return time_range(c, SINK_BY_VALUE, wh_slice(prefix, 2), bounds, err);
}

/* The rows whose column is NULL, in the order of their ids: they are found by reading all. */
static enum wh_rc null_part(struct sql_cursor *c, bool backwards, struct wh_err *err)
{
    const struct sql_bounds all = {.backwards = backwards};

    if (c->index == BY_PROJECT_UPDATED) {
        return indexed_part(c, &all, err);
    }
    c->own_keys = true;
    return scan(c, &all, err);
}

static enum wh_rc by_time(struct sql_cursor *c, const struct sql_bounds *bounds, struct wh_err *err)
{
    bool all = bounds->lower == NULL && bounds->upper == NULL;

    c->null_field = nullable_field(c);
    c->parts_left = c->null_field != SQL_NONE && all;
    c->nulls = c->parts_left && !bounds->backwards;
    c->backwards = bounds->backwards;
    return c->nulls ? null_part(c, false, err) : indexed_part(c, bounds, err);
}

enum wh_rc sql_entity_more(struct sql_cursor *c, bool *ret_more, struct wh_err *err)
{
    const struct sql_bounds all = {.backwards = c->backwards};

    *ret_more = c->parts_left;
    if (!c->parts_left) {
        return WH_OK;
    }
    c->parts_left = false;
    c->nulls = !c->nulls;
    return c->nulls ? null_part(c, all.backwards, err) : indexed_part(c, &all, err);
}

/* ---- commits ---- */

/* The literal beginning of a pattern. */
static struct wh_slice before_wildcard(struct wh_slice pattern, const char *wildcards)
{
    size_t n = 0;

    while (n < pattern.len && pattern.ptr[n] && strchr(wildcards, pattern.ptr[n]) == NULL) {
        n++;
    }
    return wh_slice(pattern.ptr, n);
}

static enum wh_rc by_commit(struct sql_cursor *c, const struct sql_bounds *bounds,
                            struct wh_err *err)
{
    static const char *const wildcards[] = {
        [SQL_MATCH_EQ] = "", [SQL_MATCH_LIKE] = "%_", [SQL_MATCH_GLOB] = "*?["};
    const struct sql_bounds none = {0};
    unsigned char lower[SINK_BY_VALUE_KEY];
    unsigned char upper[SINK_BY_VALUE_KEY];
    struct wh_slice text = sql_value_text(bounds->eq);
    size_t len;
    int field = wh_kind_field(c->table->kind, wh_slice_str(sql_entity_indexes[c->index].eq));

    if (sqlite3_value_type(bounds->eq) == SQLITE_NULL) {
        return WH_OK;
    }
    if (sqlite3_value_type(bounds->eq) == SQLITE_TEXT && text.ptr) {
        text = before_wildcard(text, wildcards[bounds->match]);
    }
    if (sqlite3_value_type(bounds->eq) != SQLITE_TEXT || text.len == 0 ||
        text.len > SINK_VALUE_TEXT) {
        c->own_keys = true;
        return scan(c, &none, err);
    }
    len = sink_commit_prefix(lower, c->table->kind->kind, (unsigned)field, text);
    memcpy(upper, lower, len);
    if (!sql_prefix_end(upper, len)) {
        return wh_fail(err, WH_E_INTERNAL, "a kind without a key behind it");
    }
    return sql_cursor_range(c, SINK_BY_VALUE, wh_slice(lower, len), wh_slice(upper, len), false,
                            err);
}

enum wh_rc sql_entity_filter(struct sql_cursor *c, unsigned index, const struct sql_bounds *bounds,
                             struct wh_err *err)
{
    struct wh_entity_id id;

    c->null_field = SQL_NONE;
    c->parts_left = false;
    c->nulls = false;
    c->own_keys = false;
    switch ((enum index)index) {
    case BY_ID:
        return sql_bound_id(bounds->eq, &id) ? by_id(c, &id, err) : WH_OK;
    case BY_URL:
        return by_url(c, bounds->eq, err);
    case BY_PROJECT:
    case BY_PROJECT_UPDATED:
        return sql_bound_id(bounds->eq, &c->project) ? by_time(c, bounds, err) : WH_OK;
    case BY_CHANGED:
    case BY_UPDATED:
    case BY_CREATED:
    case BY_CLOSED:
    case BY_MERGED:
    case BY_FINISHED:
        return by_time(c, bounds, err);
    case BY_SHA:
    case BY_MERGE_SHA:
        return by_commit(c, bounds, err);
    case BY_SCAN:
    default:
        return scan(c, bounds, err);
    }
}
