#include "tests/gitlab/model.h"

#include <stdlib.h>

#include "common/base/mem.h"

static const char *const state_names[GL_S_COUNT] = {
    [GL_S_OPENED] = "opened",
    [GL_S_CLOSED] = "closed",
    [GL_S_MERGED] = "merged",
    [GL_S_CREATED] = "created",
    [GL_S_PENDING] = "pending",
    [GL_S_RUNNING] = "running",
    [GL_S_SUCCESS] = "success",
    [GL_S_FAILED] = "failed",
    [GL_S_CANCELED] = "canceled",
    [GL_S_SKIPPED] = "skipped",
    [GL_S_MANUAL] = "manual",
    [GL_S_ACTIVE] = "active",
    [GL_S_AVAILABLE] = "available",
    [GL_S_STOPPED] = "stopped",
    [GL_S_BLOCKED] = "blocked",
    [GL_S_PREPARING] = "preparing",
    [GL_S_WAITING] = "waiting_for_resource",
};
static const char *const kind_names[GL_KIND_COUNT] = {
    [GL_MR] = "merge_request", [GL_ISSUE] = "issue",           [GL_PIPELINE] = "pipeline",
    [GL_JOB] = "job",          [GL_DEPLOYMENT] = "deployment", [GL_ENVIRONMENT] = "environment",
    [GL_RELEASE] = "release",  [GL_MILESTONE] = "milestone",   [GL_MEMBER] = "member",
    [GL_NOTE] = "note",
};
static const char *const severity_names[GL_SEVERITIES] = {"unknown", "low", "medium", "high",
                                                          "critical"};
static const char *const type_names[GL_T_COUNT] = {"issue", "incident", "task"};
static const char *const env_names[GL_ENVS] = {"production", "staging", "review/main"};
static const char *const env_tiers[GL_ENVS] = {"production", "staging", "development"};
static const char *const source_names[GL_SOURCE_CHILD + 1] = {
    "push", "merge_request_event", "schedule", "web", "api", "external", "parent_pipeline"};
static const struct gl_job_def job_defs[GL_JOBS] = {
    {"compile", "build"},      {"unit tests", "test"}, {"lint", "test"},
    {"e2e: [chrome]", "test"}, {"package", "package"}, {"deploy", "deploy"},
};

const char *gl_state_name(unsigned state)
{
    return state_names[state % GL_S_COUNT];
}

const char *gl_severity_name(unsigned severity)
{
    return severity_names[severity % GL_SEVERITIES];
}

const char *gl_kind_name(enum gl_kind kind)
{
    return kind_names[kind];
}

const char *gl_issue_type_name(unsigned type)
{
    return type_names[type % GL_T_COUNT];
}

size_t gl_labels_of(const struct gl_project *project, const struct gl_obj *obj,
                    struct wh_slice to[GL_LABELS])
{
    const struct gl_told *told = gl_told(project, obj);
    size_t n = 0;

    for (unsigned i = 0; told && i < GL_TOLD_LABELS && told->labels[i]; i++) {
        to[n++] = wh_slice_str(told->labels[i]);
    }
    for (unsigned i = 0; told == NULL && i < GL_LABELS; i++) {
        if (obj->labels >> i & 1) {
            to[n++] = gl_label(i);
        }
    }
    return n;
}

const char *gl_env_name(unsigned env)
{
    return env_names[env % GL_ENVS];
}

const char *gl_env_tier(unsigned env)
{
    return env_tiers[env % GL_ENVS];
}

const char *gl_source_name(unsigned source)
{
    return source_names[source % (GL_SOURCE_CHILD + 1)];
}

const struct gl_job_def *gl_job_def(unsigned type)
{
    return &job_defs[type % GL_JOBS];
}

bool gl_state_final(unsigned state)
{
    return state == GL_S_SUCCESS || state == GL_S_FAILED || state == GL_S_CANCELED ||
           state == GL_S_SKIPPED;
}

/* ---- sets ---- */

