#include "stages/sink/ingest/writer_priv.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "common/event/messages.h"
#include "common/json/json_doc.h"
#include "stages/sink/batch/parents.h"

enum {
    SCRATCH_MAX_BYTES = 64 << 20,
    DOCUMENT_MAX_BYTES = 1 << 20,
    DOCUMENT_MAX_DEPTH = 16,
    PAUSE_GROWTH_MAX = 16,
    CHILDREN_MAX = 1024, /* of one step */
    FLYING_SHARE = 8,    /* a poll of at least this share of batch.records is a backlog */
};

static const size_t nothing = SIZE_MAX;

/* ---- one record ---- */

/* When it happened according to GitLab. 0: unknown, as a job in a pipeline's webhook may have ended
 * long before. */
static int64_t event_ms(const struct wh_observation *o)
{
    bool inside = o->body.def->kind == WH_KIND_JOB &&
                  wh_slice_starts(o->provenance.view, WH_LIT("gitlab.pipeline."));

    return inside ? 0 : wh_version_at_ms(o->version.order);
}

static void sample(struct sink_writer *w, const struct sink_partition *p,
                   const struct wh_bus_msg *msg, const struct wh_observation *o,
                   enum wh_history_outcome outcome)
{
    w->observations++;
    if (outcome == WH_HISTORY_DUPLICATE) {
        w->duplicates++;
        return;
    }
    if (msg->offset < p->target) {
        return; /* records older than the process say nothing about freshness */
    }
    w->samples[w->n_samples++] =
        (struct sink_sample){.kind = (unsigned char)o->body.def->kind,
                             .origin = (unsigned char)o->provenance.origin,
                             .observed_at_ms = o->provenance.observed_at_ms,
                             .version_at_ms = event_ms(o)};
}

/*
 * When a record counts as stored. One that was in Kafka before the store was begun was stored by an
 * earlier store, at an unknown time after Kafka took it: that time is the nearest that is known, and the
 * same in every rebuild.
 */
static int64_t stored_ms(const struct sink_writer *w, const struct wh_bus_msg *msg, int64_t now_ms)
{
    return msg->timestamp_ms > 0 && msg->timestamp_ms < w->begun_ms ? msg->timestamp_ms : now_ms;
}

static void put_aside(struct sink_writer *w, size_t index, const struct sink_topic *topic,
                      enum wh_rc rc)
{
    wh_log_error(w->deps.log, "damaged record sent to the dead letter topic",
                 WH_STR("topic", topic->name), WH_I("partition", w->msgs[index].partition),
                 WH_I("offset", w->msgs[index].offset), WH_STR("rc", wh_rc_name(rc)));
    w->set_aside[w->n_set_aside] = index;
    w->set_aside_rc[w->n_set_aside++] = rc;
}

static enum wh_rc keep_observation(struct sink_writer *w, const struct sink_topic *topic,
                                   const struct sink_partition *p, size_t index, int64_t now_ms,
                                   struct wh_err *err)
{
    const struct wh_bus_msg *msg = &w->msgs[index];
    struct wh_history_result result;
    struct wh_observation o;
    enum wh_rc rc;

    if (msg->value.ptr == NULL) {
        return WH_OK;
    }
    rc = wh_observation_decode(msg->value, sink_apply_arena(w->apply), &o, err);
    if (wh_rc_class(rc) == WH_CLASS_POISON && rc != WH_E_TOO_LARGE) {
        put_aside(w, index, topic, rc);
        return WH_OK;
    }
    if (rc == WH_OK) {
        rc = sink_apply_observation(w->apply, &o, stored_ms(w, msg, now_ms), &result, err);
    }
    if (rc == WH_OK) {
        sample(w, p, msg, &o, result.outcome);
        rc = sink_outcomes_note(w->outcomes, topic->connection, &o, w->apply, &result, err);
    }
    if (rc == WH_OK && o.n_set_aside) {
        rc = sink_keep_set_aside(w, topic->connection, &o, err);
    }
    return rc;
}

