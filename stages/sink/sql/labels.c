#include "stages/sink/sql/labels.h"

#include <string.h>

static const struct sql_label labels[] = {
    {"assignees", "assignee_names", "name", "their names, in the same order"},
    {"author", "author_name", "name", "the author's name"},
    {"blocks", "blocks_urls", NULL, "their addresses, in the same order"},
    {"closed_by", "closed_by_name", "name", "the name of who closed it"},
    {"closes", "closes_urls", NULL, "their addresses, in the same order"},
    {"creator", "creator_name", "name", "the creator's name"},
    {"duplicated_to", "duplicated_to_url", NULL, "its address"},
    {"head_pipeline", "head_pipeline_url", NULL, "the pipeline's address"},
    {"is_blocked_by", "is_blocked_by_urls", NULL, "their addresses, in the same order"},
    {"job", "job_name", "name", "the job's name"},
    {"jobs", "job_names", "name", "their names, in the same order"},
    {"member", "member_name", "name", "the member's name"},
    {"merge_request", "merge_request_url", NULL, "the merge request's address"},
    {"merged_by", "merged_by_name", "name", "the name of who merged it"},
    {"milestone", "milestone_title", "title", "the milestone's title"},
    {"milestones", "milestone_titles", "title", "their titles, in the same order"},
    {"moved_to", "moved_to_url", NULL, "its address"},
    {"parent", "parent_url", NULL, "the address of that pipeline"},
    {"pipeline", "pipeline_url", NULL, "the pipeline's address"},
    {"project", "project_path", "path", "the project's path: group/project"},
    {"relates_to", "relates_to_urls", NULL, "their addresses, in the same order"},
    {"reviewers", "reviewer_names", "name", "their names, in the same order"},
    {"source_project", "source_project_path", "path", "the path of that project"},
    {"work_item", "work_item_url", NULL, "its address"},
};

const struct sql_label sql_label_address = {"id", "url", NULL, "its address"};

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
