/* ask_priv.h - what the files that answer questions share. */
#ifndef WH_SINK_API_ASK_PRIV_H
#define WH_SINK_API_ASK_PRIV_H

#include "stages/sink/api/api_priv.h"
#include "stages/sink/ask/answer.h"

enum {
    ASK_STATUS_NOT_UNDERSTOOD = 422,
    ASK_STATUS_AMBIGUOUS = 409,
};

struct asking {
    struct api_reading reading;
    struct ask_conf conf;
    struct wh_slice question;
    /* As the forms read it; has_forms is true where they answer a question that may be about incidents. */
    struct question by_forms;
    struct question_conf forms_conf;
    bool has_forms;
    /* Why the forms do not understand it, when it names a subject of theirs; or empty. */
    char why[WH_ERR_MSG_MAX];
};

/* Begins the answer to a question that is not answered; the caller adds members and ends it. */
void ask_begin_refusal(struct asking *a, struct api_json *j, int status, const char *code,
                       const char *message);
/* With the forms that are nearest to what was typed. */
WH_MUST_CHECK enum wh_rc ask_not_understood(struct asking *a, const char *why, struct wh_err *err);
/* Answers a question of the forms of questions.h. *ret_answered is false when it is none, or may be about incidents; then
 * nothing is written. */
WH_MUST_CHECK enum wh_rc ask_by_forms(struct asking *a, bool *ret_answered, struct wh_err *err);
/* Answers as the forms read it, when has_forms. */
WH_MUST_CHECK enum wh_rc ask_answer_forms(struct asking *a, struct wh_err *err);

#endif
