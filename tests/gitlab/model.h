/*
 * model.h - the truth: users, projects and all that is in them, as numbers in memory.
 *
 * One struct serves all kinds (a table below says what each field means where); texts are made when
 * a row is rendered (text.h). Everything that is generated follows from seed and sizes alone. What
 * is changed later gets the clock's time, strictly increasing, as a database would give it.
 *
 * Thread: app. Pointers to objects are valid until the next object is added.
 */
#ifndef GL_MODEL_H
#define GL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/base/time.h"
#include "tests/gitlab/text.h"

enum gl_kind {
    GL_MR,
    GL_ISSUE,
    GL_PIPELINE,
    GL_JOB,
    GL_DEPLOYMENT,
    GL_ENVIRONMENT,
    GL_RELEASE,
    GL_MILESTONE,
    GL_MEMBER,
    GL_NOTE,
    GL_KIND_COUNT
};

enum gl_state {
    GL_S_OPENED,
    GL_S_CLOSED,
    GL_S_MERGED,
    GL_S_CREATED,
    GL_S_PENDING,
    GL_S_RUNNING,
    GL_S_SUCCESS,
    GL_S_FAILED,
    GL_S_CANCELED,
    GL_S_SKIPPED,
    GL_S_MANUAL,
    GL_S_ACTIVE,
    GL_S_AVAILABLE,
    GL_S_STOPPED,
    GL_S_BLOCKED,
    GL_S_PREPARING,
    GL_S_WAITING,
    GL_S_COUNT
};

enum gl_issue_type { GL_T_ISSUE, GL_T_INCIDENT, GL_T_TASK, GL_T_COUNT };

enum gl_flags {
    GL_F_DELETED = 1,
    GL_F_CONFIDENTIAL = 2,
    GL_F_DRAFT = 4,
    GL_F_LINKED = 8,
    GL_F_MOVED = 16,   /* closed here, went on in another project */
    GL_F_HIDDEN = 32,  /* confidential, and the tokens may not see that */
    GL_F_RETRIED = 64, /* a job that another one of the same name replaced */
    GL_F_SYSTEM = 128, /* a note that GitLab wrote */
    GL_F_GONE = GL_F_DELETED | GL_F_HIDDEN
};

/* What the tokens see of a project. */
enum gl_presence {
    GL_HERE,
    GL_UNLISTED, /* public: still readable, but nobody is a member */
    GL_LOST,     /* 404 */
    GL_REMOVED   /* deleted: 404 */
};

#define GL_NOBODY UINT32_MAX

/* The group of all generated projects. An object that has a milestone of the group contains its index
 * and GL_GROUP_MILESTONE. */
enum { GL_GROUP_ID = 7, GL_GROUP_MILESTONE = 128 };

/*
 *             finished_ms        actor      parent             type
 * MR          merged/closed at   who did    issue it closes+1  -
 * ISSUE       closed at          who did    -                  gl_issue_type
 * PIPELINE    finished at        -          MR+1               source
 * JOB         finished at        -          pipeline           name
 * DEPLOYMENT  finished at        -          job                environment
 * RELEASE     released at        -          -                  -
 * MEMBER      -                  -          user               access level
 * NOTE        -                  -          MR or issue        gl_kind of it
 *
 * A child pipeline has `upstream`, the position of its parent + 1, and `bridge`, the id of the trigger
 * job that started it.
 */
struct gl_obj {
    int64_t id;
    int64_t iid;
    int64_t created_ms;
    int64_t updated_ms; /* 0: GitLab says null */
    int64_t started_ms;
    int64_t finished_ms;
    uint32_t author; /* indexes of users */
    uint32_t assignee;
    uint32_t reviewer;
    uint32_t actor;
    uint32_t parent;
    uint32_t first_job; /* a pipeline's jobs are neighbours; pushes to a merge request */
    uint32_t rev;
    uint16_t n_jobs;
    uint16_t labels; /* bit mask */
    uint16_t notes;
    uint8_t state;
    uint8_t type;
    uint8_t severity;
    uint8_t milestone; /* index + 1 */
    uint8_t flags;
    uint32_t raw;      /* recorded row + 1 */
    uint32_t moved_to; /* id of the issue that a moved one became */
    uint32_t upstream;
    uint32_t bridge;
    uint32_t told; /* words of its own (story.h) + 1 */
};

