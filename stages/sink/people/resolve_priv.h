/* resolve_priv.h - what resolving people is made of: decide.c, claims.c, rules.c, reviews.c, resolve.c. */
#ifndef WH_SINK_PEOPLE_RESOLVE_PRIV_H
#define WH_SINK_PEOPLE_RESOLVE_PRIV_H

#include "stages/sink/people/resolve.h"

/* One node claims one key. Claims of the same key are neighbours and have the same group; within it, those of
 * rows come first, and those of the accounts of one instance are neighbours. */
struct people_claim {
    struct wh_slice text;
    struct wh_slice
        scope; /* beside the text: the host of a user name, the type of a directory id */
    struct wh_slice instance; /* the account's; empty for rows */
    size_t target;            /* the account that a row names; PEOPLE_NONE for other keys */
    size_t node;
    size_t group;
    bool joins; /* scratch of a rule */
};

struct people_claims {
    struct people_claim *items;
    size_t n;
    size_t cap;
};

/* A group of nodes that are one, so far; valid for its root. */
struct people_group {
    size_t row; /* the row with the smallest id, or PEOPLE_NONE */
    bool active;
    enum people_type type;
    /* Scratch of one round of a rule. */
    size_t owner; /* whom its keys belong to */
    size_t rival; /* another one, which keeps it apart from both */
};

struct people_found {
    enum people_rule rule;
    struct wh_slice key;
    size_t left; /* nodes */
    size_t right;
};

struct people_work {
    const struct people_input *in;
    struct wh_arena *keep;  /* of the result */
    struct wh_arena *arena; /* of all else */
    size_t n_nodes;
    struct people_node *nodes;
    size_t *parents;
    struct people_group *groups;
    struct people_found *found;
    size_t n_found;
    size_t cap_found;
    size_t *undone_by;
};

static inline bool people_is_row(const struct people_work *w, size_t node)
{
    return node >= w->in->n_accounts;
}

static inline const struct people_account *people_account_at(const struct people_work *w,
                                                             size_t node)
{
    return &w->in->accounts[node];
}

static inline const struct people_row *people_row_at(const struct people_work *w, size_t node)
{
    return &w->in->rows[node - w->in->n_accounts];
}

size_t people_root(struct people_work *w, size_t node);
void people_unite(struct people_work *w, size_t a, size_t b);
/* Notes why the node belongs to its group, unless a stronger reason is known. */
void people_because(struct people_work *w, size_t node, enum people_rule rule, struct wh_slice key,
                    size_t with);
WH_MUST_CHECK enum wh_rc people_note(struct people_work *w, enum people_rule rule,
                                     struct wh_slice key, size_t left, size_t right,
                                     struct wh_err *err);

/* decide.c: what people have decided. */
WH_MUST_CHECK enum wh_rc people_decide(struct people_work *w, struct wh_err *err);
/* claims.c: who claims which keys of a rule. Notes accounts that rows name and that are ambiguous. */
WH_MUST_CHECK enum wh_rc people_claims(struct people_work *w, enum people_rule rule,
                                       struct people_claims *ret, struct wh_err *err);
/* rules.c: joins what the rules join. */
WH_MUST_CHECK enum wh_rc people_apply_rules(struct people_work *w, struct wh_err *err);
/* reviews.c: members are known. */
WH_MUST_CHECK enum wh_rc people_reviews(struct people_work *w, struct people *people,
                                        struct wh_err *err);

#endif
