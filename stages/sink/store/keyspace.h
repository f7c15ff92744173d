/* clang-format off */
/*
 * keyspace.h - the families of the entity store and their keys. Numbers are big-endian and fixed
 * width, so that byte order is number order; times are ms with the sign bit flipped.
 *
 *  family      key                                         value
 *  entities    kind 1, entity id 16                        head (event/history.h)
 *  revisions   entity id 16, order 8, tie 8                entry (event/history.h); has the long texts
 *                                                          of the head too (long_text.h)
 *  links       from id 16, kind 1, field 1, to id 16       order 8, tie 8 of the entry that set it
 *  backlinks   to id 16, kind 1, field 1, from id 16       the same
 *  by_time     kind 1, changed 8, entity id 16             - (wh_head_changed_ms)
 *  by_project  kind 1, project id 16, changed 8, id 16     -
 *  by_value    kind 1, field 1, value, id 16               - for fields with sink_value_indexed: a time as
 *                                                          8 bytes, the first 64 bytes of a commit in
 *                                                          lower case. Nulls and long texts have none.
 *  source_ids  'u' url                                     kind 1, entity id 16
 *              'i' instance 0 source kind 0 project 0 iid  the same
 *  claims      'k' name 0 kind 1, entity id 16             names that the entity claims (keys/keys.h), 1 byte:
 *                                                          SINK_NAME_CURRENT, SINK_NAME_SHOWN
 *              'e' kind 1, entity id 16, name              the same
 *  mentions    as claims                                   as claims, for names that it mentions
 *  former      'l' to id 16, field 1 ...                   what an entity once had and its head does not have:
 *              'v' key of by_value without the id ...      a reference, an indexed value, its page. Each key
 *              'u' url 0 ...                               ends with the entity's kind 1 and id 16
 *  changes     sequence 8                                  kind 1, entity id 16, order 8, tie 8,
 *                                                          outcome 1, stored_at ms 8
 *  meta        'o' topic 0 partition 4                     next offset 8
 *              'f'                                         format version 5
 *              'b'                                         when the store was begun, ms 8
 *              'n'                                         last sequence 8
 *              'c' kind 1                                  entities 8, deleted 8, revisions 8
 *              'x' connection id                           connection document (JSON, no secrets)
 *              'p'                                         number of changes of what people are made of 8
 *              'd' decision id                             stored_at ms 8, decision (JSON; common/event/decision.h)
 *              'g' connection id                           report of its last purge (JSON; purge.h)
 *              'r' connection 0 run 8                      the fetcher's report of a run (JSON)
 *              'u' connection 0 run 8                      what the run changed (JSON, outcomes.h)
 *              'k' kind 1, entity id 16                    the last key of backlinks of which parents.h has
 *                                                          looked at the child; or empty
 *              's' connection 0 view 0 pointer 0           a value that could not be converted (JSON)
 *                  partition 4 offset 8
 *              'w' connection 0 project                    first and last webhook 8, 8: ms
 *              'h' connection 0 rest of the key            record of the health topic (JSON)
 *
 * kind and field of a link are those of the `from` entity's reference field: the relation.
 */
/* clang-format on */
#ifndef WH_SINK_KEYSPACE_H
#define WH_SINK_KEYSPACE_H

#include <stdint.h>

#include "common/base/be.h"
#include "common/event/entity.h"
#include "common/event/history.h"
#include "common/event/kind.h"
#include "common/event/version.h"
#include "common/store/store.h"

enum sink_family {
    SINK_ENTITIES,
    SINK_REVISIONS,
    SINK_LINKS,
    SINK_BACKLINKS,
    SINK_BY_TIME,
    SINK_BY_PROJECT,
    SINK_BY_VALUE,
    SINK_SOURCE_IDS,
    SINK_CLAIMS,
    SINK_MENTIONS,
    SINK_FORMER,
    SINK_CHANGES,
    SINK_META,
    SINK_FAMILY_COUNT
};

enum {
    SINK_ENTITY_KEY = 1 + 16,
    SINK_REVISION_KEY = 16 + 8 + 8,
    SINK_LINK_KEY = 16 + 1 + 1 + 16,
    SINK_BY_TIME_KEY = 1 + 8 + 16,
    SINK_BY_PROJECT_KEY = 1 + 16 + 8 + 16,
    SINK_VALUE_TEXT = 64,
    SINK_BY_VALUE_KEY = 1 + 1 + SINK_VALUE_TEXT + 16, /* at most */
    SINK_FORMAT_VERSION = 5,
};

/* Of claims and mentions: the head has the name; one observation showed it. */
enum { SINK_NAME_CURRENT = 1, SINK_NAME_SHOWN = 2 };

extern const struct wh_store_family sink_families[SINK_FAMILY_COUNT];

/* Keys of variable length, appended to out. Those of source_ids are WH_E_TOO_LARGE past
 * SINK_SOURCE_KEY_MAX: such an entity is not found by that key. */
