/*
 * search_priv.h - what the files of this room share.
 *
 *   document.c  from a head to its texts
 *   file.c      one file: opening, its tables, its readers
 *   folder.c    the files in the folder
 *   write.c     rows of the index
 *   follow.c    the thread: builds a file, or follows the log of changes
 *   words.c     from what was typed to an expression of FTS5
 *   rank.c      the score of a row, and which columns match
 *   query.c     hits, facets, snippets
 *
 * A row's number says what is asked of all matches without reading them: bits 0..5 what it is, bit 6 confidential,
 * bit 7 a former text, above them a number that grows, so that the newest text has the highest row.
 */
#ifndef WH_SINK_SEARCH_PRIV_H
#define WH_SINK_SEARCH_PRIV_H

#include <pthread.h>
#include <sqlite3.h>
#include <time.h>

#include "common/base/buf.h"
#include "stages/sink/past/past.h"
#include "stages/sink/search/search.h"

enum {
    SEARCH_VERSION = 1, /* of the tables and of what is indexed */
    SEARCH_ROW_CONFIDENTIAL = 1 << 6,
    SEARCH_ROW_FORMER = 1 << 7,
    SEARCH_ROW_BITS = 8,
    SEARCH_PATH_MAX = 4096,
    SEARCH_CHANGE_BYTES = SINK_ENTITY_KEY + 16 + 1 + 8, /* of an entry of the log (keyspace.h) */
};

static inline unsigned search_row_what(int64_t row)
{
    return (unsigned)row & 63;
}

/* ---- document.c ---- */

struct search_document {
    unsigned what;
    bool confidential;
    struct wh_slice title;
    struct wh_slice text;
    struct wh_slice names;
    /* The versions that set title and text; zeroed when there is none. */
    struct wh_version title_set;
    struct wh_version text_set;
};

/* *ret_has is false when the entity has no text, and no row. */
WH_MUST_CHECK enum wh_rc search_document_make(struct past *past, const struct wh_head *head,
                                              struct wh_arena *arena, struct search_document *ret,
                                              bool *ret_has, struct wh_err *err);
/* The names of the fields for title and text; NULL: the kind has none. */
const char *search_title_field(enum wh_kind kind);
const char *search_text_field(enum wh_kind kind);
/* Are former titles and texts of the kind indexed? */
bool search_keeps_former(enum wh_kind kind);
/* A text as it is indexed: at most max bytes of whole characters, without control characters. */
WH_MUST_CHECK enum wh_rc search_clean(struct wh_slice text, size_t max, struct wh_arena *arena,
                                      struct wh_slice *ret, struct wh_err *err);

/* ---- file.c ---- */

enum { SEARCH_READERS_KEPT = 4 };

/* A connection for one query at a time. */
struct search_reader {
    sqlite3 *db;
    fts5_api *fts;
    struct search_reader *next;
};

struct search_file {
    char path[SEARCH_PATH_MAX];
    pthread_mutex_t lock;
    unsigned refs;
    bool unlink;                   /* when the last reference goes */
    struct search_reader *readers; /* that are free */
    unsigned n_readers;
};

/* Prepares a file for reading; it has one reference. */
WH_MUST_CHECK enum wh_rc search_file_new(const char *path, struct search_file **ret,
                                         struct wh_err *err);
void search_file_keep(struct search_file *f);
void search_file_drop(struct search_file *f);
WH_MUST_CHECK enum wh_rc search_reader_take(struct search_file *f, struct search_reader **ret,
                                            struct wh_err *err);
void search_reader_give(struct search_file *f, struct search_reader *r);

/* An error of SQLite as one of ours; what: what was attempted. */
enum wh_rc search_fail(sqlite3 *db, const char *what, struct wh_err *err);
WH_MUST_CHECK enum wh_rc search_exec(sqlite3 *db, const char *sql, struct wh_err *err);
WH_MUST_CHECK enum wh_rc search_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret,
                                        struct wh_err *err);
