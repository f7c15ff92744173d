/*
 * oracle.c - the truth now, from the model alone: one line of JSON for each object, in the order of
 * projects, kinds and ids; the last line has the counts. What the tokens do not see is there with
 * "deleted":true and the reason, and is not counted. Nothing of Wellhead's mapping is used.
 */
#include "common/base/mem.h"
#include "tests/gitlab/render.h"
#include "tests/gitlab/server.h"
#include "tests/gitlab/vanish.h"

enum { USERS, PROJECTS, OBJECTS, COUNTS, END };

struct oracle {
    struct gl_model *model;
    int stage;
    uint32_t project;
    unsigned kind;
    uint32_t pos;
    int only_kind; /* gl_kind, or -1 */
    int64_t only_project;
    uint64_t counts[GL_KIND_COUNT];
};

static void put_labels(const struct gl_ctx *c, const struct gl_obj *obj, struct gl_out *out)
{
    struct wh_slice names[GL_LABELS];
    size_t n = gl_labels_of(c->project, obj, names);

    gl_out_str(out, ",\"labels\":[");
    for (size_t i = 0; i < n; i++) {
        gl_out_tpl(out, "%s'%s'", i ? WH_LIT(",") : WH_LIT(""), names[i]);
    }
    gl_out_str(out, "]");
}

static void put_refs(const struct gl_ctx *c, enum gl_kind kind, const struct gl_obj *obj,
                     struct gl_out *out)
{
    const struct gl_set *sets = c->project->sets;

    if (kind == GL_MR && obj->parent) {
        gl_out_tpl(out, ",'closes':[%d]", sets[GL_ISSUE].items[obj->parent - 1].id);
    } else if (kind == GL_PIPELINE && obj->parent) {
        gl_out_tpl(out, ",'merge_request_id':%d,'merge_request_iid':%d",
                   sets[GL_MR].items[obj->parent - 1].id, sets[GL_MR].items[obj->parent - 1].iid);
    } else if (kind == GL_JOB) {
        gl_out_tpl(out, ",'pipeline_id':%d,'retried':%b", sets[GL_PIPELINE].items[obj->parent].id,
                   (obj->flags & GL_F_RETRIED) != 0);
    } else if (kind == GL_DEPLOYMENT) {
        gl_out_tpl(out, ",'job_id':%d,'environment':'%s'", sets[GL_JOB].items[obj->parent].id,
                   wh_slice_str(gl_env_name(obj->type)));
    } else if (kind == GL_NOTE) {
        gl_out_tpl(out, ",'noteable_type':'%s','noteable_id':%d,'system':%b",
                   obj->type == GL_MR ? WH_LIT("MergeRequest") : WH_LIT("Issue"),
                   sets[obj->type == GL_MR ? GL_MR : GL_ISSUE].items[obj->parent].id,
                   (obj->flags & GL_F_SYSTEM) != 0);
    } else if (kind == GL_MEMBER) {
        gl_out_tpl(out, ",'access_level':%d", (int64_t)obj->type);
    }
}

static void put_name(const struct gl_ctx *c, enum gl_kind kind, const struct gl_obj *obj,
                     struct gl_out *out)
{
    char title[GL_TITLE_MAX];

    if (kind == GL_MR || kind == GL_ISSUE || kind == GL_RELEASE || kind == GL_MILESTONE) {
        gl_out_tpl(out, ",'title':'%s'", gl_obj_title(c, kind, obj, title));
    } else if (kind == GL_JOB) {
        gl_out_tpl(out, ",'title':'%s'", wh_slice_str(gl_job_def(obj->type)->name));
    } else if (kind == GL_ENVIRONMENT) {
        gl_out_tpl(out, ",'title':'%s'", wh_slice_str(gl_env_name(obj->type)));
    }
    if (kind == GL_ISSUE) {
        gl_out_tpl(out, ",'type':'%s','severity':'%s','confidential':%b",
                   wh_slice_str(gl_issue_type_name(obj->type)),
                   wh_slice_str(gl_severity_name(obj->severity)),
                   (obj->flags & GL_F_CONFIDENTIAL) != 0);
    } else if (kind == GL_MR) {
        gl_out_tpl(out, ",'type':'merge_request','draft':%b", (obj->flags & GL_F_DRAFT) != 0);
    }
    if (kind == GL_MR || kind == GL_ISSUE) {
        put_labels(c, obj, out);
    }
}

static void put_gone(const struct gl_ctx *c, const struct gl_obj *obj, struct gl_out *out)
{
    const char *gone = gl_gone(c->project, obj);

    if (gone) {
        gl_out_tpl(out, ",'deleted':true,'reason':'%s'}\n", wh_slice_str(gone));
    } else {
        gl_out_str(out, ",\"deleted\":false}\n");
    }
}

