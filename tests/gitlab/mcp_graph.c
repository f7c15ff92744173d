/*
 * Tools that GitLab backs by GraphQL or a service: camelCase names, global ids, times in whole
 * seconds, pages by cursor.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/num.h"
#include "common/base/time.h"
#include "tests/gitlab/mcp_read.h"

enum { CURSOR_BYTES = 64 };

bool gl_tool_range(const struct gl_tool_call *t, const char *after, const char *before,
                   struct gl_range *range)
{
    const char *const names[] = {after, before};

    for (size_t i = 0; i < 2; i++) {
        struct wh_slice text = gl_arg(t, names[i]);
        struct wh_instant at;
        struct wh_err err;

        if (text.len == 0) {
            continue;
        }
        if (wh_time_parse(text, &at, &err) != WH_OK) {
            return false;
        }
        if (i == 0) {
            range->low = at.ms;
        } else {
            range->high = at.ms;
        }
        range->given = true;
    }
    return true;
}

bool gl_tool_place(const struct gl_tool_call *t, struct gl_ctx *c, int64_t *ret_number)
{
    struct wh_slice url = gl_arg(t, "url");
    struct wh_slice base = wh_slice_str(t->server->model->base_url);
    const char *mark;
    struct wh_err err;

    if (ret_number) {
        *ret_number = 0;
    }
    if (url.len == 0) {
        struct wh_slice id = gl_arg(t, "project_id");

        return gl_tool_project(t, id.len ? id : gl_arg(t, "id"), c);
    }
    if (!wh_slice_starts(url, base)) {
        return false;
    }
    url = wh_slice_from(url, base.len + 1);
    mark = memmem(url.ptr, url.len, "/-/", 3);
    if (mark && ret_number) {
        const char *slash = memrchr(url.ptr, '/', url.len);

        if (wh_num_i64(wh_slice_from(url, (size_t)(slash - url.ptr) + 1), ret_number, &err) !=
            WH_OK) {
            *ret_number = 0;
        }
    }
    return gl_tool_project(t, wh_slice(url.ptr, mark ? (size_t)(mark - url.ptr) : url.len), c);
}

/* ---- pages ---- */

/* first and after; false and the reason in t->text when they are wrong. */
static bool take_cursor(struct gl_tool_call *t, struct gl_query *q)
{
    struct wh_slice after = gl_arg(t, "after");
    const char *line = after.len ? memchr(after.ptr, '_', after.len) : NULL;
    struct wh_err err;

    q->keyset = true;
    q->per_page = gl_arg_int(t, "first", 20);
    if (q->per_page < 1 || q->per_page > GL_PER_PAGE_MAX) {
        (void)gl_tool_bad(t, "first must be between 1 and 100");
        return false;
    }
    if (after.len == 0) {
        return true;
    }
    if (line == NULL ||
        wh_num_i64(wh_slice(after.ptr, (size_t)(line - after.ptr)), &q->cursor_key, &err) !=
            WH_OK ||
        wh_num_i64(wh_slice_from(after, (size_t)(line - after.ptr) + 1), &q->cursor_id, &err) !=
            WH_OK) {
        (void)gl_tool_bad(t, "after is not a valid cursor");
        return false;
    }
    q->after_cursor = true;
    return true;
}

static int64_t key_of(const struct gl_obj *obj, enum gl_order order)
{
    return order == GL_BY_UPDATED   ? obj->updated_ms
           : order == GL_BY_CREATED ? obj->created_ms
                                    : obj->id;
}

typedef void (*put_fn)(const struct gl_ctx *c, const struct gl_obj *obj, struct gl_out *out);

static void put_connection(struct gl_tool_call *t, const struct gl_ctx *c, enum gl_kind kind,
                           const struct gl_query *q, put_fn put)
{
    const struct gl_set *set = &c->project->sets[kind];
    struct gl_page page;

    gl_select(c->model, c->project, set, q, &page);
    gl_out_str(&t->result, "{\"nodes\":[");
    for (unsigned i = 0; i < page.n; i++) {
        gl_out_str(&t->result, i ? "," : "");
        put(c, &set->items[page.pos[i]], &t->result);
    }
    gl_out_tpl(&t->result, "],'pageInfo':{'hasNextPage':%b,'endCursor':", (int)page.more);
    if (page.n > 0) {
        const struct gl_obj *last = &set->items[page.pos[page.n - 1]];

        gl_out_tpl(&t->result, "'%d_%d'", key_of(last, q->order), last->id);
    } else {
        gl_out_str(&t->result, "null");
    }
    gl_out_str(&t->result, "}}");
}