/* Applies record `index`. build handles errors of the class POISON, WH_E_TOO_LARGE among them. */
static enum wh_rc apply_record(struct sink_writer *w, size_t index, int64_t now_ms,
                               struct wh_err *err)
{
    const struct wh_bus_msg *msg = &w->msgs[index];
    struct sink_topic *topic = NULL;
    struct sink_partition *p = sink_table_find(&w->table, msg->topic, msg->partition, &topic);
    enum wh_rc rc = WH_OK;

    if (p == NULL || p->held || msg->offset < p->pending) {
        return WH_OK; /* not assigned any more, held, or applied already */
    }
    if (index == w->poison) {
        put_aside(w, index, topic, w->poison_rc);
    } else {
        rc = topic->connection[0] == '\0' ? sink_keep_document(w, topic->role, msg, err)
                                          : keep_observation(w, topic, p, index, now_ms, err);
    }
    if (rc == WH_E_UNKNOWN_SCHEMA) {
        sink_table_hold(&w->table, topic, p, "a schema that this build does not know; update it");
        w->reassign = true;
        return WH_OK;
    }
    if (rc == WH_OK) {
        p->pending = msg->offset + 1;
        topic->last_record_ms = msg->timestamp_ms;
    }
    return rc;
}

/* ---- one batch ---- */

static void forget_batch(struct sink_writer *w)
{
    sink_apply_begin_over(w->apply, w->flight.batch);
    sink_outcomes_forget(w->outcomes);
    w->n_set_aside = 0;
    w->aside_done = false;
    w->purge_marked = false;
    w->n_samples = 0;
    w->observations = 0;
    w->duplicates = 0;
    w->to = w->from;
    for (size_t i = 0; i < w->table.n_topics; i++) {
        for (int32_t p = 0; p < w->table.topics[i]->n_partitions; p++) {
            struct sink_partition *one = &w->table.topics[i]->partitions[p];

            one->flying = w->flight.batch ? one->flying : one->next;
            one->pending = one->flying;
        }
    }
}

static enum wh_rc put_offsets(struct sink_writer *w, struct wh_err *err)
{
    for (size_t i = 0; i < w->table.n_topics; i++) {
        const struct sink_topic *t = w->table.topics[i];

        for (int32_t p = 0; p < t->n_partitions; p++) {
            if (t->partitions[p].pending != t->partitions[p].flying &&
                sink_apply_offset(w->apply, t->name, p, t->partitions[p].pending, err) != WH_OK) {
                return err->rc;
            }
        }
    }
    return WH_OK;
}

static enum wh_rc seal(struct sink_writer *w, struct wh_err *err)
{
    enum wh_rc rc = sink_outcomes_seal(w->outcomes, w->apply, wh_clock_now_ms(&w->deps.clock), err);

    if (rc == WH_OK) {
        rc = sink_apply_seal(w->apply, err);
    }
    if (rc == WH_OK) {
        rc = put_offsets(w, err);
    }
    if (rc == WH_OK) {
        w->phase = SINK_SEALED;
    }
    return rc;
}

/*
 * A record could not be applied. If it is the first of its batch, it is damaged and the batch starts
 * again without it. Otherwise the records before it are written first and it gets a batch of its
 * own, because the batch may only have been too large.
 */
static enum wh_rc isolate(struct sink_writer *w, size_t index, enum wh_rc rc)
{
    if (index == w->from || rc != WH_E_TOO_LARGE) {
        w->poison = index;
        w->poison_rc = rc;
    }
    w->limit = index == w->from ? index + 1 : index;
    forget_batch(w);
    return WH_OK;
}

/* A purge reads the connection from the store, so earlier records of it must be written first. */
static bool ends_batch(struct sink_writer *w, const struct wh_bus_msg *msg)
{
    struct sink_topic *topic = NULL;

    return msg->value.ptr == NULL && w->to > w->from &&
           sink_table_find(&w->table, msg->topic, msg->partition, &topic) &&
           topic->connection[0] == '\0';
}

static enum wh_rc build(struct sink_writer *w, struct wh_err *err)
{
    int64_t now_ms = wh_clock_now_ms(&w->deps.clock);
    size_t limit = w->limit < w->n_msgs ? w->limit : w->n_msgs;

