/*
 * rules_priv.h - what rules on texts and rules on labels share: keys of names, and lists of texts.
 */
#ifndef WH_MAPPER_VIEW_RULES_PRIV_H
#define WH_MAPPER_VIEW_RULES_PRIV_H

#include "stages/mapper/view/convert_priv.h"

/* The key of a name (common/text/key.h), in the arena. A text that cannot be compared has an empty key. */
WH_MUST_CHECK enum wh_rc rule_key(const struct convert *c, struct wh_slice text,
                                  struct wh_slice *ret, struct wh_err *err);
/* The index of a key among the words; -1: it is not there. words may be NULL. */
int rule_find_word(const struct view_words *words, struct wh_slice key);
/* Is the text "none", "n/a", "-" or the like, with which an author says that a list has no entry? */
WH_MUST_CHECK enum wh_rc rule_is_nothing(const struct convert *c, const struct view_conv *conv,
                                         struct wh_slice text, bool *ret, struct wh_err *err);

/* A list of texts without repetition; the value of a field of type STRINGS. */
struct rule_texts {
    const struct convert *c;
    const struct view_conv *conv;
    struct wh_slice *items;
    size_t n;
};

WH_MUST_CHECK enum wh_rc rule_texts_init(struct rule_texts *t, const struct convert *c,
                                         const struct view_conv *conv, struct wh_err *err);
/* Adds a text unless it means nothing or is there already. Texts beyond a limit are noted, not added. */
WH_MUST_CHECK enum wh_rc rule_texts_add(struct rule_texts *t, struct wh_slice text,
                                        struct wh_err *err);
/* Adds a line of Markdown or an item; a full stop or a comma at its end does not belong to a name. */
WH_MUST_CHECK enum wh_rc rule_texts_add_plain(struct rule_texts *t, struct wh_slice text,
                                              struct wh_err *err);
/* Adds the parts of "a, b; c". */
WH_MUST_CHECK enum wh_rc rule_texts_add_all(struct rule_texts *t, struct wh_slice text,
                                            struct wh_err *err);
/* The field's value: null when there are no texts. */
void rule_texts_done(const struct rule_texts *t, enum view_shown *ret_shown, struct wh_value *ret);

/* The text of an operand; empty: it is no text. */
struct wh_slice rule_text(const struct view_found *found);

/* CONV_MENTIONS and CONV_REVERTS, of the lines of a text. */
WH_MUST_CHECK enum wh_rc convert_mentions(const struct convert *c, const struct view_conv *conv,
                                          const struct markdown *text, enum view_shown *ret_shown,
                                          struct wh_value *ret, struct wh_err *err);
WH_MUST_CHECK enum wh_rc convert_reverts(const struct convert *c, const struct view_conv *conv,
                                         const struct markdown *text, enum view_shown *ret_shown,
                                         struct wh_value *ret, struct wh_err *err);
/* False: the text contains nothing for them, so that its lines need not be read. */
bool mentions_possible(struct wh_slice text);
bool reverts_possible(struct wh_slice text);

/* Reads an array of labels, or forgets those that were read: into c->rules. */
WH_MUST_CHECK enum wh_rc rule_labels(const struct convert *c, const struct view_found *found,
                                     struct wh_err *err);
enum wh_rc rule_no_labels(const struct convert *c);

/* CONV_CATEGORIES. */
WH_MUST_CHECK enum wh_rc convert_categories(const struct convert *c, const struct view_conv *conv,
                                            enum view_shown *ret_shown, struct wh_value *ret,
                                            struct wh_err *err);

/* CONV_LABEL. */
WH_MUST_CHECK enum wh_rc convert_label(const struct convert *c, const struct view_conv *conv,
                                       enum wh_field_type type, const struct view_found *found,
                                       enum view_shown *ret_shown, struct wh_value *ret,
                                       struct wh_err *err);

#endif
