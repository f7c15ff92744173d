/*
 * generate.c - the first data set, from seed and sizes alone: no clock is read, so that two runs
 * with the same options serve the same bytes.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "tests/gitlab/extras.h"
#include "tests/gitlab/story.h"

/* 2023-01-01 to 2025-06-01, before model->shift_ms is added. */
static const int64_t span_start_ms = 1672531200000;
static const int64_t span_end_ms = 1748736000000;
/* A mass edit: every sixteenth older issue and merge request has this very updated_at. */
static const int64_t mass_edit_ms = 1735689600123;

enum { DAY_MS = 86400000, MASS_EDIT_EVERY = 16 };

struct gen {
    struct gl_model *model;
    struct gl_project *project;
    uint64_t seed;
    struct wh_err *err;
};

static int64_t between(uint64_t h, int64_t low, int64_t high)
{
    return high <= low ? low : low + (int64_t)(h % (uint64_t)(high - low));
}

static int64_t span_end(const struct gl_model *model)
{
    return span_end_ms + model->shift_ms;
}

static int64_t clip(const struct gen *g, int64_t ms)
{
    return ms > span_end(g->model) ? span_end(g->model) : ms;
}

static int64_t take_id(struct gl_model *model, enum gl_kind kind, uint64_t h)
{
    model->next_id[kind] += 1 + (int64_t)(h % 3);
    return model->next_id[kind];
}

/* The i-th of n objects: made in order, evenly spread with jitter, never twice in one ms. */
static int64_t created_at(const struct gen *g, uint64_t h, uint32_t i, uint32_t n)
{
    int64_t step = (span_end(g->model) - g->project->created_ms) / ((int64_t)n + 1);

    return g->project->created_ms + step * ((int64_t)i + 1) +
           (int64_t)(h % (uint64_t)(step / 2 + 1));
}

static uint32_t some_user(const struct gen *g, uint64_t h)
{
    return (uint32_t)(h % g->model->n_users);
}

static uint16_t some_labels(uint64_t h)
{
    return (uint16_t)((1u << (h % GL_LABELS)) | (h >> 8 & 1 ? 1u << (h >> 9) % GL_LABELS : 0u));
}

static bool allocate(struct gl_set *set, int64_t n)
{
    set->items = wh_mem_zalloc((size_t)n + 1, sizeof(*set->items));
    if (set->items == NULL) {
        return false;
    }
    set->cap = (uint32_t)n + 1;
    set->n = (uint32_t)n;
    return true;
}

static struct gl_obj *start_object(struct gen *g, enum gl_kind kind, uint32_t i, uint32_t n,
                                   uint64_t *ret_h)
{
    uint64_t h = gl_mix(g->seed ^ ((uint64_t)kind << 40) ^ i);
    struct gl_obj *obj = &g->project->sets[kind].items[i];

    obj->id = take_id(g->model, kind, h);
    obj->iid = (int64_t)i + 1;
    obj->created_ms = created_at(g, gl_mix(h), i, n);
    obj->updated_ms = obj->created_ms;
    obj->author = some_user(g, h >> 5);
    obj->assignee = GL_NOBODY;
    obj->reviewer = GL_NOBODY;
    obj->actor = GL_NOBODY;
    *ret_h = gl_mix(h + 1);
    return obj;
}

static void mass_edit(const struct gen *g, struct gl_obj *obj, uint32_t i)
{
    int64_t at = mass_edit_ms + g->model->shift_ms;

    if (i % MASS_EDIT_EVERY == 5 && obj->created_ms < at) {
        obj->updated_ms = at;
    }
}

