/* Tables of SQLite in a temporary file. */
#include "cli/import/index.h"

#include <sqlite3.h>

#include "common/base/mem.h"

struct import_index {
    sqlite3 *db;
    sqlite3_stmt *add;
    sqlite3_stmt *find;
    sqlite3_stmt *keep[IMPORT_LISTS];
    sqlite3_stmt *next[IMPORT_LISTS];
};

/* Nothing needs to survive a crash, so nothing is synced. */
static const char setup[] = "pragma journal_mode = off; pragma synchronous = off; "
                            "pragma cache_size = -32768; pragma temp_store = file; "
                            "create table row (id blob primary key, number int, line int, "
                            "file int, shown int, high int, low int) without rowid; "
                            "create table listed (n integer primary key, kind int, file int, "
                            "line int, identity blob, payload blob); "
                            "create table missing (n integer primary key, kind int, file int, "
                            "line int, identity blob, payload blob); begin";
static const char add_text[] = "insert or ignore into row values (?, ?, ?, ?, ?, ?, ?)";
static const char find_text[] = "select number, line, file, shown, high, low from row where id = ?";

static const char *const keep_texts[IMPORT_LISTS] = {
    "insert into listed values (null, ?, ?, ?, ?, ?)",
    "insert into missing values (null, ?, ?, ?, ?, ?)"};
static const char *const next_texts[IMPORT_LISTS] = {
    "select kind, file, line, identity, payload from listed order by n",
    "select kind, file, line, identity, payload from missing order by n"};

static enum wh_rc failed(const struct import_index *index, struct wh_err *err)
{
    return wh_fail(err, sqlite3_errcode(index->db) == SQLITE_FULL ? WH_E_NO_SPACE : WH_E_IO,
                   "the temporary index of rows: %s", sqlite3_errmsg(index->db));
}

static bool prepare(struct import_index *index)
{
    bool good = sqlite3_prepare_v2(index->db, add_text, -1, &index->add, NULL) == SQLITE_OK &&
                sqlite3_prepare_v2(index->db, find_text, -1, &index->find, NULL) == SQLITE_OK;

    for (int i = 0; i < IMPORT_LISTS; i++) {
        good =
            good &&
            sqlite3_prepare_v2(index->db, keep_texts[i], -1, &index->keep[i], NULL) == SQLITE_OK &&
            sqlite3_prepare_v2(index->db, next_texts[i], -1, &index->next[i], NULL) == SQLITE_OK;
    }
    return good;
}

enum wh_rc import_index_new(struct import_index **ret, struct wh_err *err)
{
    struct import_index *index = wh_mem_zalloc(1, sizeof(*index));

    if (index == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the index of rows");
    }
    /* A file without a name is SQLite's temporary one. */
    if (sqlite3_open_v2("", &index->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(index->db, setup, NULL, NULL, NULL) != SQLITE_OK || !prepare(index)) {
        (void)failed(index, err);
        import_index_free(index);
        return err->rc;
    }
    *ret = index;
    return WH_OK;
}

void import_index_free(struct import_index *index)
{
    if (index) {
        (void)sqlite3_finalize(index->add);
        (void)sqlite3_finalize(index->find);
        for (int i = 0; i < IMPORT_LISTS; i++) {
            (void)sqlite3_finalize(index->keep[i]);
            (void)sqlite3_finalize(index->next[i]);
        }
        (void)sqlite3_close(index->db);
        wh_mem_free(index);
    }
}

enum wh_rc import_index_find(struct import_index *index, const struct wh_entity_id *id,
                             bool *ret_found, struct import_entry *ret, struct wh_err *err)
{
    sqlite3_stmt *s = index->find;
    int rc;

    (void)sqlite3_bind_blob(s, 1, id->bytes, sizeof(id->bytes), SQLITE_STATIC);
    rc = sqlite3_step(s);
    *ret_found = rc == SQLITE_ROW;
    if (*ret_found) {
        *ret = (struct import_entry){
            .number = sqlite3_column_int64(s, 0),
            .line = sqlite3_column_int64(s, 1),
            .file = sqlite3_column_int64(s, 2),
            .shown = (uint32_t)sqlite3_column_int64(s, 3),
            .content = {(uint64_t)sqlite3_column_int64(s, 4), (uint64_t)sqlite3_column_int64(s, 5)},
        };
    }
    (void)sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? WH_OK : failed(index, err);
}

enum wh_rc import_index_add(struct import_index *index, const struct wh_entity_id *id,
                            struct import_entry *entry, bool *ret_new, struct wh_err *err)
{
    sqlite3_stmt *s = index->add;
    bool found;
    int rc;

    (void)sqlite3_bind_blob(s, 1, id->bytes, sizeof(id->bytes), SQLITE_STATIC);
    (void)sqlite3_bind_int64(s, 2, entry->number);
    (void)sqlite3_bind_int64(s, 3, entry->line);
    (void)sqlite3_bind_int64(s, 4, entry->file);
    (void)sqlite3_bind_int64(s, 5, entry->shown);
    (void)sqlite3_bind_int64(s, 6, (sqlite3_int64)entry->content.high);
    (void)sqlite3_bind_int64(s, 7, (sqlite3_int64)entry->content.low);
    rc = sqlite3_step(s);
    *ret_new = sqlite3_changes(index->db) > 0;
    (void)sqlite3_reset(s);
    if (rc != SQLITE_DONE) {
        return failed(index, err);
    }
    return *ret_new ? WH_OK : import_index_find(index, id, &found, entry, err);
}

/* ---- lists ---- */

static int bind_bytes(sqlite3_stmt *s, int at, struct wh_slice bytes)
{
    return sqlite3_bind_blob64(s, at, bytes.len ? bytes.ptr : "", bytes.len, SQLITE_STATIC);
}

enum wh_rc import_index_keep(struct import_index *index, enum import_list list,
                             const struct import_kept *row, struct wh_err *err)
{
    sqlite3_stmt *s = index->keep[list];
    int rc;

    (void)sqlite3_bind_int64(s, 1, row->kind);
    (void)sqlite3_bind_int64(s, 2, row->file);
    (void)sqlite3_bind_int64(s, 3, row->line);
    (void)bind_bytes(s, 4, row->identity);
    (void)bind_bytes(s, 5, row->payload);
    rc = sqlite3_step(s);
    (void)sqlite3_reset(s);
    return rc == SQLITE_DONE ? WH_OK : failed(index, err);
}

void import_index_rewind(struct import_index *index, enum import_list list)
{
    (void)sqlite3_reset(index->next[list]);
}

static struct wh_slice bytes_of(sqlite3_stmt *s, int at)
{
    const void *bytes = sqlite3_column_blob(s, at);

    return wh_slice(bytes ? bytes : "", (size_t)sqlite3_column_bytes(s, at));
}

enum wh_rc import_index_next(struct import_index *index, enum import_list list, bool *ret_any,
                             struct import_kept *ret, struct wh_err *err)
{
    sqlite3_stmt *s = index->next[list];
    int rc = sqlite3_step(s);

    *ret_any = rc == SQLITE_ROW;
    if (!*ret_any) {
        return rc == SQLITE_DONE ? WH_OK : failed(index, err);
    }
    *ret = (struct import_kept){.kind = sqlite3_column_int64(s, 0),
                                .file = sqlite3_column_int64(s, 1),
                                .line = sqlite3_column_int64(s, 2),
                                .identity = bytes_of(s, 3),
                                .payload = bytes_of(s, 4)};
    return WH_OK;
}
