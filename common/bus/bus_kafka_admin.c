/* Topics, offsets and groups; every call blocks until its result arrives. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/bus/bus_kafka.h"

struct kafka_admin {
    struct wh_admin base;
    struct bus_kafka_opaque opaque;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    char *bootstrap;
    pthread_mutex_t lock; /* of groups */
    struct bus_kafka_groups groups;
};

static struct kafka_admin *self(struct wh_admin *a)
{
    return (struct kafka_admin *)a;
}

static enum wh_rc topic_error(rd_kafka_resp_err_t code, const char *text, const char *name,
                              const char *doing, struct wh_err *err)
{
    return wh_fail(err, bus_kafka_rc(code), "%s topic %.80s: %.100s", doing, name,
                   text ? text : rd_kafka_err2str(code));
}

static rd_kafka_AdminOptions_t *options(struct kafka_admin *a, rd_kafka_admin_op_t op,
                                        int timeout_ms)
{
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(a->rk, op);
    char text[64];

    (void)rd_kafka_AdminOptions_set_request_timeout(o, timeout_ms, text, sizeof(text));
    (void)rd_kafka_AdminOptions_set_operation_timeout(o, timeout_ms, text, sizeof(text));
    return o;
}

/* The result event, or NULL after the timeout. */
static rd_kafka_event_t *await(struct kafka_admin *a, int timeout_ms, const char *doing,
                               struct wh_err *err)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(a->queue, timeout_ms + 1000);

    if (event == NULL) {
        (void)wh_fail(err, WH_E_UNAVAILABLE, "%s: no broker answers at %.100s", doing,
                      a->bootstrap);
        return NULL;
    }
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        (void)wh_fail(err,
                      rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__TIMED_OUT
                          ? WH_E_UNAVAILABLE
                          : bus_kafka_rc(rd_kafka_event_error(event)),
                      "%s at %.60s: %.120s", doing, a->bootstrap,
                      rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
        return NULL;
    }
    return event;
}

static void set_config(rd_kafka_NewTopic_t *topic, const char *name, int64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRId64, value);
    (void)rd_kafka_NewTopic_set_config(topic, name, text);
}

static rd_kafka_NewTopic_t *new_topic(const struct wh_bus_topic *t, struct wh_err *err)
{
    char text[160];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(t->name, t->partitions, t->replication, text, sizeof(text));

    if (topic == NULL) {
        (void)wh_fail(err, WH_E_INVALID, "topic %.80s: %s", t->name, text);
        return NULL;
    }
    set_config(topic, "retention.ms", t->retention_ms);
    if (t->compact) {
        (void)rd_kafka_NewTopic_set_config(topic, "cleanup.policy",
                                           t->retention_ms < 0 ? "compact" : "compact,delete");
    }
    if (t->max_message_bytes) {
        set_config(topic, "max.message.bytes", t->max_message_bytes);
    }
    if (t->segment_ms) {
        set_config(topic, "segment.ms", t->segment_ms);
    }
    return topic;
}

/* harmless: the error of a topic that is as it should be already. */
static enum wh_rc check_topics(const rd_kafka_topic_result_t **topics, size_t n,
                               rd_kafka_resp_err_t harmless, const char *doing, struct wh_err *err)
{
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[i]);

        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != harmless) {
            return topic_error(code, rd_kafka_topic_result_error_string(topics[i]),
                               rd_kafka_topic_result_name(topics[i]), doing, err);
        }
    }
    return WH_OK;
}

static enum wh_rc check_created(rd_kafka_event_t *event, struct wh_err *err)
{
    size_t n = 0;
    const rd_kafka_topic_result_t **topics =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);

    return check_topics(topics, n, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, "making", err);
}