/* Positions in items never change; the indexes leave out what was deleted. */
struct gl_set {
    struct gl_obj *items;
    uint32_t n;
    uint32_t cap;
    uint32_t *by_id;
    uint32_t *by_updated; /* null last, then id */
    uint32_t n_live;
    uint32_t index_cap;
};

struct gl_link {
    int64_t id;
    uint32_t source;
    uint32_t target;
    bool blocks; /* else: relates to */
    int64_t created_ms;
};

/* A row as GitLab once sent it, in its short and its long form, with what lists and oracle need. */
struct gl_recorded {
    struct wh_slice list;
    struct wh_slice detail;
    struct wh_slice title;
    struct wh_slice state;
    struct wh_slice updated_at;
    struct wh_slice url;
    struct wh_slice labels; /* JSON array */
    int64_t author_id;
    int64_t pipeline_id;
};

/* Words of an object that are not made from its seed. Texts are escaped for JSON. */
enum { GL_TOLD_LABELS = 4, GL_TOLD_TITLE = 120, GL_TOLD_BODY = 900 };
struct gl_told {
    char title[GL_TOLD_TITLE];
    char body[GL_TOLD_BODY];
    const char *labels[GL_TOLD_LABELS]; /* the first NULL ends them */
    uint64_t sha; /* seed of the commit of a pipeline, and that a merge request was merged by */
};

struct gl_project {
    int64_t id;
    char *name;
    char *path;     /* with the namespace */
    char *old_path; /* before a rename; NULL */
    int64_t created_ms;
    uint32_t creator;
    bool recorded; /* never changes */
    bool archived;
    enum gl_presence presence;
    struct gl_set sets[GL_KIND_COUNT];
    struct gl_link *links;
    uint32_t n_links;
    uint32_t links_cap;
    uint32_t *running; /* pipelines that are not final */
    uint32_t n_running;
    uint32_t running_cap;
    struct gl_recorded *rows;
    uint32_t n_rows;
    char *rows_text[GL_KIND_COUNT]; /* the files that rows point into */
    struct gl_told *told;
    uint32_t n_told;
};

struct gl_user {
    int64_t id;
    int64_t created_ms;
    uint64_t seed;
    char *username;
    char *name;
    bool blocked;
    char *json; /* the short form that other rows embed; made by render */
    size_t json_len;
};

/* What a mutation did; sent to the listener right after it. */
struct gl_event {
    enum gl_kind kind;
    uint32_t project;
    uint32_t pos;
    uint32_t actor;
    const char *action; /* GitLab's word: open, update, close, ...; NULL where it has none */
    int64_t old_updated_ms;
    uint8_t old_state;
    uint32_t old_rev;
    uint16_t old_labels;
    bool pushed; /* new commits alone */
};

typedef void (*gl_event_fn)(void *ctx, const struct gl_event *event);

/* Of the first project; the n-th has a 1/n part. */
struct gl_sizes {
    int64_t projects;
    int64_t users;
    int64_t mrs;
    int64_t issues;
    int64_t pipelines;
    int64_t deployments;
    int64_t releases;
    bool extras;      /* what plain listings leave out; see extras.h */
    bool story;       /* incidents of two months; see story.h */
    int64_t until_ms; /* when the data end; 0: 2025-06-01 */
};

struct gl_model {
    uint64_t seed;
    uint64_t random; /* of mutations */
    char *base_url;
    struct gl_text *text;
    struct gl_user *users;
    uint32_t n_users;
    struct gl_project *projects;
    uint32_t n_projects;
    uint32_t n_generated;   /* projects that may be changed come first */
    int64_t shift_ms;       /* from the times of the default data to those of these */
    struct gl_set user_set; /* ids and times alone, for lists */
    struct gl_set project_set;
    struct gl_set group_milestones; /* of GL_GROUP_ID */
    bool extras;
    bool story;
    int64_t next_id[GL_KIND_COUNT];
    int64_t next_link_id;
    struct wh_clock clock;
    int64_t clock_offset_ms;
    int64_t last_ms;
    gl_event_fn on_event;
    void *event_ctx;
    uint64_t n_mutations;
};

WH_MUST_CHECK enum wh_rc gl_model_new(uint64_t seed, const struct gl_sizes *sizes,
                                      const char *base_url, struct gl_model **ret,
                                      struct wh_err *err);
