/* A question is tried as one about each subject that it names, and once more with its misspelt words corrected. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/questions/read_priv.h"

enum {
    TEXT_MAX_BYTES = 64 << 10,
    UNREAD_MAX_BYTES = 160,
    NOTE_MAX_BYTES = 256,
    TELLING_WORDS = 3,
    CANDIDATES_MAX = 16
};

/* ---- what is not understood ---- */

static size_t count_unread(const struct reading *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->words.n; i++) {
        n += !r->read[i] && !r->words.list[i].taken;
    }
    return n;
}

static enum wh_rc fail_unread(const struct reading *r, struct wh_err *err)
{
    char text[UNREAD_MAX_BYTES] = "";
    size_t used = 0;

    for (size_t i = 0; i < r->words.n; i++) {
        struct wh_slice word = r->words.list[i].text;

        if (!r->read[i] && !r->words.list[i].taken && used + word.len + 2 < sizeof(text)) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.*s", used ? " " : "",
                                     WH_SLICE_ARG(word));
        }
    }
    return wh_fail(err, WH_E_INVALID, "\"%s\" is not understood in a question about %s", text,
                   r->frame.subject->many);
}

/* Reads words that no form knows as the nearest ones that forms know. Returns how many. */
static size_t correct(struct reading *r, const bool *read)
{
    size_t n = 0;

    for (size_t i = 0; i < r->words.n; i++) {
        struct ask_word *word = &r->words.list[i];
        const char *right = word->quoted || (read && (read[i] || word->taken)) ||
                                    word->low[0] == '\0' || forms_know(r->q, word->low)
                                ? NULL
                                : forms_correct(r->q, word->low);

        if (right && strlen(right) < sizeof(word->low)) {
            WH_AUTO(buf) struct wh_buf note;
            struct wh_err ignored;

            wh_buf_init(&note, NOTE_MAX_BYTES);
            if (r->ret->n_notes < QUESTION_NOTES_MAX &&
                wh_buf_printf(&note, &ignored, "\"%.*s\" was read as \"%s\"",
                              WH_SLICE_ARG(word->text), right) == WH_OK &&
                wh_arena_dup(r->arena, wh_buf_slice(&note), &r->ret->notes[r->ret->n_notes],
                             &ignored) == WH_OK) {
                r->ret->n_notes++;
            }
            memcpy(word->low, right, strlen(right) + 1);
            n++;
        }
    }
    return n;
}

/* ---- subjects ---- */

static size_t longest_fit(const struct ask_words *w, size_t i, const struct form_words *words)
{
    size_t best = 0;

    for (size_t k = 0; k < words->n; k++) {
        size_t n = ask_fits(w, i, words->list[k]);

        best = n > best ? n : best;
    }
    return best;
}

/* Where the words name the subject: by its name, by one of its verbs, or by a measure's name that is long enough, as
 * in "time to merge". The number of words: nowhere. */
static size_t subject_at(const struct ask_words *w, const struct form_subject *s)
{
    for (size_t i = 0; i < w->n; i++) {
        if (longest_fit(w, i, &s->words) || longest_fit(w, i, &s->verbs)) {
            return i;
        }
        for (size_t k = 0; k < s->n_measures; k++) {
            if (longest_fit(w, i, &s->measures[k].words) >= TELLING_WORDS) {
                return i;
            }
        }
    }
    return w->n;
}

struct attempt {
    const struct questions *q;
    struct wh_slice text;
    const struct question_frame *before;
    const struct question_conf *conf;
    struct wh_arena *arena;
    struct question *ret;
    bool about; /* a subject is named */
};

static enum wh_rc find_time(struct reading *r, struct wh_err *err)
{
    const struct ask_calendar calendar = {r->conf->now_ms, r->conf->zone,
                                          wh_zone_day(r->conf->zone, r->conf->now_ms)};

    return ask_dates_find(&r->words, &calendar, &r->frame.span, &r->frame.has_time, err);
}

/* Does a follow-up stand on its own? */
static bool is_new(const struct reading *r)
{
    return r->has_noun && !ask_is(&r->words, 0, "and|only|but|just|also|now|of|then") &&
           !ask_fits(&r->words, 0, "what|how about");
}

/* Reads the words as a question about the subject. *ret_unread: how many words are left. */
static enum wh_rc read_about(struct attempt *a, const struct ask_words *words,
                             const struct form_subject *s, struct reading *r, size_t *ret_unread,
                             struct wh_err *err)
{
    const char *unused;