    for (w->to = w->from; w->to < limit; w->to++) {
        enum wh_rc rc;

        if (w->to - w->from == w->conf.batch_records ||
            sink_apply_full(w->apply, w->conf.batch_bytes) || ends_batch(w, &w->msgs[w->to])) {
            break;
        }
        rc = apply_record(w, w->to, now_ms, err);
        if (rc != WH_OK && wh_rc_class(rc) == WH_CLASS_POISON) {
            return isolate(w, w->to, rc);
        }
        if (rc != WH_OK) {
            return rc;
        }
    }
    return seal(w, err);
}

/* ---- writing ---- */

static void pause_for(struct sink_writer *w, const char *what, const struct wh_err *err,
                      int64_t *ret_wait_ms)
{
    char why[WH_ERR_MSG_MAX];

    (void)snprintf(why, sizeof(why), "%s: %.200s", what, err->msg);
    if (!w->paused) {
        wh_log_error(w->deps.log, "writing paused", WH_STR("reason", what), WH_RC(err));
    }
    w->paused = true;
    w->deps.on_pause(w->deps.ctx, why);
    w->pause_ms = w->pause_ms == 0 ? w->conf.retry_ms : w->pause_ms * 2;
    if (w->pause_ms > w->conf.retry_ms * PAUSE_GROWTH_MAX) {
        w->pause_ms = w->conf.retry_ms * PAUSE_GROWTH_MAX;
    }
    w->retry_at_ns = wh_clock_mono_ns(&w->deps.clock) + w->pause_ms * 1000000;
    *ret_wait_ms = w->pause_ms;
}

/* Is it too early to try again? Then also says how long to wait. */
static bool must_wait(const struct sink_writer *w, int64_t *ret_wait_ms)
{
    int64_t now_ns = wh_clock_mono_ns(&w->deps.clock);

    if (!w->paused || now_ns >= w->retry_at_ns) {
        return false;
    }
    *ret_wait_ms = (w->retry_at_ns - now_ns) / 1000000 + 1;
    return true;
}

static void resume(struct sink_writer *w, size_t records)
{
    if (!w->paused) {
        return;
    }
    wh_log_info(w->deps.log, "writing resumed", WH_I("records", records));
    w->paused = false;
    w->pause_ms = 0;
    w->deps.on_pause(w->deps.ctx, NULL);
}

/* The current batch is in flight or written: continue with the next. */
static void go_on(struct sink_writer *w)
{
    w->from = w->to;
    w->limit = w->n_msgs;
    if (w->poison != nothing && w->poison < w->from) {
        w->poison = nothing;
        sink_letters_init(&w->letters);
    }
    w->phase = w->from < w->n_msgs ? SINK_BUILDING : SINK_IDLE;
    forget_batch(w);
}

static struct sink_commit commit_of(const struct sink_writer *w)
{
    return (struct sink_commit){
        .records = w->to - w->from,
        .observations = w->observations,
        .duplicates = w->duplicates,
        .dead_letters = w->n_set_aside,
        .samples = w->samples,
        .n_samples = w->n_samples,
    };
}

/* The batch that was in flight is durable: report it. */
static void publish(struct sink_writer *w, struct sink_commit *commit, int64_t took_ns)
{
    commit->now_ms = wh_clock_now_ms(&w->deps.clock);
    commit->duration_ns = took_ns;
    for (size_t i = 0; i < w->table.n_topics; i++) {
        struct sink_topic *t = w->table.topics[i];

        for (int32_t p = 0; p < t->n_partitions; p++) {
            struct sink_partition *one = &t->partitions[p];

            wh_counter_add(t->consumed, (uint64_t)(one->flying - one->next));
            one->next = one->flying;
            one->high = one->high < one->next ? one->next : one->high;
        }
    }
    w->deps.on_commit(w->deps.ctx, commit);
}

/* The current batch is in flight from now on. */
static void take_off(struct sink_writer *w)
{
    for (size_t i = 0; i < w->table.n_topics; i++) {
        for (int32_t p = 0; p < w->table.topics[i]->n_partitions; p++) {
            struct sink_partition *one = &w->table.topics[i]->partitions[p];

            one->flying = one->pending;
        }
    }
}

