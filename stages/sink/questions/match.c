/* Which parts of the forms fit at a word. */
#include <string.h>

#include "stages/sink/questions/read_priv.h"

struct matching {
    const struct reading *r;
    size_t at;
    struct match *list;
    size_t n;
};

/* The most words that one of the patterns takes. */
size_t match_words(const struct reading *r, size_t i, const struct form_words *words)
{
    size_t best = 0;

    for (size_t k = 0; k < words->n; k++) {
        size_t n = ask_fits(&r->words, i, words->list[k]);

        best = n > best ? n : best;
    }
    return best;
}

/* Keeps the list in order: longer ones first, then those that were offered first. */
static void offer(struct matching *m, struct match match)
{
    size_t k = m->n;

    if (match.n == 0 || m->n == MATCHES_MAX) {
        return;
    }
    for (; k > 0 && m->list[k - 1].n < match.n; k--) {
        m->list[k] = m->list[k - 1];
    }
    m->list[k] = match;
    m->n++;
}

static void offer_list(struct matching *m, enum part part, const struct form_words *list, int n)
{
    for (int i = 0; i < n; i++) {
        offer(m, (struct match){part, NULL, i, match_words(m->r, m->at, &list[i])});
    }
}

static void offer_filters(struct matching *m, const struct form_subject *s)
{
    for (size_t i = 0; i < s->n_filters; i++) {
        const struct form_filter *f = &s->filters[i];

        offer(m, (struct match){PART_FILTER, f, 0, match_words(m->r, m->at, &f->words)});
        offer(m, (struct match){PART_NOT_FILTER, f, 0, match_words(m->r, m->at, &f->not_words)});
    }
}

/* "by project", "per week", "weekly" */
static void offer_groups(struct matching *m, const struct form_subject *s)
{
    const struct reading *r = m->r;
    size_t by = match_words(r, m->at, &r->q->by);

    for (size_t i = 0; i < s->n_groups; i++) {
        size_t n = by ? match_words(r, m->at + by, &s->groups[i].words) : 0;

        offer(m, (struct match){PART_GROUP, &s->groups[i], 0, n ? by + n : 0});
    }
    for (int i = 0; i < PERIODS; i++) {
        size_t n = by ? match_words(r, m->at + by, &r->q->periods[i]) : 0;
        const char *word = ask_word(&r->words, m->at);
        bool alone = n == 0 && strlen(word) > 4 && strcmp(word + strlen(word) - 2, "ly") == 0;

        offer(m, (struct match){PART_PERIOD, NULL, i, n ? by + n : 0});
        offer(m, (struct match){PART_PERIOD, NULL, i,
                                alone ? match_words(r, m->at, &r->q->periods[i]) : 0});
    }
}

size_t match_at(const struct reading *r, size_t i, struct match ret[MATCHES_MAX])
{
    struct matching m = {.r = r, .at = i, .list = ret};
    const struct questions *q = r->q;
    const struct form_subject *s = r->frame.subject;

    offer(&m, (struct match){PART_NOUN, NULL, 0, match_words(r, i, &s->words)});
    offer_filters(&m, s);
    for (size_t k = 0; k < s->n_measures; k++) {
        offer(&m, (struct match){PART_MEASURE, &s->measures[k], 0,
                                 match_words(r, i, &s->measures[k].words)});
    }
    offer_groups(&m, s);
    offer_list(&m, PART_ORDER, q->orders, ORDERS);
    offer_list(&m, PART_AGGREGATE, q->aggregates, AGGREGATES);
    offer_list(&m, PART_ASK, q->ask, ASKS);
    offer(&m, (struct match){PART_NOT, NULL, 0, match_words(r, i, &q->negation)});
    offer(&m, (struct match){PART_OR, NULL, 0, match_words(r, i, &q->alternative)});
    for (size_t k = 0; k < s->n_groups; k++) {
        offer(&m,
              (struct match){PART_BARE, &s->groups[k], 0, match_words(r, i, &s->groups[k].words)});
    }
    offer(&m, (struct match){PART_FILLER, NULL, 0, match_words(r, i, &q->filler)});
    return m.n;
}
