/* The routes of the API, all of them reads. */
#include <stdio.h>

#include "common/base/num.h"
#include "tests/gitlab/extras.h"
#include "tests/gitlab/rest.h"

enum { PARTS_MAX = 6, PATH_BYTES = 512 };

struct parts {
    struct wh_slice part[PARTS_MAX];
    size_t n;
};

/* What follows the project in a path, and the kind it lists. */
static const struct {
    const char *name;
    enum gl_kind kind;
} collections[] = {
    {"merge_requests", GL_MR}, {"issues", GL_ISSUE},           {"pipelines", GL_PIPELINE},
    {"jobs", GL_JOB},          {"deployments", GL_DEPLOYMENT}, {"environments", GL_ENVIRONMENT},
    {"releases", GL_RELEASE},  {"milestones", GL_MILESTONE},
};

static void split(struct wh_slice path, struct parts *parts)
{
    parts->n = 0;
    while (path.len > 0 && parts->n < PARTS_MAX) {
        const char *slash = memchr(path.ptr, '/', path.len);
        size_t len = slash ? (size_t)(slash - path.ptr) : path.len;

        parts->part[parts->n++] = wh_slice(path.ptr, len);
        path = wh_slice_from(path, slash ? len + 1 : len);
    }
}

static bool part_is(const struct parts *p, size_t i, const char *text)
{
    return i < p->n && wh_slice_eq(p->part[i], wh_slice_str(text));
}

static int64_t part_number(const struct parts *p, size_t i)
{
    struct wh_err err;
    int64_t v;

    return i < p->n && wh_num_i64(p->part[i], &v, &err) == WH_OK ? v : -1;
}

static void not_found(struct gl_call *call, const char *what)
{
    gl_rest_fail(call, 404, "message", what);
}

/* ---- lists ---- */

typedef void (*render_fn)(const struct gl_ctx *c, enum gl_kind kind, uint32_t pos,
                          struct gl_out *out);

static void render_object(const struct gl_ctx *c, enum gl_kind kind, uint32_t pos,
                          struct gl_out *out)
{
    gl_render(c, kind, &c->project->sets[kind].items[pos], false, out);
}

static void render_user(const struct gl_ctx *c, enum gl_kind kind, uint32_t pos, struct gl_out *out)
{
    (void)kind;
    gl_render_user(c->model, pos, true, out);
}

static void render_project(const struct gl_ctx *c, enum gl_kind kind, uint32_t pos,
                           struct gl_out *out)
{
    (void)kind;
    gl_render_project(c->model, pos, out);
}

static void send_page(struct gl_call *call, const struct gl_ctx *c, enum gl_kind kind,
                      const struct gl_set *set, const struct gl_query *q, render_fn render,
                      const char *path)
{
    const struct gl_quirks *quirks = &call->server->quirks;
    const char *base = quirks->page_headers == GL_PAGES_ELSEWHERE ? "http://gitlab.internal:8080"
                                                                  : c->model->base_url;
    struct gl_page page;

    gl_select(c->model, c->project, set, q, &page);
    gl_out_str(&call->out, "[");
    for (unsigned i = 0; i < page.n; i++) {
        if (quirks->bad_id && set->items[page.pos[i]].id == quirks->bad_id) {
            call->out.len = 0;
            gl_out_str(&call->out, "{\"message\":\"500 Internal Server Error\"}");
            gl_rest_send(call, 500);
            return;
        }
        gl_out_str(&call->out, i ? "," : "");
        render(c, kind, page.pos[i], &call->out);
    }
    gl_out_str(&call->out, "]");
    if (quirks->page_headers != GL_PAGES_WITHOUT) {
        gl_page_headers(&call->headers, q, &page, set, base, path, wh_http_raw_query(call->req));
    }
    gl_rest_send(call, 200);
}

/* False when the parameters were refused, and that was answered. */
static bool parse(struct gl_call *call, const struct gl_list_def *def, enum gl_kind kind,
                  struct gl_query *q)
{
    struct gl_refusal refusal;

