/* Rows of merge requests, issues, links and milestones. */
#include "tests/gitlab/extras.h"
#include "tests/gitlab/render.h"

static void put_labels(const struct gl_ctx *c, const struct gl_obj *obj, struct gl_out *out)
{
    struct wh_slice names[GL_LABELS];
    size_t n = gl_labels_of(c->project, obj, names);

    gl_out_str(out, "[");
    for (size_t i = 0; i < n; i++) {
        gl_out_tpl(out, "%s'%s'", i ? WH_LIT(",") : WH_LIT(""), names[i]);
    }
    gl_out_str(out, "]");
}

static void put_people(const struct gl_ctx *c, uint32_t user, struct gl_out *out)
{
    gl_out_str(out, "[");
    if (user != GL_NOBODY) {
        gl_out_raw(out, gl_user_json(c->model, user));
    }
    gl_out_str(out, "]");
}

const struct gl_obj *gl_milestone_of(const struct gl_ctx *c, const struct gl_obj *obj)
{
    const struct gl_set *set = &c->project->sets[GL_MILESTONE];
    const struct gl_set *group = &c->model->group_milestones;

    if (obj->milestone >= GL_GROUP_MILESTONE &&
        obj->milestone - GL_GROUP_MILESTONE < (int)group->n) {
        return &group->items[obj->milestone - GL_GROUP_MILESTONE];
    }
    return obj->milestone && obj->milestone <= set->n ? &set->items[obj->milestone - 1] : NULL;
}

static void put_milestone_of(const struct gl_ctx *c, const struct gl_obj *obj, struct gl_out *out)
{
    const struct gl_obj *m = gl_milestone_of(c, obj);

    if (m == NULL) {
        gl_out_str(out, "null");
    } else if (obj->milestone >= GL_GROUP_MILESTONE) {
        gl_render_group_milestone(c->model, m, out);
    } else {
        gl_render_milestone(c, m, out);
    }
}

void gl_render_milestone(const struct gl_ctx *c, const struct gl_obj *m, struct gl_out *out)
{
    char start[GL_TIME_MAX];
    char due[GL_TIME_MAX];
    char title[GL_TITLE_MAX];
    size_t n_start = gl_time_text(m->created_ms, GL_TIME_DATE, start);
    size_t n_due = gl_time_text(m->created_ms + 14ll * 86400000, GL_TIME_DATE, due);

    gl_out_tpl(out,
               "{'id':%d,'iid':%d,'project_id':%d,'title':'%s','description':'','state':'%s',"
               "'created_at':%t,'updated_at':%t,'due_date':'%s','start_date':'%s','expired':%b,"
               "'web_url':'",
               m->id, m->iid, c->project->id, gl_obj_title(c, GL_MILESTONE, m, title),
               wh_slice_str(gl_state_name(m->state)), m->created_ms, m->updated_ms,
               wh_slice(due, n_due), wh_slice(start, n_start), m->state == GL_S_CLOSED);
    gl_render_url(c, GL_MILESTONE, m, out);
    gl_out_str(out, "\"}");
}

/* ---- merge requests ---- */

uint64_t gl_mr_sha_seed(const struct gl_ctx *c, const struct gl_obj *mr)
{
    return (gl_obj_seed(c, mr) ^ 0x3a) + mr->first_job * UINT64_C(0x9e3779b97f4a7c15);
}

struct wh_slice gl_mr_branch(const struct gl_ctx *c, const struct gl_obj *mr,
                             char to[GL_BRANCH_MAX])
{
    return gl_branch(to, gl_obj_seed(c, mr), mr->iid);
}

static void put_mr_state(const struct gl_ctx *c, const struct gl_obj *mr, struct gl_out *out)
{
    bool merged = mr->state == GL_S_MERGED;
    bool closed = mr->state == GL_S_CLOSED;
    struct wh_slice actor = gl_user_json(c->model, mr->actor);
    struct wh_slice null = WH_LIT("null");

    gl_out_tpl(out,
               "'state':'%s','created_at':%t,'updated_at':%t,'merged_by':%s,'merge_user':%s,"
               "'merged_at':%t,'closed_by':%s,'closed_at':%t,",
               wh_slice_str(gl_state_name(mr->state)), mr->created_ms, mr->updated_ms,
               merged ? actor : null, merged ? actor : null, merged ? mr->finished_ms : (int64_t)0,
               closed ? actor : null, closed ? mr->finished_ms : (int64_t)0);
}

static void put_description(const struct gl_ctx *c, const struct gl_obj *obj, struct gl_out *out)
{
    gl_out_tpl(out, "'description':'%s", gl_obj_body(c, obj));
    if (obj->parent) {
        gl_out_tpl(out, "Closes #%d", c->project->sets[GL_ISSUE].items[obj->parent - 1].iid);
    }
    gl_out_str(out, "\",");
}

