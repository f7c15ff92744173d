/* The thread: reads the topics, compares the tables with them, follows the log of changes. */
#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/bus/tail.h"
#include "stages/sink/rowtopics/rowtopics_priv.h"

enum {
    CHANGES = 500,      /* of one look at the log */
    FAR_BEHIND = 20000, /* a comparison is cheaper than so many changes */
    AWAIT_MS = 500,
    NAP_MS = 100,
    ASK_MS = 10000,
    SEGMENT_MS = 3600 * 1000,
    SHARE = 9, /* a comparison takes at most a tenth of the time */
    SOONER =
        4, /* part of sweep_ms after which one may follow a change that the log does not name */
    NS_PER_MS = 1000000,
};

static void set_state(struct rowtopics *r, enum rowtopics_state state, const char *reason)
{
    (void)pthread_mutex_lock(&r->lock);
    r->status.state = state;
    (void)snprintf(r->status.reason, sizeof(r->status.reason), "%s", reason);
    (void)pthread_mutex_unlock(&r->lock);
}

static enum wh_rc check_stop(const struct rowtopics *r, struct wh_err *err)
{
    return atomic_load(&r->stop) ? wh_fail(err, WH_E_CANCELED, "the sink stops") : WH_OK;
}

/* ---- what the topics hold ---- */

static enum wh_rc make_topics(struct rowtopics *r, struct wh_admin *admin, struct wh_err *err)
{
    struct wh_bus_topic topics[ROW_TABLES_MAX + 1];

    for (size_t i = 0; i <= r->n_tables; i++) {
        topics[i] = (struct wh_bus_topic){
            .name = i < r->n_tables ? r->tables[i].topic : r->schemas_topic,
            .partitions = i < r->n_tables ? (int32_t)r->deps.partitions : 1,
            .replication = (int32_t)r->deps.replication,
            .retention_ms = -1,
            .compact = true,
            .segment_ms = SEGMENT_MS,
        };
    }
    return wh_admin_create(admin, topics, r->n_tables + 1, ASK_MS, err);
}

/* The key is the topic, a space, and the id. */
static enum wh_rc on_schema(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err)
{
    struct rowtopics *r = ctx;
    const char *space = msg->key.len ? memchr(msg->key.ptr, ' ', msg->key.len) : NULL;
    char topic[WH_BUS_TOPIC_MAX + 1];
    struct wh_err ignored;
    int64_t id;

    if (space == NULL || msg->value.len == 0 || space - msg->key.ptr > WH_BUS_TOPIC_MAX ||
        wh_num_i64(wh_slice(space + 1, msg->key.len - (size_t)(space + 1 - msg->key.ptr)), &id,
                   &ignored) != WH_OK) {
        return WH_OK;
    }
    memcpy(topic, msg->key.ptr, (size_t)(space - msg->key.ptr));
    topic[space - msg->key.ptr] = '\0';
    return row_schemas_add(&r->schemas, (int32_t)id, topic, msg->value, NULL, err);
}

/* Those of this build are there before the first record that needs them. */
static enum wh_rc publish_schemas(struct rowtopics *r, struct wh_err *err)
{
    struct wh_buf text;
    enum wh_rc rc = WH_OK;

    wh_buf_init(&text, ROW_SCHEMA_BYTES);
    for (size_t i = 0; rc == WH_OK && i < r->n_tables; i++) {
        const struct row_table *t = &r->tables[i];
        char key[WH_BUS_TOPIC_MAX + 16];
        bool is_new = false;

        (void)snprintf(key, sizeof(key), "%s %d", t->topic, t->schema);
        wh_buf_reset(&text);
        rc = row_schema_text(t, &text, err);
        rc = rc == WH_OK ? row_schemas_add(&r->schemas, t->schema, t->topic, wh_buf_slice(&text),
                                           &is_new, err)
                         : rc;
        rc = rc == WH_OK
                 ? rows_produce(r, r->schemas_topic, wh_slice_str(key), wh_buf_slice(&text), err)
                 : rc;
    }
    wh_buf_done(&text);
    return rc == WH_OK ? rows_flush(r, err) : rc;
}

