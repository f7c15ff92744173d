/* The catalogue of tables, views and columns. It needs no SQLite, so that the HTTP API can use it. */
#include "stages/sink/sql/computed.h"
#include "stages/sink/sql/imported.h"
#include "stages/sink/sql/labels.h"
#include "stages/sink/sql/sql.h"

/* The order is that of `enum identity` in entity_tables.c. */
static const struct sql_column identity_columns[] = {
    {"source_system", "TEXT", SQL_SHAPE_PLAIN, "where it comes from: gitlab, import"},
    {"instance", "TEXT", SQL_SHAPE_PLAIN, "base address of the source"},
    {"source_kind", "TEXT", SQL_SHAPE_PLAIN, "the source's kind of object"},
    {"source_project_id", "TEXT", SQL_SHAPE_PLAIN, "the source's project id"},
    {"source_id", "TEXT", SQL_SHAPE_PLAIN, "the source's id"},
    {"source_iid", "TEXT", SQL_SHAPE_PLAIN, "the source's number within the project"},
    {"url", "TEXT", SQL_SHAPE_PLAIN, "its page at the source"},
    {"deleted", "INTEGER", SQL_SHAPE_BOOL, "gone at the source; such rows are in <table>_all only"},
    {"deleted_reason", "TEXT", SQL_SHAPE_PLAIN,
     "deleted, moved, lost_access, project_removed, ..."},
    {"deleted_at", "TEXT", SQL_SHAPE_TIME, "version time of the deletion"},
    {"version", "TEXT", SQL_SHAPE_PLAIN, "newest version: 32 hex digits in version order"},
    {"version_at", "TEXT", SQL_SHAPE_TIME, "time of the newest version at the source"},
    {"changed_at", "TEXT", SQL_SHAPE_TIME,
     "last change at the source: updated_at, else version_at; indexed"},
    {"first_seen", "TEXT", SQL_SHAPE_TIME, "first observation"},
    {"last_seen", "TEXT", SQL_SHAPE_TIME, "last observation, to ten minutes"},
};

static const struct sql_column links_columns[] = {
    {"from_id", "TEXT", SQL_SHAPE_PLAIN, "entity that has the reference; indexed"},
    {"from_kind", "TEXT", SQL_SHAPE_PLAIN, "its kind"},
    {"from_url", "TEXT", SQL_SHAPE_PLAIN, "its page at the source"},
    {"relation", "TEXT", SQL_SHAPE_PLAIN, "name of the reference field"},
    {"to_id", "TEXT", SQL_SHAPE_PLAIN, "entity that is referred to; indexed"},
    {"to_kind", "TEXT", SQL_SHAPE_PLAIN, "its kind"},
    {"to_url", "TEXT", SQL_SHAPE_PLAIN, "its page at the source, where it is known"},
    {"version", "TEXT", SQL_SHAPE_PLAIN, "revision of from_id that set it: revisions.version"},
    {"version_at", "TEXT", SQL_SHAPE_TIME, "time of that revision at the source"},
};