static void put_mr_tail(const struct gl_ctx *c, const struct gl_obj *mr, struct gl_out *out)
{
    bool draft = mr->flags & GL_F_DRAFT;

    gl_out_tpl(out,
               "'merge_when_pipeline_succeeds':false,'merge_status':'can_be_merged',"
               "'detailed_merge_status':'%s','merge_after':null,'sha':'%h',",
               mr->state != GL_S_OPENED ? WH_LIT("not_open")
               : draft                  ? WH_LIT("draft_status")
                                        : WH_LIT("mergeable"),
               gl_mr_sha_seed(c, mr));
    if (mr->state == GL_S_MERGED) {
        const struct gl_told *told = gl_told(c->project, mr);

        gl_out_tpl(out, "'merge_commit_sha':'%h',",
                   told && told->sha ? told->sha : gl_mr_sha_seed(c, mr) ^ 0x77u);
    } else {
        gl_out_str(out, "\"merge_commit_sha\":null,");
    }
    gl_out_tpl(out,
               "'squash_commit_sha':null,'discussion_locked':null,"
               "'should_remove_source_branch':null,'force_remove_source_branch':true,"
               "'prepared_at':%t,'reference':'!%d','references':{'short':'!%d','relative':'!%d',"
               "'full':'%s!%d'},'web_url':'",
               mr->created_ms + 2000, mr->iid, mr->iid, mr->iid, gl_path(c), mr->iid);
    gl_render_url(c, GL_MR, mr, out);
    gl_out_tpl(out,
               "','time_stats':{'time_estimate':0,'total_time_spent':%d,'human_time_estimate':"
               "null,'human_total_time_spent':null},'squash':false,'squash_on_merge':false,"
               "'task_completion_status':{'count':0,'completed_count':0},'has_conflicts':false,"
               "'blocking_discussions_resolved':true,'approvals_before_merge':null",
               mr->iid % 5 * 600);
}

/* The newest pipeline that ran for it, of the last few; NULL when none did. */
static const struct gl_obj *head_pipeline(const struct gl_ctx *c, const struct gl_obj *mr)
{
    const struct gl_set *set = &c->project->sets[GL_PIPELINE];
    uint32_t pos = gl_set_pos(&c->project->sets[GL_MR], mr);

    for (uint32_t i = 0; i < set->n && i < 2000; i++) {
        const struct gl_obj *p = &set->items[set->n - 1 - i];

        if (p->parent == pos + 1 && !(p->flags & GL_F_GONE)) {
            return p;
        }
    }
    return NULL;
}

static void put_mr_detail(const struct gl_ctx *c, const struct gl_obj *mr, struct gl_out *out)
{
    const struct gl_obj *pipeline = head_pipeline(c, mr);
    uint64_t sha = gl_mr_sha_seed(c, mr);

    gl_out_tpl(out,
               ",'subscribed':false,'changes_count':'%d','latest_build_started_at':%t,"
               "'latest_build_finished_at':%t,'first_deployed_to_production_at':null,'pipeline':",
               mr->iid % 40 + 1, pipeline ? pipeline->started_ms : (int64_t)0,
               pipeline ? pipeline->finished_ms : (int64_t)0);
    if (pipeline) {
        gl_render_pipeline(c, pipeline, false, out);
        gl_out_str(out, ",\"head_pipeline\":");
        gl_render_pipeline(c, pipeline, true, out);
    } else {
        gl_out_str(out, "null,\"head_pipeline\":null");
    }
    gl_out_tpl(out,
               ",'diff_refs':{'base_sha':'%h','head_sha':'%h','start_sha':'%h'},'merge_error':null,"
               "'first_contribution':false,'user':{'can_merge':false}",
               sha ^ 5, sha, sha ^ 5);
}

void gl_render_mr(const struct gl_ctx *c, const struct gl_obj *mr, bool detail, struct gl_out *out)
{
    char title[GL_TITLE_MAX];
    char branch[GL_BRANCH_MAX];

    gl_out_tpl(out, "{'id':%d,'iid':%d,'project_id':%d,'title':'%s',", mr->id, mr->iid,
               c->project->id, gl_obj_title(c, GL_MR, mr, title));
    put_description(c, mr, out);
    put_mr_state(c, mr, out);
    gl_out_tpl(out,
               "'target_branch':'main','source_branch':'%s','user_notes_count':%d,'upvotes':%d,"
               "'downvotes':0,'author':%s,'assignees':",
               gl_mr_branch(c, mr, branch), (int64_t)mr->notes, mr->id % 4,
               gl_user_json(c->model, mr->author));
    put_people(c, mr->assignee, out);
    gl_out_tpl(out, ",'assignee':%s,'reviewers':", gl_user_json(c->model, mr->assignee));
    put_people(c, mr->reviewer, out);
    gl_out_tpl(out, ",'source_project_id':%d,'target_project_id':%d,'labels':", c->project->id,
               c->project->id);
    put_labels(c, mr, out);
    gl_out_tpl(out,
               ",'draft':%b,'imported':false,'imported_from':'none','work_in_progress':%b,"
               "'milestone':",
               (mr->flags & GL_F_DRAFT) != 0, (mr->flags & GL_F_DRAFT) != 0);
    put_milestone_of(c, mr, out);
    gl_out_str(out, ",");
    put_mr_tail(c, mr, out);
    if (detail) {
        put_mr_detail(c, mr, out);
    }
    gl_out_str(out, "}");
}