/*
 * Waits for the batch in flight. WH_OK with *ret_wait_ms > 0: the disk is full, and the write is
 * repeated after the pause.
 */
static enum wh_rc land(struct sink_writer *w, int64_t *ret_wait_ms, struct wh_err *err)
{
    int64_t took_ns = 0;
    enum wh_rc rc;

    if (w->flight.batch == NULL || must_wait(w, ret_wait_ms)) {
        return WH_OK;
    }
    if (w->paused) {
        sink_committer_give(w->committer, w->flight.batch, w->conf.sync);
    }
    rc = sink_committer_await(w->committer, &took_ns, err);
    if (rc == WH_E_NO_SPACE) {
        pause_for(w, "the disk is full", err, ret_wait_ms);
        return WH_OK;
    }
    if (rc != WH_OK) {
        return wh_err_prefix(err, "writing the store");
    }
    resume(w, w->flight.commit.records);
    sink_apply_written(w->flight.batch);
    publish(w, &w->flight.commit, took_ns);
    w->flight.batch = NULL;
    sink_publish_outcomes(w);
    return WH_OK;
}

/* Gives the sealed batch to the committer and continues with the other apply. */
static void fly(struct sink_writer *w)
{
    struct sink_sample *samples = w->flight.samples;

    take_off(w);
    sink_outcomes_committed(w->outcomes);
    w->flight.commit = commit_of(w);
    w->flight.samples = w->samples;
    w->samples = samples;
    w->flight.batch = w->apply;
    sink_committer_give(w->committer, w->apply, w->conf.sync);
    w->apply = w->apply == w->applies[0] ? w->applies[1] : w->applies[0];
    go_on(w);
}

static enum wh_rc write_now(struct sink_writer *w, int64_t *ret_wait_ms, struct wh_err *err)
{
    int64_t started_ns = wh_clock_mono_ns(&w->deps.clock);
    enum wh_rc rc = sink_apply_commit(w->apply, w->conf.sync, err);
    struct sink_commit commit;

    if (rc == WH_E_NO_SPACE) {
        pause_for(w, "the disk is full", err, ret_wait_ms);
        return WH_OK;
    }
    if (rc != WH_OK) {
        return wh_err_prefix(err, "writing the store");
    }
    resume(w, w->to - w->from);
    if (w->purge_marked && sink_purge_start(w->purge, err) != WH_OK) {
        return err->rc;
    }
    take_off(w);
    sink_outcomes_committed(w->outcomes);
    commit = commit_of(w);
    publish(w, &commit, wh_clock_mono_ns(&w->deps.clock) - started_ns);
    go_on(w);
    return WH_OK;
}

static enum wh_rc write_batch(struct sink_writer *w, int64_t *ret_wait_ms, struct wh_err *err)
{
    enum wh_rc rc = land(w, ret_wait_ms, err);

    if (rc != WH_OK || *ret_wait_ms > 0 || must_wait(w, ret_wait_ms)) {
        return rc;
    }
    rc = w->aside_done ? WH_OK : sink_set_aside(w, err);
    w->aside_done = rc == WH_OK;
    if (rc != WH_OK) {
        if (wh_rc_class(rc) == WH_CLASS_FATAL) {
            return rc;
        }
        pause_for(w, "a damaged record cannot be set aside", err, ret_wait_ms);
        return WH_OK;
    }
    if (!w->paused && !w->purge_marked && w->n_msgs >= w->conf.batch_records / FLYING_SHARE) {
        fly(w);
        return WH_OK;
    }
    return write_now(w, ret_wait_ms, err);
}

static enum wh_rc poll_records(struct sink_writer *w, int timeout_ms, struct wh_err *err)
{
    enum wh_rc rc;

