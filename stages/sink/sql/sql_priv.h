/*
 * sql_priv.h - what the files of this room share. The only place that includes sqlite3.h.
 *
 * One sqlite3_module serves all tables. A table says which indexes it has; an index gives a range
 * of keys of one family; each key found is a row. The bounds that an index takes from constraints
 * may be wider than the constraint, never narrower: SQLite checks every constraint again.
 */
#ifndef WH_SINK_SQL_PRIV_H
#define WH_SINK_SQL_PRIV_H

#include <sqlite3.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/event/history.h"
#include "common/json/json_write.h"
#include "stages/sink/store/head_at.h"
#include "stages/sink/store/keyspace.h"
#include "stages/sink/past/past.h"
#include "stages/sink/people/book.h"
#include "stages/sink/sql/sql.h"

enum {
    SQL_TEXT_MAX_BYTES = 1 << 20,
    SQL_KEY_MAX = 64,
    SQL_INDEXES_MAX = 16,
    SQL_NONE = -1,
};

/* Where a column's value goes: to SQLite or, when `to` is NULL, into a hash and a copy of the value.
 * Values that SQLite's = may call equal have the same hash, whatever their types and affinities. */
struct sql_out {
    sqlite3_context *to;
    uint64_t hash;
    bool is_null;
    struct wh_buf *copy; /* sql_copy_result reads it; NULL: none */
    enum wh_rc rc;       /* of the copy */
};

struct sql_conn;
struct sql_cursor;
struct sql_table;
struct sql_computed_def;

/*
 * An index: how rows can be found. Members are names of columns, NULL for none. The index yields
 * rows in the order of (order, then), or backwards. A table that lacks one of the columns has no
 * such index.
 */
struct sql_index_def {
    const char *eq;    /* the query must give it */
    const char *range; /* the query may bound it */
    const char *order;
    const char *then;
    bool unique;     /* at most one row */
    double rows;     /* without a range; an estimate, of which the table's counter knows better */
    double row_cost; /* 1 when the key's value is the row, more when the row must be fetched */
    /* The index without `eq` that yields all rows in the same order; SQL_NONE: there is none. An
     * index without `eq` gives its own number. */
    int whole;
    bool prefix; /* LIKE and GLOB of `eq` too, by the beginning of the pattern */
};

/* An index of one table, with the numbers of its columns, SQL_NONE for none. */
struct sql_index {
    const struct sql_index_def *def;
    unsigned number; /* of the def */
    int eq_column;
    int range_column;
    int order_column;
    int then_column;
};

enum sql_match { SQL_MATCH_EQ, SQL_MATCH_LIKE, SQL_MATCH_GLOB };

/* Bounds as values of SQLite; NULL where there is none. */
struct sql_bounds {
    sqlite3_value *eq;
    enum sql_match match; /* of eq */
    sqlite3_value *lower; /* inclusive or wider */
    sqlite3_value *upper; /* inclusive or wider */
    bool backwards;
};

struct sql_table_def {
    const struct sql_index_def *indexes;
    size_t n_indexes;
    /* Positions the cursor: calls sql_cursor_range, sql_cursor_single or leaves it at its end. */
    enum wh_rc (*filter)(struct sql_cursor *c, unsigned index, const struct sql_bounds *bounds,
                         struct wh_err *err);
    /* A key was found: makes the row ready; *ret_skip when it is none. */
    enum wh_rc (*row)(struct sql_cursor *c, bool *ret_skip, struct wh_err *err);
    enum wh_rc (*column)(struct sql_cursor *c, struct sql_out *out, int column, struct wh_err *err);
    /* A row's own key, by which sql_cursor_single finds it again; 0 bytes when keys differ in
     * length: no lookup is built over such a table. Index 0 scans the family. */
    unsigned family;
    size_t key_bytes;
    /* The range has ended: positions the cursor on another one, when there is one. May be NULL. */
    enum wh_rc (*more)(struct sql_cursor *c, bool *ret_more, struct wh_err *err);
};

/* What a column of a table of entities shows: id, a field, the team member of a field that has an account,
 * the label of a field (labels.h), what follows from an imported row (imported.h), or a part of its identity. */
enum {
    SQL_SHOWS_ID,
    SQL_SHOWS_FIELD,
    SQL_SHOWS_MEMBER,
    SQL_SHOWS_LABEL,
    SQL_SHOWS_IMPORTED,
    SQL_SHOWS_CLAIMANT,
    SQL_SHOWS_CLAIMANT_NAME,
    SQL_SHOWS_IDENTITY
};
struct sql_shown {
    unsigned char what;
    unsigned char number; /* of the field, of the columns of imported.h, or of the identity's */
};

