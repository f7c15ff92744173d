/*
 * answers.h - private to api/: written answers of entities, kept while the entity's stamp is the same
 * (wh_store_stamp). Bounded in bytes; an answer displaces the one in its place.
 *
 * Thread: loop.
 */
#ifndef WH_SINK_ANSWERS_H
#define WH_SINK_ANSWERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "common/event/entity.h"

struct api_answers;

/* NULL: no memory. */
struct api_answers *api_answers_new(size_t max_bytes);
void api_answers_free(struct api_answers *answers);
/* ptr NULL: there is none with that stamp. Valid until the next put. */
struct wh_slice api_answers_get(struct api_answers *answers, const struct wh_entity_id *id,
                                uint64_t stamp);
/* Keeps a copy, unless there is no memory. */
void api_answers_put(struct api_answers *answers, const struct wh_entity_id *id, uint64_t stamp,
                     struct wh_slice answer);

#endif
