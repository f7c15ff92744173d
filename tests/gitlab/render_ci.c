/* Rows of pipelines, jobs, deployments, environments and releases. */
#include <stdio.h>

#include "tests/gitlab/render.h"

uint64_t gl_sha_seed(const struct gl_ctx *c, const struct gl_obj *pipeline)
{
    const struct gl_told *told = gl_told(c->project, pipeline);

    return told ? told->sha : gl_obj_seed(c, pipeline) ^ 0x91u;
}

struct wh_slice gl_pipeline_ref(const struct gl_ctx *c, const struct gl_obj *pipeline,
                                char to[GL_BRANCH_MAX])
{
    const struct gl_obj *mr;
    int n;

    if (pipeline->parent == 0) {
        return WH_LIT("main");
    }
    mr = &c->project->sets[GL_MR].items[pipeline->parent - 1];
    if (!c->model->extras) {
        return gl_mr_branch(c, mr, to);
    }
    n = snprintf(to, GL_BRANCH_MAX, "refs/merge-requests/%lld/head", (long long)mr->iid);
    return wh_slice(to, n < 0 ? 0 : (size_t)n);
}

const char *gl_status_label(unsigned state)
{
    return state == GL_S_SUCCESS ? "passed" : gl_state_name(state);
}

static void put_pipeline_head(const struct gl_ctx *c, const struct gl_obj *p, struct gl_out *out)
{
    char ref[GL_BRANCH_MAX];

    gl_out_tpl(out,
               "{'id':%d,'iid':%d,'project_id':%d,'sha':'%h','ref':'%s','status':'%s',"
               "'source':'%s','created_at':%t,'updated_at':%t,'web_url':'",
               p->id, p->iid, c->project->id, gl_sha_seed(c, p), gl_pipeline_ref(c, p, ref),
               wh_slice_str(gl_state_name(p->state)), wh_slice_str(gl_source_name(p->type)),
               p->created_ms, p->updated_ms);
    gl_render_url(c, GL_PIPELINE, p, out);
}

void gl_render_pipeline(const struct gl_ctx *c, const struct gl_obj *p, bool detail,
                        struct gl_out *out)
{
    struct wh_slice status = wh_slice_str(gl_state_name(p->state));
    struct wh_slice label = wh_slice_str(gl_status_label(p->state));
    double duration = gl_seconds(p->started_ms, p->finished_ms);

    put_pipeline_head(c, p, out);
    if (!detail) {
        gl_out_str(out, "\",\"name\":null}");
        return;
    }
    gl_out_tpl(
        out,
        "','before_sha':'%h','tag':false,'yaml_errors':null,'user':%s,'started_at':%t,"
        "'finished_at':%t,'committed_at':null,'duration':%n,'queued_duration':%n,"
        "'coverage':%s,'detailed_status':{'icon':'status_%s','text':'%s','label':'%s',"
        "'group':'%s','tooltip':'%s','has_details':false,'details_path':'/%s/-/pipelines/%d',"
        "'illustration':null,'favicon':'/assets/ci_favicons/favicon_status_%s.png'},"
        "'archived':false,'name':null}",
        gl_sha_seed(c, p) ^ 2, gl_user_json(c->model, p->author), p->started_ms, p->finished_ms,
        (int64_t)duration, p->started_ms ? (p->started_ms - p->created_ms) / 1000 : (int64_t)-1,
        p->id % 2 ? WH_LIT("\"68.49\"") : WH_LIT("null"), status, label, label, status, label,
        gl_path(c), p->id, status);
}

static const struct gl_obj *pipeline_of(const struct gl_ctx *c, const struct gl_obj *job)
{
    return &c->project->sets[GL_PIPELINE].items[job->parent];
}

static void put_commit(const struct gl_ctx *c, const struct gl_obj *pipeline, struct gl_out *out)
{
    const struct gl_user *who = &c->model->users[pipeline->author];
    uint64_t sha = gl_sha_seed(c, pipeline);
    char title[GL_TITLE_MAX];
    struct wh_slice text = gl_title(title, sha, 0);
    struct wh_slice name = wh_slice_str(who->name);
    struct gl_out id = {0};

    gl_out_tpl(&id, "%h", sha);
    gl_out_tpl(out,
               "{'id':'%s','short_id':'%s','created_at':%t,'parent_ids':['%h'],'title':'%s',"
               "'message':'%s\\n','author_name':'%s','author_email':'redacted@example.com',"
               "'authored_date':%t,'committer_name':'%s','committer_email':'redacted@example.com',"
               "'committed_date':%t,'trailers':{},'extended_trailers':{},"
               "'web_url':'%s/%s/-/commit/%s'}",
               gl_out_slice(&id), wh_slice(id.ptr, id.len < 8 ? id.len : 8),
               pipeline->created_ms - 5000, sha ^ 2, text, text, name, pipeline->created_ms - 6000,
               name, pipeline->created_ms - 5000, gl_base(c->model), gl_path(c), gl_out_slice(&id));
    out->failed = out->failed || id.failed;
    gl_out_done(&id);
}

