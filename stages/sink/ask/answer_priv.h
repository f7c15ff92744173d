/* answer_priv.h - what answer.c, say.c and statement.c share. */
#ifndef WH_SINK_ASK_ANSWER_PRIV_H
#define WH_SINK_ASK_ANSWER_PRIV_H

#include "stages/sink/ask/answer.h"

/* The answer in words. */
WH_MUST_CHECK enum wh_rc ask_say(const struct ask_answer *a, const struct ask_conf *conf,
                                 struct wh_buf *out, struct wh_err *err);
/* The statement with the same rows. */
WH_MUST_CHECK enum wh_rc ask_statement(const struct ask_answer *a, struct wh_buf *out,
                                       struct wh_err *err);

#endif
