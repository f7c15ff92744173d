#include "stages/sink/sql/lookup.h"

#include "common/base/hash.h"
#include "stages/sink/sql/spill.h"

enum {
    UNKNOWN_ROWS = 10000,
    COPY_MAX_BYTES = 64 << 10, /* of the columns of one row */
    UNIT = 8,                  /* a row begins at a multiple of it */
};

/* A row. It is named by its offset in units, plus 1; rows with equal hashes are linked. */
struct row {
    uint64_t hash;
    uint32_t next;
    uint32_t len;
    char bytes[]; /* the columns that are covered, or the key */
};

enum state { LOOKUP_WAITING, LOOKUP_READY, LOOKUP_REFUSED };

struct sql_lookup {
    struct sql_lookup *next;
    struct sql_lookup_key key;
    char text[SQL_LOOKUP_TEXT]; /* key.columns */
    size_t n_keys;
    const char *keys;
    const char *covered; /* as the rows have it; empty: they have keys */
    enum state state;
    uint64_t visited;
    uint32_t n;
    uint32_t mask;
    struct sql_spill rows;    /* struct row */
    size_t used;              /* bytes of rows */
    struct sql_spill buckets; /* uint32_t: the first row */
};

static struct row *row_at(const struct sql_lookup *l, uint32_t name)
{
    return (struct row *)(void *)(l->rows.ptr + (size_t)(name - 1) * UNIT);
}

static uint32_t *bucket_of(const struct sql_lookup *l, uint64_t hash)
{
    return (uint32_t *)(void *)l->buckets.ptr + (hash & l->mask);
}

static size_t row_bytes(size_t len)
{
    return (sizeof(struct row) + len + UNIT - 1) / UNIT * UNIT;
}

/* ---- the lookups of a statement ---- */

static bool same_key(const struct sql_lookup_key *a, const struct sql_lookup_key *b)
{
    return a->table == b->table && a->order == b->order && a->backwards == b->backwards &&
           strcmp(a->columns, b->columns) == 0;
}

static void empty(struct sql_lookup *l)
{
    sql_spill_done(&l->rows);
    sql_spill_done(&l->buckets);
    l->n = 0;
    l->used = 0;
}

static struct sql_lookup *new_lookup(const struct sql_lookup_key *key)
{
    struct sql_lookup *l = wh_mem_zalloc(1, sizeof(*l));
    struct sql_conn *conn = key->table->conn;
    size_t memory = (size_t)conn->memory_bytes / 8;

    if (l == NULL) {
        return NULL;
    }
    l->key = *key;
    (void)sqlite3_snprintf(sizeof(l->text), l->text, "%s", key->columns);
    l->key.columns = l->text;
    l->n_keys = (size_t)l->text[0];
    l->keys = l->text + 1;
    l->covered = l->keys + l->n_keys;
    sql_spill_init(&l->rows, conn->folder, memory, &conn->lookup_bytes, SQL_LOOKUP_FILES);
    sql_spill_init(&l->buckets, conn->folder, memory, &conn->lookup_bytes, SQL_LOOKUP_FILES);
    l->next = conn->lookups;
    conn->lookups = l;
    return l;
}

enum wh_rc sql_lookup_get(const struct sql_lookup_key *key, struct sql_lookup **ret,
                          struct wh_err *err)
{
    struct sql_lookup *l = key->table->conn->lookups;

    while (l && !same_key(&l->key, key)) {
        l = l->next;
    }
    *ret = l ? l : new_lookup(key);
    return *ret ? WH_OK : wh_fail(err, WH_E_NOMEM, "no memory for a lookup");
}

void sql_lookups_free(struct sql_conn *conn)
{
    while (conn->lookups) {
        struct sql_lookup *l = conn->lookups;

        conn->lookups = l->next;
        empty(l);
        wh_mem_free(l);
    }
}

uint64_t *sql_lookup_visited(struct sql_lookup *l)
{
    return &l->visited;
}

/* ---- building ---- */

struct building {
    struct sql_lookup *l;
    struct sql_cursor c;
    struct wh_buf copy;
    uint64_t hashes[SQL_COLUMNS_MAX];
};

