/*
 * sql.h - SQL over the entity store: SQLite's engine over read-only virtual tables, one snapshot of
 * the store for each statement. No type of SQLite appears in this header.
 *
 * Tables (sql_columns documents every column):
 *   <kind's table>      work_items, build_records, ... : live entities, one row each
 *   <kind's table>_all  the same and the deleted entities (deleted = 1)
 *   links, revisions, changes, connection_documents
 *   team_members, decisions, agent_calls, incident_impact, unresolved and others that are computed (computed.h)
 * Views: incidents, issues, merge_requests, pipelines, connections
 *
 * Times are RFC 3339 UTC text with milliseconds: text order is time order and SQLite's date
 * functions read them. Lists are JSON arrays as text, references are uuids as text, booleans 0
 * and 1. Behind each reference stands what people call that entity: author_name, project_path,
 * assignee_names, merge_request_url (labels.h); looked up only when it is asked for. References to people show
 * team members (people/book.h); author_account and such show the accounts.
 *
 * Fast, because an index of the store answers it: id =, ranges of and order by id; url =; project =;
 * ranges of and order by changed_at, updated_at, created_at, closed_at, merged_at and finished_at; the
 * commits sha and merge_commit_sha by =, and by LIKE and GLOB of their beginning; links.from_id = and
 * to_id =; revisions.entity_id =; changes.sequence; count(*) of a table of entities. A join by the
 * equality of any other column builds a hash table once in a statement (lookup.h). Any other condition
 * scans all entities of that kind, within the time limit.
 *
 * Functions beside SQLite's: median(x), percentile(x, 0 to 100), stddev(x), text REGEXP pattern
 * (PCRE2), date_trunc(unit, time[, zone]), local(time, zone), concat(x, ...).
 *
 * Statements about the tables: .tables, describe TABLE, .schema [TABLE] (describe.h); sqlite_master,
 * pragma_table_info and pragma_table_list answer too.
 *
 * Refused: everything that is not a read, other PRAGMAs, ATTACH, extensions, more than one statement, and
 * the few functions of SQLite that have no use here or no bound on their time (functions.c lists
 * what may be called).
 *
 * Limits of one statement: its time, kept to within a second also inside of one function; its rows;
 * its memory, results included; 1 MB of text, about 20,000 instructions, 64 arguments of a
 * function, 100 parts of a UNION, 128 tables read at a time. A value may have 8 MiB; less in a
 * statement of hundreds of operators or functions, and the error then says how much.
 *
 * Thread: any. At most conf.connections statements run at a time; further callers wait.
 */
#ifndef WH_SINK_SQL_H
#define WH_SINK_SQL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/time.h"
#include "common/base/zone.h"
#include "common/event/history.h"
#include "common/store/store.h"

struct sql_engine;
struct people_cache;
struct calls;

enum { SQL_MEMORY_DEFAULT = 64 << 20 };

struct sql_engine_conf {
    struct wh_store *store; /* kept */
    struct wh_clock clock;
    size_t connections;
    int64_t memory_bytes; /* of each statement; 0: SQL_MEMORY_DEFAULT */
    const char *folder;   /* kept; for temporary files. NULL: no lookup outgrows memory */
    struct wh_zone zone;  /* of the workspace; zeroed: UTC */
    struct calls *calls;  /* kept; of agents. NULL: agent_calls is empty */
};

enum sql_type { SQL_NULL, SQL_INT, SQL_DOUBLE, SQL_TEXT, SQL_BLOB };

struct sql_value {
    enum sql_type type;
    int64_t i;
    double num;
    struct wh_slice bytes; /* TEXT, BLOB */
};

/* A named parameter. The name has no prefix: "p" stands for :p, @p and $p. */
struct sql_param {
    struct wh_slice name;
    struct sql_value value;
};

struct sql_query {
    struct wh_slice text;
    const struct sql_param *params;
    size_t n_params;
    int64_t timeout_ms;
    int64_t waited_ms; /* the part of timeout_ms that is over before sql_run */
    /*
     * Time that the callbacks for rows have spent waiting for their reader, which is not part of
     * timeout_ms. Only the callbacks write it. NULL: they never wait.
     */
    const int64_t *paused_ns;
    int64_t max_rows;
    const atomic_bool *canceled; /* may be NULL; true ends the running statement */
    /* The time that entities, links, revisions and changes are shown of; NULL: now. Of the past, only id =,
     * revisions.entity_id =, links.from_id = and to_id = have an index, and every row costs its history. */
    const struct wh_history_when *when;
};

/* Receives the rows, in the calling thread. Slices are valid until the callback returns; the names of
 * columns are unique. */
struct sql_rows {
    enum wh_rc (*columns)(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err);
    /* *ret_full set to true ends the statement; the row was not taken. */
    enum wh_rc (*row)(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                      struct wh_err *err);
    void *ctx;
};

enum sql_cut { SQL_WHOLE, SQL_CUT_ROWS, SQL_CUT_FULL };

struct sql_outcome {
    int64_t rows;
    enum sql_cut cut;
    int64_t elapsed_us;
    int64_t rows_read; /* rows of the store that all scans have read */
};

/* Makes SQLite allocate through common/base/mem.h, once in a process. Whoever opens a database calls it first. */
WH_MUST_CHECK enum wh_rc sql_memory_install(struct wh_err *err);

WH_MUST_CHECK enum wh_rc sql_engine_new(const struct sql_engine_conf *conf, struct sql_engine **ret,
                                        struct wh_err *err);
/* Everybody in the newest state that was asked for; lives as long as the engine. */
struct people_cache *sql_engine_people(struct sql_engine *engine);
/* Running statements end with WH_E_CANCELED, new ones are refused. */
void sql_engine_stop(struct sql_engine *engine);
/* No statement may be running. Accepts NULL. */
void sql_engine_free(struct sql_engine *engine);

/*
 * Runs one statement. WH_E_INVALID: not SQL, an unknown name (the message suggests the nearest), or
 * a missing parameter; WH_E_FORBIDDEN: not a read; WH_E_TIMEOUT; WH_E_TOO_LARGE: memory or a value;
 * WH_E_CANCELED; WH_E_BUSY: the time was over before the statement began. ret is set in any case.
 */
WH_MUST_CHECK enum wh_rc sql_run(struct sql_engine *engine, const struct sql_query *query,
                                 const struct sql_rows *rows, struct sql_outcome *ret,
                                 struct wh_err *err);

/* ---- the catalogue ---- */

/* How a column's value is shown in JSON. */
enum sql_shape { SQL_SHAPE_PLAIN, SQL_SHAPE_BOOL, SQL_SHAPE_TIME, SQL_SHAPE_JSON };

struct sql_column {
    const char *name;
    const char *type; /* SQL type: TEXT, INTEGER, REAL */
    enum sql_shape shape;
    const char *doc;
};

/* id, fields, the labels of references, and the identity. */
enum { SQL_COLUMNS_MAX = WH_FIELDS_MAX + 32 + 16 };

struct sql_table_info {
    const char *name;
    const char *base;  /* table of a view, else NULL */
    enum wh_kind kind; /* WH_KIND_NONE: not a table of entities */
    const char *doc;
    const char *example; /* a query */
};

/* All tables and views except the _all variants. */
const struct sql_table_info *sql_tables(size_t *ret_n);
/* Columns of a table or view ("work_items", "work_items_all", "incidents"); 0 when it is unknown.
 */
size_t sql_columns(struct wh_slice table, struct sql_column out[SQL_COLUMNS_MAX]);

#endif
