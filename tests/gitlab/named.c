/* Changes to one object that a test names, where mutate.c makes random ones. */
#include "tests/gitlab/vanish.h"

static uint32_t index_of(const struct gl_model *model, const struct gl_project *project)
{
    return (uint32_t)(project - model->projects);
}

static struct gl_event event_of(const struct gl_model *model, const struct gl_project *project,
                                enum gl_kind kind, const struct gl_obj *obj, const char *action)
{
    return (struct gl_event){.kind = kind,
                             .project = index_of(model, project),
                             .pos = gl_set_pos(&project->sets[kind], obj),
                             .actor = obj->author,
                             .action = action,
                             .old_updated_ms = obj->updated_ms,
                             .old_state = obj->state,
                             .old_rev = obj->rev,
                             .old_labels = obj->labels};
}

static void tell_event(const struct gl_model *model, const struct gl_event *event, bool tell)
{
    if (tell && model->on_event) {
        model->on_event(model->event_ctx, event);
    }
}

bool gl_push(struct gl_model *model, struct gl_project *project, int64_t iid, bool tell)
{
    struct gl_obj *mr = project->recorded ? NULL : gl_by_iid(project, GL_MR, iid);
    struct gl_event event;

    if (mr == NULL || mr->state != GL_S_OPENED) {
        return false;
    }
    event = event_of(model, project, GL_MR, mr, "update");
    event.pushed = true;
    mr->first_job++;
    tell_event(model, &event, tell);
    return true;
}

/* ---- pipelines ---- */

static void stop_running(struct gl_project *project, uint32_t pos)
{
    for (uint32_t i = 0; i < project->n_running; i++) {
        if (project->running[i] == pos) {
            project->running[i] = project->running[--project->n_running];
            return;
        }
    }
}

static void end_one(struct gl_model *model, struct gl_project *project, enum gl_kind kind,
                    uint32_t pos, enum gl_state state, bool tell)
{
    struct gl_set *set = &project->sets[kind];
    struct gl_event event = event_of(model, project, kind, &set->items[pos], NULL);

    gl_set_touch(set, pos, gl_now_ms(model));
    set->items[pos].state = (uint8_t)state;
    set->items[pos].finished_ms = set->items[pos].updated_ms;
    tell_event(model, &event, tell);
}

bool gl_pipeline_end(struct gl_model *model, struct gl_project *project, int64_t id,
                     enum gl_state state, bool tell)
{
    struct gl_obj *pipeline = project->recorded ? NULL : gl_by_id(project, GL_PIPELINE, id);
    uint32_t pos;

    if (pipeline == NULL || gl_state_final(pipeline->state)) {
        return false;
    }
    pos = gl_set_pos(&project->sets[GL_PIPELINE], pipeline);
    for (uint32_t i = 0; i < pipeline->n_jobs; i++) {
        uint32_t job = pipeline->first_job + i;

        if (!gl_state_final(project->sets[GL_JOB].items[job].state)) {
            end_one(model, project, GL_JOB, job, state, tell);
        }
    }
    end_one(model, project, GL_PIPELINE, pos, state, tell);
    stop_running(project, pos);
    return true;
}

/* ---- deletions: GitLab tells of none ---- */

static void delete_jobs(struct gl_project *project, const struct gl_obj *pipeline)
{
    for (uint32_t i = 0; i < pipeline->n_jobs; i++) {
        gl_set_delete(&project->sets[GL_JOB], pipeline->first_job + i);
    }
    stop_running(project, gl_set_pos(&project->sets[GL_PIPELINE], pipeline));
}

/* A member goes by the user's id. */
static struct gl_obj *member_of(const struct gl_model *model, struct gl_project *project,
                                int64_t user_id)
{
    struct gl_set *set = &project->sets[GL_MEMBER];

    for (uint32_t i = 0; i < set->n; i++) {
        if (!(set->items[i].flags & GL_F_GONE) &&
            model->users[set->items[i].parent].id == user_id) {
            return &set->items[i];
        }
    }
    return NULL;
}

bool gl_delete(struct gl_model *model, struct gl_project *project, enum gl_kind kind, int64_t iid)
{
    struct gl_obj *obj = NULL;

    if (project->recorded) {
        return false;
    }
    if (kind == GL_MR || kind == GL_ISSUE) {
        obj = gl_by_iid(project, kind, iid);
    } else if (kind == GL_PIPELINE || kind == GL_MILESTONE) {
        obj = gl_by_id(project, kind, iid);
    } else if (kind == GL_MEMBER) {
        obj = member_of(model, project, iid);
    }
    if (obj == NULL) {
        return false;
    }
    (void)gl_now_ms(model);
    if (kind == GL_PIPELINE) {
        delete_jobs(project, obj);
    }
    gl_set_delete(&project->sets[kind], gl_set_pos(&project->sets[kind], obj));
    return true;
}

static bool is_named(const struct gl_model *model, const struct gl_obj *obj, enum gl_kind kind,
                     int64_t iid)
{
    if (kind == GL_MR || kind == GL_ISSUE) {
        return obj->iid == iid;
    }
    return kind == GL_MEMBER ? model->users[obj->parent].id == iid : obj->id == iid;
}

bool gl_restore(struct gl_model *model, struct gl_project *project, enum gl_kind kind, int64_t iid)
{
    struct gl_set *set = &project->sets[kind];
    struct gl_set *jobs = &project->sets[GL_JOB];
    struct gl_obj *obj = NULL;

    for (uint32_t i = 0; i < set->n && obj == NULL; i++) {
        bool deleted = (set->items[i].flags & GL_F_DELETED) != 0;

        obj = deleted && is_named(model, &set->items[i], kind, iid) ? &set->items[i] : NULL;
    }
    if (obj == NULL || project->recorded) {
        return false;
    }
    obj->flags &= (uint8_t)~GL_F_DELETED;
    for (uint32_t i = 0; kind == GL_PIPELINE && i < obj->n_jobs; i++) {
        jobs->items[obj->first_job + i].flags &= (uint8_t)~GL_F_DELETED;
    }
    return gl_set_reindex(set) && (kind != GL_PIPELINE || gl_set_reindex(jobs));
}
