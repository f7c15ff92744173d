#include "tests/gitlab/extras.h"

enum {
    CHILD_EVERY = 6,
    RETRIED_EVERY = 4,
    GROUP_MILESTONE_EVERY = 9,
    GROUP_MILESTONES = 4,
    NOTES = 3
};

#define YEARS_MS INT64_C(630720000000) /* twenty */

/* ---- the data ---- */

static void make_child(struct gl_model *model, struct gl_set *pipelines, uint32_t pos)
{
    struct gl_obj *child = &pipelines->items[pos];

    child->upstream = pos; /* The one before it, plus one. */
    child->type = GL_SOURCE_CHILD;
    child->parent = pipelines->items[pos - 1].parent;
    child->bridge = (uint32_t)++model->next_id[GL_JOB];
}

/* The first job failed and the second is its second try. */
static void retry_first(struct gl_project *project, const struct gl_obj *pipeline)
{
    struct gl_obj *job = &project->sets[GL_JOB].items[pipeline->first_job];

    job[0].flags |= GL_F_RETRIED;
    job[0].state = GL_S_FAILED;
    for (uint32_t k = 1; k < pipeline->n_jobs; k++) {
        job[k].type = (uint8_t)(k - 1);
    }
}

static void extend_pipelines(struct gl_model *model, struct gl_project *project)
{
    struct gl_set *set = &project->sets[GL_PIPELINE];

    for (uint32_t i = 0; i < set->n; i++) {
        if (i % CHILD_EVERY == CHILD_EVERY - 1) {
            make_child(model, set, i);
        }
        if (i % RETRIED_EVERY == 1 && set->items[i].n_jobs > 2 &&
            gl_state_final(set->items[i].state) && set->items[i].state != GL_S_SKIPPED) {
            retry_first(project, &set->items[i]);
        }
    }
}

static bool add_notes(struct gl_model *model, struct gl_project *project, enum gl_kind kind)
{
    struct gl_set *set = &project->sets[kind];

    for (uint32_t pos = 0; pos < set->n; pos++) {
        struct gl_obj *of = &set->items[pos];
        uint32_t n = pos % NOTES;

        of->notes = (uint16_t)n;
        if (pos % GROUP_MILESTONE_EVERY == 0) {
            of->milestone =
                (uint8_t)(GL_GROUP_MILESTONE + pos / GROUP_MILESTONE_EVERY % GROUP_MILESTONES);
        }
        for (uint32_t k = 0; k <= n && of->raw == 0; k++) {
            struct gl_obj note = {.id = ++model->next_id[GL_NOTE],
                                  .created_ms = of->created_ms + k + 1,
                                  .updated_ms = of->created_ms + k + 1,
                                  .author = (of->author + k) % model->n_users,
                                  .parent = pos,
                                  .type = (uint8_t)kind,
                                  .flags = k == n ? GL_F_SYSTEM : 0};

            if (gl_set_add(&project->sets[GL_NOTE], &note) == NULL) {
                return false;
            }
        }
    }
    return true;
}

/* The newest release of each project is scheduled for a later date. */
static void schedule_release(struct gl_project *project)
{
    struct gl_set *releases = &project->sets[GL_RELEASE];

    if (releases->n > 1 && releases->items[releases->n - 1].raw == 0) {
        releases->items[releases->n - 1].finished_ms += YEARS_MS;
    }
}

bool gl_extras_add(struct gl_model *model)
{
    for (uint32_t i = 0; i < GROUP_MILESTONES; i++) {
        struct gl_obj milestone = {.id = 900000 + i,
                                   .iid = i + 1,
                                   .created_ms = model->projects[0].created_ms + i,
                                   .updated_ms = model->projects[0].created_ms + i,
                                   .state = i ? GL_S_ACTIVE : GL_S_CLOSED};

        if (gl_set_add(&model->group_milestones, &milestone) == NULL) {
            return false;
        }
    }
    for (uint32_t i = 0; i < model->n_generated; i++) {
        extend_pipelines(model, &model->projects[i]);
        schedule_release(&model->projects[i]);
        if (!add_notes(model, &model->projects[i], GL_MR) ||
            !add_notes(model, &model->projects[i], GL_ISSUE)) {
            return false;
        }
    }
    model->extras = true;
    return true;
}

/* ---- rows ---- */