    gl_query_parse(call->req, def, kind, q, &refusal);
    if (refusal.status) {
        call->out.len = 0;
        gl_out_str(&call->out, refusal.body);
        gl_rest_send(call, refusal.status);
        return false;
    }
    return true;
}

/* Things change while somebody pages: the classic way to miss rows. */
static void insert_mid_listing(struct gl_call *call, const struct gl_ctx *c, enum gl_kind kind,
                               const struct gl_query *q)
{
    if (q->page < 2 && !q->after_cursor) {
        return;
    }
    for (int64_t i = 0; i < call->server->faults.insert_mid_listing; i++) {
        (void)gl_mutate_insert(c->model, c->project_index, kind);
    }
}

static void list(struct gl_call *call, const struct gl_ctx *c, enum gl_kind kind,
                 const char *collection)
{
    char path[PATH_BYTES];
    struct gl_query q;

    if (!parse(call, gl_list_def(kind), kind, &q)) {
        return;
    }
    (void)snprintf(path, sizeof(path), "/api/v4/projects/%lld/%s", (long long)c->project->id,
                   collection);
    insert_mid_listing(call, c, kind, &q);
    if (kind == GL_PIPELINE && c->model->extras) {
        q.no_children = true;
        q.filtered = true;
    }
    if (kind == GL_MILESTONE && gl_asks(call->req, "include_ancestors")) {
        gl_extras_milestones(call, c, &q, path);
        return;
    }
    send_page(call, c, kind, &c->project->sets[kind], &q, render_object, path);
}

static void list_pipeline_jobs(struct gl_call *call, const struct gl_ctx *c,
                               const struct gl_obj *pipeline)
{
    char path[PATH_BYTES];
    struct gl_query q;

    if (!parse(call, gl_list_def(GL_JOB), GL_JOB, &q)) {
        return;
    }
    if (c->model->extras && !gl_asks(call->req, "include_retried")) {
        q.no_retried = true;
        q.filtered = true;
    }
    if (pipeline->raw) {
        q.pipeline_id = pipeline->id;
        q.filtered = true;
    } else {
        q.from_pos = pipeline->first_job;
        q.to_pos = pipeline->first_job + pipeline->n_jobs;
    }
    (void)snprintf(path, sizeof(path), "/api/v4/projects/%lld/pipelines/%lld/jobs",
                   (long long)c->project->id, (long long)pipeline->id);
    send_page(call, c, GL_JOB, &c->project->sets[GL_JOB], &q, render_object, path);
}

/* Notes of a merge request or issue. */
static void list_notes(struct gl_call *call, const struct gl_ctx *c, enum gl_kind kind,
                       const struct gl_obj *of)
{
    char path[PATH_BYTES];
    struct gl_query q;

    if (!parse(call, gl_list_def(GL_NOTE), GL_NOTE, &q)) {
        return;
    }
    q.note_kind = (int)kind;
    q.note_of = gl_set_pos(&c->project->sets[kind], of);
    q.filtered = true;
    (void)snprintf(path, sizeof(path), "/api/v4/projects/%lld/%s/%lld/notes",
                   (long long)c->project->id, kind == GL_MR ? "merge_requests" : "issues",
                   (long long)of->iid);
    send_page(call, c, GL_NOTE, &c->project->sets[GL_NOTE], &q, render_object, path);
}

/* ---- single objects ---- */

static struct gl_obj *find_release(const struct gl_ctx *c, const struct parts *p)
{
    const struct gl_set *set = &c->project->sets[GL_RELEASE];
    char title[GL_TITLE_MAX];

    for (uint32_t i = 0; i < set->n; i++) {
        if (wh_slice_eq(gl_obj_title(c, GL_RELEASE, &set->items[i], title), p->part[1])) {
            return &set->items[i];
        }
    }
    return NULL;
}

static struct gl_obj *find(const struct gl_ctx *c, enum gl_kind kind, const struct parts *p)
{
    int64_t number = part_number(p, 1);

