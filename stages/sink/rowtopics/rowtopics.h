/*
 * rowtopics.h - the rows of the tables as Kafka topics, for engines that take them elsewhere: one compacted topic
 * rows.<table> for each table of entities, one flat Avro record for each live row, with the names that SQL shows
 * behind the ids. The key is the id as text; a tombstone says that the row is gone.
 *
 * What a topic should hold is what the table holds now, and what it does hold can be read back. So nothing is
 * remembered on the disk:
 *
 *   read      the topics from their beginnings: of each row a hash, 40 bytes in memory
 *   compare   every table with them: what differs is sent, and a tombstone for what is no row any more
 *   follow    the log of changes: the row of each changed entity is read and compared. When its name, title, path or
 *             address has changed, so are the rows that refer to it, found by their backlinks
 *
 * Some names change without an entry in the log: people are joined by decisions, children go with their parents, a
 * purge leaves nothing. Therefore all tables are compared again every sweep_ms while anything changes, and sooner after
 * one of these; a comparison takes at most a tenth of the time. After an error everything begins again. A row
 * may be sent twice, and the last record of a key is always the newest row.
 *
 * Schemas are numbered by their content and kept in the compacted topic row-schemas, so that a reader of old
 * records finds them under /registry after an upgrade.
 *
 * It has a thread of its own, which only reads the store: the writer never waits for it.
 */
#ifndef WH_SINK_ROWTOPICS_H
#define WH_SINK_ROWTOPICS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/zone.h"
#include "common/bus/bus.h"
#include "common/metrics/metrics.h"
#include "stages/sink/changes/changes.h"

struct rowtopics;

/* All is kept. The three makers are called in the thread of the topics. */
struct rowtopics_deps {
    struct wh_store *store;
    struct changes *changes;
    struct wh_clock clock;
    struct wh_log *log;
    struct wh_metrics *metrics;
    enum wh_rc (*make_consumer)(void *ctx, struct wh_consumer **ret, struct wh_err *err);
    enum wh_rc (*make_producer)(void *ctx, struct wh_producer **ret, struct wh_err *err);
    enum wh_rc (*make_admin)(void *ctx, struct wh_admin **ret, struct wh_err *err);
    void *ctx;
    const char *topic_prefix;
    const char *folder; /* for temporary files of statements */
    struct wh_zone zone;
    int64_t partitions;
    int64_t replication;
    int64_t sweep_ms;
    int64_t retry_ms;
};

enum rowtopics_state {
    ROWTOPICS_STARTING,
    ROWTOPICS_READING,   /* what the topics hold */
    ROWTOPICS_COMPARING, /* the tables with them */
    ROWTOPICS_FOLLOWING,
    ROWTOPICS_FAILING, /* tries again */
};

struct rowtopics_status {
    enum rowtopics_state state;
    uint64_t sequence; /* all changes up to this one are in the topics */
    uint64_t sent;     /* records since the start, tombstones included */
    uint64_t tombstones;
    uint64_t rows;               /* in the topics */
    int64_t compared_ms;         /* when the last comparison ended; 0: never */
    char reason[WH_ERR_MSG_MAX]; /* of failing */
};

WH_MUST_CHECK enum wh_rc rowtopics_new(const struct rowtopics_deps *deps, struct rowtopics **ret,
                                       struct wh_err *err);
/* Asks the thread to end. Thread: loop. */
void rowtopics_stop(struct rowtopics *r);
/* Waits for the thread. Accepts NULL. */
void rowtopics_free(struct rowtopics *r);
/* Thread: any. */
void rowtopics_status_get(struct rowtopics *r, struct rowtopics_status *ret);
const char *rowtopics_state_name(enum rowtopics_state state);
/* Updates the gauges. Thread: loop. */
void rowtopics_collect(struct rowtopics *r);

/* ---- schemas; Thread: any. What is returned stays as long as the topics. ---- */

struct rowtopics_schema {
    int32_t id;  /* from its content; above those of the built-in schemas */
    int version; /* of its subject, from 1 */
    char subject[WH_BUS_TOPIC_MAX + 8];
    char *text;
    size_t len;
};

size_t rowtopics_schemas(struct rowtopics *r);
const struct rowtopics_schema *rowtopics_schema_at(struct rowtopics *r, size_t i);

#endif
