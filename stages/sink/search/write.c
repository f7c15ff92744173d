/* The rows of the index: for each entity one with its present texts, and one for each revision with a former text. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "stages/sink/search/search_priv.h"

enum {
    REVISIONS_MAX = 5000, /* that are read of one entity, the newest ones */
    SCRATCH_BLOCK_BYTES = 16 << 10,
    SCRATCH_MAX_BYTES = 64 << 20,
    ROWS_OF_ENTITY_MAX = SEARCH_FORMER_MAX + 1,
};

enum statement {
    META_PUT,
    META_GET,
    ROWS_OF,
    ROW_PUT,
    ROW_REMOVE,
    TEXT_PUT,
    TEXT_REMOVE,
    STATEMENTS,
};

static const char *const statements[STATEMENTS] = {
    [META_PUT] = "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)",
    [META_GET] = "SELECT value FROM meta WHERE key = ?1",
    [ROWS_OF] = "SELECT row, version, hash FROM record WHERE id = ?1 AND kind = ?2 LIMIT ?3",
    [ROW_PUT] = "INSERT INTO record(row, id, kind, version, hash) VALUES(?1, ?2, ?3, ?4, ?5)",
    [ROW_REMOVE] = "DELETE FROM record WHERE row = ?1",
    [TEXT_PUT] = "INSERT INTO texts(rowid, title, text, names) VALUES(?1, ?2, ?3, ?4)",
    [TEXT_REMOVE] = "DELETE FROM texts WHERE rowid = ?1",
};

