#include "tests/lib/th_fetcher.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/event/messages.h"
#include "tests/lib/th_cmocka.h"

enum { LARGE_QUEUE = 100000, TINY_QUEUE = 4 };

static size_t queue_max_records = LARGE_QUEUE;

int th_fetcher_large_queue(void **state)
{
    (void)state;
    queue_max_records = LARGE_QUEUE;
    return 0;
}

int th_fetcher_tiny_queue(void **state)
{
    (void)state;
    queue_max_records = TINY_QUEUE;
    return 0;
}

struct fetcher_conf th_fetcher_conf(void)
{
    return (struct fetcher_conf){.topic_prefix = "",
                                 .member = "h:8701",
                                 .sync_interval_ms = 3600000,
                                 .sync_overlap_ms = 30000,
                                 .backoff_ms = 1,
                                 .reread_delay_ms = 1000,
                                 .gone_confirm_ms = 5000,
                                 .max_in_flight = 8,
                                 .max_walks = 6,
                                 .request_timeout_ms = 60000,
                                 .key_look_ms = 20};
}

void th_fetcher_new(const struct fetcher_deps *deps, struct wh_bus_mem *bus,
                    struct wh_producer **ret_producer, struct fetcher **ret_f)
{
    static struct wh_keyring one_key;
    static const unsigned char zeros[WH_AEAD_KEY_BYTES];
    struct fetcher_deps own = *deps;
    struct wh_producer_conf conf;
    struct wh_err err;

    wh_producer_conf_init(&conf);
    conf.queue_max_records = queue_max_records;
    conf.queue_max_bytes = 1 << 30;
    th_ok(wh_bus_mem_producer(bus, &conf, ret_producer, &err), &err);
    if (deps->keys == NULL) {
        wh_keyring_of(&one_key, zeros, true, &err);
        own.keys = &one_key;
    }
    th_ok(fetcher_new(&own, ret_f, &err), &err);
    fetcher_set_producer(*ret_f, *ret_producer);
}

void th_fetcher_connect(struct fetcher *f, const char *instance, const char *projects,
                        const char *purpose, struct wh_slice secret)
{
    WH_AUTO(buf) struct wh_buf sealed;
    WH_AUTO(buf) struct wh_buf json;
    WH_AUTO(buf) struct wh_buf record;
    struct wh_connection doc = {.id = WH_LIT("c"),
                                .instance = wh_slice_str(instance),
                                .state = WH_LIT("enabled"),
                                .projects = wh_slice_str(projects),
                                .detail = WH_LIT("")};
    const struct wh_seal_place place = {
        .connection = doc.id, .purpose = purpose, .address = doc.instance};
    struct wh_document full = {.connection = WH_LIT("c"), .key = WH_LIT("c")};
    struct wh_err err;

    wh_buf_init(&sealed, 8192);
    wh_buf_init(&json, 65536);
    wh_buf_init(&record, 65536);
    th_ok(wh_secret_seal(fetcher_deps(f)->keys, &place, secret, &sealed, &err), &err);
    *(strcmp(purpose, "oauth") == 0 ? &doc.oauth_sealed : &doc.token_sealed) =
        wh_buf_slice(&sealed);
    th_ok(wh_connection_write(&doc, &json, &err), &err);
    full.document = wh_buf_slice(&json);
    th_ok(wh_document_encode(WH_DOCUMENT_CONNECTION, &full, &record, &err), &err);
    fetcher_take_connection(
        f, &(struct wh_bus_msg){.key = WH_LIT("c"), .value = wh_buf_slice(&record)});
}

void th_fetcher_take_state(struct fetcher *f, struct wh_bus_mem *bus)
{
    const struct wh_bus_header *headers;
    struct wh_bus_msg msg;
    size_t n;

    for (size_t i = 0; wh_bus_mem_get(bus, "fetch-state", i, &msg, &headers, &n); i++) {
        fetcher_take_state(f, &msg);
    }
}