static const struct sql_column revisions_columns[] = {
    {"entity_id", "TEXT", SQL_SHAPE_PLAIN, "entity; indexed"},
    {"kind", "TEXT", SQL_SHAPE_PLAIN, "its kind"},
    {"version", "TEXT", SQL_SHAPE_PLAIN, "32 hex digits; text order is version order"},
    {"version_at", "TEXT", SQL_SHAPE_TIME, "version time at the source"},
    {"revision", "INTEGER", SQL_SHAPE_BOOL, "changed the entity; else the same content seen again"},
    {"change", "TEXT", SQL_SHAPE_PLAIN, "upsert or delete"},
    {"reason", "TEXT", SQL_SHAPE_PLAIN, "of a delete"},
    {"origin", "TEXT", SQL_SHAPE_PLAIN, "webhook, rest, mcp or import"},
    {"delivery_id", "TEXT", SQL_SHAPE_PLAIN, "id of the delivery or of the read"},
    {"observed_at", "TEXT", SQL_SHAPE_TIME, "when it came to our door"},
    {"topic", "TEXT", SQL_SHAPE_PLAIN, "of the raw event"},
    {"partition", "INTEGER", SQL_SHAPE_PLAIN, "of the raw event"},
    {"offset", "INTEGER", SQL_SHAPE_PLAIN, "of the raw event"},
    {"view", "TEXT", SQL_SHAPE_PLAIN, "data view that mapped it"},
    {"shown", "TEXT", SQL_SHAPE_JSON, "names of the fields that it showed"},
    {"changed", "TEXT", SQL_SHAPE_JSON, "fields that it changed, with their new values"},
    {"source_project_id", "TEXT", SQL_SHAPE_PLAIN, "project id it was seen in"},
    {"source_iid", "TEXT", SQL_SHAPE_PLAIN, "number it was seen with"},
    {"url", "TEXT", SQL_SHAPE_PLAIN, "page it was seen at"},
    {"stored_at", "TEXT", SQL_SHAPE_TIME, "when it was stored"},
};

static const struct sql_column changes_columns[] = {
    {"sequence", "INTEGER", SQL_SHAPE_PLAIN, "number of the change in this store; indexed"},
    {"kind", "TEXT", SQL_SHAPE_PLAIN, "kind of the entity"},
    {"entity_id", "TEXT", SQL_SHAPE_PLAIN, "entity"},
    {"entity_url", "TEXT", SQL_SHAPE_PLAIN, "its page at the source"},
    {"version", "TEXT", SQL_SHAPE_PLAIN, "revisions.version"},
    {"version_at", "TEXT", SQL_SHAPE_TIME, "version time at the source"},
    {"outcome", "TEXT", SQL_SHAPE_PLAIN, "sighting, revision or late"},
    {"stored_at", "TEXT", SQL_SHAPE_TIME, "when it was stored"},
};

static const struct sql_column documents_columns[] = {
    {"id", "TEXT", SQL_SHAPE_PLAIN, "connection id"},
    {"document", "TEXT", SQL_SHAPE_JSON, "as the fetcher wrote it, without secrets"},
};

static const struct sql_column connections_columns[] = {
    {"id", "TEXT", SQL_SHAPE_PLAIN, "connection id"},
    {"instance", "TEXT", SQL_SHAPE_PLAIN, "base address of the GitLab"},
    {"state", "TEXT", SQL_SHAPE_PLAIN, "to_configure, processing, enabled, degraded, error, ..."},
    {"detail", "TEXT", SQL_SHAPE_PLAIN, "why, for people"},
    {"created_at", "TEXT", SQL_SHAPE_PLAIN, "when it was made"},
    {"updated_at", "TEXT", SQL_SHAPE_PLAIN, "last change of state"},
    {"gitlab_version", "TEXT", SQL_SHAPE_PLAIN, "as the GitLab says"},
};

static const struct sql_column run_documents_columns[] = {
    {"connection", "TEXT", SQL_SHAPE_PLAIN, "connection id"},
    {"run", "INTEGER", SQL_SHAPE_PLAIN, "number of the run: its start in ms"},
    {"document", "TEXT", SQL_SHAPE_JSON, "the fetcher's report"},
    {"outcome", "TEXT", SQL_SHAPE_JSON, "what the run changed in this store"},
};

static const struct sql_column health_documents_columns[] = {
    {"connection", "TEXT", SQL_SHAPE_PLAIN, "connection id"},
    {"subject", "TEXT", SQL_SHAPE_PLAIN,
     "webhooks:<intake>, completeness:<project>, streams:<fetcher>, outcome; of "
     "the connection _process: a heartbeat"},
    {"document", "TEXT", SQL_SHAPE_JSON, "as it was told"},
};

