/* payload.h - between payload.c and payload_ci.c. */
#ifndef GL_PAYLOAD_H
#define GL_PAYLOAD_H

#include "tests/gitlab/hooks.h"
#include "tests/gitlab/render.h"

/* {"id":...} as the "user" of a payload. */
void gl_payload_user(const struct gl_ctx *c, uint32_t user, struct gl_out *out);
/* "project":{...} without a comma. */
void gl_payload_project(const struct gl_ctx *c, struct gl_out *out);
void gl_payload_pipeline(const struct gl_ctx *c, const struct gl_obj *pipeline, struct gl_out *out);
void gl_payload_job(const struct gl_ctx *c, const struct gl_obj *job, struct gl_out *out);
void gl_payload_deployment(const struct gl_ctx *c, const struct gl_obj *deployment,
                           struct gl_out *out);
void gl_payload_release(const struct gl_ctx *c, const struct gl_obj *release, const char *action,
                        struct gl_out *out);

#endif
