/*
 * hooks.h - webhook deliveries as GitLab makes them: real headers, signature, 10 s timeout, never a
 * second try. The payload is the state at the time of the event.
 */
#ifndef GL_HOOKS_H
#define GL_HOOKS_H

#include "common/base/err.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "tests/gitlab/faults.h"
#include "tests/gitlab/hook_state.h"
#include "tests/gitlab/model.h"
#include "tests/gitlab/out.h"

struct gl_hooks;

struct gl_quirks;

struct gl_hooks_conf {
    struct wh_loop *loop;
    struct wh_log *log;
    struct gl_model *model;
    struct gl_faults *faults;
    const struct gl_quirks *quirks; /* whether failures disable the webhook */
    unsigned concurrency;
};

WH_MUST_CHECK enum wh_rc gl_hooks_new(const struct gl_hooks_conf *conf, struct gl_hooks **ret,
                                      struct wh_err *err);
void gl_hooks_free(struct gl_hooks *hooks);
/* An empty url turns deliveries off. key is "whsec_..." or empty; all are copied. */
WH_MUST_CHECK enum wh_rc gl_hooks_set(struct gl_hooks *hooks, struct wh_slice url,
                                      struct wh_slice token, struct wh_slice key,
                                      struct wh_err *err);
/* Each event is told by a group's webhook too, under an id of its own. */
void gl_hooks_set_group(struct gl_hooks *hooks, bool group);
bool gl_hooks_on(const struct gl_hooks *hooks);
/* A gl_event_fn: ctx is the hooks. */
void gl_hooks_event(void *ctx, const struct gl_event *event);
/* Waiting and in flight. */
size_t gl_hooks_pending(const struct gl_hooks *hooks);
void gl_hooks_render(const struct gl_hooks *hooks, int64_t last, struct gl_out *out);

/* The webhook of a project, as /projects/:id/hooks shows it. */
int64_t gl_hooks_id(const struct gl_project *project);
void gl_hooks_render_hook(const struct gl_hooks *hooks, const struct gl_project *project,
                          struct gl_out *out);
/* Enables it as a successful test does; or disables it for good; or sets the first pause. */
struct gl_hook_state *gl_hooks_state(struct gl_hooks *hooks);

/* payload.c: the body, and the value of X-Gitlab-Event. */
const char *gl_payload(struct gl_model *model, const struct gl_event *event, struct gl_out *out);

#endif
