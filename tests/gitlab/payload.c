/*
 * payload.c - webhook bodies of merge requests, issues, incidents, notes and milestones.
 *
 * Dates: merge requests, notes and milestones "2020-10-06 15:27:18 UTC"; issues ISO without
 * fraction.
 */
#include "tests/gitlab/payload.h"

void gl_payload_user(const struct gl_ctx *c, uint32_t user, struct gl_out *out)
{
    const struct gl_user *u = &c->model->users[user % c->model->n_users];

    gl_out_tpl(out,
               "{'id':%d,'name':'%s','username':'%s','avatar_url':'%s/uploads/-/system/user/avatar/"
               "%d/avatar.png','email':'[REDACTED]'}",
               u->id, wh_slice_str(u->name), wh_slice_str(u->username), gl_base(c->model), u->id);
}

void gl_payload_project(const struct gl_ctx *c, struct gl_out *out)
{
    struct wh_slice base = gl_base(c->model);
    struct wh_slice path = gl_path(c);
    struct wh_slice name = wh_slice_str(c->project->name);

    gl_out_tpl(out,
               "'project':{'id':%d,'name':'%s','description':'%s of the company','web_url':'%s/%s',"
               "'avatar_url':null,'git_ssh_url':'git@gitlab.example.com:%s.git',"
               "'git_http_url':'%s/%s.git','namespace':'acme','visibility_level':0,"
               "'path_with_namespace':'%s','default_branch':'main','ci_config_path':'',"
               "'homepage':'%s/%s','url':'git@gitlab.example.com:%s.git',"
               "'ssh_url':'git@gitlab.example.com:%s.git','http_url':'%s/%s.git'}",
               c->project->id, name, name, base, path, path, base, path, path, base, path, path,
               path, base, path);
}

static void put_repository(const struct gl_ctx *c, struct gl_out *out)
{
    gl_out_tpl(out,
               ",'repository':{'name':'%s','url':'git@gitlab.example.com:%s.git',"
               "'description':'','homepage':'%s/%s'}",
               wh_slice_str(c->project->name), gl_path(c), gl_base(c->model), gl_path(c));
}

static void put_labels(const struct gl_ctx *c, uint16_t mask, bool iso, struct gl_out *out)
{
    bool comma = false;

    gl_out_str(out, "[");
    for (unsigned i = 0; i < GL_LABELS; i++) {
        if (mask >> i & 1) {
            gl_out_tpl(out, "%s{'id':%d,'title':'%s','color':'#428bca','project_id':%d,",
                       comma ? WH_LIT(",") : WH_LIT(""), (int64_t)i + 200, gl_label(i),
                       c->project->id);
            gl_out_tpl(
                out, iso ? "'created_at':%i,'updated_at':%i," : "'created_at':%u,'updated_at':%u,",
                c->project->created_ms, c->project->created_ms);
            gl_out_str(out, "\"template\":false,\"description\":null,\"type\":\"ProjectLabel\","
                            "\"group_id\":null}");
            comma = true;
        }
    }
    gl_out_str(out, "]");
}

static void put_people(const struct gl_ctx *c, const char *key, uint32_t user, struct gl_out *out)
{
    gl_out_tpl(out, ",'%s':[", wh_slice_str(key));
    if (user != GL_NOBODY) {
        gl_payload_user(c, user, out);
    }
    gl_out_str(out, "]");
}

static int64_t user_id(const struct gl_ctx *c, uint32_t user)
{
    return user < c->model->n_users ? c->model->users[user].id : -1;
}

static void put_ids(const struct gl_ctx *c, const char *key, uint32_t user, struct gl_out *out)
{
    gl_out_tpl(out, "'%s':[", wh_slice_str(key));
    if (user != GL_NOBODY) {
        gl_out_tpl(out, "%d", user_id(c, user));
    }
    gl_out_str(out, "],");
}

/* What GitLab says changed: enough to be like it, always with updated_at. */
static void put_changes(const struct gl_ctx *c, const struct gl_event *e, const struct gl_obj *obj,
                        struct gl_out *out)
{
    char old_title[GL_TITLE_MAX];
    char title[GL_TITLE_MAX];
    struct gl_obj was = *obj;

