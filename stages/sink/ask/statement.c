/* The answer as SQL: a statement that gives the same rows. */
#include <inttypes.h>

#include "stages/sink/ask/answer_priv.h"

/* What is selected for a form, and from where; %s stands for the condition of the incidents. */
static const char *const selects[ASK_FORMS] = {
    [ASK_INCIDENTS] = "select id, url, title, coalesce(stated_started_at, created_at) as "
                      "started_at from incidents "
                      "where ",
    [ASK_COUNT] = "select count(*) as incidents from incidents where ",
    [ASK_CUSTOMERS] = "select distinct incident, incident_url, incident_title, started_at, "
                      "customer, customer_name "
                      "from incident_impact where customer is not null and ",
    [ASK_SERVICES] = "select distinct incident, incident_url, service, service_name from "
                     "incident_services where ",
    [ASK_OPEN] = "select distinct incident, incident_url, work_item, work_item_url, title from "
                 "incident_follow_ups where state = 'opened' and ",
    [ASK_DURATION] = "select distinct incident, incident_url, incident_title, started_at, "
                     "restored_at, duration_s "
                     "from incident_impact where ",
    [ASK_REVENUE] = "select distinct incident, incident_url, customer, customer_name, "
                    "revenue_minor, currency from "
                    "incident_impact where revenue_minor is not null and ",
};

static const char *const orders[ASK_FORMS] = {
    [ASK_INCIDENTS] = " order by started_at, id",
    [ASK_COUNT] = "",
    [ASK_CUSTOMERS] = " order by started_at, incident, customer_name",
    [ASK_SERVICES] = " order by incident, service_name",
    [ASK_OPEN] = " order by incident, work_item_url",
    [ASK_DURATION] = " order by started_at, incident",
    [ASK_REVENUE] = " order by incident, customer_name, currency",
};

static enum wh_rc say_time(const struct ask_understood *u, struct wh_buf *out, struct wh_err *err)
{
    static const char column[] = "coalesce(stated_started_at, created_at)";
    char text[WH_TIME_TEXT_MAX];

    if (u->from_ms != INT64_MIN && wh_buf_printf(out, err, " and %s >= '%s'", column,
                                                 wh_time_format(u->from_ms, text)) != WH_OK) {
        return err->rc;
    }
    return u->to_ms == INT64_MAX
               ? WH_OK
               : wh_buf_printf(out, err, " and %s < '%s'", column, wh_time_format(u->to_ms, text));
}

/* By their ids, where the statement cannot say which ones are meant. */
static enum wh_rc say_ids(const struct ask_answer *a, struct wh_buf *out, struct wh_err *err)
{
    char id[WH_ENTITY_ID_TEXT + 1];
    enum wh_rc rc = wh_buf_printf(out, err, "(");

    for (const struct ask_incident *i = a->incidents; rc == WH_OK && i; i = i->next) {
        rc = wh_buf_printf(out, err, "%s'%s'", i == a->incidents ? "" : ", ",
                           wh_entity_id_format(&i->head->id, id));
    }
    return rc == WH_OK ? wh_buf_printf(out, err, ")") : rc;
}

static enum wh_rc say_incidents(const struct ask_answer *a, struct wh_buf *out, struct wh_err *err)
{
    const struct ask_understood *u = &a->understood;
    char id[WH_ENTITY_ID_TEXT + 1];
    enum wh_rc rc;

    if (u->reference.len || a->n_title || u->severity) {
        return say_ids(a, out, err);
    }
    rc = wh_buf_printf(out, err, "(select id from incidents where 1");
    rc = rc == WH_OK ? say_time(u, out, err) : rc;
    for (const struct ask_name *n = a->names; rc == WH_OK && n; n = n->next) {
        rc = wh_buf_printf(
            out, err, " and id in (select incident from incident_impact where %s = '%s')",
            n->kind == WH_KIND_SERVICE ? "service" : "customer", wh_entity_id_format(&n->id, id));
    }
    return rc == WH_OK ? wh_buf_printf(out, err, ")") : rc;
}

enum wh_rc ask_statement(const struct ask_answer *a, struct wh_buf *out, struct wh_err *err)
{
    enum ask_form form = a->understood.form;
    bool of_incidents = form == ASK_INCIDENTS || form == ASK_COUNT;

    if (wh_buf_printf(out, err, "%s%s in ", selects[form], of_incidents ? "id" : "incident") !=
            WH_OK ||
        say_incidents(a, out, err) != WH_OK) {
        return err->rc;
    }
    return wh_buf_printf(out, err, "%s", orders[form]);
}
