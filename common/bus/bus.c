#include "common/bus/bus.h"

#include "common/base/mem.h"

void wh_producer_conf_init(struct wh_producer_conf *conf)
{
    *conf = (struct wh_producer_conf){
        .bootstrap = "127.0.0.1:9092",
        .client_id = "wellhead",
        .profile = WH_BUS_LIVE,
        .queue_max_bytes = 64 << 20,
        .queue_max_records = 100000,
        .delivery_timeout_ms = 120000,
    };
}

void wh_consumer_conf_init(struct wh_consumer_conf *conf)
{
    *conf = (struct wh_consumer_conf){
        .bootstrap = "127.0.0.1:9092",
        .client_id = "wellhead",
        .fetch_max_bytes = 32 << 20,
        .metadata_refresh_ms = 3000,
        .session_timeout_ms = 10000,
    };
}

void wh_bus_topic_list_free(struct wh_bus_topic_info *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        wh_mem_free(list[i].name);
    }
    wh_mem_free(list);
}
