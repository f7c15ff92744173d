/*
 * decision.h - what a person has decided about who is who: a record of the compacted topic `decisions`, whose
 * key is the decision's id. A decision is never changed; another one undoes it.
 *
 * {"id":"d-4f2a91c07b3e5d18","at":"2026-11-30T10:00:00.000Z","who":"ana","action":"merge",
 *  "subject":"<id of an account or a directory row>","object":"<the other one>","why":"the same person"}
 *
 * merge has subject and object, split a subject, undo the id of a decision as its subject.
 *
 * Thread: any.
 */
#ifndef WH_EVENT_DECISION_H
#define WH_EVENT_DECISION_H

#include "common/base/buf.h"
#include "common/json/json_doc.h"

enum { WH_DECISION_ID_MAX = 64, WH_DECISION_WHO_MAX = 200, WH_DECISION_WHY_MAX = 1000 };

enum wh_action { WH_ACTION_MERGE, WH_ACTION_SPLIT, WH_ACTION_UNDO };

struct wh_decision {
    struct wh_slice id;
    int64_t at_ms;
    struct wh_slice who;
    enum wh_action action;
    struct wh_slice subject;
    struct wh_slice object; /* merge alone */
    struct wh_slice why;
};

const char *wh_action_name(enum wh_action action);

/* WH_E_INVALID: a member is missing, too long or wrong. Slices point into the parser's document. */
WH_MUST_CHECK enum wh_rc wh_decision_parse(struct wh_slice json, struct wh_json_parser *parser,
                                           struct wh_decision *ret, struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_decision_write(const struct wh_decision *d, struct wh_buf *out,
                                           struct wh_err *err);

#endif
