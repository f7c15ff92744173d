/* Webhook bodies of pipelines, jobs, deployments and releases: none of them has an updated_at. */
#include "tests/gitlab/payload.h"

static const struct gl_obj *pipeline_of(const struct gl_ctx *c, const struct gl_obj *job)
{
    return &c->project->sets[GL_PIPELINE].items[job->parent];
}

static void put_short_mr(const struct gl_ctx *c, const struct gl_obj *pipeline, struct gl_out *out)
{
    const struct gl_obj *mr;
    char title[GL_TITLE_MAX];
    char branch[GL_BRANCH_MAX];

    if (pipeline->parent == 0) {
        gl_out_str(out, "null");
        return;
    }
    mr = &c->project->sets[GL_MR].items[pipeline->parent - 1];
    gl_out_tpl(out,
               "{'id':%d,'iid':%d,'title':'%s','source_branch':'%s','source_project_id':%d,"
               "'target_branch':'main','target_project_id':%d,'state':'%s',"
               "'merge_status':'can_be_merged','detailed_merge_status':'mergeable','url':'",
               mr->id, mr->iid, gl_obj_title(c, GL_MR, mr, title), gl_mr_branch(c, mr, branch),
               c->project->id, c->project->id, wh_slice_str(gl_state_name(mr->state)));
    gl_render_url(c, GL_MR, mr, out);
    gl_out_str(out, "\"}");
}

static void put_runner(const struct gl_obj *job, struct gl_out *out)
{
    if (job->started_ms == 0) {
        gl_out_str(out, "null");
        return;
    }
    gl_out_tpl(out,
               "{'id':12,'description':'shared-runner-%d','runner_type':'instance_type',"
               "'active':true,'is_shared':true,'tags':['docker']}",
               job->id % 4 + 1);
}

static void put_build(const struct gl_ctx *c, const struct gl_obj *job, struct gl_out *out)
{
    const struct gl_job_def *def = gl_job_def(job->type);

    gl_out_tpl(
        out,
        "{'id':%d,'stage':'%s','name':'%s','status':'%s','created_at':%u,'started_at':%u,"
        "'finished_at':%u,'duration':%f,'queued_duration':%f,'failure_reason':%s,"
        "'when':'on_success','manual':false,'allow_failure':%b,'user':",
        job->id, wh_slice_str(def->stage), wh_slice_str(def->name),
        wh_slice_str(gl_state_name(job->state)), job->created_ms, job->started_ms, job->finished_ms,
        gl_seconds(job->started_ms, job->finished_ms), gl_seconds(job->created_ms, job->started_ms),
        job->state == GL_S_FAILED ? WH_LIT("\"script_failure\"") : WH_LIT("null"), job->type == 2);
    gl_payload_user(c, job->author, out);
    gl_out_str(out, ",\"runner\":");
    put_runner(job, out);
    gl_out_str(out, ",\"artifacts_file\":{\"filename\":null,\"size\":null},\"environment\":null}");
}

static void put_builds(const struct gl_ctx *c, const struct gl_obj *p, struct gl_out *out)
{
    gl_out_str(out, ",\"builds\":[");
    for (uint32_t i = p->n_jobs; i-- > 0;) {
        put_build(c, &c->project->sets[GL_JOB].items[p->first_job + i], out);
        gl_out_str(out, i ? "," : "");
    }
    gl_out_str(out, "]");
}

static void put_stages(const struct gl_obj *p, struct gl_out *out)
{
    const char *last = "";
    bool comma = false;

    gl_out_str(out, "[");
    for (unsigned i = 0; i < p->n_jobs; i++) {
        const char *stage = gl_job_def(i)->stage;

        if (strcmp(stage, last) != 0) {
            gl_out_tpl(out, "%s'%s'", comma ? WH_LIT(",") : WH_LIT(""), wh_slice_str(stage));
            comma = true;
        }
        last = stage;
    }
    gl_out_str(out, "]");
}

