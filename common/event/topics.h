/*
 * topics.h - topic names: prefix + role (+ "." + connection). '_' would collide with '.' in metrics.
 */
#ifndef WH_EVENT_TOPICS_H
#define WH_EVENT_TOPICS_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/slice.h"

#define WH_TOPIC_MAX 250
#define WH_CONNECTION_ID_MAX 65 /* bytes of a connection id, with its end */

/* After the prefix: the group whose offsets say how far the dead letters have been replayed. */
#define WH_DEAD_LETTER_GROUP "dead-letters"

enum wh_topic_role {
    WH_TOPIC_RAW,         /* per connection */
    WH_TOPIC_ENTITIES,    /* per connection */
    WH_TOPIC_DEAD_LETTER, /* per connection */
    WH_TOPIC_CONNECTIONS,
    WH_TOPIC_FETCH_STATE,
    WH_TOPIC_REREADS,
    WH_TOPIC_RUNS,
    WH_TOPIC_HEALTH,
    WH_TOPIC_DECISIONS,
    WH_TOPIC_ROLE_COUNT
};

/* Formats a name: "wellhead.raw.c1". Ignores connection for shared topics. WH_E_INVALID for a bad prefix
 * or connection. */
WH_MUST_CHECK enum wh_rc wh_topic_name(const char *prefix, enum wh_topic_role role,
                                       struct wh_slice connection, char ret[WH_TOPIC_MAX],
                                       struct wh_err *err);
/* Formats a regex that matches all topics of a per-connection role: "^wellhead\.raw\..+". */
WH_MUST_CHECK enum wh_rc wh_topic_pattern(const char *prefix, enum wh_topic_role role,
                                          char ret[WH_TOPIC_MAX * 2], struct wh_err *err);
/* Extracts the connection from a topic's name; false when the topic does not have that role. */
bool wh_topic_connection(const char *prefix, enum wh_topic_role role, const char *topic,
                         struct wh_slice *ret_connection);
/* The role of a topic, WH_TOPIC_ROLE_COUNT when it has none. *ret_connection is empty for shared topics. */
enum wh_topic_role wh_topic_role(const char *prefix, const char *topic,
                                 struct wh_slice *ret_connection);
/* True for 1 to 64 characters of [a-z0-9-]. */
bool wh_connection_id_valid(struct wh_slice id);

#endif
