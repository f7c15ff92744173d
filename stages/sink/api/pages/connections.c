/* Connections: what is read, how far, and what is wrong; and how one begins and ends. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/pages/connection_parts.h"

enum { BODY_MAX_BYTES = 16 << 10, ANSWER_MAX_BYTES = 1 << 20, PATH_BYTES = 256 };

/* ---- what the forms do ---- */

static enum wh_rc object_with(const char *key, struct wh_slice value, bool oauth,
                              struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, key, value);
    if (oauth) {
        wh_jw_put_bool(&w, "oauth", true);
    }
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

/* Begins a connect by approval, and leads to the page that shows its steps. */
static enum wh_rc connect(struct api_job *job, struct wh_err *err)
{
    struct wh_slice url = api_arg(&job->request, "url");
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, PAGE_DEPTH_MAX);
    WH_AUTO(buf) struct wh_buf body;
    struct wh_json_val root;
    char path[PATH_BYTES];
    enum wh_rc rc;

    wh_buf_init(&body, BODY_MAX_BYTES);
    rc = url.len ? object_with("url", url, true, &body, err)
                 : wh_fail(err, WH_E_INVALID, "type the address of a GitLab");
    if (rc == WH_OK) {
        rc = part_call(job, "POST", "/api/v1/connections", wh_buf_slice(&body), parser, &root, err);
    }
    if (rc == WH_OK && !part_is_name(wh_json_get_str(root, "session"))) {
        rc = wh_fail(err, WH_E_UNAVAILABLE, "the fetcher's answer names no session");
    }
    if (rc == WH_OK) {
        (void)snprintf(path, sizeof(path), "/connects/%.*s",
                       WH_SLICE_ARG(wh_json_get_str(root, "session")));
        rc = page_go(job, wh_slice_str(path), err);
    }
    wh_json_parser_free(parser);
    return rc;
}

/* The address to which GitLab wanted to lead the browser, pasted. */
static enum wh_rc paste(struct api_job *job, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, PAGE_DEPTH_MAX);
    WH_AUTO(buf) struct wh_buf body;
    struct wh_json_val root;
    char path[PATH_BYTES];
    enum wh_rc rc;

    wh_buf_init_secret(&body, BODY_MAX_BYTES);
    rc = part_is_name(job->id)
             ? object_with("url", api_arg(&job->request, "url"), false, &body, err)
             : wh_fail(err, WH_E_NOT_FOUND, "no such session");
    if (rc == WH_OK) {
        (void)snprintf(path, sizeof(path), "/api/v1/connects/%.*s/redirect", WH_SLICE_ARG(job->id));
        rc = part_call(job, "POST", path, wh_buf_slice(&body), parser, &root, err);
    }
    wh_json_parser_free(parser);
    return rc;
}

static const struct {
    const char *name;
    bool confirmed; /* the connection's name is typed first */
} deeds[] = {
    {"sync", false},      {"verify", false}, {"confirm-deletes", false},
    {"disconnect", true}, {"purge", true},
};

static enum wh_rc find_deed(const struct api_job *job, const char **ret, struct wh_err *err)
{
    struct wh_slice asked = api_arg(&job->request, "do");

    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        if (!wh_slice_eq(asked, wh_slice_str(deeds[i].name))) {
            continue;
        }
        if (deeds[i].confirmed && !wh_slice_eq(api_arg(&job->request, "name"), job->id)) {
            return wh_fail(err, WH_E_INVALID,
                           "that is not the name of the connection; nothing was done");
        }
        *ret = deeds[i].name;
        return WH_OK;
    }
    return wh_fail(err, WH_E_INVALID, "this page does not know that action");
}

static enum wh_rc act(struct api_job *job, struct wh_err *err)
{
    struct wh_json_parser *parser;
    struct wh_json_val root;
    const char *deed;
    char path[PATH_BYTES];
    enum wh_rc rc;