static int64_t updated_key(const struct gl_obj *obj)
{
    return obj->updated_ms ? obj->updated_ms : INT64_MAX;
}

/* Order of by_updated. */
static int compare(const struct gl_obj *a, const struct gl_obj *b)
{
    if (updated_key(a) != updated_key(b)) {
        return updated_key(a) < updated_key(b) ? -1 : 1;
    }
    return a->id < b->id ? -1 : a->id > b->id;
}

static int compare_pos(const void *a, const void *b, void *ctx)
{
    const struct gl_obj *items = ctx;

    return compare(&items[*(const uint32_t *)a], &items[*(const uint32_t *)b]);
}

static bool index_room(struct gl_set *set)
{
    uint32_t *grown;

    if (set->index_cap >= set->cap) {
        return true;
    }
    grown = wh_mem_resize(set->by_id, set->cap, sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    set->by_id = grown;
    grown = wh_mem_resize(set->by_updated, set->cap, sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    set->by_updated = grown;
    set->index_cap = set->cap;
    return true;
}

bool gl_set_reindex(struct gl_set *set)
{
    if (!index_room(set)) {
        return false;
    }
    set->n_live = 0;
    for (uint32_t i = 0; i < set->n; i++) {
        if (!(set->items[i].flags & GL_F_GONE)) {
            set->by_id[set->n_live] = i;
            set->by_updated[set->n_live] = i;
            set->n_live++;
        }
    }
    if (set->n_live > 1) {
        qsort_r(set->by_updated, set->n_live, sizeof(uint32_t), compare_pos, set->items);
    }
    return true;
}

/* Where obj stands, or would stand, in by_updated. */
static uint32_t find_updated(const struct gl_set *set, uint32_t n, const struct gl_obj *obj)
{
    uint32_t low = 0;
    uint32_t high = n;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (compare(&set->items[set->by_updated[mid]], obj) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void insert_updated(struct gl_set *set, uint32_t n, uint32_t pos)
{
    uint32_t at = find_updated(set, n, &set->items[pos]);

    memmove(set->by_updated + at + 1, set->by_updated + at, (n - at) * sizeof(uint32_t));
    set->by_updated[at] = pos;
}

static void remove_updated(struct gl_set *set, uint32_t pos)
{
    uint32_t at = find_updated(set, set->n_live, &set->items[pos]);

    memmove(set->by_updated + at, set->by_updated + at + 1,
            (set->n_live - at - 1) * sizeof(uint32_t));
}

struct gl_obj *gl_set_add(struct gl_set *set, const struct gl_obj *obj)
{
    if (set->n == set->cap) {
        uint32_t cap = set->cap ? set->cap + set->cap / 2 : 64;
        struct gl_obj *grown = wh_mem_resize(set->items, cap, sizeof(*grown));

        if (grown == NULL) {
            return NULL;
        }
        set->items = grown;
        set->cap = cap;
    }
    if (!index_room(set)) {
        return NULL;
    }
    set->items[set->n] = *obj;
    set->by_id[set->n_live] = set->n;
    insert_updated(set, set->n_live, set->n);
    set->n_live++;
    return &set->items[set->n++];
}

void gl_set_touch(struct gl_set *set, uint32_t pos, int64_t updated_ms)
{
    remove_updated(set, pos);
    set->items[pos].updated_ms = updated_ms;
    insert_updated(set, set->n_live - 1, pos);
}

void gl_set_delete(struct gl_set *set, uint32_t pos)
{
    uint32_t at = 0;

    remove_updated(set, pos);
    while (at < set->n_live && set->by_id[at] != pos) {
        at++;
    }
    memmove(set->by_id + at, set->by_id + at + 1, (set->n_live - at - 1) * sizeof(uint32_t));
    set->n_live--;
    set->items[pos].flags |= GL_F_DELETED;
}

uint32_t gl_set_pos(const struct gl_set *set, const struct gl_obj *obj)
{
    return (uint32_t)(obj - set->items);
}

void gl_set_free(struct gl_set *set)
{
    wh_mem_free(set->items);
    wh_mem_free(set->by_id);
    wh_mem_free(set->by_updated);
    *set = (struct gl_set){0};
}

/* ---- look-up ---- */

struct gl_project *gl_project_by_id(const struct gl_model *model, int64_t id)
{
    for (uint32_t i = 0; i < model->n_projects; i++) {
        if (model->projects[i].id == id) {
            return &model->projects[i];
        }
    }
    return NULL;
}

static struct gl_obj *living(struct gl_obj *obj)
{
    return obj->flags & GL_F_GONE ? NULL : obj;
}

struct gl_obj *gl_by_iid(const struct gl_project *project, enum gl_kind kind, int64_t iid)
{
    const struct gl_set *set = &project->sets[kind];

    /* Generated numbers are dense; recorded ones have gaps. */
    if (!project->recorded) {
        return iid >= 1 && iid <= set->n ? living(&set->items[iid - 1]) : NULL;
    }
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->items[i].iid == iid) {
            return living(&set->items[i]);
        }
    }
    return NULL;
}

struct gl_obj *gl_by_id(const struct gl_project *project, enum gl_kind kind, int64_t id)
{
    const struct gl_set *set = &project->sets[kind];
    uint32_t low = 0;
    uint32_t high = set->n;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (set->items[mid].id < id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < set->n && set->items[low].id == id ? living(&set->items[low]) : NULL;
}

/* ---- life ---- */

int64_t gl_now_ms(struct gl_model *model)
{
    int64_t now = wh_clock_now_ms(&model->clock) + model->clock_offset_ms;

    model->last_ms = now > model->last_ms ? now : model->last_ms + 1;
    return model->last_ms;
}

uint64_t gl_random(struct gl_model *model)
{
    model->random += 0x9e3779b97f4a7c15u;
    return gl_mix(model->random);
}

enum wh_rc gl_model_new(uint64_t seed, const struct gl_sizes *sizes, const char *base_url,
                        struct gl_model **ret, struct wh_err *err)
{
    struct gl_model *model = wh_mem_zalloc(1, sizeof(*model));

    if (model == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the data set");
    }
    model->seed = gl_mix(seed);
    model->random = model->seed;
    model->clock = wh_clock_real();
    model->text = gl_text_new(model->seed);
    model->base_url = wh_mem_dup(base_url, strlen(base_url));
    if (model->text == NULL || model->base_url == NULL) {
        gl_model_free(model);
        return wh_fail(err, WH_E_NOMEM, "no memory for the data set");
    }
    if (gl_generate(model, sizes, err) != WH_OK) {
        gl_model_free(model);
        return err->rc;
    }
    *ret = model;
    return WH_OK;
}

static void free_project(struct gl_project *project)
{
    for (unsigned k = 0; k < GL_KIND_COUNT; k++) {
        gl_set_free(&project->sets[k]);
        wh_mem_free(project->rows_text[k]);
    }
    wh_mem_free(project->name);
    wh_mem_free(project->path);
    wh_mem_free(project->old_path);
    wh_mem_free(project->links);
    wh_mem_free(project->running);
    wh_mem_free(project->rows);
    wh_mem_free(project->told);
}

void gl_model_free(struct gl_model *model)
{
    if (model == NULL) {
        return;
    }
    for (uint32_t i = 0; i < model->n_projects; i++) {
        free_project(&model->projects[i]);
    }
    for (uint32_t i = 0; i < model->n_users; i++) {
        wh_mem_free(model->users[i].username);
        wh_mem_free(model->users[i].name);
        wh_mem_free(model->users[i].json);
    }
    gl_set_free(&model->user_set);
    gl_set_free(&model->project_set);
    gl_set_free(&model->group_milestones);
    wh_mem_free(model->users);
    wh_mem_free(model->projects);
    wh_mem_free(model->base_url);
    gl_text_free(model->text);
    wh_mem_free(model);
}
