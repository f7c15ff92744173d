/*
 * th_heads.h - a store filled with random heads of one kind, and the same heads in memory as an
 * oracle. Heads and index keys are written as stages/sink/store/keyspace.h says.
 */
#ifndef TH_HEADS_H
#define TH_HEADS_H

#include "common/base/arena.h"
#include "common/event/history.h"
#include "stages/sink/store/keyspace.h"
#include "tests/lib/th_observation.h"

struct th_heads {
    struct wh_store *store;
    struct wh_arena arena;
    struct th_random random;
    bool long_texts; /* some strings stand in a revision alone; init: no */
    const struct wh_kind_def *def;
    struct wh_head **items; /* in no order */
    size_t n;
    size_t cap;
};

enum { TH_PROJECTS = 5 };

/* A memory store with the sink's families. */
struct wh_store *th_sink_store(void);
void th_heads_init(struct th_heads *h, struct wh_store *store, enum wh_kind kind, uint64_t seed);
/* Adds n random entities. */
void th_heads_add(struct th_heads *h, size_t n);
void th_heads_done(struct th_heads *h);
/* One of the projects that entities refer to. */
struct wh_entity_id th_project(unsigned i);
/* Writes a head and its index keys; and a revision that set its fields when a text is a long one.
 */
void th_head_put(struct wh_store *store, const struct wh_head *head);
/* wh_head_changed_ms of it. */
int64_t th_changed_ms(const struct wh_head *head);
/* The head's field, NULL when it was not shown or is null. */
const struct wh_value *th_field(const struct wh_head *head, const char *name);

#endif
