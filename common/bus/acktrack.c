#include "common/bus/acktrack.h"

#include <assert.h>

#include "common/base/mem.h"

struct item {
    int64_t position;
    uint32_t waiting; /* unacknowledged outputs, plus the caller's reference */
};

struct wh_acktrack {
    struct item *ring;
    size_t capacity;
    uint64_t head; /* ticket of the oldest item in flight */
    uint64_t tail; /* ticket of the next item */
    int64_t position;
};

struct wh_acktrack *wh_acktrack_new(size_t capacity, int64_t first_position)
{
    struct wh_acktrack *t = wh_mem_zalloc(1, sizeof(*t));

    if (t == NULL) {
        return NULL;
    }
    t->ring = wh_mem_zalloc(capacity ? capacity : 1, sizeof(*t->ring));
    if (t->ring == NULL) {
        wh_mem_free(t);
        return NULL;
    }
    t->capacity = capacity ? capacity : 1;
    t->position = first_position;
    return t;
}

void wh_acktrack_free(struct wh_acktrack *t)
{
    if (t) {
        wh_mem_free(t->ring);
        wh_mem_free(t);
    }
}

enum wh_rc wh_acktrack_begin(struct wh_acktrack *t, int64_t position, uint64_t *ret_ticket,
                             struct wh_err *err)
{
    if (t->tail - t->head == t->capacity) {
        return wh_fail(err, WH_E_BUSY, "%zu items are in flight", t->capacity);
    }
    t->ring[t->tail % t->capacity] = (struct item){.position = position, .waiting = 1};
    *ret_ticket = t->tail++;
    return WH_OK;
}

static struct item *item_of(struct wh_acktrack *t, uint64_t ticket)
{
    assert(ticket >= t->head && ticket < t->tail);
    return &t->ring[ticket % t->capacity];
}

void wh_acktrack_expect(struct wh_acktrack *t, uint64_t ticket)
{
    item_of(t, ticket)->waiting++;
}

void wh_acktrack_ack(struct wh_acktrack *t, uint64_t ticket)
{
    struct item *item = item_of(t, ticket);

    assert(item->waiting > 0);
    item->waiting--;
    while (t->head < t->tail && t->ring[t->head % t->capacity].waiting == 0) {
        t->position = t->ring[t->head % t->capacity].position + 1;
        t->head++;
    }
}

int64_t wh_acktrack_position(const struct wh_acktrack *t)
{
    return t->position;
}

size_t wh_acktrack_in_flight(const struct wh_acktrack *t)
{
    return (size_t)(t->tail - t->head);
}
