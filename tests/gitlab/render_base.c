#include <stdio.h>

#include "common/base/mem.h"
#include "tests/gitlab/extras.h"
#include "tests/gitlab/render.h"

struct wh_slice gl_base(const struct gl_model *model)
{
    return wh_slice_str(model->base_url);
}

struct wh_slice gl_path(const struct gl_ctx *c)
{
    return wh_slice_str(c->project->path);
}

uint64_t gl_obj_seed(const struct gl_ctx *c, const struct gl_obj *obj)
{
    return gl_mix(c->model->seed ^ (uint64_t)obj->id << 20 ^ (uint64_t)c->project->id);
}

struct wh_slice gl_user_json(const struct gl_model *model, uint32_t user)
{
    if (user >= model->n_users) {
        return WH_LIT("null");
    }
    return wh_slice(model->users[user].json, model->users[user].json_len);
}

double gl_seconds(int64_t from_ms, int64_t to_ms)
{
    return from_ms && to_ms ? (double)(to_ms - from_ms) / 1000 : -1;
}

struct wh_slice gl_obj_title(const struct gl_ctx *c, enum gl_kind kind, const struct gl_obj *obj,
                             char to[GL_TITLE_MAX])
{
    int n;

    if (obj->told) {
        return wh_slice_str(gl_told(c->project, obj)->title);
    }
    if (kind == GL_RELEASE || kind == GL_MILESTONE) {
        n = snprintf(to, GL_TITLE_MAX, kind == GL_RELEASE ? "v1.%lld.0" : "Milestone %lld",
                     (long long)obj->iid);
        return wh_slice(to, n < 0 ? 0 : (size_t)n);
    }
    if (kind == GL_MR && obj->flags & GL_F_DRAFT) {
        size_t len = gl_title(to, gl_obj_seed(c, obj), obj->rev).len;

        len = len > GL_TITLE_MAX - 7 ? GL_TITLE_MAX - 7 : len;
        memmove(to + 7, to, len);
        memcpy(to, "Draft: ", 7);
        return wh_slice(to, len + 7);
    }
    return gl_title(to, gl_obj_seed(c, obj), obj->rev);
}

struct wh_slice gl_obj_body(const struct gl_ctx *c, const struct gl_obj *obj)
{
    uint64_t seed = gl_mix(gl_obj_seed(c, obj) + obj->rev);

    if (obj->told) {
        return wh_slice_str(gl_told(c->project, obj)->body);
    }
    return gl_text_body(c->model->text, seed, 2 + (unsigned)(seed >> 50) % 11);
}

/* ---- users ---- */

static void put_user_fields(const struct gl_model *model, const struct gl_user *user,
                            struct gl_out *out)
{
    struct wh_slice name = wh_slice_str(user->username);

    gl_out_tpl(out,
               "'id':%d,'username':'%s','name':'%s','state':'%s','locked':false,"
               "'avatar_url':'%s/uploads/-/system/user/avatar/%d/avatar.png','web_url':'%s/%s'",
               user->id, name, wh_slice_str(user->name),
               user->blocked ? WH_LIT("blocked") : WH_LIT("active"), gl_base(model), user->id,
               gl_base(model), name);
}

bool gl_render_prepare(struct gl_model *model)
{
    for (uint32_t i = 0; i < model->n_users; i++) {
        struct gl_user *user = &model->users[i];
        struct gl_out out = {0};

        gl_out_str(&out, "{");
        put_user_fields(model, user, &out);
        gl_out_str(&out, "}");
        if (out.failed) {
            gl_out_done(&out);
            return false;
        }
        wh_mem_free(user->json);
        user->json = wh_mem_dup(out.ptr, out.len);
        user->json_len = out.len;
        gl_out_done(&out);
        if (user->json == NULL) {
            return false;
        }
    }
    return true;
}

void gl_render_user(const struct gl_model *model, uint32_t index, bool detail, struct gl_out *out)
{
    const struct gl_user *user = &model->users[index];

    if (!detail) {
        gl_out_raw(out, gl_user_json(model, index));
        return;
    }
    gl_out_str(out, "{");
    put_user_fields(model, user, out);
    gl_out_tpl(out,
               ",'created_at':%t,'bio':'','location':%s,'public_email':null,'linkedin':'',"
               "'twitter':'','discord':'','website_url':'','github':'','job_title':%s,"
               "'pronouns':null,'organization':'Acme','bot':%b,'work_information':null,"
               "'followers':0,'following':0,'is_followed':false,'local_time':null}",
               user->created_ms, user->seed & 1 ? WH_LIT("\"Berlin\"") : WH_LIT("\"\""),
               user->seed & 2 ? WH_LIT("\"Engineer\"") : WH_LIT("\"\""), index % 50 == 49);
}

static void put_member(const struct gl_ctx *c, const struct gl_obj *member, struct gl_out *out)
{
    gl_out_str(out, "{");
    put_user_fields(c->model, &c->model->users[member->parent], out);
    gl_out_tpl(out,
               ",'access_level':%d,'created_at':%t,'created_by':%s,'expires_at':null,"
               "'membership_state':'active'}",
               (int64_t)member->type, member->created_ms,
               gl_user_json(c->model, c->project->creator));
}

/* ---- projects ---- */