    *ret_unread = SIZE_MAX;
    *r = (struct reading){.q = a->q,
                          .conf = a->conf,
                          .arena = a->arena,
                          .ret = a->ret,
                          .question = a->text,
                          .words = *words};
    r->frame = (struct question_frame){.subject = s, .period = -1};
    a->ret->n_choices = 0;
    if (a->before) {
        (void)refine_time(r, a->before);
    }
    if ((!r->frame.has_time && find_time(r, err) != WH_OK) || reading_words(r, err) != WH_OK) {
        return err->rc;
    }
    if (a->ret->n_choices) {
        return WH_OK;
    }
    if (reading_finish(r, err) != WH_OK) {
        return err->rc;
    }
    *ret_unread = count_unread(r);
    if (*ret_unread) {
        return fail_unread(r, err);
    }
    if (r->frame.has_time && frame_time(&r->frame, &unused) == NULL) {
        return wh_fail(err, WH_E_INVALID, "%s have no time", s->many);
    }
    return a->before && !is_new(r) ? refine(r, a->before, err) : WH_OK;
}

/* The subjects that the words name, the one that is named first in front. Returns how many. */
static size_t find_candidates(const struct attempt *a, const struct ask_words *words,
                              const struct form_subject *ret[CANDIDATES_MAX])
{
    size_t places[CANDIDATES_MAX];
    size_t n = 0;

    if (a->before) {
        ret[0] = a->before->subject;
        return 1;
    }
    for (size_t i = 0; i < a->q->n_subjects && n < CANDIDATES_MAX; i++) {
        size_t at = subject_at(words, &a->q->subjects[i]);
        size_t k = n;

        for (; at < words->n && k > 0 && places[k - 1] > at; k--) {
            places[k] = places[k - 1];
            ret[k] = ret[k - 1];
        }
        if (at < words->n) {
            places[k] = at;
            ret[k] = &a->q->subjects[i];
            n++;
        }
    }
    return n;
}

/* Each subject that the words name, until one takes all words. The reading with the fewest words left stays in r. */
static enum wh_rc try_subjects(struct attempt *a, const struct ask_words *words, struct reading *r,
                               struct wh_err *err)
{
    struct reading one;
    struct wh_err failed;
    size_t best = SIZE_MAX;
    const struct form_subject *subjects[CANDIDATES_MAX];
    size_t n = find_candidates(a, words, subjects);
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        size_t unread;

        a->about = true;
        if (read_about(a, words, subjects[i], &one, &unread, &failed) == WH_OK) {
            *r = one;
            return WH_OK;
        }
        if (failed.rc != WH_E_INVALID) {
            *err = failed;
            return failed.rc;
        }
        if (!any || unread < best) {
            best = unread;
            a->ret->about = subjects[i]->id;
            *err = failed;
            *r = one;
        }
        any = true;
    }
    return any ? err->rc
               : wh_fail(err, WH_E_INVALID, "the question is not one that can be answered");
}

static enum wh_rc settle(struct attempt *a, struct reading *r, struct wh_err *err)
{
    struct question_frame *frame;
    void *memory = NULL;

    if (a->ret->n_choices || r->frame.subject == NULL) {
        return WH_OK;
    }
    if (wh_arena_zalloc(a->arena, 1, sizeof(*frame), &memory, err) != WH_OK) {
        return err->rc;
    }
    frame = memory;
    *frame = r->frame;
    a->ret->frame = frame;
    a->ret->about = frame->subject->id;
    a->ret->after_incidents = frame->subject->after_incidents;
    return question_put_texts(frame, a->conf, a->arena, a->ret, err);
}

enum wh_rc questions_read(const struct questions *q, struct wh_slice text,
                          const struct question_frame *before, const struct question_conf *conf,
                          struct wh_arena *arena, struct question *ret, bool *ret_about,
                          struct wh_err *err)
{
    struct attempt a = {q, text, before, conf, arena, ret, false};
    struct ask_words words;
    struct reading r = {.q = NULL};
    enum wh_rc rc;

    *ret = (struct question){.frame = NULL};
    *ret_about = false;
    if (ask_words_split(text, &words, err) != WH_OK) {
        return err->rc;
    }
    rc = try_subjects(&a, &words, &r, err);
    if (rc == WH_E_INVALID) {
        bool known = r.q != NULL;
        struct wh_err first = *err;

        /* Once more, with the words that nothing has taken read as what they are nearest to. */
        r.q = q;
        r.arena = arena;
        r.ret = ret;
        if (!known) {
            r.words = words;
        }
        for (size_t i = 0; known && i < words.n; i++) {
            r.words.list[i].taken = false;
        }
        if (correct(&r, known ? r.read : NULL)) {
            words = r.words;
            rc = try_subjects(&a, &words, &r, err);
        }
        if (rc != WH_OK) {
            *err = first;
        }
    }
    *ret_about = a.about;
    return rc == WH_OK ? settle(&a, &r, err) : err->rc;
}
