/* The tools of /mcp: each is a route of this API with arguments of its own. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_copy.h"
#include "stages/sink/api/mcp_priv.h"

enum {
    RESULT_MAX_BYTES = 4 << 20,
    ARGUMENTS_MAX = 16,
    NUMBER_BYTES = 32,
    ROWS_MAX = 1000,
    LOGGED_MAX_BYTES = 512
};

typedef enum wh_rc (*answer_fn)(struct api_job *job, struct wh_err *err);

/* An argument: its name for models, and the argument of the route, "/" for the part of the path. */
struct argument {
    const char *name;
    const char *route;
    const char *type; /* of JSON Schema */
    const char *doc;
    bool required;
};

struct tool {
    const char *name;
    const char *title;
    const char *doc;
    answer_fn answer;
    const char *sql; /* instead of a statement in the arguments */
    struct argument arguments[6];
};

static const char connections_sql[] = "select c.id, c.instance, c.state, c.detail, c.updated_at, "
                                      "(select max(finished_at) from runs r "
                                      "where r.connection = c.id and r.state = 'success') as "
                                      "last_success from connections c order by 1";

static const struct tool tools[] = {
    {"query",
     "Query in SQL",
     "Runs one read-only SELECT in SQLite's dialect over all records and returns its rows. "
     "'.tables' lists the "
     "tables and 'describe TABLE' the columns of one. Names stand next to ids (author_name, "
     "project_path).",
     api_answer_sql,
     NULL,
     {{"sql", "sql", "string", "one SELECT statement, '.tables' or 'describe TABLE'", true},
      {"limit", "_size", "integer", "most rows to return, 1 to 1000; 100 when it is left out",
       false},
      {"as_of", "as_of", "string", "answer from what was known at this time (RFC 3339)", false}}},
    {"ask",
     "Ask about incidents",
     "Answers a question in plain English about incidents, the customers, services and revenue "
     "they hit, what is still open and how long it took, by day, "
     "week, number, title, customer or service. The answer says what was understood and gives the "
     "SQL behind it. A question that is not understood gets the nearest forms.",
     api_answer_ask,
     NULL,
     {{"question", "q", "string",
       "for example: which customers were impacted by last Tuesday's incident", true},
      {"zone", "zone", "string", "IANA time zone for words such as yesterday", false},
      {"as_of", "as_of", "string", "answer from what was known at this time (RFC 3339)", false}}},
    {"search",
     "Search",
     "Finds records of any kind by the words of their titles and texts, best first, with snippets "
     "and "
     "counts of each kind. What the text names exactly comes first: an address, group/project!12, "
     "#45, a commit. former: the text stands in an older revision alone. next continues the list.",
     api_answer_search,
     NULL,
     {{"query", "_search", "string", "words, \"a phrase\", begin*, a reference or an address",
       true},
      {"kind", "kind", "string",
       "only these: issue, incident, merge_request, comment, service, ...", false},
      {"limit", "_size", "integer", "most records to return, 1 to 100; 20 when it is left out",
       false},
      {"cursor", "_next", "string", "value of next of the page before", false}}},
    {"get_entity",
     "Get a record",
     "Returns every field of one record, which revision set it, and where that revision came from. "
     "Give its id or the "
     "address of its page.",
     api_answer_entities,
     NULL,
     {{"id", "/", "string", "id of the record, a UUID", false},
      {"url", "url", "string", "address of its page at the source", false},
      {"as_of", "as_of", "string", "as it was known at this time (RFC 3339)", false}}},
    {"get_history",
     "Get a record's history",
     "Returns the revisions of one record, newest first: what changed, when, and from which "
     "delivery. next_cursor "
     "continues the list.",
     api_answer_revisions,
     NULL,
     {{"id", "/", "string", "id of the record, a UUID", true},
      {"limit", "_size", "integer", "most revisions to return, 1 to 1000; 100 when it is left out",
       false},
      {"cursor", "_next", "string", "value of next of the page before", false}}},
    {"incident_impact",
     "Impact of an incident",
     "Returns what one incident hit: services, customers and their monthly revenue, follow-ups, "
     "when it started and was restored, each with its "
     "evidence. Revenue of different currencies is never added together; null means unknown.",
     api_answer_impact,
     NULL,
     {{"incident", "/", "string", "id, address or reference (group/project#12) of the incident",
       true},
      {"as_of", "as_of", "string", "as it was known at this time (RFC 3339)", false}}},
    {"list_connections",
     "List connections",
     "Returns the connected sources, their state and their last successful run.",
     api_answer_sql,
     connections_sql,
     {{NULL, NULL, NULL, NULL, false}}},
    {"describe_model",
     "Describe the model",
     "Returns the kinds of records, their tables, fields and meaning.",
     api_answer_kinds,
     NULL,
     {{NULL, NULL, NULL, NULL, false}}},
};

