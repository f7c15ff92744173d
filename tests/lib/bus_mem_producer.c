#include "tests/lib/bus_mem_priv.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/mem.h"

struct mem_pending {
    struct mem_pending *next;
    struct mem_topic *topic;
    int32_t partition;
    struct mem_record *record;
    struct wh_bus_ack *ack;
    struct wh_slice kept; /* read when it is delivered, as a client library does */
};

struct mem_producer {
    struct wh_producer base;
    struct wh_bus_mem *bus;
    struct wh_producer_conf conf;
    struct mem_pending *first;
    struct mem_pending **last;
    size_t pending;
    size_t pending_bytes;
    int fd;
};

/* Murmur2 as Kafka's Java client and librdkafka compute it. */
static uint32_t murmur2(struct wh_slice key)
{
    const uint32_t m = 0x5bd1e995;
    const unsigned char *p = (const unsigned char *)key.ptr;
    size_t len = key.len;
    uint32_t h = 0x9747b28cU ^ (uint32_t)len;

    for (; len >= 4; p += 4, len -= 4) {
        uint32_t k =
            (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;

        k *= m;
        k ^= k >> 24;
        k *= m;
        h = h * m ^ k;
    }
    for (size_t i = len; i > 0; i--) {
        h ^= (uint32_t)p[i - 1] << (8 * (i - 1));
        if (i == 1) {
            h *= m;
        }
    }
    h ^= h >> 13;
    h *= m;
    h ^= h >> 15;
    return h;
}

static bool copy_slice(struct wh_slice from, struct wh_slice *to)
{
    if (from.ptr == NULL) {
        *to = wh_slice(NULL, 0);
        return true;
    }
    *to = wh_slice(wh_mem_dup(from.ptr, from.len), from.len);
    return to->ptr != NULL;
}

static struct mem_record *copy_record(const struct wh_bus_record *r)
{
    struct mem_record *copy = wh_mem_zalloc(1, sizeof(*copy));
    bool ok;

    if (copy == NULL) {
        return NULL;
    }
    ok = copy_slice(r->key, &copy->key) && copy_slice(r->value, &copy->value);
    copy->headers = wh_mem_zalloc(r->n_headers, sizeof(*copy->headers));
    ok = ok && copy->headers;
    for (size_t i = 0; ok && i < r->n_headers; i++) {
        copy->n_headers = i + 1;
        ok = copy_slice(r->headers[i].name, &copy->headers[i].name) &&
             copy_slice(r->headers[i].value, &copy->headers[i].value);
    }
    if (!ok) {
        bus_mem_record_free(copy);
        return NULL;
    }
    copy->timestamp_ms = r->timestamp_ms;
    return copy;
}

static int32_t choose_partition(const struct mem_topic *t, const struct wh_bus_record *r)
{
    if (r->partition >= 0) {
        return r->partition < t->n_partitions ? r->partition : t->n_partitions - 1;
    }
    return (int32_t)((murmur2(r->key) & 0x7fffffffU) % (uint32_t)t->n_partitions);
}

static enum wh_rc mp_produce(struct wh_producer *base, const struct wh_bus_record *r,
                             struct wh_err *err)
{
    struct mem_producer *p = (struct mem_producer *)base;
    struct mem_topic *t = bus_mem_find(p->bus, r->topic);
    struct mem_pending *item;

    if (bus_mem_check(p->bus, WH_BUS_MEM_PRODUCE, err) != WH_OK) {
        return err->rc;
    }
    if (t == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND, "no topic %.80s", r->topic);
    }
    if (p->pending >= p->conf.queue_max_records ||
        p->pending_bytes + r->value.len > p->conf.queue_max_bytes) {
        return wh_fail(err, WH_E_BUSY, "the queue is full");
    }
    item = wh_mem_zalloc(1, sizeof(*item));
    if (item) {
        item->record = copy_record(r);
    }
    if (item == NULL || item->record == NULL) {
        wh_mem_free(item);
        return wh_fail(err, WH_E_NOMEM, "no memory for a record");
    }
    item->topic = t;
    item->partition = choose_partition(t, r);
    item->ack = r->ack;
    item->kept = r->keep_value ? r->value : wh_slice(NULL, 0);
    *p->last = item;
    p->last = &item->next;
    p->pending++;
    p->pending_bytes += r->value.len;
    if (r->take_value) {
        wh_mem_free((void *)(uintptr_t)r->value.ptr);
    }
    bus_mem_signal(p->fd);
    return WH_OK;
}

