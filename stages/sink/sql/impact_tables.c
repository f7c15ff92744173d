/* Tables of what incidents did; see impact/impact.h. */
#include "stages/sink/impact/impact.h"
#include "stages/sink/sql/computed.h"

enum { EVIDENCE_MAX_BYTES = 8 << 20 };

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
    const struct wh_head *now = NULL;
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
    if (!impact_is_incident(*ret)) {
        *ret = NULL;
        return WH_OK;
    }
    if (impact_moved_to(c->past, *ret, &c->step, &now, err) != WH_OK) {
        return err->rc;
    }
    *ret = now == *ret ? now : NULL; /* it comes where it is now */
    return WH_OK;
}

static const char *const incident_key[] = {"incident"};

#define INCIDENTS_TABLE                                                                            \
    .keys = incident_key, .n_keys = 1, .start = incidents_start, .stop = incidents_stop

/* The first two columns of these tables. */
#define INCIDENT_COLUMNS                                                                           \
    {"incident", "TEXT", SQL_SHAPE_PLAIN, "the incident; indexed"},                                \
    {                                                                                              \
        "incident_url", "TEXT", SQL_SHAPE_PLAIN, "its page"                                        \
    }

static enum wh_rc put_incident(struct sql_computing *c, const struct wh_head *incident,
                               struct sql_value *row, struct wh_err *err)
{
    row[1] = sql_value_of_text(incident->source.url);
    return sql_value_of_id(c, &incident->id, &row[0], err);
}

/* ---- postmortems, follow-ups ---- */

enum { I_INCIDENT, I_INCIDENT_URL, I_WORK_ITEM, I_WORK_ITEM_URL, I_RULE, P_COLUMNS };
enum { F_TITLE = I_RULE, F_STATE, F_RULE, F_COLUMNS };

static const struct sql_column postmortem_columns[P_COLUMNS] = {
    INCIDENT_COLUMNS,
    {"work_item", "TEXT", SQL_SHAPE_PLAIN, "the postmortem"},
    {"work_item_url", "TEXT", SQL_SHAPE_PLAIN, "its page"},
    {"rule", "TEXT", SQL_SHAPE_PLAIN,
     "what marks the linked issue as a postmortem: label, heading"},
};

static const struct sql_column follow_up_columns[F_COLUMNS] = {
    INCIDENT_COLUMNS,
    {"work_item", "TEXT", SQL_SHAPE_PLAIN, "what is to be done"},
    {"work_item_url", "TEXT", SQL_SHAPE_PLAIN, "its page"},
    {"title", "TEXT", SQL_SHAPE_PLAIN, "its title"},
    {"state", "TEXT", SQL_SHAPE_PLAIN, "opened or closed"},
    {"rule", "TEXT", SQL_SHAPE_PLAIN,
     "link: linked to the incident or its postmortem; label: labelled and mentions it; task: "
     "child"},
};

static enum wh_rc add_issue(struct sql_computing *c, const struct wh_head *incident,
                            const struct impact_issue *issue, bool is_follow_up, struct wh_err *err)
{
    struct sql_value row[F_COLUMNS] = {
        [I_WORK_ITEM_URL] = sql_value_of_text(issue->url),
        [I_RULE] = sql_value_of_text(wh_slice_str(issue->rule)),
    };

    if (is_follow_up) {
        row[F_RULE] = row[I_RULE];
        row[F_TITLE] = sql_value_of_text(issue->title);
        row[F_STATE] = sql_value_of_text(issue->state);
    }
    if (put_incident(c, incident, row, err) != WH_OK ||
        sql_value_of_id(c, &issue->id, &row[I_WORK_ITEM], err) != WH_OK) {
        return err->rc;
    }
    return sql_computed_add(c, row, err);
}

static enum wh_rc issues_step(struct sql_computing *c, bool is_follow_up, bool *ret_end,
                              struct wh_err *err)
{
    const struct wh_head *incident = NULL;
    struct impact_issue *list = NULL;

