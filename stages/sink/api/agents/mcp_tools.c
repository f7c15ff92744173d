/* The tools of /mcp: each is a route of this API with arguments and an output of its own. */
#include <string.h>

#include "stages/sink/api/agents/mcp_priv.h"

/* ---- outputs (JSON Schema 2020-12); members that are not named may come ---- */

#define ROWS_SCHEMA(rows)                                                                          \
    "{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"},"                          \
    "\"columns\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"                            \
    "\"rows\":{\"type\":\"array\",\"description\":\"" rows "\",\"items\":{\"type\":\"object\"}},"  \
    "\"truncated\":{\"type\":\"boolean\",\"description\":\"there are more rows\"},"                \
    "\"row_count\":{\"type\":\"integer\"},"                                                        \
    "\"next\":{\"type\":[\"string\",\"null\"],\"description\":\"give it as cursor for the next "   \
    "page; "                                                                                       \
    "null: this was the last one\"}},"                                                             \
    "\"required\":[\"ok\",\"rows\",\"truncated\",\"next\"]}"
#define ARRAY_OF(what)                                                                             \
    "{\"type\":\"array\",\"description\":\"" what "\",\"items\":{\"type\":\"object\"}}"

static const char entity_schema[] =
    "{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"},"
    "\"entity\":{\"type\":\"object\",\"properties\":{"
    "\"id\":{\"type\":\"string\"},\"kind\":{\"type\":\"string\"},\"table\":{\"type\":\"string\"},"
    "\"source\":{\"type\":\"object\",\"description\":\"where it is at its source\"},"
    "\"deleted\":{\"type\":\"boolean\"},\"version_at\":{\"type\":[\"string\",\"null\"]},"
    "\"fields\":{\"type\":\"object\",\"description\":\"the values, by name\"},"
    "\"set_by\":{\"type\":\"object\",\"description\":\"the version that set each field\"}},"
    "\"required\":[\"id\",\"kind\",\"deleted\",\"fields\"]}},\"required\":[\"ok\",\"entity\"]}";
static const char ask_schema[] =
    "{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"},"
    "\"question\":{\"type\":\"string\"},"
    "\"understood\":{\"type\":\"object\",\"description\":\"what was understood: check it\"},"
    "\"answer\":{\"type\":\"string\"},"
    "\"sql\":{\"type\":[\"string\",\"null\"],\"description\":\"the statement behind it, for "
    "query\"},"
    "\"truncated\":{\"type\":\"boolean\"}},\"required\":[\"ok\",\"question\",\"understood\","
    "\"answer\"]}";
#define SERVICES ARRAY_OF("each with the rules and the evidence")
#define CUSTOMERS ARRAY_OF("each with its revenue in minor units; null: not known")
#define FOLLOW_UPS ARRAY_OF("work items that follow from it")
#define POSTMORTEMS ARRAY_OF("its postmortems")
#define UNRESOLVED ARRAY_OF("names that lead to nothing, or to several things")
#define IMPACT_SCHEMA                                                                              \
    "{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"},"                          \
    "\"incident\":{\"type\":\"object\"},\"services\":" SERVICES ",\"customers\":" CUSTOMERS        \
    ",\"follow_ups\":" FOLLOW_UPS ",\"postmortems\":" POSTMORTEMS ",\"unresolved\":" UNRESOLVED    \
    ",\"totals\":{\"type\":\"object\"},\"completeness\":{\"type\":\"object\"}},"                   \
    "\"required\":[\"ok\",\"incident\",\"services\",\"customers\"]}"

static const char connections_sql[] = "select c.id, c.instance, c.state, c.detail, c.updated_at, "
                                      "(select max(finished_at) from runs r "
                                      "where r.connection = c.id and r.state = 'success') as "
                                      "last_success from connections c order by 1";

#define LIMIT                                                                                      \
    {                                                                                              \
        "limit", "_size", "integer", "most rows to return, 1 to 1000; 100 when it is left out",    \
            false                                                                                  \
    }
#define CURSOR                                                                                     \
    {                                                                                              \
        "cursor", "_next", "string", "next of the page before, with the same other arguments",     \
            false                                                                                  \
    }

