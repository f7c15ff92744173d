#include "stages/sink/ask/words.h"

#include <string.h>

/* ---- splitting ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_mark(char c)
{
    return c && strchr("?!.,;:()[]<>\"'`", c) != NULL;
}

/* The length of a mark at the begin or the end that has several bytes: curly quotes and long dashes. */
static size_t long_mark(struct wh_slice text, bool at_end)
{
    static const char *const marks[] = {"\xE2\x80\x98", "\xE2\x80\x99", "\xE2\x80\x9C",
                                        "\xE2\x80\x9D", "\xC2\xA0"};

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        size_t n = strlen(marks[i]);

        if (text.len >= n &&
            memcmp(at_end ? text.ptr + text.len - n : text.ptr, marks[i], n) == 0) {
            return n;
        }
    }
    return 0;
}

static struct wh_slice bare(struct wh_slice text)
{
    size_t n;

    while (text.len && ((n = is_mark(text.ptr[0])) || (n = long_mark(text, false)))) {
        text = wh_slice_from(text, n);
    }
    while (text.len && ((n = is_mark(text.ptr[text.len - 1])) || (n = long_mark(text, true)))) {
        text.len -= n;
    }
    return text;
}

/* Without "'s", with a straight or a curly apostrophe. */
static struct wh_slice without_genitive(struct wh_slice text)
{
    static const char *const ends[] = {"'s", "'S", "\xE2\x80\x99s", "\xE2\x80\x99S"};

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t n = strlen(ends[i]);

        if (text.len > n && memcmp(text.ptr + text.len - n, ends[i], n) == 0) {
            text.len -= n;
            return text;
        }
    }
    return text;
}

static enum wh_rc add(struct ask_words *w, struct wh_slice text, bool quoted, struct wh_err *err)
{
    struct ask_word *word;

    if (text.len == 0) {
        return WH_OK;
    }
    if (w->n == ASK_WORDS_MAX) {
        return wh_fail(err, WH_E_INVALID, "the question has more than %d words", ASK_WORDS_MAX);
    }
    word = &w->list[w->n++];
    *word = (struct ask_word){.text = quoted ? text : without_genitive(text), .quoted = quoted};
    if (!quoted && word->text.len < sizeof(word->low)) {
        for (size_t i = 0; i < word->text.len; i++) {
            char c = word->text.ptr[i];

            word->low[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        }
    }
    return WH_OK;
}

/* The end of quoted text that begins at the question's first byte; 0: it is not quoted, or has no end. */
static size_t quoted(struct wh_slice rest)
{
    const char *end =
        rest.len > 1 && rest.ptr[0] == '"' ? memchr(rest.ptr + 1, '"', rest.len - 1) : NULL;

    return end ? (size_t)(end - rest.ptr) : 0;
}

enum wh_rc ask_words_split(struct wh_slice question, struct ask_words *ret, struct wh_err *err)
{
    ret->n = 0;
    if (question.len > ASK_QUESTION_MAX) {
        return wh_fail(err, WH_E_INVALID, "the question is longer than %d bytes", ASK_QUESTION_MAX);
    }
    for (size_t at = 0; at < question.len;) {
        size_t begin = at;
        size_t end = quoted(wh_slice_from(question, at));
        enum wh_rc rc;

        if (is_blank(question.ptr[at])) {
            at++;
            continue;
        }
        if (end) {
            rc = add(ret, wh_slice(question.ptr + at + 1, end - 1), true, err);
            at += end + 1;
        } else {
            while (at < question.len && !is_blank(question.ptr[at])) {
                at++;
            }
            rc = add(ret, bare(wh_slice(question.ptr + begin, at - begin)), false, err);
        }
        if (rc != WH_OK) {
            return rc;
        }
    }
    return WH_OK;
}

/* ---- looking ---- */

const char *ask_word(const struct ask_words *w, size_t i)
{
    return i < w->n && !w->list[i].taken ? w->list[i].low : "";
}

static bool is_alternative(const char *word, const char *alternatives, size_t len)
{
    size_t n = strlen(word);

    while (len > 0) {
        const char *bar = memchr(alternatives, '|', len);
        size_t one = bar ? (size_t)(bar - alternatives) : len;

        if (n > 0 && n == one && memcmp(word, alternatives, n) == 0) {
            return true;
        }
        one += bar ? 1 : 0;
        alternatives += one;
        len -= one;
    }
    return false;
}

bool ask_is(const struct ask_words *w, size_t i, const char *alternatives)
{
    return is_alternative(ask_word(w, i), alternatives, strlen(alternatives));
}

size_t ask_fits(const struct ask_words *w, size_t i, const char *pattern)
{
    size_t n = 0;

    while (*pattern) {
        bool optional = *pattern == '~';
        size_t len;

        pattern += optional;
        len = strcspn(pattern, " ");
        if (is_alternative(ask_word(w, i + n), pattern, len)) {
            n++;
        } else if (!optional) {
            return 0;
        }
        pattern += len;
        pattern += *pattern == ' ';
    }
    return n;
}

void ask_take(struct ask_words *w, size_t i, size_t n)
{
    for (size_t k = i; k < i + n && k < w->n; k++) {
        w->list[k].taken = true;
    }
}

bool ask_number(const struct ask_words *w, size_t i, int *ret)
{
    static const char *const names[] = {"one",   "two",   "three", "four", "five",   "six",
                                        "seven", "eight", "nine",  "ten",  "eleven", "twelve"};
    const char *word = ask_word(w, i);
    size_t digits = strspn(word, "0123456789");

    for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
        if (strcmp(word, names[k]) == 0) {
            *ret = (int)k + 1;
            return true;
        }
    }
    if (strcmp(word, "a") == 0 || strcmp(word, "an") == 0) {
        *ret = 1;
        return true;
    }
    if (digits == 0 || digits > 6 || word[digits]) {
        return false;
    }
    *ret = 0;
    for (size_t k = 0; k < digits; k++) {
        *ret = *ret * 10 + (word[k] - '0');
    }
    return true;
}
