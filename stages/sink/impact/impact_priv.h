/* impact_priv.h - what the files of this room share. */
#ifndef WH_SINK_IMPACT_PRIV_H
#define WH_SINK_IMPACT_PRIV_H

#include "stages/sink/impact/impact.h"

/* ---- evidence.c ---- */

/* A step in front of the steps `next`; NULL without memory, with *err set. */
const struct impact_evidence *impact_step(struct wh_arena *arena, const char *rule,
                                          const struct wh_head *head, const char *field,
                                          const struct impact_evidence *next, struct wh_err *err);

#endif