struct taking {
    struct rowtopics *r;
    unsigned table;
};

static enum wh_rc on_record(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err)
{
    const struct taking *taking = ctx;
    struct rowtopics *r = taking->r;
    struct known_row *row;
    struct wh_entity_id id;
    struct wh_err ignored;

    if (wh_entity_id_parse(msg->key, &id, &ignored) != WH_OK) {
        return check_stop(r, err); /* of somebody else */
    }
    row = known_at(&r->known, taking->table, &id);
    if (row == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to remember the rows of the topics");
    }
    row->hash = msg->value.ptr ? wh_hash64(msg->value) | 1 : 0;
    return check_stop(r, err);
}

static enum wh_rc read_table(struct rowtopics *r, unsigned table, struct wh_admin *admin,
                             struct wh_err *err)
{
    struct taking taking = {.r = r, .table = table};
    struct wh_consumer *consumer = NULL;
    enum wh_rc rc = r->deps.make_consumer(r->deps.ctx, &consumer, err);

    rc = rc == WH_OK ? wh_tail_read(consumer, admin, r->tables[table].topic, ASK_MS, on_record,
                                    &taking, err)
                     : rc;
    wh_consumer_free(consumer);
    return rc;
}

static enum wh_rc read_schemas(struct rowtopics *r, struct wh_admin *admin, struct wh_err *err)
{
    struct wh_consumer *consumer = NULL;
    enum wh_rc rc = r->deps.make_consumer(r->deps.ctx, &consumer, err);

    rc = rc == WH_OK ? wh_tail_read(consumer, admin, r->schemas_topic, ASK_MS, on_schema, r, err)
                     : rc;
    wh_consumer_free(consumer);
    return rc == WH_OK ? publish_schemas(r, err) : rc;
}

static void count_known(struct rowtopics *r)
{
    uint64_t n = 0;

    for (size_t i = 0; i < r->known.n_slots; i++) {
        n += r->known.slots[i].table && r->known.slots[i].hash;
    }
    (void)pthread_mutex_lock(&r->lock);
    r->status.rows = n;
    (void)pthread_mutex_unlock(&r->lock);
}

static enum wh_rc read_topics(struct rowtopics *r, struct wh_err *err)
{
    struct wh_admin *admin = NULL;
    enum wh_rc rc = r->deps.make_admin(r->deps.ctx, &admin, err);

    set_state(r, ROWTOPICS_READING, "");
    known_done(&r->known);
    rc = rc == WH_OK ? make_topics(r, admin, err) : rc;
    rc = rc == WH_OK ? read_schemas(r, admin, err) : rc;
    for (unsigned i = 0; rc == WH_OK && i < r->n_tables; i++) {
        rc = read_table(r, i, admin, err);
    }
    wh_admin_free(admin);
    count_known(r);
    return rc;
}

/* ---- comparing ---- */

/*
 * Two hashes of what the store says of itself: of all of it, and of what changes rows without an entry in the log:
 * people, deletions (children go with their parent), and fewer entities than before (a purge).
 */
static enum wh_rc read_stamp(struct rowtopics *r, uint64_t *ret_all, uint64_t *ret_silent,
                             struct wh_err *err)
{
    struct wh_slice key;
    struct wh_slice bytes;
    uint64_t all = 0;
    uint64_t silent = 0;
    struct wh_iter *it;
    enum wh_rc rc;

