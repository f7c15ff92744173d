/* dump.h - the heads of a store as text, so that two stores can be compared byte for byte. */
#ifndef WH_SINK_DUMP_H
#define WH_SINK_DUMP_H

#include <stdio.h>

#include "common/store/store.h"

/* Prints one line for each entity in key order: kind, entity id, the head's size and XXH3-128. */
WH_MUST_CHECK enum wh_rc sink_dump_heads(struct wh_store *store, FILE *out, struct wh_err *err);

#endif