    if (w->reassign && sink_table_assign(&w->table, w->deps.consumer, err) != WH_OK) {
        return err->rc;
    }
    w->reassign = false;
    w->n_msgs = 0;
    rc = wh_consumer_poll(w->deps.consumer, timeout_ms, w->conf.batch_records, w->msgs, &w->n_msgs,
                          err);
    if (rc == WH_E_NOT_FOUND) {
        /* The records of this poll are read again from the stored offsets. */
        wh_log_warn(w->deps.log, "a stored offset is not in the log", WH_RC(err));
        w->relocate = 2;
        return WH_OK;
    }
    if (rc != WH_OK && wh_rc_class(rc) != WH_CLASS_TRANSIENT) {
        return rc;
    }
    w->from = 0;
    w->limit = w->n_msgs;
    w->poison = nothing;
    sink_letters_init(&w->letters);
    forget_batch(w);
    w->phase = w->n_msgs > 0 ? SINK_BUILDING : SINK_IDLE;
    return WH_OK;
}

static enum wh_rc forget_topic(void *ctx, const char *topic, struct wh_err *err);

/*
 * While a connection is purged its topic is not read, and afterwards it is read from its start: the
 * purge also removes what a new connection of that name has stored meanwhile.
 */
static enum wh_rc set_purging(struct sink_writer *w, const char *connection, struct wh_err *err)
{
    char topic[WH_TOPIC_MAX];

    if (strcmp(w->table.purging, connection) == 0) {
        return WH_OK;
    }
    if (connection[0] != '\0') {
        if (wh_topic_name(w->conf.topic_prefix, WH_TOPIC_ENTITIES, wh_slice_str(connection), topic,
                          err) != WH_OK ||
            forget_topic(w, topic, err) != WH_OK) {
            return err->rc;
        }
        sink_table_drop(&w->table, topic);
        w->reassign = true;
    }
    (void)snprintf(w->table.purging, sizeof(w->table.purging), "%s", connection);
    return WH_OK;
}

static enum wh_rc purge_step(struct sink_writer *w, int64_t *ret_wait_ms, struct wh_err *err)
{
    enum wh_rc rc = set_purging(w, sink_purge_connection(w->purge), err);

    if (rc == WH_OK) {
        rc = sink_purge_step(w->purge, w->apply, err);
    }
    if (rc == WH_E_NO_SPACE) {
        pause_for(w, "the disk is full", err, ret_wait_ms);
        return WH_OK;
    }
    if (rc != WH_OK) {
        return wh_err_prefix(err, "purging a connection");
    }
    resume(w, 0);
    return set_purging(w, sink_purge_connection(w->purge), err);
}

/* ---- children of parents that went or came back ---- */

static bool parents_due(struct sink_writer *w)
{
    uint64_t events = sink_parents_events(w->apply);

    w->parents_due = w->parents_due || events != w->parents_seen;
    w->parents_seen = events;
    return w->parents_due;
}

static enum wh_rc parents_step(struct sink_writer *w, int64_t *ret_wait_ms, struct wh_err *err)
{
    size_t most = w->conf.batch_records < CHILDREN_MAX ? w->conf.batch_records : CHILDREN_MAX;
    enum wh_rc rc = sink_parents_step(w->apply, most, w->conf.sync, &w->parents_due, err);

    if (rc == WH_E_NO_SPACE) {
        w->parents_due = true;
        pause_for(w, "the disk is full", err, ret_wait_ms);
        return WH_OK;
    }
    if (rc != WH_OK) {
        return wh_err_prefix(err, "looking at the children of what is gone");
    }
    resume(w, 0);
    return WH_OK;
}

/* True when the batch in flight must land before the next step, which is not another batch. */
static bool must_land(struct sink_writer *w)
{
    return w->paused || w->reassign || w->relocate > 0 || sink_purge_due(w->purge) ||
           parents_due(w);
}

/* Polls; when there are no records, waits for the batch in flight. */
static enum wh_rc poll_or_land(struct sink_writer *w, int timeout_ms, int64_t *ret_wait_ms,
                               struct wh_err *err)
{
    if (poll_records(w, w->flight.batch ? 0 : timeout_ms, err) != WH_OK) {
        return err->rc;
    }
    return w->n_msgs == 0 ? land(w, ret_wait_ms, err) : WH_OK;
}