static enum wh_rc ka_create(struct wh_admin *base, const struct wh_bus_topic *topics, size_t n,
                            int timeout_ms, struct wh_err *err)
{
    struct kafka_admin *a = self(base);
    rd_kafka_NewTopic_t **list = wh_mem_zalloc(n, sizeof(*list));
    rd_kafka_AdminOptions_t *o;
    rd_kafka_event_t *event;
    enum wh_rc rc = WH_OK;
    size_t made = 0;

    if (list == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for topics");
    }
    for (; made < n && rc == WH_OK; made++) {
        list[made] = new_topic(&topics[made], err);
        rc = list[made] ? WH_OK : err->rc;
    }
    if (rc == WH_OK) {
        o = options(a, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms);
        rd_kafka_CreateTopics(a->rk, list, n, o, a->queue);
        rd_kafka_AdminOptions_destroy(o);
        event = await(a, timeout_ms, "creating topics", err);
        rc = event ? check_created(event, err) : err->rc;
        if (event) {
            rd_kafka_event_destroy(event);
        }
    }
    for (size_t i = 0; i < made; i++) {
        if (list[i]) {
            rd_kafka_NewTopic_destroy(list[i]);
        }
    }
    wh_mem_free(list);
    return rc;
}

static enum wh_rc check_deleted(rd_kafka_event_t *event, struct wh_err *err)
{
    size_t n = 0;
    const rd_kafka_topic_result_t **topics =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);

    return check_topics(topics, n, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "deleting", err);
}

static enum wh_rc ka_remove(struct wh_admin *base, const char *const *topics, size_t n,
                            int timeout_ms, struct wh_err *err)
{
    struct kafka_admin *a = self(base);
    rd_kafka_DeleteTopic_t **list = wh_mem_zalloc(n, sizeof(*list));
    rd_kafka_AdminOptions_t *o;
    rd_kafka_event_t *event;
    enum wh_rc rc;

    if (list == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for topics");
    }
    for (size_t i = 0; i < n; i++) {
        list[i] = rd_kafka_DeleteTopic_new(topics[i]);
    }
    o = options(a, RD_KAFKA_ADMIN_OP_DELETETOPICS, timeout_ms);
    rd_kafka_DeleteTopics(a->rk, list, n, o, a->queue);
    rd_kafka_AdminOptions_destroy(o);
    event = await(a, timeout_ms, "deleting topics", err);
    rc = event ? check_deleted(event, err) : err->rc;
    if (event) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_DeleteTopic_destroy_array(list, n);
    wh_mem_free(list);
    return rc;
}

static enum wh_rc ka_list(struct wh_admin *base, int timeout_ms, struct wh_bus_topic_info **ret,
                          size_t *ret_n, struct wh_err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(self(base)->rk, 1, NULL, &metadata, timeout_ms);
    struct wh_bus_topic_info *list;
    size_t n = 0;

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return wh_fail(err, WH_E_UNAVAILABLE, "listing topics: %s", rd_kafka_err2str(code));
    }
    list = wh_mem_zalloc((size_t)metadata->topic_cnt + 1, sizeof(*list));
    for (int i = 0; list && i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *t = &metadata->topics[i];

        if (t->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            continue;
        }
        list[n].name = wh_mem_dup(t->topic, strlen(t->topic));
        list[n].partitions = t->partition_cnt;
        if (list[n].name) {
            n++;
        }
    }
    rd_kafka_metadata_destroy(metadata);
    if (list == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a list of topics");
    }
    *ret = list;
    *ret_n = n;
    return WH_OK;
}

/* The broker takes WH_OFFSET_BEGINNING and WH_OFFSET_END in place of a time. */
static rd_kafka_resp_err_t ask_offsets(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list,
                                       int64_t at_ms, int timeout_ms)
{
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = at_ms;
    }
    return rd_kafka_offsets_for_times(rk, list, timeout_ms);
}