/* ---- issues ---- */

static const char *upper_severity(const struct gl_obj *issue)
{
    static const char *const names[GL_SEVERITIES] = {"UNKNOWN", "LOW", "MEDIUM", "HIGH",
                                                     "CRITICAL"};

    return names[issue->severity % GL_SEVERITIES];
}

static void put_issue_people(const struct gl_ctx *c, const struct gl_obj *issue, struct gl_out *out)
{
    static const char *const types[GL_T_COUNT] = {"ISSUE", "INCIDENT", "TASK"};

    put_labels(c, issue, out);
    gl_out_str(out, ",\"milestone\":");
    put_milestone_of(c, issue, out);
    gl_out_str(out, ",\"assignees\":");
    put_people(c, issue->assignee, out);
    gl_out_tpl(out, ",'author':%s,'type':'%s','assignee':%s,",
               gl_user_json(c->model, issue->author), wh_slice_str(types[issue->type % GL_T_COUNT]),
               gl_user_json(c->model, issue->assignee));
}

static void put_issue_tail(const struct gl_ctx *c, const struct gl_obj *issue, struct gl_out *out)
{
    struct wh_slice base = gl_base(c->model);
    int64_t p = c->project->id;

    gl_render_url(c, GL_ISSUE, issue, out);
    gl_out_tpl(out,
               "','time_stats':{'time_estimate':%d,'total_time_spent':0,'human_time_estimate':"
               "null,'human_total_time_spent':null},'task_completion_status':{'count':0,"
               "'completed_count':0},'weight':%n,'blocking_issues_count':0,'has_tasks':false,"
               "'_links':{'self':'%s/api/v4/projects/%d/issues/%d',"
               "'notes':'%s/api/v4/projects/%d/issues/%d/notes',"
               "'award_emoji':'%s/api/v4/projects/%d/issues/%d/award_emoji',"
               "'project':'%s/api/v4/projects/%d','closed_as_duplicate_of':null},",
               issue->iid % 4 * 1800, issue->id % 3 ? issue->id % 9 : (int64_t)-1, base, p,
               issue->iid, base, p, issue->iid, base, p, issue->iid, base, p);
    gl_out_tpl(out,
               "'references':{'short':'#%d','relative':'#%d','full':'%s#%d'},'severity':'%s',"
               "'moved_to_id':%n,'imported':false,'imported_from':'none',"
               "'service_desk_reply_to':null,'epic_iid':null,'epic':null,'iteration':null,"
               "'health_status':null",
               issue->iid, issue->iid, gl_path(c), issue->iid, wh_slice_str(upper_severity(issue)),
               issue->moved_to ? (int64_t)issue->moved_to : (int64_t)-1);
}

void gl_render_issue_fields(const struct gl_ctx *c, const struct gl_obj *issue, struct gl_out *out)
{
    char title[GL_TITLE_MAX];

    gl_out_tpl(out,
               "'id':%d,'iid':%d,'project_id':%d,'title':'%s','description':'%s','state':'%s',"
               "'created_at':%t,'updated_at':%t,'closed_at':%t,'closed_by':%s,'labels':",
               issue->id, issue->iid, c->project->id, gl_obj_title(c, GL_ISSUE, issue, title),
               gl_obj_body(c, issue), wh_slice_str(gl_state_name(issue->state)), issue->created_ms,
               issue->updated_ms, issue->finished_ms, gl_user_json(c->model, issue->actor));
    put_issue_people(c, issue, out);
    gl_out_tpl(out,
               "'user_notes_count':%d,'merge_requests_count':%d,'upvotes':%d,'downvotes':0,"
               "'due_date':null,'confidential':%b,'discussion_locked':null,'issue_type':'%s',"
               "'web_url':'",
               (int64_t)issue->notes, issue->id % 2, issue->id % 6,
               (issue->flags & GL_F_CONFIDENTIAL) != 0,
               wh_slice_str(gl_issue_type_name(issue->type)));
    put_issue_tail(c, issue, out);
}

void gl_render_issue(const struct gl_ctx *c, const struct gl_obj *issue, struct gl_out *out)
{
    gl_out_str(out, "{");
    gl_render_issue_fields(c, issue, out);
    gl_out_str(out, "}");
}

void gl_render_link(const struct gl_ctx *c, const struct gl_link *link, uint32_t from,
                    struct gl_out *out)
{
    const struct gl_set *issues = &c->project->sets[GL_ISSUE];
    uint32_t other = link->source == from ? link->target : link->source;
    struct wh_slice type = !link->blocks          ? WH_LIT("relates_to")
                           : link->source == from ? WH_LIT("blocks")
                                                  : WH_LIT("is_blocked_by");

    gl_out_str(out, "{");
    gl_render_issue_fields(c, &issues->items[other], out);
    gl_out_tpl(out,
               ",'issue_link_id':%d,'link_type':'%s','link_created_at':%t,'link_updated_at':%t}",
               link->id, type, link->created_ms, link->created_ms);
}
