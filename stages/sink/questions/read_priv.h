/* read_priv.h - what the files that read a question share. match.c finds parts of the forms in its words, match_name.c
 * names, read.c puts them into a frame, finish.c decides what is asked, refine.c joins it with the frame of the question
 * before, and attempt.c tries all that for each subject. */
#ifndef WH_SINK_QUESTIONS_READ_PRIV_H
#define WH_SINK_QUESTIONS_READ_PRIV_H

#include "stages/sink/questions/frame.h"

enum { LOOKS_MAX = 48, NAME_WORDS_MAX = 5, BARE_MAX = 8 };

struct reading {
    const struct questions *q;
    const struct question_conf *conf;
    struct wh_arena *arena;
    struct question *ret;
    struct wh_slice question;
    struct ask_words words;
    bool read[ASK_WORDS_MAX]; /* the word is understood */
    struct question_frame frame;
    const struct form_measure *measure;
    size_t measure_at; /* its first word */
    size_t asked_end;  /* behind the words of what is asked */
    const char *who;   /* the group that a filter gives to "who" */
    bool asked[ASKS];
    bool has_noun;
    bool is_one; /* the noun is in the singular */
    bool negating;
    bool joining;
    /* Words of groups that nothing announces. */
    struct {
        const struct form_group *group;
        size_t at;
        size_t n;
    } bare[BARE_MAX];
    size_t n_bare;
    /* Filters with a name, and the words behind it: one more name after "or" is theirs as well. */
    struct {
        const struct form_filter *form;
        size_t end;
    } named[QUESTION_FILTERS_MAX];
    size_t n_named;
    size_t looks; /* for names */
};

/* Which part of the forms fits at a word. */
enum part {
    PART_NOUN,
    PART_FILTER,
    PART_NOT_FILTER,
    PART_MEASURE,
    PART_GROUP,
    PART_PERIOD,
    PART_ORDER,
    PART_AGGREGATE,
    PART_ASK,
    PART_NOT,
    PART_OR,
    PART_BARE,
    PART_FILLER
};

struct match {
    enum part part;
    const void *what; /* of the forms, where it has no number */
    int number;       /* of the order, aggregate, period or what is asked */
    size_t n;         /* words */
};

enum { MATCHES_MAX = 64 };

/* The most words from i on that one of the patterns takes. */
size_t match_words(const struct reading *r, size_t i, const struct form_words *words);
/* The parts that fit at word i, the longest first. Returns how many. */
size_t match_at(const struct reading *r, size_t i, struct match ret[MATCHES_MAX]);

/* How many words from i on are a name of one of the kinds, 0: none. Several that fit become the question's choices. */
WH_MUST_CHECK enum wh_rc match_name(struct reading *r, size_t i, unsigned kinds,
                                    struct question_choice *ret, size_t *ret_n, struct wh_err *err);
void match_named(struct reading *r, const struct form_filter *form, size_t end);
/* Names of the words that nothing else has taken. */
WH_MUST_CHECK enum wh_rc match_rest(struct reading *r, struct wh_err *err);
WH_MUST_CHECK enum wh_rc reading_add(struct reading *r, const struct frame_filter *filter,
                                     struct wh_err *err);

/* Takes the words apart. */
WH_MUST_CHECK enum wh_rc reading_words(struct reading *r, struct wh_err *err);
/* What is asked follows from what was found. */
WH_MUST_CHECK enum wh_rc reading_finish(struct reading *r, struct wh_err *err);
/* Moves times of a follow-up such as "the week before" out of the words; the frame's time is before's, moved. */
bool refine_time(struct reading *r, const struct question_frame *before);
/* The frame of a follow-up, with what the question before said. */
WH_MUST_CHECK enum wh_rc refine(struct reading *r, const struct question_frame *before,
                                struct wh_err *err);

#endif