static const struct sql_column set_aside_documents_columns[] = {
    {"connection", "TEXT", SQL_SHAPE_PLAIN, "connection id"},
    {"view", "TEXT", SQL_SHAPE_PLAIN, "data view that mapped the event"},
    {"pointer", "TEXT", SQL_SHAPE_PLAIN, "where the value is in the payload"},
    {"partition", "INTEGER", SQL_SHAPE_PLAIN, "partition of the raw event"},
    {"offset", "INTEGER", SQL_SHAPE_PLAIN, "offset of the raw event"},
    {"document", "TEXT", SQL_SHAPE_JSON, "reason, example, entity and time"},
};

static const struct sql_column set_aside_columns[] = {
    {"connection", "TEXT", SQL_SHAPE_PLAIN, "connection id"},
    {"view", "TEXT", SQL_SHAPE_PLAIN, "data view that mapped the events"},
    {"pointer", "TEXT", SQL_SHAPE_PLAIN, "where the values are in the payload"},
    {"count", "INTEGER", SQL_SHAPE_PLAIN, "events with such a value"},
    {"reason", "TEXT", SQL_SHAPE_PLAIN, "why it could not be converted"},
    {"example", "TEXT", SQL_SHAPE_PLAIN, "one of the values, or its beginning"},
    {"first_at", "TEXT", SQL_SHAPE_PLAIN, "when the first of the events was received"},
    {"last_at", "TEXT", SQL_SHAPE_PLAIN, "when the last of them was received"},
};

static const struct sql_column external_links_columns[] = {
    {"entity", "TEXT", SQL_SHAPE_PLAIN, "work item that refers to it"},
    {"kind", "TEXT", SQL_SHAPE_PLAIN, "type of the work item"},
    {"entity_url", "TEXT", SQL_SHAPE_PLAIN, "page of the work item"},
    {"system", "TEXT", SQL_SHAPE_PLAIN, "jira where the key has its form, else other"},
    {"key", "TEXT", SQL_SHAPE_PLAIN, "key in the other tracker: SHOP-123"},
    {"url", "TEXT", SQL_SHAPE_PLAIN, "address there, where GitLab sent one"},
};

static const struct sql_column categories_columns[] = {
    {"entity", "TEXT", SQL_SHAPE_PLAIN, "work item or pipeline"},
    {"kind", "TEXT", SQL_SHAPE_PLAIN, "work_item or build_record"},
    {"url", "TEXT", SQL_SHAPE_PLAIN, "its page"},
    {"category", "TEXT", SQL_SHAPE_PLAIN, "fix, feature, incident, maintenance, security, ..."},
    {"rule", "TEXT", SQL_SHAPE_PLAIN, "what assigned it: type, label, title, branch or source"},
    {"revision", "TEXT", SQL_SHAPE_PLAIN, "revision that it follows from: revisions.version"},
};

static const struct sql_column runs_columns[] = {
    {"connection", "TEXT", SQL_SHAPE_PLAIN, "connection id"},
    {"run", "INTEGER", SQL_SHAPE_PLAIN, "number of the run: its start in ms"},
    {"kind", "TEXT", SQL_SHAPE_PLAIN, "sync or sweep"},
    {"state", "TEXT", SQL_SHAPE_PLAIN, "in_progress, success, error or interrupted"},
    {"started_at", "TEXT", SQL_SHAPE_PLAIN, "when it began"},
    {"finished_at", "TEXT", SQL_SHAPE_PLAIN, "when it ended"},
    {"requests", "INTEGER", SQL_SHAPE_PLAIN, "requests to GitLab"},
    {"waited_ms", "INTEGER", SQL_SHAPE_PLAIN, "time that rate limits took"},
    {"read", "INTEGER", SQL_SHAPE_PLAIN, "rows read"},
    {"new", "INTEGER", SQL_SHAPE_PLAIN, "entities that were not there before"},
    {"changed", "INTEGER", SQL_SHAPE_PLAIN, "entities that it changed"},
    {"repaired", "INTEGER", SQL_SHAPE_PLAIN, "of these: a webhook should have said so, none had"},
    {"deleted", "INTEGER", SQL_SHAPE_PLAIN, "entities that are gone at the source"},
    {"skipped", "INTEGER", SQL_SHAPE_PLAIN, "reads that are not allowed or not there"},
    {"failed", "INTEGER", SQL_SHAPE_PLAIN, "reads that failed"},
    {"error", "TEXT", SQL_SHAPE_PLAIN, "what went wrong"},
};

