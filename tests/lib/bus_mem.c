#include "tests/lib/bus_mem_priv.h"

#include <unistd.h>

#include "common/base/mem.h"

void bus_mem_record_free(struct mem_record *r)
{
    for (size_t i = 0; r && i < r->n_headers; i++) {
        wh_mem_free((void *)(uintptr_t)r->headers[i].name.ptr);
        wh_mem_free((void *)(uintptr_t)r->headers[i].value.ptr);
    }
    if (r) {
        wh_mem_free(r->headers);
        wh_mem_free((void *)(uintptr_t)r->key.ptr);
        wh_mem_free((void *)(uintptr_t)r->value.ptr);
        wh_mem_free(r);
    }
}

static void free_topic(struct mem_topic *t)
{
    for (int32_t p = 0; p < t->n_partitions; p++) {
        for (size_t i = 0; i < t->partitions[p].n; i++) {
            bus_mem_record_free(t->partitions[p].records[i]);
        }
        wh_mem_free(t->partitions[p].records);
    }
    wh_mem_free(t->partitions);
    wh_mem_free(t->name);
}

struct wh_bus_mem *wh_bus_mem_new(void)
{
    return wh_mem_zalloc(1, sizeof(struct wh_bus_mem));
}

void wh_bus_mem_free(struct wh_bus_mem *bus)
{
    for (size_t i = 0; bus && i < bus->n_topics; i++) {
        free_topic(&bus->topics[i]);
    }
    wh_mem_free(bus);
}

struct mem_topic *bus_mem_find(const struct wh_bus_mem *bus, const char *name)
{
    for (size_t i = 0; i < bus->n_topics; i++) {
        if (strcmp(bus->topics[i].name, name) == 0) {
            return (struct mem_topic *)(uintptr_t)&bus->topics[i];
        }
    }
    return NULL;
}

enum wh_rc wh_bus_mem_topic(struct wh_bus_mem *bus, const char *name, int32_t partitions,
                            struct wh_err *err)
{
    struct mem_topic *t;

    if (bus_mem_find(bus, name)) {
        return WH_OK;
    }
    if (bus->n_topics == TOPICS_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "too many topics in memory");
    }
    t = &bus->topics[bus->n_topics];
    t->name = wh_mem_dup(name, strlen(name));
    t->partitions = wh_mem_zalloc((size_t)partitions, sizeof(*t->partitions));
    if (!t->name || !t->partitions) {
        wh_mem_free(t->name);
        wh_mem_free(t->partitions);
        return wh_fail(err, WH_E_NOMEM, "no memory for a topic");
    }
    t->n_partitions = partitions;
    bus->n_topics++;
    return WH_OK;
}

/* ---- faults ---- */

void wh_bus_mem_fail(struct wh_bus_mem *bus, enum wh_bus_mem_call call, size_t skip, size_t count,
                     enum wh_rc rc)
{
    bus->faults[call] = (struct mem_fault){skip, count, rc};
}

void wh_bus_mem_hold(struct wh_bus_mem *bus, bool hold)
{
    bus->hold = hold;
}

size_t wh_bus_mem_calls(const struct wh_bus_mem *bus, enum wh_bus_mem_call call)
{
    return bus->calls[call];
}

enum wh_rc bus_mem_fault(struct wh_bus_mem *bus, enum wh_bus_mem_call call)
{
    struct mem_fault *f = &bus->faults[call];

    bus->calls[call]++;
    if (f->count == 0) {
        return WH_OK;
    }
    if (f->skip > 0) {
        f->skip--;
        return WH_OK;
    }
    f->count--;
    return f->rc;
}

enum wh_rc bus_mem_check(struct wh_bus_mem *bus, enum wh_bus_mem_call call, struct wh_err *err)
{
    enum wh_rc rc = bus_mem_fault(bus, call);

    return rc == WH_OK ? WH_OK : wh_fail(err, rc, "injected fault");
}

/* ---- events ---- */

void bus_mem_signal(int fd)
{
    (void)!write(fd, &(uint64_t){1}, sizeof(uint64_t));
}

void bus_mem_clear(int fd)
{
    uint64_t count;

    (void)!read(fd, &count, sizeof(count));
}

void bus_mem_wake(struct wh_bus_mem *bus)
{
    for (struct mem_consumer *c = bus->consumers; c; c = c->next) {
        bus_mem_signal(c->fd);
    }
}

/* ---- commits ---- */

int64_t wh_bus_mem_committed(const struct wh_bus_mem *bus, const char *group, const char *topic,
                             int32_t partition)
{
    for (size_t i = 0; i < bus->n_commits; i++) {
        const struct mem_commit *m = &bus->commits[i];

        if (strcmp(m->group, group) == 0 && strcmp(m->topic->name, topic) == 0 &&
            m->partition == partition) {
            return m->offset;
        }
    }
    return WH_OFFSET_STORED;
}

static enum wh_rc commit_one(struct wh_bus_mem *bus, const char *group,
                             const struct wh_bus_partition *part, struct wh_err *err)
{
    struct mem_topic *t = bus_mem_find(bus, part->topic);
    struct mem_commit *m = NULL;

    if (t == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND, "no topic %.80s", part->topic);
    }
    for (size_t i = 0; i < bus->n_commits; i++) {
        if (strcmp(bus->commits[i].group, group) == 0 && bus->commits[i].topic == t &&
            bus->commits[i].partition == part->partition) {
            m = &bus->commits[i];
        }
    }
    if (m == NULL) {
        if (bus->n_commits == COMMITS_MAX) {
            return wh_fail(err, WH_E_TOO_LARGE, "too many commits in memory");
        }
        m = &bus->commits[bus->n_commits++];
        *m = (struct mem_commit){.topic = t, .partition = part->partition};
        (void)snprintf(m->group, sizeof(m->group), "%s", group);
    }
    m->offset = part->offset;
    return WH_OK;
}

enum wh_rc bus_mem_commit(struct wh_bus_mem *bus, const char *group,
                          const struct wh_bus_partition *parts, size_t n, struct wh_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (commit_one(bus, group, &parts[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- looking inside ---- */

size_t wh_bus_mem_count(const struct wh_bus_mem *bus, const char *topic)
{
    const struct mem_topic *t = bus_mem_find(bus, topic);
    size_t n = 0;

    for (int32_t p = 0; t && p < t->n_partitions; p++) {
        n += t->partitions[p].n;
    }
    return n;
}

bool wh_bus_mem_get(const struct wh_bus_mem *bus, const char *topic, size_t index,
                    struct wh_bus_msg *ret, const struct wh_bus_header **ret_headers,
                    size_t *ret_n_headers)
{
    const struct mem_topic *t = bus_mem_find(bus, topic);

    for (int32_t p = 0; t && p < t->n_partitions; p++) {
        const struct mem_partition *part = &t->partitions[p];

        if (index < part->n) {
            struct mem_record *r = part->records[index];

            *ret = (struct wh_bus_msg){.topic = t->name,
                                       .partition = p,
                                       .offset = (int64_t)index,
                                       .timestamp_ms = r->timestamp_ms,
                                       .key = r->key,
                                       .value = r->value,
                                       .priv = r};
            if (ret_headers) {
                *ret_headers = r->headers;
                *ret_n_headers = r->n_headers;
            }
            return true;
        }
        index -= part->n;
    }
    return false;
}
