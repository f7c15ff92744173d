/*
 * budget.h - one rate limit of GitLab, as its RateLimit response headers describe it. Pure data: the
 * caller passes the time in.
 *
 * While more than half of the limit is left, requests go out at once, so that a small sync is quick.
 * The second half is spread over the time until the reset. Several fetchers that share a credential
 * all follow the same numbers: each of them slows down as the remaining requests shrink, and GitLab
 * does not have to refuse any.
 */
#ifndef WH_FETCHER_BUDGET_H
#define WH_FETCHER_BUDGET_H

#include <stdint.h>

struct budget {
    int64_t limit;         /* -1: GitLab has not named one */
    int64_t left;          /* remaining, less the requests sent since */
    int64_t reset_ms;      /* wall clock; 0: not known */
    int64_t next_ms;       /* when the next request may go out, while requests are spread */
    int64_t not_before_ms; /* set by a refusal */
};

void budget_init(struct budget *b);
/* Takes the headers of an answer. in_flight requests are still unanswered; GitLab may not have counted
 * them yet. */
void budget_answer(struct budget *b, int64_t now_ms, int64_t limit, int64_t left, int64_t reset_ms,
                   int64_t in_flight);
/* Takes a 429: no request for wait_ms. */
void budget_refused(struct budget *b, int64_t now_ms, int64_t wait_ms);
/* Milliseconds until the next request may go out; 0: now. */
int64_t budget_wait(struct budget *b, int64_t now_ms);
void budget_sent(struct budget *b, int64_t now_ms);

#endif
