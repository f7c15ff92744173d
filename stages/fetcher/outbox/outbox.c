#include "stages/fetcher/outbox/outbox.h"

#include "common/base/mem.h"
#include "stages/fetcher/outbox/record.h"

/* How soon a full queue is tried again when no record in flight will announce that it has room. */
enum { RETRY_MS = 50 };

struct queue {
    struct outbox_record *first;
    struct outbox_record *last;
    size_t n;
};

struct outbox {
    struct outbox_conf conf;
    struct wh_producer *producer;
    struct wh_timer *pump;
    struct queue in_flight; /* the producer has them */
    struct queue waiting;   /* oldest first */
    bool lost;              /* the producer is */
    bool lost_reported;
    struct wh_err lost_err;
};

static void on_pump(void *ctx);

/* ---- queues ---- */

static void queue_push(struct queue *q, struct outbox_record *r)
{
    r->next = NULL;
    r->prev = q->last;
    *(q->last ? &q->last->next : &q->first) = r;
    q->last = r;
    q->n++;
}

static void queue_remove(struct queue *q, struct outbox_record *r)
{
    *(r->prev ? &r->prev->next : &q->first) = r->next;
    *(r->next ? &r->next->prev : &q->last) = r->prev;
    q->n--;
}

static void queue_free(struct queue *q)
{
    while (q->first) {
        struct outbox_record *next = q->first->next;

        wh_mem_free(q->first);
        q->first = next;
    }
}

static void queue_abandon(struct queue *q)
{
    for (struct outbox_record *r = q->first; r; r = r->next) {
        r->ack = NULL;
    }
}

/* ---- life ---- */

struct outbox *outbox_new(const struct outbox_conf *conf)
{
    struct outbox *o = wh_mem_zalloc(1, sizeof(*o));

    if (o == NULL) {
        return NULL;
    }
    o->conf = *conf;
    o->pump = wh_timer_new(conf->loop, on_pump, o);
    if (o->pump == NULL) {
        wh_mem_free(o);
        return NULL;
    }
    return o;
}

void outbox_set_producer(struct outbox *o, struct wh_producer *producer)
{
    o->producer = producer;
}

void outbox_free(struct outbox *o)
{
    if (o) {
        wh_timer_free(o->pump);
        queue_free(&o->waiting);
        queue_free(&o->in_flight);
        wh_mem_free(o);
    }
}

/* ---- what the callers hear ---- */

static void complete(struct outbox_record *r, const struct wh_bus_delivery *delivery)
{
    struct wh_bus_ack *ack = r->ack;

    wh_mem_free(r);
    if (ack) {
        ack->fn(ack, delivery);
    }
}

static void refuse(struct outbox_record *r, const struct wh_err *err)
{
    complete(r, &(struct wh_bus_delivery){
                    .rc = err->rc, .reason = err->msg, .partition = r->partition, .offset = -1});
}

static void on_produced(struct wh_bus_ack *ack, const struct wh_bus_delivery *delivery)
{
    struct outbox_record *r = (struct outbox_record *)ack;
    struct outbox *o = r->outbox;

    queue_remove(&o->in_flight, r);
    if (o->waiting.n) {
        wh_timer_start(o->pump, 0, 0);
    }
    complete(r, delivery);
}

/* ---- towards the producer ---- */

static enum wh_rc offer(struct outbox *o, struct outbox_record *r, struct wh_err *err)
{
    enum wh_rc rc = outbox_record_produce(r, o->producer, err);

    if (rc == WH_E_FATAL_BUS && !o->lost) {
        o->lost = true;
        o->lost_err = *err;
        wh_timer_start(o->pump, 0, 0);
    }
    return rc;
}

/* The first of those that wait met a full queue. An acknowledgement starts the pump; when none is
 * to come, time does. */
static void await_room(struct outbox *o)
{
    if (o->in_flight.n == 0) {
        wh_timer_start(o->pump, RETRY_MS, 0);
    }
}

static enum wh_rc post(struct outbox *o, struct outbox_record *r, struct wh_bus_ack *ack,
                       struct wh_err *err)
{
    enum wh_rc rc;

    r->produced.fn = on_produced;
    r->outbox = o;
    r->ack = ack;
    rc = o->waiting.n ? WH_E_BUSY : offer(o, r, err);
    if (rc != WH_OK && rc != WH_E_BUSY) {
        wh_mem_free(r);
        return rc;
    }
    queue_push(rc == WH_OK ? &o->in_flight : &o->waiting, r);
    if (rc == WH_E_BUSY && o->waiting.n == 1) {
        await_room(o);
    }
    return WH_OK;
}

/* ---- out of the waiting queue ---- */

/* False: the first one must wait on. */
static bool send_first(struct outbox *o)
{
    struct outbox_record *r = o->waiting.first;
    struct wh_err err;
    enum wh_rc rc = offer(o, r, &err);

    if (rc == WH_E_BUSY) {
        await_room(o);
        return false;
    }
    queue_remove(&o->waiting, r);
    if (rc == WH_OK) {
        queue_push(&o->in_flight, r);
    } else {
        refuse(r, &err);
    }
    return true;
}

static void report_lost(struct outbox *o)
{
    if (o->lost && !o->lost_reported) {
        o->lost_reported = true;
        if (o->conf.on_lost) {
            o->conf.on_lost(o->conf.ctx, &o->lost_err);
        }
    }
}

/* An ack may add records behind those that wait: they get their turn next time. */
static void on_pump(void *ctx)
{
    struct outbox *o = ctx;
    size_t n = o->waiting.n;
    bool full = n > 0;

    for (; n > 0; n--) {
        if (!send_first(o)) {
            break;
        }
    }
    report_lost(o);
    if (o->waiting.n && n == 0) {
        wh_timer_start(o->pump, 0, 0);
    } else if (full && o->waiting.n == 0) {
        o->conf.on_room(o->conf.ctx);
    }
}

/* ---- records ---- */

enum wh_rc outbox_row(struct outbox *o, const struct outbox_row *row, struct wh_bus_ack *ack,
                      struct wh_err *err)
{
    struct outbox_record *r;

    if (outbox_record_row(row, wh_clock_now_ms(&o->conf.clock), &r, err) != WH_OK) {
        return err->rc;
    }
    if (post(o, r, ack, err) != WH_OK) {
        return err->rc;
    }
    if (o->conf.on_row) {
        o->conf.on_row(o->conf.ctx, row);
    }
    return WH_OK;
}

enum wh_rc outbox_state(struct outbox *o, int32_t partition, const struct outbox_document *doc,
                        struct wh_bus_ack *ack, struct wh_err *err)
{
    struct outbox_record *r;

    if (outbox_record_document(doc, partition, wh_clock_now_ms(&o->conf.clock), &r, err) != WH_OK) {
        return err->rc;
    }
    return post(o, r, ack, err);
}

enum wh_rc outbox_document(struct outbox *o, const struct outbox_document *doc,
                           struct wh_bus_ack *ack, struct wh_err *err)
{
    return outbox_state(o, -1, doc, ack, err);
}

/* ---- what the callers ask ---- */

bool outbox_has_room(const struct outbox *o)
{
    return o->waiting.n == 0;
}

size_t outbox_waiting(const struct outbox *o)
{
    return o->waiting.n;
}

size_t outbox_pending(const struct outbox *o)
{
    return o->waiting.n + o->in_flight.n;
}

void outbox_abandon(struct outbox *o)
{
    queue_abandon(&o->in_flight);
    queue_abandon(&o->waiting);
}
