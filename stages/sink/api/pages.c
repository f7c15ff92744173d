/*
 * The pages: each is a table entry of parts, which are answers of this API or SQL statements, and a template that
 * shows them. PATH.json gives the parts themselves, PATH.csv the rows of the first part that has rows.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_copy.h"
#include "stages/sink/api/api_priv.h"
#include "stages/sink/page/render.h"

enum {
    PARTS_MAX = 6,
    PART_MAX_BYTES = 8 << 20,
    DOCUMENT_MAX_BYTES = 24 << 20,
    DEPTH_MAX = 64,
    ARGS_MAX = 130
};

struct part {
    const char *name;
    enum wh_rc (*answer)(struct api_job *job, struct wh_err *err);
    const char *sql;   /* instead of answer; :id is the part of the path */
    const char *needs; /* an argument without which the part is left out; NULL: none */
};

struct api_page {
    const char *path; /* '*' stands for one segment */
    const char *file; /* the template */
    const char *title;
    struct part parts[PARTS_MAX];
};

static enum wh_rc answer_fields(struct api_job *job, struct wh_err *err);
static enum wh_rc answer_tables(struct api_job *job, struct wh_err *err);

static const struct api_page pages[] = {
    {"/",
     "home",
     "Home",
     {{.name = "status", .answer = api_answer_status},
      {.name = "incidents",
       .sql =
           "select i.id as incident, i.title, i.severity, i.created_at, i.project_path, i.url from "
           "incidents i "
           "where i.state = 'opened' order by i.created_at desc limit 20"},
      {.name = "pipelines",
       .sql =
           "select p.id, p.project_path || ' #' || p.source_id as name, p.ref, p.status, "
           "p.updated_at, "
           "p.url from pipelines p join "
           "projects r on r.id = p.project where p.status = 'failed' and p.ref = r.default_branch "
           "and "
           "p.updated_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7 days') order by p.updated_at "
           "desc limit 20"},
      {.name = "changes",
       .sql = "select id, type, title, state, author_name, updated_at from work_items order by "
              "updated_at "
              "desc limit 20"}}},
    {"/connections",
     "connections",
     "Connections",
     {{.name = "status", .answer = api_answer_status},
      {.name = "connections",
       .sql = "select id, instance, state, detail, updated_at from connections order by id"},
      {.name = "streams",
       .sql =
           "select connection, stream, state, read_by, credential, at_gitlab, counted_by, missing, "
           "last_success, reason "
           "from streams order by 1, 2"},
      {.name = "completeness",
       .sql =
           "select p.path as project, c.stream, c.expected, c.have, c.missing, c.deleted, c.held, "
           "c.checked_at from completeness c join connections n on n.id = c.connection left join "
           "projects p on p.source_project_id = "
           "c.source_project_id and p.instance = n.instance order by 1, 2 limit 500"},
      {.name = "runs",
       .sql =
           "select connection, kind, state, started_at, finished_at, read, new, changed, repaired, "
           "deleted, requests, error from runs order by run desc limit 20"},
      {.name = "webhooks",
       .sql = "select w.connection, p.path as project, w.event, w.last_delivery, w.deliveries from "
              "webhook_health w left join projects p on p.source_project_id = w.source_project_id "
              "order "
              "by "
              "w.last_delivery desc limit 100"}}},
    {"/incidents",
     "incidents",
     "Incidents",
     {{.name = "incidents",
       .sql = "select id as incident, title, severity, state, created_at, closed_at, project_path, "
              "url "
              "from incidents "
              "order by created_at desc limit 500"}}},
    {"/incidents/*", "incident", "Incident", {{.name = "impact", .answer = api_answer_impact}}},
    {"/t/*",
     "records",
     "Records",
     {{.name = "list", .answer = api_answer_entities},
      {.name = "tables", .answer = answer_tables}}},
    {"/e/*",
     "entity",
     "Record",
     {{.name = "entity", .answer = api_answer_entity},
      {.name = "fields", .answer = answer_fields},
      {.name = "links",
       .sql = "select relation, to_kind as kind, to_id as record, to_url as url, version_at as "
              "since from "
              "links where from_id = :id union all select relation || ' (of)', from_kind, from_id, "
              "from_url, version_at from links where to_id = :id limit 200"},
      {.name = "revisions",
       .sql =
           "select version_at, origin, observed_at, changed, view, topic, \"partition\", "
           "\"offset\" "
           "from revisions where entity_id = :id and revision order by version desc limit 100"}}},
    {"/ask", "ask", "Ask", {{.name = "answer", .answer = api_answer_ask, .needs = "q"}}},
    {"/sql", "sql", "SQL", {{.name = "result", .answer = api_answer_sql, .needs = "sql"}}},
    {"/model", "model", "Model", {{.name = "kinds", .answer = api_answer_kinds}}},
};

