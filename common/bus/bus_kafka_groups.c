/*
 * The committed offsets of groups, by consumers that never join them. The requests of librdkafka's admin API
 * that go to a group's coordinator can end the process when the connection is lost meanwhile (librdkafka issues
 * #3663 and #4605: an assertion about eonce->refcnt), so they are not used.
 */
#include "common/base/mem.h"
#include "common/bus/bus_kafka.h"

enum { CLIENTS_MAX = 8 };

struct bus_kafka_group {
    struct bus_kafka_group *next;
    char *name;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
};

static void group_free(struct bus_kafka_group *g)
{
    if (g->queue) {
        rd_kafka_queue_destroy(g->queue);
    }
    if (g->rk) {
        rd_kafka_destroy_flags(g->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    wh_mem_free(g->name);
    wh_mem_free(g);
}

void bus_kafka_groups_free(struct bus_kafka_groups *groups)
{
    while (groups->first) {
        struct bus_kafka_group *next = groups->first->next;

        group_free(groups->first);
        groups->first = next;
    }
    groups->n = 0;
}

static enum wh_rc client_new(const struct bus_kafka_groups *groups, struct bus_kafka_group *g,
                             struct wh_err *err)
{
    const struct bus_kafka_setting settings[] = {
        {"group.id", g->name},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"allow.auto.create.topics", "false"},
    };
    rd_kafka_conf_t *conf;

    if (bus_kafka_conf(RD_KAFKA_CONSUMER, groups->bootstrap, groups->client_id, settings,
                       sizeof(settings) / sizeof(settings[0]), groups->extra, groups->opaque, &conf,
                       err) != WH_OK ||
        bus_kafka_new(RD_KAFKA_CONSUMER, conf, &g->rk, err) != WH_OK) {
        return err->rc;
    }
    (void)rd_kafka_poll_set_consumer(g->rk);
    g->queue = rd_kafka_queue_new(g->rk);
    return WH_OK;
}

static struct bus_kafka_group *find(const struct bus_kafka_groups *groups, const char *name)
{
    for (struct bus_kafka_group *g = groups->first; g; g = g->next) {
        if (strcmp(g->name, name) == 0) {
            return g;
        }
    }
    return NULL;
}

static enum wh_rc client_of(struct bus_kafka_groups *groups, const char *name,
                            struct bus_kafka_group **ret, struct wh_err *err)
{
    struct bus_kafka_group *g = find(groups, name);

    if (g == NULL) {
        if (groups->n == CLIENTS_MAX) {
            bus_kafka_groups_free(groups);
        }
        g = wh_mem_zalloc(1, sizeof(*g));
        if (g == NULL || (g->name = wh_mem_dup(name, strlen(name))) == NULL) {
            wh_mem_free(g);
            return wh_fail(err, WH_E_NOMEM, "no memory for a group");
        }
        if (client_new(groups, g, err) != WH_OK) {
            group_free(g);
            return err->rc;
        }
        g->next = groups->first;
        groups->first = g;
        groups->n++;
    }
    *ret = g;
    return WH_OK;
}

static rd_kafka_topic_partition_list_t *list_of(const struct wh_bus_partition *parts, size_t n)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);

    for (size_t i = 0; i < n; i++) {
        rd_kafka_topic_partition_list_add(list, parts[i].topic, parts[i].partition)->offset =
            parts[i].offset;
    }
    return list;
}

static enum wh_rc group_error(rd_kafka_resp_err_t code, const char *doing, const char *group,
                              struct wh_err *err)
{
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
        code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
        code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS) {
        return wh_fail(err, WH_E_BUSY, "group %.80s has members; stop them first", group);
    }
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__WAIT_COORD ||
        code == RD_KAFKA_RESP_ERR__TRANSPORT) {
        return wh_fail(err, WH_E_UNAVAILABLE, "%s offsets of group %.80s: no broker answers", doing,
                       group);
    }
    return wh_fail(err, bus_kafka_rc(code), "%s offsets of group %.80s: %s", doing, group,
                   rd_kafka_err2str(code));
}

/* ---- reading ---- */

enum wh_rc bus_kafka_group_get(struct bus_kafka_groups *groups, const char *group,
                               struct wh_bus_partition *parts, size_t n, int timeout_ms,
                               struct wh_err *err)
{
    struct bus_kafka_group *g;
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code;

    if (client_of(groups, group, &g, err) != WH_OK) {
        return err->rc;
    }
    list = list_of(parts, n);
    code = rd_kafka_committed(g->rk, list, timeout_ms);
    for (size_t i = 0; i < n; i++) {
        const rd_kafka_topic_partition_t *e = &list->elems[i];
        bool there = code == RD_KAFKA_RESP_ERR_NO_ERROR && e->err == RD_KAFKA_RESP_ERR_NO_ERROR;

        parts[i].offset = there && e->offset >= 0 ? e->offset : WH_OFFSET_STORED;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code ? group_error(code, "reading", group, err) : WH_OK;
}

/* ---- setting ---- */

static enum wh_rc check_commit(rd_kafka_event_t *event, const char *group, struct wh_err *err)
{
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);

    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && list && i < list->cnt; i++) {
        code = list->elems[i].err;
    }
    return code ? group_error(code, "setting", group, err) : WH_OK;
}

/* librdkafka waits with freeing a client until a commit is answered, for as long as no broker is there: the
 * client is left to the end of the process. */
static void give_up(struct bus_kafka_groups *groups, struct bus_kafka_group *g)
{
    struct bus_kafka_group **link = &groups->first;

    while (*link != g) {
        link = &(*link)->next;
    }
    *link = g->next;
    groups->n--;
    rd_kafka_queue_destroy(g->queue);
    wh_mem_free(g->name);
    wh_mem_free(g);
}

/* Finds out whether the group's coordinator answers, so that a commit is not left waiting for it. */
static rd_kafka_resp_err_t coordinator_answers(struct bus_kafka_group *g,
                                               const struct wh_bus_partition *part, int timeout_ms)
{
    rd_kafka_topic_partition_list_t *list = list_of(part, 1);
    rd_kafka_resp_err_t code = rd_kafka_committed(g->rk, list, timeout_ms);

    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

enum wh_rc bus_kafka_group_set(struct bus_kafka_groups *groups, const char *group,
                               const struct wh_bus_partition *parts, size_t n, int timeout_ms,
                               struct wh_err *err)
{
    struct bus_kafka_group *g;
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code;
    rd_kafka_event_t *event;
    enum wh_rc rc;

    if (client_of(groups, group, &g, err) != WH_OK) {
        return err->rc;
    }
    code = coordinator_answers(g, parts, timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        list = list_of(parts, n);
        code = rd_kafka_commit_queue(g->rk, list, g->queue, NULL, NULL);
        rd_kafka_topic_partition_list_destroy(list);
    }
    if (code) {
        return group_error(code, "setting", group, err);
    }
    event = rd_kafka_queue_poll(g->queue, timeout_ms);
    if (event == NULL) {
        give_up(groups, g);
        return group_error(RD_KAFKA_RESP_ERR__TIMED_OUT, "setting", group, err);
    }
    rc = check_commit(event, group, err);
    rd_kafka_event_destroy(event);
    return rc;
}