void gl_render_note(const struct gl_ctx *c, const struct gl_obj *note, struct gl_out *out)
{
    bool on_mr = note->type == GL_MR;
    const struct gl_obj *of = &c->project->sets[note->type].items[note->parent];
    bool system = note->flags & GL_F_SYSTEM;

    gl_out_tpl(
        out,
        "{'id':%d,'type':null,'body':'%s','author':%s,'created_at':%t,'updated_at':%t,'system':%b,"
        "'noteable_id':%d,'noteable_type':'%s','project_id':%d,'resolvable':false,"
        "'confidential':false,'internal':false,'imported':false,'imported_from':'none',"
        "'noteable_iid':%d,'commands_changes':{}}",
        note->id,
        system ? WH_LIT("assigned to @somebody")
               : gl_text_body(c->model->text, gl_obj_seed(c, note), 2),
        gl_user_json(c->model, note->author), note->created_ms, note->updated_ms, (int)system,
        of->id, on_mr ? WH_LIT("MergeRequest") : WH_LIT("Issue"), c->project->id, of->iid);
}

void gl_render_group_milestone(const struct gl_model *model, const struct gl_obj *m,
                               struct gl_out *out)
{
    gl_out_tpl(out,
               "{'id':%d,'iid':%d,'group_id':%d,'title':'Quarter %d','description':'','state':'%s',"
               "'created_at':%t,'updated_at':%t,'due_date':null,'start_date':null,'expired':false,"
               "'web_url':'%s/groups/acme/-/milestones/%d'}",
               m->id, m->iid, (int64_t)GL_GROUP_ID, m->iid, wh_slice_str(gl_state_name(m->state)),
               m->created_ms, m->updated_ms, gl_base(model), m->iid);
}

static void put_bridge(const struct gl_ctx *c, const struct gl_obj *up, const struct gl_obj *down,
                       struct gl_out *out)
{
    char ref[GL_BRANCH_MAX];

    gl_out_tpl(
        out,
        "{'id':%d,'status':'%s','stage':'test','name':'trigger child','ref':'%s','tag':false,"
        "'coverage':null,'allow_failure':false,'created_at':%t,'started_at':%t,'finished_at':%t,"
        "'erased_at':null,'duration':%f,'queued_duration':null,'user':%s,'pipeline':",
        (int64_t)down->bridge, wh_slice_str(gl_state_name(down->state)),
        gl_pipeline_ref(c, up, ref), down->created_ms - 1, down->created_ms, down->finished_ms,
        gl_seconds(down->created_ms, down->finished_ms), gl_user_json(c->model, up->author));
    gl_render_pipeline(c, up, false, out);
    gl_out_tpl(out, ",'web_url':'%s/%s/-/jobs/%d','downstream_pipeline':", gl_base(c->model),
               gl_path(c), (int64_t)down->bridge);
    gl_render_pipeline(c, down, false, out);
    gl_out_str(out, "}");
}

/* ---- answers ---- */

bool gl_asks(const struct wh_http_req *req, const char *name)
{
    struct wh_slice value = wh_http_query(req, name);

    return wh_slice_eq(value, WH_LIT("true")) || wh_slice_eq(value, WH_LIT("1"));
}

void gl_extras_bridges(struct gl_call *call, const struct gl_ctx *c, const struct gl_obj *pipeline)
{
    const struct gl_set *set = &c->project->sets[GL_PIPELINE];
    uint32_t pos = gl_set_pos(set, pipeline);
    bool comma = false;

    gl_out_str(&call->out, "[");
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->items[i].upstream == pos + 1 && !(set->items[i].flags & GL_F_GONE)) {
            gl_out_str(&call->out, comma ? "," : "");
            put_bridge(c, pipeline, &set->items[i], &call->out);
            comma = true;
        }
    }
    gl_out_str(&call->out, "]");
    gl_rest_send(call, 200);
}

void gl_extras_milestones(struct gl_call *call, const struct gl_ctx *c, const struct gl_query *q,
                          const char *path)
{
    const struct gl_set *own = &c->project->sets[GL_MILESTONE];
    const struct gl_set *group = &c->model->group_milestones;
    struct gl_page page = {.total = own->n_live + group->n};
    bool comma = false;

    gl_out_str(&call->out, "[");
    for (uint32_t i = 0; q->page == 1 && i < own->n_live + group->n; i++) {
        gl_out_str(&call->out, comma ? "," : "");
        if (i < own->n_live) {
            gl_render(c, GL_MILESTONE, &own->items[own->by_id[i]], false, &call->out);
        } else {
            gl_render_group_milestone(c->model, &group->items[i - own->n_live], &call->out);
        }
        comma = true;
    }
    gl_out_str(&call->out, "]");
    gl_page_headers(&call->headers, q, &page, own, c->model->base_url, path,
                    wh_http_raw_query(call->req));
    gl_rest_send(call, 200);
}