static const struct sql_column run_streams_columns[] = {
    {"connection", "TEXT", SQL_SHAPE_PLAIN, "connection id"},
    {"run", "INTEGER", SQL_SHAPE_PLAIN, "runs.run"},
    {"stream", "TEXT", SQL_SHAPE_PLAIN, "what was read"},
    {"read", "INTEGER", SQL_SHAPE_PLAIN, "rows"},
    {"pages", "INTEGER", SQL_SHAPE_PLAIN, "pages"},
    {"follow_ups", "INTEGER", SQL_SHAPE_PLAIN, "reads that rows asked for"},
    {"records", "INTEGER", SQL_SHAPE_PLAIN, "records written"},
    {"skipped", "INTEGER", SQL_SHAPE_PLAIN, "reads that are not allowed or not there"},
    {"failed", "INTEGER", SQL_SHAPE_PLAIN, "reads that failed"},
};

static const struct sql_column run_changes_columns[] = {
    {"connection", "TEXT", SQL_SHAPE_PLAIN, "connection id"},
    {"run", "INTEGER", SQL_SHAPE_PLAIN, "runs.run"},
    {"source_kind", "TEXT", SQL_SHAPE_PLAIN, "issue, merge_request, pipeline, ..."},
    {"read", "INTEGER", SQL_SHAPE_PLAIN, "observations"},
    {"new", "INTEGER", SQL_SHAPE_PLAIN, "entities that were not there before"},
    {"changed", "INTEGER", SQL_SHAPE_PLAIN, "entities that it changed"},
    {"repaired", "INTEGER", SQL_SHAPE_PLAIN, "of these: a webhook should have said so, none had"},
    {"deleted", "INTEGER", SQL_SHAPE_PLAIN, "entities that are gone at the source"},
};

static const struct sql_column webhook_health_columns[] = {
    {"connection", "TEXT", SQL_SHAPE_PLAIN, "connection id"},
    {"intake", "TEXT", SQL_SHAPE_PLAIN, "the process that took them"},
    {"source_project_id", "TEXT", SQL_SHAPE_PLAIN, "the source's project id"},
    {"event", "TEXT", SQL_SHAPE_PLAIN, "issue, merge_request, pipeline, ..."},
    {"last_delivery", "TEXT", SQL_SHAPE_PLAIN, "newest that was stored"},
    {"deliveries", "INTEGER", SQL_SHAPE_PLAIN, "stored since the process' start"},
};

static const struct sql_column completeness_columns[] = {
    {"connection", "TEXT", SQL_SHAPE_PLAIN, "connection id"},
    {"source_project_id", "TEXT", SQL_SHAPE_PLAIN, "the source's project id"},
    {"stream", "TEXT", SQL_SHAPE_PLAIN, "issues, merge_requests, pipelines; jobs, by pipelines"},
    {"expected", "INTEGER", SQL_SHAPE_PLAIN, "the highest number seen: GitLab leaves none out"},
    {"have", "INTEGER", SQL_SHAPE_PLAIN, "read"},
    {"missing", "INTEGER", SQL_SHAPE_PLAIN, "not looked for yet"},
    {"deleted", "INTEGER", SQL_SHAPE_PLAIN, "GitLab says 404 and would show it"},
    {"hidden", "INTEGER", SQL_SHAPE_PLAIN, "GitLab says 404: deleted, or hidden from this token"},
    {"moved", "INTEGER", SQL_SHAPE_PLAIN, "in another project now"},
    {"no_access", "INTEGER", SQL_SHAPE_PLAIN, "GitLab says 403"},
    {"held", "INTEGER", SQL_SHAPE_PLAIN, "gone, but too many at once: waits for a person"},
    {"confidential", "INTEGER", SQL_SHAPE_PLAIN, "of those that are read"},
    {"checked_at", "TEXT", SQL_SHAPE_PLAIN, "when it was told"},
};

