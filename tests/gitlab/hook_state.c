#include "tests/gitlab/hook_state.h"

enum { FREE_FAILURES = 4, LAST_FAILURE = 40, LONGEST_MS = 86400000 };

void gl_hook_state_answer(struct gl_hook_state *s, bool fine, int64_t now_ms)
{
    int64_t pause = s->first_ms ? s->first_ms : GL_HOOK_PAUSE_MS;

    if (fine) {
        s->failures = 0;
        s->until_ms = 0;
        s->disabled = false;
        return;
    }
    s->failures++;
    if (s->failures >= LAST_FAILURE) {
        s->disabled = true;
    }
    if (s->failures < FREE_FAILURES) {
        return;
    }
    for (unsigned i = FREE_FAILURES; i < s->failures && pause < LONGEST_MS; i++) {
        pause *= 2;
    }
    s->until_ms = now_ms + (pause < LONGEST_MS ? pause : LONGEST_MS);
}

bool gl_hook_state_calls(const struct gl_hook_state *s, int64_t now_ms)
{
    return !s->disabled && now_ms >= s->until_ms;
}

const char *gl_hook_state_name(const struct gl_hook_state *s, int64_t now_ms)
{
    return s->disabled                      ? "disabled"
           : gl_hook_state_calls(s, now_ms) ? "executable"
                                            : "temporarily_disabled";
}