void gl_model_free(struct gl_model *model);
/* Later than any time that it gave before. */
int64_t gl_now_ms(struct gl_model *model);
uint64_t gl_random(struct gl_model *model);

struct gl_project *gl_project_by_id(const struct gl_model *model, int64_t id);
/* Whether the tokens may read it. */
static inline bool gl_project_seen(const struct gl_project *project)
{
    return project->presence <= GL_UNLISTED;
}
/* NULL when there is none, or when it was deleted. */
struct gl_obj *gl_by_iid(const struct gl_project *project, enum gl_kind kind, int64_t iid);
struct gl_obj *gl_by_id(const struct gl_project *project, enum gl_kind kind, int64_t id);
/* Appends with the indexes; NULL: no memory. The object is a copy. */
struct gl_obj *gl_set_add(struct gl_set *set, const struct gl_obj *obj);
/* Sets updated_ms and keeps the index right. */
void gl_set_touch(struct gl_set *set, uint32_t pos, int64_t updated_ms);
void gl_set_delete(struct gl_set *set, uint32_t pos);
/* Makes both indexes anew, after items were filled directly. */
WH_MUST_CHECK bool gl_set_reindex(struct gl_set *set);
void gl_set_free(struct gl_set *set);
uint32_t gl_set_pos(const struct gl_set *set, const struct gl_obj *obj);

/* Its words, or NULL. */
static inline const struct gl_told *gl_told(const struct gl_project *project,
                                            const struct gl_obj *obj)
{
    return obj->told ? &project->told[obj->told - 1] : NULL;
}

/* The names of its labels; gives their number. */
size_t gl_labels_of(const struct gl_project *project, const struct gl_obj *obj,
                    struct wh_slice to[GL_LABELS]);

const char *gl_state_name(unsigned state);
const char *gl_severity_name(unsigned severity); /* lower case */
const char *gl_kind_name(enum gl_kind kind);
const char *gl_issue_type_name(unsigned type);
const char *gl_env_name(unsigned env);
const char *gl_env_tier(unsigned env);
const char *gl_source_name(unsigned source);
struct gl_job_def {
    const char *name;
    const char *stage;
};
/* The source of child pipelines is not among those that are generated at random. */
enum { GL_JOBS = 6, GL_ENVS = 3, GL_SOURCES = 6, GL_SOURCE_CHILD = 6, GL_SEVERITIES = 5 };
const struct gl_job_def *gl_job_def(unsigned type);
bool gl_state_final(unsigned state);

/* generate.c */
WH_MUST_CHECK enum wh_rc gl_generate(struct gl_model *model, const struct gl_sizes *sizes,
                                     struct wh_err *err);
WH_MUST_CHECK bool gl_links_add(struct gl_project *project, const struct gl_link *link);
WH_MUST_CHECK bool gl_running_add(struct gl_project *project, uint32_t pos);

/* mutate.c: one random change; false when there was no memory or nothing to change. */
bool gl_mutate(struct gl_model *model);
/* Adds one object of a kind that lists page (merge request, issue or pipeline) and touches another.
 */
bool gl_mutate_insert(struct gl_model *model, uint32_t project, enum gl_kind kind);
/* named.c. No event: GitLab sends none. A merge request or issue by its iid, a pipeline (with its
 * jobs) or milestone by its id, a member by the user's id. False when it is not there. */
bool gl_delete(struct gl_model *model, struct gl_project *project, enum gl_kind kind, int64_t iid);
/* named.c: what gl_delete took is there again, as it was; false when it is not deleted, or without memory. */
bool gl_restore(struct gl_model *model, struct gl_project *project, enum gl_kind kind, int64_t iid);
/* named.c: new commits in an open merge request, whose updated_at stays. */
bool gl_push(struct gl_model *model, struct gl_project *project, int64_t iid, bool tell);
/* Ends a pipeline by id and all its jobs that are not final. */
bool gl_pipeline_end(struct gl_model *model, struct gl_project *project, int64_t id,
                     enum gl_state state, bool tell);
WH_MUST_CHECK enum wh_rc gl_rename_project(struct gl_model *model, struct gl_project *project,
                                           struct wh_slice path, struct wh_err *err);

/* recorded.c: adds the recorded project from a folder of fixtures; WH_E_NOT_FOUND without folder.
 */
WH_MUST_CHECK enum wh_rc gl_recorded_load(struct gl_model *model, const char *folder,
                                          struct wh_err *err);

#endif
