#include "stages/sink/ingest/topics.h"

#include <stdio.h>

#include "common/base/mem.h"

void sink_table_init(struct sink_table *t, struct wh_store *store, struct wh_log *log,
                     bool accept_gap)
{
    *t = (struct sink_table){.store = store, .log = log, .accept_gap = accept_gap};
}

static void topic_free(struct sink_topic *topic)
{
    if (topic) {
        wh_mem_free(topic->partitions);
        wh_mem_free(topic);
    }
}

void sink_table_done(struct sink_table *t)
{
    for (size_t i = 0; i < t->n_topics; i++) {
        topic_free(t->topics[i]);
    }
    t->n_topics = 0;
    t->last_name = NULL;
}

static struct sink_topic *by_name(const struct sink_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_topics; i++) {
        struct sink_topic *topic = t->topics[i];

        if (topic && strcmp(topic->name, name) == 0) {
            return topic;
        }
    }
    return NULL;
}

struct sink_partition *sink_table_find(struct sink_table *t, const char *topic, int32_t partition,
                                       struct sink_topic **ret_topic)
{
    if (topic != t->last_name || t->last_topic == NULL) {
        t->last_topic = by_name(t, topic);
        t->last_name = topic;
    }
    if (t->last_topic == NULL || strcmp(t->last_topic->name, topic) != 0) {
        t->last_topic = by_name(t, topic);
    }
    if (t->last_topic == NULL || partition < 0 || partition >= t->last_topic->n_partitions) {
        return NULL;
    }
    *ret_topic = t->last_topic;
    return &t->last_topic->partitions[partition];
}

void sink_table_hold(struct sink_table *t, const struct sink_topic *topic, struct sink_partition *p,
                     const char *why)
{
    p->held = true;
    (void)snprintf(t->held_reason, sizeof(t->held_reason), "%.120s/%d is not read: %s", topic->name,
                   p->partition, why);
    wh_log_error(t->log, "partition held, it is no longer read", WH_STR("topic", topic->name),
                 WH_I("partition", p->partition), WH_I("offset", p->next), WH_STR("err", why));
}

/* Moves the partition to an offset that the log has, or holds it. */
static void place(struct sink_table *t, const struct sink_topic *topic, struct sink_partition *p,
                  int64_t low, int64_t high)
{
    char why[160];

    if (p->next > high) {
        wh_log_warn(t->log, "stored offset is beyond the end of the log, reading from its start",
                    WH_STR("topic", topic->name), WH_I("partition", p->partition),
                    WH_I("stored", p->next), WH_I("end", high));
        p->next = low;
    } else if (p->next < low && (t->accept_gap || topic->connection[0] == '\0')) {
        wh_log_warn(t->log, "unread records are gone, continuing at the start of the log",
                    WH_STR("topic", topic->name), WH_I("partition", p->partition),
                    WH_I("stored", p->next), WH_I("start", low));
        p->next = low;
    } else if (p->next < low && !p->held) {
        (void)snprintf(why, sizeof(why),
                       "the store needs offset %lld, the log starts at %lld; restore a newer "
                       "backup, or go on with offsets.accept_gap=true",
                       (long long)p->next, (long long)low);
        sink_table_hold(t, topic, p, why);
    }
    p->pending = p->next;
}

static enum wh_rc start_partition(struct sink_table *t, const struct sink_topic *topic,
                                  struct sink_partition *p, const struct sink_found_partition *f,
                                  struct wh_err *err)
{
    bool found = false;

    *p = (struct sink_partition){.partition = f->partition, .next = f->low, .first = f->low};
    p->high = f->high;
    p->target = t->known || topic->connection[0] == '\0' ? -1 : f->high;
    if (sink_offset_get(t->store, topic->name, f->partition, &p->next, &found, err) != WH_OK) {
        return err->rc;
    }
    place(t, topic, p, f->low, f->high);
    return WH_OK;
}

static enum wh_rc take_partition(struct sink_table *t, struct sink_topic *topic,
                                 const struct sink_found_partition *f, bool relocate,
                                 bool *ret_changed, struct wh_err *err)
{
    struct sink_partition *p;

    if (f->partition >= topic->n_partitions) {
        p = wh_mem_resize(topic->partitions, (size_t)f->partition + 1, sizeof(*p));
        if (p == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for the list of partitions");
        }
        topic->partitions = p;
        topic->n_partitions = f->partition + 1;
        *ret_changed = true;
        return start_partition(t, topic, &p[f->partition], f, err);
    }
    p = &topic->partitions[f->partition];
    p->high = f->high > p->high || relocate ? f->high : p->high;
    if (relocate && !p->held) {
        place(t, topic, p, f->low, f->high);
        *ret_changed = true;
    }
    return WH_OK;
}

/* NULL with *err set. */
static struct sink_topic *take_topic(struct sink_table *t, const struct sink_found_topic *f,
                                     struct wh_err *err)
{
    struct sink_topic *topic = by_name(t, f->name);

    if (topic == NULL) {
        topic = t->n_topics < SINK_TOPICS_MAX ? wh_mem_zalloc(1, sizeof(*topic)) : NULL;
        if (topic == NULL) {
            wh_fail(err, WH_E_NOMEM, "no memory for topic %s", f->name);
            return NULL;
        }
        memcpy(topic->name, f->name, sizeof(topic->name));
        memcpy(topic->connection, f->connection, sizeof(topic->connection));
        topic->role = f->role;
        topic->consumed = f->consumed;
        t->topics[t->n_topics++] = topic;
    }
    return topic;
}

