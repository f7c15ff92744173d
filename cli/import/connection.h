/*
 * connection.h - the connections of imports: their records in the topic `connections`, and their topics. No fetcher works
 * for them, so the command line makes and removes them itself. Thread: one at a time.
 */
#ifndef WH_CLI_IMPORT_CONNECTION_H
#define WH_CLI_IMPORT_CONNECTION_H

#include "cli/core/cli.h"
#include "common/event/topics.h"

#define IMPORT_PREFIX "import-" /* of the ids of such connections */

enum import_known { IMPORT_UNKNOWN, IMPORT_KNOWN, IMPORT_OF_GITLAB };

/* What the sink knows of a connection. Gives the exit code, after it said why. */
int import_connection_find(struct cli *cli, const char *doing, const char *id,
                           enum import_known *ret);
/* The names of its topics: raw, entities, dead letters. */
WH_MUST_CHECK enum wh_rc import_connection_topics(const struct cli *cli, const char *id,
                                                  char ret[3][WH_TOPIC_MAX], struct wh_err *err);
/* Writes its record, and waits until Kafka has it. */
WH_MUST_CHECK enum wh_rc import_connection_write(const struct cli *cli, const char *id,
                                                 const char *instance, struct wh_err *err);
/*
 * Removes its topics, waits until Kafka lists them no more, and then removes its record, upon which the sink removes its
 * rows. It can be repeated when it fails.
 */
WH_MUST_CHECK enum wh_rc import_connection_remove(struct cli *cli, const char *id,
                                                  struct wh_err *err);

#endif
