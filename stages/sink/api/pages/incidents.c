/* Incidents, and what one of them did. */
#include "stages/sink/api/pages/pages_priv.h"

#define CUSTOMERS_AND_REVENUE                                                                      \
    "nullif((select count(distinct m.customer) from incident_impact m where m.incident = i.id), "  \
    "0) as customers, (select group_concat(s, ';') from (select sum(revenue_minor) || ' ' || "     \
    "currency as s from (select distinct customer, currency, revenue_minor from incident_impact "  \
    "m where m.incident = i.id and currency is not null) group by currency order by currency)) "   \
    "as revenue_a_month"

const char PAGE_OPEN_INCIDENTS[] =
    "select i.id as incident, i.title, i.severity, i.created_at, i.project_path, " //
    CUSTOMERS_AND_REVENUE " from incidents i where i.state = 'opened' order by i.created_at desc "
    "limit 20";

/* The impact, now or as known at _asof, which the form of the page sends also when it is empty. */
enum wh_rc page_answer_impact(struct api_job *job, struct wh_err *err)
{
    struct wh_slice at = api_arg(&job->request, "_asof");

    if (at.len && api_add_arg(job, "as_of", at, err) != WH_OK) {
        return err->rc;
    }
    return api_answer_impact(job, err);
}

static const struct api_page pages[] = {
    {.path = "/incidents",
     .file = "incidents",
     .title = "Incidents",
     .section = "/incidents",
     .parts = {{.name = "incidents",
                .sql = "select id as incident, title, severity, state, created_at, closed_at, "
                       "project_path, url from incidents order by created_at desc limit 200"}}},
    {.path = "/incidents/*",
     .file = "incident",
     .title = "Incident",
     .section = "/incidents",
     .parts = {{.name = "impact", .answer = page_answer_impact},
               {.name = "picture", .answer = page_answer_picture},
               /* Asked for as .csv alone: the page shows the same from the impact. */
               {.name = "rows",
                .needs = "_rows",
                .sql = "select incident_title, severity, started_at, restored_at, duration_s, "
                       "service_name, customer_name, revenue_minor, currency, open_follow_ups, "
                       "incident_url from incident_impact where incident = :id"}}},
};

const struct page_area page_area_incidents = PAGE_AREA(pages);
