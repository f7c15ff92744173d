/*
 * wellhead-lag BOOTSTRAP PREFIX - how many raw events the mappers of an installation have not committed
 * yet: of each partition of PREFIX raw.*, the end less the committed offset of the group PREFIX mapper.
 * Prints the sum. For tests that wait until everything is mapped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bus/bus.h"

enum { TIMEOUT_MS = 10000, NAME_MAX_BYTES = 300 };

/* The lag of one partition; -1 with a reason when Kafka does not say. */
static int64_t partition_lag(struct wh_admin *admin, const char *group, const char *topic,
                             int32_t partition, struct wh_err *err)
{
    struct wh_bus_partition part = {.topic = topic, .partition = partition};
    int64_t end = 0;
    int64_t begin = 0;

    if (wh_admin_group_get(admin, group, &part, 1, TIMEOUT_MS, err) != WH_OK ||
        wh_admin_offset(admin, topic, partition, WH_OFFSET_BEGINNING, TIMEOUT_MS, &begin, err) !=
            WH_OK ||
        wh_admin_offset(admin, topic, partition, WH_OFFSET_END, TIMEOUT_MS, &end, err) != WH_OK) {
        return -1;
    }
    return end - (part.offset > begin ? part.offset : begin);
}

static int64_t lag_of(struct wh_admin *admin, const char *prefix, struct wh_err *err)
{
    struct wh_bus_topic_info *topics = NULL;
    char group[NAME_MAX_BYTES];
    char raw[NAME_MAX_BYTES];
    int64_t sum = 0;
    size_t n = 0;

    (void)snprintf(group, sizeof(group), "%smapper", prefix);
    (void)snprintf(raw, sizeof(raw), "%sraw.", prefix);
    if (wh_admin_list(admin, TIMEOUT_MS, &topics, &n, err) != WH_OK) {
        return -1;
    }
    for (size_t i = 0; i < n && sum >= 0; i++) {
        for (int32_t p = 0; p < topics[i].partitions && sum >= 0; p++) {
            int64_t lag = strncmp(topics[i].name, raw, strlen(raw)) == 0
                              ? partition_lag(admin, group, topics[i].name, p, err)
                              : 0;

            sum = lag < 0 ? -1 : sum + lag;
        }
    }
    wh_bus_topic_list_free(topics, n);
    return sum;
}

int main(int argc, char **argv)
{
    struct wh_admin *admin = NULL;
    struct wh_err err;
    int64_t lag;

    if (argc != 3) {
        (void)fprintf(stderr, "usage: wellhead-lag BOOTSTRAP PREFIX\n");
        return 2;
    }
    if (wh_admin_kafka_new(argv[1], "wellhead-lag", NULL, NULL, &admin, &err) != WH_OK) {
        (void)fprintf(stderr, "wellhead-lag: %s\n", err.msg);
        return 1;
    }
    lag = lag_of(admin, argv[2], &err);
    wh_admin_free(admin);
    if (lag < 0) {
        (void)fprintf(stderr, "wellhead-lag: %s\n", err.msg);
        return 1;
    }
    (void)printf("%" PRId64 "\n", lag);
    return 0;
}