void gl_payload_pipeline(const struct gl_ctx *c, const struct gl_obj *p, struct gl_out *out)
{
    uint64_t sha = gl_sha_seed(c, p);
    char ref[GL_BRANCH_MAX];
    char title[GL_TITLE_MAX];

    gl_out_tpl(out,
               "{'object_kind':'pipeline','object_attributes':{'id':%d,'iid':%d,'name':null,"
               "'ref':'%s','tag':false,'sha':'%h','before_sha':'%h','source':'%s','status':'%s',"
               "'detailed_status':'%s','stages':",
               p->id, p->iid, gl_pipeline_ref(c, p, ref), sha, sha ^ 2,
               wh_slice_str(gl_source_name(p->type)), wh_slice_str(gl_state_name(p->state)),
               wh_slice_str(gl_status_label(p->state)));
    put_stages(p, out);
    gl_out_tpl(out,
               ",'created_at':%u,'finished_at':%u,'duration':%n,'queued_duration':%n,"
               "'protected_ref':true,'variables':[],'url':'",
               p->created_ms, p->finished_ms, (int64_t)gl_seconds(p->started_ms, p->finished_ms),
               p->started_ms ? (p->started_ms - p->created_ms) / 1000 : (int64_t)-1);
    gl_render_url(c, GL_PIPELINE, p, out);
    gl_out_str(out, "\"},\"merge_request\":");
    put_short_mr(c, p, out);
    gl_out_str(out, ",\"user\":");
    gl_payload_user(c, p->author, out);
    gl_out_str(out, ",");
    gl_payload_project(c, out);
    gl_out_tpl(out,
               ",'commit':{'id':'%h','message':'%s\\n','title':'Work','timestamp':%i,"
               "'url':'%s/%s/-/commit/%h','author':{'name':'Somebody','email':'[REDACTED]'}}",
               sha, gl_title(title, sha, 0), p->created_ms - 5000, gl_base(c->model), gl_path(c),
               sha);
    put_builds(c, p, out);
    gl_out_str(out, "}");
}

void gl_payload_job(const struct gl_ctx *c, const struct gl_obj *job, struct gl_out *out)
{
    const struct gl_obj *p = pipeline_of(c, job);
    const struct gl_job_def *def = gl_job_def(job->type);
    uint64_t sha = gl_sha_seed(c, p);
    char ref[GL_BRANCH_MAX];
    char title[GL_TITLE_MAX];

    gl_out_tpl(out,
               "{'object_kind':'build','ref':'%s','tag':false,'before_sha':'%h','sha':'%h',"
               "'build_id':%d,'build_name':'%s','build_stage':'%s','build_status':'%s',"
               "'build_created_at':%u,'build_started_at':%u,'build_finished_at':%u,"
               "'build_created_at_iso':%i,'build_started_at_iso':%i,'build_finished_at_iso':%i,"
               "'build_duration':%f,'build_queued_duration':%f,'build_allow_failure':%b,"
               "'build_failure_reason':'%s','retries_count':0,'pipeline_id':%d,'project_id':%d,"
               "'project_name':'acme / %s','runner':",
               gl_pipeline_ref(c, p, ref), sha ^ 2, sha, job->id, wh_slice_str(def->name),
               wh_slice_str(def->stage), wh_slice_str(gl_state_name(job->state)), job->created_ms,
               job->started_ms, job->finished_ms, job->created_ms, job->started_ms,
               job->finished_ms, gl_seconds(job->started_ms, job->finished_ms),
               gl_seconds(job->created_ms, job->started_ms), job->type == 2,
               job->state == GL_S_FAILED ? WH_LIT("script_failure") : WH_LIT("unknown_failure"),
               p->id, c->project->id, wh_slice_str(c->project->name));
    put_runner(job, out);
    gl_out_str(out, ",\"user\":");
    gl_payload_user(c, job->author, out);
    /* The "commit" of a job event has the pipeline's id. */
    gl_out_tpl(out,
               ",'commit':{'id':%d,'name':null,'sha':'%h','message':'%s','author_name':'Somebody',"
               "'author_email':'[REDACTED]','author_url':'%s','status':'%s','duration':%n,"
               "'started_at':%u,'finished_at':%u},",
               p->id, sha, gl_title(title, sha, 0), gl_base(c->model),
               wh_slice_str(gl_state_name(p->state)),
               (int64_t)gl_seconds(p->started_ms, p->finished_ms), p->started_ms, p->finished_ms);
    gl_payload_project(c, out);
    gl_out_tpl(out,
               ",'repository':{'name':'%s','url':'git@gitlab.example.com:%s.git','description':'',"
               "'homepage':'%s/%s','git_http_url':'%s/%s.git',"
               "'git_ssh_url':'git@gitlab.example.com:%s.git','visibility_level':0},"
               "'environment':null,'source_pipeline':null}",
               wh_slice_str(c->project->name), gl_path(c), gl_base(c->model), gl_path(c),
               gl_base(c->model), gl_path(c), gl_path(c));
}