/* Gives partitions without a record at or after that time, and those alone, their end. */
static void fill_ends(rd_kafka_t *rk, struct wh_bus_partition *parts, size_t n, int timeout_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);

    for (size_t i = 0; i < n; i++) {
        if (parts[i].offset == WH_OFFSET_END) {
            rd_kafka_topic_partition_list_add(list, parts[i].topic, parts[i].partition);
        }
    }
    if (list->cnt > 0) {
        (void)ask_offsets(rk, list, WH_OFFSET_END, timeout_ms);
    }
    for (size_t i = 0, k = 0; i < n; i++) {
        if (parts[i].offset == WH_OFFSET_END) {
            const rd_kafka_topic_partition_t *e = &list->elems[k++];

            parts[i].offset = e->err == 0 && e->offset >= 0 ? e->offset : WH_OFFSET_STORED;
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static enum wh_rc ka_offsets(struct wh_admin *base, struct wh_bus_partition *parts, size_t n,
                             int64_t at_ms, int timeout_ms, struct wh_err *err)
{
    rd_kafka_t *rk = self(base)->rk;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    rd_kafka_resp_err_t first = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code;
    size_t answered = 0;

    for (size_t i = 0; i < n; i++) {
        rd_kafka_topic_partition_list_add(list, parts[i].topic, parts[i].partition);
    }
    code = n > 0 ? ask_offsets(rk, list, at_ms, timeout_ms) : RD_KAFKA_RESP_ERR_NO_ERROR;
    for (size_t i = 0; i < n; i++) {
        const rd_kafka_topic_partition_t *e = &list->elems[i];
        rd_kafka_resp_err_t why = code ? code : e->err;

        parts[i].offset = why ? WH_OFFSET_STORED : e->offset;
        answered += why == RD_KAFKA_RESP_ERR_NO_ERROR;
        first = first ? first : why;
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (n > 0 && answered == 0) {
        return topic_error(first, NULL, parts[0].topic, "asking for offsets of", err);
    }
    fill_ends(rk, parts, n, timeout_ms);
    return WH_OK;
}

/* ---- groups ---- */

static enum wh_rc ka_group_set(struct wh_admin *base, const char *group,
                               const struct wh_bus_partition *parts, size_t n, int timeout_ms,
                               struct wh_err *err)
{
    struct kafka_admin *a = self(base);
    enum wh_rc rc = WH_OK;

    if (n > 0) {
        pthread_mutex_lock(&a->lock);
        rc = bus_kafka_group_set(&a->groups, group, parts, n, timeout_ms, err);
        pthread_mutex_unlock(&a->lock);
    }
    return rc;
}

static enum wh_rc ka_group_get(struct wh_admin *base, const char *group,
                               struct wh_bus_partition *parts, size_t n, int timeout_ms,
                               struct wh_err *err)
{
    struct kafka_admin *a = self(base);
    enum wh_rc rc = WH_OK;

    if (n > 0) {
        pthread_mutex_lock(&a->lock);
        rc = bus_kafka_group_get(&a->groups, group, parts, n, timeout_ms, err);
        pthread_mutex_unlock(&a->lock);
    }
    return rc;
}

static void ka_free(struct wh_admin *base)
{
    struct kafka_admin *a = self(base);

    bus_kafka_groups_free(&a->groups);
    pthread_mutex_destroy(&a->lock);
    if (a->queue) {
        rd_kafka_queue_destroy(a->queue);
    }
    if (a->rk) {
        rd_kafka_destroy(a->rk);
    }
    wh_mem_free(a->bootstrap);
    wh_mem_free(a);
}

static const struct wh_admin_ops kafka_admin_ops = {
    .create = ka_create,
    .remove = ka_remove,
    .list = ka_list,
    .offsets = ka_offsets,
    .group_set = ka_group_set,
    .group_get = ka_group_get,
    .free = ka_free,
};

enum wh_rc wh_admin_kafka_new(const char *bootstrap, const char *client_id,
                              const struct wh_conf_pairs *extra, struct wh_log *log,
                              struct wh_admin **ret, struct wh_err *err)
{
    struct kafka_admin *a = wh_mem_zalloc(1, sizeof(*a));
    rd_kafka_conf_t *conf;

    if (a == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an admin client");
    }
    a->base.ops = &kafka_admin_ops;
    a->opaque = (struct bus_kafka_opaque){.log = log, .self = a};
    pthread_mutex_init(&a->lock, NULL);
    a->bootstrap = wh_mem_dup(bootstrap, strlen(bootstrap));
    if (a->bootstrap == NULL) {
        ka_free(&a->base);
        return wh_fail(err, WH_E_NOMEM, "no memory for an admin client");
    }
    if (bus_kafka_conf(RD_KAFKA_PRODUCER, bootstrap, client_id, NULL, 0, extra, &a->opaque, &conf,
                       err) != WH_OK ||
        bus_kafka_new(RD_KAFKA_PRODUCER, conf, &a->rk, err) != WH_OK) {
        ka_free(&a->base);
        return err->rc;
    }
    a->queue = rd_kafka_queue_new(a->rk);
    a->groups = (struct bus_kafka_groups){
        .bootstrap = a->bootstrap, .client_id = client_id, .extra = extra, .opaque = &a->opaque};
    *ret = &a->base;
    return WH_OK;
}