static void fill_issue(struct gen *g, uint32_t i, uint32_t n)
{
    uint64_t h;
    struct gl_obj *obj = start_object(g, GL_ISSUE, i, n, &h);

    obj->type = h % 16 == 0 ? GL_T_TASK : h % 16 < 3 ? GL_T_INCIDENT : GL_T_ISSUE;
    if (g->model->story && obj->created_ms > span_end(g->model) - GL_STORY_DAYS * DAY_MS) {
        obj->type = GL_T_ISSUE;
    }
    obj->severity = obj->type == GL_T_INCIDENT ? (uint8_t)((h >> 4) % GL_SEVERITIES) : 0;
    obj->labels = some_labels(h >> 8);
    obj->notes = (uint16_t)(h >> 24 & 15);
    obj->rev = (uint32_t)(h >> 28 & 1);
    obj->milestone = (uint8_t)((h >> 30) % (g->project->sets[GL_MILESTONE].n + 1));
    obj->flags = h >> 36 & 31 ? 0 : GL_F_CONFIDENTIAL;
    obj->updated_ms = clip(g, between(h >> 3, obj->created_ms, obj->created_ms + 30ll * DAY_MS));
    if (h >> 41 & 1) {
        obj->assignee = some_user(g, h >> 42);
    }
    obj->state = GL_S_OPENED;
    if ((h >> 50) % 10 < 7) {
        obj->state = GL_S_CLOSED;
        obj->finished_ms = obj->updated_ms;
        obj->actor = some_user(g, h >> 44);
    }
    mass_edit(g, obj, i);
}

static void fill_mr(struct gen *g, uint32_t i, uint32_t n)
{
    uint64_t h;
    struct gl_obj *obj = start_object(g, GL_MR, i, n, &h);
    uint32_t n_issues = g->project->sets[GL_ISSUE].n;

    obj->labels = some_labels(h >> 8);
    obj->notes = (uint16_t)(h >> 24 & 31);
    obj->rev = (uint32_t)(h >> 28 & 1);
    obj->milestone = (uint8_t)((h >> 30) % (g->project->sets[GL_MILESTONE].n + 1));
    obj->updated_ms = clip(g, between(h >> 3, obj->created_ms, obj->created_ms + 12ll * DAY_MS));
    obj->reviewer = h & 3 ? some_user(g, h >> 33) : GL_NOBODY;
    obj->assignee = h & 4 ? some_user(g, h >> 38) : GL_NOBODY;
    obj->parent = n_issues && (h >> 43) % 3 == 0 ? (uint32_t)((h >> 20) % n_issues) + 1 : 0;
    obj->state = GL_S_OPENED;
    if ((h >> 50) % 16 < 14) {
        obj->state = (h >> 50) % 16 < 12 ? GL_S_MERGED : GL_S_CLOSED;
        obj->finished_ms = obj->updated_ms;
        obj->actor = some_user(g, h >> 44);
    } else {
        obj->flags = h >> 55 & 1 ? GL_F_DRAFT : 0;
    }
    mass_edit(g, obj, i);
}

static void fill_job(struct gen *g, const struct gl_obj *pipeline, uint32_t pos, uint32_t at,
                     uint64_t h)
{
    uint32_t job_pos = pipeline->first_job + at;
    struct gl_obj *job = &g->project->sets[GL_JOB].items[job_pos];
    bool last = at + 1u == pipeline->n_jobs;

    *job = (struct gl_obj){.id = take_id(g->model, GL_JOB, h),
                           .created_ms = pipeline->created_ms + at,
                           .author = pipeline->author,
                           .assignee = GL_NOBODY,
                           .reviewer = GL_NOBODY,
                           .actor = GL_NOBODY,
                           .parent = pos,
                           .type = (uint8_t)at,
                           .state = GL_S_SUCCESS};
    if (pipeline->state == GL_S_RUNNING) {
        job->state = at == 0 ? GL_S_RUNNING : GL_S_CREATED;
        job->started_ms = at == 0 ? pipeline->started_ms : 0;
        job->updated_ms = job->created_ms;
        return;
    }
    if (last) {
        job->state = pipeline->state;
    }
    job->started_ms = job->created_ms + 2000 + (int64_t)(h >> 9 & 0x3fff);
    job->finished_ms = job->started_ms + 5000 + (int64_t)(h >> 20 & 0x3ffff);
    if (job->state == GL_S_SKIPPED) {
        job->started_ms = 0;
        job->finished_ms = 0;
    }
    job->updated_ms = job->finished_ms ? job->finished_ms : job->created_ms;
}

