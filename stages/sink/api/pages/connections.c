/* Connections: what is read, how far, and what is wrong. */
#include "stages/sink/api/pages/pages_priv.h"

static const struct api_page pages[] = {
    {.path = "/connections",
     .file = "connections",
     .title = "Connections",
     .section = "/connections",
     .parts =
         {{.name = "status", .answer = api_answer_status},
          {.name = "connections",
           .sql = "select id, instance, state, detail, updated_at from connections order by id"},
          {.name = "streams",
           .sql = "select connection, stream, state, read_by, credential, at_gitlab, counted_by, "
                  "missing, last_success, reason from streams order by 1, 2"},
          {.name = "completeness",
           .sql = "select p.path as project, c.stream, c.expected, c.have, c.missing, c.deleted, "
                  "c.held, c.checked_at from completeness c join connections n on n.id = "
                  "c.connection left join projects p on p.source_project_id = "
                  "c.source_project_id and p.instance = n.instance order by 1, 2 limit 500"},
          {.name = "runs",
           .sql = "select connection, kind, state, started_at, finished_at, read, new, changed, "
                  "repaired, deleted, requests, error from runs order by run desc limit 20"},
          {.name = "webhooks",
           .sql = "select w.connection, p.path as project, w.event, w.last_delivery, "
                  "w.deliveries from webhook_health w left join projects p on "
                  "p.source_project_id = w.source_project_id order by w.last_delivery desc limit "
                  "100"}}},
};

const struct page_area page_area_connections = PAGE_AREA(pages);
