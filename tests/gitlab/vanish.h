/*
 * vanish.h - how things leave a token's sight: projects that are deleted or lost, issues that move
 * or become confidential. GitLab tells of none of it by webhook, unless tell is asked for.
 */
#ifndef GL_VANISH_H
#define GL_VANISH_H

#include "tests/gitlab/model.h"
#include "tests/gitlab/out.h"

/* "here", "unlisted", "lost", "removed"; false when it is none of them. */
bool gl_presence_parse(struct wh_slice text, enum gl_presence *ret);
const char *gl_presence_name(enum gl_presence presence);
WH_MUST_CHECK bool gl_project_set_presence(struct gl_model *model, struct gl_project *project,
                                           enum gl_presence presence);
void gl_project_archive(struct gl_model *model, struct gl_project *project, bool archived);
/* To another namespace under the same name and id; the old path leads there. */
WH_MUST_CHECK enum wh_rc gl_project_transfer(struct gl_model *model, struct gl_project *project,
                                             struct wh_slice space, struct wh_err *err);
/* Confidential and out of sight, or back; false when there is no such issue or no memory. */
WH_MUST_CHECK bool gl_issue_hide(struct gl_model *model, struct gl_project *project, int64_t iid,
                                 bool hidden);
/*
 * The issue is closed with moved_to_id and goes on under a new number in the other project; with
 * tell both are told by webhook. NULL when it cannot be; else the new one.
 */
const struct gl_obj *gl_issue_move(struct gl_model *model, struct gl_project *from, int64_t iid,
                                   struct gl_project *to, bool tell);
/* Why the tokens do not see it, or NULL: deleted, confidential, lost_access, project_removed. */
const char *gl_gone(const struct gl_project *project, const struct gl_obj *obj);
/*
 * What a complete reader has of a project: for issues and merge requests the highest number, how
 * many there are to see, and which numbers are not, by reason.
 */
void gl_expected_render(const struct gl_project *project, struct gl_out *out);

#endif
