#include "tests/lib/bus_mem_priv.h"

#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/mem.h"

int64_t bus_mem_start_offset(const struct mem_consumer *c, const struct mem_topic *t,
                             int32_t partition, int64_t wanted)
{
    int64_t committed;

    if (wanted >= 0) {
        return wanted;
    }
    if (wanted == WH_OFFSET_END) {
        return (int64_t)t->partitions[partition].n;
    }
    committed =
        c->group[0] ? wh_bus_mem_committed(c->bus, c->group, t->name, partition) : WH_OFFSET_STORED;
    return wanted == WH_OFFSET_STORED && committed >= 0 ? committed : 0;
}

static enum wh_rc mc_subscribe(struct wh_consumer *base, const char *const *topics, size_t n,
                               struct wh_err *err)
{
    struct mem_consumer *c = (struct mem_consumer *)base;

    if (n > sizeof(c->patterns) / sizeof(c->patterns[0])) {
        return wh_fail(err, WH_E_TOO_LARGE, "too many patterns");
    }
    for (size_t i = 0; i < c->n_patterns; i++) {
        wh_mem_free(c->patterns[i]);
    }
    c->n_patterns = 0;
    for (size_t i = 0; i < n; i++) {
        c->patterns[i] = wh_mem_dup(topics[i], strlen(topics[i]));
        if (c->patterns[i] == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a pattern");
        }
        c->n_patterns = i + 1;
    }
    c->stale = true;
    bus_mem_unsettle_peers(c);
    bus_mem_signal(c->fd);
    return WH_OK;
}

static enum wh_rc mc_assign(struct wh_consumer *base, const struct wh_bus_partition *parts,
                            size_t n, struct wh_err *err)
{
    struct mem_consumer *c = (struct mem_consumer *)base;
    struct mem_assigned made[ASSIGNED_MAX];

    if (n > ASSIGNED_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "too many partitions");
    }
    for (size_t i = 0; i < n; i++) {
        struct mem_topic *t = bus_mem_find(c->bus, parts[i].topic);

        if (t == NULL || parts[i].partition >= t->n_partitions) {
            return wh_fail(err, WH_E_NOT_FOUND, "no topic %.80s", parts[i].topic);
        }
        made[i] = (struct mem_assigned){
            t, parts[i].partition, bus_mem_start_offset(c, t, parts[i].partition, parts[i].offset),
            false};
        for (size_t k = 0; parts[i].offset == WH_OFFSET_STORED && k < c->n_assigned; k++) {
            if (c->assigned[k].topic == t && c->assigned[k].partition == parts[i].partition) {
                made[i].position = c->assigned[k].position;
            }
        }
    }
    memcpy(c->assigned, made, n * sizeof(made[0]));
    c->n_assigned = n;
    bus_mem_signal(c->fd);
    return WH_OK;
}

static int mc_fd(struct wh_consumer *base)
{
    return ((struct mem_consumer *)base)->fd;
}

static enum wh_rc mc_poll(struct wh_consumer *base, int timeout_ms, size_t max,
                          struct wh_bus_msg *out, size_t *ret_n, struct wh_err *err)
{
    struct mem_consumer *c = (struct mem_consumer *)base;
    size_t n = 0;

    (void)timeout_ms;
    *ret_n = 0;
    bus_mem_clear(c->fd);
    if (bus_mem_check(c->bus, WH_BUS_MEM_POLL, err) != WH_OK) {
        bus_mem_signal(c->fd);
        return err->rc;
    }
    bus_mem_rebalance(c);
    for (size_t i = 0; i < c->n_assigned; i++) {
        struct mem_assigned *a = &c->assigned[i];
        struct mem_partition *part = &a->topic->partitions[a->partition];

        while (!a->paused && n < max && a->position < (int64_t)part->n) {
            struct mem_record *r = part->records[a->position];

            out[n++] = (struct wh_bus_msg){.topic = a->topic->name,
                                           .partition = a->partition,
                                           .offset = a->position++,
                                           .timestamp_ms = r->timestamp_ms,
                                           .key = r->key,
                                           .value = r->value,
                                           .priv = r};
        }
    }
    if (n == max) {
        bus_mem_signal(c->fd);
    }
    *ret_n = n;
    return WH_OK;
}

