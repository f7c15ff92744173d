/*
 * sent.h - the observations that were produced, so that content that did not change is produced once.
 *
 * Leaving out an observation must not change what the sink stores, in any order of the events, with any
 * duplication and after any crash. The sink merges by version, so of an observation that it has already,
 * only two things can count (common/event/history.h): its provenance, if it was observed earlier, and
 * when the entity was last seen, to WH_SEEN_MS. Hence an observation is left out only if the same one was
 * produced that was observed earlier, and one that was observed at least as late to WH_SEEN_MS. Mentions
 * do not count for when an entity was last seen.
 *
 * The produced observation may not be acknowledged yet. The offset of its event is then not committed
 * either, so whoever reads this event next produces it again, with an empty memory: the memory is of one
 * process, and is cleared with each assignment of partitions, after which records may be missing that
 * were produced before (a purge, a retry of a held stream).
 *
 * Forgetting is always safe. The memory has a fixed size, and a new entry replaces the older of the two
 * in its place. Thread: app.
 */
#ifndef WH_MAPPER_SENT_H
#define WH_MAPPER_SENT_H

#include "common/event/observation.h"

struct sent;

/* Orders observations by when they were made. */
struct sent_origin {
    int64_t observed_at_ms;
    int64_t offset;
    int32_t partition;
};

/* places: how many observations it remembers, rounded up to a power of two; 0: none. NULL: no memory. */
struct sent *sent_new(size_t places);
void sent_free(struct sent *s);
void sent_clear(struct sent *s);

/* A new event begins; sent_undo forgets what was added since, because it is not produced after all. */
void sent_begin(struct sent *s);
void sent_undo(struct sent *s);

/* A key of the content: equal for equal entities, versions and contents. */
uint64_t sent_key(const struct wh_observation *o);
/* True when an observation with this key need not be produced. The partitions of one key are of one raw
 * topic. */
bool sent_covers(struct sent *s, uint64_t key, const struct sent_origin *at);
/* An observation with this key is produced. */
void sent_add(struct sent *s, uint64_t key, const struct sent_origin *at, bool mention);

#endif