/* The tokenizer and functions of FTS5. */
WH_MUST_CHECK enum wh_rc search_fts(sqlite3 *db, fts5_api **ret, struct wh_err *err);

/* ---- folder.c ---- */

void search_folder_path(const char *folder, int64_t n, bool building, char ret[SEARCH_PATH_MAX]);
/* The highest number of an index; 0: there is none. */
int64_t search_folder_newest(const char *folder);
/* Removes all files of indexes but those of this number; 0: all of them. Nobody may read them. */
void search_folder_clean(const char *folder, int64_t in_use);

/* ---- write.c: one writer ---- */

struct search_writer;

/* Opens or creates the file for writing; `build` is faster and not durable until search_writer_finish. */
WH_MUST_CHECK enum wh_rc search_writer_open(const char *path, bool build,
                                            struct search_writer **ret, struct wh_err *err);
/* Rolls back what is not committed. Accepts NULL. */
void search_writer_close(struct search_writer *w);
WH_MUST_CHECK enum wh_rc search_writer_begin(struct search_writer *w, struct wh_err *err);
WH_MUST_CHECK enum wh_rc search_writer_commit(struct search_writer *w, struct wh_err *err);
void search_writer_rollback(struct search_writer *w);
/* After the last commit of a build: the file is whole and on the disk. */
WH_MUST_CHECK enum wh_rc search_writer_finish(struct search_writer *w, struct wh_err *err);
WH_MUST_CHECK enum wh_rc search_meta_put(struct search_writer *w, const char *key,
                                         struct wh_slice value, struct wh_err *err);
/* Appends the value; nothing when there is none. */
WH_MUST_CHECK enum wh_rc search_meta_get(struct search_writer *w, const char *key,
                                         struct wh_buf *out, struct wh_err *err);
uint64_t search_writer_rows(const struct search_writer *w);
/* After an error: the file is at fault, and not what was read from the store. */
bool search_writer_damaged(const struct search_writer *w);

/* What is read while rows are written. */
struct search_source {
    struct wh_store *store;
    struct wh_snapshot *snap;
    struct past *past;
    struct wh_arena *arena; /* of one entity */
};

/* A change of an entity: its rows become what the store has. version: of the revision that changed; zeroed: all of
 * them may have. *ret_access_changed: it is new, or others may see it now who might not before, or the reverse. */
WH_MUST_CHECK enum wh_rc search_write_entity(struct search_writer *w,
                                             const struct search_source *from, enum wh_kind kind,
                                             const struct wh_entity_id *id,
                                             struct wh_version version, bool *ret_access_changed,
                                             struct wh_err *err);

/* ---- words.c ---- */

/* Appends an expression of FTS5; nothing when the text has no words. *ret_single: the other modes would give the same. */
WH_MUST_CHECK enum wh_rc search_words(fts5_api *fts, struct wh_slice text, enum search_mode mode,
                                      struct wh_buf *out, bool *ret_single, struct wh_err *err);

/* ---- rank.c ---- */

/* Adds the functions search_score and search_columns to a connection. */
WH_MUST_CHECK enum wh_rc search_rank_install(fts5_api *fts, struct wh_err *err);

/* ---- the object ---- */

enum search_gauge { SEARCH_LAG, SEARCH_BEHIND, SEARCH_RECORDS, SEARCH_BYTES, SEARCH_GAUGES };

struct search {
    struct search_conf conf;
    struct wh_gauge *gauges[SEARCH_GAUGES]; /* NULL without metrics */
    pthread_t thread;
    pthread_mutex_t lock;     /* protects the members up to `stop` */
    pthread_cond_t stirred;   /* the thread has something to do */
    pthread_cond_t moved;     /* status has changed */
    struct search_file *file; /* NULL: none answers yet */
    struct search_status status;
    bool damaged; /* a query says so of the file */
    bool stop;
};

/* A reference to the file that answers; NULL: there is none. */
struct search_file *search_file_get(struct search *s);
void *search_follow_main(void *ctx);
/* For pthread_cond_timedwait. */
struct timespec search_deadline(int64_t ms);

#endif