static uint64_t combined(uint64_t all, uint64_t one)
{
    return (all ^ one) * UINT64_C(0x9E3779B97F4A7C15) ^ all >> 29;
}

static enum wh_rc read_column(struct building *b, int number, struct wh_buf *copy, bool *ret_null,
                              struct wh_err *err)
{
    struct sql_out out = {.is_null = true, .copy = copy};
    size_t before = copy ? copy->len : 0;

    if (b->c.table->def->column(&b->c, &out, number, err) != WH_OK) {
        return err->rc;
    }
    if (out.rc != WH_OK) {
        return wh_fail(err, out.rc, "no room for the columns of a row");
    }
    *ret_null = out.is_null;
    b->hashes[number] = out.hash;
    return copy && copy->len == before ? wh_buf_append_char(copy, '\0', err) : WH_OK;
}

/* False when a value to compare is NULL: the row equals nothing. */
static enum wh_rc hash_row(struct building *b, bool *ret_some, uint64_t *ret, struct wh_err *err)
{
    bool null = false;

    *ret = 0;
    for (size_t i = 0; i < b->l->n_keys && !null; i++) {
        int number = (unsigned char)b->l->keys[i] - 1;

        if (read_column(b, number, NULL, &null, err) != WH_OK) {
            return err->rc;
        }
        *ret = combined(*ret, b->hashes[number]);
    }
    *ret_some = !null;
    return WH_OK;
}

static enum wh_rc copy_columns(struct building *b, struct wh_err *err)
{
    bool null;

