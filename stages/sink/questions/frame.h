/* frame.h - what a question was understood to ask: parts of the forms, with names as ids. */
#ifndef WH_SINK_QUESTIONS_FRAME_H
#define WH_SINK_QUESTIONS_FRAME_H

#include "stages/sink/ask/dates.h"
#include "stages/sink/questions/forms.h"

struct frame_filter {
    const struct form_filter *form;
    bool negated;
    bool joined;           /* "or" stands between it and the one before */
    struct wh_slice value; /* an id, a text, or seconds; empty: it takes none */
    struct wh_slice name;  /* the value for people */
    size_t at; /* its words in the question, from the first one to behind the last one */
    size_t end;
    bool alone; /* a name without words that say what it is */
};

enum frame_op { FRAME_LIST, FRAME_COUNT, FRAME_MEASURE };

struct question_frame {
    const struct form_subject *subject;
    enum frame_op op;
    const struct form_measure *measure;
    enum form_aggregate aggregate;
    const struct form_group *group;
    int period; /* in which it is grouped, as form_periods; -1: none */
    enum form_order order;
    int64_t limit; /* rows; 0: the usual number */
    struct frame_filter filters[QUESTION_FILTERS_MAX];
    size_t n_filters;
    bool has_time;
    struct ask_span span;
    /* What a follow-up said of its own; the rest is from the question before. */
    bool has_op;
};

/* The column and the words of the time that the question is about. */
const char *frame_time(const struct question_frame *f, const char **ret_say);
void frame_instants(const struct question_frame *f, struct wh_zone zone, int64_t *ret_from,
                    int64_t *ret_to);

/* sql.c: the statement, and the one with the rows behind it. */
WH_MUST_CHECK enum wh_rc frame_statement(const struct question_frame *f,
                                         const struct question_conf *conf, bool rows_behind,
                                         struct wh_buf *out, struct wh_err *err);
/* restate.c: the question as it was understood, in one line. */
WH_MUST_CHECK enum wh_rc frame_restate(const struct question_frame *f,
                                       const struct question_conf *conf, struct wh_buf *out,
                                       struct wh_err *err);

/* The texts of a question: restated, sql, rows_sql and form. */
WH_MUST_CHECK enum wh_rc question_put_texts(const struct question_frame *f,
                                            const struct question_conf *conf,
                                            struct wh_arena *arena, struct question *ret,
                                            struct wh_err *err);

/* names.c: who or what is called so, of the kinds whose bits (1 << TAKES_...) are set. */
struct found_names {
    struct question_choice list[QUESTION_CHOICES_MAX];
    size_t n;
};
WH_MUST_CHECK enum wh_rc names_find(const struct question_conf *conf, struct wh_slice text,
                                    unsigned kinds, struct wh_arena *arena, struct found_names *ret,
                                    struct wh_err *err);
/* The value of the column as it is stored, where the text is one of its values; ptr NULL: it is none. */
WH_MUST_CHECK enum wh_rc names_value(const struct question_conf *conf, const char *table,
                                     const char *column, struct wh_slice text,
                                     struct wh_arena *arena, struct wh_slice *ret,
                                     struct wh_err *err);

#endif