void gl_payload_deployment(const struct gl_ctx *c, const struct gl_obj *d, struct gl_out *out)
{
    const struct gl_obj *job = &c->project->sets[GL_JOB].items[d->parent];
    const struct gl_obj *p = pipeline_of(c, job);
    uint64_t sha = gl_sha_seed(c, p);
    char changed[GL_TIME_MAX];
    size_t n = gl_time_text(d->updated_ms, GL_TIME_OFFSET, changed);
    struct gl_out commit = {0};
    char ref[GL_BRANCH_MAX];
    char title[GL_TITLE_MAX];

    gl_out_tpl(&commit, "%h", sha);
    gl_out_tpl(out,
               "{'object_kind':'deployment','status':'%s','status_changed_at':'%s',"
               "'deployment_id':%d,'deployable_id':%d,'deployable_url':'",
               wh_slice_str(gl_state_name(d->state)), wh_slice(changed, n), d->id, job->id);
    gl_render_url(c, GL_JOB, job, out);
    gl_out_tpl(out,
               "','environment':'%s','environment_tier':'%s','environment_slug':'%s',"
               "'environment_external_url':'https://%s.example.com',",
               wh_slice_str(gl_env_name(d->type)), wh_slice_str(gl_env_tier(d->type)),
               wh_slice_str(gl_env_tier(d->type)), wh_slice_str(gl_env_tier(d->type)));
    gl_payload_project(c, out);
    gl_out_tpl(out,
               ",'short_sha':'%s','user':", wh_slice(commit.ptr, commit.len < 8 ? commit.len : 8));
    gl_payload_user(c, d->author, out);
    gl_out_tpl(out,
               ",'user_url':'%s/%s','commit_url':'%s/%s/-/commit/%s','commit_title':'%s',"
               "'ref':'%s'}",
               gl_base(c->model), wh_slice_str(c->model->users[d->author].username),
               gl_base(c->model), gl_path(c), gl_out_slice(&commit), gl_title(title, sha, 0),
               gl_pipeline_ref(c, p, ref));
    out->failed = out->failed || commit.failed;
    gl_out_done(&commit);
}

void gl_payload_release(const struct gl_ctx *c, const struct gl_obj *r, const char *action,
                        struct gl_out *out)
{
    uint64_t sha = gl_obj_seed(c, r) ^ 0x4u;
    char tag[GL_TITLE_MAX];
    struct wh_slice t = gl_obj_title(c, GL_RELEASE, r, tag);

    gl_out_tpl(out,
               "{'object_kind':'release','id':%d,'created_at':%u,'released_at':%u,'tag':'%s',"
               "'name':'Release %s','description':'%s',",
               r->id, r->created_ms, r->finished_ms, t, t, gl_obj_body(c, r));
    gl_payload_project(c, out);
    gl_out_str(out, ",\"url\":\"");
    gl_render_url(c, GL_RELEASE, r, out);
    gl_out_tpl(out,
               "','action':'%s','assets':{'count':1,'links':[],'sources':[{'format':'zip',"
               "'url':'%s/%s/-/archive/%s/a.zip'}]},'commit':{'id':'%h','message':'Release %s',"
               "'title':'Release %s','timestamp':%i,'url':'%s/%s/-/commit/%h',"
               "'author':{'name':'Release Bot','email':'[REDACTED]'}}}",
               wh_slice_str(action), gl_base(c->model), gl_path(c), t, sha, t, t, r->created_ms,
               gl_base(c->model), gl_path(c), sha);
}