    rc = wh_iter_new(r->deps.store, NULL, SINK_META, WH_LIT("c"), WH_LIT("q"), &it, err);
    if (rc != WH_OK) {
        return rc;
    }
    for (wh_iter_seek(it, WH_LIT("c"), false); wh_iter_valid(it, &key, &bytes);) {
        if (key.len == 2 && key.ptr[0] == 'c' && bytes.len == 24) {
            all = all * 31 + wh_hash64(bytes);
            silent = silent * 31 + wh_be_get64(bytes.ptr + 8);
            wh_iter_step(it, false);
        } else if (key.len == 1 && (key.ptr[0] == 'n' || key.ptr[0] == 'p')) {
            all = all * 31 + wh_hash64(bytes);
            silent = key.ptr[0] == 'p' ? silent * 31 + wh_hash64(bytes) : silent;
            wh_iter_step(it, false);
        } else {
            /* Documents are many: on to the next key of one byte, or two. */
            wh_iter_seek(it,
                         key.ptr[0] < 'n'   ? WH_LIT("n")
                         : key.ptr[0] < 'p' ? WH_LIT("p")
                                            : WH_LIT("q"),
                         false);
        }
    }
    rc = wh_iter_error(it, err);
    wh_iter_free(it);
    *ret_all = all;
    *ret_silent = silent;
    return rc;
}

static enum wh_rc compare(struct rowtopics *r, struct wh_err *err)
{
    int64_t began_ns = wh_clock_mono_ns(&r->deps.clock);
    uint64_t sequence = changes_last(r->deps.changes);
    enum wh_rc rc = read_stamp(r, &r->stamp, &r->quiet_stamp, err);

    set_state(r, ROWTOPICS_COMPARING, "");
    r->sweep++;
    for (unsigned i = 0; rc == WH_OK && i < r->n_tables; i++) {
        rc = rows_send_table(r, i, err);
    }
    rc = rc == WH_OK ? rows_send_gone(r, err) : rc;
    rc = rc == WH_OK ? rows_flush(r, err) : rc;
    if (rc != WH_OK) {
        return rc;
    }
    r->followed = sequence > r->followed ? sequence : r->followed;
    r->swept_ns = wh_clock_mono_ns(&r->deps.clock);
    r->sweep_ns = r->swept_ns - began_ns;
    (void)pthread_mutex_lock(&r->lock);
    r->status.state = ROWTOPICS_FOLLOWING;
    r->status.sequence = r->followed;
    r->status.compared_ms = wh_clock_now_ms(&r->deps.clock);
    (void)pthread_mutex_unlock(&r->lock);
    return WH_OK;
}

static enum wh_rc compare_if_due(struct rowtopics *r, struct wh_err *err)
{
    int64_t since_ns = wh_clock_mono_ns(&r->deps.clock) - r->swept_ns;
    int64_t gap_ns = r->deps.sweep_ms * NS_PER_MS;
    uint64_t all;
    uint64_t silent;

    if (changes_last(r->deps.changes) > r->followed + FAR_BEHIND) {
        return compare(r, err);
    }
    if (since_ns < gap_ns / SOONER || since_ns < SHARE * r->sweep_ns) {
        return WH_OK;
    }
    if (read_stamp(r, &all, &silent, err) != WH_OK) {
        return err->rc;
    }
    if (silent == r->quiet_stamp && (all == r->stamp || since_ns < gap_ns)) {
        return WH_OK;
    }
    return compare(r, err);
}

/* ---- following ---- */

/* backlinks: to id 16, kind 1, field 1, from id 16 */
static enum wh_rc send_referrers(struct rowtopics *r, const struct wh_entity_id *to,
                                 struct wh_err *err)
{
    struct wh_slice prefix = wh_slice(to->bytes, sizeof(to->bytes));
    struct wh_snapshot *snap = NULL;
    struct wh_iter *it = NULL;
    struct wh_slice key;
    enum wh_rc rc = wh_store_snapshot(r->deps.store, &snap, err);

