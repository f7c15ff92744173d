/* ask_priv.h - what the files that answer questions share. */
#ifndef WH_SINK_API_ASK_PRIV_H
#define WH_SINK_API_ASK_PRIV_H

#include "stages/sink/api/api_priv.h"
#include "common/json/json_doc.h"
#include "stages/sink/ask/answer.h"
#include "stages/sink/conversations/conversations.h"

enum {
    ASK_STATUS_NOT_UNDERSTOOD = 422,
    ASK_STATUS_AMBIGUOUS = 409,
};

struct asking {
    struct api_reading reading;
    struct ask_conf conf;
    struct wh_slice question;
    /* The conversation that it belongs to; has_id is false when it belongs to none. */
    struct conversation_id id;
    bool has_id;
    bool keeps;                    /* the question becomes its newest turn */
    struct wh_json_parser *parser; /* of the document; NULL: it is new */
    struct wh_json_val document;
    const struct question_frame *before; /* the question before; NULL: it was none of the forms */
    struct ask_understood incident_before;
    bool has_incident_before;
    bool follows_incident; /* incident_before is then what the question means */
    /* As the forms read it; has_forms is true where they answer a question that may be about incidents. */
    struct question by_forms;
    struct question_conf forms_conf;
    bool has_forms;
    /* Why the forms do not understand it, when it names a subject of theirs; or empty. */
    char why[WH_ERR_MSG_MAX];
};

/* conversations.c: reads the conversation that the request names, or begins one; free with ask_conversation_done. */
WH_MUST_CHECK enum wh_rc ask_conversation_read(struct asking *a, struct wh_err *err);
void ask_conversation_done(struct asking *a);
/* Keeps the question as the newest turn, when it is to be kept: restated for people, and what a follow-up refines,
 * each NULL when it has none. */
WH_MUST_CHECK enum wh_rc ask_conversation_keep(struct asking *a, struct wh_slice restated,
                                               const struct question_frame *frame,
                                               const struct ask_answer *incidents,
                                               struct wh_err *err);
/* Writes the member "conversation". */
void ask_conversation_write(const struct asking *a, struct wh_json_writer *w);

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