/* ---- paths ---- */

static bool fits(const char *pattern, struct wh_slice path, struct wh_slice *ret_id)
{
    size_t n = strlen(pattern);

    *ret_id = wh_slice(NULL, 0);
    if (n > 1 && pattern[n - 1] == '*') {
        if (path.len < n || memcmp(path.ptr, pattern, n - 1) != 0 ||
            memchr(path.ptr + n - 1, '/', path.len - n + 1)) {
            return false;
        }
        *ret_id = wh_slice_from(path, n - 1);
        return true;
    }
    return wh_slice_eq(path, wh_slice_str(pattern));
}

static bool cut_end(struct wh_slice *path, const char *end)
{
    size_t n = strlen(end);

    if (path->len <= n || memcmp(path->ptr + path->len - n, end, n) != 0) {
        return false;
    }
    path->len -= n;
    return true;
}

const struct api_page *api_page_find(struct wh_slice path, enum api_twin *ret_twin,
                                     struct wh_slice *ret_id)
{
    *ret_twin = cut_end(&path, ".json")  ? API_TWIN_JSON
                : cut_end(&path, ".csv") ? API_TWIN_CSV
                                         : API_TWIN_HTML;
    if (*ret_twin != API_TWIN_HTML && wh_slice_eq(path, WH_LIT("/index"))) {
        path = WH_LIT("/");
    }
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (fits(pages[i].path, path, ret_id)) {
            return &pages[i];
        }
    }
    return NULL;
}

/* ---- parts ---- */

static size_t part_args(const struct api_job *job, const struct part *part,
                        struct api_arg args[ARGS_MAX])
{
    size_t n = 0;

    if (part->sql) {
        args[n++] = (struct api_arg){WH_LIT("sql"), wh_slice_str(part->sql)};
        args[n] = (struct api_arg){WH_LIT("id"), job->id};
        return job->id.ptr ? n + 1 : n;
    }
    if (part->answer == api_answer_entities) {
        args[n++] = (struct api_arg){WH_LIT("kind"), job->id};
    }
    for (size_t i = 0; i < job->request.n_args && n < ARGS_MAX; i++) {
        args[n++] = job->request.args[i];
    }
    return n;
}

/* The answer of a part. A statement has arguments of its own; a list knows its table. */
static enum wh_rc capture(struct api_job *job, const struct part *part, struct wh_buf *out,
                          struct wh_err *err)
{
    struct api_arg args[ARGS_MAX];
    size_t n = part_args(job, part, args);

    return api_capture(job, part->answer ? part->answer : api_answer_sql, args, n, out, err);
}

/* ---- parts of their own ---- */

/* The fields of the entity one by one, each with the revision that set it. */
static void write_field(struct wh_json_writer *w, struct wh_slice name, struct wh_json_val v,
                        struct wh_json_val set_by, struct wh_json_val versions)
{
    struct wh_json_val version;
    struct wh_json_val setter;
    struct wh_json_val at;
    bool is_list = wh_json_type(v) == WH_JSON_ARRAY;

    wh_jw_object(w);
    wh_jw_put_str(w, "name", name);
    wh_jw_key(w, is_list ? "items" : "value");
    wh_jw_value(w, v);
    wh_jw_put_bool(w, "long", wh_json_type(v) == WH_JSON_STRING && wh_json_string(v).len > 80);
    if (wh_json_get(set_by, name, &version) &&
        wh_json_get(versions, wh_json_string(version), &setter)) {
        if (wh_json_get(setter, WH_LIT("version_at"), &at)) {
            wh_jw_put_str(w, "at", wh_json_string(at));
        }
        if (wh_json_get(setter, WH_LIT("view"), &at)) {
            wh_jw_put_str(w, "view", wh_json_string(at));
        }
    }
    wh_jw_end(w);
}