/* One table of one connection. */
struct sql_table {
    struct sql_conn *conn;
    const struct sql_table_def *def;         /* NULL: computed */
    const struct sql_computed_def *computed; /* computed.h */
    const struct wh_kind_def *kind;
    bool all; /* deleted ones too */
    char *name;
    struct sql_column *columns;
    size_t n_columns;
    struct sql_shown shown[SQL_COLUMNS_MAX]; /* of tables of entities */
    struct sql_index indexes[SQL_INDEXES_MAX];
    size_t n_indexes;
};

struct sql_vtab {
    sqlite3_vtab base;
    struct sql_table *table;
};

struct sql_cursor {
    sqlite3_vtab_cursor base;
    struct sql_table *table;
    struct wh_iter *it;
    bool backwards;
    bool eof;
    int64_t rowid;
    struct wh_slice key;
    struct wh_slice value;
    /* A row that is found by its key alone, and heads that are fetched. */
    unsigned char single_key[SQL_KEY_MAX];
    struct wh_buf fetched;
    /* Scratch of the row. */
    struct wh_arena arena;
    struct wh_buf text;
    struct wh_buf other;  /* the head of another entity */
    struct wh_buf listed; /* labels */
    struct wh_buf then;   /* the head of the row in the past */
    struct wh_buf other_then;
    struct past_scan *scan; /* links of the past; NULL otherwise */
    struct wh_entity_id scan_of;
    enum wh_kind
        scan_kind;         /* of the entity that has the references; NONE: what is found has them */
    struct sql_past *past; /* the history of the entity in the past; NULL: not used */
    bool head_ready;
    struct wh_head_view head;
    bool body_ready;
    struct wh_body body;
    unsigned fields_asked; /* of this row */
    unsigned fields_usual; /* of the row before */
    struct wh_entity_id id;
    bool entry_ready;
    struct wh_entry entry;
    const struct wh_kind_def *entity_kind;
    unsigned index; /* of the plan */
    /* Of entities. The order by a column that may be NULL has two parts: the rows of the index, and
     * those whose column is NULL. */
    int null_field;  /* the column; SQL_NONE: there is one part */
    bool nulls;      /* this is the part of the NULLs */
    bool parts_left; /* the other part comes afterwards */
    bool own_keys;   /* keys are those of entities, not of the index */
    struct wh_entity_id project;
    /* Rows that the lookup has found, when it is used. */
    struct sql_lookup *lookup; /* NULL: the plan's index is used */
    uint32_t hit;              /* the current row */
    uint64_t hit_hash;
    bool covered;      /* the lookup has the columns too */
    uint64_t *visited; /* counts the rows that the index yields in the place of a lookup; or NULL */
    uint64_t uncounted; /* rows still to come of a plan that only counts */
};

enum { SQL_TABLES_MAX = 2 * WH_KIND_COUNT + 32 };

/* Whether a value is rare among the newest rows of a table, as one statement has found out. */
struct sql_sample {
    uint64_t statement;
    const struct sql_table *table;
    int column;
    uint64_t hash;
    bool rare;
};

/* A label that a statement has read. */
struct sql_label;
enum { SQL_NAMES = 256 };
struct sql_name {
    uint64_t statement;
    enum wh_kind kind;
    struct wh_entity_id id;
    const struct sql_label *label;
    bool known;
    size_t len;
    char text[96];
};

/* A key of an imported row that a statement has resolved. */
struct sql_claimant {
    uint64_t statement;
    enum wh_kind kind;
    size_t key_len;
    char key[80];
    bool found;
    struct wh_entity_id id;
};

/* One SQLite connection; used by one thread at a time. */
struct sql_conn {
    sqlite3 *db;
    struct wh_store *store;
    const struct wh_snapshot *snap;
    struct wh_history_when when;       /* of the statement */
    struct past *past;                 /* of the statement that runs; NULL until it is asked for */
    struct people_cache *people_cache; /* of the engine */
    const struct people_book *people;  /* of the statement that runs; NULL until it is asked for */
    struct wh_clock clock;
    struct wh_zone zone;
    int64_t deadline_ns;
    const int64_t *paused_ns; /* of the query; moves the deadline */
    const atomic_bool *canceled;
    atomic_bool *stopped;
    int64_t memory_bytes;        /* of one statement */
    struct wh_mem_budget budget; /* of the statement that runs */
    bool timed_out;
    int64_t rows_read;
    unsigned columns_read;
    unsigned calls;      /* of functions of ours */
    unsigned n_cursors;  /* open ones */
    bool declaring;      /* a table of ours is made known, which is a CREATE TABLE to SQLite */
    const char *refused; /* static text of what the authorizer refused */
    struct wh_err err;   /* of a table, while a statement runs */
    const char *folder;  /* for temporary files; NULL: none */
    struct calls *agent_calls;        /* NULL: none are kept */
    struct sql_lookup *lookups;       /* of the statement that runs */
    size_t lookup_bytes;              /* of their files */
    int64_t counts[WH_KIND_COUNT][2]; /* entities and deleted ones in the snapshot; -1: not read */
    uint64_t statements;              /* their number so far */
    struct sql_name names[SQL_NAMES];
    struct sql_claimant claimants[SQL_NAMES];
    struct sql_sample sample;
    struct sql_table tables[SQL_TABLES_MAX];
    size_t n_tables;
    struct sql_conn *next;
};

