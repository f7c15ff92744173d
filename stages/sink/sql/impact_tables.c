/* Tables of what incidents did; see impact/impact.h. */
#include "stages/sink/impact/impact.h"
#include "stages/sink/sql/computed.h"

/* ---- one incident at a time ---- */

struct incidents {
    struct past_scan *scan; /* NULL: only one */
    struct wh_entity_id one;
    bool none;
};

/* Key 0 is the incident. */
static enum wh_rc incidents_start(struct sql_computing *c, int key, struct wh_slice value,
                                  struct wh_err *err)
{
    struct incidents *state;
    struct wh_err ignored;
    void *memory = NULL;

    if (wh_arena_zalloc(&c->kept, 1, sizeof(*state), &memory, err) != WH_OK) {
        return err->rc;
    }
    state = memory;
    c->state = state;
    if (key < 0) {
        return past_claimants(c->past, WH_LIT("type:incident"), &state->scan, err);
    }
    state->none = wh_entity_id_parse(value, &state->one, &ignored) != WH_OK;
    return WH_OK;
}

static void incidents_stop(struct sql_computing *c)
{
    const struct incidents *state = c->state;

    past_scan_free(state ? state->scan : NULL);
}

/* *ret is NULL when the step has no incident. */
static enum wh_rc next_incident(struct sql_computing *c, const struct wh_head **ret, bool *ret_end,
                                struct wh_err *err)
{
    struct incidents *state = c->state;
    struct past_found found = {.kind = WH_KIND_WORK_ITEM, .id = state->one};
    bool more = !state->none;

    *ret = NULL;
    if (state->scan && past_next(state->scan, &found, &more, err) != WH_OK) {
        return err->rc;
    }
    *ret_end = !more || state->scan == NULL;
    if (!more || found.kind != WH_KIND_WORK_ITEM) {
        return WH_OK;
    }
    if (past_live(c->past, found.kind, &found.id, &c->step, ret, err) != WH_OK) {
        return err->rc;
    }
    *ret = impact_is_incident(*ret) ? *ret : NULL;
    return WH_OK;
}

static const char *const incident_key[] = {"incident"};

/* ---- postmortems ---- */

enum { P_INCIDENT, P_INCIDENT_URL, P_WORK_ITEM, P_WORK_ITEM_URL, P_RULE, P_COLUMNS };

static const struct sql_column postmortem_columns[P_COLUMNS] = {
    {"incident", "TEXT", SQL_SHAPE_PLAIN, "the incident; indexed"},
    {"incident_url", "TEXT", SQL_SHAPE_PLAIN, "its page"},
    {"work_item", "TEXT", SQL_SHAPE_PLAIN, "the postmortem"},
    {"work_item_url", "TEXT", SQL_SHAPE_PLAIN, "its page"},
    {"rule", "TEXT", SQL_SHAPE_PLAIN,
     "what marks the linked issue as a postmortem: label, heading"},
};

static enum wh_rc add_postmortem(struct sql_computing *c, const struct wh_head *incident,
                                 const struct impact_issue *issue, struct wh_err *err)
{
    struct sql_value row[P_COLUMNS] = {
        [P_INCIDENT_URL] = sql_value_of_text(incident->source.url),
        [P_WORK_ITEM_URL] = sql_value_of_text(issue->head->source.url),
        [P_RULE] = sql_value_of_text(wh_slice_str(issue->rule)),
    };

    if (sql_value_of_id(c, &incident->id, &row[P_INCIDENT], err) != WH_OK ||
        sql_value_of_id(c, &issue->head->id, &row[P_WORK_ITEM], err) != WH_OK) {
        return err->rc;
    }
    return sql_computed_add(c, row, err);
}

static enum wh_rc postmortems_step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    const struct wh_head *incident = NULL;
    struct impact_issue *list = NULL;

    if (next_incident(c, &incident, ret_end, err) != WH_OK) {
        return err->rc;
    }
    if (incident && impact_postmortems(c->past, incident, &c->step, &list, err) != WH_OK) {
        return err->rc;
    }
    for (; list; list = list->next) {
        if (add_postmortem(c, incident, list, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

const struct sql_computed_def sql_postmortems = {
    .name = "postmortems",
    .columns = postmortem_columns,
    .n_columns = P_COLUMNS,
    .keys = incident_key,
    .n_keys = 1,
    .rows = 1000,
    .start = incidents_start,
    .step = postmortems_step,
    .stop = incidents_stop,
};
