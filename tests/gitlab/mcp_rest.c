/* Tools that GitLab backs by its REST routes: the same rows, without the headers. */
#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/num.h"
#include "tests/gitlab/mcp_read.h"

enum { PATH_BYTES = 512 };

bool gl_tool_project(const struct gl_tool_call *t, struct wh_slice text, struct gl_ctx *c)
{
    struct gl_model *model = t->server->model;
    struct wh_buf path;
    struct wh_err err;
    int64_t id = 0;
    bool number = wh_num_i64(text, &id, &err) == WH_OK;
    bool found = false;

    wh_buf_init(&path, PATH_BYTES);
    if (text.len == 0 || wh_percent_decode(text, false, &path, &err) != WH_OK) {
        return false;
    }
    for (uint32_t i = 0; i < model->n_projects && !found; i++) {
        struct gl_project *p = &model->projects[i];

        if (gl_project_seen(p) &&
            (number ? p->id == id : wh_slice_eq(wh_buf_slice(&path), wh_slice_str(p->path)))) {
            *c = (struct gl_ctx){model, p, i};
            found = true;
        }
    }
    wh_buf_done(&path);
    return found;
}

enum gl_tool_end gl_tool_limited(struct gl_tool_call *t, enum gl_limit limit, const char *name)
{
    struct gl_faults *f = &t->server->faults;
    int64_t now_s = gl_now_ms(t->server->model) / 1000;

    if (!gl_endpoint_limited(f, limit, t->call->who.user, now_s)) {
        return GL_TOOL_OK;
    }
    gl_out_tpl(&t->result,
               "{'error':{'type':'rate_limited','retry_after_seconds':%d,'limit':'%s',"
               "'message':'This endpoint has been requested too many times. Try again later.'}}",
               60 - now_s % 60, wh_slice_str(name));
    return gl_tool_fail(t, "429 Too Many Requests");
}

enum gl_tool_end gl_tool_version(struct gl_tool_call *t)
{
    gl_out_tpl(&t->result, "{'version':'%s'}", wh_slice_str(gl_version_text(&t->server->quirks)));
    return GL_TOOL_OK;
}

static enum gl_tool_end one(struct gl_tool_call *t, enum gl_kind kind, const char *number)
{
    int64_t iid = gl_arg_int(t, number, -1);
    const struct gl_obj *obj;
    struct gl_ctx c;

    if (gl_arg(t, "id").len == 0) {
        return gl_tool_bad(t, "id is missing");
    }
    if (iid < 1) {
        return gl_tool_bad(t, "the object's number is missing or invalid");
    }
    if (!gl_tool_project(t, gl_arg(t, "id"), &c)) {
        return gl_tool_fail(t, "404 Project Not Found");
    }
    obj = gl_by_iid(c.project, kind, iid);
    if (obj == NULL) {
        return gl_tool_fail(t, "404 Not found");
    }
    gl_render(&c, kind, obj, true, &t->result);
    return GL_TOOL_OK;
}

enum gl_tool_end gl_tool_get_issue(struct gl_tool_call *t)
{
    return one(t, GL_ISSUE, "issue_iid");
}

enum gl_tool_end gl_tool_get_merge_request(struct gl_tool_call *t)
{
    return one(t, GL_MR, "merge_request_iid");
}

/* page and per_page; false when one is no number. */
static bool take_pages(const struct gl_tool_call *t, struct gl_query *q)
{
    q->page = gl_arg_int(t, "page", 1);
    q->per_page = gl_arg_int(t, "per_page", 20);
    if (q->page < 1 || q->per_page < 1) {
        return false;
    }
    q->per_page = q->per_page > GL_PER_PAGE_MAX ? GL_PER_PAGE_MAX : q->per_page;
    return true;
}

static void put_items(struct gl_tool_call *t, const struct gl_ctx *c, enum gl_kind kind,
                      const struct gl_page *page, const char *key)
{
    gl_out_tpl(&t->result, "{'%s':[", wh_slice_str(key));
    for (unsigned i = 0; i < page->n; i++) {
        gl_out_str(&t->result, i ? "," : "");
        gl_render(c, kind, &c->project->sets[kind].items[page->pos[i]], false, &t->result);
    }
    gl_out_str(&t->result, "]");
}