static bool take_state(const struct gl_tool_call *t, struct gl_query *q)
{
    struct wh_slice state = gl_arg(t, "state");
    static const enum gl_state states[] = {GL_S_OPENED, GL_S_CLOSED, GL_S_MERGED};

    if (state.len == 0 || wh_slice_eq(state, WH_LIT("all"))) {
        return true;
    }
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (wh_slice_eq(state, wh_slice_str(gl_state_name(states[i])))) {
            q->states = 1u << states[i];
            q->filtered = true;
            return true;
        }
    }
    return false;
}

/* ---- merge requests ---- */

static void put_person(const struct gl_ctx *c, uint32_t user, struct gl_out *out)
{
    if (user >= c->model->n_users) {
        gl_out_str(out, "null");
        return;
    }
    gl_out_tpl(out, "{'id':'gid://gitlab/User/%d','username':'%s','name':'%s'}",
               c->model->users[user].id, wh_slice_str(c->model->users[user].username),
               wh_slice_str(c->model->users[user].name));
}

static void put_people(const struct gl_ctx *c, uint32_t user, struct gl_out *out)
{
    gl_out_str(out, "{\"nodes\":[");
    if (user < c->model->n_users) {
        put_person(c, user, out);
    }
    gl_out_str(out, "]}");
}

static void put_label_nodes(const struct gl_ctx *c, const struct gl_obj *obj, struct gl_out *out)
{
    struct wh_slice names[GL_LABELS];
    size_t n = gl_labels_of(c->project, obj, names);

    gl_out_str(out, "{\"nodes\":[");
    for (size_t i = 0; i < n; i++) {
        gl_out_tpl(out, "%s{'title':'%s'}", i ? WH_LIT(",") : WH_LIT(""), names[i]);
    }
    gl_out_str(out, "]}");
}

/* A recorded row's own words; NULL for a generated object. */
static const struct gl_recorded *recorded(const struct gl_ctx *c, const struct gl_obj *obj)
{
    return obj->raw ? &c->project->rows[obj->raw - 1] : NULL;
}

static void put_author(const struct gl_ctx *c, const struct gl_obj *obj, struct gl_out *out)
{
    const struct gl_recorded *row = recorded(c, obj);
    uint32_t user = row ? 0 : obj->author;

    while (row && user < c->model->n_users && c->model->users[user].id != row->author_id) {
        user++;
    }
    put_person(c, user, out);
}

static void put_url(const struct gl_ctx *c, enum gl_kind kind, const struct gl_obj *obj,
                    struct gl_out *out)
{
    const struct gl_recorded *row = recorded(c, obj);

    if (row) {
        gl_out_raw(out, row->url);
    } else {
        gl_render_url(c, kind, obj, out);
    }
}

static void put_mr_head(const struct gl_ctx *c, const struct gl_obj *mr, struct gl_out *out)
{
    char title[GL_TITLE_MAX];
    char branch[GL_BRANCH_MAX];
    const struct gl_recorded *row = recorded(c, mr);

    gl_out_tpl(out,
               "{'id':'gid://gitlab/MergeRequest/%d','iid':'%d','title':'%s','state':'%s',"
               "'sourceBranch':'%s','targetBranch':'main','webUrl':'",
               mr->id, mr->iid, row ? row->title : gl_obj_title(c, GL_MR, mr, title),
               row ? row->state : wh_slice_str(gl_state_name(mr->state)),
               gl_mr_branch(c, mr, branch));
    put_url(c, GL_MR, mr, out);
    gl_out_str(out, "\",\"author\":");
    put_author(c, mr, out);
}

static void put_mr_row(const struct gl_ctx *c, const struct gl_obj *mr, struct gl_out *out)
{
    put_mr_head(c, mr, out);
    gl_out_str(out, "}");
}