enum { SINK_SOURCE_KEY_MAX = 4096 };
WH_MUST_CHECK enum wh_rc sink_url_key(struct wh_slice url, struct wh_buf *out, struct wh_err *err);
WH_MUST_CHECK enum wh_rc sink_iid_key(const struct wh_source_id *source, struct wh_buf *out,
                                      struct wh_err *err);
/* The two keys of a name in the families claims and mentions. */
WH_MUST_CHECK enum wh_rc sink_name_key(struct wh_slice name, enum wh_kind kind,
                                       const struct wh_entity_id *id, struct wh_buf *out,
                                       struct wh_err *err);
WH_MUST_CHECK enum wh_rc sink_namer_key(enum wh_kind kind, const struct wh_entity_id *id,
                                        struct wh_slice name, struct wh_buf *out,
                                        struct wh_err *err);
/* What all keys of a name begin with, and how much longer each of them is. */
WH_MUST_CHECK enum wh_rc sink_name_prefix(struct wh_slice name, struct wh_buf *out,
                                          struct wh_err *err);
/* Keys of former. With an id of NULL they end before kind and id: what all keys of that reference, value
 * or page begin with. value: a key of by_value without its id. */
WH_MUST_CHECK enum wh_rc sink_former_link_key(const struct wh_entity_id *to, unsigned field,
                                              enum wh_kind kind, const struct wh_entity_id *id,
                                              struct wh_buf *out, struct wh_err *err);
WH_MUST_CHECK enum wh_rc sink_former_value_key(struct wh_slice value, enum wh_kind kind,
                                               const struct wh_entity_id *id, struct wh_buf *out,
                                               struct wh_err *err);
WH_MUST_CHECK enum wh_rc sink_former_url_key(struct wh_slice url, enum wh_kind kind,
                                             const struct wh_entity_id *id, struct wh_buf *out,
                                             struct wh_err *err);
WH_MUST_CHECK enum wh_rc sink_offset_key(struct wh_slice topic, int32_t partition,
                                         struct wh_buf *out, struct wh_err *err);

/* True for fields whose values are keys of by_value: commits, and times of events that are asked for by
 * range. */
bool sink_value_indexed(const struct wh_field_def *field);
/* The part of a key of by_value before the id; an indexed field's value. Gives its length; 0 when the
 * value has no key. */
size_t sink_value_prefix(unsigned char key[SINK_BY_VALUE_KEY], enum wh_kind kind, unsigned field,
                         const struct wh_value *value);
/* The same for the beginning of a commit, of at most SINK_VALUE_TEXT bytes. */
size_t sink_commit_prefix(unsigned char key[SINK_BY_VALUE_KEY], enum wh_kind kind, unsigned field,
                          struct wh_slice text);

static inline uint64_t sink_time_key(int64_t ms)
{
    return (uint64_t)ms ^ (UINT64_C(1) << 63);
}

static inline void sink_entity_key(unsigned char key[SINK_ENTITY_KEY], enum wh_kind kind,
                                   const struct wh_entity_id *id)
{
    key[0] = (unsigned char)kind;
    memcpy(key + 1, id->bytes, sizeof(id->bytes));
}

static inline void sink_revision_key(unsigned char key[SINK_REVISION_KEY],
                                     const struct wh_entity_id *id, struct wh_version v)
{
    memcpy(key, id->bytes, sizeof(id->bytes));
    wh_be_put64(key + 16, v.order);
    wh_be_put64(key + 24, v.tie);
}

static inline void sink_link_key(unsigned char key[SINK_LINK_KEY], const struct wh_entity_id *a,
                                 enum wh_kind kind, unsigned field, const struct wh_entity_id *b)
{
    memcpy(key, a->bytes, sizeof(a->bytes));
    key[16] = (unsigned char)kind;
    key[17] = (unsigned char)field;
    memcpy(key + 18, b->bytes, sizeof(b->bytes));
}

static inline void sink_by_time_key(unsigned char key[SINK_BY_TIME_KEY], enum wh_kind kind,
                                    int64_t at_ms, const struct wh_entity_id *id)
{
    key[0] = (unsigned char)kind;
    wh_be_put64(key + 1, sink_time_key(at_ms));
    memcpy(key + 9, id->bytes, sizeof(id->bytes));
}

static inline void sink_by_project_key(unsigned char key[SINK_BY_PROJECT_KEY], enum wh_kind kind,
                                       const struct wh_entity_id *project, int64_t at_ms,
                                       const struct wh_entity_id *id)
{
    key[0] = (unsigned char)kind;
    memcpy(key + 1, project->bytes, sizeof(project->bytes));
    wh_be_put64(key + 17, sink_time_key(at_ms));
    memcpy(key + 25, id->bytes, sizeof(id->bytes));
}

#endif