void gl_render_project(const struct gl_model *model, uint32_t index, struct gl_out *out)
{
    const struct gl_project *p = &model->projects[index];
    struct wh_slice base = gl_base(model);
    struct wh_slice path = wh_slice_str(p->path);
    const char *slash = strrchr(p->path, '/');
    struct wh_slice space = wh_slice(p->path, (size_t)(slash - p->path));
    struct wh_slice leaf = wh_slice_str(slash + 1);

    gl_out_tpl(out,
               "{'id':%d,'description':'%s of the company','name':'%s','name_with_namespace':"
               "'%s / %s','path':'%s','path_with_namespace':'%s','created_at':%t,"
               "'default_branch':'main','tag_list':['demo'],'topics':['demo'],"
               "'ssh_url_to_repo':'git@gitlab.example.com:%s.git','http_url_to_repo':'%s/%s.git',"
               "'web_url':'%s/%s','readme_url':'%s/%s/-/blob/main/README.md','forks_count':%d,"
               "'avatar_url':null,'star_count':%d,'last_activity_at':%t,",
               p->id, wh_slice_str(p->name), wh_slice_str(p->name), space, wh_slice_str(p->name),
               leaf, path, p->created_ms, path, base, path, base, path, base, path, p->id % 5,
               p->id % 23, model->last_ms / 3600000 * 3600000);
    gl_out_tpl(out,
               "'visibility':'private','namespace':{'id':%d,'name':'%s','path':'%s','kind':'group',"
               "'full_path':'%s','parent_id':null,'avatar_url':null,'web_url':'%s/groups/%s'},"
               "'_links':{'self':'%s/api/v4/projects/%d','issues':'%s/api/v4/projects/%d/issues',"
               "'merge_requests':'%s/api/v4/projects/%d/merge_requests',"
               "'members':'%s/api/v4/projects/%d/members'},'packages_enabled':true,"
               "'empty_repo':false,'archived':%b,'issues_enabled':true,"
               "'merge_requests_enabled':true,'jobs_enabled':true,'container_registry_enabled':"
               "true,'creator_id':%d,'import_status':'none','open_issues_count':%d,"
               "'updated_at':%t,'ci_config_path':'','public_jobs':true,'merge_method':'merge',"
               "'squash_option':'default_off','permissions':{'project_access':",
               (int64_t)GL_GROUP_ID, space, space, space, base, space, base, p->id, base, p->id,
               base, p->id, base, p->id, (int)p->archived, model->users[p->creator].id,
               (int64_t)p->sets[GL_ISSUE].n_live / 3, p->created_ms);
    /* Who is no member has no role. */
    gl_out_str(out, p->presence == GL_UNLISTED ? "null"
                                               : "{\"access_level\":20,\"notification_level\":3}");
    gl_out_str(out, ",\"group_access\":null}}");
}

/* ---- dispatch ---- */

void gl_render(const struct gl_ctx *c, enum gl_kind kind, const struct gl_obj *obj, bool detail,
               struct gl_out *out)
{
    if (obj->raw) {
        const struct gl_recorded *row = &c->project->rows[obj->raw - 1];

        gl_out_raw(out, detail ? row->detail : row->list);
        return;
    }
    switch (kind) {
    case GL_MR:
        gl_render_mr(c, obj, detail, out);
        break;
    case GL_ISSUE:
        gl_render_issue(c, obj, out);
        break;
    case GL_PIPELINE:
        gl_render_pipeline(c, obj, detail, out);
        break;
    case GL_JOB:
        gl_render_job(c, obj, out);
        break;
    case GL_DEPLOYMENT:
        gl_render_deployment(c, obj, out);
        break;
    case GL_ENVIRONMENT:
        gl_render_environment(obj, true, out);
        break;
    case GL_RELEASE:
        gl_render_release(c, obj, out);
        break;
    case GL_MILESTONE:
        gl_render_milestone(c, obj, out);
        break;
    case GL_MEMBER:
        put_member(c, obj, out);
        break;
    case GL_NOTE:
        gl_render_note(c, obj, out);
        break;
    case GL_KIND_COUNT:
        break;
    }
}

void gl_render_url(const struct gl_ctx *c, enum gl_kind kind, const struct gl_obj *obj,
                   struct gl_out *out)
{
    static const char *const parts[GL_KIND_COUNT] = {
        [GL_MR] = "merge_requests",      [GL_ISSUE] = "issues",
        [GL_PIPELINE] = "pipelines",     [GL_JOB] = "jobs",
        [GL_DEPLOYMENT] = "deployments", [GL_ENVIRONMENT] = "environments",
        [GL_RELEASE] = "releases",       [GL_MILESTONE] = "milestones"};
    char title[GL_TITLE_MAX];

    if (parts[kind] == NULL) {
        return;
    }
    gl_out_tpl(out, "%s/%s/-/%s/", gl_base(c->model), gl_path(c), wh_slice_str(parts[kind]));
    if (kind == GL_RELEASE) {
        gl_out_raw(out, gl_obj_title(c, kind, obj, title));
    } else {
        bool by_iid = kind == GL_MR || kind == GL_ISSUE || kind == GL_MILESTONE;

        gl_out_tpl(out, "%d", by_iid ? obj->iid : obj->id);
    }
}