enum gl_tool_end gl_tool_list_merge_requests(struct gl_tool_call *t)
{
    struct gl_query q;
    struct gl_ctx c;

    gl_query_init(&q, gl_list_def(GL_MR));
    if (!take_cursor(t, &q)) {
        return GL_TOOL_BAD;
    }
    if (!take_state(t, &q)) {
        return gl_tool_bad(t, "state does not have a valid value");
    }
    if (!gl_tool_place(t, &c, NULL)) {
        return gl_tool_fail(t, "Project not found, or you do not have access to it");
    }
    q.order = GL_BY_ID;
    put_connection(t, &c, GL_MR, &q, put_mr_row);
    return GL_TOOL_OK;
}

enum gl_tool_end gl_tool_graph_merge_request(struct gl_tool_call *t)
{
    const struct gl_obj *mr;
    struct gl_ctx c;
    int64_t iid;
    bool there = gl_tool_place(t, &c, &iid);

    iid = iid ? iid : gl_arg_int(t, "merge_request_iid", -1);
    if (iid < 1) {
        return gl_tool_bad(t, "either url, or project_id and merge_request_iid are needed");
    }
    mr = there ? gl_by_iid(c.project, GL_MR, iid) : NULL;
    if (mr == NULL || mr->raw) {
        return gl_tool_fail(t, "Merge request not found, or you do not have access to it");
    }
    put_mr_head(&c, mr, &t->result);
    gl_out_tpl(&t->result,
               ",'description':'%s','draft':%b,'createdAt':%i,'updatedAt':%i,'mergedAt':%i,"
               "'closedAt':%i,'assignees':",
               gl_obj_body(&c, mr), (mr->flags & GL_F_DRAFT) != 0, mr->created_ms, mr->updated_ms,
               mr->state == GL_S_MERGED ? mr->finished_ms : (int64_t)0,
               mr->state == GL_S_CLOSED ? mr->finished_ms : (int64_t)0);
    put_people(&c, mr->assignee, &t->result);
    gl_out_str(&t->result, ",\"reviewers\":");
    put_people(&c, mr->reviewer, &t->result);
    gl_out_str(&t->result, ",\"labels\":");
    put_label_nodes(&c, mr, &t->result);
    gl_out_str(&t->result, "}");
    return GL_TOOL_OK;
}

/* ---- pipelines ---- */

enum gl_tool_end gl_tool_get_pipeline(struct gl_tool_call *t)
{
    int64_t id = gl_arg_int(t, "pipeline_id", -1);
    const struct gl_obj *p;
    struct gl_ctx c;
    char ref[GL_BRANCH_MAX];

    if (id < 1) {
        return gl_tool_bad(t, "pipeline_id is missing or invalid");
    }
    p = gl_tool_place(t, &c, NULL) ? gl_by_id(c.project, GL_PIPELINE, id) : NULL;
    if (p == NULL || p->raw) {
        return gl_tool_fail(t, "Pipeline not found, or you do not have access to it");
    }
    gl_out_tpl(&t->result,
               "{'id':'gid://gitlab/Ci::Pipeline/%d','iid':'%d','status':'%s','source':'%s',"
               "'ref':'%s','sha':'%h','createdAt':%i,'updatedAt':%i,'startedAt':%i,"
               "'finishedAt':%i,'duration':%f,'user':",
               p->id, p->iid, wh_slice_str(gl_state_name(p->state)),
               wh_slice_str(gl_source_name(p->type)), gl_pipeline_ref(&c, p, ref),
               gl_sha_seed(&c, p), p->created_ms, p->updated_ms, p->started_ms, p->finished_ms,
               gl_seconds(p->started_ms, p->finished_ms));
    put_person(&c, p->author, &t->result);
    gl_out_str(&t->result, "}");
    return GL_TOOL_OK;
}

/* ---- work items ---- */

static const char *const type_names[GL_T_COUNT] = {"Issue", "Incident", "Task"};
static const char *const type_words[GL_T_COUNT] = {"ISSUE", "INCIDENT", "TASK"};