enum wh_rc sink_writer_turn(struct sink_writer *w, int timeout_ms, int64_t *ret_wait_ms,
                            struct wh_err *err)
{
    *ret_wait_ms = 0;
    if (w->phase == SINK_IDLE && w->flight.batch && must_land(w)) {
        enum wh_rc rc = land(w, ret_wait_ms, err);

        if (rc != WH_OK || *ret_wait_ms > 0) {
            return rc;
        }
    }
    if (w->phase == SINK_IDLE && must_wait(w, ret_wait_ms)) {
        return WH_OK;
    }
    if (w->phase == SINK_IDLE && sink_purge_due(w->purge)) {
        enum wh_rc rc = purge_step(w, ret_wait_ms, err);

        if (rc != WH_OK || *ret_wait_ms > 0) {
            return rc;
        }
        timeout_ms = 0;
    }
    if (w->phase == SINK_IDLE && parents_due(w)) {
        enum wh_rc rc = parents_step(w, ret_wait_ms, err);

        if (rc != WH_OK || *ret_wait_ms > 0) {
            return rc;
        }
        timeout_ms = 0;
    }
    if (w->flight.batch == NULL) {
        sink_publish_outcomes(w);
    }
    if (w->phase == SINK_IDLE && w->relocate > 0) {
        *ret_wait_ms = timeout_ms;
        return WH_OK;
    }
    if (w->phase == SINK_IDLE && poll_or_land(w, timeout_ms, ret_wait_ms, err) != WH_OK) {
        return err->rc;
    }
    while (w->phase == SINK_BUILDING) {
        if (build(w, err) != WH_OK) {
            return err->rc;
        }
    }
    return w->phase == SINK_SEALED ? write_batch(w, ret_wait_ms, err) : WH_OK;
}

/* ---- topics ---- */

static enum wh_rc forget_topic(void *ctx, const char *topic, struct wh_err *err)
{
    struct sink_writer *w = ctx;
    enum wh_rc rc;

    sink_apply_begin(w->apply);
    rc = sink_apply_forget_topic(w->apply, topic, err);
    if (rc == WH_OK) {
        rc = sink_apply_commit(w->apply, w->conf.sync, err);
    }
    sink_apply_begin(w->apply);
    return rc;
}

enum wh_rc sink_writer_found(struct sink_writer *w, const struct sink_found *found,
                             struct wh_err *err)
{
    bool settle = w->relocate == 1;
    bool changed = settle;
    int64_t wait_ms = 0;

    if (land(w, &wait_ms, err) != WH_OK) {
        return err->rc;
    }
    if (wait_ms > 0) {
        return wh_fail(err, WH_E_NO_SPACE, "the disk is full");
    }
    if (sink_table_take(&w->table, found, settle, &changed, forget_topic, w, err) != WH_OK) {
        return err->rc;
    }
    w->relocate -= w->relocate > 0;
    return changed ? sink_table_assign(&w->table, w->deps.consumer, err) : WH_OK;
}

bool sink_writer_idle(const struct sink_writer *w)
{
    return w->phase == SINK_IDLE;
}

bool sink_writer_busy(const struct sink_writer *w)
{
    return w->n_msgs > 0;
}

const struct sink_table *sink_writer_table(const struct sink_writer *w)
{
    return &w->table;
}

const struct sink_kind_counts *sink_writer_counts(const struct sink_writer *w)
{
    return sink_apply_counts(w->apply);
}

uint64_t sink_writer_sequence(const struct sink_writer *w)
{
    return sink_apply_sequence(w->apply);
}

bool sink_writer_wants_scout(const struct sink_writer *w)
{
    return w->relocate > 0;
}

/* ---- birth and end ---- */

void sink_conf_init(struct sink_conf *conf)
{
    *conf = (struct sink_conf){
        .topic_prefix = "wellhead.",
        .batch_records = 2048,
        .batch_bytes = 8 << 20,
        .sync = true,
        .discover_ms = 3000,
        .retry_ms = 500,
    };
}

