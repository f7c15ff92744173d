/*
 * bus_mem_priv.h - what the files of the bus in memory share. One thread.
 */
#ifndef TH_BUS_MEM_PRIV_H
#define TH_BUS_MEM_PRIV_H

#include "tests/lib/bus_mem.h"

enum { TOPICS_MAX = 64, COMMITS_MAX = 1024, ASSIGNED_MAX = 256 };

struct mem_record {
    struct wh_slice key;
    struct wh_slice value;
    struct wh_bus_header *headers;
    size_t n_headers;
    int64_t timestamp_ms;
};

struct mem_partition {
    struct mem_record **records; /* pointers, so that messages stay valid while more come */
    size_t n;
    size_t cap;
};

struct mem_topic {
    char *name;
    struct mem_partition *partitions;
    int32_t n_partitions;
};

struct mem_commit {
    char group[64];
    const struct mem_topic *topic;
    int32_t partition;
    int64_t offset;
};

struct mem_fault {
    size_t skip;
    size_t count;
    enum wh_rc rc;
};

struct mem_consumer;

struct wh_bus_mem {
    struct mem_topic topics[TOPICS_MAX];
    size_t n_topics;
    struct mem_commit commits[COMMITS_MAX];
    size_t n_commits;
    struct mem_fault faults[WH_BUS_MEM_CALL_COUNT];
    size_t calls[WH_BUS_MEM_CALL_COUNT];
    bool hold;
    struct mem_consumer *consumers; /* to wake */
};

struct mem_assigned {
    struct mem_topic *topic;
    int32_t partition;
    int64_t position;
    bool paused;
};

struct mem_consumer {
    struct wh_consumer base;
    struct mem_consumer *next;
    struct wh_bus_mem *bus;
    struct wh_consumer_conf conf;
    char group[64];
    struct mem_assigned assigned[ASSIGNED_MAX];
    size_t n_assigned;
    char *patterns[8];
    size_t n_patterns;
    size_t seen_topics; /* topics when the pattern was last looked at */
    size_t n_matching;  /* of these, how many matched */
    bool joined;
    bool stale; /* the members of the group have changed since it joined */
    int fd;
};

void bus_mem_record_free(struct mem_record *r);
/* NULL: there is no such topic. */
struct mem_topic *bus_mem_find(const struct wh_bus_mem *bus, const char *name);
/* Counts the call; what the fault that strikes it says. */
enum wh_rc bus_mem_fault(struct wh_bus_mem *bus, enum wh_bus_mem_call call);
WH_MUST_CHECK enum wh_rc bus_mem_check(struct wh_bus_mem *bus, enum wh_bus_mem_call call,
                                       struct wh_err *err);
/* Makes an event descriptor readable, and unreadable. */
void bus_mem_signal(int fd);
void bus_mem_clear(int fd);
/* Every consumer polls: records or topics were added. */
void bus_mem_wake(struct wh_bus_mem *bus);
WH_MUST_CHECK enum wh_rc bus_mem_commit(struct wh_bus_mem *bus, const char *group,
                                        const struct wh_bus_partition *parts, size_t n,
                                        struct wh_err *err);
/* Where the consumer begins to read a partition when WH_OFFSET_* is wanted. */
int64_t bus_mem_start_offset(const struct mem_consumer *c, const struct mem_topic *t,
                             int32_t partition, int64_t wanted);

/* ---- bus_mem_group.c ---- */

void bus_mem_revoke(struct mem_consumer *c, bool lost);
/* The other members of the group rejoin at their next poll. */
void bus_mem_unsettle_peers(const struct mem_consumer *c);
/* Joins the group, or joins it again when its members or the matching topics have changed. */
void bus_mem_rebalance(struct mem_consumer *c);

#endif
