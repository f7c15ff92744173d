/* words.h - a question in words, and how they are taken out of it. */
#ifndef WH_SINK_ASK_WORDS_H
#define WH_SINK_ASK_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/slice.h"

enum { ASK_QUESTION_MAX = 1000, ASK_WORDS_MAX = 96, ASK_WORD_BYTES = 32 };

struct ask_word {
    struct wh_slice text;     /* as typed, without marks around it */
    char low[ASK_WORD_BYTES]; /* in lower case, without "'s"; "" when it is longer */
    bool quoted;              /* the text between quotation marks, which may be several words */
    bool taken;               /* it is understood */
};

struct ask_words {
    struct ask_word list[ASK_WORDS_MAX];
    size_t n;
};

/* WH_E_INVALID when it is too long. */
WH_MUST_CHECK enum wh_rc ask_words_split(struct wh_slice question, struct ask_words *ret,
                                         struct wh_err *err);
/* The word at i in lower case; "" behind the last one and for quoted text. */
const char *ask_word(const struct ask_words *w, size_t i);
/* Is the word at i one of "a|b|c"? */
bool ask_is(const struct ask_words *w, size_t i, const char *alternatives);
/*
 * How many words from i on fit the pattern, 0: they do not. It has elements with a blank between them, each of
 * alternatives; one that begins with '~' may be missing: "which|what ~of ~our customers|clients".
 */
size_t ask_fits(const struct ask_words *w, size_t i, const char *pattern);
void ask_take(struct ask_words *w, size_t i, size_t n);
/* A whole number, written in digits or as "one" to "twelve", "a" or "an"; false: none. */
bool ask_number(const struct ask_words *w, size_t i, int *ret);

#endif
