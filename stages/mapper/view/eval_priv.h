/*
 * eval_priv.h - the evaluator of one event, shared by eval.c (versions, emissions, rereads) and
 * eval_find.c (values of the event).
 */
#ifndef WH_MAPPER_VIEW_EVAL_PRIV_H
#define WH_MAPPER_VIEW_EVAL_PRIV_H

#include "stages/mapper/view/convert_priv.h"

enum { EVAL_SEEN_PLACES = 256 /* by the first byte of an id */ };

struct eval_slot {
    uint32_t gen;
    bool twice; /* the key occurs twice: neither value is used */
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
    struct convert_rules rules;
    struct eval_slot root[VIEW_NODES_MAX];
    struct eval_slot element[VIEW_NODES_MAX];
    uint32_t gen; /* generation of slots, incremented by each walk */
    uint64_t event_gen;
    struct eval_seen seen[EVAL_SEEN_PLACES];
    struct wh_observation o;

    /* of the current event */
    const struct view *view;
    const struct view_trie *element_trie;
    uint32_t root_gen;
    uint32_t element_gen;
    const struct wh_raw_event *e;
    const struct wh_provenance *at;
    const struct mapper_out *out;
    struct wh_instant parent;
    uint64_t inputs;                  /* hash of the inputs of the current emission; 0: none */
    struct set_aside notes;           /* not attached to an observation yet */
    const struct set_aside *late;     /* notes that are sent with the repeated main observation */
    const struct view_emission *main; /* the document's first emitted observation */
    bool root_twice;                  /* a key of the document occurs twice */
    bool element_twice;               /* a key of the array element occurs twice */
    bool emitted;
};

/*
 * Fills the slots of all mapped keys; visits only objects with mapped keys. Returns true when a mapped
 * key occurs twice.
 */
bool eval_walk(struct mapper_eval *ev, const struct view_trie *trie, struct eval_slot *slots,
               struct wh_json_val root);
/* The document's value at a node of its trie. A value that occurs twice is not shown. */
enum view_shown eval_look_root(const struct mapper_eval *ev, unsigned node,
                               struct wh_json_val *ret);
/* The array element's value at a node of its trie. */
enum view_shown eval_look_element(const struct mapper_eval *ev, unsigned node,
                                  struct wh_json_val *ret);
/*
 * A hash, never 0, of all that the emission's observation depends on; false when the emission has no
 * such hash, or a value is an array or an object.
 */
bool eval_hash_inputs(const struct mapper_eval *ev, const struct view_emission *em, uint64_t *ret);
/* The context of a conversion; messages name the operand's pointer. */
struct convert eval_converter(struct mapper_eval *ev, const struct view_operand *op);
/* Finds the value of an operand that is shown; only templates can fail. */
WH_MUST_CHECK enum wh_rc eval_find(struct mapper_eval *ev, const struct view_operand *op,
                                   enum view_shown *ret_shown, struct view_found *ret,
                                   struct wh_err *err);
/* True when all conditions hold. */
bool eval_conds_hold(struct mapper_eval *ev, const struct view_cond *conds, unsigned n);
/* The first alternative that is shown, as an id. An invalid id is an error. */
WH_MUST_CHECK enum wh_rc eval_id(struct mapper_eval *ev, const struct view_alts *alts,
                                 bool text_allowed, enum view_shown *ret_shown,
                                 struct wh_slice *ret, struct wh_err *err);
/* The first alternative that is shown, converted. */
WH_MUST_CHECK enum wh_rc eval_value(struct mapper_eval *ev, const struct view_alts *alts,
                                    enum wh_field_type type, enum view_shown *ret_shown,
                                    struct wh_value *ret, struct wh_err *err);
/* The first alternative that is shown, as text; an empty slice when there is none. */
WH_MUST_CHECK enum wh_rc eval_text(struct mapper_eval *ev, const struct view_alts *alts,
                                   struct wh_slice *ret, struct wh_err *err);
/* An id that is not part of the identity; an invalid id is not shown. */
WH_MUST_CHECK enum wh_rc eval_id_optional(struct mapper_eval *ev, const struct view_alts *alts,
                                          bool text_allowed, enum view_shown *ret_shown,
                                          struct wh_slice *ret, struct wh_err *err);
/*
 * If the error means that the value cannot be converted, notes it and returns true; the value then
 * counts as not shown.
 */
bool eval_set_aside(struct mapper_eval *ev, const char *pointer, const struct view_found *found,
                    const struct wh_err *err);

#endif
