/* Single facts about an incident: each comes from the first rule that yields one. */
#include "stages/sink/impact/impact_priv.h"

static struct impact_fact fact_of(const struct wh_head *head, const char *field, const char *rule)
{
    int i = wh_kind_field(head->body.def, wh_slice_str(field));

    return (struct impact_fact){
        .known = true, .rule = rule, .field = field, .version = head->set[i]};
}

/* A time that a field has. */
static bool time_fact(const struct wh_head *head, const char *field, const char *rule,
                      struct impact_fact *ret)
{
    const struct wh_value *v = past_field(head, field);

    if (v == NULL) {
        return false;
    }
    *ret = fact_of(head, field, rule);
    ret->ms = v->u.i;
    return true;
}

static bool severity_fact(const struct wh_head *head, const char *field, const char *rule,
                          struct impact_fact *ret)
{
    struct wh_slice text = past_string(head, field);

    if (text.len == 0 || wh_slice_eq(text, WH_LIT("unknown"))) {
        return false;
    }
    *ret = fact_of(head, field, rule);
    ret->text = text;
    return true;
}

/* The time at which the source had the incident as resolved for the first time since it was not. */
static bool resolved_fact(const struct wh_head *head, struct impact_fact *ret)
{
    if (!wh_slice_eq(past_string(head, "escalation_status"), WH_LIT("resolved"))) {
        return false;
    }
    *ret = fact_of(head, "escalation_status", "escalation_status");
    ret->ms = wh_version_at_ms(ret->version.order);
    return true;
}

/* A reopened incident may still show when it was closed. */
static bool closed_fact(const struct wh_head *head, struct impact_fact *ret)
{
    return !wh_slice_eq(past_string(head, "state"), WH_LIT("opened")) &&
           time_fact(head, "closed_at", "closed_at", ret);
}

void impact_read_facts(const struct wh_head *head, struct impact_facts *ret)
{
    *ret = (struct impact_facts){.severity.text = WH_LIT("unknown")};
    (void)(severity_fact(head, "severity", "severity", &ret->severity) ||
           severity_fact(head, "stated_severity", "label", &ret->severity));
    (void)(time_fact(head, "stated_started_at", "line", &ret->started) ||
           time_fact(head, "created_at", "created_at", &ret->started));
    (void)(time_fact(head, "stated_detected_at", "line", &ret->detected) ||
           time_fact(head, "created_at", "created_at", &ret->detected));
    (void)time_fact(head, "stated_mitigated_at", "line", &ret->mitigated);
    (void)(time_fact(head, "stated_restored_at", "line", &ret->restored) ||
           resolved_fact(head, &ret->restored) || closed_fact(head, &ret->restored));
    ret->has_duration =
        ret->started.known && ret->restored.known && ret->restored.ms >= ret->started.ms;
    ret->duration_s = ret->has_duration ? (ret->restored.ms - ret->started.ms) / 1000 : 0;
}
