/*
 * address.h - the address of a GitLab: one spelling for each address, the connection id that it
 * gives, and how two addresses relate. Pure functions.
 *
 * Canonical: "https://gitlab.example.com", "https://gitlab.example.com:8443/gitlab",
 * "https://[2001:db8::1]". Scheme and host are in lower case, the default port is left out, IP
 * addresses are as inet_ntop writes them, no dot follows the host, no slash ends the path. A path
 * is a relative URL root (GitLab's relative_url_root) and keeps its case.
 */
#ifndef WH_FETCHER_ADDRESS_H
#define WH_FETCHER_ADDRESS_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { ADDRESS_MAX_BYTES = 500 };

/*
 * Appends the canonical spelling of what a person typed; without a scheme, https is meant. http
 * only when allow_http. WH_E_INVALID, with a reason for the person, for anything that is not
 * exactly one address: a user name or password, a query or fragment, another scheme,
 * percent-encodings, dot or empty segments, names outside of ASCII (they are written in their xn--
 * form), and spellings of an IPv4 address that are not four decimal numbers.
 */
WH_MUST_CHECK enum wh_rc address_canonical(struct wh_slice text, bool allow_http,
                                           struct wh_buf *out, struct wh_err *err);
/* "https://gitlab.example.com:8443/git" -> "gitlab-example-com-8443-git", at most 64 characters.
 * Different addresses may give the same id. */
WH_MUST_CHECK enum wh_rc address_connection_id(struct wh_slice address, struct wh_buf *out,
                                               struct wh_err *err);
/* The id for an address whose own id belongs to another one: that id, cut where needed, "-", and
 * the first eight hex digits of the SHA-256 of the address. Depends on the address alone. */
WH_MUST_CHECK enum wh_rc address_second_id(struct wh_slice address, struct wh_buf *out,
                                           struct wh_err *err);

enum address_relation {
    ADDRESS_SAME,     /* the same canonical spelling */
    ADDRESS_TO_HTTPS, /* from http to https; host and path are the same */
    ADDRESS_TO_HTTP,  /* from https to http; host and path are the same */
    ADDRESS_OTHER,
};
/* Of a stored address, in any spelling, to a canonical one. */
enum address_relation address_relation(struct wh_slice from, struct wh_slice to);

#endif
