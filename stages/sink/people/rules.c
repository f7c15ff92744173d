/*
 * The rules, one after the other. A round judges every key by the groups as they were before the round and
 * then joins, so that the order of keys decides nothing; rounds follow until none joins anything.
 */
#include "stages/sink/people/resolve_priv.h"

/* Whose claims count: rows of bots and shared mailboxes first, then people that are active, then all people. */
enum level { OTHERS, ACTIVE, ALL };

/* Claims [from, to) of one key, and what they say. */
struct judged {
    size_t from;
    size_t to;
    enum level level;
    size_t owner;  /* root of the group with a row whose key it is, or PEOPLE_NONE */
    bool disputed; /* another such group claims it too */
    bool closed;   /* the key joins nobody */
};

/* ---- groups ---- */

/* What is known of every group now. Nodes ascend by id, so that the first row is the one with the smallest. */
static void survey(struct people_work *w)
{
    for (size_t i = 0; i < w->n_nodes; i++) {
        w->groups[i] = (struct people_group){
            .row = PEOPLE_NONE, .type = PEOPLE_BOT, .owner = PEOPLE_NONE, .rival = PEOPLE_NONE};
    }
    for (size_t i = 0; i < w->n_nodes; i++) {
        struct people_group *g = &w->groups[people_root(w, i)];

        if (!people_is_row(w, i)) {
            g->type = g->type == PEOPLE_BOT ? people_account_at(w, i)->type : g->type;
            continue;
        }
        g->active = g->active || people_row_at(w, i)->state != PEOPLE_LEFT;
        if (g->row == PEOPLE_NONE) {
            g->row = i;
            g->type = people_row_at(w, i)->type;
        }
    }
}

static struct people_group *group_of(struct people_work *w, size_t node)
{
    return &w->groups[people_root(w, node)];
}

/* ---- judging ---- */

static bool counts(struct people_work *w, const struct people_claim *claim, enum level level)
{
    const struct people_group *g = group_of(w, claim->node);
    bool row = people_is_row(w, claim->node);

    if (level == OTHERS) {
        return row && g->type != PEOPLE_PERSON;
    }
    return g->row != PEOPLE_NONE && g->type == PEOPLE_PERSON && (level == ALL || g->active) &&
           (row || people_account_at(w, claim->node)->state != PEOPLE_DELETED);
}

static void find_owner(struct people_work *w, const struct people_claims *claims, struct judged *j)
{
    for (size_t i = j->from; i < j->to; i++) {
        size_t root = people_root(w, claims->items[i].node);

        if (!counts(w, &claims->items[i], j->level)) {
            continue;
        }
        j->disputed = j->disputed || (j->owner != PEOPLE_NONE && j->owner != root);
        j->owner = j->owner == PEOPLE_NONE ? root : j->owner;
    }
}

/* Two accounts of one instance have the user name: it tells nobody. */
static bool not_unique(struct people_work *w, const struct people_claims *claims,
                       const struct judged *j)
{
    for (size_t i = j->from + 1; i < j->to; i++) {
        const struct people_claim *a = &claims->items[i - 1];
        const struct people_claim *b = &claims->items[i];

        if (wh_slice_eq(a->instance, b->instance) &&
            people_root(w, a->node) != people_root(w, b->node)) {
            return true;
        }
    }
    return false;
}

static struct judged judge(struct people_work *w, enum people_rule rule,
                           const struct people_claims *claims, size_t from)
{
    struct judged j = {from, from, OTHERS, PEOPLE_NONE, false, false};

    while (j.to < claims->n && claims->items[j.to].group == claims->items[from].group) {
        j.to++;
    }
    for (;; j.level++) {
        find_owner(w, claims, &j);
        if (j.owner != PEOPLE_NONE || j.level == ALL) {
            break;
        }
    }
    if (j.owner != PEOPLE_NONE && j.level == OTHERS && rule != PEOPLE_RULE_ACCOUNT) {
        j.disputed = false;
        j.closed = true;
    }
    j.closed =
        j.closed || j.disputed || (rule == PEOPLE_RULE_USERNAME && not_unique(w, claims, &j));
    return j;
}

/* ---- accounts follow the owner of a key ---- */

/* The account that would follow: the one that a row names, or the claimant. */
static size_t follower(const struct people_claim *claim)
{
    return claim->target != PEOPLE_NONE ? claim->target : claim->node;
}

/* No row is in the node's group, and it is no bot that a person would get. */
static bool is_free(struct people_work *w, size_t node, enum people_type owner)
{
    const struct people_group *g = group_of(w, node);

    return g->row == PEOPLE_NONE && (owner != PEOPLE_PERSON || g->type == PEOPLE_PERSON);
}

/* Every free group learns the owner of its keys, and whether there are two. */
static void offer(struct people_work *w, enum people_rule rule, const struct people_claims *claims)
{
    struct judged j;

    survey(w);
    for (size_t from = 0; from < claims->n; from = j.to) {
        j = judge(w, rule, claims, from);
        for (size_t i = from; j.owner != PEOPLE_NONE && !j.closed && i < j.to; i++) {
            size_t node = follower(&claims->items[i]);
            struct people_group *g = group_of(w, node);

            if (!is_free(w, node, w->groups[j.owner].type)) {
                continue;
            }
            if (g->owner == PEOPLE_NONE) {
                g->owner = j.owner;
            } else if (g->owner != j.owner) {
                g->rival = j.owner;
            }
        }
    }
}

/* The owner's node that has the key, a row if there is one: rows come first. */
static size_t holder(struct people_work *w, const struct people_claims *claims,
                     const struct judged *j)
{
    for (size_t i = j->from; i < j->to; i++) {
        if (people_root(w, claims->items[i].node) == j->owner) {
            return claims->items[i].node;
        }
    }
    return PEOPLE_NONE;
}

