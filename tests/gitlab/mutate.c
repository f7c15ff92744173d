/*
 * mutate.c - changes as people and runners make them: each sets updated_at to now and is told to
 * the listener. Which one comes next follows from the seed; only the times come from the clock.
 */
#include "common/base/mem.h"
#include "tests/gitlab/model.h"

enum { RUNNING_MAX = 8 };

struct mutation {
    struct gl_model *model;
    struct gl_project *project;
    uint32_t project_index;
    uint64_t h;
};

static struct gl_set *set_of(const struct mutation *m, enum gl_kind kind)
{
    return &m->project->sets[kind];
}

static uint32_t some_user(const struct mutation *m, unsigned shift)
{
    return (uint32_t)((m->h >> shift) % m->model->n_users);
}

/* What the object was, before a change. */
static struct gl_event before(const struct mutation *m, enum gl_kind kind, uint32_t pos,
                              const char *action)
{
    const struct gl_obj *obj = &set_of(m, kind)->items[pos];

    return (struct gl_event){.kind = kind,
                             .project = m->project_index,
                             .pos = pos,
                             .actor = some_user(m, 17),
                             .action = action,
                             .old_updated_ms = obj->updated_ms,
                             .old_state = obj->state,
                             .old_rev = obj->rev,
                             .old_labels = obj->labels};
}

static void tell(const struct mutation *m, const struct gl_event *event)
{
    if (m->model->on_event) {
        m->model->on_event(m->model->event_ctx, event);
    }
}

static void touch(const struct mutation *m, enum gl_kind kind, uint32_t pos)
{
    gl_set_touch(set_of(m, kind), pos, gl_now_ms(m->model));
}

static bool add(struct mutation *m, enum gl_kind kind, struct gl_obj *obj, const char *action)
{
    struct gl_set *set = set_of(m, kind);
    int64_t now = gl_now_ms(m->model);
    struct gl_event event;

    obj->id = ++m->model->next_id[kind];
    obj->iid = (int64_t)set->n + 1;
    obj->created_ms = now;
    obj->updated_ms = obj->updated_ms < 0 ? 0 : now;
    if (gl_set_add(set, obj) == NULL) {
        return false;
    }
    event = before(m, kind, set->n - 1, action);
    event.actor = obj->author;
    tell(m, &event);
    return true;
}

/* A living object of that kind, newer ones more often; false when there is none. */
static bool pick(const struct mutation *m, enum gl_kind kind, uint32_t *ret_pos)
{
    const struct gl_set *set = set_of(m, kind);
    uint64_t h = gl_mix(m->h + kind);
    uint32_t window = h & 3 && set->n_live > 200 ? 200 : set->n_live;

    if (set->n_live == 0) {
        return false;
    }
    *ret_pos = set->by_id[set->n_live - 1 - (uint32_t)((h >> 8) % window)];
    return true;
}

/* ---- merge requests and issues ---- */

static bool new_mr(struct mutation *m)
{
    uint32_t n_issues = set_of(m, GL_ISSUE)->n;
    struct gl_obj obj = {.author = some_user(m, 4),
                         .assignee = m->h & 1 ? some_user(m, 9) : GL_NOBODY,
                         .reviewer = m->h & 2 ? some_user(m, 14) : GL_NOBODY,
                         .actor = GL_NOBODY,
                         .parent = n_issues && m->h & 4 ? (uint32_t)(m->h >> 20) % n_issues + 1 : 0,
                         .labels = (uint16_t)(1u << (m->h >> 30) % GL_LABELS),
                         .flags = m->h & 8 ? GL_F_DRAFT : 0,
                         .state = GL_S_OPENED};

    return add(m, GL_MR, &obj, "open");
}

static bool new_issue(struct mutation *m, enum gl_issue_type type)
{
    struct gl_obj obj = {.author = some_user(m, 4),
                         .assignee = m->h & 1 ? some_user(m, 9) : GL_NOBODY,
                         .reviewer = GL_NOBODY,
                         .actor = GL_NOBODY,
                         .labels = (uint16_t)(1u << (m->h >> 30) % GL_LABELS),
                         .type = (uint8_t)type,
                         .severity =
                             type == GL_T_INCIDENT ? (uint8_t)((m->h >> 36) % GL_SEVERITIES) : 0,
                         .flags = m->h >> 40 & 15 ? 0 : GL_F_CONFIDENTIAL,
                         .state = GL_S_OPENED};

    return add(m, GL_ISSUE, &obj, "open");
}