    if (kind == GL_RELEASE) {
        return find_release(c, p);
    }
    return kind == GL_MR || kind == GL_ISSUE ? gl_by_iid(c->project, kind, number)
                                             : gl_by_id(c->project, kind, number);
}

static void closes_issues(struct gl_call *call, const struct gl_ctx *c, const struct gl_obj *mr)
{
    const struct gl_set *issues = &c->project->sets[GL_ISSUE];
    const struct gl_obj *issue = mr->parent ? &issues->items[mr->parent - 1] : NULL;
    struct gl_page page = {0};
    char path[PATH_BYTES];
    struct gl_query q;

    if (!parse(call, gl_list_def(GL_NOTE), GL_NOTE, &q)) {
        return;
    }
    page.total = issue && !(issue->flags & GL_F_GONE);
    page.n = q.page == 1 ? (unsigned)page.total : 0;
    gl_out_str(&call->out, "[");
    if (page.n) {
        gl_render(c, GL_ISSUE, issue, false, &call->out);
    }
    gl_out_str(&call->out, "]");
    (void)snprintf(path, sizeof(path), "/api/v4/projects/%lld/merge_requests/%lld/closes_issues",
                   (long long)c->project->id, (long long)mr->iid);
    gl_page_headers(&call->headers, &q, &page, issues, c->model->base_url, path,
                    wh_http_raw_query(call->req));
    gl_rest_send(call, 200);
}

static void links(struct gl_call *call, const struct gl_ctx *c, const struct gl_obj *issue)
{
    uint32_t pos = gl_set_pos(&c->project->sets[GL_ISSUE], issue);
    bool comma = false;

    gl_out_str(&call->out, "[");
    for (uint32_t i = 0; issue->flags & GL_F_LINKED && i < c->project->n_links; i++) {
        const struct gl_link *link = &c->project->links[i];
        uint32_t other = link->source == pos ? link->target : link->source;

        if ((link->source == pos || link->target == pos) &&
            !(c->project->sets[GL_ISSUE].items[other].flags & GL_F_GONE)) {
            gl_out_str(&call->out, comma ? "," : "");
            gl_render_link(c, link, pos, &call->out);
            comma = true;
        }
    }
    gl_out_str(&call->out, "]");
    gl_rest_send(call, 200);
}

static void object(struct gl_call *call, const struct gl_ctx *c, enum gl_kind kind,
                   const struct parts *p)
{
    const struct gl_obj *obj = find(c, kind, p);

    if (obj == NULL) {
        not_found(call, kind == GL_RELEASE ? "404 Not Found" : "404 Not found");
    } else if (p->n == 2) {
        gl_render(c, kind, obj, true, &call->out);
        gl_rest_send(call, 200);
    } else if (p->n == 3 && kind == GL_MR && part_is(p, 2, "closes_issues")) {
        closes_issues(call, c, obj);
    } else if (p->n == 3 && kind == GL_ISSUE && part_is(p, 2, "links")) {
        links(call, c, obj);
    } else if (p->n == 3 && kind == GL_PIPELINE && part_is(p, 2, "jobs")) {
        list_pipeline_jobs(call, c, obj);
    } else if (p->n == 3 && kind == GL_PIPELINE && part_is(p, 2, "bridges")) {
        gl_extras_bridges(call, c, obj);
    } else if (p->n == 3 && (kind == GL_MR || kind == GL_ISSUE) && part_is(p, 2, "notes")) {
        list_notes(call, c, kind, obj);
    } else {
        gl_rest_fail(call, 404, "error", "404 Not Found");
    }
}

/* ---- projects ---- */

/* Paths come decoded, so a full path is matched against those that are known. */
static bool path_leads(struct wh_slice rest, const char *path)
{
    struct wh_slice p = path ? wh_slice_str(path) : (struct wh_slice){0};

    return p.len > 0 && wh_slice_starts(rest, p) && (rest.len == p.len || rest.ptr[p.len] == '/');
}

