#include "stages/fetcher/members/health_reader.h"

#include "common/base/mem.h"
#include "common/bus/tail.h"

struct listen {
    struct fetcher *f;
    struct wh_consumer *consumer;
    struct wh_tail *tail;
};

static enum wh_rc on_record(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err)
{
    (void)err;
    fetcher_take_health(((struct listen *)ctx)->f, msg);
    return WH_OK;
}

/* Fetching goes on without it. */
static void on_fatal(void *ctx, const struct wh_err *err)
{
    wh_log_warn(fetcher_deps(((struct listen *)ctx)->f)->log, "health topic not readable",
                WH_RC(err));
}

enum wh_rc listen_new(struct fetcher *f, struct wh_consumer *consumer, struct listen **ret,
                      struct wh_err *err)
{
    struct listen *listen = wh_mem_zalloc(1, sizeof(*listen));
    const struct wh_tail_conf conf = {
        .consumer = consumer,
        .admin = fetcher_deps(f)->admin,
        .loop = fetcher_deps(f)->loop,
        .log = fetcher_deps(f)->log,
        .topic = fetcher_topics(f)->health,
        .on_record = on_record,
        .on_fatal = on_fatal,
        .ctx = listen,
    };

    if (listen == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to follow the health topic");
    }
    listen->f = f;
    if (wh_tail_new(&conf, &listen->tail, err) != WH_OK) {
        wh_mem_free(listen);
        return err->rc;
    }
    listen->consumer = consumer;
    *ret = listen;
    return WH_OK;
}

void listen_free(struct listen *listen)
{
    if (listen) {
        wh_tail_free(listen->tail);
        wh_consumer_free(listen->consumer);
        wh_mem_free(listen);
    }
}