enum { N_TOOLS = sizeof(tools) / sizeof(tools[0]) };

/* ---- the list ---- */

static void write_argument(struct wh_json_writer *w, const struct argument *a)
{
    wh_jw_key(w, a->name);
    wh_jw_object(w);
    wh_jw_put_str(w, "type", wh_slice_str(a->type));
    wh_jw_put_str(w, "description", wh_slice_str(a->doc));
    wh_jw_end(w);
}

static void write_input(struct wh_json_writer *w, const struct tool *tool)
{
    wh_jw_key(w, "inputSchema");
    wh_jw_object(w);
    wh_jw_put_str(w, "type", WH_LIT("object"));
    wh_jw_key(w, "properties");
    wh_jw_object(w);
    for (const struct argument *a = tool->arguments; a->name; a++) {
        write_argument(w, a);
    }
    wh_jw_end(w);
    wh_jw_key(w, "required");
    wh_jw_array(w);
    for (const struct argument *a = tool->arguments; a->name; a++) {
        if (a->required) {
            wh_jw_str(w, wh_slice_str(a->name));
        }
    }
    wh_jw_end(w);
    wh_jw_put_bool(w, "additionalProperties", false);
    wh_jw_end(w);
}

static void write_tool(struct wh_json_writer *w, const struct tool *tool)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "name", wh_slice_str(tool->name));
    wh_jw_put_str(w, "title", wh_slice_str(tool->title));
    wh_jw_put_str(w, "description", wh_slice_str(tool->doc));
    write_input(w, tool);
    wh_jw_key(w, "outputSchema");
    wh_jw_raw(w, WH_LIT("{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"}},"
                        "\"required\":[\"ok\"]}"));
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

static const struct tool *find(struct wh_slice name)
{
    for (size_t i = 0; i < N_TOOLS; i++) {
        if (wh_slice_eq(name, wh_slice_str(tools[i].name))) {
            return &tools[i];
        }
    }
    return NULL;
}

bool mcp_is_tool(struct wh_slice name)
{
    return find(name) != NULL;
}

/* ---- arguments ---- */

struct aim {
    struct api_arg args[ARGUMENTS_MAX];
    size_t n;
    char numbers[ARGUMENTS_MAX][NUMBER_BYTES];
};

static void add(struct aim *aim, const char *name, struct wh_slice value)
{
    if (aim->n < ARGUMENTS_MAX) {
        aim->args[aim->n++] = (struct api_arg){wh_slice_str(name), value};
    }
}

static enum wh_rc take(struct api_job *job, const struct argument *a, struct wh_json_val v,
                       struct aim *aim, struct wh_err *err)
{
    bool number = strcmp(a->type, "integer") == 0;
    char *text = aim->numbers[aim->n];

    if (number ? wh_json_type(v) != WH_JSON_INT : wh_json_type(v) != WH_JSON_STRING) {
        return wh_fail(err, WH_E_TYPE, "%s must be %s: %s", a->name,
                       number ? "a whole number" : "a text", a->doc);
    }
    if (number) {
        if (wh_json_int(v) < 1 || wh_json_int(v) > ROWS_MAX) {
            return wh_fail(err, WH_E_RANGE, "%s must be 1 to %d", a->name, ROWS_MAX);
        }
        (void)snprintf(text, NUMBER_BYTES, "%lld", (long long)wh_json_int(v));
        add(aim, a->route, wh_slice_str(text));
    } else if (strcmp(a->route, "/") == 0) {
        job->id = wh_json_string(v);
    } else {
        add(aim, a->route, wh_json_string(v));
    }
    return WH_OK;
}

static const struct argument *argument_of(const struct tool *tool, struct wh_slice name)
{
    for (const struct argument *a = tool->arguments; a->name; a++) {
        if (wh_slice_eq(name, wh_slice_str(a->name))) {
            return a;
        }
    }
    return NULL;
}

static enum wh_rc check_required(const struct tool *tool, const struct wh_json_val *arguments,
                                 struct wh_err *err)
{
    struct wh_json_val v;

