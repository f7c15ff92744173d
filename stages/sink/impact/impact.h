/*
 * impact.h - what an incident did, found by rules over the state: when it was, which services and customers
 * it hit, what that is worth, and what is still to do. Nothing of it is stored: it follows from what GitLab and
 * the imported files say, so a rename, an alias or a late import takes effect at once.
 *
 * Services and follow-ups are the union of all rules; a single fact comes from the first rule that yields it.
 * Every finding names its rule, and the fields and revisions that it rests on. A name that two services, or two
 * customers, claim links to neither. What matches nothing is listed (struct impact_loose).
 *
 * Thread: that of the reader. Ownership: everything that is returned lives in the arena that was given.
 */
#ifndef WH_SINK_IMPACT_H
#define WH_SINK_IMPACT_H

#include "common/base/zone.h"
#include "common/json/json_write.h"
#include "stages/sink/past/past.h"

enum { IMPACT_IDENTITY = -1 };

/* One step of a proof: a field of an entity, as one revision set it, and the rule that reads it. */
struct impact_step {
    const struct impact_step *next;
    const char *rule;
    enum wh_kind kind;
    struct wh_entity_id id;
    int field; /* IMPACT_IDENTITY: that the entity has this id */
    struct wh_version version;
};

/* ---- facts ---- */

/* A fact, by the first rule that yields one. */
struct impact_fact {
    bool known;
    int64_t ms;           /* of a time */
    struct wh_slice text; /* of a text */
    const char *rule;     /* NULL when it is not known */
    const char *field;    /* name; NULL when it is not known */
    struct wh_version version;
};

struct impact_facts {
    struct impact_fact severity; /* critical, high, medium, low; "unknown" when it is not known */
    struct impact_fact started;
    struct impact_fact detected;
    struct impact_fact mitigated;
    struct impact_fact restored;
    bool has_duration;
    int64_t duration_s;
};

void impact_read_facts(const struct wh_head *incident, struct impact_facts *ret);

/* ---- which incident ---- */

struct impact_choice {
    struct impact_choice *next;
    const struct wh_head *incident;
};

/*
 * Incidents that a text names: an id of Wellhead, an address at GitLab (also one that GitLab writes in another
 * way, or of a page below it), group/project#45, #45 or 45. *ret is NULL when there is none; more than one when
 * a number is that of incidents in several projects.
 */
WH_MUST_CHECK enum wh_rc impact_find(struct past *p, struct wh_slice text, struct wh_arena *arena,
                                     struct impact_choice **ret, struct wh_err *err);

/* ---- issues around an incident ---- */

struct impact_issue {
    struct impact_issue *next;
    struct wh_entity_id id;
    struct wh_slice url;
    struct wh_slice title;
    struct wh_slice state;
    const char *rule;
    const struct impact_step *evidence;
};

/* Is it an incident that is not deleted? Accepts NULL. */
bool impact_is_incident(const struct wh_head *head);
/*
 * Where an incident is now: GitLab closes an issue that is moved to another project and makes a new one there.
 * *ret is the head itself when it was not moved, or to where nothing is known.
 */
WH_MUST_CHECK enum wh_rc impact_moved_to(struct past *p, const struct wh_head *head,
                                         struct wh_arena *arena, const struct wh_head **ret,
                                         struct wh_err *err);

/*
 * Issues linked to the incident that are postmortems: by a label (rule label), or by a heading of their text
 * (rule heading). An incident is no postmortem of another one.
 */
WH_MUST_CHECK enum wh_rc impact_postmortems(struct past *p, const struct wh_head *incident,
                                            struct wh_arena *arena, struct impact_issue **ret,
                                            struct wh_err *err);
/*
 * What is to be done after the incident: issues linked to it or to its postmortems (rule link), issues with a
 * label of follow-ups that mention it (label), its child tasks (task). One entry for each rule.
 */
WH_MUST_CHECK enum wh_rc impact_follow_ups(struct past *p, const struct wh_head *incident,
                                           struct wh_arena *arena, struct impact_issue **ret,
                                           struct wh_err *err);
/* How many different issues of the list are open. */
size_t impact_open(const struct impact_issue *list);

/* ---- rollbacks ---- */

struct impact_rollback {
    struct impact_rollback *next;
    struct wh_entity_id deployment;
    struct wh_entity_id replaced; /* the last success in that environment before it */
    bool has_replaced;
    struct wh_entity_id project;
    struct wh_slice environment;
    int64_t at_ms; /* when it finished */
    const char *rule;
    const struct impact_step *evidence;
};

/*
 * Deployments of a project that brought something old back: successful ones of an older commit than the one
 * that they replaced (rules older_commit: it was deployed there before; older_pipeline: its pipeline is older on
 * the same ref), those of a merge request that reverts (revert), and those that are named so (name). In the order
 * of their end, which is from from_ms to until_ms, both inclusive; INT64_MIN and INT64_MAX: all.
 */
WH_MUST_CHECK enum wh_rc impact_rollbacks(struct past *p, const struct wh_entity_id *project,
                                          int64_t from_ms, int64_t until_ms, struct wh_arena *arena,
                                          struct impact_rollback **ret, struct wh_err *err);

/* ---- services and customers ---- */

/* Why a service or customer is part of it: a rule, and the steps from GitLab's revision to the imported row. */
struct impact_reason {
    struct impact_reason *next;
    const char *rule;
    const struct impact_step *steps;
};

