/*
 * impact.h - what an incident did, found by rules over the state. Every finding names the rule, and the field
 * and the revision that it rests on.
 *
 * Thread: that of the reader. Ownership: everything that is returned lives in the arena that was given. A
 * head of an entity may be far larger than what is wanted of it, so a caller who looks at many incidents
 * empties the arena between two of them.
 */
#ifndef WH_SINK_IMPACT_H
#define WH_SINK_IMPACT_H

#include "stages/sink/past/past.h"

enum { IMPACT_IDENTITY = -1 };

/* One step of a proof: a field of an entity, as one revision set it, and the rule that reads it. */
struct impact_evidence {
    const struct impact_evidence *next;
    const char *rule;
    enum wh_kind kind;
    struct wh_entity_id id;
    int field; /* IMPACT_IDENTITY: that the entity exists under its id */
    struct wh_version version;
};

/* ---- issues around an incident ---- */

/* An issue that belongs to an incident. */
struct impact_issue {
    struct impact_issue *next;
    const struct wh_head *head;
    const char *rule;
    const struct impact_evidence *evidence;
};

/* Is it an incident that is not deleted? */
bool impact_is_incident(const struct wh_head *head);

/*
 * Issues linked to the incident that are postmortems: by a label (rule label), or by a heading of their text
 * (rule heading). An incident is no postmortem of another one.
 */
WH_MUST_CHECK enum wh_rc impact_postmortems(struct past *p, const struct wh_head *incident,
                                            struct wh_arena *arena, struct impact_issue **ret,
                                            struct wh_err *err);

#endif
