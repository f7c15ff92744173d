#include "stages/fetcher/listen.h"

#include "common/base/mem.h"

enum { BATCH = 64 };

struct listen {
    struct fetcher *f;
    struct wh_consumer *consumer;
    struct wh_watch *watch;
    bool told;
};

static void on_records(void *ctx, int fd, unsigned events)
{
    struct listen *listen = ctx;
    struct wh_bus_msg msgs[BATCH];
    struct wh_err err;
    size_t n = 0;

    (void)fd;
    (void)events;
    do {
        if (wh_consumer_poll(listen->consumer, 0, BATCH, msgs, &n, &err) != WH_OK) {
            if (!listen->told) {
                wh_log_warn(listen->f->deps.log, "the health topic cannot be read", WH_RC(&err));
            }
            listen->told = true;
            return;
        }
        for (size_t i = 0; i < n; i++) {
            fetcher_take_health(listen->f, &msgs[i]);
        }
    } while (n > 0);
}

enum wh_rc listen_new(struct fetcher *f, struct wh_consumer *consumer, struct listen **ret,
                      struct wh_err *err)
{
    const struct wh_bus_partition part = {f->health_topic, 0, WH_OFFSET_BEGINNING};
    struct listen *listen = wh_mem_zalloc(1, sizeof(*listen));

    if (listen == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to follow the health topic");
    }
    listen->f = f;
    listen->consumer = consumer;
    listen->watch =
        wh_watch_new(f->deps.loop, wh_consumer_fd(consumer), WH_READABLE, on_records, listen);
    if (listen->watch == NULL || wh_consumer_assign(consumer, &part, 1, err) != WH_OK) {
        listen->consumer = NULL;
        listen_free(listen);
        return wh_fail(err, WH_E_UNAVAILABLE, "the health topic cannot be read");
    }
    *ret = listen;
    return WH_OK;
}

void listen_free(struct listen *listen)
{
    if (listen) {
        wh_watch_free(listen->watch);
        wh_consumer_free(listen->consumer);
        wh_mem_free(listen);
    }
}
