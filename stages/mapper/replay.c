#include "stages/mapper/replay.h"

#include <string.h>

enum { ASK_TIMEOUT_MS = 10000 };

static enum wh_rc add_partition(struct wh_admin *admin, const char *group, int32_t partition,
                                struct replay_ends *ends, struct wh_err *err)
{
    struct wh_bus_partition at = {.topic = ends->topic, .partition = partition};
    int64_t begin = 0;
    int64_t end = 0;

    if (wh_admin_offset(admin, ends->topic, partition, WH_OFFSET_END, ASK_TIMEOUT_MS, &end, err) !=
            WH_OK ||
        wh_admin_offset(admin, ends->topic, partition, WH_OFFSET_BEGINNING, ASK_TIMEOUT_MS, &begin,
                        err) != WH_OK ||
        wh_admin_group_get(admin, group, &at, 1, ASK_TIMEOUT_MS, err) != WH_OK) {
        return err->rc;
    }
    if (at.offset > begin) {
        begin = at.offset;
    }
    if (begin < end && ends->n < REPLAY_PARTITIONS_MAX) {
        at.offset = end;
        ends->parts[ends->n++] = at;
    }
    return WH_OK;
}

enum wh_rc replay_ends_find(struct wh_admin *admin, const char *group, struct replay_ends *ends,
                            struct wh_err *err)
{
    struct wh_bus_topic_info *list = NULL;
    enum wh_rc rc = WH_OK;
    bool found = false;
    size_t n = 0;

    ends->n = 0;
    if (wh_admin_list(admin, ASK_TIMEOUT_MS, &list, &n, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, ends->topic) != 0) {
            continue;
        }
        found = true;
        for (int32_t p = 0; p < list[i].partitions && rc == WH_OK; p++) {
            rc = add_partition(admin, group, p, ends, err);
        }
    }
    wh_bus_topic_list_free(list, n);
    if (rc == WH_OK && !found) {
        return wh_fail(err, WH_E_NOT_FOUND, "the topic %.200s does not exist", ends->topic);
    }
    return rc;
}