/* version: of a former text's revision, order 8 and tie 8; empty for the present texts. */
static const char tables[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;"
    "CREATE TABLE record(row INTEGER PRIMARY KEY, id BLOB NOT NULL, kind INTEGER NOT NULL,"
    " version BLOB NOT NULL, hash INTEGER NOT NULL);"
    "CREATE INDEX record_id ON record(id);"
    "CREATE VIRTUAL TABLE texts USING fts5(title, text, names,"
    " tokenize = 'unicode61 remove_diacritics 2', prefix = '3')";

struct search_writer {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    char path[SEARCH_PATH_MAX];
    int64_t next; /* number of the next row */
    uint64_t rows;
    struct wh_arena scratch;
};

/* ---- opening ---- */

static enum wh_rc read_number(sqlite3 *db, const char *sql, int64_t *ret, struct wh_err *err)
{
    sqlite3_stmt *stmt = NULL;
    bool found;

    if (search_prepare(db, sql, &stmt, err) != WH_OK) {
        return err->rc;
    }
    found = sqlite3_step(stmt) == SQLITE_ROW;
    *ret = found ? sqlite3_column_int64(stmt, 0) : 0;
    (void)sqlite3_finalize(stmt);
    return found ? WH_OK : search_fail(db, sql, err);
}

static enum wh_rc prepare(struct search_writer *w, struct wh_err *err)
{
    int64_t rows = 0;

    for (size_t i = 0; i < STATEMENTS; i++) {
        if (search_prepare(w->db, statements[i], &w->statements[i], err) != WH_OK) {
            return err->rc;
        }
    }
    if (read_number(w->db, "SELECT count(*) FROM record", &rows, err) != WH_OK ||
        read_number(w->db, "SELECT coalesce(max(row), 0) FROM record", &w->next, err) != WH_OK) {
        return err->rc;
    }
    w->rows = (uint64_t)rows;
    w->next = (w->next >> SEARCH_ROW_BITS) + 1;
    return WH_OK;
}

static enum wh_rc open_db(struct search_writer *w, bool build, struct wh_err *err)
{
    static const char for_build[] = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                                    "PRAGMA cache_size=-32768";
    static const char to_follow[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                                    "PRAGMA cache_size=-16384";
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (build ? SQLITE_OPEN_CREATE : 0);

    if (sqlite3_open_v2(w->path, &w->db, flags, NULL) != SQLITE_OK) {
        return search_fail(w->db, "opening", err);
    }
    (void)sqlite3_busy_timeout(w->db, 5000);
    if (search_exec(w->db, build ? for_build : to_follow, err) != WH_OK ||
        (build && search_exec(w->db, tables, err) != WH_OK)) {
        return err->rc;
    }
    return prepare(w, err);
}

enum wh_rc search_writer_open(const char *path, bool build, struct search_writer **ret,
                              struct wh_err *err)
{
    struct search_writer *w = wh_mem_zalloc(1, sizeof(*w));

    if (w == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the search index");
    }
    (void)snprintf(w->path, sizeof(w->path), "%s", path);
    wh_arena_init(&w->scratch, SCRATCH_BLOCK_BYTES, SCRATCH_MAX_BYTES);
    if (open_db(w, build, err) != WH_OK) {
        search_writer_close(w);
        return err->rc;
    }
    *ret = w;
    return WH_OK;
}

void search_writer_close(struct search_writer *w)
{
    if (w == NULL) {
        return;
    }
    for (size_t i = 0; i < STATEMENTS; i++) {
        (void)sqlite3_finalize(w->statements[i]);
    }
    (void)sqlite3_close(w->db);
    wh_arena_done(&w->scratch);
    wh_mem_free(w);
}

enum wh_rc search_writer_begin(struct search_writer *w, struct wh_err *err)
{
    return search_exec(w->db, "BEGIN", err);
}

enum wh_rc search_writer_commit(struct search_writer *w, struct wh_err *err)
{
    return search_exec(w->db, "COMMIT", err);
}

void search_writer_rollback(struct search_writer *w)
{
    (void)sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
}

enum wh_rc search_writer_finish(struct search_writer *w, struct wh_err *err)
{
    int fd;
    bool synced;

    if (search_exec(w->db, "INSERT INTO texts(texts) VALUES('optimize')", err) != WH_OK) {
        return err->rc;
    }
    fd = open(w->path, O_RDONLY | O_CLOEXEC);
    synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return synced ? WH_OK
                  : wh_fail(err, WH_E_IO, "the search index could not be written to the disk");
}

uint64_t search_writer_rows(const struct search_writer *w)
{
    return w->rows;
}

bool search_writer_damaged(const struct search_writer *w)
{
    int code = sqlite3_errcode(w->db) & 0xff;

    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR ||
           code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH;
}

/* ---- one statement ---- */

static enum wh_rc run(struct search_writer *w, enum statement which, struct wh_err *err)
{
    sqlite3_stmt *stmt = w->statements[which];
    enum wh_rc rc =
        sqlite3_step(stmt) == SQLITE_DONE ? WH_OK : search_fail(w->db, statements[which], err);

    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return rc;
}

static void bind_text(sqlite3_stmt *stmt, int at, struct wh_slice text)
{
    (void)sqlite3_bind_text(stmt, at, text.ptr ? text.ptr : "", (int)text.len, SQLITE_STATIC);
}

static void bind_blob(sqlite3_stmt *stmt, int at, const void *bytes, size_t n)
{
    (void)sqlite3_bind_blob(stmt, at, n ? bytes : "", (int)n, SQLITE_STATIC);
}

enum wh_rc search_meta_put(struct search_writer *w, const char *key, struct wh_slice value,
                           struct wh_err *err)
{
    bind_text(w->statements[META_PUT], 1, wh_slice_str(key));
    bind_blob(w->statements[META_PUT], 2, value.ptr, value.len);
    return run(w, META_PUT, err);
}

enum wh_rc search_meta_get(struct search_writer *w, const char *key, struct wh_buf *out,
                           struct wh_err *err)
{
    sqlite3_stmt *stmt = w->statements[META_GET];
    enum wh_rc rc = WH_OK;

    bind_text(stmt, 1, wh_slice_str(key));
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        rc = wh_buf_append(
            out, wh_slice(sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0)),
            err);
    }
    (void)sqlite3_reset(stmt);
    return rc;
}

/* ---- rows ---- */

/* A row that is there, or that should be there. */
struct row {
    int64_t number;
    bool former;
    unsigned char version[16];
    uint64_t hash;
    struct search_document document; /* of one that should be there */
    bool kept;
};

struct rows {
    struct row items[ROWS_OF_ENTITY_MAX];
    size_t n;
};

struct entity {
    enum wh_kind kind;
    const struct wh_entity_id *id;
};

static uint64_t hash_of(const struct search_document *d)
{
    uint64_t parts[4] = {wh_hash64(d->title), wh_hash64(d->text), wh_hash64(d->names),
                         (uint64_t)d->what << 1 | d->confidential};

    return wh_hash64(wh_slice(parts, sizeof(parts)));
}

static enum wh_rc read_rows(struct search_writer *w, const struct entity *e, struct rows *ret,
                            struct wh_err *err)
{
    sqlite3_stmt *stmt = w->statements[ROWS_OF];
    int code;

    ret->n = 0;
    bind_blob(stmt, 1, e->id->bytes, sizeof(e->id->bytes));
    (void)sqlite3_bind_int(stmt, 2, (int)e->kind);
    (void)sqlite3_bind_int(stmt, 3, ROWS_OF_ENTITY_MAX);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct row *row = &ret->items[ret->n++];