    if (next_incident(c, &incident, ret_end, err) != WH_OK) {
        return err->rc;
    }
    if (incident && (is_follow_up ? impact_follow_ups : impact_postmortems)(
                        c->past, incident, &c->step, &list, err) != WH_OK) {
        return err->rc;
    }
    for (; list; list = list->next) {
        if (add_issue(c, incident, list, is_follow_up, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc postmortems_step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    return issues_step(c, false, ret_end, err);
}

static enum wh_rc follow_ups_step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    return issues_step(c, true, ret_end, err);
}

const struct sql_computed_def sql_postmortems = {
    .name = "postmortems",
    .columns = postmortem_columns,
    .n_columns = P_COLUMNS,
    .rows = 1000,
    .step = postmortems_step,
    INCIDENTS_TABLE,
};

const struct sql_computed_def sql_incident_follow_ups = {
    .name = "incident_follow_ups",
    .columns = follow_up_columns,
    .n_columns = F_COLUMNS,
    .rows = 2000,
    .step = follow_ups_step,
    INCIDENTS_TABLE,
};

/* ---- services ---- */

enum { S_SERVICE = 2, S_SERVICE_NAME, S_RULE, S_EVIDENCE, S_COLUMNS };

static const char evidence_doc[] =
    "steps from GitLab's revision to the imported row, each with its topic, partition and offset";

static const struct sql_column service_columns[S_COLUMNS] = {
    INCIDENT_COLUMNS,
    {"service", "TEXT", SQL_SHAPE_PLAIN, "service that it hit"},
    {"service_name", "TEXT", SQL_SHAPE_PLAIN, "its name"},
    {"rule", "TEXT", SQL_SHAPE_PLAIN, "label, heading, project, environment or rollback"},
    {"evidence", "TEXT", SQL_SHAPE_JSON, evidence_doc},
};

/* The steps as JSON text. */
static enum wh_rc put_evidence(struct sql_computing *c, const struct impact_step *steps,
                               const struct impact_step *then, const struct impact_revenue *revenue,
                               struct sql_value *ret, struct wh_err *err)
{
    struct wh_json_writer w;
    struct wh_slice text;
    struct wh_buf json;
    enum wh_rc rc;

    wh_buf_init(&json, EVIDENCE_MAX_BYTES);
    wh_json_writer_init(&w, &json);
    rc = impact_write_evidence(c->past, steps, then, revenue, &c->step, &w, err);
    rc = rc == WH_OK ? wh_jw_finish(&w, err) : rc;
    rc = rc == WH_OK ? wh_arena_dup(&c->step, wh_buf_slice(&json), &text, err) : rc;
    wh_buf_done(&json);
    if (rc == WH_OK) {
        *ret = sql_value_of_text(text);
    }
    return rc;
}

static enum wh_rc add_service(struct sql_computing *c, const struct wh_head *incident,
                              const struct impact_service *s, const struct impact_reason *r,
                              struct wh_err *err)
{
    struct sql_value row[S_COLUMNS] = {
        [S_SERVICE_NAME] = sql_value_of_text(s->name),
        [S_RULE] = sql_value_of_text(wh_slice_str(r->rule)),
    };

    if (put_incident(c, incident, row, err) != WH_OK ||
        sql_value_of_id(c, &s->id, &row[S_SERVICE], err) != WH_OK ||
        put_evidence(c, r->steps, NULL, NULL, &row[S_EVIDENCE], err) != WH_OK) {
        return err->rc;
    }
    return sql_computed_add(c, row, err);
}

static enum wh_rc services_step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    const struct wh_head *incident = NULL;
    struct impact_report report = {0};

    if (next_incident(c, &incident, ret_end, err) != WH_OK) {
        return err->rc;
    }
    if (incident && impact_read_services(c->past, incident, &c->step, &report, err) != WH_OK) {
        return err->rc;
    }
    for (const struct impact_service *s = report.services; s; s = s->next) {
        for (const struct impact_reason *r = s->reasons; r; r = r->next) {
            if (add_service(c, incident, s, r, err) != WH_OK) {
                return err->rc;
            }
        }
    }
    return WH_OK;
}

const struct sql_computed_def sql_incident_services = {
    .name = "incident_services",
    .columns = service_columns,
    .n_columns = S_COLUMNS,
    .rows = 2000,
    .step = services_step,
    INCIDENTS_TABLE,
};

/* ---- impact ---- */

enum {
    M_TITLE = 2,
    M_SEVERITY,
    M_STARTED_AT,
    M_RESTORED_AT,
    M_DURATION,
    M_SERVICE,
    M_SERVICE_NAME,
    M_CUSTOMER,
    M_CUSTOMER_NAME,
    M_REVENUE,
    M_CURRENCY,
    M_OPEN,
    M_EVIDENCE,
    M_COLUMNS
};

static const struct sql_column impact_columns[M_COLUMNS] = {
    INCIDENT_COLUMNS,
    {"incident_title", "TEXT", SQL_SHAPE_PLAIN, "its title"},
    {"severity", "TEXT", SQL_SHAPE_PLAIN, "critical, high, medium, low or unknown"},
    {"started_at", "TEXT", SQL_SHAPE_TIME, "start of the impact, else when it was made"},
    {"restored_at", "TEXT", SQL_SHAPE_TIME, "when service was restored, resolved or closed"},
    {"duration_s", "INTEGER", SQL_SHAPE_PLAIN, "seconds from start to restoration"},
    {"service", "TEXT", SQL_SHAPE_PLAIN, "service that it hit"},
    {"service_name", "TEXT", SQL_SHAPE_PLAIN, "its name"},
    {"customer", "TEXT", SQL_SHAPE_PLAIN, "customer of the service on that day; NULL: none"},
    {"customer_name", "TEXT", SQL_SHAPE_PLAIN, "the customer's name"},
    {"revenue_minor", "INTEGER", SQL_SHAPE_PLAIN,
     "monthly value of the customer's contracts for this service or for none in particular"},
    {"currency", "TEXT", SQL_SHAPE_PLAIN, "of the revenue; each has a row of its own"},
    {"open_follow_ups", "INTEGER", SQL_SHAPE_PLAIN, "follow-ups of the incident that are open"},
    {"evidence", "TEXT", SQL_SHAPE_JSON, evidence_doc},
};

/* The columns that are the same in all rows of an incident. */
static enum wh_rc put_facts(struct sql_computing *c, const struct impact_report *r,
                            struct sql_value row[M_COLUMNS], struct wh_err *err)
{
    const struct impact_facts *f = &r->facts;
    struct wh_slice title;