static const struct sql_column streams_columns[] = {
    {"connection", "TEXT", SQL_SHAPE_PLAIN, "connection id"},
    {"stream", "TEXT", SQL_SHAPE_PLAIN, "what is read: issues, pipelines, ..."},
    {"state", "TEXT", SQL_SHAPE_PLAIN, "on_time, syncing, late, failing or not_read"},
    {"read_by", "TEXT", SQL_SHAPE_PLAIN, "rest, mcp or none"},
    {"tool", "TEXT", SQL_SHAPE_PLAIN, "the MCP tool that lists it"},
    {"credential", "TEXT", SQL_SHAPE_PLAIN, "read_api token or approval"},
    {"reason", "TEXT", SQL_SHAPE_PLAIN, "why it is not read, or what failed last"},
    {"at_gitlab", "INTEGER", SQL_SHAPE_PLAIN, "rows there; NULL: not counted"},
    {"counted_by", "TEXT", SQL_SHAPE_PLAIN, "how they are counted: by GitLab's numbers, ..."},
    {"missing", "INTEGER", SQL_SHAPE_PLAIN, "of these, not read; NULL: there is no proof"},
    {"unread", "INTEGER", SQL_SHAPE_PLAIN, "rows that GitLab could not serve in the newest run"},
    {"last_success", "TEXT", SQL_SHAPE_PLAIN, "since then, every project was read to its end"},
    {"failing_runs", "INTEGER", SQL_SHAPE_PLAIN, "newest runs in a row in which it failed"},
    {"failing_since", "TEXT", SQL_SHAPE_PLAIN, "when the first of them ended"},
    {"projects", "INTEGER", SQL_SHAPE_PLAIN, "projects in which it is to be read"},
    {"projects_skipped", "INTEGER", SQL_SHAPE_PLAIN, "of these: GitLab refuses it"},
    {"fetcher", "TEXT", SQL_SHAPE_PLAIN, "the process that reads these projects"},
    {"reported_at", "TEXT", SQL_SHAPE_PLAIN, "when it said so"},
};

