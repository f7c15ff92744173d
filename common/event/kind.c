#include "common/event/kind.h"

#include <stddef.h>

#define FIELD(name, type, kind, since, doc)                                                        \
    {                                                                                              \
        name, WH_FIELD_##type, WH_KIND_##kind, since, doc                                          \
    }
#define STR(name, doc) FIELD(name, STRING, NONE, 1, doc)
#define LONG(name, doc) FIELD(name, LONG, NONE, 1, doc)
#define DBL(name, doc) FIELD(name, DOUBLE, NONE, 1, doc)
#define BOOL(name, doc) FIELD(name, BOOL, NONE, 1, doc)
#define TIME(name, doc) FIELD(name, TIME, NONE, 1, doc)
#define STRS(name, doc) FIELD(name, STRINGS, NONE, 1, doc)
#define REF(name, kind, doc) FIELD(name, REF, kind, 1, doc)
#define REFS(name, kind, doc) FIELD(name, REFS, kind, 1, doc)

/* Fields of schema version 4: rules about work items, and imported kinds. */
#define STR4(name, doc) FIELD(name, STRING, NONE, 4, doc)
#define LONG4(name, doc) FIELD(name, LONG, NONE, 4, doc)
#define TIME4(name, doc) FIELD(name, TIME, NONE, 4, doc)
#define STRS4(name, doc) FIELD(name, STRINGS, NONE, 4, doc)
#define REF4(name, kind, doc) FIELD(name, REF, kind, 4, doc)

static const struct wh_field_def work_item_fields[] = {
    STR("type", "merge_request, issue, incident, task, ... in lower case"),
    LONG("iid", "number within the project"),
    STR("title", "one line"),
    STR("description", "Markdown as GitLab has it"),
    STR("state", "opened, closed, merged, locked"),
    TIME("created_at", "when it was made"),
    TIME("updated_at", "GitLab's last change; orders versions"),
    TIME("closed_at", "when it was closed"),
    TIME("merged_at", "when it was merged"),
    STR("due_date", "date alone, as GitLab has it"),
    REF("project", PROJECT, "the project it belongs to"),
    REF("author", TEAM_MEMBER, "who made it"),
    REFS("assignees", TEAM_MEMBER, "who is to work on it"),
    REFS("reviewers", TEAM_MEMBER, "who reviews it"),
    REF("closed_by", TEAM_MEMBER, "who closed it"),
    REF("merged_by", TEAM_MEMBER, "who merged it"),
    STRS("labels", "label names"),
    REF("milestone", MILESTONE, "its milestone"),
    BOOL("confidential", "hidden from most members at GitLab"),
    BOOL("draft", "merge request is a draft"),
    STR("source_branch", "branch to merge"),
    STR("target_branch", "branch to merge into"),
    REF("source_project", PROJECT, "project of the source branch"),
    STR("sha", "head commit"),
    STR("merge_commit_sha", "commit that merged it"),
    STR("merge_status", "GitLab's detailed merge status, or the older one"),
    REF("head_pipeline", BUILD_RECORD, "pipeline of the head commit"),
    STR("severity", "incident severity in lower case: unknown, low, medium, high, critical"),
    STR("escalation_status", "incident paging state"),
    STR("health_status", "on_track, needs_attention, at_risk"),
    LONG("weight", "planned size"),
    LONG("upvotes", "thumbs up"),
    LONG("downvotes", "thumbs down"),
    LONG("notes_count", "comments by people"),
    LONG("time_estimate", "seconds"),
    LONG("time_spent", "seconds"),
    REF("moved_to", WORK_ITEM, "issue it was moved to"),
    REF("duplicated_to", WORK_ITEM, "issue it duplicates"),
    REFS("closes", WORK_ITEM, "issues that merging it closes"),
    REFS("relates_to", WORK_ITEM, "linked issues"),
    REFS("blocks", WORK_ITEM, "issues that it blocks"),
    REFS("is_blocked_by", WORK_ITEM, "issues that block it"),
    BOOL("discussion_locked", "no more comments"),
    {"external_links", WH_FIELD_STRINGS, WH_KIND_NONE, 2,
     "references to other trackers: a key, then an address if there is one"},
    REF4("parent", WORK_ITEM, "the work item whose child it is"),
    STRS4("categories", "pairs of a category and the rule that assigned it"),
    STR4("stated_severity", "severity that a label states: low, medium, high, critical"),
    TIME4("stated_started_at", "start of the impact, from a line of the description"),
    TIME4("stated_detected_at", "when it was detected, from a line of the description"),
    TIME4("stated_mitigated_at", "when it was mitigated, from a line of the description"),
    TIME4("stated_restored_at", "when service was restored, from a line of the description"),
    STRS4("label_services", "services that scoped labels name, as written"),
    STRS4("stated_services", "services that the description lists, as written"),
    STRS4("label_environments", "environments that scoped labels name, as written"),
    STRS4("stated_environments", "environments that lines of the description name, as written"),
    STR4("postmortem_rule", "what marks it as a postmortem: label or heading"),
    STR4("follow_up_label", "label that marks it as a follow-up"),
    STRS4("mentions", "addresses of issues and merge requests that its texts refer to"),
    STRS4("reverts", "commits and addresses of merge requests that it reverts"),
};

