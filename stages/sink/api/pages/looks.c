/* How each table looks at first: columns, order, facets; and where it stands in the menu of tables. */
#include "common/base/mem.h"
#include "common/json/json_copy.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/pages/pages_priv.h"
#include "stages/sink/api/pages/records_priv.h"

static const struct records_look looks[] = {
    {"work_items",
     "changed_at",
     {"id", "title", "type", "state", "project", "project_path", "author", "author_name",
      "assignees", "assignee_names", "labels", "updated_at"},
     {"type", "state", "project_path", "author_name", "labels"}},
    {"merge_requests",
     "changed_at",
     {"id", "title", "state", "draft", "project", "project_path", "author", "author_name",
      "reviewers", "reviewer_names", "merged_at", "updated_at"},
     {"state", "draft", "project_path", "author_name", "target_branch"}},
    {"issues",
     "changed_at",
     {"id", "title", "state", "project", "project_path", "author", "author_name", "assignees",
      "assignee_names", "labels", "milestone_title", "updated_at"},
     {"state", "project_path", "author_name", "labels", "milestone_title"}},
    {"incidents",
     "changed_at",
     {"id", "title", "severity", "state", "project", "project_path", "author", "author_name",
      "created_at", "closed_at"},
     {"severity", "state", "project_path", "labels"}},
    {"build_records",
     "changed_at",
     {"id", "iid", "status", "ref", "source", "project", "project_path", "author", "author_name",
      "duration", "created_at", "url"},
     {"status", "source", "project_path", "ref"}},
    {"pipelines",
     "changed_at",
     {"id", "iid", "status", "ref", "source", "project", "project_path", "author", "author_name",
      "duration", "created_at", "url"},
     {"status", "source", "project_path", "ref"}},
    {"jobs",
     "changed_at",
     {"id", "name", "stage", "status", "project", "project_path", "failure_reason", "duration",
      "created_at", "url"},
     {"status", "stage", "project_path", "failure_reason"}},
    {"deployments",
     "changed_at",
     {"id", "iid", "status", "environment", "environment_name", "project", "project_path", "author",
      "author_name", "ref", "finished_at", "url"},
     {"status", "environment_name", "environment_tier", "project_path"}},
    {"environments",
     "changed_at",
     {"id", "name", "tier", "state", "project", "project_path", "external_url", "updated_at"},
     {"tier", "state", "project_path"}},
    {"releases",
     "changed_at",
     {"id", "name", "tag", "project", "project_path", "author", "author_name", "released_at"},
     {"project_path", "author_name"}},
    {"milestones",
     "changed_at",
     {"id", "title", "state", "project", "project_path", "start_date", "due_date", "updated_at"},
     {"state", "project_path"}},
    {"notes",
     "changed_at",
     {"id", "text", "work_item", "work_item_url", "author", "author_name", "noteable_type",
      "system", "created_at"},
     {"noteable_type", "system", "author_name", "project_path"}},
    {"projects",
     "changed_at",
     {"id", "path", "description", "visibility", "archived", "default_branch", "last_activity_at"},
     {"visibility", "archived", "namespace"}},
    {"memberships",
     "changed_at",
     {"id", "member", "member_name", "scope", "project", "project_path", "access_level", "state",
      "expires_at"},
     {"scope", "access_level", "state"}},
    {"team_members",
     NULL,
     {"id", "name", "team", "title", "type", "status", "emails", "accounts"},
     {"team", "type", "status"}},
    {"accounts",
     NULL,
     {"id", "username", "name", "team_member", "team_member_name", "system", "state", "rule"},
     {"system", "state", "rule"}},
    {"people",
     "changed_at",
     {"id", "name", "team", "title", "type", "status", "emails", "source"},
     {"team", "type", "status", "source"}},
    {"services",
     "changed_at",
     {"id", "name", "tier", "team", "aliases", "labels", "source"},
     {"tier", "team", "source"}},
    {"customers",
     "changed_at",
     {"id", "name", "segment", "region", "domain", "aliases", "source"},
     {"segment", "region", "source"}},
    {"subscriptions",
     "changed_at",
     {"id", "customer", "customer_name", "product", "service", "service_name", "amount_minor",
      "currency", "period", "starts_on", "ends_on"},
     {"currency", "period", "product"}},
    {"service_customers",
     "changed_at",
     {"id", "service", "service_name", "customer", "customer_name", "since", "until", "source"},
     {"service_name", "source"}},
    {"service_ownership",
     "changed_at",
     {"id", "service", "service_name", "project", "path", "environment", "label", "source"},
     {"service_name", "source"}},
    {"incident_impact",
     "started_at",
     {"incident", "incident_title", "severity", "started_at", "restored_at", "service",
      "service_name", "customer", "customer_name", "revenue_minor", "currency"},
     {"severity", "service_name", "currency"}},
    {"runs", "run", {NULL}, {"kind", "state", "connection"}},
    {"changes", "sequence", {NULL}, {NULL}},
    {"streams", NULL, {NULL}, {"state", "read_by", "connection"}},
    {"unresolved", NULL, {NULL}, {"rule", "ambiguous"}},
};

const struct records_look *records_look_of(struct wh_slice table)
{
    static const struct records_look plain = {0};

    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        if (wh_slice_eq(table, wh_slice_str(looks[i].table))) {
            return &looks[i];
        }
    }
    return &plain;
}

static const struct records_group groups[] = {
    {"Work",
     {"work_items", "merge_requests", "issues", "incidents", "milestones", "notes", "releases",
      "projects"}},
    {"Builds", {"build_records", "pipelines", "jobs", "deployments", "environments"}},
    {"Incidents",
     {"incident_impact", "incident_services", "incident_follow_ups", "postmortems", "rollbacks",
      "unresolved"}},
    {"People", {"team_members", "accounts", "people", "memberships", "people_review", "decisions"}},
    {"Your own",
     {"services", "customers", "service_customers", "subscriptions", "service_ownership"}},
    {"Between records", {"links", "external_links", "categories", "revisions", "changes"}},
    {"Sync",
     {"connections", "streams", "runs", "run_streams", "run_changes", "completeness",
      "webhook_health", "set_aside", "set_aside_documents", "connection_documents", "run_documents",
      "health_documents"}},
};

const struct records_group *records_groups(size_t *ret_n)
{
    *ret_n = sizeof(groups) / sizeof(groups[0]);
    return groups;
}

/* ---- rows that are no table of their own ---- */

static enum wh_rc copy_rows(struct api_job *job, struct wh_slice answer, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(PAGE_PART_MAX_BYTES, PAGE_DEPTH_MAX);
    struct wh_json_val root;
    struct wh_json_val rows;
    struct api_json j;
    enum wh_rc rc;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a parser");
    }
    rc = wh_json_parse(parser, answer, &root, err);
    if (rc == WH_OK && !wh_json_get(root, WH_LIT("rows"), &rows)) {
        rc = wh_fail(err, WH_E_INTERNAL, "an answer without rows");
    }
    if (rc == WH_OK) {
        api_json_begin(&j);
        wh_jw_key(&j.w, "list");
        wh_jw_value(&j.w, rows);
        rc = api_json_end(&j, job, err);
    }
    wh_json_parser_free(parser);
    return rc;
}

enum wh_rc page_answer_listed(struct api_job *job, const char *sql, struct wh_err *err)
{
    const struct page_part part = {.name = "list", .sql = sql};
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, PAGE_PART_MAX_BYTES);
    return page_capture(job, &part, &text, err) == WH_OK ? copy_rows(job, wh_buf_slice(&text), err)
                                                         : err->rc;
}
