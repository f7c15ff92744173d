/*
 * What Kafka holds of a connection: its own topics are deleted, and awaited to be gone; in the
 * topics that all connections share each of its keys gets a tombstone, where it lies. Runs on a
 * pool thread, with a consumer and a producer of its own.
 */
#include <stdio.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/bus/tail.h"
#include "stages/fetcher/conn/leave.h"

enum {
    ADMIN_TIMEOUT_MS = 30000,
    GONE_LOOKS = 150,
    GONE_PAUSE_MS = 200,
    POLL_MS = 200,
    FLUSH_MS = 30000,
};

struct wipe {
    struct wh_bus_ack ack; /* first: tombstones carry it */
    const struct fetcher *f;
    struct wh_slice connection;
    struct wh_consumer *consumer;
    struct wh_producer *producer;
    struct wipe_report *report;
    size_t refused; /* tombstones that Kafka did not take */
};

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&t, NULL);
}

/* ---- its own topics ---- */

static enum wh_rc still_there(const struct wipe *w, char names[3][WH_TOPIC_MAX], unsigned *ret,
                              struct wh_err *err)
{
    struct wh_bus_topic_info *list = NULL;
    size_t n = 0;

    *ret = 0;
    if (wh_admin_list(w->f->deps.admin, ADMIN_TIMEOUT_MS, &list, &n, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < 3; k++) {
            *ret += strcmp(list[i].name, names[k]) == 0;
        }
    }
    wh_bus_topic_list_free(list, n);
    return WH_OK;
}

static enum wh_rc remove_topics(const struct wipe *w, struct wh_err *err)
{
    static const enum wh_topic_role roles[] = {WH_TOPIC_RAW, WH_TOPIC_ENTITIES,
                                               WH_TOPIC_DEAD_LETTER};
    char names[3][WH_TOPIC_MAX];
    const char *list[3];
    unsigned before = 0;
    unsigned left = 0;

    for (unsigned i = 0; i < 3; i++) {
        if (wh_topic_name(w->f->deps.conf.topic_prefix, roles[i], w->connection, names[i], err) !=
            WH_OK) {
            return err->rc;
        }
        list[i] = names[i];
    }
    if (still_there(w, names, &before, err) != WH_OK ||
        wh_admin_remove(w->f->deps.admin, list, 3, ADMIN_TIMEOUT_MS, err) != WH_OK) {
        return err->rc;
    }
    for (unsigned look = 0; look < GONE_LOOKS; look++) {
        if (still_there(w, names, &left, err) != WH_OK) {
            return err->rc;
        }
        if (left == 0) {
            w->report->topics += before;
            return WH_OK;
        }
        pause_ms(GONE_PAUSE_MS);
    }
    return wh_fail(err, WH_E_TIMEOUT, "Kafka still lists %u of the connection's topics", left);
}

/* ---- its keys in shared topics ---- */

/* "<connection>" or "<connection>:...". */
static bool is_ours(const struct wipe *w, struct wh_slice key)
{
    return wh_slice_starts(key, w->connection) &&
           (key.len == w->connection.len || key.ptr[w->connection.len] == ':');
}

static void on_tombstone(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct wipe *w = (struct wipe *)ack;

    w->refused += d->rc != WH_OK;
}

static enum wh_rc bury(struct wipe *w, const struct wh_bus_msg *msg, struct wh_err *err)
{
    const struct wh_bus_record record = {
        .topic = msg->topic, .partition = msg->partition, .key = msg->key, .ack = &w->ack};
    enum wh_rc rc;

    do {
        rc = wh_producer_produce(w->producer, &record, err);
        (void)wh_producer_poll(w->producer, rc == WH_E_BUSY ? POLL_MS : 0);
    } while (rc == WH_E_BUSY);
    w->report->keys += rc == WH_OK;
    return rc;
}

static enum wh_rc on_record(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err)
{
    struct wipe *w = ctx;

    return msg->value.ptr && is_ours(w, msg->key) ? bury(w, msg, err) : WH_OK;
}

static enum wh_rc wipe_all_shared(struct wipe *w, struct wh_err *err)
{
    static const enum wh_topic_role shared[] = {WH_TOPIC_FETCH_STATE, WH_TOPIC_RUNS,
                                                WH_TOPIC_REREADS, WH_TOPIC_HEALTH};
    char topic[WH_TOPIC_MAX];

    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
        if (wh_topic_name(w->f->deps.conf.topic_prefix, shared[i], WH_LIT(""), topic, err) !=
                WH_OK ||
            wh_tail_read(w->consumer, w->f->deps.admin, topic, ADMIN_TIMEOUT_MS, on_record, w,
                         err) != WH_OK) {
            return wh_err_prefix(err, "%s", topic);
        }
    }
    if (wh_producer_flush(w->producer, FLUSH_MS, err) != WH_OK) {
        return err->rc;
    }
    return w->refused
               ? wh_fail(err, WH_E_UNAVAILABLE, "Kafka did not take %zu tombstones", w->refused)
               : WH_OK;
}

static enum wh_rc wipe_all(struct wipe *w, struct wh_err *err)
{
    const struct fetcher_deps *d = &w->f->deps;

    if (remove_topics(w, err) != WH_OK || d->consumer_new(d->bus_ctx, &w->consumer, err) != WH_OK ||
        d->producer_new(d->bus_ctx, &w->producer, err) != WH_OK) {
        return err->rc;
    }
    return wipe_all_shared(w, err);
}

enum wh_rc wipe_connection(const struct fetcher *f, const char *connection, struct wipe_report *ret,
                           struct wh_err *err)
{
    WH_AUTO_FREE struct wipe *w = wh_mem_zalloc(1, sizeof(*w));
    enum wh_rc rc;

    if (w == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a purge");
    }
    w->f = f;
    w->connection = wh_slice_str(connection);
    w->ack.fn = on_tombstone;
    w->report = ret;
    rc = wipe_all(w, err);
    wh_consumer_free(w->consumer);
    wh_producer_free(w->producer);
    return rc;
}
