/*
 * settings.h - the settings of the room ingest. sink_conf_init sets the defaults, which are those
 * of the configuration keys.
 */
#ifndef WH_SINK_SETTINGS_H
#define WH_SINK_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bus/bus.h"

struct sink_conf {
    const char *topic_prefix;
    size_t batch_records; /* upper bound of records in a batch */
    size_t batch_bytes;   /* a batch ends when it is about this large */
    bool sync;            /* each batch is on the disk before the next one is written */
    int64_t discover_ms;  /* interval between two listings of topics and their ends */
    int64_t
        retry_ms;    /* first pause after a full disk or a refused dead letter; doubles up to 16x */
    bool rebuild;    /* damaged records have dead letters already: count them, send none */
    bool accept_gap; /* continue at the start of the log when a stored offset is gone */
};
void sink_conf_init(struct sink_conf *conf);

#endif
