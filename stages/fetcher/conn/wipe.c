#include "stages/fetcher/conn/wipe.h"

#include <string.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/bus/tail.h"
#include "common/event/topics.h"

enum {
    ADMIN_TIMEOUT_MS = 30000,
    GONE_LOOKS = 150,
    GONE_PAUSE_MS = 200,
    POLL_MS = 200,
    FLUSH_MS = 30000,
};

struct wipe {
    struct wh_bus_ack ack; /* first: tombstones carry it */
    const struct wipe_task *task;
    struct wh_slice connection;
    struct wh_consumer *consumer;
    struct wh_producer *producer;
    struct wipe_report *report;
    size_t refused; /* tombstones that Kafka has refused */
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
    if (wh_admin_list(w->task->admin, ADMIN_TIMEOUT_MS, &list, &n, err) != WH_OK) {
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
        if (wh_topic_name(w->task->topic_prefix, roles[i], w->connection, names[i], err) != WH_OK) {
            return err->rc;
        }
        list[i] = names[i];
    }
    if (still_there(w, names, &before, err) != WH_OK ||
        wh_admin_remove(w->task->admin, list, 3, ADMIN_TIMEOUT_MS, err) != WH_OK) {
        return err->rc;
    }
    for (unsigned i = 0; i < GONE_LOOKS; i++) {
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

/* The key is "<connection>" or "<connection>:...". */
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
        if (wh_topic_name(w->task->topic_prefix, shared[i], WH_LIT(""), topic, err) != WH_OK ||
            wh_tail_read(w->consumer, w->task->admin, topic, ADMIN_TIMEOUT_MS, on_record, w, err) !=
                WH_OK) {
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
    const struct wipe_task *t = w->task;

    if (remove_topics(w, err) != WH_OK || t->consumer_new(t->ctx, &w->consumer, err) != WH_OK ||
        t->producer_new(t->ctx, &w->producer, err) != WH_OK) {
        return err->rc;
    }
    return wipe_all_shared(w, err);
}

enum wh_rc wipe_connection(const struct wipe_task *task, struct wipe_report *ret,
                           struct wh_err *err)
{
    struct wipe w = {.ack.fn = on_tombstone,
                     .task = task,
                     .connection = wh_slice_str(task->connection),
                     .report = ret};
    enum wh_rc rc = wipe_all(&w, err);

    wh_consumer_free(w.consumer);
    wh_producer_free(w.producer);
    return rc;
}