    gl_out_tpl(out, ",'changes':{'updated_at':{'previous':%u,'current':%u}", e->old_updated_ms,
               obj->updated_ms);
    if (e->old_rev != obj->rev) {
        was.rev = e->old_rev;
        gl_out_tpl(out, ",'title':{'previous':'%s','current':'%s'}",
                   gl_obj_title(c, e->kind, &was, old_title), gl_obj_title(c, e->kind, obj, title));
    }
    if (e->old_state != obj->state) {
        gl_out_tpl(out, ",'state_id':{'previous':%d,'current':%d}", (int64_t)e->old_state + 1,
                   (int64_t)obj->state + 1);
    }
    if (e->old_labels != obj->labels) {
        gl_out_str(out, ",\"labels\":{\"previous\":");
        put_labels(c, e->old_labels, false, out);
        gl_out_str(out, ",\"current\":");
        put_labels(c, obj->labels, false, out);
        gl_out_str(out, "}");
    }
    gl_out_str(out, "}");
}

static void put_head(const struct gl_ctx *c, const char *kind, const char *type, uint32_t actor,
                     struct gl_out *out)
{
    gl_out_tpl(out, "{'object_kind':'%s','event_type':'%s','user':", wh_slice_str(kind),
               wh_slice_str(type));
    gl_payload_user(c, actor, out);
    gl_out_str(out, ",");
    gl_payload_project(c, out);
}

/* ---- merge requests ---- */

static void put_mr_fields(const struct gl_ctx *c, const struct gl_obj *mr, struct gl_out *out)
{
    char title[GL_TITLE_MAX];
    char branch[GL_BRANCH_MAX];
    uint64_t sha = gl_mr_sha_seed(c, mr);
    bool draft = mr->flags & GL_F_DRAFT;

    gl_out_tpl(
        out,
        "'id':%d,'iid':%d,'target_branch':'main','source_branch':'%s','source_project_id':%d,"
        "'target_project_id':%d,'author_id':%d,'assignee_id':%n,'title':'%s',"
        "'description':'%s",
        mr->id, mr->iid, gl_mr_branch(c, mr, branch), c->project->id, c->project->id,
        user_id(c, mr->author), user_id(c, mr->assignee), gl_obj_title(c, GL_MR, mr, title),
        gl_obj_body(c, mr));
    if (mr->parent) {
        gl_out_tpl(out, "Closes #%d", c->project->sets[GL_ISSUE].items[mr->parent - 1].iid);
    }
    gl_out_str(out, "\",");
    put_ids(c, "assignee_ids", mr->assignee, out);
    put_ids(c, "reviewer_ids", mr->reviewer, out);
    gl_out_tpl(
        out,
        "'created_at':%u,'updated_at':%u,'prepared_at':%u,'milestone_id':%n,'state':'%s',"
        "'state_id':%d,'blocking_discussions_resolved':true,'work_in_progress':%b,'draft':%b,"
        "'first_contribution':false,'merge_status':'can_be_merged',"
        "'detailed_merge_status':'%s','merge_when_pipeline_succeeds':false,"
        "'merge_user_id':%n,'total_time_spent':0,'time_change':0,",
        mr->created_ms, mr->updated_ms, mr->created_ms + 2000,
        mr->milestone ? c->project->sets[GL_MILESTONE].items[mr->milestone - 1].id : (int64_t)-1,
        wh_slice_str(gl_state_name(mr->state)), (int64_t)mr->state + 1, draft, draft,
        mr->state != GL_S_OPENED ? WH_LIT("not_open")
        : draft                  ? WH_LIT("draft_status")
                                 : WH_LIT("mergeable"),
        mr->state == GL_S_MERGED ? user_id(c, mr->actor) : (int64_t)-1);
    if (mr->state == GL_S_MERGED) {
        gl_out_tpl(out, "'merge_commit_sha':'%h',", sha ^ 0x77u);
    }
    gl_out_tpl(out,
               "'last_commit':{'id':'%h','message':'%s','title':'%s','timestamp':%i,"
               "'url':'%s/%s/-/commit/%h','author':{'name':'Somebody','email':'[REDACTED]'}},"
               "'url':'",
               sha, wh_slice_str("Work"), wh_slice_str("Work"), mr->created_ms, gl_base(c->model),
               gl_path(c), sha);
    gl_render_url(c, GL_MR, mr, out);
    gl_out_str(out, "\",\"labels\":");
    put_labels(c, mr->labels, false, out);
}