    if (!part_is_name(job->id)) {
        return wh_fail(err, WH_E_NOT_FOUND, "no such connection");
    }
    if (find_deed(job, &deed, err) != WH_OK) {
        return err->rc;
    }
    parser = wh_json_parser_new(ANSWER_MAX_BYTES, PAGE_DEPTH_MAX);
    (void)snprintf(path, sizeof(path), "/api/v1/connections/%.*s/%s", WH_SLICE_ARG(job->id), deed);
    rc = part_call(job, "POST", path, wh_slice("", 0), parser, &root, err);
    wh_json_parser_free(parser);
    return rc == WH_OK && strcmp(deed, "purge") == 0 ? page_go(job, WH_LIT("/connections"), err)
                                                     : rc;
}

/* ---- the pages ---- */

static enum wh_rc part_can_connect(struct api_job *job, struct wh_err *err)
{
    struct api_json j;

    api_json_begin(&j);
    wh_jw_put_bool(&j.w, "possible", api_control_is_there(job));
    return api_json_end(&j, job, err);
}

static const struct api_page pages[] = {
    {.path = "/connections",
     .file = "connections",
     .title = "Connections",
     .section = "/connections",
     .act = connect,
     .parts =
         {{.name = "connections",
           .sql =
               "select c.id, c.instance, c.state, c.detail, c.gitlab_version, c.updated_at, "
               "(select max(finished_at) from runs r where r.connection = c.id) as last_run, "
               "nullif((select count(*) from streams s where s.connection = c.id), 0) as streams, "
               "(select count(*) from streams s where s.connection = c.id and s.state in "
               "('late', 'failing')) as streams_late, (select sum(missing) from completeness m "
               "where m.connection = c.id) as missing from connections c order by c.id"},
          {.name = "fetcher", .answer = part_fetcher},
          {.name = "control", .answer = part_can_connect},
          {.name = "status", .answer = api_answer_status},
          {.name = "freshness", .answer = part_freshness}}},
    {.path = "/connections/*",
     .file = "connection",
     .title = "Connection",
     .section = "/connections",
     .named_by_id = true,
     .act = act,
     .parts =
         {{.name = "connection",
           .sql = "select id, instance, state, detail, gitlab_version, created_at, updated_at, "
                  "nullif(state in ('disabled', 'to_configure'), 0) as ended, nullif(instance like "
                  "'import:%', 0) as imported from connections where id = :id"},
          {.name = "fetcher", .answer = part_fetcher},
          {.name = "streams", .answer = part_streams, .has_rows = true},
          {.name = "completeness",
           .sql = "select coalesce(p.path, c.source_project_id) as project, c.stream, c.expected, "
                  "c.have, c.missing, c.deleted, c.hidden, c.moved, c.no_access, c.held, "
                  "c.checked_at from completeness c join connections n on n.id = c.connection "
                  "left join projects p on p.source_id = c.source_project_id || '' and "
                  "p.instance = n.instance where c.connection = :id order by c.missing desc, 1, 2 "
                  "limit 200"},
          {.name = "repairs",
           .sql = "select r.started_at, c.source_kind as kind, c.repaired as missed_by_webhook, "
                  "c.deleted, c.new, c.changed from run_changes c join runs r on r.run = c.run "
                  "and r.connection = c.connection where c.connection = :id and (c.repaired > 0 "
                  "or c.deleted > 0) order by c.run desc, 2 limit 50"},
          {.name = "runs",
           .sql = "select kind, state, started_at, finished_at, read, new, changed, repaired, "
                  "deleted, requests, error from runs where connection = :id order by run desc "
                  "limit 20"},
          {.name = "webhooks",
           .sql = "select coalesce(p.path, w.source_project_id) as project, w.event, "
                  "w.last_delivery, w.deliveries from webhook_health w join connections n on n.id "
                  "= w.connection left join projects p on p.source_id = "
                  "w.source_project_id || '' and p.instance = n.instance where w.connection = :id "
                  "order "
                  "by w.last_delivery desc limit 100"},
          {.name = "set_aside",
           .sql = "select view, pointer, count, reason, example from set_aside where connection = "
                  ":id order by count desc limit 20"}}},
    {.path = "/connects/*",
     .file = "connect",
     .title = "Connecting",
     .section = "/connections",
     .act = paste,
     .parts = {{.name = "session", .answer = part_session}}},
};

const struct page_area page_area_connections = PAGE_AREA(pages);