        *row = (struct row){.number = sqlite3_column_int64(stmt, 0),
                            .hash = (uint64_t)sqlite3_column_int64(stmt, 2)};
        row->former = sqlite3_column_bytes(stmt, 1) == sizeof(row->version);
        if (row->former) {
            memcpy(row->version, sqlite3_column_blob(stmt, 1), sizeof(row->version));
        }
    }
    (void)sqlite3_reset(stmt);
    return code == SQLITE_DONE ? WH_OK : search_fail(w->db, "reading rows", err);
}

static enum wh_rc remove_row(struct search_writer *w, int64_t number, struct wh_err *err)
{
    (void)sqlite3_bind_int64(w->statements[TEXT_REMOVE], 1, number);
    (void)sqlite3_bind_int64(w->statements[ROW_REMOVE], 1, number);
    w->rows--;
    return run(w, TEXT_REMOVE, err) == WH_OK ? run(w, ROW_REMOVE, err) : err->rc;
}

static enum wh_rc put_row(struct search_writer *w, const struct entity *e, const struct row *row,
                          struct wh_err *err)
{
    const struct search_document *d = &row->document;
    int64_t number = w->next++ << SEARCH_ROW_BITS | (row->former ? SEARCH_ROW_FORMER : 0) |
                     (d->confidential ? SEARCH_ROW_CONFIDENTIAL : 0) | (int64_t)d->what;
    sqlite3_stmt *record = w->statements[ROW_PUT];
    sqlite3_stmt *texts = w->statements[TEXT_PUT];

    (void)sqlite3_bind_int64(record, 1, number);
    bind_blob(record, 2, e->id->bytes, sizeof(e->id->bytes));
    (void)sqlite3_bind_int(record, 3, (int)e->kind);
    bind_blob(record, 4, row->version, row->former ? sizeof(row->version) : 0);
    (void)sqlite3_bind_int64(record, 5, (int64_t)row->hash);
    (void)sqlite3_bind_int64(texts, 1, number);
    bind_text(texts, 2, d->title);
    bind_text(texts, 3, d->text);
    bind_text(texts, 4, d->names);
    w->rows++;
    return run(w, ROW_PUT, err) == WH_OK ? run(w, TEXT_PUT, err) : err->rc;
}