static const struct mcp_tool tools[] = {
    {"query",
     "Query in SQL",
     "Runs one read-only SELECT in SQLite's dialect over all records and returns its rows. "
     "'.tables' lists the "
     "tables and 'describe TABLE' the columns of one. Names stand next to ids (author_name, "
     "project_path).",
     api_answer_sql,
     NULL,
     ROWS_SCHEMA("one object for each row, by the names of the columns"),
     {{"sql", "sql", "string", "one SELECT statement, '.tables' or 'describe TABLE'", true},
      LIMIT,
      CURSOR,
      {"as_of", "as_of", "string", "answer from what was known at this time (RFC 3339)", false}}},
    {"ask",
     "Ask in words",
     "Answers a question in plain English: lists, counts, rankings, averages, shares and durations "
     "of merge requests, "
     "issues, pipelines, jobs, deployments, DORA measures, incidents, customers, services, "
     "revenue, people, projects and "
     "releases, with names, times and grouping, and what incidents hit. The answer restates what "
     "was understood, with "
     "rows and the SQL behind them. A question that is not understood gets the nearest forms; one "
     "with several "
     "meanings gets choices.",
     api_answer_ask,
     NULL,
     ask_schema,
     {{"question", "q", "string",
       "for example: how many merge requests were merged last week by project", true},
      {"zone", "zone", "string", "IANA time zone for words such as yesterday", false},
      {"as_of", "as_of", "string", "answer from what was known at this time (RFC 3339)", false}}},
    {"search",
     "Search",
     "Finds records of any kind by the words of their titles and texts, best first, with snippets "
     "and "
     "counts of each kind. What the text names exactly comes first: an address, group/project!12, "
     "#45, a commit. former: the text stands in an older revision alone.",
     api_answer_search,
     NULL,
     ROWS_SCHEMA("records, the best first, with snippets"),
     {{"query", "_search", "string", "words, \"a phrase\", begin*, a reference or an address",
       true},
      {"kind", "kind", "string",
       "only these: issue, incident, merge_request, comment, service, ...", false},
      {"limit", "_size", "integer", "most records to return, 1 to 100; 20 when it is left out",
       false},
      CURSOR}},
    {"get_entity",
     "Get a record",
     "Returns every field of one record, which revision set it, and where that revision came from. "
     "Give its id or the "
     "address of its page.",
     api_answer_entities,
     NULL,
     entity_schema,
     {{"id", "/", "string", "id of the record, a UUID", false},
      {"url", "url", "string", "address of its page at the source", false},
      {"as_of", "as_of", "string", "as it was known at this time (RFC 3339)", false}}},
    {"get_history",
     "Get a record's history",
     "Returns the revisions of one record, newest first: what changed, when, and from which "
     "delivery.",
     api_answer_revisions,
     NULL,
     ROWS_SCHEMA("revisions, the newest first"),
     {{"id", "/", "string", "id of the record, a UUID", true}, LIMIT, CURSOR}},
    {"incident_impact",
     "Impact of an incident",
     "Returns what one incident hit: services, customers and their monthly revenue, follow-ups, "
     "when it started and was restored, each with its "
     "evidence. Revenue of different currencies is never added together; null means unknown.",
     api_answer_impact,
     NULL,
     IMPACT_SCHEMA,
     {{"incident", "/", "string", "id, address or reference (group/project#12) of the incident",
       true},
      {"as_of", "as_of", "string", "as it was known at this time (RFC 3339)", false}}},
    {"list_connections",
     "List connections",
     "Returns the connected sources, their state and their last successful run.",
     api_answer_sql,
     connections_sql,
     ROWS_SCHEMA("one for each connection"),
     {LIMIT, CURSOR}},
    {"describe_model",
     "Describe the model",
     "Returns all tables with their meaning and an example in SQL or, given a table, its columns "
     "with type and meaning.",
     api_answer_sql,
     ".tables",
     ROWS_SCHEMA("tables, or the columns of one"),
     {{"table", "describe", "string", "a name from the list of tables", false}, LIMIT, CURSOR}},
};

enum { N_TOOLS = sizeof(tools) / sizeof(tools[0]) };

/* ---- the list ---- */

static void write_argument(struct wh_json_writer *w, const struct mcp_argument *a)
{
    wh_jw_key(w, a->name);
    wh_jw_object(w);
    wh_jw_put_str(w, "type", wh_slice_str(a->type));
    wh_jw_put_str(w, "description", wh_slice_str(a->doc));
    wh_jw_end(w);
}

static void write_input(struct wh_json_writer *w, const struct mcp_tool *tool)
{
    wh_jw_key(w, "inputSchema");
    wh_jw_object(w);
    wh_jw_put_str(w, "type", WH_LIT("object"));
    wh_jw_key(w, "properties");
    wh_jw_object(w);
    for (const struct mcp_argument *a = tool->arguments; a->name; a++) {
        write_argument(w, a);
    }
    wh_jw_end(w);
    wh_jw_key(w, "required");
    wh_jw_array(w);
    for (const struct mcp_argument *a = tool->arguments; a->name; a++) {
        if (a->required) {
            wh_jw_str(w, wh_slice_str(a->name));
        }
    }
    wh_jw_end(w);
    wh_jw_put_bool(w, "additionalProperties", false);
    wh_jw_end(w);
}

static void write_tool(struct wh_json_writer *w, const struct mcp_tool *tool)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "name", wh_slice_str(tool->name));
    wh_jw_put_str(w, "title", wh_slice_str(tool->title));
    wh_jw_put_str(w, "description", wh_slice_str(tool->doc));
    write_input(w, tool);
    wh_jw_key(w, "outputSchema");
    wh_jw_raw(w, wh_slice_str(tool->output));
    wh_jw_key(w, "annotations");
    wh_jw_object(w);
    wh_jw_put_str(w, "title", wh_slice_str(tool->title));
    wh_jw_put_bool(w, "readOnlyHint", true);
    wh_jw_put_bool(w, "openWorldHint", false);
    wh_jw_end(w);
    wh_jw_end(w);
}

void mcp_write_tools(struct wh_json_writer *w)
{
    wh_jw_array(w);
    for (size_t i = 0; i < N_TOOLS; i++) {
        write_tool(w, &tools[i]);
    }
    wh_jw_end(w);
}

const struct mcp_tool *mcp_find_tool(struct wh_slice name)
{
    for (size_t i = 0; i < N_TOOLS; i++) {
        if (wh_slice_eq(name, wh_slice_str(tools[i].name))) {
            return &tools[i];
        }
    }
    return NULL;
}
