/* One file of the index, and the connections that read it. */
#include <stdio.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "stages/sink/search/search_priv.h"

enum wh_rc search_fail(sqlite3 *db, const char *what, struct wh_err *err)
{
    int code = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
    enum wh_rc rc = code == SQLITE_FULL    ? WH_E_NO_SPACE
                    : code == SQLITE_NOMEM ? WH_E_NOMEM
                    : code == SQLITE_BUSY  ? WH_E_BUSY
                    : code == SQLITE_IOERR ? WH_E_IO
                                           : WH_E_CORRUPT;

    return wh_fail(err, rc, "search index: %s: %.160s", what,
                   db ? sqlite3_errmsg(db) : "no memory");
}

enum wh_rc search_exec(sqlite3 *db, const char *sql, struct wh_err *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? WH_OK : search_fail(db, sql, err);
}

enum wh_rc search_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct wh_err *err)
{
    *ret = NULL;
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) == SQLITE_OK
               ? WH_OK
               : search_fail(db, "a statement", err);
}

enum wh_rc search_fts(sqlite3 *db, fts5_api **ret, struct wh_err *err)
{
    sqlite3_stmt *stmt = NULL;

    *ret = NULL;
    if (search_prepare(db, "SELECT fts5(?1)", &stmt, err) != WH_OK) {
        return err->rc;
    }
    (void)sqlite3_bind_pointer(stmt, 1, (void *)ret, "fts5_api_ptr", NULL);
    (void)sqlite3_step(stmt);
    (void)sqlite3_finalize(stmt);
    return *ret && (*ret)->iVersion >= 2
               ? WH_OK
               : wh_fail(err, WH_E_UNSUPPORTED, "this SQLite has no FTS5");
}

/* ---- the file ---- */

enum wh_rc search_file_new(const char *path, struct search_file **ret, struct wh_err *err)
{
    struct search_file *f = wh_mem_zalloc(1, sizeof(*f));

    if (f == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the search index");
    }
    (void)snprintf(f->path, sizeof(f->path), "%s", path);
    (void)pthread_mutex_init(&f->lock, NULL);
    f->refs = 1;
    *ret = f;
    return WH_OK;
}

void search_file_keep(struct search_file *f)
{
    (void)pthread_mutex_lock(&f->lock);
    f->refs++;
    (void)pthread_mutex_unlock(&f->lock);
}

static void reader_free(struct search_reader *r)
{
    (void)sqlite3_close(r->db);
    wh_mem_free(r);
}

static void remove_files(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[SEARCH_PATH_MAX + 8];

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

void search_file_drop(struct search_file *f)
{
    unsigned left;

    if (f == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&f->lock);
    left = --f->refs;
    (void)pthread_mutex_unlock(&f->lock);
    if (left > 0) {
        return;
    }
    while (f->readers) {
        struct search_reader *next = f->readers->next;

        reader_free(f->readers);
        f->readers = next;
    }
    if (f->unlink) {
        remove_files(f->path);
    }
    (void)pthread_mutex_destroy(&f->lock);
    wh_mem_free(f);
}

/* ---- readers ---- */

static enum wh_rc reader_open(const struct search_file *f, struct search_reader *r,
                              struct wh_err *err)
{
    if (sqlite3_open_v2(f->path, &r->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        return search_fail(r->db, "opening", err);
    }
    (void)sqlite3_busy_timeout(r->db, 1000);
    if (search_exec(r->db, "PRAGMA query_only=1; PRAGMA cache_size=-8192", err) != WH_OK ||
        search_fts(r->db, &r->fts, err) != WH_OK) {
        return err->rc;
    }
    return search_rank_install(r->fts, err);
}

enum wh_rc search_reader_take(struct search_file *f, struct search_reader **ret, struct wh_err *err)
{
    struct search_reader *r;

    (void)pthread_mutex_lock(&f->lock);
    r = f->readers;
    if (r) {
        f->readers = r->next;
        f->n_readers--;
    }
    (void)pthread_mutex_unlock(&f->lock);
    if (r == NULL) {
        r = wh_mem_zalloc(1, sizeof(*r));
        if (r == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a search");
        }
        if (reader_open(f, r, err) != WH_OK) {
            reader_free(r);
            return err->rc;
        }
    }
    *ret = r;
    return WH_OK;
}

void search_reader_give(struct search_file *f, struct search_reader *r)
{
    bool kept;

    (void)pthread_mutex_lock(&f->lock);
    kept = f->n_readers < SEARCH_READERS_KEPT;
    if (kept) {
        r->next = f->readers;
        f->readers = r;
        f->n_readers++;
    }
    (void)pthread_mutex_unlock(&f->lock);
    if (!kept) {
        reader_free(r);
    }
}