    for (const struct argument *a = tool->arguments; a->name; a++) {
        if (a->required &&
            (arguments == NULL || !wh_json_get(*arguments, wh_slice_str(a->name), &v))) {
            return wh_fail(err, WH_E_INVALID, "%s is missing: %s", a->name, a->doc);
        }
    }
    return WH_OK;
}

static enum wh_rc read_arguments(struct api_job *job, const struct tool *tool,
                                 const struct wh_json_val *arguments, struct aim *aim,
                                 struct wh_err *err)
{
    struct wh_json_iter it = {0};
    struct wh_json_val v;
    struct wh_slice key;

    if (tool->sql) {
        add(aim, "sql", wh_slice_str(tool->sql));
    }
    if (arguments) {
        it = wh_json_iter(*arguments);
    }
    while (arguments && wh_json_next(&it, &key, &v)) {
        const struct argument *a = argument_of(tool, key);

        if (a == NULL) {
            return wh_fail(err, WH_E_INVALID, "%s has no argument %.*s", tool->name,
                           (int)(key.len < 40 ? key.len : 40), key.ptr);
        }
        if (take(job, a, v, aim, err) != WH_OK) {
            return err->rc;
        }
    }
    return check_required(tool, arguments, err);
}

/* ---- the call ---- */

static void write_text(struct wh_json_writer *w, struct wh_slice text)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "type", WH_LIT("text"));
    wh_jw_put_str(w, "text", text);
    wh_jw_end(w);
}

static void write_result(struct wh_json_writer *w, struct wh_slice json, bool refused)
{
    wh_jw_key(w, "content");
    wh_jw_array(w);
    write_text(w, json);
    wh_jw_end(w);
    wh_jw_key(w, "structuredContent");
    wh_jw_raw(w, json);
    wh_jw_put_bool(w, "isError", refused);
}

static void write_failure(struct wh_json_writer *w, const struct wh_err *err)
{
    wh_jw_key(w, "content");
    wh_jw_array(w);
    write_text(w, wh_slice_str(err->msg));
    wh_jw_end(w);
    wh_jw_put_bool(w, "isError", true);
}

/* What the agent has read, for the log; long arguments are cut. */
static void log_call(const struct api_job *job, const struct tool *tool, const struct aim *aim,
                     const struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf said;
    enum wh_rc rc = WH_OK;
    struct wh_err full;

    wh_buf_init(&said, LOGGED_MAX_BYTES);
    for (size_t i = 0; i < aim->n && rc == WH_OK; i++) {
        struct wh_slice value = aim->args[i].value;

        rc = wh_buf_printf(&said, &full, "%.*s=%.*s ", WH_SLICE_ARG(aim->args[i].name),
                           (int)(value.len < 120 ? value.len : 120), value.ptr);
    }
    wh_log_info(job->api->deps.log, "an agent called a tool", WH_STR("tool", tool->name),
                WH_STR("arguments", said.ptr ? said.ptr : ""),
                WH_STR("result", err->rc == WH_OK ? "ok" : wh_rc_name(err->rc)));
}

enum wh_rc mcp_call_tool(struct api_job *job, struct wh_slice name,
                         const struct wh_json_val *arguments, struct wh_json_writer *w,
                         struct wh_err *err)
{
    const struct tool *tool = find(name);
    WH_AUTO(buf) struct wh_buf json;
    struct wh_err failed = {0};
    struct aim aim = {.n = 0};
    answer_fn answer;
    enum wh_rc rc;

    wh_buf_init(&json, RESULT_MAX_BYTES);
    if (tool == NULL) {
        return wh_fail(err, WH_E_INTERNAL, "there is no such tool");
    }
    answer = tool->answer;
    rc = read_arguments(job, tool, arguments, &aim, &failed);
    if (rc == WH_OK && tool->answer == api_answer_entities) {
        answer = job->id.len ? api_answer_entity : api_answer_url;
        rc = job->id.len || aim.n ? WH_OK : wh_fail(&failed, WH_E_INVALID, "give id or url");
    }
    if (rc == WH_OK) {
        rc = api_capture(job, answer, aim.args, aim.n, &json, &failed);
    }
    log_call(job, tool, &aim, &failed);
    if (rc == WH_OK) {
        write_result(w, wh_buf_slice(&json), job->part_status >= 400);
    } else {
        write_failure(w, &failed);
    }
    return WH_OK;
}
