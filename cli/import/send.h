/*
 * send.h - carries a plan out: the connection and its topics are made where they are missing, rows go to Kafka, and
 * mapper and sink are awaited. Thread: one at a time.
 */
#ifndef WH_CLI_IMPORT_SEND_H
#define WH_CLI_IMPORT_SEND_H

#include "cli/import/plan.h"

struct import_sent {
    int64_t sent;
    int64_t refused; /* of them, what the mapper could not map: dead letters */
    bool awaited;    /* mapper and sink have all of it */
};

/*
 * Sends new and changed rows and, with gone, that missing rows are gone. wait: until the sink answers with all of
 * them. Gives the exit code, after it said why.
 */
int import_send(struct cli *cli, struct import_plan *plan, bool gone, bool wait,
                struct import_sent *ret);

#endif
