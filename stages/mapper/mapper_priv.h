/* mapper_priv.h - shared by mapper.c (the loop), partitions.c (the input) and prepare.c (from an event
 * to its records). */
#ifndef WH_MAPPER_MAPPER_PRIV_H
#define WH_MAPPER_MAPPER_PRIV_H

#include "common/base/arena.h"
#include "common/bus/acktrack.h"
#include "common/event/messages.h"
#include "common/event/topics.h"
#include "stages/mapper/mapper.h"
#include "stages/mapper/rereads.h"
#include "stages/mapper/sent.h"
#include "stages/mapper/slabs.h"
#include "stages/mapper/streams.h"

enum { MAPPER_BATCH = 256 };

/* One input partition. */
struct part {
    struct part *next;
    char topic[WH_TOPIC_MAX];
    int32_t partition;
    struct wh_slice connection; /* within topic */
    char entities[WH_TOPIC_MAX];
    char dead_letters[WH_TOPIC_MAX];
    struct wh_acktrack *track;
    struct streams *streams; /* of its connection */
    int64_t committed;       /* the last offset passed to commit */
    int64_t held_from;       /* nothing from here on is committed; -1: no event is held */
    bool revoked;            /* freed when none of its events is in flight */
    struct wh_counter *consumed;
};

/* An event with unacknowledged records. */
struct flight {
    struct wh_bus_ack ack; /* first: its records carry it */
    struct mapper *mapper;
    struct part *part;
    uint64_t ticket;
    unsigned waiting;
    struct slab *slab; /* of bytes; NULL: no records */
    const char *bytes; /* a copy of mapper.bytes */
    struct flight *next_free;
    struct flight *next; /* list of all flights */
};

/* Completes trailing rereads, for which no event waits. */
struct mapper_hints {
    struct wh_bus_ack ack; /* first: these records carry it */
    struct wh_log *log;
};

enum out_topic { OUT_ENTITIES, OUT_DEAD_LETTER, OUT_REREADS };

/* A record that is not produced yet: its place in mapper.bytes and in its flight's bytes. */
struct out {
    enum out_topic topic;
    enum wh_kind kind;
    bool deleted;
    size_t key;
    size_t key_len;
    size_t value;
    size_t value_len;
};

/* The origin of the current event. */
struct origin {
    struct wh_slice topic;
    int32_t partition;
    int64_t offset;
    struct wh_slice value;
    int32_t attempt;
};

enum step { STEP_NEXT, STEP_WAIT, STEP_STOP };

struct mapper {
    struct mapper_deps deps;
    struct mapper_conf conf;
    struct mapper_eval *eval;
    struct wh_arena arena;
    struct wh_consumer *consumer;
    struct wh_producer *producer;
    struct wh_watch *consumer_watch;
    struct wh_watch *producer_watch;
    struct wh_timer *soon;
    struct wh_wake *again;
    struct wh_timer *ticker;
    struct part *parts;
    struct part *last; /* of the previous message */
    struct flight *flights;
    struct flight *free_flights;
    size_t in_flight;
    struct slabs slabs;

    /* the current batch */
    struct wh_bus_msg batch[MAPPER_BATCH];
    size_t n_batch;
    size_t at;

    /* the current event: its records, and how many of them are produced */
    bool prepared;
    struct flight *flight;
    struct wh_buf bytes;
    struct out *outs;
    size_t n_outs;
    size_t cap_outs;
    size_t next_out;
    struct wh_raw_event event;
    unsigned stream; /* of the event, streams.h */
    struct origin origin;
    struct wh_slice trace;
    struct wh_err why; /* of its dead letter */
    struct wh_buf scratch;

    struct mapper_hints hints;
    struct sent *sent;
    uint64_t sent_salt; /* of the current event: its connection */
    struct mapper_rereads *rereads;
    char reread_topic[WH_TOPIC_MAX];
    struct stream_table streams;
    struct wh_heartbeat_held held[WH_HEARTBEAT_HELD_MAX]; /* of the last heartbeat */
    int64_t rejoin_until_ms; /* while it joins its group again; 0: it does not */
    int64_t last_commit_ms;
    char not_ready[WH_ERR_MSG_MAX];
    bool deaf; /* the consumer's descriptor is not being watched */
    bool draining;
    bool drained;
    bool dead;

    struct wh_counter *mapped;
    struct wh_counter *ignored;
    struct wh_counter *poison;
    struct wh_counter *passed_over;
    struct wh_counter *observations;
    struct wh_counter *unchanged;
    struct wh_counter *rereads_sent;
};

/* The role of the input topics: raw events, or dead letters in a replay of these. */
enum wh_topic_role mapper_input(const struct mapper *m);

/* Finds the partition of a message, or creates it. */
WH_MUST_CHECK enum wh_rc part_of(struct mapper *m, const struct wh_bus_msg *msg, struct part **ret,
                                 struct wh_err *err);
/* NULL when no message of it was read, or it was revoked. */
struct part *part_find(const struct mapper *m, const char *topic, int32_t partition);
void part_free(struct mapper *m, struct part *part);
/* The next offset to commit: everything before it is acknowledged, and nothing before it is held. */
int64_t part_position(const struct part *part);
/* Commits the position of every partition; `wait` for the broker's confirmation. */
void parts_commit(struct mapper *m, bool wait);

/*
 * Builds the records of the message: observations and rereads, or one dead letter. *ret_held: it has
 * none, because its stream is held. WH_E_BUSY: the schema of the event is not here yet. Other errors have
 * class FATAL.
 */
WH_MUST_CHECK enum wh_rc prepare_event(struct mapper *m, const struct part *part,
                                       const struct wh_bus_msg *msg, bool *ret_held,
                                       struct wh_err *err);
/* The topic of record i. */
const char *prepare_topic(const struct mapper *m, const struct part *part, size_t i);
/* Produces record i. */
WH_MUST_CHECK enum wh_rc prepare_send(struct mapper *m, const struct part *part, size_t i,
                                      struct wh_err *err);
WH_MUST_CHECK enum wh_rc prepare_send_reread(struct mapper *m, const struct wh_reread *request,
                                             struct wh_bus_ack *ack, struct wh_err *err);

#endif