static const struct sql_table_info tables[] = {
    {"work_items", NULL, WH_KIND_WORK_ITEM, "merge requests, issues, incidents, tasks",
     "select type, state, count(*) from work_items group by 1, 2"},
    {"build_records", NULL, WH_KIND_BUILD_RECORD, "pipelines",
     "select status, count(*) from build_records group by 1"},
    {"jobs", NULL, WH_KIND_JOB, "jobs of pipelines",
     "select name, count(*), median(duration) from jobs where status = 'failed' group by 1 order "
     "by 2 desc limit 10"},
    {"team_members", NULL, WH_KIND_TEAM_MEMBER,
     "people, bots and shared mailboxes, each with all accounts",
     "select name, team, status, accounts from team_members order by name limit 20"},
    {"accounts", NULL, WH_KIND_TEAM_MEMBER, "accounts at all systems, and whose they are",
     "select team_member_name, system, username, rule, evidence from accounts order by 1, 2"},
    {"people_review", NULL, WH_KIND_NONE,
     "team members that may be one, or that claim the same key",
     "select rule, key, left_name, right_name from people_review"},
    {"decisions", NULL, WH_KIND_NONE, "what people decided about who is who",
     "select at, who, action, subject_name, why from decisions where undone_at is null"},
    {"agent_calls", NULL, WH_KIND_NONE, "what agents asked by /mcp, and what they read",
     "select at, agent_name, tool, arguments, result, id_count from agent_calls order by at desc "
     "limit 20"},
    {"projects", NULL, WH_KIND_PROJECT, "projects",
     "select path, visibility, last_activity_at from projects order by path"},
    {"deployments", NULL, WH_KIND_DEPLOYMENT, "deployments",
     "select project_path, environment_name, status, finished_at from deployments order by "
     "finished_at desc limit 10"},
    {"environments", NULL, WH_KIND_ENVIRONMENT, "deployment targets",
     "select project_path, name, tier, state from environments order by 1, 2"},
    {"releases", NULL, WH_KIND_RELEASE, "releases of tags",
     "select project_path, tag, released_at from releases order by released_at desc limit 10"},
    {"milestones", NULL, WH_KIND_MILESTONE, "milestones",
     "select project_path, title, due_date from milestones where state = 'active' order by "
     "due_date"},
    {"notes", NULL, WH_KIND_NOTE, "comments",
     "select author_name, count(*) from notes where not system group by 1 order by 2 desc limit "
     "10"},
    {"memberships", NULL, WH_KIND_MEMBERSHIP, "who is in which project or group",
     "select member_name, project_path, access_level from memberships order by 2, 3 desc"},
    {"services", NULL, WH_KIND_SERVICE, "imported: services that the company runs",
     "select name, team, tier from services order by name"},
    {"customers", NULL, WH_KIND_CUSTOMER, "imported: customers of the company",
     "select name, segment, region from customers order by name"},
    {"service_customers", NULL, WH_KIND_SERVICE_CUSTOMER,
     "imported: which customer uses which service",
     "select service_name, customer_name, since, until from service_customers order by 1, 2"},
    {"subscriptions", NULL, WH_KIND_SUBSCRIPTION, "imported: contracts of customers",
     "select customer_name, amount_minor, currency, period from subscriptions order by 1"},
    {"people", NULL, WH_KIND_PERSON, "imported: rows of directories of people",
     "select name, team, status from people order by name"},
    {"service_ownership", NULL, WH_KIND_SERVICE_OWNERSHIP,
     "imported: what belongs to which service",
     "select service_name, project, environment, label from service_ownership order by 1"},
    {"incidents", "work_items", WH_KIND_WORK_ITEM, "work items of type incident",
     "select title, severity, created_at, author_name from incidents where state = 'opened' order "
     "by created_at desc"},
    {"issues", "work_items", WH_KIND_WORK_ITEM, "work items of type issue",
     "select project_path, title, assignee_names from issues where state = 'opened' order by "
     "updated_at desc limit 10"},
    {"merge_requests", "work_items", WH_KIND_WORK_ITEM, "work items of type merge_request",
     "select date_trunc('week', merged_at) as week, count(*) from merge_requests where merged_at "
     "is not null group by 1 order by 1 desc limit 8"},
    {"pipelines", "build_records", WH_KIND_BUILD_RECORD, "build records under GitLab's name",
     "select p.status, m.title from pipelines p join merge_requests m on m.sha = p.sha order by "
     "p.created_at desc limit 10"},
    {"links", NULL, WH_KIND_NONE,
     "references between entities, with the revision that set them; those of deleted ones stay",
     "select relation, to_url from links where from_id = (select id from merge_requests limit 1)"},
    {"revisions", NULL, WH_KIND_NONE, "history: every distinct observation of every entity",
     "select version_at, origin, shown from revisions where entity_id = (select id from issues "
     "limit 1) order by version"},
    {"changes", NULL, WH_KIND_NONE, "what was stored, in order",
     "select sequence, kind, entity_url, stored_at from changes order by sequence desc limit 10"},
    {"connection_documents", NULL, WH_KIND_NONE, "connections as JSON",
     "select id, document from connection_documents"},
    {"connections", NULL, WH_KIND_NONE, "connections",
     "select id, instance, state, detail from connections"},
    {"run_documents", NULL, WH_KIND_NONE, "runs as JSON",
     "select connection, run, document from run_documents order by run desc limit 1"},
    {"health_documents", NULL, WH_KIND_NONE, "how webhooks and completeness are, as JSON",
     "select connection, subject from health_documents"},
    {"runs", NULL, WH_KIND_NONE, "runs of the fetcher: what each read, changed and repaired",
     "select connection, kind, state, started_at, read, repaired from runs order by run desc limit "
     "5"},
    {"run_streams", NULL, WH_KIND_NONE, "runs by stream",
     "select stream, read, failed from run_streams where run = (select max(run) from runs)"},
    {"run_changes", NULL, WH_KIND_NONE, "what runs changed, by kind of object",
     "select source_kind, new, changed, repaired from run_changes where run = (select max(run) "
     "from runs)"},
    {"webhook_health", NULL, WH_KIND_NONE, "webhook deliveries by project and event",
     "select source_project_id, event, last_delivery from webhook_health order by last_delivery"},
    {"set_aside_documents", NULL, WH_KIND_NONE, "values that could not be converted, one by one",
     "select view, pointer, document from set_aside_documents limit 10"},
    {"set_aside", NULL, WH_KIND_NONE, "values that could not be converted, by view and pointer",
     "select view, pointer, count, reason, example from set_aside order by count desc"},
    {"external_links", NULL, WH_KIND_NONE, "references to objects of other trackers",
     "select system, key, entity_url from external_links order by key limit 20"},
    {"streams", NULL, WH_KIND_NONE, "how the reads of each stream fare, by connection and fetcher",
     "select stream, state, read_by, at_gitlab, last_success, reason from streams"},
    {"categories", NULL, WH_KIND_NONE, "categories of work items and pipelines, by rules",
     "select category, kind, count(*) from categories group by 1, 2 order by 3 desc"},
    {"completeness", NULL, WH_KIND_NONE, "numbers expected and had, by project and stream",
     "select source_project_id, stream, expected, have, missing from completeness where missing > "
     "0"},
    {"incident_impact", NULL, WH_KIND_NONE,
     "incidents with services, customers and what their contracts are worth in a month",
     "select incident_title, service_name, customer_name, revenue_minor, currency from "
     "incident_impact order by started_at desc, 2, 3"},
    {"incident_facts", NULL, WH_KIND_NONE,
     "severity and times of incidents, each by its first rule",
     "select incident_title, severity, started_at, duration_s from incident_facts order by "
     "started_at desc limit 10"},
    {"incident_revenue", NULL, WH_KIND_NONE,
     "what the contracts of each customer that an incident hit are worth in a month",
     "select incident_url, currency, sum(revenue_minor) from incident_revenue group by 1, 2"},
    {"incident_services", NULL, WH_KIND_NONE, "services that incidents hit, by rules",
     "select incident_url, service_name, rule from incident_services order by 1, 2"},
    {"incident_follow_ups", NULL, WH_KIND_NONE, "what is to be done after incidents",
     "select incident_url, title, state from incident_follow_ups where state = 'opened'"},
    {"postmortems", NULL, WH_KIND_NONE, "postmortems of incidents, by linked issues",
     "select incident_url, work_item_url, rule from postmortems order by 1"},
    {"rollbacks", NULL, WH_KIND_NONE, "deployments that brought something old back",
     "select project_path, environment, at, rule, service_name from rollbacks order by at desc"},
    {"unresolved", NULL, WH_KIND_NONE,
     "names that link to nothing: nobody claims them, or several do",
     "select key, mentioned_by_url, rule, count, ambiguous from unresolved order by count desc"},
};