static void fill_pipeline(struct gen *g, uint32_t i, uint32_t n)
{
    static const uint8_t states[] = {GL_S_SUCCESS, GL_S_SUCCESS,  GL_S_SUCCESS, GL_S_FAILED,
                                     GL_S_SUCCESS, GL_S_CANCELED, GL_S_SUCCESS, GL_S_SKIPPED};
    uint64_t h;
    struct gl_obj *obj = start_object(g, GL_PIPELINE, i, n, &h);
    uint32_t n_mrs = g->project->sets[GL_MR].n;
    uint32_t before = i ? obj[-1].first_job + obj[-1].n_jobs : 0;

    obj->first_job = before;
    obj->n_jobs = (uint16_t)(2 + (h >> 7) % (GL_JOBS - 1));
    obj->type = (uint8_t)((h >> 12) % GL_SOURCES);
    obj->state = states[(h >> 16) % 8];
    obj->started_ms = obj->created_ms + 1000;
    if (i + 1 + n / 100 >= n && (h >> 20) % 2) {
        obj->state = GL_S_RUNNING;
    }
    if (n_mrs && obj->type == 1) {
        obj->parent = (uint32_t)((h >> 24) % n_mrs) + 1;
    }
    for (uint32_t k = 0; k < obj->n_jobs; k++) {
        const struct gl_obj *job = &g->project->sets[GL_JOB].items[before + k];

        fill_job(g, obj, i, k, gl_mix(h + k));
        obj->finished_ms =
            job->finished_ms > obj->finished_ms ? job->finished_ms : obj->finished_ms;
    }
    obj->updated_ms = obj->finished_ms ? obj->finished_ms + 15 : obj->created_ms + 1500;
    if (obj->state == GL_S_RUNNING) {
        obj->finished_ms = 0;
        obj->updated_ms = h >> 33 & 1 ? 0 : obj->updated_ms; /* as recorded rows have it */
    }
}

static void fill_deployment(struct gen *g, uint32_t i, uint32_t n)
{
    uint64_t h;
    struct gl_obj *obj = start_object(g, GL_DEPLOYMENT, i, n, &h);
    const struct gl_set *pipelines = &g->project->sets[GL_PIPELINE];
    const struct gl_obj *pipeline = &pipelines->items[(uint64_t)i * pipelines->n / n];

    obj->parent = pipeline->first_job + pipeline->n_jobs - 1u;
    obj->type = (uint8_t)((h >> 4) % GL_ENVS);
    obj->author = pipeline->author;
    obj->created_ms = pipeline->created_ms + i % 7 + 20;
    obj->state = pipeline->state == GL_S_SKIPPED ? GL_S_CANCELED : pipeline->state;
    obj->finished_ms =
        gl_state_final(obj->state) ? obj->created_ms + 60000 + (int64_t)(h & 0xffff) : 0;
    obj->updated_ms = obj->finished_ms ? obj->finished_ms + 3 : obj->created_ms;
}

static void fill_small(struct gen *g, enum gl_kind kind, uint32_t i, uint32_t n)
{
    uint64_t h;
    struct gl_obj *obj = start_object(g, kind, i, n, &h);

    switch ((int)kind) {
    case GL_ENVIRONMENT:
        obj->created_ms = g->project->created_ms + (int64_t)i * 1000;
        obj->updated_ms = obj->created_ms;
        obj->state = GL_S_AVAILABLE;
        obj->type = (uint8_t)i;
        break;
    case GL_RELEASE:
        obj->finished_ms = obj->created_ms;
        break;
    default: /* milestone */
        obj->updated_ms = clip(g, obj->created_ms + (int64_t)(h % (20u * DAY_MS)));
        obj->state = i + 2 < n ? GL_S_CLOSED : GL_S_ACTIVE;
    }
}

static bool fill_members(struct gen *g)
{
    static const uint8_t levels[] = {20, 30, 30, 30, 40, 50};
    struct gl_set *set = &g->project->sets[GL_MEMBER];

    for (uint32_t u = 0; u < g->model->n_users; u++) {
        uint64_t h = gl_mix(g->seed ^ 0xabcdu ^ u);
        struct gl_obj member = {.id = g->model->users[u].id,
                                .created_ms = g->project->created_ms + (int64_t)(h % DAY_MS),
                                .author = u,
                                .parent = u,
                                .type = levels[(h >> 32) % 6]};

        member.updated_ms = member.created_ms;
        if ((h % 4 || u < 3) && gl_set_add(set, &member) == NULL) {
            return false;
        }
    }
    return true;
}