static const struct wh_field_def build_record_fields[] = {
    LONG("iid", "number within the project"),
    STR("name", "pipeline name"),
    STR("status", "GitLab's status: created, running, success, failed, ..."),
    STR("source", "what started it: push, merge_request_event, schedule, ..."),
    STR("ref", "branch or tag"),
    BOOL("tag", "ref is a tag"),
    STR("sha", "commit"),
    STR("before_sha", "commit before"),
    TIME("created_at", "when it was made"),
    TIME("updated_at", "GitLab's last change, where it says so"),
    TIME("started_at", "first job began"),
    TIME("finished_at", "all jobs ended"),
    LONG("duration", "seconds of running"),
    LONG("queued_duration", "seconds of waiting"),
    DBL("coverage", "percent"),
    STR("detailed_status", "GitLab's label: passed, failed, ..."),
    STRS("stages", "names in order"),
    REF("project", PROJECT, "the project it ran in"),
    REF("author", TEAM_MEMBER, "who triggered it"),
    REF("merge_request", WORK_ITEM, "merge request it ran for"),
    REFS("jobs", JOB, "jobs of the pipeline, as one event showed them"),
    REF("parent", BUILD_RECORD, "pipeline that started it"),
    STR("yaml_errors", "why the configuration was refused"),
    TIME("committed_at", "commit time"),
    {"merge_request_iid", WH_FIELD_LONG, WH_KIND_NONE, 3,
     "number of the merge request it ran for, from its ref"},
    STRS4("categories", "pairs of a category and the rule that assigned it"),
};

static const struct wh_field_def job_fields[] = {
    STR("name", "job name"),
    STR("stage", "stage name"),
    STR("status", "GitLab's status"),
    STR("ref", "branch or tag"),
    BOOL("tag", "ref is a tag"),
    STR("sha", "commit"),
    TIME("created_at", "when it was made"),
    TIME("started_at", "when it began"),
    TIME("finished_at", "when it ended"),
    DBL("duration", "seconds of running"),
    DBL("queued_duration", "seconds of waiting"),
    DBL("coverage", "percent"),
    BOOL("allow_failure", "its failure does not fail the pipeline"),
    BOOL("manual", "started by hand"),
    STR("failure_reason", "script_failure, ..."),
    LONG("retries", "how often it was retried"),
    STR("environment", "environment name"),
    STR("runner", "runner description"),
    REF("project", PROJECT, "the project it ran in"),
    REF("pipeline", BUILD_RECORD, "its pipeline"),
    REF("author", TEAM_MEMBER, "who triggered it"),
};

static const struct wh_field_def team_member_fields[] = {
    STR("username", "GitLab user name"),
    STR("name", "display name"),
    STR("state", "active, blocked, deactivated, ..."),
    STR("email", "public mail address, where there is one"),
    STR("avatar_url", "picture"),
    BOOL("bot", "not a person"),
    BOOL("admin", "administrator, where the token may see it"),
    TIME("created_at", "when the account was made"),
    STR("location", "free text"),
    STR("organization", "free text"),
    STR("job_title", "free text"),
    BOOL("locked", "sign-in locked"),
};

static const struct wh_field_def project_fields[] = {
    STR("name", "project name"),
    STR("path", "full path with namespace"),
    STR("description", "free text"),
    STR("default_branch", "branch name"),
    STR("visibility", "private, internal, public"),
    BOOL("archived", "read-only at GitLab"),
    TIME("created_at", "when it was made"),
    TIME("updated_at", "GitLab's last change of the project itself"),
    TIME("last_activity_at", "last activity, hourly"),
    STRS("topics", "topic names"),
    STR("namespace", "full path of the group or user"),
    LONG("stars", "star count"),
    LONG("forks", "fork count"),
    REF("creator", TEAM_MEMBER, "who made it"),
};

