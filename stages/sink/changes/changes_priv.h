/* changes_priv.h - what the files of this room share. */
#ifndef WH_SINK_CHANGES_CHANGES_PRIV_H
#define WH_SINK_CHANGES_CHANGES_PRIV_H

#include <pthread.h>

#include "stages/sink/changes/changes.h"
#include "stages/sink/sql/sql.h"

struct changes {
    struct changes_conf conf;
    struct sql_engine *engine;
    _Atomic uint64_t begun_ms; /* 0: not known yet */
    pthread_mutex_t lock;
    pthread_cond_t more;
    _Atomic uint64_t last;
    atomic_bool stopped;
};

/* ---- changes.c ---- */

/* The number of the last change, as the store has it. */
WH_MUST_CHECK enum wh_rc changes_stored(struct changes *c, uint64_t *ret, struct wh_err *err);

/* ---- condition.c ---- */

/* A statement about the parameter :id. */
struct changes_question {
    struct wh_slice text;
    struct sql_rows rows;
    void (*again)(void *ctx);    /* of rows: what was received does not hold, and comes again */
    const atomic_bool *canceled; /* may be NULL */
};

/* Asks about the entity of a change, as of after the change. */
WH_MUST_CHECK enum wh_rc changes_ask(struct changes *c, const struct changes_question *q,
                                     const struct change *change, struct wh_err *err);

#endif
