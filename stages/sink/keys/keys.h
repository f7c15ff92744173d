/*
 * keys.h - the names by which records of several tools find each other. An entity claims the names that it
 * is known by and mentions those of others; a link is the join of both on the name, made when it is asked
 * for (past/past.h). So it is right in any order of arrival, and a rename takes effect for all history.
 *
 * A name is a kind, a colon and a text in the form of common/text/key.h:
 *
 *   service:, customer:, domain:  services, customers: id, name, aliases; a customer's domain
 *   label:                        labels of incidents, and services that have such a label
 *   project:, environment:, path:, label:
 *                                 what belongs to a service by a row of service_ownership. Its columns hold
 *                                 together: project:P, environment:P#E (environment:#E without a project),
 *                                 label:X, label:P#X; with all three label:P#X#E, without a project
 *                                 label:#X#E; with a folder path:P#... and the rest. P is a path or a number.
 *   type:incident                 incidents, so that they are found among all work items
 *   url:                          addresses that a follow-up or a merge request refers to
 *   email:, account:              people and accounts; account:SYSTEM:USERNAME
 *
 * Pure functions of one observation or head. A deleted entity has no names; that is up to the caller.
 * Texts that are empty, longer than WH_KEY_TEXT_MAX or far (history.h) give no name.
 *
 * Thread: any.
 */
#ifndef WH_SINK_KEYS_H
#define WH_SINK_KEYS_H

#include "common/event/observation.h"

enum { KEYS_RULES_MAX = 16, KEYS_NAME_MAX = 8192, KEYS_IDENTITY = -1 };

struct keys_name {
    struct wh_slice name; /* valid during the call */
    const char *rule;     /* id, name, alias, label, ...: static text */
    int field;            /* that has it; KEYS_IDENTITY: the source id */
};

typedef enum wh_rc (*keys_visit)(void *ctx, const struct keys_name *found, struct wh_err *err);

struct keys_rule {
    int field;
    const char *prefix;
    const char *rule;
};

/* The rules with the numbers of their fields. */
struct keys {
    struct {
        struct keys_rule claims[KEYS_RULES_MAX];
        unsigned n_claims;
        struct keys_rule mentions[KEYS_RULES_MAX];
        unsigned n_mentions;
    } of[WH_KIND_COUNT];
    int type;            /* of work items */
    int follow_up_label; /* of work items, as mentions */
    int mentions;
    int project; /* of service_ownership, as the next three */
    int path;
    int environment;
    int label;
};

void keys_init(struct keys *keys);

/* Visits the names that an entity with this identity and these fields claims, and those that it mentions.
 * A name may come twice, by two rules. */
WH_MUST_CHECK enum wh_rc keys_claims(const struct keys *keys, const struct wh_source_id *source,
                                     const struct wh_body *body, keys_visit visit, void *ctx,
                                     struct wh_err *err);
WH_MUST_CHECK enum wh_rc keys_mentions(const struct keys *keys, const struct wh_source_id *source,
                                       const struct wh_body *body, keys_visit visit, void *ctx,
                                       struct wh_err *err);

/*
 * Appends a name: the prefix ("service:"), then the keys of the parts, joined with '#'. A part that is
 * empty stays empty. *ret_made is false, and nothing is appended, when the last part has no key or one part
 * is too long.
 */
WH_MUST_CHECK enum wh_rc keys_make(const char *prefix, const struct wh_slice *parts, size_t n,
                                   struct wh_buf *out, bool *ret_made, struct wh_err *err);

#endif
