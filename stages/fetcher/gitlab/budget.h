/*
 * budget.h - one rate limit of GitLab's, as its RateLimit headers tell of it. Pure: time comes in.
 *
 * While more than half is left requests go out at once, so that a small sync is quick; what is left
 * then is spread over the time to the reset. Several fetchers with one credential do so each by the
 * same numbers: the more of them, the faster the rest shrinks and the slower each becomes, and
 * nobody runs into a refusal.
 */
#ifndef WH_FETCHER_BUDGET_H
#define WH_FETCHER_BUDGET_H

#include <stdint.h>

struct budget {
    int64_t limit;         /* -1: GitLab tells of none */
    int64_t left;          /* after what was sent since */
    int64_t reset_ms;      /* wall clock; 0: not known */
    int64_t next_ms;       /* of the next request, when they are spread */
    int64_t not_before_ms; /* a refusal said so */
};

void budget_init(struct budget *b);
/* An answer came while in_flight others had not: GitLab may not have counted them. */
void budget_answer(struct budget *b, int64_t now_ms, int64_t limit, int64_t left, int64_t reset_ms,
                   int64_t in_flight);
/* A 429: nothing for so long. */
void budget_refused(struct budget *b, int64_t now_ms, int64_t wait_ms);
/* ms until the next request may go out; 0: now. */
int64_t budget_wait(struct budget *b, int64_t now_ms);
void budget_sent(struct budget *b, int64_t now_ms);

#endif