static bool edit(struct mutation *m, enum gl_kind kind)
{
    uint32_t pos;
    struct gl_event event;
    struct gl_obj *obj;

    if (!pick(m, kind, &pos)) {
        return false;
    }
    event = before(m, kind, pos, "update");
    obj = &set_of(m, kind)->items[pos];
    if (m->h & 0x100) {
        obj->rev++;
    } else {
        obj->labels ^= (uint16_t)(1u << (m->h >> 30) % GL_LABELS);
    }
    if (m->h & 0x200) {
        obj->assignee = some_user(m, 22);
    }
    if (obj->type == GL_T_INCIDENT && kind == GL_ISSUE && m->h & 0x400) {
        obj->severity = (uint8_t)((obj->severity + 1) % GL_SEVERITIES);
    }
    touch(m, kind, pos);
    tell(m, &event);
    return true;
}

static bool close_or_reopen(struct mutation *m, enum gl_kind kind)
{
    uint32_t pos;
    struct gl_event event;
    struct gl_obj *obj;

    if (!pick(m, kind, &pos)) {
        return false;
    }
    obj = &set_of(m, kind)->items[pos];
    if (obj->state == GL_S_MERGED || obj->flags & GL_F_MOVED) {
        return edit(m, kind);
    }
    event = before(m, kind, pos, "close");
    if (obj->state == GL_S_CLOSED) {
        event.action = "reopen";
        obj->state = GL_S_OPENED;
        obj->actor = GL_NOBODY;
    } else {
        bool merge = kind == GL_MR && m->h & 0xc00;

        event.action = merge ? "merge" : "close";
        obj->state = merge ? GL_S_MERGED : GL_S_CLOSED;
        obj->flags &= (uint8_t)~GL_F_DRAFT;
        obj->actor = event.actor;
    }
    touch(m, kind, pos);
    obj->finished_ms = obj->state == GL_S_OPENED ? 0 : obj->updated_ms;
    tell(m, &event);
    return true;
}

static bool link_issues(struct mutation *m)
{
    struct gl_set *issues = set_of(m, GL_ISSUE);
    uint32_t source;
    struct gl_link link;
    struct gl_event event;

    if (issues->n_live < 5 || !pick(m, GL_ISSUE, &source)) {
        return false;
    }
    link = (struct gl_link){.id = ++m->model->next_link_id,
                            .source = source,
                            .target = issues->by_id[(m->h >> 30) % issues->n_live],
                            .blocks = m->h & 1,
                            .created_ms = gl_now_ms(m->model)};
    if (link.target == source || !gl_links_add(m->project, &link)) {
        return false;
    }
    event = before(m, GL_ISSUE, source, "update");
    touch(m, GL_ISSUE, source);
    tell(m, &event);
    return true;
}

static bool new_note(struct mutation *m)
{
    enum gl_kind kind = m->h & 1 ? GL_MR : GL_ISSUE;
    uint32_t pos;
    struct gl_obj note;

    if (!pick(m, kind, &pos)) {
        return false;
    }
    note = (struct gl_obj){.author = some_user(m, 4), .parent = pos, .type = (uint8_t)kind};
    set_of(m, kind)->items[pos].notes++;
    touch(m, kind, pos);
    return add(m, GL_NOTE, &note, "create");
}

/* ---- pipelines ---- */

static bool add_jobs(struct mutation *m, uint32_t pipeline_pos, unsigned n)
{
    struct gl_obj *pipeline = &set_of(m, GL_PIPELINE)->items[pipeline_pos];

    pipeline->first_job = set_of(m, GL_JOB)->n;
    for (unsigned i = 0; i < n; i++) {
        struct gl_obj job = {.id = ++m->model->next_id[GL_JOB],
                             .created_ms = pipeline->created_ms,
                             .updated_ms = pipeline->created_ms,
                             .author = pipeline->author,
                             .assignee = GL_NOBODY,
                             .reviewer = GL_NOBODY,
                             .actor = GL_NOBODY,
                             .parent = pipeline_pos,
                             .type = (uint8_t)i,
                             .state = i == 0 ? GL_S_PENDING : GL_S_CREATED};

        if (gl_set_add(set_of(m, GL_JOB), &job) == NULL) {
            return false;
        }
        pipeline->n_jobs++;
    }
    return true;
}

