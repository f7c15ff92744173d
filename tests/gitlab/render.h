/*
 * render.h - rows as GitLab's REST API writes them. Field names and order follow the recorded rows.
 * A row is 1 to 6 KB, most of it copied from what was prepared.
 */
#ifndef GL_RENDER_H
#define GL_RENDER_H

#include "tests/gitlab/model.h"
#include "tests/gitlab/out.h"

/* What all parts of a row need. */
struct gl_ctx {
    struct gl_model *model;
    struct gl_project *project;
    uint32_t project_index;
};

/* Makes the short form of every user; false without memory. */
WH_MUST_CHECK bool gl_render_prepare(struct gl_model *model);

/* A list row, or the longer detail of one object. Recorded rows are copied. */
void gl_render(const struct gl_ctx *c, enum gl_kind kind, const struct gl_obj *obj, bool detail,
               struct gl_out *out);
void gl_render_user(const struct gl_model *model, uint32_t user, bool detail, struct gl_out *out);
void gl_render_project(const struct gl_model *model, uint32_t project, struct gl_out *out);
/* The milestone of a merge request or issue, which may be of the group (gl_obj.milestone); or NULL. */
const struct gl_obj *gl_milestone_of(const struct gl_ctx *c, const struct gl_obj *obj);
/* A linked issue as /issues/:iid/links shows it. */
void gl_render_link(const struct gl_ctx *c, const struct gl_link *link, uint32_t from,
                    struct gl_out *out);

/* Parts; used by the webhooks too. */
void gl_render_mr(const struct gl_ctx *c, const struct gl_obj *mr, bool detail, struct gl_out *out);
void gl_render_issue(const struct gl_ctx *c, const struct gl_obj *issue, struct gl_out *out);
void gl_render_issue_fields(const struct gl_ctx *c, const struct gl_obj *issue, struct gl_out *out);
void gl_render_milestone(const struct gl_ctx *c, const struct gl_obj *milestone,
                         struct gl_out *out);
void gl_render_pipeline(const struct gl_ctx *c, const struct gl_obj *pipeline, bool detail,
                        struct gl_out *out);
void gl_render_job(const struct gl_ctx *c, const struct gl_obj *job, struct gl_out *out);
void gl_render_deployment(const struct gl_ctx *c, const struct gl_obj *deployment,
                          struct gl_out *out);
void gl_render_environment(const struct gl_obj *env, bool state, struct gl_out *out);
void gl_render_release(const struct gl_ctx *c, const struct gl_obj *release, struct gl_out *out);

/* The short form, or null for GL_NOBODY. */
struct wh_slice gl_user_json(const struct gl_model *model, uint32_t user);
struct wh_slice gl_base(const struct gl_model *model);
struct wh_slice gl_path(const struct gl_ctx *c);
uint64_t gl_obj_seed(const struct gl_ctx *c, const struct gl_obj *obj);
/* The pipeline's commit and branch; jobs and deployments share them. */
uint64_t gl_sha_seed(const struct gl_ctx *c, const struct gl_obj *pipeline);
struct wh_slice gl_pipeline_ref(const struct gl_ctx *c, const struct gl_obj *pipeline,
                                char to[GL_BRANCH_MAX]);
uint64_t gl_mr_sha_seed(const struct gl_ctx *c, const struct gl_obj *mr);
struct wh_slice gl_mr_branch(const struct gl_ctx *c, const struct gl_obj *mr,
                             char to[GL_BRANCH_MAX]);
struct wh_slice gl_obj_title(const struct gl_ctx *c, enum gl_kind kind, const struct gl_obj *obj,
                             char to[GL_TITLE_MAX]);
struct wh_slice gl_obj_body(const struct gl_ctx *c, const struct gl_obj *obj);
/* Seconds between the two, negative (null) when the end is not there. */
double gl_seconds(int64_t from_ms, int64_t to_ms);
const char *gl_status_label(unsigned state);
/* Where a browser finds it; without quotes. */
void gl_render_url(const struct gl_ctx *c, enum gl_kind kind, const struct gl_obj *obj,
                   struct gl_out *out);

#endif
