/*
 * hook_state.h - whether GitLab still calls a webhook: four failures in a row disable it for a
 * minute, each further one for twice as long, up to a day; forty for good. A switch, as it is off
 * on many servers.
 */
#ifndef GL_HOOK_STATE_H
#define GL_HOOK_STATE_H

#include <stdbool.h>
#include <stdint.h>

struct gl_hook_state {
    unsigned failures; /* in a row */
    int64_t until_ms;  /* disabled until then; 0: not */
    bool disabled;     /* for good */
    int64_t first_ms;  /* the first pause; default a minute */
};

enum { GL_HOOK_PAUSE_MS = 60000 };

void gl_hook_state_answer(struct gl_hook_state *s, bool fine, int64_t now_ms);
bool gl_hook_state_calls(const struct gl_hook_state *s, int64_t now_ms);
/* GitLab's words: executable, temporarily_disabled, disabled. */
const char *gl_hook_state_name(const struct gl_hook_state *s, int64_t now_ms);

#endif