/* xCreate, xConnect and xDisconnect of a table of conn->tables. */
int sql_create_table(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret,
                     char **ret_error);
int sql_connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret,
                      char **ret_error);
int sql_disconnect_table(sqlite3_vtab *base);

extern const sqlite3_module sql_module;
extern const struct sql_table_def sql_entities;
extern const struct sql_table_def sql_links;
extern const struct sql_table_def sql_revisions;
extern const struct sql_table_def sql_changes;
extern const struct sql_table_def sql_connections;
extern const struct sql_table_def sql_runs;
extern const struct sql_table_def sql_health;
/* CREATE VIEW statements over these three. */
extern const struct sql_table_def sql_set_aside;
/* document_views.sql: the views over documents. */
extern const char sql_document_views[];

/* Fills in the table's indexes; its columns are set. */
void sql_table_indexes(struct sql_table *table);

/* ---- plans: which index answers a question (plan.c) ---- */

/* Of idxNum. idxStr describes the lookup; see lookup.h. */
enum {
    SQL_PLAN_INDEX = 0xff,
    SQL_PLAN_BACKWARDS = 1 << 8,
    SQL_PLAN_EQ = 1 << 9,
    SQL_PLAN_LOWER = 1 << 10,
    SQL_PLAN_UPPER = 1 << 11,
    SQL_PLAN_ORDERED = 1 << 12, /* the rows' order is part of the plan */
    SQL_PLAN_LIKE = 1 << 14,    /* SQL_PLAN_EQ is a LIKE */
    SQL_PLAN_GLOB = 1 << 15,
    SQL_PLAN_KEY_IS_EQ = 1 << 16, /* the first key of the lookup is the value of SQL_PLAN_EQ */
    SQL_PLAN_COUNT = 1 << 13,     /* nothing is asked of the rows but how many there are */
};

/* xBestIndex */
int sql_best_index(sqlite3_vtab *base, sqlite3_index_info *info);
/* The index of tables of entities that has the newest change last. */
enum { SQL_ENTITIES_NEWEST = 3 };
/* The first of those whose keys follow the present heads: they do not find the past. */
enum { SQL_ENTITIES_PRESENT = 2 };
/* Rows of the table in the snapshot, by its counter; -1 when there is none. A counter that
 * cannot be read is an error of the statement (conn->err). */
int64_t sql_table_rows(const struct sql_table *table);

/* Fills in what the columns of a table of entities show; its columns are set. */
void sql_entity_columns(struct sql_table *table);

/* Opens a connection with all tables and limits; the store, people and *stopped are kept. NULL with *err
 * when it cannot be opened. */
struct sql_conn *sql_conn_new(const struct sql_engine_conf *conf, struct people_cache *people,
                              atomic_bool *stopped, struct wh_err *err);
void sql_conn_free(struct sql_conn *conn);
/* SQLite's authorizer; ctx is the connection, whose `refused` says why an action was denied. */
int sql_authorize(void *ctx, int action, const char *a, const char *b, const char *c,
                  const char *d);
/* Why an action is refused, NULL when it is permitted. a, b: SQLite's first details of it. */
const char *sql_refusal(int action, const char *a, const char *b);
/* Runs one statement on a connection whose deadline and flags are set; see sql_run. */
WH_MUST_CHECK enum wh_rc sql_statement_run(struct sql_conn *conn, const struct sql_query *query,
                                           const struct sql_rows *rows, struct sql_outcome *ret,
                                           struct wh_err *err);

/* Before a statement with another snapshot. */
void sql_conn_forget_counts(struct sql_conn *conn);
/* True when the statement must end: time is up, canceled, or the engine stops. */
bool sql_conn_over(struct sql_conn *conn);