/* Removes what should not be there, and puts what is not there. */
static enum wh_rc replace_rows(struct search_writer *w, const struct entity *e, struct rows *are,
                               struct rows *should, struct wh_err *err)
{
    for (size_t i = 0; i < are->n; i++) {
        for (size_t k = 0; k < should->n && !are->items[i].kept; k++) {
            const struct row *a = &are->items[i];
            struct row *b = &should->items[k];

            if (!b->kept && a->former == b->former && a->hash == b->hash &&
                memcmp(a->version, b->version, sizeof(a->version)) == 0) {
                are->items[i].kept = b->kept = true;
            }
        }
        if (!are->items[i].kept && remove_row(w, are->items[i].number, err) != WH_OK) {
            return err->rc;
        }
    }
    /* The oldest first, so that the present texts have the newest row. */
    for (size_t k = should->n; k-- > 0;) {
        if (!should->items[k].kept && put_row(w, e, &should->items[k], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- former texts ---- */

/* The text of the field that this revision set, when the head has another one. */
static enum wh_rc former_text(const struct wh_head *head, const struct wh_entry *entry,
                              const char *field, struct wh_slice now, size_t max,
                              struct wh_arena *arena, struct wh_slice *ret, struct wh_err *err)
{
    int i = field ? wh_kind_field(head->body.def, wh_slice_str(field)) : -1;

    *ret = (struct wh_slice){NULL, 0};
    if (i < 0 || (entry->delta.present >> i & 1) == 0 || entry->delta.values[i].is_null ||
        ((head->body.present >> i & 1) && wh_version_cmp(head->set[i], entry->version) == 0)) {
        return WH_OK;
    }
    if (search_clean(entry->delta.values[i].u.str, max, arena, ret, err) != WH_OK) {
        return err->rc;
    }
    if (wh_slice_eq(*ret, now)) {
        *ret = (struct wh_slice){NULL, 0};
    }
    return WH_OK;
}

static enum wh_rc add_former(const struct wh_head *head, const struct wh_entry *entry,
                             const struct search_document *now, struct rows *should,
                             struct wh_arena *arena, struct wh_err *err)
{
    enum wh_kind kind = head->body.def->kind;
    struct row *row = &should->items[should->n];

    *row = (struct row){.former = true,
                        .document = {.what = now->what, .confidential = now->confidential}};
    if (former_text(head, entry, search_title_field(kind), now->title, SEARCH_TITLE_BYTES, arena,
                    &row->document.title, err) != WH_OK ||
        former_text(head, entry, search_text_field(kind), now->text, SEARCH_TEXT_BYTES, arena,
                    &row->document.text, err) != WH_OK) {
        return err->rc;
    }
    if (row->document.title.len == 0 && row->document.text.len == 0) {
        return WH_OK;
    }
    wh_be_put64(row->version, entry->version.order);
    wh_be_put64(row->version + 8, entry->version.tie);
    row->hash = hash_of(&row->document);
    should->n++;
    return WH_OK;
}

/* The newest revisions whose titles and texts are not those of the head. */
static enum wh_rc add_formers(struct search_writer *w, const struct search_source *from,
                              const struct wh_head *head, struct rows *should, struct wh_err *err)
{
    struct wh_slice prefix = wh_slice(head->id.bytes, sizeof(head->id.bytes));
    unsigned char last[SINK_REVISION_KEY];
    struct wh_iter *it = NULL;
    struct wh_slice key;
    struct wh_slice value;
    enum wh_rc rc;
    size_t n = 0;

    sink_revision_key(last, &head->id, (struct wh_version){UINT64_MAX, UINT64_MAX});
    rc = wh_iter_new(from->store, from->snap, SINK_REVISIONS, prefix, (struct wh_slice){NULL, 0},
                     &it, err);
    if (rc != WH_OK) {
        return rc;
    }
    for (wh_iter_seek(it, wh_slice(last, sizeof(last)), true);
         rc == WH_OK && n++ < REVISIONS_MAX && should->n < ROWS_OF_ENTITY_MAX &&
         wh_iter_valid(it, &key, &value) && wh_slice_starts(key, prefix);
         wh_iter_step(it, true)) {
        struct wh_entry entry;

        wh_arena_reset(&w->scratch);
        rc = wh_entry_decode(head->body.def, value, &w->scratch, &entry, err);
        entry.version = (struct wh_version){wh_be_get64(key.ptr + 16), wh_be_get64(key.ptr + 24)};
        if (rc == WH_OK && entry.revision) {
            rc = add_former(head, &entry, &should->items[0].document, should, from->arena, err);
        }
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

/* ---- an entity ---- */

/* Did this change, or another one since the row was written, replace a title or text? */
static bool former_may_change(const struct search_document *d, struct wh_version version)
{
    return wh_version_cmp(d->title_set, version) > 0 || wh_version_cmp(d->text_set, version) > 0 ||
           version.order == 0;
}

static struct row *present_row(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        if (!rows->items[i].former) {
            return &rows->items[i];
        }
    }
    return NULL;
}

static bool access_changed(const struct row *was, const struct search_document *now)
{
    return was ? ((was->number & SEARCH_ROW_CONFIDENTIAL) != 0) != now->confidential : true;
}

static enum wh_rc write_rows(struct search_writer *w, const struct search_source *from,
                             const struct wh_head *head, struct wh_version version,
                             const struct entity *e, struct rows *both, struct wh_err *err)
{
    struct rows *are = &both[0];
    struct rows *should = &both[1];
    struct row *was = present_row(are);
    const struct row *now = &should->items[0];

    if (was && was->hash == now->hash && !former_may_change(&now->document, version)) {
        return WH_OK;
    }
    if (search_keeps_former(e->kind) && (was || former_may_change(&now->document, version)) &&
        add_formers(w, from, head, should, err) != WH_OK) {
        return err->rc;
    }
    return replace_rows(w, e, are, should, err);
}

enum wh_rc search_write_entity(struct search_writer *w, const struct search_source *from,
                               enum wh_kind kind, const struct wh_entity_id *id,
                               struct wh_version version, bool *ret_access_changed,
                               struct wh_err *err)
{
    const struct entity e = {kind, id};
    const struct wh_head *head = NULL;
    struct search_document *document;
    struct rows *both;
    void *memory = NULL;
    bool has = false;

    *ret_access_changed = false;
    if (wh_arena_alloc(from->arena, 2 * sizeof(*both), &memory, err) != WH_OK) {
        return err->rc;
    }
    both = memory;
    both[1].n = 0;
    both[1].items[0] = (struct row){.number = 0};
    document = &both[1].items[0].document;
    if (read_rows(w, &e, &both[0], err) != WH_OK ||
        past_head(from->past, kind, id, from->arena, &head, err) != WH_OK) {
        return err->rc;
    }
    if (head && search_document_make(from->past, head, from->arena, document, &has, err) != WH_OK) {
        return err->rc;
    }
    if (!has) {
        return replace_rows(w, &e, &both[0], &both[1], err);
    }
    both[1].n = 1;
    both[1].items[0].hash = hash_of(document);
    *ret_access_changed = access_changed(present_row(&both[0]), document);
    return write_rows(w, from, head, version, &e, both, err);
}
