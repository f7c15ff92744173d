#include "stages/sink/api/flow.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"

enum {
    /* A reader that has taken everything is woken for this much, or for less after a while. */
    WORTH_BYTES = 32 << 10,
    WORTH_NS = 20000000,
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
};

struct api_flow {
    struct wh_wake *wake;
    struct api_flow_conf conf;
    int64_t waited_ns; /* the lane's thread alone */
    pthread_mutex_t lock;
    pthread_cond_t room;
    /* Under the lock. */
    size_t from;
    size_t len;
    bool overflowed;
    bool hungry; /* the last read found nothing */
    int64_t hungry_since_ns;
    bool closed;
    char ring[API_FLOW_BYTES];
};

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * (int64_t)NS_PER_S + t.tv_nsec;
}

struct api_flow *api_flow_new(struct wh_wake *wake, const struct api_flow_conf *conf)
{
    struct api_flow *flow = wh_mem_alloc(sizeof(*flow));
    pthread_condattr_t attr;

    if (flow == NULL) {
        return NULL;
    }
    /* The ring is not cleared: pages that no answer has used cost nothing. */
    memset(flow, 0, offsetof(struct api_flow, ring));
    flow->wake = wake;
    flow->conf = *conf;
    (void)pthread_mutex_init(&flow->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&flow->room, &attr);
    (void)pthread_condattr_destroy(&attr);
    return flow;
}

void api_flow_free(struct api_flow *flow)
{
    if (flow == NULL) {
        return;
    }
    (void)pthread_cond_destroy(&flow->room);
    (void)pthread_mutex_destroy(&flow->lock);
    wh_mem_free(flow);
}

/* ---- the lane's side ---- */

static enum wh_rc await_room(struct api_flow *flow, struct wh_err *err)
{
    int64_t start_ns = now_ns();
    int64_t left_ns = flow->conf.wait_max_ms * NS_PER_MS - flow->waited_ns;
    int64_t stall_ns = flow->conf.stall_ms * NS_PER_MS;
    int64_t until_ns = start_ns + (stall_ns < left_ns ? stall_ns : left_ns);
    const struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    int code = 0;

    while (flow->len > API_FLOW_BYTES / 2 && !flow->closed && code != ETIMEDOUT) {
        code = pthread_cond_timedwait(&flow->room, &flow->lock, &until);
    }
    flow->waited_ns += now_ns() - start_ns;
    return code == ETIMEDOUT ? wh_fail(err, WH_E_TIMEOUT,
                                       "stopped because the client reads the answer too slowly")
                             : WH_OK;
}

static size_t put(struct api_flow *flow, struct wh_slice bytes)
{
    size_t room = API_FLOW_BYTES - flow->len;
    size_t at = (flow->from + flow->len) % API_FLOW_BYTES;
    size_t n = bytes.len < room ? bytes.len : room;
    size_t first = n < API_FLOW_BYTES - at ? n : API_FLOW_BYTES - at;

    memcpy(flow->ring + at, bytes.ptr, first);
    memcpy(flow->ring, bytes.ptr + first, n - first);
    flow->len += n;
    return n;
}

static bool worth_a_wake(const struct api_flow *flow)
{
    return flow->hungry &&
           (flow->len >= WORTH_BYTES || now_ns() - flow->hungry_since_ns >= WORTH_NS);
}

static enum wh_rc write_locked(struct api_flow *flow, struct wh_slice bytes, struct wh_err *err)
{
    while (!flow->closed) {
        bytes = wh_slice_from(bytes, put(flow, bytes));
        if (bytes.len > 0 && !flow->overflowed) {
            flow->overflowed = true;
            wh_wake_send(flow->wake);
        } else if (worth_a_wake(flow)) {
            flow->hungry = false;
            wh_wake_send(flow->wake);
        }
        if (bytes.len == 0) {
            return WH_OK;
        }
        if (await_room(flow, err) != WH_OK) {
            return err->rc;
        }
    }
    return wh_fail(err, WH_E_CANCELED, "the answer was stopped before its end");
}

enum wh_rc api_flow_write(struct api_flow *flow, struct wh_slice bytes, struct wh_err *err)
{
    enum wh_rc rc;

    if (bytes.len == 0) {
        return WH_OK;
    }
    (void)pthread_mutex_lock(&flow->lock);
    rc = write_locked(flow, bytes, err);
    (void)pthread_mutex_unlock(&flow->lock);
    return rc;
}

enum wh_rc api_flow_write_whole(struct api_flow *flow, struct wh_slice bytes, struct wh_err *err)
{
    enum wh_rc rc = WH_OK;

    (void)pthread_mutex_lock(&flow->lock);
    if (bytes.len > API_FLOW_BYTES - flow->len) {
        wh_wake_send(flow->wake);
        rc = await_room(flow, err);
    }
    if (rc == WH_OK && flow->closed) {
        rc = wh_fail(err, WH_E_CANCELED, "the answer was stopped before its end");
    }
    if (rc == WH_OK) {
        (void)put(flow, bytes);
    }
    (void)pthread_mutex_unlock(&flow->lock);
    return rc;
}

void api_flow_flush(struct api_flow *flow)
{
    wh_wake_send(flow->wake);
}

const int64_t *api_flow_waited_ns(const struct api_flow *flow)
{
    return &flow->waited_ns;
}

/* ---- the loop's side ---- */

size_t api_flow_read(struct api_flow *flow, char *to, size_t max)
{
    size_t first;
    size_t n;

    (void)pthread_mutex_lock(&flow->lock);
    n = flow->len < max ? flow->len : max;
    first = n < API_FLOW_BYTES - flow->from ? n : API_FLOW_BYTES - flow->from;
    memcpy(to, flow->ring + flow->from, first);
    memcpy(to + first, flow->ring, n - first);
    flow->from = (flow->from + n) % API_FLOW_BYTES;
    flow->len -= n;
    if (n == 0) {
        flow->hungry = true;
        flow->hungry_since_ns = now_ns();
    } else if (flow->len <= API_FLOW_BYTES / 2) {
        (void)pthread_cond_signal(&flow->room);
    }
    (void)pthread_mutex_unlock(&flow->lock);
    return n;
}

bool api_flow_overflowed(struct api_flow *flow)
{
    bool overflowed;

    (void)pthread_mutex_lock(&flow->lock);
    overflowed = flow->overflowed;
    (void)pthread_mutex_unlock(&flow->lock);
    return overflowed;
}

struct wh_slice api_flow_whole(const struct api_flow *flow)
{
    return wh_slice(flow->ring, flow->len);
}

void api_flow_close(struct api_flow *flow)
{
    (void)pthread_mutex_lock(&flow->lock);
    flow->closed = true;
    (void)pthread_cond_signal(&flow->room);
    (void)pthread_mutex_unlock(&flow->lock);
}
