/* Lists of what a person has to look at: who is who, what could not be resolved, what could not be mapped. */
#include "stages/sink/api/pages/pages_priv.h"

static const struct api_page pages[] = {
    {.path = "/people",
     .file = "people",
     .title = "People",
     .section = "/people",
     .parts =
         {{.name = "review",
           .sql = "select key, rule, \"left\", left_name, \"right\", right_name from people_review "
                  "order by rule, key limit 200"},
          {.name = "decisions",
           .sql = "select at, who, action, subject_name, object_name, why, undone_at, id as "
                  "decision from decisions order by at desc limit 100"},
          {.name = "types",
           .sql = "select type, status, count(*) as people from team_members group by 1, 2 order "
                  "by 3 desc"}}},
    {.path = "/unresolved",
     .file = "unresolved",
     .title = "Unresolved",
     .section = "/unresolved",
     .parts =
         {{.name = "unresolved",
           .sql = "select key, count, ambiguous, mentioned_by as entity, mentioned_by_url as "
                  "url, rule, field, claimants from unresolved order by count desc, key "
                  "limit 200"},
          {.name = "without_customers",
           .sql =
               "select s.id, s.name, s.team, s.tier from services s where s.id not in "
               "(select service from service_customers where service is not null) order by s.name "
               "limit 100"}}},
    {.path = "/dead-letters",
     .file = "dead_letters",
     .title = "Dead letters",
     .section = "/dead-letters",
     .parts = {{.name = "status", .answer = api_answer_status},
               {.name = "set_aside",
                .sql = "select connection, view, pointer, count, reason, example, first_at from "
                       "set_aside order by count desc limit 200"}}},
};

const struct page_area page_area_work_lists = PAGE_AREA(pages);
