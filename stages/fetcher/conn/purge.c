#include "stages/fetcher/conn/purge.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/leave.h"
#include "stages/fetcher/conn/wipe.h"

struct purge {
    struct wh_bus_ack ack; /* first: the tombstone carries it */
    struct conn *conn;     /* NULL: it was freed meanwhile */
    bool wiping;           /* a pool thread works on the members below, and on nothing else */
    char id[WH_CONNECTION_ID_MAX];
    struct wipe_task task;
    struct wipe_report report;
    enum wh_rc rc;
    struct wh_err err;
};

static void end(struct purge *p)
{
    p->conn->purge = NULL;
    wh_mem_free(p);
}

static void fail(struct purge *p, const char *why)
{
    char text[240];

    (void)snprintf(text, sizeof(text), "disconnected; the purge failed: %.160s; ask for it again",
                   why);
    conn_set_state(p->conn, "disabled", text);
    end(p);
}

static void on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct purge *p = (struct purge *)ack;
    struct conn *c = p->conn;

    if (d->rc != WH_OK) {
        fail(p, "Kafka did not take it");
        return;
    }
    end(p);
    conn_drop(c);
}

static void wipe(void *ctx)
{
    struct purge *p = ctx;

    p->rc = wipe_connection(&p->task, &p->report, &p->err);
}

static void on_wiped(void *ctx)
{
    struct purge *p = ctx;
    struct wh_err err;

    p->wiping = false;
    if (p->conn == NULL) {
        wh_mem_free(p);
        return;
    }
    if (p->conn->fetcher->draining) {
        end(p);
        return;
    }
    if (p->rc != WH_OK) {
        fail(p, p->err.msg);
        return;
    }
    wh_log_info(p->conn->fetcher->deps.log, "topics and keys of a connection removed",
                WH_STR("connection", p->id), WH_I("topics", p->report.topics),
                WH_I("keys", (int64_t)p->report.keys));
    p->ack.fn = on_record;
    if (conn_save_removed(p->conn, &p->ack, &err) != WH_OK) {
        fail(p, err.msg);
    }
}

static enum wh_rc start(struct conn *c, struct wh_err *err)
{
    const struct fetcher_deps *d = &c->fetcher->deps;
    struct purge *p = wh_mem_zalloc(1, sizeof(*p));

    if (p == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a purge");
    }
    p->conn = c;
    p->wiping = true;
    memcpy(p->id, c->id, sizeof(p->id));
    p->task = (struct wipe_task){.connection = p->id,
                                 .topic_prefix = d->conf.topic_prefix,
                                 .admin = d->admin,
                                 .consumer_new = d->consumer_new,
                                 .producer_new = d->producer_new,
                                 .ctx = d->bus_ctx};
    if (wh_loop_work(d->loop, wipe, on_wiped, p, err) != WH_OK) {
        wh_mem_free(p);
        return err->rc;
    }
    c->purge = p;
    return WH_OK;
}

enum wh_rc purge_begin(struct conn *c, struct wh_err *err)
{
    if (c->purge) {
        return WH_OK;
    }
    if (!wh_slice_eq(c->doc.state, WH_LIT("disabled"))) {
        return wh_fail(err, WH_E_BUSY, "disconnect it first");
    }
    if (!leave_is_done(c)) {
        return wh_fail(err, WH_E_BUSY, "it is not disconnected yet: %.200s",
                       c->detail[0] ? c->detail : "its secrets are still there");
    }
    return start(c, err);
}

bool purge_under_way(const struct conn *c)
{
    return c->purge != NULL;
}

void purge_free(struct purge *p)
{
    if (p && p->wiping) {
        p->conn = NULL; /* on_wiped frees it */
    } else {
        wh_mem_free(p);
    }
}