static void put_work_item_head(const struct gl_ctx *c, const struct gl_obj *item,
                               struct gl_out *out)
{
    char title[GL_TITLE_MAX];
    const struct gl_recorded *row = recorded(c, item);
    bool open = row ? wh_slice_eq(row->state, WH_LIT("opened")) : item->state == GL_S_OPENED;

    gl_out_tpl(out,
               "{'id':'gid://gitlab/WorkItem/%d','iid':'%d','title':'%s','state':'%s',"
               "'reference':'%s#%d','createdAt':%i,'updatedAt':%i,"
               "'workItemType':{'name':'%s'},'webUrl':'",
               item->id, item->iid, row ? row->title : gl_obj_title(c, GL_ISSUE, item, title),
               open ? WH_LIT("OPEN") : WH_LIT("CLOSED"), gl_path(c), item->iid, item->created_ms,
               item->updated_ms, wh_slice_str(type_names[item->type % GL_T_COUNT]));
    put_url(c, GL_ISSUE, item, out);
    gl_out_str(out, "\"");
}

static void put_work_item_row(const struct gl_ctx *c, const struct gl_obj *item, struct gl_out *out)
{
    put_work_item_head(c, item, out);
    gl_out_str(out, "}");
}

/* The first of types alone: the connector asks for one at a time, or for all. */
static bool take_types(const struct gl_tool_call *t, struct gl_query *q)
{
    struct wh_slice types = gl_arg(t, "types");

    if (types.len == 0 || types.ptr[0] != '[') {
        return types.len == 0;
    }
    for (int i = 0; i < GL_T_COUNT; i++) {
        if (memmem(types.ptr, types.len, type_words[i], strlen(type_words[i]))) {
            q->type = q->type < 0 ? i : GL_T_COUNT;
            q->filtered = true;
        }
    }
    if (q->type == GL_T_COUNT) {
        q->type = -1;
    }
    return q->filtered || types.len == 2;
}

static bool take_sort(const struct gl_tool_call *t, struct gl_query *q)
{
    static const struct {
        const char *name;
        enum gl_order order;
        bool desc;
    } sorts[] = {{"CREATED_DESC", GL_BY_ID, true},
                 {"CREATED_ASC", GL_BY_ID, false},
                 {"UPDATED_DESC", GL_BY_UPDATED, true},
                 {"UPDATED_ASC", GL_BY_UPDATED, false}};
    struct wh_slice sort = gl_arg(t, "sort");

    q->order = GL_BY_ID;
    q->desc = true;
    for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++) {
        if (wh_slice_eq(sort, wh_slice_str(sorts[i].name))) {
            q->order = sorts[i].order;
            q->desc = sorts[i].desc;
            return true;
        }
    }
    return sort.len == 0;
}

enum gl_tool_end gl_tool_list_work_items(struct gl_tool_call *t)
{
    struct gl_query q;
    struct gl_ctx c;

    gl_query_init(&q, gl_list_def(GL_ISSUE));
    if (!take_cursor(t, &q)) {
        return GL_TOOL_BAD;
    }
    if (!take_state(t, &q) || !take_types(t, &q) || !take_sort(t, &q) ||
        !gl_tool_range(t, "updated_after", "updated_before", &q.updated) ||
        !gl_tool_range(t, "created_after", "created_before", &q.created)) {
        return gl_tool_bad(t, "state, types, sort or a date is invalid");
    }
    q.filtered = q.filtered || q.created.given;
    if ((gl_arg(t, "url").len > 0) + (gl_arg(t, "project_id").len > 0) +
            (gl_arg(t, "group_id").len > 0) !=
        1) {
        return gl_tool_bad(t, "exactly one of url, group_id and project_id is needed");
    }
    if (!gl_tool_place(t, &c, NULL)) {
        return gl_tool_fail(t, "Namespace not found, or you do not have access to it");
    }
    put_connection(t, &c, GL_ISSUE, &q, put_work_item_row);
    return GL_TOOL_OK;
}

static void put_milestone(const struct gl_ctx *c, const struct gl_obj *item, struct gl_out *out)
{
    const struct gl_obj *m = gl_milestone_of(c, item);

    if (m) {
        gl_out_tpl(out, "{'id':'gid://gitlab/Milestone/%d','title':'M'}", m->id);
    } else {
        gl_out_str(out, "null");
    }
}