bool gl_links_add(struct gl_project *project, const struct gl_link *link)
{
    if (project->n_links == project->links_cap) {
        uint32_t cap = project->links_cap ? project->links_cap * 2 : 64;
        struct gl_link *grown = wh_mem_resize(project->links, cap, sizeof(*grown));

        if (grown == NULL) {
            return false;
        }
        project->links = grown;
        project->links_cap = cap;
    }
    project->links[project->n_links++] = *link;
    project->sets[GL_ISSUE].items[link->source].flags |= GL_F_LINKED;
    project->sets[GL_ISSUE].items[link->target].flags |= GL_F_LINKED;
    return true;
}

bool gl_running_add(struct gl_project *project, uint32_t pos)
{
    if (project->n_running == project->running_cap) {
        uint32_t cap = project->running_cap ? project->running_cap * 2 : 64;
        uint32_t *grown = wh_mem_resize(project->running, cap, sizeof(*grown));

        if (grown == NULL) {
            return false;
        }
        project->running = grown;
        project->running_cap = cap;
    }
    project->running[project->n_running++] = pos;
    return true;
}

/* One issue in twenty is linked to another. */
static bool fill_links(struct gen *g)
{
    uint32_t n = g->project->sets[GL_ISSUE].n;

    for (uint32_t i = 0; n > 4 && i < n; i += 20) {
        uint64_t h = gl_mix(g->seed ^ 0x11u ^ i);
        struct gl_link link = {.id = ++g->model->next_link_id,
                               .source = i,
                               .target = (uint32_t)((i + 1 + h % (n - 1)) % n),
                               .blocks = h >> 40 & 1,
                               .created_ms = span_end(g->model) - 1};

        if (!gl_links_add(g->project, &link)) {
            return false;
        }
    }
    return true;
}

static uint32_t count_jobs(const struct gen *g, uint32_t n_pipelines)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < n_pipelines; i++) {
        uint64_t h = gl_mix(gl_mix(g->seed ^ ((uint64_t)GL_PIPELINE << 40) ^ i) + 1);

        n += 2 + (uint32_t)((h >> 7) % (GL_JOBS - 1));
    }
    return n;
}

static void fill_kind(struct gen *g, enum gl_kind kind)
{
    uint32_t n = g->project->sets[kind].n;

    for (uint32_t i = 0; i < n; i++) {
        if (kind == GL_MR) {
            fill_mr(g, i, n);
        } else if (kind == GL_ISSUE) {
            fill_issue(g, i, n);
        } else if (kind == GL_PIPELINE) {
            fill_pipeline(g, i, n);
        } else if (kind == GL_DEPLOYMENT) {
            fill_deployment(g, i, n);
        } else {
            fill_small(g, kind, i, n);
        }
    }
}

