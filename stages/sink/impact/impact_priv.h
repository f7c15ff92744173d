/* impact_priv.h - what the files of this room share. */
#ifndef WH_SINK_IMPACT_PRIV_H
#define WH_SINK_IMPACT_PRIV_H

#include "stages/sink/impact/impact.h"
#include "stages/sink/keys/keys.h"

/* One reading. */
struct impact_work {
    struct past *past;
    struct keys keys;
    struct wh_arena *arena;  /* of the results */
    struct wh_arena scratch; /* of heads that are only looked at; who loops over heads empties it */
    const struct wh_head *incident;
    struct wh_slice day;
    struct impact_report *report;
};

void impact_work_init(struct impact_work *w, struct past *p, struct wh_arena *arena,
                      struct impact_report *report);
void impact_work_done(struct impact_work *w);

/* ---- evidence.c ---- */

/* A step in front of the steps `next`. field NULL: its identity. *ret lives in the arena. */
WH_MUST_CHECK enum wh_rc impact_add_step(struct wh_arena *arena, const char *rule,
                                         const struct wh_head *head, const char *field,
                                         const struct impact_step *next,
                                         const struct impact_step **ret, struct wh_err *err);
/* The steps of `first` and then those of `then`. */
WH_MUST_CHECK enum wh_rc impact_join_steps(struct wh_arena *arena, const struct impact_step *first,
                                           const struct impact_step *then,
                                           const struct impact_step **ret, struct wh_err *err);

/* ---- claims.c: who claims a name ---- */

/* The services, or customers, that claim some names. */
struct impact_owner {
    struct impact_owner *next;
    struct wh_entity_id id;
    const struct impact_step *steps; /* from the claim to the imported row */
};
struct impact_claim {
    struct impact_owner *owners; /* different ones */
    size_t n_owners;
};

/*
 * Adds who claims the name: entities of the kind, and for services the rows of service_ownership, which
 * claim for the service that they name.
 */
WH_MUST_CHECK enum wh_rc impact_claimed(struct impact_work *w, enum wh_kind kind,
                                        struct wh_slice name, struct impact_claim *claim,
                                        struct wh_err *err);
/* The only service or customer that claims the name of a key as written: *ret is NULL when there is none
 * or more than one, and then, unless `head` is NULL, the name is noted as loose: head's field mentions it. */
WH_MUST_CHECK enum wh_rc impact_resolve(struct impact_work *w, enum wh_kind kind,
                                        struct wh_slice key, const char *rule,
                                        const struct wh_head *head, const char *field,
                                        const struct impact_owner **ret, struct wh_err *err);
WH_MUST_CHECK enum wh_rc impact_note_loose(struct impact_work *w, struct wh_slice name,
                                           const struct impact_claim *claim, const char *rule,
                                           const struct wh_head *head, const char *field,
                                           struct wh_err *err);
/* The names by which an entity is found: those that it alone claims. */
struct impact_name {
    struct impact_name *next;
    struct wh_slice name;
};
WH_MUST_CHECK enum wh_rc impact_own_names(struct impact_work *w, const struct wh_head *head,
                                          struct impact_name **ret, struct wh_err *err);

/* ---- services.c ---- */

WH_MUST_CHECK enum wh_rc impact_add_services(struct impact_work *w, struct wh_err *err);
/* A service of the report, once; its reason is added. */
WH_MUST_CHECK enum wh_rc impact_add_service(struct impact_work *w, const char *rule,
                                            const struct impact_owner *owner,
                                            const struct impact_step *steps, struct wh_err *err);
/* Services that own the project, or the environment of it. NULL environment: only the project.
 * steps: what led to the project. */
WH_MUST_CHECK enum wh_rc impact_add_owners(struct impact_work *w, const char *rule,
                                           const struct wh_entity_id *project,
                                           struct wh_slice environment,
                                           const struct impact_step *steps, struct wh_err *err);

/* ---- rolled_back.c ---- */

/* The services of rollbacks that belong to the incident. */
WH_MUST_CHECK enum wh_rc impact_add_rolled_back(struct impact_work *w, struct wh_err *err);

/* ---- rollbacks.c ---- */

/* Short commits, as webhooks have them, begin the long ones. */
enum { IMPACT_COMMIT = 8 };
static inline struct wh_slice impact_short(struct wh_slice commit)
{
    return wh_slice(commit.ptr, commit.len < IMPACT_COMMIT ? commit.len : IMPACT_COMMIT);
}

/* ---- customers.c, contracts.c, revenue.c ---- */

WH_MUST_CHECK enum wh_rc impact_add_customers(struct impact_work *w, struct wh_err *err);
/* Is the day within [from, to], both inclusive, both open when they are not there? What is no date holds
 * on no day, and without a day nothing holds that has bounds. */
bool impact_holds(struct wh_slice day, const struct wh_value *from, const struct wh_value *to);
/* Reads the contracts of a customer that were running on the day. */
WH_MUST_CHECK enum wh_rc impact_read_contracts(struct impact_work *w, const struct wh_head *head,
                                               struct impact_customer *customer,
                                               struct wh_err *err);
/*
 * What the contracts of these customers are worth that are for any service, or for one of the services in
 * the list. one_customer, one_service: only the first of the list.
 * *ret is in order of currencies.
 */
struct impact_addition {
    const struct impact_customer *customers;
    bool one_customer;
    const struct impact_service *services;
    bool one_service;
};
WH_MUST_CHECK enum wh_rc impact_add_up(struct wh_arena *arena, const struct impact_addition *of,
                                       struct impact_revenue **ret, struct wh_err *err);

#endif