/* An empty cursor on the table; done frees what it has. */
void sql_cursor_init(struct sql_cursor *c, struct sql_table *table);
void sql_cursor_done(struct sql_cursor *c);
/* Moves to the next link of the past. */
WH_MUST_CHECK enum wh_rc sql_links_next(struct sql_cursor *c, struct wh_err *err);
/* Moves to the first row of an index, and to the next one; false at the end. WH_E_CANCELED: the
 * statement must end. */
WH_MUST_CHECK enum wh_rc sql_cursor_start(struct sql_cursor *c, unsigned index,
                                          const struct sql_bounds *bounds, struct wh_err *err);
WH_MUST_CHECK enum wh_rc sql_cursor_next(struct sql_cursor *c, struct wh_err *err);

/* Rows of a family in [lower, upper); an empty upper is the end of the family. */
WH_MUST_CHECK enum wh_rc sql_cursor_range(struct sql_cursor *c, unsigned family,
                                          struct wh_slice lower, struct wh_slice upper,
                                          bool backwards, struct wh_err *err);
/* One row: the key's value, if there is one. */
WH_MUST_CHECK enum wh_rc sql_cursor_single(struct sql_cursor *c, unsigned family,
                                           struct wh_slice key, struct wh_err *err);
/* The smallest key behind all keys with this prefix; false when there is none. */
bool sql_prefix_end(unsigned char *key, size_t len);

/* The value as text, until its next conversion; ptr NULL when it is NULL or memory is short. */
struct wh_slice sql_value_text(sqlite3_value *value);

/* ---- bounds from values; false: the value is none, so that no row can match ---- */
bool sql_bound_id(sqlite3_value *value, struct wh_entity_id *ret);
/* Milliseconds of the first instant that a text >= value can show; false: no bound. */
bool sql_bound_time_lower(sqlite3_value *value, int64_t *ret_ms);
/* Milliseconds after the last instant that a text <= value can show; false: no bound. */
bool sql_bound_time_upper(sqlite3_value *value, int64_t *ret_ms);

/* ---- hashes of values; see struct sql_out ---- */
uint64_t sql_hash_text(struct wh_slice text);
uint64_t sql_hash_number(double value);
/* False for NULL, which equals nothing. */
bool sql_hash_value(sqlite3_value *value, uint64_t *ret);

/* ---- results ---- */
/* The value of a copy that `bytes` begins with, as a result without another copy: the bytes stay until
 * the statement ends. Gives the rest. */
struct wh_slice sql_copy_result(sqlite3_context *out, struct wh_slice bytes);
struct wh_slice sql_copy_skip(struct wh_slice bytes);
void sql_result_null(struct sql_out *out);
void sql_result_int(struct sql_out *out, int64_t value);
void sql_result_double(struct sql_out *out, double value);
void sql_result_slice(struct sql_out *out, struct wh_slice text);
/* NULL when empty. */
void sql_result_maybe(struct sql_out *out, struct wh_slice text);
void sql_result_time(struct sql_out *out, int64_t ms);
void sql_result_id(struct sql_out *out, const struct wh_entity_id *id);
/* 32 hex digits: order, tie; text order is version order. */
void sql_result_version(struct sql_out *out, struct wh_version version);
enum { SQL_VERSION_TEXT = 32 };
/* The same as text, which is returned. */
const char *sql_version_format(struct wh_version version, char text[SQL_VERSION_TEXT + 1]);
bool sql_version_parse(struct wh_slice text, struct wh_version *ret);

/* A field's value as a column. */
WH_MUST_CHECK enum wh_rc sql_result_value(struct sql_out *out, struct wh_buf *scratch,
                                          enum wh_field_type type, const struct wh_value *value,
                                          struct wh_err *err);

/* ---- the past (past_rows.c) ---- */

/* The head of an entity as the statement's time has it: *head, which is the present one, or bytes in out,
 * with all long texts. *ret_found is false when nothing was known then. */
WH_MUST_CHECK enum wh_rc sql_past_head(const struct sql_conn *conn, const struct wh_kind_def *kind,
                                       const struct wh_entity_id *id, struct wh_arena *arena,
                                       struct wh_buf *out, struct wh_slice *head, bool *ret_found,
                                       struct wh_err *err);
/* The entry of c->id with this version as it was then; *ret is NULL when it did not count. */
WH_MUST_CHECK enum wh_rc sql_past_entry(struct sql_cursor *c, struct wh_version version,
                                        const struct wh_entry **ret, struct wh_err *err);
void sql_past_free(struct sql_past *past);

/* The kind of an entity: which of the kinds has it. NULL when there is no such entity. */
WH_MUST_CHECK enum wh_rc sql_kind_of(struct sql_conn *conn, const struct wh_entity_id *id,
                                     struct wh_buf *scratch, const struct wh_kind_def **ret,
                                     struct wh_err *err);

#endif