static int mp_fd(struct wh_producer *base)
{
    return ((struct mem_producer *)base)->fd;
}

static int64_t store_record(struct mem_partition *part, struct mem_record *record)
{
    if (part->n == part->cap) {
        size_t cap = part->cap ? part->cap * 2 : 16;
        struct mem_record **grown = wh_mem_resize(part->records, cap, sizeof(*grown));

        if (grown == NULL) {
            return -1;
        }
        part->records = grown;
        part->cap = cap;
    }
    part->records[part->n] = record;
    return (int64_t)part->n++;
}

static void deliver(struct mem_producer *p, struct mem_pending *item)
{
    enum wh_rc rc = bus_mem_fault(p->bus, WH_BUS_MEM_DELIVERY);
    struct wh_bus_delivery d = {
        .rc = rc, .topic = item->topic->name, .partition = item->partition, .offset = -1};
    struct wh_bus_ack *ack = item->ack;

    if (item->kept.len) {
        memcpy((char *)(uintptr_t)item->record->value.ptr, item->kept.ptr, item->kept.len);
    }
    if (rc == WH_OK) {
        d.offset = store_record(&item->topic->partitions[item->partition], item->record);
        d.rc = d.offset < 0 ? WH_E_NOMEM : WH_OK;
    }
    if (d.rc != WH_OK) {
        d.reason = "injected fault";
        bus_mem_record_free(item->record);
    }
    wh_mem_free(item);
    if (ack) {
        ack->fn(ack, &d);
    }
}

static size_t mp_poll(struct wh_producer *base, int timeout_ms)
{
    struct mem_producer *p = (struct mem_producer *)base;
    size_t n = 0;

    (void)timeout_ms;
    bus_mem_clear(p->fd);
    while (!p->bus->hold && p->first) {
        struct mem_pending *item = p->first;

        p->first = item->next;
        if (p->first == NULL) {
            p->last = &p->first;
        }
        p->pending--;
        p->pending_bytes -= item->record->value.len;
        deliver(p, item);
        n++;
    }
    if (n) {
        bus_mem_wake(p->bus);
    }
    return n;
}

static enum wh_rc mp_warm(struct wh_producer *base, const char *topic, int timeout_ms,
                          struct wh_err *err)
{
    (void)timeout_ms;
    if (bus_mem_check(((struct mem_producer *)base)->bus, WH_BUS_MEM_WARM, err) != WH_OK) {
        return err->rc;
    }
    if (bus_mem_find(((struct mem_producer *)base)->bus, topic) == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND, "no topic %.80s", topic);
    }
    return WH_OK;
}

static enum wh_rc mp_flush(struct wh_producer *base, int timeout_ms, struct wh_err *err)
{
    struct mem_producer *p = (struct mem_producer *)base;

    (void)mp_poll(base, timeout_ms);
    return p->pending == 0 ? WH_OK : wh_fail(err, WH_E_TIMEOUT, "records are held");
}

static size_t mp_pending(struct wh_producer *base)
{
    return ((struct mem_producer *)base)->pending;
}

static void mp_free(struct wh_producer *base)
{
    struct mem_producer *p = (struct mem_producer *)base;

    while (p->first) {
        struct mem_pending *next = p->first->next;

        bus_mem_record_free(p->first->record);
        wh_mem_free(p->first);
        p->first = next;
    }
    (void)close(p->fd);
    wh_mem_free(p);
}

static const struct wh_producer_ops mem_producer_ops = {
    .produce = mp_produce,
    .fd = mp_fd,
    .poll = mp_poll,
    .warm = mp_warm,
    .flush = mp_flush,
    .pending = mp_pending,
    .free = mp_free,
};

enum wh_rc wh_bus_mem_producer(struct wh_bus_mem *bus, const struct wh_producer_conf *conf,
                               struct wh_producer **ret, struct wh_err *err)
{
    struct mem_producer *p = wh_mem_zalloc(1, sizeof(*p));

    if (p == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a producer");
    }
    p->base.ops = &mem_producer_ops;
    p->bus = bus;
    p->conf = *conf;
    p->last = &p->first;
    p->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    *ret = &p->base;
    return WH_OK;
}