static void moved(struct gl_call *call, const struct gl_ctx *c, struct wh_slice rest)
{
    struct wh_slice query = wh_http_raw_query(call->req);
    struct gl_out url = {0};

    gl_out_tpl(&url, "%s/api/v4/projects/%d%s%s%s", gl_base(c->model), c->project->id, rest,
               query.len ? WH_LIT("?") : WH_LIT(""), query);
    gl_header(&call->headers, "Location", "%.*s", WH_SLICE_ARG(gl_out_slice(&url)));
    gl_out_tpl(&call->out, "'This resource has been moved permanently to %s.'", gl_out_slice(&url));
    gl_out_done(&url);
    gl_rest_send(call, 301);
}

/* Only those with a maintainer's rights see webhooks. project NULL: those of a group, none. */
static void hooks(struct gl_call *call, const struct parts *p, const struct gl_project *project)
{
    bool one = project && p->n == 2;

    if (!call->who.hooks) {
        gl_rest_fail(call, 403, "message", "403 Forbidden");
        return;
    }
    if (one && (part_number(p, 1) != gl_hooks_id(project) || !gl_hooks_on(call->server->hooks))) {
        not_found(call, "404 Not found");
        return;
    }
    gl_out_str(&call->out, one ? "" : "[");
    if (project && gl_hooks_on(call->server->hooks)) {
        gl_hooks_render_hook(call->server->hooks, project, &call->out);
    }
    gl_out_str(&call->out, one ? "" : "]");
    gl_rest_send(call, 200);
}

static void project_route(struct gl_call *call, const struct gl_ctx *c, struct wh_slice rest)
{
    struct parts p;

    split(wh_slice_from(rest, 1), &p);
    if (p.n == 0) {
        gl_render_project(c->model, c->project_index, &call->out);
        gl_rest_send(call, 200);
        return;
    }
    if (part_is(&p, 0, "jobs") || part_is(&p, 2, "jobs")) {
        if (gl_rest_limited(call, GL_LIMIT_JOBS)) {
            return;
        }
    }
    if (part_is(&p, 0, "hooks")) {
        hooks(call, &p, c->project);
        return;
    }
    if (part_is(&p, 0, "members") && (p.n == 1 || (p.n == 2 && part_is(&p, 1, "all")))) {
        if (!gl_rest_limited(call, GL_LIMIT_MEMBERS)) {
            list(call, c, GL_MEMBER, "members/all");
        }
        return;
    }
    for (size_t i = 0; i < sizeof(collections) / sizeof(collections[0]); i++) {
        if (part_is(&p, 0, collections[i].name)) {
            if (p.n == 1) {
                list(call, c, collections[i].kind, collections[i].name);
            } else {
                object(call, c, collections[i].kind, &p);
            }
            return;
        }
    }
    gl_rest_fail(call, 404, "error", "404 Not Found");
}

static void projects_route(struct gl_call *call, struct wh_slice rest)
{
    struct gl_model *model = call->server->model;
    struct gl_ctx c = {.model = model};
    const char *slash = memchr(rest.ptr, '/', rest.len);
    size_t n_first = slash ? (size_t)(slash - rest.ptr) : rest.len;
    struct wh_err err;
    int64_t id = 0;
    bool number = wh_num_i64(wh_slice(rest.ptr, n_first), &id, &err) == WH_OK;

    for (uint32_t i = 0; i < model->n_projects; i++) {
        c.project = &model->projects[i];
        c.project_index = i;
        if (!gl_project_seen(c.project)) {
            continue;
        }
        if (number ? c.project->id == id : path_leads(rest, c.project->path)) {
            project_route(call, &c,
                          wh_slice_from(rest, number ? n_first : strlen(c.project->path)));
            return;
        }
        if (!number && path_leads(rest, c.project->old_path)) {
            moved(call, &c, wh_slice_from(rest, strlen(c.project->old_path)));
            return;
        }
    }
    not_found(call, "404 Project Not Found");
}

