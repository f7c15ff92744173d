/*
 * conversations.h - what was asked before, so that a question may refine it: one JSON document for each conversation,
 * a file of its own in one folder, readable by the sink's user alone. A file is replaced as a whole, by rename, and
 * is on the disk when a call returns.
 *
 * At most CONVERSATIONS_MAX are kept: the one that was not used for the longest time goes first. What a document
 * means is the caller's.
 *
 * Thread: any; of two that save the same conversation at a time, the last one wins.
 */
#ifndef WH_SINK_CONVERSATIONS_H
#define WH_SINK_CONVERSATIONS_H

#include "common/base/buf.h"

enum { CONVERSATIONS_MAX = 200, CONVERSATION_MAX_BYTES = 256 << 10, CONVERSATION_ID = 16 };

/* An id, with its NUL. */
struct conversation_id {
    char text[CONVERSATION_ID + 1];
};

/* WH_E_INVALID: it is no id. */
WH_MUST_CHECK enum wh_rc conversation_id_parse(struct wh_slice text, struct conversation_id *ret,
                                               struct wh_err *err);
/* A new id, by chance. */
WH_MUST_CHECK enum wh_rc conversation_id_new(struct conversation_id *ret, struct wh_err *err);

/* WH_E_NOT_FOUND: there is none. */
WH_MUST_CHECK enum wh_rc conversations_load(const char *folder, const struct conversation_id *id,
                                            struct wh_buf *out, struct wh_err *err);
/* Makes the folder with the first one. */
WH_MUST_CHECK enum wh_rc conversations_save(const char *folder, const struct conversation_id *id,
                                            struct wh_slice document, struct wh_err *err);
/* WH_E_NOT_FOUND: there is none. */
WH_MUST_CHECK enum wh_rc conversations_remove(const char *folder, const struct conversation_id *id,
                                              struct wh_err *err);
/* The ids, the one that was saved last in front; returns how many, none when there is no folder. */
size_t conversations_list(const char *folder, struct conversation_id ret[CONVERSATIONS_MAX]);

#endif
