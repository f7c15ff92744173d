/*
 * questions.h - questions in plain English become statements of SQL, by forms that a file describes
 * (schemas/questions.json). There is no model: the same question at the same time always gives the same statement.
 *
 * A question names a subject (merge requests, pipelines, ...), what is asked of it (a list, a count, a measure such
 * as the time to merge), filters (open, by Dana, in project X, older than 3 days, not merged), a time and a grouping
 * (by project, per week). The words of each are patterns of the file. Names are looked up among people, projects,
 * services and customers; several that fit are a choice. Every word counts: a word that no pattern, name or time
 * takes makes the question one that is not understood, and a word that is one edit away from a word of the forms is
 * read as that word, which the answer says.
 *
 * A frame is what was understood, with names as ids. A follow-up ("only open ones", "by project", "the week before")
 * is read into the frame of the question before.
 *
 * Thread: any; a set of forms is not changed after it was made. What a call returns lives in its arena.
 */
#ifndef WH_SINK_QUESTIONS_H
#define WH_SINK_QUESTIONS_H

#include "common/base/arena.h"
#include "common/base/zone.h"
#include "common/json/json_write.h"
#include "stages/sink/sql/sql.h"

enum {
    QUESTION_FILTERS_MAX = 12,
    QUESTION_NOTES_MAX = 8,
    QUESTION_ROWS = 100,
    QUESTION_CHOICES_MAX = 20
};

struct questions;

/* Reads the forms of a file, or of the one inside the program when json.ptr is NULL. WH_E_INVALID names what is
 * wrong in it. */
WH_MUST_CHECK enum wh_rc questions_new(struct wh_slice json, struct questions **ret,
                                       struct wh_err *err);
/* Accepts NULL. */
void questions_free(struct questions *q);

struct question_conf {
    struct sql_engine *engine; /* finds names; NULL: no name is known */
    const struct wh_history_when *when;
    const atomic_bool *canceled;
    int64_t timeout_ms; /* of each look for a name */
    struct wh_zone zone;
    struct wh_slice zone_name;
    int64_t now_ms;
    struct wh_slice
        chosen; /* ids of entities, with blanks between them, that are meant where several fit */
};

struct question_frame;

struct wh_json_val;

struct question_choice {
    const char *kind; /* "person", "project", "service" or "customer" */
    struct wh_slice id;
    struct wh_slice name;
};

struct question {
    const struct question_frame *frame;
    struct wh_slice form;     /* "merge_requests.count" */
    struct wh_slice restated; /* what was understood, in words; one line */
    struct wh_slice sql;      /* the rows of the answer */
    struct wh_slice
        rows_sql; /* the rows behind a number; empty when they are the rows of the answer */
    struct wh_slice notes[QUESTION_NOTES_MAX]; /* corrections and other remarks for the reader */
    size_t n_notes;
    const char
        *about; /* the subject, also when the question is not understood; NULL: it names none */
    bool after_incidents; /* it may be one that ask/ answers with evidence, and better */
    /* Not 0: the question is ambiguous, and one of these is meant. */
    struct question_choice choices[QUESTION_CHOICES_MAX];
    size_t n_choices;
};

/*
 * Understands a question; before is the frame that it refines, or NULL. One that names a subject again, and does not
 * begin with "and", "only" or the like, is a new question. WH_E_INVALID: it is not understood, and the
 * message says which words are not. *ret_about is true when it names a subject of the forms.
 */
WH_MUST_CHECK enum wh_rc questions_read(const struct questions *q, struct wh_slice text,
                                        const struct question_frame *before,
                                        const struct question_conf *conf, struct wh_arena *arena,
                                        struct question *ret, bool *ret_about, struct wh_err *err);

/* A frame as JSON, with names as ids; and back, with the ids and names that count now. WH_E_INVALID: the forms have
 * changed since. */
void question_frame_write(const struct question_frame *frame, struct wh_json_writer *w);
WH_MUST_CHECK enum wh_rc question_frame_read(const struct questions *q, struct wh_json_val v,
                                             const struct question_conf *conf,
                                             struct wh_arena *arena,
                                             const struct question_frame **ret, struct wh_err *err);
/* The question of a frame, as questions_read gives it. */
WH_MUST_CHECK enum wh_rc question_of_frame(const struct question_frame *frame,
                                           const struct question_conf *conf, struct wh_arena *arena,
                                           struct question *ret, struct wh_err *err);

/* Writes the members of what was understood into the open object. */
void question_write(const struct question *question, const struct question_conf *conf,
                    struct wh_json_writer *w);

/* The examples of the forms that are nearest to the text, best first. Returns how many, at most max. */
size_t questions_nearest(const struct questions *q, struct wh_slice text, const char **ret,
                         size_t max);
/* Writes all forms into the open array: subject, measure, example. */
void questions_write_forms(const struct questions *q, struct wh_json_writer *w);

/*
 * The answer in words: the restatement, the notes, and the rows. result is what the API answers to the statement:
 * {"columns", "rows": [[...]], "truncated"}.
 */
WH_MUST_CHECK enum wh_rc question_tell(const struct question *question,
                                       const struct question_conf *conf, struct wh_slice result,
                                       struct wh_buf *out, struct wh_err *err);

#endif
