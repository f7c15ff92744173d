/* value.h - a value of a row: checked by the type of its column, and brought into one form. */
#ifndef WH_CLI_IMPORT_VALUE_H
#define WH_CLI_IMPORT_VALUE_H

#include "cli/import/kinds.h"
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/json/json_doc.h"
#include "common/json/json_write.h"

enum import_state {
    IMPORT_ABSENT, /* the file does not have the column: what the store has stays */
    IMPORT_EMPTY,  /* null */
    IMPORT_SHOWN,
};

struct import_value {
    enum import_state state;
    struct wh_slice text;         /* of a number its digits */
    const struct wh_slice *items; /* of a list, which is never IMPORT_EMPTY */
    size_t n_items;
};

/*
 * Reads a cell. Blanks around it do not count. What is wrong is written to reason; false then. Texts are borrowed
 * or in the arena. A short memory counts as a wrong value.
 */
WH_MUST_CHECK bool import_value_text(const struct import_column *column, struct wh_slice text,
                                     struct wh_arena *arena, struct import_value *ret,
                                     char reason[IMPORT_REASON_MAX]);
/* The same for a value of JSON, which is no null. */
WH_MUST_CHECK bool import_value_json(const struct import_column *column, struct wh_json_val json,
                                     struct wh_arena *arena, struct import_value *ret,
                                     char reason[IMPORT_REASON_MAX]);
/* Is the text one that can be stored: UTF-8, without NUL, not too long? */
WH_MUST_CHECK bool import_text_good(struct wh_slice text, char reason[IMPORT_REASON_MAX]);
/* Writes the value to a payload. */
void import_value_write(struct wh_json_writer *w, const struct import_column *column,
                        const struct import_value *value);
/* Appends the value in a form that is the same for equal values alone. */
WH_MUST_CHECK enum wh_rc import_value_print(struct wh_buf *out, const struct import_value *value,
                                            struct wh_err *err);

#endif