/* Reads when the store was begun; a new one begins now. */
static enum wh_rc read_begun(struct sink_writer *w, struct wh_err *err)
{
    unsigned char begun[8];
    bool found = false;

    wh_buf_reset(&w->scratch);
    if (wh_store_get(w->deps.store, NULL, SINK_META, WH_LIT("b"), &w->scratch, &found, err) !=
        WH_OK) {
        return err->rc;
    }
    if (found && w->scratch.len == sizeof(begun)) {
        w->begun_ms = (int64_t)wh_be_get64(w->scratch.ptr);
        return WH_OK;
    }
    w->begun_ms = wh_clock_now_ms(&w->deps.clock);
    wh_be_put64(begun, (uint64_t)w->begun_ms);
    if (sink_apply_meta(w->apply, WH_LIT("b"), wh_slice(begun, sizeof(begun)), err) != WH_OK ||
        sink_apply_seal(w->apply, err) != WH_OK ||
        sink_apply_commit(w->apply, w->conf.sync, err) != WH_OK) {
        return err->rc;
    }
    sink_apply_begin(w->apply);
    return WH_OK;
}

enum wh_rc sink_writer_new(const struct sink_writer_deps *deps, const struct sink_conf *conf,
                           struct sink_writer **ret, struct wh_err *err)
{
    struct sink_writer *w = wh_mem_zalloc(1, sizeof(*w));
    size_t n = conf->batch_records;

    if (w == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the writer");
    }
    w->deps = *deps;
    w->conf = *conf;
    w->poison = nothing;
    w->parents_due = true; /* a step may have been cut off */
    sink_letters_init(&w->letters);
    sink_table_init(&w->table, deps->store, deps->log, conf->accept_gap);
    wh_buf_init(&w->scratch, SCRATCH_MAX_BYTES);
    w->msgs = wh_mem_zalloc(n, sizeof(*w->msgs));
    w->samples = wh_mem_zalloc(n, sizeof(*w->samples));
    w->flight.samples = wh_mem_zalloc(n, sizeof(*w->samples));
    w->set_aside = wh_mem_zalloc(n, sizeof(*w->set_aside));
    w->set_aside_rc = wh_mem_zalloc(n, sizeof(*w->set_aside_rc));
    w->json = wh_json_parser_new(DOCUMENT_MAX_BYTES, DOCUMENT_MAX_DEPTH);
    if (!w->msgs || !w->samples || !w->flight.samples || !w->set_aside || !w->set_aside_rc ||
        !w->json) {
        sink_writer_free(w);
        return wh_fail(err, WH_E_NOMEM, "no memory for the writer");
    }
    if (sink_apply_new(deps->store, n, &w->applies[0], err) != WH_OK ||
        sink_apply_new_beside(w->applies[0], &w->applies[1], err) != WH_OK ||
        sink_outcomes_new(deps->store, w->json, &w->outcomes, err) != WH_OK ||
        sink_committer_new(&w->committer, err) != WH_OK) {
        sink_writer_free(w);
        return err->rc;
    }
    if (deps->repairs) {
        sink_outcomes_set_counters(w->outcomes, deps->repairs);
    }
    w->apply = w->applies[0];
    if (read_begun(w, err) != WH_OK ||
        sink_purge_new(deps->store, deps->clock, deps->log, conf->sync, &w->purge, err) != WH_OK) {
        sink_writer_free(w);
        return err->rc;
    }
    *ret = w;
    return WH_OK;
}

void sink_writer_free(struct sink_writer *w)
{
    if (w == NULL) {
        return;
    }
    sink_committer_free(w->committer);
    sink_purge_free(w->purge);
    sink_outcomes_free(w->outcomes);
    sink_apply_free(w->applies[1]);
    sink_apply_free(w->applies[0]);
    sink_table_done(&w->table);
    wh_buf_done(&w->scratch);
    wh_mem_free(w->msgs);
    wh_mem_free(w->samples);
    wh_mem_free(w->flight.samples);
    wh_mem_free(w->set_aside);
    wh_mem_free(w->set_aside_rc);
    wh_json_parser_free(w->json);
    wh_mem_free(w);
}
