#include "stages/sink/sql/labels.h"

#include <string.h>

static const struct sql_label labels[] = {
    {"assignees", "assignee_names", NULL, "assignee_accounts", "their names, in the same order"},
    {"author", "author_name", NULL, "author_account", "the author's name"},
    {"blocks", "blocks_urls", NULL, NULL, "their addresses, in the same order"},
    {"closed_by", "closed_by_name", NULL, "closed_by_account", "the name of who closed it"},
    {"closes", "closes_urls", NULL, NULL, "their addresses, in the same order"},
    {"creator", "creator_name", NULL, "creator_account", "the creator's name"},
    {"duplicated_to", "duplicated_to_url", NULL, NULL, "its address"},
    {"head_pipeline", "head_pipeline_url", NULL, NULL, "the pipeline's address"},
    {"is_blocked_by", "is_blocked_by_urls", NULL, NULL, "their addresses, in the same order"},
    {"job", "job_name", "name", NULL, "the job's name"},
    {"jobs", "job_names", "name", NULL, "their names, in the same order"},
    {"member", "member_name", NULL, "member_account", "the member's name"},
    {"merge_request", "merge_request_url", NULL, NULL, "the merge request's address"},
    {"merged_by", "merged_by_name", NULL, "merged_by_account", "the name of who merged it"},
    {"milestone", "milestone_title", "title", NULL, "the milestone's title"},
    {"milestones", "milestone_titles", "title", NULL, "their titles, in the same order"},
    {"moved_to", "moved_to_url", NULL, NULL, "its address"},
    {"parent", "parent_url", NULL, NULL, "the address of that pipeline"},
    {"pipeline", "pipeline_url", NULL, NULL, "the pipeline's address"},
    {"project", "project_path", "path", NULL, "the project's path: group/project"},
    {"relates_to", "relates_to_urls", NULL, NULL, "their addresses, in the same order"},
    {"reviewers", "reviewer_names", NULL, "reviewer_accounts", "their names, in the same order"},
    {"source_project", "source_project_path", "path", NULL, "the path of that project"},
    {"work_item", "work_item_url", NULL, NULL, "its address"},
};

const struct sql_label sql_label_address = {"id", "url", NULL, NULL, "its address"};

const struct sql_label *sql_label_of(const struct wh_field_def *field)
{
    if (field->type != WH_FIELD_REF && field->type != WH_FIELD_REFS) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (strcmp(labels[i].field, field->name) == 0) {
            return &labels[i];
        }
    }
    return NULL;
}
