/* The partitions of a topic and their ends; reading a topic once. */
#include <string.h>

#include "common/base/mem.h"
#include "common/bus/tail.h"

enum { BATCH = 256, POLL_MS = 200, SILENT_POLLS_MAX = 25 };

static enum wh_rc count_partitions(struct wh_admin *admin, const char *topic, int timeout_ms,
                                   int32_t *ret, struct wh_err *err)
{
    struct wh_bus_topic_info *list = NULL;
    size_t n = 0;

    *ret = 0;
    if (wh_admin_list(admin, timeout_ms, &list, &n, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, topic) == 0) {
            *ret = list[i].partitions;
        }
    }
    wh_bus_topic_list_free(list, n);
    if (*ret > WH_TAIL_PARTITIONS_MAX) {
        return wh_fail(err, WH_E_CONFIG, "%.120s has more than %d partitions", topic,
                       WH_TAIL_PARTITIONS_MAX);
    }
    return WH_OK;
}

enum wh_rc wh_tail_find(struct wh_admin *admin, const char *topic, int timeout_ms,
                        const atomic_bool *stop, struct wh_tail_span *ret, struct wh_err *err)
{
    if (count_partitions(admin, topic, timeout_ms, &ret->n, err) != WH_OK) {
        return err->rc;
    }
    for (int32_t p = 0; p < ret->n; p++) {
        if (stop && atomic_load(stop)) {
            return wh_fail(err, WH_E_CANCELED, "stopping");
        }
        /* The end first: if the beginning then moves past it, there is nothing left to read. */
        if (wh_admin_offset(admin, topic, p, WH_OFFSET_END, timeout_ms, &ret->end[p], err) !=
                WH_OK ||
            wh_admin_offset(admin, topic, p, WH_OFFSET_BEGINNING, timeout_ms, &ret->next[p], err) !=
                WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* The state of one read; too large for the stack of a pool thread. */
struct reading {
    struct wh_tail_span span;
    struct wh_bus_partition parts[WH_TAIL_PARTITIONS_MAX];
    struct wh_bus_msg msgs[BATCH];
};

static bool at_end(const struct wh_tail_span *s, struct wh_consumer *consumer, const char *topic)
{
    for (int32_t p = 0; p < s->n; p++) {
        if (s->next[p] < s->end[p] && wh_consumer_end(consumer, topic, p) < s->end[p]) {
            return false;
        }
    }
    return true;
}

enum wh_rc wh_tail_read(struct wh_consumer *consumer, struct wh_admin *admin, const char *topic,
                        int timeout_ms,
                        enum wh_rc (*on_record)(void *ctx, const struct wh_bus_msg *msg,
                                                struct wh_err *err),
                        void *ctx, struct wh_err *err)
{
    WH_AUTO_FREE struct reading *r = wh_mem_zalloc(1, sizeof(*r));

    if (r == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to read a topic");
    }
    if (wh_tail_find(admin, topic, timeout_ms, NULL, &r->span, err) != WH_OK) {
        return err->rc;
    }
    for (int32_t p = 0; p < r->span.n; p++) {
        r->parts[p] = (struct wh_bus_partition){topic, p, WH_OFFSET_BEGINNING};
    }
    if (r->span.n > 0 && wh_consumer_assign(consumer, r->parts, (size_t)r->span.n, err) != WH_OK) {
        return err->rc;
    }
    for (int silent = 0; !at_end(&r->span, consumer, topic) && silent < SILENT_POLLS_MAX;
         silent++) {
        size_t n = 0;

        if (wh_consumer_poll(consumer, POLL_MS, BATCH, r->msgs, &n, err) != WH_OK) {
            return err->rc;
        }
        for (size_t i = 0; i < n; i++) {
            if (on_record(ctx, &r->msgs[i], err) != WH_OK) {
                return err->rc;
            }
            r->span.next[r->msgs[i].partition] = r->msgs[i].offset + 1;
            silent = -1;
        }
    }
    return WH_OK;
}
