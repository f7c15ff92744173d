#include "stages/sink/rowtopics/rowtopics_priv.h"

#include <stdio.h>

#include "common/base/mem.h"

static void on_ack(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct row_acks *acks = (struct row_acks *)ack;

    if (d->rc != WH_OK && acks->failed++ == 0) {
        (void)snprintf(acks->reason, sizeof(acks->reason), "%s", d->reason ? d->reason : "");
    }
}

static void make_metrics(struct rowtopics *r)
{
    r->behind = wh_metrics_gauge(r->deps.metrics, "wellhead_rows_behind", NULL,
                                 "Changes that are not in the topics of rows yet");
    r->sent_total = wh_metrics_counter(r->deps.metrics, "wellhead_rows_sent_total", NULL,
                                       "Records sent to the topics of rows");
}

enum wh_rc rowtopics_new(const struct rowtopics_deps *deps, struct rowtopics **ret,
                         struct wh_err *err)
{
    struct rowtopics *r = wh_mem_zalloc(1, sizeof(*r));
    const struct sql_engine_conf sql = {.store = deps->store,
                                        .clock = deps->clock,
                                        .connections = 1,
                                        .folder = deps->folder,
                                        .zone = deps->zone};

    if (r == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the topics of rows");
    }
    r->deps = *deps;
    r->acks.ack.fn = on_ack;
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_mutex_init(&r->schemas.lock, NULL);
    wh_buf_init(&r->value, ROW_VALUE_BYTES);
    (void)snprintf(r->schemas_topic, sizeof(r->schemas_topic), "%srow-schemas", deps->topic_prefix);
    make_metrics(r);
    r->tables = wh_mem_zalloc(ROW_TABLES_MAX, sizeof(*r->tables));
    if (r->tables == NULL ||
        row_tables(deps->topic_prefix, r->tables, &r->n_tables, err) != WH_OK ||
        sql_engine_new(&sql, &r->engine, err) != WH_OK) {
        if (r->tables == NULL) {
            (void)wh_fail(err, WH_E_NOMEM, "no memory for the topics of rows");
        }
        rowtopics_free(r);
        return err->rc;
    }
    r->threaded = pthread_create(&r->thread, NULL, rows_thread, r) == 0;
    if (!r->threaded) {
        rowtopics_free(r);
        return wh_fail(err, WH_E_NOMEM, "no thread for the topics of rows");
    }
    *ret = r;
    return WH_OK;
}

void rowtopics_stop(struct rowtopics *r)
{
    atomic_store(&r->stop, true);
    sql_engine_stop(r->engine);
}

void rowtopics_free(struct rowtopics *r)
{
    if (r == NULL) {
        return;
    }
    if (r->threaded) {
        rowtopics_stop(r);
        (void)pthread_join(r->thread, NULL);
    }
    sql_engine_free(r->engine);
    known_done(&r->known);
    row_schemas_done(&r->schemas);
    wh_buf_done(&r->value);
    wh_mem_free(r->tables);
    (void)pthread_mutex_destroy(&r->schemas.lock);
    (void)pthread_mutex_destroy(&r->lock);
    wh_mem_free(r);
}

void rowtopics_status_get(struct rowtopics *r, struct rowtopics_status *ret)
{
    (void)pthread_mutex_lock(&r->lock);
    *ret = r->status;
    (void)pthread_mutex_unlock(&r->lock);
}

const char *rowtopics_state_name(enum rowtopics_state state)
{
    static const char *const names[] = {"starting", "reading", "comparing", "following", "failing"};

    return (unsigned)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

void rowtopics_collect(struct rowtopics *r)
{
    uint64_t last = changes_last(r->deps.changes);
    struct rowtopics_status now;

    rowtopics_status_get(r, &now);
    wh_gauge_set(r->behind, last > now.sequence ? (double)(last - now.sequence) : 0);
    if (now.sent > wh_counter_get(r->sent_total)) {
        wh_counter_add(r->sent_total, now.sent - wh_counter_get(r->sent_total));
    }
}