static void take_project_filters(const struct gl_call *call, struct gl_query *q)
{
    struct wh_slice archived = wh_http_query(call->req, "archived");

    if (wh_slice_eq(wh_http_query(call->req, "membership"), WH_LIT("true"))) {
        q->type = 0;
        q->filtered = true;
    }
    if (archived.len) {
        q->states = 1u << (wh_slice_eq(archived, WH_LIT("true")) ? GL_S_STOPPED : GL_S_OPENED);
        q->filtered = true;
    }
}

static void list_projects(struct gl_call *call)
{
    struct gl_ctx c = {.model = call->server->model};
    struct gl_query q;

    if (parse(call, &gl_projects_list, GL_MEMBER, &q)) {
        take_project_filters(call, &q);
        send_page(call, &c, GL_MEMBER, &c.model->project_set, &q, render_project,
                  "/api/v4/projects");
    }
}

/* ---- users and the server itself ---- */

static void users_route(struct gl_call *call, const struct parts *p)
{
    struct gl_ctx c = {.model = call->server->model};
    int64_t id = part_number(p, 1);
    struct gl_query q;

    if (p->n == 1) {
        if (parse(call, &gl_users_list, GL_MEMBER, &q)) {
            send_page(call, &c, GL_MEMBER, &c.model->user_set, &q, render_user, "/api/v4/users");
        }
        return;
    }
    for (uint32_t i = 0; i < c.model->n_users && p->n == 2; i++) {
        if (c.model->users[i].id == id) {
            gl_render_user(c.model, i, true, &call->out);
            gl_rest_send(call, 200);
            return;
        }
    }
    not_found(call, "404 User Not Found");
}

static void self_token(struct gl_call *call)
{
    const struct gl_model *model = call->server->model;

    gl_out_tpl(&call->out,
               "{'id':77,'name':'wellhead','revoked':false,'created_at':%t,'description':null,"
               "'scopes':['read_api'],'user_id':%d,'last_used_at':%t,'active':true,"
               "'expires_at':'2030-01-01'}",
               (int64_t)1748736000000, model->users[0].id, model->last_ms);
    gl_rest_send(call, 200);
}

static void metadata(struct gl_call *call, bool full)
{
    gl_out_tpl(&call->out, "{'version':'%s','revision':'5ca1ab1e'",
               wh_slice_str(gl_version_text(&call->server->quirks)));
    if (full) {
        gl_out_str(&call->out,
                   ",\"kas\":{\"enabled\":false,\"externalUrl\":null,"
                   "\"externalK8sProxyUrl\":null,\"version\":null},\"enterprise\":true");
    }
    gl_out_str(&call->out, "}");
    gl_rest_send(call, 200);
}

void gl_route(struct gl_call *call)
{
    struct wh_slice rest = wh_slice_from(call->path, strlen("/api/v4/"));
    struct parts p;

    split(rest, &p);
    if (part_is(&p, 0, "projects") && p.n > 1) {
        projects_route(call, wh_slice_from(rest, strlen("projects/")));
    } else if (part_is(&p, 0, "groups") && part_is(&p, 2, "hooks") && p.n == 3) {
        hooks(call, &p, NULL);
    } else if (part_is(&p, 0, "projects")) {
        list_projects(call);
    } else if (part_is(&p, 0, "users")) {
        if (!gl_rest_limited(call, GL_LIMIT_USERS)) {
            users_route(call, &p);
        }
    } else if (part_is(&p, 0, "user") && p.n == 1) {
        gl_render_user(call->server->model, 0, true, &call->out);
        gl_rest_send(call, 200);
    } else if (p.n == 1 && (part_is(&p, 0, "version") || part_is(&p, 0, "metadata"))) {
        metadata(call, part_is(&p, 0, "metadata"));
    } else if (part_is(&p, 0, "personal_access_tokens") && part_is(&p, 1, "self") && p.n == 2) {
        self_token(call);
    } else {
        gl_rest_fail(call, 404, "error", "404 Not Found");
    }
}
