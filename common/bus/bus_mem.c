#include "common/bus/bus_mem.h"

#include <regex.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/mem.h"

enum { TOPICS_MAX = 64, COMMITS_MAX = 1024, ASSIGNED_MAX = 256 };

struct mem_record {
    struct wh_slice key;
    struct wh_slice value;
    struct wh_bus_header *headers;
    size_t n_headers;
    int64_t timestamp_ms;
};

struct mem_partition {
    struct mem_record **records; /* pointers, so that messages stay valid while more come */
    size_t n;
    size_t cap;
};

struct mem_topic {
    char *name;
    struct mem_partition *partitions;
    int32_t n_partitions;
};

struct mem_commit {
    char group[64];
    const struct mem_topic *topic;
    int32_t partition;
    int64_t offset;
};

struct mem_fault {
    size_t skip;
    size_t count;
    enum wh_rc rc;
};

struct mem_consumer;

struct wh_bus_mem {
    struct mem_topic topics[TOPICS_MAX];
    size_t n_topics;
    struct mem_commit commits[COMMITS_MAX];
    size_t n_commits;
    struct mem_fault faults[WH_BUS_MEM_CALL_COUNT];
    size_t calls[WH_BUS_MEM_CALL_COUNT];
    bool hold;
    struct mem_consumer *consumers; /* to wake */
};

static void free_record(struct mem_record *r)
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
            free_record(t->partitions[p].records[i]);
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

static struct mem_topic *find_topic(const struct wh_bus_mem *bus, const char *name)
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

    if (find_topic(bus, name)) {
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

static enum wh_rc fault_of(struct wh_bus_mem *bus, enum wh_bus_mem_call call)
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

static enum wh_rc check_fault(struct wh_bus_mem *bus, enum wh_bus_mem_call call, struct wh_err *err)
{
    enum wh_rc rc = fault_of(bus, call);

    return rc == WH_OK ? WH_OK : wh_fail(err, rc, "injected fault");
}

/* ---- producer ---- */

struct mem_pending {
    struct mem_pending *next;
    struct mem_topic *topic;
    int32_t partition;
    struct mem_record *record;
    void *opaque;
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
        free_record(copy);
        return NULL;
    }
    copy->timestamp_ms = r->timestamp_ms;
    return copy;
}

static void signal_fd(int fd)
{
    (void)!write(fd, &(uint64_t){1}, sizeof(uint64_t));
}

static void clear_fd(int fd)
{
    uint64_t count;

    (void)!read(fd, &count, sizeof(count));
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
    struct mem_topic *t = find_topic(p->bus, r->topic);
    struct mem_pending *item;

    if (check_fault(p->bus, WH_BUS_MEM_PRODUCE, err) != WH_OK) {
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
    item->opaque = r->opaque;
    item->kept = r->keep_value ? r->value : wh_slice(NULL, 0);
    *p->last = item;
    p->last = &item->next;
    p->pending++;
    p->pending_bytes += r->value.len;
    if (r->take_value) {
        wh_mem_free((void *)(uintptr_t)r->value.ptr);
    }
    signal_fd(p->fd);
    return WH_OK;
}

static int mp_fd(struct wh_producer *base)
{
    return ((struct mem_producer *)base)->fd;
}

static void wake_consumers(struct wh_bus_mem *bus);

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
    enum wh_rc rc = fault_of(p->bus, WH_BUS_MEM_DELIVERY);
    struct wh_bus_delivery d = {.rc = rc,
                                .topic = item->topic->name,
                                .partition = item->partition,
                                .offset = -1,
                                .opaque = item->opaque};

    if (item->kept.len) {
        memcpy((char *)(uintptr_t)item->record->value.ptr, item->kept.ptr, item->kept.len);
    }
    if (rc == WH_OK) {
        d.offset = store_record(&item->topic->partitions[item->partition], item->record);
        d.rc = d.offset < 0 ? WH_E_NOMEM : WH_OK;
    }
    if (d.rc != WH_OK) {
        d.reason = "injected fault";
        free_record(item->record);
    }
    wh_mem_free(item);
    if (p->conf.on_delivery) {
        p->conf.on_delivery(p->conf.ctx, &d);
    }
}