/* Every array says that there is no more: only a short page ends a listing. */
static void put_no_more(struct gl_tool_call *t, unsigned n)
{
    gl_out_tpl(&t->result, ",'metadata':{'count':%d,'has_more':false}}", (int64_t)n);
}

enum gl_tool_end gl_tool_list_pipelines(struct gl_tool_call *t)
{
    struct wh_slice order = gl_arg(t, "order_by");
    struct gl_page page;
    struct gl_query q;
    struct gl_ctx c;

    gl_query_init(&q, gl_list_def(GL_PIPELINE));
    if (gl_arg(t, "id").len == 0) {
        return gl_tool_bad(t, "id is missing");
    }
    if (!take_pages(t, &q) || !gl_tool_range(t, "created_after", "created_before", &q.created)) {
        return gl_tool_bad(t, "page, per_page or a date is invalid");
    }
    if (order.len > 0 && !wh_slice_eq(order, WH_LIT("id")) &&
        !wh_slice_eq(order, WH_LIT("updated_at"))) {
        return gl_tool_bad(t, "order_by does not have a valid value");
    }
    if (!gl_tool_project(t, gl_arg(t, "id"), &c)) {
        return gl_tool_fail(t, "404 Project Not Found");
    }
    q.filtered = q.created.given;
    q.order = wh_slice_eq(order, WH_LIT("updated_at")) ? GL_BY_UPDATED : GL_BY_ID;
    q.desc = !wh_slice_eq(gl_arg(t, "sort"), WH_LIT("asc"));
    gl_select(c.model, c.project, &c.project->sets[GL_PIPELINE], &q, &page);
    put_items(t, &c, GL_PIPELINE, &page, "items");
    put_no_more(t, page.n);
    return GL_TOOL_OK;
}

enum gl_tool_end gl_tool_get_pipeline_jobs(struct gl_tool_call *t)
{
    int64_t id = gl_arg_int(t, "pipeline_id", -1);
    const struct gl_obj *pipeline;
    struct gl_page page;
    struct gl_query q;
    struct gl_ctx c;

    gl_query_init(&q, gl_list_def(GL_JOB));
    if (gl_arg(t, "id").len == 0 || id < 1 || !take_pages(t, &q)) {
        return gl_tool_bad(t, "id, pipeline_id, page or per_page is missing or invalid");
    }
    if (gl_tool_limited(t, GL_LIMIT_JOBS, "project_jobs") != GL_TOOL_OK) {
        return GL_TOOL_FAILED;
    }
    if (!gl_tool_project(t, gl_arg(t, "id"), &c)) {
        return gl_tool_fail(t, "404 Project Not Found");
    }
    pipeline = gl_by_id(c.project, GL_PIPELINE, id);
    if (pipeline == NULL) {
        return gl_tool_fail(t, "404 Not found");
    }
    if (pipeline->raw) {
        q.pipeline_id = id;
        q.filtered = true;
    } else {
        q.from_pos = pipeline->first_job;
        q.to_pos = pipeline->first_job + pipeline->n_jobs;
    }
    gl_select(c.model, c.project, &c.project->sets[GL_JOB], &q, &page);
    put_items(t, &c, GL_JOB, &page, "items");
    put_no_more(t, page.n);
    return GL_TOOL_OK;
}

enum gl_tool_end gl_tool_list_releases(struct gl_tool_call *t)
{
    struct gl_page page;
    struct gl_query q;
    struct gl_ctx c;

    gl_query_init(&q, gl_list_def(GL_RELEASE));
    if (!take_pages(t, &q)) {
        return gl_tool_bad(t, "page or per_page is invalid");
    }
    if (!gl_tool_place(t, &c, NULL)) {
        return gl_tool_fail(t, "404 Project Not Found");
    }
    /* What is scheduled for a later date is left out. */
    if (!wh_slice_eq(gl_arg(t, "state"), WH_LIT("all"))) {
        q.finished.high = wh_clock_now_ms(&c.model->clock);
        q.filtered = true;
    }
    gl_select(c.model, c.project, &c.project->sets[GL_RELEASE], &q, &page);
    put_items(t, &c, GL_RELEASE, &page, "releases");
    gl_out_tpl(&t->result, ",'metadata':{'page':%d,'per_page':%d,'has_more':%b}}", q.page,
               q.per_page, (int)page.more);
    return GL_TOOL_OK;
}

