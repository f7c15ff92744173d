/*
 * nearest.h - suggestions ("did you mean ...?") for an unknown name.
 *
 * A known name is suggested when it is at most 1 + n/3 edits away from the typed text (n: its length;
 * an edit inserts, removes or replaces one letter), or when it starts with the typed text of three
 * letters or more, which counts as one edit. Case is ignored. Pure functions; names are borrowed. Thread: any.
 */
#ifndef WH_BASE_NEAREST_H
#define WH_BASE_NEAREST_H

#include <stddef.h>

#include "common/base/slice.h"

enum { WH_NEAREST_MAX = 3 };

struct wh_nearest {
    struct wh_slice typed;
    const char *names[WH_NEAREST_MAX]; /* nearest first; ties in the order offered */
    unsigned edits[WH_NEAREST_MAX];
    size_t n;
};

void wh_nearest_init(struct wh_nearest *near, struct wh_slice typed);
/* Considers a known name. Offering a name again has no effect. */
void wh_nearest_offer(struct wh_nearest *near, const char *name);
/* The nearest name; NULL when no name is near enough. */
const char *wh_nearest_name(const struct wh_nearest *near);
/* Writes "; did you mean a, b or c?", or "" when no name is near enough; truncated at size. */
void wh_nearest_hint(const struct wh_nearest *near, char *out, size_t size);

#endif
