#include "stages/fetcher/gitlab/budget.h"

/* GitLab's longest period is an hour; what is longer is a clock that goes wrong. */
enum { WAIT_MAX_MS = 3600000 };

void budget_init(struct budget *b)
{
    *b = (struct budget){.limit = -1};
}

void budget_answer(struct budget *b, int64_t now_ms, int64_t limit, int64_t left, int64_t reset_ms,
                   int64_t in_flight)
{
    if (limit < 0 || left < 0) {
        return;
    }
    if (reset_ms < b->reset_ms && b->reset_ms - reset_ms < WAIT_MAX_MS) {
        return; /* of the period before: overtaken on its way */
    }
    b->limit = limit;
    b->left = left > in_flight ? left - in_flight : 0;
    /* With nothing under way the numbers are exact. */
    b->left = in_flight == 0 ? left : b->left;
    b->reset_ms = reset_ms > now_ms && reset_ms - now_ms <= WAIT_MAX_MS ? reset_ms : 0;
}

void budget_refused(struct budget *b, int64_t now_ms, int64_t wait_ms)
{
    int64_t until = now_ms + (wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS);

    b->not_before_ms = until > b->not_before_ms ? until : b->not_before_ms;
}

int64_t budget_wait(struct budget *b, int64_t now_ms)
{
    int64_t until = b->not_before_ms;

    if (b->reset_ms && now_ms >= b->reset_ms) {
        b->left = b->limit; /* until an answer says otherwise */
        b->reset_ms = 0;
        b->next_ms = 0;
    }
    if (b->limit >= 0 && b->reset_ms) {
        int64_t own = b->left <= 0 ? b->reset_ms : b->left * 2 <= b->limit ? b->next_ms : 0;

        until = own > until ? own : until;
    }
    return until > now_ms ? until - now_ms : 0;
}

void budget_sent(struct budget *b, int64_t now_ms)
{
    if (b->limit < 0 || b->reset_ms <= now_ms) {
        return;
    }
    b->next_ms = now_ms + (b->reset_ms - now_ms) / (b->left > 0 ? b->left : 1);
    b->left -= b->left > 0;
}
