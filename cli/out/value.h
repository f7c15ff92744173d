/* value.h - values of JSON answers, and lengths of time, as text for people. */
#ifndef WH_CLI_OUT_VALUE_H
#define WH_CLI_OUT_VALUE_H

#include "common/base/buf.h"
#include "common/json/json_doc.h"

/* Appends a value: of an array or object the texts and numbers of its first level. The text is not
 * escaped yet. */
void cli_value_text(struct wh_json_val v, struct wh_buf *out);
/* A member that is a number; otherwise when it is absent or no number. */
double cli_get_num(struct wh_json_val object, const char *key, double otherwise);
/* Members of a container. */
size_t cli_count(struct wh_json_val container);
/* "1.2 ms", "3.0 s", "5 min" */
const char *cli_seconds(double seconds, char text[32]);

#endif
