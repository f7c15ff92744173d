#include "tests/lib/bus_mem_priv.h"

#include "common/base/mem.h"

struct mem_admin {
    struct wh_admin base;
    struct wh_bus_mem *bus;
};

static struct wh_bus_mem *bus_of(struct wh_admin *a)
{
    return ((struct mem_admin *)a)->bus;
}

static enum wh_rc ma_create(struct wh_admin *a, const struct wh_bus_topic *topics, size_t n,
                            int timeout_ms, struct wh_err *err)
{
    (void)timeout_ms;
    if (bus_mem_check(bus_of(a), WH_BUS_MEM_ADMIN, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        if (wh_bus_mem_topic(bus_of(a), topics[i].name, topics[i].partitions, err) != WH_OK) {
            return err->rc;
        }
    }
    bus_mem_wake(bus_of(a));
    return WH_OK;
}

/* Empties the topic; its slot stays, as consumers may point to it. */
static enum wh_rc ma_remove(struct wh_admin *a, const char *const *topics, size_t n, int timeout_ms,
                            struct wh_err *err)
{
    (void)timeout_ms;
    if (bus_mem_check(bus_of(a), WH_BUS_MEM_ADMIN, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        struct mem_topic *t = bus_mem_find(bus_of(a), topics[i]);

        for (int32_t p = 0; t && p < t->n_partitions; p++) {
            for (size_t k = 0; k < t->partitions[p].n; k++) {
                bus_mem_record_free(t->partitions[p].records[k]);
            }
            t->partitions[p].n = 0;
        }
        if (t) {
            t->name[0] = '\0';
        }
    }
    return WH_OK;
}

static enum wh_rc ma_list(struct wh_admin *a, int timeout_ms, struct wh_bus_topic_info **ret,
                          size_t *ret_n, struct wh_err *err)
{
    struct wh_bus_mem *bus = bus_of(a);
    struct wh_bus_topic_info *list;
    size_t n = 0;

    (void)timeout_ms;
    if (bus_mem_check(bus, WH_BUS_MEM_ADMIN, err) != WH_OK) {
        return err->rc;
    }
    list = wh_mem_zalloc(bus->n_topics + 1, sizeof(*list));
    for (size_t i = 0; list && i < bus->n_topics; i++) {
        if (bus->topics[i].name[0] == '\0') {
            continue;
        }
        list[n].name = wh_mem_dup(bus->topics[i].name, strlen(bus->topics[i].name));
        list[n].partitions = bus->topics[i].n_partitions;
        n += list[n].name != NULL;
    }
    if (list == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a list of topics");
    }
    *ret = list;
    *ret_n = n;
    return WH_OK;
}

static int64_t offset_at(const struct mem_partition *part, int64_t at_ms)
{
    size_t i = at_ms == WH_OFFSET_END ? part->n : 0;

    while (at_ms >= 0 && i < part->n && part->records[i]->timestamp_ms < at_ms) {
        i++;
    }
    return (int64_t)i;
}

static enum wh_rc ma_offsets(struct wh_admin *a, struct wh_bus_partition *parts, size_t n,
                             int64_t at_ms, int timeout_ms, struct wh_err *err)
{
    size_t answered = 0;

    (void)timeout_ms;
    if (bus_mem_check(bus_of(a), WH_BUS_MEM_OFFSETS, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        const struct mem_topic *t = bus_mem_find(bus_of(a), parts[i].topic);
        bool known = t && parts[i].partition < t->n_partitions;

        parts[i].offset =
            known ? offset_at(&t->partitions[parts[i].partition], at_ms) : WH_OFFSET_STORED;
        answered += known;
    }
    return n == 0 || answered ? WH_OK
                              : wh_fail(err, WH_E_NOT_FOUND, "no topic %.80s", parts[0].topic);
}

static enum wh_rc ma_group_set(struct wh_admin *a, const char *group,
                               const struct wh_bus_partition *parts, size_t n, int timeout_ms,
                               struct wh_err *err)
{
    (void)timeout_ms;
    if (bus_mem_check(bus_of(a), WH_BUS_MEM_ADMIN, err) != WH_OK) {
        return err->rc;
    }
    return bus_mem_commit(bus_of(a), group, parts, n, err);
}

static enum wh_rc ma_group_get(struct wh_admin *a, const char *group,
                               struct wh_bus_partition *parts, size_t n, int timeout_ms,
                               struct wh_err *err)
{
    (void)timeout_ms;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        parts[i].offset =
            wh_bus_mem_committed(bus_of(a), group, parts[i].topic, parts[i].partition);
    }
    return WH_OK;
}

static void ma_free(struct wh_admin *a)
{
    wh_mem_free(a);
}

static const struct wh_admin_ops mem_admin_ops = {
    .create = ma_create,
    .remove = ma_remove,
    .list = ma_list,
    .offsets = ma_offsets,
    .group_set = ma_group_set,
    .group_get = ma_group_get,
    .free = ma_free,
};

enum wh_rc wh_bus_mem_admin(struct wh_bus_mem *bus, struct wh_admin **ret, struct wh_err *err)
{
    struct mem_admin *a = wh_mem_zalloc(1, sizeof(*a));

    if (a == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an admin");
    }
    a->base.ops = &mem_admin_ops;
    a->bus = bus;
    *ret = &a->base;
    return WH_OK;
}
