/* past_priv.h - what past.c and scan.c share. */
#ifndef WH_SINK_PAST_PRIV_H
#define WH_SINK_PAST_PRIV_H

#include "stages/sink/keys/keys.h"
#include "stages/sink/past/past.h"
#include "stages/sink/store/head_at.h"

struct past {
    struct past_conf conf;
    struct wh_history_when when;
    struct keys keys;
    struct wh_buf value;
    struct wh_arena scratch; /* of one head that is checked */
    unsigned reads;
};

/* The head for a check; it lives until the next one. */
WH_MUST_CHECK enum wh_rc past_look(struct past *p, enum wh_kind kind, const struct wh_entity_id *id,
                                   const struct wh_head **ret, struct wh_err *err);

/* ---- then.c: what is found in the past, with the order that a scan of the present has ---- */

struct past_list;
void past_list_free(struct past_list *list);
/* *ret_found is false at the end. */
void past_list_next(struct past_list *list, struct past_found *ret, bool *ret_found);
WH_MUST_CHECK enum wh_rc past_then_links_from(struct past *p, const struct wh_entity_id *id,
                                              struct past_list **ret, struct wh_err *err);
WH_MUST_CHECK enum wh_rc past_then_links_to(struct past *p, const struct wh_entity_id *id,
                                            struct past_list **ret, struct wh_err *err);
WH_MUST_CHECK enum wh_rc past_then_of_project(struct past *p, enum wh_kind kind,
                                              const struct wh_entity_id *project,
                                              struct past_list **ret, struct wh_err *err);
/* Values of a field in [from, to), which are keys of by_value without an id; an empty `to`: those that begin
 * with `from`. */
WH_MUST_CHECK enum wh_rc past_then_by_value(struct past *p, enum wh_kind kind, unsigned field,
                                            struct wh_slice from, struct wh_slice to,
                                            struct past_list **ret, struct wh_err *err);
/* Does the head claim, or mention, the name? */
WH_MUST_CHECK enum wh_rc past_has_name(struct past *p, const struct wh_head *head, bool mentions,
                                       struct wh_slice name, bool *ret, struct wh_err *err);

/* WH_E_CANCELED when the caller must end; asks now and then. */
WH_MUST_CHECK enum wh_rc past_check(struct past *p, struct wh_err *err);

#endif