static const struct wh_field_def deployment_fields[] = {
    LONG("iid", "number within the project"),
    STR("status", "created, running, success, failed, canceled, skipped, blocked"),
    STR("ref", "branch or tag"),
    STR("sha", "commit, short in webhooks"),
    STR("environment_name", "environment name"),
    STR("environment_tier", "production, staging, ..."),
    TIME("created_at", "when it was made"),
    TIME("updated_at", "GitLab's last change, where it says so"),
    TIME("finished_at", "when it ended"),
    REF("environment", ENVIRONMENT, "where it went"),
    REF("project", PROJECT, "the project it belongs to"),
    REF("author", TEAM_MEMBER, "who deployed"),
    REF("job", JOB, "the job that deployed"),
    REF("pipeline", BUILD_RECORD, "pipeline of that job"),
};

static const struct wh_field_def environment_fields[] = {
    STR("name", "environment name"),
    STR("state", "available, stopping, stopped"),
    STR("tier", "production, staging, ..."),
    STR("external_url", "where it can be seen"),
    STR("slug", "name fit for addresses"),
    TIME("created_at", "when it was made"),
    TIME("updated_at", "GitLab's last change"),
    REF("project", PROJECT, "the project it belongs to"),
};

static const struct wh_field_def release_fields[] = {
    STR("tag", "tag name"),
    STR("name", "title"),
    STR("description", "Markdown"),
    TIME("created_at", "when it was made"),
    TIME("released_at", "release date"),
    STR("sha", "commit of the tag"),
    BOOL("upcoming", "released_at is to come"),
    REF("project", PROJECT, "the project it belongs to"),
    REF("author", TEAM_MEMBER, "who made it"),
    REFS("milestones", MILESTONE, "its milestones"),
};

static const struct wh_field_def milestone_fields[] = {
    LONG("iid", "number within the project or group"),
    STR("title", "one line"),
    STR("description", "Markdown"),
    STR("state", "active, closed"),
    STR("start_date", "date alone"),
    STR("due_date", "date alone"),
    TIME("created_at", "when it was made"),
    TIME("updated_at", "GitLab's last change"),
    REF("project", PROJECT, "the project it belongs to; none for group milestones"),
};

static const struct wh_field_def note_fields[] = {
    STR("text", "Markdown"),
    STR("noteable_type", "Issue, MergeRequest, Commit, Snippet"),
    BOOL("system", "written by GitLab itself"),
    BOOL("internal", "seen by members alone"),
    BOOL("resolved", "thread is resolved"),
    STR("discussion_id", "thread"),
    TIME("created_at", "when it was written"),
    TIME("updated_at", "GitLab's last change"),
    REF("project", PROJECT, "the project it belongs to"),
    REF("author", TEAM_MEMBER, "who wrote it"),
    REF("work_item", WORK_ITEM, "what it is about"),
};

static const struct wh_field_def membership_fields[] = {
    STR("scope", "project or group"),
    LONG("scope_id", "id of the project or group"),
    LONG("access_level",
         "10 guest, 15 planner, 20 reporter, 30 developer, 40 maintainer, 50 owner"),
    STR("state", "active, awaiting"),
    STR("expires_at", "date alone"),
    TIME("created_at", "since when"),
    REF("member", TEAM_MEMBER, "who"),
    REF("project", PROJECT, "where, for projects"),
};

static const struct wh_field_def service_fields[] = {
    STR4("name", "what people call it"),
    STRS4("aliases", "other names, which are found as well"),
    STR4("tier", "importance"),
    STR4("team", "team that runs it"),
    STRS4("labels", "labels of work items that mean this service"),
    STR4("attributes", "columns of the file that the model does not know, as a JSON object"),
};

static const struct wh_field_def customer_fields[] = {
    STR4("name", "what people call it"),
    STRS4("aliases", "other names, which are found as well"),
    STR4("domain", "internet domain"),
    STR4("segment", "kind of customer"),
    STR4("region", "where it is"),
    STR4("owner_email", "who looks after it"),
    STR4("attributes", "columns of the file that the model does not know, as a JSON object"),
};

static const struct wh_field_def service_customer_fields[] = {
    STR4("service", "key of the service: id, name or alias"),
    STR4("customer", "key of the customer: id, name or alias"),
    STR4("since", "first day; open when empty"),
    STR4("until", "last day; open when empty"),
    STR4("attributes", "columns of the file that the model does not know, as a JSON object"),
};