    if (put_incident(c, r->incident, row, err) != WH_OK ||
        past_text(c->past, r->incident, "title", &c->step, &title, err) != WH_OK ||
        (f->started.known &&
         sql_value_of_time(c, f->started.ms, &row[M_STARTED_AT], err) != WH_OK) ||
        (f->restored.known &&
         sql_value_of_time(c, f->restored.ms, &row[M_RESTORED_AT], err) != WH_OK)) {
        return err->rc;
    }
    row[M_TITLE] = sql_value_of_text(title);
    row[M_SEVERITY] = sql_value_of_text(f->severity.text);
    if (f->has_duration) {
        row[M_DURATION] = sql_value_of_int(f->duration_s);
    }
    row[M_OPEN] = sql_value_of_int((int64_t)impact_open(r->follow_ups));
    return WH_OK;
}

static enum wh_rc add_impact(struct sql_computing *c, const struct impact_service *s,
                             const struct impact_use *use, const struct impact_revenue *revenue,
                             const struct sql_value facts[M_COLUMNS], struct wh_err *err)
{
    struct sql_value row[M_COLUMNS];

    memcpy(row, facts, sizeof(row));
    row[M_SERVICE_NAME] = sql_value_of_text(s->name);
    if (sql_value_of_id(c, &s->id, &row[M_SERVICE], err) != WH_OK ||
        put_evidence(c, s->reasons->steps, use ? use->steps : NULL, revenue, &row[M_EVIDENCE],
                     err) != WH_OK) {
        return err->rc;
    }
    if (use) {
        row[M_CUSTOMER_NAME] = sql_value_of_text(use->customer->name);
        if (sql_value_of_id(c, &use->customer->id, &row[M_CUSTOMER], err) != WH_OK) {
            return err->rc;
        }
    }
    if (revenue) {
        row[M_CURRENCY] = sql_value_of_text(revenue->currency);
        row[M_REVENUE] = revenue->overflow ? (struct sql_value){.type = SQL_NULL}
                                           : sql_value_of_int(revenue->monthly_minor);
    }
    return sql_computed_add(c, row, err);
}

static enum wh_rc add_use(struct sql_computing *c, const struct impact_service *s,
                          const struct impact_use *use, const struct sql_value facts[M_COLUMNS],
                          struct wh_err *err)
{
    const struct impact_revenue *revenue = use->revenue;