static const char *mr_payload(const struct gl_ctx *c, const struct gl_event *e,
                              const struct gl_obj *mr, struct gl_out *out)
{
    put_head(c, "merge_request", "merge_request", e->actor, out);
    put_repository(c, out);
    gl_out_str(out, ",\"object_attributes\":{");
    put_mr_fields(c, mr, out);
    if (e->pushed) {
        gl_out_tpl(out, ",'oldrev':'%h'", gl_mr_sha_seed(c, mr) - UINT64_C(0x9e3779b97f4a7c15));
    }
    gl_out_tpl(out, ",'action':'%s'},'labels':", wh_slice_str(e->action));
    put_labels(c, mr->labels, false, out);
    put_changes(c, e, mr, out);
    put_people(c, "assignees", mr->assignee, out);
    put_people(c, "reviewers", mr->reviewer, out);
    gl_out_str(out, "}");
    return "Merge Request Hook";
}

/* ---- issues and incidents ---- */

static void put_issue_fields(const struct gl_ctx *c, const struct gl_obj *issue, struct gl_out *out)
{
    static const char *const types[GL_T_COUNT] = {"Issue", "Incident", "Task"};
    char title[GL_TITLE_MAX];

    gl_out_tpl(out,
               "'id':%d,'iid':%d,'title':'%s','description':'%s','author_id':%d,'assignee_id':%n,",
               issue->id, issue->iid, gl_obj_title(c, GL_ISSUE, issue, title),
               gl_obj_body(c, issue), user_id(c, issue->author), user_id(c, issue->assignee));
    put_ids(c, "assignee_ids", issue->assignee, out);
    gl_out_tpl(out,
               "'project_id':%d,'created_at':%i,'updated_at':%i,'closed_at':%i,"
               "'updated_by_id':null,'last_edited_at':null,'relative_position':0,"
               "'milestone_id':%n,'state_id':%d,'confidential':%b,'discussion_locked':null,"
               "'due_date':null,'moved_to_id':%n,'duplicated_to_id':null,'time_estimate':%d,"
               "'total_time_spent':0,'time_change':0,'weight':%n,'health_status':null,",
               c->project->id, issue->created_ms, issue->updated_ms, issue->finished_ms,
               issue->milestone ? c->project->sets[GL_MILESTONE].items[issue->milestone - 1].id
                                : (int64_t)-1,
               issue->state == GL_S_OPENED ? (int64_t)1 : (int64_t)2,
               (issue->flags & GL_F_CONFIDENTIAL) != 0,
               issue->moved_to ? (int64_t)issue->moved_to : (int64_t)-1, issue->iid % 4 * 1800,
               issue->id % 3 ? issue->id % 9 : (int64_t)-1);
    gl_out_tpl(out, "'type':'%s','severity':'%s','state':'%s','url':'",
               wh_slice_str(types[issue->type % GL_T_COUNT]),
               wh_slice_str(gl_severity_name(issue->severity)),
               wh_slice_str(gl_state_name(issue->state)));
    gl_render_url(c, GL_ISSUE, issue, out);
    gl_out_str(out, "\",\"labels\":");
    put_labels(c, issue->labels, true, out);
    if (issue->type == GL_T_INCIDENT) {
        gl_out_tpl(out, ",'escalation_status':'%s','escalation_policy':{'id':18,'name':'On call'}",
                   issue->state == GL_S_OPENED ? WH_LIT("triggered") : WH_LIT("resolved"));
    }
}

static const char *issue_payload(const struct gl_ctx *c, const struct gl_event *e,
                                 const struct gl_obj *issue, struct gl_out *out)
{
    bool secret = issue->flags & GL_F_CONFIDENTIAL;
    const char *kind = issue->type == GL_T_ISSUE ? "issue" : "work_item";

    put_head(c, kind, secret ? "confidential_issue" : kind, e->actor, out);
    gl_out_str(out, ",\"object_attributes\":{");
    put_issue_fields(c, issue, out);
    gl_out_tpl(out, ",'action':'%s'},'labels':", wh_slice_str(e->action));
    put_labels(c, issue->labels, true, out);
    put_changes(c, e, issue, out);
    put_repository(c, out);
    put_people(c, "assignees", issue->assignee, out);
    gl_out_str(out, "}");
    return secret ? "Confidential Issue Hook" : "Issue Hook";
}

/* ---- notes and milestones ---- */

