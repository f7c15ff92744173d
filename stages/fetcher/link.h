/*
 * link.h - addresses: normalising what a person typed, building API addresses, and the Link header
 * (RFC 8288) that GitLab pages with. Pure functions.
 */
#ifndef WH_FETCHER_LINK_H
#define WH_FETCHER_LINK_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/err.h"

/*
 * "GitLab.example.com/" -> "https://gitlab.example.com"; a path stays (relative URL root). http
 * only when allow_http. WH_E_INVALID for credentials, queries, fragments and other schemes.
 */
WH_MUST_CHECK enum wh_rc link_normalise(struct wh_slice text, bool allow_http, struct wh_buf *out,
                                        struct wh_err *err);
/* "https://gitlab.example.com:8443/git" -> "gitlab-example-com-8443-git", at most 64 characters. */
WH_MUST_CHECK enum wh_rc link_connection_id(struct wh_slice instance, struct wh_buf *out,
                                            struct wh_err *err);
/* The target of rel="next"; false when there is none or the header is not well-formed. */
bool link_next(struct wh_slice header, struct wh_slice *ret_url);
/* Path and query of a URL that must belong to the instance; false for any other. */
bool link_path_of(struct wh_slice url, struct wh_slice instance, struct wh_slice *ret_path);

#endif