    do {
        if (add_impact(c, s, use, revenue, facts, err) != WH_OK) {
            return err->rc;
        }
        revenue = revenue ? revenue->next : NULL;
    } while (revenue);
    return WH_OK;
}

static enum wh_rc impact_step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    struct sql_value facts[M_COLUMNS] = {{.type = SQL_NULL}};
    const struct wh_head *incident = NULL;
    struct impact_report report = {0};

    if (next_incident(c, &incident, ret_end, err) != WH_OK) {
        return err->rc;
    }
    if (incident && (impact_read(c->past, incident, c->zone, &c->step, &report, err) != WH_OK ||
                     put_facts(c, &report, facts, err) != WH_OK)) {
        return err->rc;
    }
    for (const struct impact_service *s = report.services; s; s = s->next) {
        if (s->uses == NULL && add_impact(c, s, NULL, NULL, facts, err) != WH_OK) {
            return err->rc;
        }
        for (const struct impact_use *use = s->uses; use; use = use->next) {
            if (add_use(c, s, use, facts, err) != WH_OK) {
                return err->rc;
            }
        }
    }
    return WH_OK;
}

const struct sql_computed_def sql_incident_impact = {
    .name = "incident_impact",
    .columns = impact_columns,
    .n_columns = M_COLUMNS,
    .rows = 20000,
    .step = impact_step,
    INCIDENTS_TABLE,
};

/* ---- facts ---- */

enum {
    T_TITLE = 2,
    T_STATE,
    T_SEVERITY,
    T_STARTED_AT,
    T_DETECTED_AT,
    T_MITIGATED_AT,
    T_RESTORED_AT,
    T_DURATION,
    T_COLUMNS
};

static const struct sql_column fact_columns[T_COLUMNS] = {
    INCIDENT_COLUMNS,
    {"incident_title", "TEXT", SQL_SHAPE_PLAIN, "its title"},
    {"state", "TEXT", SQL_SHAPE_PLAIN, "opened or closed"},
    {"severity", "TEXT", SQL_SHAPE_PLAIN, "critical, high, medium, low or unknown"},
    {"started_at", "TEXT", SQL_SHAPE_TIME, "start of the impact, else when it was made"},
    {"detected_at", "TEXT", SQL_SHAPE_TIME, "when it was detected, else when it was made"},
    {"mitigated_at", "TEXT", SQL_SHAPE_TIME, "when it was mitigated, where the text says so"},
    {"restored_at", "TEXT", SQL_SHAPE_TIME, "when service was restored, resolved or closed"},
    {"duration_s", "INTEGER", SQL_SHAPE_PLAIN, "seconds from start to restoration"},
};

/* A time that is known; the cell stays NULL otherwise. */
static enum wh_rc put_fact_time(struct sql_computing *c, const struct impact_fact *fact,
                                struct sql_value *ret, struct wh_err *err)
{
    return fact->known ? sql_value_of_time(c, fact->ms, ret, err) : WH_OK;
}

static enum wh_rc add_facts(struct sql_computing *c, const struct wh_head *incident,
                            struct wh_err *err)
{
    struct sql_value row[T_COLUMNS] = {{.type = SQL_NULL}};
    struct impact_facts f;
    struct wh_slice title;