static bool new_pipeline(struct mutation *m)
{
    struct gl_set *set = set_of(m, GL_PIPELINE);
    uint32_t n_mrs = set_of(m, GL_MR)->n;
    uint32_t pos = set->n;
    /* Every other one deploys. */
    unsigned n_jobs = m->h & 0x40 ? GL_JOBS : 2 + (unsigned)(m->h >> 7) % (GL_JOBS - 1);
    struct gl_event event;
    struct gl_obj obj = {.author = some_user(m, 4),
                         .assignee = GL_NOBODY,
                         .reviewer = GL_NOBODY,
                         .actor = GL_NOBODY,
                         .type = (uint8_t)((m->h >> 12) % GL_SOURCES),
                         .state = GL_S_PENDING};

    obj.parent = obj.type == 1 && n_mrs ? (uint32_t)((m->h >> 24) % n_mrs) + 1 : 0;
    obj.id = ++m->model->next_id[GL_PIPELINE];
    obj.iid = (int64_t)pos + 1;
    obj.created_ms = gl_now_ms(m->model);
    obj.updated_ms = m->h >> 33 & 15 ? obj.created_ms : 0;
    if (gl_set_add(set, &obj) == NULL || !add_jobs(m, pos, n_jobs) ||
        !gl_running_add(m->project, pos)) {
        return false;
    }
    event = before(m, GL_PIPELINE, pos, NULL);
    event.actor = obj.author;
    tell(m, &event);
    return true;
}

static void change_job(struct mutation *m, uint32_t pos, uint8_t state)
{
    struct gl_event event = before(m, GL_JOB, pos, NULL);
    struct gl_obj *job = &set_of(m, GL_JOB)->items[pos];

    event.actor = job->author;
    touch(m, GL_JOB, pos);
    job->state = state;
    if (state == GL_S_RUNNING) {
        job->started_ms = job->updated_ms;
    } else if (gl_state_final(state) && job->started_ms) {
        job->finished_ms = job->updated_ms;
    }
    tell(m, &event);
}

static void change_pipeline(struct mutation *m, uint32_t pos, uint8_t state)
{
    struct gl_event event = before(m, GL_PIPELINE, pos, NULL);
    struct gl_obj *pipeline = &set_of(m, GL_PIPELINE)->items[pos];

    event.actor = pipeline->author;
    touch(m, GL_PIPELINE, pos);
    pipeline->state = state;
    if (state == GL_S_RUNNING) {
        pipeline->started_ms = pipeline->updated_ms;
    } else {
        pipeline->finished_ms = pipeline->updated_ms;
    }
    tell(m, &event);
}

static bool new_deployment(struct mutation *m, uint32_t job)
{
    struct gl_obj obj = {.author = set_of(m, GL_JOB)->items[job].author,
                         .parent = job,
                         .type = (uint8_t)((m->h >> 18) % GL_ENVS),
                         .state = GL_S_RUNNING};

    return add(m, GL_DEPLOYMENT, &obj, NULL);
}

static void finish_deployment(struct mutation *m, uint32_t job, uint8_t state)
{
    struct gl_set *set = set_of(m, GL_DEPLOYMENT);

    for (uint32_t back = 0; back < 50 && back < set->n; back++) {
        uint32_t pos = set->n - 1 - back;
        struct gl_event event = before(m, GL_DEPLOYMENT, pos, NULL);

        if (set->items[pos].parent == job && set->items[pos].state == GL_S_RUNNING) {
            event.actor = set->items[pos].author;
            touch(m, GL_DEPLOYMENT, pos);
            set->items[pos].state = state;
            set->items[pos].finished_ms = set->items[pos].updated_ms;
            tell(m, &event);
            return;
        }
    }
}

/* One step of the runners: the first job that is not final starts or ends. */
static bool advance_pipeline(struct mutation *m)
{
    uint32_t slot = (uint32_t)((m->h >> 28) % (m->project->n_running ? m->project->n_running : 1));
    uint32_t pos = m->project->n_running ? m->project->running[slot] : 0;
    const struct gl_obj *pipeline = &set_of(m, GL_PIPELINE)->items[pos];
    const struct gl_set *jobs = set_of(m, GL_JOB);
    uint32_t at = 0;
    uint8_t result = m->h >> 40 & 7 ? GL_S_SUCCESS : GL_S_FAILED;

    if (m->project->n_running == 0) {
        return new_pipeline(m);
    }
    while (at < pipeline->n_jobs && gl_state_final(jobs->items[pipeline->first_job + at].state)) {
        at++;
    }
    if (at < pipeline->n_jobs) {
        uint32_t job = pipeline->first_job + at;

        if (jobs->items[job].state != GL_S_RUNNING) {
            change_job(m, job, GL_S_RUNNING);
            if (pipeline->state != GL_S_RUNNING) {
                change_pipeline(m, pos, GL_S_RUNNING);
            }
            return jobs->items[job].type + 1 < GL_JOBS || new_deployment(m, job);
        }
        change_job(m, job, result);
        finish_deployment(m, job, result);
        for (at++; result == GL_S_FAILED && at < pipeline->n_jobs; at++) {
            change_job(m, pipeline->first_job + at, GL_S_SKIPPED);
        }
        if (at < pipeline->n_jobs) {
            return true;
        }
    }
    change_pipeline(m, pos, result);
    m->project->running[slot] = m->project->running[--m->project->n_running];
    return true;
}

