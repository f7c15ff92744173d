/*
 * computed.h - tables whose rows are computed from the state when a statement asks for them.
 *
 * A table is read in steps, each of which adds the rows of one thing, such as one incident. So memory holds
 * the rows of one step. An equality with one of the table's key columns reads less than all of it; SQLite
 * checks it, and every other condition, again.
 *
 * To add a table: a definition here below (sql_computed_tables), an entry in catalog.c.
 *
 * Thread: that of the statement.
 */
#ifndef WH_SINK_SQL_COMPUTED_H
#define WH_SINK_SQL_COMPUTED_H

#include "common/base/arena.h"
#include "common/base/zone.h"
#include "stages/sink/past/past.h"
#include "stages/sink/sql/sql.h"

struct sql_computed_row {
    struct sql_computed_row *next;
    const struct sql_value *values; /* one for each column */
};

struct sql_conn;

/* One reading of a table. */
struct sql_computing {
    const struct sql_computed_def *def;
    struct sql_conn *conn; /* of the statement */
    struct past *past;
    struct wh_zone zone;  /* of the workspace */
    struct wh_arena kept; /* what the table needs until the reading ends */
    struct wh_arena step; /* emptied before each step; texts of rows live here, or in kept */
    void *state;          /* the table's own */
    struct sql_computed_row *first;
    struct sql_computed_row *last;
};

struct sql_computed_def {
    const char *name;
    const struct sql_column *columns;
    size_t n_columns;
    const char *const *keys; /* names of columns, the most selective first */
    size_t n_keys;
    bool
        finds_more; /* a key finds rows with other values too, by what they had: SQLite does not check it */
    double rows; /* an estimate */
    /* Begins a reading: of the rows in which the column keys[key] is the value, or, when key is -1, of all. */
    enum wh_rc (*start)(struct sql_computing *c, int key, struct wh_slice value,
                        struct wh_err *err);
    /* Adds some rows or none; sets *ret_end when there are no more. */
    enum wh_rc (*step)(struct sql_computing *c, bool *ret_end, struct wh_err *err);
    /* Ends a reading that was begun, also after a failure. NULL: nothing to do. */
    void (*stop)(struct sql_computing *c);
};

/* Adds a row; the values are copied, their bytes are not. */
WH_MUST_CHECK enum wh_rc sql_computed_add(struct sql_computing *c, const struct sql_value *values,
                                          struct wh_err *err);

/* Values: NULL for an empty text; an id and a time as text, in the memory of the step. */
struct sql_value sql_value_of_text(struct wh_slice text);
struct sql_value sql_value_of_int(int64_t i);
WH_MUST_CHECK enum wh_rc sql_value_of_id(struct sql_computing *c, const struct wh_entity_id *id,
                                         struct sql_value *ret, struct wh_err *err);
WH_MUST_CHECK enum wh_rc sql_value_of_time(struct sql_computing *c, int64_t ms,
                                           struct sql_value *ret, struct wh_err *err);

/* All of them. */
const struct sql_computed_def *const *sql_computed_tables(size_t *ret_n);
/* NULL when there is none of that name. */
const struct sql_computed_def *sql_computed_find(struct wh_slice name);

extern const struct sql_computed_def sql_incident_facts;
extern const struct sql_computed_def sql_incident_follow_ups;
extern const struct sql_computed_def sql_incident_impact;
extern const struct sql_computed_def sql_incident_revenue;
extern const struct sql_computed_def sql_incident_services;
extern const struct sql_computed_def sql_postmortems;
extern const struct sql_computed_def sql_rollbacks;
extern const struct sql_computed_def sql_unresolved;
extern const struct sql_computed_def sql_team_members;
extern const struct sql_computed_def sql_accounts;
extern const struct sql_computed_def sql_people_review;
extern const struct sql_computed_def sql_decisions;
extern const struct sql_computed_def sql_agent_calls;

#endif
