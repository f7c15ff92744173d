/*
 * settings.h - what the program decides and the whole room of ingest reads.
 */
#ifndef WH_SINK_SETTINGS_H
#define WH_SINK_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bus/bus.h"

struct sink_conf {
    const char *topic_prefix;
    size_t batch_records; /* most records of one batch */
    size_t batch_bytes;   /* most bytes of one batch, about */
    bool sync;            /* durable before the next batch */
    int64_t discover_ms;  /* how often topics and ends are asked for */
    int64_t retry_ms; /* first pause after a full disk or a refused dead letter; doubles to 16x */
    bool rebuild;     /* damaged records were set aside before: only counted */
    bool accept_gap;  /* go on at the log's start when the stored offset is gone */
};
void sink_conf_init(struct sink_conf *conf);

#endif
