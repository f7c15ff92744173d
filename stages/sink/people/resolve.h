/*
 * resolve.h - who is who: accounts and rows of directories become team members. A pure function of what is
 * known and what people have decided; the order in which it became known leaves no trace.
 *
 * Decisions come first, then the rules, the strongest first:
 *
 *   directory_id  rows of directories with the same id
 *   account       an account that a row names: gitlab:alice, gitlab:https://host/alice, gitlab:https://host/user/17.
 *                 The short form means the account of that name when only one host has it.
 *   email         the same verified address, of rows and of accounts
 *   username      the same user name on the same host, when no other account of that host's GitLab has it
 *
 * What keeps people apart:
 *
 *   - Rows of a directory with different ids are different people. Only a decision joins them.
 *   - A key that two active people claim joins nobody; it is reviewed. When only one of them is active, the key
 *     is that one's: an address may change hands.
 *   - Bots and shared mailboxes are never joined to a person. An account that such a row names is that row's; an
 *     address that it names joins nobody.
 *   - An account that is deleted claims a key only while no other account of that instance has it.
 *   - Similar names join nobody; they are reviewed.
 *
 * A decision joins two accounts or rows (merge), or takes one out of its team member, after which no rule
 * joins it to anyone (split). Decisions take effect in the order of (at_ms, id). One that was undone counts as
 * if it had never been made; undoing the undoing brings it back.
 *
 * Thread: any.
 */
#ifndef WH_SINK_PEOPLE_RESOLVE_H
#define WH_SINK_PEOPLE_RESOLVE_H

#include "common/base/arena.h"
#include "common/event/entity.h"

#define PEOPLE_NONE SIZE_MAX

enum people_type { PEOPLE_PERSON, PEOPLE_BOT, PEOPLE_SHARED };

/* Of accounts: all but LEFT. Of rows: ACTIVE, LEFT and UNKNOWN. */
enum people_state {
    PEOPLE_UNKNOWN,
    PEOPLE_ACTIVE,
    PEOPLE_BLOCKED,
    PEOPLE_DELETED,
    PEOPLE_LEFT,
};

enum people_rule {
    PEOPLE_RULE_NONE,
    PEOPLE_RULE_DECISION,
    PEOPLE_RULE_DIRECTORY_ID,
    PEOPLE_RULE_ACCOUNT,
    PEOPLE_RULE_EMAIL,
    PEOPLE_RULE_USERNAME,
    PEOPLE_RULE_NAME, /* of reviews alone */
};

/* Texts that are compared (username, number, email, name) are in their folded form; an empty one claims
 * nothing. Slices are borrowed, also by the result. */
struct people_account {
    struct wh_entity_id id;
    struct wh_slice system;
    struct wh_slice instance;
    struct wh_slice username;
    struct wh_slice number; /* the source's id */
    struct wh_slice email;
    struct wh_slice name;
    enum people_type type;
    enum people_state state;
    int64_t created_ms; /* INT64_MAX: not known */
    int64_t since_ms;   /* known since */
};

struct people_row {
    struct wh_entity_id id;
    struct wh_slice directory_id;
    struct wh_slice name;
    const struct wh_slice *emails;
    size_t n_emails;
    const struct wh_slice *accounts;
    size_t n_accounts;
    enum people_type type;
    enum people_state state;
    int64_t since_ms;
};

enum people_action { PEOPLE_MERGE, PEOPLE_SPLIT, PEOPLE_UNDO };

struct people_decision {
    struct wh_slice id;
    int64_t at_ms;
    enum people_action action;
    struct wh_entity_id subject; /* MERGE, SPLIT: an account or a row */
    struct wh_entity_id object;  /* MERGE: the other one */
    struct wh_slice undoes;      /* UNDO: an earlier decision */
};

/* Accounts and rows ascend by id, without duplicates. Decisions may have any order. */
struct people_input {
    const struct people_account *accounts;
    size_t n_accounts;
    const struct people_row *rows;
    size_t n_rows;
    const struct people_decision *decisions;
    size_t n_decisions;
};

/* Accounts and rows are nodes: first the accounts, then the rows, in the order of the input. */
struct people_node {
    size_t member;
    enum people_rule rule; /* what joined it to the rest of its team member */
    struct wh_slice key;   /* what both have; of a decision: its id */
    size_t with;           /* the node that has the key too; PEOPLE_NONE: none */
    bool split;            /* a decision took it out */
};

struct people_member {
    struct wh_entity_id id; /* of the row with the smallest id, else of the oldest account */
    size_t first; /* its nodes in people.order: rows first, then accounts from the oldest on */
    size_t n_rows;
    size_t n_accounts;
    enum people_type type;
    enum people_state state;
    size_t
        face; /* the account that stands for it: active ones first, then the oldest; or PEOPLE_NONE */
};

/* Two team members that may be one, or that claim the same key. left has the smaller id. */
struct people_review {
    enum people_rule rule;
    struct wh_slice key; /* what both have, as it is folded */
    size_t left;
    size_t right;
    int64_t since_ms; /* both known since */
};

struct people {
    struct people_node *nodes;
    size_t n_nodes;
    struct people_member *members; /* ascending by id */
    size_t n_members;
    size_t *order;
    struct people_review *reviews; /* ascending by rule, key, left, right */
    size_t n_reviews;
    size_t
        *undone_by; /* of each decision of the input: the decision that undid it, or PEOPLE_NONE */
};

/* The result lives in the arena; scratch may be reset afterwards. WH_E_NOMEM, WH_E_TOO_LARGE: one of them is
 * too small. */
WH_MUST_CHECK enum wh_rc people_resolve(const struct people_input *in, struct wh_arena *arena,
                                        struct wh_arena *scratch, struct people *ret,
                                        struct wh_err *err);

/* The node with that id, which an account or a row has; PEOPLE_NONE: there is none. */
size_t people_find(const struct people_input *in, const struct wh_entity_id *id);

static inline const struct wh_entity_id *people_node_id(const struct people_input *in, size_t node)
{
    return node < in->n_accounts ? &in->accounts[node].id : &in->rows[node - in->n_accounts].id;
}

/* An account as a row names it: gitlab:alice, gitlab:@alice, gitlab:https://host/alice, gitlab:host/alice. */
struct people_reference {
    struct wh_slice system;
    struct wh_slice instance; /* without scheme; empty: any */
    struct wh_slice username;
};

/* False when the text names no account. Slices point into the text. */
bool people_reference_parse(struct wh_slice text, struct people_reference *ret);

const char *people_rule_name(enum people_rule rule);
const char *people_type_name(enum people_type type);
/* NULL for PEOPLE_UNKNOWN. */
const char *people_state_name(enum people_state state);

#endif
