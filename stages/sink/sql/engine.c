/* The connections, and the queries that take turns with them; see sql.h. */
#include <pthread.h>

#include "common/base/mem.h"
#include "stages/sink/sql/functions_priv.h"

struct sql_engine {
    struct sql_engine_conf conf;
    struct people_cache *people;
    pthread_mutex_t lock; /* idle */
    pthread_cond_t returned;
    struct sql_conn *idle;
    atomic_bool stopped;
};

enum wh_rc sql_engine_new(const struct sql_engine_conf *conf, struct sql_engine **ret,
                          struct wh_err *err)
{
    struct sql_engine *e = wh_mem_zalloc(1, sizeof(*e));

    if (e == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the SQL engine");
    }
    if (sql_memory_install(err) != WH_OK) {
        wh_mem_free(e);
        return err->rc;
    }
    e->conf = *conf;
    (void)pthread_mutex_init(&e->lock, NULL);
    (void)pthread_cond_init(&e->returned, NULL);
    if (people_cache_new(&e->people, err) != WH_OK) {
        sql_engine_free(e);
        return err->rc;
    }
    for (size_t i = 0; i < conf->connections; i++) {
        struct sql_conn *conn = sql_conn_new(&e->conf, e->people, &e->stopped, err);

        if (conn == NULL) {
            sql_engine_free(e);
            return err->rc;
        }
        conn->next = e->idle;
        e->idle = conn;
    }
    *ret = e;
    return WH_OK;
}

struct people_cache *sql_engine_people(struct sql_engine *engine)
{
    return engine->people;
}

void sql_engine_stop(struct sql_engine *engine)
{
    atomic_store(&engine->stopped, true);
}

void sql_engine_free(struct sql_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    while (engine->idle) {
        struct sql_conn *conn = engine->idle;

        engine->idle = conn->next;
        sql_conn_free(conn);
    }
    people_cache_free(engine->people);
    (void)pthread_cond_destroy(&engine->returned);
    (void)pthread_mutex_destroy(&engine->lock);
    wh_mem_free(engine);
}

static struct sql_conn *borrow(struct sql_engine *e)
{
    struct sql_conn *conn;

    (void)pthread_mutex_lock(&e->lock);
    while (e->idle == NULL) {
        (void)pthread_cond_wait(&e->returned, &e->lock);
    }
    conn = e->idle;
    e->idle = conn->next;
    (void)pthread_mutex_unlock(&e->lock);
    return conn;
}

static void give_back(struct sql_engine *e, struct sql_conn *conn)
{
    (void)pthread_mutex_lock(&e->lock);
    conn->next = e->idle;
    e->idle = conn;
    (void)pthread_cond_signal(&e->returned);
    (void)pthread_mutex_unlock(&e->lock);
}

enum wh_rc sql_run(struct sql_engine *engine, const struct sql_query *query,
                   const struct sql_rows *rows, struct sql_outcome *ret, struct wh_err *err)
{
    int64_t started = wh_clock_mono_ns(&engine->conf.clock);
    struct sql_conn *conn;
    enum wh_rc rc;

    *ret = (struct sql_outcome){0};
    if (atomic_load(&engine->stopped)) {
        return wh_fail(err, WH_E_UNAVAILABLE, "this sink is stopping");
    }
    if (query->waited_ms >= query->timeout_ms) {
        return wh_fail(
            err, WH_E_BUSY,
            "the query waited %lld ms for other queries, its whole time limit; ask again",
            (long long)query->waited_ms);
    }
    conn = borrow(engine);
    conn->deadline_ns =
        wh_clock_mono_ns(&conn->clock) + (query->timeout_ms - query->waited_ms) * 1000000;
    conn->paused_ns = query->paused_ns;
    conn->canceled = query->canceled;
    conn->when = query->when ? *query->when : SINK_NOW;
    conn->timed_out = false;
    conn->rows_read = 0;
    conn->refused = NULL;
    wh_err_clear(&conn->err);
    rc = sql_statement_run(conn, query, rows, ret, err);
    ret->rows_read = conn->rows_read;
    ret->elapsed_us = (wh_clock_mono_ns(&engine->conf.clock) - started) / 1000;
    give_back(engine, conn);
    return rc;
}
