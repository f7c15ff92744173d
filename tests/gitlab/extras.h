/*
 * extras.h - what GitLab's plain listings leave out, or what only other requests show: child pipelines with
 * the trigger jobs that start them, jobs that were retried, notes, and milestones of a group.
 */
#ifndef GL_EXTRAS_H
#define GL_EXTRAS_H

#include "tests/gitlab/paging.h"
#include "tests/gitlab/rest.h"

/* Adds them to a data set that was just generated: every sixth pipeline becomes the child of the one before it,
 * some first jobs are retried, the newest releases are scheduled for later, merge requests and issues get up to two notes by people and one by GitLab, and
 * some of them a milestone of the group. False without memory. */
WH_MUST_CHECK bool gl_extras_add(struct gl_model *model);

void gl_render_note(const struct gl_ctx *c, const struct gl_obj *note, struct gl_out *out);
void gl_render_group_milestone(const struct gl_model *model, const struct gl_obj *milestone,
                               struct gl_out *out);

/* Whether a query parameter is "true" or "1". */
bool gl_asks(const struct wh_http_req *req, const char *name);
/* /pipelines/:id/bridges: the trigger jobs of a pipeline, each with the pipeline that it started. */
void gl_extras_bridges(struct gl_call *call, const struct gl_ctx *c, const struct gl_obj *pipeline);
/* The milestones of a project and of its group, all in the first page. */
void gl_extras_milestones(struct gl_call *call, const struct gl_ctx *c, const struct gl_query *q,
                          const char *path);

#endif