/* ---- the rest ---- */

static bool change_release(struct mutation *m)
{
    uint32_t pos;
    struct gl_event event;
    struct gl_obj obj = {.author = some_user(m, 4)};

    if (m->h & 0x1000 || !pick(m, GL_RELEASE, &pos)) {
        obj.finished_ms = gl_now_ms(m->model);
        return add(m, GL_RELEASE, &obj, "create");
    }
    event = before(m, GL_RELEASE, pos, "update");
    set_of(m, GL_RELEASE)->items[pos].rev++;
    touch(m, GL_RELEASE, pos);
    tell(m, &event);
    return true;
}

static bool change_milestone(struct mutation *m)
{
    uint32_t pos;
    struct gl_event event;
    struct gl_obj *obj;
    struct gl_obj fresh = {.author = some_user(m, 4), .state = GL_S_ACTIVE};

    if (set_of(m, GL_MILESTONE)->n < 30 && (m->h & 0x1000 || !pick(m, GL_MILESTONE, &pos))) {
        return add(m, GL_MILESTONE, &fresh, "create");
    }
    if (!pick(m, GL_MILESTONE, &pos)) {
        return false;
    }
    obj = &set_of(m, GL_MILESTONE)->items[pos];
    event = before(m, GL_MILESTONE, pos, obj->state == GL_S_ACTIVE ? "close" : "reopen");
    obj->state = obj->state == GL_S_ACTIVE ? GL_S_CLOSED : GL_S_ACTIVE;
    touch(m, GL_MILESTONE, pos);
    tell(m, &event);
    return true;
}

static struct mutation begin(struct gl_model *model)
{
    uint64_t h = gl_random(model);
    uint32_t project = (uint32_t)(h % model->n_generated);

    /* Nothing happens in a project that is gone or archived. */
    for (uint32_t i = 0;
         i < model->n_generated &&
         (model->projects[project].archived || model->projects[project].presence == GL_REMOVED);
         i++) {
        project = (project + 1) % model->n_generated;
    }
    model->n_mutations++;
    return (struct mutation){.model = model,
                             .project = &model->projects[project],
                             .project_index = project,
                             .h = gl_mix(h)};
}

bool gl_mutate(struct gl_model *model)
{
    struct mutation m = begin(model);
    unsigned dice = (unsigned)(m.h >> 52) % 100;

    if (dice < 8) {
        return new_mr(&m);
    }
    if (dice < 20) {
        return edit(&m, GL_MR);
    }
    if (dice < 28) {
        return close_or_reopen(&m, GL_MR);
    }
    if (dice < 35) {
        return new_issue(&m, dice == 34 ? GL_T_TASK : GL_T_ISSUE);
    }
    if (dice < 38) {
        return new_issue(&m, GL_T_INCIDENT);
    }
    if (dice < 48) {
        return edit(&m, GL_ISSUE);
    }
    if (dice < 54) {
        return close_or_reopen(&m, GL_ISSUE);
    }
    if (dice < 56) {
        return link_issues(&m);
    }
    if (dice < 64) {
        return new_note(&m);
    }
    if (dice < 70) {
        return m.project->n_running < RUNNING_MAX ? new_pipeline(&m) : advance_pipeline(&m);
    }
    if (dice < 96) {
        return advance_pipeline(&m);
    }
    return dice < 98 ? change_release(&m) : change_milestone(&m);
}

bool gl_mutate_insert(struct gl_model *model, uint32_t project, enum gl_kind kind)
{
    struct mutation m = begin(model);

    if (project >= model->n_generated) {
        return false;
    }
    m.project = &model->projects[project];
    m.project_index = project;
    switch ((int)kind) {
    case GL_MR:
        return new_mr(&m) && edit(&m, GL_MR);
    case GL_ISSUE:
        return new_issue(&m, GL_T_ISSUE) && edit(&m, GL_ISSUE);
    case GL_PIPELINE:
        return new_pipeline(&m) && advance_pipeline(&m);
    default:
        return gl_mutate(model);
    }
}

enum wh_rc gl_rename_project(struct gl_model *model, struct gl_project *project,
                             struct wh_slice path, struct wh_err *err)
{
    char *copy;

    if (path.len == 0 || memchr(path.ptr, '/', path.len) == NULL || project->recorded) {
        return wh_fail(err, WH_E_INVALID, "a new path is a namespace, a slash and a name");
    }
    copy = wh_mem_dup(path.ptr, path.len);
    if (copy == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a path");
    }
    (void)gl_now_ms(model);
    wh_mem_free(project->old_path);
    project->old_path = project->path;
    project->path = copy;
    return WH_OK;
}
