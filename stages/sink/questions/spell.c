/* The words of all forms, and which one a misspelt word means. */
#include <stdlib.h>
#include <string.h>

#include "stages/sink/questions/forms.h"

enum { WORD_MIN = 4, WORDS_MAX = 1 << 14, WORD_BYTES = 32 };

/* Words of times (ask/dates.h) that are worth correcting. */
static const char *const time_words[] = {
    "today yesterday tomorrow monday tuesday wednesday thursday friday saturday sunday",
    "january february march april june july august september october november december",
    "last previous past since before after between until week weeks month months quarter year "
    "years",
    "days hours weekend this next"};

struct collecting {
    struct questions *q;
    size_t n;
    enum wh_rc rc;
    struct wh_err *err;
};

/* Adds the words of one pattern. */
static void add_pattern(struct collecting *c, const char *pattern)
{
    while (*pattern && c->rc == WH_OK) {
        size_t len = strcspn(pattern, " |~");
        struct wh_slice copy;

        if (len && len < WORD_BYTES && c->n < WORDS_MAX) {
            c->rc = wh_arena_dup(&c->q->arena, wh_slice(pattern, len), &copy, c->err);
            c->q->vocabulary[c->n++] = c->rc == WH_OK ? copy.ptr : "";
        }
        pattern += len;
        pattern += *pattern != '\0';
    }
}

static void add(struct collecting *c, const struct form_words *words)
{
    for (size_t i = 0; i < words->n; i++) {
        add_pattern(c, words->list[i]);
    }
}

static void add_many(struct collecting *c, const struct form_words *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        add(c, &list[i]);
    }
}

static void add_subject(struct collecting *c, const struct form_subject *s)
{
    add(c, &s->words);
    for (size_t i = 0; i < s->n_filters; i++) {
        add(c, &s->filters[i].words);
        add(c, &s->filters[i].not_words);
    }
    for (size_t i = 0; i < s->n_groups; i++) {
        add(c, &s->groups[i].words);
    }
    for (size_t i = 0; i < s->n_measures; i++) {
        add(c, &s->measures[i].words);
    }
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

enum wh_rc forms_vocabulary(struct questions *q, struct wh_err *err)
{
    struct collecting c = {.q = q, .err = err, .rc = WH_OK};
    void *list = NULL;

    if (wh_arena_zalloc(&q->arena, WORDS_MAX, sizeof(char *), &list, err) != WH_OK) {
        return err->rc;
    }
    q->vocabulary = list;
    add_many(&c, q->ask, ASKS);
    add_many(&c, q->aggregates, AGGREGATES);
    add_many(&c, q->orders, ORDERS);
    add_many(&c, q->periods, PERIODS);
    add(&c, &q->by);
    add(&c, &q->negation);
    add(&c, &q->filler);
    for (size_t i = 0; i < sizeof(time_words) / sizeof(time_words[0]); i++) {
        add_pattern(&c, time_words[i]);
    }
    for (size_t i = 0; i < q->n_subjects; i++) {
        add_subject(&c, &q->subjects[i]);
    }
    qsort(q->vocabulary, c.n, sizeof(char *), by_text);
    for (size_t i = 0; i < c.n; i++) {
        if (i == 0 || strcmp(q->vocabulary[i], q->vocabulary[q->n_vocabulary - 1]) != 0) {
            q->vocabulary[q->n_vocabulary++] = q->vocabulary[i];
        }
    }
    return c.rc;
}

bool forms_know(const struct questions *q, const char *word)
{
    return bsearch(&word, q->vocabulary, q->n_vocabulary, sizeof(char *), by_text) != NULL;
}

/* One letter more, less or other, or two neighbours exchanged. */
static bool is_one_edit(const char *a, const char *b)
{
    size_t m = strlen(a);
    size_t n = strlen(b);
    size_t i = 0;

    if (m > n) {
        const char *longer = a;

        a = b;
        b = longer;
        m = strlen(a);
        n = strlen(b);
    }
    while (i < m && a[i] == b[i]) {
        i++;
    }
    if (n == m + 1) {
        return strcmp(a + i, b + i + 1) == 0;
    }
    if (n > m || i == m) {
        return false;
    }
    return strcmp(a + i + 1, b + i + 1) == 0 ||
           (a[i] == b[i + 1] && a[i + 1] == b[i] && a[i + 1] && strcmp(a + i + 2, b + i + 2) == 0);
}

/* Two forms of one word, as far as their beginnings say: issue and issues, fail and failed. */
static bool is_same_word(const char *a, const char *b)
{
    return strncmp(a, b, WORD_MIN) == 0;
}

const char *forms_correct(const struct questions *q, const char *word)
{
    const char *found = NULL;

    for (size_t i = 0; strlen(word) >= WORD_MIN && i < q->n_vocabulary; i++) {
        const char *known = q->vocabulary[i];

        if (strlen(known) < WORD_MIN || !is_one_edit(word, known)) {
            continue;
        }
        if (found && !is_same_word(found, known)) {
            return NULL;
        }
        found = found && strlen(found) >= strlen(known) ? found : known;
    }
    return found;
}
