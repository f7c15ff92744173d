/*
 * lookup.h - rows of a table by the values of columns that have no index: a hash table over all
 * rows, built once in a statement.
 *
 * A join asks a table for the rows that equal a value of each row of another one. The first
 * questions are answered by the plan's index; when they have visited about as many rows as the
 * table has, the lookup is built, so that a question that is asked once never pays for it. Rows
 * are found by hash: SQLite compares the values again. They come in the order of the index that
 * the lookup was built by. The columns that the statement reads are copied into the lookup when they
 * are few and fit; otherwise it has the keys of the rows, which are read again from the store.
 *
 * Limits: a lookup grows in memory to an eighth of the statement's memory, against which it counts,
 * and then in an unlinked file of the engine's folder; all files of a statement together have at
 * most SQL_LOOKUP_FILES bytes. A lookup that does not fit is not used. Thread: the statement's.
 */
#ifndef WH_SINK_SQL_LOOKUP_H
#define WH_SINK_SQL_LOOKUP_H

#include "stages/sink/sql/sql_priv.h"

struct sql_lookup;

enum {
    SQL_LOOKUP_KEYS = 4,     /* columns that are compared */
    SQL_LOOKUP_COVERED = 24, /* columns that are copied */
    SQL_LOOKUP_TEXT = 1 + SQL_LOOKUP_KEYS + SQL_LOOKUP_COVERED + 1,
    SQL_LOOKUP_FILES = 256 << 20,
};

struct sql_lookup_key {
    struct sql_table *table;
    /* As idxStr: the number of columns that are compared, these, and those to copy. A column is a
     * character, its number plus 1. */
    const char *columns;
    unsigned order; /* the index that gives the order of the rows */
    bool backwards;
};

/* The statement's lookup of this key, made when it is asked for the first time; not built. */
WH_MUST_CHECK enum wh_rc sql_lookup_get(const struct sql_lookup_key *key, struct sql_lookup **ret,
                                        struct wh_err *err);
/* The number of rows that the index has visited instead; the caller counts them. */
uint64_t *sql_lookup_visited(struct sql_lookup *l);
/* True when rows can be found by it; builds it when that has become worth it. WH_E_CANCELED when
 * the statement must end. */
WH_MUST_CHECK enum wh_rc sql_lookup_ready(struct sql_lookup *l, bool *ret, struct wh_err *err);
/* The hash of the values that are compared; false when one is NULL, which equals nothing. */
bool sql_lookup_hash(const struct sql_lookup *l, sqlite3_value **values, uint64_t *ret);
/* The first row with the hash, and the one behind `hit`; 0: none. */
uint32_t sql_lookup_first(const struct sql_lookup *l, uint64_t hash);
uint32_t sql_lookup_after(const struct sql_lookup *l, uint32_t hit, uint64_t hash);
/* True when rows have their columns; otherwise they have their keys. */
bool sql_lookup_covers(const struct sql_lookup *l);
/* The key of a row, valid as long as the lookup. */
struct wh_slice sql_lookup_key(const struct sql_lookup *l, uint32_t hit);
/* The copy of a column. */
WH_MUST_CHECK enum wh_rc sql_lookup_column(const struct sql_lookup *l, uint32_t hit, int column,
                                           sqlite3_context *out, struct wh_err *err);
/* Frees all lookups of the statement; no cursor uses them any more. */
void sql_lookups_free(struct sql_conn *conn);

#endif