static enum wh_rc write_fields(struct api_job *job, struct wh_slice entity, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(PART_MAX_BYTES, DEPTH_MAX);
    struct wh_json_val root;
    struct wh_json_val fields;
    struct wh_json_val set_by;
    struct wh_json_val versions;
    struct wh_json_iter it;
    struct wh_json_val v;
    struct wh_slice key;
    struct api_json j;

    if (parser == NULL || wh_json_parse(parser, entity, &root, err) != WH_OK) {
        wh_json_parser_free(parser);
        return parser ? err->rc : wh_fail(err, WH_E_NOMEM, "no memory for a parser");
    }
    api_json_begin(&j);
    wh_jw_key(&j.w, "list");
    wh_jw_array(&j.w);
    if (wh_json_get(root, WH_LIT("fields"), &fields) &&
        wh_json_get(root, WH_LIT("set_by"), &set_by) &&
        wh_json_get(root, WH_LIT("set_by_versions"), &versions)) {
        it = wh_json_iter(fields);
        while (wh_json_next(&it, &key, &v)) {
            write_field(&j.w, key, v, set_by, versions);
        }
    }
    wh_jw_end(&j.w);
    wh_json_parser_free(parser);
    return api_json_end(&j, job, err);
}

static enum wh_rc answer_fields(struct api_job *job, struct wh_err *err)
{
    const struct part entity = {.name = "entity", .answer = api_answer_entity};
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, PART_MAX_BYTES);
    return capture(job, &entity, &text, err) == WH_OK ? write_fields(job, wh_buf_slice(&text), err)
                                                      : err->rc;
}

static enum wh_rc answer_tables(struct api_job *job, struct wh_err *err)
{
    const struct sql_table_info *tables;
    struct api_json j;
    size_t n;

    tables = sql_tables(&n);
    api_json_begin(&j);
    wh_jw_key(&j.w, "list");
    wh_jw_array(&j.w);
    for (size_t i = 0; i < n; i++) {
        if (tables[i].kind != WH_KIND_NONE) {
            wh_jw_object(&j.w);
            wh_jw_put_str(&j.w, "name", wh_slice_str(tables[i].name));
            wh_jw_put_bool(&j.w, "current", wh_slice_eq(job->id, wh_slice_str(tables[i].name)));
            wh_jw_end(&j.w);
        }
    }
    wh_jw_end(&j.w);
    return api_json_end(&j, job, err);
}

/* ---- the document ---- */

static const struct {
    const char *name;
    const char *href;
} navigation[] = {{"Home", "/"},   {"Incidents", "/incidents"},     {"Records", "/t/work_items"},
                  {"SQL", "/sql"}, {"Connections", "/connections"}, {"Model", "/model"}};