    rc = rc == WH_OK
             ? wh_iter_new(r->deps.store, snap, SINK_BACKLINKS, prefix, wh_slice("", 0), &it, err)
             : rc;
    if (rc == WH_OK) {
        wh_iter_seek(it, prefix, false);
    }
    while (rc == WH_OK && wh_iter_valid(it, &key, NULL) && wh_slice_starts(key, prefix)) {
        struct wh_entity_id from;
        unsigned table;

        memcpy(from.bytes, key.ptr + 18, sizeof(from.bytes));
        if (key.len == SINK_LINK_KEY &&
            rows_table_of(r, (enum wh_kind)(unsigned char)key.ptr[16], &table)) {
            rc = rows_send_one(r, table, &from, err);
        }
        rc = rc == WH_OK ? check_stop(r, err) : rc;
        wh_iter_step(it, false);
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    wh_store_snapshot_free(r->deps.store, snap);
    return rc;
}

static enum wh_rc send_changed(struct rowtopics *r, const struct change *c, struct wh_err *err)
{
    unsigned table;

    if (!rows_table_of(r, c->kind, &table)) {
        return WH_OK;
    }
    if (rows_send_one(r, table, &c->id, err) != WH_OK) {
        return err->rc;
    }
    return r->refers ? send_referrers(r, &c->id, err) : WH_OK;
}

static enum wh_rc follow_some(struct rowtopics *r, struct change *list, struct wh_err *err)
{
    size_t n = 0;
    enum wh_rc rc = changes_read(r->deps.changes, r->followed, list, CHANGES, &n, err);

    for (size_t i = 0; rc == WH_OK && i < n; i++) {
        rc = list[i].superseded ? check_stop(r, err) : send_changed(r, &list[i], err);
    }
    if (rc != WH_OK || n == 0) {
        return rc;
    }
    rc = rows_flush(r, err);
    if (rc == WH_OK) {
        r->followed = list[n - 1].sequence;
        (void)pthread_mutex_lock(&r->lock);
        r->status.sequence = r->followed;
        (void)pthread_mutex_unlock(&r->lock);
    }
    return rc;
}

static enum wh_rc follow(struct rowtopics *r, struct wh_err *err)
{
    WH_AUTO_FREE struct change *list = wh_mem_zalloc(CHANGES, sizeof(*list));
    enum wh_rc rc = WH_OK;

    if (list == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for changes");
    }
    while (rc == WH_OK) {
        rc = check_stop(r, err);
        rc = rc == WH_OK ? compare_if_due(r, err) : rc;
        if (rc == WH_OK && changes_await(r->deps.changes, r->followed, AWAIT_MS, &r->stop)) {
            rc = follow_some(r, list, err);
        }
    }
    return rc;
}

/* ---- the thread ---- */

static enum wh_rc session(struct rowtopics *r, struct wh_err *err)
{
    enum wh_rc rc = r->deps.make_producer(r->deps.ctx, &r->producer, err);

    r->acks.failed = 0;
    r->followed = 0;
    rc = rc == WH_OK ? read_topics(r, err) : rc;
    rc = rc == WH_OK ? compare(r, err) : rc;
    rc = rc == WH_OK ? follow(r, err) : rc;
    wh_producer_free(r->producer);
    r->producer = NULL;
    return rc;
}

static void nap(const struct rowtopics *r)
{
    for (int64_t ms = 0; ms < r->deps.retry_ms && !atomic_load(&r->stop); ms += NAP_MS) {
        const struct timespec t = {.tv_nsec = (long)NAP_MS * NS_PER_MS};

        (void)nanosleep(&t, NULL);
    }
}

void *rows_thread(void *ctx)
{
    struct rowtopics *r = ctx;

    while (!atomic_load(&r->stop)) {
        struct wh_err err = {0};

        if (session(r, &err) != WH_OK && !atomic_load(&r->stop)) {
            set_state(r, ROWTOPICS_FAILING, err.msg);
            wh_log_warn(r->deps.log, "the topics of rows wait, and begin again", WH_RC(&err));
            nap(r);
        }
    }
    return NULL;
}
