/*
 * views.h - saved views: addresses of pages that people gave a name. They are the workspace's, as its tokens are, and
 * follow from no topic: they are kept in a file of the data folder (one JSON array), which is replaced at once and
 * durably before a change is answered.
 *
 * Thread: any. Limits: VIEWS_MAX views, names of VIEW_NAME_MAX bytes, addresses of VIEW_PATH_MAX bytes.
 */
#ifndef WH_SINK_VIEWS_VIEWS_H
#define WH_SINK_VIEWS_VIEWS_H

#include "common/base/time.h"
#include "common/json/json_write.h"

struct views;

enum { VIEWS_MAX = 500, VIEW_NAME_MAX = 120, VIEW_PATH_MAX = 2000, VIEW_ID_TEXT = 12 };

/* path is kept; NULL: views end with the process. A file that is not there is made with the first view; one that
 * cannot be read is an error. */
WH_MUST_CHECK enum wh_rc views_new(const char *path, struct wh_clock clock, struct views **ret,
                                   struct wh_err *err);
/* Accepts NULL. */
void views_free(struct views *v);

/* Names an address of this server, "/t/issues?state=opened". A view of that name gets the new address and keeps its
 * id. WH_E_INVALID: no name, or no address of this server; WH_E_TOO_LARGE: there are VIEWS_MAX. */
WH_MUST_CHECK enum wh_rc views_put(struct views *v, struct wh_slice name, struct wh_slice path,
                                   char ret_id[VIEW_ID_TEXT + 1], struct wh_err *err);
/* WH_E_NOT_FOUND. */
WH_MUST_CHECK enum wh_rc views_end(struct views *v, struct wh_slice id, struct wh_err *err);
/* Writes an array of {id, name, path, created_at}, by name; prefix: only those whose address begins with it. */
void views_write(struct views *v, struct wh_slice prefix, struct wh_json_writer *w);
/* Writes an array of the first n as items of a navigation: {name, href}. */
void views_write_items(struct views *v, size_t n, struct wh_json_writer *w);

#endif
