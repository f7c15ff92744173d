/*
 * shadow.h - what another view file would change: maps a connection's raw events with the views in use and with
 * the file over them, and compares the entities that come of both. Nothing is produced or committed.
 *
 * Thread: the caller's.
 */
#ifndef WH_MAPPER_SHADOW_H
#define WH_MAPPER_SHADOW_H

#include "common/bus/bus.h"
#include "stages/mapper/view/view.h"

struct shadow_conf {
    const struct mapper_views *before;
    const struct mapper_views *after;
    struct wh_consumer *consumer;          /* without a group */
    const struct wh_bus_partition *begins; /* of each partition the first offset */
    const struct wh_bus_partition *ends;   /* one past the last record, in the same order */
    size_t n;
    size_t max_bytes; /* of an event, as mapper_eval_new */
    size_t max_depth;
};

/*
 * Reads the events twice: the first time to find the entities that differ, then to know what they are by each
 * side, so that memory is needed for those alone. The report is JSON:
 *
 *   {"records","unreadable","before":{"edition","dead_letters"},"after":{...},
 *    "entities":{"changed","added","removed","not_compared"},
 *    "fields":[{"kind","field","changed","examples":[{"id","url","before","after"}]}]}
 */
WH_MUST_CHECK enum wh_rc shadow_run(const struct shadow_conf *conf, struct wh_buf *report,
                                    struct wh_err *err);

#endif