    for (const char *column = b->l->covered; *column; column++) {
        if (read_column(b, (unsigned char)*column - 1, &b->copy, &null, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* The row's own key: that of an index of entities is not. */
static enum wh_rc copy_key(struct building *b, struct wh_err *err)
{
    const struct sql_table *table = b->c.table;
    unsigned char key[SINK_ENTITY_KEY];

    if (table->kind) {
        sink_entity_key(key, table->kind->kind, &b->c.id);
        return wh_buf_append(&b->copy, wh_slice(key, sizeof(key)), err);
    }
    return wh_buf_append(&b->copy, b->c.key, err);
}

static enum wh_rc add_row(struct building *b, struct wh_err *err)
{
    struct sql_lookup *l = b->l;
    struct row *row;
    uint64_t hash;
    size_t bytes;
    bool some = false;

    wh_buf_reset(&b->copy);
    if (hash_row(b, &some, &hash, err) != WH_OK || !some) {
        return some ? err->rc : WH_OK;
    }
    if ((*l->covered ? copy_columns(b, err) : copy_key(b, err)) != WH_OK) {
        return err->rc;
    }
    bytes = row_bytes(b->copy.len);
    if (sql_spill_reserve(&l->rows, l->used + bytes, err) != WH_OK) {
        return err->rc;
    }
    row = row_at(l, (uint32_t)(l->used / UNIT) + 1);
    row->hash = hash;
    row->next = 0;
    row->len = (uint32_t)b->copy.len;
    memcpy(row->bytes, b->copy.ptr, b->copy.len);
    l->used += bytes;
    l->n++;
    return WH_OK;
}

/* A later row comes to the front of its chain; rows were added from the last to the first. */
static enum wh_rc link_rows(struct sql_lookup *l, struct wh_err *err)
{
    size_t n = 1024;

    while (n < l->n) {
        n *= 2;
    }
    if (sql_spill_reserve(&l->buckets, n * sizeof(uint32_t), err) != WH_OK) {
        return err->rc;
    }
    memset(l->buckets.ptr, 0, n * sizeof(uint32_t));
    l->mask = (uint32_t)(n - 1);
    for (size_t at = 0; at < l->used;) {
        uint32_t name = (uint32_t)(at / UNIT) + 1;
        struct row *row = row_at(l, name);
        uint32_t *bucket = bucket_of(l, row->hash);

        row->next = *bucket;
        *bucket = name;
        at += row_bytes(row->len);
    }
    return WH_OK;
}

static enum wh_rc add_rows(struct building *b, struct wh_err *err)
{
    const struct sql_bounds all = {.backwards = !b->l->key.backwards};
    enum wh_rc rc = sql_cursor_start(&b->c, b->l->key.order, &all, err);

    while (rc == WH_OK && !b->c.eof) {
        rc = add_row(b, err);
        if (rc == WH_OK) {
            rc = sql_cursor_next(&b->c, err);
        }
    }
    return rc == WH_OK ? link_rows(b->l, err) : rc;
}

static enum wh_rc build_once(struct sql_lookup *l, struct wh_err *err)
{
    struct building *b = wh_mem_zalloc(1, sizeof(*b));
    enum wh_rc rc;

    if (b == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a lookup");
    }
    b->l = l;
    sql_cursor_init(&b->c, l->key.table);
    wh_buf_init(&b->copy, COPY_MAX_BYTES);
    rc = add_rows(b, err);
    wh_buf_done(&b->copy);
    sql_cursor_done(&b->c);
    wh_mem_free(b);
    return rc;
}

static bool does_not_fit(enum wh_rc rc)
{
    return rc == WH_E_TOO_LARGE || rc == WH_E_NO_SPACE;
}

static enum wh_rc build(struct sql_lookup *l, struct wh_err *err)
{
    enum wh_rc rc = build_once(l, err);

    if (does_not_fit(rc) && *l->covered) {
        empty(l);
        l->covered = "";
        rc = build_once(l, err);
    }
    if (does_not_fit(rc)) {
        empty(l);
        l->state = LOOKUP_REFUSED; /* the index answers as before */
        return WH_OK;
    }
    l->state = rc == WH_OK ? LOOKUP_READY : LOOKUP_WAITING;
    return rc;
}

enum wh_rc sql_lookup_ready(struct sql_lookup *l, bool *ret, struct wh_err *err)
{
    int64_t rows = sql_table_rows(l->key.table);

    if (l->state == LOOKUP_WAITING &&
        l->visited >= (rows < 0 ? (uint64_t)UNKNOWN_ROWS : (uint64_t)rows) &&
        build(l, err) != WH_OK) {
        return err->rc;
    }
    *ret = l->state == LOOKUP_READY;
    return WH_OK;
}

/* ---- finding ---- */

bool sql_lookup_hash(const struct sql_lookup *l, sqlite3_value **values, uint64_t *ret)
{
    uint64_t one;

    *ret = 0;
    for (size_t i = 0; i < l->n_keys; i++) {
        if (!sql_hash_value(values[i], &one)) {
            return false;
        }
        *ret = combined(*ret, one);
    }
    return true;
}

static uint32_t from(const struct sql_lookup *l, uint32_t name, uint64_t hash)
{
    while (name && row_at(l, name)->hash != hash) {
        name = row_at(l, name)->next;
    }
    return name;
}

uint32_t sql_lookup_first(const struct sql_lookup *l, uint64_t hash)
{
    return from(l, *bucket_of(l, hash), hash);
}

uint32_t sql_lookup_after(const struct sql_lookup *l, uint32_t hit, uint64_t hash)
{
    return from(l, row_at(l, hit)->next, hash);
}

bool sql_lookup_covers(const struct sql_lookup *l)
{
    return *l->covered != '\0';
}

struct wh_slice sql_lookup_key(const struct sql_lookup *l, uint32_t hit)
{
    return wh_slice(row_at(l, hit)->bytes, row_at(l, hit)->len);
}

enum wh_rc sql_lookup_column(const struct sql_lookup *l, uint32_t hit, int column,
                             sqlite3_context *out, struct wh_err *err)
{
    struct wh_slice rest = sql_lookup_key(l, hit);

    for (const char *at = l->covered; *at; at++) {
        if ((unsigned char)*at - 1 == column) {
            (void)sql_copy_result(out, rest);
            return WH_OK;
        }
        rest = sql_copy_skip(rest);
    }
    return wh_fail(err, WH_E_INTERNAL, "a lookup without column %d", column);
}