    impact_read_facts(incident, &f);
    if (put_incident(c, incident, row, err) != WH_OK ||
        past_text(c->past, incident, "title", &c->step, &title, err) != WH_OK ||
        put_fact_time(c, &f.started, &row[T_STARTED_AT], err) != WH_OK ||
        put_fact_time(c, &f.detected, &row[T_DETECTED_AT], err) != WH_OK ||
        put_fact_time(c, &f.mitigated, &row[T_MITIGATED_AT], err) != WH_OK ||
        put_fact_time(c, &f.restored, &row[T_RESTORED_AT], err) != WH_OK) {
        return err->rc;
    }
    row[T_TITLE] = sql_value_of_text(title);
    row[T_STATE] = sql_value_of_text(past_string(incident, "state"));
    row[T_SEVERITY] = sql_value_of_text(f.severity.text);
    if (f.has_duration) {
        row[T_DURATION] = sql_value_of_int(f.duration_s);
    }
    return sql_computed_add(c, row, err);
}

static enum wh_rc facts_step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    const struct wh_head *incident = NULL;

    if (next_incident(c, &incident, ret_end, err) != WH_OK) {
        return err->rc;
    }
    return incident ? add_facts(c, incident, err) : WH_OK;
}

const struct sql_computed_def sql_incident_facts = {
    .name = "incident_facts",
    .columns = fact_columns,
    .n_columns = T_COLUMNS,
    .rows = 1000,
    .step = facts_step,
    INCIDENTS_TABLE,
};

/* ---- revenue ---- */

enum { V_STARTED_AT = 2, V_CUSTOMER, V_CUSTOMER_NAME, V_REVENUE, V_CURRENCY, V_COLUMNS };

static const struct sql_column revenue_columns[V_COLUMNS] = {
    INCIDENT_COLUMNS,
    {"started_at", "TEXT", SQL_SHAPE_TIME, "start of the impact, else when it was made"},
    {"customer", "TEXT", SQL_SHAPE_PLAIN, "customer that it hit"},
    {"customer_name", "TEXT", SQL_SHAPE_PLAIN, "the customer's name"},
    {"revenue_minor", "INTEGER", SQL_SHAPE_PLAIN,
     "monthly value of the customer's contracts for the services it hit or for none in "
     "particular, each once; NULL: too large"},
    {"currency", "TEXT", SQL_SHAPE_PLAIN, "of the revenue; each has a row of its own"},
};

static enum wh_rc add_revenue(struct sql_computing *c, const struct impact_report *r,
                              const struct impact_customer *customer, struct wh_err *err)
{
    struct sql_value row[V_COLUMNS] = {[V_CUSTOMER_NAME] = sql_value_of_text(customer->name)};

    for (const struct impact_revenue *v = customer->revenue; v; v = v->next) {
        row[V_CURRENCY] = sql_value_of_text(v->currency);
        row[V_REVENUE] =
            v->overflow ? (struct sql_value){.type = SQL_NULL} : sql_value_of_int(v->monthly_minor);
        if (put_incident(c, r->incident, row, err) != WH_OK ||
            put_fact_time(c, &r->facts.started, &row[V_STARTED_AT], err) != WH_OK ||
            sql_value_of_id(c, &customer->id, &row[V_CUSTOMER], err) != WH_OK ||
            sql_computed_add(c, row, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc revenue_step(struct sql_computing *c, bool *ret_end, struct wh_err *err)
{
    const struct wh_head *incident = NULL;
    struct impact_report report = {0};

    if (next_incident(c, &incident, ret_end, err) != WH_OK) {
        return err->rc;
    }
    if (incident && impact_read(c->past, incident, c->zone, &c->step, &report, err) != WH_OK) {
        return err->rc;
    }
    for (const struct impact_customer *u = report.customers; u; u = u->next) {
        if (add_revenue(c, &report, u, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

const struct sql_computed_def sql_incident_revenue = {
    .name = "incident_revenue",
    .columns = revenue_columns,
    .n_columns = V_COLUMNS,
    .rows = 5000,
    .step = revenue_step,
    INCIDENTS_TABLE,
};