static void write_navigation(struct wh_json_writer *w, const struct api_page *page)
{
    wh_jw_key(w, "nav");
    wh_jw_array(w);
    for (size_t i = 0; i < sizeof(navigation) / sizeof(navigation[0]); i++) {
        wh_jw_object(w);
        wh_jw_put_str(w, "name", wh_slice_str(navigation[i].name));
        wh_jw_put_str(w, "href", wh_slice_str(navigation[i].href));
        wh_jw_put_bool(w, "current",
                       page && strncmp(page->path, navigation[i].href,
                                       page->path[1] == 't' ? 3 : sizeof("/connections")) == 0);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

/* "/incidents" -> "/incidents.json?..."; the first page's name is index. */
static void write_twin(struct wh_json_writer *w, const struct api_job *job, const char *key,
                       const char *end)
{
    bool first = wh_slice_eq(job->request.path, WH_LIT("/"));
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;

    wh_buf_init(&text, API_HEADER_MAX_BYTES);
    if (wh_buf_append(&text, first ? WH_LIT("/index") : job->request.path, &err) == WH_OK &&
        wh_buf_append(&text, wh_slice_str(end), &err) == WH_OK &&
        (job->request.query.len == 0 ||
         (wh_buf_append_char(&text, '?', &err) == WH_OK &&
          wh_buf_append(&text, job->request.query, &err) == WH_OK))) {
        wh_jw_put_str(w, key, wh_buf_slice(&text));
    }
}

static void write_page(struct wh_json_writer *w, const struct api_job *job, const char *title)
{
    struct sink *sink = job->api->deps.sink;

    wh_jw_key(w, "page");
    wh_jw_object(w);
    wh_jw_put_str(w, "title",
                  job->id.len && job->page && job->page->path[1] == 't' ? job->id
                                                                        : wh_slice_str(title));
    wh_jw_put_ms(w, "at", wh_clock_now_ms(&job->api->deps.clock));
    wh_jw_put_int(w, "sequence", sink ? (int64_t)sink_sequence(sink) : 0);
    wh_jw_put_str(w, "q", api_arg(&job->request, "q"));
    wh_jw_put_str(w, "sql", api_arg(&job->request, "sql"));
    write_twin(w, job, "json", ".json");
    write_twin(w, job, "csv", ".csv");
    wh_jw_end(w);
}

static bool is_asked(const struct api_job *job, const struct part *part)
{
    return part->needs == NULL || api_arg(&job->request, part->needs).len > 0;
}

/* The message of a part that fails becomes the member "error". The page fails when its first part does. */
static enum wh_rc write_parts(struct api_job *job, struct wh_json_writer *w, struct wh_err *err)
{
    for (size_t i = 0; i < PARTS_MAX && job->page->parts[i].name; i++) {
        const struct part *part = &job->page->parts[i];
        WH_AUTO(buf) struct wh_buf text;

        wh_buf_init(&text, PART_MAX_BYTES);
        if (!is_asked(job, part)) {
            continue;
        }
        if (capture(job, part, &text, err) == WH_OK) {
            wh_jw_key(w, part->name);
            wh_jw_raw(w, wh_buf_slice(&text));
        } else if (i == 0 && part->needs == NULL) {
            return err->rc;
        } else {
            wh_jw_put_str(w, "error", wh_slice_str(err->msg));
        }
    }
    return WH_OK;
}

static enum wh_rc write_html(struct api_job *job, const char *file, struct wh_slice document,
                             struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(DOCUMENT_MAX_BYTES, DEPTH_MAX);
    WH_AUTO(buf) struct wh_buf html;
    struct wh_json_val root;
    enum wh_rc rc;

    wh_buf_init(&html, RENDER_MAX_BYTES);
    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a page");
    }
    rc = wh_json_parse(parser, document, &root, err);
    if (rc == WH_OK) {
        rc = page_render(file, root, &html, err);
    }
    wh_json_parser_free(parser);
    job->content_type = API_HTML;
    return rc == WH_OK ? api_spool_write(&job->out, wh_buf_slice(&html), err) : rc;
}

static void begin(struct api_json *j, const struct api_job *job, const char *title)
{
    api_json_begin(j);
    write_navigation(&j->w, job->page);
    write_page(&j->w, job, title);
}

static enum wh_rc answer_error(struct api_job *job, const struct wh_err *failed, struct wh_err *err)
{
    struct api_json j;
    enum wh_rc rc;

    job->status = api_status_of(failed->rc);
    begin(&j, job, job->status == 404 ? "Not found" : "This page could not be made");
    wh_jw_put_str(&j.w, "error", wh_slice_str(failed->msg));
    wh_jw_end(&j.w);
    rc = wh_jw_finish(&j.w, err);
    if (rc == WH_OK) {
        rc = write_html(job, "error", wh_buf_slice(&j.buf), err);
    }
    wh_buf_done(&j.buf);
    return rc;
}

/* Is the answer a table, which can be a CSV file too? */
static bool has_rows(const struct part *part)
{
    return part->sql || part->answer == api_answer_entities || part->answer == api_answer_sql;
}

static enum wh_rc answer_rows(struct api_job *job, struct wh_err *err)
{
    const struct part *part = &job->page->parts[0];
    struct api_arg args[ARGS_MAX];
    size_t n;

    for (size_t i = 0; i < PARTS_MAX && job->page->parts[i].name; i++) {
        if (has_rows(&job->page->parts[i])) {
            part = &job->page->parts[i];
            break;
        }
    }
    n = part_args(job, part, args);
    if (api_set_args(job, args, n, err) != WH_OK ||
        api_add_arg(job, "_format", WH_LIT("csv"), err) != WH_OK) {
        return err->rc;
    }
    return part->answer ? part->answer(job, err) : api_answer_sql(job, err);
}

enum wh_rc api_answer_page(struct api_job *job, struct wh_err *err)
{
    struct api_json j;
    struct wh_err failed;
    enum wh_rc rc;

    if (job->twin == API_TWIN_CSV) {
        return answer_rows(job, err);
    }
    begin(&j, job, job->page->title);
    rc = write_parts(job, &j.w, err);
    if (rc != WH_OK) {
        failed = *err;
        wh_buf_done(&j.buf);
        return job->twin == API_TWIN_HTML ? answer_error(job, &failed, err) : rc;
    }
    if (job->twin == API_TWIN_JSON) {
        job->content_type = "application/json";
        return api_json_end(&j, job, err);
    }
    wh_jw_end(&j.w);
    rc = wh_jw_finish(&j.w, err);
    if (rc == WH_OK) {
        rc = write_html(job, job->page->file, wh_buf_slice(&j.buf), err);
    }
    wh_buf_done(&j.buf);
    return rc;
}