static const char *note_payload(const struct gl_ctx *c, const struct gl_event *e,
                                const struct gl_obj *note, struct gl_out *out)
{
    bool on_mr = note->type == GL_MR;
    const struct gl_obj *about = &c->project->sets[on_mr ? GL_MR : GL_ISSUE].items[note->parent];
    bool secret = !on_mr && about->flags & GL_F_CONFIDENTIAL;
    struct wh_slice text = gl_text_body(c->model->text, gl_obj_seed(c, note), 2);

    put_head(c, "note", secret ? "confidential_note" : "note", e->actor, out);
    gl_out_tpl(out, ",'project_id':%d", c->project->id);
    put_repository(c, out);
    gl_out_tpl(out,
               ",'object_attributes':{'id':%d,'note':'%s','description':'%s','noteable_type':'%s',"
               "'author_id':%d,'created_at':%u,'updated_at':%u,'project_id':%d,'attachment':null,"
               "'line_code':null,'commit_id':'','noteable_id':%d,'system':false,'internal':false,"
               "'discussion_id':'%h','type':null,'st_diff':null,'action':'%s','url':'",
               note->id, text, text, on_mr ? WH_LIT("MergeRequest") : WH_LIT("Issue"),
               user_id(c, note->author), note->created_ms, note->updated_ms, c->project->id,
               about->id, gl_obj_seed(c, note), wh_slice_str(e->action));
    gl_render_url(c, on_mr ? GL_MR : GL_ISSUE, about, out);
    gl_out_tpl(out, "#note_%d'},'%s':{", note->id,
               on_mr ? WH_LIT("merge_request") : WH_LIT("issue"));
    if (on_mr) {
        put_mr_fields(c, about, out);
    } else {
        put_issue_fields(c, about, out);
    }
    gl_out_str(out, "}}");
    return secret ? "Confidential Note Hook" : "Note Hook";
}

static const char *milestone_payload(const struct gl_ctx *c, const struct gl_event *e,
                                     const struct gl_obj *m, struct gl_out *out)
{
    char title[GL_TITLE_MAX];
    char due[GL_TIME_MAX];
    char start[GL_TIME_MAX];
    size_t n_due = gl_time_text(m->created_ms + 14ll * 86400000, GL_TIME_DATE, due);
    size_t n_start = gl_time_text(m->created_ms, GL_TIME_DATE, start);

    gl_out_str(out, "{\"object_kind\":\"milestone\",\"event_type\":\"milestone\",");
    gl_payload_project(c, out);
    gl_out_tpl(out,
               ",'object_attributes':{'id':%d,'iid':%d,'title':'%s','description':'','state':'%s',"
               "'created_at':%u,'updated_at':%u,'due_date':'%s','start_date':'%s','group_id':null,"
               "'project_id':%d},'action':'%s'}",
               m->id, m->iid, gl_obj_title(c, GL_MILESTONE, m, title),
               wh_slice_str(gl_state_name(m->state)), m->created_ms, m->updated_ms,
               wh_slice(due, n_due), wh_slice(start, n_start), c->project->id,
               wh_slice_str(e->action));
    return "Milestone Hook";
}

const char *gl_payload(struct gl_model *model, const struct gl_event *e, struct gl_out *out)
{
    struct gl_ctx c = {model, &model->projects[e->project], e->project};
    const struct gl_obj *obj = &c.project->sets[e->kind].items[e->pos];

    switch (e->kind) {
    case GL_MR:
        return mr_payload(&c, e, obj, out);
    case GL_ISSUE:
        return issue_payload(&c, e, obj, out);
    case GL_NOTE:
        return note_payload(&c, e, obj, out);
    case GL_MILESTONE:
        return milestone_payload(&c, e, obj, out);
    case GL_PIPELINE:
        gl_payload_pipeline(&c, obj, out);
        return "Pipeline Hook";
    case GL_JOB:
        gl_payload_job(&c, obj, out);
        return "Job Hook";
    case GL_DEPLOYMENT:
        gl_payload_deployment(&c, obj, out);
        return "Deployment Hook";
    case GL_RELEASE:
        gl_payload_release(&c, obj, e->action, out);
        return "Release Hook";
    case GL_ENVIRONMENT:
    case GL_MEMBER:
    case GL_KIND_COUNT:
    default:
        return NULL;
    }
}