static bool fill_project(struct gen *g, const int64_t n[GL_KIND_COUNT])
{
    static const enum gl_kind order[] = {GL_ENVIRONMENT, GL_MILESTONE, GL_RELEASE,   GL_ISSUE,
                                         GL_MR,          GL_PIPELINE,  GL_DEPLOYMENT};

    for (unsigned k = 0; k < GL_KIND_COUNT; k++) {
        if (k != GL_MEMBER && k != GL_NOTE && !allocate(&g->project->sets[k], n[k])) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        fill_kind(g, order[i]);
    }
    for (unsigned k = 0; k < GL_KIND_COUNT; k++) {
        if (k != GL_MEMBER && k != GL_NOTE && !gl_set_reindex(&g->project->sets[k])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < g->project->sets[GL_PIPELINE].n; i++) {
        if (g->project->sets[GL_PIPELINE].items[i].state == GL_S_RUNNING &&
            !gl_running_add(g->project, i)) {
            return false;
        }
    }
    return fill_members(g) && fill_links(g);
}

static int64_t share(int64_t n, uint32_t project)
{
    int64_t part = n / ((int64_t)project + 1);

    return n > 0 && part < 3 ? (n < 3 ? n : 3) : part;
}

static bool make_project(struct gl_model *model, uint32_t i, const struct gl_sizes *sizes)
{
    struct gl_project *project = &model->projects[i];
    struct gen g = {.model = model, .project = project, .seed = gl_mix(model->seed ^ (i + 77u))};
    char name[GL_TITLE_MAX];
    char path[GL_TITLE_MAX] = "acme/";
    struct wh_slice both = gl_project_name(name, i);
    const char *bar = strchr(name, '|');
    size_t n_name = (size_t)(bar - name);
    int64_t n[GL_KIND_COUNT] = {[GL_MR] = share(sizes->mrs, i),
                                [GL_ISSUE] = share(sizes->issues, i),
                                [GL_PIPELINE] = share(sizes->pipelines, i),
                                [GL_DEPLOYMENT] = share(sizes->deployments, i),
                                [GL_ENVIRONMENT] = GL_ENVS,
                                [GL_RELEASE] = share(sizes->releases, i),
                                [GL_MILESTONE] = 6};

    memcpy(path + 5, bar + 1, both.len - n_name);
    project->id = 101 + (int64_t)i * 7;
    project->name = wh_mem_dup(name, n_name);
    project->path = wh_mem_dup(path, strlen(path));
    project->created_ms = span_start_ms + model->shift_ms + (int64_t)i * 3600000;
    project->creator = i % model->n_users;
    if (n[GL_PIPELINE] == 0) {
        n[GL_DEPLOYMENT] = 0;
    }
    n[GL_JOB] = count_jobs(&g, (uint32_t)n[GL_PIPELINE]);
    return project->name && project->path && fill_project(&g, n);
}

static bool make_users(struct gl_model *model)
{
    for (uint32_t i = 0; i < model->n_users; i++) {
        struct gl_user *user = &model->users[i];
        char text[GL_TITLE_MAX];
        struct wh_slice name;
        struct gl_obj obj = {0};

        user->seed = gl_mix(model->seed ^ 0x5555u ^ i);
        user->id = 501 + (int64_t)i * 3;
        user->created_ms = span_start_ms + model->shift_ms - 400ll * DAY_MS + (int64_t)i * 60000;
        user->blocked = i % 40 == 39;
        name = gl_person(text, user->seed);
        user->name = wh_mem_dup(name.ptr, name.len);
        name = gl_username(text, user->seed, i);
        user->username = wh_mem_dup(name.ptr, name.len);
        obj.id = user->id;
        obj.created_ms = user->created_ms;
        obj.updated_ms = user->created_ms;
        obj.state = user->blocked ? GL_S_BLOCKED : GL_S_ACTIVE;
        if (!user->name || !user->username || gl_set_add(&model->user_set, &obj) == NULL) {
            return false;
        }
    }
    return true;
}

enum wh_rc gl_generate(struct gl_model *model, const struct gl_sizes *sizes, struct wh_err *err)
{
    model->n_users = (uint32_t)sizes->users;
    model->users = wh_mem_zalloc(model->n_users, sizeof(*model->users));
    model->story = sizes->story;
    model->shift_ms = sizes->until_ms ? sizes->until_ms - span_end_ms : 0;
    /* One more for the recorded project. */
    model->projects =
        wh_mem_zalloc((size_t)sizes->projects + GL_STORY_PROJECTS + 1, sizeof(*model->projects));
    if (!model->users || !model->projects || !make_users(model)) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the data set");
    }
    for (unsigned k = 0; k < GL_KIND_COUNT; k++) {
        model->next_id[k] = 10000 * ((int64_t)k + 1);
    }
    for (uint32_t i = 0; i < (uint32_t)sizes->projects; i++) {
        struct gl_obj obj;

        model->n_projects = i + 1;
        if (!make_project(model, i, sizes)) {
            return wh_fail(err, WH_E_NOMEM, "no memory for the data set");
        }
        obj = (struct gl_obj){.id = model->projects[i].id,
                              .created_ms = model->projects[i].created_ms,
                              .updated_ms = model->projects[i].created_ms};
        if (gl_set_add(&model->project_set, &obj) == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for the data set");
        }
    }
    model->n_generated = model->n_projects;
    if ((sizes->extras && !gl_extras_add(model)) ||
        (sizes->story && !gl_story_add(model, span_end(model)))) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the data set");
    }
    model->last_ms = span_end(model);
    return WH_OK;
}