/* A contract that was running on the day the incident started. */
struct impact_contract {
    struct impact_contract *next;
    struct wh_entity_id id;
    struct wh_slice currency; /* in upper case */
    uint64_t amount;          /* of one period */
    unsigned per_year; /* periods in a year: 12, 4 or 1. What is paid once is no such contract. */
    bool for_any;      /* for no service in particular */
    struct wh_entity_id service;
    const struct impact_step *evidence;
};

/* What contracts in one currency are worth in a month. */
struct impact_revenue {
    struct impact_revenue *next;
    struct wh_slice currency;
    bool overflow; /* more than 2^63-1: monthly_minor is not set */
    int64_t monthly_minor;
    const struct impact_contract **contracts;
    size_t n_contracts;
};

struct impact_customer {
    struct impact_customer *next;
    struct wh_entity_id id;
    struct wh_slice name;
    struct impact_reason *reasons;
    struct impact_contract *contracts; /* all that were running, whatever they are for */
    struct impact_revenue *revenue; /* of those for a service of the incident, or for any service */
};

/* A customer of a service on the day the incident started. */
struct impact_use {
    struct impact_use *next;
    struct impact_customer *customer;
    const struct impact_step *steps; /* from the service to the customer */
    struct impact_revenue *revenue;  /* of contracts for this service, or for any service */
};

struct impact_service {
    struct impact_service *next;
    struct wh_entity_id id;
    struct wh_slice name;
    struct impact_reason *reasons;
    struct impact_use *uses; /* by the customers' names */
};

/* A name that links to nothing: nobody claims it, or several do. */
struct impact_loose {
    struct impact_loose *next;
    struct wh_slice name; /* keys/keys.h */
    enum wh_kind kind;    /* who mentions it */
    struct wh_entity_id by;
    const char *rule;
    int field;
    struct wh_version version;
    struct wh_entity_id *claimants; /* of an ambiguous one */
    size_t n_claimants;
};

struct impact_report {
    const struct wh_head *incident;
    struct impact_facts facts;
    struct wh_slice day; /* on which it started, as 2026-05-01; empty when that is not known */
    struct impact_service *services;   /* by name */
    struct impact_customer *customers; /* by name */
    struct impact_issue *postmortems;
    struct impact_issue *follow_ups;
    struct impact_loose *loose;
    struct impact_revenue *revenue; /* of all customers; each contract counts once */
};

/* Reads all of it. zone decides on which day the incident started. */
WH_MUST_CHECK enum wh_rc impact_read(struct past *p, const struct wh_head *incident,
                                     struct wh_zone zone, struct wh_arena *arena,
                                     struct impact_report *ret, struct wh_err *err);
/* Only facts and services, without their customers. */
WH_MUST_CHECK enum wh_rc impact_read_services(struct past *p, const struct wh_head *incident,
                                              struct wh_arena *arena, struct impact_report *ret,
                                              struct wh_err *err);
/* Services that own the project or the environment of a deployment; for the table of rollbacks. */
WH_MUST_CHECK enum wh_rc impact_deployed_services(struct past *p,
                                                  const struct wh_entity_id *project,
                                                  struct wh_slice environment,
                                                  struct wh_arena *arena,
                                                  struct impact_service **ret, struct wh_err *err);

/* ---- keys as they are written ---- */

/* The only service, or customer, that claims a key (id, name or alias); *ret_found is false when there is none,
 * or more than one. */
WH_MUST_CHECK enum wh_rc impact_key(struct past *p, enum wh_kind kind, struct wh_slice key,
                                    struct wh_entity_id *ret, bool *ret_found, struct wh_err *err);

/* ---- what matches nothing, everywhere ---- */

/* A name that links to nothing, as one entity mentions it. */
struct impact_unresolved {
    struct impact_loose loose; /* loose.next is not used */
    bool mentioned;            /* false: several claim the name and nobody mentions it */
    int64_t count;             /* entities that mention the name */
};

struct impact_unresolved_scan;
WH_MUST_CHECK enum wh_rc impact_unresolved_new(struct past *p, struct impact_unresolved_scan **ret,
                                               struct wh_err *err);
/* The names of one more thing: those of incidents first, then those of imported rows, then names that several
 * claim. *ret may be empty; *ret_end is set at the end. *ret lives in the arena. */
WH_MUST_CHECK enum wh_rc impact_unresolved_next(struct impact_unresolved_scan *scan,
                                                struct wh_arena *arena,
                                                struct impact_unresolved **ret, size_t *ret_n,
                                                bool *ret_end, struct wh_err *err);
/* Accepts NULL. */
void impact_unresolved_free(struct impact_unresolved_scan *scan);

/* ---- as JSON ---- */

/*
 * Writes the members incident, services, customers, follow_ups, postmortems, unresolved and totals into the
 * object that is open. Arena: scratch that may be emptied afterwards.
 */
WH_MUST_CHECK enum wh_rc impact_write(struct past *p, const struct impact_report *report,
                                      struct wh_arena *arena, struct wh_json_writer *w,
                                      struct wh_err *err);
/*
 * Writes an array of steps, then of those in `then`, which may be NULL: each with its rule, entity, field and
 * revision, and with the source, topic, partition and offset of the raw event behind that revision. The
 * contracts behind a revenue, which may be NULL, follow, and after them an object with overflow, when the sum is too large.
 */
WH_MUST_CHECK enum wh_rc impact_write_evidence(struct past *p, const struct impact_step *steps,
                                               const struct impact_step *then,
                                               const struct impact_revenue *revenue,
                                               struct wh_arena *arena, struct wh_json_writer *w,
                                               struct wh_err *err);

#endif
