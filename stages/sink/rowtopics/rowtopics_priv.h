/* rowtopics_priv.h - what the files of this room share. */
#ifndef WH_SINK_ROWTOPICS_PRIV_H
#define WH_SINK_ROWTOPICS_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "stages/sink/rowtopics/rowtopics.h"
#include "stages/sink/sql/sql.h"
#include "stages/sink/store/keyspace.h"

enum {
    ROW_TABLES_MAX = 64,
    ROW_SCHEMAS_MAX = 4096,
    ROW_SCHEMA_BYTES = 64 << 10,
    ROW_VALUE_BYTES = 24 << 20,
    ROW_STATEMENT_BYTES = 8 << 10,
};

/* ---- known.c: which rows are in the topics ---- */

struct known_row {
    struct wh_entity_id id;
    uint64_t hash;       /* of the record's value; 0: there is none, or a tombstone */
    uint64_t label;      /* hash of what other rows call it; 0: not known */
    uint32_t seen;       /* number of the last comparison that saw the row */
    unsigned char table; /* 1 + its index; 0: a free slot */
};

struct known {
    struct known_row *slots;
    size_t n_slots; /* a power of two */
    size_t used;
};

void known_done(struct known *k);
/* The row's slot, made when there is none; valid until the next call. NULL: no memory. */
struct known_row *known_at(struct known *k, unsigned table, const struct wh_entity_id *id);

/* ---- tables.c: tables, their statements and their schemas ---- */

struct row_table {
    const char *name;
    enum wh_kind kind;
    char topic[WH_BUS_TOPIC_MAX + 1];
    struct sql_column columns[SQL_COLUMNS_MAX];
    bool label[SQL_COLUMNS_MAX]; /* what other rows show of it */
    size_t n;
    char all[ROW_STATEMENT_BYTES]; /* every row; the id comes first */
    char one[ROW_STATEMENT_BYTES]; /* that of :id */
    int32_t schema;
};

/* All tables of entities; *ret_n at most ROW_TABLES_MAX. */
WH_MUST_CHECK enum wh_rc row_tables(const char *prefix, struct row_table *out, size_t *ret_n,
                                    struct wh_err *err);
WH_MUST_CHECK enum wh_rc row_schema_text(const struct row_table *t, struct wh_buf *out,
                                         struct wh_err *err);
int32_t row_schema_id(struct wh_slice text);
/* The row as a record of its schema, with its frame. */
WH_MUST_CHECK enum wh_rc row_encode(const struct row_table *t, const struct sql_value *values,
                                    struct wh_buf *out, struct wh_err *err);
/* A hash of what other rows show of this one; never 0. */
uint64_t row_label(const struct row_table *t, const struct sql_value *values);

/* ---- schemas.c ---- */

struct row_schemas {
    pthread_mutex_t lock;
    size_t n;
    struct rowtopics_schema *items[ROW_SCHEMAS_MAX];
};

void row_schemas_done(struct row_schemas *s);
/* Adds it unless that id is there. *ret_new may be NULL. */
WH_MUST_CHECK enum wh_rc row_schemas_add(struct row_schemas *s, int32_t id, const char *topic,
                                         struct wh_slice text, bool *ret_new, struct wh_err *err);

/* ---- the topics ---- */

struct row_acks {
    struct wh_bus_ack ack; /* first: the records carry it */
    size_t failed;
    char reason[WH_ERR_MSG_MAX];
};

struct rowtopics {
    struct rowtopics_deps deps;
    struct sql_engine *engine;
    struct row_table *tables;
    size_t n_tables;
    char schemas_topic[WH_BUS_TOPIC_MAX + 1];
    struct row_schemas schemas;
    pthread_t thread;
    bool threaded;
    atomic_bool stop;
    pthread_mutex_t lock;
    struct rowtopics_status status; /* under the lock */
    struct wh_gauge *behind;
    struct wh_counter *sent_total;
    /* The thread's alone. */
    struct known known;
    struct wh_producer *producer;
    struct row_acks acks;
    struct wh_buf value;
    uint32_t sweep;    /* number of the comparison */
    bool refers;       /* the row that was read last is called otherwise now */
    uint64_t followed; /* sequence */
    int64_t swept_ns;  /* when the last comparison ended, and how long it took */
    int64_t sweep_ns;
    uint64_t stamp; /* of the store, when it began */
    uint64_t quiet_stamp;
};

/* ---- send.c: rows to records ---- */

/* Sends every row of the table that is not in its topic as it is. */
WH_MUST_CHECK enum wh_rc rows_send_table(struct rowtopics *r, unsigned table, struct wh_err *err);
/* Sends the row of an entity, or its tombstone; r->refers: others call it otherwise now. */
WH_MUST_CHECK enum wh_rc rows_send_one(struct rowtopics *r, unsigned table,
                                       const struct wh_entity_id *id, struct wh_err *err);
/* Sends tombstones for what the comparison has not seen. */
WH_MUST_CHECK enum wh_rc rows_send_gone(struct rowtopics *r, struct wh_err *err);
/* Until all is acknowledged. WH_E_UNAVAILABLE when Kafka has refused any. */
WH_MUST_CHECK enum wh_rc rows_flush(struct rowtopics *r, struct wh_err *err);
WH_MUST_CHECK enum wh_rc rows_produce(struct rowtopics *r, const char *topic, struct wh_slice key,
                                      struct wh_slice value, struct wh_err *err);
/* The table of a kind; false when it has none. */
bool rows_table_of(const struct rowtopics *r, enum wh_kind kind, unsigned *ret);

/* ---- follow.c: the thread ---- */

void *rows_thread(void *ctx);

#endif