static bool follows(struct people_work *w, size_t node, const struct judged *j)
{
    const struct people_group *g = group_of(w, node);

    return !j->closed && j->owner != PEOPLE_NONE && g->owner == j->owner && g->rival == PEOPLE_NONE;
}

/* Joins every free group that has one owner; true when there was one. */
static bool attach(struct people_work *w, enum people_rule rule, const struct people_claims *claims)
{
    bool joined = false;
    struct judged j;

    offer(w, rule, claims);
    for (size_t from = 0; from < claims->n; from = j.to) {
        j = judge(w, rule, claims, from);
        for (size_t i = from; i < j.to; i++) {
            const struct people_claim *claim = &claims->items[i];
            bool of_owner = claim->target == PEOPLE_NONE || people_root(w, claim->node) == j.owner;

            if (of_owner && follows(w, follower(claim), &j)) {
                people_because(w, follower(claim), rule, claim->text, holder(w, claims, &j));
                joined = true;
            }
        }
    }
    for (size_t i = 0; joined && i < w->n_nodes; i++) {
        const struct people_group *g = &w->groups[i];

        if (g->owner != PEOPLE_NONE && g->rival == PEOPLE_NONE) {
            people_unite(w, g->owner, i);
        }
    }
    return joined;
}

/* ---- accounts that share a key which is nobody's ---- */

static void unite_accounts(struct people_work *w, enum people_rule rule,
                           struct people_claims *claims)
{
    struct judged j;

    survey(w);
    for (size_t from = 0; from < claims->n; from = j.to) {
        j = judge(w, rule, claims, from);
        for (size_t i = from; i < j.to; i++) {
            claims->items[i].joins = j.owner == PEOPLE_NONE && !j.closed &&
                                     group_of(w, claims->items[i].node)->row == PEOPLE_NONE;
        }
    }
    for (size_t from = 0, i = 0; i < claims->n; i++) {
        const struct people_claim *first = &claims->items[from];
        const struct people_claim *one = &claims->items[i];

        if (first->group != one->group || !first->joins) {
            from = i;
        } else if (i > from && one->joins) {
            people_because(w, first->node, rule, first->text, one->node);
            people_because(w, one->node, rule, one->text, first->node);
            people_unite(w, first->node, one->node);
        }
    }
}

/* ---- what is left for people ---- */

static enum wh_rc note_dispute(struct people_work *w, enum people_rule rule,
                               const struct people_claims *claims, const struct judged *j,
                               struct wh_err *err)
{
    bool all = !j->disputed; /* the user name is not unique */
    size_t first = PEOPLE_NONE;

    for (size_t i = j->from; i < j->to; i++) {
        const struct people_claim *claim = &claims->items[i];

        if (!all && !counts(w, claim, j->level)) {
            continue;
        }
        if (first == PEOPLE_NONE) {
            first = claim->node;
        } else if (people_note(w, rule, claim->text, first, claim->node, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* Accounts that the key's owner does not get: bots, and those with another owner too. */
static enum wh_rc note_refused(struct people_work *w, enum people_rule rule,
                               const struct people_claims *claims, const struct judged *j,
                               struct wh_err *err)
{
    for (size_t i = j->from; i < j->to; i++) {
        const struct people_claim *claim = &claims->items[i];
        const struct people_group *g = group_of(w, follower(claim));

        if (g->row == PEOPLE_NONE && (g->rival != PEOPLE_NONE || claim->target != PEOPLE_NONE) &&
            people_note(w, rule, claim->text, holder(w, claims, j), follower(claim), err) !=
                WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc note_all(struct people_work *w, enum people_rule rule,
                           const struct people_claims *claims, struct wh_err *err)
{
    struct judged j;

    for (size_t from = 0; from < claims->n; from = j.to) {
        enum wh_rc rc = WH_OK;

        j = judge(w, rule, claims, from);
        if (j.closed && (j.disputed || j.level != OTHERS)) {
            rc = note_dispute(w, rule, claims, &j, err);
        } else if (!j.closed && j.owner != PEOPLE_NONE) {
            rc = note_refused(w, rule, claims, &j, err);
        }
        if (rc != WH_OK) {
            return rc;
        }
    }
    return WH_OK;
}

/* ---- all rules ---- */

static enum wh_rc join_rows(struct people_work *w, struct wh_err *err)
{
    struct people_claims claims;

    if (people_claims(w, PEOPLE_RULE_DIRECTORY_ID, &claims, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 1; i < claims.n; i++) {
        const struct people_claim *a = &claims.items[i - 1];
        const struct people_claim *b = &claims.items[i];

        if (a->group == b->group) {
            people_because(w, a->node, PEOPLE_RULE_DIRECTORY_ID, a->text, b->node);
            people_because(w, b->node, PEOPLE_RULE_DIRECTORY_ID, b->text, a->node);
            people_unite(w, a->node, b->node);
        }
    }
    return WH_OK;
}

enum wh_rc people_apply_rules(struct people_work *w, struct wh_err *err)
{
    if (join_rows(w, err) != WH_OK) {
        return err->rc;
    }
    for (enum people_rule rule = PEOPLE_RULE_ACCOUNT; rule <= PEOPLE_RULE_USERNAME; rule++) {
        struct people_claims claims;

        if (people_claims(w, rule, &claims, err) != WH_OK) {
            return err->rc;
        }
        while (attach(w, rule, &claims)) {
        }
        if (note_all(w, rule, &claims, err) != WH_OK) {
            return err->rc;
        }
        if (rule != PEOPLE_RULE_ACCOUNT) {
            unite_accounts(w, rule, &claims);
        }
    }
    return WH_OK;
}