const struct sql_table_info *sql_tables(size_t *ret_n)
{
    *ret_n = sizeof(tables) / sizeof(tables[0]);
    return tables;
}

static struct sql_column field_column(const struct wh_field_def *f)
{
    struct sql_column c = {f->name, "TEXT", SQL_SHAPE_PLAIN, f->doc};

    switch (f->type) {
    case WH_FIELD_LONG:
        c.type = "INTEGER";
        break;
    case WH_FIELD_DOUBLE:
        c.type = "REAL";
        break;
    case WH_FIELD_BOOL:
        c.type = "INTEGER";
        c.shape = SQL_SHAPE_BOOL;
        break;
    case WH_FIELD_TIME:
        c.shape = SQL_SHAPE_TIME;
        break;
    case WH_FIELD_STRINGS:
    case WH_FIELD_REFS:
        c.shape = SQL_SHAPE_JSON;
        break;
    case WH_FIELD_STRING:
    case WH_FIELD_REF:
    default:
        break;
    }
    return c;
}

static size_t kind_columns(const struct wh_kind_def *def, struct sql_column *out)
{
    const struct sql_imported_column *imported[SQL_IMPORTED_MAX];
    size_t n_imported;
    size_t n = 0;

    out[n++] = (struct sql_column){"id", "TEXT", SQL_SHAPE_PLAIN, "entity id (uuid); indexed"};
    for (unsigned i = 0; i < def->n_fields; i++) {
        const struct sql_label *label = sql_label_of(&def->fields[i]);

        if (sql_imported_key(def, i, &out[n]) != WH_KIND_NONE) {
            n += 2;
            continue;
        }
        out[n++] = field_column(&def->fields[i]);
        if (label) {
            out[n] = out[n - 1];
            out[n].name = label->column;
            out[n++].doc = label->doc;
        }
        if (label && label->account) {
            out[n] = out[n - 1];
            out[n].name = label->account;
            out[n++].doc = "the account, as the source has it: accounts.id";
        }
    }
    n_imported = sql_imported_columns(def, imported);
    for (size_t i = 0; i < n_imported; i++) {
        out[n++] = imported[i]->column;
    }
    for (size_t i = 0; i < sizeof(identity_columns) / sizeof(identity_columns[0]); i++) {
        out[n++] = identity_columns[i];
    }
    return n;
}