static bool is_found(const struct sink_found *found, const char *name)
{
    for (size_t i = 0; i < found->n_topics; i++) {
        if (strcmp(found->topics[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void remove_at(struct sink_table *t, size_t i)
{
    struct sink_topic *topic = t->topics[i];

    t->topics[i] = t->topics[--t->n_topics];
    topic_free(topic);
    t->last_topic = NULL;
}

void sink_table_drop(struct sink_table *t, const char *topic)
{
    for (size_t i = 0; i < t->n_topics; i++) {
        if (strcmp(t->topics[i]->name, topic) == 0) {
            remove_at(t, i);
            return;
        }
    }
}

typedef enum wh_rc (*gone_fn)(void *ctx, const char *topic, struct wh_err *err);

static enum wh_rc drop_gone(struct sink_table *t, const struct sink_found *found, bool *ret_changed,
                            gone_fn gone, void *ctx, struct wh_err *err)
{
    for (size_t i = 0; i < t->n_topics;) {
        struct sink_topic *topic = t->topics[i];

        if (is_found(found, topic->name)) {
            i++;
            continue;
        }
        wh_log_info(t->log, "topic deleted, its offsets are dropped", WH_STR("topic", topic->name));
        if (gone && gone(ctx, topic->name, err) != WH_OK) {
            return err->rc;
        }
        remove_at(t, i);
        *ret_changed = true;
    }
    return WH_OK;
}

/* The first topic with stored offsets that no longer exists; empty when there is none. */
static enum wh_rc stale_topic(struct sink_table *t, const struct sink_found *found,
                              char name[WH_TOPIC_MAX], struct wh_err *err)
{
    struct wh_iter *it;
    struct wh_slice key;
    enum wh_rc rc;

    name[0] = '\0';
    if (wh_iter_new(t->store, NULL, SINK_META, WH_LIT("o"), WH_LIT("p"), &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, WH_LIT("o"), false); wh_iter_valid(it, &key, NULL);
         wh_iter_step(it, false)) {
        if (key.len < 6 || key.len - 6 >= WH_TOPIC_MAX) {
            continue;
        }
        memcpy(name, key.ptr + 1, key.len - 6);
        name[key.len - 6] = '\0';
        if (!is_found(found, name)) {
            break;
        }
        name[0] = '\0';
    }
    rc = wh_iter_error(it, err);
    wh_iter_free(it);
    return rc;
}

/* At the start of the process: drops the offsets of topics that were deleted meanwhile. */
static enum wh_rc forget_stale(struct sink_table *t, const struct sink_found *found, gone_fn gone,
                               void *ctx, struct wh_err *err)
{
    char name[WH_TOPIC_MAX];

    for (;;) {
        if (stale_topic(t, found, name, err) != WH_OK) {
            return err->rc;
        }
        if (name[0] == '\0') {
            return WH_OK;
        }
        wh_log_info(t->log, "topic deleted, its offsets are dropped", WH_STR("topic", name));
        if (gone(ctx, name, err) != WH_OK) {
            return err->rc;
        }
    }
}

enum wh_rc sink_table_take(struct sink_table *t, const struct sink_found *found, bool relocate,
                           bool *ret_changed,
                           enum wh_rc (*gone)(void *ctx, const char *topic, struct wh_err *err),
                           void *ctx, struct wh_err *err)
{
    if (!t->known && gone && forget_stale(t, found, gone, ctx, err) != WH_OK) {
        return err->rc;
    }
    if (drop_gone(t, found, ret_changed, gone, ctx, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < found->n_partitions; i++) {
        const struct sink_found_partition *p = &found->partitions[i];
        const struct sink_found_topic *f = &found->topics[p->topic];
        struct sink_topic *topic;

        if (f->connection[0] != '\0' && strcmp(f->connection, t->purging) == 0) {
            continue;
        }
        topic = take_topic(t, f, err);
        if (topic == NULL || take_partition(t, topic, p, relocate, ret_changed, err) != WH_OK) {
            return err->rc;
        }
    }
    t->known = true;
    return WH_OK;
}

enum wh_rc sink_table_assign(const struct sink_table *t, struct wh_consumer *c, struct wh_err *err)
{
    WH_AUTO_FREE struct wh_bus_partition *parts =
        wh_mem_zalloc(SINK_PARTITIONS_MAX, sizeof(*parts));
    size_t n = 0;

    if (parts == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the assignment");
    }
    for (size_t i = 0; i < t->n_topics; i++) {
        for (int32_t p = 0; p < t->topics[i]->n_partitions && n < SINK_PARTITIONS_MAX; p++) {
            const struct sink_partition *part = &t->topics[i]->partitions[p];

            if (!part->held) {
                parts[n++] = (struct wh_bus_partition){t->topics[i]->name, p, part->next};
            }
        }
    }
    return wh_consumer_assign(c, parts, n, err);
}

bool sink_table_caught_up(const struct sink_table *t)
{
    for (size_t i = 0; i < t->n_topics; i++) {
        for (int32_t p = 0; p < t->topics[i]->n_partitions; p++) {
            const struct sink_partition *part = &t->topics[i]->partitions[p];

            if (part->held || part->next < part->target) {
                return false;
            }
        }
    }
    return t->known;
}

int64_t sink_topic_lag(const struct sink_topic *topic)
{
    int64_t lag = 0;

    for (int32_t p = 0; p < topic->n_partitions; p++) {
        const struct sink_partition *part = &topic->partitions[p];

        lag += part->high > part->next ? part->high - part->next : 0;
    }
    return lag;
}
