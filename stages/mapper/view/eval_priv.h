/*
 * eval_priv.h - evaluating one event, shared by eval.c (versions, emissions, rereads) and
 * eval_find.c (values of the event).
 */
#ifndef WH_MAPPER_VIEW_EVAL_PRIV_H
#define WH_MAPPER_VIEW_EVAL_PRIV_H

#include "stages/mapper/view/convert_priv.h"

enum { EVAL_SEEN_PLACES = 256 /* by the first byte of an id */ };

struct eval_slot {
    uint32_t gen;
    bool twice; /* the document has the key twice: neither value is taken */
    struct wh_json_val val;
};

struct eval_seen {
    uint64_t gen;
    struct wh_entity_id id;
    struct wh_version version;
};

struct mapper_eval {
    const struct mapper_views *views;
    struct wh_json_parser *parser;
    struct view_idcache *ids;
    struct wh_arena arena;
    struct wh_buf scratch;
    struct eval_slot root[VIEW_NODES_MAX];
    struct eval_slot element[VIEW_NODES_MAX];
    uint32_t gen; /* of slots: one more for each walk */
    uint64_t event_gen;
    struct eval_seen seen[EVAL_SEEN_PLACES];
    struct wh_observation o;

    /* of the event at hand */
    const struct view *view;
    const struct view_trie *element_trie;
    uint32_t root_gen;
    uint32_t element_gen;
    const struct wh_raw_event *e;
    const struct wh_provenance *at;
    const struct mapper_out *out;
    struct wh_instant parent;
    struct set_aside notes;           /* not sent with an observation yet */
    const struct set_aside *late;     /* notes that are sent with the main observation once more */
    const struct view_emission *main; /* the first of the document itself that was emitted */
    bool root_twice;                  /* some key of the document is there twice */
    bool element_twice;               /* some key of the array's element */
    bool emitted;
};

/*
 * Fills the slots of all mapped keys; visits only objects that hold mapped keys. True when a mapped
 * key is there twice.
 */
bool eval_walk(struct mapper_eval *ev, const struct view_trie *trie, struct eval_slot *slots,
               struct wh_json_val root);
/* The document's value at a node of its trie. A value that is there twice is not shown. */
enum view_shown eval_look_root(const struct mapper_eval *ev, unsigned node,
                               struct wh_json_val *ret);
/* The context of a conversion; messages name the operand's pointer. */
struct convert eval_converter(struct mapper_eval *ev, const struct view_operand *op);
/* Where an operand is shown, its value; only templates can fail. */
WH_MUST_CHECK enum wh_rc eval_find(struct mapper_eval *ev, const struct view_operand *op,
                                   enum view_shown *ret_shown, struct view_found *ret,
                                   struct wh_err *err);
/* All of the conditions hold. */
bool eval_conds_hold(struct mapper_eval *ev, const struct view_cond *conds, unsigned n);
/* The first alternative that is shown, as an id. An id that cannot be read is an error. */
WH_MUST_CHECK enum wh_rc eval_id(struct mapper_eval *ev, const struct view_alts *alts,
                                 bool text_allowed, enum view_shown *ret_shown,
                                 struct wh_slice *ret, struct wh_err *err);
/* The first alternative that is shown and can be converted. */
WH_MUST_CHECK enum wh_rc eval_value(struct mapper_eval *ev, const struct view_alts *alts,
                                    enum wh_field_type type, enum view_shown *ret_shown,
                                    struct wh_value *ret, struct wh_err *err);
/* As eval_value for a text; an empty slice when there is none. */
WH_MUST_CHECK enum wh_rc eval_text(struct mapper_eval *ev, const struct view_alts *alts,
                                   struct wh_slice *ret, struct wh_err *err);
/* An id that is no part of the identity: one that cannot be read is not shown. */
WH_MUST_CHECK enum wh_rc eval_id_optional(struct mapper_eval *ev, const struct view_alts *alts,
                                          bool text_allowed, enum view_shown *ret_shown,
                                          struct wh_slice *ret, struct wh_err *err);
/*
 * A value that cannot be converted is as if it were not shown, and is noted; true when the error is
 * of that sort.
 */
bool eval_set_aside(struct mapper_eval *ev, const char *pointer, const struct view_found *found,
                    const struct wh_err *err);

#endif
