/*
 * sessions.h - who may look at the pages in a browser. A holder of the API's token asks for a link, which works once
 * and for five minutes; opening it gives the browser a cookie for 30 days. Only hashes are kept, in memory and in
 * a file of mode 0600.
 *
 * Thread: any. Limits: SESSIONS_MAX sessions (the least recently used one makes room), LINKS_MAX open links.
 */
#ifndef WH_SINK_TOKENS_SESSIONS_H
#define WH_SINK_TOKENS_SESSIONS_H

#include "common/base/time.h"
#include "common/json/json_write.h"

struct page_sessions;

enum { SESSIONS_MAX = 64, LINKS_MAX = 16, SESSION_TEXT = 64, SESSION_DAYS = 30 };

/* path is kept; NULL: the sessions end with the process. A file that cannot be read is an error; one that is not there is made with the first session. */
WH_MUST_CHECK enum wh_rc page_sessions_new(const char *path, struct wh_clock clock,
                                           struct page_sessions **ret, struct wh_err *err);
void page_sessions_free(struct page_sessions *sessions);

/* A code for a link. */
WH_MUST_CHECK enum wh_rc page_sessions_link(struct page_sessions *sessions,
                                            char ret_code[SESSION_TEXT + 1], struct wh_err *err);
/* Uses the code up, and begins a session. label: what the browser calls itself. WH_E_AUTH: the code is not
 * known, was used, or is too old. */
WH_MUST_CHECK enum wh_rc page_sessions_login(struct page_sessions *sessions, struct wh_slice code,
                                             struct wh_slice label,
                                             char ret_cookie[SESSION_TEXT + 1], struct wh_err *err);
/* Does the value of a Cookie header carry a session that has not ended? */
bool page_sessions_fits(struct page_sessions *sessions, struct wh_slice cookies);
/* Writes objects {kind, id, name, created_at, used_at, ends_at} into an open array; id is the beginning of the hash. */
void page_sessions_write(struct page_sessions *sessions, struct wh_json_writer *w);
/* Ends the session of that id, or of that Cookie header. WH_E_NOT_FOUND. */
WH_MUST_CHECK enum wh_rc page_sessions_end(struct page_sessions *sessions, struct wh_slice id,
                                           struct wh_slice cookies, struct wh_err *err);

#endif