/* A release and a member have no state; a REST release has no id. */
static void put_object(const struct gl_ctx *c, enum gl_kind kind, const struct gl_obj *obj,
                       struct gl_out *out)
{
    struct wh_slice state = kind == GL_RELEASE || kind == GL_MEMBER || kind == GL_NOTE
                                ? WH_LIT("")
                                : wh_slice_str(gl_state_name(obj->state));
    int64_t author = obj->author < c->model->n_users ? c->model->users[obj->author].id : -1;
    bool authorless = kind == GL_ENVIRONMENT || kind == GL_MILESTONE;
    int64_t iid = kind == GL_JOB || kind == GL_MEMBER || kind == GL_NOTE || kind == GL_RELEASE ||
                          kind == GL_ENVIRONMENT
                      ? -1
                      : obj->iid;

    gl_out_tpl(out,
               "{'kind':'%s','project_id':%d,'id':%d,'iid':%n,'state':'%s','created_at':%t,"
               "'updated_at':%t,'started_at':%t,'finished_at':%t,'author_id':%n",
               wh_slice_str(gl_kind_name(kind)), c->project->id, obj->id, iid, state,
               obj->created_ms, obj->updated_ms, obj->started_ms, obj->finished_ms,
               authorless ? (int64_t)-1 : author);
    put_name(c, kind, obj, out);
    put_refs(c, kind, obj, out);
    if (kind == GL_PIPELINE && obj->upstream) {
        gl_out_tpl(out, ",'parent_id':%d,'bridge_id':%d",
                   c->project->sets[GL_PIPELINE].items[obj->upstream - 1].id, (int64_t)obj->bridge);
    }
    gl_out_str(out, ",\"url\":\"");
    gl_render_url(c, kind, obj, out);
    gl_out_str(out, "\"");
    if (obj->moved_to) {
        gl_out_tpl(out, ",'moved_to_id':%d", (int64_t)obj->moved_to);
    }
    put_gone(c, obj, out);
}

static void put_recorded(const struct gl_ctx *c, enum gl_kind kind, const struct gl_obj *obj,
                         struct gl_out *out)
{
    const struct gl_recorded *row = &c->project->rows[obj->raw - 1];

    gl_out_tpl(out,
               "{'kind':'%s','project_id':%d,'id':%d,'iid':%n,'state':'%s','updated_at':%s,"
               "'author_id':%n,'title':'%s','labels':%s,'url':'%s','recorded':true,",
               wh_slice_str(gl_kind_name(kind)), c->project->id, obj->id,
               obj->iid ? obj->iid : (int64_t)-1, row->state,
               row->updated_at.len ? row->updated_at : WH_LIT("null"),
               row->author_id ? row->author_id : (int64_t)-1, row->title,
               row->labels.len ? row->labels : WH_LIT("[]"), row->url);
    /* Recorded jobs belong to pipelines that were not recorded: only /jobs lists them. */
    gl_out_tpl(out, "'orphan':%b", kind == GL_JOB);
    put_gone(c, obj, out);
}

static void put_links_of(const struct gl_ctx *c, struct gl_out *out)
{
    const struct gl_obj *issues = c->project->sets[GL_ISSUE].items;

    for (uint32_t i = 0; i < c->project->n_links; i++) {
        const struct gl_link *link = &c->project->links[i];

        gl_out_tpl(out,
                   "{'kind':'link','project_id':%d,'id':%d,'source_id':%d,'target_id':%d,"
                   "'type':'%s','deleted':%b}\n",
                   c->project->id, link->id, issues[link->source].id, issues[link->target].id,
                   link->blocks ? WH_LIT("blocks") : WH_LIT("relates_to"),
                   !gl_project_seen(c->project) ||
                       ((issues[link->source].flags | issues[link->target].flags) & GL_F_GONE) !=
                           0);
    }
}

static void put_user(const struct gl_user *u, struct gl_out *out)
{
    gl_out_tpl(out, "{'kind':'user','id':%d,'username':'%s','title':'%s','state':'%s'}\n", u->id,
               wh_slice_str(u->username), wh_slice_str(u->name),
               u->blocked ? WH_LIT("blocked") : WH_LIT("active"));
}

static void put_project(const struct gl_ctx *c, struct gl_out *out)
{
    gl_out_tpl(out,
               "{'kind':'project','id':%d,'title':'%s','path':'%s','created_at':%t,"
               "'url':'%s/%s','recorded':%b,'presence':'%s','archived':%b,'deleted':%b}\n",
               c->project->id, wh_slice_str(c->project->name), gl_path(c), c->project->created_ms,
               gl_base(c->model), gl_path(c), (int)c->project->recorded,
               wh_slice_str(gl_presence_name(c->project->presence)), (int)c->project->archived,
               !gl_project_seen(c->project));
}

static int64_t seen_of(const struct gl_project *p, unsigned kind)
{
    return gl_project_seen(p) ? (int64_t)p->sets[kind].n_live : 0;
}