static const struct wh_field_def subscription_fields[] = {
    STR4("customer", "key of the customer: id, name or alias"),
    LONG4("amount_minor", "amount of one period in the smallest unit of the currency"),
    STR4("currency", "ISO 4217, in upper case"),
    STR4("period", "month, quarter, year or once"),
    STR4("service", "key of the service it is for; none when it is for no service in particular"),
    STR4("product", "what was sold"),
    STR4("starts_on", "first day; open when empty"),
    STR4("ends_on", "last day; open when empty"),
    STR4("attributes", "columns of the file that the model does not know, as a JSON object"),
};

static const struct wh_field_def person_fields[] = {
    STR4("name", "display name"),
    STRS4("emails", "verified mail addresses"),
    STRS4("accounts", "accounts, as system:name"),
    STR4("team", "team"),
    STR4("title", "job title"),
    STR4("type", "person, bot or shared"),
    STR4("status", "active or left"),
    STR4("attributes", "columns of the file that the model does not know, as a JSON object"),
};

static const struct wh_field_def service_ownership_fields[] = {
    STR4("service", "key of the service: id, name or alias"),
    STR4("project", "path or number of a project"),
    STR4("path", "folder within the project"),
    STR4("environment", "environment name"),
    STR4("label", "label of work items"),
    STR4("attributes", "columns of the file that the model does not know, as a JSON object"),
};

#define KIND(code, name, table, record, doc, fields)                                               \
    [WH_KIND_##code] = {                                                                           \
        WH_KIND_##code, name, table, record, doc, fields, sizeof(fields) / sizeof((fields)[0])}

static const struct wh_kind_def kinds[WH_KIND_COUNT] = {
    KIND(WORK_ITEM, "work_item", "work_items", "WorkItem", "merge request, issue, incident or task",
         work_item_fields),
    KIND(BUILD_RECORD, "build_record", "build_records", "BuildRecord", "pipeline",
         build_record_fields),
    KIND(JOB, "job", "jobs", "Job", "job of a pipeline", job_fields),
    KIND(TEAM_MEMBER, "team_member", "team_members", "TeamMember", "person or bot",
         team_member_fields),
    KIND(PROJECT, "project", "projects", "Project", "project", project_fields),
    KIND(DEPLOYMENT, "deployment", "deployments", "Deployment", "deployment", deployment_fields),
    KIND(ENVIRONMENT, "environment", "environments", "Environment", "deployment target",
         environment_fields),
    KIND(RELEASE, "release", "releases", "Release", "release of a tag", release_fields),
    KIND(MILESTONE, "milestone", "milestones", "Milestone", "milestone", milestone_fields),
    KIND(NOTE, "note", "notes", "Note", "comment", note_fields),
    KIND(MEMBERSHIP, "membership", "memberships", "Membership",
         "a team member in a project or group", membership_fields),
    KIND(SERVICE, "service", "services", "Service", "service that the company runs",
         service_fields),
    KIND(CUSTOMER, "customer", "customers", "Customer", "customer of the company", customer_fields),
    KIND(SERVICE_CUSTOMER, "service_customer", "service_customers", "ServiceCustomer",
         "customer that uses a service", service_customer_fields),
    KIND(SUBSCRIPTION, "subscription", "subscriptions", "Subscription", "contract of a customer",
         subscription_fields),
    KIND(PERSON, "person", "people", "Person", "row of a directory of people", person_fields),
    KIND(SERVICE_OWNERSHIP, "service_ownership", "service_ownership", "ServiceOwnership",
         "what belongs to a service; the columns of a row hold together", service_ownership_fields),
};

const struct wh_kind_def *wh_kind_def(enum wh_kind kind)
{
    if (kind <= WH_KIND_NONE || kind >= WH_KIND_COUNT) {
        return NULL;
    }
    return &kinds[kind];
}

const struct wh_kind_def *wh_kind_by_name(struct wh_slice name)
{
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        if (wh_slice_eq(name, wh_slice_str(kinds[k].name)) ||
            wh_slice_eq(name, wh_slice_str(kinds[k].table))) {
            return &kinds[k];
        }
    }
    return NULL;
}

int wh_kind_field(const struct wh_kind_def *def, struct wh_slice name)
{
    for (unsigned i = 0; i < def->n_fields; i++) {
        if (wh_slice_eq(name, wh_slice_str(def->fields[i].name))) {
            return (int)i;
        }
    }
    return -1;
}

unsigned wh_kind_fields_at(const struct wh_kind_def *def, int version)
{
    unsigned n = 0;

    while (n < def->n_fields && def->fields[n].since <= version) {
        n++;
    }
    return n;
}