static void put_widgets(const struct gl_ctx *c, const struct gl_obj *item, struct gl_out *out)
{
    gl_out_tpl(out, ",'widgets':[{'type':'DESCRIPTION'},{'type':'ASSIGNEES','assignees':");
    put_people(c, item->assignee, out);
    gl_out_tpl(out, "},{'type':'LABELS','labels':");
    put_label_nodes(c, item, out);
    gl_out_tpl(out, "},{'type':'MILESTONE','milestone':");
    put_milestone(c, item, out);
    gl_out_tpl(out, "},{'type':'START_AND_DUE_DATE','startDate':null,'dueDate':null}]");
}

enum gl_tool_end gl_tool_get_work_item(struct gl_tool_call *t)
{
    const struct gl_obj *item;
    struct gl_ctx c;
    int64_t iid;
    bool there = gl_tool_place(t, &c, &iid);

    iid = iid ? iid : gl_arg_int(t, "work_item_iid", -1);
    if (iid < 1) {
        return gl_tool_bad(t, "either url, or project_id and work_item_iid are needed");
    }
    item = there ? gl_by_iid(c.project, GL_ISSUE, iid) : NULL;
    if (item == NULL || item->raw) {
        return gl_tool_fail(t, "Work item not found, or you do not have access to it");
    }
    put_work_item_head(&c, item, &t->result);
    gl_out_tpl(&t->result, ",'description':'%s','confidential':%b,'closedAt':%i,'author':",
               gl_obj_body(&c, item), (item->flags & GL_F_CONFIDENTIAL) != 0, item->finished_ms);
    put_person(&c, item->author, &t->result);
    put_widgets(&c, item, &t->result);
    gl_out_str(&t->result, "}");
    return GL_TOOL_OK;
}

/* ---- members ---- */

static const char *level_name(unsigned level)
{
    return level >= 50   ? "Owner"
           : level >= 40 ? "Maintainer"
           : level >= 30 ? "Developer"
           : level >= 20 ? "Reporter"
                         : "Guest";
}

enum gl_tool_end gl_tool_list_members(struct gl_tool_call *t)
{
    const struct gl_set *set;
    struct gl_page page;
    struct gl_query q;
    struct gl_ctx c;

    gl_query_init(&q, gl_list_def(GL_MEMBER));
    if (!take_cursor(t, &q)) {
        return GL_TOOL_BAD;
    }
    if (gl_tool_limited(t, GL_LIMIT_MEMBERS, "project_members") != GL_TOOL_OK) {
        return GL_TOOL_FAILED;
    }
    if (!gl_tool_place(t, &c, NULL)) {
        return gl_tool_fail(t, "Project not found, or you do not have access to it");
    }
    set = &c.project->sets[GL_MEMBER];
    gl_select(c.model, c.project, set, &q, &page);
    gl_out_str(&t->result, "{\"members\":[");
    for (unsigned i = 0; i < page.n; i++) {
        const struct gl_obj *member = &set->items[page.pos[i]];
        const struct gl_user *user = &c.model->users[member->parent];

        gl_out_str(&t->result, i ? "," : "");
        if (member->raw) {
            gl_render(&c, GL_MEMBER, member, false, &t->result);
            continue;
        }
        gl_out_tpl(&t->result,
                   "{'id':%d,'username':'%s','name':'%s','access_level':%d,"
                   "'access_level_name':'%s','expires_at':null}",
                   user->id, wh_slice_str(user->username), wh_slice_str(user->name),
                   (int64_t)member->type, wh_slice_str(level_name(member->type)));
    }
    gl_out_tpl(&t->result, "],'metadata':{'count':%d,'has_more':%b,'end_cursor':", (int64_t)page.n,
               (int)page.more);
    if (page.n > 0) {
        const struct gl_obj *last = &set->items[page.pos[page.n - 1]];

        gl_out_tpl(&t->result, "'%d_%d'}}", key_of(last, q.order), last->id);
    } else {
        gl_out_str(&t->result, "null}}");
    }
    return GL_TOOL_OK;
}