static size_t mp_poll(struct wh_producer *base, int timeout_ms)
{
    struct mem_producer *p = (struct mem_producer *)base;
    size_t n = 0;

    (void)timeout_ms;
    clear_fd(p->fd);
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
        wake_consumers(p->bus);
    }
    return n;
}

static enum wh_rc mp_warm(struct wh_producer *base, const char *topic, int timeout_ms,
                          struct wh_err *err)
{
    (void)timeout_ms;
    if (check_fault(((struct mem_producer *)base)->bus, WH_BUS_MEM_WARM, err) != WH_OK) {
        return err->rc;
    }
    if (find_topic(((struct mem_producer *)base)->bus, topic) == NULL) {
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

        free_record(p->first->record);
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

/* ---- consumer ---- */

struct mem_assigned {
    struct mem_topic *topic;
    int32_t partition;
    int64_t position;
    bool paused;
};

struct mem_consumer {
    struct wh_consumer base;
    struct mem_consumer *next;
    struct wh_bus_mem *bus;
    struct wh_consumer_conf conf;
    char group[64];
    struct mem_assigned assigned[ASSIGNED_MAX];
    size_t n_assigned;
    char *patterns[8];
    size_t n_patterns;
    size_t seen_topics; /* topics when the pattern was last looked at */
    size_t n_matching;  /* of these, how many matched */
    bool joined;
    bool stale; /* the members of the group have changed since it joined */
    int fd;
};

static void wake_consumers(struct wh_bus_mem *bus)
{
    for (struct mem_consumer *c = bus->consumers; c; c = c->next) {
        signal_fd(c->fd);
    }
}

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

static bool matches(const char *pattern, const char *name)
{
    regex_t regex;
    bool match;

    if (pattern[0] != '^') {
        return strcmp(pattern, name) == 0;
    }
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    match = regexec(&regex, name, 0, NULL, 0) == 0;
    regfree(&regex);
    return match;
}

static int64_t start_offset(const struct mem_consumer *c, const struct mem_topic *t,
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

static void revoke_all(struct mem_consumer *c, bool lost)
{
    struct wh_bus_partition parts[ASSIGNED_MAX];

    for (size_t i = 0; i < c->n_assigned; i++) {
        parts[i] = (struct wh_bus_partition){c->assigned[i].topic->name, c->assigned[i].partition,
                                             c->assigned[i].position};
    }
    if (c->n_assigned && c->conf.rebalance.on_revoke) {
        c->conf.rebalance.on_revoke(c->conf.rebalance.ctx, parts, c->n_assigned, lost);
    }
    c->n_assigned = 0;
}

static bool matches_any(const struct mem_consumer *c, const struct mem_topic *t)
{
    for (size_t k = 0; k < c->n_patterns; k++) {
        if (t->name[0] && matches(c->patterns[k], t->name)) {
            return true;
        }
    }
    return false;
}

static size_t count_matching(const struct mem_consumer *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->bus->n_topics; i++) {
        n += matches_any(c, &c->bus->topics[i]);
    }
    return n;
}

/* Two members of one group; a consumer is no peer of itself. */
static bool peers(const struct mem_consumer *a, const struct mem_consumer *b)
{
    return a != b && a->group[0] && a->n_patterns && b->n_patterns &&
           strcmp(a->group, b->group) == 0;
}

/* The other members of the group rejoin at their next poll. */
static void unsettle_peers(const struct mem_consumer *c)
{
    for (struct mem_consumer *other = c->bus->consumers; other; other = other->next) {
        if (peers(c, other)) {
            other->stale = true;
            signal_fd(other->fd);
        }
    }
}

/* Partitions stay with their old owner until it has given them back in a poll of its own. */
static bool waits_for_peers(const struct mem_consumer *c)
{
    for (const struct mem_consumer *other = c->bus->consumers; other; other = other->next) {
        if (peers(c, other) && other->stale && other->joined) {
            return true;
        }
    }
    return false;
}

/* Range assignment over the members of the group, oldest first: from first up to, not including,
 * end. */
static void share_of(const struct mem_consumer *c, int32_t partitions, int32_t *first, int32_t *end)
{
    int32_t index = 0;
    int32_t members = 1;
    bool older = false; /* consumers are listed newest first */

    for (const struct mem_consumer *other = c->bus->consumers; other; other = other->next) {
        older = older || other == c;
        index += older && peers(c, other);
        members += peers(c, other);
    }
    *first = index * (partitions / members) +
             (index < partitions % members ? index : partitions % members);
    *end = *first + partitions / members + (index < partitions % members);
}

static bool settled(struct mem_consumer *c)
{
    if (!c->joined || c->stale) {
        return false;
    }
    if (c->seen_topics != c->bus->n_topics) {
        c->seen_topics = c->bus->n_topics;
        return count_matching(c) == c->n_matching;
    }
    return true;
}

static void join(struct mem_consumer *c)
{
    struct wh_bus_partition parts[ASSIGNED_MAX];
    size_t n = 0;

    c->joined = true;
    c->stale = false;
    c->seen_topics = c->bus->n_topics;
    c->n_matching = count_matching(c);
    for (size_t i = 0; i < c->bus->n_topics; i++) {
        struct mem_topic *t = &c->bus->topics[i];
        int32_t p = 0;
        int32_t end = 0;

        if (matches_any(c, t)) {
            share_of(c, t->n_partitions, &p, &end);
        }
        for (; p < end && n < ASSIGNED_MAX; p++) {
            int64_t at = start_offset(c, t, p, WH_OFFSET_STORED);

            c->assigned[n] = (struct mem_assigned){t, p, at, false};
            parts[n++] = (struct wh_bus_partition){t->name, p, at};
        }
    }
    c->n_assigned = n;
    if (n && c->conf.rebalance.on_assign) {
        c->conf.rebalance.on_assign(c->conf.rebalance.ctx, parts, n);
    }
}

/* Joins the group, or joins it again when its members or the matching topics have changed. */
static void rebalance(struct mem_consumer *c)
{
    if (c->n_patterns == 0 || settled(c)) {
        return;
    }
    revoke_all(c, false);
    c->joined = false;
    if (waits_for_peers(c)) {
        signal_fd(c->fd);
        return;
    }
    join(c);
}

static enum wh_rc mc_subscribe(struct wh_consumer *base, const char *const *topics, size_t n,
                               struct wh_err *err)
{
    struct mem_consumer *c = (struct mem_consumer *)base;

    if (n > sizeof(c->patterns) / sizeof(c->patterns[0])) {
        return wh_fail(err, WH_E_TOO_LARGE, "too many patterns");
    }
    for (size_t i = 0; i < n; i++) {
        c->patterns[i] = wh_mem_dup(topics[i], strlen(topics[i]));
        if (c->patterns[i] == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a pattern");
        }
        c->n_patterns = i + 1;
    }
    c->stale = true;
    unsettle_peers(c);
    signal_fd(c->fd);
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
        struct mem_topic *t = find_topic(c->bus, parts[i].topic);

        if (t == NULL || parts[i].partition >= t->n_partitions) {
            return wh_fail(err, WH_E_NOT_FOUND, "no topic %.80s", parts[i].topic);
        }
        made[i] = (struct mem_assigned){
            t, parts[i].partition, start_offset(c, t, parts[i].partition, parts[i].offset), false};
        for (size_t k = 0; parts[i].offset == WH_OFFSET_STORED && k < c->n_assigned; k++) {
            if (c->assigned[k].topic == t && c->assigned[k].partition == parts[i].partition) {
                made[i].position = c->assigned[k].position;
            }
        }
    }
    memcpy(c->assigned, made, n * sizeof(made[0]));
    c->n_assigned = n;
    signal_fd(c->fd);
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
    clear_fd(c->fd);
    if (check_fault(c->bus, WH_BUS_MEM_POLL, err) != WH_OK) {
        signal_fd(c->fd);
        return err->rc;
    }
    rebalance(c);
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
        signal_fd(c->fd);
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
    signal_fd(c->fd);
    return WH_OK;
}

static enum wh_rc commit_one(struct wh_bus_mem *bus, const char *group,
                             const struct wh_bus_partition *part, struct wh_err *err)
{
    struct mem_topic *t = find_topic(bus, part->topic);
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

static enum wh_rc commit_all(struct wh_bus_mem *bus, const char *group,
                             const struct wh_bus_partition *parts, size_t n, struct wh_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (commit_one(bus, group, &parts[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc mc_commit(struct wh_consumer *base, const struct wh_bus_partition *parts,
                            size_t n, bool wait, struct wh_err *err)
{
    struct mem_consumer *c = (struct mem_consumer *)base;

    (void)wait;
    if (check_fault(c->bus, WH_BUS_MEM_COMMIT, err) != WH_OK) {
        return err->rc;
    }
    return commit_all(c->bus, c->group, parts, n, err);
}

static enum wh_rc mc_watermarks(struct wh_consumer *base, const char *topic, int32_t partition,
                                int timeout_ms, int64_t *ret_low, int64_t *ret_high,
                                struct wh_err *err)
{
    struct mem_topic *t = find_topic(((struct mem_consumer *)base)->bus, topic);

    (void)timeout_ms;
    if (t == NULL || partition >= t->n_partitions) {
        return wh_fail(err, WH_E_NOT_FOUND, "no topic %.80s", topic);
    }
    *ret_low = 0;
    *ret_high = (int64_t)t->partitions[partition].n;
    return WH_OK;
}

static void mc_free(struct wh_consumer *base)
{
    struct mem_consumer *c = (struct mem_consumer *)base;
    struct mem_consumer **link = &c->bus->consumers;

    if (c->joined) {
        revoke_all(c, false);
    }
    unsettle_peers(c);
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

/* ---- admin ---- */

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
    if (check_fault(bus_of(a), WH_BUS_MEM_ADMIN, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        if (wh_bus_mem_topic(bus_of(a), topics[i].name, topics[i].partitions, err) != WH_OK) {
            return err->rc;
        }
    }
    wake_consumers(bus_of(a));
    return WH_OK;
}

/* Empties the topic; its slot stays, as consumers may point to it. */
static enum wh_rc ma_remove(struct wh_admin *a, const char *const *topics, size_t n, int timeout_ms,
                            struct wh_err *err)
{
    (void)timeout_ms;
    if (check_fault(bus_of(a), WH_BUS_MEM_ADMIN, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        struct mem_topic *t = find_topic(bus_of(a), topics[i]);

        for (int32_t p = 0; t && p < t->n_partitions; p++) {
            for (size_t k = 0; k < t->partitions[p].n; k++) {
                free_record(t->partitions[p].records[k]);
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
    if (check_fault(bus, WH_BUS_MEM_ADMIN, err) != WH_OK) {
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

static enum wh_rc ma_offsets(struct wh_admin *a, const char *topic, int32_t partition,
                             int64_t at_ms, int timeout_ms, int64_t *ret_offset, struct wh_err *err)
{
    struct mem_topic *t = find_topic(bus_of(a), topic);
    struct mem_partition *part;
    size_t i = 0;

    (void)timeout_ms;
    if (t == NULL || partition >= t->n_partitions) {
        return wh_fail(err, WH_E_NOT_FOUND, "no topic %.80s", topic);
    }
    part = &t->partitions[partition];
    if (at_ms == WH_OFFSET_END) {
        i = part->n;
    }
    while (at_ms >= 0 && i < part->n && part->records[i]->timestamp_ms < at_ms) {
        i++;
    }
    *ret_offset = (int64_t)i;
    return WH_OK;
}

static enum wh_rc ma_group_set(struct wh_admin *a, const char *group,
                               const struct wh_bus_partition *parts, size_t n, int timeout_ms,
                               struct wh_err *err)
{
    (void)timeout_ms;
    return commit_all(bus_of(a), group, parts, n, err);
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

/* ---- looking inside ---- */

size_t wh_bus_mem_count(const struct wh_bus_mem *bus, const char *topic)
{
    const struct mem_topic *t = find_topic(bus, topic);
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
    const struct mem_topic *t = find_topic(bus, topic);

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