/* ---- search ---- */

static char lower(char ch)
{
    return ch >= 'A' && ch <= 'Z' ? (char)(ch + 'a' - 'A') : ch;
}

static bool contains(struct wh_slice text, struct wh_slice word)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        size_t n = 0;

        while (n < word.len && lower(text.ptr[i + n]) == lower(word.ptr[n])) {
            n++;
        }
        if (n == word.len) {
            return true;
        }
    }
    return false;
}

struct search {
    struct gl_query q;
    struct wh_slice word;
    int64_t seen;
    unsigned n;
};

static void search_project(struct gl_tool_call *t, const struct gl_ctx *c, enum gl_kind kind,
                           struct search *s)
{
    const struct gl_set *set = &c->project->sets[kind];
    char title[GL_TITLE_MAX];

    for (uint32_t i = 0; i < set->n_live && !c->project->recorded; i++) {
        const struct gl_obj *obj = &set->items[set->by_id[set->n_live - 1 - i]];

        if (!contains(gl_obj_title(c, kind, obj, title), s->word)) {
            continue;
        }
        if (s->seen++ >= (s->q.page - 1) * s->q.per_page && s->n < s->q.per_page) {
            gl_out_str(&t->result, s->n++ ? "," : "");
            gl_render(c, kind, obj, false, &t->result);
        }
    }
}

static enum gl_tool_end search_projects(struct gl_tool_call *t, const struct gl_model *model,
                                        struct wh_slice word)
{
    unsigned n = 0;

    gl_out_str(&t->result, "{\"items\":[");
    for (uint32_t i = 0; i < model->n_projects; i++) {
        if (gl_project_seen(&model->projects[i]) &&
            contains(wh_slice_str(model->projects[i].path), word)) {
            gl_out_str(&t->result, n++ ? "," : "");
            gl_render_project(model, i, &t->result);
        }
    }
    gl_out_str(&t->result, "]");
    put_no_more(t, n);
    return GL_TOOL_OK;
}

enum gl_tool_end gl_tool_get_project(struct gl_tool_call *t)
{
    struct gl_ctx c;

    if (!gl_tool_place(t, &c, NULL)) {
        return gl_tool_fail(t, "Project not found or inaccessible");
    }
    gl_out_tpl(&t->result, "{'id':%d,'fullPath':'%s'}", c.project->id, gl_path(&c));
    return GL_TOOL_OK;
}

enum gl_tool_end gl_tool_search(struct gl_tool_call *t)
{
    struct wh_slice scope = gl_arg(t, "scope");
    struct wh_slice project = gl_arg(t, "project_id");
    bool mrs = wh_slice_eq(scope, WH_LIT("merge_requests"));
    struct search s = {.word = gl_arg(t, "search")};
    struct gl_model *model = t->server->model;
    struct gl_ctx c = {.model = model};

    if (s.word.len == 0 || scope.len == 0 || !take_pages(t, &s.q)) {
        return gl_tool_bad(t, "scope or search is missing, or a page is invalid");
    }
    if (wh_slice_eq(scope, WH_LIT("projects"))) {
        return search_projects(t, model, s.word);
    }
    if (!mrs && !wh_slice_eq(scope, WH_LIT("issues")) &&
        !wh_slice_eq(scope, WH_LIT("work_items"))) {
        return gl_tool_bad(t, "scope does not have a valid value");
    }
    if (project.len && !gl_tool_project(t, project, &c)) {
        return gl_tool_fail(t, "404 Project Not Found");
    }
    gl_out_str(&t->result, "{\"items\":[");
    for (uint32_t i = 0; i < model->n_projects; i++) {
        if (project.len ? &model->projects[i] == c.project : gl_project_seen(&model->projects[i])) {
            struct gl_ctx at = {model, &model->projects[i], i};

            search_project(t, &at, mrs ? GL_MR : GL_ISSUE, &s);
        }
    }
    gl_out_str(&t->result, "]");
    put_no_more(t, s.n);
    return GL_TOOL_OK;
}
