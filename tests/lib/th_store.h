/* th_store.h - what the tests of both stores share. */
#ifndef TH_STORE_H
#define TH_STORE_H

#include "common/store/store.h"

enum { TH_STORE_FAMILIES = 4 };
extern const struct wh_store_family th_store_families[TH_STORE_FAMILIES];

/* The behaviour of store.h, on an empty store of these families. */
void th_store_behaviour(struct wh_store *s);

/* All keys and values of a family as one text of hex lines; free with wh_mem_free. */
char *th_store_dump(struct wh_store *s, unsigned family);

#endif