static void put_counts(const struct gl_model *model, struct gl_out *out)
{
    gl_out_tpl(out, "{'counts':{'user':%d,'project':%d", (int64_t)model->n_users,
               (int64_t)model->project_set.n_live);
    for (unsigned k = 0; k < GL_KIND_COUNT; k++) {
        int64_t n = 0;

        for (uint32_t i = 0; i < model->n_projects; i++) {
            n += seen_of(&model->projects[i], k);
        }
        gl_out_tpl(out, ",'%s':%d", wh_slice_str(gl_kind_name((enum gl_kind)k)), n);
    }
    gl_out_tpl(out, "},'by_project':[");
    for (uint32_t i = 0; i < model->n_projects; i++) {
        const struct gl_project *p = &model->projects[i];

        gl_out_tpl(out, "%s{'id':%d,'path':'%s'", i ? WH_LIT(",") : WH_LIT(""), p->id,
                   wh_slice_str(p->path));
        for (unsigned k = 0; k < GL_KIND_COUNT; k++) {
            gl_out_tpl(out, ",'%s':%d", wh_slice_str(gl_kind_name((enum gl_kind)k)), seen_of(p, k));
        }
        gl_expected_render(p, out);
        gl_out_str(out, "}");
    }
    gl_out_tpl(out, "],'mutations':%d,'now':%t}\n", (int64_t)model->n_mutations, model->last_ms);
}

/* One project's next kind, or the next project. */
static void next_kind(struct oracle *o)
{
    o->pos = 0;
    if (++o->kind == GL_KIND_COUNT) {
        o->kind = 0;
        o->project++;
    }
}

static void step_objects(struct oracle *o, struct gl_out *out)
{
    struct gl_ctx c = {o->model, &o->model->projects[o->project], o->project};
    const struct gl_set *set;

    if (o->project >= o->model->n_projects) {
        o->stage = COUNTS;
        return;
    }
    set = &c.project->sets[o->kind];
    if ((o->only_kind >= 0 && (unsigned)o->only_kind != o->kind) ||
        (o->only_project && o->only_project != c.project->id) || o->pos >= set->n) {
        if (o->kind == GL_ISSUE && o->only_kind < 0 &&
            (!o->only_project || o->only_project == c.project->id)) {
            put_links_of(&c, out);
        }
        next_kind(o);
        return;
    }
    if (set->items[o->pos].raw) {
        put_recorded(&c, (enum gl_kind)o->kind, &set->items[o->pos], out);
    } else {
        put_object(&c, (enum gl_kind)o->kind, &set->items[o->pos], out);
    }
    o->pos++;
}

static void step(struct oracle *o, struct gl_out *out)
{
    struct gl_ctx c = {.model = o->model};

    switch (o->stage) {
    case USERS:
        for (uint32_t i = 0; o->only_kind < 0 && i < o->model->n_users; i++) {
            put_user(&o->model->users[i], out);
        }
        o->stage = PROJECTS;
        break;
    case PROJECTS:
        for (uint32_t i = 0; o->only_kind < 0 && i < o->model->n_projects; i++) {
            c.project = &o->model->projects[i];
            put_project(&c, out);
        }
        o->stage = OBJECTS;
        break;
    case OBJECTS:
        step_objects(o, out);
        break;
    default:
        put_counts(o->model, out);
        o->stage = END;
    }
}

static enum wh_rc fill(void *ctx, struct wh_buf *to, size_t max, bool *ret_end, struct wh_err *err)
{
    struct oracle *o = ctx;
    struct gl_out out = {0};
    enum wh_rc rc;

    while (o->stage != END && out.len < max && !out.failed) {
        step(o, &out);
    }
    *ret_end = o->stage == END;
    rc = out.failed ? wh_fail(err, WH_E_NOMEM, "no memory for the oracle")
                    : wh_buf_append(to, gl_out_slice(&out), err);
    gl_out_done(&out);
    return rc;
}

static void done(void *ctx)
{
    wh_mem_free(ctx);
}

void gl_oracle_reply(struct gl_server *server, struct wh_http_req *req)
{
    struct wh_slice kind = wh_http_query(req, "kind");
    struct wh_slice project = wh_http_query(req, "project");
    struct oracle *o = wh_mem_zalloc(1, sizeof(*o));

    if (o == NULL) {
        wh_http_reply_error(req, 503, "no memory for the oracle", 1);
        return;
    }
    o->model = server->model;
    o->only_kind = -1;
    o->stage = wh_http_query(req, "counts").len ? COUNTS : USERS;
    for (unsigned k = 0; k < GL_KIND_COUNT; k++) {
        if (wh_slice_eq(kind, wh_slice_str(gl_kind_name((enum gl_kind)k)))) {
            o->only_kind = (int)k;
        }
    }
    for (size_t i = 0; i < project.len && project.ptr[i] >= '0' && project.ptr[i] <= '9'; i++) {
        o->only_project = o->only_project * 10 + (project.ptr[i] - '0');
    }
    wh_http_reply_stream(req, 200, "application/x-ndjson",
                         &(struct wh_http_stream){.fill = fill, .done = done, .ctx = o});
}
