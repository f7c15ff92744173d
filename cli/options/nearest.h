/* nearest.h - the name that was probably meant. */
#ifndef WH_CLI_OPTIONS_NEAREST_H
#define WH_CLI_OPTIONS_NEAREST_H

#include "common/base/slice.h"

/* The one of the n names (at least one) that is nearest to what was typed. */
const char *cli_nearest(struct wh_slice typed, const char *const *names, size_t n);

#endif
