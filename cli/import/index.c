/* Tables of SQLite in a temporary file. */
#include "cli/import/index.h"

#include <sqlite3.h>

#include "common/base/mem.h"

struct import_index {
    sqlite3 *db;
    sqlite3_stmt *find;
    sqlite3_stmt *keep[IMPORT_LISTS];
    sqlite3_stmt *next[IMPORT_LISTS];
};

/* Nothing needs to survive a crash, so nothing is synced. */
static const char setup[] =
    "pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -32768; "
    "pragma temp_store = file; "
    "create table listed (n integer primary key, kind int, file int, line int, identity blob, "
    "payload blob, id blob, shown int, high int, low int); "
    "create table missing (n integer primary key, kind int, file int, line int, identity blob, "
    "payload blob, id blob, shown int, high int, low int); begin";
static const char *const keep_texts[IMPORT_LISTS] = {
    "insert into listed values (null, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "insert into missing values (null, ?, ?, ?, ?, ?, ?, ?, ?, ?)"};
static const char *const next_texts[IMPORT_LISTS] = {
    "select kind, file, line, identity, payload from listed order by n",
    "select kind, file, line, identity, payload from missing order by n"};
/* Sorted once, which costs less than keeping order row by row. */
static const char sort_text[] = "create index by_id on listed (id, shown, high, low)";
static const char walk_text[] = "select n, id from listed order by id, shown, high, low";
static const char place_text[] = "select kind, file, line from listed where n = ?";
static const char find_text[] =
    "select n, shown, high, low from listed where id = ? order by n limit 1";

static enum wh_rc failed(const struct import_index *index, struct wh_err *err)
{
    return wh_fail(err, sqlite3_errcode(index->db) == SQLITE_FULL ? WH_E_NO_SPACE : WH_E_IO,
                   "the temporary file of rows: %s", sqlite3_errmsg(index->db));
}

static bool prepare(struct import_index *index)
{
    bool good = true;

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
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

    if (index == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the index of rows");
    }
    /* A file without a name is SQLite's temporary one. */
    if (sqlite3_open_v2("", &index->db, flags, NULL) != SQLITE_OK ||
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
        (void)sqlite3_finalize(index->find);
        for (int i = 0; i < IMPORT_LISTS; i++) {
            (void)sqlite3_finalize(index->keep[i]);
            (void)sqlite3_finalize(index->next[i]);
        }
        (void)sqlite3_close(index->db);
        wh_mem_free(index);
    }
}

/* ---- keeping ---- */

static void bind_bytes(sqlite3_stmt *s, int at, struct wh_slice bytes)
{
    (void)sqlite3_bind_blob64(s, at, bytes.len ? bytes.ptr : "", bytes.len, SQLITE_STATIC);
}

enum wh_rc import_index_keep(struct import_index *index, enum import_list list,
                             const struct import_kept *row, struct wh_err *err)
{
    sqlite3_stmt *s = index->keep[list];
    int rc;

    (void)sqlite3_bind_int64(s, 1, row->kind);
    (void)sqlite3_bind_int64(s, 2, row->file);
    (void)sqlite3_bind_int64(s, 3, row->line);
    bind_bytes(s, 4, row->identity);
    bind_bytes(s, 5, row->payload);
    bind_bytes(s, 6, wh_slice(row->id.bytes, sizeof(row->id.bytes)));
    (void)sqlite3_bind_int64(s, 7, row->shown);
    (void)sqlite3_bind_int64(s, 8, (sqlite3_int64)row->content.high);
    (void)sqlite3_bind_int64(s, 9, (sqlite3_int64)row->content.low);
    rc = sqlite3_step(s);
    (void)sqlite3_reset(s);
    return rc == SQLITE_DONE ? WH_OK : failed(index, err);
}

/* ---- by identity ---- */

struct walk {
    struct import_index *index;
    sqlite3_stmt *rows;
    sqlite3_stmt *place;
    bool any;
    int64_t first; /* of the rows with this id */
    struct wh_entity_id id;
    void (*twice)(void *ctx, const struct import_twice *t);
    void *ctx;
};

static bool read_place(sqlite3_stmt *s, int64_t n, int64_t ret[3])
{
    bool good;

    (void)sqlite3_bind_int64(s, 1, n);
    good = sqlite3_step(s) == SQLITE_ROW;
    for (int i = 0; good && i < 3; i++) {
        ret[i] = sqlite3_column_int64(s, i);
    }
    (void)sqlite3_reset(s);
    return good;
}

/* Rows of one id come in any order: the first is that with the lowest number. */
static bool tell_twice(struct walk *w, int64_t n)
{
    int64_t first = n < w->first ? n : w->first;
    int64_t later = n < w->first ? w->first : n;
    int64_t a[3];
    int64_t b[3];

    w->first = first;
    if (!read_place(w->place, first, a) || !read_place(w->place, later, b)) {
        return false;
    }
    w->twice(w->ctx, &(struct import_twice){.number = later - 1,
                                            .kind = b[0],
                                            .file = b[1],
                                            .line = b[2],
                                            .first_file = a[1],
                                            .first_line = a[2]});
    return true;
}

static bool walk(struct walk *w)
{
    int rc;

    while ((rc = sqlite3_step(w->rows)) == SQLITE_ROW) {
        const void *id = sqlite3_column_blob(w->rows, 1);
        int64_t n = sqlite3_column_int64(w->rows, 0);
        bool same = w->any && id && memcmp(id, w->id.bytes, sizeof(w->id.bytes)) == 0;

        if (same && !tell_twice(w, n)) {
            return false;
        }
        if (!same && id) {
            w->any = true;
            w->first = n;
            memcpy(w->id.bytes, id, sizeof(w->id.bytes));
        }
    }
    return rc == SQLITE_DONE;
}

enum wh_rc import_index_seal(struct import_index *index,
                             void (*twice)(void *ctx, const struct import_twice *t), void *ctx,
                             struct wh_err *err)
{
    struct walk w = {.index = index, .twice = twice, .ctx = ctx};
    bool good = sqlite3_exec(index->db, sort_text, NULL, NULL, NULL) == SQLITE_OK &&
                sqlite3_prepare_v2(index->db, find_text, -1, &index->find, NULL) == SQLITE_OK &&
                sqlite3_prepare_v2(index->db, walk_text, -1, &w.rows, NULL) == SQLITE_OK &&
                sqlite3_prepare_v2(index->db, place_text, -1, &w.place, NULL) == SQLITE_OK &&
                walk(&w);

    if (!good) {
        (void)failed(index, err);
    }
    (void)sqlite3_finalize(w.rows);
    (void)sqlite3_finalize(w.place);
    return good ? WH_OK : err->rc;
}

enum wh_rc import_index_find(struct import_index *index, const struct wh_entity_id *id,
                             bool *ret_found, struct import_entry *ret, struct wh_err *err)
{
    sqlite3_stmt *s = index->find;
    int rc;

    bind_bytes(s, 1, wh_slice(id->bytes, sizeof(id->bytes)));
    rc = sqlite3_step(s);
    *ret_found = rc == SQLITE_ROW;
    if (*ret_found) {
        *ret = (struct import_entry){
            .number = sqlite3_column_int64(s, 0) - 1,
            .shown = (uint32_t)sqlite3_column_int64(s, 1),
            .content = {(uint64_t)sqlite3_column_int64(s, 2), (uint64_t)sqlite3_column_int64(s, 3)},
        };
    }
    (void)sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? WH_OK : failed(index, err);
}

/* ---- in order ---- */

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