static size_t copy(struct sql_column *out, const struct sql_column *columns, size_t bytes)
{
    memcpy(out, columns, bytes);
    return bytes / sizeof(*columns);
}

#define OTHER(name)                                                                                \
    {                                                                                              \
#name, name##_columns, sizeof(name##_columns)                                              \
    }

static const struct {
    const char *name;
    const struct sql_column *columns;
    size_t bytes;
} others[] = {
    OTHER(links),
    OTHER(revisions),
    OTHER(changes),
    {"connection_documents", documents_columns, sizeof(documents_columns)},
    OTHER(connections),
    OTHER(run_documents),
    OTHER(health_documents),
    OTHER(runs),
    OTHER(run_streams),
    OTHER(run_changes),
    OTHER(webhook_health),
    OTHER(set_aside_documents),
    OTHER(set_aside),
    OTHER(external_links),
    OTHER(categories),
    OTHER(streams),
    OTHER(completeness),
};

static size_t other_columns(struct wh_slice table, struct sql_column *out)
{
    const struct sql_computed_def *computed = sql_computed_find(table);

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (wh_slice_eq(table, wh_slice_str(others[i].name))) {
            return copy(out, others[i].columns, others[i].bytes);
        }
    }
    return computed ? copy(out, computed->columns, computed->n_columns * sizeof(*out)) : 0;
}

size_t sql_columns(struct wh_slice table, struct sql_column out[SQL_COLUMNS_MAX])
{
    static const char all[] = "_all";
    size_t all_len = sizeof(all) - 1;
    bool variant =
        table.len > all_len && memcmp(table.ptr + table.len - all_len, all, all_len) == 0;

    if (variant) {
        table.len -= all_len;
    }
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        bool entities = tables[i].kind != WH_KIND_NONE && !sql_computed_find(table);

        if (wh_slice_eq(table, wh_slice_str(tables[i].name)) && entities) {
            return kind_columns(wh_kind_def(tables[i].kind), out);
        }
    }
    return variant && !sql_computed_find(table) ? 0 : other_columns(table, out);
}