static struct wh_slice mc_header(struct wh_consumer *base, const struct wh_bus_msg *msg,
                                 const char *name)
{
    const struct mem_record *r = msg->priv;

    (void)base;
    for (size_t i = 0; i < r->n_headers; i++) {
        if (wh_slice_eq(r->headers[i].name, wh_slice_str(name))) {
            return r->headers[i].value;
        }
    }
    return wh_slice(NULL, 0);
}

static size_t mc_headers(struct wh_consumer *base, const struct wh_bus_msg *msg,
                         struct wh_bus_header out[WH_BUS_HEADERS_MAX])
{
    const struct mem_record *r = msg->priv;
    size_t n = r->n_headers < WH_BUS_HEADERS_MAX ? r->n_headers : WH_BUS_HEADERS_MAX;

    (void)base;
    memcpy(out, r->headers, n * sizeof(*out));
    return n;
}

static enum wh_rc mc_pause(struct wh_consumer *base, const struct wh_bus_partition *parts, size_t n,
                           bool pause, struct wh_err *err)
{
    struct mem_consumer *c = (struct mem_consumer *)base;

    (void)err;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < c->n_assigned; k++) {
            if (c->assigned[k].partition == parts[i].partition &&
                strcmp(c->assigned[k].topic->name, parts[i].topic) == 0) {
                c->assigned[k].paused = pause;
            }
        }
    }
    bus_mem_signal(c->fd);
    return WH_OK;
}

static enum wh_rc mc_commit(struct wh_consumer *base, const struct wh_bus_partition *parts,
                            size_t n, bool wait, struct wh_err *err)
{
    struct mem_consumer *c = (struct mem_consumer *)base;

    (void)wait;
    if (bus_mem_check(c->bus, WH_BUS_MEM_COMMIT, err) != WH_OK) {
        return err->rc;
    }
    return bus_mem_commit(c->bus, c->group, parts, n, err);
}

static enum wh_rc mc_watermarks(struct wh_consumer *base, const char *topic, int32_t partition,
                                int timeout_ms, int64_t *ret_low, int64_t *ret_high,
                                struct wh_err *err)
{
    struct mem_topic *t = bus_mem_find(((struct mem_consumer *)base)->bus, topic);

    (void)timeout_ms;
    if (t == NULL || partition >= t->n_partitions) {
        return wh_fail(err, WH_E_NOT_FOUND, "no topic %.80s", topic);
    }
    *ret_low = 0;
    *ret_high = (int64_t)t->partitions[partition].n;
    return WH_OK;
}

static int64_t mc_end(struct wh_consumer *base, const char *topic, int32_t partition)
{
    struct mem_consumer *c = (struct mem_consumer *)base;

    for (size_t i = 0; c->conf.report_ends && i < c->n_assigned; i++) {
        struct mem_assigned *a = &c->assigned[i];

        if (a->partition == partition && strcmp(a->topic->name, topic) == 0) {
            return a->position >= (int64_t)a->topic->partitions[partition].n ? a->position : -1;
        }
    }
    return -1;
}

static void mc_free(struct wh_consumer *base)
{
    struct mem_consumer *c = (struct mem_consumer *)base;
    struct mem_consumer **link = &c->bus->consumers;

    if (c->joined) {
        bus_mem_revoke(c, false);
    }
    bus_mem_unsettle_peers(c);
    while (*link != c) {
        link = &(*link)->next;
    }
    *link = c->next;
    for (size_t i = 0; i < c->n_patterns; i++) {
        wh_mem_free(c->patterns[i]);
    }
    (void)close(c->fd);
    wh_mem_free(c);
}

static const struct wh_consumer_ops mem_consumer_ops = {
    .subscribe = mc_subscribe,
    .assign = mc_assign,
    .fd = mc_fd,
    .poll = mc_poll,
    .header = mc_header,
    .headers = mc_headers,
    .pause = mc_pause,
    .commit = mc_commit,
    .watermarks = mc_watermarks,
    .end = mc_end,
    .free = mc_free,
};

enum wh_rc wh_bus_mem_consumer(struct wh_bus_mem *bus, const struct wh_consumer_conf *conf,
                               struct wh_consumer **ret, struct wh_err *err)
{
    struct mem_consumer *c = wh_mem_zalloc(1, sizeof(*c));

    if (c == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a consumer");
    }
    c->base.ops = &mem_consumer_ops;
    c->bus = bus;
    c->conf = *conf;
    (void)snprintf(c->group, sizeof(c->group), "%s", conf->group ? conf->group : "");
    c->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    c->next = bus->consumers;
    bus->consumers = c;
    *ret = &c->base;
    return WH_OK;
}