void gl_render_job(const struct gl_ctx *c, const struct gl_obj *job, struct gl_out *out)
{
    const struct gl_obj *pipeline = pipeline_of(c, job);
    const struct gl_job_def *def = gl_job_def(job->type);
    char ref[GL_BRANCH_MAX];

    gl_out_tpl(out,
               "{'id':%d,'status':'%s','stage':'%s','name':'%s','ref':'%s','tag':false,"
               "'coverage':null,'allow_failure':%b,'created_at':%t,'started_at':%t,"
               "'finished_at':%t,'erased_at':null,'duration':%f,'queued_duration':%f,'user':",
               job->id, wh_slice_str(gl_state_name(job->state)), wh_slice_str(def->stage),
               wh_slice_str(def->name), gl_pipeline_ref(c, pipeline, ref), job->type == 2,
               job->created_ms, job->started_ms, job->finished_ms,
               gl_seconds(job->started_ms, job->finished_ms),
               gl_seconds(job->created_ms, job->started_ms));
    gl_render_user(c->model, job->author, true, out);
    gl_out_str(out, ",\"commit\":");
    put_commit(c, pipeline, out);
    gl_out_str(out, ",\"pipeline\":");
    put_pipeline_head(c, pipeline, out);
    gl_out_str(out, "\"},");
    if (job->state == GL_S_FAILED) {
        gl_out_str(out, "\"failure_reason\":\"script_failure\",");
    }
    gl_out_str(out, "\"web_url\":\"");
    gl_render_url(c, GL_JOB, job, out);
    gl_out_tpl(out,
               "','project':{'ci_job_token_scope_enabled':false},'artifacts':[{'file_type':'trace',"
               "'size':%d,'filename':'job.log','file_format':null}],'runner':{'id':12,"
               "'description':'shared-runner-%d','ip_address':null,'active':true,'paused':false,"
               "'is_shared':true,'runner_type':'instance_type','name':'gitlab-runner','online':"
               "true,'status':'online'},'runner_manager':null,'artifacts_expire_at':null,"
               "'archived':false,'tag_list':['docker']}",
               job->id % 9000 + 1000, job->id % 4 + 1);
}

void gl_render_environment(const struct gl_obj *env, bool state, struct gl_out *out)
{
    static const char *const slugs[GL_ENVS] = {"production", "staging", "review-main-x1y2z3"};
    struct wh_slice slug = wh_slice_str(slugs[env->type % GL_ENVS]);

    gl_out_tpl(out,
               "{'id':%d,'name':'%s','slug':'%s','external_url':'https://%s.example.com',"
               "'created_at':%t,'updated_at':%t,'tier':'%s'",
               env->id, wh_slice_str(gl_env_name(env->type)), slug, slug, env->created_ms,
               env->updated_ms, wh_slice_str(gl_env_tier(env->type)));
    if (state) {
        gl_out_tpl(out, ",'state':'%s','auto_stop_at':null,'description':null",
                   wh_slice_str(gl_state_name(env->state)));
    }
    gl_out_str(out, "}");
}

void gl_render_deployment(const struct gl_ctx *c, const struct gl_obj *d, struct gl_out *out)
{
    const struct gl_obj *job = &c->project->sets[GL_JOB].items[d->parent];
    const struct gl_obj *pipeline = pipeline_of(c, job);
    char ref[GL_BRANCH_MAX];

    gl_out_tpl(out,
               "{'id':%d,'iid':%d,'ref':'%s','sha':'%h','created_at':%t,'updated_at':%t,'user':%s,"
               "'environment':",
               d->id, d->iid, gl_pipeline_ref(c, pipeline, ref), gl_sha_seed(c, pipeline),
               d->created_ms, d->updated_ms, gl_user_json(c->model, d->author));
    gl_render_environment(&c->project->sets[GL_ENVIRONMENT].items[d->type % GL_ENVS], false, out);
    gl_out_str(out, ",\"deployable\":");
    gl_render_job(c, job, out);
    gl_out_tpl(out, ",'status':'%s','finished_at':%t}", wh_slice_str(gl_state_name(d->state)),
               d->finished_ms);
}

void gl_render_release(const struct gl_ctx *c, const struct gl_obj *r, struct gl_out *out)
{
    uint64_t sha = gl_obj_seed(c, r) ^ 0x4u;
    char tag[GL_TITLE_MAX];
    char title[GL_TITLE_MAX];
    struct wh_slice t = gl_obj_title(c, GL_RELEASE, r, tag);
    struct wh_slice subject = gl_title(title, sha, 0);
    struct wh_slice base = gl_base(c->model);
    struct wh_slice path = gl_path(c);

    gl_out_tpl(out,
               "{'tag_name':'%s','description':'%s','name':'Release %s','created_at':%t,"
               "'released_at':%t,'upcoming_release':%b,'author':%s,'commit':{'id':'%h',"
               "'short_id':'00000000','created_at':%t,'parent_ids':['%h'],'title':'%s',"
               "'message':'%s','author_name':'Release Bot','author_email':'redacted@example.com',"
               "'authored_date':%t,'committer_name':'Release Bot',"
               "'committer_email':'redacted@example.com','committed_date':%t,'trailers':{}},",
               t, gl_obj_body(c, r), t, r->created_ms, r->finished_ms,
               (int)(r->finished_ms > wh_clock_now_ms(&c->model->clock)),
               gl_user_json(c->model, r->author), sha, r->created_ms, sha ^ 2, subject, subject,
               r->created_ms, r->created_ms);
    gl_out_tpl(out,
               "'milestones':[],'commit_path':'/%s/-/commit/%h','tag_path':'/%s/-/tags/%s',"
               "'assets':{'count':2,'sources':[{'format':'zip','url':'%s/%s/-/archive/%s/a.zip'},"
               "{'format':'tar.gz','url':'%s/%s/-/archive/%s/a.tar.gz'}],'links':[]},"
               "'evidences':[],'_links':{'closed_issues_url':'%s/%s/-/issues?release_tag=%s',"
               "'self':'%s/%s/-/releases/%s'}}",
               path, sha, path, t, base, path, t, base, path, t, base, path, t, base, path, t);
}
