/*
 * nearest.h - which known names were probably meant by one that is not known, for messages.
 *
 * Near are the names at most 1 + n/3 edits away from what was typed (n: its length), where an edit
 * inserts, removes or replaces one letter, and the names that what was typed begins, from three
 * letters on. Upper and lower case are the same. Pure functions; names are borrowed. Thread: any.
 */
#ifndef WH_BASE_NEAREST_H
#define WH_BASE_NEAREST_H

#include <stddef.h>

#include "common/base/slice.h"

enum { WH_NEAREST_MAX = 3 };

struct wh_nearest {
    struct wh_slice typed;
    const char *names[WH_NEAREST_MAX]; /* the nearest first; of two as near, the first offered */
    unsigned edits[WH_NEAREST_MAX];
    size_t n;
};

void wh_nearest_init(struct wh_nearest *near, struct wh_slice typed);
/* Considers a name. A name that was offered before changes nothing. */
void wh_nearest_offer(struct wh_nearest *near, const char *name);
/* The nearest name; NULL when none is near. */
const char *wh_nearest_name(const struct wh_nearest *near);
/* Writes "; did you mean a, b or c?", or nothing when no name is near. Cut at size. */
void wh_nearest_hint(const struct wh_nearest *near, char *out, size_t size);

#endif
