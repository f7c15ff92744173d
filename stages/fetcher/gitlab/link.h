/*
 * link.h - the Link header (RFC 8288) that GitLab pages with, and the links in it that belong to a
 * GitLab. Pure functions.
 */
#ifndef WH_FETCHER_LINK_H
#define WH_FETCHER_LINK_H

#include <stdbool.h>

#include "common/base/slice.h"

/* The target of rel="next"; false when there is none or the header is not well-formed. */
bool link_next(struct wh_slice header, struct wh_slice *ret_url);
/* Path and query of a URL that must belong to the instance; false for any other. */
bool link_path_of(struct wh_slice url, struct wh_slice instance, struct wh_slice *ret_path);

#endif
